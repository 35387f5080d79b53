//! `path_*`: what is done with names.

use super::{
    Args, Call, Errno, Stop,
    abi::{fdflags, oflags, rights},
    cost,
    descriptors::{Descriptor, Target},
    files::check_times,
};
use crate::fs::store::{Inode, Place};

impl Call<'_> {
    /// Reads a path and follows it from an open directory.
    fn place(&mut self, number: u32, needed: u64, pointer: u32, length: u32) -> Result<Place, Stop> {
        let base = self.wasi.descriptors.directory(number, needed)?;
        let bytes = self.memory.read(pointer, length)?;
        self.gas.charge(u64::from(length).saturating_mul(cost::PATH_BYTE).saturating_add(cost::PATH))?;
        // Empty ones count too: whoever finds out that they are has looked at them.
        let components = bytes.split(|byte| *byte == b'/').count();
        self.gas.charge(super::length(components).saturating_mul(cost::PATH_COMPONENT))?;
        let path = core::str::from_utf8(bytes).map_err(|_| Errno::IllegalSequence)?;
        if path.contains('\0') {
            return Err(Errno::Invalid.into());
        }
        Ok(self.wasi.files.resolve(base, path)?)
    }

    pub(super) fn path_open(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (number, flags) = (args.u32(0), u64::from(args.u32(4)));
        let (base, inheriting) = (args.u64(5), args.u64(6));
        let descriptor_flags = u16::try_from(args.u32(7)).map_err(|_| Errno::Invalid)?;
        self.memory.read(args.u32(8), 4)?;
        let place = self.place(number, rights::PATH_OPEN, args.u32(2), args.u32(3))?;
        if flags & !oflags::ALL != 0 || descriptor_flags & !fdflags::ALL != 0 {
            return Err(Errno::Invalid.into());
        }
        self.wasi.descriptors.check_room()?;
        let allowed = self.wasi.descriptors.get(number, 0)?.inheriting;
        if (base | inheriting) & rights::ALL & !allowed & (rights::FILE | rights::DIRECTORY) != 0 {
            return Err(Errno::NotCapable.into());
        }
        let writes = base & rights::FD_WRITE != 0;
        let inode = self.open_inode(number, &place, flags, writes)?;
        let descriptor = if self.wasi.files.is_directory(inode) {
            Descriptor {
                target: Target::Directory { inode, listing: None },
                rights: base & rights::DIRECTORY,
                inheriting: inheriting & (rights::DIRECTORY | rights::FILE),
                flags: descriptor_flags,
                preopened: false,
            }
        } else {
            Descriptor {
                target: Target::File { inode, offset: 0 },
                rights: base & rights::FILE,
                inheriting: 0,
                flags: descriptor_flags,
                preopened: false,
            }
        };
        let opened = self.wasi.descriptors.insert(&mut self.wasi.files, descriptor)?;
        self.memory.write_u32(args.u32(8), opened)
    }

    /// Finds or creates what is to be opened, and empties it if asked to.
    fn open_inode(&mut self, number: u32, place: &Place, flags: u64, writes: bool) -> Result<Inode, Stop> {
        let wants = |flag| flags & flag != 0;
        let Some(inode) = place.found else {
            if !wants(oflags::CREAT) {
                return Err(Errno::NoEntry.into());
            }
            if wants(oflags::DIRECTORY) {
                return Err(Errno::Invalid.into());
            }
            self.wasi.descriptors.directory(number, rights::PATH_CREATE_FILE)?;
            if place.must_be_directory {
                return Err(Errno::IsDirectory.into());
            }
            return Ok(self.wasi.files.create(place, false)?);
        };
        if wants(oflags::CREAT) && wants(oflags::EXCL) {
            return Err(Errno::Exists.into());
        }
        if self.wasi.files.is_directory(inode) {
            if writes || wants(oflags::TRUNC) || (wants(oflags::CREAT) && !wants(oflags::DIRECTORY)) {
                return Err(Errno::IsDirectory.into());
            }
            return Ok(inode);
        }
        if wants(oflags::DIRECTORY) {
            return Err(Errno::NotDirectory.into());
        }
        if writes || wants(oflags::TRUNC) {
            self.check_writable(inode)?;
        }
        if wants(oflags::TRUNC) {
            self.wasi.descriptors.directory(number, rights::PATH_FILESTAT_SET_SIZE)?;
            self.wasi.files.resize(inode, 0)?;
        }
        Ok(inode)
    }

    pub(super) fn path_create_directory(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let place = self.place(args.u32(0), rights::PATH_CREATE_DIRECTORY, args.u32(1), args.u32(2))?;
        self.wasi.files.create(&place, true)?;
        Ok(())
    }

    pub(super) fn path_remove_directory(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let place = self.place(args.u32(0), rights::PATH_REMOVE_DIRECTORY, args.u32(1), args.u32(2))?;
        Ok(self.wasi.files.remove_directory(&place)?)
    }

    pub(super) fn path_unlink_file(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let place = self.place(args.u32(0), rights::PATH_UNLINK_FILE, args.u32(1), args.u32(2))?;
        Ok(self.wasi.files.remove_file(&place)?)
    }

    pub(super) fn path_rename(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let from = self.place(args.u32(0), rights::PATH_RENAME_SOURCE, args.u32(1), args.u32(2))?;
        let to = self.place(args.u32(3), rights::PATH_RENAME_TARGET, args.u32(4), args.u32(5))?;
        if let Some(moved) = from.found {
            self.gas.charge(self.wasi.files.count_below(moved).saturating_mul(cost::INODE))?;
        }
        Ok(self.wasi.files.rename(&from, &to)?)
    }

    pub(super) fn path_filestat_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let place = self.place(args.u32(0), rights::PATH_FILESTAT_GET, args.u32(2), args.u32(3))?;
        let stat = self.filestat(place.found.ok_or(Errno::NoEntry)?);
        self.memory.write(args.u32(4), &stat)
    }

    /// Times are always zero: a valid request succeeds and changes nothing.
    pub(super) fn path_filestat_set_times(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let place = self.place(args.u32(0), rights::PATH_FILESTAT_SET_TIMES, args.u32(2), args.u32(3))?;
        check_times(args.u64(6))?;
        Ok(self.check_writable(place.found.ok_or(Errno::NoEntry)?)?)
    }
}

//! `fd_*`: what is done with open descriptors.

use std::sync::Arc;

use super::{
    Args, Call, Errno, Stop,
    abi::{fdflags, filetype, fstflags, rights},
    cost,
    descriptors::{Descriptor, Listed, PREOPEN_NAME, Target},
    length,
    memory::Buffer,
};
use crate::fs::store::Inode;

impl Call<'_> {
    pub(super) fn fd_read(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let number = args.u32(0);
        let target = self.wasi.descriptors.get(number, rights::FD_READ)?.target.clone();
        let buffers = self.memory.vector(self.gas, args.u32(1), args.u32(2))?;
        self.memory.read(args.u32(3), 4)?;
        let count = match target {
            Target::Stdin => {
                let stdin = core::mem::take(&mut self.wasi.stdin);
                let read = self.read_into(&buffers, stdin.get(self.wasi.stdin_at..).unwrap_or_default());
                self.wasi.stdin = stdin;
                let count = read?;
                let moved = usize::try_from(count).map_err(|_| Errno::Overflow)?;
                self.wasi.stdin_at = self.wasi.stdin_at.saturating_add(moved);
                count
            }
            Target::File { inode, offset } => {
                let count = self.read_file(inode, offset, &buffers)?;
                self.set_offset(number, offset.saturating_add(u64::from(count)))?;
                count
            }
            Target::Directory { .. } => return Err(Errno::IsDirectory.into()),
            Target::Stdout | Target::Stderr => return Err(Errno::BadDescriptor.into()),
        };
        self.memory.write_u32(args.u32(3), count)
    }

    pub(super) fn fd_pread(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let inode = self.file(args.u32(0), rights::FD_READ | rights::FD_SEEK)?;
        let buffers = self.memory.vector(self.gas, args.u32(1), args.u32(2))?;
        self.memory.read(args.u32(4), 4)?;
        let count = self.read_file(inode, args.u64(3), &buffers)?;
        self.memory.write_u32(args.u32(4), count)
    }

    fn read_file(&mut self, inode: Inode, offset: u64, buffers: &[Buffer]) -> Result<u32, Stop> {
        let Self { wasi, memory, gas } = self;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        copy_into(memory, gas, buffers, wasi.files.bytes(inode).get(start..).unwrap_or_default())
    }

    fn read_into(&mut self, buffers: &[Buffer], data: &[u8]) -> Result<u32, Stop> {
        copy_into(&mut self.memory, self.gas, buffers, data)
    }

    pub(super) fn fd_write(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let number = args.u32(0);
        let descriptor = self.wasi.descriptors.get(number, rights::FD_WRITE)?;
        let append = descriptor.flags & fdflags::APPEND != 0;
        let target = descriptor.target.clone();
        let buffers = self.memory.vector(self.gas, args.u32(1), args.u32(2))?;
        self.memory.read(args.u32(3), 4)?;
        let count = total(&buffers)?;
        self.gas.charge_bytes(u64::from(count))?;
        match target {
            Target::Stdout => {
                for buffer in &buffers {
                    self.wasi.stdout.append(self.memory.buffer(*buffer)?);
                }
            }
            Target::Stderr => {
                for buffer in &buffers {
                    self.wasi.stderr.append(self.memory.buffer(*buffer)?);
                }
            }
            Target::File { inode, offset } => {
                let offset = if append { self.wasi.files.size(inode) } else { offset };
                self.write_file(inode, offset, &buffers)?;
                self.set_offset(number, offset.saturating_add(u64::from(count)))?;
            }
            Target::Directory { .. } => return Err(Errno::IsDirectory.into()),
            Target::Stdin => return Err(Errno::BadDescriptor.into()),
        }
        self.memory.write_u32(args.u32(3), count)
    }

    pub(super) fn fd_pwrite(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let inode = self.file(args.u32(0), rights::FD_WRITE | rights::FD_SEEK)?;
        let buffers = self.memory.vector(self.gas, args.u32(1), args.u32(2))?;
        self.memory.read(args.u32(4), 4)?;
        let count = total(&buffers)?;
        self.gas.charge_bytes(u64::from(count))?;
        self.write_file(inode, args.u64(3), &buffers)?;
        self.memory.write_u32(args.u32(4), count)
    }

    /// Writes buffers one behind the other: all of them or, when there is no room, none.
    fn write_file(&mut self, inode: Inode, offset: u64, buffers: &[Buffer]) -> Result<(), Stop> {
        let count = total(buffers)?;
        if count == 0 {
            return Ok(());
        }
        let end = offset.checked_add(u64::from(count)).ok_or(Errno::FileTooBig)?;
        self.grow_file(inode, end)?;
        let mut at = offset;
        for buffer in buffers {
            self.wasi.files.write(inode, at, self.memory.buffer(*buffer)?)?;
            at = at.saturating_add(u64::from(buffer.length()));
        }
        Ok(())
    }

    /// Makes a file at least this long, paid for first.
    fn grow_file(&mut self, inode: Inode, size: u64) -> Result<(), Stop> {
        let grown = size.saturating_sub(self.wasi.files.size(inode));
        if grown > 0 {
            self.gas.charge_bytes(grown)?;
            self.wasi.files.resize(inode, size)?;
        }
        Ok(())
    }

    fn set_offset(&mut self, number: u32, to: u64) -> Result<(), Errno> {
        if let Target::File { offset, .. } = &mut self.wasi.descriptors.get_mut(number, 0)?.target {
            *offset = to;
        }
        Ok(())
    }

    /// The inode of a descriptor that must be a file.
    fn file(&self, number: u32, rights: u64) -> Result<Inode, Errno> {
        match self.wasi.descriptors.get(number, 0)?.target {
            Target::File { inode, .. } => self.wasi.descriptors.get(number, rights).map(|_| inode),
            Target::Directory { .. } => Err(Errno::IsDirectory),
            _ => Err(Errno::Seek),
        }
    }

    /// Bytes that can be read without waiting.
    pub(super) fn readable(&self, number: u32) -> u64 {
        match self.wasi.descriptors.get(number, 0).map(|descriptor| &descriptor.target) {
            Ok(Target::Stdin) => length(self.wasi.stdin.len().saturating_sub(self.wasi.stdin_at)),
            Ok(Target::File { inode, offset }) => self.wasi.files.size(*inode).saturating_sub(*offset),
            _ => 0,
        }
    }

    pub(super) fn fd_seek(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let number = args.u32(0);
        let inode = self.file(number, 0)?;
        let delta = args.u64(1).cast_signed();
        let Target::File { offset, .. } = self.wasi.descriptors.get(number, 0)?.target else {
            return Err(Errno::Seek.into());
        };
        // Asking where one is needs less than moving.
        let needed = if args.u32(2) == 1 && delta == 0 { rights::FD_TELL } else { rights::FD_SEEK | rights::FD_TELL };
        self.file(number, needed)?;
        let base = match args.u32(2) {
            0 => 0,
            1 => offset,
            2 => self.wasi.files.size(inode),
            _ => return Err(Errno::Invalid.into()),
        };
        let to = base.checked_add_signed(delta).filter(|to| i64::try_from(*to).is_ok()).ok_or(Errno::Invalid)?;
        self.memory.write_u64(args.u32(3), to)?;
        Ok(self.set_offset(number, to)?)
    }

    pub(super) fn fd_tell(&mut self, args: Args<'_>) -> Result<(), Stop> {
        self.file(args.u32(0), rights::FD_TELL)?;
        if let Target::File { offset, .. } = self.wasi.descriptors.get(args.u32(0), 0)?.target {
            self.memory.write_u64(args.u32(1), offset)?;
        }
        Ok(())
    }

    pub(super) fn fd_close(&mut self, args: Args<'_>) -> Result<(), Stop> {
        Ok(self.wasi.descriptors.close(&mut self.wasi.files, args.u32(0))?)
    }

    pub(super) fn fd_renumber(&mut self, args: Args<'_>) -> Result<(), Stop> {
        Ok(self.wasi.descriptors.renumber(&mut self.wasi.files, args.u32(0), args.u32(1))?)
    }

    pub(super) fn fd_sync(&mut self, args: Args<'_>) -> Result<(), Stop> {
        self.wasi.descriptors.get(args.u32(0), rights::FD_SYNC)?;
        Ok(())
    }

    pub(super) fn fd_datasync(&mut self, args: Args<'_>) -> Result<(), Stop> {
        self.wasi.descriptors.get(args.u32(0), rights::FD_DATASYNC)?;
        Ok(())
    }

    pub(super) fn fd_advise(&mut self, args: Args<'_>) -> Result<(), Stop> {
        const ADVICE_MAX: u32 = 5;
        self.file(args.u32(0), rights::FD_ADVISE)?;
        if args.u32(3) > ADVICE_MAX { Err(Errno::Invalid.into()) } else { Ok(()) }
    }

    pub(super) fn fd_allocate(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let inode = self.file(args.u32(0), rights::FD_ALLOCATE)?;
        let end = args.u64(1).checked_add(args.u64(2)).ok_or(Errno::FileTooBig)?;
        if args.u64(2) == 0 {
            return Err(Errno::Invalid.into());
        }
        self.check_writable(inode)?;
        self.grow_file(inode, end)
    }

    pub(super) fn check_writable(&self, inode: Inode) -> Result<(), Errno> {
        if self.wasi.files.is_writable(inode) { Ok(()) } else { Err(Errno::ReadOnly) }
    }

    pub(super) fn fd_filestat_set_size(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let inode = self.file(args.u32(0), rights::FD_FILESTAT_SET_SIZE)?;
        self.check_writable(inode)?;
        self.gas.charge_bytes(args.u64(1))?;
        Ok(self.wasi.files.resize(inode, args.u64(1))?)
    }

    /// Times are always zero: a valid request succeeds and changes nothing.
    pub(super) fn fd_filestat_set_times(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let inode = self.wasi.descriptors.get(args.u32(0), rights::FD_FILESTAT_SET_TIMES)?.inode();
        check_times(args.u64(3))?;
        Ok(self.check_writable(inode.ok_or(Errno::Invalid)?)?)
    }

    pub(super) fn fd_filestat_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let number = args.u32(0);
        let stat = match self.wasi.descriptors.get(number, rights::FD_FILESTAT_GET)?.inode() {
            Some(inode) => self.filestat(inode),
            None => filestat_bytes(0, filetype::UNKNOWN, 0),
        };
        self.memory.write(args.u32(1), &stat)
    }

    pub(super) fn filestat(&self, inode: Inode) -> [u8; 64] {
        filestat_bytes(inode, self.filetype(inode), self.wasi.files.size(inode))
    }

    fn filetype(&self, inode: Inode) -> u8 {
        if self.wasi.files.is_directory(inode) { filetype::DIRECTORY } else { filetype::REGULAR_FILE }
    }

    pub(super) fn fd_fdstat_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let descriptor = self.wasi.descriptors.get(args.u32(0), 0)?;
        let Descriptor { rights, inheriting, flags, .. } = *descriptor;
        let filetype = descriptor.inode().map_or(filetype::UNKNOWN, |inode| self.filetype(inode));
        let mut stat = [0; 24];
        put(&mut stat, 0, &[filetype]);
        put(&mut stat, 2, &flags.to_le_bytes());
        put(&mut stat, 8, &rights.to_le_bytes());
        put(&mut stat, 16, &inheriting.to_le_bytes());
        self.memory.write(args.u32(1), &stat)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let flags = u16::try_from(args.u32(1)).map_err(|_| Errno::Invalid)?;
        let descriptor = self.wasi.descriptors.get_mut(args.u32(0), rights::FD_FDSTAT_SET_FLAGS)?;
        if flags & !fdflags::ALL != 0 {
            return Err(Errno::Invalid.into());
        }
        descriptor.flags = flags;
        Ok(())
    }

    /// Rights can be given up, never taken.
    pub(super) fn fd_fdstat_set_rights(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let descriptor = self.wasi.descriptors.get_mut(args.u32(0), 0)?;
        let (base, inheriting) = (args.u64(1), args.u64(2));
        if base & !descriptor.rights != 0 || inheriting & !descriptor.inheriting != 0 {
            return Err(Errno::NotCapable.into());
        }
        (descriptor.rights, descriptor.inheriting) = (base, inheriting);
        Ok(())
    }

    pub(super) fn fd_prestat_get(&mut self, args: Args<'_>) -> Result<(), Stop> {
        if !self.wasi.descriptors.get(args.u32(0), 0)?.preopened {
            return Err(Errno::BadDescriptor.into());
        }
        let mut stat = [0; 8];
        put(&mut stat, 4, &u32::try_from(PREOPEN_NAME.len()).unwrap_or_default().to_le_bytes());
        self.memory.write(args.u32(1), &stat)
    }

    pub(super) fn fd_prestat_dir_name(&mut self, args: Args<'_>) -> Result<(), Stop> {
        if !self.wasi.descriptors.get(args.u32(0), 0)?.preopened {
            return Err(Errno::BadDescriptor.into());
        }
        if u64::from(args.u32(2)) < length(PREOPEN_NAME.len()) {
            return Err(Errno::NameTooLong.into());
        }
        self.memory.write(args.u32(1), PREOPEN_NAME)
    }

    /// Sorted by name, `.` and `..` first. A cookie is a position in the listing taken when reading began, so that
    /// removing what was listed skips nothing.
    pub(super) fn fd_readdir(&mut self, args: Args<'_>) -> Result<(), Stop> {
        let (number, pointer, room, cookie) = (args.u32(0), args.u32(1), args.u32(2), args.u64(3));
        let directory = self.wasi.descriptors.directory(number, rights::FD_READDIR)?;
        self.memory.read(pointer, room)?;
        self.memory.read(args.u32(4), 4)?;
        let listing = self.listing(number, directory, cookie == 0)?;
        let first = usize::try_from(cookie).unwrap_or(usize::MAX);
        let mut out = Vec::new();
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        for (listed, next) in listing.get(first..).unwrap_or_default().iter().zip(cookie.saturating_add(1)..) {
            if out.len() >= room {
                break;
            }
            let gone = next > 2 && !self.wasi.files.is_linked(listed.inode);
            self.gas.charge(cost::DIRECTORY_ENTRY)?;
            if gone {
                continue;
            }
            let name_length = u32::try_from(listed.name.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&next.to_le_bytes());
            out.extend_from_slice(&listed.inode.to_le_bytes());
            out.extend_from_slice(&name_length.to_le_bytes());
            out.extend_from_slice(&u32::from(listed.filetype).to_le_bytes());
            out.extend_from_slice(listed.name.as_bytes());
        }
        out.truncate(room);
        self.gas.charge_bytes(length(out.len()))?;
        self.memory.write(pointer, &out)?;
        self.memory.write_u32(args.u32(4), u32::try_from(out.len()).map_err(|_| Errno::Overflow)?)
    }

    fn listing(&mut self, number: u32, directory: Inode, afresh: bool) -> Result<Arc<[Listed]>, Stop> {
        let descriptor = self.wasi.descriptors.get(number, 0)?;
        if let Target::Directory { listing: Some(listing), .. } = &descriptor.target
            && !afresh
        {
            return Ok(Arc::clone(listing));
        }
        let entries = self.wasi.files.entries(directory).ok_or(Errno::NotDirectory)?;
        self.gas.charge(length(entries.len()).saturating_mul(cost::DIRECTORY_ENTRY))?;
        let up = self.wasi.files.parent(directory);
        let directories = [(Arc::from("."), directory), (Arc::from(".."), up)];
        let names = entries.iter().map(|(name, inode)| (Arc::clone(name), *inode));
        let listed = |(name, inode)| Listed { name, inode, filetype: self.filetype(inode) };
        let listing: Arc<[Listed]> = directories.into_iter().chain(names).map(listed).collect();
        if let Target::Directory { listing: kept, .. } = &mut self.wasi.descriptors.get_mut(number, 0)?.target {
            *kept = Some(Arc::clone(&listing));
        }
        Ok(listing)
    }
}

/// Times may be given or now, not both.
pub(super) fn check_times(flags: u64) -> Result<(), Errno> {
    let both = |given, now| flags & given != 0 && flags & now != 0;
    let wrong = flags & !fstflags::ALL != 0
        || both(fstflags::ATIM, fstflags::ATIM_NOW)
        || both(fstflags::MTIM, fstflags::MTIM_NOW);
    if wrong { Err(Errno::Invalid) } else { Ok(()) }
}

fn copy_into(
    memory: &mut super::Memory<'_>,
    gas: &mut super::Gas,
    buffers: &[Buffer],
    data: &[u8],
) -> Result<u32, Stop> {
    let count = u64::from(total(buffers)?).min(length(data.len()));
    gas.charge_bytes(count)?;
    let mut rest = data;
    for buffer in buffers {
        let room = memory.buffer_room(*buffer)?;
        let (now, later) = rest.split_at(room.len().min(rest.len()));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        rest = later;
    }
    Ok(u32::try_from(count).map_err(|_| Errno::Overflow)?)
}

fn total(buffers: &[Buffer]) -> Result<u32, Errno> {
    let sum = |total: u32, buffer: &Buffer| total.checked_add(buffer.length());
    buffers.iter().try_fold(0, sum).ok_or(Errno::Invalid)
}

/// Device 1, one link, all times zero.
fn filestat_bytes(inode: Inode, filetype: u8, size: u64) -> [u8; 64] {
    let mut stat = [0; 64];
    put(&mut stat, 0, &1_u64.to_le_bytes());
    put(&mut stat, 8, &inode.to_le_bytes());
    put(&mut stat, 16, &[filetype]);
    put(&mut stat, 24, &1_u64.to_le_bytes());
    put(&mut stat, 32, &size.to_le_bytes());
    stat
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

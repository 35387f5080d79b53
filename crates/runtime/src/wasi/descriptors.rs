//! The table of file descriptors.

use std::{collections::BTreeMap, sync::Arc};

use super::{Errno, abi::rights};
use crate::fs::store::{Files, Inode, ROOT};

/// Most descriptors open at once.
pub const OPEN_MAX: usize = 128;
/// The one directory that is open from the start: `/`.
pub const PREOPEN: u32 = 3;
/// Its name.
pub const PREOPEN_NAME: &[u8] = b"/";

/// One line of a directory's listing.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Name.
    pub name: Arc<str>,
    /// Inode.
    pub inode: Inode,
    /// File type.
    pub filetype: u8,
}

/// What a descriptor stands for.
#[derive(Clone, Debug)]
pub enum Target {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, and where reading and writing goes on.
    File {
        /// The file.
        inode: Inode,
        /// Next byte.
        offset: u64,
    },
    /// A directory, and its listing since it was last read from the start: that is what keeps cookies stable.
    Directory {
        /// The directory.
        inode: Inode,
        /// The listing.
        listing: Option<Arc<[Listed]>>,
    },
}

/// An open descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// What it stands for.
    pub target: Target,
    /// What may be done with it.
    pub rights: u64,
    /// What may be done with what is opened through it.
    pub inheriting: u64,
    /// Flags such as append.
    pub flags: u16,
    /// Whether it is the directory that was open from the start.
    pub preopened: bool,
}

impl Descriptor {
    /// The inode, unless it is a stream.
    pub const fn inode(&self) -> Option<Inode> {
        match self.target {
            Target::File { inode, .. } | Target::Directory { inode, .. } => Some(inode),
            _ => None,
        }
    }
}

/// All descriptors.
pub struct Descriptors {
    open: BTreeMap<u32, Descriptor>,
}

impl Descriptors {
    /// Streams at 0, 1 and 2, the root directory at 3.
    pub fn new(files: &mut Files) -> Self {
        let stream = |target, rights| Descriptor { target, rights, inheriting: 0, flags: 0, preopened: false };
        let root = Descriptor {
            target: Target::Directory { inode: ROOT, listing: None },
            rights: rights::DIRECTORY,
            inheriting: rights::DIRECTORY | rights::FILE,
            flags: 0,
            preopened: true,
        };
        files.hold(ROOT);
        let open = BTreeMap::from([
            (0, stream(Target::Stdin, rights::STDIN)),
            (1, stream(Target::Stdout, rights::STDOUT)),
            (2, stream(Target::Stderr, rights::STDOUT)),
            (PREOPEN, root),
        ]);
        Self { open }
    }

    /// An open descriptor that has all these rights.
    ///
    /// # Errors
    /// `BADF`, `NOTCAPABLE`.
    pub fn get(&self, number: u32, rights: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.open.get(&number).ok_or(Errno::BadDescriptor)?;
        if descriptor.rights & rights == rights { Ok(descriptor) } else { Err(Errno::NotCapable) }
    }

    /// As [`Self::get`], to change it.
    ///
    /// # Errors
    /// `BADF`, `NOTCAPABLE`.
    pub fn get_mut(&mut self, number: u32, rights: u64) -> Result<&mut Descriptor, Errno> {
        let descriptor = self.open.get_mut(&number).ok_or(Errno::BadDescriptor)?;
        if descriptor.rights & rights == rights { Ok(descriptor) } else { Err(Errno::NotCapable) }
    }

    /// An open directory that has all these rights.
    ///
    /// # Errors
    /// `BADF`, `NOTCAPABLE`, `NOTDIR`.
    pub fn directory(&self, number: u32, rights: u64) -> Result<Inode, Errno> {
        match self.get(number, 0)?.target {
            Target::Directory { inode, .. } => self.get(number, rights).map(|_| inode),
            _ => Err(Errno::NotDirectory),
        }
    }

    /// Whether another descriptor can be opened.
    ///
    /// # Errors
    /// `MFILE`.
    pub fn check_room(&self) -> Result<(), Errno> {
        if self.open.len() >= OPEN_MAX { Err(Errno::TooManyFiles) } else { Ok(()) }
    }

    /// Opens at the lowest free number.
    ///
    /// # Errors
    /// `MFILE`.
    pub fn insert(&mut self, files: &mut Files, descriptor: Descriptor) -> Result<u32, Errno> {
        self.check_room()?;
        let number = (0..).find(|number| !self.open.contains_key(number)).ok_or(Errno::TooManyFiles)?;
        if let Some(inode) = descriptor.inode() {
            files.hold(inode);
        }
        self.open.insert(number, descriptor);
        Ok(number)
    }

    /// Closes.
    ///
    /// # Errors
    /// `BADF`.
    pub fn close(&mut self, files: &mut Files, number: u32) -> Result<(), Errno> {
        let descriptor = self.open.remove(&number).ok_or(Errno::BadDescriptor)?;
        if let Some(inode) = descriptor.inode() {
            files.release(inode);
        }
        Ok(())
    }

    /// Moves a descriptor to the number of another, which is closed. Both must be open (W-14: no panic otherwise).
    ///
    /// # Errors
    /// `BADF`.
    pub fn renumber(&mut self, files: &mut Files, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from, 0)?;
        self.get(to, 0)?;
        if from == to {
            return Ok(());
        }
        self.close(files, to)?;
        let descriptor = self.open.remove(&from).ok_or(Errno::BadDescriptor)?;
        self.open.insert(to, descriptor);
        Ok(())
    }
}

//! The files of one run: inodes with stable numbers, bounded in every direction.

use std::{collections::BTreeMap, sync::Arc};

use super::tree::{FileTree, NAME_BYTES_MAX, Node, PATH_BYTES_MAX, PathError, check_path};
use crate::wasi::Errno;

/// Most bytes in files that the guest wrote, all together.
pub const WRITTEN_BYTES_MAX: u64 = 128 << 20;
/// Most files and directories, those of the job directory included.
pub const INODES_MAX: usize = 65_536;
/// Most entries that a guest may give one directory.
pub const DIRECTORY_ENTRIES_MAX: usize = 16_384;

/// Number of a file or directory; never reused within a run.
pub type Inode = u64;

/// The root directory.
pub const ROOT: Inode = 1;

/// A file's bytes: shared with the job directory until they are written.
#[derive(Clone, Debug)]
pub enum Content {
    /// Of the job directory.
    Shared(Arc<[u8]>),
    /// Written by the guest.
    Owned(Vec<u8>),
}

impl Content {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// What an inode is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A file.
    File(Content),
    /// A directory: names, sorted, and what they name.
    Directory {
        /// Entries.
        entries: BTreeMap<Arc<str>, Inode>,
        /// The directory above; the root is its own.
        parent: Inode,
        /// Its name there.
        name: Arc<str>,
    },
}

impl Kind {
    pub(super) fn empty_directory() -> Self {
        Self::Directory { entries: BTreeMap::new(), parent: ROOT, name: "".into() }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Whether it, and what is created in it, may be changed.
    pub(super) writable: bool,
    /// Whether a directory names it.
    pub(super) linked: bool,
    /// Descriptors that hold it.
    pub(super) open: u32,
}

/// Where a path leads.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory that holds, or would hold, it.
    pub parent: Inode,
    /// Its name there; `None` when the path names a directory by `.`, `..` or nothing but itself.
    pub name: Option<Arc<str>>,
    /// What is there.
    pub found: Option<Inode>,
    /// Whether the path ended in `/` and so must be a directory.
    pub must_be_directory: bool,
}

/// One step on the way to a [`Place`].
struct Step<'p> {
    parent: Inode,
    name: Option<&'p str>,
    found: Option<Inode>,
}

/// All files of one run.
#[derive(Clone, Debug)]
pub struct Files {
    pub(super) inodes: BTreeMap<Inode, Entry>,
    pub(super) next: Inode,
    pub(super) written_bytes: u64,
}

impl Files {
    /// The job directory as `/`: read-only, but for the output directory, which begins empty, and `/tmp`.
    ///
    /// # Errors
    /// [`PathError`] when the output path is not a path, or a file stands there.
    pub fn new(root: &FileTree, output_path: Option<&str>) -> Result<Self, PathError> {
        let mut files = Self { inodes: BTreeMap::new(), next: ROOT, written_bytes: 0 };
        files.add(Kind::empty_directory(), false);
        let output = output_path.map(super::trim_output_path);
        let in_output = |path: &str| {
            output.is_some_and(|output| path.strip_prefix(output).is_some_and(|rest| rest.starts_with('/')))
        };
        for (path, node) in root.iter().filter(|(path, _)| !in_output(path)) {
            files.place(path, node)?;
        }
        if let Some(path) = output {
            check_path(path)?;
            files.place_directories(path)?;
            files.set_writable(path);
        }
        if files.place_directories("tmp").is_ok() {
            files.set_writable("tmp");
        }
        Ok(files)
    }

    fn place(&mut self, path: &str, node: &Node) -> Result<(), PathError> {
        match node {
            Node::Directory => self.place_directories(path),
            Node::File(bytes) => {
                let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
                self.place_directories(parent)?;
                let parent = self.at(parent).ok_or(PathError::Conflict)?;
                let file = self.add(Kind::File(Content::Shared(Arc::clone(bytes))), false);
                self.link(parent, name.into(), file);
                Ok(())
            }
        }
    }

    fn place_directories(&mut self, path: &str) -> Result<(), PathError> {
        let mut here = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            here = match self.lookup(here, name) {
                Some(found) if self.is_directory(found) => found,
                Some(_) => return Err(PathError::Conflict),
                None => {
                    let directory = self.add(Kind::empty_directory(), false);
                    self.link(here, name.into(), directory);
                    directory
                }
            };
        }
        Ok(())
    }

    fn set_writable(&mut self, path: &str) {
        let Some(start) = self.at(path) else { return };
        let mut queue = vec![start];
        while let Some(inode) = queue.pop() {
            if let Some(entry) = self.inodes.get_mut(&inode) {
                entry.writable = true;
                if let Kind::Directory { entries, .. } = &entry.kind {
                    queue.extend(entries.values());
                }
            }
        }
    }

    /// The inode at a path of plain names below the root.
    pub fn at(&self, path: &str) -> Option<Inode> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |here, name| self.lookup(here, name))
    }

    pub(super) fn add(&mut self, kind: Kind, writable: bool) -> Inode {
        let inode = self.next;
        self.next = self.next.saturating_add(1);
        self.inodes.insert(inode, Entry { kind, writable, linked: inode == ROOT, open: 0 });
        inode
    }

    pub(super) fn link(&mut self, parent: Inode, name: Arc<str>, child: Inode) {
        if let Some(Entry { kind: Kind::Directory { entries, .. }, .. }) = self.inodes.get_mut(&parent) {
            entries.insert(Arc::clone(&name), child);
        }
        if let Some(entry) = self.inodes.get_mut(&child) {
            entry.linked = true;
            if let Kind::Directory { parent: up, name: own, .. } = &mut entry.kind {
                (*up, *own) = (parent, name);
            }
        }
    }

    pub(super) fn unlink(&mut self, parent: Inode, name: &str) {
        let Some(Entry { kind: Kind::Directory { entries, .. }, .. }) = self.inodes.get_mut(&parent) else { return };
        let Some(child) = entries.remove(name) else { return };
        if let Some(entry) = self.inodes.get_mut(&child) {
            entry.linked = false;
        }
        self.forget_if_unused(child);
    }

    fn forget_if_unused(&mut self, inode: Inode) {
        let unused = self.inodes.get(&inode).is_some_and(|entry| !entry.linked && entry.open == 0);
        if unused && let Some(Entry { kind: Kind::File(Content::Owned(bytes)), .. }) = self.inodes.remove(&inode) {
            self.written_bytes = self.written_bytes.saturating_sub(length(&bytes));
        }
    }

    /// A descriptor holds the inode from now on.
    pub fn hold(&mut self, inode: Inode) {
        if let Some(entry) = self.inodes.get_mut(&inode) {
            entry.open = entry.open.saturating_add(1);
        }
    }

    /// A descriptor lets the inode go; an unlinked one then disappears.
    pub fn release(&mut self, inode: Inode) {
        if let Some(entry) = self.inodes.get_mut(&inode) {
            entry.open = entry.open.saturating_sub(1);
        }
        self.forget_if_unused(inode);
    }

    /// What the inode is.
    pub fn kind(&self, inode: Inode) -> Option<&Kind> {
        self.inodes.get(&inode).map(|entry| &entry.kind)
    }

    /// Whether it is a directory.
    pub fn is_directory(&self, inode: Inode) -> bool {
        matches!(self.kind(inode), Some(Kind::Directory { .. }))
    }

    /// Whether it may be changed.
    pub fn is_writable(&self, inode: Inode) -> bool {
        self.inodes.get(&inode).is_some_and(|entry| entry.writable)
    }

    /// Whether a directory still names it.
    pub fn is_linked(&self, inode: Inode) -> bool {
        self.inodes.get(&inode).is_some_and(|entry| entry.linked)
    }

    /// A file's bytes; empty for a directory.
    pub fn bytes(&self, inode: Inode) -> &[u8] {
        match self.kind(inode) {
            Some(Kind::File(content)) => content.bytes(),
            _ => &[],
        }
    }

    /// A file's size; zero for a directory.
    pub fn size(&self, inode: Inode) -> u64 {
        length(self.bytes(inode))
    }

    /// The entries of a directory, sorted by name.
    pub fn entries(&self, inode: Inode) -> Option<&BTreeMap<Arc<str>, Inode>> {
        match self.kind(inode) {
            Some(Kind::Directory { entries, .. }) => Some(entries),
            _ => None,
        }
    }

    /// The directory above.
    pub fn parent(&self, inode: Inode) -> Inode {
        match self.kind(inode) {
            Some(Kind::Directory { parent, .. }) => *parent,
            _ => ROOT,
        }
    }

    fn lookup(&self, directory: Inode, name: &str) -> Option<Inode> {
        self.entries(directory)?.get(name).copied()
    }

    /// Follows a path from a directory. `..` never leads above that directory, and no path is absolute (P4).
    ///
    /// # Errors
    /// `NOENT`, `NOTDIR`, `NOTCAPABLE`, `NAMETOOLONG`, `INVAL`.
    pub fn resolve(&self, base: Inode, path: &str) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::NoEntry);
        }
        if path.starts_with('/') {
            return Err(Errno::NotCapable);
        }
        if path.len() > PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        if !self.is_linked(base) {
            return Err(Errno::NoEntry);
        }
        let mut here = Step { parent: base, name: None, found: Some(base) };
        for name in path.split('/').filter(|name| !name.is_empty() && *name != ".") {
            let directory = here.found.ok_or(Errno::NoEntry)?;
            if !self.is_directory(directory) {
                return Err(Errno::NotDirectory);
            }
            here = self.step(base, directory, name)?;
        }
        let ends_in_dot = path == "." || path.ends_with("/.");
        if ends_in_dot {
            let found = here.found.ok_or(Errno::NoEntry)?;
            here = Step { parent: found, name: None, found: Some(found) };
        }
        let must_be_directory = ends_in_dot || path.ends_with('/');
        match here.found {
            Some(found) if must_be_directory && !self.is_directory(found) => Err(Errno::NotDirectory),
            found => Ok(Place { parent: here.parent, name: here.name.map(Arc::from), found, must_be_directory }),
        }
    }

    fn step<'p>(&self, base: Inode, here: Inode, name: &'p str) -> Result<Step<'p>, Errno> {
        if name == ".." {
            if here == base {
                return Err(Errno::NotCapable);
            }
            let up = self.parent(here);
            return Ok(Step { parent: up, name: None, found: Some(up) });
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        Ok(Step { parent: here, name: Some(name), found: self.lookup(here, name) })
    }
}

/// A length as `u64`; the platform's lengths always fit.
pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

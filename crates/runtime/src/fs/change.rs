//! Changes to the files of a run. Everything is checked before anything is changed.

use std::sync::Arc;

use super::{
    store::{
        Content, DIRECTORY_ENTRIES_MAX, Entry, Files, INODES_MAX, Inode, Kind, Place, ROOT, WRITTEN_BYTES_MAX, length,
    },
    tree::{DEPTH_MAX, FileTree, PATH_BYTES_MAX, check_name},
};
use crate::wasi::Errno;

impl Files {
    /// Creates a file or directory at a place where nothing is.
    ///
    /// # Errors
    /// `ROFS`, `NOSPC`, `INVAL`, `NAMETOOLONG`, `EXIST`.
    pub fn create(&mut self, place: &Place, directory: bool) -> Result<Inode, Errno> {
        let name = place.name.as_ref().ok_or(Errno::Exists)?;
        if place.found.is_some() {
            return Err(Errno::Exists);
        }
        if !self.is_writable(place.parent) {
            return Err(Errno::ReadOnly);
        }
        check_name(name).map_err(|_| Errno::Invalid)?;
        self.check_position(place.parent, name, Extent::default())?;
        self.check_room(place.parent)?;
        if self.inodes.len() >= INODES_MAX {
            return Err(Errno::NoSpace);
        }
        let kind = if directory { Kind::empty_directory() } else { Kind::File(Content::Owned(Vec::new())) };
        let inode = self.add(kind, true);
        self.link(place.parent, Arc::clone(name), inode);
        Ok(inode)
    }

    fn check_room(&self, directory: Inode) -> Result<(), Errno> {
        let full = self.entries(directory).is_none_or(|entries| entries.len() >= DIRECTORY_ENTRIES_MAX);
        if full { Err(Errno::NoSpace) } else { Ok(()) }
    }

    /// Whether a name in a directory, with what is below it, keeps within the bounds on paths.
    fn check_position(&self, directory: Inode, name: &str, below: Extent) -> Result<(), Errno> {
        let (mut depth, mut bytes) = (below.depth.saturating_add(1), below.bytes.saturating_add(name.len()));
        let mut here = directory;
        while here != ROOT {
            let Some(Kind::Directory { parent, name, .. }) = self.kind(here) else { break };
            bytes = bytes.saturating_add(name.len()).saturating_add(1);
            depth = depth.saturating_add(1);
            here = *parent;
        }
        if depth > DEPTH_MAX || bytes > PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        Ok(())
    }

    /// How deep, and how long in bytes, the paths below an inode are.
    fn extent(&self, inode: Inode) -> Extent {
        let mut most = Extent::default();
        let mut queue = vec![(inode, Extent::default())];
        while let Some((here, extent)) = queue.pop() {
            most.depth = most.depth.max(extent.depth);
            most.bytes = most.bytes.max(extent.bytes);
            for (name, child) in self.entries(here).into_iter().flatten() {
                let bytes = extent.bytes.saturating_add(name.len()).saturating_add(1);
                queue.push((*child, Extent { depth: extent.depth.saturating_add(1), bytes }));
            }
        }
        most
    }

    /// Number of inodes at and below one; what a rename has to look at.
    pub fn count_below(&self, inode: Inode) -> u64 {
        let mut count = 0_u64;
        let mut queue = vec![inode];
        while let Some(here) = queue.pop() {
            count = count.saturating_add(1);
            queue.extend(self.entries(here).into_iter().flatten().map(|(_, child)| *child));
        }
        count
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `NOENT`, `ISDIR`, `ROFS`.
    pub fn remove_file(&mut self, place: &Place) -> Result<(), Errno> {
        let found = place.found.ok_or(Errno::NoEntry)?;
        if self.is_directory(found) {
            return Err(Errno::IsDirectory);
        }
        self.check_writable(place.parent)?;
        let name = place.name.clone().ok_or(Errno::Invalid)?;
        self.unlink(place.parent, &name);
        Ok(())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NOENT`, `NOTDIR`, `NOTEMPTY`, `ROFS`, `INVAL`.
    pub fn remove_directory(&mut self, place: &Place) -> Result<(), Errno> {
        let found = place.found.ok_or(Errno::NoEntry)?;
        let entries = self.entries(found).ok_or(Errno::NotDirectory)?;
        if !entries.is_empty() {
            return Err(Errno::NotEmpty);
        }
        let name = place.name.clone().ok_or(Errno::Invalid)?;
        self.check_writable(place.parent)?;
        self.unlink(place.parent, &name);
        Ok(())
    }

    fn check_writable(&self, inode: Inode) -> Result<(), Errno> {
        if self.is_writable(inode) { Ok(()) } else { Err(Errno::ReadOnly) }
    }

    /// Moves a file or directory; replaces a file by a file, an empty directory by a directory.
    ///
    /// # Errors
    /// `NOENT`, `ROFS`, `ISDIR`, `NOTDIR`, `NOTEMPTY`, `INVAL`, `NAMETOOLONG`, `NOSPC`.
    pub fn rename(&mut self, from: &Place, to: &Place) -> Result<(), Errno> {
        let moved = from.found.ok_or(Errno::NoEntry)?;
        let from_name = from.name.clone().ok_or(Errno::Invalid)?;
        let to_name = to.name.clone().ok_or(Errno::Invalid)?;
        self.check_writable(from.parent)?;
        self.check_writable(to.parent)?;
        check_name(&to_name).map_err(|_| Errno::Invalid)?;
        let moves_directory = self.is_directory(moved);
        if !moves_directory && to.must_be_directory {
            return Err(Errno::NotDirectory);
        }
        match to.found {
            Some(target) if target == moved => return Ok(()),
            Some(target) => match (moves_directory, self.entries(target)) {
                (true, None) => return Err(Errno::NotDirectory),
                (false, Some(_)) => return Err(Errno::IsDirectory),
                (true, Some(entries)) if !entries.is_empty() => return Err(Errno::NotEmpty),
                _ => {}
            },
            None => self.check_room(to.parent)?,
        }
        let mut above = to.parent;
        while moves_directory && above != ROOT {
            if above == moved {
                return Err(Errno::Invalid);
            }
            above = self.parent(above);
        }
        self.check_position(to.parent, &to_name, self.extent(moved))?;
        if to.found.is_some() {
            self.unlink(to.parent, &to_name);
        }
        // Linked before it is unlinked, so that it is never forgotten in between.
        self.link(to.parent, to_name, moved);
        if let Some(Entry { kind: Kind::Directory { entries, .. }, .. }) = self.inodes.get_mut(&from.parent) {
            entries.remove(&from_name);
        }
        Ok(())
    }

    /// Writes bytes at an offset; what lies between the end and the offset becomes zeros.
    ///
    /// # Errors
    /// `ROFS`, `ISDIR`, `NOSPC`, `FBIG`.
    pub fn write(&mut self, inode: Inode, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if data.is_empty() {
            return Ok(());
        }
        let end = offset.checked_add(length(data)).ok_or(Errno::FileTooBig)?;
        let size = self.size(inode).max(end);
        self.resize(inode, size)?;
        let start = usize::try_from(offset).map_err(|_| Errno::FileTooBig)?;
        let target = self.owned(inode)?.get_mut(start..).and_then(|rest| rest.get_mut(..data.len()));
        target.ok_or(Errno::FileTooBig)?.copy_from_slice(data);
        Ok(())
    }

    /// Sets a file's size; new bytes are zeros.
    ///
    /// # Errors
    /// `ROFS`, `ISDIR`, `NOSPC`.
    pub fn resize(&mut self, inode: Inode, size: u64) -> Result<(), Errno> {
        self.check_writable(inode)?;
        if self.is_directory(inode) {
            return Err(Errno::IsDirectory);
        }
        let owned_before = match self.kind(inode) {
            Some(Kind::File(Content::Owned(bytes))) => length(bytes),
            _ => 0,
        };
        let total = self.written_bytes.saturating_sub(owned_before).checked_add(size).ok_or(Errno::NoSpace)?;
        if total > WRITTEN_BYTES_MAX {
            return Err(Errno::NoSpace);
        }
        let size = usize::try_from(size).map_err(|_| Errno::NoSpace)?;
        let bytes = self.owned(inode)?;
        bytes.resize(size, 0);
        if bytes.capacity() / 2 > size {
            // What a file once was must not stay in the host's memory uncounted.
            bytes.shrink_to_fit();
        }
        self.written_bytes = total;
        Ok(())
    }

    /// The bytes of a file, its own from now on.
    fn owned(&mut self, inode: Inode) -> Result<&mut Vec<u8>, Errno> {
        let Some(Entry { kind: Kind::File(content), .. }) = self.inodes.get_mut(&inode) else {
            return Err(Errno::IsDirectory);
        };
        if let Content::Shared(bytes) = content {
            *content = Content::Owned(bytes.to_vec());
        }
        match content {
            Content::Owned(bytes) => Ok(bytes),
            Content::Shared(_) => Err(Errno::Io),
        }
    }

    /// What is below a directory, as a tree, and the bytes of its files.
    pub fn export(&self, directory: Inode) -> FileTree {
        let mut tree = FileTree::new();
        let mut queue = vec![(String::new(), directory)];
        while let Some((path, inode)) = queue.pop() {
            for (name, child) in self.entries(inode).into_iter().flatten() {
                let path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                // Names and positions were checked when they were made, so that insertion cannot fail.
                let inserted = if self.is_directory(*child) {
                    tree.insert_directory(&path)
                } else {
                    tree.insert_file(&path, self.bytes(*child))
                };
                debug_assert!(inserted.is_ok());
                queue.push((path, *child));
            }
        }
        tree
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    depth: usize,
    bytes: usize,
}

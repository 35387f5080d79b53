//! Directories over packed files.

use std::collections::BTreeMap;

use super::{BlockSink, FileRoot, PackError};
use crate::{
    hamt::{self, Target},
    id::{Codec, block_cid},
    limits::{DIRECTORY_BLOCK_BYTES_MAX, RESULT_DEPTH_MAX},
    name::validate_path_within,
    node_codec::encode_directory,
};

/// Paths with what stands there, to be turned into directory blocks from the deepest up.
#[derive(Debug)]
pub(crate) struct Tree {
    /// By path, the root is empty: names and targets. A child directory gets its target when it is finished.
    directories: BTreeMap<String, BTreeMap<String, Target>>,
    entries: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self { directories: BTreeMap::from([(String::new(), BTreeMap::new())]), entries: 0 }
    }
}

impl Tree {
    /// Files and directories so far, implied ones included.
    pub(crate) const fn entries(&self) -> usize {
        self.entries
    }

    /// Adds a directory; naming it again, also after it was implied by a file, changes nothing.
    pub(crate) fn add_directory(&mut self, path: &str) -> Result<(), PackError> {
        validate_path_within(path, RESULT_DEPTH_MAX)?;
        self.make_directories(path)
    }

    /// Adds a file and its parents.
    pub(crate) fn add_file(&mut self, path: &str, file: FileRoot) -> Result<(), PackError> {
        validate_path_within(path, RESULT_DEPTH_MAX)?;
        let (parent, name) = split(path);
        if self.directories.contains_key(path) {
            return Err(PackError::FileAndDirectory { path: path.to_owned() });
        }
        self.make_directories(parent)?;
        let siblings = self.directories.entry(parent.to_owned()).or_default();
        if siblings.insert(name.to_owned(), (file.cid, file.tree_bytes)).is_some() {
            return Err(PackError::Duplicate { path: path.to_owned() });
        }
        self.entries += 1;
        Ok(())
    }

    fn make_directories(&mut self, path: &str) -> Result<(), PackError> {
        let mut path = path;
        while !self.directories.contains_key(path) {
            let (parent, name) = split(path);
            if self.directories.get(parent).is_some_and(|siblings| siblings.contains_key(name)) {
                return Err(PackError::FileAndDirectory { path: path.to_owned() });
            }
            self.directories.insert(path.to_owned(), BTreeMap::new());
            self.entries += 1;
            path = parent;
        }
        Ok(())
    }

    /// Emits every directory's blocks, children before parents, and gives the root.
    pub(crate) fn finish(self, sink: &mut impl BlockSink) -> Result<Target, PackError> {
        self.finish_each(sink, |_, _| {})
    }

    /// As [`Self::finish`], and tells every directory's path and target, the root's last.
    pub(crate) fn finish_each(
        mut self,
        sink: &mut impl BlockSink,
        mut each: impl FnMut(&str, Target),
    ) -> Result<Target, PackError> {
        // A path sorts before everything below it, so the last one has no unfinished directory in it.
        while let Some((path, children)) = self.directories.pop_last() {
            let target = directory(&children, sink)?;
            each(&path, target);
            if path.is_empty() {
                return Ok(target);
            }
            let (parent, name) = split(&path);
            self.directories.entry(parent.to_owned()).or_default().insert(name.to_owned(), target);
        }
        directory(&BTreeMap::new(), sink)
    }
}

/// One directory: a single block, or a HAMT when that would be too large.
fn directory(children: &BTreeMap<String, Target>, sink: &mut impl BlockSink) -> Result<Target, PackError> {
    let links = children.iter().map(|(name, (cid, tree_bytes))| (name.as_str(), cid, *tree_bytes));
    let block = encode_directory(links);
    if block.len() > DIRECTORY_BLOCK_BYTES_MAX {
        return Ok(hamt::build(children, sink)?);
    }
    let tree_bytes = children.values().map(|(_, tree_bytes)| tree_bytes).sum::<u64>() + block.len() as u64;
    let cid = block_cid(Codec::DagPb, &block);
    sink.put(cid, block.into());
    Ok((cid, tree_bytes))
}

/// Parent and name; the root is the empty path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

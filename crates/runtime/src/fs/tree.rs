//! A tree of files by path: what goes into a run and what comes out of it.

use std::{collections::BTreeMap, sync::Arc};

use thiserror::Error;

/// Longest path in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Longest name of one entry in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Deepest nesting of directories.
pub const DEPTH_MAX: usize = 64;

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file with these bytes.
    File(Arc<[u8]>),
    /// A directory.
    Directory,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// Empty, or with an empty component.
    #[error("use the path: it is empty or has an empty component")]
    Empty,
    /// Begins with `/`.
    #[error("use the path: it is absolute; give it relative to the job directory")]
    Absolute,
    /// Has `.` or `..` as a component.
    #[error("use the path: it has `.` or `..` as a component")]
    Dots,
    /// Has a NUL, a backslash or a control character.
    #[error("use the path: it has a NUL, a backslash or a control character")]
    Character,
    /// Longer, or deeper, than the profile allows.
    #[error("use the path: it is over 1,024 bytes, has a name over 255 bytes or more than 64 levels")]
    TooLong,
    /// A file is where a directory is needed, or the other way round.
    #[error("use the path: a file and a directory claim the same name")]
    Conflict,
}

/// Files and directories by validated relative path. Parents of an entry are always entries themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTree {
    entries: BTreeMap<String, Node>,
}

impl FileTree {
    /// An empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    /// Adds a file and the directories above it; replaces a file of the same path.
    ///
    /// # Errors
    /// [`PathError`] when the path is refused; the tree is then unchanged.
    pub fn insert_file(&mut self, path: &str, bytes: impl Into<Arc<[u8]>>) -> Result<(), PathError> {
        self.check_free(path, false)?;
        self.insert_parents(path);
        self.entries.insert(path.to_owned(), Node::File(bytes.into()));
        Ok(())
    }

    /// Adds a directory and the directories above it.
    ///
    /// # Errors
    /// [`PathError`] when the path is refused; the tree is then unchanged.
    pub fn insert_directory(&mut self, path: &str) -> Result<(), PathError> {
        self.check_free(path, true)?;
        self.insert_parents(path);
        self.entries.insert(path.to_owned(), Node::Directory);
        Ok(())
    }

    /// The entry at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.entries.get(path)
    }

    /// The bytes of the file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&Arc<[u8]>> {
        match self.entries.get(path) {
            Some(Node::File(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// All entries, sorted by path; a directory comes before what it holds.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// Number of entries, directories included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        let length = |node: &Node| match node {
            Node::File(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Node::Directory => 0,
        };
        self.entries.values().map(length).fold(0, u64::saturating_add)
    }

    fn check_free(&self, path: &str, directory: bool) -> Result<(), PathError> {
        check_path(path)?;
        match self.entries.get(path) {
            Some(Node::File(_)) if directory => return Err(PathError::Conflict),
            Some(Node::Directory) if !directory => return Err(PathError::Conflict),
            _ => {}
        }
        for parent in parents(path) {
            if matches!(self.entries.get(parent), Some(Node::File(_))) {
                return Err(PathError::Conflict);
            }
        }
        Ok(())
    }

    fn insert_parents(&mut self, path: &str) {
        for parent in parents(path) {
            self.entries.entry(parent.to_owned()).or_insert(Node::Directory);
        }
    }
}

/// The proper prefixes of a path that are directories, shortest first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// Whether a path may stand in a tree.
///
/// # Errors
/// [`PathError`] names the rule broken.
pub fn check_path(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.starts_with('/') {
        return Err(PathError::Absolute);
    }
    if path.len() > PATH_BYTES_MAX || path.split('/').count() > DEPTH_MAX {
        return Err(PathError::TooLong);
    }
    path.split('/').try_for_each(check_name)
}

/// Whether a name may stand in a directory.
///
/// # Errors
/// [`PathError`] names the rule broken.
pub fn check_name(name: &str) -> Result<(), PathError> {
    if name.is_empty() {
        return Err(PathError::Empty);
    }
    if name == "." || name == ".." {
        return Err(PathError::Dots);
    }
    if name.contains(|c: char| c.is_control() || c == '\\' || c == '/') {
        return Err(PathError::Character);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    Ok(())
}

//! What is inside a package: files and directories, by relative path.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    limits::RESULT_DEPTH_MAX,
    name::{NameError, validate_path_within},
};

/// One file or directory of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the package's root, components joined by `/`. See [`crate::validate_path`].
    pub path: String,
    /// What stands there.
    pub kind: EntryKind,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file with these bytes.
    File(Bytes),
    /// A directory. Needed only for empty ones: a file's parents are implied.
    Directory,
}

impl Entry {
    /// A file.
    #[must_use]
    pub fn file(path: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self { path: path.into(), kind: EntryKind::File(bytes.into()) }
    }

    /// A directory.
    #[must_use]
    pub fn directory(path: impl Into<String>) -> Self {
        Self { path: path.into(), kind: EntryKind::Directory }
    }

    /// The file's bytes; `None` for a directory.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.kind {
            EntryKind::File(bytes) => Some(bytes),
            EntryKind::Directory => None,
        }
    }
}

/// Why entries could not be written to disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A path is not one that a package may hold.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Something is there already: the target is not empty, or two names differ only by case on this file system.
    #[error(
        "write {path}: something is there already; choose an empty directory, on a case-sensitive file system if names differ only by case"
    )]
    Exists {
        /// The path on disk.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("write {path}: {source}")]
    Io {
        /// The path on disk.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes entries below `target`, which is created if need be. Existing files are never overwritten and existing
/// symbolic links never followed: a directory component must have been made by this call.
///
/// # Errors
/// [`WriteError`]; what was written before it stays.
pub fn write_entries(target: &Path, entries: &[Entry]) -> Result<(), WriteError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => WriteError::Exists { path },
            _ => WriteError::Io { path, source },
        }
    };
    fs::create_dir_all(target).map_err(io(target))?;
    let mut made = std::collections::BTreeSet::new();
    for entry in entries {
        validate_path_within(&entry.path, RESULT_DEPTH_MAX)?;
        let directory_end = match entry.kind {
            EntryKind::File(_) => entry.path.rfind('/').unwrap_or(0),
            EntryKind::Directory => entry.path.len(),
        };
        let parents = entry.path.match_indices('/').map(|(at, _)| at).chain([directory_end]);
        for end in parents.filter(|end| (1..=directory_end).contains(end)) {
            let relative = &entry.path[..end];
            if made.insert(relative.to_owned()) {
                let path = target.join(relative);
                fs::create_dir(&path).map_err(io(&path))?;
            }
        }
        if let EntryKind::File(bytes) = &entry.kind {
            let path = target.join(&entry.path);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&path).map_err(io(&path))?;
            io::Write::write_all(&mut file, bytes).map_err(io(&path))?;
        }
    }
    Ok(())
}

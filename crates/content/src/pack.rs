//! Files in, blocks and one CID out.

use std::path::Path;

use bytes::Bytes;
use cid::Cid;

use crate::{Entry, NameError, limits::PackLimits};

/// A packed directory: its root and every block below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The root directory's CID.
    pub root: Cid,
    /// Every block once, children before parents, the root last.
    pub blocks: Vec<(Cid, Bytes)>,
    /// Bytes of all files together.
    pub file_bytes: u64,
}

/// Why files could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A name that a package may not hold.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Packs entries held in memory.
///
/// # Errors
/// [`PackError`] names the entry and the rule.
pub fn pack_entries(entries: impl IntoIterator<Item = Entry>) -> Result<Package, PackError> {
    let _ = entries;
    todo!()
}

/// Packs a directory on disk.
///
/// # Errors
/// [`PackError`] names the path and the rule.
pub fn pack_path(directory: &Path, limits: PackLimits) -> Result<Package, PackError> {
    let _ = (directory, limits);
    todo!()
}

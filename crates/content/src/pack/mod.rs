//! Files in, blocks and one CID out, by the frozen profile `unixfs-v1-2025`: CIDv1, raw chunks of 1 MiB, 1,024 links
//! per file node, directories over 262,144 bytes sharded. Names and bytes count, nothing else of the machine does.

mod disk;
mod file;
mod tree;

use std::{collections::HashSet, io, path::PathBuf};

use bytes::Bytes;
use cid::Cid;

pub use disk::pack_path;
pub(crate) use file::{FileRoot, Leaf, file_root};
pub(crate) use tree::Tree;

use crate::{
    Entry, EntryKind, NameError,
    hamt::HashCollision,
    limits::{CHUNK_BYTES, RESULT_ENTRIES_MAX},
    store::{BlockGet, StoreError},
};

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

impl Package {
    /// Bytes of all blocks together.
    #[must_use]
    pub fn block_bytes(&self) -> u64 {
        self.blocks.iter().map(|(_, block)| block.len() as u64).sum()
    }
}

/// Why files could not be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A name that a package may not hold.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The same path twice.
    #[error("pack {path:?}: the path is there twice; leave one out")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A path that is a file and a directory at once.
    #[error("pack {path:?}: the path is a file and a directory; rename one")]
    FileAndDirectory {
        /// The path.
        path: String,
    },
    /// A symbolic link on disk.
    #[error("pack {path}: symbolic links are not packed; replace it by the file it points at")]
    Symlink {
        /// The path on disk.
        path: PathBuf,
    },
    /// A device, socket or pipe on disk.
    #[error("pack {path}: it is neither a file nor a directory; move it out of the directory")]
    SpecialFile {
        /// The path on disk.
        path: PathBuf,
    },
    /// The path given is no directory.
    #[error("pack {path}: it is not a directory; a package is always one")]
    NotDirectory {
        /// The path on disk.
        path: PathBuf,
    },
    /// More bytes than allowed.
    #[error("pack {path}: the files together are over {bytes_max} bytes; leave some out")]
    TooLarge {
        /// The file that went over.
        path: String,
        /// The limit.
        bytes_max: u64,
    },
    /// More files and directories than allowed.
    #[error("pack {path:?}: there are more than {entries_max} files and directories; put them into an archive")]
    TooManyEntries {
        /// The entry that went over.
        path: String,
        /// The limit.
        entries_max: usize,
    },
    /// Deeper than allowed.
    #[error("pack {path:?}: it is nested deeper than {depth_max} directories; flatten it")]
    TooDeep {
        /// The entry.
        path: String,
        /// The limit.
        depth_max: usize,
    },
    /// Two names in one large directory whose 64-bit hashes are equal.
    #[error("pack {name:?}: another name in the same large directory has the same hash; rename it")]
    HashCollision {
        /// One of them.
        name: String,
    },
    /// The disk said no.
    #[error("read {path}: {source}")]
    Io {
        /// The path on disk.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<HashCollision> for PackError {
    fn from(HashCollision { name }: HashCollision) -> Self {
        Self::HashCollision { name }
    }
}

/// Where packed blocks go.
pub(crate) trait BlockSink {
    fn put(&mut self, cid: Cid, block: Bytes);
}

/// Computes CIDs and keeps no block.
pub(crate) struct NoBlocks;

impl BlockSink for NoBlocks {
    fn put(&mut self, _: Cid, _: Bytes) {}
}

/// Keeps every block once, in order.
#[derive(Default)]
pub(crate) struct Collected {
    seen: HashSet<Cid>,
    blocks: Vec<(Cid, Bytes)>,
}

impl BlockSink for Collected {
    fn put(&mut self, cid: Cid, block: Bytes) {
        if self.seen.insert(cid) {
            self.blocks.push((cid, block));
        }
    }
}

impl Collected {
    /// The blocks so far.
    pub(crate) fn blocks(&self) -> &[(Cid, Bytes)] {
        &self.blocks
    }

    /// Finishes the package with its directories.
    fn finish(mut self, tree: Tree, file_bytes: u64) -> Result<Package, PackError> {
        let (root, _) = tree.finish(&mut self)?;
        Ok(Package { root, blocks: self.blocks, file_bytes })
    }
}

/// Packs entries held in memory. Parents are implied; chunks share the entries' memory.
///
/// # Errors
/// [`PackError`] names the entry and the rule.
pub fn pack_entries(entries: impl IntoIterator<Item = Entry>) -> Result<Package, PackError> {
    let (mut sink, mut tree, mut file_bytes) = (Collected::default(), Tree::default(), 0);
    for Entry { path, kind } in entries {
        match kind {
            EntryKind::Directory => tree.add_directory(&path)?,
            EntryKind::File(bytes) => {
                file_bytes += bytes.len() as u64;
                tree.add_file(&path, file_of_bytes(&bytes, &mut sink))?;
            }
        }
        if tree.entries() > RESULT_ENTRIES_MAX {
            return Err(PackError::TooManyEntries { path, entries_max: RESULT_ENTRIES_MAX });
        }
    }
    sink.finish(tree, file_bytes)
}

pub(crate) fn file_of_bytes(bytes: &Bytes, sink: &mut impl BlockSink) -> FileRoot {
    let starts = (0..bytes.len().max(1)).step_by(CHUNK_BYTES);
    let leaves = starts
        .map(|start| {
            let chunk = bytes.slice(start..bytes.len().min(start + CHUNK_BYTES));
            Leaf::put(chunk, sink)
        })
        .collect();
    file_root(leaves, sink)
}

impl BlockGet for Package {
    /// Linear: for tests and small packages; large ones go through a [`crate::BlockSet`].
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        Ok(self.blocks.iter().find(|(have, _)| have == cid).map(|(_, block)| block.clone()))
    }
}

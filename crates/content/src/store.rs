//! Blocks at rest.

use std::{collections::HashMap, path::Path, sync::Arc};

use bytes::Bytes;
use cid::Cid;

use crate::{CidError, Package, verify_block};

/// Where blocks come from.
pub trait BlockGet {
    /// The block, or `None` when it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when the place itself fails.
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError>;

    /// Whether [`Self::get`] only gives blocks whose hash was verified; else readers verify them.
    fn verified(&self) -> bool {
        false
    }
}

/// Verified blocks in memory.
#[derive(Clone, Debug, Default)]
pub struct BlockSet {
    blocks: HashMap<Cid, Bytes>,
}

impl BlockSet {
    /// Verifies blocks and keeps them.
    ///
    /// # Errors
    /// [`CidError`] at the first block that is not the one its CID names.
    pub fn from_blocks(blocks: impl IntoIterator<Item = (Cid, Bytes)>) -> Result<Self, CidError> {
        let mut set = Self::default();
        for (cid, block) in blocks {
            set.insert(cid, block)?;
        }
        Ok(set)
    }

    /// Verifies a block and keeps it.
    ///
    /// # Errors
    /// [`CidError`] when it is not the one its CID names.
    pub fn insert(&mut self, cid: Cid, block: Bytes) -> Result<(), CidError> {
        verify_block(&cid, &block)?;
        self.blocks.insert(cid, block);
        Ok(())
    }
}

impl BlockGet for BlockSet {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        Ok(self.blocks.get(cid).cloned())
    }

    fn verified(&self) -> bool {
        true
    }
}

/// Bounds of a [`BlockStore`].
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Most bytes of blocks on disk.
    pub quota_bytes: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { quota_bytes: 4 << 30 }
    }
}

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A CID or block that is not canonical.
    #[error(transparent)]
    Cid(#[from] CidError),
}

/// A block store on disk. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct BlockStore {
    _shared: Arc<()>,
}

impl BlockStore {
    /// Opens or creates the store in a directory. Cheap: nothing is scanned.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be made or written.
    pub fn open(directory: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        let _ = (directory, limits);
        todo!()
    }

    /// Stores a whole package and pins its root, durably.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_package(&self, package: &Package) -> Result<(), StoreError> {
        let _ = package;
        todo!()
    }

    /// Keeps a root and everything below it from garbage collection, durably.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pin(&self, root: &Cid) -> Result<(), StoreError> {
        let _ = root;
        todo!()
    }

    /// Releases a root. Its blocks go when the quota needs the room. `false` when it was not pinned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unpin(&self, root: &Cid) -> Result<bool, StoreError> {
        let _ = root;
        todo!()
    }
}

impl BlockGet for BlockStore {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let _ = cid;
        todo!()
    }
}

//! Blocks at rest: in memory ([`BlockSet`]) and on disk ([`BlockStore`]).

mod disk;
mod gc;
mod index;
mod segment;

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use cid::Cid;

pub use disk::{BlockStore, Import, StoreLimits};

use crate::{CidError, UnpackError, verify_block};

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

impl<B: BlockGet + ?Sized> BlockGet for &B {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        (**self).get(cid)
    }

    fn verified(&self) -> bool {
        (**self).verified()
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

    /// Keeps a block that was verified a moment ago, by [`crate::car::CarDecoder`] or [`verify_block`].
    pub(crate) fn insert_verified(&mut self, cid: Cid, block: Bytes) {
        self.blocks.insert(cid, block);
    }

    /// Whether a block is there.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        self.blocks.contains_key(cid)
    }

    /// How many blocks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
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

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A CID or block that is not canonical.
    #[error(transparent)]
    Cid(#[from] CidError),
    /// The disk said no.
    #[error("access {path}: {source}; check space and permissions")]
    Io {
        /// The path on disk.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store is full of pinned blocks.
    #[error("store {bytes} bytes: the quota of {quota_bytes} is used up by pinned content; unpin some or raise it")]
    QuotaExceeded {
        /// How much was to be stored.
        bytes: u64,
        /// The quota.
        quota_bytes: u64,
    },
    /// A root was to be pinned and something below it is not there.
    #[error("pin {root}: block {missing} below it is missing; import the whole package")]
    Incomplete {
        /// The root.
        root: Cid,
        /// The first missing block.
        missing: Box<Cid>,
    },
    /// This process is shutting down.
    #[error("access the store: the work was cancelled by shutdown")]
    Cancelled,
    /// Something below a root cannot be read.
    #[error("walk {root}: {source}")]
    Walk {
        /// The root.
        root: Cid,
        /// What is wrong.
        source: Box<UnpackError>,
    },
}

/// Says where the disk failed.
fn io_at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

impl StoreError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { .. } | Self::QuotaExceeded { .. } | Self::Incomplete { .. } | Self::Cancelled => true,
            Self::Cid(_) | Self::Walk { .. } => false,
        }
    }
}

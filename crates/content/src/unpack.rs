//! Blocks in, files out.

use assay_protocol::InvalidReason;
use cid::Cid;

use crate::{BlockGet, CidError, Entry, StoreError, limits::Budget};

/// Why a package could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// A CID or block that is not canonical.
    #[error(transparent)]
    Cid(#[from] CidError),
    /// A block is not there.
    #[error("read block {cid}: it is missing")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UnpackError {
    /// The outcome's reason when the content itself is at fault, the same on every host; `None` when only this host
    /// could not read it (missing or damaged block, disk).
    #[must_use]
    pub fn invalid_reason(&self) -> Option<InvalidReason> {
        None
    }
}

/// Reads a whole directory. Entries come sorted by path, directories included, the root left out.
///
/// # Errors
/// [`UnpackError`].
pub fn unpack(root: Cid, blocks: &impl BlockGet, budget: &Budget) -> Result<Vec<Entry>, UnpackError> {
    let _ = (root, blocks, budget);
    todo!()
}

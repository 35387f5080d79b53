//! What one fetch has: the blocks that its sources gave, and those that the store had already.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use cid::Cid;

use crate::{BlockGet, BlockSet, BlockStore, StoreError, node_codec};

/// Every change of what it guards is a single step, so a holder's panic leaves it consistent.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Verified blocks, shared by the sources of one fetch.
#[derive(Debug)]
pub(super) struct Pool {
    given: Mutex<BlockSet>,
    store: BlockStore,
}

impl Pool {
    pub(super) fn new(store: BlockStore) -> Self {
        Self { given: Mutex::default(), store }
    }

    /// Adds a block that was verified a moment ago.
    pub(super) fn insert_verified(&self, cid: Cid, block: Bytes) {
        lock(&self.given).insert_verified(cid, block);
    }

    /// The blocks at this moment.
    pub(super) fn view(&self) -> View {
        View { given: lock(&self.given).clone(), store: self.store.clone() }
    }

    /// Watches the blocks of a CAR for those that it need not have brought.
    pub(super) fn redundancy(&self, root: &Cid) -> Redundancy<'_> {
        Redundancy { store: &self.store, root: *root, announced: 0, stored: 0, counted: HashSet::new() }
    }
}

/// The blocks of a [`Pool`] at one moment; cheap to take, for blocks are shared.
pub(super) struct View {
    given: BlockSet,
    store: BlockStore,
}

impl View {
    /// Whether a source gave this block.
    pub(super) fn was_given(&self, cid: &Cid) -> bool {
        self.given.contains(cid)
    }
}

impl BlockGet for View {
    /// A disk that fails costs a transfer and not the fetch.
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        if let Some(block) = self.given.get(cid)? {
            return Ok(Some(block));
        }
        Ok(self.store.get(cid).unwrap_or_else(|error| {
            tracing::warn!(%cid, %error, "stored_block_not_read");
            None
        }))
    }

    fn verified(&self) -> bool {
        true
    }
}

/// Tells when a CAR is no longer worth its bytes: once the store is seen to have more than half of what the root
/// announces, what it lacks is asked for block by block. The sizes are claims of whoever packed the directory; they
/// decide about speed and nothing else.
pub(super) struct Redundancy<'a> {
    store: &'a BlockStore,
    root: Cid,
    /// Bytes below the root, by its links.
    announced: u64,
    /// Bytes below links that lead to stored blocks.
    stored: u64,
    /// Stored blocks whose bytes are counted; what is below them is not counted again.
    counted: HashSet<Cid>,
}

impl Redundancy<'_> {
    /// Takes in the next block of the CAR. `true` when the rest is better asked for block by block.
    pub(super) fn sees(&mut self, cid: &Cid, block: &[u8]) -> bool {
        const DAG_PB: u64 = 0x70;
        if cid.codec() != DAG_PB || self.counted.contains(cid) {
            return false;
        }
        // What is no node is for `unpack` to judge.
        let Ok(node) = node_codec::decode(block) else { return false };
        for link in node.links() {
            if *cid == self.root {
                self.announced = self.announced.saturating_add(link.tree_bytes);
            }
            if self.store.knows(&link.cid) {
                self.stored = self.stored.saturating_add(link.tree_bytes);
                self.counted.insert(link.cid);
            }
        }
        self.stored > self.announced / 2 && self.announced > 0
    }
}

//! Garbage collection: what no pinned root leads to goes, oldest first.

use std::{
    collections::{BTreeSet, HashSet},
    fs, io,
    sync::PoisonError,
};

use assay_protocol::Hash32;

use super::{
    BlockGet, StoreError,
    disk::{BlockStore, lock},
    io_at,
    segment::{self, Entry},
};
use crate::{
    id::{Codec, accept, has_digest},
    node_codec,
};

impl BlockStore {
    /// Removes unpinned blocks, oldest segments first, until `bytes` are free. A segment that is partly in use is
    /// written again without the rest.
    pub(super) fn collect(&self, bytes: u64) -> Result<u64, StoreError> {
        let shared = self.shared();
        let _no_pinning = shared.pinning.write().unwrap_or_else(PoisonError::into_inner);
        shared.refresh()?;
        let pinned = self.pinned_blocks()?;
        let names = shared.index().names();
        let mut freed = 0;
        for name in names {
            if freed >= bytes {
                break;
            }
            freed += self.collect_segment(&name, &pinned)?;
        }
        tracing::info!(freed_bytes = freed, "garbage_collected");
        Ok(freed)
    }

    /// Leases and index are held while the segment goes: an import that leases a block now finds it gone and writes it.
    fn collect_segment(&self, name: &str, pinned: &HashSet<Hash32>) -> Result<u64, StoreError> {
        let shared = self.shared();
        let leased = lock(&shared.leased);
        let mut index = shared.index_mut();
        let wanted = |digest: &Hash32| pinned.contains(digest) || leased.contains_key(digest);
        let Some((old, live)) = index.live(name, wanted) else { return Ok(0) };
        if live.len() == old.entries.len() {
            return Ok(0);
        }
        // What is wanted and not carried on is in a later segment, which whoever wrote it may never have pinned.
        let elsewhere = old.entries.iter().filter(|entry| wanted(&entry.digest));
        let elsewhere: BTreeSet<String> = elsewhere
            .filter_map(|entry| index.unsynced(&entry.digest))
            .filter(|at| *at != name)
            .map(str::to_owned)
            .collect();
        let (old_path, old_bytes) = (old.path.clone(), old.file_bytes);
        if !elsewhere.is_empty() {
            shared.sync(&elsewhere)?;
            index.synced(&elsewhere);
        }
        let mut kept = Vec::new();
        for Entry { digest, offset, bytes } in live {
            let block = segment::read_block(&old_path, &Entry { digest, offset, bytes })?;
            // Rotten blocks are not carried on.
            kept.extend(block.filter(|block| has_digest(block, &digest)).map(|block| (digest, block)));
        }
        let mut new_bytes = 0;
        let moved = if kept.is_empty() {
            None
        } else {
            let blocks: Vec<_> = kept.iter().map(|(digest, block)| (*digest, block.as_slice())).collect();
            let (new_name, mut new) = shared.write_segment(&blocks)?;
            // The old copy may be on disk already and is about to go: the new one must be there first.
            shared.sync([&new_name])?;
            new.is_synced = true;
            new_bytes = new.file_bytes;
            Some((new_name, new))
        };
        match fs::remove_file(&old_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&old_path)(error)),
            _ => index.forget(name),
        }
        if let Some((new_name, new)) = moved {
            index.insert(new_name, new);
        }
        Ok(old_bytes.saturating_sub(new_bytes))
    }

    /// Digests of everything below the pinned roots that is there. Chunks have no links, so they are not read.
    fn pinned_blocks(&self) -> Result<HashSet<Hash32>, StoreError> {
        let mut pending = self.pins()?;
        let mut kept = HashSet::new();
        while let Some(cid) = pending.pop() {
            let (codec, digest) = accept(&cid)?;
            if !kept.insert(digest) || codec == Codec::Raw {
                continue;
            }
            let Some(block) = self.get(&cid)? else { continue };
            match node_codec::decode(&block) {
                Ok(node) => pending.extend(node.links().iter().map(|link| link.cid)),
                Err(error) => tracing::warn!(%cid, %error, "pinned_block_not_decoded"),
            }
        }
        Ok(kept)
    }
}

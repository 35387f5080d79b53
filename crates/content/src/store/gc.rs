//! Garbage collection: what no pinned root leads to goes, oldest first.

use std::{collections::HashSet, fs, path::PathBuf, sync::PoisonError, time::SystemTime};

use assay_protocol::Hash32;

use super::{
    BlockGet, StoreError,
    disk::{BlockStore, Shared, io_at, lock},
};
use crate::{
    id::{Codec, accept},
    node_codec,
};

/// A block's file.
pub(super) struct BlockFile {
    path: PathBuf,
    /// From its name; a file with another name is garbage.
    digest: Option<Hash32>,
    pub(super) bytes: u64,
    written: SystemTime,
}

impl BlockStore {
    /// Removes unpinned blocks, oldest first, until `bytes` are free.
    pub(super) fn collect(&self, bytes: u64) -> Result<u64, StoreError> {
        let shared = self.shared();
        let _no_pinning = shared.pinning.write().unwrap_or_else(PoisonError::into_inner);
        let kept = self.pinned_blocks()?;
        let mut files = shared.block_files()?;
        files.retain(|file| !file.digest.is_some_and(|digest| kept.contains(&digest)));
        files.sort_unstable_by(|a, b| (a.written, &a.path).cmp(&(b.written, &b.path)));
        let mut freed = 0;
        for file in files {
            if freed >= bytes {
                break;
            }
            // The lease table is held while the file goes: an import that leases it now finds it gone and writes it.
            let leased = lock(&shared.leased);
            if !file.digest.is_some_and(|digest| leased.contains_key(&digest)) {
                freed += shared.remove_block(&file.path)?;
            }
        }
        tracing::info!(freed_bytes = freed, "garbage_collected");
        Ok(freed)
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

impl Shared {
    /// Every block on disk.
    pub(super) fn block_files(&self) -> Result<Vec<BlockFile>, StoreError> {
        let blocks = self.directory.join("blocks");
        let mut files = Vec::new();
        for shard in fs::read_dir(&blocks).map_err(io_at(&blocks))? {
            let shard = shard.map_err(io_at(&blocks))?.path();
            for entry in fs::read_dir(&shard).map_err(io_at(&shard))? {
                let entry = entry.map_err(io_at(&shard))?;
                // Another process may have removed it since the directory was read.
                let Ok(metadata) = entry.metadata() else { continue };
                let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let digest = entry.file_name().to_str().and_then(digest_of_name);
                files.push(BlockFile { path: entry.path(), digest, bytes: metadata.len(), written });
            }
        }
        Ok(files)
    }
}

fn digest_of_name(name: &str) -> Option<Hash32> {
    let mut digest = Hash32::default();
    if name.len() != 2 * digest.len() || !name.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&name[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(digest)
}

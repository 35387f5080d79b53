//! Walking links without interpreting them: what is below a root, each block once.

use std::collections::HashSet;

use bytes::Bytes;
use cid::Cid;

use crate::{
    id::{Codec, accept, verify_block},
    limits::BLOCK_BYTES_MAX,
    node_codec,
    store::BlockGet,
    unpack::UnpackError,
};

/// A walk over everything below some roots, depth first, each block once: a DAG that expands 2^n times when read as a
/// tree is still linear here (C-06).
pub(crate) struct Walk<B> {
    blocks: B,
    pending: Vec<Cid>,
    seen: HashSet<Cid>,
    blocks_max: usize,
}

/// One step of a [`Walk`].
pub(crate) enum Step {
    /// A block that is there.
    Block(Cid, Bytes),
    /// A block that is not; what is below it is unknown.
    Missing(Cid),
}

impl<B: BlockGet> Walk<B> {
    /// Starts at the roots. At most `blocks_max` blocks are visited.
    pub(crate) fn new(blocks: B, roots: impl IntoIterator<Item = Cid>, blocks_max: usize) -> Self {
        let pending: Vec<_> = roots.into_iter().collect();
        let seen = pending.iter().copied().collect();
        Self { blocks, pending, seen, blocks_max }
    }

    /// The next block, `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, UnpackError> {
        let Some(cid) = self.pending.pop() else { return Ok(None) };
        let Some(block) = load(&self.blocks, &cid)? else { return Ok(Some(Step::Missing(cid))) };
        for child in links(&cid, &block)?.into_iter().rev() {
            if self.seen.insert(child) {
                self.pending.push(child);
            }
        }
        if self.seen.len() > self.blocks_max {
            return Err(UnpackError::TooManyLinks { links_max: self.blocks_max });
        }
        Ok(Some(Step::Block(cid, block)))
    }
}

/// A verified block of allowed size, or `None` when it is not there.
pub(crate) fn load(blocks: &impl BlockGet, cid: &Cid) -> Result<Option<Bytes>, UnpackError> {
    accept(cid)?;
    let Some(block) = blocks.get(cid)? else { return Ok(None) };
    if block.len() > BLOCK_BYTES_MAX {
        return Err(UnpackError::BlockTooLarge { cid: *cid, bytes: block.len(), bytes_max: BLOCK_BYTES_MAX });
    }
    if !blocks.verified() {
        verify_block(cid, &block)?;
    }
    Ok(Some(block))
}

fn links(cid: &Cid, block: &Bytes) -> Result<Vec<Cid>, UnpackError> {
    match accept(cid)?.0 {
        Codec::Raw => Ok(Vec::new()),
        Codec::DagPb => {
            let node = node_codec::decode(block)
                .map_err(|source| UnpackError::Node { cid: *cid, source: Box::new(source) })?;
            Ok(node.links().iter().map(|link| link.cid).collect())
        }
    }
}

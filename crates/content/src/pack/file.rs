//! The balanced tree over a file's chunks.

use bytes::Bytes;
use cid::Cid;

use super::BlockSink;
use crate::{
    id::{Codec, block_cid},
    limits::FILE_LINKS_MAX,
    node_codec::encode_file,
};

/// A node of a file's tree: a chunk, or a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) cid: Cid,
    /// Bytes of the file below it.
    pub(crate) file_bytes: u64,
    /// Bytes of its block and all below it.
    pub(crate) tree_bytes: u64,
}

/// The root of a file's tree.
pub(crate) type FileRoot = Leaf;

impl Leaf {
    /// A chunk.
    pub(crate) fn put(chunk: Bytes, sink: &mut impl BlockSink) -> Self {
        let leaf = Self::known(block_cid(Codec::Raw, &chunk), chunk.len() as u64);
        sink.put(leaf.cid, chunk);
        leaf
    }

    /// A chunk whose CID is known.
    pub(crate) const fn known(cid: Cid, bytes: u64) -> Self {
        Self { cid, file_bytes: bytes, tree_bytes: bytes }
    }
}

/// Stacks lists of 1,024 until one node is left. A file of one chunk is that chunk. `leaves` is not empty.
pub(crate) fn file_root(mut level: Vec<Leaf>, sink: &mut impl BlockSink) -> FileRoot {
    while level.len() > 1 {
        level = level
            .chunks(FILE_LINKS_MAX)
            .map(|children| {
                let links: Vec<_> = children.iter().map(|c| (c.cid, c.file_bytes, c.tree_bytes)).collect();
                let block = encode_file(&links);
                let node = Leaf {
                    cid: block_cid(Codec::DagPb, &block),
                    file_bytes: children.iter().map(|c| c.file_bytes).sum(),
                    tree_bytes: children.iter().map(|c| c.tree_bytes).sum::<u64>() + block.len() as u64,
                };
                sink.put(node.cid, block.into());
                node
            })
            .collect();
    }
    level.pop().unwrap_or_else(|| Leaf::put(Bytes::new(), sink))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::CHUNK_BYTES, pack::Collected};

    /// The golden CID was computed by rust-unixfs over the real gibibyte.
    #[test]
    fn a_file_of_more_than_1024_chunks_has_two_levels() {
        let mut sink = Collected::default();
        let chunk = Leaf::put(vec![7; CHUNK_BYTES].into(), &mut sink);
        let root = file_root(vec![chunk; FILE_LINKS_MAX + 2], &mut sink);
        assert_eq!(root.cid.to_string(), "bafybeiarmnymterwq5imoplojvjp73gviqhl3mbacfonobvryzugzvmka4");
        assert_eq!(root.file_bytes, 1_026 << 20);
        assert_eq!(root.tree_bytes, root.file_bytes + 51_211 + 109 + 116);
    }
}

//! Sharded directories: a trie over the bytes of each name's murmur3 hash, 256 slots per node.

use std::collections::BTreeMap;

use cid::Cid;

use crate::{
    id::{Codec, block_cid},
    limits::HAMT_LEVELS_MAX,
    node_codec::{Link, encode_hamt},
    pack::BlockSink,
};

/// Two names have the same 64-bit hash, so no trie of eight levels can hold both.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HashCollision {
    pub(crate) name: String,
}

/// What a directory links to: CID and bytes of the whole tree below it.
pub(crate) type Target = (Cid, u64);

/// Builds the trie and gives its root.
pub(crate) fn build(children: &BTreeMap<String, Target>, sink: &mut impl BlockSink) -> Result<Target, HashCollision> {
    let mut hashed: Vec<([u8; 8], &str, Target)> =
        children.iter().map(|(name, target)| (name_hash(name), name.as_str(), *target)).collect();
    hashed.sort_unstable();
    shard(&hashed, 0, sink)
}

/// Recursion ends at [`HAMT_LEVELS_MAX`].
fn shard(hashed: &[([u8; 8], &str, Target)], level: usize, sink: &mut impl BlockSink) -> Result<Target, HashCollision> {
    if level == HAMT_LEVELS_MAX {
        return Err(HashCollision { name: hashed.first().map(|(_, name, _)| (*name).to_owned()).unwrap_or_default() });
    }
    let mut bits = [0_u8; 32];
    let mut links = Vec::new();
    for group in hashed.chunk_by(|a, b| a.0[level] == b.0[level]) {
        let Some((hash, name, target)) = group.first() else { continue };
        let slot = hash[level];
        // The bit field is a big-endian integer: bit 0 is the last byte's lowest.
        bits[31 - usize::from(slot / 8)] |= 1 << (slot % 8);
        let (name, (cid, tree_bytes)) = match group.len() {
            1 => (format!("{slot:02X}{name}"), *target),
            _ => (format!("{slot:02X}"), shard(group, level + 1, sink)?),
        };
        links.push(Link { name, cid, tree_bytes });
    }
    let leading_zeros = bits.iter().take_while(|byte| **byte == 0).count();
    let block = encode_hamt(&links, &bits[leading_zeros..]);
    let tree_bytes = links.iter().map(|link| link.tree_bytes).sum::<u64>() + block.len() as u64;
    let cid = block_cid(Codec::DagPb, &block);
    sink.put(cid, block.into());
    Ok((cid, tree_bytes))
}

/// murmur3-x64-64 (the first half of murmur3-x64-128, seed 0), big-endian: level n uses byte n.
fn name_hash(name: &str) -> [u8; 8] {
    murmur3_x64_64(name.as_bytes()).to_be_bytes()
}

fn murmur3_x64_64(data: &[u8]) -> u64 {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let mix1 = |k: u64| k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let mix2 = |k: u64| k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    let (mut h1, mut h2) = (0_u64, 0_u64);
    let mut blocks = data.chunks_exact(16);
    for block in &mut blocks {
        let (low, high) = block.split_at(8);
        h1 ^= mix1(word(low));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix2(word(high));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let tail = blocks.remainder();
    let (low, high) = tail.split_at(tail.len().min(8));
    h1 ^= mix1(word(low));
    h2 ^= mix2(word(high));
    let length = data.len() as u64;
    h1 ^= length;
    h2 ^= length;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = finalize(h1);
    h2 = finalize(h2);
    h1.wrapping_add(h2)
}

fn finalize(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation (SMHasher), seed 0.
    #[test]
    fn murmur3_gives_the_reference_values() {
        assert_eq!(murmur3_x64_64(b""), 0);
        assert_eq!(murmur3_x64_64(b"hello"), 0xcbd8_a7b3_41bd_9b02);
        assert_eq!(murmur3_x64_64(b"hello, world"), 0x342f_ac62_3a5e_bc8e);
        assert_eq!(murmur3_x64_64(b"The quick brown fox jumps over the lazy dog."), 0xcd99_481f_9ee9_02c9);
    }
}

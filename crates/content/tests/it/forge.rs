//! Directories put together from bytes, mostly well-formed and mostly wrong somewhere, by another encoder than ours.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use assay_content::{Cid, Codec, block_cid};
use bytes::Bytes;
use ipld_dagpb::{PbLink, PbNode};

/// Most blocks of a plan.
const PARTS_MAX: usize = 24;

/// Blocks under construction.
#[derive(Default)]
pub struct Forge {
    pub blocks: Vec<(Cid, Bytes)>,
}

pub type Target = (Cid, u64);

impl Forge {
    pub fn put(&mut self, codec: Codec, block: impl Into<Bytes>) -> Target {
        let block = block.into();
        let cid = block_cid(codec, &block);
        self.blocks.push((cid, block.clone()));
        (cid, block.len() as u64)
    }

    pub fn raw(&mut self, block: &[u8]) -> Target {
        self.put(Codec::Raw, block.to_vec())
    }

    pub fn node(&mut self, links: &[(&str, Target)], data: &[u8]) -> Target {
        let below = links.iter().fold(0_u64, |below, (_, (_, size))| below.saturating_add(*size));
        let links = links.iter().map(|(name, (cid, size))| PbLink {
            cid: *cid,
            name: Some((*name).to_owned()),
            size: Some(*size),
        });
        let node = PbNode { links: links.collect(), data: Some(Bytes::copy_from_slice(data)) };
        let (cid, size) = self.put(Codec::DagPb, node.into_bytes());
        (cid, size.saturating_add(below))
    }

    pub fn directory(&mut self, links: &[(&str, Target)]) -> Target {
        self.node(links, &unixfs(&[(1, 1)], None))
    }
}

/// A UnixFS message by hand: numbers by field, with the bytes of field 2 in their place.
pub fn unixfs(numbers: &[(u8, u64)], bytes: Option<&[u8]>) -> Vec<u8> {
    let varint = |out: &mut Vec<u8>, mut value: u64| {
        while value > 0x7f {
            out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        out.push(value.to_le_bytes()[0]);
    };
    let mut out = Vec::new();
    for (at, (field, value)) in numbers.iter().enumerate() {
        out.push(field << 3);
        varint(&mut out, *value);
        if let (0, Some(bytes)) = (at, bytes) {
            out.push(0x12);
            varint(&mut out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        }
    }
    out
}

/// Which of the blocks made before.
#[derive(Clone, Copy, Debug)]
pub struct Pick(u16);

/// A block of a hostile directory. What it links to is picked among the blocks made before it, so it may be shared.
#[derive(Clone, Debug)]
pub enum Part {
    Raw(Vec<u8>),
    /// Parts, each with its real size or with a lie added to it.
    File(Vec<(Pick, u64)>),
    /// Names as they stand in the block.
    Directory(Vec<(String, Pick)>),
    /// A slot, the rest of the name, and whether the bit field tells.
    Hamt(Vec<(u8, String, Pick)>, bool),
    Junk(Vec<u8>),
    /// A block that is not there.
    Lost(u8),
}

fn name(from: &mut Unstructured<'_>) -> Result<String> {
    Ok(match from.int_in_range(0..=33)? {
        0 => "..".to_owned(),
        1 => String::new(),
        2 => "a/b".to_owned(),
        3 => "n".repeat(from.int_in_range(254..=256)?),
        _ => (0..=from.int_in_range(0..=2)?)
            .map(|_| from.choose(&['a', 'b', 'c', 'd', 'e', 'f']))
            .collect::<Result<_>>()?,
    })
}

fn list<T>(
    from: &mut Unstructured<'_>,
    most: usize,
    mut item: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..from.int_in_range(0..=most)?).map(|_| item(from)).collect()
}

fn part(from: &mut Unstructured<'_>) -> Result<Part> {
    let pick = |from: &mut Unstructured<'_>| from.arbitrary().map(Pick);
    let link = |from: &mut Unstructured<'_>| Ok((name(from)?, pick(from)?));
    Ok(match from.int_in_range(0..=21)? {
        0..6 => Part::Raw(list(from, 3, u8_of)?),
        6..15 => {
            let sorted: BTreeMap<_, _> = list(from, 5, link)?.into_iter().collect();
            Part::Directory(sorted.into_iter().collect())
        }
        15 => Part::Directory(list(from, 5, link)?),
        16..18 => Part::File(list(from, 3, |from| {
            let lie = if from.ratio(1, 10)? { from.arbitrary()? } else { 0 };
            Ok((pick(from)?, lie))
        })?),
        18..20 => {
            let links = list(from, 5, |from| {
                let name = if from.arbitrary()? { name(from)? } else { String::new() };
                Ok((from.arbitrary()?, name, pick(from)?))
            })?;
            Part::Hamt(links, from.arbitrary()?)
        }
        20 => Part::Junk(list(from, 29, u8_of)?),
        _ => Part::Lost(from.arbitrary()?),
    })
}

fn u8_of(from: &mut Unstructured<'_>) -> Result<u8> {
    from.arbitrary()
}

/// The blocks that bytes plan.
pub fn plan(bytes: &[u8]) -> Vec<Part> {
    let mut from = Unstructured::new(bytes);
    let mut plan = Vec::new();
    while plan.len() < PARTS_MAX && !from.is_empty() {
        plan.extend(part(&mut from));
    }
    plan
}

/// Makes the blocks; the last one is the root. The first is a whole chunk, so that a file of several can be right.
pub fn forge(plan: &[Part]) -> (Forge, Target) {
    let mut forge = Forge::default();
    let mut made: Vec<(Target, u64)> = vec![(forge.raw(&[7; 1 << 20]), 1 << 20)];
    for part in plan {
        let pick = |Pick(index): &Pick| made[usize::from(*index) % made.len()];
        let next = match part {
            Part::Raw(bytes) => (forge.raw(bytes), bytes.len() as u64),
            Part::File(links) => {
                let below: Vec<_> = links.iter().map(|(index, _)| ("", pick(index).0)).collect();
                let sizes: Vec<_> = links.iter().map(|(index, lie)| pick(index).1.wrapping_add(*lie)).collect();
                let total = sizes.iter().fold(0_u64, |total, size| total.wrapping_add(*size));
                let numbers: Vec<_> = [(1, 2), (3, total)].into_iter().chain(sizes.iter().map(|s| (4, *s))).collect();
                (forge.node(&below, &unixfs(&numbers, None)), total)
            }
            Part::Directory(links) => {
                let links: Vec<_> = links.iter().map(|(name, index)| (name.as_str(), pick(index).0)).collect();
                (forge.directory(&links), 0)
            }
            Part::Hamt(links, tells) => {
                let named: Vec<_> = links.iter().map(|(slot, name, _)| format!("{slot:02X}{name}")).collect();
                let linked: Vec<_> = named.iter().zip(links).map(|(n, (_, _, at))| (n.as_str(), pick(at).0)).collect();
                let mut bits = [0_u8; 32];
                links.iter().filter(|_| *tells).for_each(|(s, _, _)| bits[31 - usize::from(s / 8)] |= 1 << (s % 8));
                (forge.node(&linked, &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&bits))), 0)
            }
            Part::Junk(bytes) => (forge.put(Codec::DagPb, bytes.clone()), 0),
            Part::Lost(byte) => {
                let lost = forge.raw(&[*byte; 5]);
                forge.blocks.pop();
                (lost, 5)
            }
        };
        made.push(next);
    }
    let root = made.last().unwrap().0;
    (forge, root)
}

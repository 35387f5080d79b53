//! Archives and directories.

use std::cell::Cell;

use assay_content::{
    BlockGet, BlockSet, Budget, Cid, Codec, StoreError, block_cid,
    car::{self, CarDecoder, CarError, CarLimits},
    pack_entries, unpack,
};
use bytes::Bytes;

use crate::{
    MESSAGE_BYTES_MAX,
    generators::forge::{forge, plan},
};

/// Small, so that its bounds are reached.
const BUDGET: Budget = Budget { file_bytes: 3 << 20, entries: 24, links: 60, depth: 5 };
const LIMITS: CarLimits = CarLimits { bytes: 1 << 16, blocks: 32 };

/// An archive is read the same in one piece and in many, and what it holds can be unpacked or is refused. The first byte
/// says how long the pieces are, and whether the rest is an archive as it stands or blocks to make one of: random bytes
/// never have the right hash.
pub fn car(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let sealed;
    let archive = if first & 1 == 0 {
        bytes
    } else {
        sealed = seal(bytes);
        &sealed
    };
    let whole = car::read(&mut &*archive, LIMITS);
    let pieces = read_in_pieces(archive, usize::from(first >> 1) + 1);
    match (whole, pieces) {
        (Ok(whole), Ok((roots, blocks))) => {
            assert_eq!((&whole.roots, &whole.blocks), (&roots, &blocks));
            let set = BlockSet::from_blocks(blocks).expect("every block was verified");
            for root in roots {
                unpack_within_budget(root, set.clone());
            }
        }
        (Err(whole), Err(pieces)) => {
            assert_eq!(whole.to_string(), pieces.to_string());
            assert!(whole.to_string().len() < MESSAGE_BYTES_MAX, "{whole}");
        }
        (whole, pieces) => panic!("whole: {whole:?}, in pieces: {pieces:?}"),
    }
}

/// An archive of blocks, each a length, a codec and bytes; the last is the root.
fn seal(mut bytes: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::new();
    while let Some(([length, codec], rest)) = bytes.split_first_chunk() {
        let (block, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        let codec = if codec & 1 == 0 { Codec::Raw } else { Codec::DagPb };
        blocks.push((block_cid(codec, block), Bytes::copy_from_slice(block)));
        bytes = rest;
    }
    let mut archive = Vec::new();
    if let Some((root, _)) = blocks.last() {
        car::write(&mut archive, root, &blocks).expect("memory takes it");
    }
    archive
}

/// The roots and the blocks.
type Archive = (Vec<Cid>, Vec<(Cid, Bytes)>);

fn read_in_pieces(archive: &[u8], piece_bytes: usize) -> Result<Archive, CarError> {
    let mut decoder = CarDecoder::new(LIMITS);
    let mut blocks = Vec::new();
    for piece in archive.chunks(piece_bytes) {
        decoder.push(piece)?;
        while let Some(block) = decoder.next_block()? {
            blocks.push(block);
        }
    }
    Ok((decoder.finish()?, blocks))
}

/// A directory costs no more than its budget and has one reading: packed again it is the same.
pub fn directories(bytes: &[u8]) {
    let plan = plan(bytes);
    if plan.is_empty() {
        return;
    }
    let (forge, root) = forge(&plan);
    unpack_within_budget(root.0, BlockSet::from_blocks(forge.blocks).expect("the forge hashes its blocks"));
}

fn unpack_within_budget(root: Cid, blocks: BlockSet) {
    let counted = Counted { blocks, reads: Cell::new(0) };
    let result = unpack(root, &counted, &BUDGET);
    assert!(counted.reads.get() <= BUDGET.links, "{} reads", counted.reads.get());
    match result {
        Ok(entries) => {
            assert!(entries.len() <= BUDGET.entries);
            let bytes: usize = entries.iter().filter_map(|entry| entry.bytes()).map(|bytes| bytes.len()).sum();
            assert!(u64::try_from(bytes).is_ok_and(|bytes| bytes <= BUDGET.file_bytes));
            assert_eq!(pack_entries(entries).expect("what was unpacked can be packed").root, root);
        }
        Err(error) => assert!(error.to_string().len() < MESSAGE_BYTES_MAX, "{error}"),
    }
}

/// Counts what is read.
struct Counted {
    blocks: BlockSet,
    reads: Cell<usize>,
}

impl BlockGet for Counted {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        self.reads.set(self.reads.get() + 1);
        self.blocks.get(cid)
    }
}

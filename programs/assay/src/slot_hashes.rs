//! The chain's list of recent slots, read where it lies.
//!
//! No instruction takes a sysvar account. The list has 20,488 bytes, too many to copy, so single entries are read by
//! `sol_get_sysvar` at offsets, at 110 compute units each. LiteSVM 0.16 gives what `set_sysvar` wrote and surfpool 1.6.1 its
//! own list, with gaps where its clock was moved; both refuse an entry behind the 512th.

use assay_protocol::{draw::find_seed, Lookup, SlotHash};
use solana_sdk_ids::sysvar::slot_hashes;
use solana_sysvar::get_sysvar;

/// Bytes before the first entry: their number, u64.
const HEAD_BYTES: u64 = 8;
/// Bytes of an entry: slot u64, hash.
const ENTRY_BYTES: u64 = 40;

/// What the list, newest first, says about a seed slot now.
#[must_use]
pub fn find(seed_slot: u64) -> Lookup {
    let Some(head) = read(0) else { return Lookup::NotReady };
    find_seed(u64::from_le_bytes(head), seed_slot, entry)
}

fn entry(index: u64) -> Option<SlotHash> {
    let bytes: [u8; 40] = read(index.checked_mul(ENTRY_BYTES)?.checked_add(HEAD_BYTES)?)?;
    let (slot, hash) = bytes.split_first_chunk()?;
    Some(SlotHash { slot: u64::from_le_bytes(*slot), hash: hash.try_into().ok()? })
}

fn read<const BYTES: usize>(offset: u64) -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    get_sysvar(&mut bytes, &slot_hashes::ID, offset, u64::try_from(BYTES).ok()?).ok()?;
    Some(bytes)
}

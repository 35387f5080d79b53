//! The blocks that give the seeds of draws, from the list of recent ones that the program reads, too. A wrong answer costs
//! a failed acceptance and no more: the program looks for itself.

use std::collections::BTreeMap;

use assay_protocol::{Lookup, SlotHash, draw::find_seed, limits::SLOT_HASHES_MAX};
use solana_sdk_ids::sysvar::slot_hashes;

use super::{
    RpcChain,
    rpc::{Commitment, RawAccount},
};
use crate::core::Tracked;

/// Bytes of the number of entries.
const LEN_BYTES: usize = 8;
/// Bytes of an entry: slot u64 · hash [32].
const ENTRY_BYTES: usize = 40;

impl RpcChain {
    /// What the list says about the slots that are asked for. Not asked at all when none is; when it is not to be had, the
    /// next look asks again, and nothing that is owed waits for it.
    pub(super) async fn seeds(&self, tracked: &[Tracked]) -> BTreeMap<u64, Lookup> {
        let slots: Vec<u64> = tracked.iter().filter_map(|tracked| tracked.seed_slot).collect();
        if slots.is_empty() {
            return BTreeMap::new();
        }
        match self.accounts(&[slot_hashes::ID], Commitment::Confirmed).await {
            Ok(fetched) => {
                let list = fetched.get(0).and_then(RawAccount::bytes).unwrap_or_default();
                slots.into_iter().map(|slot| (slot, look_up(&list, slot))).collect()
            }
            Err(error) => {
                tracing::warn!(%error, "seeds_not_looked_up");
                BTreeMap::new()
            }
        }
    }
}

/// What a list says, which may be cut short or damaged.
fn look_up(list: &[u8], seed_slot: u64) -> Lookup {
    let entry = |index: u64| {
        let at = usize::try_from(index).ok()?.checked_mul(ENTRY_BYTES)?.checked_add(LEN_BYTES)?;
        let (slot, hash) = list.get(at..at.checked_add(ENTRY_BYTES)?)?.split_first_chunk()?;
        Some(SlotHash { slot: u64::from_le_bytes(*slot), hash: hash.try_into().ok()? })
    };
    let len = list.first_chunk().map_or(0, |len| u64::from_le_bytes(*len));
    find_seed(len.min(SLOT_HASHES_MAX), seed_slot, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(slots: &[u64]) -> Vec<u8> {
        let len = u64::try_from(slots.len()).expect("few").to_le_bytes();
        let entries = slots.iter().map(|slot| [&slot.to_le_bytes()[..], &[slot.to_le_bytes()[0]; 32]].concat());
        len.into_iter().chain(entries.flatten()).collect()
    }

    #[test]
    fn the_first_block_at_or_after_a_slot_is_found_in_the_raw_list() {
        let list = list(&[20, 19, 15, 14]);
        let found = |slot: u8| Lookup::Found(SlotHash { slot: slot.into(), hash: [slot; 32] });
        for (slot, expected) in [(14, found(14)), (16, found(19)), (20, found(20)), (21, Lookup::NotReady)] {
            assert_eq!(look_up(&list, slot), expected, "{slot}");
        }
        assert_eq!(look_up(&[], 1), Lookup::NotReady);
        assert_eq!(look_up(&list[..60], 14), Lookup::NotReady, "cut short");
    }

    #[test]
    fn p_16_what_a_full_list_may_have_lost_is_not_guessed() {
        let full: Vec<u64> = (1_000..1_512).rev().collect();
        assert_eq!(look_up(&list(&full), 999), Lookup::Expired);
        assert_eq!(look_up(&list(&full), 1_000), Lookup::Found(SlotHash { slot: 1_000, hash: [0xe8; 32] }));
    }
}

//! Whoever signs many transactions at once asks for a blockhash once.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use solana_hash::Hash;
use tokio::time::Instant;

/// How long a blockhash is used while no later slot is seen.
const AGE_MAX: Duration = Duration::from_secs(1);

/// A blockhash and the last block height at which it is valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    pub(super) hash: Hash,
    pub(super) height: u64,
    /// As of this slot.
    pub(super) slot: u64,
    pub(super) asked: Instant,
}

/// The last one that was learned.
#[derive(Debug, Default)]
pub(super) struct Blockhashes {
    last: Mutex<Option<Recent>>,
}

impl Blockhashes {
    /// One that is as new as everything that was seen. What a later slot shows may call for the same transaction again: with an
    /// older blockhash it would be the one that landed already, to the last byte.
    pub(super) fn known(&self, seen_slot: u64, now: Instant) -> Option<(Hash, u64)> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |last: &Recent| last.slot >= seen_slot && now.saturating_duration_since(last.asked) < AGE_MAX;
        last.filter(is_recent).map(|last| (last.hash, last.height))
    }

    pub(super) fn learn(&self, recent: Recent) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(recent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blockhash_serves_until_a_later_slot_is_seen_or_a_second_is_over() {
        let (blockhashes, asked) = (Blockhashes::default(), Instant::now());
        assert_eq!(blockhashes.known(0, asked), None);
        let hash = Hash::new_from_array([7; 32]);
        blockhashes.learn(Recent { hash, height: 150, slot: 9, asked });
        let later = asked + AGE_MAX;
        let just_before = later - Duration::from_millis(1);
        assert_eq!(blockhashes.known(9, just_before), Some((hash, 150)));
        assert_eq!(blockhashes.known(10, just_before), None);
        assert_eq!(blockhashes.known(9, later), None);
    }
}

//! Seeds and tickets, said as plainly as possible: lists are searched from end to end, thresholds are u128.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::odds::Rng;

/// Slots between the block that asks for a seed and the one that gives it.
pub const SEED_DELAY_SLOTS: u64 = 4;
/// How often an expired seed is asked for again.
pub const SEED_REARMS_MAX: u8 = 3;
/// Slots of which a hash is kept.
pub const SLOT_HASHES_MAX: usize = 512;
/// Most tickets of one provider.
pub const TICKETS_MAX: u64 = 1_048_576;
/// The threshold under which every ticket counts.
pub const EVERYBODY: u64 = u64::MAX;

/// What a seed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum Purpose {
    Seats = 1,
    Audit = 2,
    Jury = 3,
}

/// Where a draw stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawState {
    /// There is none.
    None = 0,
    /// It waits for its slot.
    Armed = 1,
    /// Its seed is there.
    Recorded = 2,
    /// No seed came: everybody is drawn.
    Everybody = 3,
}

/// One draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Draw {
    pub seed_slot: u64,
    pub fixed_unix: i64,
    pub seed: [u8; 32],
    pub rearmed: u8,
    pub state: DrawState,
}

/// What came of asking for a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// The slot is not there yet.
    NotReady,
    /// Too late: the slot's hash is no longer kept.
    Expired,
    /// The seed is there, now or before.
    Done,
}

impl Draw {
    /// No draw.
    pub const NONE: Self = Self { seed_slot: 0, fixed_unix: 0, seed: [0; 32], rearmed: 0, state: DrawState::None };

    /// Fixes the slot whose hash will be the seed.
    #[must_use]
    pub const fn armed(slot: u64, now_unix: i64) -> Self {
        let seed_slot = slot + SEED_DELAY_SLOTS;
        Self { seed_slot, fixed_unix: now_unix, seed: [0; 32], rearmed: 0, state: DrawState::Armed }
    }

    /// A draw without a seed.
    #[must_use]
    pub const fn everybody(slot: u64, now_unix: i64) -> Self {
        Self { seed_slot: slot, fixed_unix: now_unix, seed: [0; 32], rearmed: 0, state: DrawState::Everybody }
    }

    /// Takes the seed from the slot hashes, newest first. An expired one is only reported: what it means differs.
    pub fn take(
        &mut self,
        hashes: &VecDeque<(u64, [u8; 32])>,
        uid: &[u8; 32],
        purpose: Purpose,
        round: u8,
    ) -> Recorded {
        if self.state != DrawState::Armed {
            return Recorded::Done;
        }
        let Some((slot, hash)) = hashes.iter().filter(|(slot, _)| *slot >= self.seed_slot).min() else {
            return Recorded::NotReady;
        };
        let earlier = hashes.iter().any(|(slot, _)| *slot < self.seed_slot);
        if !earlier && *slot != self.seed_slot && hashes.len() >= SLOT_HASHES_MAX {
            return Recorded::Expired;
        }
        self.seed = seed(hash, uid, purpose, round);
        self.state = DrawState::Recorded;
        Recorded::Done
    }

    /// After an expired seed of seats or a jury: asks again, three times; then everybody is drawn.
    pub const fn ask_again(&mut self, slot: u64, now_unix: i64) {
        if self.rearmed == SEED_REARMS_MAX {
            self.state = DrawState::Everybody;
            return;
        }
        self.rearmed += 1;
        self.seed_slot = slot + SEED_DELAY_SLOTS;
        self.fixed_unix = now_unix;
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// The seed that a slot's hash gives.
#[must_use]
pub fn seed(slot_hash: &[u8; 32], uid: &[u8; 32], purpose: Purpose, round: u8) -> [u8; 32] {
    hash(&[b"assay:seed:v1\0\0\0", slot_hash, uid, &[purpose as u8], &[round]])
}

/// Where a ticket falls: so many numbers of the generator after what seed and holder share.
#[must_use]
pub fn ticket(seed: &[u8; 32], holder: &[u8; 32], index: u32) -> u64 {
    let shared = hash(&[b"assay:ticket:v1\0", seed, holder]);
    let state = shared[..8].iter().rev().fold(0, |sum, byte| sum * 256 + u64::from(*byte));
    Rng::new(state).after(u64::from(index))
}

/// Whether a ticket is drawn under this threshold.
#[must_use]
pub fn wins(seed: &[u8; 32], holder: &[u8; 32], index: u32, threshold: u64) -> bool {
    threshold == EVERYBODY || ticket(seed, holder, index) < threshold
}

/// Tickets that a stake gives.
#[must_use]
pub fn tickets_of(stake_lamports: u64, ticket_lamports: u64) -> u32 {
    u32::try_from((stake_lamports / ticket_lamports).min(TICKETS_MAX)).expect("under a million")
}

/// The threshold under which this many tickets of so many are expected.
#[must_use]
pub fn threshold(expected: u64, total: u64) -> u64 {
    let share = (u128::from(expected) << 64) / u128::from(total.max(1));
    u64::try_from(share).unwrap_or(EVERYBODY)
}

/// What a seat's threshold depends on.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Widening {
    pub wanted: u64,
    pub tickets_total: u64,
    pub fill_unix: i64,
    pub queue_deadline_unix: i64,
    pub widen_s: i64,
}

impl Widening {
    /// Twice as many tickets as seats are expected at first; the threshold doubles every `widen_s`; from half of the queue's time
    /// everybody may come.
    #[must_use]
    pub fn threshold(&self, now_unix: i64) -> u64 {
        let waited_s = now_unix - self.fill_unix;
        if 2 * waited_s >= self.queue_deadline_unix - self.fill_unix {
            return EVERYBODY;
        }
        let mut threshold = threshold(2 * self.wanted, self.tickets_total);
        for _ in 0..(waited_s.max(0) / self.widen_s.max(1)).min(64) {
            threshold = threshold.saturating_mul(2);
        }
        threshold
    }
}

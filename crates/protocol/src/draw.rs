//! Draws of seats, audits and juries: a slot that is fixed before anybody knows its hash, and the seed that follows
//! from that hash. Which tickets win is [`crate::tickets`].

use core::fmt;

use solana_sha256_hasher::hashv;

use crate::{
    ids::{Domain, Hash32},
    limits::{SEED_DELAY_SLOTS, SEED_REARMS_MAX, SLOT_HASHES_MAX},
};

/// Where a draw stands. One byte in the account, by order.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DrawState {
    /// Nothing is drawn.
    #[default]
    None,
    /// The slot is fixed, its hash not recorded.
    Armed,
    /// The seed is recorded and never changes again.
    Recorded,
    /// No seed: every ticket wins.
    Everybody,
}

/// What a seed is for; part of its preimage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// Seats of a job; the round is the job's attempt.
    Seats = 1,
    /// Whether a job that ran alone is audited; round 0.
    Audit = 2,
    /// The jury of a dispute; the round is the dispute's.
    Jury = 3,
}

/// One entry of the chain's list of recent slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotHash {
    /// The slot.
    pub slot: u64,
    /// Hash of its block.
    pub hash: Hash32,
}

/// What the chain's list of recent slots holds for a seed slot, see [`find_seed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The slot is not over, or the list could not be read: try again later.
    NotReady,
    /// The first block at or after the slot.
    Found(SlotHash),
    /// The list may have lost that block.
    Expired,
}

/// Looks for the first block at or after `seed_slot` in a list of `len` entries, newest first, of which `read` gives one by
/// index. Reads at most 12 entries.
///
/// The block is certain when the list also holds an older one than the slot, or the very slot, or is not full; else older
/// entries may have dropped out of it, and whoever calls could choose the seed by choosing when to call.
pub fn find_seed(len: u64, seed_slot: u64, read: impl Fn(u64) -> Option<SlotHash>) -> Lookup {
    let Some(newest) = read(0).filter(|_| len > 0) else { return Lookup::NotReady };
    let Some(ahead) = newest.slot.checked_sub(seed_slot) else { return Lookup::NotReady };
    // Slots fall strictly from entry to entry, so the one looked for lies at most `ahead` entries after the newest.
    let last = len.saturating_sub(1);
    let (mut low, mut high) = (0, ahead.min(last));
    let mut found = newest;
    while low < high {
        let middle = low.saturating_add(high.saturating_sub(low).div_ceil(2));
        let Some(entry) = read(middle) else { return Lookup::NotReady };
        if entry.slot >= seed_slot {
            (low, found) = (middle, entry);
        } else {
            high = middle.saturating_sub(1);
        }
    }
    if low < last || found.slot == seed_slot || len < SLOT_HASHES_MAX {
        Lookup::Found(found)
    } else {
        Lookup::Expired
    }
}

/// `H(domain, slot hash, job_uid, purpose u8, round u8)`. The uid, not the job's address: a job that is created again has
/// other draws.
#[must_use]
pub fn seed(slot_hash: &Hash32, subject: &Subject<'_>) -> Hash32 {
    let tail = [subject.purpose as u8, subject.round];
    hashv(&[Domain::Seed.tag(), slot_hash, subject.job_uid, &tail]).to_bytes()
}

/// What a draw is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// [`crate::job_uid`] of the job.
    pub job_uid: &'a Hash32,
    /// What is drawn.
    pub purpose: Purpose,
    /// Which time, see [`Purpose`].
    pub round: u8,
}

/// The moment of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawNow {
    /// The current slot.
    pub slot: u64,
    /// The chain's clock, seconds.
    pub unix: i64,
}

/// What recording did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawStep {
    /// The seed is there.
    Recorded,
    /// The block was lost; a later slot is fixed.
    Rearmed,
    /// The block was lost too often: every ticket wins.
    Everybody,
    /// It was recorded before; nothing changed.
    Unchanged,
}

/// Why a draw cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DrawError {
    /// No slot is fixed.
    NoDraw,
    /// The slot's block is not known yet.
    SeedNotReady,
}

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDraw => "nothing is being drawn",
            Self::SeedNotReady => "the block that gives the seed is not there yet",
        })
    }
}

impl core::error::Error for DrawError {}

/// One draw, 50 bytes in an account.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Draw {
    /// The first block at or after this slot gives the seed.
    pub seed_slot: u64,
    /// When the slot was fixed. Tickets that are younger do not count (P-16).
    pub fixed_unix: i64,
    /// The seed; zero until it is recorded.
    pub seed: [u8; 32],
    /// How often the block was lost and a later slot was fixed, at most [`SEED_REARMS_MAX`].
    pub rearmed: u8,
    /// Where it stands.
    pub state: DrawState,
}

impl Draw {
    /// A draw whose slot is [`SEED_DELAY_SLOTS`] ahead: nobody knows its hash now.
    #[must_use]
    pub const fn arm(now: DrawNow) -> Self {
        Self {
            seed_slot: now.slot.saturating_add(SEED_DELAY_SLOTS),
            fixed_unix: now.unix,
            seed: [0; 32],
            rearmed: 0,
            state: DrawState::Armed,
        }
    }

    /// A draw that every ticket wins, without a seed.
    #[must_use]
    pub const fn everybody(now: DrawNow) -> Self {
        Self { seed_slot: now.slot, fixed_unix: now.unix, seed: [0; 32], rearmed: 0, state: DrawState::Everybody }
    }

    /// Whether tickets can be judged: the seed is there, or every ticket wins.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, DrawState::Recorded | DrawState::Everybody)
    }

    /// Whether every ticket wins.
    #[must_use]
    pub const fn is_everybody(&self) -> bool {
        matches!(self.state, DrawState::Everybody)
    }

    /// Records the seed. A lost block fixes a later slot, at most [`SEED_REARMS_MAX`] times; then everybody is drawn, and
    /// for an audit at once, so that waiting gains nothing. Recording again changes nothing and succeeds, so that several
    /// may try in one block.
    ///
    /// # Errors
    /// [`DrawError`] when nothing is drawn or the block is not known yet.
    pub fn record(&mut self, lookup: &Lookup, now: DrawNow, subject: &Subject<'_>) -> Result<DrawStep, DrawError> {
        match self.state {
            DrawState::None => return Err(DrawError::NoDraw),
            DrawState::Recorded | DrawState::Everybody => return Ok(DrawStep::Unchanged),
            DrawState::Armed => {}
        }
        match lookup {
            Lookup::NotReady => Err(DrawError::SeedNotReady),
            Lookup::Found(entry) => {
                self.seed = seed(&entry.hash, subject);
                self.state = DrawState::Recorded;
                Ok(DrawStep::Recorded)
            }
            Lookup::Expired if self.rearmed < SEED_REARMS_MAX && subject.purpose != Purpose::Audit => {
                *self = Self { rearmed: self.rearmed.saturating_add(1), ..Self::arm(now) };
                Ok(DrawStep::Rearmed)
            }
            Lookup::Expired => {
                self.state = DrawState::Everybody;
                Ok(DrawStep::Everybody)
            }
        }
    }
}

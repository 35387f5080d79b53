//! What a juror says, and how a jury's round ends.

use crate::{
    ids::{ballot_hash, Hash32},
    limits::{BPS_ONE, ROUND_LAST},
    outcome::{Outcome, OutcomeError, OUTCOME_BYTES},
    tally::{Measure, Tally},
};

/// What a juror found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ballot {
    /// The outcome of its own run.
    Outcome(Outcome),
    /// The job's content could not be had. Encoded as zeros, which are no outcome.
    Unavailable,
}

impl Ballot {
    /// The outcome's encoding, or zeros.
    #[must_use]
    pub fn encode(&self) -> [u8; OUTCOME_BYTES] {
        match self {
            Self::Outcome(outcome) => outcome.encode(),
            Self::Unavailable => [0; OUTCOME_BYTES],
        }
    }

    /// Reads [`Self::encode`]'s bytes and refuses every other.
    ///
    /// # Errors
    /// [`OutcomeError`] names what is not canonical.
    pub fn decode(bytes: &[u8; OUTCOME_BYTES], gas_limit: u64) -> Result<Self, OutcomeError> {
        if bytes == &[0; OUTCOME_BYTES] {
            return Ok(Self::Unavailable);
        }
        Outcome::decode(bytes, gas_limit).map(Self::Outcome)
    }

    /// [`ballot_hash`] of the encoding: an outcome's is [`Outcome::hash`].
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        ballot_hash(&self.encode())
    }
}

/// How many tickets a jury's round is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// About so many, drawn.
    Tickets(u64),
    /// All there are; nothing is drawn, and no round follows.
    Everybody,
}

/// The size of a round: `lambda × 4^round` tickets; everybody when there are no more than that, or the round is the last.
#[must_use]
pub fn round_expected(lambda: u16, round: u8, total: u64) -> Expected {
    let expected = u64::from(lambda) << u32::from(round.min(ROUND_LAST)).saturating_mul(2);
    if round >= ROUND_LAST || expected >= total {
        Expected::Everybody
    } else {
        Expected::Tickets(expected)
    }
}

/// What a round's verdict depends on, besides the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Tickets expected, or all when everybody votes.
    pub expected: u64,
    /// Weight of all revealed votes, tickets.
    pub revealed: u64,
    /// Least share of the expected that must be revealed, basis points.
    pub quorum_bps: u16,
}

/// How a dispute, or one round of it, ended. One byte in the account, by order.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// None yet, or none in this round.
    #[default]
    None,
    /// An outcome.
    Outcome,
    /// The content cannot be had.
    Unavailable,
    /// No round found a majority of enough votes. Never a round's own verdict.
    NoQuorum,
}

/// The verdict of a round: what more than half of the revealed weight says, when enough is revealed; which ballot that is,
/// is the tally's [`Tally::leader`] by weight.
#[must_use]
pub fn round_verdict(round: &Round, tally: &Tally) -> Verdict {
    let revealed = u128::from(round.revealed).saturating_mul(u128::from(BPS_ONE));
    let needed = u128::from(round.expected).saturating_mul(u128::from(round.quorum_bps));
    if round.expected == 0 || revealed < needed {
        return Verdict::None;
    }
    match tally.leader(Measure::Weight) {
        Some(leader) if u128::from(leader.weight).saturating_mul(2) > u128::from(round.revealed) => {
            if leader.hash == Ballot::Unavailable.hash() {
                Verdict::Unavailable
            } else {
                Verdict::Outcome
            }
        }
        _ => Verdict::None,
    }
}

//! The money of a dispute: what losers leave, and who gets how much of it. At least a fifth is burned, so nobody gains by
//! disputing with itself.

use crate::{
    fees::{share_bps, FeeError},
    limits::{JURORS_BPS, ROUND_LAST, WINNERS_BPS},
};

/// The bond of an appeal against the verdict of a round, lamports: `bond × 2^(round + 1)`. Entering a dispute costs the bond
/// itself.
///
/// # Errors
/// [`FeeError`] when it leaves `u64`, or no round of this number is appealed against.
pub fn appeal_bond(bond_lamports: u64, round: u8) -> Result<u64, FeeError> {
    let doublings =
        if round < ROUND_LAST { u32::from(round).checked_add(1).ok_or(FeeError)? } else { return Err(FeeError) };
    bond_lamports.checked_mul(1 << doublings).ok_or(FeeError)
}

/// What is kept of a challenger's bond when no jury reached a quorum, lamports: `⌊bond × miss rate⌋`, for what the dispute
/// held up. The rest goes back.
///
/// # Errors
/// [`FeeError`] when the result leaves `u64`, which takes a rate above one whole.
pub fn kept(bond_lamports: u64, miss_rate_bps: u16) -> Result<u64, FeeError> {
    share_bps(bond_lamports, u32::from(miss_rate_bps))
}

/// What a dispute with an outcome divides, complete when all challenges are counted and all seats settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pot {
    /// Bonds of the challenges that lost, lamports.
    pub lost_lamports: u64,
    /// Duty locks of absent jurors and locks of wrong or hidden results, lamports.
    pub extra_lamports: u64,
    /// Bonds of the challenges that won, lamports.
    pub won_lamports: u64,
    /// Seats that gave the outcome.
    pub right: u8,
    /// Rounds voted.
    pub rounds: u8,
}

impl Pot {
    /// What a challenge that won gets, lamports: its bond, and of half the pot the share that it has of all winning bonds,
    /// `bond + ⌊⌊(lost + extra) / 2⌋ × bond / won⌋`.
    ///
    /// # Errors
    /// [`FeeError`] when nobody won or a sum leaves `u64`.
    pub fn winner(&self, bond_lamports: u64) -> Result<u64, FeeError> {
        let pool = share_bps(self.total()?, WINNERS_BPS)?;
        let product = u128::from(pool).checked_mul(u128::from(bond_lamports)).ok_or(FeeError)?;
        let reward = product.checked_div(u128::from(self.won_lamports)).ok_or(FeeError)?;
        bond_lamports.checked_add(u64::try_from(reward).map_err(|_| FeeError)?).ok_or(FeeError)
    }

    /// What each right seat gets on top of its pay when no challenger was right, lamports: an equal part of half of what the
    /// challengers lost, `⌊⌊lost / 2⌋ / right⌋`; nothing when one was. Complete as soon as all challenges are counted, before any
    /// seat is settled.
    ///
    /// # Errors
    /// [`FeeError`] when a sum leaves `u64`.
    pub fn executor(&self) -> Result<u64, FeeError> {
        let pool = if self.won_lamports == 0 { share_bps(self.lost_lamports, WINNERS_BPS)? } else { 0 };
        Ok(pool.checked_div(u64::from(self.right)).unwrap_or(0))
    }

    /// What a juror that voted for the verdict gets, lamports: every round the same part of 30 % of the pot, divided by
    /// all weight revealed in it, `weight × ⌊⌊⌊(lost + extra) × 30 %⌋ / rounds⌋ / revealed⌋`. The share of those who voted
    /// otherwise burns, so nobody gains by their loss.
    ///
    /// # Errors
    /// [`FeeError`] when a sum leaves `u64`.
    pub fn juror(&self, ballot: &Ballots) -> Result<u64, FeeError> {
        let pool = share_bps(self.total()?, JURORS_BPS)?;
        let of_round = pool.checked_div(u64::from(self.rounds)).unwrap_or(0);
        let of_ticket = of_round.checked_div(ballot.revealed).unwrap_or(0);
        of_ticket.checked_mul(ballot.weight).ok_or(FeeError)
    }

    fn total(&self) -> Result<u64, FeeError> {
        self.lost_lamports.checked_add(self.extra_lamports).ok_or(FeeError)
    }
}

/// One vote in its round, tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballots {
    /// Of this vote.
    pub weight: u64,
    /// Of all revealed votes of its round, this one included.
    pub revealed: u64,
}

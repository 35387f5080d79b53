//! Jury duty: who is a juror of a dispute, and what a juror puts at stake.

use crate::fees::{share_bps, FeeError};

/// `duty_until_unix` of a provider that is on duty.
pub const ON_DUTY: i64 = i64::MAX;

/// Votes of a juror, besides one for each earlier round of the dispute, beside which it may be excused from one more.
const BUSY_VOTES: u16 = 2;

/// What a provider's account says about its duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyView {
    /// When its duty began.
    pub duty_from_unix: i64,
    /// When it ended; [`ON_DUTY`] while it lasts, zero when it never began.
    pub duty_until_unix: i64,
    /// When its tickets last grew.
    pub tickets_from_unix: i64,
}

/// Whether the provider is a juror of a dispute that was opened then: it was on duty and had its tickets. So nobody enlists
/// into, or leaves, a jury that is already counted; who is a party is excluded besides.
#[must_use]
pub const fn is_juror(duty: &DutyView, opened_unix: i64) -> bool {
    duty.duty_from_unix <= opened_unix && duty.tickets_from_unix <= opened_unix && opened_unix < duty.duty_until_unix
}

/// How many open votes of a juror excuse it from one of this round.
#[must_use]
pub fn votes_excusing(round: u8) -> u16 {
    u16::from(round).saturating_add(BUSY_VOTES)
}

/// Whether a juror with so many votes open may be excused from one of this round.
#[must_use]
pub fn is_busy(votes_open: u16, round: u8) -> bool {
    votes_open >= votes_excusing(round)
}

/// What a juror keeps free of its stake for its votes when it binds more of it, lamports: a bond for each of its usable tickets.
#[must_use]
pub fn jury_reserve(usable_tickets: u32, juror_bond_lamports: u64) -> u64 {
    u64::from(usable_tickets).saturating_mul(juror_bond_lamports)
}

/// Enrolled stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Tickets.
    pub tickets: u32,
    /// Lamports of each.
    pub unit_lamports: u64,
}

/// What duty locks, lamports: `⌊tickets × unit × rate⌋`. The most that being absent costs, once.
///
/// # Errors
/// [`FeeError`] when the stake leaves `u64`.
pub fn duty_lock(enrolled: Enrolled, duty_rate_bps: u16) -> Result<u64, FeeError> {
    let stake = u64::from(enrolled.tickets).checked_mul(enrolled.unit_lamports).ok_or(FeeError)?;
    share_bps(stake, u32::from(duty_rate_bps))
}

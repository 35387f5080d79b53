//! How many seats a job has and when they agree, by its mode.

use crate::{
    ids::Hash32,
    limits::BPS_ONE,
    tally::{Measure, Tally},
};

/// How a job's result is found. The code is stored in the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Mode {
    /// One seat; its result stands unless it is challenged in its window.
    Optimistic = 1,
    /// What more than half of all seats say.
    Redundant = 2,
    /// What a share of the stake behind all seats' tickets says.
    Quorum = 3,
    /// As redundant; or one seat of a provider that proved itself, audited by chance.
    Adaptive = 4,
}

impl Mode {
    /// All modes, by code.
    pub const ALL: [Self; 4] = [Self::Optimistic, Self::Redundant, Self::Quorum, Self::Adaptive];

    /// The code stored in the account.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The mode with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Optimistic,
            2 => Self::Redundant,
            3 => Self::Quorum,
            4 => Self::Adaptive,
            _ => return None,
        })
    }

    /// By what the first in the tally of this mode's seats is found.
    #[must_use]
    pub const fn measure(self) -> Measure {
        match self {
            Self::Quorum => Measure::Weight,
            Self::Optimistic | Self::Redundant | Self::Adaptive => Measure::Count,
        }
    }
}

/// Most seats a job may come to, arbiters included: one when optimistic, else `2 × redundancy − 1`, at most the market's
/// `executions_max`. With a majority's count, no more than `redundancy` of so many can be right.
#[must_use]
pub fn seats_max(mode: Mode, redundancy: u8, executions_max: u8) -> u8 {
    match mode {
        Mode::Optimistic => 1,
        _ => redundancy.saturating_mul(2).saturating_sub(1).min(executions_max),
    }
}

/// Most seats that may have to be paid, which is what the escrow covers: all of them by quorum, else `redundancy`.
#[must_use]
pub const fn seats_paid_max(mode: Mode, redundancy: u8, seats_max: u8) -> u8 {
    match mode {
        Mode::Optimistic => 1,
        Mode::Redundant | Mode::Adaptive => redundancy,
        Mode::Quorum => seats_max,
    }
}

/// What agreement depends on, besides the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The job's mode.
    pub mode: Mode,
    /// Seats whose clock ever started, silent and vacated ones too.
    pub seats: u8,
    /// The stake behind the tickets that they could use when they were taken, lamports.
    pub weight_total: u64,
    /// Least share of it by quorum, basis points, over one half.
    pub quorum_bps: u16,
}

/// The hash that the seats agree on, if they do: more than half of all seats, or by quorum at least its share of all
/// stake.
#[must_use]
pub fn agreed(rule: &Rule, tally: &Tally) -> Option<Hash32> {
    let leader = tally.leader(rule.mode.measure())?;
    let agrees = match rule.mode {
        Mode::Quorum => {
            let weight = u128::from(leader.weight).saturating_mul(u128::from(BPS_ONE));
            weight >= u128::from(rule.weight_total).saturating_mul(u128::from(rule.quorum_bps))
        }
        _ => u16::from(leader.count).saturating_mul(2) > u16::from(rule.seats),
    };
    agrees.then_some(leader.hash)
}

//! The terms of a market and their bounds.

use core::fmt;

use crate::{
    fees::share_bps,
    limits::{
        ATTEMPTS_MAX, AUDIT_ONE_IN, BOND_RATE_BPS_MAX, BPS_ONE, DECLINE_FEE_LAMPORTS_MIN, DUTY_RATE_BPS, FEE_BPS_MAX,
        FIXED_FEE_LAMPORTS_MAX, GAS_LIMIT_MAX, JOB_TOTAL_S_MAX, JURY_LAMBDA, JURY_QUORUM_BPS, MISS_RATE_BPS_MIN,
        QUORUM_BPS_MIN, REDUNDANCY_MAX, ROUND_LAST, SEED_WAIT_S, STAKE_LAMPORTS_MAX, TICKET_LAMPORTS, UNBONDING_S_MAX,
        VERIFY_RATE_GAS_PER_S_MAX, WINDOW_S_MAX,
    },
};

/// Bits of the profiles that this version knows.
const PROFILES_KNOWN: u32 = 1 << (crate::PROFILE_V1 - 1);

/// What a market demands and promises. A job copies what it needs when it is created.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketTerms {
    /// Fee on top of the pay, basis points, at most 1,000.
    pub fee_bps: u16,
    /// Least stake of a provider that accepts, locked part included, lamports, at most 1,000,000 SOL.
    pub stake_min_lamports: u64,
    /// Least bond of a seat, lamports, at most 1,000,000 SOL; missing it costs at least the decline fee.
    pub bond_min_lamports: u64,
    /// Bond in basis points of the maximum pay, 10,000..=100,000.
    pub bond_rate_bps: u32,
    /// Share of the bond lost by a missed deadline, basis points, 1,000..=10,000.
    pub miss_rate_bps: u16,
    /// Most of that share that goes to the poster, lamports.
    pub delay_fee_lamports: u64,
    /// Least cost of giving a seat back, lamports, at least 5,000; the longer it was held, the more. Goes to the Sink.
    pub decline_fee_lamports: u64,
    /// Times a job is handed out, 1..=5.
    pub attempts_max: u8,
    /// Seconds a job waits for a provider, each time it is queued.
    pub queue_timeout_s: u32,
    /// Execution deadline: this many seconds, plus the gas limit at the verify rate.
    pub execution_base_s: u32,
    /// Challenge window: this many seconds, plus the gas limit at the verify rate.
    pub challenge_base_s: u32,
    /// Seconds from a job's creation after which it is not queued again; at least a queue timeout, the longest execution and
    /// the longest challenge together.
    pub job_total_s: u32,
    /// Seconds from `unstake` to `withdraw_stake`; longer than the longest execution, reveal, challenge and dispute together.
    pub unbonding_s: u32,
    /// Gas per second that a verifier is expected to manage, at most 10^10.
    pub verify_rate_gas_per_s: u64,
    /// Highest gas limit of a job.
    pub gas_limit_max: u64,
    /// Bit i allows profile i + 1; the bits of unknown profiles are zero.
    pub profiles: u32,
    /// Least share of all seats' stake that agrees by quorum, basis points, 5,001..=10,000.
    pub quorum_bps: u16,
    /// Most seats of a job, arbiters included, 1..=9.
    pub executions_max: u8,
    /// Stake of one ticket, lamports, 10^6..=10^15. Never changes: who did not enrol again would keep the better unit.
    pub ticket_lamports: u64,
    /// Seconds in which the chance of a ticket for a seat doubles, at most the queue timeout.
    pub widen_s: u32,
    /// Seconds to reveal what was committed to, at most 7 days.
    pub reveal_s: u32,
    /// Tickets expected in a dispute's first round, 9..=16.
    pub jury_lambda: u16,
    /// Least share of the expected tickets that must be revealed, basis points, 3,334..=6,667.
    pub jury_quorum_bps: u16,
    /// What a vote locks for each of its tickets, lamports; at least the decline fee, at most half a ticket.
    pub juror_bond_lamports: u64,
    /// Share of the enrolled stake that duty locks, basis points, 100..=5,000.
    pub duty_rate_bps: u16,
    /// Audits at most one in so many results of a job that runs alone, 2..=100; zero, as the next, where none does.
    pub audit_one_in_min: u16,
    /// Audits at least one in so many.
    pub audit_one_in_max: u16,
    /// Seconds in jail, at most 7 days.
    pub jail_s: u32,
}

/// Which bound of the protocol the terms break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TermsError {
    /// `fee_bps` over 1,000.
    Fee,
    /// `bond_min_lamports` too large or such that missing costs less than the decline fee, or `bond_rate_bps` outside
    /// 10,000..=100,000.
    Bond,
    /// `miss_rate_bps` outside 1,000..=10,000.
    MissRate,
    /// `delay_fee_lamports` or `decline_fee_lamports` over the fixed maximum, or the decline fee under its minimum.
    FixedFee,
    /// `attempts_max` outside 1..=5.
    Attempts,
    /// A window is zero or over 7 days, or the job's total over 30 days or shorter than a queue timeout, an execution and a
    /// challenge together, or `widen_s` zero or over the queue timeout.
    Window,
    /// `unbonding_s` over 30 days, or not longer than the longest execution, reveal, challenge and dispute.
    Unbonding,
    /// `verify_rate_gas_per_s` or `gas_limit_max` zero or too large.
    Gas,
    /// No profile allowed, or an unknown one.
    Profiles,
    /// `stake_min_lamports` too large.
    Stake,
    /// `quorum_bps` outside 5,001..=10,000, or `executions_max` outside 1..=9.
    Quorum,
    /// `ticket_lamports` outside 10^6..=10^15, or another than before.
    Ticket,
    /// `jury_lambda` outside 9..=16, `jury_quorum_bps` outside 3,334..=6,667, `juror_bond_lamports` under the decline fee or
    /// over half a ticket, or `duty_rate_bps` outside 100..=5,000.
    Jury,
    /// `audit_one_in_min` or `audit_one_in_max` outside 2..=100 or in the wrong order, and not both zero.
    Audit,
    /// `jail_s` zero or over 7 days.
    Jail,
}

impl fmt::Display for TermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fee => "fee is over 1,000 basis points",
            Self::Bond => {
                "bond minimum is over 1,000,000 SOL, or missing it costs less than the decline fee, or the bond rate is \
                 outside 1x to 10x"
            }
            Self::MissRate => "miss rate is outside 1,000 to 10,000 basis points",
            Self::FixedFee => "delay or decline fee is over 0.1 SOL, or the decline fee under 5,000 lamports",
            Self::Attempts => "attempts are outside 1 to 5",
            Self::Window => {
                "a window is zero or over 7 days, or the total is over 30 days or shorter than queue timeout, longest \
                 execution and longest challenge together, or the widening time is zero or longer than the queue timeout"
            }
            Self::Unbonding => {
                "unbonding is over 30 days or not longer than execution, reveal, challenge and dispute together"
            }
            Self::Gas => "verify rate is outside 1 to 10^10 gas per second, or the gas limit outside 1 to 10^15",
            Self::Profiles => "profile 1 is not allowed, or an unknown one is",
            Self::Stake => "least stake is over 1,000,000 SOL",
            Self::Quorum => "quorum is outside 5,001 to 10,000 basis points, or the most seats outside 1 to 9",
            Self::Ticket => "a ticket is outside 10^6 to 10^15 lamports, or is to change, which it never may",
            Self::Jury => {
                "a jury's first round is outside 9 to 16 tickets, its quorum outside 3,334 to 6,667 basis points, a juror's \
                 bond under the decline fee or over half a ticket, or the duty rate outside 100 to 5,000 basis points"
            }
            Self::Audit => "audits are outside one in 2 to one in 100 or in the wrong order, and not both zero",
            Self::Jail => "jail is zero or over 7 days",
        })
    }
}

impl core::error::Error for TermsError {}

impl MarketTerms {
    /// Seconds for one execution of this gas limit.
    #[must_use]
    pub fn execution_s(&self, gas_limit: u64) -> u64 {
        crate::fees::window_s(self.execution_base_s, gas_limit, self.verify_rate_gas_per_s)
    }

    /// Seconds of the challenge window for this gas limit.
    #[must_use]
    pub fn challenge_s(&self, gas_limit: u64) -> u64 {
        crate::fees::window_s(self.challenge_base_s, gas_limit, self.verify_rate_gas_per_s)
    }

    /// Most seconds of a dispute about this gas limit, its first window apart, while somebody records seeds: four rounds, each
    /// with time to vote, to reveal, to run the job before an appeal, and to show absences; three draws.
    #[must_use]
    pub fn dispute_s(&self, gas_limit: u64) -> u64 {
        let round_s = self.execution_s(gas_limit).saturating_add(u64::from(self.reveal_s)).saturating_mul(2);
        let rounds = u64::from(ROUND_LAST);
        round_s.saturating_mul(rounds.saturating_add(1)).saturating_add(rounds.saturating_mul(u64::from(SEED_WAIT_S)))
    }

    /// Whether the market accepts jobs of this profile.
    #[must_use]
    pub const fn allows_profile(&self, profile: u32) -> bool {
        profile >= 1 && profile <= 32 && (self.profiles >> profile.wrapping_sub(1)) & 1 == 1
    }

    /// Whether the terms are inside the protocol's bounds (P-22).
    ///
    /// # Errors
    /// [`TermsError`] names the first bound broken.
    pub fn check(&self) -> Result<(), TermsError> {
        self.check_money()?;
        self.check_windows()?;
        self.check_juries()?;
        ensure(self.profiles == PROFILES_KNOWN, TermsError::Profiles)
    }

    /// Whether these terms may follow others in the same market: [`Self::check`], and what never changes is the same.
    ///
    /// # Errors
    /// As [`Self::check`]; [`TermsError::Ticket`] when a ticket is to be another.
    pub fn check_after(&self, before: &Self) -> Result<(), TermsError> {
        self.check()?;
        ensure(self.ticket_lamports == before.ticket_lamports, TermsError::Ticket)
    }

    fn check_money(&self) -> Result<(), TermsError> {
        ensure(self.fee_bps <= FEE_BPS_MAX, TermsError::Fee)?;
        ensure(self.stake_min_lamports <= STAKE_LAMPORTS_MAX, TermsError::Stake)?;
        ensure((MISS_RATE_BPS_MIN..=BPS_ONE).contains(&self.miss_rate_bps), TermsError::MissRate)?;
        ensure(self.delay_fee_lamports <= FIXED_FEE_LAMPORTS_MAX, TermsError::FixedFee)?;
        let decline_fee = DECLINE_FEE_LAMPORTS_MIN..=FIXED_FEE_LAMPORTS_MAX;
        ensure(decline_fee.contains(&self.decline_fee_lamports), TermsError::FixedFee)?;
        ensure((u32::from(BPS_ONE)..=BOND_RATE_BPS_MAX).contains(&self.bond_rate_bps), TermsError::Bond)?;
        ensure(self.bond_min_lamports <= STAKE_LAMPORTS_MAX, TermsError::Bond)?;
        // Whoever cannot deliver gives the seat back rather than let it lapse: that is never the dearer way (P-23).
        let penalty_min_lamports = share_bps(self.bond_min_lamports, u32::from(self.miss_rate_bps)).unwrap_or(0);
        ensure(penalty_min_lamports >= self.decline_fee_lamports, TermsError::Bond)
    }

    fn check_windows(&self) -> Result<(), TermsError> {
        ensure((1..=ATTEMPTS_MAX).contains(&self.attempts_max), TermsError::Attempts)?;
        ensure((1..=VERIFY_RATE_GAS_PER_S_MAX).contains(&self.verify_rate_gas_per_s), TermsError::Gas)?;
        ensure((1..=GAS_LIMIT_MAX).contains(&self.gas_limit_max), TermsError::Gas)?;
        let (execution_s, challenge_s) = (self.execution_s(self.gas_limit_max), self.challenge_s(self.gas_limit_max));
        let window = 1..=u64::from(WINDOW_S_MAX);
        ensure(window.contains(&u64::from(self.queue_timeout_s)), TermsError::Window)?;
        ensure(window.contains(&execution_s) && window.contains(&challenge_s), TermsError::Window)?;
        ensure(window.contains(&u64::from(self.reveal_s)), TermsError::Window)?;
        ensure((1..=self.queue_timeout_s).contains(&self.widen_s), TermsError::Window)?;
        let exposed_s = execution_s.saturating_add(challenge_s);
        ensure(self.job_total_s <= JOB_TOTAL_S_MAX, TermsError::Window)?;
        let life_s = exposed_s.saturating_add(u64::from(self.queue_timeout_s));
        ensure(u64::from(self.job_total_s) >= life_s, TermsError::Window)?;
        ensure(self.unbonding_s <= UNBONDING_S_MAX, TermsError::Unbonding)?;
        // Nobody leaves, and nobody's tickets do, before what it did is known (P-11).
        let known_s =
            exposed_s.saturating_add(u64::from(self.reveal_s)).saturating_add(self.dispute_s(self.gas_limit_max));
        ensure(u64::from(self.unbonding_s) > known_s, TermsError::Unbonding)?;
        ensure((1..=WINDOW_S_MAX).contains(&self.jail_s), TermsError::Jail)
    }

    fn check_juries(&self) -> Result<(), TermsError> {
        ensure((QUORUM_BPS_MIN..=BPS_ONE).contains(&self.quorum_bps), TermsError::Quorum)?;
        ensure((1..=REDUNDANCY_MAX).contains(&self.executions_max), TermsError::Quorum)?;
        ensure(TICKET_LAMPORTS.contains(&self.ticket_lamports), TermsError::Ticket)?;
        ensure(JURY_LAMBDA.contains(&self.jury_lambda), TermsError::Jury)?;
        ensure(JURY_QUORUM_BPS.contains(&self.jury_quorum_bps), TermsError::Jury)?;
        // A ticket on duty bears its bond, at the highest duty rate as well: else it would be excused for ever, and counted.
        let juror_bond = self.decline_fee_lamports..=self.ticket_lamports.checked_div(2).unwrap_or(0);
        ensure(juror_bond.contains(&self.juror_bond_lamports), TermsError::Jury)?;
        ensure(DUTY_RATE_BPS.contains(&self.duty_rate_bps), TermsError::Jury)?;
        let (least, most) = (self.audit_one_in_min, self.audit_one_in_max);
        let is_audited = AUDIT_ONE_IN.contains(&least) && AUDIT_ONE_IN.contains(&most) && least <= most;
        ensure(is_audited || (least == 0 && most == 0), TermsError::Audit)
    }
}

fn ensure(holds: bool, error: TermsError) -> Result<(), TermsError> {
    if holds {
        Ok(())
    } else {
        Err(error)
    }
}

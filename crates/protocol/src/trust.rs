//! Trust: what a provider did, as counters, and what follows from them. A filter for sloppiness; bonds carry the security.

use crate::{
    draw::Draw,
    fees::FeeError,
    ids::Hash32,
    limits::{
        ARBITRATION_TRUST_STEP_BPS, BPS_ONE, TRUSTED_STREAK, TRUST_FEE_LAMPORTS_MIN, TRUST_HALF_FEE_LAMPORTS,
        TRUST_WEIGHT_FAILED, TRUST_WEIGHT_MISSED,
    },
    tickets::{threshold, TicketDraw, EVERYBODY},
};

/// Runs with less gas than this measure the clock's granularity (one second), not the provider.
pub const LATENCY_GAS_MIN: u64 = 1_000_000_000;

/// Weight of the old average: one new run counts one eighth.
const LATENCY_WEIGHT: u128 = 7;

/// Fees of more than 10^10 lamports score as these do, so that the score is computed in 64 bits.
const SCORED_FEE_LAMPORTS_MAX: u64 = 1_000_000_000_000_000;

/// What a provider did in one market, 44 bytes in its account. Counters stop at the end of their range.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustVector {
    /// Results settled, unconfirmed ones included.
    pub completed: u32,
    /// Results that were wrong, or committed to and never shown.
    pub failed: u32,
    /// Deadlines missed, and seats given back when the clock ran for others too.
    pub missed: u32,
    /// Seats given back while no clock ran for others.
    pub declined: u32,
    /// Disputed results found right.
    pub disputes_won: u32,
    /// Disputed results found wrong.
    pub disputes_lost: u32,
    /// Confirmed results since the last failure or miss.
    pub consecutive_valid: u32,
    /// Average time from the clock's start to the result, milliseconds per 10^9 gas; zero when never measured.
    pub latency_ms_avg: u32,
    /// Results that others confirmed, see [`Settled::confirms`].
    pub confirmed: u32,
    /// Market fees of those, lamports.
    pub confirmed_fee_lamports: u64,
}

/// One right result, as it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Gas of the outcome.
    pub gas_used: u64,
    /// Seconds from the clock's start to the result.
    pub elapsed_s: u32,
    /// Market fee of the seat, lamports.
    pub fee_lamports: u64,
    /// Whether the seat was drawn while not everybody was.
    pub is_drawn: bool,
    /// Whether the seat was taken alone and then audited.
    pub is_audited: bool,
    /// Drawn seats that gave this outcome, this one included: `drawn` of the tally's entry.
    pub drawn_equal: u8,
}

impl Settled {
    /// Whether the result counts for trust: it paid a fee worth the name, and another seat, that nobody could choose, gave the
    /// same while this one was drawn or audited. So results that somebody posts to itself buy nothing; nor does a dispute about
    /// them, for whoever posts a job can contest it too, and a jury that finds it right costs a part of a bond.
    #[must_use]
    pub const fn confirms(&self) -> bool {
        let others = if self.is_drawn { self.drawn_equal.saturating_sub(1) } else { self.drawn_equal };
        let agreed = others > 0 && (self.is_drawn || self.is_audited);
        self.fee_lamports >= TRUST_FEE_LAMPORTS_MIN && agreed
    }
}

impl TrustVector {
    /// Counts a right result, and whether it is confirmed ([`Settled::confirms`]).
    pub fn record_right(&mut self, settled: &Settled) {
        self.completed = self.completed.saturating_add(1);
        self.record_latency(settled.gas_used, settled.elapsed_s);
        if settled.confirms() {
            self.confirmed = self.confirmed.saturating_add(1);
            self.consecutive_valid = self.consecutive_valid.saturating_add(1);
            self.confirmed_fee_lamports = self.confirmed_fee_lamports.saturating_add(settled.fee_lamports);
        }
    }

    /// Counts a result that was wrong, or committed to and never shown, which ends a streak.
    pub fn record_wrong(&mut self) {
        self.failed = self.failed.saturating_add(1);
        self.consecutive_valid = 0;
    }

    /// Counts a missed deadline, which ends a streak.
    pub fn record_missed(&mut self) {
        self.missed = self.missed.saturating_add(1);
        self.consecutive_valid = 0;
    }

    /// Counts a seat given back while no clock ran for others; else it is missed.
    pub fn record_declined(&mut self) {
        self.declined = self.declined.saturating_add(1);
    }

    /// Counts a disputed result that was found right.
    pub fn record_dispute_won(&mut self) {
        self.disputes_won = self.disputes_won.saturating_add(1);
    }

    /// Counts a disputed result that was found wrong.
    pub fn record_dispute_lost(&mut self) {
        self.disputes_lost = self.disputes_lost.saturating_add(1);
    }

    fn record_latency(&mut self, gas_used: u64, elapsed_s: u32) {
        if gas_used < LATENCY_GAS_MIN {
            return;
        }
        let elapsed_ms = u128::from(elapsed_s).saturating_mul(1_000);
        let scaled = elapsed_ms.saturating_mul(u128::from(LATENCY_GAS_MIN));
        let sample = scaled.checked_div(u128::from(gas_used)).unwrap_or(0);
        let average = match self.latency_ms_avg {
            0 => sample,
            old => u128::from(old).saturating_mul(LATENCY_WEIGHT).saturating_add(sample) >> 3,
        };
        self.latency_ms_avg = u32::try_from(average).unwrap_or(u32::MAX);
    }

    /// The score, 0..=10,000 basis points: `⌊volume × record / 10,000⌋` with `volume = ⌊10,000 F / (F + 1,000,000)⌋` of the
    /// confirmed fees `F` and `record = ⌊10,000 c / (c + 20 failed + 2 missed)⌋` of the confirmed results `c`, zero without
    /// any. Grows with `F` and `c`, falls with failures and misses; nothing else enters.
    #[must_use]
    pub fn score_bps(&self) -> u16 {
        let fees = self.confirmed_fee_lamports.min(SCORED_FEE_LAMPORTS_MAX);
        let confirmed = u64::from(self.confirmed);
        let failed = u64::from(self.failed).saturating_mul(TRUST_WEIGHT_FAILED);
        let missed = u64::from(self.missed).saturating_mul(TRUST_WEIGHT_MISSED);
        let volume = part_bps(fees, fees.saturating_add(TRUST_HALF_FEE_LAMPORTS));
        let record = part_bps(confirmed, confirmed.saturating_add(failed).saturating_add(missed));
        let score = volume.saturating_mul(record).checked_div(u64::from(BPS_ONE)).unwrap_or(0);
        u16::try_from(score).unwrap_or(BPS_ONE)
    }

    /// How quick it is beside what the market expects, basis points: `⌊10,000 t / (t + latency)⌋` with
    /// `t = ⌊10^12 / verify rate⌋`, the milliseconds that 10^9 gas may take. `None` while it was never measured.
    #[must_use]
    pub fn latency_score_bps(&self, verify_rate_gas_per_s: u64) -> Option<u16> {
        let expected_ms = 1_000_000_000_000_u64.checked_div(verify_rate_gas_per_s.max(1)).unwrap_or(0);
        let total_ms = expected_ms.saturating_add(u64::from(self.latency_ms_avg));
        (self.latency_ms_avg > 0).then(|| u16::try_from(part_bps(expected_ms, total_ms)).unwrap_or(BPS_ONE))
    }
}

/// `⌊10,000 × part / whole⌋`; zero of nothing. Both are below 2^50, so the product fits.
fn part_bps(part: u64, whole: u64) -> u64 {
    part.saturating_mul(u64::from(BPS_ONE)).checked_div(whole).unwrap_or(0)
}

/// The least score for the seat of the `arbitration`-th arbiter, basis points: higher by 500 each time, at most one whole.
/// Zero is a seat of the job itself.
#[must_use]
pub fn trust_floor_bps(min_trust_bps: u16, arbitration: u8) -> u16 {
    let step = ARBITRATION_TRUST_STEP_BPS.saturating_mul(u16::from(arbitration));
    min_trust_bps.saturating_add(step).min(BPS_ONE)
}

/// The market's bounds for audits; both zero where no job is adaptive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditBounds {
    /// Audits at most every so-many-th result.
    pub one_in_min: u16,
    /// Audits at least every so-many-th result.
    pub one_in_max: u16,
}

impl AuditBounds {
    /// One in how many results of a provider with this streak of confirmed results is audited: as many as the streak, within
    /// the bounds. `None` when it may not run alone: the streak is shorter than [`TRUSTED_STREAK`], or the market has no
    /// audits.
    #[must_use]
    pub fn one_in(&self, streak: u32) -> Option<u16> {
        let may_run_alone = streak >= TRUSTED_STREAK && self.one_in_min > 0;
        let one_in = u16::try_from(streak).unwrap_or(u16::MAX).max(self.one_in_min).min(self.one_in_max);
        may_run_alone.then_some(one_in).filter(|one_in| *one_in > 0)
    }
}

/// Whether the draw says audit: ticket 0 of the job's uid wins among `one_in`, or the seed was lost. A job that ran alone is
/// never spared because nobody recorded the seed in time.
#[must_use]
pub fn audit_drawn(draw: &Draw, job_uid: &Hash32, one_in: u16) -> bool {
    let level = if draw.is_everybody() { EVERYBODY } else { threshold(1, u64::from(one_in)) };
    TicketDraw::new(&draw.seed, job_uid).wins(0, level)
}

/// What a seat taken alone locks: the bond, or the most it may be paid times the chance against an audit. A lie is found with
/// a chance of one in `one_in` and brings at most the pay, so within this job alone it loses on average.
///
/// # Errors
/// [`FeeError`] when the product leaves `u64`.
pub fn solo_lock(bond_lamports: u64, pay_max_lamports: u64, one_in: u16) -> Result<u64, FeeError> {
    let lock = pay_max_lamports.checked_mul(u64::from(one_in)).ok_or(FeeError)?;
    Ok(lock.max(bond_lamports))
}

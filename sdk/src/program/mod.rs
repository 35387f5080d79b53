//! The on-chain program, as its committed IDL declares it, and conversions to the protocol's types.
//!
//! Nothing off chain links the program itself. The declared types carry raw bytes and codes; the methods added here
//! give them the meaning that `assay-protocol` defines.

use anchor_lang::AnchorDeserialize;
use assay_protocol::{
    Draw, DrawState, ExecutionStatus, FeeError, Hash32, JobStatus, MarketTerms, Mode, Outcome, OutcomeError, Tally,
    TaskLimits, TaskSpec, TrustVector, fees,
    tickets::{self, Fill},
    trust::trust_floor_bps,
};
use solana_pubkey::Pubkey;

mod dispute;
pub mod failure;

mod declared {
    #![allow(missing_docs, unexpected_cfgs, clippy::all, reason = "generated from the IDL, where the descriptions are")]
    use anchor_lang;
    anchor_lang::declare_program!(assay);
}

pub use declared::assay::{ID, accounts, client, error::AssayError, events, parsers, types};
pub use dispute::DisputeStage;
pub use failure::ProgramFailure;

/// The IDL as committed.
pub const IDL_JSON: &str = include_str!("../../../idls/assay.json");

/// Bytes of a discriminator.
pub const DISCRIMINATOR_BYTES: usize = 8;
/// More bytes than any account of the program has.
pub(crate) const ACCOUNT_BYTES_MAX: usize = 4_096;

/// `Job.audit` while its seed is waited for.
pub const AUDIT_SEED_PENDING: u8 = 1;
/// Seconds in which the block that decides an audit has come, where slots take no longer than they should.
const AUDIT_SEED_S: i64 = 3;

/// Bytes of an account of a declared type, discriminator included. The types have fixed widths, so reading zeros
/// consumes exactly the account's size.
#[must_use]
pub fn account_bytes<T: AnchorDeserialize>() -> usize {
    let zeros = [0; ACCOUNT_BYTES_MAX];
    let mut rest = zeros.as_slice();
    match T::deserialize(&mut rest) {
        Ok(_) => DISCRIMINATOR_BYTES.saturating_add(ACCOUNT_BYTES_MAX.saturating_sub(rest.len())),
        Err(_) => ACCOUNT_BYTES_MAX,
    }
}

impl From<TaskLimits> for types::TaskLimits {
    fn from(limits: TaskLimits) -> Self {
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = limits;
        Self { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes }
    }
}

impl From<types::TaskLimits> for TaskLimits {
    fn from(limits: types::TaskLimits) -> Self {
        let types::TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = limits;
        Self { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes }
    }
}

impl From<types::Draw> for Draw {
    fn from(draw: types::Draw) -> Self {
        let types::Draw { seed_slot, fixed_unix, seed, rearmed, state } = draw;
        let state = match state {
            types::DrawState::None => DrawState::None,
            types::DrawState::Armed => DrawState::Armed,
            types::DrawState::Recorded => DrawState::Recorded,
            types::DrawState::Everybody => DrawState::Everybody,
        };
        Self { seed_slot, fixed_unix, seed, rearmed, state }
    }
}

impl From<types::Tally> for Tally {
    fn from(tally: types::Tally) -> Self {
        Self::from_bytes(tally.bytes)
    }
}

impl From<types::TrustVector> for TrustVector {
    fn from(trust: types::TrustVector) -> Self {
        Self {
            completed: trust.completed,
            failed: trust.failed,
            missed: trust.missed,
            declined: trust.declined,
            disputes_won: trust.disputes_won,
            disputes_lost: trust.disputes_lost,
            consecutive_valid: trust.consecutive_valid,
            latency_ms_avg: trust.latency_ms_avg,
            confirmed: trust.confirmed,
            confirmed_fee_lamports: trust.confirmed_fee_lamports,
        }
    }
}

/// Both structs have the same fields; naming each keeps a field that is added from being forgotten.
macro_rules! convert_terms {
    ($from:ty, $to:ty) => {
        impl From<$from> for $to {
            fn from(terms: $from) -> Self {
                Self {
                    fee_bps: terms.fee_bps,
                    stake_min_lamports: terms.stake_min_lamports,
                    bond_min_lamports: terms.bond_min_lamports,
                    bond_rate_bps: terms.bond_rate_bps,
                    miss_rate_bps: terms.miss_rate_bps,
                    delay_fee_lamports: terms.delay_fee_lamports,
                    decline_fee_lamports: terms.decline_fee_lamports,
                    attempts_max: terms.attempts_max,
                    queue_timeout_s: terms.queue_timeout_s,
                    execution_base_s: terms.execution_base_s,
                    challenge_base_s: terms.challenge_base_s,
                    job_total_s: terms.job_total_s,
                    unbonding_s: terms.unbonding_s,
                    verify_rate_gas_per_s: terms.verify_rate_gas_per_s,
                    gas_limit_max: terms.gas_limit_max,
                    profiles: terms.profiles,
                    quorum_bps: terms.quorum_bps,
                    executions_max: terms.executions_max,
                    ticket_lamports: terms.ticket_lamports,
                    widen_s: terms.widen_s,
                    reveal_s: terms.reveal_s,
                    jury_lambda: terms.jury_lambda,
                    jury_quorum_bps: terms.jury_quorum_bps,
                    juror_bond_lamports: terms.juror_bond_lamports,
                    duty_rate_bps: terms.duty_rate_bps,
                    audit_one_in_min: terms.audit_one_in_min,
                    audit_one_in_max: terms.audit_one_in_max,
                    jail_s: terms.jail_s,
                }
            }
        }
    };
}
convert_terms!(MarketTerms, types::MarketTerms);
convert_terms!(types::MarketTerms, MarketTerms);

impl accounts::Market {
    /// The terms in force at this moment.
    #[must_use]
    pub fn current_terms(&self, now_unix: i64) -> MarketTerms {
        if self.pending_from_unix != 0 && now_unix >= self.pending_from_unix {
            self.pending_terms.into()
        } else {
            self.terms.into()
        }
    }

    /// Whether creating and accepting jobs and registering providers are refused at this moment.
    #[must_use]
    pub fn is_paused(&self, now_unix: i64) -> bool {
        now_unix < self.paused_until_unix
    }

    /// The market's name as text.
    #[must_use]
    pub fn name_text(&self) -> String {
        crate::pda::padded_text(&self.name)
    }
}

impl accounts::Provider {
    /// Stake that no seat reserves.
    #[must_use]
    pub fn free_stake_lamports(&self) -> u64 {
        self.stake_lamports.saturating_sub(self.locked_lamports)
    }

    /// The endpoint as text, empty when none was given.
    #[must_use]
    pub fn endpoint_text(&self) -> String {
        crate::pda::padded_text(&self.endpoint)
    }
}

impl accounts::Job {
    /// Where the job stands; `None` for a code of a later program version.
    #[must_use]
    pub fn job_status(&self) -> Option<JobStatus> {
        JobStatus::from_code(self.status)
    }

    /// The limits as the protocol's type.
    #[must_use]
    pub fn task_limits(&self) -> TaskLimits {
        self.limits.into()
    }

    /// Everything that determines the outcome.
    #[must_use]
    pub fn task_spec(&self) -> TaskSpec {
        TaskSpec {
            profile: self.profile,
            job_cid_digest: self.job_cid_digest,
            metered_hash: self.metered_hash,
            limits: self.limits.into(),
            seed: self.seed,
            clock_unix_ns: self.clock_unix_ns,
        }
    }

    /// What the job pays for work.
    #[must_use]
    pub fn price(&self) -> fees::Price {
        fees::Price { base_fee_lamports: self.base_fee_lamports, price: self.price }
    }

    /// The most that one seat is paid.
    ///
    /// # Errors
    /// [`FeeError`] when the sum leaves `u64`, which the program refuses to create.
    pub fn max_pay_lamports(&self) -> Result<u64, FeeError> {
        self.price().pay(self.limits.gas_limit)
    }

    /// The outcome that stands, if one does: not one that merely leads while others are awaited.
    ///
    /// # Errors
    /// [`OutcomeError`] for bytes that no version of the program writes.
    pub fn standing_outcome(&self) -> Result<Option<Outcome>, OutcomeError> {
        match self.job_status() {
            Some(JobStatus::Submitted | JobStatus::Resolved) => standing(&self.outcome, self.limits.gas_limit),
            _ => Ok(None),
        }
    }

    /// When the present wait ends and anybody may go on, by the chain's clock; `None` when the job is over.
    #[must_use]
    pub fn waits_until_unix(&self) -> Option<i64> {
        match self.job_status()? {
            JobStatus::Open => Some(self.queue_deadline_unix),
            JobStatus::Assigned if self.seats_wanted == 1 => Some(self.execution_deadline_unix),
            // The block is there 4 slots after the draw was fixed.
            JobStatus::Revealing if self.audit == AUDIT_SEED_PENDING => {
                Some(self.draw.fixed_unix.saturating_add(AUDIT_SEED_S))
            }
            // Without anything to reveal nobody waits for reveals.
            JobStatus::Assigned | JobStatus::Revealing if self.pending_reveals == 0 => {
                Some(self.execution_deadline_unix.min(self.reveal_deadline_unix))
            }
            JobStatus::Assigned | JobStatus::Revealing => Some(self.reveal_deadline_unix),
            JobStatus::Submitted | JobStatus::Deadlocked => Some(self.window_deadline_unix),
            _ => None,
        }
    }

    /// How the result is found; `None` for a code of a later program version.
    #[must_use]
    pub fn job_mode(&self) -> Option<Mode> {
        Mode::from_code(self.mode)
    }

    /// The providers that hold a seat, by seat; a missed seat of several stays theirs.
    pub fn seat_holders(&self) -> impl Iterator<Item = Pubkey> + '_ {
        self.executors.iter().copied().filter(|provider| *provider != Pubkey::default())
    }

    /// The provider that holds the first seat, if one does.
    #[must_use]
    pub fn seat_holder(&self) -> Option<Pubkey> {
        self.seat_holders().next()
    }

    /// The content identifier of the job directory.
    #[must_use]
    pub fn job_cid(&self) -> assay_content::Cid {
        assay_content::cid_from_digest(&self.job_cid_digest)
    }

    /// The content identifier of the result that stands, if one does and it has a package.
    #[must_use]
    pub fn result_cid(&self) -> Option<assay_content::Cid> {
        let outcome = self.standing_outcome().ok().flatten()?;
        result_cid(&outcome)
    }
}

impl accounts::Job {
    /// The threshold below which a ticket wins one of the free seats at this moment.
    #[must_use]
    pub fn seat_threshold(&self, now_unix: i64) -> u64 {
        let fill = Fill {
            wanted: self.seats_wanted.saturating_sub(self.seats),
            tickets_total: self.tickets_total,
            fill_unix: self.fill_unix,
            queue_deadline_unix: self.queue_deadline_unix,
            widen_s: self.widen_s,
            is_everybody: matches!(self.draw.state, types::DrawState::Everybody),
        };
        tickets::seat_threshold(&fill, now_unix)
    }

    /// Least trust score of who takes a seat at this moment, basis points: higher for an arbiter, until every ticket wins.
    #[must_use]
    pub fn trust_floor_bps(&self, now_unix: i64) -> u16 {
        let is_chosen = self.arbiters > 0 && self.seat_threshold(now_unix) != tickets::EVERYBODY;
        trust_floor_bps(self.min_trust_bps, if is_chosen { self.arbiters } else { 0 })
    }
}

impl accounts::Execution {
    /// Where the seat stands; `None` for a code of a later program version.
    #[must_use]
    pub fn execution_status(&self) -> Option<ExecutionStatus> {
        ExecutionStatus::from_code(self.status)
    }

    /// The outcome submitted, if one was.
    ///
    /// # Errors
    /// [`OutcomeError`] for bytes that no version of the program writes.
    pub fn standing_outcome(&self, gas_limit: u64) -> Result<Option<Outcome>, OutcomeError> {
        standing(&self.outcome, gas_limit)
    }
}

/// The content identifier of an outcome's result directory; `None` when the outcome packs none.
#[must_use]
pub fn result_cid(outcome: &Outcome) -> Option<assay_content::Cid> {
    const NO_PACKAGE: Hash32 = [0; 32];
    (outcome.result_cid_digest != NO_PACKAGE).then(|| assay_content::cid_from_digest(&outcome.result_cid_digest))
}

fn standing(bytes: &[u8], gas_limit: u64) -> Result<Option<Outcome>, OutcomeError> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    Outcome::decode(bytes, gas_limit).map(Some)
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;

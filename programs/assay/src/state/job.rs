use anchor_lang::prelude::*;
use assay_protocol::{fees::Price, outcome::OUTCOME_BYTES, JobEvent, JobStatus, Outcome, TaskLimits};

use super::{sum_lamports, Ledger};
use crate::errors::AssayError;

/// `Job.kind` of a job with one task.
pub const KIND_SINGLE: u8 = 0;
/// `Job.mode`: a result stands unless it is challenged in its window.
pub const MODE_OPTIMISTIC: u8 = 1;

/// A posted task with its escrow. PDA("job", market, poster, id).
#[account]
#[derive(Debug, InitSpace)]
pub struct Job {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// [`JobStatus`].
    pub status: u8,
    /// The market whose terms were copied.
    pub market: Pubkey,
    /// Who paid in and gets every remainder back.
    pub poster: Pubkey,
    /// Provider account that holds the seat; zero while it is free, and in redundant jobs.
    pub executor: Pubkey,
    /// 0: one task.
    pub kind: u8,
    /// 1: optimistic.
    pub mode: u8,
    /// Seats.
    pub redundancy: u8,
    /// Seats taken.
    pub seats_filled: u8,
    /// Execution accounts of this job, missed ones included.
    pub executions_open: u8,
    /// Deadlines missed so far.
    pub attempt: u8,
    /// Least trust score of a provider, basis points.
    pub min_trust_bps: u16,
    /// Tasks, 1.
    pub task_count: u32,
    /// Chosen by the poster; part of the address.
    pub id: u64,
    /// Slot in which the job was created; enters `job_uid`.
    pub created_slot: u64,
    /// When the job was created.
    pub created_unix: i64,
    /// Names this posting in every preimage, receipt and journal.
    pub job_uid: [u8; 32],
    /// What determines the outcome, hashed.
    pub task_digest: [u8; 32],
    /// SHA-256 digest of the job directory's CID (CIDv1, dag-pb).
    pub job_cid_digest: [u8; 32],
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
    /// Execution profile.
    pub profile: u32,
    /// Deterministic limits.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    pub clock_unix_ns: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome, lamports.
    pub base_fee_lamports: u64,
    /// Still held for pay and fee, lamports; what is left at the end is the poster's.
    pub escrow_lamports: u64,
    /// Delay fees received, lamports; the poster's.
    pub compensation_lamports: u64,
    /// Pay of each seat, set by `finalize_job`, lamports.
    pub pay_lamports: u64,
    /// Market fee of each seat, set by `finalize_job`, lamports.
    pub fee_lamports: u64,
    /// Bond of each seat, lamports.
    pub bond_lamports: u64,
    /// Copied term: market fee, basis points of the pay.
    pub fee_bps: u16,
    /// Copied term: share of the bond lost by a missed deadline, basis points.
    pub miss_rate_bps: u16,
    /// Copied term: missed deadlines before the job expires.
    pub attempts_max: u8,
    /// Copied term: most of a penalty that goes to the poster, lamports.
    pub delay_fee_lamports: u64,
    /// Copied term: least cost of giving a seat back, lamports.
    pub decline_fee_lamports: u64,
    /// Copied term: seconds in the queue, each time.
    pub queue_timeout_s: u32,
    /// Seconds to execute, from the terms and the gas limit.
    pub execution_s: u32,
    /// Seconds of the challenge window, from the terms and the gas limit.
    pub challenge_s: u32,
    /// An open job may be accepted before this moment.
    pub queue_deadline_unix: i64,
    /// The job is not queued again from this moment.
    pub total_deadline_unix: i64,
    /// Results may be submitted before this moment; zero while no seat is taken.
    pub execution_deadline_unix: i64,
    /// The result is final from this moment; zero before there is one.
    pub window_deadline_unix: i64,
    /// When the job was resolved, cancelled or expired; zero before.
    pub resolved_unix: i64,
    /// Encoded outcome; zero until a result stands.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// Zero.
    pub reserved: [u8; 120],
}

impl Job {
    /// Bytes of the account, discriminator included.
    pub const SIZE_BYTES: usize = Self::DISCRIMINATOR.len() + Self::INIT_SPACE;

    /// Where the job stands.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn status(&self) -> Result<JobStatus> {
        Ok(JobStatus::from_code(self.status).ok_or(AssayError::StatusUnknown)?)
    }

    /// Moves the job on, by the protocol's table and in no other way.
    ///
    /// # Errors
    /// [`AssayError::TransitionForbidden`] when the event cannot happen in this status.
    pub fn transition(&mut self, event: JobEvent) -> Result<()> {
        let next = self.status()?.transition(event).map_err(|_| AssayError::TransitionForbidden)?;
        self.status = next.code();
        Ok(())
    }

    /// What the job pays for work.
    #[must_use]
    pub fn price(&self) -> Price {
        Price { base_fee_lamports: self.base_fee_lamports, price: self.price }
    }

    /// The outcome that stands.
    ///
    /// # Errors
    /// [`AssayError::OutcomeNotCanonical`] while there is none.
    pub fn standing_outcome(&self) -> Result<Outcome> {
        Ok(Outcome::decode(&self.outcome, self.limits.gas_limit).map_err(|_| AssayError::OutcomeNotCanonical)?)
    }

    /// Frees the executor's seat and queues the job again, at most until its last deadline.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a counter or time leaves its range.
    pub fn free_seat(&mut self, now_unix: i64) -> Result<()> {
        self.executor = Pubkey::default();
        self.seats_filled = self.seats_filled.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        self.execution_deadline_unix = 0;
        let queue_deadline_unix = deadline_unix(now_unix, self.queue_timeout_s)?;
        self.queue_deadline_unix = queue_deadline_unix.min(self.total_deadline_unix);
        Ok(())
    }

    /// Stops counting an Execution account that is being closed.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn forget_execution(&mut self) -> Result<()> {
        self.executions_open = self.executions_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }
}

impl Ledger for Job {
    fn owed_lamports(&self) -> Result<u64> {
        sum_lamports(&[self.rent_lamports, self.escrow_lamports, self.compensation_lamports])
    }
}

/// `now + seconds`.
///
/// # Errors
/// [`AssayError::AmountOverflow`] when the time leaves `i64`.
pub fn deadline_unix(now_unix: i64, seconds: u32) -> Result<i64> {
    Ok(now_unix.checked_add(i64::from(seconds)).ok_or(AssayError::AmountOverflow)?)
}

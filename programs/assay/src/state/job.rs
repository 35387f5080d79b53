use anchor_lang::prelude::*;
use assay_protocol::{
    fees::{miss_penalty, share_bps, Penalty, Price},
    limits::REDUNDANCY_MAX,
    outcome::OUTCOME_BYTES,
    Draw, JobEvent, JobStatus, Mode, Outcome, Tally, TaskLimits, Voice,
};

use super::{packed::account, sum_lamports, Ledger};
use crate::errors::AssayError;

/// `Job.kind` of a job with one task.
pub const KIND_SINGLE: u8 = 0;
/// `Job.fill` while the seats of the first run are filled.
pub const FILL_FIRST: u8 = 0;
/// `Job.fill` while an audit's seats are filled.
pub const FILL_AUDIT: u8 = 1;
/// `Job.fill` while another seat is to decide between those that disagree.
pub const FILL_ARBITRATION: u8 = 2;
/// `Job.audit` while its seed is waited for.
pub const AUDIT_SEED_PENDING: u8 = 1;
/// `Job.audit` of a result that nobody else runs.
pub const AUDIT_NOT_DRAWN: u8 = 2;
/// `Job.audit` of a result that others run too.
pub const AUDIT_DRAWN: u8 = 3;

/// A posted task with its escrow. PDA("job", market, poster, id).
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
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
    /// Provider accounts that hold the seats, by seat; zero where a seat is free.
    pub executors: [Pubkey; REDUNDANCY_MAX as usize],
    /// 0: one task.
    pub kind: u8,
    /// [`assay_protocol::Mode`].
    pub mode: u8,
    /// Seats that the poster asked for.
    pub redundancy: u8,
    /// Seats whose clock ever started, silent and vacated ones too.
    pub seats: u8,
    /// Seats that are to be filled, the filled ones included.
    pub seats_wanted: u8,
    /// Seats taken.
    pub seats_filled: u8,
    /// Most seats that the job may come to, arbiters included.
    pub seats_max: u8,
    /// Execution accounts of this job, missed ones included.
    pub executions_open: u8,
    /// Dispute accounts of this job, at most one.
    pub disputes_open: u8,
    /// Deadlines that a single seat missed so far and arbiters asked so far, together: tells seats of one round from those of another.
    pub attempt: u8,
    /// What the free seats are for: 0 the first run, 1 an audit, 2 arbitration.
    pub fill: u8,
    /// 0 none, 1 waits for its seed, 2 not drawn, 3 drawn.
    pub audit: u8,
    /// Seats that said what is final, set by `finalize_job`.
    pub right: u8,
    /// Seats of this attempt that have given neither commitment nor outcome.
    pub pending_commits: u8,
    /// Seats of this attempt that have committed and not revealed.
    pub pending_reveals: u8,
    /// 1 when different outcomes of this job were recorded for its module; else 0.
    pub collision_recorded: u8,
    /// The one seat was taken alone, and is audited with a chance of one in this; zero when seats are drawn.
    pub audit_one_in: u16,
    /// Least trust score of a provider, basis points.
    pub min_trust_bps: u16,
    /// Copied term: least share of the seats' stake that agrees by quorum, basis points.
    pub quorum_bps: u16,
    /// Copied term: market fee, basis points of the pay.
    pub fee_bps: u16,
    /// Copied term: share of the bond lost by a missed deadline, basis points.
    pub miss_rate_bps: u16,
    /// Copied term: tickets of a dispute's first round.
    pub jury_lambda: u16,
    /// Copied term: least share of them that must be revealed, basis points.
    pub jury_quorum_bps: u16,
    /// Copied term: missed deadlines of a single seat before the job expires.
    pub attempts_max: u8,
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
    /// Pay of each right seat, set by `finalize_job`, lamports.
    pub pay_lamports: u64,
    /// Market fee of each right seat, set by `finalize_job`, lamports.
    pub fee_lamports: u64,
    /// Bond of each seat, lamports.
    pub bond_lamports: u64,
    /// Copied term: most of a penalty that goes to the poster, lamports.
    pub delay_fee_lamports: u64,
    /// Copied term: least cost of giving a seat back, lamports.
    pub decline_fee_lamports: u64,
    /// Copied term: bond of a juror's ticket, lamports.
    pub juror_bond_lamports: u64,
    /// Copied term: seconds in the queue, each time.
    pub queue_timeout_s: u32,
    /// Copied term: seconds in which the chance of a ticket doubles.
    pub widen_s: u32,
    /// Seconds to execute, from the terms and the gas limit.
    pub execution_s: u32,
    /// Seconds of the challenge window, from the terms and the gas limit.
    pub challenge_s: u32,
    /// Copied term: seconds to reveal.
    pub reveal_s: u32,
    /// Seconds of the window after several seats agreed; the poster's choice.
    pub agreement_s: u32,
    /// When the free seats were put up.
    pub fill_unix: i64,
    /// An open job may be accepted before this moment.
    pub queue_deadline_unix: i64,
    /// The job is not queued again from this moment.
    pub total_deadline_unix: i64,
    /// Results or commitments are taken before this moment; zero while no clock has started.
    pub execution_deadline_unix: i64,
    /// Reveals are taken before this moment; zero while no clock has started.
    pub reveal_deadline_unix: i64,
    /// The result is final from this moment; zero before there is one.
    pub window_deadline_unix: i64,
    /// When the job was resolved, cancelled or expired; zero before.
    pub resolved_unix: i64,
    /// Tickets of the market when the job was created.
    pub tickets_total: u64,
    /// What the seats weigh together, lamports.
    pub weight_total_lamports: u64,
    /// The draw of the free seats; none when the first to come is taken.
    pub draw: Draw,
    /// Who said the same, see [`Tally`].
    pub tally: Tally,
    /// Encoded outcome that stands, or while seats reveal the one that leads; zero before, and when the job expired.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// Copied term: seconds in jail after a wrong or hidden result, or after too many misses.
    pub jail_s: u32,
    /// Arbiters asked so far: each needs more trust than the one before.
    pub arbiters: u8,
    /// Copied term: least stake of a provider that accepts, locked part included, lamports.
    pub stake_min_lamports: u64,
    /// Copied term: audits at most one in so many results of a job that runs alone; zero, as the next, where none does.
    pub audit_one_in_min: u16,
    /// Copied term: audits at least one in so many.
    pub audit_one_in_max: u16,
    /// Zero.
    pub reserved: [u8; 47],
}

account!(Job, [75, 124, 80, 203, 161, 180, 202, 80], {
    version, bump, status, market, poster, executors, kind, mode, redundancy, seats, seats_wanted, seats_filled,
    seats_max, executions_open, disputes_open, attempt, fill, audit, right, pending_commits, pending_reveals,
    collision_recorded, audit_one_in, min_trust_bps, quorum_bps, fee_bps, miss_rate_bps, jury_lambda, jury_quorum_bps,
    attempts_max, task_count, id, created_slot, created_unix, job_uid, task_digest, job_cid_digest, metered_hash,
    profile, limits, seed, clock_unix_ns, price, base_fee_lamports, escrow_lamports, compensation_lamports,
    pay_lamports, fee_lamports, bond_lamports, delay_fee_lamports, decline_fee_lamports, juror_bond_lamports,
    queue_timeout_s, widen_s, execution_s, challenge_s, reveal_s, agreement_s, fill_unix, queue_deadline_unix,
    total_deadline_unix, execution_deadline_unix, reveal_deadline_unix, window_deadline_unix, resolved_unix,
    tickets_total, weight_total_lamports, draw, tally, outcome, rent_lamports, jail_s, arbiters,
    stake_min_lamports, audit_one_in_min, audit_one_in_max, reserved,
});

impl Job {
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

    /// How the result is found.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn mode(&self) -> Result<Mode> {
        Ok(Mode::from_code(self.mode).ok_or(AssayError::StatusUnknown)?)
    }

    /// Whether the first to come runs alone, for all to see.
    #[must_use]
    pub fn is_optimistic(&self) -> bool {
        self.mode == Mode::Optimistic.code()
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

    /// Fixes what each seat that gave the standing outcome is paid, and how many did.
    ///
    /// # Errors
    /// [`AssayError::OutcomeNotCanonical`] while no outcome stands, [`AssayError::AmountOverflow`].
    pub fn fix_payments(&mut self) -> Result<()> {
        let outcome = self.standing_outcome()?;
        // Several seats can be right; see `seats_paid_max`. Both round down and the gas used is at most the limit, so that
        // together they fit the escrow (I-05).
        self.pay_lamports = self.price().pay_for(&outcome).map_err(AssayError::from)?;
        self.fee_lamports = share_bps(self.pay_lamports, u32::from(self.fee_bps)).map_err(AssayError::from)?;
        self.right = self.tally.entry(&outcome.hash()).map_or(0, |entry| entry.count);
        Ok(())
    }

    /// Most that a seat can be paid, lamports.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when it leaves `u64`.
    pub fn pay_max_lamports(&self) -> Result<u64> {
        Ok(self.price().pay(self.limits.gas_limit).map_err(AssayError::from)?)
    }

    /// Stops waiting for the commitment, or the one outcome, of a seat.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn forget_pending_commit(&mut self) -> Result<()> {
        self.pending_commits = self.pending_commits.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// Stops waiting for the commitment of one of several seats; after the last one reveals begin.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn close_commit(&mut self, now_unix: i64) -> Result<()> {
        self.forget_pending_commit()?;
        if self.pending_commits == 0 {
            self.transition(JobEvent::CommitsClosed)?;
            self.reveal_deadline_unix = self.reveal_deadline_unix.min(deadline_unix(now_unix, self.reveal_s)?);
        }
        Ok(())
    }

    /// Counts what a seat says, and keeps it when it now leads all others strictly.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a mode that no version of the program wrote.
    pub fn count_outcome(&mut self, voice: &Voice, outcome: &[u8; OUTCOME_BYTES]) -> Result<()> {
        let measure = self.mode()?.measure();
        if self.tally.add(voice, measure) {
            self.outcome = *outcome;
        }
        Ok(())
    }

    /// When nothing is waited for any more: the end of the reveals, or of the commits when there is nothing to reveal.
    #[must_use]
    pub fn reveals_until_unix(&self) -> i64 {
        match self.pending_reveals {
            0 => self.execution_deadline_unix.min(self.reveal_deadline_unix),
            _ => self.reveal_deadline_unix,
        }
    }

    /// What a seat pays that let its clock run out among several. All of them together give the poster at most one delay fee, so
    /// that nobody provokes misses for profit (P-20).
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when an amount leaves its range.
    pub fn silence_penalty(&self) -> Result<Penalty> {
        let owed_lamports = self.delay_fee_lamports.saturating_sub(self.compensation_lamports);
        Ok(miss_penalty(self.bond_lamports, self.miss_rate_bps, owed_lamports).map_err(AssayError::from)?)
    }

    /// Leaves the job to a dispute, for as long as one may be opened.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn deadlock(&mut self, event: JobEvent, now_unix: i64) -> Result<()> {
        self.transition(event)?;
        self.window_deadline_unix = deadline_unix(now_unix, self.challenge_s)?;
        Ok(())
    }

    /// Seconds from the moment when the last seat was taken to now.
    #[must_use]
    pub fn elapsed_s(&self, now_unix: i64) -> u32 {
        let start_unix = self.execution_deadline_unix.saturating_sub(i64::from(self.execution_s));
        // A clock that stepped back makes it zero.
        u32::try_from(now_unix.saturating_sub(start_unix).max(0)).unwrap_or(u32::MAX)
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

//! How a job's seats are put up, taken, given back and started: the first ones, an audit's, an arbiter's.

use anchor_lang::prelude::*;
use assay_protocol::{
    tickets::{seat_threshold, Fill, EVERYBODY},
    trust::{audit_drawn, trust_floor_bps, AuditBounds},
    Draw, DrawNow, JobEvent, Mode,
};

use super::{deadline_unix, Execution, Hold, Job, AUDIT_DRAWN, AUDIT_NOT_DRAWN, FILL_AUDIT, FILL_FIRST};
use crate::errors::AssayError;

/// Who takes a seat, and with what.
#[derive(Clone, Copy, Debug)]
pub struct Seated {
    /// The provider.
    pub provider: Pubkey,
    /// What the seat weighs in a quorum, lamports.
    pub weight_lamports: u64,
}

impl Job {
    /// Whether a provider that proved itself may take the whole job: it is adaptive and nobody holds a seat.
    #[must_use]
    pub fn may_run_alone(&self) -> bool {
        self.mode == Mode::Adaptive.code() && self.fill == FILL_FIRST && self.seats_filled == 0
    }

    /// How often results of a seat that is taken alone are audited.
    #[must_use]
    pub const fn audits(&self) -> AuditBounds {
        AuditBounds { one_in_min: self.audit_one_in_min, one_in_max: self.audit_one_in_max }
    }

    /// Whether a seat was taken alone. Nobody else holds the first one of such a job, which is put up with all its seats when
    /// the runner leaves.
    #[must_use]
    pub fn is_solo(&self, execution: &Execution) -> bool {
        self.audit_one_in > 0 && execution.seat == 0
    }

    /// What a seat holds of its provider's.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when it leaves `u64`.
    pub fn hold_of(&self, execution: &Execution) -> Result<Hold> {
        let unaudited_lamports = if self.is_solo(execution) { self.pay_max_lamports()? } else { 0 };
        Ok(Hold { lock_lamports: execution.lock_lamports, unaudited_lamports })
    }

    /// Puts a provider on the first free seat and says which that is.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when no seat is free or a sum leaves its range.
    pub fn take_seat(&mut self, seated: &Seated) -> Result<u8> {
        let free = self.executors.iter().position(|executor| *executor == Pubkey::default());
        let seat = free.ok_or(AssayError::AmountOverflow)?;
        *self.executors.get_mut(seat).ok_or(AssayError::AmountOverflow)? = seated.provider;
        self.executions_open = self.executions_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.seats_filled = self.seats_filled.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.pending_commits = self.pending_commits.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        let weight_total_lamports = self.weight_total_lamports.checked_add(seated.weight_lamports);
        self.weight_total_lamports = weight_total_lamports.ok_or(AssayError::AmountOverflow)?;
        Ok(u8::try_from(seat).map_err(|_| AssayError::AmountOverflow)?)
    }

    /// Undoes [`Self::take_seat`]; the Execution account stays counted, see [`Self::forget_execution`].
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn free_seat(&mut self, execution: &Execution) -> Result<()> {
        let seat = self.executors.get_mut(usize::from(execution.seat)).ok_or(AssayError::AmountOverflow)?;
        *seat = Pubkey::default();
        self.seats_filled = self.seats_filled.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        self.forget_pending_commit()?;
        let weight_total_lamports = self.weight_total_lamports.checked_sub(execution.weight_lamports);
        self.weight_total_lamports = weight_total_lamports.ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// The threshold below which a ticket wins one of the free seats at this moment.
    #[must_use]
    pub fn seat_threshold(&self, now_unix: i64) -> u64 {
        let fill = Fill {
            wanted: self.seats_wanted.saturating_sub(self.seats),
            tickets_total: self.tickets_total,
            fill_unix: self.fill_unix,
            queue_deadline_unix: self.queue_deadline_unix,
            widen_s: self.widen_s,
            is_everybody: self.draw.is_everybody(),
        };
        seat_threshold(&fill, now_unix)
    }

    /// Least trust score of who takes a seat at this moment, basis points: higher for an arbiter, until every ticket wins.
    #[must_use]
    pub fn trust_floor_bps(&self, now_unix: i64) -> u16 {
        let is_chosen = self.arbiters > 0 && self.seat_threshold(now_unix) != EVERYBODY;
        trust_floor_bps(self.min_trust_bps, if is_chosen { self.arbiters } else { 0 })
    }

    /// Draws whether the hidden result of a seat that was taken alone is audited: then the other seats are put up, and all
    /// reveal together; else the runner reveals.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn decide_audit(&mut self, now: DrawNow) -> Result<()> {
        if audit_drawn(&self.draw, &self.job_uid, self.audit_one_in) {
            self.transition(JobEvent::AuditDrawn)?;
            (self.audit, self.fill, self.seats_wanted) = (AUDIT_DRAWN, FILL_AUDIT, self.redundancy);
            self.draw = Draw::arm(now);
            self.fill_unix = now.unix;
            // The runner waits, not the queue: the job's last deadline does not end it.
            self.queue_deadline_unix = deadline_unix(now.unix, self.queue_timeout_s)?;
        } else {
            self.audit = AUDIT_NOT_DRAWN;
            self.reveal_deadline_unix = deadline_unix(now.unix, self.reveal_s)?;
        }
        Ok(())
    }

    /// Ends an audit's queue: it goes on with who came, or the result goes on alone and is confirmed by nobody.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn close_audit_queue(&mut self, now_unix: i64) -> Result<()> {
        if self.seats_filled > 1 {
            return self.start(JobEvent::AuditUnderfilled, now_unix);
        }
        self.transition(JobEvent::AuditUnfilled)?;
        self.reveal_deadline_unix = deadline_unix(now_unix, self.reveal_s)?;
        Ok(())
    }

    /// Starts the clocks: the last seat that is waited for is taken.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn start(&mut self, event: JobEvent, now_unix: i64) -> Result<()> {
        self.transition(event)?;
        self.seats = self.seats_filled;
        self.execution_deadline_unix = deadline_unix(now_unix, self.execution_s)?;
        self.reveal_deadline_unix = deadline_unix(self.execution_deadline_unix, self.reveal_s)?;
        Ok(())
    }

    /// Puts the job up again as it was posted.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn requeue(&mut self, now_unix: i64) -> Result<()> {
        (self.seats, self.seats_wanted, self.audit_one_in) = (0, self.redundancy, 0);
        self.execution_deadline_unix = 0;
        self.reveal_deadline_unix = 0;
        self.queue(now_unix)
    }

    /// Puts free seats up, at most until the job's last deadline.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn queue(&mut self, now_unix: i64) -> Result<()> {
        self.fill_unix = now_unix;
        let queue_deadline_unix = deadline_unix(now_unix, self.queue_timeout_s)?;
        self.queue_deadline_unix = queue_deadline_unix.min(self.total_deadline_unix);
        Ok(())
    }
}

//! Ends a round against which nobody appealed in time.
//!
//! Who: anyone. State: without a verdict, and while not everybody was asked, the next round begins, free of charge: Tallied →
//! Drawing or Voting. Else the dispute is Final and so is the job (I-03): with an outcome Resolved, pay and fee of each right seat
//! fixed; otherwise Expired. Money: none yet.
//!
//! `0 [writable] job: the dispute's, Disputed · 1 [writable] dispute: Tallied`
//!
//! Errors: `JobMismatch`, `DisputeNotTallied`, `DeadlineNotReached`, `AmountOverflow`.

use anchor_lang::prelude::*;
use assay_protocol::{outcome::OUTCOME_BYTES, DisputeEvent, DisputeStatus, JobEvent, Verdict};

use crate::{
    errors::{require, AssayError},
    events::DisputeSettled,
    jury_rounds::start_round,
    state::{Dispute, Job},
};

/// Accounts of `settle_dispute`.
#[derive(Accounts)]
pub struct SettleDispute<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// Its dispute.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub dispute: Box<Account<'info, Dispute>>,
}

impl SettleDispute<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // job: bound by `has_one`.
        // Deliberately absent: a signer. Time alone decides.
        let Self { job: _, dispute } = self;
        require!(dispute.status()? == DisputeStatus::Tallied, AssayError::DisputeNotTallied);
        require!(now_unix >= dispute.verdict_deadline_unix, AssayError::DeadlineNotReached);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let clock = Clock::get()?;
        ctx.accounts.validate(clock.unix_timestamp)?;
        let Self { job, dispute } = ctx.accounts;
        if dispute.verdict == Verdict::None && !dispute.is_last() {
            let next = dispute.round.checked_add(1).ok_or(AssayError::AmountOverflow)?;
            return start_round(dispute, next, &clock);
        }
        dispute.transition(DisputeEvent::Settled)?;
        dispute.final_unix = clock.unix_timestamp;
        job.resolved_unix = clock.unix_timestamp;
        if dispute.verdict == Verdict::None {
            dispute.verdict = Verdict::NoQuorum;
        }
        if dispute.verdict == Verdict::Outcome {
            job.outcome = dispute.outcome;
            job.fix_payments()?;
            dispute.right = job.right;
            job.transition(JobEvent::Judged)?;
        } else {
            job.outcome = [0; OUTCOME_BYTES];
            job.transition(JobEvent::Voided)?;
        }
        emit!(DisputeSettled {
            market: dispute.market,
            job: job.key(),
            verdict: dispute.verdict as u8,
            outcome: job.outcome,
            rounds: dispute.pot().rounds,
            right: dispute.right,
        });
        Ok(())
    }
}

//! Makes an unchallenged outcome final.
//!
//! Who: anyone, once the challenge window is over. State: Submitted → Resolved; pay and fee of each right seat are
//! fixed (I-03). Reads nothing but the job. Money: none yet.
//!
//! `0 [writable] job: Submitted`
//!
//! Errors: `JobNotSubmitted`, `DeadlineNotReached`, `AmountOverflow`.

use anchor_lang::prelude::*;
use assay_protocol::{JobEvent, JobStatus};

use crate::{
    errors::{require, AssayError},
    events::JobFinalized,
    state::Job,
};

/// Accounts of `finalize_job`.
#[derive(Accounts)]
pub struct FinalizeJob<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
}

impl FinalizeJob<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // Deliberately absent: a signer. Time alone decides.
        let Self { job } = self;
        require!(job.status()? == JobStatus::Submitted, AssayError::JobNotSubmitted);
        require!(now_unix >= job.window_deadline_unix, AssayError::DeadlineNotReached);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(now_unix)?;
        let job = &mut ctx.accounts.job;
        job.fix_payments()?;
        job.transition(JobEvent::Finalized)?;
        job.resolved_unix = now_unix;
        emit!(JobFinalized {
            market: job.market,
            job: job.key(),
            pay_lamports: job.pay_lamports,
            fee_lamports: job.fee_lamports,
        });
        Ok(())
    }
}

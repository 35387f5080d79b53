//! Closes a job that is over.
//!
//! Who: anyone, once every Execution is settled and every Dispute closed, in a later slot than the one that created the job (P-24). State: Job → none.
//! Money: everything left, that is escrow, compensation, rent, and donations if there were any → poster.
//!
//! `0 [writable] job: Resolved, Cancelled or Expired, closed · 1 [writable] poster: the job's`
//!
//! Errors: `PosterMismatch`, `JobNotTerminal`, `ExecutionsOpen`, `DisputesOpen`, `SlotTooEarly`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::JobClosed,
    invariants::check_backed,
    state::Job,
};

/// Accounts of `close_job`.
#[derive(Accounts)]
pub struct CloseJob<'info> {
    /// The job.
    #[account(mut, dup, close = poster, has_one = poster @ AssayError::PosterMismatch)]
    pub job: Box<Account<'info, Job>>,
    /// Who posted it.
    /// CHECK: the poster controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub poster: UncheckedAccount<'info>,
}

impl CloseJob<'_> {
    fn validate(&self, slot: u64) -> Result<()> {
        // poster: bound by `has_one`.
        // Deliberately absent: a signer. The recipient is fixed, and it is the one who paid the rent.
        let Self { job, poster: _ } = self;
        require!(job.status()?.is_terminal(), AssayError::JobNotTerminal);
        require!(job.executions_open == 0, AssayError::ExecutionsOpen);
        require!(job.disputes_open == 0, AssayError::DisputesOpen);
        require!(slot > job.created_slot, AssayError::SlotTooEarly); // P-24
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate(Clock::get()?.slot)?;
        let job = &ctx.accounts.job;
        check_backed(job)?;
        emit!(JobClosed {
            market: job.market,
            job: job.key(),
            poster: job.poster,
            refund_lamports: job.escrow_lamports,
            compensation_lamports: job.compensation_lamports,
            lamports: job.get_lamports(),
        });
        Ok(())
    }
}

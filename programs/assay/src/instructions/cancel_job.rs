//! Withdraws a job while no provider holds a seat.
//!
//! Who: the poster. State: Open → Cancelled (P-05: never once a seat is taken). Money: none yet; `close_job` pays
//! everything back.
//!
//! `0 [signer] poster · 1 [writable] job: its poster is account 0, status Open`
//!
//! Errors: `PosterMismatch`, `JobNotOpen`, `SeatTaken`.

use anchor_lang::prelude::*;
use assay_protocol::{JobEvent, JobStatus};

use crate::{
    errors::{require, AssayError},
    events::JobCancelled,
    state::Job,
};

/// Accounts of `cancel_job`.
#[derive(Accounts)]
pub struct CancelJob<'info> {
    /// The job's poster.
    pub poster: Signer<'info>,
    /// The job.
    #[account(mut, dup, has_one = poster @ AssayError::PosterMismatch)]
    pub job: Box<Account<'info, Job>>,
}

impl CancelJob<'_> {
    fn validate(&self) -> Result<()> {
        // poster: bound by `has_one`.
        // Deliberately absent: the queue's deadline. A job that could be expired may as well be cancelled.
        let Self { poster: _, job } = self;
        require!(job.status()? == JobStatus::Open, AssayError::JobNotOpen);
        require!(job.seats_filled == 0, AssayError::SeatTaken);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let now_unix = Clock::get()?.unix_timestamp;
        let job = &mut ctx.accounts.job;
        job.transition(JobEvent::Cancelled)?;
        job.resolved_unix = now_unix;
        emit!(JobCancelled { market: job.market, job: job.key(), poster: job.poster });
        Ok(())
    }
}

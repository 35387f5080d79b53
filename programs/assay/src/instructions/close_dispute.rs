//! Closes a dispute in which everybody has got what was due.
//!
//! Who: anyone, once every challenge, vote and seat is settled. State: Dispute → none; the job may close. Money: what is still
//! held, that is every share that nobody gets and every rounding → Sink; rent, and donations if there were any → who opened it.
//!
//! `0 [writable] job: the dispute's · 1 [writable] dispute: Final, closed · 2 [writable] sink · 3 [writable] rent_payer: the
//! dispute's`
//!
//! Errors: `JobMismatch`, `RentPayerMismatch`, `DisputeNotFinal`, `ChallengesOpen`, `VotesOpen`, `ExecutionsOpen`,
//! `AmountOverflow`.

use anchor_lang::prelude::*;
use assay_protocol::DisputeStatus;

use crate::{
    errors::{require, AssayError},
    events::DisputeClosed,
    invariants::check_backed,
    state::{Dispute, Job, Sink},
};

/// Accounts of `close_dispute`.
#[derive(Accounts)]
pub struct CloseDispute<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// The dispute.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = job @ AssayError::JobMismatch,
        has_one = rent_payer @ AssayError::RentPayerMismatch
    )]
    pub dispute: Box<Account<'info, Dispute>>,
    /// Receives what is burned.
    #[account(mut, dup)]
    pub sink: Account<'info, Sink>,
    /// Who opened the dispute.
    /// CHECK: whoever signed `open_dispute` controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl CloseDispute<'_> {
    fn validate(&self) -> Result<()> {
        // job, rent_payer: bound by `has_one` of the dispute.
        // sink: only `create_sink` makes one, at one address, so owner and discriminator identify it.
        // Deliberately absent: a signer. Every amount and every recipient are fixed.
        let Self { job, dispute, sink: _, rent_payer: _ } = self;
        require!(dispute.status()? == DisputeStatus::Final, AssayError::DisputeNotFinal);
        require!(dispute.challenges_open == 0, AssayError::ChallengesOpen);
        require!(dispute.votes_open == 0, AssayError::VotesOpen);
        require!(job.executions_open == 0, AssayError::ExecutionsOpen);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { job, dispute, sink, rent_payer: _ } = ctx.accounts;
        check_backed(dispute)?;
        let burned_lamports = dispute.held_lamports;
        sink.burned_lamports = sink.burned_lamports.checked_add(burned_lamports).ok_or(AssayError::AmountOverflow)?;
        job.disputes_open = job.disputes_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        dispute.sub_lamports(burned_lamports)?;
        sink.add_lamports(burned_lamports)?;
        emit!(DisputeClosed {
            market: dispute.market,
            job: job.key(),
            sink_lamports: burned_lamports,
            lamports: dispute.get_lamports(),
        });
        Ok(())
    }
}

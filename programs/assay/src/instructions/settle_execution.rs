//! Settles one seat of a job that is over.
//!
//! Who: anyone. State: the Execution closes; a submitted one unlocks its bond. Money, for a submitted one: pay, job's
//! escrow → provider's earnings; fee, job's escrow → market's fees. In either case the Execution's rent → who paid it.
//! Closing makes a second settlement impossible (I-02).
//!
//! `0 [writable] job: Resolved, Cancelled or Expired · 1 [writable] execution: the job's, Submitted or Missed, closed ·
//! 2 [writable] provider: the execution's · 3 [writable] market: the job's · 4 [writable] rent_payer: the execution's`
//!
//! Errors: `MarketMismatch`, `JobMismatch`, `ProviderMismatch`, `RentPayerMismatch`, `JobNotTerminal`,
//! `ExecutionNotSettleable`.

use anchor_lang::prelude::*;
use assay_protocol::{ExecutionStatus, JobStatus};

use crate::{
    errors::AssayError,
    events::ExecutionSettled,
    invariants::check_backed,
    state::{Execution, Job, Market, Provider},
};

/// Accounts of `settle_execution`.
#[derive(Accounts)]
pub struct SettleExecution<'info> {
    /// The job.
    #[account(mut, dup, has_one = market @ AssayError::MarketMismatch)]
    pub job: Box<Account<'info, Job>>,
    /// The seat.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = job @ AssayError::JobMismatch,
        has_one = provider @ AssayError::ProviderMismatch,
        has_one = rent_payer @ AssayError::RentPayerMismatch
    )]
    pub execution: Box<Account<'info, Execution>>,
    /// The provider.
    #[account(mut, dup)]
    pub provider: Box<Account<'info, Provider>>,
    /// The market, for its fee.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// Who paid the seat's rent.
    /// CHECK: whoever signed `accept_job` controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl SettleExecution<'_> {
    /// Whether the seat is paid; else it is only closed.
    fn validate(&self) -> Result<bool> {
        // market, provider, rent_payer: bound by `has_one` of job and execution.
        // Deliberately absent: a signer. Every amount and every recipient is fixed.
        let Self { job, execution, provider: _, market: _, rent_payer: _ } = self;
        let status = job.status()?;
        require!(status.is_terminal(), AssayError::JobNotTerminal);
        match execution.status()? {
            ExecutionStatus::Missed => Ok(false),
            ExecutionStatus::Submitted if status == JobStatus::Resolved => Ok(true),
            _ => err!(AssayError::ExecutionNotSettleable),
        }
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let paid = ctx.accounts.validate()?;
        let Self { job, execution, provider, market, rent_payer: _ } = ctx.accounts;
        let (pay_lamports, fee_lamports, unlocked_lamports) =
            if paid { (job.pay_lamports, job.fee_lamports, execution.lock_lamports) } else { (0, 0, 0) };
        if paid {
            let spent_lamports = pay_lamports.checked_add(fee_lamports).ok_or(AssayError::AmountOverflow)?;
            job.escrow_lamports = job.escrow_lamports.checked_sub(spent_lamports).ok_or(AssayError::AmountOverflow)?;
            provider.earnings_lamports =
                provider.earnings_lamports.checked_add(pay_lamports).ok_or(AssayError::AmountOverflow)?;
            market.fees_lamports = market.fees_lamports.checked_add(fee_lamports).ok_or(AssayError::AmountOverflow)?;
            provider.unlock_seat(unlocked_lamports)?;
            let outcome = job.standing_outcome()?;
            provider.trust.record_completed(&outcome, u64::from(execution.elapsed_s));
            job.sub_lamports(spent_lamports)?;
            provider.add_lamports(pay_lamports)?;
            market.add_lamports(fee_lamports)?;
        }
        job.forget_execution()?;
        provider.forget_child()?;
        check_backed(job)?;
        check_backed(provider)?;
        check_backed(market)?;
        emit!(ExecutionSettled {
            market: market.key(),
            job: job.key(),
            provider: provider.key(),
            pay_lamports,
            fee_lamports,
            unlocked_lamports,
        });
        Ok(())
    }
}

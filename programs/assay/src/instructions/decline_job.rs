//! Gives a seat back in time.
//!
//! Who: the provider's node key, before the execution deadline. State: Assigned → Open, no attempt is counted (P-23);
//! the Execution closes. Money: what the time cost for which it was held ([`Decline::cost`]), provider's stake → Sink; the
//! Execution's rent → who paid it.
//!
//! `0 [signer] node_key · 1 [writable] provider: its node key is account 0 · 2 [writable] job: Assigned · 3 [writable]
//! execution: of both, Accepted, closed · 4 [writable] rent_payer: the execution's · 5 [writable] sink`
//!
//! Errors: `NodeKeyMismatch`, `JobMismatch`, `ProviderMismatch`, `RentPayerMismatch`, `JobNotAssigned`,
//! `ExecutionNotAccepted`, `DeadlinePassed`.

use anchor_lang::prelude::*;
use assay_protocol::{fees::Decline, ExecutionStatus, JobEvent, JobStatus};

use crate::{
    errors::AssayError,
    events::JobDeclined,
    invariants::check_backed,
    state::{Execution, Job, Provider, Sink},
};

/// Arguments of `decline_job`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct DeclineJobArgs {
    /// Why, see docs/PROTOCOL.md; only reported.
    pub reason: u16,
}

/// Accounts of `decline_job`.
#[derive(Accounts)]
pub struct DeclineJob<'info> {
    /// The provider's hot key.
    pub node_key: Signer<'info>,
    /// The provider.
    #[account(mut, dup, has_one = node_key @ AssayError::NodeKeyMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The job.
    #[account(mut, dup)]
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
    /// Who paid the seat's rent.
    /// CHECK: whoever signed `accept_job` controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// Receives the fee.
    #[account(mut, dup)]
    pub sink: Account<'info, Sink>,
}

impl DeclineJob<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // node_key, rent_payer: bound by `has_one`.
        // sink: only `create_sink` makes one, at one address, so owner and discriminator identify it.
        // Deliberately absent: the market's pause. It stops new promises, not the way out of old ones.
        let Self { node_key: _, provider: _, job, execution, rent_payer: _, sink: _ } = self;
        require!(job.status()? == JobStatus::Assigned, AssayError::JobNotAssigned);
        require!(now_unix < job.execution_deadline_unix, AssayError::DeadlinePassed);
        require!(execution.status()? == ExecutionStatus::Accepted, AssayError::ExecutionNotAccepted);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: DeclineJobArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(now_unix)?;
        let Self { node_key: _, provider, job, execution, rent_payer: _, sink } = ctx.accounts;
        let decline = Decline {
            bond_lamports: execution.lock_lamports, // No loss exceeds its lock.
            miss_rate_bps: job.miss_rate_bps,
            fee_lamports: job.decline_fee_lamports,
            execution_s: job.execution_s,
        };
        // A clock that stepped back makes it the shortest hold.
        let held_s = u64::try_from(now_unix.saturating_sub(execution.accepted_unix)).unwrap_or(0);
        let fee_lamports = decline.cost(held_s).map_err(AssayError::from)?; // P-23
        provider.unlock_seat(execution.lock_lamports)?;
        provider.lose_stake(fee_lamports)?;
        provider.forget_child()?;
        provider.trust.record_declined();
        job.transition(JobEvent::Declined)?;
        job.free_seat(execution)?;
        job.requeue(now_unix)?;
        job.forget_execution()?;
        sink.burned_lamports = sink.burned_lamports.checked_add(fee_lamports).ok_or(AssayError::AmountOverflow)?;
        provider.sub_lamports(fee_lamports)?;
        sink.add_lamports(fee_lamports)?;
        check_backed(provider)?;
        emit!(JobDeclined {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            reason: args.reason,
            fee_lamports,
            queue_deadline_unix: job.queue_deadline_unix,
        });
        Ok(())
    }
}

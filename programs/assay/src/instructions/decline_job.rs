//! Gives a seat back in time.
//!
//! Who: the provider's node key, before the execution deadline. State: Assigned with one seat → Open, no attempt is counted
//! (P-23), and Open stays Open; the Execution closes. Assigned with several: nobody can take the seat any more, so the Execution →
//! Missed and stays, the provider's record counts a miss, and when nobody else is waited for the job → Revealing. Money: provider's stake → Sink, what the time cost
//! for which the seat was held ([`Decline::cost`]), or once the clock of several runs what missing costs; when the Execution
//! closes, its rent → who paid it.
//!
//! `0 [signer] node_key · 1 [writable] provider: its node key is account 0 · 2 [writable] job: Open or Assigned · 3 [writable]
//! execution: of both, Accepted in the job's attempt · 4 [writable] rent_payer: the execution's · 5 [writable] sink`
//!
//! Errors: `NodeKeyMismatch`, `JobMismatch`, `ProviderMismatch`, `RentPayerMismatch`, `JobNotAssigned`,
//! `ExecutionNotAccepted`, `DeadlinePassed`.

use anchor_lang::prelude::*;
use assay_protocol::{
    fees::{share_bps, Decline},
    ExecutionEvent, ExecutionStatus, JobEvent, JobStatus,
};

use crate::{
    errors::{err, require, AssayError},
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
        match job.status()? {
            JobStatus::Open => {}
            JobStatus::Assigned => require!(now_unix < job.execution_deadline_unix, AssayError::DeadlinePassed),
            _ => return err!(AssayError::JobNotAssigned),
        }
        require!(execution.status()? == ExecutionStatus::Accepted, AssayError::ExecutionNotAccepted);
        // A seat that was silent in an earlier attempt is past giving back.
        require!(execution.attempt == job.attempt, AssayError::ExecutionNotAccepted);
        Ok(())
    }

    /// What giving the seat back costs, lamports; never more than its lock.
    fn cost(&self, is_vacated: bool, now_unix: i64) -> Result<u64> {
        let Self { node_key: _, provider: _, job, execution, rent_payer: _, sink: _ } = self;
        if is_vacated {
            let share = share_bps(job.bond_lamports, u32::from(job.miss_rate_bps)).map_err(AssayError::from)?;
            return Ok(share);
        }
        let decline = Decline {
            bond_lamports: job.bond_lamports,
            miss_rate_bps: job.miss_rate_bps,
            fee_lamports: job.decline_fee_lamports,
            execution_s: job.execution_s,
        };
        // A clock that stepped back makes it the shortest hold.
        let held_s = u64::try_from(now_unix.saturating_sub(execution.accepted_unix)).unwrap_or(0);
        Ok(decline.cost(held_s).map_err(AssayError::from)?) // P-23
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: DeclineJobArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(now_unix)?;
        let is_started = ctx.accounts.job.status()? == JobStatus::Assigned;
        let is_vacated = is_started && ctx.accounts.job.seats_wanted > 1;
        let fee_lamports = ctx.accounts.cost(is_vacated, now_unix)?;
        let Self { node_key: _, provider, job, execution, rent_payer, sink } = ctx.accounts;
        provider.unlock_seat(&job.hold_of(execution)?)?;
        provider.lose_stake(fee_lamports)?;
        if is_vacated {
            provider.record_missed(now_unix, job.jail_s)?;
            execution.transition(ExecutionEvent::Missed)?;
            execution.lock_lamports = 0;
            job.close_commit(now_unix)?;
        } else {
            provider.trust.record_declined();
            job.free_seat(execution)?;
            job.forget_execution()?;
            provider.forget_child()?;
            if is_started {
                job.transition(JobEvent::Declined)?;
                job.requeue(now_unix)?;
            }
        }
        sink.burned_lamports = sink.burned_lamports.checked_add(fee_lamports).ok_or(AssayError::AmountOverflow)?;
        provider.sub_lamports(fee_lamports)?;
        sink.add_lamports(fee_lamports)?;
        check_backed(provider)?;
        if !is_vacated {
            execution.close(rent_payer.to_account_info())?;
        }
        emit!(JobDeclined {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            reason: args.reason,
            fee_lamports,
            is_vacated,
            queue_deadline_unix: job.queue_deadline_unix,
        });
        Ok(())
    }
}

//! Ends a wait whose deadline has passed (I-04).
//!
//! Who: anyone. State: an Open job past its queue deadline → Expired, or Deadlocked when it waited for an arbiter; when it waited for an audit's seats it goes on with
//! those that are taken → Assigned, or without any → Revealing. An Assigned job
//! of one seat past its execution deadline: the Execution → Missed and stays until the job is over, so that the provider cannot
//! take the job again; the job → Open with one attempt more, or Expired when no attempt or no time is left. A job of several
//! seats past its reveal deadline, or with nothing to reveal past its execution deadline: see [`crate::tally_close`]. A Deadlocked
//! job past its window → Expired. Money: only of one seat; the penalty leaves the provider's stake, the poster gets at most the
//! delay fee of it, inside the job, the Sink the rest (P-20).
//!
//! `0 [writable] job: Open, Assigned, Revealing or Deadlocked · 1 [writable, optional] execution: the job's, Accepted · 2 [writable,
//! optional] provider: the execution's · 3 [writable, optional] sink` — all three for one seat that is Assigned, else none.
//!
//! Errors: `JobNotExpirable`, `SeedPending`, `DeadlineNotReached`, `AccountsMissing`, `AccountsUnexpected`, `JobMismatch`,
//! `ProviderMismatch`, `ExecutionNotAccepted`.

use anchor_lang::prelude::*;
use assay_protocol::{
    fees::{miss_penalty, Penalty},
    ExecutionEvent, ExecutionStatus, JobEvent, JobStatus,
};

use crate::{
    errors::{err, require, require_keys_eq, AssayError},
    events::{ExecutionMissed, JobExpired},
    invariants::check_backed,
    state::{Execution, Job, Provider, Sink, AUDIT_SEED_PENDING, FILL_AUDIT, FILL_FIRST},
    tally_close::close_reveals,
};

/// Accounts of `expire_job`.
#[derive(Accounts)]
pub struct ExpireJob<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// The seat whose deadline passed.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub execution: Option<Box<Account<'info, Execution>>>,
    /// Its provider.
    #[account(mut, dup)]
    pub provider: Option<Box<Account<'info, Provider>>>,
    /// Receives the burned part of the penalty.
    #[account(mut, dup)]
    pub sink: Option<Account<'info, Sink>>,
}

impl ExpireJob<'_> {
    fn validate_alone(&self, deadline_unix: i64, now_unix: i64) -> Result<()> {
        // Deliberately absent: a signer. Time alone decides.
        let Self { job: _, execution, provider, sink } = self;
        require!(now_unix >= deadline_unix, AssayError::DeadlineNotReached);
        require!(execution.is_none(), AssayError::AccountsUnexpected);
        require!(provider.is_none(), AssayError::AccountsUnexpected);
        require!(sink.is_none(), AssayError::AccountsUnexpected);
        Ok(())
    }

    fn validate_assigned(&self, now_unix: i64) -> Result<()> {
        // execution: the job's, by `has_one`.
        // sink: only `create_sink` makes one, at one address, so owner and discriminator identify it.
        // Deliberately absent: a signer. Time alone decides, every amount and every recipient is fixed.
        let Self { job, execution, provider, sink } = self;
        require!(now_unix >= job.execution_deadline_unix, AssayError::DeadlineNotReached);
        require!(sink.is_some(), AssayError::AccountsMissing);
        let execution = execution.as_ref().ok_or(AssayError::AccountsMissing)?;
        let provider = provider.as_ref().ok_or(AssayError::AccountsMissing)?;
        require_keys_eq!(execution.provider, provider.key(), AssayError::ProviderMismatch);
        require!(execution.status()? == ExecutionStatus::Accepted, AssayError::ExecutionNotAccepted);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let clock = Clock::get()?;
        let now_unix = clock.unix_timestamp;
        let accounts = ctx.accounts;
        match accounts.job.status()? {
            JobStatus::Open => {
                accounts.validate_alone(accounts.job.queue_deadline_unix, now_unix)?;
                match accounts.job.fill {
                    FILL_FIRST => accounts.job.transition(JobEvent::QueueTimedOut)?,
                    FILL_AUDIT => accounts.job.close_audit_queue(now_unix)?,
                    _ => accounts.job.deadlock(JobEvent::ArbiterMissing, now_unix)?,
                }
            }
            JobStatus::Assigned if accounts.job.seats_wanted == 1 => {
                accounts.validate_assigned(now_unix)?;
                accounts.miss(now_unix)?;
            }
            JobStatus::Assigned | JobStatus::Revealing => {
                require!(accounts.job.audit != AUDIT_SEED_PENDING, AssayError::SeedPending);
                accounts.validate_alone(accounts.job.reveals_until_unix(), now_unix)?;
                close_reveals(&mut accounts.job, &clock)?;
            }
            JobStatus::Deadlocked => {
                accounts.validate_alone(accounts.job.window_deadline_unix, now_unix)?;
                accounts.job.transition(JobEvent::NobodyAppealed)?;
            }
            _ => return err!(AssayError::JobNotExpirable),
        }
        let job = &mut accounts.job;
        if job.status()? == JobStatus::Expired {
            job.resolved_unix = now_unix;
            emit!(JobExpired { market: job.market, job: job.key(), poster: job.poster });
        }
        Ok(())
    }

    fn miss(&mut self, now_unix: i64) -> Result<()> {
        let Self { job, execution, provider, sink } = self;
        let execution = execution.as_mut().ok_or(AssayError::AccountsMissing)?;
        let provider = provider.as_mut().ok_or(AssayError::AccountsMissing)?;
        let sink = sink.as_mut().ok_or(AssayError::AccountsMissing)?;

        let hold = job.hold_of(execution)?;
        let Penalty { poster_lamports, sink_lamports } =
            miss_penalty(job.bond_lamports, job.miss_rate_bps, job.delay_fee_lamports).map_err(AssayError::from)?;
        let lost_lamports = poster_lamports.checked_add(sink_lamports).ok_or(AssayError::AmountOverflow)?;

        execution.transition(ExecutionEvent::Missed)?;
        execution.lock_lamports = 0;
        provider.unlock_seat(&hold)?;
        provider.lose_stake(lost_lamports)?;
        provider.record_missed(now_unix, job.jail_s)?;
        job.compensation_lamports =
            job.compensation_lamports.checked_add(poster_lamports).ok_or(AssayError::AmountOverflow)?;
        sink.burned_lamports = sink.burned_lamports.checked_add(sink_lamports).ok_or(AssayError::AmountOverflow)?;
        job.attempt = job.attempt.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        job.free_seat(execution)?;
        job.requeue(now_unix)?;
        let requeued = job.attempt < job.attempts_max && now_unix < job.total_deadline_unix;
        job.transition(if requeued { JobEvent::MissedRequeued } else { JobEvent::MissedLast })?;

        provider.sub_lamports(lost_lamports)?;
        job.add_lamports(poster_lamports)?;
        sink.add_lamports(sink_lamports)?;
        check_backed(job)?;
        check_backed(provider)?;
        emit!(ExecutionMissed {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            poster_lamports,
            sink_lamports,
            attempt: job.attempt,
            requeued,
        });
        Ok(())
    }
}

//! Commits to an outcome without showing it, so that no other seat can copy it.
//!
//! Who: the provider's current node key, before the execution deadline. State: Execution Accepted → Committed; with the last
//! commitment that is waited for, Assigned → Revealing; of a seat that was taken alone, the draw of the audit is fixed. One commitment per seat (I-07): a second call is refused. Money: none.
//!
//! `0 [signer] node_key · 1 [] provider: its node key is account 0 · 2 [writable] job: Assigned, of several seats · 3 [writable]
//! execution: of both, Accepted in the job's attempt`
//!
//! Errors: `NodeKeyMismatch`, `JobMismatch`, `ProviderMismatch`, `JobNotAssigned`, `ModeMismatch`, `DeadlinePassed`,
//! `ExecutionNotAccepted`, `CommitmentZero`.

use anchor_lang::prelude::*;
use assay_protocol::{Draw, DrawNow, ExecutionEvent, ExecutionStatus, JobStatus};

use crate::{
    errors::{require, AssayError},
    events::ResultCommitted,
    state::{Execution, Job, Provider, AUDIT_SEED_PENDING},
};

/// Arguments of `commit_result`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CommitResultArgs {
    /// [`assay_protocol::commitment`].
    pub commitment: [u8; 32],
}

/// Accounts of `commit_result`.
#[derive(Accounts)]
pub struct CommitResult<'info> {
    /// The provider's hot key.
    pub node_key: Signer<'info>,
    /// The provider.
    #[account(has_one = node_key @ AssayError::NodeKeyMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// The seat.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch, has_one = provider @ AssayError::ProviderMismatch)]
    pub execution: Box<Account<'info, Execution>>,
}

impl CommitResult<'_> {
    fn validate(&self, args: &CommitResultArgs, now_unix: i64) -> Result<()> {
        // node_key: bound by `has_one`; a rotated key cannot commit.
        // Deliberately absent: that somebody can open the commitment. Whoever does not loses the bond.
        let Self { node_key: _, provider: _, job, execution } = self;
        require!(job.status()? == JobStatus::Assigned, AssayError::JobNotAssigned);
        require!(!job.is_optimistic(), AssayError::ModeMismatch);
        require!(now_unix < job.execution_deadline_unix, AssayError::DeadlinePassed);
        require!(execution.status()? == ExecutionStatus::Accepted, AssayError::ExecutionNotAccepted);
        // Whoever was silent in an earlier attempt has seen others' outcomes since.
        require!(execution.attempt == job.attempt, AssayError::ExecutionNotAccepted);
        require!(args.commitment != [0; 32], AssayError::CommitmentZero);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: CommitResultArgs) -> Result<()> {
        let clock = Clock::get()?;
        let now_unix = clock.unix_timestamp;
        ctx.accounts.validate(&args, now_unix)?;
        let Self { node_key, provider, job, execution } = ctx.accounts;
        execution.transition(ExecutionEvent::Committed)?;
        execution.node_key = node_key.key();
        execution.commitment = args.commitment;
        execution.submitted_unix = now_unix;
        execution.elapsed_s = job.elapsed_s(now_unix);
        job.pending_reveals = job.pending_reveals.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        job.close_commit(now_unix)?;
        if job.is_solo(execution) {
            job.audit = AUDIT_SEED_PENDING;
            job.draw = Draw::arm(DrawNow { slot: clock.slot, unix: now_unix });
        }
        emit!(ResultCommitted {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            commitment: args.commitment,
            pending_commits: job.pending_commits,
            reveal_deadline_unix: job.reveal_deadline_unix,
        });
        Ok(())
    }
}

//! Submits the outcome of an optimistic job, for all to see.
//!
//! Who: the provider's current node key, before the execution deadline. State: Assigned → Submitted, the challenge
//! window opens; Execution Accepted → Submitted. One outcome per seat (I-07): a second call is refused. Money: none.
//!
//! `0 [signer] node_key · 1 [] provider: its node key is account 0 · 2 [writable] job: Assigned · 3 [writable] execution: of
//! both, Accepted`
//!
//! Errors: `NodeKeyMismatch`, `JobMismatch`, `ProviderMismatch`, `JobNotAssigned`, `ModeMismatch`, `ExecutionNotAccepted`,
//! `DeadlinePassed`, `OutcomeNotCanonical`.

use anchor_lang::prelude::*;
use assay_protocol::{
    outcome::OUTCOME_BYTES, ExecutionEvent, ExecutionStatus, Hash32, JobEvent, JobStatus, Outcome, Voice,
};

use crate::{
    errors::{require, AssayError},
    events::ResultsSubmitted,
    state::{deadline_unix, Execution, Job, Provider},
};

/// Arguments of `submit_results`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SubmitResultsArgs {
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
}

/// Accounts of `submit_results`.
#[derive(Accounts)]
pub struct SubmitResults<'info> {
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

impl SubmitResults<'_> {
    /// The outcome's hash.
    fn validate(&self, args: &SubmitResultsArgs, now_unix: i64) -> Result<Hash32> {
        // node_key: bound by `has_one`; a rotated key cannot submit.
        // Deliberately absent: that the outcome is right. The window is there to find out.
        let Self { node_key: _, provider: _, job, execution } = self;
        require!(job.status()? == JobStatus::Assigned, AssayError::JobNotAssigned); // I-03
        require!(job.is_optimistic(), AssayError::ModeMismatch); // P-01
        require!(now_unix < job.execution_deadline_unix, AssayError::DeadlinePassed);
        let outcome = Outcome::decode(&args.outcome, job.limits.gas_limit).map_err(AssayError::from)?;
        require!(execution.status()? == ExecutionStatus::Accepted, AssayError::ExecutionNotAccepted);
        Ok(outcome.hash())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: SubmitResultsArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        let hash = ctx.accounts.validate(&args, now_unix)?;
        let Self { node_key, provider, job, execution } = ctx.accounts;
        execution.transition(ExecutionEvent::Submitted)?;
        execution.node_key = node_key.key();
        execution.outcome = args.outcome;
        execution.submitted_unix = now_unix;
        execution.elapsed_s = job.elapsed_s(now_unix);
        job.forget_pending_commit()?;
        job.transition(JobEvent::Submitted)?;
        let voice = Voice { hash, weight: execution.weight_lamports, is_drawn: false };
        job.count_outcome(&voice, &args.outcome)?;
        job.window_deadline_unix = deadline_unix(now_unix, job.challenge_s)?;
        emit!(ResultsSubmitted {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            outcome: args.outcome,
            window_deadline_unix: job.window_deadline_unix,
        });
        Ok(())
    }
}

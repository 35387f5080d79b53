//! Shows the outcome that a seat committed to.
//!
//! Who: the provider's current node key, once nobody may commit any more. State: Execution Committed → Submitted; the outcome is
//! counted. The last reveal that is waited for closes the round, see [`crate::tally_close`]: Revealing → Submitted, Open or
//! Deadlocked. Money: none.
//!
//! `0 [signer] node_key · 1 [] provider: its node key is account 0 · 2 [writable] job: Revealing, or Assigned with now ≥ execution
//! deadline · 3 [writable] execution: of both, Committed in the job's attempt`
//!
//! Errors: `NodeKeyMismatch`, `JobMismatch`, `ProviderMismatch`, `JobNotRevealing`, `TooEarly`, `AuditPending`, `DeadlinePassed`,
//! `ExecutionNotCommitted`, `CommitmentMismatch`, `OutcomeNotCanonical`.

use anchor_lang::prelude::*;
use assay_protocol::{
    commitment, ids::CommitmentInput, outcome::OUTCOME_BYTES, ExecutionEvent, ExecutionStatus, Hash32, JobEvent,
    JobStatus, Outcome, Voice,
};

use crate::{
    errors::{err, require, AssayError},
    events::ResultRevealed,
    state::{Execution, Job, Provider, AUDIT_SEED_PENDING},
    tally_close::close_reveals,
};

/// Arguments of `reveal_result`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RevealResultArgs {
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// What kept it hidden.
    pub salt: [u8; 32],
}

/// Accounts of `reveal_result`.
#[derive(Accounts)]
pub struct RevealResult<'info> {
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

impl RevealResult<'_> {
    /// The outcome's hash.
    fn validate(&self, args: &RevealResultArgs, now_unix: i64) -> Result<Hash32> {
        // node_key: bound by `has_one`; a rotated key cannot reveal.
        let Self { node_key: _, provider, job, execution } = self;
        match job.status()? {
            JobStatus::Revealing => {}
            // No commitment may come after the first reveal (P-01).
            JobStatus::Assigned => require!(now_unix >= job.execution_deadline_unix, AssayError::TooEarly),
            _ => return err!(AssayError::JobNotRevealing),
        }
        // Auditors would copy what is shown before they are drawn.
        require!(job.audit != AUDIT_SEED_PENDING, AssayError::AuditPending);
        require!(now_unix < job.reveal_deadline_unix, AssayError::DeadlinePassed);
        require!(execution.status()? == ExecutionStatus::Committed, AssayError::ExecutionNotCommitted);
        require!(execution.attempt == job.attempt, AssayError::ExecutionNotCommitted);
        let outcome = Outcome::decode(&args.outcome, job.limits.gas_limit).map_err(AssayError::from)?;
        let outcome_hash = outcome.hash();
        let opened = commitment(&CommitmentInput {
            job_uid: &job.job_uid,
            provider: provider.key().as_array(),
            outcome_hash: &outcome_hash,
            trace_root: &[0; 32],
            salt: &args.salt,
        });
        require!(opened == execution.commitment, AssayError::CommitmentMismatch); // P-01
        Ok(outcome_hash)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: RevealResultArgs) -> Result<()> {
        let clock = Clock::get()?;
        let hash = ctx.accounts.validate(&args, clock.unix_timestamp)?;
        let Self { node_key: _, provider, job, execution } = ctx.accounts;
        execution.transition(ExecutionEvent::Revealed)?;
        execution.outcome = args.outcome;
        if job.status()? == JobStatus::Assigned {
            job.transition(JobEvent::CommitsClosed)?;
        }
        let voice = Voice { hash, weight: execution.weight_lamports, is_drawn: execution.drawn == 1 };
        job.count_outcome(&voice, &args.outcome)?;
        job.pending_reveals = job.pending_reveals.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        emit!(ResultRevealed {
            market: job.market,
            job: job.key(),
            provider: provider.key(),
            outcome: args.outcome,
            pending_reveals: job.pending_reveals,
        });
        // P-06: agreement is looked at when nobody is missing; nobody loses because others were quicker.
        if job.pending_reveals == 0 {
            close_reveals(job, &clock)?;
        }
        Ok(())
    }
}

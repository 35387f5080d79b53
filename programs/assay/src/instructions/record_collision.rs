//! Records with a metered module that seats of a job gave different outcomes: whoever posts or runs it sees that it may not be
//! deterministic, whoever was right.
//!
//! Who: anyone, once per job, when nobody reveals any more: Submitted, Deadlocked or over. State: the Job is marked; the Module is
//! created, or counts one more. Nothing waits for it: a rent that somebody must pay would stand between a poster and its refund.
//! Money: the first to record a module pays the Module's rent, for good.
//!
//! `0 [signer, writable] payer · 1 [writable] job: of several outcomes · 2 [writable, optional] module: of the job's market and
//! metered hash · 3 [writable, optional] new_module: PDA("module", market, metered hash), unused; where there is no module · 4 [] system
//! program`
//!
//! Errors: `NoCollision`, `ModuleMismatch`, `AccountsMissing`, `AccountsUnexpected`, `AccountInUse`, `AddressMismatch`, `AmountOverflow`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::JobStatus;

use crate::{
    errors::{err, require, require_keys_eq, AssayError},
    events::CollisionRecorded,
    pda::{write_new, NewAccount},
    state::{seeds, Job, Module},
};

/// Accounts of `record_collision`.
#[derive(Accounts)]
pub struct RecordCollision<'info> {
    /// Pays the Module's rent when there is none.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// What is known of the job's module.
    #[account(mut, dup)]
    pub module: Option<Box<Account<'info, Module>>>,
    /// The new account of a module of which nothing is known.
    /// CHECK: the payer chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub new_module: Option<UncheckedAccount<'info>>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl RecordCollision<'_> {
    fn validate(&self) -> Result<()> {
        // Deliberately absent: who the payer is. Everything that is recorded follows from the job.
        let Self { payer: _, job, module, new_module, system_program: _ } = self;
        let status = job.status()?;
        let is_counted = status.is_terminal() || matches!(status, JobStatus::Submitted | JobStatus::Deadlocked);
        require!(is_counted, AssayError::NoCollision);
        require!(job.tally.distinct() > 1, AssayError::NoCollision);
        require!(job.collision_recorded == 0, AssayError::NoCollision);
        match (module, new_module) {
            (Some(module), None) => {
                require_keys_eq!(module.market, job.market, AssayError::ModuleMismatch);
                require!(module.metered_hash == job.metered_hash, AssayError::ModuleMismatch);
            }
            (None, Some(new)) => require_keys_eq!(*new.owner, system_program::ID, AssayError::AccountInUse),
            (None, None) => return err!(AssayError::AccountsMissing),
            (Some(_), Some(_)) => return err!(AssayError::AccountsUnexpected),
        }
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let now_unix = Clock::get()?.unix_timestamp;
        let Self { payer, job, module, new_module, system_program: _ } = ctx.accounts;
        let (key, collisions) = match (module, new_module) {
            (Some(module), _) => {
                module.count(job.key(), job, now_unix)?;
                (module.key(), module.collisions)
            }
            (None, Some(account)) => {
                let mut module = new_module_of(payer, account, job)?;
                module.count(job.key(), job, now_unix)?;
                write_new(account, &module)?;
                (account.key(), module.collisions)
            }
            (None, None) => return err!(AssayError::AccountsMissing),
        };
        job.collision_recorded = 1;
        emit!(CollisionRecorded {
            market: job.market,
            job: job.key(),
            module: key,
            metered_hash: job.metered_hash,
            distinct: job.tally.distinct(),
            entropy_millibits: job.tally.entropy_millibits(),
            collisions,
        });
        Ok(())
    }
}

/// Creates the account of a job's module.
fn new_module_of<'info>(payer: &AccountInfo<'info>, account: &AccountInfo<'info>, job: &Job) -> Result<Module> {
    let created = NewAccount {
        payer,
        account,
        seeds: &[seeds::MODULE, job.market.as_ref(), &job.metered_hash, &[]],
        size_bytes: Module::SIZE_BYTES,
        deposit_lamports: 0,
    }
    .create()?;
    let unknown = Module::new(job.market, job.metered_hash);
    Ok(Module { bump: created.bump, rent_lamports: created.rent_lamports, ..unknown })
}

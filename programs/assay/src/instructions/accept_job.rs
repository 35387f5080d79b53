//! Takes a seat and locks its bond. An optimistic job goes to the first to come, every other to tickets that win in its draw.
//!
//! Who: a provider's node key. State: Open → Assigned when the last seat is taken, and the clocks start; none → Execution, Accepted. Money: the node key pays the
//! Execution's rent and gets it back when it closes; the bond is a reservation inside the provider's stake.
//!
//! `0 [signer, writable] node_key: pays rent · 1 [] market: the provider's and the job's, not paused · 2 [writable]
//! provider: its node key is account 0 · 3 [writable] job: Open · 4 [writable] execution: PDA("execution", job,
//! provider), unused · 5 [] system program`
//!
//! Errors: `NodeKeyMismatch`, `MarketMismatch`, `MarketPaused`, `JobNotOpen`, `JobUidMismatch`, `DeadlinePassed`, `StakeTooSmall`,
//! `FreeStakeTooSmall`, `ExposureCapReached`, `CapacityReached`, `Jailed`, `TrustTooLow`, `SeedMissing`, `TicketLoses`, `TicketImmature`, `ExecutionExists`,
//! `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{
    outcome::OUTCOME_BYTES,
    tickets::{wins, EVERYBODY},
    ExecutionStatus, JobStatus, PROTOCOL_VERSION,
};

use crate::{
    errors::AssayError,
    events::JobAccepted,
    invariants::check_backed,
    pda::{write_new, NewAccount},
    state::{seeds, Execution, Job, Market, Provider},
};

/// Arguments of `accept_job`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AcceptJobArgs {
    /// The job that was checked. One that was closed and created again at the same address has another uid (P-24).
    pub job_uid: [u8; 32],
    /// Number of one of the provider's tickets that wins; ignored by an optimistic job.
    pub ticket: u32,
}

/// Accounts of `accept_job`.
#[derive(Accounts)]
pub struct AcceptJob<'info> {
    /// The provider's hot key; pays rent.
    #[account(mut)]
    pub node_key: Signer<'info>,
    /// The market of both.
    pub market: Box<Account<'info, Market>>,
    /// The provider.
    #[account(mut, dup, has_one = node_key @ AssayError::NodeKeyMismatch, has_one = market @ AssayError::MarketMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The job.
    #[account(mut, dup, has_one = market @ AssayError::MarketMismatch)]
    pub job: Box<Account<'info, Job>>,
    /// The new seat.
    /// CHECK: the node key chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub execution: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl AcceptJob<'_> {
    /// Whether the seat counts as drawn.
    fn validate(&self, args: &AcceptJobArgs, now_unix: i64) -> Result<bool> {
        // node_key, market: bound by `has_one`.
        // Deliberately absent: that provider and poster differ. A poster that takes its own job pays itself.
        let Self { node_key: _, market, provider, job, execution, system_program: _ } = self;
        require!(!market.is_paused(now_unix), AssayError::MarketPaused);

        require!(job.status()? == JobStatus::Open, AssayError::JobNotOpen); // P-06
        require!(args.job_uid == job.job_uid, AssayError::JobUidMismatch); // P-24
        require!(now_unix < job.queue_deadline_unix, AssayError::DeadlinePassed);

        let stake_min_lamports = market.current_terms(now_unix).stake_min_lamports;
        require!(provider.stake_lamports >= stake_min_lamports, AssayError::StakeTooSmall);
        provider.check_lockable(job.bond_lamports)?; // P-07, P-25
        require!(provider.active < provider.capacity, AssayError::CapacityReached);
        require!(now_unix >= provider.jailed_until_unix, AssayError::Jailed); // P-03

        // One address per job and provider: whoever missed a deadline cannot come back.
        require_keys_eq!(*execution.owner, system_program::ID, AssayError::ExecutionExists);
        require!(provider.is_trusted(job.trust_floor_bps(now_unix)), AssayError::TrustTooLow);
        if job.is_optimistic() {
            Ok(false)
        } else {
            self.validate_ticket(args.ticket, now_unix)
        }
    }

    fn validate_ticket(&self, ticket: u32, now_unix: i64) -> Result<bool> {
        let Self { node_key: _, market, provider, job, execution: _, system_program: _ } = self;
        require!(job.draw.is_settled(), AssayError::SeedMissing);
        require!(ticket < provider.usable_tickets(market.terms.ticket_lamports), AssayError::TicketLoses);
        require!(provider.tickets_from_unix <= job.draw.fixed_unix, AssayError::TicketImmature); // P-16
        let threshold = job.seat_threshold(now_unix);
        require!(wins(&job.draw.seed, provider.key().as_array(), ticket, threshold), AssayError::TicketLoses); // P-15
        Ok(threshold != EVERYBODY)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: AcceptJobArgs) -> Result<()> {
        let clock = Clock::get()?;
        let drawn = ctx.accounts.validate(&args, clock.unix_timestamp)?;
        let seat = ctx.accounts.job.take_seat(ctx.accounts.provider.key(), &ctx.accounts.provider)?;
        ctx.accounts.open_execution((seat, drawn), &clock)?;

        let Self { node_key: _, market, provider, job, execution, system_program: _ } = ctx.accounts;
        provider.lock_seat(job.bond_lamports)?;
        if job.seats_filled == job.seats_wanted {
            job.start(clock.unix_timestamp)?;
        }
        check_backed(provider)?;
        emit!(JobAccepted {
            market: market.key(),
            job: job.key(),
            provider: provider.key(),
            execution: execution.key(),
            seat,
            bond_lamports: job.bond_lamports,
            execution_deadline_unix: job.execution_deadline_unix,
        });
        Ok(())
    }

    fn open_execution(&self, (seat, drawn): (u8, bool), clock: &Clock) -> Result<()> {
        let Self { node_key, market: _, provider, job, execution, system_program: _ } = self;
        let (job_key, provider_key) = (job.key(), provider.key());
        let created = NewAccount {
            payer: node_key,
            account: execution,
            seeds: &[seeds::EXECUTION, job_key.as_ref(), provider_key.as_ref(), &[]],
            size_bytes: Execution::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        let opened = Execution {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: ExecutionStatus::Accepted.code(),
            job: job_key,
            provider: provider_key,
            node_key: node_key.key(),
            rent_payer: node_key.key(),
            seat,
            attempt: job.attempt,
            drawn: u8::from(drawn),
            lock_lamports: job.bond_lamports,
            weight_lamports: provider.stake_lamports,
            commitment: [0; 32],
            outcome: [0; OUTCOME_BYTES],
            accepted_unix: clock.unix_timestamp,
            accepted_slot: clock.slot,
            submitted_unix: 0,
            elapsed_s: 0,
            duty_tickets: provider.duty_tickets,
            reserved: [0; 15],
        };
        write_new(execution, &opened)
    }
}

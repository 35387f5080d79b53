//! Takes a seat and locks its bond. An optimistic job goes to the first to come, every other to tickets that win in its draw,
//! an adaptive one also to a provider that proved itself and runs alone: then the job has this one seat, whose result stays hidden
//! until its audit is drawn.
//!
//! Who: a provider's node key. State: Open → Assigned when the last seat is taken, and the clocks start; none → Execution, Accepted. Money: the node key pays the
//! Execution's rent and gets it back when it closes; the bond is a reservation inside the provider's stake, which leaves a juror the
//! bonds of all its votes.
//!
//! `0 [signer, writable] node_key: pays rent · 1 [] market: the provider's and the job's, not paused · 2 [writable]
//! provider: its node key is account 0 · 3 [writable] job: Open · 4 [writable] execution: PDA("execution", job,
//! provider), unused · 5 [] system program`
//!
//! Errors: `NodeKeyMismatch`, `MarketMismatch`, `MarketPaused`, `JobNotOpen`, `JobUidMismatch`, `DeadlinePassed`, `StakeTooSmall`,
//! `FreeStakeTooSmall`, `ExposureCapReached`, `JuryReserveTooSmall`, `CapacityReached`, `Jailed`, `TrustTooLow`, `NotTrusted`, `SeedMissing`, `TicketLoses`, `TicketImmature`, `ExecutionExists`,
//! `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{
    outcome::OUTCOME_BYTES,
    tickets::{TicketDraw, EVERYBODY, TICKET_SOLO},
    trust::solo_lock,
    ExecutionStatus, JobEvent, JobStatus, PROTOCOL_VERSION,
};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::JobAccepted,
    invariants::check_backed,
    pda::{write_new, NewAccount},
    state::{seeds, Execution, Hold, Job, Market, Provider, Seated},
};

/// Arguments of `accept_job`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AcceptJobArgs {
    /// The job that was checked. One that was closed and created again at the same address has another uid (P-24).
    pub job_uid: [u8; 32],
    /// Number of one of the provider's tickets that wins; [`TICKET_SOLO`] to run an adaptive job alone; ignored by an
    /// optimistic one.
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

/// How a seat is taken.
struct Taken {
    /// Whether a ticket won it while not every ticket did.
    is_drawn: bool,
    /// One in how many such results is audited, when the seat is taken alone; else zero.
    audit_one_in: u16,
    /// What the seat weighs in a quorum, lamports: the stake behind the provider's tickets, which were there before the draw; or where no
    /// ticket is asked for and nothing is weighed, all of its stake.
    weight_lamports: u64,
    hold: Hold,
}

impl AcceptJob<'_> {
    fn validate(&self, args: &AcceptJobArgs, now_unix: i64) -> Result<Taken> {
        // node_key, market: bound by `has_one`.
        // Deliberately absent: that provider and poster differ. A poster that takes its own job pays itself.
        let Self { node_key: _, market, provider, job, execution, system_program: _ } = self;
        require!(!market.is_paused(now_unix), AssayError::MarketPaused);

        require!(job.status()? == JobStatus::Open, AssayError::JobNotOpen); // P-06
        require!(args.job_uid == job.job_uid, AssayError::JobUidMismatch); // P-24
        require!(now_unix < job.queue_deadline_unix, AssayError::DeadlinePassed);

        require!(provider.stake_lamports >= job.stake_min_lamports, AssayError::StakeTooSmall); // P-22
        require!(provider.active < provider.capacity, AssayError::CapacityReached);
        require!(now_unix >= provider.jailed_until_unix, AssayError::Jailed); // P-03

        // One address per job and provider: whoever missed a deadline cannot come back.
        require_keys_eq!(*execution.owner, system_program::ID, AssayError::ExecutionExists);
        require!(provider.is_trusted(job.trust_floor_bps(now_unix)), AssayError::TrustTooLow);
        let taken = self.validate_draw(args.ticket, now_unix)?;
        provider.check_lockable(taken.hold.lock_lamports)?; // P-07, P-25
        if provider.duty_lock_lamports > 0 {
            // P-18. Whoever left duty is a juror still of what was opened before.
            provider.check_reserve(taken.hold.lock_lamports, market.current_terms(now_unix))?;
        }
        Ok(taken)
    }

    fn validate_draw(&self, ticket: u32, now_unix: i64) -> Result<Taken> {
        let Self { node_key: _, market, provider, job, execution: _, system_program: _ } = self;
        let hold = Hold { lock_lamports: job.bond_lamports, unaudited_lamports: 0 };
        if job.is_optimistic() {
            return Ok(Taken { is_drawn: false, audit_one_in: 0, weight_lamports: provider.stake_lamports, hold });
        }
        if ticket == TICKET_SOLO && job.may_run_alone() {
            return self.validate_alone();
        }
        require!(job.draw.is_settled(), AssayError::SeedMissing);
        let ticket_lamports = market.terms.ticket_lamports;
        let usable = provider.usable_tickets(ticket_lamports);
        require!(ticket < usable, AssayError::TicketLoses);
        require!(provider.tickets_from_unix <= job.draw.fixed_unix, AssayError::TicketImmature); // P-16
        let threshold = job.seat_threshold(now_unix);
        let draw = TicketDraw::new(&job.draw.seed, provider.key().as_array());
        require!(draw.wins(ticket, threshold), AssayError::TicketLoses); // P-15

        // Never the stake itself: whoever knows the seed could still add to that (P-16).
        let weight_lamports = u64::from(usable).checked_mul(ticket_lamports).ok_or(AssayError::AmountOverflow)?;
        Ok(Taken { is_drawn: threshold != EVERYBODY, audit_one_in: 0, weight_lamports, hold })
    }

    /// The lock is so large that a lie loses on average, however seldom it is audited.
    fn validate_alone(&self) -> Result<Taken> {
        let Self { node_key: _, market: _, provider, job, execution: _, system_program: _ } = self;
        let audit_one_in = job.audits().one_in(provider.trust.consecutive_valid).ok_or(AssayError::NotTrusted)?;
        let pay_max = job.pay_max_lamports()?;
        let unaudited = provider.unaudited_lamports.checked_add(pay_max).ok_or(AssayError::AmountOverflow)?;
        require!(unaudited <= provider.stake_lamports, AssayError::NotTrusted);
        let lock_lamports = solo_lock(job.bond_lamports, pay_max, audit_one_in).map_err(AssayError::from)?;
        let hold = Hold { lock_lamports, unaudited_lamports: pay_max };
        Ok(Taken { is_drawn: false, audit_one_in, weight_lamports: provider.stake_lamports, hold })
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: AcceptJobArgs) -> Result<()> {
        let clock = Clock::get()?;
        let taken = ctx.accounts.validate(&args, clock.unix_timestamp)?;
        let seat = ctx.accounts.take_seat(&taken)?;
        ctx.accounts.open_execution(seat, &taken, &clock)?;

        let Self { node_key: _, market, provider, job, execution, system_program: _ } = ctx.accounts;
        provider.lock_seat(&taken.hold)?;
        if taken.audit_one_in > 0 {
            (job.seats_wanted, job.audit_one_in) = (1, taken.audit_one_in);
        }
        if job.seats_filled == job.seats_wanted {
            job.start(JobEvent::SeatsFilled, clock.unix_timestamp)?;
        }
        check_backed(provider)?;
        emit!(JobAccepted {
            market: market.key(),
            job: job.key(),
            provider: provider.key(),
            execution: execution.key(),
            seat,
            bond_lamports: taken.hold.lock_lamports,
            execution_deadline_unix: job.execution_deadline_unix,
        });
        Ok(())
    }

    fn take_seat(&mut self, taken: &Taken) -> Result<u8> {
        let Self { node_key: _, market: _, provider, job, execution: _, system_program: _ } = self;
        job.take_seat(&Seated { provider: provider.key(), weight_lamports: taken.weight_lamports })
    }

    fn open_execution(&self, seat: u8, taken: &Taken, clock: &Clock) -> Result<()> {
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
            drawn: u8::from(taken.is_drawn),
            lock_lamports: taken.hold.lock_lamports,
            weight_lamports: taken.weight_lamports,
            commitment: [0; 32],
            outcome: [0; OUTCOME_BYTES],
            accepted_unix: clock.unix_timestamp,
            accepted_slot: clock.slot,
            submitted_unix: 0,
            elapsed_s: 0,
            reserved: [0; 19],
        };
        write_new(execution, &opened)
    }
}

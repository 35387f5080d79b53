//! Contests a result, or asks a jury about a deadlock.
//!
//! Who: anyone, while the job's window is open. State: job Submitted or Deadlocked → Disputed; none → Dispute. A result is contested
//! by a challenge: Entry until the window is over, and the opener's Challenge, Entered. A deadlock needs none: its first round
//! begins at once. Money: the opener pays the Dispute's rent, and for a challenge its rent and the bond of a seat → Dispute.
//!
//! Executors and the poster's provider are no jurors. What a verdict needs is counted without the tickets that they have on duty at this
//! moment: tickets that count and may not vote would deny it.
//!
//! `0 [signer, writable] payer: opens, challenges, pays · 1 [] market: the job's · 2 [writable] job: Submitted or Deadlocked · 3
//! [writable] dispute: PDA("dispute", job, 0), unused · 4 [writable, optional] challenge: PDA("challenge", dispute, payer), unused; of
//! a submitted job only · 5 [] poster_provider: PDA("provider", market, poster), or empty · 6 [] system program · then [] the Provider of
//! each taken seat, by seat`
//!
//! Errors: `MarketMismatch`, `NotDisputable`, `DeadlinePassed`, `AccountsMissing`, `AccountsUnexpected`, `CommitmentZero`, `AccountInUse`,
//! `AddressMismatch`, `ProviderMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{DisputeStatus, JobEvent, JobStatus, PROTOCOL_VERSION};

use crate::{
    errors::{err, require, require_keys_eq, AssayError},
    events::DisputeOpened,
    instructions::enter_dispute::NewChallenge,
    jury_rounds::start_round,
    pda::{canonical_bump, write_new, Created, NewAccount},
    state::{seeds, Dispute, Job, Market, Provider},
};

/// Arguments of `open_dispute`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct OpenDisputeArgs {
    /// [`assay_protocol::challenge_commitment`] of what the opener holds to be right; none for a deadlock.
    pub commitment: Option<[u8; 32]>,
}

/// Accounts of `open_dispute`.
#[derive(Accounts)]
pub struct OpenDispute<'info> {
    /// Opens the dispute, challenges, pays.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The job's market, for its jurors' tickets.
    pub market: Box<Account<'info, Market>>,
    /// The job.
    #[account(mut, dup, has_one = market @ AssayError::MarketMismatch)]
    pub job: Box<Account<'info, Job>>,
    /// The new dispute.
    /// CHECK: the payer chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub dispute: UncheckedAccount<'info>,
    /// The opener's new challenge.
    /// CHECK: as the dispute.
    #[account(mut)]
    pub challenge: Option<UncheckedAccount<'info>>,
    /// Where the poster's provider would be.
    /// CHECK: nobody chooses it: the handler requires the canonical address of its seeds. One that does not exist has no tickets.
    pub poster_provider: UncheckedAccount<'info>,
    /// Creates the accounts, moves the bond.
    pub system_program: Program<'info, System>,
}

impl OpenDispute<'_> {
    /// Whether the seats found nothing.
    fn validate(&self, args: &OpenDisputeArgs, now_unix: i64) -> Result<bool> {
        // market: bound by `has_one`.
        // Deliberately absent: who the payer is. A party that contests its own result loses at least a fifth of its bond (P-17).
        // poster_provider: bound by its address, where its tickets are counted.
        let Self { payer: _, market: _, job, dispute, challenge, poster_provider: _, system_program: _ } = self;
        let is_deadlock = match job.status()? {
            JobStatus::Submitted => false,
            JobStatus::Deadlocked => true,
            _ => return err!(AssayError::NotDisputable), // I-03
        };
        require!(now_unix < job.window_deadline_unix, AssayError::DeadlinePassed);
        require!(args.commitment.is_some() != is_deadlock, AssayError::AccountsMissing);
        require!(challenge.is_some() != is_deadlock, AssayError::AccountsMissing);
        require!(args.commitment != Some([0; 32]), AssayError::CommitmentZero);
        require_keys_eq!(*dispute.owner, system_program::ID, AssayError::AccountInUse);
        Ok(is_deadlock)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: OpenDisputeArgs) -> Result<()> {
        let clock = Clock::get()?;
        let is_deadlock = ctx.accounts.validate(&args, clock.unix_timestamp)?;
        let job_key = ctx.accounts.job.key();
        let created = NewAccount {
            payer: &ctx.accounts.payer,
            account: &ctx.accounts.dispute,
            seeds: &[seeds::DISPUTE, job_key.as_ref(), &[0], &[]],
            size_bytes: Dispute::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        let mut opened = ctx.accounts.new_dispute(is_deadlock, &created, clock.unix_timestamp);
        let excluded = ctx.accounts.excluded_tickets(ctx.remaining_accounts)?;
        opened.duty_tickets_total =
            opened.duty_tickets_total.checked_sub(excluded).ok_or(AssayError::AmountOverflow)?;
        ctx.accounts.job.transition(JobEvent::Disputed)?;
        ctx.accounts.job.disputes_open = 1;

        let Self { payer, market, job: _, dispute, challenge, poster_provider: _, system_program: _ } = ctx.accounts;
        emit!(DisputeOpened {
            market: market.key(),
            job: job_key,
            dispute: dispute.key(),
            payer: payer.key(),
            is_deadlock,
            duty_tickets_total: opened.duty_tickets_total,
            entry_deadline_unix: opened.entry_deadline_unix,
        });
        match (challenge, args.commitment) {
            (Some(challenge), Some(commitment)) => {
                NewChallenge { challenger: payer, account: challenge, dispute }.enter(
                    &mut opened,
                    commitment,
                    clock.unix_timestamp,
                )?;
            }
            _ => start_round(&mut opened, 0, &clock)?,
        }
        write_new(dispute, &*opened)
    }

    /// Tickets on duty of those who are no jurors, because the job names them.
    fn excluded_tickets(&self, executors: &[AccountInfo<'_>]) -> Result<u64> {
        let Self { payer: _, market, job, dispute: _, challenge: _, poster_provider, system_program: _ } = self;
        let (market_key, mut tickets) = (market.key(), 0_u64);
        let mut count = |account: &AccountInfo<'_>| -> Result<()> {
            let provider = Box::new(Provider::try_deserialize(&mut account.try_borrow_data()?.as_ref())?);
            let counted = tickets.checked_add(u64::from(provider.duty_tickets()));
            tickets = counted.ok_or(AssayError::AmountOverflow)?;
            Ok(())
        };
        let mut given = executors.iter();
        for executor in job.executors.iter().filter(|executor| **executor != Pubkey::default()) {
            let account = given.next().ok_or(AssayError::AccountsMissing)?;
            // A seat was given to an account of this program and of this market: the key says it all.
            require_keys_eq!(*account.key, *executor, AssayError::ProviderMismatch);
            count(account)?;
        }
        require!(given.next().is_none(), AssayError::AccountsUnexpected);

        canonical_bump(poster_provider.key, &[seeds::PROVIDER, market_key.as_ref(), job.poster.as_ref(), &[]])?;
        let is_there = *poster_provider.owner == crate::ID;
        if is_there && !job.executors.contains(poster_provider.key) {
            count(poster_provider)?;
        }
        Ok(tickets)
    }

    fn new_dispute(&self, is_deadlock: bool, created: &Created, now_unix: i64) -> Box<Dispute> {
        let Self { payer, market, job, dispute: _, challenge: _, poster_provider: _, system_program: _ } = self;
        Box::new(Dispute {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: DisputeStatus::Entry.code(),
            job: job.key(),
            market: market.key(),
            rent_payer: payer.key(),
            poster: job.poster,
            job_uid: job.job_uid,
            executors: job.executors,
            is_deadlock: u8::from(is_deadlock),
            standing_hash: if is_deadlock { [0; 32] } else { assay_protocol::ballot_hash(&job.outcome) },
            gas_limit: job.limits.gas_limit,
            bond_lamports: job.bond_lamports,
            juror_bond_lamports: job.juror_bond_lamports,
            ticket_lamports: market.terms.ticket_lamports,
            miss_rate_bps: job.miss_rate_bps,
            lambda: job.jury_lambda,
            quorum_bps: job.jury_quorum_bps,
            execution_s: job.execution_s,
            reveal_s: job.reveal_s,
            duty_tickets_total: market.duty_tickets_total,
            opened_unix: now_unix,
            entry_deadline_unix: job.window_deadline_unix,
            rent_lamports: created.rent_lamports,
            ..Dispute::EMPTY
        })
    }
}

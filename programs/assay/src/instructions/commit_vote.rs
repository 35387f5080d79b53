//! Votes in a dispute's round without showing it.
//!
//! Who: a juror's node key, while the round commits. A juror was on duty when the dispute was opened and is no party. State: none →
//! Vote, Committed. In a drawn round the vote weighs as many tickets as it names, each of which must win; where everybody votes, as
//! many as it says. Money: the node key pays the Vote's rent and gets it back when it closes; the bond of each ticket is a reservation
//! inside the juror's stake.
//!
//! `0 [signer, writable] node_key: pays rent · 1 [writable] provider: its node key is account 0 · 2 [writable] dispute: Voting · 3
//! [writable] vote: PDA("vote", dispute, round, provider), unused · 4 [] challenge: PDA("challenge", dispute, node_key), unused: who
//! challenges is no juror · 5 [] system program`
//!
//! Errors: `NodeKeyMismatch`, `DisputeNotVoting`, `DeadlinePassed`, `MarketMismatch`, `NotAJuror`, `CommitmentZero`, `WeightOutOfRange`,
//! `TicketsUnordered`, `TicketLoses`, `FreeStakeTooSmall`, `ExposureCapReached`, `AlreadyVoted`, `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{limits::VOTE_TICKETS_MAX, tickets::wins, DisputeStatus, VoteStatus, PROTOCOL_VERSION};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::VoteCommitted,
    invariants::check_backed,
    pda::{canonical_bump, write_new, NewAccount},
    state::{seeds, Dispute, Provider, Vote},
};

/// Arguments of `commit_vote`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CommitVoteArgs {
    /// [`assay_protocol::vote_commitment`].
    pub commitment: [u8; 32],
    /// Tickets that the vote weighs.
    pub weight: u32,
    /// Numbers of the tickets that win, strictly ascending; none where everybody votes.
    pub tickets: Vec<u32>,
}

/// Accounts of `commit_vote`.
#[derive(Accounts)]
pub struct CommitVote<'info> {
    /// The juror's hot key; pays rent.
    #[account(mut)]
    pub node_key: Signer<'info>,
    /// The juror.
    #[account(mut, dup, has_one = node_key @ AssayError::NodeKeyMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The new vote.
    /// CHECK: the node key chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub vote: UncheckedAccount<'info>,
    /// Where a challenge of the node key would be.
    /// CHECK: the node key chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program.
    pub challenge: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl CommitVote<'_> {
    /// What the vote locks.
    fn validate(&self, args: &CommitVoteArgs, now_unix: i64) -> Result<u64> {
        // node_key: bound by `has_one`.
        // Deliberately absent: that a challenger behind another wallet is no juror. Its tickets are bounded by its stake (P-15).
        let Self { node_key, provider, dispute, vote, challenge, system_program: _ } = self;
        require!(dispute.status()? == DisputeStatus::Voting, AssayError::DisputeNotVoting);
        require!(now_unix < dispute.commit_deadline_unix, AssayError::DeadlinePassed);
        dispute.check_juror(&provider.key(), provider)?;
        require!(args.commitment != [0; 32], AssayError::CommitmentZero);
        self.validate_tickets(args)?;
        let lock_lamports = u64::from(args.weight).checked_mul(dispute.juror_bond_lamports);
        let lock_lamports = lock_lamports.ok_or(AssayError::AmountOverflow)?;
        provider.check_lockable(lock_lamports)?; // P-07, P-25

        require_keys_eq!(*vote.owner, system_program::ID, AssayError::AlreadyVoted);
        let dispute_key = dispute.key();
        canonical_bump(challenge.key, &[seeds::CHALLENGE, dispute_key.as_ref(), node_key.key.as_ref(), &[]])?;
        require_keys_eq!(*challenge.owner, system_program::ID, AssayError::NotAJuror);
        Ok(lock_lamports)
    }

    fn validate_tickets(&self, args: &CommitVoteArgs) -> Result<()> {
        let Self { node_key: _, provider, dispute, vote: _, challenge: _, system_program: _ } = self;
        let usable = provider.usable_tickets(dispute.ticket_lamports);
        let CommitVoteArgs { commitment: _, weight, tickets } = args;
        let named = u32::try_from(tickets.len()).unwrap_or(u32::MAX);
        if dispute.is_last() {
            require!(named == 0 && (1..=usable).contains(weight), AssayError::WeightOutOfRange);
            return Ok(());
        }
        require!(named == *weight && (1..=VOTE_TICKETS_MAX).contains(weight), AssayError::WeightOutOfRange);
        let (threshold, holder) = (dispute.threshold(), provider.key());
        let mut least = 0;
        for ticket in tickets {
            require!(*ticket >= least, AssayError::TicketsUnordered);
            least = ticket.saturating_add(1);
            require!(*ticket < usable, AssayError::TicketLoses);
            require!(wins(&dispute.draw.seed, holder.as_array(), *ticket, threshold), AssayError::TicketLoses);
            // P-15
        }
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: CommitVoteArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        let lock_lamports = ctx.accounts.validate(&args, now_unix)?;
        ctx.accounts.open_vote(&args, lock_lamports, now_unix)?;
        let Self { node_key: _, provider, dispute, vote: _, challenge: _, system_program: _ } = ctx.accounts;
        provider.lock_vote(lock_lamports)?;
        dispute.votes_committed = dispute.votes_committed.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        dispute.votes_open = dispute.votes_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        check_backed(provider)?;
        emit!(VoteCommitted {
            market: dispute.market,
            job: dispute.job,
            round: dispute.round,
            provider: provider.key(),
            weight: u64::from(args.weight),
            commitment: args.commitment,
            lock_lamports,
        });
        Ok(())
    }

    fn open_vote(&self, args: &CommitVoteArgs, lock_lamports: u64, now_unix: i64) -> Result<()> {
        let Self { node_key, provider, dispute, vote, challenge: _, system_program: _ } = self;
        let (dispute_key, provider_key) = (dispute.key(), provider.key());
        let created = NewAccount {
            payer: node_key,
            account: vote,
            seeds: &[seeds::VOTE, dispute_key.as_ref(), &[dispute.round], provider_key.as_ref()],
            size_bytes: Vote::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        let opened = Vote {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: VoteStatus::Committed.code(),
            dispute: dispute_key,
            provider: provider_key,
            rent_payer: node_key.key(),
            round: dispute.round,
            weight: u64::from(args.weight),
            lock_lamports,
            commitment: args.commitment,
            ballot_hash: [0; 32],
            committed_unix: now_unix,
            reserved: [0; 16],
        };
        write_new(vote, &opened)
    }
}

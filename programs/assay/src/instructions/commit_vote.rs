//! Votes in a dispute's round without showing it.
//!
//! Who: a juror's node key, while the round commits. A juror was on duty when the dispute was opened, and is neither an executor of
//! the job nor its poster's provider. State: none → Vote, Committed. In a drawn round the vote weighs the tickets that it names, each
//! of which must win; where everybody votes, all usable ones; in both no more than free stake and exposure cap bear bonds of. It
//! remembers whether free stake or the size of a vote kept it from weighing more: else winning tickets beyond its weight are an
//! absence. The exposure cap, which its owner sets at any time, is no excuse. Money: the node key pays the Vote's rent and gets it back
//! when it closes; the bond of each ticket is a reservation inside the juror's stake.
//!
//! A juror whose free stake bears no bond is excused, and so is one that asks for it, by a commitment of zeros, while two votes of it
//! are open besides one for each round before this: many sham disputes at a time drive nobody off duty. Its Vote says nothing, weighs
//! nothing and is Revealed at once. It counts for no further excuse.
//!
//! `0 [signer, writable] node_key: pays rent · 1 [writable] provider: its node key is account 0 · 2 [writable] dispute: Voting · 3
//! [writable] vote: PDA("vote", dispute, round, provider), unused · 4 [] system program`
//!
//! Errors: `NodeKeyMismatch`, `DisputeNotVoting`, `DeadlinePassed`, `MarketMismatch`, `NotAJuror`, `CommitmentZero`, `WeightOutOfRange`,
//! `TicketsUnordered`, `TicketLoses`, `ExposureCapReached`, `AlreadyVoted`, `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{duty::is_busy, limits::VOTE_TICKETS_MAX, DisputeStatus, VoteStatus, PROTOCOL_VERSION};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::VoteCommitted,
    invariants::check_backed,
    pda::{write_new, NewAccount},
    state::{seeds, Dispute, Provider, Vote},
};

/// Arguments of `commit_vote`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CommitVoteArgs {
    /// [`assay_protocol::vote_commitment`]; zeros ask to be excused.
    pub commitment: [u8; 32],
    /// Numbers of the tickets that win, strictly ascending, 1 to 64; none where everybody votes.
    #[cfg_attr(not(feature = "idl-build"), borsh(deserialize_with = "crate::arguments::read_tickets"))]
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
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

/// What a vote comes to.
struct Cast {
    /// Tickets that it weighs.
    weight: u32,
    lock_lamports: u64,
    /// Usable tickets of the juror.
    usable: u32,
    /// Whether nothing is missed in it.
    is_full: bool,
}

impl Cast {
    /// Of a juror that is excused: every other vote weighs something.
    const fn is_excuse(&self) -> bool {
        self.weight == 0
    }
}

impl CommitVote<'_> {
    fn validate(&self, args: &CommitVoteArgs, now_unix: i64) -> Result<Cast> {
        // node_key: bound by `has_one`.
        // Deliberately absent: that a challenger is no juror. It would hide behind another wallet; its tickets are those of its stake
        // (P-15).
        let Self { node_key: _, provider, dispute, vote, system_program: _ } = self;
        require!(dispute.status()? == DisputeStatus::Voting, AssayError::DisputeNotVoting);
        require!(now_unix < dispute.commit_deadline_unix, AssayError::DeadlinePassed);
        dispute.check_juror(&provider.key(), provider)?;
        require_keys_eq!(*vote.owner, system_program::ID, AssayError::AlreadyVoted);
        let usable = provider.usable_tickets(dispute.ticket_lamports);
        let borne = provider.bonds_borne(dispute.juror_bond_lamports)?;
        if borne == 0 || args.commitment == [0; 32] {
            require!(borne == 0 || is_busy(provider.votes_open, dispute.round), AssayError::CommitmentZero);
            return Ok(Cast { weight: 0, lock_lamports: 0, usable, is_full: true });
        }
        let (weight, is_full) = self.validate_tickets(args, usable, borne)?;
        let lock_lamports = u64::from(weight).checked_mul(dispute.juror_bond_lamports);
        let lock_lamports = lock_lamports.ok_or(AssayError::AmountOverflow)?;
        provider.check_lockable(lock_lamports)?; // P-07, P-25
        Ok(Cast { weight, lock_lamports, usable, is_full })
    }

    /// What the vote weighs, and whether it is a full one; `borne` is how many bonds free stake bears. The program cuts the weight to
    /// that and to what the exposure cap bears at this moment: the juror cannot know it, since anybody may settle or take something
    /// of its in between.
    fn validate_tickets(&self, args: &CommitVoteArgs, usable: u32, borne: u32) -> Result<(u32, bool)> {
        let Self { node_key: _, provider, dispute, vote: _, system_program: _ } = self;
        let CommitVoteArgs { commitment: _, tickets } = args;
        let named = u32::try_from(tickets.len()).unwrap_or(u32::MAX);
        let exposable = provider.bonds_exposable(dispute.juror_bond_lamports);
        require!(exposable > 0, AssayError::ExposureCapReached); // P-25
        if let Some(jury) = dispute.jury() {
            require!((1..=VOTE_TICKETS_MAX).contains(&named), AssayError::WeightOutOfRange);
            jury.check(&provider.key(), usable, tickets)?;
            let weight = named.min(borne).min(exposable);
            return Ok((weight, weight == VOTE_TICKETS_MAX || weight >= borne));
        }
        // P-18: in the last round a light vote would deny the verdict as an absence does, and cost nothing.
        require!(named == 0 && usable > 0, AssayError::WeightOutOfRange);
        let full = usable.min(borne);
        let weight = full.min(exposable);
        Ok((weight, weight == full))
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: CommitVoteArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        let cast = ctx.accounts.validate(&args, now_unix)?;
        ctx.accounts.open_vote(&args, &cast, now_unix)?;
        let Self { node_key: _, provider, dispute, vote: _, system_program: _ } = ctx.accounts;
        if cast.is_excuse() {
            provider.remember_child()?;
        } else {
            provider.lock_vote(cast.lock_lamports)?;
            dispute.votes_committed = dispute.votes_committed.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        }
        dispute.votes_open = dispute.votes_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        check_backed(provider)?;
        emit!(VoteCommitted {
            market: dispute.market,
            job: dispute.job,
            round: dispute.round,
            provider: provider.key(),
            weight: u64::from(cast.weight),
            commitment: if cast.is_excuse() { [0; 32] } else { args.commitment },
            lock_lamports: cast.lock_lamports,
        });
        Ok(())
    }

    fn open_vote(&self, args: &CommitVoteArgs, cast: &Cast, now_unix: i64) -> Result<()> {
        let Self { node_key, provider, dispute, vote, system_program: _ } = self;
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
            status: if cast.is_excuse() { VoteStatus::Revealed } else { VoteStatus::Committed }.code(),
            dispute: dispute_key,
            provider: provider_key,
            rent_payer: node_key.key(),
            round: dispute.round,
            weight: u64::from(cast.weight),
            lock_lamports: cast.lock_lamports,
            commitment: if cast.is_excuse() { [0; 32] } else { args.commitment },
            ballot_hash: [0; 32],
            committed_unix: now_unix,
            tickets: cast.usable,
            is_full: u8::from(cast.is_full),
            reserved: [0; 11],
        };
        write_new(vote, &opened)
    }
}

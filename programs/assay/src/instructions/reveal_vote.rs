//! Shows the ballot that a juror committed to.
//!
//! Who: the juror's current node key, in its round, between the end of the commits and that of the reveals. State: Vote Committed →
//! Revealed; the ballot is counted. Money: none.
//!
//! `0 [signer] node_key · 1 [] provider: its node key is account 0 · 2 [writable] dispute: Voting · 3 [writable] vote: of both,
//! Committed in the dispute's round`
//!
//! Errors: `NodeKeyMismatch`, `DisputeMismatch`, `ProviderMismatch`, `DisputeNotVoting`, `TooEarly`, `DeadlinePassed`, `RoundOver`,
//! `VoteNotCommitted`, `CommitmentMismatch`, `OutcomeNotCanonical`.

use anchor_lang::prelude::*;
use assay_protocol::{
    ids::VoteCommitmentInput, outcome::OUTCOME_BYTES, vote_commitment, Ballot, Hash32, Measure, Voice, VoteEvent,
    VoteStatus,
};

use crate::{
    errors::{require, AssayError},
    events::VoteRevealed,
    state::{Dispute, Provider, Vote},
};

/// Arguments of `reveal_vote`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RevealVoteArgs {
    /// Encoded outcome, or zeros for Unavailable: [`Ballot::encode`].
    pub ballot: [u8; OUTCOME_BYTES],
    /// What kept it hidden.
    pub salt: [u8; 32],
}

/// Accounts of `reveal_vote`.
#[derive(Accounts)]
pub struct RevealVote<'info> {
    /// The juror's hot key.
    pub node_key: Signer<'info>,
    /// The juror.
    #[account(has_one = node_key @ AssayError::NodeKeyMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The vote.
    #[account(mut, dup, has_one = dispute @ AssayError::DisputeMismatch, has_one = provider @ AssayError::ProviderMismatch)]
    pub vote: Box<Account<'info, Vote>>,
}

impl RevealVote<'_> {
    /// The ballot's hash.
    fn validate(&self, args: &RevealVoteArgs, now_unix: i64) -> Result<Hash32> {
        // node_key: bound by `has_one`; a rotated key cannot reveal.
        let Self { node_key: _, provider, dispute, vote } = self;
        dispute.check_revealing(now_unix)?;
        require!(vote.round == dispute.round, AssayError::RoundOver);
        require!(vote.status()? == VoteStatus::Committed, AssayError::VoteNotCommitted);
        let ballot_hash = Ballot::decode(&args.ballot, dispute.gas_limit).map_err(AssayError::from)?.hash();
        let opened = vote_commitment(&VoteCommitmentInput {
            job_uid: &dispute.job_uid,
            round: vote.round,
            provider: provider.key().as_array(),
            ballot_hash: &ballot_hash,
            trace_root: &[0; 32],
            salt: &args.salt,
        });
        require!(opened == vote.commitment, AssayError::CommitmentMismatch); // P-01
        Ok(ballot_hash)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: RevealVoteArgs) -> Result<()> {
        let hash = ctx.accounts.validate(&args, Clock::get()?.unix_timestamp)?;
        let Self { node_key: _, provider, dispute, vote } = ctx.accounts;
        vote.transition(VoteEvent::Revealed)?;
        vote.ballot_hash = hash;
        let voice = Voice { hash, weight: vote.weight, is_drawn: false };
        if dispute.tally.add(&voice, Measure::Weight) {
            dispute.outcome = args.ballot;
        }
        dispute.votes_revealed = dispute.votes_revealed.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        let weight = dispute.revealed_weight.get_mut(usize::from(vote.round)).ok_or(AssayError::AmountOverflow)?;
        *weight = weight.checked_add(vote.weight).ok_or(AssayError::AmountOverflow)?;
        emit!(VoteRevealed {
            market: dispute.market,
            job: dispute.job,
            round: vote.round,
            provider: provider.key(),
            weight: vote.weight,
            ballot: args.ballot,
        });
        Ok(())
    }
}

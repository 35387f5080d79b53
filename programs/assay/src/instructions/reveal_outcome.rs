//! Shows the outcome that a challenger committed to.
//!
//! Who: the challenger, in the first round, between the end of the commits and that of the reveals. State: Challenge Entered →
//! Revealed. Money: none.
//!
//! `0 [signer] challenger · 1 [writable] dispute: Voting, round 0 · 2 [writable] challenge: of both, Entered`
//!
//! Errors: `ChallengerMismatch`, `DisputeMismatch`, `DisputeNotVoting`, `TooEarly`, `DeadlinePassed`, `RoundOver`, `ChallengeNotEntered`,
//! `OutcomeNotCanonical`, `OutcomeStands`, `CommitmentMismatch`.

use anchor_lang::prelude::*;
use assay_protocol::{
    challenge_commitment, ids::ChallengeCommitmentInput, outcome::OUTCOME_BYTES, ChallengeEvent, ChallengeStatus,
    Hash32, Outcome,
};

use crate::{
    errors::{require, AssayError},
    events::OutcomeRevealed,
    state::{Challenge, Dispute},
};

/// Arguments of `reveal_outcome`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RevealOutcomeArgs {
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// What kept it hidden.
    pub salt: [u8; 32],
}

/// Accounts of `reveal_outcome`.
#[derive(Accounts)]
pub struct RevealOutcome<'info> {
    /// Who challenged.
    pub challenger: Signer<'info>,
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The challenge.
    #[account(mut, dup, has_one = dispute @ AssayError::DisputeMismatch, has_one = challenger @ AssayError::ChallengerMismatch)]
    pub challenge: Box<Account<'info, Challenge>>,
}

impl RevealOutcome<'_> {
    /// The outcome's hash.
    fn validate(&self, args: &RevealOutcomeArgs, now_unix: i64) -> Result<Hash32> {
        // challenger: bound by `has_one`.
        let Self { challenger, dispute, challenge } = self;
        dispute.check_revealing(now_unix)?;
        require!(dispute.round == 0, AssayError::RoundOver);
        require!(challenge.status()? == ChallengeStatus::Entered, AssayError::ChallengeNotEntered);
        let outcome_hash = Outcome::decode(&args.outcome, dispute.gas_limit).map_err(AssayError::from)?.hash();
        // Else a bystander would challenge with the standing result and take the reward of the seats that gave it.
        require!(outcome_hash != dispute.standing_hash, AssayError::OutcomeStands);
        let opened = challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &dispute.job_uid,
            challenger: challenger.key().as_array(),
            outcome_hash: &outcome_hash,
            trace_root: &[0; 32],
            salt: &args.salt,
        });
        require!(opened == challenge.commitment, AssayError::CommitmentMismatch); // P-01
        Ok(outcome_hash)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: RevealOutcomeArgs) -> Result<()> {
        let outcome_hash = ctx.accounts.validate(&args, Clock::get()?.unix_timestamp)?;
        let Self { challenger, dispute, challenge } = ctx.accounts;
        challenge.transition(ChallengeEvent::Revealed)?;
        challenge.outcome_hash = outcome_hash;
        dispute.challenges_revealed = dispute.challenges_revealed.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        emit!(OutcomeRevealed {
            market: dispute.market,
            job: dispute.job,
            challenger: challenger.key(),
            outcome: args.outcome,
        });
        Ok(())
    }
}

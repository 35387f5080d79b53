//! Unlocks one juror's vote in a dispute that is over, and pays or takes what it comes to.
//!
//! Who: anyone, once all challenges are counted and all seats settled. State: the Vote closes. Money, besides the Vote's rent → who
//! paid it:
//!
//! | Verdict | Vote | Lock | Share |
//! |---|---|---|---|
//! | Outcome | revealed, the same | free | its part of 30 % of the pot: dispute → provider's earnings |
//! | Outcome | anything else | stake → dispute, to be burned | none |
//! | Unavailable, none | any | free | none |
//!
//! `0 [] job: the dispute's · 1 [writable] dispute: Final · 2 [writable] provider: the vote's · 3 [writable] vote: the dispute's,
//! closed · 4 [writable] rent_payer: the vote's`
//!
//! Errors: `JobMismatch`, `DisputeMismatch`, `ProviderMismatch`, `RentPayerMismatch`, `DisputeNotFinal`, `ChallengesUncounted`,
//! `ExecutionsOpen`, `AmountOverflow`.

use anchor_lang::prelude::*;
use assay_protocol::{pot::Ballots, DisputeStatus, Verdict, VoteStatus};

use crate::{
    errors::{require, AssayError},
    events::VoteSettled,
    invariants::check_backed,
    state::{Dispute, Job, Provider, Vote},
};

/// Accounts of `settle_vote`.
#[derive(Accounts)]
pub struct SettleVote<'info> {
    /// The job, for its open seats.
    pub job: Box<Account<'info, Job>>,
    /// The dispute.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The juror.
    #[account(mut, dup)]
    pub provider: Box<Account<'info, Provider>>,
    /// The vote.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = dispute @ AssayError::DisputeMismatch,
        has_one = provider @ AssayError::ProviderMismatch,
        has_one = rent_payer @ AssayError::RentPayerMismatch
    )]
    pub vote: Box<Account<'info, Vote>>,
    /// Who paid the vote's rent.
    /// CHECK: whoever signed `commit_vote` controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
}

impl SettleVote<'_> {
    fn validate(&self) -> Result<()> {
        // job, provider, rent_payer: bound by `has_one` of dispute and vote.
        // Deliberately absent: a signer. Every amount and every recipient are fixed.
        let Self { job, dispute, provider: _, vote: _, rent_payer: _ } = self;
        require!(dispute.status()? == DisputeStatus::Final, AssayError::DisputeNotFinal);
        dispute.check_divisible(job)
    }

    /// What the vote loses and earns, lamports; one of them is zero.
    fn due(&self) -> Result<(u64, u64)> {
        let Self { job: _, dispute, provider: _, vote, rent_payer: _ } = self;
        if dispute.verdict != Verdict::Outcome {
            return Ok((0, 0));
        }
        if vote.status()? != VoteStatus::Revealed || vote.ballot_hash != dispute.verdict_hash {
            return Ok((vote.lock_lamports, 0));
        }
        let revealed = dispute.revealed_weight.get(usize::from(vote.round)).copied().unwrap_or(0);
        let share = dispute.pot().juror(&Ballots { weight: vote.weight, revealed }).map_err(AssayError::from)?;
        Ok((0, share))
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let (lost_lamports, share_lamports) = ctx.accounts.due()?;
        let Self { job, dispute, provider, vote, rent_payer: _ } = ctx.accounts;
        if vote.weight > 0 {
            provider.unlock_vote(vote.lock_lamports)?;
        }
        provider.forget_child()?;
        provider.lose_stake(lost_lamports)?;
        provider.earnings_lamports =
            provider.earnings_lamports.checked_add(share_lamports).ok_or(AssayError::AmountOverflow)?;
        dispute.hold(lost_lamports)?;
        dispute.give(share_lamports)?;
        dispute.votes_open = dispute.votes_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        provider.sub_lamports(lost_lamports)?;
        dispute.add_lamports(lost_lamports)?;
        dispute.sub_lamports(share_lamports)?;
        provider.add_lamports(share_lamports)?;
        check_backed(provider)?;
        check_backed(dispute)?;
        emit!(VoteSettled {
            market: dispute.market,
            job: job.key(),
            round: vote.round,
            provider: provider.key(),
            earned_lamports: share_lamports,
            unlocked_lamports: vote.lock_lamports.saturating_sub(lost_lamports),
            lost_lamports,
        });
        Ok(())
    }
}

//! Counts one challenge of a dispute that is over, then pays it.
//!
//! Who: anyone; once for each challenge before any seat is settled, and again for those that won when all seats are. State:
//! Revealed → Won, or the Challenge closes. Money, besides the Challenge's rent → the challenger:
//!
//! | Verdict | Challenge | First call | Second call |
//! |---|---|---|---|
//! | Outcome | revealed, the same | counted | bond and a share of half the pot, by its part of all winning bonds: dispute → challenger |
//! | Outcome | anything else | bond lost to the pot | |
//! | Unavailable | any | bond: dispute → challenger | |
//! | none | any | bond, less the miss rate for what it held up: dispute → challenger | |
//!
//! `0 [] job: the dispute's · 1 [writable] dispute: Final · 2 [writable] challenge: the dispute's · 3 [writable] challenger: the
//! challenge's`
//!
//! Errors: `JobMismatch`, `DisputeMismatch`, `ChallengerMismatch`, `DisputeNotFinal`, `ChallengesUncounted`, `ExecutionsOpen`,
//! `AmountOverflow`.

use anchor_lang::prelude::*;
use assay_protocol::{pot::kept, ChallengeEvent, ChallengeStatus, DisputeStatus, Verdict};

use crate::{
    errors::{require, AssayError},
    events::ChallengeSettled,
    invariants::check_backed,
    state::{Challenge, Dispute, Job},
};

/// Accounts of `settle_challenge`.
#[derive(Accounts)]
pub struct SettleChallenge<'info> {
    /// The job, for its open seats.
    pub job: Box<Account<'info, Job>>,
    /// The dispute.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The challenge.
    #[account(
        mut,
        dup,
        has_one = dispute @ AssayError::DisputeMismatch,
        has_one = challenger @ AssayError::ChallengerMismatch
    )]
    pub challenge: Box<Account<'info, Challenge>>,
    /// Who challenged.
    /// CHECK: whoever signed the challenge controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub challenger: UncheckedAccount<'info>,
}

impl SettleChallenge<'_> {
    fn validate(&self) -> Result<()> {
        // job, challenger: bound by `has_one` of dispute and challenge.
        // Deliberately absent: a signer. Every amount and the recipient are fixed.
        let Self { job, dispute, challenge, challenger: _ } = self;
        require!(dispute.status()? == DisputeStatus::Final, AssayError::DisputeNotFinal);
        if challenge.status()? == ChallengeStatus::Won {
            dispute.check_divisible(job)?;
        }
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let due_lamports = match ctx.accounts.challenge.status()? {
            ChallengeStatus::Won => Some(ctx.accounts.reward_lamports()?),
            _ => ctx.accounts.count()?,
        };
        match due_lamports {
            Some(lamports) => ctx.accounts.close(lamports)?,
            None => ctx.accounts.challenge.transition(ChallengeEvent::Won)?,
        }
        let Self { job, dispute, challenge, challenger } = ctx.accounts;
        check_backed(dispute)?;
        emit!(ChallengeSettled {
            market: dispute.market,
            job: job.key(),
            challenger: challenger.key(),
            has_won: challenge.status()? == ChallengeStatus::Won,
            lamports: due_lamports.unwrap_or(0),
        });
        Ok(())
    }

    fn reward_lamports(&self) -> Result<u64> {
        Ok(self.dispute.pot().winner(self.challenge.bond_lamports).map_err(AssayError::from)?)
    }

    /// Counts the challenge, and says what it gets now; nothing is said of one that won, whose share is not known yet.
    fn count(&mut self) -> Result<Option<u64>> {
        let Self { job: _, dispute, challenge, challenger: _ } = self;
        dispute.challenges_counted = dispute.challenges_counted.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        let bond_lamports = challenge.bond_lamports;
        let is_right =
            challenge.status()? == ChallengeStatus::Revealed && challenge.outcome_hash == dispute.verdict_hash;
        let sum = match dispute.verdict {
            Verdict::Outcome if is_right => &mut dispute.won_lamports,
            Verdict::Outcome => &mut dispute.lost_lamports,
            Verdict::Unavailable => return Ok(Some(bond_lamports)),
            Verdict::NoQuorum | Verdict::None => {
                let kept = kept(bond_lamports, dispute.miss_rate_bps).map_err(AssayError::from)?;
                return Ok(Some(bond_lamports.checked_sub(kept).ok_or(AssayError::AmountOverflow)?));
            }
        };
        *sum = sum.checked_add(bond_lamports).ok_or(AssayError::AmountOverflow)?;
        Ok(if is_right { None } else { Some(0) })
    }

    /// Closes the challenge and pays so much of the dispute's lamports.
    fn close(&mut self, lamports: u64) -> Result<()> {
        let Self { job: _, dispute, challenge, challenger } = self;
        dispute.challenges_open = dispute.challenges_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        dispute.give(lamports)?;
        dispute.sub_lamports(lamports)?;
        challenger.add_lamports(lamports)?;
        challenge.close(challenger.to_account_info())
    }
}

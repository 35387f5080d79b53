//! Counts a dispute's round.
//!
//! Who: anyone, once the reveals are over, or the commits when nobody is missing. State: Voting → Tallied, with the round's verdict if
//! enough tickets found one. Money: none.
//!
//! `0 [writable] dispute: Voting`
//!
//! Errors: `DisputeNotVoting`, `DeadlineNotReached`.

use anchor_lang::prelude::*;
use assay_protocol::{DisputeEvent, DisputeStatus, Measure, Verdict};

use crate::{
    errors::{require, AssayError},
    events::RoundTallied,
    state::{deadline_unix, Dispute},
};

/// Accounts of `tally_round`.
#[derive(Accounts)]
pub struct TallyRound<'info> {
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
}

impl TallyRound<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // Deliberately absent: a signer. Time and what was revealed decide.
        let Self { dispute } = self;
        require!(dispute.status()? == DisputeStatus::Voting, AssayError::DisputeNotVoting);
        require!(now_unix >= dispute.reveals_until_unix(), AssayError::DeadlineNotReached);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(now_unix)?;
        let dispute = &mut ctx.accounts.dispute;
        dispute.transition(DisputeEvent::Tallied)?;
        dispute.verdict = dispute.round_verdict();
        if dispute.verdict != Verdict::None {
            let leader = dispute.tally.leader(Measure::Weight).ok_or(AssayError::TransitionForbidden)?;
            dispute.verdict_hash = leader.hash;
        }
        // Time to run the job oneself before appealing; and always some to show who was absent.
        let appeal_s = match dispute.verdict != Verdict::None && !dispute.is_last() {
            true => dispute.execution_s,
            false => dispute.reveal_s,
        };
        dispute.verdict_deadline_unix = deadline_unix(now_unix, appeal_s)?;
        let revealed = dispute.revealed_weight.get(usize::from(dispute.round)).copied().unwrap_or(0);
        emit!(RoundTallied {
            market: dispute.market,
            job: dispute.job,
            round: dispute.round,
            verdict: dispute.verdict as u8,
            outcome: dispute.outcome,
            expected: dispute.expected,
            revealed,
            verdict_deadline_unix: dispute.verdict_deadline_unix,
        });
        Ok(())
    }
}

//! How a dispute's rounds begin: entry is over, or somebody appealed, or nothing was found.

use anchor_lang::prelude::*;
use assay_protocol::{
    limits::ROUND_LAST, outcome::OUTCOME_BYTES, round_expected, DisputeEvent, Draw, DrawNow, Expected, Tally, Verdict,
};

use crate::{
    errors::{require, AssayError},
    events::{RoundStarted, VotingOpened},
    state::{deadline_unix, Dispute},
};

/// Begins round 0, or the one after the present one: a jury of four times as many tickets is drawn, or everybody votes at once
/// when there are no more tickets than that or the round is the last.
///
/// # Errors
/// [`AssayError::AmountOverflow`] when a time leaves its range, [`AssayError::TransitionForbidden`] after the last round.
pub fn start_round(dispute: &mut Dispute, round: u8, clock: &Clock) -> Result<()> {
    require!(round <= ROUND_LAST, AssayError::TransitionForbidden);
    dispute.round = round;
    dispute.tally = Tally::default();
    dispute.votes_committed = 0;
    dispute.votes_revealed = 0;
    dispute.verdict = Verdict::None;
    dispute.verdict_hash = [0; 32];
    dispute.outcome = [0; OUTCOME_BYTES];
    dispute.previous_seed = dispute.draw.seed;
    let now = DrawNow { slot: clock.slot, unix: clock.unix_timestamp };
    match round_expected(dispute.lambda, round, dispute.duty_tickets_total) {
        Expected::Tickets(expected) => {
            dispute.expected = expected;
            dispute.draw = Draw::arm(now);
            dispute.transition(DisputeEvent::DrawArmed)?;
        }
        Expected::Everybody => dispute.draw = Draw::everybody(now),
    }
    emit!(RoundStarted {
        market: dispute.market,
        job: dispute.job,
        round,
        seed_slot: dispute.draw.seed_slot,
        is_everybody: dispute.draw.is_everybody(),
    });
    match dispute.draw.is_everybody() {
        true => open_voting(dispute, clock.unix_timestamp),
        false => Ok(()),
    }
}

/// The jury is known: it commits, then reveals. Where there is nobody to vote nobody is waited for.
///
/// # Errors
/// [`AssayError::AmountOverflow`] when a time leaves its range.
pub fn open_voting(dispute: &mut Dispute, now_unix: i64) -> Result<()> {
    dispute.transition(DisputeEvent::VotingOpened)?;
    if dispute.draw.is_everybody() {
        dispute.expected = dispute.duty_tickets_total;
    }
    let (execution_s, reveal_s) =
        if dispute.duty_tickets_total == 0 { (0, 0) } else { (dispute.execution_s, dispute.reveal_s) };
    dispute.commit_deadline_unix = deadline_unix(now_unix, execution_s)?;
    dispute.reveal_deadline_unix = deadline_unix(dispute.commit_deadline_unix, reveal_s)?;
    emit!(VotingOpened {
        market: dispute.market,
        job: dispute.job,
        round: dispute.round,
        expected: dispute.expected,
        commit_deadline_unix: dispute.commit_deadline_unix,
        reveal_deadline_unix: dispute.reveal_deadline_unix,
    });
    Ok(())
}

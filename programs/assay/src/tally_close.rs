//! What the seats said, once nobody is missing or the time to reveal is over.

use anchor_lang::prelude::*;
use assay_protocol::{agreed, Draw, DrawNow, JobEvent, Rule};

use crate::{
    errors::AssayError,
    events::{CollisionSeen, SeatsAgreed, SeatsDisagreed},
    state::{deadline_unix, Job, FILL_ARBITRATION},
};

/// Lets the result stand that enough seats agree on; else asks one more seat; else leaves the job deadlocked.
///
/// # Errors
/// [`AssayError::AmountOverflow`] when a counter or time leaves its range.
pub fn close_reveals(job: &mut Account<'_, Job>, clock: &Clock) -> Result<()> {
    let now_unix = clock.unix_timestamp;
    job.pending_commits = 0;
    job.pending_reveals = 0;
    report_collision(job);
    let rule = Rule {
        mode: job.mode()?,
        seats: job.seats,
        weight_total: job.weight_total_lamports,
        quorum_bps: job.quorum_bps,
    };
    if agreed(&rule, &job.tally).is_some() {
        // The outcome that stands led strictly when it was counted, and what agrees leads strictly now.
        let window_s = if job.seats == 1 { job.challenge_s } else { job.agreement_s };
        job.transition(JobEvent::Agreed)?;
        job.window_deadline_unix = deadline_unix(now_unix, window_s)?;
        emit!(SeatsAgreed {
            market: job.market,
            job: job.key(),
            outcome: job.outcome,
            seats: job.seats,
            window_deadline_unix: job.window_deadline_unix,
        });
        return Ok(());
    }
    if job.seats < job.seats_max && now_unix < job.total_deadline_unix {
        arbitrate(job, clock)?;
    } else {
        job.deadlock(JobEvent::DisagreedLast, now_unix)?;
    }
    emit!(SeatsDisagreed {
        market: job.market,
        job: job.key(),
        attempt: job.attempt,
        seats: job.seats,
        seats_wanted: job.seats_wanted,
        queue_deadline_unix: job.queue_deadline_unix,
        window_deadline_unix: job.window_deadline_unix,
    });
    Ok(())
}

/// Draws one seat more.
fn arbitrate(job: &mut Account<'_, Job>, clock: &Clock) -> Result<()> {
    job.transition(JobEvent::DisagreedRequeued)?;
    job.fill = FILL_ARBITRATION;
    job.attempt = job.attempt.checked_add(1).ok_or(AssayError::AmountOverflow)?;
    job.arbiters = job.arbiters.checked_add(1).ok_or(AssayError::AmountOverflow)?;
    job.seats_wanted = job.seats.checked_add(1).ok_or(AssayError::AmountOverflow)?;
    job.draw = Draw::arm(DrawNow { slot: clock.slot, unix: clock.unix_timestamp });
    job.queue(clock.unix_timestamp)
}

/// Different outcomes of one task are a fact about its module, whoever is right.
fn report_collision(job: &Account<'_, Job>) {
    let distinct = job.tally.distinct();
    if distinct > 1 {
        emit!(CollisionSeen {
            market: job.market,
            job: job.key(),
            metered_hash: job.metered_hash,
            distinct,
            entropy_millibits: job.tally.entropy_millibits(),
        });
    }
}

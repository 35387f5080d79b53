//! Records the seed of a draw, from the block that was fixed before anybody knew its hash: of a job's seats, or of a dispute's jury.
//!
//! Who: anyone, once that block is there. State: the draw is recorded; a block that the chain has forgotten fixes a later one,
//! at most three times, and then every ticket wins. While a seat that was taken alone waits for its audit's draw, Revealing → Open for
//! the other seats when it is drawn, which it is too when the block is forgotten (P-19); else the runner may reveal. A dispute whose
//! entry is over begins its first round, and once the jury of a round is known, Drawing → Voting. Recording again changes nothing and
//! succeeds: whoever accepts may prefix it. Money: none.
//!
//! `0 [writable] job: with a draw, or the dispute's · 1 [writable, optional] dispute: the job's, whose jury is drawn`
//!
//! Errors: `NoDraw`, `SeedNotReady`, `JobMismatch`, `DeadlineNotReached`.

use anchor_lang::prelude::*;
use assay_protocol::{DisputeStatus, Draw, DrawNow, DrawState, DrawStep, Lookup, Purpose, Subject};

use crate::{
    errors::{require, AssayError},
    events::{AuditDecided, SeedRecorded},
    jury_rounds::{open_voting, start_round},
    slot_hashes,
    state::{Dispute, Job, AUDIT_DRAWN, AUDIT_SEED_PENDING},
};

/// Accounts of `record_seed`.
#[derive(Accounts)]
pub struct RecordSeed<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// Its dispute, when a jury is drawn.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub dispute: Option<Box<Account<'info, Dispute>>>,
}

impl RecordSeed<'_> {
    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        // Deliberately absent: a signer. The chain's list of slots alone decides, and the first record stands.
        let clock = Clock::get()?;
        let Self { job, dispute } = ctx.accounts;
        match dispute {
            Some(dispute) => record_jury(dispute, &clock),
            None => record_seats(job, &clock),
        }
    }
}

/// The draw of a job's seats, or whether the result of the one that was taken alone is audited.
fn record_seats(job: &mut Account<'_, Job>, clock: &Clock) -> Result<()> {
    let is_audit = job.audit == AUDIT_SEED_PENDING;
    let (purpose, round) = if is_audit { (Purpose::Audit, 0) } else { (Purpose::Seats, job.attempt) };
    let job_uid = job.job_uid;
    if record(&mut job.draw, &Subject { job_uid: &job_uid, purpose, round }, clock)? == DrawStep::Unchanged {
        return Ok(());
    }
    report(&job.draw, (job.market, job.key()), (purpose, round));
    if is_audit {
        job.decide_audit(DrawNow { slot: clock.slot, unix: clock.unix_timestamp })?;
        emit!(AuditDecided {
            market: job.market,
            job: job.key(),
            one_in: job.audit_one_in,
            is_drawn: job.audit == AUDIT_DRAWN,
            queue_deadline_unix: job.queue_deadline_unix,
            reveal_deadline_unix: job.reveal_deadline_unix,
        });
    }
    Ok(())
}

fn record_jury(dispute: &mut Dispute, clock: &Clock) -> Result<()> {
    match dispute.status()? {
        DisputeStatus::Entry => {
            require!(clock.unix_timestamp >= dispute.entry_deadline_unix, AssayError::DeadlineNotReached);
            start_round(dispute, 0, clock)
        }
        DisputeStatus::Drawing => {
            let (job_uid, round) = (dispute.job_uid, dispute.round);
            record(&mut dispute.draw, &Subject { job_uid: &job_uid, purpose: Purpose::Jury, round }, clock)?;
            report(&dispute.draw, (dispute.market, dispute.job), (Purpose::Jury, round));
            match dispute.draw.is_settled() {
                true => open_voting(dispute, clock.unix_timestamp),
                false => Ok(()),
            }
        }
        // Somebody was quicker.
        _ => Ok(()),
    }
}

fn record(draw: &mut Draw, subject: &Subject<'_>, clock: &Clock) -> Result<DrawStep> {
    let now = DrawNow { slot: clock.slot, unix: clock.unix_timestamp };
    let lookup = match draw.state {
        DrawState::Armed => slot_hashes::find(draw.seed_slot),
        _ => Lookup::NotReady,
    };
    Ok(draw.record(&lookup, now, subject).map_err(AssayError::from)?)
}

fn report(draw: &Draw, (market, job): (Pubkey, Pubkey), (purpose, round): (Purpose, u8)) {
    emit!(SeedRecorded {
        market,
        job,
        purpose: purpose as u8,
        round,
        seed: draw.seed,
        seed_slot: draw.seed_slot,
        is_everybody: draw.is_everybody(),
    });
}

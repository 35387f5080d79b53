//! Records the seed of a job's draw, from the block that was fixed before anybody knew its hash.
//!
//! Who: anyone, once that block is there. State: the draw is recorded; a block that the chain has forgotten fixes a later one,
//! at most three times, and then every ticket wins. Recording again changes nothing and succeeds: whoever accepts may prefix it.
//! Money: none.
//!
//! `0 [writable] job: with a draw`
//!
//! Errors: `NoDraw`, `SeedNotReady`.

use anchor_lang::prelude::*;
use assay_protocol::{DrawNow, DrawState, DrawStep, Lookup, Purpose, Subject};

use crate::{errors::AssayError, events::SeedRecorded, slot_hashes, state::Job};

/// Accounts of `record_seed`.
#[derive(Accounts)]
pub struct RecordSeed<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
}

impl RecordSeed<'_> {
    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        // Deliberately absent: a signer. The chain's list of slots alone decides, and the first record stands.
        let clock = Clock::get()?;
        let Self { job } = ctx.accounts;
        let (now, job_uid) = (DrawNow { slot: clock.slot, unix: clock.unix_timestamp }, job.job_uid);
        let lookup = match job.draw.state {
            DrawState::Armed => slot_hashes::find(job.draw.seed_slot),
            _ => Lookup::NotReady,
        };
        let subject = Subject { job_uid: &job_uid, purpose: Purpose::Seats, round: job.attempt };
        if job.draw.record(&lookup, now, &subject).map_err(AssayError::from)? == DrawStep::Unchanged {
            return Ok(());
        }
        emit!(SeedRecorded {
            market: job.market,
            job: job.key(),
            round: job.attempt,
            seed: job.draw.seed,
            seed_slot: job.draw.seed_slot,
            is_everybody: job.draw.is_everybody(),
        });
        Ok(())
    }
}

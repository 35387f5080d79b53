use anchor_lang::prelude::*;
use assay_protocol::{outcome::OUTCOME_BYTES, ExecutionEvent, ExecutionStatus};

use super::packed::account;
use crate::errors::AssayError;

/// One provider's seat in one job. PDA("execution", job, provider). While it exists, that provider cannot take the job
/// again; a missed one stays until the job is over.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Execution {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// [`ExecutionStatus`].
    pub status: u8,
    /// The job.
    pub job: Pubkey,
    /// The provider.
    pub provider: Pubkey,
    /// The hot key that accepted; replaced by the one that submitted.
    pub node_key: Pubkey,
    /// Who paid rent and gets it back.
    pub rent_payer: Pubkey,
    /// Number of the seat, from 0: the place in the job's `executors`.
    pub seat: u8,
    /// The job's attempt in which the seat was taken, from 0.
    pub attempt: u8,
    /// 1 when a ticket won the seat while not every ticket did, else 0. Only such seats confirm others.
    pub drawn: u8,
    /// Stake reserved for this seat, lamports; zero once it was lost.
    pub lock_lamports: u64,
    /// What the seat weighs in a quorum, lamports: the stake behind the tickets that the provider could use when it took the seat; where
    /// none is asked for, its stake.
    pub weight_lamports: u64,
    /// Hidden result; zero until committed, and when there is one seat.
    pub commitment: [u8; 32],
    /// Encoded outcome; zero until submitted or revealed.
    pub outcome: [u8; OUTCOME_BYTES],
    /// When the seat was taken.
    pub accepted_unix: i64,
    /// In which slot.
    pub accepted_slot: u64,
    /// When the commitment arrived, or with one seat the outcome; zero before.
    pub submitted_unix: i64,
    /// Seconds from the moment when the last seat was taken to that.
    pub elapsed_s: u32,
    /// Zero.
    pub reserved: [u8; 19],
}

account!(Execution, [50, 148, 225, 163, 129, 33, 229, 40], {
    version, bump, status, job, provider, node_key, rent_payer, seat, attempt, drawn, lock_lamports, weight_lamports,
    commitment, outcome, accepted_unix, accepted_slot, submitted_unix, elapsed_s, reserved,
});

impl Execution {
    /// Where the seat stands.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn status(&self) -> Result<ExecutionStatus> {
        Ok(ExecutionStatus::from_code(self.status).ok_or(AssayError::StatusUnknown)?)
    }

    /// Moves the seat on, by the protocol's table and in no other way.
    ///
    /// # Errors
    /// [`AssayError::TransitionForbidden`] when the event cannot happen in this status.
    pub fn transition(&mut self, event: ExecutionEvent) -> Result<()> {
        let next = self.status()?.transition(event).ok_or(AssayError::TransitionForbidden)?;
        self.status = next.code();
        Ok(())
    }
}

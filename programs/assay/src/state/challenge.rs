use anchor_lang::prelude::*;
use assay_protocol::{ChallengeEvent, ChallengeStatus};

use super::packed::account;
use crate::errors::AssayError;

/// What one wallet holds to be right in a dispute. PDA("challenge", dispute, challenger). Its bond lies in the dispute.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Challenge {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// [`ChallengeStatus`].
    pub status: u8,
    /// The dispute.
    pub dispute: Pubkey,
    /// Who challenges, paid bond and rent, and gets what is due.
    pub challenger: Pubkey,
    /// Hidden outcome; zero when an appeal named it at once.
    pub commitment: [u8; 32],
    /// Ballot hash of the outcome; zero until it is revealed.
    pub outcome_hash: [u8; 32],
    /// Everything that was paid in for it, lamports.
    pub bond_lamports: u64,
    /// When it was entered.
    pub entered_unix: i64,
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// Zero.
    pub reserved: [u8; 32],
}

account!(Challenge, [119, 250, 161, 121, 119, 81, 22, 208], {
    version, bump, status, dispute, challenger, commitment, outcome_hash, bond_lamports, entered_unix, rent_lamports,
    reserved,
});

impl Challenge {
    /// Where the challenge stands.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn status(&self) -> Result<ChallengeStatus> {
        Ok(ChallengeStatus::from_code(self.status).ok_or(AssayError::StatusUnknown)?)
    }

    /// Moves the challenge on, by the protocol's table and in no other way.
    ///
    /// # Errors
    /// [`AssayError::TransitionForbidden`] when the event cannot happen in this status.
    pub fn transition(&mut self, event: ChallengeEvent) -> Result<()> {
        let next = self.status()?.transition(event).ok_or(AssayError::TransitionForbidden)?;
        self.status = next.code();
        Ok(())
    }
}

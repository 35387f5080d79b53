use anchor_lang::prelude::*;
use assay_protocol::{VoteEvent, VoteStatus};

use super::packed::account;
use crate::errors::AssayError;

/// One juror's ballot in one round. PDA("vote", dispute, round, provider). It stays until the dispute is over.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Vote {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// [`VoteStatus`].
    pub status: u8,
    /// The dispute.
    pub dispute: Pubkey,
    /// The juror.
    pub provider: Pubkey,
    /// Who paid rent and gets it back.
    pub rent_payer: Pubkey,
    /// The round.
    pub round: u8,
    /// Tickets behind it; zero when it excuses its juror, and only then.
    pub weight: u64,
    /// Stake reserved for it, lamports.
    pub lock_lamports: u64,
    /// Hidden ballot; zero when it excuses its juror.
    pub commitment: [u8; 32],
    /// The ballot's hash; zero until it is revealed.
    pub ballot_hash: [u8; 32],
    /// When it was committed.
    pub committed_unix: i64,
    /// Usable tickets of the juror when it voted: none that came later is missed in its vote.
    pub tickets: u32,
    /// 1 when it weighs as much as the juror's free stake bore or as one vote can, so that nothing is missed in it; else 0.
    pub is_full: u8,
    /// Zero.
    pub reserved: [u8; 11],
}

account!(Vote, [96, 91, 104, 57, 145, 35, 172, 155], {
    version, bump, status, dispute, provider, rent_payer, round, weight, lock_lamports, commitment, ballot_hash,
    committed_unix, tickets, is_full, reserved,
});

impl Vote {
    /// Where the vote stands.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn status(&self) -> Result<VoteStatus> {
        Ok(VoteStatus::from_code(self.status).ok_or(AssayError::StatusUnknown)?)
    }

    /// Moves the vote on, by the protocol's table and in no other way.
    ///
    /// # Errors
    /// [`AssayError::TransitionForbidden`] when the event cannot happen in this status.
    pub fn transition(&mut self, event: VoteEvent) -> Result<()> {
        let next = self.status()?.transition(event).ok_or(AssayError::TransitionForbidden)?;
        self.status = next.code();
        Ok(())
    }
}

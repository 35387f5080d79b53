use anchor_lang::prelude::*;

use super::{packed::account, Job, STATUS_ACTIVE};
use crate::errors::AssayError;

/// What is known of a metered module in one market: how often its results differed. PDA("module", market, metered hash). It
/// never closes.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Module {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Always 1.
    pub status: u8,
    /// The market.
    pub market: Pubkey,
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
    /// The last job that was recorded; it may be closed.
    pub last_job: Pubkey,
    /// Jobs recorded whose seats gave different outcomes.
    pub collisions: u32,
    /// Most different outcomes of one of them.
    pub distinct_max: u8,
    /// How much the results of each differed, together, 1/1,000 bit.
    pub entropy_millibits_sum: u64,
    /// When the last one was recorded.
    pub last_unix: i64,
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// Zero.
    pub reserved: [u8; 32],
}

account!(Module, [234, 149, 112, 29, 65, 203, 69, 160], {
    version, bump, status, market, metered_hash, last_job, collisions, distinct_max, entropy_millibits_sum, last_unix,
    rent_lamports, reserved,
});

impl Module {
    /// A module of which nothing is known.
    #[must_use]
    pub const fn new(market: Pubkey, metered_hash: [u8; 32]) -> Self {
        Self {
            version: assay_protocol::PROTOCOL_VERSION,
            bump: 0,
            status: STATUS_ACTIVE,
            market,
            metered_hash,
            last_job: Pubkey::new_from_array([0; 32]),
            collisions: 0,
            distinct_max: 0,
            entropy_millibits_sum: 0,
            last_unix: 0,
            rent_lamports: 0,
            reserved: [0; 32],
        }
    }

    /// Counts a job of this module whose seats gave different outcomes.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a sum leaves its range.
    pub fn count(&mut self, key: Pubkey, job: &Job, now_unix: i64) -> Result<()> {
        let entropy_millibits = u64::from(job.tally.entropy_millibits());
        self.collisions = self.collisions.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.distinct_max = self.distinct_max.max(job.tally.distinct());
        let sum = self.entropy_millibits_sum.checked_add(entropy_millibits);
        self.entropy_millibits_sum = sum.ok_or(AssayError::AmountOverflow)?;
        (self.last_job, self.last_unix) = (key, now_unix);
        Ok(())
    }
}

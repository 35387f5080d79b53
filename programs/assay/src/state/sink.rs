use anchor_lang::prelude::*;

use super::packed::account;

/// Where burned shares go. PDA("sink"), one per program. No instruction takes lamports out.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Sink {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Always 1.
    pub status: u8,
    /// Everything burned so far, lamports.
    pub burned_lamports: u64,
    /// Zero.
    pub reserved: [u8; 32],
}

account!(Sink, [76, 91, 128, 201, 104, 198, 53, 108], {
    version, bump, status, burned_lamports, reserved,
});

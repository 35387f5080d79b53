use anchor_lang::prelude::*;

/// Where burned shares go. PDA("sink"), one per program. No instruction takes lamports out.
#[account]
#[derive(Debug, InitSpace)]
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

impl Sink {
    /// Bytes of the account, discriminator included.
    pub const SIZE_BYTES: usize = Self::DISCRIMINATOR.len() + Self::INIT_SPACE;
}

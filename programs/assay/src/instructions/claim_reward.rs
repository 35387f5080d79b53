//! Pays a provider's earnings to its authority.
//!
//! Who: anyone; the recipient is fixed. State: earnings → 0. Money: that amount, provider → authority. When the
//! authority's wallet could not hold it (an empty wallet and less than its rent minimum), the transaction fails and
//! the earnings stay claimable (P-21).
//!
//! `0 [writable] provider · 1 [writable] authority: the provider's`
//!
//! Errors: `AuthorityMismatch`, `NothingToClaim`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::RewardClaimed,
    invariants::check_backed,
    state::Provider,
};

/// Accounts of `claim_reward`.
#[derive(Accounts)]
pub struct ClaimReward<'info> {
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The provider's authority.
    /// CHECK: the provider's owner controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub authority: UncheckedAccount<'info>,
}

impl ClaimReward<'_> {
    fn validate(&self) -> Result<()> {
        // authority: bound by `has_one`.
        // Deliberately absent: a signer. Amount and recipient are fixed.
        let Self { provider, authority: _ } = self;
        require!(provider.earnings_lamports > 0, AssayError::NothingToClaim); // P-09
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { provider, authority } = ctx.accounts;
        let lamports = provider.earnings_lamports;
        provider.earnings_lamports = 0;
        provider.sub_lamports(lamports)?;
        authority.add_lamports(lamports)?;
        check_backed(provider)?;
        emit!(RewardClaimed { provider: provider.key(), authority: authority.key(), lamports });
        Ok(())
    }
}

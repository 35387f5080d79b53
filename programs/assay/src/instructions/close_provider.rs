//! Closes a provider that owes and is owed nothing.
//!
//! Who: the authority. State: Provider → none; its trust counters are gone. Money: rent, and donations if there were any, →
//! authority, which paid it.
//!
//! `0 [signer, writable] authority: receives · 1 [writable] provider: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `ProviderInUse`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::ProviderClosed,
    state::Provider,
};

/// Accounts of `close_provider`.
#[derive(Accounts)]
pub struct CloseProvider<'info> {
    /// The provider's authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, dup, close = authority, has_one = authority @ AssayError::AuthorityMismatch)]
    pub provider: Box<Account<'info, Provider>>,
}

impl CloseProvider<'_> {
    fn validate(&self) -> Result<()> {
        // authority: bound by `has_one`.
        let Self { authority: _, provider } = self;
        require!(provider.stake_lamports == 0, AssayError::ProviderInUse);
        require!(provider.locked_lamports == 0, AssayError::ProviderInUse);
        require!(provider.unbonding_lamports == 0, AssayError::ProviderInUse);
        require!(provider.earnings_lamports == 0, AssayError::ProviderInUse);
        require!(provider.tickets == 0, AssayError::ProviderInUse);
        require!(provider.active == 0, AssayError::ProviderInUse);
        // A missed seat's account names this provider until its job is over, and settling it needs the provider: closing
        // first would lock the poster's escrow (I-04).
        require!(provider.children_open == 0, AssayError::ProviderInUse);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let provider = &ctx.accounts.provider;
        emit!(ProviderClosed { market: provider.market, provider: provider.key(), lamports: provider.get_lamports() });
        Ok(())
    }
}

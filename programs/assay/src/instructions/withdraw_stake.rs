//! Pays out stake whose unbonding period is over.
//!
//! Who: the authority. State: unbonding → 0. Money: that amount, provider → authority.
//!
//! `0 [signer, writable] authority: receives · 1 [writable] provider: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `NothingUnbonding`, `StillUnbonding`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::StakeWithdrawn,
    invariants::check_backed,
    state::Provider,
};

/// Accounts of `withdraw_stake`.
#[derive(Accounts)]
pub struct WithdrawStake<'info> {
    /// The provider's authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub provider: Box<Account<'info, Provider>>,
}

impl WithdrawStake<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // authority: bound by `has_one`.
        let Self { authority: _, provider } = self;
        require!(provider.unbonding_lamports > 0, AssayError::NothingUnbonding);
        require!(now_unix >= provider.unbonding_until_unix, AssayError::StillUnbonding);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate(Clock::get()?.unix_timestamp)?;
        let Self { authority, provider } = ctx.accounts;
        let lamports = provider.unbonding_lamports;
        provider.unbonding_lamports = 0;
        provider.unbonding_until_unix = 0;
        provider.sub_lamports(lamports)?;
        authority.add_lamports(lamports)?;
        check_backed(provider)?;
        emit!(StakeWithdrawn { provider: provider.key(), lamports });
        Ok(())
    }
}

//! Adds stake.
//!
//! Who: the authority. State: the stake grows and matures anew. Money: that amount, authority → provider.
//!
//! `0 [signer, writable] authority: pays · 1 [writable] provider: its authority is account 0 · 2 [] system program`
//!
//! Errors: `AuthorityMismatch`, `AmountZero`, `AmountOverflow`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::Staked,
    invariants::check_backed,
    pda::transfer,
    state::{deadline_unix, Provider},
};

/// Arguments of `stake`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct StakeArgs {
    /// How much.
    pub lamports: u64,
}

/// Accounts of `stake`.
#[derive(Accounts)]
pub struct Stake<'info> {
    /// The provider's authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// Moves the stake.
    pub system_program: Program<'info, System>,
}

impl Stake<'_> {
    fn validate(&self, args: &StakeArgs) -> Result<()> {
        // authority: bound by `has_one`.
        // Deliberately absent: the market's pause. It stops new promises, not a provider's own money.
        let Self { authority: _, provider: _, system_program: _ } = self;
        require!(args.lamports > 0, AssayError::AmountZero);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: StakeArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let Self { authority, provider, system_program: _ } = ctx.accounts;
        let stake_lamports = provider.stake_lamports.checked_add(args.lamports).ok_or(AssayError::AmountOverflow)?;
        provider.stake_lamports = stake_lamports;
        provider.stake_mature_from_unix = deadline_unix(Clock::get()?.unix_timestamp, provider.maturing_s)?;
        transfer(authority, &provider.to_account_info(), args.lamports)?;
        check_backed(provider)?;
        emit!(Staked { provider: provider.key(), lamports: args.lamports, stake_lamports });
        Ok(())
    }
}

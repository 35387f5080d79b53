//! Pays a market's fees to its authority.
//!
//! Who: the authority. State: `fees_lamports` → 0. Money: that amount, market → authority.
//!
//! `0 [signer, writable] authority: receives the fees · 1 [writable] market: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `NothingToClaim`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    events::MarketFeesClaimed,
    invariants::check_backed,
    state::Market,
};

/// Accounts of `claim_market_fees`.
#[derive(Accounts)]
pub struct ClaimMarketFees<'info> {
    /// The market's authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The market.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub market: Box<Account<'info, Market>>,
}

impl ClaimMarketFees<'_> {
    fn validate(&self) -> Result<()> {
        // authority: bound by `has_one`.
        let Self { authority: _, market } = self;
        require!(market.fees_lamports > 0, AssayError::NothingToClaim);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { authority, market } = ctx.accounts;
        let lamports = market.fees_lamports;
        market.fees_lamports = 0;
        market.sub_lamports(lamports)?;
        authority.add_lamports(lamports)?;
        check_backed(market)?;
        emit!(MarketFeesClaimed { market: market.key(), authority: authority.key(), lamports });
        Ok(())
    }
}

//! Second half of handing a market over (I-06).
//!
//! Who: the proposed key. State: it becomes the authority, the proposal is used up. Unclaimed fees go with the
//! authority. Money: none.
//!
//! `0 [signer] new_authority: proposed · 1 [writable] market`
//!
//! Errors: `PendingAuthorityMismatch`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require_keys_eq, AssayError},
    events::MarketAuthorityAccepted,
    state::Market,
};

/// Accounts of `accept_market_authority`.
#[derive(Accounts)]
pub struct AcceptMarketAuthority<'info> {
    /// The proposed key.
    pub new_authority: Signer<'info>,
    /// The market.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
}

impl AcceptMarketAuthority<'_> {
    fn validate(&self) -> Result<()> {
        let Self { new_authority, market } = self;
        // The zero key, which means that nobody was proposed, is the system program's address and never signs.
        require_keys_eq!(market.pending_authority, new_authority.key(), AssayError::PendingAuthorityMismatch);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { new_authority, market } = ctx.accounts;
        market.authority = new_authority.key();
        market.pending_authority = Pubkey::default();
        emit!(MarketAuthorityAccepted { market: market.key(), authority: market.authority });
        Ok(())
    }
}

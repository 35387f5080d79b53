//! First half of handing a market over (I-06).
//!
//! Who: the authority. State: the proposed key is recorded and replaces an earlier proposal; the zero key withdraws
//! it. Nothing else changes until that key accepts. Money: none.
//!
//! `0 [signer] authority · 1 [writable] market: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`.

use anchor_lang::prelude::*;

use crate::{errors::AssayError, events::MarketAuthorityProposed, state::Market};

/// Arguments of `propose_market_authority`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ProposeMarketAuthorityArgs {
    /// Who may accept; zero withdraws.
    pub new_authority: Pubkey,
}

/// Accounts of `propose_market_authority`.
#[derive(Accounts)]
pub struct ProposeMarketAuthority<'info> {
    /// The market's authority.
    pub authority: Signer<'info>,
    /// The market.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub market: Box<Account<'info, Market>>,
}

impl ProposeMarketAuthority<'_> {
    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: ProposeMarketAuthorityArgs) -> Result<()> {
        // authority: bound by `has_one`.
        // Deliberately absent: any check of the proposed key. It proves itself by signing the acceptance.
        let Self { authority: _, market } = ctx.accounts;
        market.pending_authority = args.new_authority;
        emit!(MarketAuthorityProposed { market: market.key(), pending_authority: args.new_authority });
        Ok(())
    }
}

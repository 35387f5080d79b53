//! Changes a market's terms.
//!
//! Who: the authority. State: terms that worsen a staker's position are announced and wait the unbonding period in
//! force, so that stakers can leave first; other terms apply at once. A new call replaces what was announced. Jobs keep the terms
//! that they copied (P-22). Money: none.
//!
//! `0 [signer] authority · 1 [writable] market: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, the `Terms…` errors.

use anchor_lang::prelude::*;
use assay_protocol::MarketTerms;

use crate::{
    errors::AssayError,
    events::MarketUpdated,
    state::{deadline_unix, Market},
};

/// Arguments of `update_market`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateMarketArgs {
    /// All terms anew.
    pub terms: MarketTerms,
}

/// Accounts of `update_market`.
#[derive(Accounts)]
pub struct UpdateMarket<'info> {
    /// The market's authority.
    pub authority: Signer<'info>,
    /// The market.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub market: Box<Account<'info, Market>>,
}

impl UpdateMarket<'_> {
    fn validate(&self, args: &UpdateMarketArgs) -> Result<()> {
        // authority: bound by `has_one`.
        let Self { authority: _, market: _ } = self;
        args.terms.check().map_err(AssayError::from)?; // P-22
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: UpdateMarketArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let market = &mut ctx.accounts.market;
        let now_unix = Clock::get()?.unix_timestamp;
        let current = *market.current_terms(now_unix);
        let terms_from_unix = if current.worsens_for_stakers(&args.terms) {
            deadline_unix(now_unix, current.unbonding_s)?
        } else {
            now_unix
        };
        if terms_from_unix > now_unix {
            market.terms = current;
            market.pending_from_unix = terms_from_unix;
        } else {
            market.terms = args.terms;
            market.pending_from_unix = 0;
        }
        market.pending_terms = args.terms;
        emit!(MarketUpdated { market: market.key(), terms_from_unix });
        Ok(())
    }
}

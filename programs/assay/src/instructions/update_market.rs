//! Changes a market's terms.
//!
//! Who: the authority. State: the new terms are announced and wait the unbonding period in force, so that stakers can leave
//! first and nobody posts a job under other terms than were to be seen (P-22). A new call replaces what was announced, and the
//! terms in force take an announcement back. Jobs keep the terms that they copied. Money: none.
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
        let Self { authority: _, market } = self;
        // What may never change is the same in the terms in force and in those announced.
        args.terms.check_after(&market.terms).map_err(AssayError::from)?; // P-22
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
        let terms_from_unix =
            if args.terms == current { now_unix } else { deadline_unix(now_unix, current.unbonding_s)? };
        market.terms = current;
        market.pending_terms = args.terms;
        market.pending_from_unix = if args.terms == current { 0 } else { terms_from_unix };
        emit!(MarketUpdated { market: market.key(), terms_from_unix });
        Ok(())
    }
}

//! Creates a market.
//!
//! Who: anyone, under their own key. State: none → Market. Money: the authority pays rent.
//!
//! `0 [signer, writable] authority: pays rent, becomes creator and authority · 1 [writable] market: PDA("market",
//! authority, name), unused · 2 [] system program`
//!
//! Errors: `MintUnsupported`, `DigestZero`, the `Terms…` errors.

use anchor_lang::prelude::*;
use assay_protocol::{MarketTerms, PROTOCOL_VERSION};

use crate::{
    errors::AssayError,
    events::MarketCreated,
    state::{seeds, Market, STATUS_ACTIVE},
};

/// Arguments of `create_market`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateMarketArgs {
    /// Part of the address; any bytes.
    pub name: [u8; 32],
    /// `cluster_tag` of the cluster's genesis hash.
    pub cluster: [u8; 32],
    /// Zero.
    pub mint: Pubkey,
    /// Terms, inside the protocol's bounds.
    pub terms: MarketTerms,
}

/// Accounts of `create_market`.
#[derive(Accounts)]
#[instruction(args: CreateMarketArgs)]
pub struct CreateMarket<'info> {
    /// Pays rent, becomes creator and authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The new market.
    #[account(
        init,
        payer = authority,
        space = Market::SIZE_BYTES,
        seeds = [seeds::MARKET, authority.key().as_ref(), args.name.as_ref()],
        bump
    )]
    pub market: Box<Account<'info, Market>>,
    /// Creates accounts.
    pub system_program: Program<'info, System>,
}

impl CreateMarket<'_> {
    fn validate(&self, args: &CreateMarketArgs) -> Result<()> {
        // authority: signs, and the address holds its key, so nobody creates a market under another's.
        // market: `init` refuses a used address.
        // Deliberately absent: that `cluster` is true. Nothing on chain knows the genesis hash; clients compare it.
        let Self { authority: _, market: _, system_program: _ } = self;
        require_keys_eq!(args.mint, Pubkey::default(), AssayError::MintUnsupported);
        require!(args.cluster != [0; 32], AssayError::DigestZero);
        args.terms.check().map_err(AssayError::from)?; // P-22
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: CreateMarketArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let Self { authority, market, system_program: _ } = ctx.accounts;
        let rent_lamports = Rent::get()?.minimum_balance(Market::SIZE_BYTES);
        market.set_inner(Market {
            version: PROTOCOL_VERSION,
            bump: ctx.bumps.market,
            status: STATUS_ACTIVE,
            creator: authority.key(),
            authority: authority.key(),
            pending_authority: Pubkey::default(),
            mint: args.mint,
            name: args.name,
            cluster: args.cluster,
            fees_lamports: 0,
            paused_until_unix: 0,
            pause_allowed_from_unix: 0,
            terms: args.terms,
            pending_terms: args.terms,
            pending_from_unix: 0,
            rent_lamports,
            reserved: [0; 64],
        });
        emit!(MarketCreated { market: market.key(), authority: authority.key(), name: args.name });
        Ok(())
    }
}

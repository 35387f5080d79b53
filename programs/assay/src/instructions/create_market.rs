//! Creates a market.
//!
//! Who: anyone, under their own key. State: none → Market. Money: the authority pays rent.
//!
//! `0 [signer, writable] authority: pays rent, becomes creator and authority · 1 [writable] market: PDA("market",
//! authority, name), unused · 2 [] system program`
//!
//! Errors: `AccountInUse`, `AddressMismatch`, `MintUnsupported`, `DigestZero`, the `Terms…` errors.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{MarketTerms, PROTOCOL_VERSION};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::MarketCreated,
    pda::{write_new, NewAccount},
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
pub struct CreateMarket<'info> {
    /// Pays rent, becomes creator and authority.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The new market.
    /// CHECK: the authority chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub market: UncheckedAccount<'info>,
    /// Creates accounts.
    pub system_program: Program<'info, System>,
}

impl CreateMarket<'_> {
    fn validate(&self, args: &CreateMarketArgs) -> Result<()> {
        // authority: signs, and the address holds its key, so nobody creates a market under another's.
        // Deliberately absent: that `cluster` is true. Nothing on chain knows the genesis hash; clients compare it.
        let Self { authority: _, market, system_program: _ } = self;
        require_keys_eq!(*market.owner, system_program::ID, AssayError::AccountInUse);
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
        let authority_key = authority.key();
        let created = NewAccount {
            payer: authority,
            account: market,
            seeds: &[seeds::MARKET, authority_key.as_ref(), &args.name, &[]],
            size_bytes: Market::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        let opened = Box::new(Market {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: STATUS_ACTIVE,
            creator: authority_key,
            authority: authority_key,
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
            rent_lamports: created.rent_lamports,
            tickets_total: 0,
            duty_tickets_total: 0,
            reserved: [0; 64],
        });
        write_new(market, &*opened)?;
        emit!(MarketCreated { market: market.key(), authority: authority_key, name: args.name });
        Ok(())
    }
}

//! Registers a provider in a market.
//!
//! Who: its authority (cold key), co-signed by its node key (hot key), so that nobody registers another's. State: none
//! → Provider. Money: the authority pays rent and the first stake, which may be zero.
//!
//! `0 [signer, writable] authority: pays · 1 [signer] node_key · 2 [] market: not paused · 3 [writable] provider:
//! PDA("provider", market, authority), unused · 4 [] system program`
//!
//! Errors: `AccountInUse`, `AddressMismatch`, `MarketPaused`, `NodeKeyIsAuthority`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{TrustVector, PROTOCOL_VERSION};

use crate::{
    errors::{require, require_keys_eq, require_keys_neq, AssayError},
    events::ProviderRegistered,
    pda::{write_new, NewAccount},
    state::{deadline_unix, seeds, Market, Provider, STATUS_ACTIVE},
};

/// Arguments of `register_provider`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct RegisterProviderArgs {
    /// First stake.
    pub stake_lamports: u64,
    /// Most that may be locked at once, and that a stolen node key can lose.
    pub exposure_cap_lamports: u64,
    /// Most seats held at once; zero takes no job.
    pub capacity: u16,
    /// UTF-8, zero padded.
    pub endpoint: [u8; 64],
}

/// Accounts of `register_provider`.
#[derive(Accounts)]
pub struct RegisterProvider<'info> {
    /// Pays rent and stake; the cold key.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The hot key.
    pub node_key: Signer<'info>,
    /// The market.
    pub market: Box<Account<'info, Market>>,
    /// The new provider.
    /// CHECK: the authority chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub provider: UncheckedAccount<'info>,
    /// Creates accounts, moves the stake.
    pub system_program: Program<'info, System>,
}

impl RegisterProvider<'_> {
    fn validate(&self, now_unix: i64) -> Result<()> {
        // Deliberately absent: a least stake. `accept_job` asks for it, and the stake may arrive later.
        let Self { authority, node_key, market, provider, system_program: _ } = self;
        require_keys_eq!(*provider.owner, system_program::ID, AssayError::AccountInUse);
        require!(!market.is_paused(now_unix), AssayError::MarketPaused);
        require_keys_neq!(node_key.key(), authority.key(), AssayError::NodeKeyIsAuthority); // P-25
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: RegisterProviderArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(now_unix)?;
        let Self { authority, node_key, market, provider, system_program: _ } = ctx.accounts;
        let (market_key, authority_key) = (market.key(), authority.key());
        let maturing_s = market.current_terms(now_unix).unbonding_s;
        let created = NewAccount {
            payer: authority,
            account: provider,
            seeds: &[seeds::PROVIDER, market_key.as_ref(), authority_key.as_ref(), &[]],
            size_bytes: Provider::SIZE_BYTES,
            deposit_lamports: args.stake_lamports,
        }
        .create()?;
        let opened = Box::new(Provider {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: STATUS_ACTIVE,
            market: market_key,
            authority: authority_key,
            node_key: node_key.key(),
            stake_lamports: args.stake_lamports,
            locked_lamports: 0,
            unbonding_lamports: 0,
            unbonding_until_unix: 0,
            earnings_lamports: 0,
            exposure_cap_lamports: args.exposure_cap_lamports,
            stake_mature_from_unix: deadline_unix(now_unix, maturing_s)?,
            capacity: args.capacity,
            active: 0,
            endpoint: args.endpoint,
            trust: TrustVector::default(),
            registered_unix: now_unix,
            rent_lamports: created.rent_lamports,
            children_open: 0,
            maturing_s,
            tickets: 0,
            tickets_from_unix: 0,
            duty_lock_lamports: 0,
            duty_from_unix: 0,
            duty_until_unix: 0,
            jailed_until_unix: 0,
            misses_in_row: 0,
            votes_open: 0,
            unaudited_lamports: 0,
            duty_unbonding_s: 0,
            reserved: [0; 44],
        });
        write_new(provider, &*opened)?;
        emit!(ProviderRegistered {
            market: market_key,
            provider: provider.key(),
            authority: authority_key,
            node_key: node_key.key(),
            stake_lamports: args.stake_lamports,
        });
        Ok(())
    }
}

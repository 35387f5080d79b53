//! Changes a provider's node key, exposure cap, capacity or endpoint.
//!
//! Who: the authority; a new node key co-signs. State: what is given replaces what was, at once; what is absent stays.
//! Seats held go on under the new node key; of disputes opened before, that key makes the provider no party. Money: none.
//!
//! `0 [signer] authority · 1 [writable] provider: its authority is account 0 · 2 [signer, optional] new_node_key`
//!
//! Errors: `AuthorityMismatch`, `NodeKeyIsAuthority`.

use anchor_lang::prelude::*;

use crate::{
    errors::{require_keys_neq, AssayError},
    events::ProviderUpdated,
    state::Provider,
};

/// Arguments of `update_provider`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UpdateProviderArgs {
    /// Most that may be locked at once. Below what is locked, no new seat is taken.
    pub exposure_cap_lamports: Option<u64>,
    /// Most seats held at once.
    pub capacity: Option<u16>,
    /// UTF-8, zero padded.
    pub endpoint: Option<[u8; 64]>,
}

/// Accounts of `update_provider`.
#[derive(Accounts)]
pub struct UpdateProvider<'info> {
    /// The provider's authority.
    pub authority: Signer<'info>,
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// The hot key from now on.
    pub new_node_key: Option<Signer<'info>>,
}

impl UpdateProvider<'_> {
    fn validate(&self) -> Result<()> {
        // provider: bound by `has_one`.
        // Deliberately absent: bounds on cap and capacity. They protect the provider, and only from its own node key.
        let Self { authority, provider: _, new_node_key } = self;
        if let Some(node_key) = new_node_key {
            require_keys_neq!(node_key.key(), authority.key(), AssayError::NodeKeyIsAuthority);
            // P-25
        }
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: UpdateProviderArgs) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { authority: _, provider, new_node_key } = ctx.accounts;
        if let Some(node_key) = new_node_key {
            provider.node_key = node_key.key();
        }
        if let Some(exposure_cap_lamports) = args.exposure_cap_lamports {
            provider.exposure_cap_lamports = exposure_cap_lamports;
        }
        if let Some(capacity) = args.capacity {
            provider.capacity = capacity;
        }
        if let Some(endpoint) = args.endpoint {
            provider.endpoint = endpoint;
        }
        emit!(ProviderUpdated {
            provider: provider.key(),
            node_key: provider.node_key,
            exposure_cap_lamports: provider.exposure_cap_lamports,
            capacity: provider.capacity,
        });
        Ok(())
    }
}

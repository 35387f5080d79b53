//! Creates the Sink.
//!
//! Who: anyone, once per program. State: none → Sink. Money: the payer pays rent, for good.
//!
//! `0 [signer, writable] payer: pays rent · 1 [writable] sink: PDA("sink"), unused · 2 [] system program`
//!
//! Errors: `AccountInUse`, `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::PROTOCOL_VERSION;

use crate::{
    errors::{require_keys_eq, AssayError},
    events::SinkCreated,
    pda::{write_new, NewAccount},
    state::{seeds, Sink, STATUS_ACTIVE},
};

/// Accounts of `create_sink`.
#[derive(Accounts)]
pub struct CreateSink<'info> {
    /// Pays rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The Sink.
    /// CHECK: the payer chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub sink: UncheckedAccount<'info>,
    /// Creates accounts.
    pub system_program: Program<'info, System>,
}

impl CreateSink<'_> {
    fn validate(&self) -> Result<()> {
        // Deliberately absent: an authority. The Sink has one address and nobody owns it.
        let Self { payer: _, sink, system_program: _ } = self;
        require_keys_eq!(*sink.owner, system_program::ID, AssayError::AccountInUse);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        ctx.accounts.validate()?;
        let Self { payer, sink, system_program: _ } = ctx.accounts;
        let created = NewAccount {
            payer,
            account: sink,
            seeds: &[seeds::SINK, &[], &[], &[]],
            size_bytes: Sink::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        let opened = Sink {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: STATUS_ACTIVE,
            burned_lamports: 0,
            reserved: [0; 32],
        };
        write_new(sink, &opened)?;
        emit!(SinkCreated { sink: sink.key() });
        Ok(())
    }
}

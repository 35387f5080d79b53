//! Creates the Sink.
//!
//! Who: anyone, once per program. State: none → Sink. Money: the payer pays rent, for good.
//!
//! `0 [signer, writable] payer: pays rent · 1 [writable] sink: PDA("sink"), unused · 2 [] system program`
//!
//! Errors: the system program's when the Sink exists.

use anchor_lang::prelude::*;
use assay_protocol::PROTOCOL_VERSION;

use crate::{
    events::SinkCreated,
    state::{seeds, Sink, STATUS_ACTIVE},
};

/// Accounts of `create_sink`.
#[derive(Accounts)]
pub struct CreateSink<'info> {
    /// Pays rent.
    #[account(mut)]
    pub payer: Signer<'info>,
    /// The Sink.
    #[account(init, payer = payer, space = Sink::SIZE_BYTES, seeds = [seeds::SINK], bump)]
    pub sink: Account<'info, Sink>,
    /// Creates accounts.
    pub system_program: Program<'info, System>,
}

impl CreateSink<'_> {
    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        // Nothing to validate: the Sink has one address, no authority and no arguments.
        let Self { payer: _, sink, system_program: _ } = ctx.accounts;
        sink.set_inner(Sink {
            version: PROTOCOL_VERSION,
            bump: ctx.bumps.sink,
            status: STATUS_ACTIVE,
            burned_lamports: 0,
            reserved: [0; 32],
        });
        emit!(SinkCreated { sink: sink.key() });
        Ok(())
    }
}

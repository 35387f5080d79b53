//! Counts stake as tickets for draws, or stops counting what is gone.
//!
//! Who: the provider's node key, so that nobody else makes tickets young (P-16); to shrink, anyone. State: tickets := stake / unit,
//! rounded down, once the stake is mature and unless the provider serves as juror or duty locks some of it; the market's totals move
//! along. Money: none.
//!
//! `0 [signer] signer: whoever asks · 1 [writable] market: the provider's · 2 [writable] provider`
//!
//! Errors: `MarketMismatch`, `NothingToEnroll`.

use anchor_lang::prelude::*;
use assay_protocol::tickets::tickets_of;

use crate::{
    errors::{require, AssayError},
    events::StakeEnrolled,
    state::{Market, Provider},
};

/// Accounts of `enroll_stake`.
#[derive(Accounts)]
pub struct EnrollStake<'info> {
    /// Whoever asks; only the provider's node key lets its tickets grow.
    pub signer: Signer<'info>,
    /// The provider's market.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// The provider.
    #[account(mut, dup, has_one = market @ AssayError::MarketMismatch)]
    pub provider: Box<Account<'info, Provider>>,
}

impl EnrollStake<'_> {
    /// How many tickets there are from now on.
    fn validate(&self, now_unix: i64) -> Result<u32> {
        // market: bound by `has_one`.
        // Deliberately absent: the market's pause. It stops new promises, and a ticket is none.
        let Self { signer, market, provider } = self;
        let borne = tickets_of(provider.stake_lamports, market.terms.ticket_lamports);
        // The duty lock stands for the tickets that there were when duty began: none votes without one behind it, and none leaves
        // a jury by growing young.
        let may_grow = signer.key() == provider.node_key
            && now_unix >= provider.stake_mature_from_unix
            && !provider.is_on_duty()
            && provider.duty_lock_lamports == 0;
        let tickets = if may_grow { borne } else { borne.min(provider.tickets) };
        require!(tickets != provider.tickets, AssayError::NothingToEnroll);
        Ok(tickets)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        let tickets = ctx.accounts.validate(now_unix)?;
        let Self { signer: _, market, provider } = ctx.accounts;
        if tickets > provider.tickets {
            provider.tickets_from_unix = now_unix;
        }
        market.count_tickets(provider, tickets)?;
        emit!(StakeEnrolled { provider: provider.key(), tickets, tickets_total: market.tickets_total });
        Ok(())
    }
}

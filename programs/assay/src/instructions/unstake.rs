//! Begins to take stake out.
//!
//! Who: the authority. State: free stake → unbonding; the market's unbonding period begins anew for everything that
//! unbonds (P-11); tickets that the rest does not bear are gone. Money: none yet.
//!
//! `0 [signer] authority · 1 [writable] market: the provider's · 2 [writable] provider: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `MarketMismatch`, `AmountZero`, `FreeStakeTooSmall`, `StakeOnDuty`, `JuryReserveTooSmall`.

use anchor_lang::prelude::*;
use assay_protocol::tickets::tickets_of;

use crate::{
    errors::{require, AssayError},
    events::Unstaked,
    invariants::check_backed,
    state::{deadline_unix, Market, Provider},
};

/// Arguments of `unstake`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct UnstakeArgs {
    /// How much.
    pub lamports: u64,
}

/// Accounts of `unstake`.
#[derive(Accounts)]
pub struct Unstake<'info> {
    /// The provider's authority.
    pub authority: Signer<'info>,
    /// The provider's market, for its unbonding period and its sum of tickets.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch, has_one = market @ AssayError::MarketMismatch)]
    pub provider: Box<Account<'info, Provider>>,
}

impl Unstake<'_> {
    fn validate(&self, args: &UnstakeArgs, now_unix: i64) -> Result<()> {
        // authority, market: bound by `has_one`.
        // Deliberately absent: the market's pause, which never blocks a withdrawal (I-10).
        let Self { authority: _, market, provider } = self;
        require!(args.lamports > 0, AssayError::AmountZero);
        require!(provider.free_stake_lamports()? >= args.lamports, AssayError::FreeStakeTooSmall);
        if provider.duty_lock_lamports > 0 {
            // A jury's quorum counts these tickets: they may not leave while it sits.
            let left_lamports = provider.stake_lamports.saturating_sub(args.lamports);
            let borne = tickets_of(left_lamports, market.terms.ticket_lamports);
            require!(borne >= provider.tickets, AssayError::StakeOnDuty);
            // Nor the bonds of their votes, beside what seats bind (P-18).
            let reserve_lamports = provider.jury_reserve_lamports(market.current_terms(now_unix));
            let bound_lamports = provider.locked_lamports.saturating_add(reserve_lamports);
            require!(left_lamports >= bound_lamports, AssayError::JuryReserveTooSmall);
        }
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: UnstakeArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(&args, now_unix)?;
        let Self { authority: _, market, provider } = ctx.accounts;
        let until_unix = deadline_unix(now_unix, market.current_terms(now_unix).unbonding_s)?;
        provider.stake_lamports =
            provider.stake_lamports.checked_sub(args.lamports).ok_or(AssayError::AmountOverflow)?;
        provider.unbonding_lamports =
            provider.unbonding_lamports.checked_add(args.lamports).ok_or(AssayError::AmountOverflow)?;
        // A market that shortens its period does not shorten a wait that has begun.
        provider.unbonding_until_unix = provider.unbonding_until_unix.max(until_unix);
        let tickets = provider.usable_tickets(market.terms.ticket_lamports);
        market.count_tickets(provider, tickets)?;
        check_backed(provider)?;
        emit!(Unstaked {
            provider: provider.key(),
            lamports: args.lamports,
            unbonding_until_unix: provider.unbonding_until_unix,
        });
        Ok(())
    }
}

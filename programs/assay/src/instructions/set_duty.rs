//! Begins or ends a provider's service as juror.
//!
//! Who: the authority. State: on, the provider's tickets that its stake bears count for juries, and the others are gone; off, they do
//! not count any more; off once more, after the unbonding period, the longer of those in force then and when duty began, its lock is
//! released. On again not before that: whoever was put off duty is a juror of the disputes of its time as long.
//! Money: none; a share of the stake of these tickets is locked, the most that an absence costs, once.
//!
//! `0 [signer] authority · 1 [writable] market: the provider's · 2 [writable] provider: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `MarketMismatch`, `DutyUnchanged`, `WeightOutOfRange`, `FreeStakeTooSmall`, `ExposureCapReached`,
//! `JuryReserveTooSmall`, `StillOnDuty`.

use anchor_lang::prelude::*;
use assay_protocol::{
    duty::{duty_lock, Enrolled},
    MarketTerms,
};

use crate::{
    errors::{require, AssayError},
    events::DutySet,
    invariants::check_backed,
    state::{deadline_unix, Market, Provider},
};

/// Arguments of `set_duty`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SetDutyArgs {
    /// Whether to serve.
    pub on: bool,
}

/// Accounts of `set_duty`.
#[derive(Accounts)]
pub struct SetDuty<'info> {
    /// The provider's authority.
    pub authority: Signer<'info>,
    /// The provider's market.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// The provider.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch, has_one = market @ AssayError::MarketMismatch)]
    pub provider: Box<Account<'info, Provider>>,
}

impl SetDuty<'_> {
    /// What duty locks from now on.
    fn validate(&self, on: bool, now_unix: i64) -> Result<u64> {
        // authority, market: bound by `has_one`.
        // Deliberately absent: the market's pause. Whoever judges past promises makes no new one.
        let Self { authority: _, market, provider } = self;
        let is_releasing = !on && !provider.is_on_duty();
        require!(on != provider.is_on_duty() || is_releasing, AssayError::DutyUnchanged);
        let terms = market.current_terms(now_unix);
        let held_lamports = provider.duty_lock_lamports;
        if on {
            require!(held_lamports == 0, AssayError::DutyUnchanged);
            require!(now_unix >= self.released_unix(terms)?, AssayError::StillOnDuty);
            let tickets = provider.usable_tickets(terms.ticket_lamports);
            require!(tickets > 0, AssayError::WeightOutOfRange);
            let enrolled = Enrolled { tickets, unit_lamports: terms.ticket_lamports };
            let lock_lamports = duty_lock(enrolled, terms.duty_rate_bps).map_err(AssayError::from)?;
            provider.check_lockable(lock_lamports)?; // P-07, P-25
            provider.check_reserve(lock_lamports, terms)?; // P-18
            return Ok(lock_lamports);
        }
        if !is_releasing {
            return Ok(held_lamports);
        }
        require!(held_lamports > 0, AssayError::DutyUnchanged);
        require!(now_unix >= self.released_unix(terms)?, AssayError::StillOnDuty);
        Ok(0)
    }

    /// From when on no dispute of its last duty goes on: unbonding outlasts those of jobs that were posted under the terms of its
    /// beginning, or under these. At once where it never served.
    fn released_unix(&self, terms: &MarketTerms) -> Result<i64> {
        let Self { authority: _, market: _, provider } = self;
        if provider.duty_until_unix == 0 {
            return Ok(0);
        }
        deadline_unix(provider.duty_until_unix, terms.unbonding_s.max(provider.duty_unbonding_s))
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: SetDutyArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        let lock_lamports = ctx.accounts.validate(args.on, now_unix)?;
        let Self { authority: _, market, provider } = ctx.accounts;
        let others_lamports = provider.locked_lamports.checked_sub(provider.duty_lock_lamports);
        let locked_lamports = others_lamports.and_then(|others| others.checked_add(lock_lamports));
        provider.locked_lamports = locked_lamports.ok_or(AssayError::AmountOverflow)?;
        provider.duty_lock_lamports = lock_lamports;
        if args.on {
            // A jury that counted tickets without stake would wait for votes that nobody has.
            let tickets = provider.usable_tickets(market.terms.ticket_lamports);
            market.count_tickets(provider, tickets)?;
            market.begin_duty(provider, now_unix)?;
            provider.duty_unbonding_s = market.current_terms(now_unix).unbonding_s;
        } else if provider.is_on_duty() {
            market.end_duty(provider, now_unix)?;
        }
        check_backed(provider)?;
        emit!(DutySet {
            market: market.key(),
            provider: provider.key(),
            is_on: args.on,
            lock_lamports,
            duty_tickets_total: market.duty_tickets_total,
        });
        Ok(())
    }
}

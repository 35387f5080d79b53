//! Pauses a market, or ends its pause.
//!
//! Who: the authority. State: creating and accepting jobs and registering are refused until `until_unix`, at most 72
//! hours ahead, once in 7 days; a time not later than now ends the pause. Everything else goes on: submitting,
//! settling, expiring, cancelling, claiming and withdrawing never stop (I-10). Money: none.
//!
//! `0 [signer] authority · 1 [writable] market: its authority is account 0`
//!
//! Errors: `AuthorityMismatch`, `PauseTooLong`, `PauseTooSoon`.

use anchor_lang::prelude::*;
use assay_protocol::limits::{PAUSE_PERIOD_S, PAUSE_S_MAX};

use crate::{
    errors::{require, AssayError},
    events::MarketPaused,
    state::{deadline_unix, Market},
};

/// Arguments of `pause_market`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct PauseMarketArgs {
    /// End of the pause.
    pub until_unix: i64,
}

/// Accounts of `pause_market`.
#[derive(Accounts)]
pub struct PauseMarket<'info> {
    /// The market's authority.
    pub authority: Signer<'info>,
    /// The market.
    #[account(mut, dup, has_one = authority @ AssayError::AuthorityMismatch)]
    pub market: Box<Account<'info, Market>>,
}

impl PauseMarket<'_> {
    fn validate(&self, args: &PauseMarketArgs, now_unix: i64) -> Result<()> {
        // authority: bound by `has_one`.
        let Self { authority: _, market } = self;
        if args.until_unix <= now_unix {
            // Ending a pause is always allowed.
            return Ok(());
        }
        require!(args.until_unix <= deadline_unix(now_unix, PAUSE_S_MAX)?, AssayError::PauseTooLong);
        require!(now_unix >= market.pause_allowed_from_unix, AssayError::PauseTooSoon);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: PauseMarketArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(&args, now_unix)?;
        let market = &mut ctx.accounts.market;
        if args.until_unix > now_unix {
            market.pause_allowed_from_unix = deadline_unix(now_unix, PAUSE_PERIOD_S)?;
        }
        market.paused_until_unix = args.until_unix;
        emit!(MarketPaused { market: market.key(), paused_until_unix: args.until_unix });
        Ok(())
    }
}

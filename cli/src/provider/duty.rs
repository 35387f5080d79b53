//! Jury duty.

use assay_sdk::{
    instructions::{self, Duty},
    protocol::duty::{Enrolled, ON_DUTY, duty_lock, jury_reserve},
};
use clap::ValueEnum;

use super::own::Own;
use crate::{
    chain::Action,
    context::Context,
    error::{CliError, CliResult, Context as _},
    output::{duration, lamports},
};

/// What `assay provider duty` is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Serve.
    On,
    /// Serve no more; a second time, when that is over for long enough, unlocks the duty's stake.
    Off,
}

pub(super) async fn duty(context: &Context, switch: Switch) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    let now_unix = own.chain.now_unix().await?;
    let terms = own.market.current_terms(now_unix);
    let (duty, plan) = match switch {
        Switch::On => {
            let tickets = provider.usable_tickets(terms.ticket_lamports);
            let enrolled = Enrolled { tickets, unit_lamports: terms.ticket_lamports };
            let lock = duty_lock(enrolled, terms.duty_rate_bps).context("the duty lock cannot be computed")?;
            let plan = format!(
                "Puts {} on jury duty with {tickets} tickets and locks {} of its stake.\n  That lock is lost, once, if a ticket is \
                 drawn and the bot does not vote: keep it running, with content nodes and free stake.\n  A vote locks {} for each \
                 ticket, lost if the jury finds otherwise or the vote is not shown; for all of them {} stay free beside your seats.\n  \
                 After its end the lock stays for {}.",
                own.seat.address(),
                lamports(lock),
                lamports(terms.juror_bond_lamports),
                lamports(jury_reserve(tickets, terms.juror_bond_lamports)),
                duration(i64::from(terms.unbonding_s)),
            );
            (Duty::Begin, plan)
        }
        Switch::Off if provider.duty_until_unix == ON_DUTY => {
            let plan = format!(
                "Ends the jury duty of {} for disputes that are opened from now on; those before count on it still.\n  Run it again \
                 in {} to unlock {}.",
                own.seat.address(),
                duration(provider.duty_release_s(terms.unbonding_s)),
                lamports(provider.duty_lock_lamports)
            );
            (Duty::End, plan)
        }
        Switch::Off => {
            let until = provider.duty_until_unix.saturating_add(provider.duty_release_s(terms.unbonding_s));
            let left = until.saturating_sub(now_unix);
            if provider.duty_lock_lamports > 0 && left > 0 {
                let problem = format!("the duty's stake is locked for another {}", duration(left));
                return Err(CliError::new(problem).with_next("run `assay provider duty off` again then"));
            }
            (Duty::End, format!("Unlocks {} of past jury duty.", lamports(provider.duty_lock_lamports)))
        }
    };
    let action = Action {
        plan,
        doing: "changing the jury duty",
        instructions: &[instructions::set_duty(&own.seat, duty)],
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

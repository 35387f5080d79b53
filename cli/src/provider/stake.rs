//! Stake and earnings.

use assay_sdk::instructions;

use super::own::Own;
use crate::{
    chain::Action,
    context::Context,
    error::{CliError, CliResult},
    output::{duration, lamports},
};

pub(super) async fn stake(context: &Context, amount: u64) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    let action = Action {
        plan: format!(
            "Adds {} to the stake of {}, which is {} now.",
            lamports(amount),
            own.seat.address(),
            lamports(provider.stake_lamports)
        ),
        doing: "staking",
        costs: &[("stake", amount)],
        instructions: &[instructions::stake(&own.seat, amount)],
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

pub(super) async fn unstake(context: &Context, amount: u64) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    let free = provider.free_stake_lamports();
    if amount > free {
        return Err(CliError::new(format!("{} cannot be unstaked: {} are free", lamports(amount), lamports(free)))
            .with_cause(format!(
                "of {} stake {} are locked by {} seats",
                lamports(provider.stake_lamports),
                lamports(provider.locked_lamports),
                provider.active
            ))
            .with_next(format!(
                "unstake at most {}; locked stake becomes free when its seat is settled: `assay provider status`",
                lamports(free)
            )));
    }
    let terms = own.market.current_terms(own.chain.now_unix().await?);
    let mut remarks = String::new();
    if provider.unbonding_lamports > 0 {
        let sum = lamports(provider.unbonding_lamports);
        remarks = format!("\n  The {sum} already on their way out wait as long again.");
    }
    let rest = provider.stake_lamports.saturating_sub(amount);
    if rest > 0 && rest < terms.stake_min_lamports {
        let minimum = lamports(terms.stake_min_lamports);
        remarks.push_str(&format!(
            "\n  {} stay, and the market asks for {minimum}: no further job is taken.",
            lamports(rest)
        ));
    }
    let action = Action {
        plan: format!(
            "Takes {} out of {} free stake; it can be withdrawn in {}.{remarks}",
            lamports(amount),
            lamports(free),
            duration(i64::from(terms.unbonding_s)),
        ),
        doing: "unstaking",
        instructions: &[instructions::unstake(&own.seat, amount)],
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

pub(super) async fn withdraw(context: &Context) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    let sum = lamports(provider.unbonding_lamports);
    if provider.unbonding_lamports == 0 {
        return Err(CliError::new(format!(
            "there is nothing to withdraw: no stake of {} is unbonding",
            own.seat.address()
        ))
        .with_next("begin with `assay provider unstake AMOUNT`"));
    }
    let left = provider.unbonding_until_unix.saturating_sub(own.chain.now_unix().await?);
    if left > 0 {
        return Err(CliError::new(format!(
            "nothing can be withdrawn yet: {sum} are unbonding for another {}",
            duration(left)
        ))
        .with_next("run `assay provider withdraw` again then"));
    }
    let action = Action {
        plan: format!("Pays {sum} out to {}.", own.seat.authority),
        doing: "withdrawing",
        instructions: &[instructions::withdraw_stake(&own.seat)],
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

pub(super) async fn claim(context: &Context) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    if provider.earnings_lamports == 0 {
        let json = serde_json::json!({ "provider": own.seat.address().to_string(), "claimed_lamports": 0 });
        context.output.result(&json, || println!("there are no earnings to claim"));
        return Ok(());
    }
    let action = Action {
        plan: format!("Pays {} of earnings out to {}.", lamports(provider.earnings_lamports), own.seat.authority),
        doing: "claiming",
        instructions: &[instructions::claim_reward(&own.seat)],
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

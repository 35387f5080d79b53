//! Stake and earnings.

use std::sync::Arc;

use assay_protocol::tickets::tickets_of;
use assay_sdk::{
    client::SharedSigner,
    instructions::{self, EnrollStake},
};
use solana_signer::Signer;

use super::{EnrollArgs, files::NODE_KEY_NAME, own::Own, register::hot_key};
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

/// Only the hot key lets tickets grow, so that nobody else makes them young; the cold one pays.
pub(super) async fn enroll(context: &Context, args: &EnrollArgs) -> CliResult {
    let node_key = hot_key(&args.dir.join(NODE_KEY_NAME), &args.dir)?;
    let (own, provider) = Own::registered(context).await?;
    let now_unix = own.chain.now_unix().await?;
    let (node, address) = (node_key.pubkey(), own.seat.address());
    if node != provider.node_key {
        return Err(CliError::new(format!("{node} is not the hot key of {address}, which is {}", provider.node_key))
            .with_next("name the directory of that one with --dir"));
    }
    let unit = own.market.current_terms(now_unix).ticket_lamports;
    let (tickets, enrolled) = (tickets_of(provider.stake_lamports, unit), provider.tickets);
    let left_s = provider.stake_mature_from_unix.saturating_sub(now_unix);
    let obstacle = if tickets == enrolled {
        Some((
            format!("all of it is counted: {tickets} tickets of {}", lamports(unit)),
            "add stake: `assay provider stake AMOUNT`",
        ))
    } else if tickets > enrolled && left_s > 0 {
        Some((format!("it matures for another {}", duration(left_s)), "run this again then, or let the bot do it"))
    } else if tickets > enrolled && provider.duty_lock_lamports > 0 {
        Some(("it stands for jury duty, which is counted as it was".to_owned(), "end the duty first"))
    } else {
        None
    };
    if let Some((why, next)) = obstacle {
        return Err(CliError::new(format!("no stake of {address} can be enrolled now"))
            .with_cause(why)
            .with_next(next));
    }
    let enroll = EnrollStake { signer: node, market: own.seat.market, provider: address };
    let signer: SharedSigner = Arc::new(node_key);
    let action = Action {
        plan: format!(
            "Counts {tickets} tickets of {} each for {address}, {enrolled} until now. Those of draws that are going on stay as \
             they were.",
            lamports(unit)
        ),
        doing: "enrolling",
        instructions: &[instructions::enroll_stake(&enroll)],
        signers: &[signer],
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

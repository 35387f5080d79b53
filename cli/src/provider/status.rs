//! `assay provider status`.

use assay_sdk::{accounts::Keyed, instructions::ProviderAuthority, program::accounts::Provider};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Hint},
    output::{duration, lamports, table},
    provider::{
        StatusArgs,
        own::{not_registered, short},
    },
};

#[derive(Debug, Serialize)]
struct View {
    provider: String,
    authority: String,
    node_key: String,
    endpoint: String,
    stake_lamports: u64,
    stake_min_lamports: u64,
    locked_lamports: u64,
    unbonding_lamports: u64,
    unbonding_left_s: i64,
    earnings_lamports: u64,
    exposure_cap_lamports: u64,
    seats: u16,
    capacity: u16,
    completed: u32,
    missed: u32,
    declined: u32,
    latency_ms_per_gigagas: u32,
    node_balance_lamports: Option<u64>,
}

pub(super) async fn status(context: &Context, args: &StatusArgs) -> CliResult {
    let chain = Chain::reading(context).await?;
    let (market, terms) = chain.market().await?;
    let now_unix = chain.now_unix().await?;
    let stake_min = terms.current_terms(now_unix).stake_min_lamports;
    if args.all {
        let views: Vec<View> =
            chain.providers(market).await?.iter().map(|found| view(found, (stake_min, now_unix))).collect();
        context.output.result(&views, || print_all(&views));
        return Ok(());
    }
    let authority = match args.authority {
        Some(authority) => authority,
        None => context.keypair()?.pubkey(),
    };
    let seat = ProviderAuthority { authority, market };
    let found: Option<Provider> = chain.client().fetch_optional(&seat.address()).await.hint()?;
    let found = Keyed { address: seat.address(), account: found.ok_or_else(|| not_registered(&seat))? };
    let mut view = view(&found, (stake_min, now_unix));
    view.node_balance_lamports = Some(chain.client().balance(&found.account.node_key).await.hint()?);
    context.output.result(&view, || print_one(&view));
    Ok(())
}

fn view(found: &Keyed<Provider>, (stake_min_lamports, now_unix): (u64, i64)) -> View {
    let Keyed { address, account: provider } = found;
    View {
        provider: address.to_string(),
        authority: provider.authority.to_string(),
        node_key: provider.node_key.to_string(),
        endpoint: provider.endpoint_text(),
        stake_lamports: provider.stake_lamports,
        stake_min_lamports,
        locked_lamports: provider.locked_lamports,
        unbonding_lamports: provider.unbonding_lamports,
        unbonding_left_s: provider.unbonding_until_unix.saturating_sub(now_unix).max(0),
        earnings_lamports: provider.earnings_lamports,
        exposure_cap_lamports: provider.exposure_cap_lamports,
        seats: provider.active,
        capacity: provider.capacity,
        completed: provider.trust.completed,
        missed: provider.trust.missed,
        declined: provider.trust.declined,
        latency_ms_per_gigagas: provider.trust.latency_ms_avg,
        node_balance_lamports: None,
    }
}

fn print_one(view: &View) {
    println!("provider   {}", view.provider);
    println!("authority  {}", view.authority);
    let balance = view.node_balance_lamports.map_or_else(String::new, |sum| format!(", holds {}", lamports(sum)));
    println!("hot key    {}{balance}", view.node_key);
    println!(
        "stake      {}, {} locked, at most {} locked at once",
        lamports(view.stake_lamports),
        lamports(view.locked_lamports),
        lamports(view.exposure_cap_lamports)
    );
    if view.stake_lamports < view.stake_min_lamports {
        let missing = lamports(view.stake_min_lamports.saturating_sub(view.stake_lamports));
        println!("           {missing} are missing to the market's minimum: no job is taken until they are staked");
    }
    if view.unbonding_lamports > 0 {
        let when = match view.unbonding_left_s {
            0 => "now; type `assay provider withdraw`".to_owned(),
            left => format!("in {}", duration(left)),
        };
        println!("unbonding  {}, can be withdrawn {when}", lamports(view.unbonding_lamports));
    }
    println!("earnings   {} to claim", lamports(view.earnings_lamports));
    println!("seats      {} of {} taken", view.seats, view.capacity);
    println!("record     {} completed, {} missed, {} given back", view.completed, view.missed, view.declined);
}

fn print_all(views: &[View]) {
    let mut rows = table(["provider", "stake", "locked", "earnings", "seats", "completed", "missed", "given back"]);
    for view in views {
        rows.add_row([
            view.provider.parse::<Pubkey>().map_or_else(|_| view.provider.clone(), |address| short(&address)),
            lamports(view.stake_lamports),
            lamports(view.locked_lamports),
            lamports(view.earnings_lamports),
            format!("{}/{}", view.seats, view.capacity),
            view.completed.to_string(),
            view.missed.to_string(),
            view.declined.to_string(),
        ]);
    }
    println!("{rows}");
}

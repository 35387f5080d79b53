//! `assay market show` and `list`.

use assay_sdk::program::accounts::Market;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult},
    market::terms::{TermsView, rows},
    output::{duration, lamports, percent, table},
};

/// A market as JSON.
#[derive(Debug, Serialize)]
struct MarketView {
    market: String,
    name: String,
    authority: String,
    /// To whom the market is being handed over, until that key accepts.
    pending_authority: Option<String>,
    #[serde(flatten)]
    terms: TermsView,
    /// Terms that were announced and do not hold yet.
    pending: Option<Pending>,
    fees_lamports: u64,
    paused: bool,
    paused_until_unix: Option<i64>,
    /// Before this moment no further pause may begin.
    pause_allowed_from_unix: i64,
}

/// Announced terms as JSON.
#[derive(Debug, Serialize)]
struct Pending {
    from_unix: i64,
    #[serde(flatten)]
    terms: TermsView,
}

fn is_announced(market: &Market, now_unix: i64) -> bool {
    market.pending_from_unix > now_unix
}

fn view(address: &Pubkey, market: &Market, now_unix: i64) -> MarketView {
    let pending_authority = Some(market.pending_authority).filter(|authority| *authority != Pubkey::default());
    let paused = market.is_paused(now_unix);
    MarketView {
        market: address.to_string(),
        name: market.name_text(),
        authority: market.authority.to_string(),
        pending_authority: pending_authority.map(|authority| authority.to_string()),
        terms: market.current_terms(now_unix).into(),
        pending: is_announced(market, now_unix).then(|| Pending {
            from_unix: market.pending_from_unix,
            terms: assay_protocol::MarketTerms::from(market.pending_terms).into(),
        }),
        fees_lamports: market.fees_lamports,
        paused,
        paused_until_unix: paused.then_some(market.paused_until_unix),
        pause_allowed_from_unix: market.pause_allowed_from_unix,
    }
}

pub(super) async fn show(context: &Context) -> CliResult {
    let chain = Chain::reading(context).await?;
    let (address, market) = chain.market().await?;
    let now_unix = chain.now_unix().await?;
    context.output.result(&view(&address, &market, now_unix), || print(&address, &market, now_unix));
    Ok(())
}

fn print(address: &Pubkey, market: &Market, now_unix: i64) {
    let line = |name: &str, text: &str| println!("{name:<11} {text}");
    line("market", &format!("{address}  ({:?})", market.name_text()));
    line("authority", &market.authority.to_string());
    if market.pending_authority != Pubkey::default() {
        line("handed to", &format!("{}, once that key accepts", market.pending_authority));
    }
    let left = |until: i64| duration(until.saturating_sub(now_unix));
    if market.is_paused(now_unix) {
        let left = left(market.paused_until_unix);
        line("paused", &format!("for another {left}: no new jobs, acceptances or registrations"));
    } else {
        line("paused", "no");
    }
    line("fees", &format!("{} for the authority to claim", lamports(market.fees_lamports)));
    let current = rows(&market.current_terms(now_unix));
    for (name, text) in &current {
        line(name, text);
    }
    if is_announced(market, now_unix) {
        let from = chrono::DateTime::from_timestamp(market.pending_from_unix, 0);
        let from = from.map_or_else(String::new, |from| from.format("%Y-%m-%d %H:%M:%S UTC").to_string());
        let left = left(market.pending_from_unix);
        println!("announced, from {from} on, in {left}; jobs posted before keep their terms:");
        for (name, text) in rows(&market.pending_terms.into()).iter().filter(|row| !current.contains(row)) {
            line(name, text);
        }
    }
}

pub(super) async fn list(context: &Context) -> CliResult {
    let chain = Chain::reading(context).await?;
    let now_unix = chain.now_unix().await?;
    let markets = chain.markets().await?;
    let views: Vec<MarketView> = markets.iter().map(|(address, market)| view(address, market, now_unix)).collect();
    context.output.result(&views, || {
        let mut shown = table(["market", "name", "fee", "stake from", "paused"]);
        for (view, (_, market)) in views.iter().zip(&markets) {
            shown.add_row([
                view.market.clone(),
                view.name.clone(),
                percent(market.current_terms(now_unix).fee_bps),
                lamports(view.terms.stake_min_lamports),
                if view.paused { "yes".to_owned() } else { "no".to_owned() },
            ]);
        }
        println!("{shown}");
    });
    if views.is_empty() && !context.output.json {
        return Err(CliError::new("there is no market on this cluster")
            .with_next("create one with `assay market create --name NAME`"));
    }
    Ok(())
}

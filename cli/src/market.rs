//! `assay market`: create a market, show one.

use assay_protocol::{MarketTerms, fees};
use assay_sdk::program::accounts::Market;
use clap::{Args, Subcommand};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Context as _},
    output::{duration, grouped, lamports, parse_lamports, table},
};

/// `assay market`.
#[derive(Debug, Subcommand)]
pub enum MarketCommand {
    /// Creates a market under your key.
    Create(Box<CreateArgs>),
    /// Shows a market's terms.
    Show,
    /// Lists the markets of the cluster.
    List,
}

/// `assay market create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name, up to 32 bytes.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    terms: TermsArgs,
}

/// Terms of a market, with defaults for a public one.
#[derive(Clone, Debug, Args)]
pub struct TermsArgs {
    /// Fee on top of the pay, basis points.
    #[arg(long, default_value_t = 200)]
    fee_bps: u16,
    /// Least stake of a provider.
    #[arg(long, default_value = "1sol", value_parser = parse_lamports)]
    stake_min: u64,
    /// Least bond of a seat.
    #[arg(long, default_value = "0.01sol", value_parser = parse_lamports)]
    bond_min: u64,
    /// Bond in basis points of the most a seat can be paid.
    #[arg(long, default_value_t = 10_000)]
    bond_rate_bps: u32,
    /// Share of the bond lost by a missed deadline, basis points.
    #[arg(long, default_value_t = 5_000)]
    miss_rate_bps: u16,
    /// Most of that share that goes to the poster.
    #[arg(long, default_value = "0.001sol", value_parser = parse_lamports)]
    delay_fee: u64,
    /// Cost of giving a seat back.
    #[arg(long, default_value = "0.0001sol", value_parser = parse_lamports)]
    decline_fee: u64,
    /// Times a job is handed out.
    #[arg(long, default_value_t = 3)]
    attempts_max: u8,
    /// Seconds that a job waits for a provider.
    #[arg(long, default_value_t = 3_600)]
    queue_timeout_s: u32,
    /// Seconds for one execution, beside the gas limit at the verify rate.
    #[arg(long, default_value_t = 120)]
    execution_base_s: u32,
    /// Seconds of the challenge window, beside the gas limit at the verify rate.
    #[arg(long, default_value_t = 600)]
    challenge_base_s: u32,
    /// Seconds from a job's creation after which it is not queued again.
    #[arg(long, default_value_t = 86_400)]
    job_total_s: u32,
    /// Seconds from unstaking to withdrawing.
    #[arg(long, default_value_t = 259_200)]
    unbonding_s: u32,
    /// Gas per second that a verifier is expected to manage.
    #[arg(long, default_value_t = 100_000_000)]
    verify_rate: u64,
    /// Highest gas limit of a job.
    #[arg(long, default_value_t = 1_000_000_000_000)]
    gas_limit_max: u64,
}

impl TermsArgs {
    fn terms(&self) -> CliResult<MarketTerms> {
        let terms = MarketTerms {
            fee_bps: self.fee_bps,
            stake_min_lamports: self.stake_min,
            bond_min_lamports: self.bond_min,
            bond_rate_bps: self.bond_rate_bps,
            miss_rate_bps: self.miss_rate_bps,
            delay_fee_lamports: self.delay_fee,
            decline_fee_lamports: self.decline_fee,
            attempts_max: self.attempts_max,
            queue_timeout_s: self.queue_timeout_s,
            execution_base_s: self.execution_base_s,
            challenge_base_s: self.challenge_base_s,
            job_total_s: self.job_total_s,
            unbonding_s: self.unbonding_s,
            verify_rate_gas_per_s: self.verify_rate,
            gas_limit_max: self.gas_limit_max,
            profiles: 1,
        };
        terms.check().context("these terms are outside the protocol's bounds")?;
        Ok(terms)
    }
}

/// A market as JSON.
#[derive(Debug, Serialize)]
struct MarketView {
    market: String,
    name: String,
    authority: String,
    fee_bps: u16,
    stake_min_lamports: u64,
    bond_min_lamports: u64,
    bond_rate_bps: u32,
    miss_rate_bps: u16,
    attempts_max: u8,
    queue_timeout_s: u32,
    execution_base_s: u32,
    challenge_base_s: u32,
    unbonding_s: u32,
    gas_limit_max: u64,
    verify_rate_gas_per_s: u64,
    fees_lamports: u64,
    paused: bool,
}

fn view(address: &Pubkey, market: &Market, now_unix: i64) -> MarketView {
    let terms = market.current_terms(now_unix);
    MarketView {
        market: address.to_string(),
        name: market.name_text(),
        authority: market.authority.to_string(),
        fee_bps: terms.fee_bps,
        stake_min_lamports: terms.stake_min_lamports,
        bond_min_lamports: terms.bond_min_lamports,
        bond_rate_bps: terms.bond_rate_bps,
        miss_rate_bps: terms.miss_rate_bps,
        attempts_max: terms.attempts_max,
        queue_timeout_s: terms.queue_timeout_s,
        execution_base_s: terms.execution_base_s,
        challenge_base_s: terms.challenge_base_s,
        unbonding_s: terms.unbonding_s,
        gas_limit_max: terms.gas_limit_max,
        verify_rate_gas_per_s: terms.verify_rate_gas_per_s,
        fees_lamports: market.fees_lamports,
        paused: market.is_paused(now_unix),
    }
}

fn percent(bps: impl Into<u32>) -> String {
    let bps = bps.into();
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// Runs `assay market`.
pub async fn run(context: &Context, command: MarketCommand) -> CliResult {
    match command {
        MarketCommand::Create(args) => create(context, &args).await,
        MarketCommand::Show => show(context).await,
        MarketCommand::List => list(context).await,
    }
}

async fn create(context: &Context, args: &CreateArgs) -> CliResult {
    let terms = args.terms.terms()?;
    let chain = Chain::signing(context).await?;
    let execution = fees::window_s(terms.execution_base_s, terms.gas_limit_max, terms.verify_rate_gas_per_s);
    context.confirm(&format!(
        "Creates the market {:?} on {} under {}.\n  Pays the rent of its account, which stays in it.\n  \
         Providers get {} of a job with the highest gas limit to run it; results are final after {} at the least.",
        args.name,
        context.settings.cluster.value,
        chain.signer()?,
        duration(i64::try_from(execution).unwrap_or(i64::MAX)),
        duration(i64::from(terms.challenge_base_s)),
    ))?;
    let (market, signature) = chain.create_market(&args.name, terms).await?;
    let json = serde_json::json!({ "market": market.to_string(), "signature": signature.to_string() });
    context.output.result(&json, || {
        println!("market {market}");
        println!("next: assay config set market {market}");
    });
    Ok(())
}

async fn show(context: &Context) -> CliResult {
    let chain = Chain::reading(context).await?;
    let (address, market) = chain.market().await?;
    let view = view(&address, &market, chain.now_unix().await?);
    context.output.result(&view, || {
        println!("market         {}  ({:?})", view.market, view.name);
        println!("authority      {}", view.authority);
        println!(
            "fee            {} on top of the pay; {} to claim",
            percent(view.fee_bps),
            lamports(view.fees_lamports)
        );
        println!("stake          at least {}", lamports(view.stake_min_lamports));
        println!(
            "bond           {} of the most pay, at least {}",
            percent(view.bond_rate_bps),
            lamports(view.bond_min_lamports)
        );
        println!("missed         costs {} of the bond; {} attempts", percent(view.miss_rate_bps), view.attempts_max);
        println!("queue          {}", duration(i64::from(view.queue_timeout_s)));
        println!(
            "windows        execution {}, challenge {}, each plus gas limit / {} per second",
            duration(i64::from(view.execution_base_s)),
            duration(i64::from(view.challenge_base_s)),
            grouped(view.verify_rate_gas_per_s)
        );
        println!("gas limit      at most {}", grouped(view.gas_limit_max));
        println!("unbonding      {}", duration(i64::from(view.unbonding_s)));
        if view.paused {
            println!("paused         no new jobs, acceptances or registrations for now");
        }
    });
    Ok(())
}

async fn list(context: &Context) -> CliResult {
    let chain = Chain::reading(context).await?;
    let now_unix = chain.now_unix().await?;
    let views: Vec<MarketView> =
        chain.markets().await?.iter().map(|(address, market)| view(address, market, now_unix)).collect();
    context.output.result(&views, || {
        let mut rows = table(["market", "name", "fee", "stake from"]);
        for view in &views {
            rows.add_row([
                view.market.clone(),
                view.name.clone(),
                percent(view.fee_bps),
                lamports(view.stake_min_lamports),
            ]);
        }
        println!("{rows}");
    });
    if views.is_empty() {
        return Err(CliError::new("there is no market on this cluster")
            .with_next("create one with `assay market create --name NAME`"));
    }
    Ok(())
}

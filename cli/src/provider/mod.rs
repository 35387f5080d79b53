//! `assay provider`: register, stake, start the bot, look after it.

mod duty;
mod files;
mod held;
mod history;
mod own;
mod receipts;
mod register;
mod stake;
mod start;
mod status;

pub use files::NewProvider;
use files::create;
#[cfg(feature = "localnet")]
pub use files::create_local;
pub use receipts::list as list_receipts;
pub use start::start;

use std::{net::SocketAddr, path::PathBuf};

use assay_executor::config::EngineName;
use clap::{Args, Subcommand};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::CliResult,
    output::{lamports, parse_lamports, typeable},
    parse::{address, some_lamports},
};

/// Where a provider's files are, unless told otherwise.
const DIR_DEFAULT: &str = "provider";

/// `assay provider`.
#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    /// Writes a provider's configuration and its hot key.
    Init(InitArgs),
    /// Registers you as a provider and stakes.
    Register(RegisterArgs),
    /// Changes exposure cap, capacity, endpoint or hot key, at once.
    Update(UpdateArgs),
    /// Adds to your stake.
    Stake(AmountArgs),
    /// Counts stake that has matured in the draws for seats. A running bot does so by itself.
    Enroll(EnrollArgs),
    /// Begins to take stake out; it can be withdrawn after the market's unbonding period.
    Unstake(AmountArgs),
    /// Pays out what has unbonded.
    Withdraw,
    /// Begins or ends jury duty: serving is paid, being absent costs a part of the stake.
    Duty(DutyArgs),
    /// Runs the bot: takes jobs, runs them, gets paid. Ctrl-C finishes what it owes, twice stops at once.
    Start(StartArgs),
    /// Shows stake and what locks it, tickets, duty, seats, earnings, disputes, record and trust.
    Status(StatusArgs),
    /// Lists the receipts that the bot on this machine signed, newest first.
    Receipts(ReceiptsArgs),
    /// Pays your earnings out to you.
    Claim,
    /// Ends your registration; the rent comes back. Stake and earnings must be out before.
    Close,
}

/// `assay provider init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Directory for configuration, hot key and data.
    #[arg(long, default_value = DIR_DEFAULT, value_name = "DIR")]
    dir: PathBuf,
    /// Address of the cold key; by default your keypair's.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    authority: Option<Pubkey>,
    /// Where metrics, health and receipts are served; by default on loopback, port 9464.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Allows an address that others reach: they may read metrics, health and receipts.
    #[arg(long, requires = "listen")]
    public: bool,
}

/// `assay provider register`.
#[derive(Debug, Args)]
pub struct RegisterArgs {
    /// Directory that `init` wrote; its hot key signs too.
    #[arg(long, default_value = DIR_DEFAULT, value_name = "DIR")]
    dir: PathBuf,
    /// Stake, such as 2 or 1.5sol.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    stake: u64,
    /// Most that may be locked at once, and that a stolen hot key can lose; by default the whole stake.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    exposure_cap: Option<u64>,
    /// Most seats at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    capacity: u16,
    /// Where the provider can be reached, up to 64 bytes.
    #[arg(long, default_value = "", hide_default_value = true)]
    endpoint: String,
    /// SOL for the hot key, which pays for transactions and the rent of seats.
    #[arg(long, value_name = "AMOUNT", default_value = "0.1sol", value_parser = parse_lamports)]
    fund_node: u64,
}

/// `assay provider update`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct UpdateArgs {
    /// Most that may be locked at once, and that a stolen hot key can lose.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    exposure_cap: Option<u64>,
    /// Most seats at once; 0 takes no new ones.
    #[arg(long, value_name = "N")]
    capacity: Option<u16>,
    /// Where the provider can be reached, up to 64 bytes.
    #[arg(long)]
    endpoint: Option<String>,
    /// Keypair file of another hot key, which signs too and is the only one from then on.
    #[arg(long, value_name = "FILE")]
    node_key: Option<PathBuf>,
}

/// An amount.
#[derive(Debug, Args)]
pub struct AmountArgs {
    /// How much, such as 2 or 0.5sol.
    #[arg(value_parser = some_lamports)]
    amount: u64,
}

/// `assay provider enroll`.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// Directory that `init` wrote; its hot key signs too.
    #[arg(long, default_value = DIR_DEFAULT, value_name = "DIR")]
    dir: PathBuf,
}

/// `assay provider duty`.
#[derive(Debug, Args)]
pub struct DutyArgs {
    /// Whether you serve.
    switch: duty::Switch,
}

/// `assay provider start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Configuration file.
    #[arg(long, default_value = "provider/provider.toml", value_name = "FILE")]
    config: PathBuf,
    /// Take over seats that the chain shows and the journal does not know; only when the journal is lost for good.
    #[arg(long)]
    adopt_unknown_seats: bool,
    /// Keep the content of jobs that failed on this host.
    #[arg(long)]
    keep_on_failure: bool,
    /// What runs guests, instead of what worker.engine says: wasmi (the reference, an interpreter), wasmtime (a compiler)
    /// or auto.
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineName>,
    /// Stop when this process, the parent, is gone.
    #[arg(long, hide = true, value_name = "PID")]
    die_with: Option<i32>,
}

/// `assay provider receipts`.
#[derive(Debug, Args)]
pub struct ReceiptsArgs {
    /// Configuration file of the bot.
    #[arg(long, default_value = "provider/provider.toml", value_name = "FILE")]
    config: PathBuf,
    /// Most receipts.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u16,
}

/// `assay provider status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The cold key whose provider to show; by default your own.
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with = "all")]
    authority: Option<Pubkey>,
    /// All providers of the market.
    #[arg(long)]
    all: bool,
    /// Adds up what its seats and its votes earned and lost over time, slashes included, from the transactions that touched it: the
    /// newest 10,000, as far as the endpoint has them.
    #[arg(long, conflicts_with = "all")]
    history: bool,
}

/// Runs `assay provider`.
pub async fn run(context: &Context, command: ProviderCommand) -> CliResult {
    match command {
        ProviderCommand::Init(args) => init(context, args).await,
        ProviderCommand::Register(args) => register::register(context, &args).await,
        ProviderCommand::Update(args) => register::update(context, &args).await,
        ProviderCommand::Stake(args) => stake::stake(context, args.amount).await,
        ProviderCommand::Enroll(args) => stake::enroll(context, &args).await,
        ProviderCommand::Unstake(args) => stake::unstake(context, args.amount).await,
        ProviderCommand::Withdraw => stake::withdraw(context).await,
        ProviderCommand::Duty(args) => duty::duty(context, args.switch).await,
        ProviderCommand::Start(args) => start(&args).await,
        ProviderCommand::Receipts(args) => receipts::list(context.output, &args),
        ProviderCommand::Status(args) => status::status(context, &args).await,
        ProviderCommand::Claim => stake::claim(context).await,
        ProviderCommand::Close => register::close(context).await,
    }
}

async fn init(context: &Context, args: InitArgs) -> CliResult {
    let authority = match args.authority {
        Some(authority) => authority,
        None => context.keypair()?.pubkey(),
    };
    let chain = Chain::reading(context).await?;
    let (market, account) = chain.market().await?;
    let stake_min = account.current_terms(chain.now_unix().await?).stake_min_lamports;
    let settings = &context.settings;
    let files = create(&NewProvider {
        dir: &args.dir,
        market,
        authority,
        cluster: settings.cluster.value.rpc_url.to_string(),
        ws_url: settings.cluster.value.ws_url.clone(),
        content: settings.content.value.clone(),
        gateways: settings.gateways.value.clone(),
        listen: args.listen,
        public: args.public,
        base_fee_min_lamports: None,
        runs_max: None,
    })?;
    let node_key = files.node_key.pubkey().to_string();
    let json = serde_json::json!({
        "config": files.config_path.display().to_string(),
        "node_key_path": files.node_key_path.display().to_string(),
        "node_key": node_key,
        "market": market.to_string(),
        "authority": authority.to_string(),
    });
    context.output.result(&json, || {
        println!("config   {}", files.config_path.display());
        println!("hot key  {node_key} in {}", files.node_key_path.display());
        println!("market   {market}");
        println!(
            "next: assay provider register --dir {} --stake AMOUNT, signed by {authority}; jobs are taken from {} on",
            typeable(&args.dir),
            lamports(stake_min)
        );
    });
    Ok(())
}

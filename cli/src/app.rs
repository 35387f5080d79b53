//! The command line: what there is, and which module does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    completion,
    config::{self, ConfigCommand},
    context::{Context, GlobalArgs},
    doctor,
    error::{CliResult, Context as _, EXIT_CODES},
    job::{self, JobCommand},
    market::{self, MarketCommand},
    provider::{self, ProviderCommand},
    run, verify,
    wallet::{self, WalletCommand},
};

/// A marketplace for verifiable computation on Solana.
///
/// Post a WebAssembly job, have a provider run it, and check any result by running it again: same bytes, same gas.
#[derive(Debug, Parser)]
#[command(name = "assay", version, after_help = EXIT_CODES, arg_required_else_help = true, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a module, or a job directory, exactly as a provider would.
    Run(run::RunArgs),
    /// Posts jobs, follows them, fetches their results.
    #[command(subcommand)]
    Job(JobCommand),
    /// Runs a job again and compares outcome, gas and result, field by field.
    Verify(verify::VerifyArgs),
    /// Works as a provider: registers, stakes, runs the bot.
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Creates and shows markets.
    #[command(subcommand)]
    Market(MarketCommand),
    /// Creates the keypair that pays and signs, shows what it holds.
    #[command(subcommand)]
    Wallet(WalletCommand),
    /// Checks cluster, program, market, wallet, content node and sandbox.
    Doctor,
    /// Shows and changes what the commands use by default.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints a completion script for a shell.
    Completion(completion::CompletionArgs),
}

/// Parses, runs, reports.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.globals.json;
    // A bot without a log is a riddle.
    let least = u8::from(matches!(cli.command, Command::Provider(ProviderCommand::Start(_)))) * 2;
    start_logging(cli.globals.verbose.max(least));
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => error.report(json),
    }
}

fn dispatch(cli: Cli) -> CliResult<ExitCode> {
    let Cli { globals, command } = cli;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    runtime.block_on(run_command(&globals, command))?;
    Ok(ExitCode::SUCCESS)
}

async fn run_command(globals: &GlobalArgs, command: Command) -> CliResult {
    match command {
        Command::Completion(args) => return completion::run(&args),
        // Needs neither cluster nor keypair, so broken settings do not stop it.
        Command::Run(args) => return run::run(globals.output(), args).await,
        _ => {}
    }
    let context = Context::new(globals)?;
    match command {
        Command::Completion(_) | Command::Run(_) => Ok(()),
        Command::Config(command) => config::run(command, &context.settings, context.output),
        Command::Market(command) => market::run(&context, command).await,
        Command::Provider(command) => provider::run(&context, command).await,
        Command::Wallet(command) => wallet::run(&context, command).await,
        Command::Job(command) => job::run(&context, command).await,
        Command::Verify(args) => verify::run(&context, &args).await,
        Command::Doctor => doctor::run(&context).await,
    }
}

/// Warnings by default; `ASSAY_LOG` (as RUST_LOG) overrides the flags.
fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "error",
        1 => "warn,assay=info",
        2 => "info,assay=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

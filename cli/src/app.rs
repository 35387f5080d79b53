//! The command line: what there is, and which module does it.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};
use tracing_subscriber::EnvFilter;

use crate::{
    author::{self, AuthorCommand},
    completion,
    config::{self, ConfigCommand},
    context::{Context, GlobalArgs},
    dispute::{self, DisputeCommand},
    doctor,
    error::{CliError, CliResult, Context as _, EXIT_CODES, Exit},
    job::{self, JobCommand},
    market::{self, MarketCommand},
    output::{self, LogWriter},
    provider::{self, ProviderCommand},
    receipt::{self, ReceiptCommand},
    run, verify,
    wallet::{self, WalletCommand},
};
#[cfg(feature = "localnet")]
use crate::{demo, localnet};

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
    #[command(flatten)]
    Networked(Networked),
    #[command(flatten)]
    Standalone(Standalone),
}

/// Commands that use the settings: cluster, keypair, content node, market.
#[derive(Debug, Subcommand)]
enum Networked {
    /// Posts jobs, follows them, fetches their results.
    #[command(subcommand)]
    Job(JobCommand),
    /// Runs a job again and compares outcome, gas and result, field by field.
    Verify(verify::VerifyArgs),
    /// Contests results, judges what others contest, brings disputes to their end.
    #[command(subcommand)]
    Dispute(DisputeCommand),
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
}

/// Commands that need no settings, so that broken ones do not stop them.
#[derive(Debug, Subcommand)]
enum Standalone {
    /// Runs a module, or a job directory, exactly as a provider would.
    Run(run::RunArgs),
    #[command(flatten)]
    Author(AuthorCommand),
    /// Shows receipts, checks them by running them again, compares them.
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Keeps a local network up: ledger, content node, providers.
    #[cfg(feature = "localnet")]
    Localnet(localnet::LocalnetArgs),
    /// Posts the sample jobs on a local network, shows what they cost, verifies one.
    #[cfg(feature = "localnet")]
    Demo(demo::DemoArgs),
    /// Prints a completion script for a shell.
    Completion(completion::CompletionArgs),
}

/// Parses, runs, reports.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let json = cli.globals.json;
    start_logging(cli.globals.verbose, &cli.command);
    match dispatch(cli).and_then(|()| output::require_printed()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
    }
}

/// A command line that clap does not take. Help and version come this way, too, and are printed as they are.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    // Nothing is parsed yet, so the flag is looked for where it can stand: before `--`.
    let wants_json = std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|arg| arg == "--json");
    if !wants_json {
        eprint!("{text}");
        return ExitCode::from(Exit::Usage as u8);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return CliError::usage("a command is missing").with_next("`--help` lists the commands").report(true);
    }
    usage_error(&text).report(true)
}

/// Clap's text has paragraphs: the error, tips, the usage, where to find help.
fn usage_error(text: &str) -> CliError {
    let one_line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(one_line).filter(|paragraph| !paragraph.is_empty());
    let what = paragraphs.next().unwrap_or_default();
    let next: Vec<String> = paragraphs.filter(|paragraph| !paragraph.starts_with("For more information")).collect();
    let error = CliError::usage(what.strip_prefix("error: ").unwrap_or(&what));
    error.with_next(if next.is_empty() { "see `--help`".to_owned() } else { next.join("; ") })
}

fn dispatch(cli: Cli) -> CliResult {
    let Cli { globals, command } = cli;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    let done = runtime.block_on(async {
        match command {
            Command::Standalone(command) => run_standalone(&globals, command).await,
            // The bot has a configuration of its own.
            Command::Networked(Networked::Provider(ProviderCommand::Start(args))) => provider::start(&args).await,
            Command::Networked(Networked::Provider(ProviderCommand::Receipts(args))) => {
                provider::list_receipts(globals.output(), &args)
            }
            Command::Networked(command) => run_networked(&Context::new(&globals)?, command).await,
        }
    });
    // A guest in this process that was given up goes on in its thread, which ends with the process.
    runtime.shutdown_background();
    done
}

async fn run_standalone(globals: &GlobalArgs, command: Standalone) -> CliResult {
    match command {
        Standalone::Run(args) => run::run(globals.output(), args).await,
        Standalone::Author(command) => author::run(globals.output(), command).await,
        Standalone::Receipt(command) => receipt::run(globals, command).await,
        #[cfg(feature = "localnet")]
        Standalone::Localnet(args) => localnet::run(globals.output(), &args).await,
        #[cfg(feature = "localnet")]
        Standalone::Demo(args) => demo::run(globals.output(), &args).await,
        Standalone::Completion(args) => completion::run(&args),
    }
}

async fn run_networked(context: &Context, command: Networked) -> CliResult {
    match command {
        Networked::Job(command) => job::run(context, command).await,
        Networked::Verify(args) => verify::run(context, &args).await,
        Networked::Dispute(command) => dispute::run(context, command).await,
        Networked::Provider(command) => provider::run(context, command).await,
        Networked::Market(command) => market::run(context, command).await,
        Networked::Wallet(command) => wallet::run(context, command).await,
        Networked::Doctor => doctor::run(context).await,
        Networked::Config(command) => config::run(command, &context.settings, context.output),
    }
}

/// `ASSAY_LOG` (as RUST_LOG) overrides the flags. A bot without a log is a riddle, so it says what it does.
fn start_logging(verbose: u8, command: &Command) {
    let is_bot = matches!(command, Command::Networked(Networked::Provider(ProviderCommand::Start(_))));
    let default = match verbose {
        0 | 1 if is_bot => "info",
        // The embedded ledger reports ordinary refusals as errors.
        0 => "off",
        1 => "warn",
        2 => "info,assay=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("ASSAY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(|| LogWriter).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_refused_command_line_keeps_what_is_wrong_and_what_is_right() {
        let text = "error: unexpected argument '--x' found\n\n  tip: a similar one is '--y'\n\nUsage: assay run [OPTIONS]\n\n\
                    For more information, try '--help'.\n";
        let error = usage_error(text);
        assert_eq!(error.what(), "unexpected argument '--x' found");
        assert_eq!(error.next_step(), Some("tip: a similar one is '--y'; Usage: assay run [OPTIONS]"));
    }
}

//! The command line: what there is, and which module does it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    completion,
    config::{self, ConfigCommand},
    context::{Context, GlobalArgs},
    error::{CliResult, Context as _, EXIT_CODES},
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
    start_logging(cli.globals.verbose);
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => error.report(json),
    }
}

fn dispatch(cli: Cli) -> CliResult<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the asynchronous runtime")?;
    let Cli { globals, command } = cli;
    match command {
        Command::Completion(args) => completion::run(&args)?,
        Command::Config(command) => {
            let context = Context::new(&globals)?;
            config::run(command, &context.settings, context.output)?;
        }
    }
    drop(runtime);
    Ok(ExitCode::SUCCESS)
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

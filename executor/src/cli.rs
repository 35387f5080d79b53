//! The commands of the binary `assay-executor`.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Options, Shutdown, config, journal};

/// As those of `assay`; 2 is the argument parser's own.
const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed, or refused to start · 2 wrong usage";

/// The provider's bot.
#[derive(Debug, Parser)]
#[command(name = "assay-executor", version, about, after_help = EXIT_CODES, max_term_width = 120)]
struct Arguments {
    /// Configuration file.
    #[arg(long, global = true, default_value = "provider.toml", env = "ASSAY_EXECUTOR_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the bot until it is asked to stop: SIGTERM finishes what is owed, a second one stops at once.
    Run(RunArguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the journal.
    #[command(subcommand)]
    Journal(JournalCommand),
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct RunArguments {
    /// Start though the sandbox child lacks fences that guests should not run without; for this start what
    /// worker.require_isolation = false is for every one.
    #[arg(long)]
    allow_unsupported_platform: bool,
    /// Take over seats that the chain shows and the journal does not know. Only when no other instance runs with this
    /// node key and the journal is lost for good.
    #[arg(long)]
    adopt_unknown_seats: bool,
    /// Keep the content of jobs that failed on this host, in the data directory under failed/.
    #[arg(long)]
    keep_on_failure: bool,
    /// Log as JSON, one object per line.
    #[arg(long)]
    log_json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// Print it as it will be used, with secrets hidden, and check everything that a start would refuse: sandbox, node
    /// key, data directory, journal, port, chain. Makes no file.
    Check {
        /// Leave out what only the chain can tell.
        #[arg(long)]
        offline: bool,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum JournalCommand {
    /// Print every row as JSON.
    Show,
    /// Keep the part of a damaged journal that is whole; the original is saved beside it.
    Repair,
}

/// Runs the binary. Its `main` calls [`crate::worker::maybe_child_main`] before.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(&arguments) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: failed to {message}");
            ExitCode::FAILURE
        }
    }
}

fn execute(arguments: &Arguments) -> Result<ExitCode, String> {
    let config = config::load(&arguments.config, std::env::vars()).map_err(|error| error.to_string())?;
    match arguments.command {
        Command::Config(ConfigCommand::Check { offline }) => {
            print!("{}", config::resolved(&config));
            let reach = if offline { crate::Reach::Offline } else { crate::Reach::Chain };
            for remark in runtime()?.block_on(crate::check(&config, reach)).map_err(|error| error.to_string())? {
                eprintln!("note: {remark}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Journal(command) => {
            let _lock = crate::InstanceLock::acquire(&config.provider.data_dir).map_err(|error| error.to_string())?;
            show_or_repair(command, &config.provider.data_dir)
        }
        Command::Run(run) => {
            start_logging(run.log_json);
            runtime()?.block_on(run_bot(config, run))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("start the runtime: {error}"))
}

async fn run_bot(config: crate::Config, run: RunArguments) -> Result<ExitCode, String> {
    let options = Options {
        allow_unsupported_platform: run.allow_unsupported_platform,
        adopt_unknown_seats: run.adopt_unknown_seats,
        keep_on_failure: run.keep_on_failure,
    };
    let shutdown = Shutdown::default();
    stop_on_signals(shutdown.clone());
    match crate::run(config, options, shutdown).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // Said once, where it is looked for: in the log if a machine reads that.
        Err(error) if run.log_json => {
            tracing::error!(%error, "executor_stopped");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.to_string()),
    }
}

/// SIGTERM and SIGINT ask for a stop; asked twice, it is at once.
pub fn stop_on_signals(shutdown: Shutdown) {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let shutdown = shutdown.clone();
        match signal(kind) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        shutdown.request();
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "signal_not_handled"),
        }
    }
}

fn show_or_repair(command: JournalCommand, data_dir: &std::path::Path) -> Result<ExitCode, String> {
    match command {
        JournalCommand::Show => {
            let journal = journal::Journal::open(data_dir).map_err(|error| error.to_string())?;
            for row in journal.rows() {
                let text = serde_json::to_string(row).map_err(|error| format!("print a row: {error}"))?;
                println!("{text}");
            }
        }
        JournalCommand::Repair => {
            match journal::repair(data_dir).map_err(|error| format!("repair the journal: {error}"))? {
                None => println!("The journal is whole; nothing was changed."),
                Some(repair) => {
                    let copy = repair.saved_as.display();
                    println!(
                        "Kept {} records, cut {} bytes; the original is {copy}.",
                        repair.records_kept, repair.bytes_cut
                    );
                    println!("{}", repair.advice());
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start_logging(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ASSAY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    if let Err(error) = started {
        eprintln!("warning: logging was started already: {error}");
    }
}

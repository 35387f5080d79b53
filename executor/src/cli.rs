//! The commands of the binary `assay-executor`.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Options, RunError, Shutdown, StartError, Stderr, config, journal};

/// As those of `assay`; 2 is the argument parser's own.
const EXIT_CODES: &str =
    "Exit codes: 0 done · 1 failed, or refused to start · 2 wrong usage · 7 the cluster cannot be reached";
const EXIT_FAILED: u8 = 1;
const EXIT_UNREACHABLE: u8 = 7;

/// What went wrong.
struct Failure {
    /// Fits after "failed to"; `None` when it was said already.
    message: Option<String>,
    exit_code: u8,
}

impl Failure {
    fn new(error: &impl ToString) -> Self {
        Self { message: Some(error.to_string()), exit_code: EXIT_FAILED }
    }

    fn of_start(error: &StartError) -> Self {
        Self { exit_code: if error.is_unreachable() { EXIT_UNREACHABLE } else { EXIT_FAILED }, ..Self::new(error) }
    }
}

/// Prints one text. A reader that closed its end, as `head` does, wants no more: then the process ends well.
fn say(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure { message: None, exit_code: 0 }),
        Err(error) => Err(Failure::new(&format!("print: {error}"))),
        Ok(()) => Ok(()),
    }
}

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
    /// Take over seats that the chain shows and the journal does not know. Only when no other instance runs with this
    /// node key and the journal is lost for good.
    #[arg(long)]
    adopt_unknown_seats: bool,
    /// Keep the content of jobs that failed on this host, in the data directory under failed/.
    #[arg(long)]
    keep_on_failure: bool,
    /// What runs guests, instead of what worker.engine says: wasmi (the reference, an interpreter), wasmtime (a compiler)
    /// or auto.
    #[arg(long, value_name = "ENGINE")]
    engine: Option<config::EngineName>,
    /// Log as JSON, one object per line.
    #[arg(long)]
    log_json: bool,
    /// Stop when this process, the parent, is gone.
    #[arg(long, hide = true, value_name = "PID")]
    die_with: Option<i32>,
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
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, exit_code }) => {
            if let Some(message) = message {
                eprintln!("error: failed to {message}");
            }
            ExitCode::from(exit_code)
        }
    }
}

fn execute(arguments: &Arguments) -> Result<(), Failure> {
    let config = config::load(&arguments.config, std::env::vars()).map_err(|error| Failure::new(&error))?;
    match arguments.command {
        Command::Config(ConfigCommand::Check { offline }) => {
            say(&config::resolved(&config))?;
            let reach = if offline { crate::Reach::Offline } else { crate::Reach::Chain };
            let checked = runtime()?.block_on(crate::check(&config, reach));
            for remark in checked.map_err(|error| Failure::of_start(&error))? {
                eprintln!("note: {remark}");
            }
            Ok(())
        }
        Command::Journal(command) => {
            let _lock =
                crate::InstanceLock::acquire(&config.provider.data_dir).map_err(|error| Failure::new(&error))?;
            show_or_repair(command, &config.provider.data_dir)
        }
        Command::Run(run) => {
            start_logging(run.log_json);
            crate::habit::check().map_err(|error| Failure::new(&error))?;
            runtime()?.block_on(run_bot(config, run))
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(&format!("start the runtime: {error}")))
}

async fn run_bot(config: crate::Config, run: RunArguments) -> Result<(), Failure> {
    let RunArguments { adopt_unknown_seats, keep_on_failure, engine, log_json: _, die_with: parent } = run;
    let options = Options { adopt_unknown_seats, keep_on_failure, engine };
    let shutdown = Shutdown::default();
    stop_on_signals(shutdown.clone());
    if let Some(parent) = parent {
        die_with(parent, &shutdown).map_err(|error| Failure::new(&format!("watch the parent process: {error}")))?;
    }
    crate::run(config, options, shutdown).await.map_err(|error| {
        let failure = match &error {
            RunError::Start(error) => Failure::of_start(error),
            error => Failure::new(error),
        };
        if !run.log_json {
            return failure;
        }
        // Said once, where it is looked for: in the log if a machine reads that.
        tracing::error!(%error, "executor_stopped");
        Failure { message: None, ..failure }
    })
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

/// Whoever starts several bots takes them along when it is killed: this one is asked to stop once its parent, the process
/// with this id, is gone.
///
/// # Errors
/// When that is not its parent, or is gone already.
#[cfg(target_os = "linux")]
pub fn die_with(parent: i32, _shutdown: &Shutdown) -> io::Result<()> {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have ended before the line above.
    let is_there = Pid::from_raw(parent).is_some_and(|parent| getppid() == Some(parent));
    if is_there { Ok(()) } else { Err(io::Error::other("it is gone, or was never the parent")) }
}

/// Where the system does not tell, the parent is looked at.
///
/// # Errors
/// When that is no process id.
#[cfg(not(target_os = "linux"))]
pub fn die_with(parent: i32, shutdown: &Shutdown) -> io::Result<()> {
    use rustix::process::{Pid, getppid};
    let parent = Pid::from_raw(parent).ok_or_else(|| io::Error::other("that is no process id"))?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        while getppid() == Some(parent) {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        shutdown.request();
    });
    Ok(())
}

fn show_or_repair(command: JournalCommand, data_dir: &Path) -> Result<(), Failure> {
    match command {
        JournalCommand::Show => {
            let journal = journal::Journal::open(data_dir).map_err(|error| Failure::new(&error))?;
            for row in journal.rows() {
                let text =
                    serde_json::to_string(row).map_err(|error| Failure::new(&format!("print a row: {error}")))?;
                say(&format!("{text}\n"))?;
            }
            Ok(())
        }
        JournalCommand::Repair => {
            let repaired = journal::repair(data_dir);
            match repaired.map_err(|error| Failure::new(&format!("repair the journal: {error}")))? {
                None => say("The journal is whole; nothing was changed.\n"),
                Some(repair) => say(&format!(
                    "Kept {} records, cut {} bytes; the original is {}.\n{}\n",
                    repair.records_kept,
                    repair.bytes_cut,
                    repair.saved_as.display(),
                    repair.advice()
                )),
            }
        }
    }
}

fn start_logging(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("ASSAY_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let started = if json { builder.json().try_init() } else { builder.try_init() };
    if let Err(error) = started {
        eprintln!("warning: logging was started already: {error}");
    }
}

#[cfg(test)]
mod tests {
    use assay_runtime::Engine;

    use super::*;
    use crate::{
        Config,
        config::{EngineName, MINIMAL},
    };

    #[test]
    fn the_engine_on_the_command_line_is_taken_instead_of_the_files() {
        let parse = |arguments: &[&str]| Arguments::try_parse_from([&["assay-executor", "run"], arguments].concat());
        for (arguments, expected) in [(&["--engine", "wasmi"][..], Engine::Wasmi), (&[], Engine::Wasmtime)] {
            let Ok(Arguments { command: Command::Run(run), .. }) = parse(arguments) else { panic!("{arguments:?}") };
            let mut config: Config = toml::from_str(MINIMAL).expect("a configuration");
            config.worker.engine = EngineName(Engine::Wasmtime);
            let options = Options { engine: run.engine, ..Options::default() };
            assert_eq!(options.over(config).worker.engine, EngineName(expected));
        }
        let refused = parse(&["--engine", "v8"]).expect_err("refused").to_string();
        assert!(refused.contains("wasmi, wasmtime or auto"), "{refused}");
    }
}

//! Commands for people who write modules: a project from a template, build, test, and what a module holds, needs and
//! costs. None of them uses a network.

mod advice;
mod bench;
mod build;
mod compare;
mod findings;
mod init;
mod inspect;
mod meter;
mod names;
mod project;
mod test;
mod toolchain;
mod validate;

use clap::Subcommand;

pub use project::{JOB_DIRECTORY_NAME, Target};

use crate::{
    engine::TimeoutArgs,
    error::{CliError, CliResult, Context as _},
    output::Output,
};

/// Commands for module authors.
#[derive(Debug, Subcommand)]
pub enum AuthorCommand {
    /// Makes a project for a module: source, manifest, sample input, a test.
    Init(init::InitArgs),
    /// Builds a project's module for WASI preview 1 and puts it where the manifest says.
    Build(build::BuildArgs),
    /// Runs a project's module on an input and compares what it writes with what is expected.
    Test(test::TestArgs),
    /// Checks manifest and module against everything that providers require; lists every finding.
    Validate(validate::ValidateArgs),
    /// Shows what a module holds: imports, exports, memory, features, sizes, stack.
    Inspect(inspect::InspectArgs),
    /// Shows which functions use the gas, as a table or a flame graph.
    Meter(meter::MeterArgs),
    /// Measures a module on both engines, side by side.
    Bench(bench::BenchArgs),
}

/// Runs a command.
pub async fn run(output: Output, command: AuthorCommand) -> CliResult {
    match command {
        AuthorCommand::Init(args) => init::run(output, &args),
        AuthorCommand::Build(args) => build::run(output, &args).await,
        AuthorCommand::Test(args) => test::run(output, &args).await,
        AuthorCommand::Validate(args) => validate::run(output, &args),
        AuthorCommand::Inspect(args) => inspect::run(output, &args),
        AuthorCommand::Meter(args) => meter::run(output, args).await,
        AuthorCommand::Bench(args) => bench::run(output, args).await,
    }
}

/// Help of `--timeout-s` where it bounds all runs together.
const TIMEOUT_OF_ALL: &str = "Gives up after this many seconds, without a result; by default the gas limit decides";

/// Runs guests in this process, in a thread beside.
///
/// # Errors
/// Those of the work, and that the time is over.
async fn in_this_process<T: Send + 'static>(
    timeout: TimeoutArgs,
    work: impl FnOnce() -> CliResult<T> + Send + 'static,
) -> CliResult<T> {
    let work = tokio::task::spawn_blocking(work);
    let done = match timeout.deadline() {
        None => work.await,
        Some(deadline) => tokio::time::timeout(deadline, work).await.map_err(|_| {
            CliError::new(format!("it was not done after {} s (--timeout-s)", deadline.as_secs()))
                .with_next("give it more time with --timeout-s, or less to do with --gas-limit")
        })?,
    };
    done.context("the run failed")?
}

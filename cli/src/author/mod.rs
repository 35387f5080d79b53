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

use crate::{error::CliResult, output::Output};

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

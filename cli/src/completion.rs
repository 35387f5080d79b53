//! `assay completion`: shell completion scripts.

use clap::CommandFactory;

use crate::{app::Cli, error::CliResult};

/// `assay completion SHELL`.
#[derive(Debug, clap::Args)]
pub struct CompletionArgs {
    /// The shell to complete for.
    shell: clap_complete::Shell,
}

/// Prints the script to stdout.
pub fn run(args: &CompletionArgs) -> CliResult {
    clap_complete::generate(args.shell, &mut Cli::command(), "assay", &mut std::io::stdout());
    Ok(())
}

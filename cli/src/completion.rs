//! `assay completion`: shell completion scripts.

use std::io::{self, Write};

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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "assay", &mut script);
    match io::stdout().write_all(&script) {
        // Whoever reads may stop early, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

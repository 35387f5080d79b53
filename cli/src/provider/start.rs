//! `assay provider start`: the bot, in this process.

use assay_executor::{
    Options, RunError, Shutdown,
    cli::{die_with, stop_on_signals},
    config,
};

use crate::{
    error::{CliError, CliResult, Context as _, Exit},
    provider::StartArgs,
};

/// Runs the bot until it is asked to stop. Its own configuration says everything; the settings of the command line do
/// not count.
pub async fn start(args: &StartArgs) -> CliResult {
    let config = config::load(&args.config, std::env::vars()).context("cannot start the provider")?;
    let &StartArgs { adopt_unknown_seats, keep_on_failure, engine, .. } = args;
    let options = Options { adopt_unknown_seats, keep_on_failure, engine };
    let shutdown = Shutdown::default();
    stop_on_signals(shutdown.clone());
    if let Some(parent) = args.die_with {
        die_with(parent, &shutdown).context("cannot watch the parent process")?;
    }
    assay_executor::run(config, options, shutdown).await.map_err(|error| {
        let is_unreachable = matches!(&error, RunError::Start(error) if error.is_unreachable());
        let error = CliError::new("the provider stopped").with_cause(error.to_string());
        if is_unreachable { error.with_exit(Exit::Unreachable) } else { error }
    })
}

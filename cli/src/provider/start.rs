//! `assay provider start`: the bot, in this process.

use assay_executor::{Options, RunError, Shutdown, cli::stop_on_signals, config};

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
        die_with(parent, &shutdown)?;
    }
    assay_executor::run(config, options, shutdown).await.map_err(|error| {
        let is_unreachable = matches!(&error, RunError::Start(error) if error.is_unreachable());
        let error = CliError::new("the provider stopped").with_cause(error.to_string());
        if is_unreachable { error.with_exit(Exit::Unreachable) } else { error }
    })
}

/// A local network that is killed takes its providers along.
#[cfg(target_os = "linux")]
fn die_with(parent: i32, _shutdown: &Shutdown) -> CliResult {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    let parent = Pid::from_raw(parent).ok_or_else(|| CliError::usage("--die-with needs a process id"))?;
    set_parent_process_death_signal(Some(Signal::TERM)).context("cannot watch the parent process")?;
    // The parent may have ended before the line above.
    if getppid() == Some(parent) { Ok(()) } else { Err(CliError::new("the parent process is gone")) }
}

/// Where the system does not tell, the parent is looked at.
#[cfg(not(target_os = "linux"))]
fn die_with(parent: i32, shutdown: &Shutdown) -> CliResult {
    use rustix::process::{Pid, getppid};
    let parent = Pid::from_raw(parent).ok_or_else(|| CliError::usage("--die-with needs a process id"))?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        while getppid() == Some(parent) {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        shutdown.request();
    });
    Ok(())
}

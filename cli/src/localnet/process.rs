//! Provider processes of a local network: this binary again, or one that can have a bad habit; one per provider, logs to a
//! file, none left behind.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use assay_executor::{Habit, habit::HABIT_VARIABLE};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::error::{CliError, CliResult, Context as _};

/// A provider finishes what it owes; after this long it is killed.
const DRAIN: Duration = Duration::from_secs(5);
/// The bot whose habits may be bad, beside this binary where it was built with the tests.
const LIAR: &str = "executor_with_faults";
/// How much of a log an error quotes.
const LOG_LINES_SHOWN: usize = 6;

/// A running provider.
#[derive(Debug)]
pub struct ProviderProcess {
    child: Child,
    log_path: PathBuf,
}

impl ProviderProcess {
    /// Starts the bot with this configuration, and with its habit if it has one.
    pub fn start(config_path: &Path, log_path: PathBuf, habit: Option<Habit>) -> CliResult<Self> {
        let mut command = match habit {
            None => {
                let mut command = Command::new(this_program()?);
                command.args(["provider", "start"]);
                command
            }
            Some(habit) => {
                let mut command = Command::new(liar()?);
                command.arg("run").env(HABIT_VARIABLE, habit.name());
                command
            }
        };
        let log = File::create(&log_path).context(format!("cannot create {}", log_path.display()))?;
        let errors = log.try_clone()?;
        let child = command
            .args(["--die-with", &std::process::id().to_string(), "--config"])
            .arg(config_path)
            .env("ASSAY_LOG", "info")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C reaches this process only, which then stops its providers in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a provider process")?;
        Ok(Self { child, log_path })
    }

    /// An error when it has ended.
    pub fn check(&mut self) -> CliResult {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(CliError::new(format!("the provider {} ended by itself ({status})", self.name()))
                .with_cause(self.log_end())
                .with_next(format!("read the whole log: {}", self.log_path.display()))),
        }
    }

    /// Asks it to finish, and kills it when it does not.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            if let Err(error) = kill_process(pid, Signal::TERM) {
                tracing::debug!(%error, "provider_process_had_ended");
            }
            if tokio::time::timeout(DRAIN, self.child.wait()).await.is_ok() {
                return;
            }
        }
        if let Err(error) = self.child.kill().await {
            tracing::warn!(%error, "provider_process_not_killed");
        }
    }

    /// What its directory is called.
    fn name(&self) -> String {
        let dir = self.log_path.parent().and_then(Path::file_name);
        dir.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    fn log_end(&self) -> String {
        let text = std::fs::read(&self.log_path).unwrap_or_default();
        let text = crate::output::printable(&text);
        let lines: Vec<&str> = text.lines().rev().take(LOG_LINES_SHOWN).collect();
        if lines.is_empty() {
            return "its log is empty".to_owned();
        }
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("its log ends so:\n    {}", lines.join("\n    "))
    }
}

fn this_program() -> CliResult<PathBuf> {
    std::env::current_exe().context("cannot find this executable")
}

/// The binary whose bots can have bad habits. No release has one.
///
/// # Errors
/// When it is not beside this binary.
pub fn liar() -> CliResult<PathBuf> {
    let path = this_program()?.with_file_name(LIAR);
    if path.is_file() {
        return Ok(path);
    }
    Err(CliError::new(format!("providers with bad habits need the binary {LIAR} beside this one, and it is not there"))
        .with_cause("no release has it: it is built from the repository, together with the tests")
        .with_next("in a checkout of the repository: `./run build`, then `./run assay localnet --liars …`"))
}

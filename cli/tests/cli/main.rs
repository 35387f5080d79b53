//! The command line as a script sees it: usage, errors, exit codes, JSON.
#![allow(clippy::unwrap_used, reason = "tests")]

mod appeals;
mod author;
mod court;
mod deploy;
mod disputes;
mod duty;
mod killed;
mod localnet;
mod network;
mod provider;
mod quote;
mod receipt;
mod run;
mod standing;
mod usage;

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

/// `assay` with a home of its own and nothing of the caller's environment.
pub fn assay(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// An empty home.
pub fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The last line of stdout as JSON.
pub fn last_json(output: &std::process::Output) -> serde_json::Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// stderr as text.
pub fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

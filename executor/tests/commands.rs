//! The binary `assay-executor` as it is typed.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use assay_sdk::keypair::save_keypair;
use solana_keypair::Keypair;
use tempfile::TempDir;

fn executor(home: &TempDir, arguments: &[&str]) -> Output {
    let config = home.path().join("provider.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-executor"));
    command.arg("--config").arg(config).args(arguments).env("ASSAY_LOG", "info").output().expect("it starts")
}

/// The same with nobody at the other end of stderr; the exit code.
fn unread(home: &TempDir, arguments: &[&str]) -> Option<i32> {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay-executor"));
    command.arg("--config").arg(home.path().join("provider.toml")).args(arguments).env("ASSAY_LOG", "info");
    command.stderr(writer).output().expect("it starts").status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A provider that lacks nothing but a chain. Which fences this kernel has beyond the required ones is another matter.
fn home(rest: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[provider]\nmarket = \"11111111111111111111111111111111\"\nauthority = \"11111111111111111111111111111111\"\n\
         node_key_path = \"node.json\"\ndata_dir = \"data\"\n[worker]\nisolation = \"required\"\n{rest}"
    );
    fs::write(home.path().join("provider.toml"), text).expect("written");
    save_keypair(&home.path().join("node.json"), &Keypair::new()).expect("saved");
    home
}

const QUIET: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[chain]\ncluster = \"http://127.0.0.1:1\"\n";

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(home)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_configuration_that_would_start_is_printed_and_nothing_is_made() {
    let home = home(QUIET);
    let output = executor(&home, &["config", "check", "--offline"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("isolation = \"required\""));
    assert!(stderr(&output).contains("the chain was not asked"), "{}", stderr(&output));
    assert_eq!(names(home.path()), ["node.json", "provider.toml"]);
}

#[test]
fn what_the_start_would_refuse_is_refused_by_the_check() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    type Damage = fn(&Path);
    let cases: [(&str, Damage, &str); 7] = [
        (QUIET, |home| fs::remove_file(home.join("node.json")).expect("removed"), "failed to load the node key"),
        (
            QUIET,
            |home| {
                let mode = fs::Permissions::from_mode(0o644);
                fs::set_permissions(home.join("node.json"), mode).expect("changed");
            },
            "chmod 600",
        ),
        (QUIET, |home| fs::write(home.join("node.json"), "[1,2,3]").expect("written"), "is not a Solana keypair"),
        (QUIET, |home| fs::write(home.join("data"), "a file").expect("written"), "check that the directory exists"),
        (
            QUIET,
            |home| {
                fs::create_dir(home.join("data")).expect("made");
                fs::write(home.join("data/journal.log"), "no journal").expect("written");
            },
            "failed to read the journal",
        ),
        ("[chain]\ncluster = \"nowhere\"", |_| (), "failed to use chain.cluster"),
        (&format!("[server]\nlisten = \"{address}\""), |_| (), "server.listen"),
    ];
    for (rest, damage, expected) in cases {
        let home = home(rest);
        damage(home.path());
        let output = executor(&home, &["config", "check", "--offline"]);
        assert_eq!(output.status.code(), Some(1), "{expected}");
        let said = stderr(&output);
        assert!(said.contains(expected) && said.starts_with("error: failed to "), "{expected}: {said}");
    }
}

#[test]
fn a_reader_of_stderr_that_has_gone_changes_no_exit_code() {
    let home = home(QUIET);
    assert_eq!(unread(&home, &["config", "check", "--offline"]), Some(0), "it has notes");
    fs::remove_file(home.path().join("node.json")).expect("removed");
    // An error alone, and behind logs.
    for arguments in [["config", "check", "--offline"].as_slice(), &["run"], &["run", "--log-json"]] {
        assert_eq!(unread(&home, arguments), Some(1), "{arguments:?}");
    }
}

#[test]
fn e_19_the_check_leaves_a_running_instance_alone() {
    let home = home(QUIET);
    let lock = assay_executor::InstanceLock::acquire(&home.path().join("data")).expect("free");
    let output = executor(&home, &["config", "check", "--offline"]);
    assert!(output.status.success() && stderr(&output).contains("an instance runs"), "{}", stderr(&output));
    drop(lock);
    let output = executor(&home, &["config", "check", "--offline"]);
    assert!(output.status.success() && !stderr(&output).contains("an instance runs"), "{}", stderr(&output));
}

#[test]
fn the_check_asks_the_chain_unless_told_not_to() {
    let output = executor(&home(QUIET), &["config", "check"]);
    assert_eq!(output.status.code(), Some(7), "the cluster cannot be reached");
    assert!(stderr(&output).contains("127.0.0.1:1"), "{}", stderr(&output));
}

#[test]
fn a_refused_start_says_why_once_and_exits_as_documented() {
    let home = home(QUIET);
    fs::remove_file(home.path().join("node.json")).expect("removed");
    for arguments in [["run"].as_slice(), &["run", "--log-json"]] {
        let output = executor(&home, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        assert_eq!(said.matches("load the node key").count(), 1, "{said}");
    }
    let help = executor(&home, &["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes: 0 done"));
    assert_eq!(executor(&home, &["fly"]).status.code(), Some(2));
}

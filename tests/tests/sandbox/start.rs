//! The bot on a host that lacks a fence.

use std::{
    fs,
    process::{Command, Output},
};

use assay_executor::worker::ISOLATION_VARIABLE;
use assay_sdk::keypair::save_keypair;
use solana_keypair::Keypair;
use tempfile::TempDir;

const EXECUTOR: &str = env!("CARGO_BIN_EXE_executor_without_landlock");

/// No cluster, which is found out after the sandbox was looked at.
const NOWHERE: &str = "nowhere";

/// A provider.
fn home(cluster: &str, rest: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    let text = format!(
        "[provider]\nmarket = \"11111111111111111111111111111111\"\nauthority = \"11111111111111111111111111111111\"\n\
         node_key_path = \"node.json\"\ndata_dir = \"data\"\n[chain]\ncluster = \"{cluster}\"\n{rest}"
    );
    fs::write(home.path().join("provider.toml"), text).expect("written");
    save_keypair(&home.path().join("node.json"), &Keypair::new()).expect("saved");
    home
}

fn executor(home: &TempDir, arguments: &[&str], told: Option<&str>) -> Output {
    let mut command = Command::new(EXECUTOR);
    command.arg("--config").arg(home.path().join("provider.toml")).args(arguments);
    command
        .env_remove(ISOLATION_VARIABLE)
        .envs(told.map(|told| (ISOLATION_VARIABLE, told)))
        .output()
        .expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const STARTS: [&[&str]; 2] = [&["run"], &["config", "check", "--offline"]];

#[test]
fn w_12_a_bot_that_lacks_any_fence_refuses_to_start_and_names_it() {
    for (rest, told) in [("", None), ("[worker]\nisolation = \"none\"", Some("full"))] {
        let home = home(NOWHERE, rest);
        for start in STARTS {
            let output = executor(&home, start, told);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{start:?}: {said}");
            assert!(said.contains("error: failed to confine the sandbox child"), "{said}");
            assert!(said.contains("landlock: Function not implemented"), "{said}");
            assert!(said.contains("worker.isolation = \"required\""), "{said}");
            assert!(said.contains("ASSAY__WORKER__ISOLATION=required"), "{said}");
            assert!(!home.path().join("data").exists(), "nothing else was begun");
        }
    }
}

#[test]
fn w_12_a_bot_that_is_told_to_goes_on_without_a_fence_and_names_it() {
    for (rest, told) in [
        ("[worker]\nisolation = \"required\"", None),
        ("[worker]\nisolation = \"none\"", None),
        ("", Some("required")),
        ("", Some("none")),
    ] {
        let home = home(NOWHERE, rest);
        let output = executor(&home, &["run"], told);
        // Past the sandbox, it finds what comes next.
        assert!(said(&output).contains("failed to use chain.cluster"), "{}", said(&output));
        assert!(said(&output).contains("landlock: Function not implemented"), "{}", said(&output));
    }
    let home = home("localnet", "[worker]\nisolation = \"required\"\n[server]\nlisten = \"127.0.0.1:0\"");
    let output = executor(&home, &["config", "check", "--offline"], None);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("guests would run without these fences: landlock: "), "{}", said(&output));
}

//! A local network, driven by the command line alone.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{assay, home, last_json, stderr};

/// `assay localnet` in its own process; killed when dropped.
struct Localnet {
    child: Child,
    info: Value,
}

impl Localnet {
    /// Starts it on free ports: on a shared machine the usual ones may be taken, which is not what is tested.
    fn start(dir: &Path, providers: &str) -> Self {
        // Two that look for free ports at the same moment find the same ones: one after the other, across processes too.
        let turn = std::fs::File::create(std::env::temp_dir().join("assay-cli-network-test.lock")).unwrap();
        turn.lock().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("HOME", dir).env("PATH", path);
        command.args(["localnet", "--json", "--slot-ms", "50", "--providers", providers, "--dir"]);
        let mut child = command.arg(dir.join("net")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        turn.unlock().unwrap();
        let info = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, info }
    }

    fn url(&self, key: &str) -> &str {
        self.info[key].as_str().unwrap()
    }

    /// `assay` as the funded poster of this network.
    fn poster(&self, home: &Path) -> assert_cmd::Command {
        let mut command = assay(home);
        command
            .env("ASSAY_CLUSTER", self.url("rpc_url"))
            .env("ASSAY_WS_URL", self.url("ws_url"))
            .env("ASSAY_CONTENT", self.url("content_url"))
            .env("ASSAY_KEYPAIR", self.url("poster_keypair"));
        command
    }

    /// Ctrl-C; returns once the process has ended.
    fn interrupt(mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Localnet {
    fn drop(&mut self) {
        // It has ended already when the test interrupted it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A job that prints its argument.
fn job_directory(home: &Path) -> PathBuf {
    let dir = home.join("job");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("job.wasm"), wat::parse_str(crate::run::EXIT_3).unwrap()).unwrap();
    std::fs::write(
        dir.join("manifest.json"),
        r#"{"executable": "job.wasm", "args": [], "output_path": "output/", "limits": {"gas_limit": 1000000}}"#,
    )
    .unwrap();
    dir
}

fn json(command: &mut assert_cmd::Command, arguments: &[&str]) -> Value {
    let output = command.arg("--json").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}{}", last_json(&output), stderr(&output));
    last_json(&output)
}

#[test]
fn a_job_is_posted_followed_fetched_and_verified_and_nothing_is_left_running() {
    let home = home();
    let network = Localnet::start(home.path(), "1");
    let dir = job_directory(home.path());
    let dir = dir.to_str().unwrap();

    let dry = json(&mut network.poster(home.path()), &["job", "submit", dir, "--dry-run"]);
    assert_eq!(dry["job"], Value::Null);
    assert!(dry["total_lamports"].as_u64().unwrap() > dry["escrow_lamports"].as_u64().unwrap());

    let unconfirmed = network.poster(home.path()).args(["job", "submit", dir]).output().unwrap();
    assert_eq!(unconfirmed.status.code(), Some(4), "{}", stderr(&unconfirmed));
    assert!(stderr(&unconfirmed).contains("--yes"), "{}", stderr(&unconfirmed));

    let ended = json(&mut network.poster(home.path()), &["job", "submit", dir, "--yes", "--wait"]);
    assert_eq!((&ended["state"], &ended["exit_code"]), (&"resolved".into(), &3.into()));
    let job = ended["job"].as_str().unwrap();

    let described = json(&mut network.poster(home.path()), &["job", "describe", job]);
    let events: Vec<&str> =
        described["history"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert!(events.starts_with(&["JobCreated", "JobAccepted", "ResultsSubmitted", "JobFinalized"]), "{events:?}");
    assert_eq!(json(&mut network.poster(home.path()), &["job", "logs", job])["stdout"], "hello");
    let out = home.path().join("result");
    json(&mut network.poster(home.path()), &["job", "get", job, "--out", out.to_str().unwrap()]);
    assert_eq!(std::fs::read(out.join("stdout.txt")).unwrap(), b"hello");
    assert_eq!(json(&mut network.poster(home.path()), &["verify", job])["verified"], true);

    let rpc = network.url("rpc_url").to_owned();
    assert!(network.interrupt().success());
    let output =
        assay(home.path()).args(["--cluster", &rpc, "wallet", "balance", ended["poster"].as_str().unwrap()]).output();
    assert_eq!(output.unwrap().status.code(), Some(1), "the ledger is gone");
}

#[test]
fn the_string_of_anchor_toml_posts_a_job() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let settings: toml::Table = std::fs::read_to_string(root.join("Anchor.toml")).unwrap().parse().unwrap();
    let script = settings["scripts"]["create-job"].as_str().unwrap();
    let home = home();
    let network = Localnet::start(home.path(), "1");
    let dir = job_directory(home.path());
    // As `anchor run create-job -- DIR --yes …` does: arguments appended unquoted, `bash -c`, two variables.
    let output = Command::new("bash")
        .args(["-c", &format!("{script} {} --yes --wait --json", dir.display())])
        .current_dir(root)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ANCHOR_PROVIDER_URL", network.url("rpc_url"))
        .env("ANCHOR_WALLET", network.url("poster_keypair"))
        .env("ASSAY_WS_URL", network.url("ws_url"))
        .env("ASSAY_CONTENT", network.url("content_url"))
        .env("ASSAY_BINARY", env!("CARGO_BIN_EXE_assay"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let ended = last_json(&output);
    assert_eq!((&ended["state"], &ended["exit_code"]), (&"resolved".into(), &3.into()));
}

#[test]
fn without_a_provider_a_job_says_so_and_can_be_cancelled_and_closed() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let dir = job_directory(home.path());
    let posted = json(&mut network.poster(home.path()), &["job", "submit", dir.to_str().unwrap(), "--yes"]);
    let job = posted["job"].as_str().unwrap();

    let waited = network.poster(home.path()).args(["job", "wait", job, "--timeout-s", "1"]).output().unwrap();
    assert_eq!(waited.status.code(), Some(1));
    assert!(stderr(&waited).contains("waiting for a provider"), "{}", stderr(&waited));
    let described = json(&mut network.poster(home.path()), &["job", "describe", job]);
    assert_eq!(described["obstacles"][0]["reason"], "the market has no provider at all");

    let early = network.poster(home.path()).args(["job", "close", job, "--yes"]).output().unwrap();
    assert!(stderr(&early).contains("cannot be closed yet"), "{}", stderr(&early));
    let unverified = network.poster(home.path()).args(["verify", job]).output().unwrap();
    assert!(stderr(&unverified).contains("has no result to verify"), "{}", stderr(&unverified));
    json(&mut network.poster(home.path()), &["job", "cancel", job, "--yes"]);
    let ended = network.poster(home.path()).args(["job", "wait", job]).output().unwrap();
    assert_eq!(ended.status.code(), Some(5), "{}", stderr(&ended));
    json(&mut network.poster(home.path()), &["job", "close", job, "--yes"]);
    assert!(network.interrupt().success());
}

#[test]
fn a_provider_is_set_up_staked_and_unstaked_by_commands_alone() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let dir = home.path().join("provider");
    let dir = dir.to_str().unwrap();
    let written = json(&mut network.poster(home.path()), &["provider", "init", "--dir", dir]);
    assert_eq!(written["market"], network.info["market"]);
    let again = network.poster(home.path()).args(["provider", "init", "--dir", dir]).output().unwrap();
    assert!(stderr(&again).contains("is not overwritten"), "{}", stderr(&again));
    json(&mut network.poster(home.path()), &["provider", "register", "--dir", dir, "--stake", "2", "--yes"]);
    json(&mut network.poster(home.path()), &["provider", "stake", "1", "--yes"]);
    json(&mut network.poster(home.path()), &["provider", "unstake", "0.5", "--yes"]);
    let status = json(&mut network.poster(home.path()), &["provider", "status"]);
    assert_eq!(
        (&status["stake_lamports"], &status["unbonding_lamports"]),
        (&2_500_000_000_u64.into(), &500_000_000.into())
    );
    let early = network.poster(home.path()).args(["provider", "withdraw", "--yes"]).output().unwrap();
    assert!(stderr(&early).contains("can be withdrawn in"), "{}", stderr(&early));
    let created = json(&mut network.poster(home.path()), &["market", "create", "--name", "second", "--yes"]);
    let ambiguous = network.poster(home.path()).args(["market", "show"]).output().unwrap();
    assert_eq!(ambiguous.status.code(), Some(2), "{}", stderr(&ambiguous));
    let market = created["market"].as_str().unwrap();
    assert_eq!(json(&mut network.poster(home.path()), &["market", "show", "--market", market])["name"], "second");
    assert!(network.interrupt().success());
}

#[test]
fn two_networks_never_share_a_directory() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let output = assay(home.path()).args(["localnet", "--dir"]).arg(home.path().join("net")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("another local network uses"), "{}", stderr(&output));
    assert!(network.interrupt().success());
}

#[test]
fn the_demo_pays_for_all_samples_verifies_one_and_leaves_nothing_running() {
    let home = home();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jobs");
    let output = assay(home.path()).args(["demo", "--json", "--jobs"]).arg(samples).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    let rows = last_json(&output);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!((&row["state"], &row["closed"]), (&"resolved".into(), &true.into()), "{row}");
        assert_eq!(row["result_cid"], row["expected_result_cid"], "{row}");
        assert!(row["pay_lamports"].as_u64().unwrap() > 0 && row["refund_lamports"].is_u64(), "{row}");
    }
}

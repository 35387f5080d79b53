//! A local network, driven by the command line alone.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{assay, author, home, last_json, stderr};

/// `assay localnet` in its own process, what it says on stderr in the file `said`; killed when dropped.
pub struct Localnet {
    pub child: Child,
    pub info: Value,
    /// What it prints once it is up.
    pub printed: Vec<String>,
}

impl Localnet {
    pub fn start(dir: &Path, providers: &str) -> Self {
        Self::start_with(dir, &["--json", "--providers", providers])
    }

    /// Starts it on free ports: on a shared machine the usual ones may be taken, which is not what is tested.
    pub fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        Self::start_in(dir, dir, arguments)
    }

    /// The same from a working directory.
    pub fn start_in(working_directory: &Path, dir: &Path, arguments: &[&str]) -> Self {
        // Two that look for free ports at the same moment find the same ones: one after the other, across processes too.
        let turn = std::fs::File::create(std::env::temp_dir().join("assay-cli-network-test.lock")).unwrap();
        turn.lock().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("HOME", dir).env("PATH", path).current_dir(working_directory);
        command.args(["localnet", "--slot-ms", "50"]).args(arguments).arg("--dir").arg(dir.join("net"));
        let said = std::fs::File::create(dir.join("said")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(said).spawn().unwrap();
        let mut printed = Vec::new();
        let is_last = |line: &String| line.starts_with('{') || line.starts_with("Ctrl-C");
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            printed.push(line);
            if printed.last().is_some_and(is_last) {
                break;
            }
        }
        turn.unlock().unwrap();
        assert!(printed.last().is_some_and(is_last), "{}", std::fs::read_to_string(dir.join("said")).unwrap());
        let info = std::fs::read_to_string(dir.join("net/network.json")).unwrap();
        Self { child, info: serde_json::from_str(&info).unwrap(), printed }
    }

    pub fn url(&self, key: &str) -> &str {
        self.info[key].as_str().unwrap()
    }

    /// `assay` as the funded poster of this network.
    pub fn poster(&self, home: &Path) -> assert_cmd::Command {
        let mut command = assay(home);
        command
            .env("ASSAY_CLUSTER", self.url("rpc_url"))
            .env("ASSAY_WS_URL", self.url("ws_url"))
            .env("ASSAY_CONTENT", self.url("content_url"))
            .env("ASSAY_KEYPAIR", self.url("poster_keypair"));
        command
    }

    /// Ctrl-C; returns once the process has ended.
    pub fn interrupt(mut self) -> std::process::ExitStatus {
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
pub fn job_directory(home: &Path) -> PathBuf {
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

pub fn json(command: &mut assert_cmd::Command, arguments: &[&str]) -> Value {
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
    assert_eq!(json(&mut network.poster(home.path()), &["verify", job, "--both"])["engines_agree"], true);

    verified_without_a_content_node(&network, home.path(), (job, dir));
    let signed = receipts_of_a_settled_job(&network, home.path(), job);
    let rpc = network.url("rpc_url").to_owned();
    assert!(network.interrupt().success());
    p_29_a_strangers_receipt_is_checked_when_the_network_is_gone(home.path(), (&signed, dir));
    let balance = ["wallet", "balance", ended["poster"].as_str().unwrap(), "--cluster", &rpc, "--json"];
    let output = assay(home.path()).args(balance).output().unwrap();
    // Another test's network may have the port by now; that one knows no such poster.
    let is_gone = output.status.code() == Some(7) || last_json(&output)["lamports"] == 0;
    assert!(is_gone, "the ledger is gone: {}", last_json(&output));
}

/// The chain says which job directory it is; it need not come from a node. Another one proves nothing.
fn verified_without_a_content_node(network: &Localnet, home: &Path, (job, dir): (&str, &str)) {
    let arguments = |dir| ["verify", job, "--content", "http://127.0.0.1:1", "--dir", dir];
    let checked = json(&mut network.poster(home), &arguments(dir));
    assert_eq!((&checked["verified"], &checked["chain_checked"]), (&true.into(), &true.into()), "{checked}");
    let other = home.join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("manifest.json"), "{}").unwrap();
    let (code, found) = refused(&mut network.poster(home), &arguments(other.to_str().unwrap()));
    assert!(code == Some(1) && says(&found["error"], "is another job's directory (CID bafy"), "{found}");
    let (code, found) = refused(&mut network.poster(home), &arguments(dir)[..4]);
    assert!(code == Some(1) && says(&found["next"], "--dir"), "{found}");
}

/// The provider's receipt, found, fetched by its CID and compared with the chain; the file.
fn receipts_of_a_settled_job(network: &Localnet, home: &Path, job: &str) -> PathBuf {
    let data = network.info["providers"][0]["data_directory"].as_str().unwrap();
    let config = format!("{data}/provider.toml");
    let listed = json(&mut assay(home), &["provider", "receipts", "--config", &config]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["job"]), (1, &job.into()), "{listed}");
    let cid = listed[0]["cid"].as_str().unwrap();
    assert_eq!((&listed[0]["outcome"], &listed[0]["exit_code"]), (&"Exited".into(), &3.into()), "{listed}");
    receipts_beside_a_damaged_one(&config, home, &listed[0]);
    let shown = json(&mut network.poster(home), &["receipt", "show", cid]);
    assert_eq!((&shown["signature"], &shown["receipt"]["job"]["address"]), (&"valid".into(), &job.into()), "{shown}");
    // Fetched by its own CID, its job directory by the receipt's, and the chain asked.
    let checked = json(&mut network.poster(home), &["receipt", "verify", cid, "--job"]);
    assert_eq!((&checked["verified"], &checked["compared"][1]["with"]), (&true.into(), &"chain".into()), "{checked}");
    assert_eq!((&checked["job"], &checked["chain_checked"]), (&job.into(), &true.into()), "{checked}");
    let rows = checked["compared"][1]["fields"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["field"] == "provider_key") && rows.len() > 20, "{rows:?}");

    // What anybody computes is the provider's receipt but for the signature.
    let (own, signed) = (home.join("own.json"), home.join("signed.json"));
    json(&mut network.poster(home), &["verify", job, "--receipt", own.to_str().unwrap()]);
    // One that cannot be written, of a name that is too long, hides no verdict.
    let unwritten = home.join("n".repeat(300));
    let arguments = ["verify", job, "--receipt", unwritten.to_str().unwrap()];
    let (code, found) = refused(&mut network.poster(home), &arguments);
    assert_eq!((code, &found["verified"]), (Some(1), &true.into()), "{found}");
    assert!(says(&found["error"], "cannot write") && found["compared"].is_array(), "{found}");
    std::fs::write(&signed, shown["receipt"].to_string()).unwrap();
    let arguments = ["receipt", "diff", own.to_str().unwrap(), signed.to_str().unwrap()];
    let difference = json(&mut assay(home), &arguments);
    assert_eq!((&difference["same_run"], &difference["equal"]), (&true.into(), &false.into()), "{difference}");
    let rows = difference["fields"].as_array().unwrap().iter().filter(|row| row["equal"] == false);
    assert_eq!(rows.map(|row| &row["field"]).collect::<Vec<_>>(), ["provider_key", "signature"]);
    let text = assay(home).args(arguments).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("the same run; they differ in who signed alone\nnext: "), "{text}");

    // A true run of the same task, shown as another job's: the chain knows better.
    let mut other = shown["receipt"].clone();
    other["job"] = Value::Null;
    std::fs::write(&own, other.to_string()).unwrap();
    let arguments = ["receipt", "verify", own.to_str().unwrap(), &format!("--job={job}")];
    let (code, found) = refused(&mut network.poster(home), &arguments);
    assert!(code == Some(3) && says(&found["error"], "job.uid") && says(&found["error"], "signature"), "{found}");
    signed
}

/// A copy of the bot's records with one receipt that is not published and one that is none.
fn receipts_beside_a_damaged_one(config: &str, home: &Path, listed: &Value) {
    let dir = home.join("copy");
    std::fs::create_dir_all(dir.join("data/receipts")).unwrap();
    std::fs::copy(config, dir.join("provider.toml")).unwrap();
    let uid = listed["job_uid"].as_str().unwrap();
    let kept = dir.join(format!("data/receipts/{uid}.json"));
    std::fs::copy(listed["path"].as_str().unwrap(), &kept).unwrap();
    std::fs::write(kept.with_extension("unpublished"), "").unwrap();
    let damaged = dir.join(format!("data/receipts/{}.json", "ab".repeat(32)));
    std::fs::write(damaged, "{}").unwrap();
    let config = dir.join("provider.toml");
    let arguments = ["provider", "receipts", "--config", config.to_str().unwrap()];
    let rows = json(&mut assay(home), &arguments);
    let row = |uid: &str| rows.as_array().unwrap().iter().find(|row| row["job_uid"] == uid).unwrap();
    let (whole, damaged) = (row(uid), row(&"ab".repeat(32)));
    assert_eq!((&whole["published"], &whole["receipt_hash"]), (&false.into(), &listed["receipt_hash"]), "{rows}");
    assert!(damaged["error"].is_string() && damaged["outcome"].is_null(), "{rows}");
    let text = assay(home).args(arguments).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    let next = format!("next: assay receipt show {}", kept.display());
    assert!(text.lines().any(|line| line == next) && text.contains("cannot be read"), "{text}");
}

/// Nothing but the file and the job directory.
fn p_29_a_strangers_receipt_is_checked_when_the_network_is_gone(home: &Path, (path, dir): (&Path, &str)) {
    let arguments = ["receipt", "verify", path.to_str().unwrap(), "--dir", dir];
    let checked = json(&mut assay(home), &arguments);
    assert_eq!((&checked["verified"], &checked["signature"]), (&true.into(), &"valid".into()), "{checked}");
    let honest = std::fs::read_to_string(path).unwrap();
    let gas = serde_json::from_str::<Value>(&honest).unwrap()["outcome"]["gas_used"].clone();
    let more = honest.replace(&format!("\"gas_used\":{gas}"), "\"gas_used\":\"1000000\"");
    assert_ne!(more, honest);
    std::fs::write(path, more).unwrap();
    let (code, found) = refused(&mut assay(home), &arguments);
    assert!(code == Some(3) && says(&found["error"], "outcome.gas_used, signature"), "{found}");
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

/// Exit code, and the one JSON object of stdout.
pub fn refused(command: &mut assert_cmd::Command, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = command.arg("--json").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"));
    (output.status.code(), json)
}

pub fn says(value: &Value, part: &str) -> bool {
    value.as_str().is_some_and(|text| text.contains(part))
}

#[test]
fn without_a_provider_a_job_says_so_and_can_be_cancelled_and_closed() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let dir = job_directory(home.path());
    let poster = || network.poster(home.path());
    let posted = json(&mut poster(), &["job", "submit", dir.to_str().unwrap(), "--yes", "--id", "7"]);
    let job = posted["job"].as_str().unwrap();

    let (code, waited) = refused(&mut poster(), &["job", "wait", job, "--timeout-s", "1"]);
    assert_eq!((code, &waited["state"]), (Some(6), &"open".into()), "{waited}");
    assert_eq!(waited["obstacles"][0]["reason"], "the market has no provider at all");
    assert!(says(&waited["error"], "waiting for a provider"), "{waited}");
    assert!(says(&waited["next"], &format!("assay job wait {job}")), "{waited}");
    let described = json(&mut poster(), &["job", "describe", job]);
    assert_eq!(described["obstacles"], waited["obstacles"]);
    interrupted_wait(&network, home.path(), job);

    for arguments in [&["job", "logs", job][..], &["job", "get", job], &["verify", job]] {
        let (code, early) = refused(&mut poster(), arguments);
        assert!(code == Some(6) && says(&early["error"], "has no result yet"), "{arguments:?}: {early}");
    }
    let (code, early) = refused(&mut poster(), &["job", "close", job, "--yes"]);
    assert!(code == Some(1) && says(&early["error"], "cannot be closed yet"), "{early}");
    let (code, taken) = refused(&mut poster(), &["job", "submit", dir.to_str().unwrap(), "--yes", "--id", "7"]);
    assert!(code == Some(1) && says(&taken["error"], job) && says(&taken["next"], "another id"), "{taken}");

    json(&mut poster(), &["job", "cancel", job, "--yes"]);
    let ended = || {
        for arguments in [&["job", "wait", job][..], &["job", "logs", job], &["job", "get", job], &["verify", job]] {
            let (code, ended) = refused(&mut poster(), arguments);
            assert!(code == Some(5) && says(&ended["error"], "its poster cancelled it"), "{arguments:?}: {ended}");
        }
    };
    ended();
    json(&mut poster(), &["job", "close", job, "--yes"]);
    ended();
    let (code, again) = refused(&mut poster(), &["job", "close", job, "--yes"]);
    assert!(code == Some(1) && says(&again["next"], "assay job describe"), "{again}");

    p_24_an_address_used_twice_keeps_its_jobs_apart(&network, home.path(), &posted);
    assert!(network.interrupt().success());
}

/// Ctrl-C while following: exit code 130, the job goes on.
fn interrupted_wait(network: &Localnet, home: &Path, job: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env_clear().env("HOME", home).args(["job", "wait", job, "--cluster", network.url("rpc_url")]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    // Once it reports a state, it listens.
    assert!(lines.any(|line| line.contains("waiting for a provider")));
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(said.iter().any(|line| line.contains(&format!("follow it again: assay job wait {job}"))), "{said:?}");
}

fn p_24_an_address_used_twice_keeps_its_jobs_apart(network: &Localnet, home: &Path, first: &Value) {
    let job = first["job"].as_str().unwrap();
    let poster = || network.poster(home);
    let before = json(&mut poster(), &["job", "describe", job]);
    let dir = job_directory(home);
    let again = json(&mut poster(), &["job", "submit", dir.to_str().unwrap(), "--yes", "--id", "7"]);
    assert_eq!(again["job"], first["job"], "the same seeds");
    let after = json(&mut poster(), &["job", "describe", job]);
    assert_ne!(after["job_uid"], before["job_uid"]);
    assert_eq!(after["earlier"][0]["job_uid"], before["job_uid"]);
    assert_eq!(after["earlier"][0]["history"], before["history"]);
    let events: Vec<&Value> = after["history"].as_array().unwrap().iter().map(|entry| &entry["event"]).collect();
    assert_eq!(events, ["JobCreated"]);
}

#[test]
fn a_dry_run_finds_everything_that_a_real_one_would_be_refused_for() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let dir = job_directory(home.path());
    let dir = dir.to_str().unwrap();
    let manifest = Path::new(dir).join("manifest.json");
    let submit = |more: &[&str]| {
        let arguments: Vec<&str> = ["job", "submit", dir].iter().chain(more).copied().collect();
        refused(&mut network.poster(home.path()), &arguments)
    };
    let poor = ["--base-fee", "1000sol"];
    let late = ["--expires-in-s", "4000000000"];
    let absent = ["--content", "http://127.0.0.1:1"];
    for (flags, error) in [(poor, "are needed"), (late, "would expire in"), (absent, "content node")] {
        let (code, dry) = submit(&[&flags[..], &["--dry-run"]].concat());
        assert!(code == Some(1) && says(&dry["error"], error), "{flags:?}: {dry}");
        assert!(dry["total_lamports"].is_u64() && dry["next"].is_string(), "{flags:?}: {dry}");
        // The same before anything is uploaded or asked.
        let (code, real) = submit(&flags);
        assert!(code == Some(1) && says(&real["error"], error), "{flags:?}: {real}");
        let text = network.poster(home.path()).args(["job", "submit", dir, "--yes"]).args(flags).output().unwrap();
        assert!(!stderr(&text).contains("uploading"), "{}", stderr(&text));
    }
    let (code, cheap) = submit(&["--dry-run", "--base-fee", "0", "--price", "1"]);
    assert!(code == Some(0) && says(&cheap["remark"], "pays nothing"), "{cheap}");
    assert_eq!(submit(&["--dry-run"]).1["remark"], Value::Null);
    std::fs::write(&manifest, r#"{"executable": "job.wasm", "output_path": "output/"}"#).unwrap();
    let (code, large) = submit(&["--dry-run", "--gas-limit", "999999999999999"]);
    assert!(code == Some(1) && says(&large["error"], "the market takes at most"), "{large}");
    for language in author::BUILT {
        let place = tempfile::tempdir().unwrap();
        let job = author::project(place.path(), language).join("job");
        let template = json(&mut network.poster(home.path()), &["job", "submit", job.to_str().unwrap(), "--dry-run"]);
        assert!(template["total_lamports"].is_u64(), "{language}: {template}");
    }
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
        // The network is gone, so what verifies a job does without.
        let verify = row["verify"].as_str().unwrap();
        assert!(verify.starts_with("assay run ") && verify.ends_with("/job"), "{verify}");
    }
}

//! `assay receipt`: a stranger's file, checked with the job directory and nothing else.

use std::{fs, path::Path};

use assay_protocol::Posting;
use assay_sdk::receipt::Receipt;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{assay, home, last_json, run::EXIT_3, stderr};

/// A receipt of a run of a job directory, and the directory.
fn receipt_of(home: &Path, guest: &str) -> (Value, String) {
    receipt_in(home, guest, "auto")
}

/// The same, of a run in this engine.
fn receipt_in(home: &Path, guest: &str, engine: &str) -> (Value, String) {
    let dir = home.join("job");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("job.wasm"), wat::parse_str(guest).unwrap()).unwrap();
    let manifest = json!({
        "executable": "job.wasm", "args": ["one", "two"], "env": {"LANG": "C"}, "output_path": "output/",
        "limits": {"gas_limit": 1_000_000},
    });
    fs::write(dir.join("manifest.json"), manifest.to_string()).unwrap();
    let path = home.join("receipt.json");
    let run = ["run", dir.to_str().unwrap(), "--engine", engine, "--receipt", path.to_str().unwrap()];
    let output = assay(home).args(run).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    (serde_json::from_slice(&fs::read(path).unwrap()).unwrap(), dir.to_str().unwrap().to_owned())
}

fn write(home: &Path, name: &str, receipt: &Value) -> String {
    let path = home.join(name);
    fs::write(&path, receipt.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Exit code, and the one JSON object of stdout. No setting is valid, so whoever looks for a cluster fails.
fn offline(home: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = assay(home);
    command.env("ASSAY_CLUSTER", "no cluster").env("ASSAY_CONTENT", "no URL");
    let output = command.arg("--json").args(arguments).output().unwrap();
    (output.status.code(), last_json(&output))
}

#[test]
fn a_receipt_is_shown_checked_and_compared_without_any_chain_or_setting() {
    let home = home();
    let (receipt, dir) = receipt_of(home.path(), EXIT_3);
    let path = write(home.path(), "a.json", &receipt);
    assert_eq!(receipt["job"], Value::Null);
    assert_eq!((&receipt["outcome"]["exit_code"], &receipt["run"]["args"]), (&json!(3), &json!(["one", "two"])));

    let (code, shown) = offline(home.path(), &["receipt", "show", &path]);
    assert_eq!((code, &shown["signature"], &shown["receipt"]), (Some(0), &json!("missing"), &receipt));
    let (code, checked) = offline(home.path(), &["receipt", "verify", &path, "--dir", &dir]);
    assert_eq!(
        (code, &checked["verified"], &checked["signature"]),
        (Some(0), &json!(true), &json!("missing")),
        "{checked}"
    );
    let rows = checked["compared"][0]["fields"].as_array().unwrap();
    assert!(rows.len() > 20 && rows.iter().all(|row| row["equal"] == true), "{rows:?}");
    assert_eq!((&checked["job"], &checked["chain_checked"]), (&Value::Null, &json!(false)));
    // What JavaScript would round is no number.
    for pointer in
        ["/task/seed", "/task/clock_unix_ns", "/task/limits/gas_limit", "/outcome/gas_used", "/run/memory_peak_bytes"]
    {
        assert!(receipt.pointer(pointer).unwrap().is_string(), "{pointer}");
    }
    let text = assay(home.path()).args(["receipt", "verify", &path, "--dir", &dir]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("nobody vouches for this receipt") && text.contains("verified:"), "{text}");

    let (code, same) = offline(home.path(), &["receipt", "diff", &path, &path]);
    assert_eq!((code, &same["equal"], &same["same_run"]), (Some(0), &json!(true), &json!(true)));
    assert_eq!(same["signatures"], json!(["missing", "missing"]));
    let (code, none) = offline(home.path(), &["receipt", "verify", &path, "--dir", &dir, "--job"]);
    assert!(code == Some(2) && none["error"].as_str().unwrap().contains("names no job"), "{none}");
    let next = none["next"].as_str().unwrap();
    assert!(next.contains("assay verify JOB") && !next.contains("--job="), "{none}");
}

#[test]
fn i_08_a_receipt_is_checked_in_the_engine_that_it_does_not_name_unless_told_otherwise() {
    for (ran_in, other) in [("wasmi", "wasmtime"), ("wasmtime", "wasmi")] {
        let home = home();
        let (receipt, dir) = receipt_in(home.path(), EXIT_3, ran_in);
        let path = write(home.path(), "a.json", &receipt);
        for (asked, engine) in [("auto", other), (ran_in, ran_in)] {
            let arguments = ["receipt", "verify", &path, "--dir", &dir, "--engine", asked];
            let (code, checked) = offline(home.path(), &arguments);
            assert_eq!((code, &checked["verified"]), (Some(0), &json!(true)), "{checked}");
            assert_eq!((&checked["engine"]["name"], &checked["engine"]["variant"]), (&json!(engine), &json!("G")));
        }
    }
}

/// Another value of the same type.
fn forged(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_u64().unwrap() ^ 2),
        Value::String(text) if text == "Exited" => json!("OutputTooLarge"),
        // Another whole number of pages where it is one: nothing else is a peak of memory.
        Value::String(text) if let Ok(number) = text.parse::<u64>() => {
            let flip = if number > 0 && number.is_multiple_of(65_536) { 131_072 } else { 2 };
            json!((number ^ flip).to_string())
        }
        // Of the empty directory.
        Value::String(text) if text.starts_with("bafy") => {
            json!("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")
        }
        Value::String(text) if text.len() == 64 => json!("ab".repeat(32)),
        Value::String(text) => json!(format!("{text}x")),
        _ => json!("ab".repeat(32)),
    }
}

#[test]
fn p_29_whatever_is_changed_in_a_receipt_is_found_by_running_it_again_and_named() {
    let home = home();
    let (receipt, dir) = receipt_of(home.path(), EXIT_3);
    for pointer in [
        "/task/digest",
        "/task/job_cid",
        "/task/seed",
        "/task/limits/gas_limit",
        "/outcome/kind",
        "/outcome/detail",
        "/outcome/exit_code",
        "/outcome/gas_used",
        "/outcome/result_cid",
        "/outcome/state_root",
        "/run/module_hash",
        "/run/metered_hash",
        "/run/args/1",
        "/run/env/LANG",
        "/run/stack_peak_bytes",
        "/run/memory_peak_bytes",
        "/run/stdout_hash",
        "/run/stderr_hash",
    ] {
        let mut changed = receipt.clone();
        let value = changed.pointer_mut(pointer).unwrap();
        *value = forged(value);
        let path = write(home.path(), "changed.json", &changed);
        let (code, found) = offline(home.path(), &["receipt", "verify", &path, "--dir", &dir]);
        let text = found.to_string();
        let field = pointer.trim_start_matches('/').replace('/', ".");
        // What follows from other fields is refused, the rest is found out.
        let (expected, named) = match pointer {
            _ if pointer.starts_with("/task") => (1, "task.digest"),
            "/outcome/state_root" => (1, "not canonical"),
            // Nothing was printed, so nothing was cut.
            "/outcome/detail" => (1, "whether it was cut"),
            _ => (3, field.trim_end_matches(".1").trim_end_matches(".LANG")),
        };
        assert_eq!(code, Some(expected), "{field}: {text}");
        if expected == 3 {
            assert_eq!(found["error"], format!("what is claimed is not so: {named}"), "{text}");
            let (code, difference) =
                offline(home.path(), &["receipt", "diff", &path, home.path().join("receipt.json").to_str().unwrap()]);
            assert!(
                code == Some(3) && difference["error"] == format!("the receipts differ in {named}"),
                "{difference}"
            );
        } else {
            assert!(text.contains(named), "{field}: {text}");
        }
    }
}

#[test]
fn every_kind_of_outcome_has_a_receipt_that_is_verified() {
    const TRAP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
    const LOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;
    const INVALID: &str = r#"(module (import "env" "f" (func)) (func (export "_start")))"#;
    for (guest, kind) in [(TRAP, "Trapped"), (LOOP, "OutOfGas"), (INVALID, "Invalid")] {
        let home = home();
        let (receipt, dir) = receipt_of(home.path(), guest);
        assert_eq!((&receipt["outcome"]["kind"], receipt["run"].is_null()), (&json!(kind), kind == "Invalid"));
        let path = home.path().join("receipt.json");
        let (code, found) = offline(home.path(), &["receipt", "verify", path.to_str().unwrap(), "--dir", &dir]);
        assert_eq!(code, Some(0), "{found}");
    }
}

#[test]
fn i_08_a_receipt_is_checked_in_both_engines_and_the_two_against_each_other() {
    const TRAP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
    const INVALID: &str = r#"(module (import "env" "f" (func)) (func (export "_start")))"#;
    for (guest, is_run) in [(EXIT_3, true), (TRAP, true), (INVALID, false)] {
        let home = home();
        let (receipt, dir) = receipt_of(home.path(), guest);
        let path = write(home.path(), "a.json", &receipt);
        let both = ["receipt", "verify", &path, "--dir", &dir, "--both", "--no-cache"];
        let (code, checked) = offline(home.path(), &both);
        let row = |name: &str, version: &str| json!({ "name": name, "version": version, "variant": "G" });
        let engines = [row("wasmi", "2.0.0"), row("wasmtime", "48.0.8")];
        let parts = checked["compared"].as_array().unwrap();
        let with: Vec<&Value> = parts.iter().map(|part| &part["with"]).collect();
        assert_eq!((code, with.as_slice()), (Some(0), &[&json!("run"), &json!("run"), &json!("other_engine")][..]));
        // What is found invalid before it runs is run in no engine.
        if is_run {
            assert_eq!((&checked["engine"], &checked["other_engine"]), (&engines[0], &engines[1]), "{checked}");
            assert_eq!((&parts[0]["engine"], &parts[1]["engine"]), (&engines[0], &engines[1]));
            assert_eq!(checked["engines_agree"], true);
        } else {
            assert_eq!((&checked["engine"], &checked["engines_agree"]), (&Value::Null, &Value::Null), "{checked}");
        }
        let rows = parts[2]["fields"].as_array().unwrap();
        assert!(rows.len() >= 17 && rows.iter().all(|row| row["equal"] == true), "{rows:?}");
    }
    let home = home();
    let (mut receipt, dir) = receipt_of(home.path(), EXIT_3);
    receipt["outcome"]["exit_code"] = json!(4);
    let path = write(home.path(), "wrong.json", &receipt);
    let (code, found) = offline(home.path(), &["receipt", "verify", &path, "--dir", &dir, "--both", "--no-cache"]);
    assert_eq!((code, &found["engines_agree"]), (Some(3), &json!(true)), "{found}");
    assert_eq!(found["error"], "what is claimed is not so: outcome.exit_code");
    let output = assay(home.path()).args(["receipt", "verify", &path, "--dir", &dir, "--both"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("running it again in wasmtime 48.0.8, variant G:") && text.contains("the engines agree"),
        "{text}"
    );
    let (code, usage) =
        offline(home.path(), &["receipt", "verify", &path, "--dir", &dir, "--both", "--engine", "wasmi"]);
    assert!(code == Some(2) && usage["error"].as_str().unwrap().contains("--engine"), "{usage}");
}

#[test]
fn a_check_gives_up_when_it_is_told_to_and_names_the_flag() {
    const LOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;
    let home = home();
    let (receipt, dir) = receipt_of(home.path(), LOOP);
    // As if it had been posted with a gas limit that takes days; what was promised about its gas is then another.
    let mut long = Receipt::from_json(receipt.to_string().as_bytes()).unwrap();
    let manifest = fs::read_to_string(format!("{dir}/manifest.json")).unwrap();
    fs::write(format!("{dir}/manifest.json"), manifest.replace("1000000", "900000000000000")).unwrap();
    long.task.limits.gas_limit = 900_000_000_000_000;
    long.outcome.gas_used = long.task.limits.gas_limit;
    long.task.job_cid_digest = assay_content::digest_from_cid(
        &assay_content::pack_path(Path::new(&dir), assay_content::PackLimits::default()).unwrap().root,
    )
    .unwrap();
    let path = home.path().join("long.json");
    fs::write(&path, long.to_json()).unwrap();
    let verify = ["receipt", "verify", path.to_str().unwrap(), "--dir", &dir, "--timeout-s", "1"];
    let (code, found) = offline(home.path(), &verify);
    assert!(code == Some(1) && found["error"].as_str().unwrap().contains("after 1 s (--timeout-s)"), "{found}");
    assert!(found["next"].as_str().unwrap().contains("more with --timeout-s"), "{found}");
}

#[test]
fn p_30_what_is_no_receipt_or_another_jobs_is_refused_by_name() {
    let home = home();
    let (receipt, dir) = receipt_of(home.path(), EXIT_3);
    let path = write(home.path(), "a.json", &receipt);
    let (code, missing) = offline(home.path(), &["receipt", "show", "nothing.json"]);
    assert!(code == Some(1) && missing["error"].as_str().unwrap().contains("nothing.json"), "{missing}");
    let (code, nowhere) = offline(home.path(), &["receipt", "verify", &path, "--dir", "nodir"]);
    assert!(code == Some(1) && nowhere["next"] == "name a directory that there is", "{nowhere}");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let content = format!("http://127.0.0.1:{port}");
    let cid = receipt["task"]["job_cid"].as_str().unwrap();
    let down = assay(home.path()).args(["--json", "receipt", "show", cid, "--content", &content]).output().unwrap();
    let down = last_json(&down);
    assert!(down["next"].as_str().unwrap().contains("ask the provider for the file"), "{down}");
    fs::write(home.path().join("long.json"), vec![b' '; 300_000]).unwrap();
    let (code, long) = offline(home.path(), &["receipt", "show", home.path().join("long.json").to_str().unwrap()]);
    assert!(code == Some(1) && long["causes"].to_string().contains("longer than"), "{long}");
    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("manifest.json"), "{}").unwrap();
    let (code, found) = offline(home.path(), &["receipt", "verify", &path, "--dir", other.to_str().unwrap()]);
    let error = found["error"].as_str().unwrap();
    assert!(code == Some(1) && error.contains("is another job's directory (CID bafy"), "{found}");
    assert!(error.contains(receipt["task"]["job_cid"].as_str().unwrap()), "{found}");
    // The project around the job directory.
    let (code, found) = offline(home.path(), &["receipt", "verify", &path, "--dir", home.path().to_str().unwrap()]);
    let meant = format!("did you mean {dir}?");
    assert!(code == Some(1) && found["next"] == meant.as_str(), "{found}");
    let output = assay(home.path()).args(["run", path.as_str(), "--receipt", path.as_str()]).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("not overwritten"), "{}", stderr(&output));
}

/// A job that nobody posted, signed by a key that was made for it.
#[test]
fn p_29_a_job_that_no_chain_was_asked_about_is_the_receipts_word_alone() {
    let home = home();
    let (receipt, dir) = receipt_of(home.path(), EXIT_3);
    let posting = Posting { program: [6; 32], cluster: [7; 32], job: [8; 32], created_slot: 9 };
    let keypair = Keypair::new_from_array([1; 32]);
    let mut own = Receipt::from_json(receipt.to_string().as_bytes()).unwrap();
    own.posting = Some(posting);
    // Every job promises its module.
    own.task.metered_hash = own.run.as_ref().unwrap().metered_hash;
    let signature = keypair.sign_message(&own.message_for(&keypair.pubkey()));
    let signed = own.with_signature(keypair.pubkey(), signature).to_json();
    let signed: Value = serde_json::from_str(&signed).unwrap();
    let path = write(home.path(), "invented.json", &signed);
    let (code, checked) = offline(home.path(), &["receipt", "verify", &path, "--dir", &dir]);
    assert_eq!((code, &checked["signature"], &checked["chain_checked"]), (Some(0), &json!("valid"), &json!(false)));
    assert_eq!((&checked["job"], &checked["job_uid"]), (&Value::Null, &Value::Null), "{checked}");
    assert_eq!(
        (&checked["claimed_job"], &checked["claimed_job_uid"]),
        (&signed["job"]["address"], &signed["job"]["uid"]),
        "{checked}"
    );
    let text = assay(home.path()).args(["receipt", "verify", &path, "--dir", &dir]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.lines().last().unwrap().ends_with("the job itself was not checked on any chain"), "{text}");

    // The same with a signature that is another's: what it says is still so.
    let mut stolen = signed.clone();
    stolen["provider_key"] = json!(Keypair::new_from_array([2; 32]).pubkey().to_string());
    let stolen = write(home.path(), "stolen.json", &stolen);
    let (code, found) = offline(home.path(), &["receipt", "verify", &stolen, "--dir", &dir]);
    assert!(code == Some(3) && found["error"] == "what is claimed is not so: signature", "{found}");
    assert_eq!(found["next"], "get the receipt from the provider again");
    let (code, difference) = offline(home.path(), &["receipt", "diff", &path, &stolen]);
    assert_eq!((code, &difference["signatures"]), (Some(3), &json!(["valid", "wrong"])), "{difference}");
    assert_eq!(difference["same_run"], true);
    assert_eq!(difference["error"], "the receipts tell the same run, but the second one's signature is not its key's");
    let (code, difference) = offline(home.path(), &["receipt", "diff", &stolen, &stolen]);
    assert_eq!((code, &difference["equal"]), (Some(3), &json!(true)), "forged twice");
    let text = assay(home.path()).args(["receipt", "diff", &path, &stolen]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("first   signature valid") && text.contains("second  signature WRONG"), "{text}");
}

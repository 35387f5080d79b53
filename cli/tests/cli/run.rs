//! `assay run`: the contract of its JSON, and what it says about modules that cannot run.

use std::{fs, path::Path};

use crate::{assay, home, last_json, stderr};

/// What scripts rely on, `tools/check-samples` among them.
const KEYS: [&str; 8] =
    ["outcome", "exit_code", "gas_used", "stack_peak", "memory_peak", "result_cid", "metered_hash", "engine"];

/// Prints "hello", then exits with 3.
pub const EXIT_3: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 16) "hello")
    (data (i32.const 0) "\10\00\00\00\05\00\00\00")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $exit (i32.const 3))))"#;
const TRAP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
const LOOP: &str = r#"(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))"#;

fn module(dir: &Path, text: &str) -> std::path::PathBuf {
    let path = dir.join("job.wasm");
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

fn run_json(text: &str, more: &[&str]) -> (std::process::Output, serde_json::Value) {
    let home = home();
    let path = module(home.path(), text);
    let output = assay(home.path()).arg("run").arg(path).arg("--json").args(more).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let json = last_json(&output);
    (output, json)
}

#[test]
fn the_last_line_of_a_run_that_exited_has_exactly_the_keys_of_the_contract() {
    let (output, json) = run_json(EXIT_3, &[]);
    let mut keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let mut expected = KEYS;
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(json["outcome"], "Exited");
    assert_eq!(json["exit_code"], 3);
    assert!(json["gas_used"].as_u64().unwrap() > 0);
    assert!(json["result_cid"].as_str().unwrap().starts_with('b'));
    assert_eq!(json["metered_hash"].as_str().unwrap().len(), 64);
    assert!(output.stdout.starts_with(b"hello\n"), "the guest's text and the JSON line are apart");
}

#[test]
fn w_16_what_is_logged_does_not_change_the_result() {
    let (_, quiet) = run_json(EXIT_3, &["--quiet"]);
    let (output, loud) = run_json(EXIT_3, &["-vvv"]);
    assert_eq!(quiet, loud);
    assert!(output.stdout.starts_with(b"hello\n"), "logs do not mix with the guest's text");
}

#[test]
fn a_trap_and_an_empty_tank_are_results() {
    let (_, trap) = run_json(TRAP, &[]);
    assert_eq!(trap["outcome"], "Trapped");
    assert!(trap["reason"].as_str().unwrap().contains("unreachable"), "{trap}");
    let (_, empty) = run_json(LOOP, &["--gas-limit", "12_345"]);
    assert_eq!((&empty["outcome"], &empty["gas_used"]), (&"OutOfGas".into(), &12_345.into()));
    assert_eq!(empty["reason"], "it used all of its 12,345 gas");
}

#[test]
fn i_08_every_engine_gives_the_same_line_but_for_its_name_and_keeps_what_it_compiled() {
    let home = home();
    let path = module(home.path(), EXIT_3);
    let line = |flags: &[&str]| {
        let output = assay(home.path()).arg("run").arg(&path).arg("--json").args(flags).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let mut line = last_json(&output);
        let engine = line.as_object_mut().unwrap().remove("engine").unwrap();
        (line, engine["name"].as_str().unwrap().to_owned(), engine["variant"].as_str().unwrap().to_owned())
    };
    let kept = || fs::read_dir(home.path().join(".cache/assay/compiled")).map_or(0, Iterator::count);
    let (reference, name, variant) = line(&["--engine", "wasmi"]);
    assert_eq!((name.as_str(), variant.as_str(), kept()), ("wasmi", "L", 0));
    for (flags, files) in [(&["--engine", "wasmtime", "--no-cache"][..], 0), (&["--engine", "wasmtime"], 1), (&[], 1)] {
        let (compiled, name, _) = line(flags);
        assert_eq!((compiled, name.as_str(), kept()), (reference.clone(), "wasmtime", files), "{flags:?}");
    }
}

#[test]
fn an_engine_that_there_is_not_is_wrong_usage() {
    let home = home();
    let output = assay(home.path()).args(["run", "x.wasm", "--engine", "v8"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("wasmi, wasmtime or auto"), "{}", stderr(&output));
}

#[test]
fn the_limits_and_the_clock_of_a_run_are_those_of_the_flags() {
    assert_eq!(run_json(EXIT_3, &["--output-bytes", "1"]).1["outcome"], "OutputTooLarge");
    let clock = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 0)))
            (call $exit (i32.wrap_i64 (i64.div_u (i64.load (i32.const 0)) (i64.const 1000000000))))))"#;
    assert_eq!(run_json(clock, &["--clock-unix-ns", "42_000_000_000"]).1["exit_code"], 42);
    let deep = r#"(module (memory (export "memory") 1)
        (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "_start") (call $deep (i32.const 1000))))"#;
    assert_eq!(run_json(deep, &[]).1["outcome"], "Exited");
    assert_eq!(run_json(deep, &["--stack", "4096"]).1["outcome"], "Trapped");
}

#[test]
fn the_same_run_gives_the_same_line() {
    assert_eq!(run_json(EXIT_3, &[]).1, run_json(EXIT_3, &[]).1);
}

#[test]
fn a_module_that_cannot_run_is_an_invalid_outcome_with_its_reason() {
    let home = home();
    let path = home.path().join("job.wasm");
    fs::write(&path, b"no module at all").unwrap();
    let output = assay(home.path()).arg("run").arg(&path).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let json = last_json(&output);
    assert_eq!((&json["outcome"], &json["result_cid"]), (&"Invalid".into(), &serde_json::Value::Null));
    assert!(json["reason"].as_str().unwrap().contains("it is text"), "{json}");
    let output = assay(home.path()).arg("run").arg(&path).output().unwrap();
    assert!(stderr(&output).contains("module is not valid"), "{}", stderr(&output));
}

#[test]
fn what_is_missing_or_malformed_on_the_command_line_is_named() {
    let home = home();
    let path = module(home.path(), EXIT_3);
    let path = path.to_str().unwrap();
    for (arguments, code, named) in [
        (vec!["run", "absent.wasm"], 1, "absent.wasm"),
        (vec!["run", path, "--env", "NOVALUE"], 2, "NOVALUE"),
        (vec!["run", path, "--dir", "absent"], 1, "absent"),
        (vec!["run", path, "--stdin", "absent"], 1, "absent"),
        (
            vec!["run", path, "--gas-limit", "0"],
            2,
            "--gas-limit <N>': give a whole number from 1 to 1,000,000,000,000,000",
        ),
        (vec!["run", path, "--gas-limit", "-1"], 2, "--gas-limit"),
        (vec!["run", path, "--memory", "1000"], 2, "--memory <BYTES>': give a whole number from 65,536"),
        (vec!["run", path, "--memory", "70000"], 2, "65536 or 131072"),
        (vec!["run", path, "--stack", "1024"], 2, "--stack"),
        (vec!["run", path, "--output-bytes", "0"], 2, "--output-bytes"),
        (vec!["run", path, "--timeout-s", "0"], 2, "--timeout-s"),
        (vec!["run", path, "--stdin", "/dev/zero"], 1, "all that a job may hold"),
    ] {
        let output = assay(home.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(named), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn out_writes_the_result_directory_and_never_over_another() {
    let home = home();
    let path = module(home.path(), EXIT_3);
    let out = home.path().join("result");
    let run = || assay(home.path()).arg("run").arg(&path).arg("--out").arg(&out).output().unwrap();
    assert!(run().status.success());
    assert_eq!(fs::read(out.join("stdout.txt")).unwrap(), b"hello");
    assert_eq!(fs::read(out.join("stderr.txt")).unwrap(), b"");
    assert!(out.join("output").is_dir());
    let again = run();
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("result"), "{}", stderr(&again));
}

#[test]
fn what_cannot_be_read_or_written_is_said_before_the_run_with_what_to_do() {
    let home = home();
    // A run of it would last until it is stopped.
    let path = module(home.path(), LOOP);
    let (path, file) = (path.to_str().unwrap(), home.path().join("file"));
    fs::write(&file, "").unwrap();
    let below = file.join("out");
    let below = below.to_str().unwrap();
    for (arguments, named, next) in [
        (vec!["run", path, "--out", below], "file/out", "--out"),
        (vec!["run", path, "--receipt", below], "file/out", "--receipt"),
        (vec!["run", path, "--receipt", "nodir/receipt.json"], "nodir", "--receipt"),
        (vec!["run", path, "--dir", "nodir"], "nodir", "name a directory that there is"),
        (vec!["test", path, "--expect", "nodir"], "nodir", "name a directory that there is"),
        (vec!["meter", path, "--flame", "nodir/gas.svg"], "nodir", "--flame"),
    ] {
        let long = ["--json", "--gas-limit", "900000000000000"];
        let output = assay(home.path()).current_dir(home.path()).args(&arguments).args(long).output().unwrap();
        let json = last_json(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {json}");
        assert!(json["error"].as_str().unwrap().contains(named), "{arguments:?}: {json}");
        assert!(json["next"].as_str().unwrap().contains(next), "{arguments:?}: {json}");
    }
    let mut left: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["file", "job.wasm"]);
}

#[test]
fn what_cannot_be_kept_of_a_run_hides_nothing_of_it() {
    let home = home();
    let path = module(home.path(), EXIT_3);
    // Longer than a name may be, which is found out when it is made, as a full disk is.
    let name = "n".repeat(300);
    for flags in [vec!["--receipt", &name], vec!["--out", &name], vec!["--out", &name, "--receipt", &name]] {
        let run = |more: &[&str]| {
            let mut command = assay(home.path());
            command.current_dir(home.path()).arg("run").arg(&path).args(&flags).args(more).output().unwrap()
        };
        let output = run(&["--json"]);
        let json = last_json(&output);
        assert_eq!(
            (output.status.code(), &json["outcome"], &json["exit_code"]),
            (Some(1), &"Exited".into(), &3.into())
        );
        assert!(json["error"].as_str().unwrap().starts_with("cannot write"), "{json}");
        let named = json["causes"].as_array().unwrap().iter().filter(|cause| cause.to_string().contains("too long"));
        assert_eq!(named.count(), flags.len() / 2, "{json}");
        let output = run(&[]);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b"hello"[..]));
        assert!(stderr(&output).contains("outcome      Exited(3)") && stderr(&output).contains("error: cannot write"));
    }
}

#[test]
fn time_that_is_over_is_no_outcome_and_names_the_flag() {
    let home = home();
    let path = module(home.path(), LOOP);
    let arguments = ["--gas-limit", "900000000000000", "--timeout-s", "1", "--json"];
    let output = assay(home.path()).arg("run").arg(&path).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let json = last_json(&output);
    assert!(json["error"].as_str().unwrap().contains("after 1 s (--timeout-s)"), "{json}");
    let next = json["next"].as_str().unwrap();
    assert!(next.contains("with --timeout-s") && next.contains("900,000,000,000,000"), "{next}");
    let tested = assay(home.path()).arg("test").arg(&path).args(arguments).output().unwrap();
    assert_eq!((tested.status.code(), &last_json(&tested)), (Some(1), &json));
}

#[test]
fn a_job_directory_and_a_flag_that_disagree_are_a_wrong_usage() {
    let home = home();
    module(home.path(), EXIT_3);
    let manifest = r#"{"executable": "job.wasm", "output_path": "output/", "limits": {"gas_limit": 7000}}"#;
    fs::write(home.path().join("manifest.json"), manifest).unwrap();
    let output = assay(home.path()).arg("run").arg(home.path()).args(["--gas-limit", "8000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--gas-limit is 8000") && stderr(&output).contains("7000"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn w_08_a_name_that_would_run_backwards_is_shown_escaped() {
    let home = home();
    let dir = home.path().join("job");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("manifest.json"), "{}").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.join("a\u{202e}gnp.exe")).unwrap();
    let text = assay(home.path()).arg("run").arg(&dir).output().unwrap();
    assert!(stderr(&text).contains("a\\u{202e}gnp.exe"), "{}", stderr(&text));
    let json = assay(home.path()).arg("run").arg(&dir).arg("--json").output().unwrap();
    let printed = String::from_utf8(json.stdout.clone()).unwrap();
    assert!(printed.contains("\\u202e") && !printed.contains('\u{202e}'), "{printed}");
    assert!(last_json(&json)["causes"][0].as_str().unwrap().contains('\u{202e}'), "the value is what it is");
}

//! Tests of the one place where a job directory becomes an outcome.
#![allow(clippy::unwrap_used, reason = "tests")]

use assay_content::{BlockSet, Budget, unpack};
use assay_protocol::{
    InvalidReason, METERED_HASH_UNSTATED, TaskLimits, Trap,
    limits::{CLOCK_UNIX_NS_DEFAULT, INPUT_BYTES_MAX},
};

use super::*;

/// Prints "hi\n" and writes `out/answer` below the preopened root.
const HELLO: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\03\00\00\00")
  (data (i32.const 16) "hi\n")
  (data (i32.const 32) "out/answer")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (call $open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 10) (i32.const 1)
        (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 64)) (then (unreachable)))
    (drop (call $write (i32.load (i32.const 64)) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

const MANIFEST: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "out/"}"#;

fn limits() -> TaskLimits {
    TaskLimits { gas_limit: 1_000_000, ..TaskLimits::default() }
}

fn input(module: &str, manifest: &str) -> TaskInput {
    let spec = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: [1; 32],
        metered_hash: METERED_HASH_UNSTATED,
        limits: limits(),
        seed: 0,
        clock_unix_ns: CLOCK_UNIX_NS_DEFAULT,
    };
    let module = wat::parse_str(module).unwrap();
    let entries = vec![Entry::file("job.wasm", module), Entry::file("manifest.json", manifest.as_bytes().to_vec())];
    TaskInput { spec, entries }
}

fn start(body: &str) -> TaskInput {
    input(&format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#), MANIFEST)
}

fn run_here(input: &TaskInput) -> Result<ExecutedTask, VerifyFault> {
    execute(input, &RunOptions::default())
}

fn reason(input: &TaskInput) -> InvalidReason {
    let executed = run_here(input).unwrap();
    assert!(executed.package.is_none() && executed.run.is_none());
    assert_eq!(executed.outcome, Outcome::invalid(executed.outcome.invalid_reason().unwrap()));
    assert!(!executed.problem.unwrap().problem.is_empty());
    executed.outcome.invalid_reason().unwrap()
}

fn files(package: &Package) -> Vec<(String, Option<Bytes>)> {
    let blocks = BlockSet::from_blocks(package.blocks.iter().cloned()).unwrap();
    let entries = unpack(package.root, &blocks, &Budget::RESULT).unwrap();
    entries.into_iter().map(|entry| (entry.path.clone(), entry.bytes().cloned())).collect()
}

fn file(path: &str, text: &'static str) -> (String, Option<Bytes>) {
    (path.to_owned(), Some(Bytes::from_static(text.as_bytes())))
}

fn directory(path: &str) -> (String, Option<Bytes>) {
    (path.to_owned(), None)
}

#[test]
fn a_run_that_exits_packs_stdout_stderr_and_output() {
    let executed = run_here(&input(HELLO, MANIFEST)).unwrap();
    assert_eq!(
        (executed.outcome.kind, executed.outcome.exit_code, executed.outcome.detail),
        (OutcomeKind::Exited, 0, 0)
    );
    assert!(executed.outcome.gas_used > 0);
    let package = executed.package.unwrap();
    let expected =
        [directory("output"), file("output/answer", "hi\n"), file("stderr.txt", ""), file("stdout.txt", "hi\n")];
    assert_eq!(files(&package), expected);
    assert_eq!(digest_from_cid(&package.root), Ok(executed.outcome.result_cid_digest));
    // Golden: the packing rules are frozen, so these files have this CID on every host and for ever.
    assert_eq!(package.root.to_string(), "bafybeiaowlkxo6cdula5x5gy65pv3solrevsidz4k4hbjnblodhnjfakoy");
}

#[test]
fn the_same_task_gives_the_same_outcome() {
    let task = input(HELLO, MANIFEST);
    assert_eq!(run_here(&task).unwrap().outcome, run_here(&task).unwrap().outcome);
}

#[test]
fn i_08_every_engine_and_variant_gives_the_same_outcome_and_says_which_it_was() {
    for task in [input(HELLO, MANIFEST), start("unreachable"), start("(loop (br 0))")] {
        let reference = run_here(&task).unwrap();
        for engine in [Engine::Wasmi, Engine::Wasmtime] {
            for variant in [Variant::Canonical, Variant::Fast] {
                let other = execute(&task, &RunOptions { engine, variant, ..RunOptions::default() }).unwrap();
                assert_eq!(other.outcome, reference.outcome, "{engine} {variant:?}");
                let run = other.run.unwrap();
                assert_eq!(run.engine.map(Engine::from), Some(engine));
                // What does not exit is answered by the program itself.
                let exits = other.outcome.kind == OutcomeKind::Exited;
                assert_eq!(run.variant, if exits { variant } else { Variant::Canonical });
            }
        }
    }
}

#[test]
fn the_module_is_what_the_manifest_names_and_names_once() {
    let task = start("nop");
    let module = |entries| task::manifest_and_module(entries).map(|(_, module)| module);
    assert_eq!(module(&task.entries), task.entries[0].bytes());
    let mut twice = task.entries.clone();
    twice.push(task.entries[0].clone());
    assert_eq!(module(&twice), None);
    assert_eq!(module(&task.entries[..1]), None);
    assert_eq!(module(&input("(module)", "{").entries), None);
}

#[test]
fn a_trap_and_an_exhausted_gas_limit_pack_an_empty_output() {
    let trapped = run_here(&start("unreachable")).unwrap();
    assert_eq!(trapped.outcome.trap(), Some(Trap::Unreachable));
    let looping = run_here(&start("(loop (br 0))")).unwrap();
    assert_eq!((looping.outcome.kind, looping.outcome.gas_used), (OutcomeKind::OutOfGas, limits().gas_limit));
    let expected = [directory("output"), file("stderr.txt", ""), file("stdout.txt", "")];
    for executed in [trapped, looping] {
        executed.outcome.check(limits().gas_limit).unwrap();
        assert_eq!(files(&executed.package.unwrap()), expected);
    }
}

#[test]
fn a_result_over_its_limit_packs_no_output() {
    let mut task = input(HELLO, MANIFEST);
    task.spec.limits.output_bytes = 5;
    let executed = run_here(&task).unwrap();
    assert_eq!(executed.outcome.kind, OutcomeKind::OutputTooLarge);
    let expected = [directory("output"), file("stderr.txt", ""), file("stdout.txt", "hi\n")];
    assert_eq!(files(&executed.package.unwrap()), expected);
}

#[test]
fn each_fault_of_the_directory_or_manifest_has_its_reason() {
    let nop = "nop";
    let mut task = start(nop);
    task.entries.retain(|entry| entry.path != "manifest.json");
    assert_eq!(reason(&task), InvalidReason::ManifestMissing);

    let module = r#"(module (func (export "_start")))"#;
    assert_eq!(reason(&input(module, "{")), InvalidReason::ManifestInvalid);
    let with = |field: &str| MANIFEST.replacen('}', &format!(", {field}}}"), 1);
    assert_eq!(reason(&input(module, &with(r#""stdin": "missing""#))), InvalidReason::ManifestInvalid);
    assert_eq!(reason(&input(module, &with(r#""seed": 1"#))), InvalidReason::TaskMismatch);
    assert_eq!(reason(&input(module, &with(r#""limits": {"gas_limit": 2}"#))), InvalidReason::TaskMismatch);
    assert_eq!(reason(&input(module, &MANIFEST.replace("job", "other"))), InvalidReason::ExecutableMissing);

    let mut task = start(nop);
    task.entries.push(Entry::file("out", Bytes::new()));
    assert_eq!(reason(&task), InvalidReason::ManifestInvalid);
    let mut task = start(nop);
    task.entries.push(Entry::file("a/../b", Bytes::new()));
    assert_eq!(reason(&task), InvalidReason::DirectoryInvalid);
    let mut task = start(nop);
    let too_large = usize::try_from(INPUT_BYTES_MAX).unwrap() + 1;
    task.entries.push(Entry::file("large", vec![0; too_large]));
    assert_eq!(reason(&task), InvalidReason::InputTooLarge);
}

#[test]
fn each_fault_of_the_module_has_its_reason() {
    let unknown_import = r#"(module (import "env" "now" (func)) (func (export "_start")))"#;
    assert_eq!(reason(&input(unknown_import, MANIFEST)), InvalidReason::UnknownImport);
    let no_entry = r#"(module (func (export "main")))"#;
    assert_eq!(reason(&input(no_entry, MANIFEST)), InvalidReason::EntryPointMissing);
    let memory64 = r#"(module (memory i64 1) (func (export "_start")))"#;
    assert_eq!(reason(&input(memory64, MANIFEST)), InvalidReason::ModuleInvalid);
    let mut task = start("nop");
    task.entries[0] = Entry::file("job.wasm", b"MZ".to_vec());
    assert_eq!(reason(&task), InvalidReason::ModuleInvalid);
    let mut task = start("nop");
    task.spec.metered_hash = [9; 32];
    assert_eq!(reason(&task), InvalidReason::MeteredHashMismatch);
}

#[test]
fn i_08_a_promise_about_the_module_is_part_of_the_task_because_it_decides_the_outcome() {
    let unstated = start("nop");
    let PreparedTask::Ready(ready) = prepare(&unstated, Variant::Canonical).unwrap() else { panic!("it can run") };
    let promising = |metered_hash| {
        let mut task = unstated.clone();
        task.spec.metered_hash = metered_hash;
        task
    };
    let (kept, broken) = (promising(ready.request.metered.hash), promising([9; 32]));
    assert_eq!(run_here(&kept).unwrap().outcome, run_here(&unstated).unwrap().outcome);
    assert_eq!(reason(&broken), InvalidReason::MeteredHashMismatch);
    assert_ne!(kept.spec.digest(), broken.spec.digest());
}

#[test]
fn an_entry_that_is_asked_for_must_be_offered() {
    let reactor = r#"(module (func (export "run")))"#;
    assert_eq!(run_here(&input(reactor, MANIFEST)).unwrap().outcome.kind, OutcomeKind::Exited);
    let asking = |field: &str| MANIFEST.replacen('}', &format!(", {field}}}"), 1);
    assert_eq!(reason(&input(reactor, &asking(r#""entry": "command""#))), InvalidReason::EntryPointMissing);
    assert_eq!(reason(&input(reactor, &asking(r#""function_name": "run""#))), InvalidReason::EntryPointMissing);
}

#[test]
fn the_first_fault_in_the_fixed_order_is_the_reason() {
    // Everything is wrong at once: the manifest is looked at before the module.
    let mut task = input(r#"(module (func (export "main")))"#, "{");
    task.spec.metered_hash = [9; 32];
    assert_eq!(reason(&task), InvalidReason::ManifestInvalid);
    task.entries[1] = Entry::file("manifest.json", MANIFEST.as_bytes().to_vec());
    assert_eq!(reason(&task), InvalidReason::MeteredHashMismatch);
    task.spec.metered_hash = METERED_HASH_UNSTATED;
    assert_eq!(reason(&task), InvalidReason::EntryPointMissing);
}

#[test]
fn an_unknown_profile_is_a_fault_of_this_host_and_no_outcome() {
    let mut task = start("nop");
    task.spec.profile = 2;
    assert!(matches!(run_here(&task), Err(VerifyFault::Profile { profile: 2 })));
}

#[test]
fn a_fault_of_the_runner_is_passed_on_and_never_an_outcome() {
    let fault =
        execute_with(&start("nop"), Variant::Fast, |_| Err(VerifyFault::Host(HostFault::EngineStack))).unwrap_err();
    assert!(matches!(fault, VerifyFault::Host(HostFault::EngineStack)));
}

#[test]
fn a_report_that_is_no_outcome_of_the_job_is_a_fault() {
    let task = start("nop");
    let more_gas = |request: &RunRequest| {
        let mut run = run_with(request, &RunOptions::default())?;
        run.report.gas_used = request.limits.gas_limit + 1;
        Ok::<_, VerifyFault>(run)
    };
    assert!(matches!(execute_with(&task, Variant::Canonical, more_gas), Err(VerifyFault::Report { .. })));
}

#[test]
fn a_result_directory_is_one_that_its_outcome_can_have() {
    let limits = TaskLimits { stdio_bytes: 4, output_bytes: 9, ..limits() };
    let result = |stdout: &[u8], stderr: &[u8], output: Option<&[u8]>| {
        let output = output.map(|bytes| Entry::file("output/a", bytes.to_vec()));
        let own = [Entry::file("stdout.txt", stdout.to_vec()), Entry::file("stderr.txt", stderr.to_vec())];
        own.into_iter().chain([Entry::directory("output")]).chain(output).collect::<Vec<_>>()
    };
    let outcome = |kind, detail| Outcome { kind, detail, ..Outcome::invalid(InvalidReason::ModuleInvalid) };
    let exited = outcome(OutcomeKind::Exited, 0);
    let entries = result(b"out", b"err", Some(b"123"));
    assert_eq!(check_result(&exited, &limits, &entries), Ok(Streams { stdout: b"out", stderr: b"err" }));
    let refused = [
        (exited, result(b"out", b"err", Some(b"1234")), "larger"),
        (exited, result(b"12345", b"", None), "longer"),
        (outcome(OutcomeKind::Exited, FLAG_STDOUT_CUT), result(b"123", b"", None), "cut below"),
        (outcome(OutcomeKind::OutOfGas, FLAG_STDERR_CUT), result(b"1234", b"123", None), "cut below"),
        (outcome(OutcomeKind::OutOfGas, 0), result(b"", b"", Some(b"")), "has output"),
        (outcome(OutcomeKind::Trapped, 1), result(b"", b"", Some(b"")), "has output"),
        (outcome(OutcomeKind::OutputTooLarge, 0), result(b"", b"", Some(b"")), "has output"),
    ];
    for (outcome, entries, named) in refused {
        let refusal = check_result(&outcome, &limits, &entries).unwrap_err();
        assert!(refusal.contains(named), "{outcome:?}: {refusal}");
    }
    let fine = [
        (outcome(OutcomeKind::Exited, FLAG_STDOUT_CUT), result(b"1234", b"123", None)),
        // The code of a trap is no flag.
        (outcome(OutcomeKind::Trapped, 1), result(b"123", b"", None)),
        // What was printed counts all the same, and is what is kept of it.
        (outcome(OutcomeKind::OutputTooLarge, 3), result(b"1234", b"1234", None)),
    ];
    for (outcome, entries) in fine {
        assert!(check_result(&outcome, &limits, &entries).is_ok(), "{outcome:?}");
    }
    let file = vec![
        Entry::file("stdout.txt", b"".to_vec()),
        Entry::file("stderr.txt", b"".to_vec()),
        Entry::file("output", b"".to_vec()),
    ];
    assert!(check_result(&exited, &limits, &file).is_err(), "a file in place of the directory");
}

//! The sandbox child, real and impersonated.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use assay_content::{Entry, digest_from_cid, limits::ENTRIES_MAX, pack_entries};
use assay_executor::worker::{
    Cancel, ChildSettings, Fence, ISOLATION_VARIABLE, Isolation, Manner, Prepared, Work, WorkReply, WorkRequest,
    WorkerFault, probe_child, run_in_child,
};
use assay_protocol::{
    InvalidReason, METERED_HASH_UNSTATED, Outcome, OutcomeKind, PROFILE_V1, TaskLimits, TaskSpec,
    limits::{CLOCK_UNIX_NS_DEFAULT, GAS_LIMIT_MAX, INPUT_BYTES_MAX, SEED_DEFAULT},
};
use assay_runtime::{ArtifactCache, CacheLimits, Engine, Variant};
use bytes::Bytes;

/// Long enough that only a hang would reach it.
const NEVER: Duration = Duration::from_secs(120);

fn settings(program: PathBuf, deadline: Duration) -> ChildSettings {
    ChildSettings { program: Some(program), deadline, ..ChildSettings::default() }
}

fn real(deadline: Duration) -> ChildSettings {
    settings(PathBuf::from(env!("CARGO_BIN_EXE_assay-executor")), deadline)
}

fn forked(deadline: Duration) -> ChildSettings {
    ChildSettings { fork_server: Some(Arc::default()), ..real(deadline) }
}

fn double(name: &str, deadline: Duration) -> ChildSettings {
    settings(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/doubles").join(name), deadline)
}

/// A module that only loops, as bytes: (module (func (export "_start") (loop (br 0))) (memory (export "memory") 1)).
const LOOPING: &[u8] = &[
    0, b'a', b's', b'm', 1, 0, 0, 0, // header
    1, 4, 1, 0x60, 0, 0, // type: () -> ()
    3, 2, 1, 0, // one function of it
    5, 3, 1, 0, 1, // one memory of one page
    7, 19, 2, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0, 6, b'm', b'e', b'm', b'o', b'r', b'y', 2, 0, // exports
    10, 9, 1, 7, 0, 3, 0x40, 12, 0, 11, 11, // loop, br 0
];

fn job(manifest: &str, module: &[u8], gas_limit: u64) -> (TaskSpec, Vec<Entry>) {
    let entries =
        vec![Entry::file("manifest.json", manifest.as_bytes().to_vec()), Entry::file("job.wasm", module.to_vec())];
    let package = pack_entries(entries.clone()).expect("packed");
    let task = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: digest_from_cid(&package.root).expect("a canonical CID"),
        metered_hash: METERED_HASH_UNSTATED,
        limits: TaskLimits { gas_limit, ..TaskLimits::default() },
        seed: SEED_DEFAULT,
        clock_unix_ns: CLOCK_UNIX_NS_DEFAULT,
    };
    (task, entries)
}

const MANIFEST: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;

fn request(gas_limit: u64) -> WorkRequest {
    let (task, entries) = job(MANIFEST, LOOPING, gas_limit);
    WorkRequest { work: REFERENCE, task, entries }
}

const REFERENCE: Work = Work::Run(Manner::REFERENCE);

#[test]
fn a_looping_guest_runs_out_of_gas_in_the_child() {
    let answers = [real(NEVER), forked(NEVER)].map(|settings| {
        let reply = run_in_child(&request(100_000), &settings, &Cancel::default()).expect("an answer");
        let WorkReply::Ran(ran) = reply else { panic!("{reply:?}") };
        let outcome = Outcome::decode(&ran.outcome, 100_000).expect("canonical");
        assert_eq!((outcome.kind, outcome.gas_used), (OutcomeKind::OutOfGas, 100_000));
        assert!(ran.root.is_some() && ran.metered_hash.is_some() && !ran.blocks.is_empty());
        ran
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn children_are_executed_where_none_is_ever_forked() {
    // Started for the fork server, it hears of no fork; started as a child, it answers.
    let settings = ChildSettings {
        fork_server: Some(Arc::default()),
        isolation: Isolation::None,
        ..double("unconfined.sh", NEVER)
    };
    let (task, entries) = job(MANIFEST, LOOPING, 1_000);
    let request = WorkRequest { work: Work::Prepare, task, entries };
    for _ in 0..2 {
        let reply = run_in_child(&request, &settings, &Cancel::default()).expect("an answer");
        assert_eq!(reply, WorkReply::Prepared(Prepared::Runnable));
        assert_eq!(settings.fork_server.as_ref().expect("a fork server").id(), None);
    }
}

#[test]
fn threads_that_fork_at_once_each_get_their_own_answer() {
    let settings = forked(NEVER);
    thread::scope(|scope| {
        for number in 1..=8 {
            let settings = &settings;
            scope.spawn(move || {
                for step in 0..4 {
                    let gas_limit = 1_000 * number + step;
                    let reply = run_in_child(&request(gas_limit), settings, &Cancel::default()).expect("an answer");
                    let WorkReply::Ran(ran) = reply else { panic!("{reply:?}") };
                    let outcome = Outcome::decode(&ran.outcome, gas_limit).expect("canonical");
                    assert_eq!((outcome.kind, outcome.gas_used), (OutcomeKind::OutOfGas, gas_limit));
                }
            });
        }
    });
}

/// Process id of what children are forked from.
#[cfg(target_os = "linux")]
fn server_id(settings: &ChildSettings) -> Option<u32> {
    settings.fork_server.as_ref().expect("a fork server").id()
}

#[cfg(target_os = "linux")]
#[test]
fn w_12_children_are_forked_from_one_process_until_one_gives_no_whole_answer() {
    let settings = forked(NEVER);
    let short = ChildSettings { deadline: Duration::from_millis(300), ..settings.clone() };
    let run = |gas_limit, settings| run_in_child(&request(gas_limit), settings, &Cancel::default());
    assert_eq!(server_id(&settings), None);
    assert!(run(1_000, &settings).is_ok());
    let first = server_id(&settings);
    assert!(first.is_some() && run(1_000, &settings).is_ok() && server_id(&settings) == first);
    assert!(run(GAS_LIMIT_MAX, &short).is_err());
    assert_eq!(server_id(&settings), None);
    assert!(run(1_000, &settings).is_ok());
    assert!(server_id(&settings).is_some_and(|second| Some(second) != first));
}

#[cfg(target_os = "linux")]
#[test]
fn w_12_no_process_forks_children_for_ever() {
    let settings = forked(NEVER);
    let mut servers = Vec::new();
    for _ in 0..=256 {
        probe_child(Work::Prepare, &settings).expect("a child");
        servers.push(server_id(&settings).expect("it forked"));
    }
    servers.dedup();
    assert_eq!(servers.len(), 2, "{servers:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_is_executed_when_none_can_be_forked() {
    let settings = forked(NEVER);
    probe_child(Work::Prepare, &settings).expect("a child");
    let server = server_id(&settings).and_then(|id| rustix::process::Pid::from_raw(id.try_into().ok()?));
    let server = server.expect("it forked");
    rustix::process::kill_process(server, rustix::process::Signal::KILL).expect("killed");
    let reply = run_in_child(&request(1_000), &settings, &Cancel::default());
    assert!(matches!(reply, Ok(WorkReply::Ran(_))), "{reply:?}");
    assert_eq!(server_id(&settings), None);
    probe_child(Work::Prepare, &settings).expect("a child");
    assert!(server_id(&settings).is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn w_18_what_children_are_forked_from_ends_with_its_owner() {
    let settings = forked(NEVER);
    probe_child(Work::Prepare, &settings).expect("a child");
    let path = format!("/proc/{}", server_id(&settings).expect("it forked"));
    assert!(fs::exists(&path).expect("proc"));
    drop(settings);
    let begun = Instant::now();
    while fs::exists(&path).expect("proc") {
        assert!(begun.elapsed() < NEVER, "it is still there");
        thread::yield_now();
    }
}

/// A module that ends at once: (module (func (export "_start")) (memory (export "memory") 1)).
const ENDING: &[u8] = &[
    0, b'a', b's', b'm', 1, 0, 0, 0, // header
    1, 4, 1, 0x60, 0, 0, // type: () -> ()
    3, 2, 1, 0, // one function of it
    5, 3, 1, 0, 1, // one memory of one page
    7, 19, 2, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0, 6, b'm', b'e', b'm', b'o', b'r', b'y', 2, 0, // exports
    10, 4, 1, 2, 0, 11, // nothing
];

/// A directory as large as the profile allows: entries, bytes of files, bytes of paths, and names of which JSON would
/// make twice as much.
fn largest(manifest: &str, module: &[u8]) -> (TaskSpec, Vec<Entry>) {
    let (task, mut entries) = job(manifest, module, GAS_LIMIT_MAX);
    let above = ["\"".repeat(255), "\"".repeat(255), "\"".repeat(255), "d".to_owned()];
    // Those above, and one less than the profile's.
    let files = ENTRIES_MAX - above.len() - entries.len() - 1;
    let size = usize::try_from(INPUT_BYTES_MAX).expect("a length") / ENTRIES_MAX;
    let (above, quotes, bytes) = (above.join("/"), "\"".repeat(249), Bytes::from(vec![7; size]));
    entries.extend((0..files).map(|number| Entry::file(format!("{above}/{quotes}{number:05}"), bytes.clone())));
    assert!(entries.last().is_some_and(|entry| entry.path.len() == 1_024));
    (task, entries)
}

#[test]
fn w_17_the_largest_directory_is_prepared_compiled_and_run() {
    let (task, entries) = largest(MANIFEST, ENDING);
    let compiled = ArtifactCache::open(None, CacheLimits::default()).expect("opened");
    let settings = ChildSettings { compiled: Some(Arc::new(compiled)), ..real(NEVER) };
    let manner = Manner { engine: Engine::Wasmtime, variant: Variant::Fast };
    let mut request = WorkRequest { work: Work::Prepare, task, entries };
    for work in [Work::Prepare, Work::Compile(manner)] {
        request.work = work;
        let reply = run_in_child(&request, &settings, &Cancel::default()).expect("an answer");
        assert_eq!(reply, WorkReply::Prepared(Prepared::Runnable), "{work:?}");
    }
    // Now it is given code as well.
    request.work = Work::Run(manner);
    let ran = run_in_child(&request, &settings, &Cancel::default()).and_then(WorkReply::ran).expect("an answer");
    let outcome = Outcome::decode(&ran.outcome, GAS_LIMIT_MAX).expect("canonical");
    assert_eq!((outcome.kind, ran.explanation), (OutcomeKind::Exited, None));
}

#[test]
fn w_17_what_fits_no_request_is_said_and_not_blamed_on_the_childs_memory() {
    let (task, mut entries) = job(MANIFEST, ENDING, 1_000);
    let bytes = Bytes::from(vec![7; usize::try_from(INPUT_BYTES_MAX).expect("a length")]);
    entries.extend((0..6).map(|number| Entry::file(number.to_string(), bytes.clone())));
    let request = WorkRequest { work: Work::Prepare, task, entries };
    let fault = run_in_child(&request, &real(NEVER), &Cancel::default()).expect_err("refused");
    assert!(matches!(fault, WorkerFault::TooLarge(_)), "{fault:?}");
    assert!(fault.to_string().contains("bytes of the body are over the limit of"), "{fault}");
}

#[test]
fn p_08_a_task_is_prepared_or_found_invalid_in_the_child() {
    let cases = [
        (LOOPING, METERED_HASH_UNSTATED, None),
        (LOOPING, [9; 32], Some(InvalidReason::MeteredHashMismatch)),
        (b"not wasm", METERED_HASH_UNSTATED, Some(InvalidReason::ModuleInvalid)),
    ];
    for (module, metered_hash, expected) in cases {
        let (task, entries) = job(MANIFEST, module, 1_000);
        let task = TaskSpec { metered_hash, ..task };
        let request = WorkRequest { work: Work::Prepare, task, entries };
        let reply = run_in_child(&request, &real(NEVER), &Cancel::default()).expect("an answer");
        match (reply, expected) {
            (WorkReply::Prepared(Prepared::Runnable), None) => {}
            (WorkReply::Prepared(Prepared::Invalid(code, _)), Some(reason)) => assert_eq!(code, reason.code()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn w_01_a_run_over_its_wall_clock_is_a_host_fault() {
    for settings in [real, forked].map(|settings| settings(Duration::from_millis(300))) {
        let fault = run_in_child(&request(GAS_LIMIT_MAX), &settings, &Cancel::default());
        assert!(matches!(fault, Err(WorkerFault::Deadline(_))), "{fault:?}");
    }
}

/// What the child says of itself is what the kernel shows of it, below.
#[cfg(target_os = "linux")]
#[test]
fn w_12_every_required_fence_stands_here() {
    for work in [Work::Prepare, REFERENCE, Work::Run(Manner::QUICKEST)] {
        let [executed, forked] = [real(NEVER), forked(NEVER)].map(|settings| {
            let settings = ChildSettings { isolation: Isolation::Required, ..settings };
            let fences = probe_child(work, &settings).expect("a confined child");
            assert_eq!(fences.missing_for(Isolation::Required).count(), 0, "{work:?}: {fences:?}");
            fences
        });
        assert_eq!(executed, forked, "{work:?}");
    }
}

/// What `/proc` says about a child of this process with so much processor time that has given everything up: status,
/// limits, score, figures. One that ends meanwhile is passed over.
#[cfg(target_os = "linux")]
fn confined_child(cpu_s: u64) -> Option<[String; 4]> {
    let own = std::process::id().to_string();
    let directories = fs::read_dir("/proc").expect("proc").filter_map(|entry| Some(entry.ok()?.path()));
    let mut read = directories.filter_map(|path| {
        let file = |name: &str| fs::read_to_string(path.join(name)).ok();
        Some([file("status")?, file("limits")?, file("oom_score_adj")?, file("stat")?])
    });
    read.find(|[status, limits, ..]| {
        hard(limits, "Max cpu time") == Some(cpu_s)
            && field(status, "PPid:") == Some(own.as_str())
            && field(status, "Seccomp:") == Some("2")
            && field(status, "Name:").is_some_and(|name| name.starts_with("assay-executor"))
    })
}

#[cfg(target_os = "linux")]
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// A hard limit; `None` when there is none.
#[cfg(target_os = "linux")]
fn hard(limits: &str, name: &str) -> Option<u64> {
    field(limits, name)?.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
#[test]
fn e_20_w_12_the_child_gave_up_its_privileges_and_limits_itself() {
    // No other test's child has this processor time.
    gives_up_its_privileges_and_limits_itself(real, 5);
    gives_up_its_privileges_and_limits_itself(forked, 6);
}

#[cfg(target_os = "linux")]
fn gives_up_its_privileges_and_limits_itself(start: fn(Duration) -> ChildSettings, more_s: u64) {
    let cancel = Cancel::default();
    let stopper = cancel.clone();
    let (deadline, cpu_s) = (NEVER + Duration::from_secs(more_s), NEVER.as_secs() + more_s + 2);
    // The child's clock begins a moment later: less than a second is left of its last one.
    let settings =
        ChildSettings { memory_bytes: Some(3 << 30), yields: true, ..start(deadline + Duration::from_millis(900)) };
    let running = thread::spawn(move || run_in_child(&request(GAS_LIMIT_MAX), &settings, &cancel));
    let begun = Instant::now();
    let [status, limits, oom_score, figures] = loop {
        if let Some(found) = confined_child(cpu_s) {
            break found;
        }
        assert!(begun.elapsed() < NEVER, "no child was seen");
        thread::yield_now();
    };
    stopper.cancel();
    assert!(matches!(running.join().expect("no panic"), Err(WorkerFault::Cancelled)));
    for set in ["CapInh:", "CapPrm:", "CapEff:"] {
        assert_eq!(field(&status, set), Some("0000000000000000"), "{set}");
    }
    // The filter of system calls, and nobody's user.
    assert_eq!(field(&status, "Seccomp:"), Some("2"));
    assert_ne!(field(&status, "Uid:").and_then(|ids| ids.split_whitespace().next()), Some("0"));
    assert_eq!(oom_score.trim(), "1000");
    // The seventeenth figure behind its name.
    let niceness = figures.rsplit(')').next().and_then(|figures| figures.split_whitespace().nth(16));
    assert_eq!(niceness, Some("19"), "{figures}");
    for (name, most) in [
        ("Max address space", 3 << 30),
        ("Max data size", 3 << 30),
        ("Max cpu time", cpu_s),
        ("Max open files", 16),
        ("Max file size", 0),
        ("Max core file size", 0),
        ("Max locked memory", 0),
    ] {
        assert_eq!(hard(&limits, name), Some(most), "{name}: {limits}");
    }
    // A host that allows fewer keeps its own limit.
    assert!(hard(&limits, "Max processes").is_some_and(|most| most <= 4_096), "{limits}");
}

#[test]
fn e_13_a_run_can_be_stopped() {
    for settings in [real(NEVER), forked(NEVER)] {
        let cancel = Cancel::default();
        let stopper = cancel.clone();
        let running = thread::spawn(move || run_in_child(&request(GAS_LIMIT_MAX), &settings, &cancel));
        stopper.cancel();
        let fault = running.join().expect("no panic");
        assert!(matches!(fault, Err(WorkerFault::Cancelled)), "{fault:?}");
    }
}

#[test]
fn w_03_w_15_a_child_without_memory_is_a_host_fault() {
    let expected = |fault: &WorkerFault| {
        matches!(fault, WorkerFault::Crashed { .. } | WorkerFault::Reported(_) | WorkerFault::NotReady { .. })
    };
    for settings in [real(NEVER), forked(NEVER)] {
        let settings = ChildSettings { memory_bytes: Some(16 << 20), ..settings };
        // Enough gas to begin: a run that cannot even pay its instantiation ends before it asks for memory.
        let fault = run_in_child(&request(1_000_000), &settings, &Cancel::default());
        assert!(fault.as_ref().is_err_and(expected), "{fault:?}");
    }
}

#[test]
fn p_13_w_14_w_17_whatever_is_not_exactly_one_good_frame_is_a_host_fault() {
    for name in ["garbage.sh", "partial.sh", "huge.sh", "crash.sh"] {
        let fault = run_in_child(&request(1_000), &double(name, NEVER), &Cancel::default());
        assert!(matches!(fault, Err(WorkerFault::Crashed { .. })), "{name}: {fault:?}");
    }
    let fault = run_in_child(&request(1_000), &double("other_answer.sh", NEVER), &Cancel::default());
    assert!(matches!(fault, Err(WorkerFault::OtherQuestion)), "{fault:?}");
}

#[test]
fn w_12_a_child_without_a_required_fence_gets_no_work_unless_told_otherwise() {
    let strict = ChildSettings { isolation: Isolation::Required, ..double("unconfined.sh", NEVER) };
    let (task, entries) = job(MANIFEST, LOOPING, 1_000);
    let request = WorkRequest { work: Work::Prepare, task, entries };
    let fault = run_in_child(&request, &strict, &Cancel::default()).expect_err("refused");
    assert!(matches!(fault, WorkerFault::Unconfined { .. }) && fault.is_before_work(), "{fault:?}");
    let message = fault.to_string();
    assert!(message.contains(Fence::SystemCalls.name()), "{message}");
    assert!(message.contains("worker.isolation = \"none\""), "{message}");
    assert!(message.contains(&format!("{ISOLATION_VARIABLE}=none")), "{message}");
    let lenient = ChildSettings { isolation: Isolation::None, ..strict };
    let reply = run_in_child(&request, &lenient, &Cancel::default()).expect("an answer");
    assert_eq!(reply, WorkReply::Prepared(Prepared::Runnable));
    let fences = probe_child(REFERENCE, &lenient).expect("a child");
    assert_eq!(fences.missing().map(|missing| missing.fence).collect::<Vec<_>>(), [Fence::SystemCalls]);
}

#[test]
fn w_12_a_fence_that_stands_in_part_is_missing_where_all_are_wanted() {
    let full = ChildSettings { isolation: Isolation::Full, ..double("no_landlock.sh", NEVER) };
    let (task, entries) = job(MANIFEST, LOOPING, 1_000);
    let request = WorkRequest { work: Work::Prepare, task, entries };
    let message = run_in_child(&request, &full, &Cancel::default()).expect_err("refused").to_string();
    assert!(message.contains("landlock: only in part"), "{message}");
    assert!(message.contains("worker.isolation = \"required\""), "{message}");
    assert!(message.contains(&format!("{ISOLATION_VARIABLE}=required")), "{message}");
    let told = ChildSettings { isolation: Isolation::Required, ..full };
    let reply = run_in_child(&request, &told, &Cancel::default()).expect("an answer");
    assert_eq!(reply, WorkReply::Prepared(Prepared::Runnable));
}

#[test]
fn w_17_a_child_that_never_was_ready_is_a_fault_of_this_host_and_not_of_the_job() {
    for name in ["mute.sh", "rude.sh", "absent.sh"] {
        let fault = run_in_child(&request(1_000), &double(name, NEVER), &Cancel::default()).expect_err(name);
        assert!(fault.is_before_work(), "{name}: {fault:?}");
    }
    let fault = run_in_child(&request(1_000), &double("crash.sh", NEVER), &Cancel::default()).expect_err("a crash");
    assert!(!fault.is_before_work(), "{fault:?}");
}

#[test]
fn w_17_w_18_a_hanging_child_is_killed_with_its_descendants() {
    let begun = Instant::now();
    let fault = run_in_child(&request(1_000), &double("hang.sh", Duration::from_millis(300)), &Cancel::default());
    assert!(matches!(fault, Err(WorkerFault::Deadline(_))), "{fault:?}");
    // The descendant held the pipe for 600 s; that it closed shows that the descendant was killed as well.
    assert!(begun.elapsed() < NEVER);
}

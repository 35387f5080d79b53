//! Both engines in the real child, behind all fences: what they give, what they cannot do, and the code they leave.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use assay_content::Entry;
use assay_executor::worker::{
    Cancel, ChildSettings, Isolation, Manner, Prepared, RanTask, Work, WorkReply, WorkRequest, WorkerFault,
    run_in_child,
};
use assay_protocol::{METERED_HASH_UNSTATED, Outcome, OutcomeKind, PROFILE_V1, TaskLimits, TaskSpec, Trap};
use assay_runtime::{ArtifactCache, CacheLimits, Engine, EngineKind, Variant, compile_effort};
use assay_sdk::verify::{PreparedTask, TaskInput, prepare};

const EXECUTOR: &str = env!("CARGO_BIN_EXE_executor_plain");
const MANIFEST: &[u8] = br#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;
/// Gas that is worth compiling small modules for.
const GAS: u64 = 10_000_000_000;

fn settings() -> ChildSettings {
    ChildSettings {
        program: Some(PathBuf::from(EXECUTOR)),
        deadline: Duration::from_secs(120),
        isolation: Isolation::Required,
        ..ChildSettings::default()
    }
}

fn request(module: &str, gas_limit: u64, work: Work) -> WorkRequest {
    let task = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: [1; 32],
        metered_hash: METERED_HASH_UNSTATED,
        limits: TaskLimits { gas_limit, stack_bytes: 4 << 20, ..TaskLimits::default() },
        seed: 0,
        clock_unix_ns: 0,
    };
    let module = wat::parse_str(module).expect("a module");
    WorkRequest { work, task, entries: vec![Entry::file("manifest.json", MANIFEST), Entry::file("job.wasm", module)] }
}

fn start(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#)
}

const fn run_in(engine: Engine) -> Work {
    Work::Run(Manner { engine, variant: Variant::Fast })
}

fn ran(request: &WorkRequest, settings: &ChildSettings) -> Result<RanTask, WorkerFault> {
    run_in_child(request, settings, &Cancel::default())?.ran()
}

fn outcome(ran: &RanTask) -> Outcome {
    Outcome::decode(&ran.outcome, GAS).expect("canonical")
}

#[test]
fn i_08_w_12_both_engines_give_the_same_answer_behind_all_fences() {
    // An exit, and what the processor and the guard pages find: traps arrive as signals.
    let out_of_bounds = "(drop (i32.load (i32.const -8)))";
    let divided = "(drop (i32.div_s (i32.const 1) (i32.const 0)))";
    // Memory grows behind the second filter, too.
    let grown = "(drop (memory.grow (i32.const 400))) (i32.store (i32.const 26000000) (i32.const 1))";
    for (body, kind, detail) in [
        ("", OutcomeKind::Exited, 0),
        (grown, OutcomeKind::Exited, 0),
        ("unreachable", OutcomeKind::Trapped, Trap::Unreachable.code()),
        (out_of_bounds, OutcomeKind::Trapped, Trap::MemoryOutOfBounds.code()),
        (divided, OutcomeKind::Trapped, Trap::IntegerDivisionByZero.code()),
    ] {
        let answers = [Engine::Wasmi, Engine::Wasmtime, Engine::Auto]
            .map(|engine| ran(&request(&start(body), GAS, run_in(engine)), &settings()).expect("an answer"));
        let [reference, compiled, auto] = &answers;
        assert_eq!((outcome(reference).kind, outcome(reference).detail), (kind, detail), "{body}");
        assert_eq!([reference.outcome, reference.outcome], [compiled.outcome, auto.outcome], "{body}");
        let expected = [Some(EngineKind::Wasmi), Some(EngineKind::Wasmtime), Some(EngineKind::Wasmtime)];
        assert_eq!(answers.each_ref().map(|ran| ran.engine), expected, "{body}");
        // What did not exit was repeated with the program itself.
        let variant = if kind == OutcomeKind::Exited { Variant::Fast } else { Variant::Canonical };
        assert!(answers.iter().all(|ran| ran.variant == variant), "{body}");
    }
}

/// A fault of the compiler names the way out; with `auto` the reference answers.
fn falls_back(module: &str, settings: &ChildSettings) -> RanTask {
    let fault = ran(&request(module, GAS, run_in(Engine::Wasmtime)), settings).expect_err("a host fault");
    let message = fault.to_string();
    assert!(matches!(fault, WorkerFault::Reported(_)) && message.contains("wasmi or auto"), "{message}");
    let answer = ran(&request(module, GAS, run_in(Engine::Auto)), settings).expect("an answer");
    assert_eq!(answer.engine, Some(EngineKind::Wasmi));
    answer
}

#[test]
fn w_02_w_14_what_overflows_the_compilers_stack_is_answered_by_the_reference() {
    // Needs the same hundreds of values before and after it calls itself: a compiler keeps them.
    let values = |store: u32| -> String {
        let line = |n: u32| {
            let (at, rotated, mixed) = (store + 8 * n, n % 63 + 1, 7_919 * n + 1);
            format!(
                "i32.const {at} local.get 0 i64.const {rotated} i64.rotl local.get 0 i64.mul \
                 i64.const {mixed} i64.xor local.get 0 i64.rotr i64.store "
            )
        };
        (0..400).map(line).collect()
    };
    let module = format!(
        r#"(module (memory (export "memory") 1)
            (func $f (param i64) {} local.get 0 i64.const 3 i64.add call $f {})
            (func (export "_start") i64.const 12345 call $f))"#,
        values(0),
        values(8_192)
    );
    let answer = outcome(&falls_back(&module, &settings()));
    assert_eq!(answer.trap(), Some(Trap::StackExhausted));
}

#[test]
fn w_03_what_takes_minutes_to_compile_is_answered_by_the_reference() {
    let touch: String = (0..1_000).map(|n| format!("local.get {n} i32.const 1 i32.add local.set {n} ")).collect();
    let (loops, ends) = ("loop ".repeat(100), "local.get 0 br_if 0 end ".repeat(100));
    let locals = "i32 ".repeat(1_000);
    let bomb = format!("(func (local {locals}) {loops} {touch} {ends})");
    let module = format!(r#"(module (memory (export "memory") 1) {bomb} (func (export "_start")))"#);
    // Worth compiling by its gas, were it not for the time.
    let mut request = request(&module, 1 << 40, run_in(Engine::Wasmtime));
    let fault = ran(&request, &settings()).expect_err("a host fault").to_string();
    assert!(fault.contains("wasmi or auto"), "{fault}");
    let kept = Kept::new();
    for engine in [Engine::Auto, Engine::Unlike(Some(EngineKind::Wasmi))] {
        request.work = run_in(engine);
        let answer = ran(&request, &with(&kept.open())).expect("an answer");
        assert_eq!(answer.engine, Some(EngineKind::Wasmi), "{engine}");
        assert_eq!(Outcome::decode(&answer.outcome, 1 << 40).expect("canonical").kind, OutcomeKind::Exited);
    }
    assert!(kept.files().is_empty());
}

#[test]
fn w_15_without_address_space_for_the_compiler_the_reference_answers() {
    // A host whose own limit is enough for the reference and less than compiled code reserves.
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("limited");
    fs::write(&program, format!("#!/bin/sh\nulimit -v 4000000\nexec '{EXECUTOR}' \"$@\"\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("executable");
    // Whether whoever runs compiles, or another child that then keeps its code: it compiles and cannot be loaded.
    let kept = Kept::new();
    for compiled in [None, Some(kept.open())] {
        let settings = ChildSettings { program: Some(program.clone()), compiled, ..settings() };
        let answer = outcome(&falls_back(&start(""), &settings));
        assert_eq!(answer.kind, OutcomeKind::Exited);
    }
}

#[test]
fn w_04_w_15_a_child_that_may_compile_has_no_more_memory_for_it() {
    // Address space is there for compiled code, and nothing to write to.
    let settings = ChildSettings { memory_bytes: Some(16 << 20), ..settings() };
    for engine in [Engine::Wasmi, Engine::Wasmtime, Engine::Auto] {
        let fault = ran(&request(&start(""), GAS, run_in(engine)), &settings).expect_err("a host fault");
        let is_expected =
            matches!(fault, WorkerFault::Crashed { .. } | WorkerFault::Reported(_) | WorkerFault::NotReady { .. });
        assert!(is_expected, "{engine}: {fault:?}");
    }
}

/// A cache in a directory of its own.
struct Kept {
    directory: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    /// As a parent that was started anew finds it.
    fn open(&self) -> Arc<ArtifactCache> {
        Arc::new(ArtifactCache::open(Some(self.directory.path()), CacheLimits::default()).expect("opened"))
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path()).expect("the directory");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    }
}

fn with(cache: &Arc<ArtifactCache>) -> ChildSettings {
    ChildSettings { compiled: Some(cache.clone()), ..settings() }
}

#[test]
fn w_11_what_one_child_compiled_serves_the_next_and_damaged_code_is_made_again() {
    let kept = Kept::new();
    let exits = request(&start(""), GAS, run_in(Engine::Auto));
    let first = kept.open();
    let answer = ran(&exits, &with(&first)).expect("an answer");
    assert_eq!((first.counts().misses, kept.files().len()), (1, 1));
    let whole = fs::read(&kept.files()[0]).expect("compiled code");

    let second = kept.open();
    assert_eq!(ran(&exits, &with(&second)).expect("an answer"), answer);
    assert_eq!((second.counts().disk_hits, second.counts().rejected), (1, 0));
    assert_eq!(ran(&exits, &with(&second)).expect("an answer"), answer);
    assert_eq!((second.counts().memory_hits, second.counts().misses), (1, 0));

    let mut damaged = whole.clone();
    *damaged.last_mut().expect("a byte") ^= 1;
    fs::write(&kept.files()[0], &damaged).expect("written");
    let third = kept.open();
    assert_eq!(ran(&exits, &with(&third)).expect("an answer"), answer);
    assert_eq!((third.counts().disk_hits, third.counts().rejected), (1, 1));
    assert_eq!(fs::read(&kept.files()[0]).expect("compiled code"), whole, "made again");
}

#[test]
fn w_11_code_of_another_module_is_of_no_use() {
    let kept = Kept::new();
    let (exits, traps) = (start(""), start("unreachable"));
    ran(&request(&exits, GAS, run_in(Engine::Wasmtime)), &with(&kept.open())).expect("an answer");
    let foreign = fs::read(&kept.files()[0]).expect("compiled code");
    // The other module's code, both variants, under names under which the first one's lies.
    let other = Kept::new();
    let trapped = ran(&request(&traps, GAS, run_in(Engine::Wasmtime)), &with(&other.open())).expect("an answer");
    assert_eq!(other.files().len(), 2);
    for file in other.files() {
        fs::write(file, &foreign).expect("written");
    }
    let cache = other.open();
    assert_eq!(ran(&request(&traps, GAS, run_in(Engine::Wasmtime)), &with(&cache)).expect("an answer"), trapped);
    assert_eq!(cache.counts().rejected, 2);
}

#[test]
fn w_11_w_13_code_from_a_child_that_was_to_run_a_guest_is_never_kept() {
    let kept = Kept::new();
    let trapped = request(&start("unreachable"), GAS, run_in(Engine::Wasmtime));
    let honest = ran(&trapped, &with(&kept.open())).expect("an answer");
    let contents = || {
        let read = |path: PathBuf| (path.clone(), fs::read(path).expect("compiled code"));
        kept.files().into_iter().map(read).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = contents();
    assert_eq!(before.len(), 2, "both variants");

    // The same module, with an input that broke its engine: it runs nothing and plants code.
    let mut broken = trapped.clone();
    broken.entries.push(Entry::file("code", b"what the next poster of this module would run".to_vec()));
    let stand_in = |cache: &Arc<ArtifactCache>| ChildSettings { program: Some(crate::STAND_IN.into()), ..with(cache) };
    let cache = kept.open();
    for engine in [Engine::Wasmtime, Engine::Auto] {
        broken.work = run_in(engine);
        let fault = ran(&broken, &stand_in(&cache)).expect_err("no answer to that question");
        assert!(matches!(fault, WorkerFault::OtherQuestion), "{fault:?}");
    }
    assert_eq!((contents(), cache.counts().rejected), (before, 0));
    assert_eq!(ran(&trapped, &with(&cache)).expect("an answer"), honest);

    // Nor where there was none.
    let empty = Kept::new();
    let fault = ran(&broken, &stand_in(&empty.open())).expect_err("no answer to that question");
    assert!(matches!(fault, WorkerFault::OtherQuestion) && empty.files().is_empty(), "{fault:?}");
}

#[test]
fn i_08_a_check_takes_the_other_engine_of_a_module_that_only_the_fast_variant_makes_too_long_to_compile() {
    let module = start(&"(f64.store (i32.const 0) (f64.add (f64.load (i32.const 0)) (f64.const 1)))".repeat(1_000));
    let [alone, with_fast] = [Variant::Canonical, Variant::Fast].map(|variant| {
        let WorkRequest { task: spec, entries, .. } = request(&module, GAS, Work::Prepare);
        let PreparedTask::Ready(ready) = prepare(&TaskInput { spec, entries }, variant).expect("prepared") else {
            panic!("it can run")
        };
        compile_effort(&ready.request.metered)
    });
    assert!(alone < with_fast, "{alone} and {with_fast}");
    // The gas is worth compiling the program itself, and not what a provider runs.
    for (gas_limit, provider) in [(alone, EngineKind::Wasmi), (with_fast, EngineKind::Wasmtime)] {
        let run = |work| ran(&request(&module, gas_limit, work), &settings()).expect("an answer");
        let check = Manner { engine: Engine::Unlike(None), variant: Variant::Canonical };
        let (provided, checked) = (run(run_in(Engine::Auto)), run(Work::Run(check)));
        assert_eq!((provided.engine, checked.variant), (Some(provider), Variant::Canonical));
        assert!(checked.engine.is_some_and(|engine| engine != provider), "{:?}", checked.engine);
        assert_eq!(checked.outcome, provided.outcome);
    }
}

#[test]
fn m_08_a_module_is_compiled_ahead_if_its_run_would_compile_it() {
    let kept = Kept::new();
    let cache = kept.open();
    let ahead = |gas_limit, engine| {
        let work = Work::Compile(Manner { engine, variant: Variant::Fast });
        let request = request(&start(""), gas_limit, work);
        run_in_child(&request, &with(&cache), &Cancel::default()).expect("an answer")
    };
    for (gas_limit, engine, files) in [(100_000, Engine::Auto, 0), (GAS, Engine::Wasmi, 0), (GAS, Engine::Auto, 1)] {
        assert_eq!(ahead(gas_limit, engine), WorkReply::Prepared(Prepared::Runnable));
        assert_eq!(kept.files().len(), files, "{engine}");
    }
    ran(&request(&start(""), GAS, run_in(Engine::Auto)), &with(&cache)).expect("an answer");
    assert_eq!((cache.counts().memory_hits, cache.counts().rejected), (1, 0));
    // What is there already is worth taking whatever the gas.
    let short = ran(&request(&start(""), 100_000, run_in(Engine::Auto)), &with(&cache)).expect("an answer");
    assert_eq!(short.engine, Some(EngineKind::Wasmtime));
}

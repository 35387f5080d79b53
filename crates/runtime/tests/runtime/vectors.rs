//! The golden vectors of metering v1: module in, hash of the metered module, or why it is refused; module and input, how the run ends. More
//! stand in examples/jobs/*/expected.json, which tools/check-samples checks as a provider runs them.

use std::{collections::BTreeSet, fs, path::PathBuf};

use assay_content::{Entry, pack_entries};
use assay_metering::meter;
use assay_protocol::{PROFILE_V1, Trap};
use assay_runtime::{End, EntryPoint, FileTree, Node, RunReport, RunRequest, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    corpus::{
        operators, programs,
        programs::{Size, program},
        samples::sample,
        script::{ERRNOS, READ_RIGHTS, RIGHTS, Script},
    },
    endings::{self, Ending},
    guest::request_wasm,
};

const RECORD: &str = "ASSAY_RECORD_GOLDEN";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/metering-v1.json")
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A module of the vectors: its path from the root of the repository.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Module(String);

impl Module {
    fn of_corpus(name: &str) -> Self {
        Self(format!("examples/corpus/{name}/{name}.wasm"))
    }

    /// One that the vectors are recorded with, as the encoder of text wrote it that day.
    fn recorded(name: &str, text: &str) -> Self {
        let module = Self(format!("crates/runtime/golden/{name}.wasm"));
        if std::env::var_os(RECORD).is_some() {
            fs::write(module.path(), wat(text)).unwrap();
        }
        module
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(&self.0)
    }

    fn wasm(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

/// Those of the tasks, each once, and two more from compilers.
fn modules(tasks: &[Task]) -> BTreeSet<Module> {
    let guests = ["libc", "probe"].map(|name| Module(format!("crates/runtime/tests/guests/{name}.wasm")));
    tasks.iter().map(|task| task.module.clone()).chain(guests).collect()
}

fn module_vector(module: &Module) -> Value {
    let wasm = module.wasm();
    let metered = meter(&wasm).unwrap();
    json!({
        "module": module.0,
        "module_sha256": hash(&wasm),
        "metered_hash": hex::encode(metered.hash),
        "instantiation_gas": metered.instantiation_gas,
    })
}

struct Task {
    name: String,
    module: Module,
    request: RunRequest,
    /// Host calls of a script, whose error numbers are then in the vector too.
    calls: usize,
    /// How it has to end, for those of which that is known without running them.
    end: Option<End>,
}

/// The small corpus whole, and stopped by gas and by stack; a trap; the sample that is quickest; small programs about one
/// thing each.
fn tasks() -> Vec<Task> {
    let mut tasks = Vec::new();
    let corpus = |name, listed: &'static str| Task {
        name: String::from(name),
        module: Module::of_corpus(listed),
        request: program(listed).request(Size::Small),
        calls: 0,
        end: None,
    };
    tasks.extend(programs::programs().iter().map(|program| corpus(program.name, program.name)));
    let mut little_gas = corpus("vm with a million of gas", "vm");
    little_gas.request.limits.gas_limit = 1_000_000;
    let mut little_stack = corpus("recursion with four kibibytes of stack", "recursion");
    little_stack.request.limits.stack_bytes = 4_096;
    let mut panics = corpus("store that panics", "store");
    panics.request.args.push("panic".into());
    tasks.extend([little_gas, little_stack, panics]);
    let (request, _) = sample("customer-tiers");
    let module = Module(format!("examples/jobs/customer-tiers/job/{}", request.program_name));
    tasks.push(Task { name: "customer-tiers".into(), module, request, calls: 0, end: Some(End::Exited(0)) });
    let small = |name: &str, file, text: &str, end| {
        let module = Module::recorded(file, text);
        let request = request_wasm(&module.wasm());
        Task { name: name.to_owned(), module, request, calls: 0, end: Some(end) }
    };
    let every_operator = operators::one_program(&operators::cases());
    tasks.push(small("every operator", "every-operator", &every_operator, End::Exited(0)));
    let host_pointer = End::Trapped(Trap::HostPointerOutOfBounds);
    tasks.push(small("memory without its name", "unnamed-memory", UNNAMED, host_pointer));
    let outside = ("function that points outside", "wild", End::Trapped(Trap::AbiViolation));
    for (name, function, end) in [("function", "upper", End::Exited(0)), outside] {
        let mut task = small(name, "functions", FUNCTIONS, end);
        task.request.entry = EntryPoint::Function(function.into());
        task.request.stdin = b"quiet".to_vec();
        tasks.push(task);
    }
    for (name, file, script) in [("paths", "paths", paths()), ("host calls", "host-calls", host_calls())] {
        let module = Module::recorded(file, &script.wat());
        let metered = meter(&module.wasm()).unwrap();
        let request = RunRequest { metered, ..script.request() };
        tasks.push(Task { name: name.into(), module, request, calls: script.len(), end: Some(End::Exited(0)) });
    }
    for Ending { name, file, text, entry, limits, end } in endings::all() {
        let mut task = small(&name, file, &text, end);
        task.request = RunRequest { entry, limits, ..task.request };
        tasks.push(task);
    }
    tasks
}

/// Its memory is no memory for the host.
const UNNAMED: &str = r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "m") 1)
    (func (export "_start") i32.const 0 i32.const 0 call $random drop i32.const 0 i32.const 1 call $random drop))"#;

/// Functions for input: the letters in capitals from byte 2 on, and one that gives an address outside. What
/// `_initialize` leaves behind is seen.
const FUNCTIONS: &str = r#"(module (memory (export "memory") 1) (global $mask (mut i32) (i32.const 0))
    (func (export "_initialize") i32.const 0xdf global.set $mask)
    (func (export "alloc") (param i32) (result i32) i32.const 1024)
    (func (export "wild") (param i32 i32) (result i64) i64.const 0x10000_0000_0001)
    (func (export "upper") (param $p i32) (param $n i32) (result i64) (local $i i32)
      loop
        local.get $p local.get $i i32.add local.get $p local.get $i i32.add i32.load8_u global.get $mask i32.and i32.store8
        local.get $i i32.const 1 i32.add local.tee $i local.get $n i32.lt_u br_if 0
      end
      local.get $p i32.const 2 i32.add i64.extend_i32_u i64.const 32 i64.shl
      local.get $n i32.const 2 i32.sub i64.extend_i32_u i64.or))"#;

/// What paths and listings cost: two paths, one too long, empty pieces, an entry that is removed while it is listed.
fn paths() -> Script {
    let mut script = Script::new();
    script.open("output/a", 1, RIGHTS).open("output/b", 1, RIGHTS).open("output", 2, READ_RIGHTS);
    let (from, from_length) = script.bytes(b"output/a");
    let (to, to_length) = script.bytes(b"output//./c");
    script.call("path_rename", &[3, from, from_length, 3, to, to_length]);
    script.call("fd_readdir", &[6, 0, 30, 0, 40]);
    script.path("path_unlink_file", "output/b").path("path_unlink_file", "");
    script.call("fd_readdir", &[6, 0, 200, 1, 40]);
    script.open(&"x/".repeat(3_000), 0, READ_RIGHTS);
    script
}

/// Every host function that answers, and most of the ways in which one says no.
fn host_calls() -> Script {
    let mut script = Script::new();
    script.call("args_sizes_get", &[0, 4]).call("args_get", &[16, 64]).call("environ_sizes_get", &[0, 4]);
    script.call("environ_get", &[16, 64]).call("clock_res_get", &[0, 128]).call("clock_res_get", &[4, 128]);
    script.call("clock_time_get", &[0, 0, 136]).call("clock_time_get", &[1, 0, 144]).call("random_get", &[152, 40]);
    script.open("output/f", 1, RIGHTS).write(4, b"some bytes").write(1, b"said").write(0, b"");
    let (iovs, into) = (script.vector(200, 6), script.vector(210, 4));
    script.overwrite(iovs, &[(200, 6), (208, 3)]);
    script
        .call("fd_pread", &[4, iovs, 2, 3, 8])
        .call("fd_pread", &[4, into, 1, 99, 8])
        .call("fd_pread", &[0, into, 1, 0, 8]);
    script.call("fd_pread", &[3, into, 1, 0, 8]).call("fd_read", &[0, iovs, 2, 8]).call("fd_read", &[1, iovs, 2, 8]);
    script
        .call("fd_read", &[4, iovs, 1_025, 8])
        .call("fd_pwrite", &[4, iovs, 2, 20, 8])
        .call("fd_read", &[4, iovs, 2, 8]);
    script.call("fd_seek", &[4, 0, 1, 216]).call("fd_seek", &[4, 5, 0, 216]).call("fd_seek", &[4, 1 << 63, 0, 216]);
    script.call("fd_seek", &[4, 0, 3, 216]).call("fd_seek", &[1, 0, 0, 216]).call("fd_tell", &[4, 224]);
    attributes(&mut script);
    names(&mut script);
    waits(&mut script);
    script
}

/// What descriptors and files are, and what may be set.
fn attributes(script: &mut Script) {
    script.call("fd_advise", &[4, 0, 0, 0]).call("fd_advise", &[4, 0, 0, 6]).call("fd_allocate", &[4, 30, 10]);
    script
        .call("fd_allocate", &[4, 30, 0])
        .call("fd_allocate", &[4, u64::MAX, 1])
        .call("fd_filestat_set_size", &[4, 8]);
    script.call("fd_filestat_get", &[4, 232]).call("fd_filestat_get", &[0, 296]).call("fd_fdstat_get", &[3, 360]);
    script.call("fd_fdstat_get", &[1, 384]).call("fd_fdstat_set_flags", &[4, 1]).call("fd_fdstat_set_flags", &[4, 32]);
    script
        .write(4, b"appended")
        .call("fd_filestat_set_times", &[4, 0, 0, 10])
        .call("fd_filestat_set_times", &[4, 0, 0, 3]);
    script
        .call("fd_prestat_get", &[3, 408])
        .call("fd_prestat_get", &[4, 408])
        .call("fd_prestat_dir_name", &[3, 416, 1]);
    script
        .call("fd_prestat_dir_name", &[3, 416, 0])
        .call("fd_sync", &[4])
        .call("fd_datasync", &[4])
        .call("fd_sync", &[0]);
}

/// What is done with names.
fn names(script: &mut Script) {
    for (path, oflags, rights) in [
        ("data/b", 0, READ_RIGHTS),
        ("data/b", 0, RIGHTS),
        ("data/b", 2, READ_RIGHTS),
        ("data/new", 1, RIGHTS),
        ("output/f", 5, RIGHTS),
        ("output", 1, READ_RIGHTS),
        ("output/f", 16, READ_RIGHTS),
        ("none", 0, 2),
        ("../b", 0, 2),
        ("/data/b", 0, 2),
        ("data/\u{0}b", 0, 2),
        ("output/new/", 1, 2),
        ("output/f/", 0, 2),
    ] {
        script.open(path, oflags, rights);
    }
    script.call("fd_fdstat_set_rights", &[5, 2, 0]).call("fd_fdstat_set_rights", &[5, 6, 0]).call("fd_tell", &[5, 224]);
    for (name, path) in [
        ("path_create_directory", "tmp/d"),
        ("path_create_directory", "tmp/d"),
        ("path_create_directory", "d"),
        ("path_create_directory", "tmp/\u{7f}"),
        ("path_remove_directory", "tmp"),
        ("path_remove_directory", "tmp/d/"),
        ("path_unlink_file", "data/b"),
        ("path_unlink_file", "data"),
        ("path_remove_directory", "data/b"),
    ] {
        script.path(name, path);
    }
    let (path, length) = script.bytes(b"data/sub/deep");
    script
        .call("path_filestat_get", &[3, 1, path, length, 424])
        .call("path_filestat_set_times", &[3, 0, path, length, 0, 0, 0]);
    script
        .call("path_link", &[3, 0, path, length, 3, path, length])
        .call("sock_shutdown", &[0, 0])
        .call("proc_raise", &[9]);
}

/// What is waited for, and the end of descriptors.
fn waits(script: &mut Script) {
    // Two clocks, relative and absolute; then a descriptor that cannot be read, one that can, and a clock.
    let clock = |data: u64, wait: u64, flags: u64| [data, 0, 1, wait, 0, flags];
    let polled = |data: u64, kind: u64, number: u64| [data, kind, number, 0, 0, 0];
    let words = |list: &[[u64; 6]]| list.iter().flatten().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let (at, _) = script.bytes(&words(&[clock(1, 5_000, 0), clock(2, 1 << 40, 1)]));
    script.call("poll_oneoff", &[at, 500, 2, 8]).call("clock_time_get", &[0, 0, 144]);
    let (at, _) =
        script.bytes(&words(&[polled(3, 1, 1), polled(4, 1, 0), polled(5, 2, 99), polled(6, 9, 0), clock(7, 9, 0)]));
    script.call("poll_oneoff", &[at, 564, 5, 8]).call("poll_oneoff", &[at, 564, 0, 8]).call("sched_yield", &[]);
    script.call("fd_renumber", &[4, 5]).call("fd_renumber", &[4, 5]).call("fd_close", &[5]).call("fd_close", &[5]);
}

fn run_vector(task: Task) -> Value {
    let Task { name, module, request, calls, end } = task;
    // The program itself; that variant L and the other engine agree with it is another test's.
    let report = run(&request).unwrap();
    assert!(end.is_none_or(|end| report.end == end), "{name}: {:?} instead of {end:?}", report.end);
    let RunRequest { limits, .. } = &request;
    json!({
        "name": name,
        "module": module.0,
        "task": {
            "executable": request.program_name,
            "args": request.args,
            "entry": format!("{:?}", request.entry),
            "stdin": String::from_utf8(request.stdin.clone()).unwrap(),
            "files_sha256": files(&request.root),
            "output_path": request.output_path,
            "seed": request.seed,
            "clock_unix_ns": request.clock_unix_ns,
            "gas_limit": limits.gas_limit,
            "memory_bytes": limits.memory_bytes,
            "stack_bytes": limits.stack_bytes,
            "output_bytes": limits.output_bytes,
            "stdio_bytes": limits.stdio_bytes,
        },
        "outcome": format!("{:?}", report.end),
        "gas_used": report.gas_used,
        "stack_peak": report.stack_peak_bytes,
        "memory_peak": report.memory_peak_bytes,
        "stdout_sha256": hash(&report.stdout),
        "stderr_sha256": hash(&report.stderr),
        "output_sha256": files(&report.output),
        "errnos": errnos(&report.stdout, calls),
        "result_cid": result_cid(&report),
    })
}

/// What the calls of a script answered: its last call writes the memory in which they are.
fn errnos(stdout: &[u8], calls: usize) -> Vec<i32> {
    let memory = stdout.len().saturating_sub(65_536);
    let at = memory + usize::try_from(ERRNOS).unwrap();
    let answers = stdout.get(at..at + 4 * calls).unwrap_or_default().chunks_exact(4);
    answers.map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn files(tree: &FileTree) -> Value {
    let hashes = tree.iter().filter_map(|(path, node)| match node {
        Node::File(bytes) => Some((path.to_owned(), json!(hash(bytes)))),
        Node::Directory => None,
    });
    Value::Object(hashes.collect())
}

/// docs/PROTOCOL.md, "Result directory": `output` is empty but after an exit, which the report already has it.
fn result_cid(report: &RunReport) -> String {
    let streams = [Entry::file("stdout.txt", report.stdout.clone()), Entry::file("stderr.txt", report.stderr.clone())];
    let output = report.output.iter().map(|(path, node)| match node {
        Node::File(bytes) => Entry::file(format!("output/{path}"), bytes.to_vec()),
        Node::Directory => Entry::directory(format!("output/{path}")),
    });
    let entries = streams.into_iter().chain([Entry::directory("output")]).chain(output);
    pack_entries(entries).unwrap().root.to_string()
}

/// Modules that are refused, each with its reason.
fn refused() -> Vec<Value> {
    let name = "n".repeat(1_025);
    let long = "i32.const 1 i32.add ".repeat(32);
    let unknown = r#"(import "env" "f" (func))"#;
    let cases = [
        ("no module", b"MZ".to_vec()),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec()),
        ("a body that is not valid", wat("(module (func i32.add))")),
        ("SIMD", wat("(module (func v128.const i64x2 0 0 drop))")),
        ("memory64", wat("(module (memory i64 1))")),
        ("two memories", wat("(module (memory 1) (memory 1))")),
        (
            "a constant from a global that is not imported",
            wat("(module (global i32 (i32.const 1)) (global i32 (global.get 0)))"),
        ),
        ("129 parameters", wat(&format!("(module (type (func (param {}))))", "i32 ".repeat(129)))),
        ("1,001 parameters", wat(&format!("(module (type (func (param {}))))", "i32 ".repeat(1_001)))),
        ("a table of 10,000,001 elements", wat("(module (table 10000001 funcref))")),
        ("17 tables", wat(&format!("(module {})", "(table 0 funcref)".repeat(17)))),
        ("an export's name of 1,025 bytes", wat(&format!(r#"(module (func (export "{name}")))"#))),
        ("a custom section's name of 1,025 bytes", wat(&format!(r#"(module (@custom "{name}" ""))"#))),
        ("a constant expression of 65 operators", wat(&format!("(module (global i32 i32.const 1 {}))", long))),
        ("an offset of 65 operators", wat(&format!("(module (memory 1) (data (offset i32.const 1 {long}) \"\"))"))),
        ("a reserved export", wat(r#"(module (func (export "assay:gas_left")))"#)),
        ("an unknown import", wat(&format!("(module {unknown})"))),
        ("an imported memory", wat(r#"(module (import "env" "memory" (memory 1)))"#)),
        (
            "an import of another type",
            wat(r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32))))"#),
        ),
        ("an unknown import before a body that is not valid", wat(&format!("(module {unknown} (func i32.add))"))),
        (
            "an unknown import behind a type that is over a bound",
            wat(&format!("(module (type (func (param {}))) {unknown})", "i32 ".repeat(129))),
        ),
        (
            "an unknown import before one with too long a name",
            wat(&format!(r#"(module {unknown} (import "{name}" "f" (func)))"#)),
        ),
    ];
    let vector = |(name, wasm): (&str, Vec<u8>)| {
        let reason = format!("{:?}", meter(&wasm).unwrap_err().reason());
        json!({ "name": name, "module": hex::encode(wasm), "reason": reason })
    };
    cases.into_iter().map(vector).collect()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// What `tools/check-fixtures` compares the recorded modules with.
fn sums(modules: &BTreeSet<Module>) -> String {
    let recorded = modules.iter().filter_map(|module| Some((module.0.strip_prefix("crates/runtime/golden/")?, module)));
    recorded.map(|(name, module)| format!("{}  {name}\n", hash(&module.wasm()))).collect()
}

#[test]
fn w_09_w_10_the_golden_vectors_of_metering_v1_hold() {
    let tasks = tasks();
    let modules = modules(&tasks);
    let found = json!({
        "about": "Metering v1, frozen: docs/METERING.md. Paths are from the root of the repository; no environment.",
        "profile": PROFILE_V1,
        "cost_table": assay_metering::cost::COST_TABLE_VERSION,
        "modules": modules.iter().map(module_vector).collect::<Vec<_>>(),
        "refused": refused(),
        "runs": tasks.into_iter().map(run_vector).collect::<Vec<_>>(),
    });
    if std::env::var_os(RECORD).is_some() {
        fs::write(path(), serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        fs::write(path().with_file_name("SHA256SUMS"), sums(&modules)).unwrap();
    }
    let recorded: Value = serde_json::from_slice(&fs::read(path()).unwrap()).unwrap();
    for list in ["modules", "refused", "runs"] {
        let (found, recorded) = (found[list].as_array().unwrap(), recorded[list].as_array().unwrap());
        for (found, recorded) in found.iter().zip(recorded) {
            assert_eq!(found, recorded, "{THIS_IS_V2}");
        }
        assert_eq!(found.len(), recorded.len(), "{THIS_IS_V2}");
    }
    for version in ["profile", "cost_table"] {
        assert_eq!(found[version], recorded[version], "{THIS_IS_V2}");
    }
}

const THIS_IS_V2: &str = "this is v2: metering v1 is frozen, and jobs that are posted would end otherwise. Take the \
    change back, or make it execution profile 2 beside profile 1 (docs/METERING.md). If only a program of the corpus or \
    this test changed, record anew: ASSAY_RECORD_GOLDEN=1 cargo test -p assay-runtime --test runtime golden_vectors";

//! What a run costs beside the guest's own work, beside its goals (M9). `cargo bench -p assay-runtime --bench runs`
//!
//! Every row once, then every row again; the shortest of [`ROUNDS`] counts. Exits with an error when a goal is missed.
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_runtime::{
    ArtifactCache, CacheCounts, CacheLimits, End, Engine, Run, RunOptions, RunRequest, Variant, run_with,
};

#[path = "../tests/corpus/request.rs"]
mod request;

use request::request_wasm;

const ROUNDS: usize = 20;
/// Host calls of one run.
const CALLS: u32 = 1_000;
const LOAD_GOAL: Duration = Duration::from_millis(1);
const TRANSLATE_GOAL: Duration = Duration::from_millis(10);
const CALL_GOAL: Duration = Duration::from_micros(100);
const HOST_CALL_GOAL: Duration = Duration::from_micros(50);

/// A line of the table. The work says how long the part of it took that counts.
struct Row<'a> {
    what: String,
    goal: Option<Duration>,
    work: Box<dyn Fn() -> Duration + 'a>,
    least: Duration,
}

impl<'a> Row<'a> {
    fn new(what: impl Into<String>, goal: Option<Duration>, work: impl Fn() -> Duration + 'a) -> Self {
        Self { what: what.into(), goal, work: Box::new(work), least: Duration::MAX }
    }
}

/// A guest with one small file.
fn guest(wasm: &[u8]) -> RunRequest {
    let mut request = request_wasm(wasm);
    request.root.insert_file("data/hello.txt", *b"hello").unwrap();
    request
}

fn kept_in(directory: Option<&Path>, limits: CacheLimits) -> (Arc<ArtifactCache>, RunOptions) {
    let cache = Arc::new(ArtifactCache::open(directory, limits).unwrap());
    let options = RunOptions {
        engine: Engine::Wasmtime,
        variant: Variant::Fast,
        artifacts: Some(cache.clone()),
        ..RunOptions::default()
    };
    (cache, options)
}

/// A run that exited, and how long all of it took.
fn timed(request: &RunRequest, options: &RunOptions) -> (Run, Duration) {
    let began = Instant::now();
    let run = run_with(request, options).unwrap();
    let took = began.elapsed();
    assert!(matches!(run.report.end, End::Exited(_)) && run.variant == options.variant, "{:?}", run.report.end);
    (run, took)
}

/// Everything but the guest's own time.
fn around(request: &RunRequest, options: &RunOptions) -> Duration {
    let (run, took) = timed(request, options);
    took - run.guest_time
}

fn inside(request: &RunRequest, options: &RunOptions) -> Duration {
    timed(request, options).0.guest_time
}

/// One host function in a loop.
fn host_calls() -> [(&'static str, RunRequest); 3] {
    [
        ("sched_yield", "call $yield"),
        ("fd_write of 64 bytes", "i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write"),
        (
            "path_open and fd_close",
            "i32.const 3 i32.const 0 i32.const 16 i32.const 14 i32.const 0 i64.const 2 i64.const 2 i32.const 0 i32.const 8
             call $open if unreachable end i32.const 8 i32.load call $close",
        ),
    ]
    .map(|(name, code)| {
        let text = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
                (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
                (import "wasi_snapshot_preview1" "path_open"
                  (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "\10\00\00\00\40\00\00\00") (data (i32.const 16) "data/hello.txt")
                (func (export "_start") (local $left i32) i32.const {CALLS} local.set $left
                  loop {code} if unreachable end
                    local.get $left i32.const 1 i32.sub local.tee $left br_if 0 end))"#
        );
        (name, guest(&wat::parse_str(text).unwrap()))
    })
}

fn main() -> ExitCode {
    let wasm = include_bytes!("../tests/guests/probe.wasm");
    let module = guest(wasm);
    let (empty, functions) = (empty(), host_calls());
    let interpreted = [Variant::Fast, Variant::Canonical].map(|variant| RunOptions {
        engine: Engine::Wasmi,
        variant,
        ..RunOptions::default()
    });
    let (in_memory, from_memory) = kept_in(None, CacheLimits::default());
    let directory = tempfile::tempdir().unwrap();
    let (on_disk, from_disk) =
        kept_in(Some(directory.path()), CacheLimits { memory_bytes: 0, ..CacheLimits::default() });
    let anew = RunOptions { artifacts: None, ..from_memory.clone() };
    let compile = |options: &RunOptions| {
        let began = Instant::now();
        options.compile(&module.metered).unwrap();
        began.elapsed()
    };
    compile(&from_memory);
    compile(&from_disk);

    let mut rows = vec![
        Row::new("load compiled code, from memory", Some(LOAD_GOAL), || compile(&from_memory)),
        Row::new("load compiled code, from disk", Some(LOAD_GOAL), || compile(&from_disk)),
        Row::new("load from memory, instantiate, and end", None, || around(&module, &from_memory)),
        Row::new("compile, in wasmtime", None, || compile(&anew)),
    ];
    for options in &interpreted {
        let what = format!("compile {}, instantiate, and end, in wasmi", options.variant.letter());
        let module = &module;
        rows.push(Row::new(what, Some(TRANSLATE_GOAL), move || around(module, options)));
    }
    rows.extend(calls("wasmi", &interpreted[0], &empty, &functions));
    rows.extend(calls("wasmtime", &from_memory, &empty, &functions));
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.least = row.least.min((row.work)());
        }
    }
    let CacheCounts { misses, rejected, .. } = on_disk.counts();
    assert_eq!((misses, rejected, in_memory.counts().rejected), (1, 0, 0), "compiled code was there and was taken");
    let compiled_bytes = on_disk.bytes().disk;
    println!(
        "A module of {} bytes, {compiled_bytes} compiled; the least of {ROUNDS} interleaved rounds.\n",
        wasm.len()
    );
    print(&rows)
}

fn empty() -> RunRequest {
    guest(&wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap())
}

/// Calls into a guest and out of it.
fn calls<'a>(
    engine: &str,
    options: &'a RunOptions,
    empty: &'a RunRequest,
    functions: &'a [(&str, RunRequest)],
) -> Vec<Row<'a>> {
    let mut rows = vec![
        Row::new(format!("an empty module, whole, in {engine}"), None, || timed(empty, options).1),
        Row::new(format!("call of a function, in {engine}"), Some(CALL_GOAL), || inside(empty, options)),
    ];
    for (function, request) in functions {
        let call = || inside(request, options) / CALLS;
        rows.push(Row::new(format!("{function}, in {engine}"), Some(HOST_CALL_GOAL), call));
    }
    rows
}

fn print(rows: &[Row<'_>]) -> ExitCode {
    let shown = |time: Duration| match time.as_nanos() {
        ..1_000 => format!("{} ns", time.as_nanos()),
        1_000..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        _ => format!("{:.2} ms", time.as_secs_f64() * 1e3),
    };
    let mut missed = false;
    println!("| what | time | goal |\n|---|---|---|");
    for Row { what, goal, least, .. } in rows {
        let is_missed = goal.is_some_and(|goal| *least > goal);
        missed |= is_missed;
        let goal = goal.map_or_else(String::new, |goal| format!("≤ {goal:?}"));
        println!("| {what} | {} | {goal}{} |", shown(*least), if is_missed { ": missed" } else { "" });
    }
    if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

//! Benchmark: what a run in the sandbox child costs beside the guest's own work, and how long checking a job takes.
//!
//! The child is started, fenced, fed and heard exactly as by `assay verify` (executed) and by the bot (forked); only the
//! network is left out. The job is the sample `word-count`, whole (about 10^9 gas) and with an input of two lines. `cargo run -p
//! assay-tests --example sandbox_runs [ROUNDS]`; 10 rounds by default. Fails when a goal is missed.

use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_content::{Budget, Entry, pack_entries, unpack};
use assay_executor::worker::{Cancel, ChildSettings, Manner, RanTask, Work, WorkRequest, probe_child, run_in_child};
use assay_protocol::{Outcome, OutcomeKind, TaskSpec};
use assay_runtime::{ArtifactCache, CacheLimits, Engine, EngineKind, Variant};
use assay_sdk::{JobSpec, Pubkey};

type Failure = Box<dyn std::error::Error>;

/// What determines an outcome, and the job directory.
type Task = (TaskSpec, Vec<Entry>);

/// Longest wait for one child.
const PATIENCE: Duration = Duration::from_secs(60);
/// Gas limit of the job; it uses a third.
const GAS_LIMIT: u64 = 3_000_000_000;

fn main() -> ExitCode {
    if let Some(code) = assay_executor::worker::maybe_child_main() {
        return code;
    }
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    match bench(rounds) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("sandbox_runs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every goal was reached.
fn bench(rounds: usize) -> Result<bool, Failure> {
    let store = tempfile::tempdir()?;
    let warm = settings(Some(store.path()))?;
    let (large, small) = tasks()?;
    println!("{rounds} rounds each\n\n| what | engine | least | median | goal |\n|---|---|---|---|---|");

    let forks = ChildSettings { fork_server: Some(Arc::default()), ..warm.clone() };
    for (start, settings) in [("executed", &warm), ("forked", &forks)] {
        for (what, work) in [("interprets only", Manner::REFERENCE), ("may compile", Manner::QUICKEST)] {
            let times = timed(rounds, || Ok(probe_child(Work::Run(work), settings).map(drop)?))?;
            row(&format!("child, {start}, from start to its end after the greeting"), what, times, None);
        }
    }
    let reference = Manner { engine: Engine::Wasmi, variant: Variant::Fast };
    let compiled = Manner { engine: Engine::Wasmtime, variant: Variant::Fast };
    ran(&small, compiled, &warm)?;
    let mut reached = true;
    for (start, settings) in [("executed", &warm), ("forked", &forks)] {
        for (engine, manner) in [("wasmi, L", reference), ("wasmtime, L, from the store", compiled)] {
            let times = timed(rounds, || ran(&small, manner, settings).map(drop))?;
            reached &= row(&format!("small run, {start}"), engine, times, Some(Duration::from_millis(25)));
        }
    }

    let other = |kind| Manner { engine: Engine::Unlike(Some(kind)), variant: Variant::Canonical };
    let (to_wasmi, to_wasmtime) = (other(EngineKind::Wasmtime), other(EngineKind::Wasmi));
    let gas = ran(&large, to_wasmtime, &warm)?.1.gas_used;
    let what = format!("checking a job of {gas} gas");
    let second = Some(Duration::from_secs(1));
    let times = timed(rounds, || ran(&large, to_wasmi, &warm).map(drop))?;
    reached &= row(&what, "wasmi, G", times, Some(Duration::from_secs(3)));
    let times = timed(rounds, || ran(&large, to_wasmtime, &warm).map(drop))?;
    reached &= row(&what, "wasmtime, G, from the store", times, second);
    let times = timed(rounds, || ran(&large, to_wasmtime, &settings(None)?).map(drop))?;
    reached &= row(&what, "wasmtime, G, compiled", times, Some(Duration::from_secs(3)));
    Ok(reached)
}

fn settings(store: Option<&Path>) -> Result<ChildSettings, Failure> {
    let compiled = match store {
        Some(path) => Some(Arc::new(ArtifactCache::open(Some(path), CacheLimits::default())?)),
        None => None,
    };
    Ok(ChildSettings { deadline: PATIENCE, compiled, ..ChildSettings::default() })
}

/// The sample job, and the same with next to no input.
fn tasks() -> Result<(Task, Task), Failure> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jobs/word-count/job");
    let prepared = JobSpec::builder(directory, Pubkey::default()).gas_limit(GAS_LIMIT).build()?.prepare()?;
    let entries = unpack(prepared.package.root, &prepared.package, &Budget::default())?;
    let shortened = entries.iter().map(|entry| match entry.path.as_str() {
        path if path.starts_with("input/") => Entry::file(path.to_owned(), b"call me\nIshmael\n".to_vec()),
        _ => entry.clone(),
    });
    let small: Vec<Entry> = shortened.collect();
    let root = pack_entries(small.iter().cloned())?.root;
    let spec = TaskSpec { job_cid_digest: assay_content::digest_from_cid(&root)?, ..prepared.task };
    Ok(((prepared.task, entries), (spec, small)))
}

/// A run that exited, its answer compared with the job and its result packed as everybody does it.
fn ran((task, entries): &Task, manner: Manner, settings: &ChildSettings) -> Result<(RanTask, Outcome), Failure> {
    let request = WorkRequest { work: Work::Run(manner), task: *task, entries: entries.clone() };
    let ran = run_in_child(&request, settings, &Cancel::default())?.ran()?;
    let outcome = ran.check(task, entries)?.outcome;
    if outcome.kind != OutcomeKind::Exited {
        return Err(format!("the job ended otherwise: {outcome:?}").into());
    }
    Ok((ran, outcome))
}

fn timed(rounds: usize, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..rounds.max(1) {
        let began = Instant::now();
        work()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

/// Prints a row; whether the median is within the goal.
fn row(what: &str, engine: &str, times: Vec<Duration>, goal: Option<Duration>) -> bool {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let (least, median) = (times[0], times[times.len() / 2]);
    let goal_text = goal.map_or_else(String::new, |goal| format!("≤ {} ms", goal.as_millis()));
    println!("| {what} | {engine} | {} | {} | {goal_text} |", ms(least), ms(median));
    goal.is_none_or(|goal| median <= goal)
}

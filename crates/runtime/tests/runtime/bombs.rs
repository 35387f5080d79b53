//! Modules at the bounds of the profile: metering and the reference take them all, and the compiler takes them within its
//! budget or not at all (W-03). `tools/bench bombs` takes all of each and prints what they cost; here is a part.

use std::process::Command;

use assay_protocol::limits::GAS_LIMIT_MAX;
use assay_runtime::{
    COMPILE_EFFORT_MAX, End, Engine, EngineKind, HostFault, RunOptions, Variant, compile_effort, run_with,
};

use super::{
    corpus::{
        bombs::{self, Harm, Size},
        programs::programs,
    },
    guest::request_wasm,
};

/// Processor time of metering and of compiling at the bounds, ms, by docs/METERING.md, 3.
const MS_MAX: f64 = 5_000.0;
/// Most memory of the whole process, MiB.
const MIB_MAX: f64 = 1_024.0;
/// The part of the bounds, and of the compiler's budget, that is taken here.
const REFERENCE_PART: u64 = 50;
const COMPILER_PART: u64 = 200;
/// How much longer than its part one may take: other processes share the processor's caches, and what does not grow counts
/// more in a small one.
const SLACK: f64 = 8.0;

/// Whether this is the test of that name started again in a process of its own, the only one whose time and memory can be
/// told; if not, starts it.
fn is_alone(name: &str) -> bool {
    const ALONE: &str = "ASSAY_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&test.stdout);
    assert!(test.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&test.stderr));
    false
}

/// Checks what a module did that is as large a part of what may be.
fn is_bearable(name: &str, harm: Harm, part: f64) {
    let ms_max = MS_MAX * part * SLACK;
    let is = harm.metering_ms < ms_max && harm.compiling_ms < ms_max && harm.peak_mib < MIB_MAX;
    assert!(is, "{name}, {part} of what may be: {harm:?}");
}

#[test]
fn w_03_the_reference_takes_all_bombs_in_time_that_grows_as_they_do() {
    if !is_alone("bombs::w_03_the_reference_takes_all_bombs_in_time_that_grows_as_they_do") {
        return;
    }
    for bomb in bombs::all() {
        let size = bomb.largest(REFERENCE_PART);
        for variant in [Variant::Canonical, Variant::Fast] {
            is_bearable(bomb.name, bomb.explode(size, (EngineKind::Wasmi, variant)), (REFERENCE_PART as f64).recip());
        }
    }
}

#[test]
fn w_03_the_compiler_takes_no_bomb_longer_than_its_estimate_says() {
    if !is_alone("bombs::w_03_the_compiler_takes_no_bomb_longer_than_its_estimate_says") {
        return;
    }
    for bomb in bombs::all() {
        let effort = COMPILE_EFFORT_MAX / COMPILER_PART;
        let size = bomb.within(effort).first().copied().unwrap();
        let part = bomb.effort(size).max(effort) as f64 / COMPILE_EFFORT_MAX as f64;
        for variant in [Variant::Fast, Variant::Canonical] {
            is_bearable(bomb.name, bomb.explode(size, (EngineKind::Wasmtime, variant)), part);
        }
    }
}

#[test]
fn w_03_a_bomb_over_the_compilers_budget_is_a_host_fault_there_and_runs_in_the_reference() {
    let mut refused = 0;
    for bomb in bombs::all() {
        let mut request = request_wasm(&bomb.build(Size { functions: 1, count: bomb.most }));
        request.limits.gas_limit = GAS_LIMIT_MAX;
        if compile_effort(&request.metered) <= COMPILE_EFFORT_MAX {
            continue;
        }
        for variant in [Variant::Fast, Variant::Canonical] {
            let options = RunOptions { engine: Engine::Wasmtime, variant, ..RunOptions::default() };
            assert_eq!(run_with(&request, &options), Err(HostFault::CompileEffort), "{}", bomb.name);
            assert_eq!(options.compile(&request.metered), Err(HostFault::CompileEffort), "{}", bomb.name);
        }
        let options = RunOptions { engine: Engine::Auto, ..RunOptions::default() };
        assert_eq!(options.choose(&request.metered, &request.limits), EngineKind::Wasmi, "{}", bomb.name);
        if refused % 8 == 0 {
            let run = run_with(&request, &options).unwrap();
            assert_eq!((run.report.end, run.engine), (End::Exited(0), Some(EngineKind::Wasmi)), "{}", bomb.name);
        }
        refused += 1;
    }
    assert!(refused >= 25, "{refused}");
}

#[test]
fn w_03_real_programs_are_within_the_compilers_budget() {
    for program in programs() {
        let effort = compile_effort(&request_wasm(&program.wasm()).metered);
        assert!(effort <= COMPILE_EFFORT_MAX, "{}: {effort}", program.name);
    }
}

//! Which engine runs what, and that nobody can tell.

use std::sync::Arc;

use assay_metering::{meter_with_fast, unmetered};
use assay_protocol::Trap;
use assay_runtime::{
    ArtifactCache, BeforeGuest, CacheCounts, CacheLimits, End, Engine, EngineKind, HostFault, Run, RunOptions,
    RunRequest, Variant, run_with,
};

use super::guest::{request, run_as};

fn auto() -> RunOptions {
    RunOptions { engine: Engine::Auto, ..RunOptions::default() }
}

#[test]
fn auto_compiles_what_may_run_for_long() {
    let mut request = request(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    for (gas_limit, engine) in [(1_000_000, EngineKind::Wasmi), (1_000_000_000, EngineKind::Wasmtime)] {
        request.limits.gas_limit = gas_limit;
        assert_eq!(run_with(&request, &auto()).unwrap().engine, Some(engine));
    }
}

#[test]
fn auto_interprets_what_takes_longer_to_compile_than_its_gas_is_worth() {
    for (kilobytes, engine) in [(1, EngineKind::Wasmtime), (500, EngineKind::Wasmi)] {
        let data = "x".repeat(kilobytes << 10);
        let request =
            request(&format!(r#"(module (memory (export "memory") 1) (data "{data}") (func (export "_start")))"#));
        assert_eq!(run_with(&request, &auto()).unwrap().engine, Some(engine), "{kilobytes} kB");
    }
}

#[test]
fn auto_takes_compiled_code_that_is_there_whatever_the_gas() {
    use EngineKind::{Wasmi, Wasmtime};
    let program = |code| {
        let mut request = request(&format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1) (func (export "_start") i32.const {code} call $exit))"#
        ));
        request.limits.gas_limit = 1_000_000;
        request
    };
    let (kept, other) = (program(1), program(2));
    let cache = Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap());
    let with =
        |engine, variant| RunOptions { engine, variant, artifacts: Some(cache.clone()), ..RunOptions::default() };
    let fast = with(Engine::Auto, Variant::Fast);
    assert_eq!(run_with(&kept, &fast).unwrap().engine, Some(Wasmi), "nothing is there, and nothing is compiled");
    fast.compile(&kept.metered).unwrap();
    for (request, options, engine) in [
        (&kept, fast.clone(), Wasmtime),
        (&kept, with(Engine::Auto, Variant::Canonical), Wasmi),
        (&other, fast, Wasmi),
        // Who checks does not know what the provider had.
        (&kept, with(Engine::Unlike(None), Variant::Fast), Wasmtime),
    ] {
        assert_eq!(run_with(request, &options).unwrap().engine, Some(engine), "{}", options.engine);
    }
}

#[test]
fn who_checks_a_run_takes_the_other_engine() {
    use EngineKind::{Wasmi, Wasmtime};
    let mut request = request(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    for (gas_limit, used, engine) in [
        (1_000_000, Some(Wasmi), Wasmtime),
        (1_000_000, Some(Wasmtime), Wasmi),
        // Not known: auto would not have compiled, or would have.
        (1_000_000, None, Wasmtime),
        (1_000_000_000, None, Wasmi),
    ] {
        request.limits.gas_limit = gas_limit;
        let options = RunOptions { engine: Engine::Unlike(used), ..RunOptions::default() };
        assert_eq!(run_with(&request, &options).unwrap().engine, Some(engine));
    }
}

#[test]
fn an_engine_survives_its_name_and_another_name_is_refused() {
    let engines = [Engine::Wasmi, Engine::Wasmtime, Engine::Auto, Engine::Unlike(None)];
    let unlike = [EngineKind::Wasmi, EngineKind::Wasmtime].map(|kind| Engine::Unlike(Some(kind)));
    for engine in engines.into_iter().chain(unlike) {
        assert_eq!(engine.to_string().parse(), Ok(engine));
    }
    for name in ["", "v8", "wasmi:wasmi", "auto:", "unlike:", "unlike:auto"] {
        assert!(name.parse::<Engine>().unwrap_err().to_string().contains("wasmi, wasmtime or auto"), "{name}");
    }
}

#[test]
fn only_a_guest_that_exits_is_answered_by_the_fast_variant() {
    for (code, end, variant) in [
        ("", End::Exited(0), Variant::Fast),
        ("i32.const 7 call $exit", End::Exited(7), Variant::Fast),
        ("unreachable", End::Trapped(Trap::Unreachable), Variant::Canonical),
        ("loop br 0 end", End::OutOfGas, Variant::Canonical),
        ("i32.const 0 i32.const 0 i32.div_u drop", End::Trapped(Trap::IntegerDivisionByZero), Variant::Canonical),
    ] {
        let request = request(&format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1) (func (export "_start") {code}))"#
        ));
        for engine in [Engine::Wasmi, Engine::Wasmtime] {
            let run = run_as(&request, engine, Variant::Fast);
            assert_eq!((run.report.end, run.variant), (end, variant), "{code}");
        }
    }
}

#[test]
fn w_12_where_a_guest_ran_nothing_is_compiled_again_and_without_the_last_fence_nothing_runs() {
    let start =
        |code: &str| request(&format!(r#"(module (memory (export "memory") 1) (func (export "_start") {code}))"#));
    let (exits, traps) = (start(""), start("unreachable"));
    let options = |engine, before_guest| RunOptions { engine, variant: Variant::Fast, before_guest, ..auto() };
    let fence: BeforeGuest = || Ok(());
    for engine in [Engine::Wasmi, Engine::Wasmtime, Engine::Auto] {
        let compiled = engine != Engine::Wasmi;
        let fenced = options(engine, Some(fence));
        assert!(run_with(&exits, &fenced).is_ok());
        // The interpreter repeats in place, with what a run without a fence gives.
        let expected = if compiled { Err(HostFault::Repeat) } else { run_with(&traps, &options(engine, None)) };
        let told = |ran: Result<Run, HostFault>| ran.map(|run| (run.report, run.engine, run.variant));
        assert_eq!(told(run_with(&traps, &fenced)), told(expected), "{engine}");
        let unfenced = options(engine, Some(|| Err(std::io::Error::other("no fence"))));
        for request in [&exits, &traps] {
            assert_eq!(run_with(request, &unfenced), Err(HostFault::Unconfined("no fence".into())), "{engine}");
        }
    }
}

/// Calls itself, and needs the same hundreds of values before and after: a compiler keeps them.
fn hoarder() -> RunRequest {
    let values = |store: u32| -> String {
        (0..400)
            .map(|n| {
                let at = store + 8 * n;
                format!("i32.const {at} local.get 0 i64.const {} i64.rotl local.get 0 i64.mul i64.const {} i64.xor local.get 0 i64.rotr i64.store\n", n % 63 + 1, 7_919 * n + 1)
            })
            .collect()
    };
    request(&format!(
        r#"(module (memory (export "memory") 1)
            (func $f (param i64) {} local.get 0 i64.const 3 i64.add call $f {})
            (func (export "_start") i64.const 12345 call $f))"#,
        values(0),
        values(8_192)
    ))
}

#[test]
fn w_02_what_overflows_the_compilers_stack_is_a_host_fault_there_and_a_result_of_the_reference() {
    let mut request = hoarder();
    request.limits.stack_bytes = 4 << 20;
    request.limits.gas_limit = 10_000_000_000;
    let reference = run_as(&request, Engine::Wasmi, Variant::Canonical);
    assert_eq!(reference.report.end, End::Trapped(Trap::StackExhausted));
    let options = RunOptions { engine: Engine::Wasmtime, ..RunOptions::default() };
    assert_eq!(run_with(&request, &options), Err(HostFault::EngineStack));
    for engine in [Engine::Auto, Engine::Unlike(Some(EngineKind::Wasmi))] {
        let run = run_with(&request, &RunOptions { engine, ..RunOptions::default() }).unwrap();
        assert_eq!((&run.report, run.engine), (&reference.report, Some(EngineKind::Wasmi)));
    }
    // After the fast variant failed, the compiler is not tried again, and the reference begins with the program itself.
    let cache = Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap());
    let options = RunOptions { variant: Variant::Fast, artifacts: Some(cache.clone()), ..auto() };
    let run = run_with(&request, &options).unwrap();
    assert_eq!((run.engine, run.variant), (Some(EngineKind::Wasmi), Variant::Canonical));
    assert_eq!((&run.report, cache.counts()), (&reference.report, CacheCounts { misses: 1, ..CacheCounts::default() }));
}

/// The module's own code, which nothing bounds: only a fault of the metering could let an engine come to this.
#[test]
fn w_14_recursion_that_nothing_bounds_is_a_host_fault_of_both_engines_and_no_result() {
    for recursion in [
        "(func $f call $f)",
        "(func $f (param i64) (result i64) local.get 0 i64.const 1 i64.add call $f local.get 0 i64.mul)",
        "(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f) (func $f i32.const 0 call_indirect (type $t))",
    ] {
        let call = if recursion.contains("param") { "i64.const 1 call $f drop" } else { "call $f" };
        let text = format!(r#"(module (memory (export "memory") 1) {recursion} (func (export "_start") {call}))"#);
        let mut request = request(&text);
        request.limits.gas_limit = 1 << 40;
        let metered = run_as(&request, Engine::Wasmtime, Variant::Canonical);
        assert_eq!(metered.report.end, End::Trapped(Trap::StackExhausted), "{recursion}");
        request.metered = unmetered(&wat::parse_str(&text).unwrap()).unwrap().unwrap();
        for engine in [Engine::Wasmi, Engine::Wasmtime, Engine::Auto] {
            let options = RunOptions { engine, ..RunOptions::default() };
            assert_eq!(run_with(&request, &options), Err(HostFault::EngineStack), "{engine}: {recursion}");
        }
    }
}

/// Whether this is the test of that name started again under a limit, which cannot be taken back; if not, starts it and
/// expects these words of it.
#[cfg(target_os = "linux")]
fn is_limited(limit: &str, kilobytes: u64, name: &str, words: &str) -> bool {
    const LIMITED: &str = "ASSAY_TEST_LIMITED";
    if std::env::var_os(LIMITED).is_some() {
        return true;
    }
    let again = std::process::Command::new("sh")
        .args(["-c", "ulimit $1 $2 && exec \"$0\" --exact \"$3\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .args([limit, kilobytes.to_string().as_str(), name])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains(words), "{said}{}", String::from_utf8_lossy(&again.stderr));
    false
}

#[cfg(target_os = "linux")]
#[test]
fn w_15_too_little_address_space_is_a_host_fault_of_the_compiler_and_enough_for_the_reference() {
    const NAME: &str =
        "engines::w_15_too_little_address_space_is_a_host_fault_of_the_compiler_and_enough_for_the_reference";
    if !is_limited("-v", assay_runtime::RESERVED_ADDRESS_BYTES / 1_024, NAME, "faulted, then ran") {
        return;
    }
    let mut request = request(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    request.limits.gas_limit = 1 << 40;
    let options = RunOptions { engine: Engine::Wasmtime, ..RunOptions::default() };
    let fault = run_with(&request, &options).unwrap_err();
    assert_eq!(fault, HostFault::OutOfMemory);
    let run = run_with(&request, &auto()).unwrap();
    assert_eq!((run.report.end, run.engine), (End::Exited(0), Some(EngineKind::Wasmi)));
    println!("faulted, then ran");
}

/// The guest may have the memory by its limits, and would take -1 for an answer.
#[cfg(target_os = "linux")]
#[test]
fn w_15_memory_that_the_host_does_not_back_is_a_host_fault_of_both_engines() {
    const NAME: &str = "engines::w_15_memory_that_the_host_does_not_back_is_a_host_fault_of_both_engines";
    if !is_limited("-d", 600_000, NAME, "all faulted") {
        return;
    }
    for (pages, code) in [(1, "i32.const 16000 memory.grow drop"), (16_001, "")] {
        let mut request =
            request(&format!(r#"(module (memory (export "memory") {pages}) (func (export "_start") {code}))"#));
        (request.limits.memory_bytes, request.limits.gas_limit) = (1 << 30, 1 << 40);
        for engine in [Engine::Wasmi, Engine::Wasmtime, Engine::Auto] {
            for variant in [Variant::Canonical, Variant::Fast] {
                let options = RunOptions { engine, variant, ..RunOptions::default() };
                assert_eq!(run_with(&request, &options), Err(HostFault::OutOfMemory), "{engine} {variant:?} {pages}");
            }
        }
    }
    println!("all faulted");
}

#[test]
fn a_module_without_a_fast_variant_runs_all_the_same() {
    let mut request = request(r#"(module (memory (export "memory") 1) (func (export "_start")))"#);
    let with = run_as(&request, Engine::Wasmtime, Variant::Fast);
    request.metered.fast = None;
    let without = run_as(&request, Engine::Wasmtime, Variant::Fast);
    assert_eq!(without.report, with.report);
    assert_eq!((with.variant, without.variant), (Variant::Fast, Variant::Canonical));
}

#[test]
fn the_names_of_the_engines_are_those_of_the_lock_file() {
    let lock = include_str!("../../../../Cargo.lock");
    for engine in [EngineKind::Wasmi, EngineKind::Wasmtime] {
        let package = format!("name = \"{}\"\nversion = \"{}\"\n", engine.name(), engine.version());
        assert!(lock.contains(&package), "{package}");
    }
}

#[test]
fn the_fast_variant_sees_the_same_clock_at_every_reading() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\08\00\00\00")
        (table 1 funcref) (elem (i32.const 0) $now) (type $t (func (param i32 i64 i32) (result i32)))
        (func $read (param i32)
          i32.const 1 i64.const 0 i32.const 16
          local.get 0 i32.const 1 i32.and if (param i32 i64 i32) (result i32) call $now
          else i32.const 0 call_indirect (type $t) end drop
          i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write drop)
        (func (export "_start") (local i32)
          loop
            local.get 0 call $read
            local.get 0 i32.const 3 i32.rem_u if local.get 0 call $read else i32.const 32 i32.const 0 local.get 0 memory.fill end
            local.get 0 i32.const 1 i32.add local.tee 0 i32.const 500 i32.lt_u br_if 0
          end))"#;
    let request =
        RunRequest { metered: meter_with_fast(&wat::parse_str(text).unwrap()).unwrap(), ..request("(module)") };
    let report = super::guest::run_everywhere(&request);
    assert_eq!((report.end, report.stdout.len()), (End::Exited(0), 8 * 833));
}

/// A value below, two to select from, and a condition that the interpreter's translator takes for its operand.
const MISTRANSLATED: &[&str] = &[
    "local.get $x i32.eqz",
    "local.get $x i32.const 0 i32.eq",
    "i32.const 0 local.get $x i32.eq",
    "local.get $x i32.const 0 i32.ne",
    "local.get $x i32.eqz nop",
    "local.get $x i32.eqz i32.eqz",
    "local.get $x i32.eqz i32.eqz i32.eqz",
];

#[test]
fn w_09_a_select_behind_a_comparison_with_zero_selects_by_the_comparison() {
    for (x, y) in [(0, 5), (3, 0), (3, 5)] {
        for condition in MISTRANSLATED {
            for select in ["select", "select (result i32)"] {
                let request = request(&format!(
                    r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                    (memory (export "memory") 1)
                    (func $f (param $x i32) (param $y i32) (result i32)
                      local.get $y i32.popcnt i32.const 10 i32.const 90 {condition} {select} i32.add)
                    (func (export "_start") i32.const {x} i32.const {y} call $f call $exit))"#
                ));
                let holds = match *condition {
                    "local.get $x i32.const 0 i32.ne" | "local.get $x i32.eqz i32.eqz" => x != 0,
                    _ => x == 0,
                };
                let expected = u32::count_ones(y) + (if holds { 10 } else { 90 });
                let report = super::guest::run_everywhere(&request);
                assert_eq!(report.end, End::Exited(expected), "{x} {y} {condition} {select}");
            }
        }
    }
}

/// What stands on the operand stack below a block with parameters is a local, which is set on one of two ways, or in
/// every turn. Each takes `$x` and gives what it was in the beginning.
const READ_TOO_LATE: &[&str] = &[
    "local.get $x i32.const 5 local.get $y i32.ctz if (param i32) local.set $x else drop end",
    "local.get $x i32.const 5 local.get $y if (param i32) local.set $x else drop end",
    "local.get $x i32.const 5 local.get $y i32.eqz if (param i32) drop else local.set $x end",
    "local.get $x i32.const 5 block (param i32) local.get $y br_if 0 local.set $x end",
    "local.get $x i32.const 5 block (param i32) (result i32) local.get $y br_if 0 local.tee $x end drop",
    "local.get $x local.get $y block (param i32) local.get $y i32.eqz br_if 0 local.set $x end",
    "local.get $x i32.const 3 loop (param i32) local.tee $x i32.const 1 i32.sub local.tee $y local.get $y br_if 0 drop end",
    "local.get $x local.get $y i32.const 5 i32.const 6 loop (param i32 i32) drop local.set $x local.get $y if end end drop",
];

#[test]
fn w_09_what_stands_below_a_block_with_parameters_is_read_when_it_was_got() {
    for (x, y) in [(7, 0), (7, 1), (0, 1)] {
        for code in READ_TOO_LATE {
            // Branches must leave the stack as it is.
            let code =
                code.replace("local.get $y br_if 0 local.set $x", "drop local.get $y br_if 0 i32.const 5 local.set $x");
            let code = code.replace(
                "local.get $y i32.eqz br_if 0 local.set",
                "drop local.get $y i32.eqz br_if 0 i32.const 9 local.set",
            );
            let request = request(&format!(
                r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
                (memory (export "memory") 1)
                (func $f (param $x i32) (param $y i32) (result i32) {code})
                (func (export "_start") i32.const {x} i32.const {y} call $f call $exit))"#
            ));
            assert_eq!(super::guest::run_everywhere(&request).end, End::Exited(x), "{x} {y} {code}");
        }
    }
}

/// What the interpreter alone makes of a function of two numbers.
fn unrepaired(function: &str, args: (i32, i32)) -> i32 {
    let engine = wasmi::Engine::default();
    let text = format!(r#"(module (func (export "f") (param i32 i32) (result i32) {function}))"#);
    let module = wasmi::Module::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let mut store = wasmi::Store::new(&engine, ());
    let instance = wasmi::Linker::<()>::new(&engine).instantiate_and_start(&mut store, &module).unwrap();
    instance.get_typed_func::<(i32, i32), i32>(&store, "f").unwrap().call(&mut store, args).unwrap()
}

/// When this fails, the new version is right: remove this half of engine/wasmi_repair.rs and this test.
#[test]
fn w_09_the_reference_still_needs_its_repair_of_selects() {
    let function = "local.get 1 i32.popcnt i32.const 10 i32.const 90 local.get 0 i32.eqz select i32.add";
    assert_ne!(unrepaired(function, (0, 5)), 12, "x is zero, so ten and the two bits of five are right");
}

/// When this fails, the new version is right: remove this half of engine/wasmi_repair.rs and this test.
#[test]
fn w_09_the_reference_still_needs_its_repair_of_blocks_with_parameters() {
    let function = "local.get 0 i32.const 5 local.get 1 if (param i32) local.set 0 else drop end";
    assert_ne!(unrepaired(function, (7, 0)), 7, "the local was got before anything could set it, and is not set");
}

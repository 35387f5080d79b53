//! Guests that would hurt their host (HAZARDS W-rows), and what they get.

use assay_metering::{bounds, meter};
use assay_protocol::Trap;
use assay_runtime::{COMPILE_EFFORT_MAX, End, Engine, Variant, compile_effort};

use super::{
    corpus::operators::{COPIES, Case, cases, program},
    guest::{request, request_wasm, run_as, run_everywhere},
};

fn start(code: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) {code})"#)
}

#[test]
fn w_01_loops_end_at_the_gas_limit_exactly() {
    for code in [
        r#"(func (export "_start") loop br 0 end)"#,
        r#"(func (export "_start") loop i32.const 0 br_table 0 0 0 end)"#,
        r#"(func (export "_start") (local i32) loop local.get 0 br_table 0 0 0 0 0 br 0 end)"#,
        r#"(func $a (param i32) (result i32) loop br 0 end unreachable) (func (export "_start") i32.const 1 call $a drop)"#,
        r#"(func $nothing) (func (export "_start") loop call $nothing br 0 end)"#,
        r#"(func (export "_start") loop i32.const 0 memory.grow drop br 0 end)"#,
        r#"(func (export "_start") loop i32.const 0 i32.const 0 i32.const 65536 memory.fill br 0 end)"#,
    ] {
        let mut request = request(&start(code));
        request.limits.gas_limit = 30_000_001;
        let report = run_everywhere(&request);
        assert_eq!((report.end, report.gas_used), (End::OutOfGas, 30_000_001), "{code}");
    }
}

#[test]
fn w_02_recursion_ends_at_a_fixed_depth() {
    let deep = r#"(global $depth (mut i32) (i32.const 0)) BODY
        (func $down global.get $depth i32.const 1 i32.add global.set $depth call $down)
        (func $even (result i32) call $odd) (func $odd (result i32) call $even)"#;
    for (entry, frame) in [("call $down", 64 + 2 * 8), ("call $even drop", 64 + 8)] {
        for stack_bytes in [4_096, 1 << 20, 4 << 20] {
            let body = format!(r#"(func (export "_start") {entry})"#);
            let mut request = request(&start(&deep.replace("BODY", &body)));
            request.limits.stack_bytes = stack_bytes;
            let report = run_everywhere(&request);
            assert_eq!(report.end, End::Trapped(Trap::StackExhausted), "{entry} {stack_bytes}");
            assert!(stack_bytes - report.stack_peak_bytes < frame, "{entry} {}", report.stack_peak_bytes);
        }
    }
}

#[test]
fn w_02_the_engines_own_stack_is_never_the_limit() {
    // Frames as unlike the engine's as can be: many constants, many results, wide calls.
    let wide = "i64 ".repeat(100);
    let constants: String = (0..100).map(|n| format!("i64.const {} ", 1_000_000_007_u64 * n)).collect();
    let wide_call = format!(
        r#"(func $f (param {wide}) {constants} call $f)
           (func (export "_start") {constants} call $f)"#
    );
    let results = "i64 ".repeat(16);
    let many_results =
        format!(r#"(func $g (result {results}) call $g) (func (export "_start") call $g {})"#, "drop ".repeat(16));
    let indirect = r#"(type $t (func)) (table 1 funcref) (elem (i32.const 0) $h)
        (func $h i32.const 0 call_indirect (type $t)) (func (export "_start") call $h)"#;
    for code in [wide_call.as_str(), &many_results, indirect] {
        let mut request = request(&start(code));
        request.limits.stack_bytes = 4 << 20;
        assert_eq!(run_everywhere(&request).end, End::Trapped(Trap::StackExhausted), "{code}");
    }
}

#[test]
fn w_02_the_callers_stack_may_be_small() {
    let recursion = request(&start(r#"(func $f (export "_start") call $f)"#));
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let report = thread.spawn(move || run_everywhere(&recursion)).unwrap().join().unwrap();
    assert_eq!(report.end, End::Trapped(Trap::StackExhausted));
}

#[test]
fn w_02_no_operator_leaves_anything_on_the_native_stack() {
    for Case { name, code, .. } in cases() {
        // 640,000 times: eight bytes left behind at each would be 5 MB, a frame 100.
        let report = assay_runtime::run(&request(&program(&code, 10_000))).unwrap();
        assert!(matches!(report.end, End::Exited(0) | End::OutOfGas), "{name}: {:?}", report.end);
    }
    let mut pages = request(&start(
        r#"(func (export "_start") loop i32.const 1 memory.grow drop memory.size i32.const 16384 i32.lt_u br_if 0 end)"#,
    ));
    (pages.limits.memory_bytes, pages.limits.gas_limit) = (1 << 30, 1 << 40);
    let report = assay_runtime::run(&pages).unwrap();
    assert_eq!((report.end, report.memory_peak_bytes), (End::Exited(0), 1 << 30));
}

#[test]
fn w_03_whatever_the_profile_accepts_runs_in_the_reference_and_in_the_compiler_within_its_budget() {
    let many = |count: u64, text: &str| text.repeat(usize::try_from(count).unwrap());
    let locals = format!("(func (local {}))", many(bounds::LOCALS_MAX, "i64 "));
    let operands =
        format!("(func {} {})", many(bounds::OPERANDS_MAX, "i64.const 1 "), many(bounds::OPERANDS_MAX, "drop "));
    let both = format!(
        "(func (local {}) {} {})",
        many(bounds::LOCALS_MAX, "i64 "),
        (0..bounds::OPERANDS_MAX).map(|n| format!("local.get {n} ")).collect::<String>(),
        many(bounds::OPERANDS_MAX, "drop ")
    );
    let nesting = bounds::NESTING_MAX - 1;
    let blocks = format!("(func {}{})", many(nesting, "block "), many(nesting, "end "));
    let ifs = format!("(func {}{})", many(nesting, "i32.const 0 if "), many(nesting, "end "));
    let loops = format!("(func {}{})", many(nesting, "loop "), many(nesting, "end "));
    let table = format!("(func i32.const 0 br_table {} 0)", many(bounds::BR_TABLE_MAX, "0 "));
    let carried = format!(
        "(func (result {r}) {c} i32.const 0 br_table {} 0)",
        many(bounds::BR_TABLE_MAX, "0 "),
        r = many(16, "i64 "),
        c = many(16, "i64.const 7 ")
    );
    let floats = format!("(func f64.const 0 {} drop)", many(170_000, "f64.sqrt f64.neg "));
    let params = format!("(func (param {}))", many(bounds::PARAMS_MAX, "i64 "));
    for (name, code) in [
        ("locals", locals),
        ("operands", operands),
        ("locals and operands", both),
        ("blocks", blocks),
        ("ifs", ifs),
        ("loops", loops),
        ("br_table", table),
        ("br_table with values", carried),
        ("floats", floats),
        ("parameters", params),
        ("functions", many(bounds::FUNCTIONS_MAX - 1, "(func)")),
        ("globals", many(bounds::GLOBALS_MAX, "(global i64 (i64.const 0))")),
        ("tables", many(bounds::TABLES_MAX, "(table 100000 funcref)")),
        ("data", many(bounds::DATA_SEGMENTS_MAX, r#"(data (i32.const 0) "x")"#)),
        ("elements", format!("(table 100000 funcref) (func $f) (elem (i32.const 0) func {})", many(100_000, "$f "))),
    ] {
        let request = request(&start(&format!(r#"{code} (func (export "_start"))"#)));
        if compile_effort(&request.metered) <= COMPILE_EFFORT_MAX {
            assert_eq!(run_everywhere(&request).end, End::Exited(0), "{name}");
        } else {
            for variant in [Variant::Canonical, Variant::Fast] {
                assert_eq!(run_as(&request, Engine::Wasmi, variant).report.end, End::Exited(0), "{name}");
            }
        }
    }
}

#[test]
fn i_09_w_04_memory_is_given_up_to_the_limit_and_not_a_page_more() {
    let grow = |pages: u32| {
        let mut request = request(&start(&format!(
            r#"(func (export "_start") i32.const {pages} memory.grow i32.const -1 i32.eq if unreachable end)"#
        )));
        request.limits.memory_bytes = 10 * 65_536;
        run_everywhere(&request)
    };
    assert_eq!(grow(8).end, End::Exited(0));
    let report = grow(9);
    assert_eq!((report.end, report.memory_peak_bytes), (End::Exited(0), 10 * 65_536));
    assert_eq!(grow(10).end, End::Trapped(Trap::MemoryLimit));
    assert_eq!(grow(65_535).end, End::Trapped(Trap::MemoryLimit));
    assert_eq!(grow(65_536).end, End::Trapped(Trap::Unreachable), "past what wasm allows the answer is -1");
}

#[test]
fn w_04_bulk_operations_are_paid_for_before_they_run() {
    for code in [
        "i32.const 0 i32.const 0 i32.const -1 memory.fill",
        "i32.const 0 i32.const 0 i32.const -1 memory.copy",
        "i32.const 0 i32.const 0 i32.const -1 memory.init 0",
        "i32.const 0 ref.null func i32.const -1 table.fill 0",
        "i32.const 0 i32.const 0 i32.const -1 table.copy",
        "i32.const 0 i32.const 0 i32.const -1 table.init 0",
    ] {
        let text = start(&format!(r#"(table 1 funcref) (elem $e func) (data "x") (func (export "_start") {code})"#));
        let mut request = request(&text);
        request.limits.gas_limit = 100_000_000;
        assert_eq!(run_everywhere(&request).end, End::OutOfGas, "{code}");
        request.limits.gas_limit = 1 << 40;
        let expected = if code.contains("table") { Trap::TableOutOfBounds } else { Trap::MemoryOutOfBounds };
        assert_eq!(run_everywhere(&request).end, End::Trapped(expected), "{code}");
    }
}

#[test]
fn w_06_a_looping_start_function_ends_at_the_gas_limit() {
    let report = run_everywhere(&request(&start(r#"(func $s loop br 0 end) (start $s) (func (export "_start"))"#)));
    assert_eq!((report.end, report.gas_used), (End::OutOfGas, 1_000_000_000));
}

#[test]
fn w_06_a_start_function_may_call_the_host_and_exit() {
    let report = run_everywhere(&request(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func $s i32.const 9 call $exit) (start $s)
            (func (export "_start") unreachable))"#,
    ));
    assert_eq!(report.end, End::Exited(9));
}

#[test]
fn w_08_a_flood_of_output_is_cut_and_flagged() {
    let flood = r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 2) (data (i32.const 0) "\00\00\00\00\00\00\01\00")
        (func (export "_start") (local i32)
          loop i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $w drop
               i32.const 2 i32.const 0 i32.const 1 i32.const 8 call $w drop
               local.get 0 i32.const 1 i32.add local.tee 0 i32.const 100 i32.lt_u br_if 0 end))"#;
    let mut request = request(flood);
    request.limits.stdio_bytes = 100_000;
    let report = run_everywhere(&request);
    assert_eq!(report.end, End::Exited(0));
    assert_eq!((report.stdout.len(), report.stderr.len()), (100_000, 100_000));
    assert!(report.stdout_cut && report.stderr_cut);
    request.limits.output_bytes = 199_999;
    assert_eq!(run_everywhere(&request).end, End::OutputTooLarge(0));
    request.limits.output_bytes = 200_000;
    assert_eq!(run_everywhere(&request).end, End::Exited(0));
}

#[test]
fn i_08_w_09_the_same_request_gives_the_same_report_in_another_order_and_thread() {
    let wasm = include_bytes!("../guests/probe.wasm");
    let mut requests: Vec<_> = (0..4).map(|_| request_wasm(wasm)).collect();
    for (seed, request) in (0_u64..).zip(&mut requests) {
        request.seed = seed;
        request.root.insert_file("data/hello.txt", *b"hello").unwrap();
    }
    let forward: Vec<_> = requests.iter().map(|request| assay_runtime::run(request).unwrap()).collect();
    let backward: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            requests.iter().rev().map(|request| scope.spawn(|| assay_runtime::run(request).unwrap())).collect();
        threads.into_iter().rev().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(forward, backward);
    assert_eq!(meter(wasm).unwrap().hash, requests[0].metered.hash);
}

/// How gas follows time is measured by `cargo bench -p assay-runtime --bench calibration`, which alarms.
#[test]
fn w_10_nothing_is_free() {
    const TURNS: u32 = 10;
    let gas = |code: &str| {
        let report = assay_runtime::run(&request(&program(code, TURNS))).unwrap();
        assert_eq!(report.end, End::Exited(0), "{code}");
        report.gas_used
    };
    let empty = gas("");
    for Case { name, code, .. } in cases() {
        assert!(gas(&code) >= empty + u64::from(TURNS * COPIES), "{name}");
    }
}

#[test]
fn w_13_nothing_of_one_run_is_left_for_the_next() {
    let writer = r#"(func (export "_start")
        i32.const 0 i32.const 255 i32.const 65536 memory.fill)"#;
    // Traps at the first byte that is not zero.
    let reader = r#"(func (export "_start") (local i32)
        loop
            local.get 0 i32.load8_u if unreachable end
            local.get 0 i32.const 1 i32.add local.tee 0 i32.const 65536 i32.lt_u br_if 0
        end)"#;
    assert_eq!(run_everywhere(&request(&start(writer))).end, End::Exited(0));
    assert_eq!(run_everywhere(&request(&start(reader))).end, End::Exited(0));
    // The reader does notice.
    let both = format!("(data (i32.const 65535) \"\\01\") {reader}");
    assert_eq!(run_everywhere(&request(&start(&both))).end, End::Trapped(Trap::Unreachable));
}

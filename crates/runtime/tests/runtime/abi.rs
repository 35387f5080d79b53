//! Calling conventions and the ways a run ends.

use assay_protocol::{InvalidReason, Trap};
use assay_runtime::{End, EntryPoint, HostFault, run};

use super::guest::{request, request_wasm, run_everywhere};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\06\00\00\00")
    (data (i32.const 16) "hello\n")
    (func (export "_start") i32.const 1 i32.const 0 i32.const 1 i32.const 8 call $write drop))"#;

#[test]
fn a_command_writes_and_exits() {
    let report = run_everywhere(&request(HELLO));
    assert_eq!(report.end, End::Exited(0));
    assert_eq!(report.stdout, b"hello\n");
    assert!(!report.stdout_cut && report.stderr.is_empty());
    assert!(report.gas_used > 0);
    assert_eq!(report.memory_peak_bytes, 65_536);
    assert!(report.stack_peak_bytes > 0);
}

#[test]
fn proc_exit_carries_its_code() {
    let report = run_everywhere(&request(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") i32.const 42 call $exit unreachable))"#,
    ));
    assert_eq!(report.end, End::Exited(42));
}

#[test]
fn a_reactor_is_initialised_and_its_result_is_the_exit_code() {
    let mut request = request(
        r#"(module (global $g (mut i32) (i32.const 0))
            (func (export "_initialize") i32.const 7 global.set $g)
            (func (export "run") (result i32) global.get $g))"#,
    );
    request.entry = EntryPoint::Reactor;
    assert_eq!(run_everywhere(&request).end, End::Exited(7));
}

const UPPER: &str = r#"(module (memory (export "memory") 1)
    (func (export "alloc") (param i32) (result i32) i32.const 1024)
    (func (export "wild") (param i32 i32) (result i64) i64.const -1)
    (func (export "transform") (param $p i32) (param $n i32) (result i64)
      (local $i i32)
      block loop
        local.get $i local.get $n i32.ge_u br_if 1
        local.get $p local.get $i i32.add
        local.get $p local.get $i i32.add i32.load8_u i32.const 0xdf i32.and i32.store8
        local.get $i i32.const 1 i32.add local.set $i
        br 0
      end end
      local.get $p i64.extend_i32_u i64.const 32 i64.shl local.get $n i64.extend_i32_u i64.or))"#;

#[test]
fn a_function_gets_its_input_and_gives_its_output_in_memory() {
    let mut request = request(UPPER);
    request.entry = EntryPoint::Function("transform".into());
    request.stdin = b"quiet".to_vec();
    let report = run_everywhere(&request);
    assert_eq!(report.end, End::Exited(0));
    assert_eq!(report.stdout, b"QUIET");
}

#[test]
fn a_function_that_points_outside_its_memory_breaks_the_convention() {
    let mut request = request(UPPER);
    request.entry = EntryPoint::Function("wild".into());
    request.limits.gas_limit = 500_000_000;
    assert_eq!(run_everywhere(&request).end, End::OutOfGas, "four gigabytes are paid for before they are looked at");
    request.limits.gas_limit = 1 << 40;
    assert_eq!(run_everywhere(&request).end, End::Trapped(Trap::AbiViolation));
}

#[test]
fn an_entry_that_is_not_there_is_invalid_and_costs_nothing() {
    for entry in [EntryPoint::Reactor, EntryPoint::Function("transform".into())] {
        let mut request = request(HELLO);
        request.entry = entry;
        let report = run_everywhere(&request);
        assert_eq!((report.end, report.gas_used), (End::Invalid(InvalidReason::EntryPointMissing), 0));
    }
}

#[test]
fn limits_outside_the_protocol_are_the_callers_fault() {
    let mut request = request(HELLO);
    request.limits.memory_bytes = 1;
    assert!(matches!(run(&request), Err(HostFault::Request(_))));
}

#[test]
fn every_trap_has_its_name() {
    let cases = [
        ("unreachable", Trap::Unreachable),
        ("i32.const -4 i32.load drop", Trap::MemoryOutOfBounds),
        ("i32.const 5 table.get 0 drop", Trap::TableOutOfBounds),
        ("i32.const 9 call_indirect", Trap::TableOutOfBounds),
        ("i32.const 0 call_indirect", Trap::IndirectCallToNull),
        ("i32.const 1 call_indirect (param i32)", Trap::BadSignature),
        ("i32.const 1 i32.const 0 i32.div_s drop", Trap::IntegerDivisionByZero),
        ("i32.const 0x80000000 i32.const -1 i32.div_s drop", Trap::IntegerOverflow),
        ("f32.const nan i32.trunc_f32_s drop", Trap::BadConversionToInteger),
        ("i32.const 2000 memory.grow drop", Trap::MemoryLimit),
        ("ref.null func i32.const 200000 table.grow 0 drop", Trap::TableLimit),
        ("call $deep", Trap::StackExhausted),
        ("i32.const -1 i32.const 8 call $random drop", Trap::HostPointerOutOfBounds),
    ];
    for (code, trap) in cases {
        let code = if trap == Trap::BadSignature { format!("i32.const 3 {code}") } else { code.to_owned() };
        let report = run_everywhere(&request(&format!(
            r#"(module (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
                (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 1) func $nothing)
                (func $nothing) (func $deep call $deep)
                (func (export "_start") {code}))"#
        )));
        assert_eq!(report.end, End::Trapped(trap), "{code}");
        assert!(report.gas_used > 0);
    }
}

#[test]
fn instantiation_is_charged_and_bounded() {
    let mut small = request(HELLO);
    small.limits.gas_limit = small.metered.instantiation_gas - 1;
    let report = run_everywhere(&small);
    assert_eq!((report.end, report.gas_used), (End::OutOfGas, small.limits.gas_limit));

    let mut large = request(r#"(module (memory (export "memory") 3) (func (export "_start")))"#);
    large.limits.memory_bytes = 65_536 * 2;
    let report = run_everywhere(&large);
    assert_eq!(report.end, End::Trapped(Trap::MemoryLimit));
    assert_eq!(report.gas_used, large.metered.instantiation_gas);

    let far = request(r#"(module (memory 1) (data (i32.const 65535) "ab") (func (export "_start")))"#);
    let report = run_everywhere(&far);
    assert_eq!(report.end, End::Trapped(Trap::MemoryOutOfBounds));
    assert_eq!(report.gas_used, far.metered.instantiation_gas);

    let far = request(r#"(module (table 1 funcref) (elem (i32.const 1) func $f) (func $f) (func (export "_start")))"#);
    assert_eq!(run_everywhere(&far).end, End::Trapped(Trap::TableOutOfBounds));
}

/// What later texts than docs/METERING.md, 2, allow: `None` is refused, the rest ends alike everywhere.
#[test]
fn w_09_what_newer_validators_allow_is_refused_or_runs_everywhere() {
    let exited = Some(End::Exited(0));
    let cases = [
        ("(global $a i32 (i32.const 1)) (global i32 (global.get $a))", None),
        ("(global $a i32 (i32.const 1)) (memory 1) (data (global.get $a) \"x\")", None),
        ("(global i32 (i32.mul (i32.const 2) (i32.const 3)))", exited),
        ("(table 2 funcref (ref.null func))", None),
        ("(func (param (ref func)))", None),
        ("(rec (type (func)))", None),
        ("(type (sub final (func)))", exited),
        ("(type (sub (func)))", None),
        ("(memory 65536)", Some(End::OutOfGas)),
        ("(memory 65537)", None),
        ("(func (result funcref) ref.null nofunc)", None),
        ("(elem (table 0) (offset (i32.const 0)) func) (table 1 funcref)", exited),
        ("(func (select (result i32) (i32.const 1) (i32.const 2) (i32.const 3)) drop)", exited),
    ];
    let texts = cases.map(|(text, end)| (format!("(module {text} (func (export \"_start\")))"), end));
    // The length of a section in five bytes.
    let long = r#"(module binary "\00asm\01\00\00\00\01\84\80\80\80\00\01\60\00\00\03\02\01\00\07\0a\01\06_start\00\00\0a\04\01\02\00\0b")"#;
    for (text, end) in texts.into_iter().chain([(long.to_owned(), exited)]) {
        let Ok(wasm) = wat::parse_str(&text) else { panic!("{text}") };
        let metered = assay_metering::meter(&wasm);
        assert_eq!(metered.is_ok(), end.is_some(), "{text}: {:?}", metered.err());
        if let Some(end) = end {
            assert_eq!(run_everywhere(&request_wasm(&wasm)).end, end, "{text}");
        }
    }
}

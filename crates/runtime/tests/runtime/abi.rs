//! Calling conventions and the ways a run ends.

use assay_protocol::{InvalidReason, Trap};
use assay_runtime::{End, EntryPoint, HostFault, run};

use super::guest::{request, run_everywhere};

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

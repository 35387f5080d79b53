//! Gas by function: what the hooks see, and that they change nothing.

use assay_metering::unmetered;
use assay_protocol::Trap;
use assay_runtime::{
    End, EntryPoint, RunRequest, run,
    trace::{DEPTH_MAX, FunctionGas, Traced, run_traced},
};

use super::{corpus::samples::sample, guest::request};

/// Traces it and checks everything that holds for every run.
fn traced(request: &RunRequest) -> Traced {
    let traced = run_traced(request).unwrap();
    assert_eq!(traced.report, run(request).unwrap(), "hooks change nothing");
    let sum = |gas: &mut dyn Iterator<Item = u64>| gas.fold(0, u64::saturating_add);
    let by_function = sum(&mut traced.functions.iter().map(|function| function.self_gas));
    assert_eq!(by_function + traced.outside_gas, traced.report.gas_used);
    assert_eq!(by_function, sum(&mut traced.nodes.iter().map(|node| node.self_gas)));
    assert!(traced.functions.iter().all(|function| function.calls > 0 && function.self_gas <= function.total_gas));
    for (place, node) in traced.nodes.iter().enumerate() {
        assert!(node.parent.is_none_or(|parent| parent < place), "a caller stands before what it called");
    }
    traced
}

fn function(traced: &Traced, index: u32) -> FunctionGas {
    *traced.functions.iter().find(|function| function.function == index).unwrap()
}

/// Imports one function, so that its own begin at 1.
const CALLS: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (memory (export "memory") 1)
    (table 2 funcref) (elem (i32.const 0) $leaf $middle)
    (type $unit (func))
    (func $leaf)
    (func $middle (call $leaf) (drop (call $yield)) (call $leaf))
    (func (export "_start") (call $middle) (call_indirect (type $unit) (i32.const 1)) (call_indirect (type $unit) (i32.const 0))))"#;

#[test]
fn calls_by_index_by_table_and_of_the_host_are_counted_with_their_gas() {
    let traced = traced(&request(CALLS));
    let [host, leaf, middle, start] = [0, 1, 2, 3].map(|index| function(&traced, index));
    assert_eq!([host.calls, leaf.calls, middle.calls, start.calls], [2, 5, 2, 1]);
    assert_eq!(host.self_gas, 2 * 800);
    // An empty function: its segment and its entry.
    assert_eq!(leaf.self_gas, 5 * leaf.self_gas.div_euclid(5));
    assert_eq!(middle.total_gas, middle.self_gas + host.total_gas + 4 * leaf.self_gas / 5);
    assert_eq!(start.total_gas, traced.report.gas_used - traced.outside_gas);
    assert!(traced.stopped_in.is_empty());
}

#[test]
fn recursion_counts_once_and_the_tree_has_a_bound() {
    let wat = r#"(module (memory (export "memory") 1)
        (func $down (param i32) (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "_start") (call $down (i32.const 1000))))"#;
    let traced = traced(&request(wat));
    let [down, start] = [0, 1].map(|index| function(&traced, index));
    assert_eq!(down.calls, 1_001);
    assert_eq!(down.self_gas, down.total_gas);
    assert_eq!(start.total_gas, start.self_gas + down.total_gas);
    assert!(traced.is_cut && traced.nodes.len() == DEPTH_MAX, "{}", traced.nodes.len());
}

#[test]
fn a_run_that_stops_says_where_and_what_it_used_until_then() {
    let wat = r#"(module (memory (export "memory") 1)
        (func $stops unreachable) (func $loops (loop (br 0)))
        (func $start (export "_start") (call $stops)) (func (export "run") (call $loops)))"#;
    let mut request = request(wat);
    let trapped = traced(&request);
    assert_eq!(trapped.report.end, End::Trapped(Trap::Unreachable));
    assert_eq!(trapped.stopped_in, [2, 0]);
    (request.entry, request.limits.gas_limit) = (EntryPoint::Reactor, 500_000);
    let empty = traced(&request);
    assert_eq!((empty.report.end, empty.report.gas_used), (End::OutOfGas, 500_000));
    assert_eq!(empty.stopped_in, [3, 1]);
    // Not enough to begin with: nothing was entered.
    request.limits.gas_limit = 1;
    assert_eq!(traced(&request).functions, []);
}

#[test]
fn start_functions_and_function_entries_come_through_the_hooks() {
    let wat = r#"(module (memory (export "memory") 1) (global $at (mut i32) (i32.const 1024))
        (func $begin (global.set $at (i32.const 2048))) (start $begin)
        (func (export "alloc") (param i32) (result i32) (global.get $at))
        (func (export "echo") (param i32 i32) (result i64)
            (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1)))))"#;
    let mut request = request(wat);
    (request.entry, request.stdin) = (EntryPoint::Function("echo".into()), vec![7; 800]);
    let traced = traced(&request);
    assert_eq!(traced.report.stdout, [7; 800]);
    assert_eq!([0, 1, 2].map(|index| function(&traced, index).calls), [1, 1, 1]);
    assert_eq!(traced.outside_gas, request.metered.instantiation_gas + 200, "input and output are copied outside");
}

#[test]
fn w_16_a_sample_job_uses_the_same_gas_with_hooks() {
    let (request, gas_used) = sample("customer-tiers");
    assert_eq!(traced(&request).report.gas_used, gas_used);
}

#[test]
fn the_plain_form_writes_the_same_and_counts_nothing_but_host_calls() {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 8) "hello") (data (i32.const 0) "\08\00\00\00\05\00\00\00")
        (func $grows (drop (memory.grow (i32.const 1))))
        (func (export "_start") (call $grows) (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
        (@custom "name" "") )"#;
    let mut request = request(wat);
    let metered = run(&request).unwrap();
    request.metered = unmetered(&wat::parse_str(wat).unwrap()).unwrap().unwrap();
    let plain = run(&request).unwrap();
    assert_eq!((&plain.stdout, plain.end), (&metered.stdout, metered.end));
    assert_eq!(plain.gas_used, request.metered.instantiation_gas + 800 + 160 + 1);
    assert!(plain.gas_used < metered.gas_used);
}

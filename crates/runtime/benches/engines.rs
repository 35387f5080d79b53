//! Every engine with every variant over real programs, by gas: what calibrating the cost table starts from (W-10).
//! `cargo bench -p assay-runtime --bench engines [-- PART_OF_A_NAME]`
//!
//! Compiled code comes from a store. "Elements" are gas.
#![expect(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{hint::black_box, sync::Arc, time::Duration};

use assay_runtime::{ArtifactCache, CacheLimits, End, Engine, RunOptions, RunRequest, Variant, run_with};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

#[path = "../tests/corpus/request.rs"]
mod request;
#[path = "../tests/corpus/samples.rs"]
mod samples;

use request::request_wasm;

/// A module and one small file.
fn module(wasm: &[u8]) -> RunRequest {
    let mut request = request_wasm(wasm);
    request.root.insert_file("data/hello.txt", *b"hello").unwrap();
    request
}

/// Programs that calculate and touch nothing: one kind of work each.
fn kernel(locals: &str, body: &str) -> RunRequest {
    let text = format!(
        r#"(module (memory (export "memory") 4) (func (export "_start") (local $i i32) {locals}
            loop $turn {body} local.get $i i32.const 1 i32.add local.tee $i i32.const 3000000 i32.lt_u br_if $turn end))"#
    );
    module(&wat::parse_str(text).unwrap())
}

fn programs() -> Vec<(&'static str, RunRequest)> {
    let mut programs: Vec<_> =
        ["word-count", "mandelbrot", "customer-tiers"].map(|name| (name, samples::sample(name).0)).into();
    programs.push(("rust probe", module(include_bytes!("../tests/guests/probe.wasm"))));
    programs.push(("c probe", module(include_bytes!("../tests/guests/libc.wasm"))));
    programs.push((
        "integers",
        kernel(
            "(local $x i64)",
            "local.get $x i64.const 6364136223846793005 i64.mul i64.const 1442695040888963407 i64.add local.set $x",
        ),
    ));
    programs.push((
        "memory",
        kernel(
            "(local $at i32)",
            "local.get $i i32.const 2654435761 i32.mul i32.const 262136 i32.and local.tee $at
             local.get $at i64.load i64.const 1 i64.add i64.store",
        ),
    ));
    programs.push((
        "floats",
        kernel("(local $f f64)", "local.get $f f64.const 0.99 f64.mul f64.const 1.5 f64.add f64.sqrt local.set $f"),
    ));
    programs
}

fn engines(criterion: &mut Criterion) {
    let store = Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap());
    for (name, request) in programs() {
        let mut group = criterion.benchmark_group(name);
        for (way, engine, variant) in [
            ("wasmi, L", Engine::Wasmi, Variant::Fast),
            ("wasmi, G", Engine::Wasmi, Variant::Canonical),
            ("wasmtime, L", Engine::Wasmtime, Variant::Fast),
            ("wasmtime, G", Engine::Wasmtime, Variant::Canonical),
        ] {
            let options = RunOptions { engine, variant, artifacts: Some(store.clone()), ..RunOptions::default() };
            let run = run_with(&request, &options).unwrap();
            assert!(matches!(run.report.end, End::Exited(_)), "{name}: {:?}", run.report.end);
            group.throughput(Throughput::Elements(run.report.gas_used));
            group.bench_function(way, |bench| bench.iter(|| run_with(black_box(&request), &options).unwrap()));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(10);
    targets = engines
}
criterion_main!(benches);

//! What a run costs beside the guest's own work.
//! `cargo bench -p assay-runtime --bench runs`
#![expect(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{hint::black_box, time::Duration};

use assay_runtime::run;
use criterion::{Criterion, criterion_group, criterion_main};

#[path = "../tests/corpus/request.rs"]
mod request;

use request::request_wasm as request;

fn runs(criterion: &mut Criterion) {
    let empty = request(&wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap());
    criterion.bench_function("compile, instantiate and run an empty module", |bench| {
        bench.iter(|| run(black_box(&empty)).unwrap());
    });
    let c = request(include_bytes!("../tests/guests/libc.wasm"));
    criterion.bench_function("compile, instantiate and run a C program of 60 kB", |bench| {
        bench.iter(|| run(black_box(&c)).unwrap());
    });
    let calls = |count: u32| {
        let text = format!(
            r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (func (export "_start") (local i32) i32.const {count} local.set 0
              loop call $yield drop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end))"#
        );
        request(&wat::parse_str(text).unwrap())
    };
    let thousand = calls(1_000);
    criterion.bench_function("1,000 host calls", |bench| bench.iter(|| run(black_box(&thousand)).unwrap()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(20);
    targets = runs
}
criterion_main!(benches);

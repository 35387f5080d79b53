//! How fast modules are checked and rewritten.
//! `cargo bench -p assay-metering`
#![expect(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::{hint::black_box, time::Duration};

use assay_metering::meter;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn metering(criterion: &mut Criterion) {
    let modules = [
        ("Rust, 135 kB", include_bytes!("../../runtime/tests/guests/probe.wasm").as_slice()),
        ("C, 59 kB", include_bytes!("../../runtime/tests/guests/libc.wasm")),
    ];
    let mut group = criterion.benchmark_group("meter");
    for (name, wasm) in modules {
        group.throughput(Throughput::Bytes(wasm.len().try_into().unwrap()));
        group.bench_function(name, |bench| bench.iter(|| meter(black_box(wasm)).unwrap()));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300)).sample_size(20);
    targets = metering
}
criterion_main!(benches);

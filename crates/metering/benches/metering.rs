//! How fast modules are checked and rewritten: the shortest of [`ROUNDS`] rounds. Exits with an error when a goal is missed.
//! `cargo bench -p assay-metering`
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{hint::black_box, process::ExitCode, time::Instant};

use assay_metering::{MeterError, Metered, meter, meter_with_fast};

const ROUNDS: u32 = 200;
/// Bytes of module per microsecond, which are megabytes per second.
const GOAL: f64 = 20.0;

/// A way to rewrite, by name.
type Way = (&'static str, fn(&[u8]) -> Result<Metered, MeterError>);

fn main() -> ExitCode {
    let modules = [
        ("Rust, 135 kB", include_bytes!("../../runtime/tests/guests/probe.wasm").as_slice()),
        ("C, 59 kB", include_bytes!("../../runtime/tests/guests/libc.wasm")),
        ("SQLite, 1.1 MB", include_bytes!("../../../examples/corpus/sqlite/sqlite.wasm")),
    ];
    let ways: [Way; 2] = [("G", meter), ("G and L", meter_with_fast)];
    let mut missed = false;
    for (name, wasm) in modules {
        for (way, rewrite) in ways {
            let mut best_us = f64::MAX;
            for _ in 0..ROUNDS {
                let began = Instant::now();
                black_box(rewrite(black_box(wasm)).unwrap());
                best_us = best_us.min(began.elapsed().as_secs_f64() * 1e6);
            }
            let speed = f64::from(u32::try_from(wasm.len()).unwrap()) / best_us;
            println!("{name:<16}{way:<10}{:>8.2} ms {speed:>8.1} MB/s, goal {GOAL}", best_us / 1e3);
            missed |= speed < GOAL;
        }
    }
    ExitCode::from(u8::from(missed))
}

//! Nanoseconds per unit of gas, operator by operator: is gas proportional to time (W-10)?
//! `cargo bench -p assay-runtime --bench operators [-- PART_OF_A_NAME]`
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{collections::BTreeMap, time::Instant};

#[path = "../tests/corpus/operators.rs"]
mod corpus;

use assay_metering::meter;
use assay_protocol::TaskLimits;
use assay_runtime::{End, EntryPoint, FileTree, RunRequest, run};
use corpus::{CASES, COPIES, program};

const TURNS: u32 = 20_000;

/// Seconds and gas of a program.
fn measure(code: &str) -> (f64, u64) {
    let request = RunRequest {
        metered: meter(&wat::parse_str(program(code, TURNS)).unwrap()).unwrap(),
        program_name: String::new(),
        args: vec![],
        env: BTreeMap::new(),
        stdin: vec![],
        root: FileTree::new(),
        output_path: None,
        limits: TaskLimits { gas_limit: 1 << 40, ..TaskLimits::default() },
        seed: 0,
        clock_unix_ns: 0,
        entry: EntryPoint::Command,
    };
    let mut best = (f64::MAX, 0);
    for _ in 0..3 {
        let began = Instant::now();
        let report = run(&request).unwrap();
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(report.end, End::Exited(0), "{code}");
        if seconds < best.0 {
            best = (seconds, report.gas_used - request.metered.instantiation_gas);
        }
    }
    best
}

fn main() {
    let (empty_seconds, empty_gas) = measure("");
    println!("{:<32}{:>10}{:>10}{:>10}", "operators", "gas", "ns", "ns/gas");
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    for (name, code) in CASES.iter().copied().filter(|(name, _)| name.contains(&filter)) {
        let (seconds, gas) = measure(code);
        let runs = f64::from(TURNS) * f64::from(COPIES);
        let ns = (seconds - empty_seconds) * 1e9 / runs;
        let gas = (gas - empty_gas) / (u64::from(TURNS) * u64::from(COPIES));
        println!("{name:<32}{gas:>10}{ns:>10.2}{:>10.3}", ns / f64::from(u32::try_from(gas).unwrap()));
    }
}

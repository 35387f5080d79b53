//! Nanoseconds per unit of gas, operator by operator: is gas proportional to time (W-10)? Needs a quiet machine.
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
/// An operator this many times slower per gas than the median is priced too low.
const ALARM_FACTOR: f64 = 5.0;

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
    for _ in 0..7 {
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
    let mut ratios = Vec::new();
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    for (name, code) in CASES.iter().copied().filter(|(name, _)| name.contains(&filter)) {
        let (seconds, gas) = measure(code);
        let runs = f64::from(TURNS) * f64::from(COPIES);
        let ns = (seconds - empty_seconds) * 1e9 / runs;
        let gas = (gas - empty_gas) / (u64::from(TURNS) * u64::from(COPIES));
        let ratio = ns / f64::from(u32::try_from(gas).unwrap());
        println!("{name:<32}{gas:>10}{ns:>10.2}{ratio:>10.3}");
        ratios.push((ratio, name));
    }
    ratios.sort_by(|one, other| one.0.total_cmp(&other.0));
    let median = ratios.get(ratios.len() / 2).map_or(0.0, |middle| middle.0);
    let cheap: Vec<_> = ratios.iter().filter(|(ratio, _)| *ratio > ALARM_FACTOR * median).collect();
    println!("median {median:.3} ns/gas; over {ALARM_FACTOR} times that: {cheap:?}");
    assert!(cheap.is_empty(), "operators are priced too low, see docs/METERING.md, table 1");
}

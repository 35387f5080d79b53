//! What modules at the bounds of docs/METERING.md, 3, cost the reference, and what those just within the compiler's budget
//! cost the compiler: the table of docs/benchmarks.md, "Bombs" (W-03).
//! `cargo run --release -p assay-runtime --example bombs -- [NAME…]`
//!
//! Each runs in a process of its own, so that its memory can be told. Fails over 5 s or 1 GiB. Linux only.
#![expect(clippy::unwrap_used, reason = "a tool of this crate's authors; what it does is shared with the tests")]

use std::process::{Command, ExitCode};

use assay_runtime::{COMPILE_EFFORT_MAX, EngineKind, Variant};

#[path = "../tests/corpus/mod.rs"]
#[allow(dead_code, reason = "shared with tests and benchmarks, which need other parts")]
mod corpus;

use corpus::bombs::{self, Bomb, Harm, Size, Way};

const WASMI: Way = (EngineKind::Wasmi, Variant::Canonical);
const WASMTIME: [Way; 2] = [(EngineKind::Wasmtime, Variant::Fast), (EngineKind::Wasmtime, Variant::Canonical)];

/// Most processor time of metering and of compiling, ms.
const MS_MAX: f64 = 5_000.0;
/// Most memory of the whole process, MiB.
const MIB_MAX: f64 = 1_024.0;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name, functions, count, engine, variant] = words.as_slice()
        && word == "--alone"
    {
        let size = Size { functions: functions.parse().unwrap(), count: count.parse().unwrap() };
        let way = (EngineKind::from_name(engine).unwrap(), Variant::from_letter(variant).unwrap());
        let Harm { metering_ms, compiling_ms, peak_mib } =
            bombs::all().into_iter().find(|bomb| bomb.name == *name).unwrap().explode(size, way);
        println!("{metering_ms} {compiling_ms} {peak_mib}");
        return ExitCode::SUCCESS;
    }
    println!("| family | largest | metering | wasmi | | within the budget | wasmtime, L | G | |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let chosen = bombs::all().into_iter().filter(|bomb| words.is_empty() || words.iter().any(|word| word == bomb.name));
    let over = chosen.filter(|bomb| !print(bomb)).count();
    if over > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the row of a family; whether it stays within the bounds.
fn print(bomb: &Bomb) -> bool {
    let largest = bomb.largest();
    let wasmi = alone(bomb, largest, WASMI);
    let sizes = bomb.within(COMPILE_EFFORT_MAX).into_iter();
    let rows = sizes.map(|size| (size, WASMTIME.map(|way| alone(bomb, size, way))));
    let rows: Vec<(Size, [Harm; 2])> = rows.collect();
    let worst = rows.iter().max_by(|(_, one), (_, other)| ms(one).total_cmp(&ms(other))).unwrap();
    let (size, [fast, canonical]) = worst;
    let mib = rows.iter().flat_map(|(_, harms)| harms).fold(0.0, |most, harm| harm.peak_mib.max(most));
    let is_within = ms(&[fast.to_owned(), *canonical]).max(wasmi.compiling_ms).max(wasmi.metering_ms) <= MS_MAX
        && mib.max(wasmi.peak_mib) <= MIB_MAX;
    println!(
        "| {} | {} | {:.0} ms | {:.0} ms | {:.0} MiB | {}{} | {:.0} ms | {:.0} ms | {mib:.0} MiB |{}",
        bomb.name,
        largest.count,
        wasmi.metering_ms,
        wasmi.compiling_ms,
        wasmi.peak_mib,
        if size.functions > 1 { format!("{} × ", size.functions) } else { String::new() },
        size.count,
        fast.compiling_ms,
        canonical.compiling_ms,
        if is_within { "" } else { " over" }
    );
    is_within
}

/// The longer of both.
fn ms(harms: &[Harm; 2]) -> f64 {
    harms.iter().fold(0.0, |most, harm| harm.compiling_ms.max(most))
}

/// The figures of a process that does nothing else.
fn alone(bomb: &Bomb, size: Size, (engine, variant): Way) -> Harm {
    let Size { functions, count } = size;
    let arguments = ["--alone", bomb.name, &functions.to_string(), &count.to_string(), engine.name(), variant.letter()];
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let &[metering_ms, compiling_ms, peak_mib] = figures.as_slice() else {
        panic!("{} {size:?}: {}", bomb.name, String::from_utf8_lossy(&output.stderr));
    };
    Harm { metering_ms, compiling_ms, peak_mib }
}

//! What modules at the bounds of docs/METERING.md, 3, cost the reference, and what those just within the compiler's budget
//! cost the compiler: the table of docs/benchmarks.md, "Bombs" (W-03).
//! `cargo run --release -p assay-runtime --example bombs -- [NAME…]`
//!
//! Each runs in a process of its own, so that its memory can be told; G takes the place of an L that is over a bound. Fails
//! over 5 s or 1 GiB. Linux only.
#![expect(clippy::unwrap_used, reason = "a tool of this crate's authors; what it does is shared with the tests")]

use std::process::{Command, ExitCode};

use assay_runtime::{COMPILE_EFFORT_MAX, EngineKind, Variant};

#[path = "../tests/corpus/mod.rs"]
#[allow(dead_code, reason = "shared with tests and benchmarks, which need other parts")]
mod corpus;

use corpus::bombs::{self, Bomb, Harm, Size, Way};

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
    println!("| family | largest | metering | wasmi, L | G | | within the budget | wasmtime, L | G | |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let chosen = bombs::all().into_iter().filter(|bomb| words.is_empty() || words.iter().any(|word| word == bomb.name));
    let over = chosen.filter(|bomb| !print(bomb)).count();
    if over > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the row of a family; whether it stays within the bounds.
fn print(bomb: &Bomb) -> bool {
    let reference = both(bomb, bomb.largest(1), EngineKind::Wasmi);
    let sizes = bomb.within(COMPILE_EFFORT_MAX).into_iter();
    let compiled: Vec<Both> = sizes.map(|size| both(bomb, size, EngineKind::Wasmtime)).collect();
    let compiler = compiled.iter().max_by(|one, other| one.compiling_ms().total_cmp(&other.compiling_ms())).unwrap();
    let compiler_mib = compiled.iter().map(Both::peak_mib).fold(0.0, f64::max);
    let ms = reference.metering_ms().max(reference.compiling_ms()).max(compiler.compiling_ms());
    let is_within = ms <= MS_MAX && reference.peak_mib().max(compiler_mib) <= MIB_MAX;
    println!(
        "| {} | {} | {:.0} ms | {:.0} ms | {:.0} ms | {:.0} MiB | {} | {:.0} ms | {:.0} ms | {compiler_mib:.0} MiB |{}",
        bomb.name,
        reference.size(),
        reference.metering_ms(),
        reference.fast.compiling_ms,
        reference.canonical.compiling_ms,
        reference.peak_mib(),
        compiler.size(),
        compiler.fast.compiling_ms,
        compiler.canonical.compiling_ms,
        if is_within { "" } else { " over" }
    );
    is_within
}

/// What a module did in one engine.
struct Both {
    size: Size,
    fast: Harm,
    canonical: Harm,
}

fn both(bomb: &Bomb, size: Size, engine: EngineKind) -> Both {
    let [fast, canonical] = [Variant::Fast, Variant::Canonical].map(|variant| alone(bomb, size, (engine, variant)));
    Both { size, fast, canonical }
}

impl Both {
    fn size(&self) -> String {
        let Size { functions, count } = self.size;
        if functions > 1 { format!("{functions} × {count}") } else { count.to_string() }
    }

    /// The longer or the larger of both, as the others.
    fn metering_ms(&self) -> f64 {
        self.fast.metering_ms.max(self.canonical.metering_ms)
    }

    fn compiling_ms(&self) -> f64 {
        self.fast.compiling_ms.max(self.canonical.compiling_ms)
    }

    fn peak_mib(&self) -> f64 {
        self.fast.peak_mib.max(self.canonical.peak_mib)
    }
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

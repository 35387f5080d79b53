//! Is gas proportional to time (W-10)? Both engines as a provider runs them, over real programs, over every operator,
//! and over what no table can price. Fails when a bound of docs/METERING.md, 5, does not hold.
//! `cargo bench -p assay-runtime --bench calibration [-- PART_OF_A_NAME|compiling]`
#![expect(clippy::unwrap_used, reason = "a benchmark")]

#[path = "../../tests/corpus/operators.rs"]
mod cases;
mod compiling;
#[path = "../../tests/corpus/programs.rs"]
mod corpus;
mod measure;
mod operators;
mod programs;
#[path = "../../tests/corpus/request.rs"]
mod request;
#[path = "../../tests/corpus/samples.rs"]
mod samples;
mod worst;

use measure::{ENGINES, Measure};
use programs::Programs;

/// An operator may take this many times the time that its price stands for.
const OPERATOR_FACTOR_MAX: f64 = 8.0;
/// Dearest program's time per gas over the cheapest one's, by engine.
const SPREAD_MAX: [f64; 2] = [3.0, 2.5];

/// One line of a table.
struct Line {
    name: String,
    /// Gas that the time is divided by.
    gas: f64,
    /// Nanoseconds, by engine.
    ns: [f64; 2],
}

impl Line {
    fn per_gas(&self, engine: usize) -> f64 {
        self.ns[engine] / self.gas.max(1.0)
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    if filter == "compiling" {
        return compiling::print();
    }
    let measure = Measure::new();
    let mut failed = Vec::new();

    let Programs { running: programs, setting_up } = programs::measure(&measure);
    let references = [0, 1].map(|engine| median(programs.iter().map(|line| line.per_gas(engine)).collect()));
    print("program", &programs, references);
    for (engine, (_, name)) in ENGINES.iter().enumerate() {
        let all: Vec<_> = programs.iter().map(|line| line.per_gas(engine)).collect();
        let spread = all.iter().copied().fold(0.0, f64::max) / all.iter().copied().fold(f64::MAX, f64::min);
        let bound = SPREAD_MAX[engine];
        println!("{name}: reference (median) {:.4} ns/gas, spread {spread:.2}, at most {bound}", references[engine]);
        if spread > bound {
            failed.push(format!("{name}: programs' time per gas spreads by {spread:.2}, over {bound}"));
        }
    }

    let operators = operators::measure(&measure, &filter);
    print("operators", &operators, references);
    for line in &operators {
        for (engine, (_, name)) in ENGINES.iter().enumerate() {
            let factor = line.per_gas(engine) / references[engine];
            if factor > OPERATOR_FACTOR_MAX {
                failed.push(format!("{name}: {} costs {factor:.1} times its price in time", line.name));
            }
        }
    }

    print("instantiation", &setting_up, references);
    print("outside the rule", &worst::measure(&measure, &filter), references);
    compiling::print();
    println!("\n{}", if failed.is_empty() { "every bound holds".to_owned() } else { failed.join("\n") });
    assert!(failed.is_empty(), "the prices are wrong, see docs/METERING.md, 5");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A table: gas, and for each engine nanoseconds, nanoseconds per gas and how many times the reference that is.
fn print(title: &str, lines: &[Line], references: [f64; 2]) {
    print!("\n{title:<58}{:>13}", "gas");
    for (_, name) in ENGINES {
        print!(" |{name:>13} ns   ns/gas   times");
    }
    println!();
    for line in lines {
        print!("{:<58}{:>13.0}", line.name, line.gas);
        for (engine, reference) in references.iter().enumerate() {
            let ratio = line.per_gas(engine);
            print!(" |{:>16.2}{ratio:>9.4}{:>8.2}", line.ns[engine], ratio / reference);
        }
        println!();
    }
}

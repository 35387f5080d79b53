//! Generated modules in every engine and variant, for as long as one likes: do all agree on all of it (W-09)?
//! `cargo run --release -p assay-runtime --example differential -- [MODULES [FIRST_NUMBER]]`
//!
//! Prints how the runs ended, and stops at the first module on which they disagree.
#![expect(clippy::unwrap_used, reason = "a tool of this crate's authors; the generator is shared with the tests")]

use std::{collections::BTreeMap, process::ExitCode, time::Instant};

#[path = "../tests/corpus/generated.rs"]
mod generated;

use assay_runtime::End;

const MODULES_DEFAULT: u64 = 100_000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let modules = numbers.next().unwrap_or(Ok(MODULES_DEFAULT));
    let (Ok(modules), Ok(first)) = (modules, numbers.next().unwrap_or(Ok(0))) else {
        eprintln!("differential: [MODULES [FIRST_NUMBER]], both whole numbers");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut ends = BTreeMap::<String, u64>::new();
    let (mut seed, mut made) = (first, 0);
    while made < modules {
        match generated::check(seed) {
            Ok(runs) => {
                made += u64::from(!runs.is_empty());
                for run in runs {
                    let end = match run.report.end {
                        End::Exited(_) => "Exited".to_owned(),
                        end => format!("{end:?}"),
                    };
                    *ends.entry(end).or_default() += 1;
                }
            }
            Err(message) => {
                eprintln!("differential: they disagree: {message}");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
    }
    println!("{made} modules of the numbers {first} to {} in {:.0?}: all agree", seed - 1, began.elapsed());
    for (end, runs) in ends {
        println!("{runs:>10}  {end}");
    }
    ExitCode::SUCCESS
}

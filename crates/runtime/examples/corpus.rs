//! The programs of examples/corpus in both engines with both variants, whole and stopped by random limits of gas and stack:
//! do all agree on all of it (W-09)?
//! `cargo run --release -p assay-runtime --example corpus -- [ROUNDS [FIRST_NUMBER]] [large]`
//!
//! Prints what each program was found to do, and stops where two disagree.
#![expect(clippy::unwrap_used, reason = "a tool of this crate's authors; what it does is shared with the tests")]

use std::{process::ExitCode, time::Instant};

#[path = "../tests/corpus/mod.rs"]
#[allow(dead_code, reason = "shared with tests and benchmarks, which need other parts")]
mod corpus;

use corpus::{
    agreement,
    programs::{Size, programs},
};

const ROUNDS_DEFAULT: u64 = 20;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let size = if words.last().is_some_and(|word| word == "large") {
        words.pop();
        Size::Large
    } else {
        Size::Small
    };
    let mut numbers = words.iter().map(|word| word.parse::<u64>());
    let rounds = numbers.next().unwrap_or(Ok(ROUNDS_DEFAULT));
    let (Ok(rounds), Ok(first)) = (rounds, numbers.next().unwrap_or(Ok(0))) else {
        eprintln!("corpus: [ROUNDS [FIRST_NUMBER]] [large], both whole numbers");
        return ExitCode::from(2);
    };
    println!(
        "{:<12}{:>16}{:>10}{:>12}{:>10}{:>12}{:>12}{:>8}",
        "program", "gas", "stack", "memory", "engines", "out of gas", "exhausted", "s"
    );
    for program in programs() {
        let began = Instant::now();
        let (subject, full, counts) = agreement::check(&program, size, rounds, first);
        println!(
            "{:<12}{:>16}{:>10}{:>12}{:>10}{:>12}{:>12}{:>8.1}",
            program.name,
            full.gas_used,
            full.stack_peak_bytes,
            full.memory_peak_bytes,
            subject.engines.len(),
            counts.out_of_gas,
            counts.stack_exhausted,
            began.elapsed().as_secs_f64(),
        );
    }
    ExitCode::SUCCESS
}

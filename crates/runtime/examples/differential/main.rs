//! Generated programs in every engine and variant, for as long as one likes: do all agree on all of it (W-09)?
//!
//! `cargo run --release -p assay-runtime --example differential -- [FIRST [PROGRAMS [SECONDS]]]`
//!
//! Takes the numbers from FIRST on, of which most make a program, until there were so many PROGRAMS or the time is up.
//! Each runs twice, with full limits and with less gas, in both engines with both variants, and must give the same
//! report and the same memory eight times over. Prints how the runs ended, what the programs did, and the number to go
//! on from; stops at the first program on which they disagree, and says how to see it again.

mod tally;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

#[path = "../../tests/corpus/generated/mod.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests, where a failed unwrap is a failed test")]
mod generated;

use tally::Tally;

const PROGRAMS_DEFAULT: u64 = 100_000;
const PROGRESS_EVERY: Duration = Duration::from_secs(20);
/// What every so manieth program does is looked at.
const LOOKED_AT: u64 = 16;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (Ok(first), Ok(programs), Ok(seconds)) = (next(0), next(PROGRAMS_DEFAULT), next(u64::MAX)) else {
        eprintln!("differential: [FIRST [PROGRAMS [SECONDS]]], all whole numbers");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let mut spoke = began;
    let mut tally = Tally::default();
    let mut seed = first;
    while tally.programs < programs && began.elapsed().as_secs() < seconds {
        match generated::check(seed) {
            Ok(Some(agreed)) => tally.add(&agreed),
            Ok(None) => {}
            Err(message) => return disagree(seed, &message),
        }
        if seed.is_multiple_of(LOOKED_AT)
            && let Some(program) = generated::program(seed)
        {
            tally.look(&generated::activity::of(&program));
        }
        seed += 1;
        if spoke.elapsed() > PROGRESS_EVERY {
            spoke = Instant::now();
            eprintln!("differential: {} programs of the numbers {first}..{seed}, all agree", tally.programs);
        }
    }
    println!("numbers {first}..{seed}: {} programs in {:.0?}, all agree", tally.programs, began.elapsed());
    print!("{tally}");
    println!("go on with: cargo run --release -p assay-runtime --example differential -- {seed}");
    ExitCode::SUCCESS
}

/// Says what is needed to see it again.
fn disagree(seed: u64, message: &str) -> ExitCode {
    eprintln!("differential: they disagree: {message}");
    let path = std::env::temp_dir().join(format!("differential-{seed}.wasm"));
    match generated::program(seed).map(|program| std::fs::write(&path, program)) {
        Some(Ok(())) => eprintln!("the program is in {}", path.display()),
        Some(Err(error)) => eprintln!("the program could not be written to {}: {error}", path.display()),
        None => {}
    }
    eprintln!("again: cargo run --release -p assay-runtime --example differential -- {seed} 1");
    ExitCode::FAILURE
}

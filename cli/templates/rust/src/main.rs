//! Reads whole numbers from standard input, one a line, and writes their count, sum, least, median and most to
//! `output/summary.json`.

use std::{
    fs,
    io::{self, Read},
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| format!("cannot read the input: {error}"))?;
    let mut numbers = parse(&text)?;
    numbers.sort_unstable();
    let (Some(min), Some(max)) = (numbers.first(), numbers.last()) else {
        return Err("the input holds no number".to_owned());
    };
    let count = numbers.len();
    let sum: i64 = numbers.iter().sum();
    let median = numbers[(count - 1) / 2];
    let summary =
        format!("{{\"count\": {count}, \"sum\": {sum}, \"min\": {min}, \"median\": {median}, \"max\": {max}}}\n");
    fs::write("output/summary.json", summary).map_err(|error| format!("cannot write the summary: {error}"))?;
    println!("{count} numbers, sum {sum}, median {median}");
    Ok(())
}

/// The numbers of a text; empty lines are skipped.
fn parse(text: &str) -> Result<Vec<i64>, String> {
    let lines = text.lines().zip(1_u32..).filter(|(line, _)| !line.trim().is_empty());
    lines.map(|(line, at)| line.trim().parse().map_err(|_| format!("line {at} is no number: {line}"))).collect()
}

//! Prints the table of compute units of docs/benchmarks.md, and fails for what is over its goal:
//! `cargo run -p assay-tests --example compute_units`.

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("| transaction | median | maximum | goal |\n|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for sample in assay_tests::compute::measure(100) {
        let [median, max, goal] = [sample.median(), sample.max(), sample.goal].map(grouped);
        println!("| {} | {median} | {max} | ≤ {goal} |", sample.name);
        if sample.max() > sample.goal {
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// With a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

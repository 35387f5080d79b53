//! Prints the table of compute units of docs/benchmarks.md, and fails for what is over its goal:
//! `cargo run -p assay-tests --example compute_units`.

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("| transaction | median | maximum | goal |\n|---|---|---|---|");
    let mut code = ExitCode::SUCCESS;
    for sample in assay_tests::compute::measure(100) {
        println!("| {} | {} | {} | ≤ {} |", sample.name, sample.median(), sample.max(), sample.goal);
        if sample.max() > sample.goal {
            code = ExitCode::FAILURE;
        }
    }
    code
}

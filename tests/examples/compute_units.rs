//! Prints the table of compute units of docs/benchmarks.md:
//! `cargo run -p assay-tests --example compute_units`.

fn main() {
    println!("| transaction | median | maximum |\n|---|---|---|");
    for sample in assay_tests::compute::measure(100) {
        println!("| {} | {} | {} |", sample.name, sample.median(), sample.max());
    }
}

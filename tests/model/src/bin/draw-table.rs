//! Prints the tables of docs/ECONOMICS.md.

fn main() {
    for (name, table) in assay_model::odds::tables() {
        println!("{name}\n\n{table}");
    }
}

//! What the compiler takes for real programs, beside its estimate. For modules that hurt it there is `--example bombs`.

use assay_runtime::{Engine, RunOptions, Variant, compile_effort};

use super::{
    corpus,
    measure::{least, now_ns},
};

/// Processor time of compiling, and what one unit of estimated effort took.
pub fn print() {
    println!("\n{:<12}{:>12}{:>16}{:>12}{:>16}", "compiling", "bytes", "10^6 effort", "ms", "ns/effort");
    for program in corpus::programs() {
        let metered = assay_metering::meter_with_fast(&program.wasm()).unwrap();
        let options = RunOptions { engine: Engine::Wasmtime, variant: Variant::Fast, ..RunOptions::default() };
        let once = || {
            let began = now_ns();
            options.compile(&metered).unwrap();
            now_ns() - began
        };
        let ns = least([once(), once()].into_iter());
        let effort = compile_effort(&metered) as f64;
        let bytes = metered.wasm.len();
        println!("{:<12}{bytes:>12}{:>16.0}{:>12.1}{:>16.3}", program.name, effort / 1e6, ns / 1e6, ns / effort);
    }
}

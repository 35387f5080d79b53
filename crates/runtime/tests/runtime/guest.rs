//! Guests written in WAT, and requests to run them.

use assay_runtime::{Engine, Run, RunOptions, RunReport, RunRequest, Variant, run_with};

pub use crate::corpus::request::request_wasm;

/// A request for a guest in WAT, with defaults for everything else.
pub fn request(wat: &str) -> RunRequest {
    request_wasm(&wat::parse_str(wat).unwrap())
}

/// Runs it in every way there is: every engine with every variant. All must agree to the byte (I-08, W-09).
pub fn run_everywhere(request: &RunRequest) -> RunReport {
    let reference = run_as(request, Engine::Wasmi, Variant::Canonical);
    for (engine, variant) in
        [(Engine::Wasmi, Variant::Fast), (Engine::Wasmtime, Variant::Fast), (Engine::Wasmtime, Variant::Canonical)]
    {
        let other = run_as(request, engine, variant);
        assert_eq!(other.report, reference.report, "{engine:?}, {variant:?}");
        assert_eq!(other.memory_hash, reference.memory_hash, "memory with {engine:?}, {variant:?}");
    }
    reference.report
}

/// Runs it in one way, with the hash of the memory at the end.
pub fn run_as(request: &RunRequest, engine: Engine, variant: Variant) -> Run {
    run_with(request, &RunOptions { engine, variant, hash_memory: true, ..RunOptions::default() }).unwrap()
}

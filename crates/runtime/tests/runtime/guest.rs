//! Guests written in WAT, and requests to run them.

use std::collections::BTreeMap;

use assay_metering::meter;
use assay_protocol::TaskLimits;
use assay_runtime::{EntryPoint, FileTree, RunReport, RunRequest, run};

/// A request for a guest in WAT, with defaults for everything else.
pub fn request(wat: &str) -> RunRequest {
    request_wasm(&wat::parse_str(wat).unwrap())
}

/// A request for a module.
pub fn request_wasm(wasm: &[u8]) -> RunRequest {
    RunRequest {
        metered: meter(wasm).unwrap(),
        program_name: "job.wasm".into(),
        args: vec![],
        env: BTreeMap::new(),
        stdin: vec![],
        root: FileTree::new(),
        output_path: Some("output/".into()),
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 1_000_000_000,
        entry: EntryPoint::Command,
    }
}

/// Runs it twice: every run is repeated, and must be repeated exactly (I-08).
pub fn run_twice(request: &RunRequest) -> RunReport {
    let first = run(request).unwrap();
    assert_eq!(first, run(request).unwrap());
    first
}

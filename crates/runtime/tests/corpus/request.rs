//! What most tests and benchmarks run: a module and nothing else.

use std::collections::BTreeMap;

use assay_metering::meter_with_fast;
use assay_protocol::TaskLimits;
use assay_runtime::{EntryPoint, FileTree, RunRequest};

/// A request for a module, in both variants, with defaults for everything else.
pub fn request_wasm(wasm: &[u8]) -> RunRequest {
    RunRequest {
        metered: meter_with_fast(wasm).unwrap(),
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

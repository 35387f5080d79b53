//! The sample jobs of examples/jobs, as a provider runs them.

use std::{collections::BTreeMap, fs, path::Path};

use assay_metering::meter_with_fast;
use assay_protocol::TaskLimits;
use assay_runtime::{EntryPoint, FileTree, RunRequest};

/// A sample job as a provider runs it, and the recorded gas.
pub fn sample(name: &str) -> (RunRequest, u64) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs").join(name);
    let json = |path: &Path| -> serde_json::Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let manifest = json(&directory.join("job/manifest.json"));
    let mut root = FileTree::new();
    insert(&mut root, &directory.join("job"), "");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let gas_limit = manifest["limits"]["gas_limit"].as_u64();
    let executable = text(&manifest["executable"]);
    let request = RunRequest {
        metered: meter_with_fast(&fs::read(directory.join("job").join(&executable)).unwrap()).unwrap(),
        program_name: executable,
        args: manifest["args"].as_array().unwrap().iter().map(text).collect(),
        env: BTreeMap::new(),
        stdin: vec![],
        root,
        output_path: Some(text(&manifest["output_path"])),
        limits: TaskLimits { gas_limit: gas_limit.unwrap_or(1_000_000_000), ..TaskLimits::default() },
        seed: 0,
        clock_unix_ns: assay_protocol::limits::CLOCK_UNIX_NS_DEFAULT,
        entry: EntryPoint::Command,
    };
    let expected = json(&directory.join("expected.json"));
    assert_eq!(hex::encode(request.metered.hash), text(&expected["metered_hash"]));
    (request, expected["gas_used"].as_u64().unwrap())
}

fn insert(root: &mut FileTree, directory: &Path, prefix: &str) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            insert(root, &entry.path(), &format!("{path}/"));
        } else {
            root.insert_file(&path, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

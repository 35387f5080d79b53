//! What is fuzzed: functions that take any bytes and panic when a promise is broken. `./run fuzz NAME` runs one of them
//! under libFuzzer for as long as one likes; a test runs all over their seeds in `fuzz/seeds`.

mod content;
mod metering;
mod running;

/// The SDK's, without the rest of it.
#[path = "../../../sdk/src/manifest.rs"]
pub mod manifest;
#[expect(dead_code, reason = "receipts use the rest")]
#[path = "../../../sdk/src/strict_json.rs"]
mod strict_json;

#[expect(dead_code, reason = "a part of what the tests use")]
#[expect(clippy::unwrap_used, reason = "shared with the tests, where a failed unwrap is a failed test")]
mod generators;

/// A target's entry.
pub type Target = fn(&[u8]);

/// The targets, by the names of the binaries in `fuzz/targets` and of the directories in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 6] = [
    ("metering", metering::any_bytes),
    ("modules", metering::generated_modules),
    ("wasi", running::host_calls),
    ("manifest", manifest_bytes),
    ("car", content::car),
    ("unixfs", content::directories),
];

/// Runs a target.
///
/// # Panics
/// When a promise is broken, and when there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(of, _)| *of == name);
    target.expect("a target of the list").1(bytes);
}

/// Longest message of an error that an input can cause, bytes: none may repeat the input at length.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// A manifest is accepted or refused, always alike; what is accepted is written and read again as the same.
fn manifest_bytes(bytes: &[u8]) {
    let read = manifest::JobManifest::from_json(bytes);
    assert_eq!(read, manifest::JobManifest::from_json(bytes));
    match read {
        Ok(manifest) => {
            let account = assay_protocol::TaskLimits::default();
            let limits = manifest.limits.map_or(account, |limits| limits.resolve(&account));
            assert!(
                manifest.mismatch(&limits, manifest.seed.unwrap_or(0), manifest.clock_unix_ns.unwrap_or(0)).is_none()
            );
            let text = manifest.to_json().expect("what was accepted can be written");
            if text.len() <= manifest::MANIFEST_BYTES_MAX {
                assert_eq!(manifest::JobManifest::from_json(text.as_bytes()).as_ref(), Ok(&manifest));
            }
        }
        Err(error) => assert!(error.to_string().len() < MESSAGE_BYTES_MAX, "{error}"),
    }
}

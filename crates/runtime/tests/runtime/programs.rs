//! Real programs over real standard libraries. Their sources and build script stand beside the modules.

use std::collections::BTreeMap;

use assay_runtime::{End, FileTree, RunRequest};

use super::guest::{request_wasm, run_everywhere};

fn job(wasm: &[u8]) -> RunRequest {
    let mut root = FileTree::new();
    root.insert_file("data/hello.txt", *b"hello").unwrap();
    root.insert_file("data/zebra", *b"").unwrap();
    root.insert_file("data/more/deep.txt", *b"deep").unwrap();
    root.insert_file("output/stale.txt", *b"from the poster").unwrap();
    RunRequest { root, clock_unix_ns: 1_735_689_600_000_000_000, ..request_wasm(wasm) }
}

const PROBE: &[u8] = include_bytes!("../guests/probe.wasm");

#[test]
fn a_rust_program_finds_all_that_std_needs() {
    let mut request = job(PROBE);
    request.args = vec!["one".into(), "zwei".into()];
    request.env = BTreeMap::from([("HOME".into(), "/".into()), ("LANG".into(), "C".into())]);
    request.stdin = b"input".to_vec();
    let report = run_everywhere(&request);
    let stdout = String::from_utf8(report.stdout.clone()).unwrap();
    assert_eq!(report.end, End::Exited(3), "{stdout}{}", String::from_utf8_lossy(&report.stderr));
    for line in [
        r#"args ["job.wasm", "one", "zwei"]"#,
        r#"env [("HOME", "/"), ("LANG", "C")]"#,
        r#"stdin "input""#,
        "slept an hour true",
        "wall 1735689600",
        r#"data "hello""#,
        r#"relative "hello""#,
        r#"list ["hello.txt:false:5", "more:true:0", "zebra:false:0"]"#,
        "escape Err(",
        "missing Err(NotFound)",
        "read-only Err(ReadOnlyFilesystem)",
        "tail [57, 0, 0]",
        "scratch 100000",
        "left in tmp 0",
    ] {
        assert!(stdout.lines().any(|printed| printed.starts_with(line)), "{line} is missing in\n{stdout}");
    }
    let files: Vec<_> = report.output.iter().map(|(path, _)| path).collect();
    assert_eq!(files, ["log.txt", "three.txt", "two.bin"]);
    assert_eq!(report.output.file("log.txt").unwrap().as_ref(), b"first\nsecond\n");
    assert_eq!(report.output.file("two.bin").unwrap().as_ref(), b"0123xx6789\0\0");
}

#[test]
fn the_seed_and_nothing_else_changes_the_order_of_a_hash_map() {
    let line = |seed| {
        let report = run_everywhere(&RunRequest { seed, ..job(PROBE) });
        let stdout = String::from_utf8(report.stdout).unwrap();
        stdout.lines().find(|line| line.starts_with("map")).unwrap().to_owned()
    };
    assert_eq!(line(0), line(0));
    assert_ne!(line(0), line(1));
}

#[test]
fn a_panic_traps_and_its_message_is_kept() {
    let mut request = job(PROBE);
    request.args = vec!["panic".into()];
    let report = run_everywhere(&request);
    assert_eq!(report.end, End::Trapped(assay_protocol::Trap::Unreachable));
    assert!(String::from_utf8(report.stderr).unwrap().contains("as asked"));
    assert!(report.output.is_empty());
}

#[test]
fn a_c_program_finds_all_that_libc_needs() {
    let mut request = job(include_bytes!("../guests/libc.wasm"));
    request.args = vec!["arg".into()];
    let report = run_everywhere(&request);
    let stdout = String::from_utf8(report.stdout).unwrap();
    assert_eq!(report.end, End::Exited(0), "{stdout}{}", String::from_utf8_lossy(&report.stderr));
    let expected = "2 arg\n12059 16773245 1.4142135623730951 0.8414709848078965\n2025-01-01T00:00:00Z\n";
    assert!(stdout.starts_with(expected), "{stdout}");
    assert!(stdout.ends_with(". .. hello.txt more zebra \nfrom\n0 13 0\n-1 Read-only file system\nx\n"), "{stdout}");
    assert_eq!(report.output.file("c.txt").unwrap().as_ref(), b"hello from C\n");
}

#[test]
fn the_committed_guests_are_those_of_the_committed_sources() {
    use sha2::Digest;
    let files: [(&str, &[u8]); 5] = [
        ("build", include_bytes!("../guests/build")),
        ("probe.rs", include_bytes!("../guests/probe.rs")),
        ("probe.wasm", PROBE),
        ("libc.c", include_bytes!("../guests/libc.c")),
        ("libc.wasm", include_bytes!("../guests/libc.wasm")),
    ];
    let sums = files.map(|(name, bytes)| format!("{}  {name}\n", hex::encode(sha2::Sha256::digest(bytes))));
    assert_eq!(sums.concat(), include_str!("../guests/SHA256SUMS"), "run tests/guests/build and commit all it writes");
}

//! Every bound of the file system, reached and passed.

use assay_protocol::InvalidReason;
use assay_runtime::{End, FileTree};

use super::{
    errno::{MFILE, NAMETOOLONG, NOSPC},
    script::{READ_RIGHTS, RIGHTS, Script},
};
use crate::guest::{request, run_everywhere};

const CREAT: u64 = 1;

#[test]
fn at_most_128_descriptors_are_open() {
    let mut script = Script::new();
    for _ in 0..125 {
        script.open("data/b", 0, READ_RIGHTS);
    }
    script.open("output/new", CREAT, RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos[..124], [0; 124]);
    assert_eq!(played.errnos[124..], [MFILE, MFILE]);
    assert!(played.report.output.is_empty(), "what could not be opened was not created");
}

#[test]
fn names_and_paths_have_a_longest() {
    let mut script = Script::new();
    let name = |length: usize| format!("output/{}", "n".repeat(length));
    script.open(&name(255), CREAT, RIGHTS).open(&name(256), CREAT, RIGHTS).open(&name(256), 0, READ_RIGHTS);
    script.open(&"./".repeat(513), 0, READ_RIGHTS).open(&"x".repeat(5_000), 0, READ_RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos, [0, NAMETOOLONG, NAMETOOLONG, NAMETOOLONG, NAMETOOLONG]);
}

#[test]
fn directories_nest_64_deep_and_no_deeper_by_moving() {
    let mut script = Script::new();
    let mut path = String::from("output");
    for _ in 0..64 {
        path.push_str("/d");
        script.path("path_create_directory", &path);
    }
    script.path("path_create_directory", "tmp/t").path("path_create_directory", "tmp/t/u");
    let (from, from_length) = script.bytes(b"tmp/t");
    let deep = format!("output{}", "/d".repeat(61)) + "/x";
    let (to, to_length) = script.bytes(deep.as_bytes());
    script.call("path_rename", &[3, from, from_length, 3, to, to_length]);
    let deeper = format!("output{}", "/d".repeat(62)) + "/x";
    let (to, to_length) = script.bytes(deeper.as_bytes());
    script.call("path_rename", &[3, to, to_length, 3, from, from_length]);
    script.call("path_rename", &[3, from, from_length, 3, to, to_length]);
    let played = script.play();
    assert_eq!(played.errnos[..63], [0; 63]);
    assert_eq!(played.errnos[63], NAMETOOLONG);
    // To depth 64 it fits; what is not there cannot be moved; and there is nothing left to move.
    assert_eq!(played.errnos[64..], [0, 0, 0, 44, 44]);
    assert_eq!(played.report.output.len(), 63 + 2);
}

#[test]
fn writing_ends_at_128_mebibytes() {
    let mut script = Script::new();
    script.open("tmp/a", CREAT, RIGHTS).open("tmp/b", CREAT, RIGHTS);
    script.call("fd_filestat_set_size", &[4, 100 << 20]).call("fd_filestat_set_size", &[5, 28 << 20]);
    script.write(5, b"inside is allowed").call("fd_allocate", &[5, 28 << 20, 1]);
    script.call("fd_filestat_set_size", &[5, (28 << 20) + 1]).call("fd_filestat_set_size", &[4, 1]);
    script.call("fd_filestat_set_size", &[5, 100 << 20]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, NOSPC, NOSPC, 0, 0]);
}

#[test]
fn a_result_over_its_limit_is_too_large() {
    let mut script = Script::new();
    script.open("output/a", CREAT, RIGHTS).call("fd_filestat_set_size", &[4, 100_000]);
    let mut request = script.request();
    request.limits.output_bytes = 165_536;
    let report = run_everywhere(&request);
    assert_eq!((report.end, report.output.file_bytes()), (End::Exited(0), 100_000));
    request.limits.output_bytes = 165_535;
    let report = run_everywhere(&request);
    assert_eq!((report.end, report.output.len()), (End::OutputTooLarge(0), 0));
    assert_eq!(report.stdout.len(), 65_536);
}

/// Creates `count` files in a loop, named by four digits of base 16 from `a`.
fn many_files(count: u32, directory: &str) -> String {
    format!(
        r#"(module (import "wasi_snapshot_preview1" "path_create_directory" (func $mk (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "{directory}/aaaaa")
            (func (export "_start") (local $n i32) (local $i i32) (local $v i32)
              loop
                local.get $n local.set $v  i32.const 0 local.set $i
                loop
                  local.get $i local.get $v i32.const 15 i32.and i32.const 97 i32.add i32.store8 offset={at}
                  local.get $v i32.const 4 i32.shr_u local.set $v
                  local.get $i i32.const 1 i32.add local.tee $i i32.const 5 i32.lt_u br_if 0
                end
                i32.const 3 i32.const 0 i32.const {length} call $mk if unreachable end
                local.get $n i32.const 1 i32.add local.tee $n i32.const {count} i32.lt_u br_if 0
              end))"#,
        at = directory.len() + 1,
        length = directory.len() + 6
    )
}

#[test]
fn a_directory_holds_16384_entries() {
    assert_eq!(run_everywhere(&request(&many_files(16_384, "tmp"))).end, End::Exited(0));
    let report = run_everywhere(&request(&many_files(16_385, "tmp")));
    assert_eq!(report.end, End::Trapped(assay_protocol::Trap::Unreachable));
}

#[test]
fn a_job_directory_over_its_bound_is_invalid() {
    let mut request = request(r#"(module (func (export "_start")))"#);
    let mut root = FileTree::new();
    for n in 0..65_536 {
        root.insert_file(&format!("{n}"), *b"").unwrap();
    }
    request.root = root;
    assert_eq!(run_everywhere(&request).end, End::Invalid(InvalidReason::InputTooLarge));
    request.root = FileTree::new();
    request.root.insert_file("large", vec![0; 64 << 20]).unwrap();
    assert_eq!(run_everywhere(&request).end, End::Exited(0));
    request.root.insert_file("small", *b"x").unwrap();
    assert_eq!(run_everywhere(&request).end, End::Invalid(InvalidReason::InputTooLarge));
}

#[test]
fn an_output_path_that_cannot_be_is_invalid() {
    for path in ["../out", "/out", "", ".", "a//b", "file", "file/below"] {
        let mut request = request(r#"(module (func (export "_start")))"#);
        request.root.insert_file("file", *b"x").unwrap();
        request.output_path = Some(path.into());
        assert_eq!(run_everywhere(&request).end, End::Invalid(InvalidReason::ManifestInvalid), "{path}");
    }
    for path in ["out", "out/", "./out/", "a/b/c", "tmp", "tmp/out"] {
        let mut request = request(r#"(module (func (export "_start")))"#);
        request.output_path = Some(path.into());
        assert_eq!(run_everywhere(&request).end, End::Exited(0), "{path}");
    }
}

#[test]
fn a_file_named_tmp_is_no_scratch_directory() {
    let mut script = Script::new();
    script.open("tmp", 0, READ_RIGHTS).open("tmp", 0, RIGHTS).open("tmp/x", CREAT, RIGHTS);
    let mut request = script.request();
    request.root.insert_file("tmp", *b"the poster's").unwrap();
    assert_eq!(script.play_request(&request).errnos, [0, 69, 54]);
}

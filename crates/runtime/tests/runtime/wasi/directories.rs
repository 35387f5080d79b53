//! Names: finding, creating, listing, moving, removing, and never getting out.

use super::{
    errno::{EXIST, ILSEQ, INVAL, ISDIR, NOENT, NOTCAPABLE, NOTDIR, NOTEMPTY, ROFS},
    script::{READ_RIGHTS, RIGHTS, ROOT, Script},
};

const CREAT: u64 = 1;
const DIRECTORY: u64 = 2;
const EXCL: u64 = 4;

#[test]
fn p4_no_path_leads_out() {
    let mut script = Script::new();
    for path in ["..", "../etc/passwd", "/etc/passwd", "data/../..", "data/../../x", "/", "./../x", "data/sub/../../.."]
    {
        script.open(path, 0, READ_RIGHTS);
    }
    let escapes = 8;
    script.open("data", DIRECTORY, READ_RIGHTS);
    script.open_at(4, "..", DIRECTORY, READ_RIGHTS).open_at(4, "../data", DIRECTORY, READ_RIGHTS);
    script.open_at(4, "sub/../../data/b", 0, READ_RIGHTS).open_at(4, "sub/../b", 0, READ_RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos[..escapes], [NOTCAPABLE; 8]);
    assert_eq!(played.errnos[escapes..], [0, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE, 0]);
}

#[test]
fn paths_are_followed_as_written() {
    let mut script = Script::new();
    for path in ["data/./hello.txt", "data//hello.txt", "./data/sub/../hello.txt", "data/sub/.", "data/", "."] {
        script.open(path, 0, READ_RIGHTS);
    }
    for path in ["", "data/nothing", "data/nothing/..", "data/b/", "data/b/.", "data/b/x", "data/b/.."] {
        script.open(path, 0, READ_RIGHTS);
    }
    let played = script.play();
    assert_eq!(played.errnos[..6], [0; 6]);
    assert_eq!(played.errnos[6..], [NOENT, NOENT, NOENT, NOTDIR, NOTDIR, NOTDIR, NOTDIR]);
}

#[test]
fn names_that_would_hurt_somebody_are_not_created() {
    let mut script = Script::new();
    for path in ["output/a\\b", "output/a\nb", "output/\u{7f}", "output/\u{85}"] {
        script.open(path, CREAT, RIGHTS).path("path_create_directory", path);
    }
    script.open("output/nul\0", CREAT, RIGHTS);
    let (pointer, length) = script.bytes(b"output/\xff\xfe");
    script.call("path_open", &[ROOT, 0, pointer, length, CREAT, RIGHTS, RIGHTS, 0, 0]);
    script.open("output/grüße 😀", CREAT, RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos[..9], [INVAL; 9]);
    assert_eq!(played.errnos[9..], [ILSEQ, 0]);
    assert_eq!(played.report.output.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["grüße 😀"]);
}

#[test]
fn open_flags_mean_what_they_say() {
    let mut script = Script::new();
    script.open("output/f", CREAT | EXCL, RIGHTS).open("output/f", CREAT | EXCL, RIGHTS);
    script.open("output/f", DIRECTORY, READ_RIGHTS).open("output", DIRECTORY, READ_RIGHTS);
    script.open("output", CREAT, READ_RIGHTS).open("output", 0, RIGHTS).open("output", 8, READ_RIGHTS);
    script.open("output/d", CREAT | DIRECTORY, READ_RIGHTS).open("output/d/", CREAT, RIGHTS);
    script.open("output/f", 16, RIGHTS).open_at(4, "x", 0, READ_RIGHTS).open_at(1, "x", 0, READ_RIGHTS);
    let (pointer, length) = script.bytes(b"output/f");
    script.call("path_open", &[ROOT, 0, pointer, length, 0, 0, 0, 32, 0]);
    let played = script.play();
    assert_eq!(played.errnos, [0, EXIST, NOTDIR, 0, ISDIR, ISDIR, ISDIR, INVAL, ISDIR, INVAL, NOTDIR, NOTDIR, INVAL]);
}

#[test]
fn rights_of_a_directory_bound_what_is_opened_through_it() {
    const PATH_OPEN: u64 = 1 << 13;
    let mut script = Script::new();
    let (pointer, length) = script.bytes(b"output");
    script.call("path_open", &[ROOT, 0, pointer, length, DIRECTORY, PATH_OPEN, 2, 0, 0]);
    script.open_at(4, "f", CREAT, 2).open_at(4, "f", 0, RIGHTS);
    let (name, name_length) = script.bytes(b"x");
    for call in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
        script.call(call, &[4, name, name_length]);
    }
    script.call("fd_readdir", &[4, 0, 0, 0, 0]).call("path_filestat_get", &[4, 0, name, name_length, 0]);
    let played = script.play();
    assert_eq!(played.errnos, [0, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE, NOTCAPABLE]);
}

#[test]
fn directories_are_created_and_removed() {
    let mut script = Script::new();
    script.path("path_create_directory", "output/d").path("path_create_directory", "output/d");
    script.path("path_create_directory", "output/d/e/").path("path_remove_directory", "output/d");
    script.path("path_unlink_file", "output/d/e").path("path_remove_directory", "output/d/e");
    script.path("path_remove_directory", "output/d").path("path_remove_directory", "output/d");
    script.path("path_create_directory", "data/x").path("path_remove_directory", "output");
    script.path("path_remove_directory", "data/b").path("path_remove_directory", "output/.");
    script.path("path_create_directory", "no/where").path("path_create_directory", ".");
    let played = script.play();
    assert_eq!(played.errnos, [0, EXIST, 0, NOTEMPTY, ISDIR, 0, 0, NOENT, ROFS, ROFS, NOTDIR, INVAL, NOENT, EXIST]);
}

#[test]
fn files_are_unlinked() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).path("path_unlink_file", "output/f").path("path_unlink_file", "output/f");
    script
        .path("path_unlink_file", "data/b")
        .path("path_unlink_file", "data/sub")
        .path("path_unlink_file", "output/f/");
    assert_eq!(script.play().errnos, [0, 0, NOENT, ROFS, ISDIR, NOENT]);
}

fn rename(script: &mut Script, from: &str, to: &str) {
    let (from, from_length) = script.bytes(from.as_bytes());
    let (to, to_length) = script.bytes(to.as_bytes());
    script.call("path_rename", &[ROOT, from, from_length, ROOT, to, to_length]);
}

#[test]
fn files_and_directories_are_moved() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).write(4, b"f").open("output/g", CREAT, RIGHTS);
    script.path("path_create_directory", "output/d").path("path_create_directory", "output/e");
    script.path("path_create_directory", "output/d/full");
    let prepared = 6;
    for (from, to) in [
        ("output/f", "output/g"),
        ("output/f", "output/x"),
        ("output/g", "output/g"),
        ("output/g", "output/d"),
        ("output/d", "output/g"),
        ("output/e", "output/d"),
        ("output/d", "output/d/full/inner"),
        ("output/d", "output/d"),
        ("output/d", "output/e"),
        ("output/g", "tmp/g/"),
        ("output/g", "tmp/moved"),
        ("tmp/moved", "output/e/back"),
        ("output", "output2"),
        ("data/b", "output/b"),
        ("output/e/back", "data/b"),
        ("output/e/.", "output/y"),
        ("output/e", "output/back\\slash"),
    ] {
        rename(&mut script, from, to);
    }
    let played = script.play();
    assert_eq!(played.errnos[..prepared], [0; 6]);
    assert_eq!(
        played.errnos[prepared..],
        [0, NOENT, 0, ISDIR, NOTDIR, NOTEMPTY, INVAL, 0, 0, NOTDIR, 0, 0, ROFS, ROFS, ROFS, INVAL, INVAL]
    );
    let left: Vec<_> = played.report.output.iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(left, ["e", "e/back", "e/full"]);
    assert_eq!(played.report.output.file("e/back").unwrap().as_ref(), b"f");
}

/// The entries in a buffer of `fd_readdir`: cookie of the next, name, file type.
fn entries(bytes: &[u8]) -> Vec<(u64, String, u8)> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    while rest.len() >= 24 {
        let length = usize::try_from(u32::from_le_bytes(rest[16..20].try_into().unwrap())).unwrap();
        let Some(name) = rest.get(24..24 + length) else { break };
        let next = u64::from_le_bytes(rest[..8].try_into().unwrap());
        entries.push((next, String::from_utf8(name.to_vec()).unwrap(), rest[20]));
        rest = &rest[24 + length..];
    }
    entries
}

#[test]
fn a_directory_is_listed_in_order() {
    let mut script = Script::new();
    script.open("data", DIRECTORY, READ_RIGHTS).call("fd_readdir", &[4, 1_000, 1_000, 0, 8]);
    script.call("fd_readdir", &[4, 2_000, 1_000, 4, 12]).call("fd_readdir", &[4, 3_000, 30, 0, 16]);
    script.call("fd_readdir", &[4, 3_000, 1_000, 6, 20]).call("fd_readdir", &[4, 3_000, 1_000, u64::MAX, 24]);
    script.open("data/b", 0, READ_RIGHTS).call("fd_readdir", &[5, 0, 0, 0, 0]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, 0, 0, NOTDIR]);
    let listed = entries(played.bytes(1_000, played.u32(8).try_into().unwrap()));
    let expected = [(1, ".", 3), (2, "..", 3), (3, "a", 4), (4, "b", 4), (5, "hello.txt", 4), (6, "sub", 3)];
    assert_eq!(listed, expected.map(|(next, name, filetype)| (next, name.to_owned(), filetype)));
    let from_four = entries(played.bytes(2_000, played.u32(12).try_into().unwrap()));
    assert_eq!(from_four, listed[4..]);
    assert_eq!(played.u32(16), 30, "a buffer that is too small is filled to the end");
    assert_eq!((played.u32(20), played.u32(24)), (0, 0));
}

#[test]
fn cookies_stay_valid_while_entries_come_and_go() {
    let mut script = Script::new();
    for name in ["output/1", "output/2", "output/3", "output/4"] {
        script.open(name, CREAT, RIGHTS);
    }
    script.open("output", DIRECTORY, READ_RIGHTS).call("fd_readdir", &[8, 1_000, 24 * 3 + 4, 0, 8]);
    script.path("path_unlink_file", "output/1").path("path_unlink_file", "output/3").open("output/0", CREAT, RIGHTS);
    script.call("fd_readdir", &[8, 2_000, 1_000, 3, 12]).call("fd_readdir", &[8, 3_000, 1_000, 0, 16]);
    let played = script.play();
    assert_eq!(played.errnos, [0; 11]);
    let names = |at, count| -> Vec<String> {
        entries(played.bytes(at, played.u32(count).try_into().unwrap())).into_iter().map(|(_, name, _)| name).collect()
    };
    assert_eq!(names(1_000, 8), [".", "..", "1"]);
    // Still open, so still there for whoever holds it, but no longer listed.
    assert_eq!(names(2_000, 12), ["2", "4"]);
    assert_eq!(names(3_000, 16), [".", "..", "0", "2", "4"]);
}

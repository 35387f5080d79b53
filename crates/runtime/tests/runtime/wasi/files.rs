//! Reading, writing and asking about open files.

use super::{
    errno::{BADF, FBIG, INVAL, ISDIR, NAMETOOLONG, NOENT, NOTCAPABLE, ROFS, SPIPE, SUCCESS},
    script::{READ_RIGHTS, RIGHTS, ROOT, Script},
};

const CREAT: u64 = 1;
const TRUNC: u64 = 8;
const RIGHT_READ: u64 = 1 << 1;
const RIGHT_SEEK: u64 = 1 << 2;
const RIGHT_TELL: u64 = 1 << 5;
const RIGHT_WRITE: u64 = 1 << 6;

/// An offset below zero.
const fn back(by: u64) -> u64 {
    by.wrapping_neg()
}

#[test]
fn stdin_is_read_once_and_ends() {
    let mut script = Script::new();
    script.read(0, 100, 4).read(0, 104, 100);
    let rest = script.vector(300, 5);
    script.call("fd_read", &[0, rest, 1, 12]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0]);
    assert_eq!(played.bytes(100, 10), b"some input");
    assert_eq!((played.u32(8), played.u32(12)), (6, 0));
}

#[test]
fn streams_cannot_be_sought_nor_used_the_wrong_way() {
    let mut script = Script::new();
    script.call("fd_seek", &[0, 0, 0, 0]).call("fd_tell", &[1, 0]).call("fd_pread", &[0, 0, 0, 0, 0]);
    script.call("fd_pwrite", &[1, 0, 0, 0, 0]).call("fd_advise", &[2, 0, 0, 0]).call("fd_allocate", &[1, 0, 1]);
    script.write(0, b"x").read(1, 100, 1).call("fd_filestat_set_size", &[1, 0]).call("fd_readdir", &[0, 0, 0, 0, 0]);
    let played = script.play();
    assert_eq!(played.errnos[..6], [SPIPE; 6]);
    assert_eq!(played.errnos[6..], [NOTCAPABLE, NOTCAPABLE, SPIPE, 54]);
}

#[test]
fn a_file_of_the_job_is_read_and_not_written() {
    let mut script = Script::new();
    script.open("data/hello.txt", 0, READ_RIGHTS).read(4, 100, 5).read(4, 105, 50);
    let vector = script.vector(200, 3);
    script.call("fd_pread", &[4, vector, 1, 4, 16]).call("fd_pread", &[4, vector, 1, 1 << 40, 20]);
    script.write(4, b"x").open("data/hello.txt", 0, RIGHTS).open("data/hello.txt", TRUNC, READ_RIGHTS);
    script.open("data/new", CREAT, RIGHTS).call("fd_filestat_set_times", &[4, 0, 0, 0]);
    let played = script.play();
    assert_eq!(played.errnos[..5], [0; 5]);
    assert_eq!(played.errnos[5..], [NOTCAPABLE, ROFS, ROFS, ROFS, ROFS]);
    assert_eq!(played.bytes(100, 11), b"hello world");
    assert_eq!((played.bytes(200, 3), played.u32(16), played.u32(20)), (b"o w".as_slice(), 3, 0));
}

#[test]
fn a_file_is_written_sought_and_read_back() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).write(4, b"0123456789").call("fd_seek", &[4, 4, 0, 16]).write(4, b"xx");
    script.call("fd_tell", &[4, 24]).call("fd_seek", &[4, back(3), 2, 32]).read(4, 100, 10);
    script.call("fd_seek", &[4, back(8), 1, 40]).read(4, 120, 4);
    let (pointer, length) = script.bytes(b"END");
    let vector = script.vector(pointer, length);
    script.call("fd_pwrite", &[4, vector, 1, 12, 48]).call("fd_datasync", &[4]).call("fd_sync", &[4]);
    let played = script.play();
    assert_eq!(played.errnos, [0; 12]);
    assert_eq!((played.u64(16), played.u64(24), played.u64(32), played.u64(40)), (4, 6, 7, 2));
    assert_eq!((played.bytes(100, 3), played.bytes(120, 4)), (b"789".as_slice(), b"23xx".as_slice()));
    assert_eq!(played.report.output.file("f").unwrap().as_ref(), b"0123xx6789\0\0END");
}

#[test]
fn seeking_stays_inside_what_a_file_can_be() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS);
    script.call("fd_seek", &[4, back(1), 0, 0]).call("fd_seek", &[4, 1 << 63, 1, 0]).call("fd_seek", &[4, 0, 3, 0]);
    script.call("fd_seek", &[4, (1 << 63) - 1, 0, 0]).call("fd_seek", &[4, 1, 1, 0]).write(4, b"x");
    let (pointer, length) = script.bytes(b"x");
    let vector = script.vector(pointer, length);
    script.call("fd_pwrite", &[4, vector, 1, u64::MAX, 0]);
    let mut request = script.request();
    request.limits.gas_limit = 1 << 49;
    // Growing a file to 2^63 bytes is paid for first, and nobody can.
    assert_eq!(crate::guest::run_everywhere(&request).end, assay_runtime::End::OutOfGas);

    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS);
    script.call("fd_seek", &[4, back(1), 0, 0]).call("fd_seek", &[4, 1 << 63, 1, 0]).call("fd_seek", &[4, 0, 3, 0]);
    script.call("fd_seek", &[4, (1 << 63) - 1, 0, 0]).call("fd_seek", &[4, 1, 1, 0]);
    let (pointer, length) = script.bytes(b"x");
    let vector = script.vector(pointer, length);
    script.call("fd_pwrite", &[4, vector, 1, u64::MAX, 0]).call("fd_allocate", &[4, u64::MAX, 1]);
    assert_eq!(script.play().errnos, [0, INVAL, INVAL, INVAL, SUCCESS, INVAL, FBIG, FBIG]);
}

#[test]
fn append_writes_at_the_end_whatever_the_offset() {
    let mut script = Script::new();
    let (path, length) = script.bytes(b"output/log");
    script.call("path_open", &[ROOT, 0, path, length, CREAT, RIGHTS, RIGHTS, 1, 0]);
    script.write(4, b"one").call("fd_seek", &[4, 0, 0, 16]).write(4, b"two");
    script.call("fd_fdstat_set_flags", &[4, 0]).call("fd_seek", &[4, 0, 0, 16]).write(4, b"O");
    script.call("fd_fdstat_set_flags", &[4, 32]).call("fd_fdstat_set_flags", &[4, 0x1_0000]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, 0, 0, INVAL, INVAL]);
    assert_eq!(played.report.output.file("log").unwrap().as_ref(), b"Onetwo");
}

#[test]
fn sizes_are_set_and_allocated() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).write(4, b"abcdef").call("fd_filestat_set_size", &[4, 3]);
    script.call("fd_filestat_set_size", &[4, 5]).call("fd_allocate", &[4, 4, 4]).call("fd_allocate", &[4, 0, 2]);
    script.call("fd_allocate", &[4, 0, 0]).call("fd_filestat_get", &[4, 100]).call("fd_filestat_set_size", &[ROOT, 1]);
    script.call("fd_advise", &[4, 0, 0, 5]).call("fd_advise", &[4, 0, 0, 6]).call("fd_advise", &[ROOT, 0, 0, 0]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, 0, INVAL, 0, ISDIR, 0, INVAL, ISDIR]);
    assert_eq!(played.u64(132), 8);
    assert_eq!(played.report.output.file("f").unwrap().as_ref(), b"abc\0\0\0\0\0");
}

#[test]
fn opening_truncates_only_when_told() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).write(4, b"abc").open("output/f", CREAT, RIGHTS).read(5, 100, 10);
    script.open("output/f", TRUNC, RIGHTS).call("fd_filestat_get", &[4, 200]);
    let played = script.play();
    assert_eq!(played.errnos, [0; 6]);
    assert_eq!((played.bytes(100, 3), played.u64(232)), (b"abc".as_slice(), 0));
}

#[test]
fn stats_have_zero_times_and_stable_inodes() {
    let mut script = Script::new();
    let (path, length) = script.bytes(b"data/hello.txt");
    script.open("data/hello.txt", 0, READ_RIGHTS).call("fd_filestat_get", &[4, 100]);
    script.call("path_filestat_get", &[ROOT, 1, path, length, 200]).call("fd_filestat_get", &[ROOT, 300]);
    script.call("fd_filestat_get", &[1, 400]).call("path_filestat_get", &[ROOT, 0, path, length - 1, 500]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, NOENT]);
    assert_eq!(played.bytes(100, 64), played.bytes(200, 64));
    assert_eq!((played.u64(100), played.memory[116], played.u64(124), played.u64(132)), (1, 4, 1, 11));
    assert_eq!(played.bytes(140, 24), [0; 24]);
    assert_eq!((played.u64(308), played.memory[316]), (1, 3), "the root is inode 1, a directory");
    assert_eq!(played.memory[416], 0, "streams have no type, as pipes");
}

#[test]
fn times_can_be_set_and_stay_zero() {
    let mut script = Script::new();
    let (path, length) = script.bytes(b"output/f");
    let (read_only, read_only_length) = script.bytes(b"data/b");
    script.open("output/f", CREAT, RIGHTS).call("fd_filestat_set_times", &[4, 5, 6, 1 | 4]);
    script.call("fd_filestat_set_times", &[4, 5, 6, 1 | 2]).call("fd_filestat_set_times", &[4, 5, 6, 16]);
    script.call("path_filestat_set_times", &[ROOT, 0, path, length, 1, 2, 2 | 8]);
    script.call("path_filestat_set_times", &[ROOT, 0, path, length, 1, 2, 4 | 8]);
    script.call("path_filestat_set_times", &[ROOT, 0, path + 1, length - 1, 1, 2, 0]);
    script.call("path_filestat_set_times", &[ROOT, 0, read_only, read_only_length, 1, 2, 1]);
    script.call("fd_filestat_set_times", &[1, 0, 0, 0]).call("fd_filestat_get", &[4, 100]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, INVAL, INVAL, 0, INVAL, NOENT, ROFS, NOTCAPABLE, 0]);
    assert_eq!(played.bytes(140, 24), [0; 24]);
}

#[test]
fn rights_are_enforced_and_can_only_be_given_up() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHT_WRITE | RIGHT_TELL).write(4, b"abc").read(4, 100, 1);
    script.call("fd_seek", &[4, 0, 1, 16]).call("fd_seek", &[4, 0, 0, 24]).call("fd_tell", &[4, 24]);
    script.call("fd_fdstat_get", &[4, 100]).call("fd_fdstat_set_rights", &[4, RIGHT_READ, 0]);
    script.call("fd_fdstat_set_rights", &[4, RIGHT_TELL, 0]).write(4, b"d").call("fd_filestat_get", &[4, 200]);
    script.call("fd_sync", &[4]).call("fd_datasync", &[4]).call("fd_fdstat_set_flags", &[4, 0]);
    script.open("output/g", CREAT, RIGHT_READ | RIGHT_SEEK);
    let played = script.play();
    let no = NOTCAPABLE;
    assert_eq!(played.errnos, [0, 0, no, 0, no, 0, 0, no, 0, no, no, no, no, no, 0]);
    assert_eq!((played.memory[100], played.u64(108), played.u64(116)), (4, RIGHT_WRITE | RIGHT_TELL, 0));
}

#[test]
fn descriptors_close_and_renumber_without_surprise() {
    let mut script = Script::new();
    script.open("data/b", 0, READ_RIGHTS).open("data/hello.txt", 0, READ_RIGHTS);
    script.call("fd_renumber", &[5, 4]).read(4, 100, 5).call("fd_close", &[5]).call("fd_renumber", &[4, 4]);
    script.call("fd_close", &[4]).call("fd_close", &[4]).open("data/b", 0, READ_RIGHTS);
    script.call("fd_renumber", &[0xffff_ffff, 4]).call("fd_renumber", &[4, 0]).read(0, 200, 3);
    script.call("fd_close", &[ROOT]).open("data/b", 0, READ_RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, BADF, 0, 0, BADF, 0, BADF, 0, 0, 0, BADF]);
    assert_eq!((played.bytes(100, 5), played.bytes(200, 3)), (b"hello".as_slice(), b"bee".as_slice()));
    assert_eq!(played.u32(0), 4, "the lowest free number is taken");
}

#[test]
fn the_root_is_the_one_directory_given() {
    let mut script = Script::new();
    script.call("fd_prestat_get", &[ROOT, 0]).call("fd_prestat_dir_name", &[ROOT, 100, 1]);
    script.call("fd_prestat_dir_name", &[ROOT, 100, 0]).call("fd_prestat_get", &[4, 0]).call("fd_prestat_get", &[1, 0]);
    script.open("data", 2, READ_RIGHTS).call("fd_prestat_get", &[4, 0]).call("fd_prestat_dir_name", &[4, 100, 1]);
    script.call("fd_fdstat_get", &[ROOT, 200]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, NAMETOOLONG, BADF, BADF, 0, BADF, BADF, 0]);
    assert_eq!((played.memory[4], played.memory[100]), (1, b'/'));
    assert_eq!(played.memory[200], 3);
}

#[test]
fn a_file_that_was_removed_lives_until_it_is_closed() {
    let mut script = Script::new();
    script.open("output/f", CREAT, RIGHTS).write(4, b"kept").path("path_unlink_file", "output/f");
    script.call("fd_seek", &[4, 0, 0, 16]).read(4, 100, 4).call("fd_close", &[4]).open("output/f", 0, READ_RIGHTS);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, 0, NOENT]);
    assert_eq!(played.bytes(100, 4), b"kept");
    assert!(played.report.output.is_empty());
}

//! What every function refuses: descriptors that are not open, pointers outside the memory, what does not exist here.

use assay_protocol::Trap;
use assay_runtime::End;

use super::{
    errno::{BADF, NOTSUP},
    script::{ROOT, Script},
};

/// Not open.
const NONE: u64 = 99;
/// Outside of one page.
const WILD: u64 = 70_000;

#[test]
fn a_descriptor_that_is_not_open_is_refused_everywhere() {
    let mut script = Script::new();
    let (path, length) = script.bytes(b"data/b");
    let calls: &[(&str, &[u64])] = &[
        ("fd_advise", &[NONE, 0, 0, 0]),
        ("fd_allocate", &[NONE, 0, 1]),
        ("fd_close", &[NONE]),
        ("fd_datasync", &[NONE]),
        ("fd_fdstat_get", &[NONE, 0]),
        ("fd_fdstat_set_flags", &[NONE, 0]),
        ("fd_fdstat_set_rights", &[NONE, 0, 0]),
        ("fd_filestat_get", &[NONE, 0]),
        ("fd_filestat_set_size", &[NONE, 0]),
        ("fd_filestat_set_times", &[NONE, 0, 0, 0]),
        ("fd_pread", &[NONE, 0, 0, 0, 0]),
        ("fd_prestat_get", &[NONE, 0]),
        ("fd_prestat_dir_name", &[NONE, 0, 1]),
        ("fd_pwrite", &[NONE, 0, 0, 0, 0]),
        ("fd_read", &[NONE, 0, 0, 0]),
        ("fd_readdir", &[NONE, 0, 0, 0, 0]),
        ("fd_renumber", &[NONE, ROOT]),
        ("fd_renumber", &[ROOT, NONE]),
        ("fd_seek", &[NONE, 0, 0, 0]),
        ("fd_sync", &[NONE]),
        ("fd_tell", &[NONE, 0]),
        ("fd_write", &[NONE, 0, 0, 0]),
        ("path_create_directory", &[NONE, path, length]),
        ("path_filestat_get", &[NONE, 0, path, length, 0]),
        ("path_filestat_set_times", &[NONE, 0, path, length, 0, 0, 0]),
        ("path_open", &[NONE, 0, path, length, 0, 0, 0, 0, 0]),
        ("path_remove_directory", &[NONE, path, length]),
        ("path_rename", &[NONE, path, length, ROOT, path, length]),
        ("path_rename", &[ROOT, path, length, NONE, path, length]),
        ("path_unlink_file", &[NONE, path, length]),
    ];
    for (name, args) in calls {
        script.call(name, args);
    }
    for (errno, (name, _)) in script.play().errnos.iter().zip(calls) {
        assert_eq!(*errno, BADF, "{name}");
    }
}

#[test]
fn w_07_a_pointer_outside_the_memory_traps_everywhere() {
    // A vector of one buffer that lies outside.
    const VECTOR: u64 = 10_000;
    const MAX: u64 = 0xffff_ffff;
    let calls: &[(&str, &[u64])] = &[
        ("args_get", &[WILD, 0]),
        ("args_get", &[0, WILD]),
        ("args_sizes_get", &[WILD, 0]),
        ("args_sizes_get", &[0, MAX]),
        ("clock_res_get", &[0, WILD]),
        ("clock_time_get", &[0, 0, 65_529]),
        ("environ_get", &[WILD, WILD]),
        ("environ_sizes_get", &[0, WILD]),
        ("fd_fdstat_get", &[1, 65_520]),
        ("fd_filestat_get", &[1, WILD]),
        ("fd_pread", &[4, WILD, 1, 0, 0]),
        ("fd_pread", &[4, VECTOR, 1, 0, 0]),
        ("fd_pread", &[4, 0, 0, 0, WILD]),
        ("fd_prestat_get", &[ROOT, WILD]),
        ("fd_prestat_dir_name", &[ROOT, WILD, 1]),
        ("fd_pwrite", &[4, VECTOR, 1, 0, 0]),
        ("fd_pwrite", &[4, 0, 0, 0, MAX]),
        ("fd_read", &[0, WILD, 1, 0]),
        ("fd_read", &[0, VECTOR, 1, 0]),
        ("fd_read", &[0, 0, 0, 65_533]),
        ("fd_readdir", &[ROOT, WILD, 10, 0, 0]),
        ("fd_readdir", &[ROOT, 0, MAX, 0, 0]),
        ("fd_readdir", &[ROOT, 0, 10, 0, WILD]),
        ("fd_seek", &[4, 0, 0, WILD]),
        ("fd_tell", &[4, WILD]),
        ("fd_write", &[1, WILD, 1, 0]),
        ("fd_write", &[1, VECTOR, 1, 0]),
        ("fd_write", &[1, 0, 0, WILD]),
        ("path_create_directory", &[ROOT, WILD, 3]),
        ("path_filestat_get", &[ROOT, 0, WILD, 3, 0]),
        ("path_filestat_get", &[ROOT, 0, 11_024, 4, WILD]),
        ("path_filestat_set_times", &[ROOT, 0, WILD, 3, 0, 0, 0]),
        ("path_open", &[ROOT, 0, 0, MAX, 0, 0, 0, 0, 0]),
        ("path_open", &[ROOT, 0, 11_024, 4, 0, 0, 0, 0, WILD]),
        ("path_remove_directory", &[ROOT, WILD, 3]),
        ("path_rename", &[ROOT, WILD, 3, ROOT, 0, 3]),
        ("path_rename", &[ROOT, 11_024, 4, ROOT, WILD, 3]),
        ("path_unlink_file", &[ROOT, WILD, 3]),
        ("poll_oneoff", &[WILD, 0, 1, 0]),
        ("poll_oneoff", &[0, WILD, 1, 0]),
        ("poll_oneoff", &[0, 100, 1, WILD]),
        ("random_get", &[WILD, 1]),
        ("random_get", &[0, MAX]),
    ];
    for (name, args) in calls {
        let mut script = Script::new();
        let vector = script.vector(WILD, 1);
        assert_eq!(vector, VECTOR);
        script.open("output/f", 1, super::script::RIGHTS);
        while script.bytes(b"data").0 < 11_024 {}
        script.call(name, args);
        assert_eq!(script.end(), End::Trapped(Trap::HostPointerOutOfBounds), "{name} {args:?}");
    }
}

#[test]
fn w_07_gas_is_charged_by_the_bytes_asked_for() {
    type Arguments = fn(&mut Script, u64) -> Vec<u64>;
    let asked = |name, args: Arguments, length| {
        let mut script = Script::new();
        let args = args(&mut script, length);
        script.call(name, &args);
        script
    };
    let calls: [(&str, Arguments, u64); 3] = [
        ("random_get", |_, length| vec![0, length], 16 * 8_000),
        ("fd_write", |script, length| vec![1, script.vector(0, length), 1, 60_000], 8_000 / 8),
        // Of a path that is refused as well.
        ("path_unlink_file", |_, length| vec![ROOT, 0, length], 4 * 8_000),
    ];
    for (name, args, price) in calls {
        // Both lengths have as many bytes in the module, which are paid for, too.
        let gas = [100, 8_100].map(|length| asked(name, args, length).play().report.gas_used);
        assert_eq!(gas[1] - gas[0], price, "{name}");
    }
}

#[test]
fn w_07_a_guest_without_memory_has_no_valid_pointer() {
    let report = crate::guest::run_everywhere(&crate::guest::request(
        r#"(module (import "wasi_snapshot_preview1" "random_get" (func $r (param i32 i32) (result i32)))
            (func (export "_start") i32.const 0 i32.const 0 call $r drop i32.const 0 i32.const 1 call $r drop))"#,
    ));
    assert_eq!(report.end, End::Trapped(Trap::HostPointerOutOfBounds));
}

#[test]
fn w_07_overlapping_buffers_are_filled_in_order() {
    let mut script = Script::new();
    let mut pairs = Vec::new();
    for (at, length) in [(100_u32, 6_u32), (102, 4)] {
        pairs.extend_from_slice(&at.to_le_bytes());
        pairs.extend_from_slice(&length.to_le_bytes());
    }
    let vector = script.bytes(&pairs).0;
    script.call("fd_read", &[0, vector, 2, 8]);
    let played = script.play();
    assert_eq!((played.errnos[0], played.u32(8)), (0, 10));
    assert_eq!(played.bytes(100, 6), b"sonput");
}

#[test]
fn w_07_a_vector_of_too_many_buffers_is_refused() {
    let mut script = Script::new();
    script.call("fd_write", &[1, 0, 1_025, 0]).call("fd_write", &[1, 0, 0xffff_ffff, 0]);
    assert_eq!(script.play().errnos, [super::errno::INVAL; 2]);
}

#[test]
fn sockets_signals_and_links_are_not_supported() {
    let mut script = Script::new();
    script
        .call("sock_accept", &[3, 0, WILD])
        .call("sock_recv", &[3, WILD, 1, 0, 0, 0])
        .call("sock_send", &[3, WILD, 1, 0, 0])
        .call("sock_shutdown", &[3, 0])
        .call("proc_raise", &[9])
        .call("path_link", &[3, 0, 0, 1, 3, WILD, 1])
        .call("path_symlink", &[0, 1, 3, WILD, 1])
        .call("path_readlink", &[3, 0, 1, 0, 1, WILD]);
    assert_eq!(script.play().errnos, [NOTSUP; 8]);
}

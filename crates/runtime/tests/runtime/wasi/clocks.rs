//! The virtual clock and waiting for it.

use super::{
    errno::{BADF, INVAL, NOTCAPABLE, SUCCESS},
    script::Script,
};

const SECOND_NS: u64 = 1_000_000_000;

fn clock(userdata: u64, id: u32, timeout_ns: u64, absolute: bool) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[16..20].copy_from_slice(&id.to_le_bytes());
    bytes[24..32].copy_from_slice(&timeout_ns.to_le_bytes());
    bytes[40] = absolute.into();
    bytes
}

fn descriptor(userdata: u64, tag: u8, number: u32) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..8].copy_from_slice(&userdata.to_le_bytes());
    bytes[8] = tag;
    bytes[16..20].copy_from_slice(&number.to_le_bytes());
    bytes
}

#[test]
fn the_clock_starts_where_told_and_advances_with_gas() {
    let mut script = Script::new();
    for (id, at) in [(0, 0), (0, 8), (1, 16), (1, 24), (2, 32), (3, 40)] {
        script.call("clock_time_get", &[id, 1, at]);
    }
    script.call("clock_time_get", &[4, 0, 0]).call("clock_res_get", &[3, 48]).call("clock_res_get", &[4, 48]);
    let mut request = script.request();
    request.clock_unix_ns = 1_700_000_000 * SECOND_NS;
    let played = script.play_request(&request);
    assert_eq!(played.errnos, [0, 0, 0, 0, 0, 0, INVAL, SUCCESS, INVAL]);
    let gas = |at| played.u64(at) - request.clock_unix_ns;
    assert!(gas(0) >= request.metered.instantiation_gas && gas(8) - gas(0) >= 400);
    assert!(played.u64(24) > played.u64(16), "the monotonic clock never stands still");
    assert!(played.u64(16) < played.report.gas_used);
    assert_eq!(played.u64(48), 1);
}

#[test]
fn waiting_moves_the_clock_and_takes_no_time() {
    let mut script = Script::new();
    let subscriptions = [clock(7, 1, 3_600 * SECOND_NS, false), clock(8, 1, 7_200 * SECOND_NS, false)].concat();
    let at = script.bytes(&subscriptions).0;
    script.call("clock_time_get", &[1, 0, 0]);
    script.call("poll_oneoff", &[at, 100, 2, 16]);
    script.call("clock_time_get", &[1, 0, 8]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0, 0]);
    assert_eq!(played.u32(16), 1, "only the first deadline has passed");
    assert_eq!((played.u64(100), played.u64(108)), (7, 0));
    let slept = played.u64(8) - played.u64(0);
    assert!((3_600 * SECOND_NS..3_600 * SECOND_NS + 10_000).contains(&slept), "{slept}");
}

#[test]
fn waiting_for_a_moment_that_has_passed_does_not_move_the_clock() {
    let mut script = Script::new();
    let at = script.bytes(&clock(1, 0, 5, true)).0;
    let later = script.bytes(&clock(2, 0, 9 * SECOND_NS, true)).0;
    script.call("poll_oneoff", &[at, 100, 1, 16]).call("clock_time_get", &[0, 0, 0]);
    script.call("poll_oneoff", &[later, 100, 1, 20]).call("clock_time_get", &[0, 0, 8]);
    let played = script.play();
    assert_eq!((played.u32(16), played.u32(20)), (1, 1));
    assert!(played.u64(0) < 2 * SECOND_NS, "the test's clock starts at one second");
    assert!((9 * SECOND_NS..9 * SECOND_NS + 10_000).contains(&played.u64(8)));
}

#[test]
fn descriptors_are_always_ready_and_keep_clocks_from_waiting() {
    let mut script = Script::new();
    let subscriptions = [
        clock(1, 1, 60 * SECOND_NS, false),
        descriptor(2, 1, 0),
        descriptor(3, 2, 1),
        descriptor(4, 1, 99),
        clock(5, 77, 0, false),
        descriptor(6, 9, 0),
    ];
    let at = script.bytes(&subscriptions.concat()).0;
    script.call("poll_oneoff", &[at, 100, 6, 16]).call("clock_time_get", &[1, 0, 0]);
    let played = script.play();
    assert_eq!(played.u32(16), 5, "the clock is not due");
    assert!(played.u64(0) < SECOND_NS);
    let event = |index: usize| {
        let at = 100 + 32 * index;
        (played.u64(at), i32::from(played.memory[at + 8]), played.memory[at + 10], played.u64(at + 16))
    };
    assert_eq!(event(0), (2, SUCCESS, 1, 10), "stdin holds ten bytes");
    assert_eq!(event(1), (3, SUCCESS, 2, 0));
    assert_eq!(event(2), (4, BADF, 1, 0));
    assert_eq!(event(3), (5, INVAL, 0, 0));
    assert_eq!(event(4), (6, INVAL, 9, 0));
}

#[test]
fn polling_nothing_or_too_much_is_refused() {
    let mut script = Script::new();
    script.call("poll_oneoff", &[0, 0, 0, 0]).call("poll_oneoff", &[0, 0, 1_025, 0]);
    assert_eq!(script.play().errnos, [INVAL, INVAL]);
}

#[test]
fn polling_a_descriptor_needs_the_right() {
    let mut script = Script::new();
    let at = script.bytes(&descriptor(1, 1, 0)).0;
    script.call("fd_fdstat_set_rights", &[0, 2, 0]).call("poll_oneoff", &[at, 100, 1, 16]);
    let played = script.play();
    assert_eq!(played.errnos, [0, 0]);
    assert_eq!(i32::from(played.memory[108]), NOTCAPABLE);
}

//! Arguments, environment, randomness, exit.

use assay_protocol::InvalidReason;
use assay_runtime::End;

use super::script::Script;
use crate::guest::run_everywhere;

#[test]
fn arguments_are_the_program_and_what_follows() {
    let mut script = Script::new();
    script.call("args_sizes_get", &[0, 4]).call("args_get", &[100, 200]);
    let mut request = script.request();
    request.args = vec!["-x".into(), "größe".into()];
    let played = script.play_request(&request);
    assert_eq!(played.errnos, [0, 0]);
    assert_eq!((played.u32(0), played.u32(4)), (3, 9 + 3 + 8));
    assert_eq!((played.u32(100), played.u32(104), played.u32(108)), (200, 209, 212));
    assert_eq!(played.bytes(200, 20), "job.wasm\0-x\0größe\0".as_bytes());
}

#[test]
fn the_environment_is_sorted_by_name() {
    let mut script = Script::new();
    script.call("environ_sizes_get", &[0, 4]).call("environ_get", &[100, 200]);
    let mut request = script.request();
    request.env = [("Z".into(), "1".into()), ("A".into(), "two=2".into())].into();
    let played = script.play_request(&request);
    assert_eq!((played.u32(0), played.u32(4)), (2, 8 + 4));
    assert_eq!(played.bytes(200, 12), b"A=two=2\0Z=1\0");
}

#[test]
fn strings_that_the_guest_could_not_read_are_invalid() {
    for (name, value) in [("A=B", "x"), ("", "x"), ("A", "x\0y")] {
        let mut request = Script::new().request();
        request.env = [(name.into(), value.into())].into();
        assert_eq!(run_everywhere(&request).end, End::Invalid(InvalidReason::ManifestInvalid), "{name}");
    }
    let mut request = Script::new().request();
    request.args = vec!["x".repeat((1 << 20) + 1)];
    assert_eq!(run_everywhere(&request).end, End::Invalid(InvalidReason::ManifestInvalid));
}

#[test]
fn randomness_follows_from_the_seed_and_goes_on() {
    let bytes = |seed| {
        let mut script = Script::new();
        script.call("random_get", &[0, 40]).call("random_get", &[40, 24]).call("random_get", &[65_536, 0]);
        let mut request = script.request();
        request.seed = seed;
        let played = script.play_request(&request);
        assert_eq!(played.errnos, [0, 0, 0]);
        played.bytes(0, 64).to_vec()
    };
    let zero = bytes(0);
    assert_ne!(zero, bytes(1));
    // SHA-256 of the domain, the seed and the number of the block.
    use sha2::Digest;
    let block = |counter: u64| {
        sha2::Sha256::digest([b"assay:random:v1\0".as_slice(), &[0; 8], &counter.to_le_bytes()].concat())
    };
    assert_eq!(zero, [block(0), block(1)].concat());
}

#[test]
fn randomness_is_paid_for_before_it_is_made() {
    let mut script = Script::new();
    script.call("random_get", &[0, 60_000]);
    let mut request = script.request();
    request.limits.gas_limit = request.metered.instantiation_gas + 200_000;
    assert_eq!(run_everywhere(&request).end, End::OutOfGas);
}

#[test]
fn exit_codes_are_the_guests_own() {
    for code in [0, 1, 255, 0xffff_ffff] {
        let mut script = Script::new();
        script.call("proc_exit", &[code]);
        assert_eq!(script.end(), End::Exited(u32::try_from(code).unwrap()));
    }
}

#[test]
fn yielding_succeeds() {
    let mut script = Script::new();
    script.call("sched_yield", &[]);
    assert_eq!(script.play().errnos, [0]);
}

//! Encodings: one value, one form, and no two values under one hash.

use assay_protocol::{
    commitment,
    ids::{CommitmentInput, Domain, JobUidInput},
    job_uid, limits,
    outcome::OUTCOME_BYTES,
    InvalidReason, Outcome, OutcomeKind, TaskLimits, TaskSpec, Trap,
};
use proptest::{array::uniform32, prelude::*, sample::select};

use crate::golden;

fn digest() -> impl Strategy<Value = [u8; 32]> {
    uniform32(any::<u8>()).prop_filter("a package has a CID", |digest| *digest != [0; 32])
}

/// A canonical outcome and its job's gas limit.
pub(super) fn canonical() -> impl Strategy<Value = (Outcome, u64)> {
    let ran = (1..=limits::GAS_LIMIT_MAX, any::<prop::sample::Index>(), digest(), any::<u32>(), 0..4u16, 0..4u8);
    let ran = ran.prop_flat_map(|(limit, used, cid, exit_code, flags, kind)| {
        select(Trap::ALL.to_vec()).prop_map(move |trap| {
            let used = u64::try_from(used.index(1 << 20)).unwrap_or(0) % (limit + 1);
            let base = Outcome {
                kind: OutcomeKind::Exited,
                detail: flags,
                exit_code: 0,
                gas_used: used,
                result_cid_digest: cid,
                state_root: [0; 32],
            };
            let outcome = match kind {
                0 => Outcome { exit_code, ..base },
                1 => Outcome { kind: OutcomeKind::Trapped, detail: trap.code(), ..base },
                2 => Outcome { kind: OutcomeKind::OutOfGas, gas_used: limit, ..base },
                _ => Outcome { kind: OutcomeKind::OutputTooLarge, exit_code, ..base },
            };
            (outcome, limit)
        })
    });
    let invalid = (select(InvalidReason::ALL.to_vec()), 1..=limits::GAS_LIMIT_MAX)
        .prop_map(|(reason, limit)| (Outcome::invalid(reason), limit));
    prop_oneof![4 => ran, 1 => invalid]
}

pub(super) fn task() -> impl Strategy<Value = TaskSpec> {
    let numbers = prop::array::uniform7(any::<u64>());
    let hashes = (uniform32(any::<u8>()), uniform32(any::<u8>()));
    (any::<u32>(), hashes, numbers).prop_map(|(profile, (job_cid_digest, metered_hash), numbers)| {
        let [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes, seed, clock_unix_ns] = numbers;
        let limits = TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes };
        TaskSpec { profile, job_cid_digest, metered_hash, limits, seed, clock_unix_ns }
    })
}

/// All 32-byte fields of the two preimages with two or more of them.
fn fields() -> impl Strategy<Value = [[u8; 32]; 5]> {
    prop::array::uniform5(uniform32(0..3u8))
}

fn committed(fields: &[[u8; 32]; 5]) -> [u8; 32] {
    let [job_uid, provider, outcome_hash, trace_root, salt] = fields;
    commitment(&CommitmentInput { job_uid, provider, outcome_hash, trace_root, salt })
}

proptest! {
    #[test]
    fn a_canonical_outcome_survives_its_encoding((outcome, gas_limit) in canonical()) {
        prop_assert_eq!(outcome.check(gas_limit), Ok(()));
        prop_assert_eq!(Outcome::decode(&outcome.encode(), gas_limit), Ok(outcome));
    }

    #[test]
    fn bytes_that_decode_are_the_encoding_of_what_they_decode_to(
        (outcome, gas_limit) in canonical(),
        at in 0..OUTCOME_BYTES,
        byte: u8,
        blank in 0..OUTCOME_BYTES,
    ) {
        // One byte overwritten, one zeroed: what is still accepted is another canonical outcome, never a second
        // form of the first.
        let mut bytes = outcome.encode();
        bytes[at] = byte;
        bytes[blank] = 0;
        if let Ok(decoded) = Outcome::decode(&bytes, gas_limit) {
            prop_assert_eq!(decoded.encode(), bytes);
            prop_assert_eq!(decoded == outcome, bytes == outcome.encode());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_decode_only_in_canonical_form(
        bytes in prop::collection::vec(any::<u8>(), 0..2 * OUTCOME_BYTES),
        gas_limit: u64,
    ) {
        if let Ok(decoded) = Outcome::decode(&bytes, gas_limit) {
            prop_assert_eq!(decoded.encode().to_vec(), bytes);
        }
    }

    #[test]
    fn an_outcome_of_another_length_is_refused((outcome, gas_limit) in canonical(), extra in 0..4usize, cut in 1..OUTCOME_BYTES) {
        let mut bytes = outcome.encode().to_vec();
        bytes.truncate(OUTCOME_BYTES - cut);
        prop_assert!(Outcome::decode(&bytes, gas_limit).is_err());
        let mut bytes = outcome.encode().to_vec();
        bytes.resize(OUTCOME_BYTES + 1 + extra, 0);
        prop_assert!(Outcome::decode(&bytes, gas_limit).is_err());
    }

    #[test]
    fn equal_outcome_hashes_mean_equal_outcomes((left, _) in canonical(), (right, _) in canonical()) {
        prop_assert_eq!(left.hash() == right.hash(), left == right);
    }

    #[test]
    fn a_15_different_tasks_have_different_encodings_and_digests(left in task(), right in task()) {
        prop_assert_eq!(left.encode() == right.encode(), left == right);
        prop_assert_eq!(left.digest() == right.digest(), left == right);
    }

    #[test]
    fn a_15_a_change_of_any_byte_of_a_task_changes_its_digest(task in task(), field in 0..10usize, flip in 1..=u64::MAX) {
        let mut other = task;
        match field {
            0 => other.profile ^= u32::try_from(flip & 0xffff_ffff).expect("masked").max(1),
            1 => other.job_cid_digest[usize::try_from(flip % 32).expect("small")] ^= 1,
            2 => other.limits.gas_limit ^= flip,
            3 => other.limits.memory_bytes ^= flip,
            4 => other.limits.stack_bytes ^= flip,
            5 => other.limits.output_bytes ^= flip,
            6 => other.limits.stdio_bytes ^= flip,
            7 => other.seed ^= flip,
            8 => other.metered_hash[usize::try_from(flip % 32).expect("small")] ^= 1,
            _ => other.clock_unix_ns ^= flip,
        }
        prop_assert_ne!(task.digest(), other.digest());
    }

    #[test]
    fn a_15_commitments_of_different_fields_differ(left in fields(), right in fields()) {
        prop_assert_eq!(committed(&left) == committed(&right), left == right);
    }

    #[test]
    fn p_01_swapping_any_two_fields_of_a_commitment_changes_it(fields in fields(), i in 0..5usize, j in 0..5usize) {
        let mut swapped = fields;
        swapped.swap(i, j);
        prop_assert_eq!(committed(&fields) == committed(&swapped), fields == swapped);
    }

    #[test]
    fn p_24_the_slot_and_every_key_are_in_the_uid(keys in prop::array::uniform4(uniform32(0..3u8)), slot: u64, later in 1..u64::MAX) {
        let [program, cluster, job, task_digest] = &keys;
        let input = JobUidInput { program, cluster, job, created_slot: slot, task_digest };
        let uid = job_uid(&input);
        prop_assert_ne!(uid, job_uid(&JobUidInput { created_slot: slot.wrapping_add(later), ..input }));
        // P-12: another program or cluster is another uid.
        prop_assert_ne!(uid, job_uid(&JobUidInput { program: &[9; 32], ..input }));
        prop_assert_ne!(uid, job_uid(&JobUidInput { cluster: &[9; 32], ..input }));
        prop_assert_ne!(uid, job_uid(&JobUidInput { job: &[9; 32], ..input }));
        prop_assert_ne!(uid, job_uid(&JobUidInput { task_digest: &[9; 32], ..input }));
    }
}

#[test]
fn a_15_no_two_domains_share_a_tag() {
    let domains = [
        Domain::Task,
        Domain::JobUid,
        Domain::Outcome,
        Domain::Commitment,
        Domain::Cluster,
        Domain::Receipt,
        Domain::Args,
        Domain::Env,
    ];
    for (i, left) in domains.iter().enumerate() {
        for right in &domains[i + 1..] {
            assert_ne!(left.tag(), right.tag(), "{left:?} and {right:?}");
        }
    }
}

#[test]
fn every_single_byte_change_of_every_golden_outcome_is_refused_or_canonical() {
    for (outcome, gas_limit) in golden::outcomes() {
        let bytes = outcome.encode();
        for at in 0..OUTCOME_BYTES {
            for byte in 0..=u8::MAX {
                let mut changed = bytes;
                changed[at] = byte;
                if let Ok(decoded) = Outcome::decode(&changed, gas_limit) {
                    assert_eq!(decoded.encode(), changed, "byte {at} = {byte} of {outcome:?}");
                }
            }
        }
    }
}

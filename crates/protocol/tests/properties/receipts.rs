//! Receipts: one encoding each, and nothing in them that the signed bytes do not show.

use assay_protocol::{
    limits,
    receipt::{args_hash, env_hash, RECEIPT_BYTES},
    InvalidReason, OutcomeKind, Posting, Receipt, ReceiptRun, TaskLimits, TaskSpec,
};
use proptest::{array::uniform32, option, prelude::*};

use super::encodings::canonical;

/// Few values each, so that two receipts often agree in a field.
fn hash() -> impl Strategy<Value = [u8; 32]> {
    uniform32(1..3u8)
}

fn posting() -> impl Strategy<Value = Posting> {
    (hash(), hash(), hash(), 0..3u64).prop_map(|(program, cluster, job, created_slot)| Posting {
        program,
        cluster,
        job,
        created_slot,
    })
}

fn run() -> impl Strategy<Value = ReceiptRun> {
    (prop::array::uniform6(hash()), 0..3u64, 0..=1_024u64).prop_map(|(hashes, stack_peak_bytes, pages)| {
        let [module_hash, metered_hash, args_hash, env_hash, stdout_hash, stderr_hash] = hashes;
        ReceiptRun {
            module_hash,
            metered_hash,
            args_hash,
            env_hash,
            stack_peak_bytes,
            memory_peak_bytes: pages * limits::WASM_PAGE_BYTES,
            stdout_hash,
            stderr_hash,
        }
    })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let parts = (canonical(), option::of(posting()), run(), option::of(hash()), any::<bool>(), 0..3u64);
    parts.prop_map(|((outcome, gas_limit), posting, run, provider_key, is_promised, seed)| {
        // Every job promises its module, and only a promise can be broken.
        let is_broken = outcome.invalid_reason() == Some(InvalidReason::MeteredHashMismatch);
        let is_promised = is_promised || is_broken || posting.is_some();
        let metered_hash = if is_promised { run.metered_hash } else { [0; 32] };
        let limits = TaskLimits { gas_limit, ..TaskLimits::default() };
        let task = TaskSpec { profile: 1, job_cid_digest: [5; 32], metered_hash, limits, seed, clock_unix_ns: seed };
        let run = (outcome.kind != OutcomeKind::Invalid).then_some(run);
        Receipt { posting, task, outcome, run, provider_key }
    })
}

/// Changes one thing; `None` when the receipt has no such thing.
fn changed(receipt: &Receipt, field: usize, at: usize) -> Option<Receipt> {
    let mut other = *receipt;
    match (field, other.posting.as_mut(), other.run.as_mut()) {
        (0, Some(posting), _) => posting.program[at] ^= 4,
        (1, Some(posting), _) => posting.cluster[at] ^= 4,
        (2, Some(posting), _) => posting.job[at] ^= 4,
        (3, Some(posting), _) => posting.created_slot ^= 1 << at,
        (4, Some(_), _) => other.posting = None,
        (5, _, _) => other.task.seed ^= 1 << at,
        (6, _, _) => other.task.job_cid_digest[at] ^= 4,
        (7, _, _) => other.outcome.exit_code ^= 1 << at,
        (8, _, _) => other.outcome.gas_used ^= 1 << at,
        (9, _, _) => other.outcome.result_cid_digest[at] ^= 4,
        (10, _, Some(run)) => run.module_hash[at] ^= 4,
        (11, _, Some(run)) => run.metered_hash[at] ^= 4,
        (12, _, Some(run)) => run.args_hash[at] ^= 4,
        (13, _, Some(run)) => run.env_hash[at] ^= 4,
        (14, _, Some(run)) => run.stack_peak_bytes ^= 1 << at,
        (15, _, Some(run)) => run.memory_peak_bytes ^= 1 << at,
        (16, _, Some(run)) => run.stdout_hash[at] ^= 4,
        (17, _, Some(run)) => run.stderr_hash[at] ^= 4,
        (18, _, _) => other.provider_key.as_mut()?[at] ^= 4,
        _ => return None,
    }
    Some(other)
}

proptest! {
    #[test]
    fn p_27_receipts_have_one_encoding_each(left in receipt(), right in receipt()) {
        prop_assert_eq!((left.check(), right.check()), (Ok(()), Ok(())));
        prop_assert_eq!(left.encode() == right.encode(), left == right);
        prop_assert_eq!(left.hash() == right.hash(), left == right);
    }

    #[test]
    fn p_27_every_field_is_in_what_is_signed(receipt in receipt(), field in 0..19usize, at in 0..32usize) {
        if let Some(other) = changed(&receipt, field, at) {
            prop_assert_ne!(receipt.message(), other.message());
        }
    }

    #[test]
    fn p_24_a_receipt_of_one_task_never_has_the_uid_of_another(receipt in receipt(), flip in 1..=u64::MAX) {
        let mut other = receipt;
        other.task.seed ^= flip;
        prop_assert_eq!(receipt.job_uid() == other.job_uid(), receipt.posting.is_none());
    }

    #[test]
    fn a_15_lists_of_strings_with_the_same_letters_have_different_hashes(
        left in prop::collection::vec("[ab]{0,2}", 0..5),
        right in prop::collection::vec("[ab]{0,2}", 0..5),
    ) {
        let texts = |list: &[String]| args_hash(list.iter().map(String::as_str));
        prop_assert_eq!(texts(&left) == texts(&right), left == right);
        let pairs = |list: &[String]| {
            env_hash(list.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())))
        };
        prop_assert_ne!(pairs(&left), texts(&left));
    }
}

#[test]
fn the_encoding_has_the_length_that_the_protocol_states() {
    assert_eq!(RECEIPT_BYTES, 547);
}

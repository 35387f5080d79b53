use assay_protocol::{
    InvalidReason, METERED_HASH_UNSTATED, Outcome, PROFILE_V1, TaskLimits,
    limits::{CLOCK_UNIX_NS_DEFAULT, SEED_DEFAULT},
};
use assay_runtime::Variant;

use super::*;

#[test]
fn i_08_what_engines_differ_in_is_named_field_by_field() {
    let task = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: [1; 32],
        metered_hash: METERED_HASH_UNSTATED,
        limits: TaskLimits::default(),
        seed: SEED_DEFAULT,
        clock_unix_ns: CLOCK_UNIX_NS_DEFAULT,
    };
    let ran = |reason, kind| {
        let receipt = Receipt::unsigned((None, task), (Outcome::invalid(reason), None), None).expect("a receipt");
        (receipt, Some(EngineRow { kind, variant: Variant::Canonical }))
    };
    let one = ran(InvalidReason::ModuleInvalid, EngineKind::Wasmi);
    require_agreement(std::slice::from_ref(&one)).expect("one run");
    require_agreement(&[one.clone(), one.clone()]).expect("equal");
    let error =
        require_agreement(&[one, ran(InvalidReason::ManifestInvalid, EngineKind::Wasmtime)]).expect_err("they differ");
    let text = format!("{error:?}");
    assert!(text.contains("Differs") && text.contains("wasmi") && text.contains("wasmtime"), "{text}");
    assert!(text.contains("outcome.detail") && !text.contains("outcome.gas_used"), "{text}");
}

#[test]
fn i_08_engines_that_differ_are_told_before_any_claim_is_judged() {
    let part = |with, equal| {
        let (field, claimed, found) = ("outcome.gas_used", "1".to_owned(), if equal { "1" } else { "2" }.to_owned());
        Part { with, engine: None, fields: vec![Comparison { field, claimed, found, equal }] }
    };
    let parts = vec![part(Source::Run, true), part(Source::Run, false), part(Source::OtherEngine, false)];
    let mut verdict = Verdict::new(None, parts);
    assert_eq!((verdict.verified, verdict.differing()), (false, vec!["outcome.gas_used"]));
    let error = format!("{:?}", require_equal(&verdict).expect_err("they differ"));
    assert!(error.contains("what is claimed is not so: outcome.gas_used"), "{error}");
    verdict.engines_agree = Some(false);
    let error = format!("{:?}", require_equal(&verdict).expect_err("they differ"));
    assert!(error.contains("the engines do not agree") && error.contains("Differs"), "{error}");
}

#[test]
fn two_long_values_are_shown_where_they_begin_to_differ() {
    let long = |end: &str| format!("{}{end}", "a".repeat(500));
    let (left, right) = shown_pair(&long("left"), &long("right\u{1b}[2J"));
    assert_eq!(left, format!("…{}left (504 bytes)", "a".repeat(SHOWN_COMMON_CHARS)));
    assert!(right.contains("aright\\u{1b}[2J (") && !right.contains('\u{1b}'), "{right}");
    // One that is the beginning of the other.
    let (left, right) = shown_pair(&long(""), &long("x"));
    assert!(left != right && left.ends_with("a (500 bytes)") && right.ends_with("ax (501 bytes)"), "{left} {right}");
    assert_eq!(shown_pair("same1", "same2"), ("same1".to_owned(), "same2".to_owned()));
    assert!(shown_value(&long("")).ends_with("a… (500 bytes)"));
}

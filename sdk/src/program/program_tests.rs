//! Tests of the conversions.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn zeroed<T: AnchorDeserialize>() -> T {
    T::deserialize(&mut [0; ACCOUNT_BYTES_MAX].as_slice()).unwrap()
}

#[test]
fn limits_and_terms_survive_both_conversions() {
    let limits = TaskLimits::default();
    assert_eq!(TaskLimits::from(types::TaskLimits::from(limits)), limits);
    let mut terms: MarketTerms = zeroed::<types::MarketTerms>().into();
    (terms.fee_bps, terms.attempts_max, terms.gas_limit_max, terms.profiles) = (250, 3, 7, 1);
    assert_eq!(MarketTerms::from(types::MarketTerms::from(terms)), terms);
}

#[test]
fn announced_terms_are_in_force_from_their_moment() {
    let mut market: accounts::Market = zeroed();
    (market.terms.fee_bps, market.pending_terms.fee_bps) = (100, 200);
    assert_eq!(market.current_terms(1_000).fee_bps, 100);
    market.pending_from_unix = 1_000;
    assert_eq!(market.current_terms(999).fee_bps, 100);
    assert_eq!(market.current_terms(1_000).fee_bps, 200);
}

#[test]
fn an_outcome_stands_only_when_it_was_written() {
    let mut job: accounts::Job = zeroed();
    job.limits.gas_limit = 100;
    assert_eq!(job.standing_outcome(), Ok(None));
    assert_eq!((job.result_cid(), job.seat_holder()), (None, None));
    let outcome = Outcome {
        kind: assay_protocol::OutcomeKind::Exited,
        detail: 0,
        exit_code: 3,
        gas_used: 99,
        result_cid_digest: [7; 32],
        state_root: [0; 32],
    };
    job.outcome = outcome.encode();
    assert_eq!(job.standing_outcome(), Ok(None), "it merely leads");
    job.status = assay_protocol::JobStatus::Submitted.code();
    assert_eq!(job.standing_outcome(), Ok(Some(outcome)));
    assert_eq!(assay_content::digest_from_cid(&job.result_cid().unwrap()), Ok([7; 32]));
    job.limits.gas_limit = 98;
    assert_eq!(job.standing_outcome(), Err(OutcomeError::Gas));
}

#[test]
fn account_sizes_are_those_of_the_fields() {
    // Discriminator, three bytes, one counter, the reserve.
    assert_eq!(account_bytes::<accounts::Sink>(), 8 + 3 + 8 + 32);
    assert_eq!(account_bytes::<accounts::Job>(), 1_365);
}

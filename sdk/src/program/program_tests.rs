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
fn a_juror_keeps_a_bond_for_each_ticket_that_its_stake_bears_while_its_duty_lock_lasts() {
    let mut terms: MarketTerms = zeroed::<types::MarketTerms>().into();
    for ([ticket_lamports, juror_bond_lamports], tickets, stake_lamports, reserve_lamports) in [
        ([1_000, 30], 7, 7_000, 210),
        // A loss took three of them.
        ([1_000, 30], 7, 4_999, 120),
        // Stake that is not enrolled.
        ([1_000, 30], 3, 50_000, 90),
        ([1_000, 30], 5, 999, 0),
        ([1_000, 0], 7, 7_000, 0),
        ([100_000_000, 5_000_000], 100, 10_000_000_000, 500_000_000),
        ([250_000_000, 12_345_678], 37, 9_000_000_000, 444_444_408),
        ([10, u64::MAX], 2, 20, u64::MAX),
    ] {
        (terms.ticket_lamports, terms.juror_bond_lamports) = (ticket_lamports, juror_bond_lamports);
        let mut provider: accounts::Provider = zeroed();
        (provider.tickets, provider.stake_lamports) = (tickets, stake_lamports);
        assert_eq!(provider.jury_reserve_lamports(&terms), 0, "it has no duty lock");
        provider.duty_lock_lamports = 1;
        assert_eq!(provider.jury_reserve_lamports(&terms), reserve_lamports);
        // Whatever seats bind, and off duty too.
        (provider.locked_lamports, provider.duty_until_unix) = (stake_lamports, 1);
        assert_eq!(provider.jury_reserve_lamports(&terms), reserve_lamports);
    }
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

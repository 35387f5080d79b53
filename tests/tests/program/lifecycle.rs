//! The whole life of a job, to the lamport.

use assay_protocol::{InvalidReason, JobStatus, Outcome, OutcomeKind, Trap, fees::share_bps};
use assay_tests::{
    assay::accounts::{Execution, Job, Market},
    invariants,
    party::{PRICE, STAKE, exited, terms},
    scenario::{GAS_USED, Scenario},
};

#[test]
fn a_job_settles_and_everybody_gets_what_is_theirs_to_the_lamport() {
    let mut s = Scenario::ready();
    let party = s.party;
    let people = [party.poster, party.node_key, party.authority, party.market_authority];
    let before = people.map(|key| s.lamports(&key));
    let total = invariants::lamports_total(&s.world);

    s.world.ok(&party.create_job());
    s.world.ok(&party.accept_job(&s.world));
    s.world.advance(5);
    s.world.ok(&party.submit_results(&exited(GAS_USED)));
    s.world.advance_to(s.job().window_deadline_unix);
    for call in [
        party.finalize_job(),
        party.settle_execution(),
        party.close_job(),
        party.claim_reward(),
        party.claim_market_fees(),
    ] {
        s.world.ok(&call);
        invariants::check(&s.world);
    }

    let pay = PRICE.pay(GAS_USED).expect("in bounds");
    let fee = share_bps(pay, u32::from(terms().fee_bps)).expect("in bounds");
    let after = people.map(|key| s.lamports(&key));
    // Rent went back to who paid it, the rest of the escrow to the poster (B3).
    assert_eq!(after[0], before[0] - pay - fee, "the poster pays for what was proven and the fee");
    assert_eq!(after[1], before[1], "the node key gets its rent back");
    assert_eq!(after[2], before[2] + pay, "the provider's authority gets the pay");
    assert_eq!(after[3], before[3] + fee, "the market's authority gets the fee");
    assert_eq!(invariants::lamports_total(&s.world), total);
    assert!(s.world.account(&party.job).is_none() && s.world.account(&party.execution).is_none());
    let provider = s.provider();
    assert_eq!((provider.stake_lamports, provider.locked_lamports, provider.active), (STAKE, 0, 0));
    assert_eq!(provider.trust.completed, 1);
}

#[test]
fn finalize_settle_and_close_fit_one_transaction() {
    let mut s = Scenario::submitted();
    s.world.advance_to(s.job().window_deadline_unix);
    let calls = [s.party.finalize_job(), s.party.settle_execution(), s.party.close_job()];
    let receipt = s.world.send_all(&calls.map(|call| call.instruction)).expect("all three go through");
    assert!(receipt.compute_units <= 40_000, "{} compute units", receipt.compute_units);
    assert!(s.world.account(&s.party.job).is_none());
}

#[test]
fn each_stage_records_what_the_next_one_needs() {
    let mut s = Scenario::open();
    let job = s.job();
    assert_eq!(s.status(), JobStatus::Open);
    assert_eq!(job.queue_deadline_unix, job.created_unix + 600);
    assert_eq!(job.total_deadline_unix, job.created_unix + 3_600);
    assert_eq!((job.execution_s, job.challenge_s), (160, 160));
    assert_eq!(job.bond_lamports, 10_000_000);

    s.world.ok(&s.party.accept_job(&s.world));
    let (job, held): (Job, Execution) = (s.job(), s.world.read(&s.party.execution));
    assert_eq!(s.status(), JobStatus::Assigned);
    assert_eq!(job.executors[0], s.party.provider);
    assert_eq!((job.seats_filled, job.executions_open), (1, 1));
    assert_eq!(job.execution_deadline_unix, s.world.now() + 160);
    assert_eq!((held.job, held.provider, held.node_key), (s.party.job, s.party.provider, s.party.node_key));
    assert_eq!((held.lock_lamports, held.rent_payer), (10_000_000, s.party.node_key));
    assert_eq!(s.provider().locked_lamports, 10_000_000);

    s.world.advance(7);
    let outcome = exited(GAS_USED);
    s.world.ok(&s.party.submit_results(&outcome));
    let (job, held): (Job, Execution) = (s.job(), s.world.read(&s.party.execution));
    assert_eq!(s.status(), JobStatus::Submitted);
    assert_eq!((job.outcome, held.outcome), (outcome.encode(), outcome.encode()));
    assert_eq!(job.window_deadline_unix, s.world.now() + 160);

    s.world.advance_to(job.window_deadline_unix);
    s.world.ok(&s.party.finalize_job());
    let job = s.job();
    assert_eq!(s.status(), JobStatus::Resolved);
    assert_eq!(job.pay_lamports, 405_000);
    assert_eq!(job.fee_lamports, 10_125);

    s.world.ok(&s.party.settle_execution());
    let (job, market): (Job, Market) = (s.job(), s.world.read(&s.party.market));
    assert_eq!(job.executions_open, 0);
    assert_eq!(job.escrow_lamports, 1_030_125 - 405_000 - 10_125);
    assert_eq!((s.provider().earnings_lamports, market.fees_lamports), (405_000, 10_125));
}

#[test]
fn every_kind_of_outcome_is_paid_and_an_invalid_task_only_the_base_fee() {
    let package = exited(0);
    let trapped = Outcome { kind: OutcomeKind::Trapped, detail: Trap::Unreachable.code(), gas_used: 10, ..package };
    let out_of_gas = Outcome { kind: OutcomeKind::OutOfGas, gas_used: 1_000_000_000, ..package };
    let too_large = Outcome { kind: OutcomeKind::OutputTooLarge, exit_code: 3, gas_used: 1_000_000, ..package };
    let invalid = Outcome::invalid(InvalidReason::ModuleInvalid);
    let all = [(package, 5_000), (trapped, 5_000), (out_of_gas, 1_005_000), (too_large, 6_000), (invalid, 5_000)];
    for (outcome, pay) in all {
        let mut s = Scenario::assigned();
        s.world.ok(&s.party.submit_results(&outcome));
        s.world.advance_to(s.job().window_deadline_unix);
        s.world.ok(&s.party.finalize_job());
        assert_eq!(s.job().pay_lamports, pay, "{outcome:?}");
        s.world.ok(&s.party.settle_execution());
        s.world.ok(&s.party.close_job());
        invariants::check(&s.world);
    }
}

#[test]
fn a_donation_to_the_escrow_and_any_overpayment_come_back_to_the_poster() {
    let mut s = Scenario::resolved();
    let before = s.lamports(&s.party.poster);
    let job = s.job();
    s.world.donate(&s.party.job, 77);
    s.world.ok(&s.party.settle_execution());
    s.world.ok(&s.party.close_job());
    let refund = job.escrow_lamports - job.pay_lamports - job.fee_lamports;
    assert_eq!(s.lamports(&s.party.poster), before + refund + job.rent_lamports + 77);
}

#[test]
fn latency_counts_only_runs_long_enough_to_measure() {
    let s = Scenario::settled();
    assert_eq!(s.provider().trust.latency_ms_avg, 0, "400 million gas is below the measured minimum");
    let mut s = Scenario::assigned();
    s.world.advance(5);
    s.world.ok(&s.party.submit_results(&exited(1_000_000_000)));
    s.world.advance_to(s.job().window_deadline_unix);
    s.world.ok(&s.party.finalize_job());
    s.world.ok(&s.party.settle_execution());
    assert_eq!(s.provider().trust.latency_ms_avg, 5_000);
}

#[test]
fn a_provider_leaves_with_everything_it_brought_and_earned() {
    let mut s = Scenario::settled();
    let party = s.party;
    let provider = s.provider();
    let before = s.lamports(&party.authority);
    s.world.donate(&party.provider, 5);
    s.world.ok(&party.claim_reward());
    s.world.ok(&party.unstake(STAKE));
    s.world.advance_to(s.provider().unbonding_until_unix);
    s.world.ok(&party.withdraw_stake());
    s.world.ok(&party.close_provider());
    let owed = STAKE + provider.earnings_lamports + provider.rent_lamports + 5;
    assert_eq!(s.lamports(&party.authority), before + owed);
    assert!(s.world.account(&party.provider).is_none());
}

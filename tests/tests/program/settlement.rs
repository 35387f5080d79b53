//! Finalizing, settling, claiming: once, in order, to fixed recipients.

use assay_protocol::JobStatus;
use assay_tests::{
    assay::accounts::{Job, Market},
    invariants,
    party::exited,
    scenario::Scenario,
    world::SOL,
};

#[test]
fn a_31_a_result_is_final_from_the_very_second_its_window_closes() {
    let mut s = Scenario::submitted();
    let deadline = s.job().window_deadline_unix;
    s.world.refuse(&s.party.finalize_job(), "DeadlineNotReached");
    s.world.advance_to(deadline - 1);
    s.world.refuse(&s.party.finalize_job(), "DeadlineNotReached");
    s.world.advance_to(deadline);
    s.world.ok(&s.party.finalize_job());
    assert_eq!(s.status(), JobStatus::Resolved);
}

#[test]
fn only_a_submitted_job_is_finalized_and_only_once() {
    for stage in [
        Scenario::open(),
        Scenario::assigned(),
        Scenario::requeued(),
        Scenario::resolved(),
        Scenario::cancelled(),
        Scenario::expired(),
    ] {
        let mut s = stage;
        s.world.advance(10_000_000);
        s.world.refuse(&s.party.finalize_job(), "JobNotSubmitted");
    }
}

#[test]
fn i_02_a_seat_is_settled_once() {
    let mut s = Scenario::resolved();
    s.world.ok(&s.party.settle_execution());
    s.world.refuse(&s.party.settle_execution(), "execution.AccountNotInitialized");
    assert_eq!(s.job().executions_open, 0);
}

#[test]
fn i_02_settling_twice_in_one_transaction_fails_whole() {
    let mut s = Scenario::resolved();
    let before = s.world.snapshot();
    let call = s.party.settle_execution().instruction;
    let refusal = s.world.send_all(&[call.clone(), call]).expect_err("settled twice");
    assert_eq!(refusal.to_string(), "execution.AccountNotInitialized");
    s.world.assert_unchanged(&before);
}

#[test]
fn a_seat_is_not_settled_before_the_job_is_over() {
    for stage in [Scenario::assigned(), Scenario::submitted(), Scenario::requeued()] {
        let mut s = stage;
        s.world.refuse(&s.party.settle_execution(), "JobNotTerminal");
    }
}

#[test]
fn settling_goes_to_the_job_the_provider_the_market_and_the_payer_of_the_seat() {
    let mut s = Scenario::resolved();
    let rival = s.rival();
    let thief = s.world.wallet(SOL);
    let other = s.party.with_job(2);
    s.world.ok(&other.create_job());
    s.world.ok(&other.cancel_job());
    let call = s.party.settle_execution();
    s.world.refuse(&call.clone().with("provider", rival.provider), "execution.ProviderMismatch");
    s.world.refuse(&call.clone().with("rent_payer", thief), "execution.RentPayerMismatch");
    s.world.refuse(&call.clone().with("job", other.job), "execution.JobMismatch");
    let foreign = assay_tests::party::Party::new(&mut s.world);
    s.world.ok(&foreign.create_market(&assay_tests::party::terms()));
    s.world.refuse(&call.with("market", foreign.market), "MarketMismatch");
}

#[test]
fn a_missed_seat_of_a_resolved_job_settles_without_pay() {
    let mut s = Scenario::requeued();
    let rival = s.rival();
    s.world.ok(&rival.accept_job(&s.world));
    s.world.ok(&rival.submit_results(&exited(1)));
    s.world.advance_to(s.job().window_deadline_unix);
    s.world.ok(&rival.finalize_job());
    let (escrow, node) = (s.job().escrow_lamports, s.lamports(&s.party.node_key));
    let rent = s.lamports(&s.party.execution);
    s.world.refuse(&s.party.close_job(), "ExecutionsOpen");
    s.world.ok(&s.party.settle_execution());
    assert_eq!(s.job().escrow_lamports, escrow);
    assert_eq!(s.provider().earnings_lamports, 0);
    assert_eq!(s.lamports(&s.party.node_key), node + rent);
    s.world.refuse(&s.party.close_job(), "ExecutionsOpen");
    s.world.ok(&rival.settle_execution());
    s.world.ok(&s.party.close_job());
    invariants::check(&s.world);
}

#[test]
fn p_09_a_reward_is_claimed_once_to_the_authority_by_anybody() {
    let mut s = Scenario::settled();
    let earned = s.provider().earnings_lamports;
    let thief = s.world.wallet(SOL);
    s.world.refuse(&s.party.claim_reward().with("authority", thief), "provider.AuthorityMismatch");
    let before = s.lamports(&s.party.authority);
    // Nobody signs but the fee payer, who takes no part.
    s.world.ok(&s.party.claim_reward());
    assert_eq!(s.lamports(&s.party.authority), before + earned);
    s.world.refuse(&s.party.claim_reward(), "NothingToClaim");
}

#[test]
fn p_09_claiming_twice_in_one_transaction_fails_whole() {
    let mut s = Scenario::settled();
    let before = s.world.snapshot();
    let call = s.party.claim_reward().instruction;
    let refusal = s.world.send_all(&[call.clone(), call]).expect_err("claimed twice");
    assert_eq!(refusal.to_string(), "NothingToClaim");
    s.world.assert_unchanged(&before);
}

#[test]
fn p_09_every_order_of_the_last_calls_pays_the_same() {
    let orders = [[0, 1, 2, 3], [0, 1, 3, 2], [0, 2, 1, 3], [1, 0, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0], [0, 3, 1, 2]];
    let mut ends = Vec::new();
    for order in orders {
        let mut s = Scenario::submitted();
        s.world.advance_to(s.job().window_deadline_unix);
        let party = s.party;
        let calls = [party.finalize_job(), party.settle_execution(), party.claim_reward(), party.close_job()];
        // Each pass in the given order; what is too early is refused and comes again.
        for _ in 0..calls.len() {
            for index in order {
                drop(s.world.send(&calls[index]));
                invariants::check(&s.world);
            }
        }
        assert!(s.world.account(&party.job).is_none(), "{order:?} did not finish");
        let market: Market = s.world.read(&party.market);
        let people = [party.poster, party.authority, party.node_key].map(|key| s.lamports(&key));
        ends.push((people, market.fees_lamports, s.provider().earnings_lamports));
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
}

#[test]
fn i_03_a_final_result_stays_whatever_comes_after() {
    let mut s = Scenario::resolved();
    let standing: Job = s.job();
    for call in [
        s.party.submit_results(&exited(1)),
        s.party.finalize_job(),
        s.party.cancel_job(),
        s.party.decline_job(1),
        s.party.accept_job(&s.world),
        s.party.expire_open_job(),
        s.party.expire_assigned_job(),
    ] {
        assert!(s.world.send(&call).is_err(), "{} went through", call.name);
    }
    let job = s.job();
    assert_eq!((job.outcome, job.pay_lamports, job.status), (standing.outcome, standing.pay_lamports, standing.status));
}

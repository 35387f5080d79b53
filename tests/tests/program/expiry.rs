//! Waits that end: nobody came, or somebody did not deliver.

use assay_protocol::{ExecutionStatus, JobStatus, MarketTerms};
use assay_tests::{
    assay::accounts::{Execution, Sink},
    calls::job_args,
    invariants,
    party::{EXPOSURE_CAP, STAKE, exited, sink, terms},
    scenario::Scenario,
};

/// Half of the bond of 10,000,000.
const PENALTY: u64 = 5_000_000;
const DELAY_FEE: u64 = 1_000_000;

/// An open job that its poster lets be handed out for this long.
fn open_for(seconds: i64) -> Scenario {
    let mut s = Scenario::ready();
    let mut args = job_args(s.party.job_id);
    args.expires_unix = s.world.now() + seconds;
    s.world.ok(&s.party.create_job_with(args));
    s
}

#[test]
fn i_04_a_job_that_nobody_takes_expires_and_is_refunded_in_full() {
    let mut s = Scenario::ready();
    let before = s.lamports(&s.party.poster);
    s.world.ok(&s.party.create_job());
    let deadline = s.job().queue_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.refuse(&s.party.expire_open_job(), "DeadlineNotReached");
    s.world.advance_to(deadline);
    s.world.ok(&s.party.expire_open_job());
    assert_eq!((s.status(), s.job().resolved_unix), (JobStatus::Expired, deadline));
    s.world.ok(&s.party.close_job());
    assert_eq!(s.lamports(&s.party.poster), before);
}

#[test]
fn p_20_a_missed_deadline_costs_the_provider_and_gives_the_poster_only_the_delay_fee() {
    let s = Scenario::requeued();
    let (job, provider) = (s.job(), s.provider());
    let missed: Execution = s.world.read(&s.party.execution);
    assert_eq!(missed.status, ExecutionStatus::Missed.code());
    assert_eq!(missed.lock_lamports, 0);
    assert_eq!((provider.stake_lamports, provider.locked_lamports), (STAKE - PENALTY, 0));
    assert_eq!(provider.exposure_cap_lamports, EXPOSURE_CAP - PENALTY);
    assert_eq!((provider.active, provider.trust.missed), (0, 1));
    assert_eq!(job.compensation_lamports, DELAY_FEE);
    assert_eq!(s.world.read::<Sink>(&sink()).burned_lamports, PENALTY - DELAY_FEE);
    assert_eq!((s.status(), job.attempt, job.executions_open), (JobStatus::Open, 1, 1));
    assert_eq!(job.queue_deadline_unix, s.world.now() + 600);
    invariants::check(&s.world);
}

#[test]
fn a_31_a_seat_is_missed_from_the_very_second_of_its_deadline() {
    let mut s = Scenario::assigned();
    let deadline = s.job().execution_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.refuse(&s.party.expire_assigned_job(), "DeadlineNotReached");
    s.world.advance_to(deadline);
    s.world.ok(&s.party.expire_assigned_job());
    s.world.refuse(&s.party.expire_assigned_job(), "DeadlineNotReached");
}

#[test]
fn a_job_expires_when_its_attempts_are_used_up() {
    let mut s = Scenario::requeued();
    for attempt in 2..=3 {
        let rival = s.rival();
        s.world.ok(&rival.accept_job(&s.world));
        s.world.advance_to(s.job().execution_deadline_unix);
        s.world.ok(&rival.expire_assigned_job());
        assert_eq!(s.job().attempt, attempt);
        invariants::check(&s.world);
        if attempt == 3 {
            assert_eq!(s.status(), JobStatus::Expired);
            s.world.ok(&rival.settle_execution());
        } else {
            assert_eq!(s.status(), JobStatus::Open);
            // Held until the job is over.
            s.world.refuse(&rival.settle_execution(), "JobNotTerminal");
        }
    }
    assert_eq!(s.job().compensation_lamports, 3 * DELAY_FEE);
}

#[test]
fn a_job_expires_with_its_last_seat_when_its_total_time_is_over() {
    let mut s = open_for(600);
    s.world.advance(599);
    s.world.ok(&s.party.accept_job(&s.world));
    s.world.advance_to(s.job().execution_deadline_unix);
    let before = s.lamports(&s.party.poster);
    let job = s.job();
    s.world.ok(&s.party.expire_assigned_job());
    assert_eq!(s.status(), JobStatus::Expired);
    s.world.ok(&s.party.settle_execution());
    s.world.ok(&s.party.close_job());
    let back = job.escrow_lamports + job.rent_lamports + DELAY_FEE;
    assert_eq!(s.lamports(&s.party.poster), before + back);
}

#[test]
fn a_requeued_job_waits_at_most_until_its_total_deadline() {
    let mut s = open_for(700);
    s.world.ok(&s.party.accept_job(&s.world));
    s.world.advance_to(s.job().execution_deadline_unix);
    s.world.ok(&s.party.expire_assigned_job());
    let job = s.job();
    assert_eq!(s.status(), JobStatus::Open);
    assert_eq!(job.queue_deadline_unix, job.total_deadline_unix);
}

#[test]
fn a_job_given_back_after_its_total_deadline_can_only_expire() {
    let mut s = open_for(600);
    s.world.advance(599);
    s.world.ok(&s.party.accept_job(&s.world));
    s.world.advance(10);
    s.world.ok(&s.party.decline_job(1));
    s.world.refuse(&s.party.accept_job(&s.world), "DeadlinePassed");
    s.world.ok(&s.party.expire_open_job());
}

#[test]
fn only_open_and_assigned_jobs_expire() {
    for stage in [Scenario::submitted(), Scenario::resolved(), Scenario::cancelled(), Scenario::expired()] {
        let mut s = stage;
        s.world.advance(10_000_000);
        s.world.refuse(&s.party.expire_open_job(), "JobNotExpirable");
    }
}

#[test]
fn an_assigned_job_needs_its_accounts_and_an_open_one_takes_none() {
    use assay_tests::assay;
    let mut s = Scenario::assigned();
    s.world.advance_to(s.job().execution_deadline_unix);
    s.world.refuse(&s.party.expire_open_job(), "AccountsMissing");
    let full = s.party.expire_assigned_job();
    for account in ["execution", "provider", "sink"] {
        s.world.refuse(&full.clone().with(account, assay::ID), "AccountsMissing");
    }
    let rival = s.rival();
    s.world.refuse(&full.clone().with("provider", rival.provider), "ProviderMismatch");
    s.world.ok(&full);
    s.world.advance_to(s.job().queue_deadline_unix);
    s.world.refuse(&full, "AccountsUnexpected");
    for account in ["execution", "provider", "sink"] {
        let some = s.party.expire_open_job().with(account, full.key(account));
        s.world.refuse(&some, "AccountsUnexpected");
    }
    s.world.ok(&s.party.expire_open_job());
}

#[test]
fn p_20_withholding_content_earns_a_poster_less_than_it_costs_the_provider() {
    // The poster sees the delay fee and nothing else, however large the bond.
    let greedy = MarketTerms { miss_rate_bps: 10_000, ..terms() };
    let mut s = Scenario::ready_with(&greedy);
    s.world.ok(&s.party.create_job());
    s.world.ok(&s.party.accept_job(&s.world));
    s.world.advance_to(s.job().execution_deadline_unix);
    s.world.ok(&s.party.expire_assigned_job());
    assert_eq!(s.job().compensation_lamports, DELAY_FEE);
    assert_eq!(s.world.read::<Sink>(&sink()).burned_lamports, 10_000_000 - DELAY_FEE);
    // And a market's authority gets nothing of it.
    s.world.refuse(&s.party.claim_market_fees(), "NothingToClaim");
}

#[test]
fn a_result_in_time_leaves_nothing_to_expire() {
    let mut s = Scenario::assigned();
    let deadline = s.job().execution_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.ok(&s.party.submit_results(&exited(1)));
    s.world.advance_to(deadline);
    s.world.refuse(&s.party.expire_assigned_job(), "JobNotExpirable");
}

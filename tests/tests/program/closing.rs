//! Closing a job: last, once, never in the slot that created it.

use assay_tests::{scenario::Scenario, world::SOL};

#[test]
fn only_a_job_that_is_over_closes() {
    for stage in [Scenario::open(), Scenario::assigned(), Scenario::submitted(), Scenario::requeued()] {
        let mut s = stage;
        s.world.refuse(&s.party.close_job(), "JobNotTerminal");
    }
}

#[test]
fn a_job_with_a_seat_that_is_not_settled_stays() {
    let mut s = Scenario::resolved();
    s.world.refuse(&s.party.close_job(), "ExecutionsOpen");
    s.world.ok(&s.party.settle_execution());
    s.world.ok(&s.party.close_job());
}

#[test]
fn everything_left_goes_to_the_poster_and_nobody_else() {
    let mut s = Scenario::settled();
    let thief = s.world.wallet(SOL);
    s.world.refuse(&s.party.close_job().with("poster", thief), "job.PosterMismatch");
    let (before, held) = (s.lamports(&s.party.poster), s.lamports(&s.party.job));
    s.world.ok(&s.party.close_job());
    assert_eq!(s.lamports(&s.party.poster), before + held);
    s.world.refuse(&s.party.close_job(), "job.AccountNotInitialized");
}

#[test]
fn p_24_a_job_does_not_close_in_the_slot_that_created_it() {
    let mut s = Scenario::ready();
    s.world.ok(&s.party.create_job());
    s.world.ok(&s.party.cancel_job());
    s.world.refuse(&s.party.close_job(), "SlotTooEarly");
    s.world.next_slot();
    s.world.ok(&s.party.close_job());
}

#[test]
fn p_21_a_poster_whose_wallet_is_empty_still_gets_the_refund() {
    let mut s = Scenario::settled();
    let held = s.lamports(&s.party.job);
    s.world.set_account(s.party.poster, solana_account::Account::default());
    s.world.ok(&s.party.close_job());
    assert_eq!(s.lamports(&s.party.poster), held);
}

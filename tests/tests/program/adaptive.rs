//! Jobs that a proven provider runs alone: what it locks, the draw of its audit, and who confirms whom.

use assay_protocol::{JobStatus, MarketTerms, Mode, tickets::TICKET_SOLO};
use assay_tests::{
    assay::{accounts::Provider, types::CreateJobArgs},
    invariants,
    panel::Panel,
    party::{PRICE, STAKE, exited, task, terms},
    scenario::GAS_USED,
};

/// Confirmed results in a row of the provider that runs alone: one in so many is audited.
const STREAK: u32 = 12;
const DRAWN: u8 = 3;
const NOT_DRAWN: u8 = 2;

fn pay_max() -> u64 {
    PRICE.pay(task().limits.gas_limit).expect("in bounds")
}

/// An adaptive job of three seats is open, and the first provider has a streak.
fn open() -> Panel {
    let mut panel = Panel::ready(5);
    panel.world.edit::<Provider>(&panel.parties[0].provider, |provider| provider.trust.consecutive_valid = STREAK);
    let args = panel.args(Mode::Adaptive, 3);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel
}

/// The first provider runs it alone.
fn alone() -> Panel {
    let mut panel = open();
    panel.world.ok(&panel.parties[0].accept_job_by(&panel.world, TICKET_SOLO));
    panel
}

/// It commits, and nobody records the seed of its audit in time.
fn audited(panel: &mut Panel, gas_used: u64) {
    panel.commit(0, &exited(gas_used));
    panel.world.advance(600);
    panel.world.list_slots();
    panel.world.ok(&panel.parties[0].record_seed());
    assert_eq!((panel.job().audit, panel.status(), panel.job().fill), (DRAWN, JobStatus::Open, 1));
}

/// It committed, and its audit is decided: by a seed that was lost when it has to be drawn, else by one that says no.
fn decided(audit: u8, gas_used: u64) -> Panel {
    if audit == DRAWN {
        let mut panel = alone();
        audited(&mut panel, gas_used);
        return panel;
    }
    let tried = (1..20).map(|seconds| {
        let mut panel = alone();
        panel.world.advance(seconds);
        panel.commit(0, &exited(gas_used));
        panel.world.advance(4);
        panel.world.list_slots();
        panel.world.ok(&panel.parties[0].record_seed());
        panel
    });
    tried.into_iter().find(|panel| panel.job().audit == NOT_DRAWN).expect("eleven of twelve are not audited")
}

#[test]
fn p_03_a_seat_taken_alone_locks_what_a_lie_could_bring_against_its_audits() {
    let mut panel = alone();
    let (job, provider, seat) = (panel.job(), panel.provider(0), panel.seat(0));
    assert_eq!((panel.status(), job.seats, job.seats_wanted, job.audit_one_in), (JobStatus::Assigned, 1, 1, 12));
    let lock = pay_max() * u64::from(STREAK);
    assert_eq!((provider.locked_lamports, seat.lock_lamports, seat.drawn), (lock, lock, 0));
    assert_eq!(provider.unaudited_lamports, pay_max());
    invariants::check(&panel.world);
    // Whoever gives it back leaves the job as it was posted.
    panel.world.ok(&panel.parties[0].decline_job(1));
    let (job, provider) = (panel.job(), panel.provider(0));
    assert_eq!((panel.status(), job.seats, job.seats_wanted, job.audit_one_in), (JobStatus::Open, 0, 3, 0));
    assert_eq!((provider.locked_lamports, provider.unaudited_lamports), (0, 0));
}

#[test]
fn who_has_no_streak_or_too_much_that_nobody_checked_takes_a_drawn_seat() {
    let mut panel = open();
    let party = panel.parties[0];
    let alone = party.accept_job_by(&panel.world, TICKET_SOLO);
    panel.world.edit::<Provider>(&party.provider, |provider| provider.trust.consecutive_valid = 9);
    panel.world.refuse(&alone, "NotTrusted");
    panel.world.edit::<Provider>(&party.provider, |provider| {
        (provider.trust.consecutive_valid, provider.unaudited_lamports) = (10, STAKE - pay_max() + 1);
    });
    panel.world.refuse(&alone, "NotTrusted");
    panel.draw();
    panel.accept(0);
    // The job has begun with drawn seats: it is an ordinary redundant one.
    panel.world.edit::<Provider>(&panel.parties[1].provider, |provider| provider.trust.consecutive_valid = STREAK);
    panel.world.refuse(&panel.parties[1].accept_job_by(&panel.world, TICKET_SOLO), "TicketLoses");
    panel.accept(1);
    panel.accept(2);
    assert_eq!((panel.status(), panel.job().seats), (JobStatus::Assigned, 3));
    panel.run(&[0, 1, 2].map(|index| (index, exited(GAS_USED))));
    assert_eq!(panel.status(), JobStatus::Submitted);
    panel.finish(&[0, 1, 2]);
    // Others confirmed it, which makes up for everything that was not checked.
    assert_eq!((panel.provider(0).unaudited_lamports, panel.provider(0).trust.consecutive_valid), (0, 11));
}

#[test]
fn p_22_a_job_keeps_the_least_stake_and_the_audits_that_it_was_posted_with() {
    let mut panel = Panel::ready(2);
    let runner = panel.parties[0];
    panel.world.edit::<Provider>(&runner.provider, |provider| provider.trust.consecutive_valid = STREAK);
    let other = MarketTerms { stake_min_lamports: 2 * STAKE, audit_one_in_min: 0, audit_one_in_max: 0, ..terms() };
    panel.world.ok(&runner.update_market(&other));
    panel.world.advance(i64::from(terms().unbonding_s) - 5);
    let args = panel.args(Mode::Adaptive, 3);
    panel.world.ok(&runner.create_job_with(args));
    panel.world.advance(5);
    // The market asks for more now, and of a job that is posted now.
    let next = runner.with_job(2);
    panel.world.refuse(&next.create_job_with(CreateJobArgs { id: 2, ..args }), "ModeUnsupported");
    panel.world.ok(&next.create_job());
    panel.world.refuse(&next.accept_job(&panel.world), "StakeTooSmall");
    panel.world.ok(&runner.accept_job_by(&panel.world, TICKET_SOLO));
    let job = panel.job();
    assert_eq!((job.stake_min_lamports, job.audit_one_in), (terms().stake_min_lamports, 12));
    assert_eq!((job.audit_one_in_min, job.audit_one_in_max), (terms().audit_one_in_min, terms().audit_one_in_max));
}

#[test]
fn an_adaptive_job_needs_a_market_with_audits_and_two_seats() {
    let mut panel = Panel::ready(1);
    let one = panel.args(Mode::Adaptive, 1);
    panel.world.refuse(&panel.parties[0].create_job_with(one), "RedundancyUnsupported");
    let without = MarketTerms { audit_one_in_min: 0, audit_one_in_max: 0, ..terms() };
    panel.world.ok(&panel.parties[0].update_market(&without));
    panel.world.advance(i64::from(terms().unbonding_s));
    let args = panel.args(Mode::Adaptive, 3);
    panel.world.refuse(&panel.parties[0].create_job_with(args), "ModeUnsupported");
}

#[test]
fn a_result_that_is_not_audited_waits_for_its_window_and_confirms_nothing() {
    let mut panel = decided(NOT_DRAWN, GAS_USED);
    assert_eq!((panel.status(), panel.job().reveal_deadline_unix), (JobStatus::Revealing, panel.world.now() + 60));
    panel.reveal(0, &exited(GAS_USED));
    let job = panel.job();
    assert_eq!(panel.status(), JobStatus::Submitted);
    assert_eq!(job.window_deadline_unix, panel.world.now() + i64::from(job.challenge_s));
    panel.finish(&[0]);
    let provider = panel.provider(0);
    assert_eq!((provider.trust.completed, provider.trust.confirmed, provider.trust.consecutive_valid), (1, 0, STREAK));
    assert_eq!((provider.locked_lamports, provider.unaudited_lamports), (0, pay_max()));
    assert!(provider.earnings_lamports > 0);
}

#[test]
fn p_01_nobody_sees_a_result_before_its_audit_is_drawn_and_nothing_else_ends_that_wait() {
    let mut panel = alone();
    let reveal = panel.parties[0].reveal_result(&exited(GAS_USED), Panel::salt(0));
    panel.commit(0, &exited(GAS_USED));
    assert_eq!((panel.status(), panel.job().audit), (JobStatus::Revealing, 1));
    panel.world.list_slots();
    panel.world.refuse(&panel.parties[0].record_seed(), "SeedNotReady");
    panel.world.refuse(&reveal, "AuditPending");
    // The runner cannot wait it out (P-19), and nobody can end it without the seed.
    panel.world.advance(100_000);
    panel.world.refuse(&reveal, "AuditPending");
    panel.world.refuse(&panel.parties[0].expire_open_job(), "SeedPending");
    panel.world.refuse(&panel.parties[0].decline_job(1), "JobNotAssigned");
    panel.world.list_slots();
    panel.world.ok(&panel.parties[0].record_seed());
    assert_eq!(panel.job().audit, DRAWN);
}

#[test]
fn p_19_an_audit_whose_seed_was_lost_counts_as_drawn_and_its_seats_confirm_the_runner() {
    let mut panel = decided(DRAWN, GAS_USED);
    panel.world.refuse(&panel.parties[0].reveal_result(&exited(GAS_USED), Panel::salt(0)), "JobNotRevealing");
    panel.draw();
    panel.accept(1);
    panel.accept(2);
    assert_eq!((panel.status(), panel.job().seats), (JobStatus::Assigned, 3));
    panel.commit(1, &exited(GAS_USED));
    panel.commit(2, &exited(GAS_USED));
    (0..3).for_each(|index| panel.reveal(index, &exited(GAS_USED)));
    panel.finish(&[0, 1, 2]);
    let runner = panel.provider(0);
    assert_eq!((runner.trust.confirmed, runner.trust.consecutive_valid), (1, STREAK + 1));
    assert_eq!((runner.unaudited_lamports, runner.locked_lamports), (0, 0));
    assert_eq!(panel.provider(1).trust.confirmed, 1);
    invariants::check(&panel.world);
}

#[test]
fn p_03_a_lie_that_is_audited_costs_the_whole_lock_and_jail() {
    let mut panel = decided(DRAWN, 1);
    panel.draw();
    panel.accept(1);
    panel.accept(2);
    [1, 2].into_iter().for_each(|index| panel.commit(index, &exited(GAS_USED)));
    panel.reveal(0, &exited(1));
    [1, 2].into_iter().for_each(|index| panel.reveal(index, &exited(GAS_USED)));
    panel.finish(&[0, 1, 2]);
    let liar = panel.provider(0);
    let lock = pay_max() * u64::from(STREAK);
    assert_eq!((liar.stake_lamports, liar.unaudited_lamports), (STAKE - lock, 0));
    assert_eq!((liar.trust.consecutive_valid, liar.jailed_until_unix > panel.world.now()), (0, true));
    assert_eq!(panel.burned(), lock);
}

#[test]
fn p_02_a_runner_that_hides_its_result_once_it_is_to_be_audited_loses_the_whole_lock() {
    let mut panel = decided(DRAWN, GAS_USED);
    panel.draw();
    panel.accept(1);
    panel.accept(2);
    [1, 2].into_iter().for_each(|index| panel.commit(index, &exited(GAS_USED)));
    [1, 2].into_iter().for_each(|index| panel.reveal(index, &exited(GAS_USED)));
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.finish(&[0, 1, 2]);
    assert_eq!(panel.provider(0).stake_lamports, STAKE - pay_max() * u64::from(STREAK));
}

#[test]
fn p_07_an_audit_goes_on_with_who_came_and_with_nobody_the_result_stands_unconfirmed() {
    let mut some = decided(DRAWN, GAS_USED);
    let mut none = some.clone();
    some.draw();
    some.accept(1);
    some.world.advance_to(some.job().queue_deadline_unix);
    some.world.ok(&some.parties[0].expire_open_job());
    assert_eq!((some.status(), some.job().seats), (JobStatus::Assigned, 2));
    some.commit(1, &exited(GAS_USED));
    some.reveal(0, &exited(GAS_USED));
    some.reveal(1, &exited(GAS_USED));
    some.finish(&[0, 1]);
    assert_eq!([0, 1].map(|index| some.provider(index).trust.confirmed), [1, 0]);

    none.world.advance_to(none.job().queue_deadline_unix);
    none.world.ok(&none.parties[0].expire_open_job());
    assert_eq!((none.status(), none.job().seats), (JobStatus::Revealing, 1));
    none.reveal(0, &exited(GAS_USED));
    assert_eq!(none.status(), JobStatus::Submitted);
    none.finish(&[0]);
    assert_eq!((none.provider(0).trust.confirmed, none.provider(0).unaudited_lamports), (0, pay_max()));
}

#[test]
fn p_07_a_silent_seat_behind_a_freed_one_pays_for_its_miss() {
    let mut panel = Panel::ready(6);
    panel.world.edit::<Provider>(&panel.parties[0].provider, |provider| provider.trust.consecutive_valid = STREAK);
    let args = panel.args(Mode::Adaptive, 4);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel.world.ok(&panel.parties[0].accept_job_by(&panel.world, TICKET_SOLO));
    audited(&mut panel, GAS_USED);
    panel.draw();
    panel.accept(1);
    panel.accept(2);
    // Two seats run, and the second of them has the number 2.
    panel.world.ok(&panel.parties[1].decline_job(1));
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!((panel.status(), panel.job().seats, panel.seat(2).seat), (JobStatus::Assigned, 2, 2));
    panel.world.advance_to(panel.job().execution_deadline_unix);
    panel.reveal(0, &exited(GAS_USED));
    // One of two is no majority: an arbiter is asked, none comes, nobody disputes.
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Expired);
    panel.settle(&[0, 2]);
    assert_eq!((panel.provider(2).trust.missed, panel.provider(0).unaudited_lamports), (1, 0));
}

//! Jobs of several seats: hidden results, agreement, arbitration, and what each seat comes to.

use assay_protocol::{ExecutionStatus, JobStatus, Mode, Outcome};
use assay_tests::{
    assay::accounts::{Module, Provider},
    invariants,
    panel::Panel,
    party::{PRICE, STAKE, exited, task, terms},
    scenario::GAS_USED,
    world::SOL,
};
use solana_pubkey::Pubkey;

const BOND: u64 = 10_000_000;
const MISS: u64 = BOND / 2;
const DELAY_FEE: u64 = 1_000_000;

fn right() -> Outcome {
    exited(GAS_USED)
}

fn wrong(number: u64) -> Outcome {
    exited(number)
}

fn assigned() -> Panel {
    Panel::assigned(Mode::Redundant, 3)
}

fn pay() -> (u64, u64) {
    let pay = PRICE.pay_for(&right()).expect("in bounds");
    (pay, pay * u64::from(terms().fee_bps) / 10_000)
}

#[test]
fn i_05_three_that_agree_are_paid_and_the_rest_is_the_posters() {
    let mut panel = Panel::ready(5);
    let poster = panel.parties[0].poster;
    let before = panel.world.lamports(&poster);
    let args = panel.args(Mode::Redundant, 3);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel.draw();
    for index in 0..3 {
        assert_eq!(panel.status(), JobStatus::Open);
        panel.accept(index);
    }
    let job = panel.job();
    assert_eq!((panel.status(), job.seats, job.seats_max, job.pending_commits), (JobStatus::Assigned, 3, 5, 3));
    assert_eq!(job.weight_total_lamports, 3 * STAKE);
    panel.run(&[(0, right()), (1, right()), (2, right())]);
    assert_eq!(panel.status(), JobStatus::Submitted);
    assert_eq!(panel.job().window_deadline_unix, panel.world.now() + i64::from(panel.job().challenge_s));
    invariants::check(&panel.world);
    panel.finish(&[0, 1, 2]);
    let (pay, fee) = pay();
    for index in 0..3 {
        let provider = panel.provider(index);
        assert_eq!((provider.earnings_lamports, provider.locked_lamports, provider.active), (pay, 0, 0));
        assert_eq!((provider.children_open, provider.trust.completed), (0, 1));
    }
    assert_eq!(panel.market().fees_lamports, 3 * fee);
    assert_eq!(panel.world.lamports(&poster), before - 3 * (pay + fee));
    assert_eq!(panel.burned(), 0);
}

#[test]
fn i_05_the_escrow_covers_every_seat_that_can_be_right_to_the_lamport() {
    for (mode, seats, paid) in [(Mode::Redundant, 3, 3), (Mode::Quorum, 3, 5), (Mode::Quorum, 9, 9)] {
        let mut panel = Panel::ready(1);
        let mut args = panel.args(mode, seats);
        let most = PRICE.pay(task().limits.gas_limit).expect("in bounds") * paid;
        args.escrow_lamports = most + most * u64::from(terms().fee_bps) / 10_000 - 1;
        panel.world.refuse(&panel.parties[0].create_job_with(args), "EscrowTooSmall");
        args.escrow_lamports += 1;
        panel.world.ok(&panel.parties[0].create_job_with(args));
    }
}

#[test]
fn a_posting_asks_for_two_to_nine_seats_and_a_window_that_unbonding_outlasts() {
    let mut panel = Panel::ready(1);
    for redundancy in [0, 1, 10] {
        let args = panel.args(Mode::Redundant, redundancy);
        panel.world.refuse(&panel.parties[0].create_job_with(args), "RedundancyUnsupported");
    }
    let longest = u32::try_from(terms().challenge_s(terms().gas_limit_max)).expect("in bounds");
    let mut args = panel.args(Mode::Redundant, 3);
    args.agreement_s = Some(longest + 1);
    panel.world.refuse(&panel.parties[0].create_job_with(args), "WindowOutOfRange");
    args.agreement_s = Some(longest);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    assert_eq!(panel.job().agreement_s, longest);
}

#[test]
fn without_an_agreement_window_the_last_reveal_and_the_whole_end_are_one_transaction() {
    let mut panel = Panel::ready(5);
    let mut args = panel.args(Mode::Redundant, 3);
    args.agreement_s = Some(0);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel.draw();
    (0..3).for_each(|index| panel.accept(index));
    (0..3).for_each(|index| panel.commit(index, &right()));
    (0..2).for_each(|index| panel.reveal(index, &right()));
    let parties = panel.parties.clone();
    let mut calls = vec![parties[2].reveal_result(&right(), Panel::salt(2)), parties[0].finalize_job()];
    calls.extend((0..3).map(|index| parties[index].settle_execution()));
    calls.push(parties[0].close_job());
    let all: Vec<_> = calls.into_iter().map(|call| call.instruction).collect();
    panel.world.send_all(&all).expect("one transaction");
    assert_eq!(panel.provider(2).earnings_lamports, pay().0);
}

#[test]
fn p_01_a_copied_commitment_opens_for_nobody_else_and_a_copied_result_comes_too_late() {
    let mut panel = assigned();
    let parties = panel.parties.clone();
    let commitment = parties[0].commitment(&panel.world, &right(), Panel::salt(0));
    panel.world.refuse(&parties[0].commit_result([0; 32]), "CommitmentZero");
    panel.world.ok(&parties[0].commit_result(commitment));
    panel.world.refuse(&parties[0].commit_result(commitment), "ExecutionNotAccepted");
    panel.world.ok(&parties[1].commit_result(commitment));
    // Nobody shows a result while another may still commit.
    panel.world.refuse(&parties[0].reveal_result(&right(), Panel::salt(0)), "TooEarly");
    panel.world.refuse(&parties[0].submit_results(&right()), "ModeMismatch");
    panel.commit(2, &right());
    panel.reveal(0, &right());
    panel.world.refuse(&parties[1].reveal_result(&right(), Panel::salt(0)), "CommitmentMismatch");
    panel.world.refuse(&parties[2].reveal_result(&right(), Panel::salt(0)), "CommitmentMismatch");
    panel.world.refuse(&parties[2].reveal_result(&wrong(1), Panel::salt(2)), "CommitmentMismatch");
    panel.world.refuse(&parties[2].reveal_bytes([255; 79], Panel::salt(2)), "OutcomeNotCanonical");
    panel.reveal(2, &right());
    assert_eq!(panel.status(), JobStatus::Revealing, "the copy is still waited for");
    panel.world.refuse(&parties[2].reveal_result(&right(), Panel::salt(2)), "ExecutionNotCommitted");
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Submitted);
    panel.finish(&[0, 1, 2]);
    let copier = panel.provider(1);
    assert_eq!((copier.stake_lamports, copier.earnings_lamports), (STAKE - BOND, 0));
    assert_eq!(panel.burned(), BOND);
}

#[test]
fn p_01_a_commitment_of_another_posting_does_not_open() {
    let mut panel = assigned();
    let other = panel.parties[0].with_job(2);
    let args = assay_tests::assay::types::CreateJobArgs { id: 2, ..panel.args(Mode::Redundant, 3) };
    panel.world.ok(&other.create_job_with(args));
    let elsewhere = other.commitment(&panel.world, &right(), Panel::salt(0));
    panel.world.ok(&panel.parties[0].commit_result(elsewhere));
    (1..3).for_each(|index| panel.commit(index, &right()));
    panel.world.refuse(&panel.parties[0].reveal_result(&right(), Panel::salt(0)), "CommitmentMismatch");
}

#[test]
fn a_minority_loses_its_whole_lock_and_the_tickets_that_it_bore() {
    let mut panel = assigned();
    panel.run(&[(0, right()), (1, wrong(1)), (2, right())]);
    assert_eq!(panel.job().outcome, right().encode());
    panel.finish(&[1, 0, 2]);
    let liar = panel.provider(1);
    assert_eq!((liar.stake_lamports, liar.locked_lamports, liar.earnings_lamports), (STAKE - BOND, 0, 0));
    assert_eq!((liar.trust.failed, liar.trust.completed, liar.tickets), (1, 0, 99));
    assert_eq!(panel.market().tickets_total, 499);
    assert_eq!((panel.provider(0).earnings_lamports, panel.provider(2).earnings_lamports), (pay().0, pay().0));
    assert_eq!(panel.burned(), BOND);
}

#[test]
fn p_06_agreement_waits_for_whoever_is_slower_and_who_is_first_does_not_matter() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let mut panel = assigned();
        let outcomes = [right(), wrong(1), right()];
        (0..3).for_each(|index| panel.commit(index, &outcomes[index]));
        for (revealed, index) in order.into_iter().enumerate() {
            assert_eq!(panel.status(), JobStatus::Revealing, "{order:?} after {revealed}");
            panel.reveal(index, &outcomes[index]);
        }
        assert_eq!((panel.status(), panel.job().outcome), (JobStatus::Submitted, right().encode()));
    }
}

#[test]
fn p_06_at_each_deadline_exactly_one_of_two_instructions_goes_through() {
    let mut panel = assigned();
    let parties = panel.parties.clone();
    panel.commit(0, &right());
    panel.commit(1, &right());
    let commitment = parties[2].commitment(&panel.world, &right(), Panel::salt(2));
    let deadline = panel.job().execution_deadline_unix;
    panel.world.advance_to(deadline - 1);
    panel.world.clone().ok(&parties[2].commit_result(commitment));
    panel.world.refuse(&parties[0].reveal_result(&right(), Panel::salt(0)), "TooEarly");
    panel.world.advance_to(deadline);
    panel.world.refuse(&parties[2].commit_result(commitment), "DeadlinePassed");
    panel.world.refuse(&parties[2].decline_job(1), "DeadlinePassed");
    panel.world.refuse(&parties[0].expire_open_job(), "DeadlineNotReached");
    panel.world.ok(&parties[0].reveal_result(&right(), Panel::salt(0)));
    panel.world.refuse(&parties[2].commit_result(commitment), "JobNotAssigned");
    let deadline = panel.job().reveal_deadline_unix;
    panel.world.advance_to(deadline - 1);
    panel.world.clone().ok(&parties[1].reveal_result(&right(), Panel::salt(1)));
    panel.world.refuse(&parties[0].expire_open_job(), "DeadlineNotReached");
    panel.world.advance_to(deadline);
    panel.world.refuse(&parties[1].reveal_result(&right(), Panel::salt(1)), "DeadlinePassed");
    panel.world.refuse(&parties[0].expire_assigned_job(), "AccountsUnexpected");
    panel.world.ok(&parties[0].expire_open_job());
    // One of three is no majority.
    let job = panel.job();
    assert_eq!((panel.status(), job.fill, job.attempt, job.seats_wanted), (JobStatus::Open, 2, 1, 4));
}

#[test]
fn p_20_silent_seats_pay_the_poster_one_delay_fee_together() {
    let mut panel = assigned();
    panel.commit(0, &right());
    panel.world.advance_to(panel.job().execution_deadline_unix);
    panel.reveal(0, &right());
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Deadlocked);
    panel.world.refuse(&panel.parties[0].expire_open_job(), "DeadlineNotReached");
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Expired);
    let poster = panel.parties[0].poster;
    let (before, job) = (panel.world.lamports(&poster), panel.job());
    panel.settle(&[0, 1, 2]);
    assert_eq!(panel.world.lamports(&poster), before + job.escrow_lamports + job.rent_lamports + DELAY_FEE);
    assert_eq!(panel.burned(), 2 * MISS - DELAY_FEE);
    // Who revealed keeps everything; nobody is paid.
    let honest = panel.provider(0);
    assert_eq!((honest.stake_lamports, honest.locked_lamports, honest.earnings_lamports), (STAKE, 0, 0));
    for silent in [1, 2] {
        let provider = panel.provider(silent);
        assert_eq!((provider.stake_lamports, provider.locked_lamports, provider.trust.missed), (STAKE - MISS, 0, 1));
    }
}

#[test]
fn p_02_a_result_that_is_never_shown_costs_as_much_as_a_wrong_one_whatever_becomes_of_the_job() {
    let mut panel = assigned();
    (0..3).for_each(|index| panel.commit(index, &right()));
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.settle(&[0, 1, 2]);
    assert_eq!(panel.burned(), 3 * BOND);
    assert_eq!(panel.provider(1).trust.failed, 1);
}

#[test]
fn an_arbiter_decides_between_two_and_is_paid_with_whoever_is_right() {
    let mut panel = assigned();
    panel.run(&[(0, right()), (1, wrong(1)), (2, wrong(2))]);
    let job = panel.job();
    assert_eq!((panel.status(), job.fill, job.attempt, job.seats_wanted), (JobStatus::Open, 2, 1, 4));
    [3, 4].into_iter().for_each(|index| panel.trust(index, 1_000));
    panel.world.refuse(&panel.parties[3].accept_job_by(&panel.world, 0), "SeedMissing");
    panel.draw();
    // Nobody has two seats.
    panel.world.refuse(&panel.parties[1].accept_job(&panel.world), "ExecutionExists");
    panel.accept(3);
    assert_eq!((panel.job().seats, panel.seat(3).attempt, panel.seat(3).seat), (4, 1, 3));
    panel.run(&[(3, right())]);
    // Two of four are no majority.
    assert_eq!((panel.status(), panel.job().seats_wanted, panel.job().attempt), (JobStatus::Open, 5, 2));
    panel.draw();
    panel.accept(4);
    panel.run(&[(4, right())]);
    assert_eq!((panel.status(), panel.job().outcome), (JobStatus::Submitted, right().encode()));
    panel.finish(&[0, 1, 2, 3, 4]);
    for index in [0, 3, 4] {
        assert_eq!(panel.provider(index).earnings_lamports, pay().0);
    }
    assert_eq!(panel.burned(), 2 * BOND);
}

#[test]
fn seats_that_never_agree_leave_a_deadlock_that_refunds_everything() {
    let mut panel = assigned();
    panel.run(&[(0, wrong(1)), (1, wrong(2)), (2, wrong(3))]);
    for index in [3, 4] {
        panel.trust(index, 1_000);
        panel.draw();
        panel.accept(index);
        panel.run(&[(index, wrong(10 + u64::try_from(index).expect("small")))]);
    }
    assert_eq!(panel.status(), JobStatus::Deadlocked);
    panel.world.refuse(&panel.parties[0].finalize_job(), "JobNotSubmitted");
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.settle(&[0, 1, 2, 3, 4]);
    for index in 0..5 {
        let provider = panel.provider(index);
        assert_eq!((provider.stake_lamports, provider.locked_lamports, provider.trust.failed), (STAKE, 0, 0));
    }
    assert_eq!(panel.burned(), 0);
}

#[test]
fn whoever_was_silent_in_an_earlier_attempt_has_no_part_in_a_later_one() {
    let mut panel = assigned();
    panel.commit(0, &right());
    panel.commit(1, &wrong(1));
    panel.world.advance_to(panel.job().execution_deadline_unix);
    panel.reveal(0, &right());
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.draw();
    panel.world.refuse(&panel.parties[2].decline_job(1), "ExecutionNotAccepted");
    panel.trust(3, 500);
    panel.accept(3);
    let commitment = panel.parties[2].commitment(&panel.world, &right(), Panel::salt(2));
    panel.world.refuse(&panel.parties[2].commit_result(commitment), "ExecutionNotAccepted");
    panel.commit(3, &right());
    panel.world.refuse(&panel.parties[1].reveal_result(&wrong(1), Panel::salt(1)), "ExecutionNotCommitted");
}

#[test]
fn p_23_a_seat_is_given_back_cheaply_before_the_clock_runs_and_as_a_miss_afterwards() {
    let mut panel = Panel::open(4, Mode::Redundant, 3);
    panel.accept(0);
    panel.accept(1);
    panel.world.refuse(&panel.parties[0].cancel_job(), "SeatTaken");
    panel.world.ok(&panel.parties[0].decline_job(1));
    let job = panel.job();
    assert_eq!((panel.status(), job.seats_filled, job.pending_commits), (JobStatus::Open, 1, 1));
    assert_eq!(job.weight_total_lamports, STAKE);
    assert_eq!(panel.burned(), terms().decline_fee_lamports);
    // The place is free again, and whoever gave it back may return.
    panel.accept(0);
    assert_eq!(panel.seat(0).seat, 0);
    panel.accept(2);
    assert_eq!(panel.status(), JobStatus::Assigned);
    let burned = panel.burned();
    panel.world.ok(&panel.parties[2].decline_job(1));
    assert_eq!(panel.burned() - burned, MISS);
    let seat = panel.seat(2);
    assert_eq!((seat.status, seat.lock_lamports), (ExecutionStatus::Missed.code(), 0));
    assert_eq!((panel.provider(0).trust.declined, panel.provider(0).trust.missed), (1, 0));
    assert_eq!((panel.provider(2).trust.declined, panel.provider(2).trust.missed), (0, 1));
    assert_eq!((panel.job().seats, panel.job().pending_commits), (3, 2), "it counts among the seats");
    panel.run(&[(0, right()), (1, right())]);
    assert_eq!(panel.status(), JobStatus::Submitted);
    panel.finish(&[0, 1, 2]);
    let vacated = panel.provider(2);
    assert_eq!((vacated.locked_lamports, vacated.trust.missed, vacated.misses_in_row), (0, 1, 1), "settled: no more");
}

#[test]
fn when_everybody_leaves_the_job_goes_on_with_an_arbiter() {
    let mut panel = assigned();
    for index in 0..3 {
        panel.world.ok(&panel.parties[index].decline_job(1));
    }
    assert_eq!((panel.status(), panel.job().pending_reveals), (JobStatus::Revealing, 0));
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!((panel.status(), panel.job().seats_wanted), (JobStatus::Open, 4));
}

#[test]
fn i_04_a_job_that_never_fills_is_refunded_and_frees_whoever_waited() {
    let mut panel = Panel::open(2, Mode::Redundant, 3);
    panel.accept(0);
    panel.accept(1);
    let poster = panel.parties[0].poster;
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Expired);
    let (before, job) = (panel.world.lamports(&poster), panel.job());
    panel.settle(&[0, 1]);
    assert_eq!(panel.world.lamports(&poster), before + job.escrow_lamports + job.rent_lamports);
    for index in [0, 1] {
        let provider = panel.provider(index);
        assert_eq!((provider.stake_lamports, provider.locked_lamports, provider.active), (STAKE, 0, 0));
    }
    assert_eq!(panel.burned(), 0);
}

#[test]
fn p_16_a_quorum_is_a_share_of_the_stake_behind_the_seats_tickets_and_none_that_came_after_the_draw_counts() {
    // 21 of 31 SOL reach 66.67 %, 20 of 30 do not, whatever is staked once the seed is known.
    for (extra, later, reached) in [(10 * SOL, 0, false), (11 * SOL, 0, true), (10 * SOL, 50 * SOL, false)] {
        let mut panel = Panel::ready(4);
        let whale = panel.parties[0];
        panel.world.ok(&whale.stake(extra));
        panel.world.advance(i64::from(terms().unbonding_s));
        panel.world.ok(&whale.enroll_stake());
        let args = panel.args(Mode::Quorum, 2);
        panel.world.ok(&whale.create_job_with(args));
        panel.draw();
        if later > 0 {
            panel.world.ok(&whale.stake(later));
        }
        panel.accept(0);
        panel.accept(1);
        assert_eq!((panel.seat(0).weight_lamports, panel.seat(1).weight_lamports), (STAKE + extra, STAKE));
        assert_eq!(panel.job().weight_total_lamports, 2 * STAKE + extra);
        panel.run(&[(0, right()), (1, wrong(1))]);
        let expected = if reached { JobStatus::Submitted } else { JobStatus::Open };
        assert_eq!(panel.status(), expected, "{extra} {later}");
        if reached {
            assert_eq!(panel.job().outcome, right().encode());
            panel.finish(&[0, 1]);
            assert_eq!(panel.burned(), BOND);
        }
    }
}

#[test]
fn only_the_holder_of_a_seat_commits_and_reveals() {
    let mut panel = assigned();
    let parties = panel.parties.clone();
    let commitment = parties[0].commitment(&panel.world, &right(), Panel::salt(0));
    let call = parties[1].commit_result(commitment).with("execution", parties[0].execution);
    panel.world.refuse(&call, "execution.ProviderMismatch");
    let call = parties[0].commit_result(commitment).with("node_key", parties[1].node_key);
    panel.world.refuse(&call, "provider.NodeKeyMismatch");
    panel.world.refuse(&parties[0].reveal_result(&right(), Panel::salt(0)), "TooEarly");
    (0..3).for_each(|index| panel.commit(index, &right()));
    let call = parties[1].reveal_result(&right(), Panel::salt(0)).with("execution", parties[0].execution);
    panel.world.refuse(&call, "execution.ProviderMismatch");
    let mut open = Panel::open(2, Mode::Redundant, 2);
    open.accept(0);
    open.world.refuse(&open.parties[0].reveal_result(&right(), Panel::salt(0)), "JobNotRevealing");
    open.world.refuse(&open.parties[0].commit_result([1; 32]), "JobNotAssigned");
}

#[test]
fn what_a_seat_loses_goes_to_the_sink_and_nowhere_without_it() {
    let mut panel = assigned();
    panel.run(&[(0, right()), (1, right()), (2, wrong(1))]);
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].finalize_job());
    let absent = assay_tests::assay::ID;
    panel.world.refuse(&panel.parties[2].settle_execution().with("sink", absent), "AccountsMissing");
    panel.world.ok(&panel.parties[0].settle_execution().with("sink", absent));
    panel.world.ok(&panel.parties[2].settle_execution());
    panel.world.ok(&panel.parties[1].settle_execution());
    panel.world.ok(&panel.parties[0].close_job());
}

#[test]
fn p_10_nine_seats_are_finalized_by_reading_the_job_alone() {
    let mut panel = Panel::assigned(Mode::Redundant, 9);
    let all: Vec<_> = (0..9).map(|index| (index, right())).collect();
    panel.run(&all);
    panel.world.advance_to(panel.job().window_deadline_unix);
    let call = panel.parties[0].finalize_job();
    assert_eq!(call.instruction.accounts.len(), 1);
    let receipt = panel.world.ok(&call);
    assert!(receipt.compute_units <= 30_000, "{}", receipt.compute_units);
    assert_eq!(panel.job().right, 9);
    panel.settle(&(0..9).collect::<Vec<_>>());
}

#[test]
fn results_that_differ_are_recorded_once_with_their_module() {
    let mut panel = assigned();
    let party = panel.parties[0];
    panel.commit(0, &right());
    panel.world.refuse(&party.record_collision(&panel.world), "NoCollision");
    panel.commit(1, &wrong(1));
    panel.commit(2, &right());
    [(0, right()), (1, wrong(1)), (2, right())].iter().for_each(|(index, outcome)| panel.reveal(*index, outcome));
    let before = panel.world.lamports(&party.poster);
    panel.world.ok(&party.record_collision(&panel.world));
    let module: Module = panel.world.read(&party.module());
    assert_eq!(before - panel.world.lamports(&party.poster), module.rent_lamports);
    // Two of three agree: log2(3) - 2/3 bits.
    assert_eq!((module.collisions, module.distinct_max, module.entropy_millibits_sum), (1, 2, 918));
    assert_eq!((module.last_job, module.metered_hash), (party.job, task().metered_hash));
    panel.world.refuse(&party.record_collision(&panel.world), "NoCollision");
    panel.finish(&[0, 1, 2]);

    // Another job of the module counts on, at nobody's cost, also when it is over.
    (0..5).for_each(|index| panel.parties[index] = panel.parties[index].with_job(2));
    panel.world.edit::<Provider>(&panel.parties[1].provider, |provider| provider.jailed_until_unix = 0);
    let args = panel.args(Mode::Redundant, 3);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel.draw();
    (0..3).for_each(|index| panel.accept(index));
    panel.run(&[(0, right()), (1, right()), (2, wrong(7))]);
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].finalize_job());
    let again = panel.parties[0];
    panel.world.refuse(&again.record_collision_in(None, None), "AccountsMissing");
    panel.world.refuse(&again.record_collision_in(None, Some(party.module())), "AccountInUse");
    panel.world.refuse(&again.record_collision_in(Some(party.module()), Some(party.module())), "AccountsUnexpected");
    for spoil in
        [|module: &mut Module| module.metered_hash = [9; 32], |module: &mut Module| module.market = Pubkey::default()]
    {
        let mut other = panel.world.clone();
        other.edit(&party.module(), spoil);
        other.refuse(&again.record_collision(&other), "ModuleMismatch");
    }
    panel.world.ok(&again.record_collision(&panel.world));
    let module: Module = panel.world.read(&party.module());
    assert_eq!((module.collisions, module.entropy_millibits_sum, module.last_job), (2, 1_836, panel.parties[0].job));
    invariants::check(&panel.world);
}

#[test]
fn results_that_agree_are_no_collision() {
    let mut panel = assigned();
    panel.run(&[0, 1, 2].map(|index| (index, right())));
    panel.world.refuse(&panel.parties[0].record_collision(&panel.world), "NoCollision");
}

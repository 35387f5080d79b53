//! The named cases of redundant jobs, told in the model alone.

use assay_model::{
    act::{Act, Posting, TICKET_SOLO},
    cast::{Cast, SOL, TERMS, exited, plain_address, posting},
    draw::DrawState,
    money,
    state::{Audit, Fill, JobStatus, Mode, Terms, rent_lamports, size},
};

const GAS: u64 = 400_000_000;
/// Bond of a seat under the stories' terms, lamports.
const BOND: u64 = 10_000_000;

fn result(which: u8) -> [u8; 79] {
    exited(which, GAS)
}

/// Five equal providers and one redundant job whose seed is there.
fn redundant(redundancy: u8) -> Cast {
    let mut cast = Cast::new(&[10; 6]);
    cast.create(posting(1, Mode::Redundant, redundancy));
    cast.seed(1);
    cast
}

fn stake(cast: &Cast, index: usize) -> u64 {
    cast.provider(index).stake_lamports
}

#[test]
fn p_04_two_of_three_agree_are_paid_and_the_third_loses_its_bond() {
    let mut cast = redundant(3);
    let escrow = cast.job(1).escrow_lamports;
    cast.fill(1, &[0, 1, 2]);
    cast.run(1, &[(0, result(1)), (1, result(2)), (2, result(1))]);
    let job = cast.job(1);
    assert_eq!((job.status, job.seats, job.outcome), (JobStatus::Submitted, 3, Some(result(1))));
    let window = job.window_deadline_unix;
    cast.refuse(&Act::FinalizeJob { job: cast.key(1) }, "DeadlineNotReached");
    cast.wait_until(window);
    cast.ok(&Act::FinalizeJob { job: cast.key(1) });
    let (pay, fee) = (money::pay(5_000, 1_000_000_000, GAS), money::share(405_000, 200));
    assert_eq!((cast.job(1).pay_lamports, cast.job(1).fee_lamports, cast.job(1).right), (pay, fee, 2));
    let back = cast.settle(1);
    assert_eq!(back, escrow - 2 * (pay + fee) + rent_lamports(size::JOB));
    assert_eq!([0, 1, 2].map(|index| cast.provider(index).earnings_lamports), [pay, 0, pay]);
    assert_eq!([0, 1, 2].map(|index| stake(&cast, index)), [10 * SOL, 10 * SOL - BOND, 10 * SOL]);
    assert_eq!(cast.model.sink_lamports, Some(BOND));
    assert_eq!(cast.provider(1).trust.failed, 1);
    assert!(cast.provider(1).jailed_until_unix > cast.model.now_unix);
}

#[test]
fn p_02_who_commits_and_does_not_reveal_loses_as_much_as_who_lies() {
    let mut cast = redundant(3);
    cast.fill(1, &[0, 1, 2]);
    for index in [0, 1, 2] {
        let act = cast.commit(1, index, &result(1));
        cast.ok(&act);
    }
    for index in [0, 1] {
        let act = cast.reveal(1, index, &result(1));
        cast.ok(&act);
    }
    cast.refuse(&Act::ExpireJob { job: cast.key(1), provider: None }, "DeadlineNotReached");
    let deadline = cast.job(1).reveal_deadline_unix;
    cast.wait_until(deadline);
    let late = cast.reveal(1, 2, &result(1));
    cast.refuse(&late, "DeadlinePassed");
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.job(1).status, JobStatus::Submitted);
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::FinalizeJob { job: cast.key(1) });
    cast.settle(1);
    assert_eq!((stake(&cast, 2), cast.model.sink_lamports), (10 * SOL - BOND, Some(BOND)));
}

#[test]
fn p_01_a_copied_commitment_opens_for_nobody_else() {
    let mut cast = redundant(3);
    cast.fill(1, &[0, 1, 2]);
    let Act::CommitResult { commitment, .. } = cast.commit(1, 0, &result(1)) else { unreachable!() };
    for index in [0, 1, 2] {
        cast.ok(&Act::CommitResult { at: cast.seat(1, index), commitment });
    }
    let own = cast.reveal(1, 0, &result(1));
    cast.ok(&own);
    let Act::RevealResult { outcome, salt, .. } = own else { unreachable!() };
    cast.refuse(&Act::RevealResult { at: cast.seat(1, 1), outcome, salt }, "CommitmentMismatch");
}

/// Case 7: now equal to a deadline.
#[test]
fn a_31_in_the_second_of_a_deadline_exactly_one_of_each_pair_goes_through() {
    let mut cast = redundant(3);
    cast.fill(1, &[0, 1, 2]);
    let commit = cast.commit(1, 0, &result(1));
    cast.ok(&commit);
    let deadline = cast.job(1).execution_deadline_unix;
    cast.wait_until(deadline - 1);
    let reveal = cast.reveal(1, 0, &result(1));
    cast.refuse(&reveal, "TooEarly");
    cast.wait_until(deadline);
    let late = cast.commit(1, 1, &result(1));
    cast.refuse(&late, "DeadlinePassed");
    cast.refuse(&Act::DeclineJob { at: cast.seat(1, 1) }, "DeadlinePassed");
    cast.refuse(&Act::ExpireJob { job: cast.key(1), provider: None }, "DeadlineNotReached");
    cast.ok(&reveal);
    // Nothing is left to reveal, so that nobody waits: one more seat is asked.
    assert_eq!((cast.job(1).status, cast.job(1).fill), (JobStatus::Open, Fill::Arbitration));
}

/// Case 8: nobody records a seed in time.
#[test]
fn p_19_a_seed_that_expires_four_times_draws_everybody() {
    let mut cast = Cast::new(&[10; 3]);
    cast.create(posting(1, Mode::Redundant, 3));
    cast.slots(3);
    cast.refuse(&Act::RecordSeed { job: cast.key(1) }, "SeedNotReady");
    for rearmed in 1..=3 {
        cast.slots(600);
        cast.ok(&Act::RecordSeed { job: cast.key(1) });
        assert_eq!((cast.job(1).draw.rearmed, cast.job(1).draw.state), (rearmed, DrawState::Armed));
        let early = cast.accept(1, 0, 0);
        cast.refuse(&early, "SeedMissing");
    }
    cast.slots(600);
    cast.ok(&Act::RecordSeed { job: cast.key(1) });
    assert_eq!(cast.job(1).draw.state, DrawState::Everybody);
    cast.fill(1, &[0, 1, 2]);
    cast.run(1, &[(0, result(1)), (1, result(1)), (2, result(1))]);
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::FinalizeJob { job: cast.key(1) });
    cast.settle(1);
    // Nobody was drawn, so nobody confirms anybody.
    assert_eq!([0, 1, 2].map(|index| cast.provider(index).trust.confirmed), [0; 3]);
}

/// Case 14: fewer providers than seats.
#[test]
fn i_04_case_14_a_job_that_nobody_can_fill_is_refunded_and_costs_its_seats_nothing() {
    let mut cast = Cast::new(&[10, 10]);
    cast.create(posting(1, Mode::Redundant, 3));
    cast.seed(1);
    let escrow = cast.job(1).escrow_lamports;
    cast.fill(1, &[0, 1]);
    let again = cast.accept(1, 0, 0);
    assert!(cast.act(&again).expect_err("it holds a seat").contains("ExecutionExists"));
    let deadline = cast.job(1).queue_deadline_unix;
    cast.wait_until(deadline - 1);
    cast.refuse(&Act::ExpireJob { job: cast.key(1), provider: None }, "DeadlineNotReached");
    cast.wait_until(deadline);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.settle(1), escrow + rent_lamports(size::JOB));
    assert_eq!([stake(&cast, 0), stake(&cast, 1)], [10 * SOL; 2]);
    assert_eq!(cast.model.sink_lamports, Some(0));
}

/// Case 14: no arbiter comes.
#[test]
fn i_04_case_14_without_an_arbiter_the_job_is_deadlocked_and_expires_after_its_window() {
    let mut cast = Cast::new(&[10; 3]);
    cast.create(posting(1, Mode::Redundant, 3));
    cast.seed(1);
    let escrow = cast.job(1).escrow_lamports;
    cast.fill(1, &[0, 1, 2]);
    cast.run(1, &[(0, result(1)), (1, result(2)), (2, result(3))]);
    let deadline = cast.job(1).queue_deadline_unix;
    cast.wait_until(deadline);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.job(1).status, JobStatus::Deadlocked);
    let window = cast.job(1).window_deadline_unix;
    cast.refuse(&Act::ExpireJob { job: cast.key(1), provider: None }, "DeadlineNotReached");
    cast.wait_until(window);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.settle(1), escrow + rent_lamports(size::JOB));
    assert_eq!([0, 1, 2].map(|index| stake(&cast, index)), [10 * SOL; 3]);
}

/// Case 15, without an appeal: with no window for agreement the minority's bond burns.
#[test]
fn p_04_two_liars_that_agree_win_where_the_poster_left_no_window() {
    let mut cast = Cast::new(&[10; 3]);
    cast.create(Posting { agreement_s: Some(0), ..posting(1, Mode::Redundant, 3) });
    cast.seed(1);
    cast.fill(1, &[0, 1, 2]);
    cast.run(1, &[(0, result(9)), (1, result(9)), (2, result(1))]);
    cast.ok(&Act::FinalizeJob { job: cast.key(1) });
    cast.settle(1);
    assert_eq!([0, 1, 2].map(|index| stake(&cast, index)), [10 * SOL, 10 * SOL, 10 * SOL - BOND]);
}

/// Case 16: five seats, five results.
#[test]
fn p_13_five_results_of_five_seats_end_in_a_deadlock_and_a_full_refund() {
    let mut cast = Cast::new(&[10; 6]);
    cast.create(posting(1, Mode::Redundant, 3));
    let escrow = cast.job(1).escrow_lamports;
    cast.seed(1);
    cast.fill(1, &[0, 1, 2]);
    cast.run(1, &[(0, result(1)), (1, result(2)), (2, result(3))]);
    for (index, attempt) in [(3, 1), (4, 2)] {
        let job = cast.job(1);
        assert_eq!((job.status, job.fill, job.attempt), (JobStatus::Open, Fill::Arbitration, attempt));
        assert_eq!(job.draw.state, DrawState::Armed);
        cast.seed(1);
        // Nobody has any trust yet, which everybody's half of the queue forgives.
        let half = cast.job(1).fill_unix + 300;
        cast.wait_until(half);
        cast.fill(1, &[index]);
        let other = result(u8::try_from(index).expect("small") + 1);
        cast.run(1, &[(index, other)]);
    }
    assert_eq!((cast.job(1).status, cast.job(1).seats), (JobStatus::Deadlocked, 5));
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.settle(1), escrow + rent_lamports(size::JOB));
    assert_eq!([0, 1, 2, 3, 4].map(|index| stake(&cast, index)), [10 * SOL; 5]);
}

#[test]
fn p_02_a_silent_seat_of_an_earlier_round_neither_commits_nor_declines_in_a_later_one() {
    let mut cast = Cast::new(&[10; 6]);
    cast.create(posting(1, Mode::Redundant, 3));
    cast.seed(1);
    cast.fill(1, &[0, 1, 2]);
    for (index, outcome) in [(0, result(1)), (1, result(2))] {
        let act = cast.commit(1, index, &outcome);
        cast.ok(&act);
    }
    let deadline = cast.job(1).execution_deadline_unix;
    cast.wait_until(deadline);
    for (index, outcome) in [(0, result(1)), (1, result(2))] {
        let act = cast.reveal(1, index, &outcome);
        cast.ok(&act);
    }
    assert_eq!(cast.job(1).fill, Fill::Arbitration);
    let silent = Act::DeclineJob { at: cast.seat(1, 2) };
    cast.refuse(&silent, "ExecutionNotAccepted");
    cast.seed(1);
    let half = cast.job(1).fill_unix + 300;
    cast.wait_until(half);
    cast.fill(1, &[3]);
    cast.refuse(&silent, "ExecutionNotAccepted");
    let late = cast.commit(1, 2, &result(2));
    cast.refuse(&late, "ExecutionNotAccepted");
    // Two of four seats are no majority, so a fifth is asked.
    cast.run(1, &[(3, result(1))]);
    assert_eq!((cast.job(1).status, cast.job(1).seats), (JobStatus::Open, 4));
}

#[test]
fn p_20_silent_seats_pay_the_poster_one_delay_fee_in_all() {
    let mut cast = redundant(3);
    cast.fill(1, &[0, 1, 2]);
    let escrow = cast.job(1).escrow_lamports;
    let deadline = cast.job(1).execution_deadline_unix;
    cast.wait_until(deadline);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    let queue = cast.job(1).queue_deadline_unix;
    cast.wait_until(queue);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    let back = cast.settle(1);
    assert_eq!(back, escrow + TERMS.delay_fee_lamports + rent_lamports(size::JOB));
    assert_eq!([0, 1, 2].map(|index| stake(&cast, index)), [10 * SOL - BOND / 2; 3]);
    assert_eq!(cast.model.sink_lamports, Some(3 * BOND / 2 - TERMS.delay_fee_lamports));
}

#[test]
fn p_23_vacating_a_seat_whose_clock_runs_costs_what_missing_costs_and_counts_as_a_seat() {
    let mut cast = redundant(3);
    cast.fill(1, &[0, 1, 2]);
    for index in [0, 1] {
        cast.ok(&Act::DeclineJob { at: cast.seat(1, index) });
    }
    cast.run(1, &[(2, result(1))]);
    assert_eq!((cast.job(1).status, cast.job(1).seats_wanted), (JobStatus::Open, 4));
    assert_eq!([0, 1, 2].map(|index| stake(&cast, index)), [10 * SOL - BOND / 2, 10 * SOL - BOND / 2, 10 * SOL]);
    // To the record it is a miss, once: the third in a row leads to jail, and settling the seat adds none.
    assert_eq!([cast.provider(0).trust.missed, cast.provider(0).trust.declined], [1, 0]);
    cast.model.providers.get_mut(&cast.names[3].provider).expect("registered").misses_in_row = 2;
    cast.create(posting(2, Mode::Redundant, 2));
    cast.seed(2);
    cast.fill(2, &[3, 4]);
    cast.ok(&Act::DeclineJob { at: cast.seat(2, 3) });
    assert_eq!(cast.provider(3).jailed_until_unix, cast.model.now_unix + i64::from(TERMS.jail_s));
    cast.run(2, &[(4, result(1))]);
    let queue = cast.job(2).queue_deadline_unix;
    cast.wait_until(queue);
    cast.ok(&Act::ExpireJob { job: cast.key(2), provider: None });
    let window = cast.job(2).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::ExpireJob { job: cast.key(2), provider: None });
    cast.settle(2);
    let (trust, misses) = (cast.provider(3).trust, cast.provider(3).misses_in_row);
    assert_eq!((trust.missed, trust.declined, misses), (1, 0, 0));
}

#[test]
fn p_15_p_16_a_seat_takes_a_ticket_that_wins_and_was_there_before_the_seed() {
    let mut cast = Cast::new(&[10; 40]);
    cast.create(posting(1, Mode::Redundant, 3));
    let early = cast.accept(1, 0, 0);
    cast.refuse(&early, "SeedMissing");
    cast.seed(1);
    // 400 SOL are 4,000 tickets, of which six are expected.
    let loser = (0..40).find(|index| cast.ticket(1, *index).is_none()).expect("most have none");
    for ticket in [0, 99, 100, u32::MAX] {
        let act = cast.accept(1, loser, ticket);
        cast.refuse(&act, "TicketLoses");
    }
    let name = cast.names[loser];
    cast.ok(&Act::Stake { signer: name.authority, provider: name.provider, lamports: SOL });
    cast.refuse(&Act::EnrollStake { signer: name.node_key, provider: name.provider }, "NothingToEnroll");
    cast.create(posting(2, Mode::Redundant, 3));
    let half = cast.job(1).fill_unix + 300;
    cast.wait_until(half);
    let act = cast.accept(1, loser, 0);
    cast.ok(&act);
    assert_eq!(cast.model.executions.values().filter(|seat| seat.drawn).count(), 0);
}

/// Three names of one owner, or of whoever came: the one that adds stake once it knows the seed has no more to say.
#[test]
fn p_16_stake_that_is_added_after_the_seed_weighs_nothing_in_a_quorum() {
    for later in [0, 100 * SOL] {
        let mut cast = Cast::new(&[10; 5]);
        cast.create(posting(1, Mode::Quorum, 3));
        cast.seed(1);
        if later > 0 {
            let name = cast.names[0];
            cast.ok(&Act::Stake { signer: name.authority, provider: name.provider, lamports: later });
        }
        cast.fill(1, &[0, 1, 2]);
        let weights: Vec<u64> = cast.model.executions.values().map(|seat| seat.weight).collect();
        assert_eq!((weights, cast.job(1).weight_total), (vec![10 * SOL; 3], 30 * SOL));
        cast.run(1, &[(0, result(9)), (1, result(1)), (2, result(1))]);
        // 20 of 30 SOL are under 66.67 %, and the lie has 10.
        assert_eq!((cast.job(1).status, cast.job(1).fill), (JobStatus::Open, Fill::Arbitration));
    }
}

/// Ten confirmed results behind each, as the settlements of ten redundant jobs leave them.
fn trusted(stakes_sol: &[u64]) -> Cast {
    let mut cast = Cast::with(
        plain_address,
        Terms { bond_min_lamports: 20_000, decline_fee_lamports: 5_000, ..TERMS },
        stakes_sol,
    );
    for name in cast.names.clone() {
        let provider = cast.model.providers.get_mut(&name.provider).expect("registered");
        provider.trust.consecutive_valid = 12;
    }
    cast
}

#[test]
fn p_03_a_runner_alone_locks_what_a_lie_could_bring_and_is_audited_by_a_later_seed() {
    let (mut audited, mut unaudited) = (0, 0);
    for id in 1..=40 {
        let mut cast = trusted(&[10; 6]);
        cast.slots(id);
        cast.create(posting(id, Mode::Adaptive, 3));
        let solo = cast.accept(id, 0, TICKET_SOLO);
        cast.ok(&solo);
        let pay_max = cast.job(id).pay_max();
        assert_eq!(cast.provider(0).locked_lamports, pay_max * 12);
        assert_eq!((cast.job(id).audit_one_in, cast.provider(0).unaudited_lamports), (12, pay_max));
        let commit = cast.commit(id, 0, &result(1));
        cast.ok(&commit);
        let reveal = cast.reveal(id, 0, &result(1));
        cast.refuse(&reveal, "AuditPending");
        cast.refuse(&Act::ExpireJob { job: cast.key(id), provider: None }, "SeedPending");
        cast.seed(id);
        if cast.job(id).audit == Audit::NotDrawn {
            unaudited += 1;
            cast.ok(&reveal);
            assert_eq!(cast.job(id).window_deadline_unix, cast.model.now_unix + cast.job(id).challenge_s);
        } else {
            audited += 1;
            assert_eq!(
                (cast.job(id).status, cast.job(id).fill, cast.job(id).seats_wanted),
                (JobStatus::Open, Fill::Audit, 3)
            );
            cast.seed(id);
            cast.fill(id, &[1, 2]);
            for index in [1, 2] {
                let act = cast.commit(id, index, &result(1));
                cast.ok(&act);
            }
            cast.ok(&reveal);
            for index in [1, 2] {
                let act = cast.reveal(id, index, &result(1));
                cast.ok(&act);
            }
        }
        assert_eq!(cast.job(id).status, JobStatus::Submitted);
        let window = cast.job(id).window_deadline_unix;
        cast.wait_until(window);
        cast.ok(&Act::FinalizeJob { job: cast.key(id) });
        cast.settle(id);
    }
    assert!(audited > 0 && unaudited > 20, "{audited} of 40 were audited");
}

/// A runner that went alone and committed, and whose audit's seed was lost: others are asked.
fn audited(stakes: &[u64], redundancy: u8) -> Cast {
    let mut cast = trusted(stakes);
    cast.create(posting(1, Mode::Adaptive, redundancy));
    let solo = cast.accept(1, 0, TICKET_SOLO);
    cast.ok(&solo);
    let commit = cast.commit(1, 0, &result(1));
    cast.ok(&commit);
    cast.slots(600);
    cast.ok(&Act::RecordSeed { job: cast.key(1) });
    cast
}

#[test]
fn p_19_an_audit_whose_seed_expired_counts_as_drawn_and_goes_on_with_who_came() {
    let mut cast = audited(&[10; 4], 3);
    assert_eq!(cast.job(1).audit, Audit::Drawn);
    cast.seed(1);
    let half = cast.job(1).fill_unix + 300;
    cast.wait_until(half);
    cast.fill(1, &[1, 2]);
    assert_eq!(cast.job(1).status, JobStatus::Assigned);
}

#[test]
fn i_04_an_audit_that_nobody_takes_lets_the_result_stand_and_confirms_nobody() {
    let mut cast = audited(&[10], 3);
    let queue = cast.job(1).queue_deadline_unix;
    cast.wait_until(queue);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: None });
    assert_eq!(cast.job(1).status, JobStatus::Revealing);
    let reveal = cast.reveal(1, 0, &result(1));
    cast.ok(&reveal);
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::FinalizeJob { job: cast.key(1) });
    cast.settle(1);
    assert_eq!((cast.provider(0).trust.completed, cast.provider(0).trust.confirmed), (1, 0));
}

/// The market's terms change between posting and acceptance.
#[test]
fn p_22_a_job_keeps_the_least_stake_and_the_audits_that_it_was_posted_with() {
    let mut cast = trusted(&[10; 4]);
    let (signer, market) = (cast.owner, cast.market);
    let terms = Terms {
        stake_min_lamports: 20 * SOL,
        audit_one_in_min: 0,
        audit_one_in_max: 0,
        ..cast.model.markets[&market].terms
    };
    cast.ok(&Act::UpdateMarket { signer, market, terms });
    cast.wait(i64::from(TERMS.unbonding_s) - 5);
    cast.create(posting(1, Mode::Adaptive, 3));
    cast.wait(5);
    cast.create(posting(2, Mode::Optimistic, 1));
    let next = cast.accept(2, 0, 0);
    cast.refuse(&next, "StakeTooSmall");
    let solo = cast.accept(1, 0, TICKET_SOLO);
    cast.ok(&solo);
    assert_eq!((cast.job(1).audit_one_in, cast.job(1).terms.stake_min_lamports), (12, TERMS.stake_min_lamports));
}

/// The floor follows from the arbiters asked, not from deadlines that a runner missed before there were several seats.
#[test]
fn p_03_a_deadline_missed_alone_asks_no_more_trust_of_the_first_arbiter() {
    let mut cast = trusted(&[10; 8]);
    cast.create(posting(1, Mode::Adaptive, 3));
    cast.seed(1);
    let solo = cast.accept(1, 0, TICKET_SOLO);
    cast.ok(&solo);
    let deadline = cast.job(1).execution_deadline_unix;
    cast.wait_until(deadline);
    cast.ok(&Act::ExpireJob { job: cast.key(1), provider: Some(cast.names[0].provider) });
    cast.fill(1, &[1, 2, 3]);
    cast.run(1, &[(1, result(1)), (2, result(2)), (3, result(3))]);
    let job = cast.job(1);
    assert_eq!((job.fill, job.attempt, job.arbiters), (Fill::Arbitration, 2, 1));
    cast.seed(1);
    let mut floors = Vec::new();
    for confirmed_fee_lamports in [52_600, 52_700] {
        let provider = cast.names[4].provider;
        let trust = &mut cast.model.providers.get_mut(&provider).expect("registered").trust;
        (trust.confirmed, trust.confirmed_fee_lamports) = (10, confirmed_fee_lamports);
        let ticket = loop {
            if let Some(ticket) = cast.ticket(1, 4) {
                break ticket;
            }
            cast.wait(1);
        };
        assert!(cast.job(1).seat_threshold(cast.model.now_unix) != u64::MAX, "not everybody yet");
        let accept = cast.accept(1, 4, ticket);
        floors.push((cast.provider(4).trust.score_bps(), cast.act(&accept).is_ok()));
    }
    assert_eq!(floors, [(499, false), (500, true)]);
}

/// The seats that came may leave a hole in the numbers: a silent one behind it pays all the same.
#[test]
fn p_07_a_silent_seat_behind_a_freed_one_pays_for_its_silence() {
    let mut cast = audited(&[10; 4], 4);
    // Three are asked and two come, of whom the first leaves before any clock runs.
    cast.seed(1);
    let job = cast.key(1);
    let half = cast.job(1).fill_unix + 300;
    cast.wait_until(half);
    cast.fill(1, &[1, 2]);
    cast.ok(&Act::DeclineJob { at: cast.seat(1, 1) });
    let queue = cast.job(1).queue_deadline_unix;
    cast.wait_until(queue);
    cast.ok(&Act::ExpireJob { job, provider: None });
    assert_eq!((cast.job(1).status, cast.job(1).seats), (JobStatus::Assigned, 2));
    let silent = cast.model.executions[&(job, cast.names[2].provider)].seat;
    assert_eq!(silent, 2, "its number is not under the number of seats");
    let deadline = cast.job(1).execution_deadline_unix;
    cast.wait_until(deadline);
    let reveal = cast.reveal(1, 0, &result(1));
    cast.ok(&reveal);
    let queue = cast.job(1).queue_deadline_unix;
    cast.wait_until(queue);
    cast.ok(&Act::ExpireJob { job, provider: None });
    let window = cast.job(1).window_deadline_unix;
    cast.wait_until(window);
    cast.ok(&Act::ExpireJob { job, provider: None });
    cast.settle(1);
    assert!(stake(&cast, 2) < 10 * SOL, "silence cost nothing");
}

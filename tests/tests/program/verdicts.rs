//! The named cases of docs/PROTOCOL.md that end in a verdict: who gets what, to the last lamport. A bond, of a seat as of a challenge,
//! is 100 parts.

use assay_protocol::{Ballot, DisputeStatus, JobStatus, Mode, Outcome, OutcomeKind, Trap, Verdict, pot::Pot};
use assay_tests::{
    party::{STAKE, terms},
    trial::{JURORS, PART, Trial, ballot, said},
};

/// Pay of a right seat.
const PAY: u64 = 5_000 + 400_000;
/// What a vote of one ticket locks.
const VOTE: u64 = 5_000_000;

/// What the rents of a Dispute and a Challenge give back.
fn rent(court: &Trial, accounts: &[usize]) -> u64 {
    accounts.iter().map(|size| court.world().rent(*size)).sum()
}

const DISPUTE: usize = 1_310;
const CHALLENGE: usize = 195;

/// Ends the dispute and says what these cold keys got, what was burned, what the poster got.
fn end(court: &mut Trial, challengers: &[usize]) -> (Vec<u64>, u64, u64) {
    let before: Vec<u64> = challengers.iter().map(|index| court.wallet(*index)).collect();
    let (_, burned, poster) = court.finish();
    let gains = challengers.iter().zip(before).map(|(index, before)| court.wallet(*index) - before);
    (gains.collect(), burned, poster)
}

/// What a jury of this weight gets of a pot of so much after one round.
fn jury(weight: u64, lamports: u64) -> u64 {
    weight * (lamports * 3 / 10 / weight)
}

#[test]
fn p_03_case_1_two_right_challengers_share_half_of_the_liars_bond() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.enter_with(2, &ballot(1));
    let weight = court.vote(&ballot(1), &[(1, ballot(1)), (2, ballot(1))]);
    let (escrow, job) = (court.job().escrow_lamports, court.job().rent_lamports);
    assert_eq!(court.decide(), Verdict::Outcome);
    assert_eq!((court.job_status(), court.job().outcome), (JobStatus::Resolved, said(1).encode()));
    let rents = [rent(&court, &[DISPUTE, CHALLENGE]), rent(&court, &[CHALLENGE])];
    let (gains, burned, poster) = end(&mut court, &[1, 2]);
    assert_eq!(gains, [125 * PART + rents[0], 125 * PART + rents[1]]);
    assert_eq!(court.jurors_earned(), jury(weight, 100 * PART));
    assert_eq!(burned, 50 * PART - court.jurors_earned());
    assert_eq!((court.stake(0), court.earned(0)), (STAKE - 100 * PART, 0));
    assert_eq!(poster, escrow + job, "the result for nothing");
    let liar = court.panel.provider(0);
    assert_eq!((liar.trust.failed, liar.trust.disputes_lost, liar.locked_lamports), (1, 1, 0));
}

#[test]
fn p_17_case_1_a_challenger_with_a_third_outcome_loses_to_the_right_one() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.enter_with(2, &ballot(7));
    let weight = court.vote(&ballot(1), &[(1, ballot(1)), (2, ballot(7))]);
    court.decide();
    let rents = [rent(&court, &[DISPUTE, CHALLENGE]), rent(&court, &[CHALLENGE])];
    let (gains, burned, _) = end(&mut court, &[1, 2]);
    assert_eq!(gains, [200 * PART + rents[0], rents[1]]);
    assert_eq!((court.jurors_earned(), burned), (jury(weight, 200 * PART), 100 * PART - jury(weight, 200 * PART)));
}

#[test]
fn p_17_case_2_a_sham_challenge_first_loses_its_bond_to_the_honest_one_behind_it() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(7));
    court.enter_with(2, &ballot(1));
    court.vote(&ballot(1), &[(2, ballot(1))]);
    court.decide();
    let rents = [rent(&court, &[DISPUTE, CHALLENGE]), rent(&court, &[CHALLENGE])];
    let (gains, burned, _) = end(&mut court, &[1, 2]);
    assert_eq!(gains, [rents[0], 200 * PART + rents[1]]);
    assert!(burned >= 40 * PART && burned + court.jurors_earned() == 100 * PART, "{burned}");
}

#[test]
fn p_17_case_3_whoever_challenges_itself_loses_at_least_a_fifth_of_a_bond() {
    // Its own lie, contested by its cold key.
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(0, &ballot(1));
    court.vote(&ballot(1), &[(0, ballot(1))]);
    court.decide();
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, _, _) = end(&mut court, &[0]);
    assert_eq!((gains[0], court.stake(0)), (150 * PART + rents, STAKE - 100 * PART));
    // Its own right result, contested with nothing behind it.
    let mut court = Trial::submitted(&said(1));
    court.dispute_with(0, &ballot(7));
    let weight = court.vote(&ballot(1), &[]);
    court.decide();
    let (gains, burned, _) = end(&mut court, &[0]);
    assert_eq!((gains[0], court.earned(0), court.stake(0)), (rents, 50 * PART + PAY, STAKE));
    assert_eq!(burned, 50 * PART - jury(weight, 100 * PART));
    assert!(burned >= 20 * PART);
    let trust = court.panel.provider(0).trust;
    assert_eq!((trust.completed, trust.disputes_won, trust.disputes_lost), (1, 1, 0));
    // A jury that somebody calls to its own result buys no trust.
    assert_eq!((trust.confirmed, trust.consecutive_valid, trust.confirmed_fee_lamports), (0, 0, 0));
}

#[test]
fn i_05_case_4_where_executor_and_challenger_lie_the_jury_is_paid_and_the_poster_refunded() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(7));
    let weight = court.vote(&ballot(1), &[(1, ballot(7))]);
    let (escrow, job) = (court.job().escrow_lamports, court.job().rent_lamports);
    assert_eq!(court.decide(), Verdict::Outcome);
    assert_eq!((court.dispute().right, court.job().outcome), (0, said(1).encode()));
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, burned, poster) = end(&mut court, &[1]);
    assert_eq!((gains[0], poster), (rents, escrow + job));
    assert_eq!((court.jurors_earned(), burned), (jury(weight, 200 * PART), 200 * PART - jury(weight, 200 * PART)));
    assert!(burned >= 140 * PART);
}

#[test]
fn p_18_case_5_without_votes_every_round_is_asked_and_absences_cost_their_locks() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    let mut slashed = 0;
    for round in 0..=3 {
        court.draw();
        assert_eq!(court.dispute().round, round);
        court.tally();
        assert_eq!(court.dispute().found(), Verdict::None);
        for juror in JURORS {
            let party = court.party(juror);
            let Some(ticket) = court.tickets(juror).first().copied() else { continue };
            let slash = party.slash_absent(round, ticket);
            if court.panel.provider(juror).duty_lock_lamports == 0 {
                court.panel.world.refuse(&slash, "NothingToSlash");
            } else {
                court.panel.world.ok(&slash);
                slashed += 1;
                assert_eq!(court.stake(juror), STAKE - STAKE / 20);
                assert!(court.panel.provider(juror).duty_until_unix <= court.world().now() + 1, "it is off duty");
            }
        }
        if round < 3 {
            court.pass();
        }
    }
    assert_eq!((slashed, court.dispute().pot_lamports), (4, 4 * STAKE / 20));
    assert_eq!(court.panel.market().duty_tickets_total, 0);
    let (escrow, job) = (court.job().escrow_lamports, court.job().rent_lamports);
    assert_eq!(court.decide(), Verdict::NoQuorum);
    assert_eq!((court.job_status(), court.job().outcome), (JobStatus::Expired, [0; 79]));
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, burned, poster) = end(&mut court, &[1]);
    assert_eq!((gains[0], burned), (50 * PART + rents, 50 * PART + 4 * STAKE / 20));
    assert_eq!((court.stake(0), court.panel.provider(0).locked_lamports, court.earned(0)), (STAKE, 0, 0));
    assert_eq!(poster, escrow + job);
}

#[test]
fn case_5_a_silent_challenger_pays_a_right_executor() {
    let mut court = Trial::submitted(&said(1));
    court.dispute_with(1, &ballot(7));
    court.vote(&ballot(1), &[]);
    court.decide();
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, _, _) = end(&mut court, &[1]);
    assert_eq!((gains[0], court.earned(0)), (rents, PAY + 50 * PART));
}

#[test]
fn case_6_out_of_gas_and_traps_are_judged_and_paid_like_any_outcome() {
    let limit = Trial::submitted(&said(1)).job().limits.gas_limit;
    let of = |kind, detail, gas_used| Outcome { kind, detail, gas_used, ..said(1) };
    let unreachable = |gas| of(OutcomeKind::Trapped, Trap::Unreachable.code(), gas);
    let pairs = [
        (of(OutcomeKind::Exited, 0, limit), of(OutcomeKind::OutOfGas, 0, limit)),
        (of(OutcomeKind::OutOfGas, 0, limit), said(1)),
        (of(OutcomeKind::Trapped, Trap::StackExhausted.code(), 9), unreachable(9)),
        (unreachable(9), unreachable(8)),
    ];
    for (lie, truth) in pairs {
        let mut court = Trial::submitted(&lie);
        let right = Ballot::Outcome(truth);
        court.dispute_with(1, &right);
        court.vote(&right, &[(1, right)]);
        assert_eq!(court.decide(), Verdict::Outcome);
        assert_eq!(court.job().outcome, truth.encode());
        assert_eq!(court.job().pay_lamports, 5_000 + truth.gas_used / 1_000);
        court.finish();
        assert_eq!(court.stake(0), STAKE - 100 * PART);
    }
}

#[test]
fn case_9_without_any_juror_the_dispute_ends_at_once_without_a_verdict() {
    let mut court = Trial::submitted(&said(9));
    for juror in JURORS {
        let leave = court.party(juror).set_duty(false);
        court.panel.world.ok(&leave);
    }
    court.dispute_with(1, &ballot(1));
    court.draw();
    assert_eq!(court.dispute().reveal_deadline_unix, court.world().now());
    court.tally();
    assert_eq!(court.decide(), Verdict::NoQuorum);
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, burned, _) = end(&mut court, &[1]);
    assert_eq!((gains[0], burned), (50 * PART + rents, 50 * PART));
}

#[test]
fn case_10_a_juror_drawn_more_than_once_is_paid_for_each_ticket() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    let weights = JURORS.map(|juror| court.tickets(juror).len() as u64);
    let weights: Vec<u64> = weights.collect();
    assert!(weights.iter().any(|weight| *weight > 1), "of nine tickets among four somebody has two");
    let weight = court.vote(&ballot(1), &[(1, ballot(1))]);
    assert_eq!(weight, weights.iter().sum::<u64>());
    for (juror, weight) in JURORS.zip(&weights) {
        assert_eq!(court.panel.provider(juror).locked_lamports, STAKE / 20 + weight * VOTE);
    }
    court.decide();
    court.finish();
    for (juror, weight_own) in JURORS.zip(&weights) {
        assert_eq!(court.earned(juror), weight_own * (30 * PART / weight));
        assert_eq!(court.panel.provider(juror).locked_lamports, STAKE / 20);
    }
}

#[test]
fn p_26_case_11_a_majority_for_unavailable_returns_everything_and_pays_nobody() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.enter_with(2, &ballot(7));
    court.vote(&Ballot::Unavailable, &[(1, ballot(1))]);
    let (escrow, job) = (court.job().escrow_lamports, court.job().rent_lamports);
    assert_eq!(court.decide(), Verdict::Unavailable);
    assert_eq!(court.job_status(), JobStatus::Expired);
    let rents = [rent(&court, &[DISPUTE, CHALLENGE]), rent(&court, &[CHALLENGE])];
    let (gains, burned, poster) = end(&mut court, &[1, 2]);
    assert_eq!((gains, burned), (vec![100 * PART + rents[0], 100 * PART + rents[1]], 0));
    assert_eq!((court.jurors_earned(), court.stake(0), court.earned(0)), (0, STAKE, 0));
    assert_eq!(poster, escrow + job);
}

#[test]
fn p_26_case_11_the_loser_of_an_outcome_appeals_that_the_content_is_unavailable() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.vote(&ballot(1), &[(1, ballot(1))]);
    let appeal = court.party(0).appeal(&Ballot::Unavailable);
    court.panel.world.ok(&appeal);
    court.vote(&Ballot::Unavailable, &[]);
    assert_eq!(court.decide(), Verdict::Unavailable);
    let rents = [rent(&court, &[CHALLENGE]), rent(&court, &[DISPUTE, CHALLENGE])];
    let (gains, burned, _) = end(&mut court, &[0, 1]);
    assert_eq!((gains, burned), (vec![200 * PART + rents[0], 100 * PART + rents[1]], 0));
}

#[test]
fn p_04_case_12_each_side_appeals_until_everybody_decides() {
    let (lie, truth) = (ballot(9), ballot(1));
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &truth);
    let mut weights = vec![court.vote(&truth, &[(1, truth)])];
    for (appellant, holds, jury_says) in [(0, lie, lie), (1, truth, lie), (1, truth, truth)] {
        let appeal = court.party(appellant).appeal(&holds);
        court.panel.world.ok(&appeal);
        weights.push(court.vote(&jury_says, &[]));
    }
    assert_eq!((court.dispute().round, weights[3]), (3, 400));
    let appeal = court.party(0).appeal(&lie);
    court.panel.world.refuse(&appeal, "NotAppealable");
    assert_eq!(court.decide(), Verdict::Outcome);
    let rents = [rent(&court, &[CHALLENGE]), rent(&court, &[DISPUTE, CHALLENGE])];
    let (gains, burned, _) = end(&mut court, &[0, 1]);
    // Won 100 + 400 + 800, lost 200 and the seat's 100.
    assert_eq!(gains, [rents[0], 1_300 * PART + 150 * PART + rents[1]]);
    let pot = Pot { lost_lamports: 200 * PART, extra_lamports: 100 * PART, won_lamports: 1, right: 0, rounds: 4 };
    let share = (pot.lost_lamports + pot.extra_lamports) * 3 / 10 / 4;
    let shares: u64 = [weights[0], weights[3]].iter().map(|weight| weight * (share / weight)).sum();
    assert_eq!(court.jurors_earned(), shares);
    // Who voted against the final verdict loses its locks, and nobody gains by that.
    let wrong = (weights[1] + weights[2]) * VOTE;
    assert_eq!(burned, 150 * PART - shares + wrong);
    let stakes: u64 = JURORS.map(|juror| court.stake(juror)).sum();
    assert_eq!(stakes, 4 * STAKE - wrong);
}

#[test]
fn case_13_where_a_round_expects_all_tickets_everybody_votes_once_and_for_good() {
    let terms = assay_protocol::MarketTerms { ticket_lamports: STAKE / 2, juror_bond_lamports: 10_000, ..terms() };
    let mut court = Trial::submitted_under(&terms, &said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    assert!(court.dispute().is_last() && court.dispute().expected == 8, "eight tickets in all, nine are expected");
    assert_eq!(court.vote(&ballot(1), &[(1, ballot(1))]), 8);
    let appeal = court.party(2).appeal(&ballot(9));
    court.panel.world.refuse(&appeal, "NotAppealable");
    assert_eq!(court.decide(), Verdict::Outcome);
    court.finish();
    assert_eq!(court.jurors_earned(), jury(8, 100 * PART));
}

#[test]
fn p_04_case_15_an_honest_minority_appeals_and_the_majority_that_lied_pays() {
    let mut court = Trial::revealed(&terms(), [9, 9, 1]);
    court.dispute_with(3, &ballot(1));
    let weight = court.vote(&ballot(1), &[(3, ballot(1))]);
    let (escrow, job) = (court.job().escrow_lamports, court.job().rent_lamports);
    assert_eq!((court.decide(), court.dispute().right), (Verdict::Outcome, 1));
    let fee = court.job().fee_lamports;
    let rents = rent(&court, &[DISPUTE, CHALLENGE]);
    let (gains, burned, poster) = end(&mut court, &[3]);
    assert_eq!(gains[0], 200 * PART + rents);
    assert_eq!([0, 1, 2].map(|seat| court.stake(seat)), [STAKE - 100 * PART, STAKE - 100 * PART, STAKE]);
    assert_eq!([0, 1, 2].map(|seat| court.earned(seat)), [0, 0, PAY]);
    assert_eq!((court.jurors_earned(), burned), (jury(weight, 200 * PART), 100 * PART - jury(weight, 200 * PART)));
    assert_eq!(poster, escrow + job - PAY - fee, "one seat is paid");
}

#[test]
fn p_13_case_16_a_jury_ends_a_deadlock_of_three_results() {
    let terms = assay_protocol::MarketTerms { executions_max: 3, ..terms() };
    let mut court = Trial::revealed(&terms, [7, 8, 1]);
    assert_eq!(court.job_status(), JobStatus::Deadlocked);
    let open = court.party(3).open_dispute(court.world(), court.party(3).authority, None);
    court.panel.world.ok(&open);
    let weight = court.vote(&ballot(1), &[]);
    assert_eq!(court.decide(), Verdict::Outcome);
    let (_, burned, _) = court.finish();
    assert_eq!((court.jurors_earned(), burned), (jury(weight, 200 * PART), 200 * PART - jury(weight, 200 * PART)));
    assert_eq!([0, 1, 2].map(|seat| court.earned(seat)), [0, 0, PAY]);
}

#[test]
fn i_04_case_16_a_deadlock_about_which_nobody_asks_a_jury_expires() {
    let terms = assay_protocol::MarketTerms { executions_max: 3, ..terms() };
    let mut court = Trial::revealed(&terms, [7, 8, 1]);
    let expire = court.party(0).expire_open_job();
    court.panel.world.refuse(&expire, "DeadlineNotReached");
    court.panel.world.advance_to(court.job().window_deadline_unix);
    let late = court.party(3).open_dispute(court.world(), court.party(3).authority, None);
    court.panel.world.refuse(&late, "DeadlinePassed");
    court.panel.world.ok(&expire);
    court.panel.settle(&[0, 1, 2]);
    assert_eq!([0, 1, 2].map(|seat| court.stake(seat)), [STAKE; 3]);
}

#[test]
fn p_02_a_result_that_was_hidden_is_lost_to_the_dispute_and_without_a_verdict_to_the_sink() {
    for says in [ballot(1), Ballot::Unavailable] {
        let terms = assay_protocol::MarketTerms { executions_max: 3, ..terms() };
        let mut court = Trial::open(&terms, Mode::Redundant, 3);
        court.panel.draw();
        for seat in 0..3 {
            court.panel.accept(seat);
        }
        for (seat, which) in [(0, 7), (1, 1), (2, 1)] {
            court.panel.commit(seat, &said(which));
        }
        court.panel.reveal(0, &said(7));
        court.panel.reveal(1, &said(1));
        court.panel.world.advance_to(court.job().reveal_deadline_unix);
        let expire = court.party(0).expire_open_job();
        court.panel.world.ok(&expire);
        assert_eq!(court.job_status(), JobStatus::Deadlocked);
        let open = court.party(3).open_dispute(court.world(), court.party(3).authority, None);
        court.panel.world.ok(&open);
        court.vote(&says, &[]);
        court.decide();
        let (_, burned, _) = court.finish();
        let wrong = if says == ballot(1) { STAKE - 100 * PART } else { STAKE };
        assert_eq!([0, 1, 2].map(|seat| court.stake(seat)), [wrong, STAKE, STAKE - 100 * PART]);
        let lost: u64 = [0, 1, 2].map(|seat| STAKE - court.stake(seat)).iter().sum();
        let judged = if says == Ballot::Unavailable { 0 } else { court.jurors_earned() };
        assert_eq!((court.jurors_earned(), burned), (judged, lost - judged), "without an outcome all of it is burned");
    }
}

#[test]
fn a_31_case_7_in_the_second_of_the_verdicts_deadline_it_is_settled_and_no_longer_appealed() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.vote(&ballot(1), &[(1, ballot(1))]);
    let appeal = court.party(0).appeal(&ballot(9));
    let mut early = court.clone();
    early.panel.world.advance_to(early.dispute().verdict_deadline_unix - 1);
    early.panel.world.ok(&appeal);
    assert_eq!(early.status(), DisputeStatus::Drawing);
    court.panel.world.advance_to(court.dispute().verdict_deadline_unix);
    court.panel.world.refuse(&appeal, "DeadlinePassed");
    let settle = court.party(0).settle_dispute();
    court.panel.world.ok(&settle);
    court.panel.world.refuse(&settle, "DisputeNotTallied");
    court.panel.world.refuse(&appeal, "NotAppealable");
}

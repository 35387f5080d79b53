//! As juror, as watcher, as challenger.

use assay_protocol::{
    DisputeStatus,
    tickets::{TicketDraw, threshold},
};

use super::{
    court::{WRONG, jury_seed},
    world::{World, code},
    *,
};

const UID: JobUid = JobUid([150; 32]);

/// A juror, and a dispute over a wrong result.
fn jury() -> World {
    let mut world = World::new(0);
    world.enlist();
    world.post_dispute(150, WRONG);
    world
}

/// Somebody who watches everything, and a wrong result.
fn watcher() -> World {
    let mut settings = settings();
    settings.watch.sample = 1 << 32;
    let mut world = World::with(settings, 0);
    world.post_result(150, WRONG);
    world
}

fn until(world: &mut World, is_there: impl Fn(&World) -> bool) {
    world.until(UID, World::court_moves_late, is_there);
}

fn phase_is(phase: Phase) -> impl Fn(&World) -> bool {
    world::phase_is(UID, phase)
}

/// To the end, by the phases that our job went through.
fn until_over(world: &mut World, phases: &mut Vec<Phase>) {
    let acts: [fn(&mut World); 4] = [
        World::tick,
        |world| world.land(0),
        |world| world.step(Event::Polled(world.snapshot())),
        World::court_moves_late,
    ];
    for act in acts.into_iter().cycle().take(800) {
        act(world);
        let phase = world.core.job(UID).map(|job| job.row.phase);
        if phases.last() != phase.as_ref() {
            phases.extend(phase);
        }
    }
}

/// How many transactions of this kind were signed.
fn signed(world: &World, kind: TxKind) -> usize {
    world.messages.values().filter(|message| message[0] == code(kind)).count()
}

#[test]
fn a_juror_that_is_drawn_runs_votes_reveals_and_is_paid() {
    let mut world = jury();
    let mut phases = Vec::new();
    until_over(&mut world, &mut phases);
    world.assert_promises();
    assert_eq!((world.paid, world.halted, world.rows.len(), world.revealed), (1, false, 0, 1));
    assert_eq!((signed(&world, TxKind::Vote(0)), signed(&world, TxKind::RevealVote(0))), (1, 1));
    let order = [Phase::Seen, Phase::Running, Phase::Voting, Phase::Voted, Phase::RevealingVote, Phase::VoteRevealed];
    let met: Vec<_> = phases.iter().filter(|phase| order.contains(phase)).copied().collect();
    assert_eq!(met, order, "{phases:?}");
}

#[test]
fn a_juror_votes_with_every_ticket_that_wins_in_a_round_and_with_all_in_the_last() {
    let mut world = jury();
    // No round finds anything, so that each is followed by a larger one.
    world.verdict = None;
    until(&mut world, |world| world.revealed == 4);
    let ballots = world.row(UID).ballots.clone();
    let holder = settings().provider.to_bytes();
    for (round, ballot) in ballots.iter().enumerate() {
        let ballot = ballot.as_ref().expect("voted in each");
        let expected = if round == 3 {
            Vec::new()
        } else {
            let level = threshold(9 << (2 * round), 400);
            let seed = jury_seed(u8::try_from(round).expect("small"));
            TicketDraw::new(&seed, &holder).winning(40, level).collect()
        };
        assert_eq!(ballot.tickets, expected, "round {round}");
        assert_eq!(ballot.weight, if round == 3 { 40 } else { u32::try_from(expected.len()).expect("few") });
    }
    let salts: std::collections::BTreeSet<_> = ballots.iter().flatten().map(|ballot| ballot.salt).collect();
    assert_eq!(salts.len(), 4, "a salt that was shown hides nothing any more");
}

#[test]
fn p_26_a_juror_says_unavailable_when_content_was_not_to_be_had_until_the_margin_and_an_outcome_in_a_later_round() {
    // A transaction takes a few of these seconds.
    let mut world = World::with(Settings { decline_margin_s: 8, ..settings() }, 0);
    world.enlist();
    world.post_dispute(150, WRONG);
    world.verdict = None;
    world.is_content_lost = true;
    for _ in 0..300 {
        if world.revealed == 1 {
            break;
        }
        world.tick();
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
        world.court_moves_late();
    }
    assert_eq!(world.row(UID).ballot(0).expect("said").ballot, UNAVAILABLE);
    assert!(world.signed.is_empty() && world.row(UID).outcome.is_none());
    world.is_content_lost = false;
    until(&mut world, |world| world.revealed == 2);
    assert_eq!(world.row(UID).ballot(1).expect("said").ballot, OURS);
    assert_eq!(world.row(UID).ballot(0).expect("said").ballot, UNAVAILABLE, "what was said stays said");
}

#[test]
fn p_26_a_long_pause_after_content_that_was_not_to_be_had_does_not_outlast_the_vote() {
    let mut world = jury();
    for _ in 0..80 {
        world.slot += 1;
        world.now.chain_unix += 1;
        world.now.monotonic_ms += 1_000;
        while let Some(mut event) = world.pending.pop() {
            if let Event::Ran { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Content, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
        world.court_moves(0);
    }
    assert_eq!(world.row(UID).ballot(0).expect("said").ballot, UNAVAILABLE);
    assert_eq!(world.revealed, 1, "in time");
}

/// Some time in which its host fails.
fn fail(world: &mut World, steps: usize) {
    for _ in 0..steps {
        world.slot += 1;
        world.now.chain_unix += 1;
        world.now.monotonic_ms += 31_000;
        while let Some(mut event) = world.pending.pop() {
            if let Event::Ran { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Host, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
        world.court_moves_late();
    }
}

/// A juror whose host fails, with so many votes elsewhere.
fn failing(votes_elsewhere: u16) -> World {
    let mut world = jury();
    world.votes_elsewhere = votes_elsewhere;
    fail(&mut world, 100);
    world
}

#[test]
fn i_07_a_host_that_fails_says_nothing_and_a_human_is_told() {
    let world = failing(1);
    assert_eq!((signed(&world, TxKind::Vote(0)), world.signed.len()), (0, 0));
    assert!(world.core.job(UID).map_or(0, |job| job.row.run_attempts) <= settings().run_attempts_max);
}

#[test]
fn p_18_a_juror_that_could_not_run_beside_other_votes_asks_to_be_excused_and_says_nothing() {
    let world = failing(2);
    assert_eq!((signed(&world, TxKind::Vote(0)), signed(&world, TxKind::RevealVote(0))), (1, 0));
    assert_eq!((world.revealed, world.paid, world.halted, world.signed.len()), (0, 0, false, 0));
    world.assert_promises();
    // As one with nothing free does, whatever it judges elsewhere.
    let mut bound = jury();
    bound.is_bound = true;
    fail(&mut bound, 100);
    assert_eq!((signed(&bound, TxKind::Vote(0)), bound.halted, bound.signed.len()), (1, false, 0));
}

#[test]
fn p_18_a_vote_that_the_chain_took_for_an_excuse_is_shown_to_nobody_and_no_foreign_part() {
    let mut world = jury();
    world.is_bound = true;
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((signed(&world, TxKind::Vote(0)), signed(&world, TxKind::RevealVote(0))), (1, 0));
    assert_eq!((world.halted, world.paid, world.jobs.len()), (false, 0, 0));
}

#[test]
fn a_juror_keeps_free_stake_for_its_votes_before_it_takes_seats() {
    let mut world = World::new(1);
    let reserve = provider().stake_lamports - 50;
    for _ in 0..10 {
        world.slot += 1;
        let mut snapshot = world.snapshot();
        snapshot.provider.jury_reserve_lamports = reserve;
        world.step(Event::Polled(snapshot));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
    }
    assert_eq!(world.signatures, 0, "the bond of a seat is 100");
    world.run_to_the_end();
    assert_eq!(world.accepted, 1);
}

#[test]
fn p_03_a_watched_result_that_is_wrong_is_challenged_shown_and_won() {
    let mut world = watcher();
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.won, world.revealed, world.appealed, world.halted), (1, 1, 0, false));
    assert_eq!((signed(&world, TxKind::Challenge), signed(&world, TxKind::RevealOutcome)), (1, 1));
    assert!(world.jobs.is_empty());
}

#[test]
fn p_18_whoever_challenges_and_is_on_duty_votes_too_with_one_mind() {
    for is_open in [false, true] {
        let mut world = watcher();
        world.enlist();
        if is_open {
            world.jobs.clear();
            world.post_dispute(150, WRONG);
        }
        let mut phases = Vec::new();
        until_over(&mut world, &mut phases);
        world.assert_promises();
        assert_eq!((world.paid, world.halted, world.jobs.len()), (1, false, 0));
        let hidden = [TxKind::Vote(0), TxKind::RevealVote(0)].map(|kind| signed(&world, kind));
        assert_eq!(hidden, [1, 1], "{phases:?}");
        // A juror asks nobody to pay it besides: it joins no dispute that is there already.
        let challenged = [TxKind::Challenge, TxKind::RevealOutcome].map(|kind| signed(&world, kind));
        assert_eq!(challenged, if is_open { [0, 0] } else { [1, 1] }, "{phases:?}");
        assert_eq!(world.won, u32::from(!is_open));
    }
}

#[test]
fn a_watched_result_that_is_right_is_left_and_nothing_is_signed() {
    let mut world = watcher();
    world.jobs.clear();
    world.post_result(150, OURS);
    until(&mut world, phase_is(Phase::Dropped(DropReason::Agrees)));
    world.run_to_the_end();
    assert_eq!((world.signatures, world.halted), (0, false));
}

#[test]
fn p_17_watching_stays_within_the_gas_and_the_bonds_of_a_day() {
    let mut world = watcher();
    world.jobs.clear();
    (150..170).for_each(|byte| world.post_result(byte, WRONG));
    // Each may burn a quarter of the day's gas.
    world.run_to_the_end();
    let ran = world.rows.values().filter(|row| row.run_attempts > 0).count();
    assert_eq!((ran, signed(&world, TxKind::Challenge)), (4, 4));
    let mut settings = settings();
    (settings.watch.sample, settings.watch.bonds_per_day_lamports) = (1 << 32, 99);
    let mut world = World::with(settings, 0);
    world.post_result(150, WRONG);
    until(&mut world, phase_is(Phase::Dropped(DropReason::Budget)));
    assert_eq!(world.signatures, 0);
}

#[test]
fn a_verdict_that_is_wrong_is_appealed_against_with_twice_the_bond_each_time_within_the_budget() {
    let mut world = watcher();
    world.verdict = Some(WRONG);
    until(&mut world, |world| world.appealed == 2);
    let spent = world.row(UID).spent.expect("bonds");
    // 100 to challenge, 200 and 400 to appeal; another 800 is more than is left of 1,000.
    assert_eq!(spent.bonds_lamports, 700);
    world.run_to_the_end();
    assert_eq!((world.appealed, world.won, world.halted, world.jobs.len()), (2, 0, false, 0));
    let mut world = watcher();
    world.verdict = Some(WRONG);
    until(&mut world, |world| world.appealed == 1);
    world.verdict = Some(OURS);
    world.run_to_the_end();
    assert_eq!((world.appealed, world.won, world.jobs.len()), (1, 1, 0));
}

#[test]
fn p_17_a_watcher_joins_a_dispute_in_which_nobody_but_a_stranger_may_say_what_it_found() {
    let disputed = || {
        let mut world = watcher();
        world.jobs.clear();
        world.post_dispute(150, WRONG);
        world
    };
    let mut world = disputed();
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.won, world.revealed, world.halted, world.jobs.len()), (1, 1, false, 0));
    assert_eq!((signed(&world, TxKind::Challenge), signed(&world, TxKind::RevealOutcome)), (1, 1));
    let change: [fn(&mut World); 4] = [
        // A seat says the same, and has more to lose.
        |world| world.jobs.get_mut(&UID).expect("there").results = vec![assay_protocol::ballot_hash(&OURS)],
        // What stands is right.
        |world| world.jobs.get_mut(&UID).expect("there").standing_hash = assay_protocol::ballot_hash(&OURS),
        // Entry is over.
        |world| world.now.chain_unix += 31,
        |world| {
            world.settings.watch.bonds_per_day_lamports = 99;
            world.die_and_restart();
        },
    ];
    for (index, change) in change.into_iter().enumerate() {
        let mut world = disputed();
        change(&mut world);
        world.run_to_the_end();
        assert_eq!((signed(&world, TxKind::Challenge), world.halted), (0, false), "{index}");
    }
}

#[test]
fn who_voted_right_takes_what_the_absent_have_at_stake_and_whoever_is_there_where_nothing_was_found() {
    let slashed = |change: fn(&mut World)| {
        let mut world = jury();
        world.absent = 2;
        change(&mut world);
        world.run_to_the_end();
        world.assert_promises();
        assert_eq!((world.jobs.len(), world.halted), (0, false));
        world.slashed
    };
    assert_eq!(slashed(|_| {}), 2);
    assert_eq!(slashed(|world| world.verdict = None), 8, "in each of four rounds");
    assert_eq!(slashed(|world| world.verdict = Some(WRONG)), 0, "nothing of it would be ours");
    assert_eq!(slashed(|world| world.duty_lock_lamports = 999_999), 0, "not worth a fee");
}

#[test]
fn e_18_a_vote_or_a_challenge_that_the_journal_does_not_know_stops_the_process() {
    for is_vote in [true, false] {
        let mut world = jury();
        until(&mut world, phase_is(Phase::Voted));
        world.slot += 1;
        let dispute = world.jobs.get_mut(&UID).expect("there").dispute.as_mut().expect("there");
        if is_vote {
            dispute.votes[0] = Some(OwnVote::Committed([9; 32]));
        } else {
            let status = assay_protocol::ChallengeStatus::Entered;
            dispute.challenge = Some(OwnChallenge { status, commitment: [9; 32], outcome_hash: [0; 32] });
        }
        world.step(Event::Polled(world.snapshot()));
        assert!(world.halted);
    }
}

#[test]
fn a_party_and_whoever_enlisted_later_are_no_jurors() {
    let change: [fn(&mut World); 2] = [
        |world| world.jobs.get_mut(&UID).expect("there").dispute.as_mut().expect("there").is_party = true,
        |world| world.duty.duty_from_unix = 101,
    ];
    for change in change {
        let mut world = jury();
        change(&mut world);
        world.run_to_the_end();
        assert_eq!((world.signatures, world.core.jobs().count(), world.halted), (0, 0, false));
    }
}

#[test]
fn i_04_nobody_else_moves_a_dispute_and_it_ends_all_the_same() {
    let mut world = watcher();
    for round in 0..200 {
        world.tick();
        world.land(round);
        world.step(Event::Polled(world.snapshot()));
    }
    assert_eq!((world.won, world.jobs.len(), world.halted), (1, 0, false));
    // A juror that was not drawn does, too, a little later.
    let mut world = jury();
    for round in 0..200 {
        world.tick();
        world.land(round);
        world.step(Event::Polled(world.snapshot()));
    }
    assert_eq!((world.paid, world.jobs.len()), (1, 0));
}

#[test]
fn a_drain_waits_for_a_vote_to_be_shown() {
    let mut world = jury();
    until(&mut world, phase_is(Phase::Voted));
    world.step(Event::DrainRequested);
    assert!(!world.core.is_drained());
    until(&mut world, phase_is(Phase::VoteRevealed));
    assert!(world.core.is_drained());
}

#[test]
fn p_01_what_a_juror_found_is_not_shown_before_the_dispute_is_over() {
    let mut world = jury();
    until(&mut world, phase_is(Phase::VoteRevealed));
    assert!(!world.rows[&UID].may_be_shown());
    let is_final = |world: &World| {
        world
            .jobs
            .get(&UID)
            .is_some_and(|job| job.dispute.as_ref().is_some_and(|dispute| dispute.status == DisputeStatus::Final))
    };
    until(&mut world, is_final);
    until(&mut world, phase_is(Phase::SettlingVote));
    assert!(world.row(UID).may_be_shown());
}

#[test]
fn a_collision_is_recorded_before_a_jury_is_asked_and_by_turns_while_a_result_stands() {
    let settings = settings();
    let mut job = Job::new(JobRow::new(JobUid([1; 32]), view(1).job, 0));
    let mut due = |status, collision, (chain_unix, tx_failures)| {
        let (seat, window_deadline_unix) = (Some(Seat::Submitted(OURS)), 1_000);
        let (mode, agreement_s, executions_open) = (Mode::Redundant, 100, 2);
        job.view = Some(JobView {
            status,
            mode,
            collision,
            seat,
            window_deadline_unix,
            agreement_s,
            executions_open,
            seats_wanted: 2,
            ..view(1)
        });
        (job.row.phase, job.row.outcome, job.has_jury, job.row.tx_failures) =
            (Phase::Submitted, Some(OURS), true, tx_failures);
        job.due_step(&settings, Now { chain_unix, monotonic_ms: 0 })
    };
    for known in [Collision::OfNewModule, Collision::OfKnownModule] {
        assert_eq!(due(JobStatus::Deadlocked, Some(known), (900, 0)), Some(Step::RecordCollision));
        assert_eq!(due(JobStatus::Submitted, Some(known), (899, 0)), None, "its turn is to come");
        assert_eq!(due(JobStatus::Submitted, Some(known), (905, 0)), Some(Step::RecordCollision));
        assert_eq!(due(JobStatus::Submitted, Some(known), (905, 1)), None, "what failed keeps nothing waiting");
        assert_eq!(due(JobStatus::Revealing, Some(known), (905, 0)), None, "others may show theirs still");
    }
    for unknown in [None, Some(Collision::Seen)] {
        assert_eq!(due(JobStatus::Deadlocked, unknown, (900, 0)), Some(Step::OpenDispute));
    }
}

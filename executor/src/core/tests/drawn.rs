//! Jobs with several seats: draws, commitments, reveals.

use assay_protocol::{DrawState, OutcomeKind};

use super::{
    world::{World, code},
    *,
};

const UID: JobUid = JobUid([100; 32]);

fn drawn() -> World {
    let mut world = World::new(0);
    world.post_drawn(100);
    world
}

fn until(world: &mut World, is_there: impl Fn(&World) -> bool) {
    world.until(UID, World::others_move_all, is_there);
}

fn phase_is(phase: Phase) -> impl Fn(&World) -> bool {
    world::phase_is(UID, phase)
}

#[test]
fn a_job_with_three_seats_is_paid_and_forgotten() {
    let mut world = drawn();
    until(&mut world, |world| world.accepted > 0);
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.jobs.len(), world.rows.len(), world.halted), (0, 0, false));
    assert_eq!((world.accepted, world.paid), (1, 1));
    assert_eq!(world.signed, [(UID, OURS); 2], "a commitment and a reveal");
}

#[test]
fn i_04_a_job_that_all_settled_at_the_same_time_and_nobody_closed_is_closed() {
    let mut world = drawn();
    until(&mut world, |world| world.jobs[&UID].status == JobStatus::Submitted);
    world.jobs.get_mut(&UID).expect("there").executions_open = 3;
    for _ in 0..20 {
        world.tick();
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
    }
    assert!(world.jobs.is_empty(), "closed by nobody else");
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.jobs.len(), world.rows.len(), world.paid, world.halted), (0, 0, 1, false));
    let advances = world.messages.values().filter(|message| message[0] == code(TxKind::Advance)).count();
    assert_eq!(advances, 1);
}

#[test]
fn i_04_a_settlement_that_others_began_is_built_anew_at_once() {
    let mut world = drawn();
    until(&mut world, phase_is(Phase::Settling));
    world.tick();
    world.step(Event::Polled(world.snapshot()));
    assert_eq!(world.row(UID).live_txs(TxKind::Settle).count(), 1);
    // It begins with a step that the program takes once, so that it can never land.
    world.slot += 1;
    world.jobs.get_mut(&UID).expect("there").status = JobStatus::Resolved;
    for _ in 0..3 {
        world.step(Event::Polled(world.snapshot()));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
    }
    assert_eq!(world.row(UID).live_txs(TxKind::Settle).count(), 2, "one for each stage and no more");
}

#[test]
fn the_holder_of_the_first_seat_settles_first_and_the_next_one_a_little_later() {
    for (place, waits_ms) in [(0, 0), (1, TURN_MS), (2, 2 * TURN_MS)] {
        let mut world = drawn();
        until(&mut world, |world| world.jobs[&UID].status == JobStatus::Submitted);
        let mut executors = vec![Pubkey::new_from_array([9; 32]); 3];
        executors[place] = settings().provider;
        let job = world.jobs.get_mut(&UID).expect("there");
        job.executors = executors;
        world.now.chain_unix = job.window_deadline_unix;
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        let turn_ms = world.now.monotonic_ms + waits_ms;
        while world.now.monotonic_ms < turn_ms {
            assert_eq!(world.row(UID).phase, Phase::Submitted, "seat {place}");
            world.now.monotonic_ms += 1_000;
            world.slot += 1;
            world.step(Event::Polled(world.snapshot()));
        }
        assert_eq!(world.row(UID).phase, Phase::Settling, "seat {place}");
    }
}

#[test]
fn p_01_nothing_is_published_or_may_be_shown_before_all_have_committed() {
    let mut world = drawn();
    world.others_hesitate = true;
    until(&mut world, phase_is(Phase::Committed));
    for _ in 0..5 {
        world.tick();
        world.step(Event::Polled(world.snapshot()));
        let row = &world.rows[&UID];
        assert_eq!((row.phase, row.publish_attempts, row.may_be_shown()), (Phase::Committed, 0, false));
    }
    world.others_hesitate = false;
    until(&mut world, phase_is(Phase::Submitted));
    let row = &world.rows[&UID];
    assert_eq!((row.publish_attempts, row.may_be_shown()), (1, true));
}

#[test]
fn the_clock_does_not_run_and_nothing_runs_before_the_last_seat_is_filled() {
    let mut world = drawn();
    until(&mut world, |world| world.accepted > 0);
    for _ in 0..5 {
        if world.jobs[&UID].status == JobStatus::Open {
            world.tick();
            world.step(Event::Polled(world.snapshot()));
            assert_eq!(world.row(UID).run_attempts, 0);
        }
    }
}

#[test]
fn a_queue_that_times_out_frees_the_seat_and_nobody_ran() {
    let mut world = drawn();
    for round in 0..100 {
        world.tick();
        world.land(round);
        world.step(Event::Polled(world.snapshot()));
    }
    // Nobody else came: our own crank expires the job and settles the seat.
    assert_eq!((world.accepted, world.signed.len(), world.jobs.len()), (1, 0, 0));
    world.run_to_the_end();
    assert!(!world.halted && world.rows.is_empty());
}

#[test]
fn p_05_whoever_did_not_commit_in_time_goes_on_to_settle_and_signs_no_reveal() {
    let mut world = drawn();
    until(&mut world, phase_is(Phase::Committing));
    world.live.clear();
    world.now.chain_unix += 60;
    world.others_move_all();
    world.others_move_all();
    world.run_to_the_end();
    world.assert_promises();
    let reveals = world.messages.values().filter(|message| message[0] == code(TxKind::Reveal)).count();
    assert_eq!((reveals, world.paid, world.halted), (0, 0, false));
}

#[test]
fn e_18_a_commitment_that_the_journal_does_not_know_stops_the_process() {
    let mut world = drawn();
    until(&mut world, phase_is(Phase::Committed));
    world.slot += 1;
    world.jobs.get_mut(&UID).expect("there").seat = Some(Seat::Committed([9; 32]));
    world.step(Event::Polled(world.snapshot()));
    assert!(world.halted);
}

#[test]
fn a_reveal_that_cannot_be_published_first_is_made_all_the_same_before_it_is_too_late() {
    let mut world = drawn();
    until(&mut world, phase_is(Phase::Publishing));
    let deadline = world.jobs[&UID].reveal_deadline_unix;
    for _ in 0..40 {
        world.slot += 1;
        world.now.chain_unix += 1;
        world.now.monotonic_ms += 1_000;
        world.step(Event::Polled(world.snapshot()));
        while let Some(mut event) = world.pending.pop() {
            if let Event::Published { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Content, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
        if matches!(world.jobs.get(&UID).and_then(|job| job.seat), Some(Seat::Submitted(_))) {
            break;
        }
    }
    assert!(world.now.chain_unix < deadline, "{} of {deadline}", world.now.chain_unix);
}

#[test]
fn a_lost_seed_is_fixed_anew_and_the_seat_is_taken_by_it() {
    let mut world = drawn();
    world.slot += 600;
    // Nobody else is there yet.
    for round in 0..20 {
        world.tick();
        world.land(round);
        world.step(Event::Polled(world.snapshot()));
        if world.jobs[&UID].draw.rearmed == 1 {
            break;
        }
    }
    assert_eq!((world.jobs[&UID].draw.rearmed, world.jobs[&UID].draw.state), (1, DrawState::Armed));
    until(&mut world, |world| world.accepted > 0);
    world.run_to_the_end();
    assert_eq!((world.paid, world.halted, world.jobs.len()), (1, false, 0));
}

/// Looks that are changed so lead to nothing.
fn takes_no_seat(change: fn(&mut Snapshot)) {
    let mut world = drawn();
    for round in 0..100 {
        world.tick();
        world.land(round);
        let mut snapshot = world.snapshot();
        change(&mut snapshot);
        world.step(Event::Polled(snapshot));
    }
    assert_eq!((world.accepted, world.signatures), (0, 0));
}

#[test]
fn who_is_in_jail_or_not_trusted_enough_takes_no_seat() {
    let change: [fn(&mut Snapshot); 3] = [
        |snapshot| snapshot.provider.jailed_until_unix = i64::MAX,
        |snapshot| (snapshot.provider.score_bps, snapshot.jobs[0].min_trust_bps) = (99, 100),
        // As an arbiter; before every ticket wins.
        |snapshot| {
            (snapshot.provider.score_bps, snapshot.jobs[0].arbiters) = (499, 1);
            snapshot.jobs[0].widen_s = 100_000;
            snapshot.jobs[0].queue_deadline_unix += 100_000;
        },
    ];
    change.into_iter().for_each(takes_no_seat);
}

#[test]
fn p_16_tickets_that_are_younger_than_the_draw_and_markets_that_cannot_fill_take_no_seat() {
    let change: [fn(&mut Snapshot); 2] =
        [|snapshot| snapshot.provider.duty.tickets_from_unix = 101, |snapshot| snapshot.jobs[0].tickets_total = 41];
    change.into_iter().for_each(takes_no_seat);
}

#[test]
fn an_invalid_task_is_committed_and_revealed_without_a_package() {
    let mut world = drawn();
    until(&mut world, phase_is(Phase::Running));
    let mut invalid = OURS;
    invalid[0] = OutcomeKind::Invalid as u8;
    for event in &mut world.pending {
        if let Event::Ran { result, .. } = event {
            *result = Ok(invalid);
        }
    }
    world.run_to_the_end();
    assert_eq!((world.signed.len(), world.paid, world.jobs.len()), (2, 1, 0));
}

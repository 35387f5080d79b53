//! Adaptive jobs: run alone by whoever proved itself, audited by chance, drawn seats for everybody else.

use assay_protocol::tickets::TICKET_SOLO;

use super::{
    world::{World, code},
    *,
};

const UID: JobUid = JobUid([110; 32]);

/// A provider that may run alone, and a job that it may take.
fn proven() -> World {
    let mut world = World::new(0);
    world.streak = 10;
    world.post_adaptive(110);
    world
}

fn proven_and_audited() -> World {
    let mut world = proven();
    world.audits = true;
    world
}

fn until(world: &mut World, is_there: impl Fn(&World) -> bool) {
    world.until(UID, World::others_move_all, is_there);
}

/// As [`until`], and nobody else does anything.
fn until_alone(world: &mut World, is_there: impl Fn(&World) -> bool) {
    world.until(UID, |_| {}, is_there);
}

fn phase_is(phase: Phase) -> impl Fn(&World) -> bool {
    world::phase_is(UID, phase)
}

/// The tickets that the acceptances of ours named, and whether they recorded the draw first.
fn acceptances(world: &World) -> Vec<(u32, bool)> {
    let accepts = world.messages.values().filter(|message| message[0] == code(TxKind::Accept));
    let ticket = |message: &Vec<u8>| u32::from_le_bytes(message[10..14].try_into().expect("four bytes"));
    accepts.map(|message| (ticket(message), message[14] == 1)).collect()
}

#[test]
fn who_proved_itself_runs_alone_records_whether_it_is_audited_and_is_paid() {
    let mut world = proven();
    until_alone(&mut world, |world| world.jobs.is_empty());
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!(acceptances(&world), [(TICKET_SOLO, false)], "it needs no draw and no ticket");
    assert_eq!((world.paid, world.halted, world.rows.len()), (1, false, 0));
    assert_eq!(world.signed, [(UID, OURS); 2], "a commitment and a reveal");
    let advances = world.messages.values().filter(|message| message[0] == code(TxKind::Advance)).count();
    assert_eq!(advances, 1, "the draw of the audit, by nobody else");
}

#[test]
fn p_01_what_was_found_alone_is_not_shown_before_its_audit_is_drawn_and_all_seats_have_committed() {
    let mut world = proven_and_audited();
    until(&mut world, phase_is(Phase::Committed));
    world.others_hesitate = true;
    let is_filled = |world: &World| world.jobs[&UID].status == JobStatus::Assigned;
    while !is_filled(&world) {
        assert_eq!(world.row(UID).phase, Phase::Committed);
        assert!(!world.row(UID).may_be_shown() && world.row(UID).publish_attempts == 0);
        world.tick();
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
        world.others_move_all();
    }
    assert_eq!((world.jobs[&UID].seats, world.row(UID).phase), (3, Phase::Committed));
    world.others_hesitate = false;
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.paid, world.accepted, world.halted, world.jobs.len()), (1, 1, false, 0));
}

#[test]
fn p_07_i_04_an_audit_that_nobody_comes_to_is_ended_by_its_runner_which_is_paid_unconfirmed() {
    let mut world = proven_and_audited();
    until_alone(&mut world, |world| world.jobs.is_empty());
    world.run_to_the_end();
    world.assert_promises();
    assert_eq!((world.paid, world.halted, world.rows.len()), (1, false, 0));
    assert_eq!(world.signed, [(UID, OURS); 2]);
}

#[test]
fn who_did_not_prove_itself_or_cannot_bear_the_lock_takes_a_drawn_seat() {
    // The most that the job pays is 20,001 lamports, its lock ten times that.
    let change: [fn(&mut World, &mut ProviderView); 5] = [
        |_, provider| provider.streak = 9,
        |_, provider| provider.stake_lamports = 150_000,
        |_, provider| provider.exposure_cap_lamports = 150_000,
        |_, provider| provider.jury_reserve_lamports = 900_000,
        |world, provider| provider.unaudited_lamports = 990_000 + u64::from(world.accepted),
    ];
    for (index, change) in change.into_iter().enumerate() {
        let mut world = proven();
        for _ in 0..60 {
            world.tick();
            world.land(0);
            let mut snapshot = world.snapshot();
            change(&mut world, &mut snapshot.provider);
            world.step(Event::Polled(snapshot));
        }
        let tickets = acceptances(&world);
        assert!(!tickets.is_empty() && tickets.iter().all(|(ticket, _)| *ticket < 40), "{index}: {tickets:?}");
    }
}

#[test]
fn p_03_what_is_taken_alone_at_the_same_time_stays_within_the_stake() {
    let mut world = proven();
    (111..116).for_each(|byte| world.post_adaptive(byte));
    world.step(Event::Polled(world.snapshot()));
    let alone = |world: &World| world.core.jobs().filter(|job| job.ticket() == Some(TICKET_SOLO)).count();
    for _ in 0..10 {
        world.tick();
        // Of 1,000,000 lamports four locks of 200,010 can be borne.
        let held = world.core.jobs().filter(|job| job.row.owes_result() && job.ticket() == Some(TICKET_SOLO)).count();
        assert!(held <= 4, "{held}");
        world.step(Event::Polled(world.snapshot()));
    }
    assert!(alone(&world) >= 4);
}

#[test]
fn who_wanted_to_run_alone_and_came_too_late_waits_for_a_ticket() {
    let mut world = proven();
    until_alone(&mut world, phase_is(Phase::Accepting));
    // Somebody takes a drawn seat before anything was sent.
    world.live.clear();
    world.slot += 200;
    world.bury();
    until(&mut world, |world| !world.jobs[&UID].executors.is_empty());
    world.run_to_the_end();
    world.assert_promises();
    assert!(!world.halted);
}

#[test]
fn an_auditor_takes_a_drawn_seat_beside_the_runner() {
    let mut world = World::new(0);
    world.post_adaptive(110);
    let job = world.jobs.get_mut(&UID).expect("posted");
    (job.seats, job.executors) = (1, vec![Pubkey::new_from_array([9; 32])]);
    // A single seat missed it before: that asks no more trust of anybody.
    job.attempt = 1;
    world.streak = 10;
    until_alone(&mut world, |world| world.accepted == 1);
    assert!(acceptances(&world).iter().all(|(ticket, _)| *ticket < 40));
}

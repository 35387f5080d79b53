//! Which jobs get a place, and how many.

use std::collections::BTreeSet;

use assay_protocol::DrawState;

use super::{world::World, *};

#[test]
fn e_15_a_low_balance_stops_accepting_and_nothing_else() {
    let mut world = World::new(2);
    let poor = |world: &World| {
        let mut snapshot = world.snapshot();
        snapshot.provider.node_balance_lamports = 999;
        snapshot
    };
    for _ in 0..20 {
        world.slot += 1;
        let snapshot = poor(&world);
        world.step(Event::Polled(snapshot));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
    }
    assert_eq!(world.signatures, 0);
    assert!(world.core.jobs().all(|job| job.row.phase == Phase::Prepared));
}

/// Open jobs with these numbers, of one poster and for one price.
fn flood(world: &mut World, numbers: std::ops::Range<u16>, poster: u8, price: u64) {
    for number in numbers {
        let mut job = view(0);
        let [low, high] = number.to_le_bytes();
        job.uid.0[..2].copy_from_slice(&[low, high]);
        job.uid.0[31] = 1;
        job.job = Pubkey::new_from_array(job.uid.0);
        (job.poster, job.price) = (Pubkey::new_from_array([poster; 32]), price);
        world.jobs.insert(job.uid, job);
    }
}

/// Jobs of this poster that have a place.
fn places(world: &World, poster: u8) -> usize {
    let poster = Pubkey::new_from_array([poster; 32]);
    world.core.jobs().filter(|job| job.view.as_ref().is_some_and(|view| view.poster == poster)).count()
}

/// A look, and everything that follows from it; nothing is fetched.
fn look_without_content(world: &mut World) {
    world.slot += 1;
    world.step(Event::Polled(world.snapshot()));
    while let Some(mut event) = world.pending.pop() {
        if let Event::Prepared { result, .. } = &mut event {
            *result = Err(WorkFault { kind: WorkFaultKind::Content, message: String::new() });
        }
        world.step(event);
    }
    assert!(world.core.jobs().count() <= settings().jobs_tracked_max);
}

#[test]
fn e_23_a_thousand_jobs_are_taken_a_few_at_a_time() {
    let mut world = World::new(0);
    flood(&mut world, 0..1_000, 200, 10);
    for _ in 0..50 {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        let held = world.jobs.values().filter(|job| job.seat == Some(Seat::Accepted)).count();
        assert!(world.core.jobs().count() <= settings().jobs_tracked_max && held <= settings().jobs_active_max);
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        world.land(0);
    }
    assert!(world.accepted >= 4, "{}", world.accepted);
}

#[test]
fn e_23_a_flood_by_one_poster_leaves_room_for_everybody_else() {
    // The jobs of the flood pay best, and their content is not to be had.
    let mut world = World::new(0);
    flood(&mut world, 0..2_000, 1, 1_000);
    for _ in 0..5 {
        look_without_content(&mut world);
    }
    assert_eq!(places(&world, 1), 16, "half of the table, as long as nobody else needs it");
    flood(&mut world, 5_000..5_003, 2, 1);
    look_without_content(&mut world);
    assert_eq!((places(&world, 1), places(&world, 2)), (16, 3));
    // And they are worked on.
    for _ in 0..40 {
        world.tick();
        world.step(Event::Polled(world.snapshot()));
        world.land(0);
    }
    assert!(world.jobs.values().filter(|job| job.poster == Pubkey::new_from_array([2; 32])).count() < 3);
}

#[test]
fn e_23_whoever_comes_after_a_flood_has_as_many_places_in_the_end() {
    let mut world = World::new(0);
    flood(&mut world, 0..2_000, 1, 1_000);
    look_without_content(&mut world);
    for poster in 2..9 {
        let first = u16::from(poster) * 1_000 + 1_000;
        flood(&mut world, first..first + 100, poster, 1);
    }
    (0..10).for_each(|_| look_without_content(&mut world));
    let all: Vec<usize> = (1..9).map(|poster| places(&world, poster)).collect();
    assert!(all.iter().all(|places| (3..=5).contains(places)) && all.iter().sum::<usize>() == 32, "{all:?}");
}

#[test]
fn e_23_whoever_has_jobs_in_hand_is_not_kept_waiting_by_jobs_without_content_however_many_post_them() {
    let mut world = World::with(Settings { preparations_max: 1, ..settings() }, 0);
    let dead = |uid: &JobUid| uid.0[1] != 0;
    for poster in 1..9 {
        let first = u16::from(poster) * 256;
        flood(&mut world, first..first + 1, poster, 1_000);
    }
    flood(&mut world, 0..40, 100, 1);
    for _ in 0..400 {
        world.tick();
        world.step(Event::Polled(world.snapshot()));
        while let Some(mut event) = world.pending.pop() {
            if let Event::Prepared { uid, result, .. } = &mut event
                && dead(uid)
            {
                *result = Err(WorkFault { kind: WorkFaultKind::Content, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
    }
    let left = world.jobs.keys().filter(|uid| !dead(uid)).count();
    assert_eq!(left, 0, "each of them was worked on");
}

#[test]
fn e_23_what_ended_keeps_no_job_of_its_poster_waiting() {
    // More than a poster's share; somebody else is always quicker, and nothing is final for long.
    let mut world = World::new(0);
    world.final_after = 1_000;
    flood(&mut world, 0..100, 1, 10);
    let mut known = std::collections::BTreeSet::new();
    for _ in 0..30 {
        look_without_content(&mut world);
        known.extend(world.core.jobs().map(|job| job.row.uid));
        let taken: Vec<JobUid> = world.core.jobs().filter(|job| !job.is_done()).map(|job| job.row.uid).collect();
        for uid in taken {
            world.jobs.get_mut(&uid).expect("it is there").status = JobStatus::Assigned;
        }
    }
    assert_eq!(known.len(), 100, "each was looked at in its turn, though the table has 32 places");
    assert_eq!(places(&world, 1), 32, "the last that ended stay, until somebody needs their places");
    flood(&mut world, 5_000..5_003, 2, 1);
    look_without_content(&mut world);
    assert_eq!(places(&world, 2), 3);
}

#[test]
fn e_23_a_full_table_is_shared_evenly_and_then_goes_to_those_who_pay() {
    let mut world = World::new(0);
    // Eight posters fill it.
    for poster in 0..8 {
        let first = u16::from(poster) * 100;
        flood(&mut world, first..first + 100, poster, 10);
    }
    look_without_content(&mut world);
    assert!((0..8).all(|poster| places(&world, poster) == 4));
    // A ninth is let in until all have about the same, at the lowest price.
    flood(&mut world, 900..1_000, 8, 1);
    for _ in 0..5 {
        look_without_content(&mut world);
    }
    let all: Vec<usize> = (0..9).map(|poster| places(&world, poster)).collect();
    assert!(all.iter().all(|places| (3..=4).contains(places)) && all.iter().sum::<usize>() == 32, "{all:?}");
    // Better pay gets the better jobs of a share in, and looking again changes nothing.
    flood(&mut world, 1_000..1_002, 0, 500);
    look_without_content(&mut world);
    let best = world.core.jobs().filter(|job| job.view.as_ref().is_some_and(|view| view.price == 500)).count();
    let before: Vec<JobUid> = world.core.jobs().map(|job| job.row.uid).collect();
    look_without_content(&mut world);
    let after: Vec<JobUid> = world.core.jobs().map(|job| job.row.uid).collect();
    assert_eq!((best, before), (2, after));
}

#[test]
fn long_jobs_are_taken_only_as_fast_as_they_can_run() {
    // Each may take 40 s, and as long again if its guest does not exit: the third would be too late. What has run already keeps
    // nobody waiting.
    for (runs_ahead, taken) in [(false, 2), (true, 4)] {
        let mut world = World::new(4);
        world.runs_ahead = runs_ahead;
        for job in world.jobs.values_mut() {
            job.limits.gas_limit = 10_000_000_000;
        }
        (0..20).for_each(|_| look_while_runs_last(&mut world));
        assert_eq!(world.accepted, taken);
    }
}

/// Looks once, after which everything comes to its end but runs.
fn look_while_runs_last(world: &mut World) {
    look_without_landing(world);
    world.land(0);
}

/// As [`look_while_runs_last`], and nothing lands either.
fn look_without_landing(world: &mut World) {
    world.slot += 1;
    world.step(Event::Polled(world.snapshot()));
    world.pending.retain(|event| !matches!(event, Event::Ran { .. }));
    while let Some(event) = world.pending.pop() {
        world.step(event);
        world.pending.retain(|event| !matches!(event, Event::Ran { .. }));
    }
}

/// Makes it one of three drawn seats, whose draw everybody wins.
fn draw_seats(job: &mut JobView) {
    (job.mode, job.redundancy, job.seats_wanted) = (Mode::Redundant, 3, 3);
    (job.draw.state, job.tickets_total) = (DrawState::Everybody, 1_000);
}

#[test]
fn providers_begin_with_other_jobs_of_one_seat_and_fill_several_seats_together() {
    let begun = |provider: u8, is_drawn: bool| {
        let settings = Settings { provider: Pubkey::new_from_array([provider; 32]), ..settings() };
        let mut world = World::with(Settings { preparations_max: 1, ..settings }, 12);
        // The last is the oldest.
        for (job, created_slot) in world.jobs.values_mut().zip((0..12).rev()) {
            job.created_slot = 160 + created_slot;
            if is_drawn {
                draw_seats(job);
            }
        }
        world.step(Event::Polled(world.snapshot()));
        let begun = world.core.jobs().find(|job| job.row.phase == Phase::Fetching);
        begun.map(|job| job.row.uid).expect("one is prepared")
    };
    let different = |is_drawn| (0..8).map(|provider| begun(provider, is_drawn)).collect::<BTreeSet<JobUid>>();
    assert!(different(false).len() >= 4, "{:?}", different(false));
    assert_eq!(different(true), BTreeSet::from([JobUid([12; 32])]), "the oldest");
}

#[test]
fn e_23_whoever_waited_longer_is_first_however_many_seats_a_job_has() {
    for old_is_drawn in [false, true] {
        let mut world = World::with(Settings { preparations_max: 1, ..settings() }, 2);
        for (job, created_slot) in world.jobs.values_mut().zip([1_000, 900]) {
            job.created_slot = created_slot;
        }
        let drawn = JobUid([if old_is_drawn { 2 } else { 1 }; 32]);
        draw_seats(world.jobs.get_mut(&drawn).expect("it is there"));
        world.step(Event::Polled(world.snapshot()));
        let phase = |uid: u8| world.core.job(JobUid([uid; 32])).expect("known").row.phase;
        assert_eq!((phase(1), phase(2)), (Phase::Seen, Phase::Fetching), "{old_is_drawn}");
    }
}

/// Everything that is waited for but the chain.
fn settle_down(world: &mut World) {
    while let Some(event) = world.pending.pop() {
        world.step(event);
    }
}

#[test]
fn e_10_nothing_is_begun_for_a_job_that_others_are_said_to_have_until_a_look_says_what_is_so() {
    let uid = JobUid([1; 32]);
    let taken = Event::SeatsTaken { uid };
    let look = |world: &mut World| world.step(Event::Polled(world.snapshot()));
    // Where it stands then, and how far what is going on goes on.
    let stages = [(Phase::Seen, Phase::Seen), (Phase::Fetching, Phase::Prepared), (Phase::Accepting, Phase::Prepared)];
    for ((before, after), is_true) in stages.into_iter().flat_map(|stage| [(stage, false), (stage, true)]) {
        let mut world = World::new(1);
        world.core.sandbox_fails = before == Phase::Seen;
        look(&mut world);
        while world.row(uid).phase != before {
            let event = world.pending.pop().expect("something goes on");
            world.step(event);
        }
        world.step(taken.clone());
        world.step(Event::SandboxWorks);
        settle_down(&mut world);
        // A look that may have begun before.
        world.slot += 1;
        look(&mut world);
        settle_down(&mut world);
        assert_eq!((world.row(uid).phase, world.signatures), (after, 0));
        if is_true {
            world.jobs.get_mut(&uid).expect("there").status = JobStatus::Assigned;
            world.slot += 1;
            look(&mut world);
            settle_down(&mut world);
            assert_eq!((world.row(uid).phase, world.signatures), (Phase::Dropped(DropReason::LostRace), 0));
        } else {
            world.run_to_the_end();
            assert_eq!((world.accepted, world.jobs.len()), (1, 0), "{before:?}");
        }
    }
}

#[test]
fn e_10_a_seat_that_was_signed_for_is_not_given_up_for_what_is_said_of_it() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    while world.live.is_empty() {
        look_without_landing(&mut world);
    }
    world.step(Event::SeatsTaken { uid });
    world.run_to_the_end();
    assert_eq!((world.accepted, world.jobs.len(), world.halted), (1, 0, false));
}

#[test]
fn what_a_preparation_ran_is_used_once() {
    let mut world = World::new(1);
    world.runs_ahead = true;
    let uid = JobUid([1; 32]);
    while world.core.job(uid).is_none_or(|job| job.row.phase != Phase::Running) {
        look_while_runs_last(&mut world);
    }
    assert!(world.core.jobs[&uid].has_run);
    let attempt = world.row(uid).run_attempts;
    let failed = WorkFault { kind: WorkFaultKind::Host, message: String::new() };
    world.step(Event::Ran { uid, attempt, result: Err(failed), salt: [0; 32] });
    assert!(!world.core.jobs[&uid].has_run, "another try takes a child, and its place among the runs");
}

#[test]
fn what_a_preparation_ran_is_not_counted_on_once_its_job_was_left() {
    let mut world = World::new(1);
    world.runs_ahead = true;
    let uid = JobUid([1; 32]);
    while world.live.is_empty() {
        look_without_landing(&mut world);
    }
    let open = world.jobs.clone();
    world.jobs.get_mut(&uid).expect("it is there").status = JobStatus::Assigned;
    look_without_landing(&mut world);
    assert_eq!(world.row(uid).phase, Phase::Dropped(DropReason::LostRace));
    // A fork takes it back, and our acceptance lands.
    world.jobs = open;
    world.land(0);
    world.step(Event::Polled(world.snapshot()));
    assert_eq!(world.row(uid).phase, Phase::Running);
    assert!(!world.core.jobs[&uid].has_run, "it takes a child, and its place among the runs");
}

#[test]
fn i_09_a_run_is_counted_on_with_its_repeat_and_with_what_comes_before_its_guest() {
    let gas_of_run = |engine, gas_limit| Settings { engine, gas_per_second: 1_000, ..settings() }.gas_of_run(gas_limit);
    // Gas limit, and what the reference burns meanwhile in the worst case.
    for (gas_limit, wasmi, auto, wasmtime) in
        [(1, 10_002, 10_004, 20_002), (4_000, 18_000, 26_000, 28_000), (1_000_000, 2_010_000, 2_020_000, 2_020_000)]
    {
        assert_eq!(gas_of_run(Engine::Wasmi, gas_limit), wasmi);
        assert_eq!(gas_of_run(Engine::Auto, gas_limit), auto);
        assert_eq!(gas_of_run(Engine::Wasmtime, gas_limit), wasmtime);
    }
    assert_eq!(gas_of_run(Engine::Auto, u64::MAX), u64::MAX);
}

#[test]
fn a_drain_takes_nothing_new_and_ends_when_nothing_is_owed() {
    let mut world = World::new(2);
    world.step(Event::Polled(world.snapshot()));
    world.step(Event::DrainRequested);
    assert!(world.core.is_drained());
    world.run_to_the_end();
    assert_eq!(world.signatures, 0);
}

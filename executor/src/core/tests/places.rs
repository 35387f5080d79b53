//! Which jobs get a place, and how many.

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

#[test]
fn e_23_a_thousand_jobs_are_taken_a_few_at_a_time() {
    let mut world = World::new(0);
    for number in 0_u16..1_000 {
        let mut job = view(0);
        let [low, high] = number.to_le_bytes();
        job.uid.0[..2].copy_from_slice(&[low, high]);
        job.uid.0[31] = 1;
        job.job = Pubkey::new_from_array(job.uid.0);
        world.jobs.insert(job.uid, job);
    }
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
fn long_jobs_are_taken_only_as_fast_as_they_can_run() {
    let mut world = World::new(4);
    for job in world.jobs.values_mut() {
        job.limits.gas_limit = 10_000_000_000;
    }
    for _ in 0..20 {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        // Nothing that runs comes to an end.
        world.pending.retain(|event| !matches!(event, Event::Ran { .. }));
        while let Some(event) = world.pending.pop() {
            world.step(event);
            world.pending.retain(|event| !matches!(event, Event::Ran { .. }));
        }
        world.land(0);
    }
    // 40 s for each: the third would wait for 40 s and need 40 s more.
    assert_eq!(world.accepted, 2);
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

//! A host on which no sandbox child can be started.

use super::{world::World, *};

/// Everything that needed a child finds that there is none. How many alerts that gave.
fn without_children(world: &mut World) -> usize {
    let no_child = || WorkFault { kind: WorkFaultKind::Sandbox, message: String::new() };
    let mut alerts = 0;
    for event in std::mem::take(&mut world.pending) {
        let event = match event {
            Event::Prepared { uid, attempt, .. } => Event::Prepared { uid, attempt, result: Err(no_child()) },
            Event::Ran { uid, attempt, salt, .. } => Event::Ran { uid, attempt, result: Err(no_child()), salt },
            other => other,
        };
        let actions = world.core.clone().step(event.clone(), world.now);
        alerts += actions.iter().filter(|action| matches!(action, Action::Alert(..))).count();
        world.step(event);
    }
    alerts
}

fn look(world: &mut World) {
    world.slot += 1;
    world.step(Event::Polled(world.snapshot()));
}

#[test]
fn e_24_without_a_sandbox_nothing_is_taken_and_no_job_is_blamed() {
    let mut world = World::new(2);
    for round in 0..20 {
        look(&mut world);
        let begun = world.pending.iter().filter(|event| matches!(event, Event::Prepared { .. })).count();
        assert_eq!(begun, 2, "round {round}");
        assert_eq!(without_children(&mut world), 1, "round {round}: one alert, however many jobs");
        // Looks are no reason to try again, and nothing is accepted.
        look(&mut world);
        assert!(world.pending.is_empty(), "round {round}: {:?}", world.pending);
        for job in world.core.jobs() {
            assert_eq!((job.row.phase, job.row.prepare_attempts), (Phase::Seen, 0), "round {round}");
        }
        world.step(Event::SandboxWorks);
    }
    assert_eq!(world.signatures, 0);
}

#[test]
fn e_24_a_seat_that_is_held_waits_for_the_sandbox_and_is_not_declined_for_it() {
    let mut world = World::new(1);
    let has_seat = |world: &World| world.core.jobs().any(|job| job.row.phase == Phase::Running);
    while !has_seat(&world) {
        look(&mut world);
        while let Some(event) = world.pending.iter().position(|event| !matches!(event, Event::Ran { .. })) {
            let event = world.pending.swap_remove(event);
            world.step(event);
        }
        world.land(0);
    }
    for round in 0..20 {
        assert_eq!(without_children(&mut world), 1, "round {round}");
        let row = &world.core.jobs().next().expect("the job").row;
        assert_eq!((row.phase, row.run_attempts), (Phase::Accepted, 0), "round {round}");
        look(&mut world);
        assert!(!has_seat(&world), "round {round}");
        world.step(Event::SandboxWorks);
        assert!(has_seat(&world), "round {round}");
    }
    assert_eq!(world.signatures, 1, "only the acceptance");
}

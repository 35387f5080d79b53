//! Stake that matured.

use super::{world::World, *};

/// The actions of a look that shows so many mature tickets, of forty that are enrolled.
fn looks(world: &mut World, tickets_mature: u32) -> Vec<Action> {
    let mut snapshot = world.snapshot();
    snapshot.provider.tickets_mature = tickets_mature;
    world.core.step(Event::Polled(snapshot), world.now)
}

#[test]
fn stake_that_matured_is_enrolled_once_a_minute_until_the_chain_shows_it() {
    let mut world = World::new(0);
    assert_eq!(looks(&mut world, 40), []);
    assert_eq!(looks(&mut world, 0), [], "not mature, or on duty");
    assert_eq!(looks(&mut world, 41), [Action::Enroll]);
    assert_eq!(looks(&mut world, 41), [], "on its way");
    world.now.monotonic_ms += 60_000;
    assert_eq!(looks(&mut world, 41), [Action::Enroll]);
}

#[test]
fn p_16_no_ticket_is_made_young_while_it_takes_a_seat() {
    let mut world = World::new(0);
    world.post_drawn(100);
    let uid = JobUid([100; 32]);
    for _ in 0..100 {
        if world.core.job(uid).is_some_and(|job| job.row.phase == Phase::Accepting) {
            break;
        }
        world.tick();
        world.step(Event::Polled(world.snapshot()));
    }
    assert_eq!(world.core.job(uid).map(|job| job.row.phase), Some(Phase::Accepting));
    assert!(!looks(&mut world, 41).contains(&Action::Enroll));
}

//! E-14: what happens when a transaction is not taken for its price.

use super::{world::World, *};

/// The steps of all transactions of this kind that may land.
fn live_steps(world: &World, uid: JobUid, kind: TxKind) -> Vec<u8> {
    world.row(uid).live_txs(kind).map(|tx| tx.fee_step).collect()
}

/// A world in which nothing of this kind lands any more, some patience later.
fn waits_for(world: &mut World, uid: JobUid, kind: TxKind) {
    for _ in 0..100 {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        if world.live.iter().any(|tx| (tx.0, tx.1) == (uid, kind)) {
            break;
        }
        world.land(0);
    }
    assert_eq!(live_steps(world, uid, kind), [0]);
    for _ in 0..20 {
        world.now.monotonic_ms += settings().fee_bump_ms / 2;
        world.step(Event::Tick);
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
    }
}

#[test]
fn e_14_e_04_a_submission_that_does_not_land_is_outbid_so_often_and_whichever_lands_settles_once() {
    for lands in 0..3 {
        let mut world = World::new(1);
        let uid = JobUid([1; 32]);
        waits_for(&mut world, uid, TxKind::Submit);
        assert_eq!(live_steps(&world, uid, TxKind::Submit), [0, 1, 2]);
        assert_eq!(world.signed, [(uid, OURS); 3], "all carry the one outcome");
        world.land(lands);
        world.run_to_the_end();
        assert_eq!((world.signed.len(), world.jobs.len(), world.paid, world.halted), (3, 0, 1, false));
    }
}

#[test]
fn e_14_what_was_outbid_may_land_after_a_restart_too() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    waits_for(&mut world, uid, TxKind::Submit);
    world.live.clear();
    world.die_and_restart();
    assert_eq!(world.live.len(), 3, "all of them are followed again");
    world.run_to_the_end();
    assert_eq!((world.signed.len(), world.jobs.len(), world.paid), (3, 0, 1));
}

#[test]
fn e_14_nobody_is_outbid_for_more_than_a_transaction_is_worth() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    // With its bond, 110 lamports: that buys one step, and not the whole of it.
    world.jobs.get_mut(&uid).expect("there").base_fee_lamports = 10;
    waits_for(&mut world, uid, TxKind::Submit);
    assert_eq!(live_steps(&world, uid, TxKind::Submit), [0, 1]);
    let job = world.core.job(uid).expect("known");
    assert_eq!([0, 1, 2].map(|step| job.fee_price(&FeeLadder::DEFAULT, TxKind::Submit, step)), [0, 2_750, 2_750]);
}

#[test]
fn e_14_an_acceptance_is_not_outbid_and_the_next_one_after_its_death_is_dearer() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    waits_for(&mut world, uid, TxKind::Accept);
    assert_eq!(live_steps(&world, uid, TxKind::Accept), [0], "a second one could take a seat that was given back");
    for steps in [[1], [2]] {
        world.slot += 40;
        world.bury();
        for _ in 0..3 {
            world.tick();
            world.step(Event::Tick);
        }
        assert_eq!(live_steps(&world, uid, TxKind::Accept), steps);
    }
    world.run_to_the_end();
    assert_eq!((world.accepted, world.paid, world.jobs.len()), (1, 1, 0));
}

#[test]
fn e_04_a_seat_that_is_free_in_another_attempt_is_not_kept_waiting_by_an_acceptance_that_lost_the_race() {
    // A race is lost in each of them; the first attempt's acceptance may still land in all.
    for attempts in [&[0][..], &[1], &[1, 2], &[1, 2, 3, 4, 5, 6, 7, 8]] {
        let mut world = World::new(1);
        let uid = JobUid([1; 32]);
        waits_for(&mut world, uid, TxKind::Accept);
        let see = |world: &mut World, status, attempt| {
            let job = world.jobs.get_mut(&uid).expect("there");
            (job.status, job.attempt) = (status, attempt);
            world.slot += 1;
            world.step(Event::Polled(world.snapshot()));
            while let Some(event) = world.pending.pop() {
                world.step(event);
            }
        };
        let mut signed = 1;
        for attempt in attempts.iter().copied() {
            see(&mut world, JobStatus::Assigned, attempt);
            (0..10).for_each(|_| see(&mut world, JobStatus::Open, attempt));
            signed += usize::from(attempt > 0);
            assert_eq!(world.row(uid).live_txs(TxKind::Accept).count(), signed, "attempt {attempt} of {attempts:?}");
        }
        world.run_to_the_end();
        world.assert_promises();
        assert_eq!((world.accepted, world.jobs.len(), world.paid, world.halted), (1, 0, 1, false));
    }
}

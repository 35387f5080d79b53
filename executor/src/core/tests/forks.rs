//! What a fork takes back, and what an old look says.

use super::{world::World, *};

#[test]
fn e_12_an_acceptance_that_was_rolled_back_is_sent_again_as_the_same_bytes() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    while world.accepted == 0 {
        world.slot += 1;
        let snapshot = world.snapshot();
        world.step(Event::Polled(snapshot));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        world.land(0);
    }
    while let Some(event) = world.pending.pop() {
        world.step(event);
    }
    let signature = world.row(uid).tx(TxKind::Accept).expect("accepted").signature;
    world.live.clear();
    world.fates.clear();
    world.slot += 1;
    world.jobs.insert(uid, view(1));
    world.step(Event::Polled(world.snapshot()));
    assert_eq!(world.row(uid).phase, Phase::Accepting);
    assert_eq!(
        world.live.iter().map(|(_, kind, bytes)| (*kind, Some(*bytes))).collect::<Vec<_>>(),
        vec![(TxKind::Accept, signature)]
    );
}

#[test]
fn e_12_any_one_change_that_a_fork_takes_back_is_made_again() {
    // However far the job is: the chain takes its last changes back, the bot looks, and everything goes on.
    for rounds in 1..40 {
        for depth in 0..3 {
            let mut world = World::new(1);
            for round in 0..rounds {
                world.slot += 1;
                world.now.chain_unix += 1;
                world.now.monotonic_ms += 31_000;
                while let Some(event) = world.pending.pop() {
                    world.step(event);
                }
                world.land(round);
                world.step(Event::Polled(world.snapshot()));
            }
            world.fork(depth);
            world.step(Event::Polled(world.snapshot()));
            world.run_to_the_end();
            world.assert_promises();
            assert!(!world.halted && world.jobs.is_empty(), "{rounds} rounds, depth {depth}");
            assert!(world.signed.len() <= 2, "the same bytes are sent again");
        }
    }
}

#[test]
fn e_08_what_an_older_slot_says_changes_nothing() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    let old = world.snapshot();
    while world.jobs[&uid].status != JobStatus::Assigned {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        world.land(0);
    }
    while let Some(event) = world.pending.pop() {
        world.step(event);
    }
    let before = world.row(uid).phase;
    let signatures = world.signatures;
    world.step(Event::Polled(old));
    assert_eq!((world.row(uid).phase, world.signatures), (before, signatures));
}

#[test]
fn e_18_a_result_that_the_journal_does_not_know_stops_the_process() {
    for seat in [Seat::Accepted, Seat::Submitted(OURS)] {
        let mut world = World::new(1);
        let job = world.jobs.get_mut(&JobUid([1; 32])).expect("there");
        (job.status, job.seat) = (JobStatus::Assigned, Some(seat));
        world.step(Event::Polled(world.snapshot()));
        assert!(world.halted, "{seat:?}");
    }
}

/// Plays a job to its end and past it, keeping every look.
fn paid(final_after: u64) -> (World, Vec<Snapshot>) {
    let mut world = World::new(1);
    world.final_after = final_after;
    let mut looks = Vec::new();
    while world.paid == 0 {
        world.tick();
        world.land(0);
        looks.push(world.snapshot());
        world.step(Event::Polled(world.snapshot()));
    }
    world.tick();
    (world, looks)
}

#[test]
fn e_12_a_job_is_forgotten_only_when_the_finalised_chain_says_that_it_is_over() {
    let (mut world, _) = paid(6);
    let uid = JobUid([1; 32]);
    assert_eq!((world.row(uid).phase, world.jobs.len()), (Phase::Claimed, 0));
    // Again and again a fork opens it, and it is closed before the next look: each look finds it closed.
    for _ in 0..5 {
        world.fork(1);
        assert_eq!(world.jobs.len(), 1);
        world.land(0);
        world.land(0);
        world.step(Event::Polled(world.snapshot()));
        assert_eq!((world.jobs.len(), world.rows.len()), (0, 1));
    }
    world.run_to_the_end();
    assert!(world.rows.is_empty() && !world.halted);
}

#[test]
fn e_08_after_a_restart_a_node_that_lags_is_ignored() {
    let (mut world, looks) = paid(2);
    for _ in 0..10 {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
    }
    assert!(world.rows.is_empty());
    for look in looks {
        world.die_and_restart();
        world.step(Event::Polled(look));
        assert!(!world.halted && world.core.jobs().next().is_none());
    }
    world.die_and_restart();
    world.slot += 1;
    world.step(Event::Polled(world.snapshot()));
    assert!(world.core.provider().is_some(), "a newer look counts");
}

/// The finalised chain was seen at a higher slot than the look, by way of another node.
#[test]
fn e_08_what_the_finalised_chain_said_outlasts_every_older_look() {
    let (mut world, looks) = paid(2);
    let held = looks.iter().find(|look| look.jobs[0].seat == Some(Seat::Accepted)).expect("held once").clone();
    let rows: Vec<JobRow> = world.rows.values().cloned().collect();
    let uid = rows[0].uid;
    let (core, _) = Core::restore(settings(), rows, held.slot - 1);
    world.core = core;
    let over = Finalized { slot: held.slot + 10, over: vec![uid] };
    let gone = |slot| Snapshot {
        slot,
        finalized: None,
        provider: provider(),
        jobs: Vec::new(),
        gone: vec![uid],
        seeds: BTreeMap::new(),
    };
    world.step(Event::Polled(Snapshot { finalized: Some(over), ..gone(held.slot - 1) }));
    assert!(world.core.job(uid).is_none() && world.seen_slot >= held.slot + 10);
    world.step(Event::Polled(held));
    assert!(!world.halted && world.core.jobs().next().is_none());
}

/// A first acceptance failed on a fork that was given up and lands after all, while the second was journaled and never
/// signed.
#[test]
fn e_12_a_seat_is_known_by_every_acceptance_that_was_ever_signed() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    while world.live.is_empty() {
        world.tick();
        world.step(Event::Polled(world.snapshot()));
    }
    let (_, kind, signature) = world.live[0];
    let fate = TxFate::Failed { slot: world.slot, message: "the job is not open".into() };
    world.step(Event::TxResolved { uid, kind, signature, fate });
    world.now.monotonic_ms += 31_000;
    world.step(Event::Tick);
    let built = world.pending.pop().expect("a second acceptance");
    // It is journaled, and the process dies before it is signed.
    world.dies_after = Some(1);
    world.step(built);
    assert_eq!((world.signatures, world.rows[&uid].txs.len()), (1, 1));
    world.land(0);
    world.step(Event::Polled(world.snapshot()));
    assert_eq!((world.halted, world.jobs[&uid].seat), (false, Some(Seat::Accepted)));
    world.run_to_the_end();
    assert!(!world.halted && world.jobs.is_empty());
}

/// A decline stands, and so does another acceptance that landed after it: the seat is held, and the old decline cannot
/// land again.
#[test]
fn e_12_a_decline_that_was_undone_for_good_is_signed_anew() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    for _ in 0..200 {
        world.slot += 1;
        world.now.monotonic_ms += 31_000;
        world.step(Event::Polled(world.snapshot()));
        while let Some(mut event) = world.pending.pop() {
            if let Event::Ran { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Host, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
    }
    assert_eq!(world.row(uid).phase, Phase::Dropped(DropReason::Declined));
    world.slot += 1;
    let job = world.jobs.get_mut(&uid).expect("there");
    (job.status, job.seat) = (JobStatus::Assigned, Some(Seat::Accepted));
    job.execution_deadline_unix = world.now.chain_unix + 1_000;
    world.run_to_the_end();
    assert_eq!((world.jobs[&uid].status, world.jobs[&uid].seat), (JobStatus::Open, None));
}

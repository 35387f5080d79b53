//! The life of a job, and what goes wrong in it.

use super::{world::World, *};

#[test]
fn a_quiet_world_pays_every_job_once() {
    let mut world = World::new(3);
    world.run_to_the_end();
    assert_eq!((world.accepted, world.jobs.len(), world.earnings), (3, 0, 0));
    assert_eq!(world.claims_refused, 0, "what was claimed is not claimed again");
    assert!(world.paid >= 1 && world.rows.is_empty() && world.core.jobs().next().is_none());
}

/// `claim_reward` is permissionless: whoever sent it, nothing is left to claim.
#[test]
fn a_claim_that_somebody_else_made_is_not_tried_to_the_end() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    while world.core.job(uid).is_none_or(|job| job.row.phase != Phase::Claiming) {
        world.slot += 1;
        world.now.chain_unix += 1;
        world.step(Event::Polled(world.snapshot()));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        world.land(0);
    }
    world.earnings = 0;
    world.run_to_the_end();
    assert!(world.claims_refused <= 1 && world.core.jobs().next().is_none(), "{}", world.claims_refused);
}

#[test]
fn a_job_that_others_took_and_gave_back_is_taken_as_if_it_were_new() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    // More often than a preparation may fail.
    for _ in 0..2 * settings().prepare_attempts_max {
        for status in [JobStatus::Assigned, JobStatus::Open] {
            world.slot += 1;
            world.step(Event::Polled(world.snapshot()));
            while let Some(event) = world.pending.pop() {
                world.step(event);
            }
            let job = world.jobs.get_mut(&uid).expect("there");
            job.status = status;
        }
        assert_eq!(world.row(uid).phase, Phase::Dropped(DropReason::LostRace));
    }
    world.run_to_the_end();
    assert_eq!((world.accepted, world.jobs.len(), world.halted), (1, 0, false));
}

#[test]
fn e_05_a_submission_that_landed_unseen_counts_and_is_not_signed_again() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    while world.jobs[&uid].status != JobStatus::Submitted {
        world.slot += 1;
        world.step(Event::Polled(world.snapshot()));
        while let Some(event) = world.pending.pop() {
            world.step(event);
        }
        world.land(0);
    }
    // The answer to the submission is lost; the same bytes, sent again, are refused by the program.
    world.pending.clear();
    let signature = world.row(uid).tx(TxKind::Submit).expect("submitted").signature.expect("signed");
    let fate = TxFate::Failed { slot: world.slot, message: "the job is not assigned".into() };
    world.step(Event::TxResolved { uid, kind: TxKind::Submit, signature, fate });
    world.step(Event::Polled(world.snapshot()));
    assert_eq!(world.signed.len(), 1);
    world.run_to_the_end();
    assert_eq!((world.signed.len(), world.halted, world.jobs.len()), (1, false, 0));
}

#[test]
fn e_06_a_second_outcome_halts_the_job_and_signs_nothing() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    let mut row = JobRow::new(uid, Pubkey::new_from_array([1; 32]), 1);
    row.phase = Phase::Running;
    row.run_attempts = 1;
    row.outcome = Some(OURS);
    world.rows.insert(uid, row);
    world.jobs.get_mut(&uid).expect("there").seat = Some(Seat::Accepted);
    world.jobs.get_mut(&uid).expect("there").status = JobStatus::Assigned;
    world.die_and_restart();
    world.step(Event::Polled(world.snapshot()));
    let attempt = world.row(uid).run_attempts;
    world.step(Event::Ran { uid, attempt, result: Ok([9; 79]), salt: [0; 32] });
    assert_eq!(world.row(uid).phase, Phase::Halted);
    world.run_to_the_end();
    assert!(world.signed.is_empty());
}

#[test]
fn e_24_a_job_that_crashes_every_child_is_given_back() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    for _ in 0..200 {
        world.slot += 1;
        world.now.monotonic_ms += 31_000;
        let snapshot = world.snapshot();
        world.step(Event::Polled(snapshot));
        while let Some(mut event) = world.pending.pop() {
            if let Event::Ran { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Host, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
    }
    assert_eq!(world.row(uid).phase, Phase::Dropped(DropReason::Declined));
    assert_eq!((world.row(uid).run_attempts, world.jobs[&uid].status), (3, JobStatus::Open));
}

#[test]
fn c_16_a_job_whose_content_is_lost_after_acceptance_is_given_back_before_its_deadline() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    for _ in 0..200 {
        world.slot += 1;
        world.now.monotonic_ms += 1_000;
        if world.accepted > 0 {
            world.now.chain_unix += 1;
        }
        world.step(Event::Polled(world.snapshot()));
        while let Some(mut event) = world.pending.pop() {
            if let Event::Ran { result, .. } = &mut event {
                *result = Err(WorkFault { kind: WorkFaultKind::Content, message: String::new() });
            }
            world.step(event);
        }
        world.land(0);
        if world.accepted > 0 && world.jobs[&uid].seat.is_none() {
            break;
        }
    }
    let job = &world.jobs[&uid];
    assert_eq!((job.status, job.seat, world.signed.len()), (JobStatus::Open, None, 0));
    assert!(world.now.chain_unix < 100 + 60, "given back at {}", world.now.chain_unix);
}

#[test]
fn m_08_a_module_is_compiled_ahead_once_its_job_is_runnable_and_if_no_guest_runs() {
    let (uid, other) = (JobUid([1; 32]), JobUid([2; 32]));
    for (result, other_phase, warms) in [
        (Preparation::Runnable, Phase::Fetching, true),
        (Preparation::Runnable, Phase::Running, false),
        (Preparation::Ran, Phase::Fetching, false),
        (Preparation::Invalid, Phase::Fetching, false),
    ] {
        let mut world = World::new(2);
        world.step(Event::Polled(world.snapshot()));
        world.core.jobs.get_mut(&other).expect("seen").row.phase = other_phase;
        let prepared = Event::Prepared { uid, attempt: world.row(uid).prepare_attempts, result: Ok(result) };
        let actions = world.core.step(prepared, world.now);
        assert_eq!(actions.contains(&Action::Warm(uid)), warms, "{result:?} {other_phase:?}");
        assert!(!actions.contains(&Action::Warm(other)));
    }
}

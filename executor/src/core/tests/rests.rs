//! Jobs that nothing is scheduled for: nothing would come of it.

use super::{
    world::{World, phase_is},
    *,
};

const UID: JobUid = JobUid([1; 32]);

impl World {
    /// Looking at every job gives what looking at those gives that do not rest, now and after every deadline.
    pub(super) fn assert_rest(&self) {
        if !self.core.jobs().any(Job::rests) {
            return;
        }
        for later_s in [0_u32, 10_000_000] {
            let now = Now {
                chain_unix: self.now.chain_unix + i64::from(later_s),
                monotonic_ms: self.now.monotonic_ms + 1_000 * u64::from(later_s),
            };
            let (mut some, mut all) = (self.core.clone(), self.core.clone());
            let (mut of_some, mut of_all) = (Vec::new(), Vec::new());
            some.schedule(None, now, &mut of_some);
            all.search_juries();
            all.search_tickets(now);
            all.schedule_jobs(|_| true, now, &mut of_all);
            assert_eq!(of_some, of_all);
            assert!(some.jobs().map(|job| &job.row).eq(all.jobs().map(|job| &job.row)));
        }
    }
}

impl World {
    /// What an event does after which one job is looked at, and those that wait for others, is what it does after which all
    /// are.
    pub(super) fn assert_moves(&self, event: &Event) {
        let mut some = self.core.clone();
        // What is due by now, and what the last death kept from being done, one step after the other.
        let is_quiet = |core: &mut Core| core.step(Event::Tick, self.now).is_empty();
        assert!((0..10).any(|_| is_quiet(&mut some)), "nothing ends");
        let mut all = some.clone();
        let of_some = some.step(event.clone(), self.now);
        assert_eq!(of_some, all.step_about(event.clone(), None, self.now), "{event:?}");
        assert!(some.jobs().map(|job| &job.row).eq(all.jobs().map(|job| &job.row)), "{event:?}");
    }
}

/// A look, and everything that follows from it without the chain.
fn look(world: &mut World) {
    world.slot += 1;
    world.step(Event::Polled(world.snapshot()));
    while let Some(event) = world.pending.pop() {
        world.step(event);
    }
    world.assert_rest();
}

fn rests(world: &World) -> bool {
    world.core.job(UID).expect("known").rests()
}

#[test]
fn a_job_that_others_have_rests_once_nothing_of_ours_can_land_and_until_it_can_be_had_again() {
    let mut world = World::new(1);
    let set = |world: &mut World, status| world.jobs.get_mut(&UID).expect("there").status = status;
    look(&mut world);
    assert!(!rests(&world), "it is being accepted");
    set(&mut world, JobStatus::Assigned);
    look(&mut world);
    assert_eq!(world.row(UID).phase, Phase::Dropped(DropReason::LostRace));
    assert!(!rests(&world), "its acceptance may land");
    world.land(0);
    look(&mut world);
    assert!(rests(&world));
    set(&mut world, JobStatus::Open);
    look(&mut world);
    assert!(!rests(&world), "it can be had");
    world.run_to_the_end();
    assert_eq!((world.accepted, world.jobs.len()), (1, 0));
}

#[test]
fn a_job_that_was_paid_and_is_gone_rests_until_that_is_final_and_is_then_forgotten() {
    let mut world = World::new(1);
    world.final_after = 50;
    world.until(UID, |_| (), phase_is(UID, Phase::Claimed));
    while !rests(&world) {
        look(&mut world);
        world.land(0);
    }
    assert_eq!((world.row(UID).phase, world.jobs.len()), (Phase::Claimed, 0));
    for _ in 0..world.final_after {
        look(&mut world);
    }
    assert!(world.core.job(UID).is_none(), "{:?}", world.core.job(UID));
}

/// A job that others have.
fn lost() -> Job {
    let mut job = Job::new(JobRow::new(UID, Pubkey::default(), 1));
    job.row.phase = Phase::Dropped(DropReason::LostRace);
    job.view = Some(JobView { status: JobStatus::Assigned, ..view(1) });
    job
}

fn settles(state: TxState) -> TxRecord {
    let (kind, signature) = (TxKind::Settle, Some([1; 64]));
    TxRecord { kind, message: Vec::new(), signature, last_valid_block_height: 1, fee_step: 0, state }
}

#[test]
fn no_job_rests_with_a_part_of_ours_in_it_or_anything_on_its_way() {
    assert!(lost().rests());
    let change = |change: fn(&mut Job)| {
        let mut job = lost();
        change(&mut job);
        job.rests()
    };
    // What was only looked at, or is over and done with.
    let resting: [fn(&mut Job); 6] = [
        |job| job.view = None,
        |job| job.row.phase = Phase::Dropped(DropReason::Policy),
        |job| job.row.txs = vec![settles(TxState::Landed(1)), settles(TxState::Dead)],
        |job| job.row.spent = Some(Spent::default()),
        |job| job.is_gone = true,
        |job| (job.row.phase, job.is_gone) = (Phase::Claimed, true),
    ];
    for (number, rests) in resting.into_iter().map(change).enumerate() {
        assert!(rests, "{number}");
    }
    let live: [fn(&mut Job); 14] = [
        |job| job.row.phase = Phase::Seen,
        |job| job.row.phase = Phase::Settled,
        |job| job.row.phase = Phase::Halted,
        |job| job.row.phase = Phase::Claimed,
        |job| job.row.role = Role::Judge,
        |job| job.row.role = Role::Watch,
        |job| job.row.excused = Some(0),
        |job| job.row.appeal = Some(0),
        |job| job.row.challenge = Some(ChallengeRow { salt: [1; 32] }),
        |job| job.row.txs = vec![settles(TxState::Landed(1)), settles(TxState::Live)],
        |job| job.building = Some(TxKind::Settle),
        |job| job.is_over = true,
        |job| job.view.as_mut().expect("seen").seat = Some(Seat::Missed),
        |job| {
            let mut world = World::new(0);
            world.post_dispute(1, OURS);
            job.view = world.jobs.remove(&UID);
        },
    ];
    for (number, rests) in live.into_iter().map(change).enumerate() {
        assert!(!rests, "{number}");
    }
}

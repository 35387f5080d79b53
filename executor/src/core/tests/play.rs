//! Random plays: whatever the order, the promises hold and everything ends.

use proptest::prelude::*;

use super::{world::World, *};

#[derive(Clone, Debug)]
enum Chance {
    Deliver(usize),
    /// So many of what is on its way, and perhaps a look, before anything that they ask for is done.
    DeliverTogether(usize, bool),
    DeliverTwice(usize),
    Lose(usize),
    Land(usize),
    Bury,
    Poll,
    PollNarrow,
    PollOld(usize),
    Glance(usize),
    Fork(usize),
    Restart,
    /// The process dies after so many actions.
    Die(usize),
    Wait(u8),
    WrongOutcome(usize),
    Fault(usize),
    Cancel(usize),
    Steal(usize),
    /// Word that others have all the seats, whether they do or not.
    Hint(usize),
    Expire(usize),
    /// Somebody else with a seat in a job with several, or somebody who wants one.
    Others(usize),
    Long(u8),
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let chance = prop_oneof![
        8 => any::<usize>().prop_map(Chance::Deliver),
        4 => (2_usize..6, any::<bool>()).prop_map(|(count, looks)| Chance::DeliverTogether(count, looks)),
        2 => any::<usize>().prop_map(Chance::DeliverTwice),
        1 => any::<usize>().prop_map(Chance::Lose),
        6 => any::<usize>().prop_map(Chance::Land),
        1 => Just(Chance::Bury),
        6 => Just(Chance::Poll),
        4 => Just(Chance::PollNarrow),
        2 => any::<usize>().prop_map(Chance::PollOld),
        2 => any::<usize>().prop_map(Chance::Glance),
        2 => (0_usize..8).prop_map(Chance::Fork),
        1 => Just(Chance::Restart),
        1 => (0_usize..6).prop_map(Chance::Die),
        2 => any::<u8>().prop_map(Chance::Wait),
        1 => any::<usize>().prop_map(Chance::WrongOutcome),
        1 => any::<usize>().prop_map(Chance::Fault),
        1 => any::<usize>().prop_map(Chance::Cancel),
        1 => any::<usize>().prop_map(Chance::Steal),
        2 => any::<usize>().prop_map(Chance::Hint),
        1 => any::<usize>().prop_map(Chance::Expire),
        6 => any::<usize>().prop_map(Chance::Others),
        1 => any::<u8>().prop_map(Chance::Long),
    ];
    prop::collection::vec(chance, 0..160)
}

/// What polling shows.
fn look(world: &mut World, chance: &Chance, old: &mut Vec<Snapshot>) {
    let snapshot = match *chance {
        Chance::Poll => {
            old.push(world.snapshot());
            world.snapshot()
        }
        Chance::PollNarrow => world.narrow(),
        // E-08: a node that lags, or that followed a fork which was given up; any number of slots back.
        Chance::PollOld(index) if !old.is_empty() => {
            let snapshot = old[index % old.len()].clone();
            // Every other time, another node answers for the finalised chain.
            let finalized = if index & 1 == 0 { snapshot.finalized.clone() } else { Some(world.finalized()) };
            Snapshot { finalized, ..snapshot }
        }
        Chance::Glance(index) => world.glance(index),
        _ => return,
    };
    world.step(Event::Polled(snapshot));
}

fn play(world: &mut World, chance: Chance, old: &mut Vec<Snapshot>) {
    let count = world.pending.len();
    look(world, &chance, old);
    match chance {
        Chance::Deliver(index) if count > 0 => {
            let event = world.pending.swap_remove(index % count);
            world.step(event);
        }
        Chance::DeliverTogether(together, looks) => {
            let mut events = world.pending.split_off(count.saturating_sub(together));
            if looks {
                events.insert(events.len() / 2, Event::Polled(world.snapshot()));
            }
            world.step_together(events);
        }
        Chance::DeliverTwice(index) if count > 0 => {
            let event = world.pending[index % count].clone();
            world.step(event);
        }
        // Only what a crash could lose: work. A lost fate is found again by the sender.
        Chance::Lose(index) if count > 0 => {
            if matches!(world.pending[index % count], Event::TxBuilt { .. }) {
                let Event::TxBuilt { uid, kind, .. } = world.pending.swap_remove(index % count) else { return };
                world.step(Event::TxNotBuilt { uid, kind });
            }
        }
        Chance::Land(index) => world.land(index),
        Chance::Bury => world.bury(),
        Chance::Fork(depth) => world.fork(depth),
        Chance::Restart => world.die_and_restart(),
        Chance::Die(actions) => world.dies_after = Some(actions),
        Chance::Wait(amount) => {
            world.now.monotonic_ms += u64::from(amount) * 20;
            world.now.chain_unix += i64::from(amount % 4);
            world.slot += u64::from(amount % 4);
            world.step(Event::Tick);
        }
        Chance::WrongOutcome(index) if count > 0 => {
            if let Event::Ran { result: result @ Ok(_), .. } = &mut world.pending[index % count] {
                *result = Ok([4; 79]);
            }
        }
        Chance::Fault(index) if count > 0 => {
            let fault = WorkFault { kind: WorkFaultKind::Host, message: String::new() };
            if let Event::Ran { result, .. } = &mut world.pending[index % count] {
                *result = Err(fault);
            }
        }
        // E-13, P-06: what others do meanwhile.
        Chance::Cancel(index) => world.meanwhile(index, (JobStatus::Open, None), (JobStatus::Cancelled, None)),
        Chance::Others(index) => world.others_and_court_move(index),
        Chance::Long(amount) => world.pass(amount),
        Chance::Steal(index) => world.meanwhile(index, (JobStatus::Open, None), (JobStatus::Assigned, None)),
        Chance::Hint(index) => {
            let known = world.jobs.keys().nth(index % world.jobs.len().max(1)).copied();
            // Or one that nobody knows.
            world.step(Event::SeatsTaken { uid: known.unwrap_or(JobUid([0xff; 32])) });
        }
        Chance::Expire(index) => {
            let missed = (JobStatus::Expired, Some(Seat::Missed));
            world.meanwhile(index, (JobStatus::Assigned, Some(Seat::Accepted)), missed);
        }
        _ => {}
    }
}

/// Plays of one test run; `PROPTEST_CASES` sets another number.
const CASES: u32 = 300;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn e_08_e_11_e_12_i_07_whatever_the_order_one_outcome_is_signed_and_everything_ends(
        jobs in 0_u8..4,
        drawn in 0_u8..3,
        adaptive in 0_u8..3,
        audits in any::<bool>(),
        disputed in 0_u8..3,
        watched in 0_u8..3,
        verdict in prop_oneof![4 => Just(Some(OURS)), 1 => Just(Some(court::WRONG)), 1 => Just(None)],
        is_juror in any::<bool>(),
        absent in 0_u8..3,
        final_after in prop_oneof![Just(3_u64), 4_u64..40],
        chances in chances(),
    ) {
        let mut settings = settings();
        settings.watch.sample = 1 << 32;
        let mut world = World::with(settings, jobs);
        (world.verdict, world.absent) = (verdict, absent);
        if is_juror {
            world.enlist();
        }
        (150..150 + disputed).for_each(|byte| world.post_dispute(byte, court::WRONG));
        (160..160 + watched).for_each(|byte| world.post_result(byte, if byte == 161 { OURS } else { court::WRONG }));
        (100..100 + drawn).for_each(|byte| world.post_drawn(byte));
        (world.streak, world.audits) = (10, audits);
        (110..110 + adaptive).for_each(|byte| world.post_adaptive(byte));
        world.final_after = final_after;
        let mut old = Vec::new();
        for chance in chances {
            play(&mut world, chance, &mut old);
            world.assert_promises();
            world.assert_rest();
        }
        prop_assert!(!world.halted, "no seat is unknown to its own journal");
        world.run_to_the_end();
        world.assert_promises();
        prop_assert!(!world.halted);
        let unfinished: Vec<_> = world.core.jobs().map(|job| (job.row.phase, job.row.tx_failures, world.jobs.get(&job.row.uid).map(|job| (job.status, job.seat)), job.row.txs.clone())).collect();
        let rests = |job: &Job| match job.row.phase {
            Phase::Dropped(_) | Phase::Halted => true,
            Phase::Claimed => job.row.spent.is_some(),
            _ => false,
        };
        let ended = world.core.jobs().all(rests);
        prop_assert!(ended, "{unfinished:?}");
        // I-12: what was accepted was finished or given back.
        let held = world.jobs.values().filter(|job| job.seat.is_some()).map(|job| job.uid);
        let all_halted = held.clone().all(|uid| world.core.job(uid).is_some_and(|job| job.row.phase == Phase::Halted));
        prop_assert!(all_halted, "{:?} {unfinished:?}", held.collect::<Vec<_>>());
    }
}

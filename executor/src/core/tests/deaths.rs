//! Deaths: whatever action of a story the process dies after, once or twice, with what it had sent or without, the story ends as if
//! it had not: the same was said, paid, won and lost (E-01, I-07, I-11). Every journal write, every signature and every sending is an
//! action, and so is what is done between them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    court::{FIRST, WRONG},
    world::{World, code},
    *,
};

/// A course of events.
struct Story {
    new: fn() -> World,
    /// What others do about it, before anything else happens.
    meanwhile: fn(&mut World),
    /// Actions that it takes at least, for the story to be what its name says.
    actions_min: usize,
}

/// What a story comes to, on chain and in the journal.
#[derive(Debug, PartialEq, Eq)]
struct End {
    /// Jobs that are not closed, and rows that are not forgotten.
    jobs: Vec<JobUid>,
    rows: BTreeMap<JobUid, Kept>,
    /// Every outcome that was signed.
    signed: BTreeSet<(JobUid, OutcomeBytes)>,
    /// How often each kind of transaction that pays or says something landed.
    landed: BTreeMap<(JobUid, u8), usize>,
    accepted: u32,
    paid: u32,
    revealed: u32,
    appealed: u32,
    won: u32,
    halted: bool,
}

/// What of a row is kept for good.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    phase: Phase,
    outcome: Option<OutcomeBytes>,
    ballots: Vec<Option<OutcomeBytes>>,
    bonds_lamports: Option<u64>,
}

impl End {
    fn of(world: &World) -> Self {
        let kept = |row: &JobRow| Kept {
            phase: row.phase,
            outcome: row.outcome,
            ballots: row.ballots.iter().map(|ballot| ballot.as_ref().map(|ballot| ballot.ballot)).collect(),
            bonds_lamports: row.spent.map(|spent| spent.bonds_lamports),
        };
        let mut landed = BTreeMap::new();
        for (signature, fate) in &world.fates {
            let [kind, uid, ..] = world.messages[signature][..] else { panic!("a message begins with kind and job") };
            if says_outcome(kind) && matches!(fate, TxFate::Landed { .. }) {
                *landed.entry((JobUid([uid; 32]), kind)).or_default() += 1;
            }
        }
        Self {
            jobs: world.jobs.keys().copied().collect(),
            rows: world.rows.iter().map(|(uid, row)| (*uid, kept(row))).collect(),
            signed: world.signed.iter().copied().collect(),
            landed,
            accepted: world.accepted,
            paid: world.paid,
            revealed: world.revealed,
            appealed: world.appealed,
            won: world.won,
            halted: world.halted,
        }
    }
}

fn says_outcome(kind: u8) -> bool {
    TxKind::ALL.iter().any(|other| code(*other) == kind && other.says_outcome())
}

/// Whatever was signed anew says, hides or opens the same bytes: no second salt, no second ballot.
fn assert_of_one_mind(world: &World) {
    let mut said: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    for message in world.messages.values().filter(|message| says_outcome(message[0])) {
        // Behind kind and job a number that no other message has.
        let (of, bytes) = (&message[..2], &message[10..]);
        assert_eq!(*said.entry(of).or_insert(bytes), bytes, "I-07: {of:?} was signed with other bytes");
    }
}

impl Story {
    /// To its end, with these deaths, if it takes so many actions; whether it did.
    fn play(&self, (after, again): (Option<usize>, Option<usize>), is_sent_lost: bool) -> (End, bool) {
        let mut world = (self.new)();
        (world.dies_after, world.dies_again, world.is_sent_lost) = (after, again, is_sent_lost);
        world.run_to_the_end_while(self.meanwhile);
        world.assert_promises();
        assert_of_one_mind(&world);
        (End::of(&world), world.dies_after.is_none())
    }

    /// Once after each action, and twice with so many between, whatever becomes of what was sent.
    fn ends_the_same_whenever_it_dies(&self) -> End {
        let (clean, _) = self.play((None, None), false);
        assert!(!clean.halted, "{clean:?}");
        for after in 0.. {
            let mut has_died = false;
            // The second death comes anywhere behind the first one.
            for (again, is_sent_lost) in [(Some(after % 11), true), (None, false)] {
                let end;
                (end, has_died) = self.play((Some(after), again), is_sent_lost);
                assert_eq!(end, clean, "dead after {after} actions, again after {again:?}, lost: {is_sent_lost}");
            }
            if !has_died {
                assert!(after >= self.actions_min, "only {after} actions");
                break;
            }
        }
        clean
    }
}

const JOB: JobUid = JobUid([FIRST; 32]);

fn juror() -> World {
    let mut world = World::new(0);
    world.enlist();
    world.post_dispute(FIRST, WRONG);
    world
}

fn watcher() -> World {
    let mut settings = settings();
    settings.watch.sample = 1 << 32;
    let mut world = World::with(settings, 0);
    world.post_result(FIRST, WRONG);
    world
}

#[test]
fn e_01_i_07_a_juror_that_dies_votes_and_reveals_one_ballot_and_is_paid() {
    let end = Story { new: juror, meanwhile: |_| (), actions_min: 16 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.revealed, end.paid, end.jobs.len(), end.rows.len()), (1, 1, 0, 0));
    assert_eq!(end.signed, [(JOB, OURS)].into());
}

#[test]
fn e_01_i_07_p_26_a_juror_without_content_that_dies_says_so_once_and_an_outcome_only_in_the_next_round() {
    let new = || {
        let mut world = World::with(Settings { decline_margin_s: 8, ..settings() }, 0);
        world.enlist();
        world.post_dispute(FIRST, WRONG);
        world.verdict = None;
        world
    };
    let meanwhile = |world: &mut World| world.is_content_lost = world.revealed == 0;
    let end = Story { new, meanwhile, actions_min: 40 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.revealed, end.jobs.len()), (4, 0));
    assert_eq!((end.landed.len(), end.landed.values().sum::<usize>()), (8, 8), "a vote and its reveal in each round");
    assert_eq!(end.signed, [(JOB, OURS)].into());
}

#[test]
fn e_01_i_07_a_challenger_that_dies_pays_one_bond_shows_what_it_hid_and_wins() {
    let end = Story { new: watcher, meanwhile: |_| (), actions_min: 16 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.revealed, end.won, end.appealed, end.jobs.len()), (1, 1, 0, 0));
    assert_eq!(end.rows[&JOB].bonds_lamports, Some(100));
}

#[test]
fn e_01_i_07_a_challenger_that_dies_appeals_once_in_each_round_and_wins_at_last() {
    let meanwhile = |world: &mut World| world.verdict = Some(if world.appealed < 2 { WRONG } else { OURS });
    let end = Story { new: watcher, meanwhile, actions_min: 25 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.revealed, end.won, end.appealed, end.jobs.len()), (1, 1, 2, 0));
    // 100 to challenge, 200 and 400 to appeal, each paid once.
    assert_eq!(end.rows[&JOB].bonds_lamports, Some(700));
}

#[test]
fn e_01_a_watcher_that_dies_leaves_a_right_result_alone() {
    let new = || {
        let mut world = watcher();
        world.jobs.clear();
        world.post_result(FIRST, OURS);
        world
    };
    let end = Story { new, meanwhile: |_| (), actions_min: 3 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.signed.len(), end.landed.len()), (0, 0));
}

#[test]
fn e_01_i_07_a_seat_that_dies_hides_and_reveals_one_result_and_is_paid() {
    let new = || {
        let mut world = World::new(0);
        world.post_drawn(100);
        world
    };
    let end = Story { new, meanwhile: |_| (), actions_min: 30 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.accepted, end.paid, end.jobs.len(), end.rows.len()), (1, 1, 0, 0));
    assert_eq!(end.landed.values().sum::<usize>(), 2);
}

#[test]
fn e_01_i_07_whoever_runs_alone_and_dies_reveals_what_it_committed_to_audited_or_not() {
    let alone = || {
        let mut world = World::new(0);
        world.streak = 10;
        world.post_adaptive(110);
        world
    };
    let new = alone;
    let end = Story { new, meanwhile: |_| (), actions_min: 25 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.accepted, end.paid, end.jobs.len(), end.rows.len()), (1, 1, 0, 0));
    let audited = Story { new, meanwhile: |world| world.audits = true, actions_min: 25 };
    assert_eq!(audited.ends_the_same_whenever_it_dies(), end, "the auditors agree");
}

#[test]
fn e_01_i_07_whoever_dies_with_a_seat_a_vote_and_a_challenge_at_once_loses_none_of_them() {
    let new = || {
        let mut world = watcher();
        world.enlist();
        world.post_dispute(FIRST + 1, WRONG);
        world.post_drawn(100);
        world
    };
    let end = Story { new, meanwhile: |_| (), actions_min: 60 }.ends_the_same_whenever_it_dies();
    assert_eq!((end.accepted, end.revealed, end.won, end.jobs.len()), (1, 3, 1, 0));
}

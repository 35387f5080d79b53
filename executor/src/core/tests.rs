//! The core against a model of the chain that lies by omission: events are lost, repeated, delayed and reordered.

use std::collections::BTreeMap;

use assay_protocol::{JobStatus, PROFILE_V1, TaskLimits};
use proptest::prelude::*;
use solana_pubkey::Pubkey;

use super::*;

const OURS: OutcomeBytes = [3; 79];

fn settings() -> Settings {
    Settings {
        policy: Policy {
            gas_limit_max: u64::MAX,
            memory_max_bytes: u64::MAX,
            accept_invalid: true,
            ..Policy::default()
        },
        jobs_tracked_max: 16,
        jobs_active_max: 4,
        preparations_max: 2,
        runs_max: 2,
        gas_per_second: 250_000_000,
        prepare_attempts_max: 3,
        run_attempts_max: 3,
        tx_failures_max: 4,
        accept_margin_s: 1,
        decline_margin_s: 2,
        submit_unpublished: false,
        balance_min_lamports: 1_000,
        claim_min_lamports: 1,
        crank: true,
        adopt_unknown_seats: false,
    }
}

fn provider() -> ProviderView {
    ProviderView {
        capacity: 8,
        active: 0,
        stake_lamports: 1_000_000,
        locked_lamports: 0,
        exposure_cap_lamports: 1_000_000,
        earnings_lamports: 0,
        stake_min_lamports: 1,
        market_paused: false,
        node_balance_lamports: 1_000_000,
    }
}

pub(super) fn view(byte: u8) -> JobView {
    JobView {
        uid: JobUid([byte; 32]),
        job: Pubkey::new_from_array([byte; 32]),
        poster: Pubkey::new_from_array([200; 32]),
        status: JobStatus::Open,
        kind: 0,
        redundancy: 1,
        executions_open: 0,
        min_trust_bps: 0,
        created_slot: 1,
        job_cid_digest: [byte; 32],
        metered_hash: [7; 32],
        profile: PROFILE_V1,
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 0,
        price: 10,
        base_fee_lamports: 10,
        bond_lamports: 100,
        queue_deadline_unix: 1_000_000,
        execution_s: 60,
        execution_deadline_unix: 0,
        window_deadline_unix: 0,
        seat: None,
        rent_payer: None,
    }
}

/// The chain, the workers and the key, as far as one provider meets them.
struct World {
    core: Core,
    rows: BTreeMap<JobUid, JobRow>,
    jobs: BTreeMap<JobUid, JobView>,
    earnings: u64,
    slot: u64,
    now: Now,
    /// What is on its way to the core, in no particular order.
    pending: Vec<Event>,
    /// Every signed submission: the outcome it carries.
    signed: Vec<(JobUid, OutcomeBytes)>,
    /// Signed transactions that may land.
    live: Vec<(JobUid, TxKind, [u8; 64])>,
    /// What became of those that met the program: asking again gives the same answer.
    fates: BTreeMap<[u8; 64], TxFate>,
    /// The chain before each of its last changes, by slot.
    history: Vec<Past>,
    signatures: u8,
    accepted: u32,
    paid: u32,
    claims_refused: u32,
    halted: bool,
}

/// The chain as it was.
struct Past {
    slot: u64,
    jobs: BTreeMap<JobUid, JobView>,
    earnings: u64,
    fates: BTreeMap<[u8; 64], TxFate>,
    live: Vec<(JobUid, TxKind, [u8; 64])>,
}

/// Slots after which the model calls a slot final.
const FINAL_AFTER: u64 = 3;

impl World {
    fn new(jobs: u8) -> Self {
        let (core, actions) = Core::restore(settings(), []);
        assert!(actions.is_empty());
        Self {
            core,
            rows: BTreeMap::new(),
            jobs: (1..=jobs).map(|byte| (JobUid([byte; 32]), view(byte))).collect(),
            earnings: 0,
            slot: 10,
            now: Now { chain_unix: 100, monotonic_ms: 0 },
            pending: Vec::new(),
            signed: Vec::new(),
            live: Vec::new(),
            fates: BTreeMap::new(),
            history: Vec::new(),
            signatures: 0,
            accepted: 0,
            paid: 0,
            claims_refused: 0,
            halted: false,
        }
    }

    fn snapshot(&self) -> Snapshot {
        let tracked = self.core.jobs().map(|job| job.row.uid);
        let gone = tracked.filter(|uid| !self.jobs.contains_key(uid)).collect();
        Snapshot {
            slot: self.slot,
            finalized_slot: self.slot.saturating_sub(FINAL_AFTER),
            provider: ProviderView { earnings_lamports: self.earnings, ..provider() },
            jobs: self.jobs.values().cloned().collect(),
            gone,
        }
    }

    fn step(&mut self, event: Event) {
        let actions = self.core.step(event, self.now);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Persist(uid) => self.persist(uid),
                Action::Forget(uid) => {
                    self.rows.remove(&uid);
                }
                Action::Sign(uid, kind) => self.sign(uid, kind),
                Action::Prepare(uid) => {
                    let attempt = self.row(uid).prepare_attempts;
                    self.pending.push(Event::Prepared { uid, attempt, result: Ok(Preparation::Runnable) });
                }
                Action::Run(uid) => {
                    let attempt = self.row(uid).run_attempts;
                    self.pending.push(Event::Ran { uid, attempt, result: Ok(OURS) });
                }
                Action::Publish(uid) => {
                    let attempt = self.row(uid).publish_attempts;
                    self.pending.push(Event::Published { uid, attempt, result: Ok(()) });
                }
                Action::BuildTx(uid, kind) => {
                    let message = vec![kind as u8, uid.0[0], self.signatures];
                    self.pending.push(Event::TxBuilt { uid, kind, message, last_valid_block_height: self.slot + 5 });
                }
                Action::Deliver(uid, kind) => {
                    let tx = self.rows[&uid].tx(kind).expect("journaled before it is sent");
                    let signature = tx.signature.expect("signed before it is sent");
                    match self.fates.get(&signature).cloned() {
                        Some(fate) => self.pending.push(Event::TxResolved { uid, kind, signature, fate }),
                        None => self.live.push((uid, kind, signature)),
                    }
                }
                Action::Halt(..) => self.halted = true,
                Action::StopSending(..) | Action::StopWork(_) | Action::CleanUp(_) | Action::Alert(..) => {}
            }
        }
    }

    fn row(&self, uid: JobUid) -> &JobRow {
        &self.core.job(uid).expect("known").row
    }

    /// The journal's rules, so that the core is held to them.
    fn persist(&mut self, uid: JobUid) {
        let Some(job) = self.core.job(uid) else { return };
        if let Some(old) = self.rows.get(&uid) {
            assert!(old.outcome.is_none() || old.outcome == job.row.outcome, "I-07: the outcome changed");
            for tx in old.txs.iter().filter(|tx| tx.state == TxState::Live && tx.signature.is_some()) {
                let kept = job.row.tx(tx.kind).is_some_and(|new| new.signature == tx.signature);
                assert!(kept, "E-04: a live {:?} was replaced", tx.kind);
            }
        }
        self.rows.insert(uid, job.row.clone());
    }

    fn sign(&mut self, uid: JobUid, kind: TxKind) {
        let row = &self.rows[&uid];
        assert!(row.tx(kind).is_some_and(|tx| tx.signature.is_none()), "journaled before it is signed");
        if kind == TxKind::Submit {
            self.signed.push((uid, row.outcome.expect("fixed before it is signed")));
        }
        self.signatures += 1;
        let signature = [self.signatures; 64];
        self.step(Event::TxSigned { uid, kind, signature });
    }

    /// Lets one live transaction meet the program.
    fn land(&mut self, index: usize) {
        if self.live.is_empty() {
            return;
        }
        self.remember();
        let (uid, kind, signature) = self.live.remove(index % self.live.len());
        self.slot += 1;
        let outcome = self.rows.get(&uid).and_then(|row| row.outcome);
        let worked = self.apply(uid, kind, outcome);
        let slot = self.slot;
        let fate = if worked { TxFate::Landed { slot } } else { TxFate::Failed { slot, message: String::new() } };
        self.fates.insert(signature, fate.clone());
        self.pending.push(Event::TxResolved { uid, kind, signature, fate });
    }

    fn apply(&mut self, uid: JobUid, kind: TxKind, outcome: Option<OutcomeBytes>) -> bool {
        if kind == TxKind::Claim {
            let worked = self.earnings > 0;
            self.paid += u32::from(worked);
            self.claims_refused += u32::from(!worked);
            self.earnings = 0;
            return worked;
        }
        let now = self.now.chain_unix;
        let Some(job) = self.jobs.get_mut(&uid) else { return false };
        match (kind, job.status, job.seat) {
            (TxKind::Accept, JobStatus::Open, None) => {
                job.status = JobStatus::Assigned;
                job.seat = Some(Seat::Accepted);
                job.execution_deadline_unix = now + 60;
                self.accepted += 1;
            }
            (TxKind::Submit, JobStatus::Assigned, Some(Seat::Accepted)) => {
                job.status = JobStatus::Submitted;
                job.seat = outcome.map(Seat::Submitted);
                job.execution_deadline_unix = 0;
                job.window_deadline_unix = now + 2;
            }
            (TxKind::Decline, JobStatus::Assigned, Some(Seat::Accepted)) => {
                job.status = JobStatus::Open;
                job.seat = None;
                job.execution_deadline_unix = 0;
            }
            (TxKind::Settle, JobStatus::Expired, Some(Seat::Missed)) => {
                self.jobs.remove(&uid);
            }
            (TxKind::Settle, JobStatus::Submitted, _) if now >= job.window_deadline_unix => {
                self.jobs.remove(&uid);
                self.earnings += 5;
            }
            _ => return false,
        }
        true
    }

    fn remember(&mut self) {
        let (slot, earnings) = (self.slot, self.earnings);
        let (jobs, fates, live) = (self.jobs.clone(), self.fates.clone(), self.live.clone());
        self.history.push(Past { slot, jobs, earnings, fates, live });
    }

    /// The chain takes its last changes back, as deep as nothing final is touched (E-12).
    fn fork(&mut self, depth: usize) {
        let final_slot = self.slot.saturating_sub(FINAL_AFTER);
        for _ in 0..=depth % 3 {
            let Some(past) = self.history.pop_if(|past| past.slot >= final_slot) else { return };
            let Past { slot: _, jobs, earnings, fates, live } = past;
            (self.jobs, self.earnings, self.fates) = (jobs, earnings, fates);
            self.live.extend(live);
        }
        self.live.sort_unstable();
        self.live.dedup();
        self.slot += 1;
    }

    /// Somebody else moves a job, if it stands where that is possible.
    fn meanwhile(&mut self, index: usize, from: (JobStatus, Option<Seat>), to: (JobStatus, Option<Seat>)) {
        self.remember();
        self.slot += 1;
        let count = self.jobs.len().max(1);
        if let Some(job) = self.jobs.values_mut().nth(index % count)
            && (job.status, job.seat) == from
        {
            (job.status, job.seat) = to;
            job.execution_deadline_unix = 0;
        }
    }

    fn die_and_restart(&mut self) {
        let (core, actions) = Core::restore(settings(), self.rows.values().cloned());
        self.core = core;
        self.pending.clear();
        // What was sent before may still land; what is delivered again is the same bytes.
        let live = std::mem::take(&mut self.live);
        self.act(actions);
        for tx in live {
            if !self.live.contains(&tx) {
                self.live.push(tx);
            }
        }
    }

    fn assert_promises(&self) {
        for (uid, outcome) in &self.signed {
            let other = self.signed.iter().find(|(other, bytes)| other == uid && bytes != outcome);
            assert!(other.is_none(), "I-07: two outcomes were signed for {uid}");
        }
    }

    /// Faults have stopped: everything happens, soon.
    fn run_to_the_end(&mut self) {
        for round in 0..400 {
            self.slot += 1;
            self.now.chain_unix += 1;
            self.now.monotonic_ms += 31_000;
            while !self.pending.is_empty() {
                let event = self.pending.remove(0);
                self.step(event);
            }
            self.land(round);
            let snapshot = self.snapshot();
            self.step(Event::Polled(snapshot));
        }
    }
}

#[derive(Clone, Debug)]
enum Chance {
    Deliver(usize),
    DeliverTwice(usize),
    Lose(usize),
    Land(usize),
    Poll,
    PollOld,
    Restart,
    Wait(u8),
    WrongOutcome(usize),
    Fault(usize),
    Cancel(usize),
    Steal(usize),
    Expire(usize),
}

fn chances() -> impl Strategy<Value = Vec<Chance>> {
    let chance = prop_oneof![
        8 => any::<usize>().prop_map(Chance::Deliver),
        2 => any::<usize>().prop_map(Chance::DeliverTwice),
        1 => any::<usize>().prop_map(Chance::Lose),
        6 => any::<usize>().prop_map(Chance::Land),
        6 => Just(Chance::Poll),
        2 => Just(Chance::PollOld),
        1 => Just(Chance::Restart),
        2 => any::<u8>().prop_map(Chance::Wait),
        1 => any::<usize>().prop_map(Chance::WrongOutcome),
        1 => any::<usize>().prop_map(Chance::Fault),
        1 => any::<usize>().prop_map(Chance::Cancel),
        1 => any::<usize>().prop_map(Chance::Steal),
        1 => any::<usize>().prop_map(Chance::Expire),
    ];
    prop::collection::vec(chance, 0..120)
}

fn play(world: &mut World, chance: Chance, old: &mut Vec<Snapshot>) {
    let count = world.pending.len();
    match chance {
        Chance::Deliver(index) if count > 0 => {
            let event = world.pending.swap_remove(index % count);
            world.step(event);
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
        Chance::Poll => {
            let snapshot = world.snapshot();
            old.push(snapshot.clone());
            world.step(Event::Polled(snapshot));
        }
        Chance::PollOld => {
            // A node that lags by more than finality makes a bot that has just started halt: it cannot know better.
            let recent = world.slot.saturating_sub(FINAL_AFTER);
            if let Some(snapshot) = old.iter().find(|snapshot| snapshot.slot >= recent).cloned() {
                world.step(Event::Polled(snapshot));
            }
        }
        Chance::Restart => world.die_and_restart(),
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
        Chance::Steal(index) => world.meanwhile(index, (JobStatus::Open, None), (JobStatus::Assigned, None)),
        Chance::Expire(index) => {
            let missed = (JobStatus::Expired, Some(Seat::Missed));
            world.meanwhile(index, (JobStatus::Assigned, Some(Seat::Accepted)), missed);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn e_11_i_07_whatever_the_order_one_outcome_is_signed_and_everything_ends(
        jobs in 1_u8..5,
        chances in chances(),
    ) {
        let mut world = World::new(jobs);
        let mut old = Vec::new();
        for chance in chances {
            play(&mut world, chance, &mut old);
            world.assert_promises();
        }
        prop_assert!(!world.halted, "no seat is unknown to its own journal");
        world.run_to_the_end();
        world.assert_promises();
        prop_assert!(!world.halted);
        let unfinished: Vec<_> = world.core.jobs().map(|job| (job.row.phase, job.row.tx_failures)).collect();
        let ended = world.core.jobs().all(|job| matches!(job.row.phase, Phase::Dropped(_) | Phase::Halted));
        prop_assert!(ended, "{unfinished:?}");
    }
}

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
fn e_06_a_second_outcome_halts_the_job_and_signs_nothing() {
    let mut world = World::new(1);
    let uid = JobUid([1; 32]);
    let mut row = JobRow::new(uid, Pubkey::new_from_array([1; 32]));
    row.phase = Phase::Running;
    row.run_attempts = 1;
    row.outcome = Some(OURS);
    world.rows.insert(uid, row);
    world.jobs.get_mut(&uid).expect("there").seat = Some(Seat::Accepted);
    world.jobs.get_mut(&uid).expect("there").status = JobStatus::Assigned;
    world.die_and_restart();
    world.step(Event::Polled(world.snapshot()));
    let attempt = world.row(uid).run_attempts;
    world.step(Event::Ran { uid, attempt, result: Ok([9; 79]) });
    assert_eq!(world.row(uid).phase, Phase::Halted);
    world.run_to_the_end();
    assert!(world.signed.is_empty());
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
fn a_drain_takes_nothing_new_and_ends_when_nothing_is_owed() {
    let mut world = World::new(2);
    world.step(Event::Polled(world.snapshot()));
    world.step(Event::DrainRequested);
    assert!(world.core.is_drained());
    world.run_to_the_end();
    assert_eq!(world.signatures, 0);
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

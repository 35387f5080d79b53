//! The chain, the workers, the disk and the key, as far as one provider meets them.

use std::collections::BTreeMap;

use super::{table::Others, *};

pub(super) type Signature = [u8; 64];

pub(super) struct World {
    pub(super) core: Core,
    /// The journal: the rows, and the highest slot that was written with one.
    pub(super) rows: BTreeMap<JobUid, JobRow>,
    pub(super) seen_slot: u64,
    pub(super) jobs: BTreeMap<JobUid, JobView>,
    /// Seats of others, in jobs with several.
    pub(super) others: BTreeMap<JobUid, Others>,
    /// Confirmed results in a row: from ten on the program lets us run adaptive jobs alone.
    pub(super) streak: u32,
    pub(super) unaudited_lamports: u64,
    /// Results that were found alone are audited.
    pub(super) audits: bool,
    /// They do not commit yet.
    pub(super) others_hesitate: bool,
    pub(super) earnings: u64,
    pub(super) slot: u64,
    /// From which slot on the chain was replaced, once for each fork.
    pub(super) forks: Vec<u64>,
    /// Slots after which a change is final.
    pub(super) final_after: u64,
    pub(super) now: Now,
    /// What is on its way to the core, in no particular order.
    pub(super) pending: Vec<Event>,
    /// Every signed submission, commitment and reveal: the outcome it carries or hides.
    pub(super) signed: Vec<(JobUid, OutcomeBytes)>,
    /// Messages of what was signed.
    pub(super) messages: BTreeMap<Signature, Vec<u8>>,
    /// Signed transactions that may land.
    pub(super) live: Vec<(JobUid, TxKind, Signature)>,
    /// What became of those that met the program: asking again gives the same answer.
    pub(super) fates: BTreeMap<Signature, TxFate>,
    /// Last slot in which a signature's transaction can land.
    last_valid: BTreeMap<Signature, u64>,
    /// The chain before each of its last changes, by slot.
    history: Vec<Past>,
    /// Actions until the process dies, and how many more until it dies again.
    pub(super) dies_after: Option<usize>,
    pub(super) dies_again: Option<usize>,
    /// What was sent is lost with the process, and no content is to be had.
    pub(super) is_sent_lost: bool,
    pub(super) is_content_lost: bool,
    deaths: u32,
    /// Events came after the one whose actions are taken.
    is_behind: bool,
    pub(super) signatures: u64,
    pub(super) accepted: u32,
    pub(super) paid: u32,
    pub(super) claims_refused: u32,
    pub(super) halted: bool,
    /// When we serve as juror.
    pub(super) duty: DutyView,
    /// Votes of ours in disputes that nobody here knows.
    pub(super) votes_elsewhere: u16,
    /// Whether jobs are run when they are prepared.
    pub(super) runs_ahead: bool,
    /// Whether all our stake is bound.
    pub(super) is_bound: bool,
    /// What juries find; `None`: nothing.
    pub(super) verdict: Option<OutcomeBytes>,
    /// Jurors that are absent from each round, what each has at stake, and how many of them were shown by us.
    pub(super) absent: u8,
    pub(super) duty_lock_lamports: u64,
    pub(super) slashed: u32,
    /// Votes and challenges of ours that were revealed, appeals that landed, challenges that won.
    pub(super) revealed: u32,
    pub(super) appealed: u32,
    pub(super) won: u32,
    /// Result that runs give, and what it is decided by.
    pub(super) settings: Settings,
}

/// The chain as it was.
struct Past {
    /// Last slot in which it was so.
    slot: u64,
    jobs: BTreeMap<JobUid, JobView>,
    others: BTreeMap<JobUid, Others>,
    earnings: u64,
    fates: BTreeMap<Signature, TxFate>,
    live: Vec<(JobUid, TxKind, Signature)>,
}

/// A byte for a kind of transaction.
pub(super) fn code(kind: TxKind) -> u8 {
    let index = TxKind::ALL.iter().position(|other| *other == kind).expect("one of them");
    u8::try_from(index).expect("few")
}

impl World {
    pub(super) fn new(jobs: u8) -> Self {
        Self::with(settings(), jobs)
    }

    pub(super) fn with(settings: Settings, jobs: u8) -> Self {
        let (core, actions) = Core::restore(settings.clone(), [], 0);
        assert!(actions.is_empty());
        Self {
            core,
            rows: BTreeMap::new(),
            seen_slot: 0,
            jobs: (1..=jobs).map(|byte| (JobUid([byte; 32]), view(byte))).collect(),
            others: BTreeMap::new(),
            streak: 0,
            unaudited_lamports: 0,
            audits: false,
            others_hesitate: false,
            earnings: 0,
            slot: 10,
            forks: Vec::new(),
            final_after: 3,
            now: Now { chain_unix: 100, monotonic_ms: 0 },
            pending: Vec::new(),
            signed: Vec::new(),
            messages: BTreeMap::new(),
            live: Vec::new(),
            fates: BTreeMap::new(),
            last_valid: BTreeMap::new(),
            history: Vec::new(),
            dies_after: None,
            dies_again: None,
            is_sent_lost: false,
            is_content_lost: false,
            deaths: 0,
            is_behind: false,
            signatures: 0,
            accepted: 0,
            paid: 0,
            claims_refused: 0,
            halted: false,
            duty: provider().duty,
            votes_elsewhere: 0,
            runs_ahead: false,
            is_bound: false,
            verdict: Some(OURS),
            absent: 0,
            duty_lock_lamports: 1_000_000,
            slashed: 0,
            revealed: 0,
            appealed: 0,
            won: 0,
            settings,
        }
    }

    /// A look at everything.
    pub(super) fn snapshot(&self) -> Snapshot {
        let tracked = self.core.tracked().map(|tracked| tracked.uid);
        let gone = tracked.filter(|uid| !self.jobs.contains_key(uid)).collect();
        Snapshot {
            slot: self.slot,
            finalized: Some(self.finalized()),
            provider: ProviderView {
                earnings_lamports: self.earnings,
                duty: self.duty,
                votes_open: self.votes_elsewhere,
                locked_lamports: if self.is_bound { provider().stake_lamports } else { provider().locked_lamports },
                streak: self.streak,
                unaudited_lamports: self.unaudited_lamports,
                ..provider()
            },
            jobs: self.jobs.values().cloned().collect(),
            gone,
            seeds: self.seeds(),
        }
    }

    /// A look at one job.
    pub(super) fn glance(&self, index: usize) -> Snapshot {
        let mut snapshot = Snapshot { finalized: None, ..self.snapshot() };
        let uids: Vec<JobUid> = snapshot.jobs.iter().map(|job| job.uid).chain(snapshot.gone.iter().copied()).collect();
        let chosen = uids.get(index % uids.len().max(1)).copied();
        snapshot.jobs.retain(|job| Some(job.uid) == chosen);
        snapshot.gone.retain(|uid| Some(*uid) == chosen);
        snapshot
    }

    /// A look that leaves out what is seldom looked at, unless it is to be taken or something of ours or a dispute is in it.
    pub(super) fn narrow(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        let is_seldom = |uid| self.core.job(uid).is_some_and(|job| job.attention() == Attention::Seldom);
        let is_listed = |job: &JobView| job.status == JobStatus::Open || job.seat.is_some() || job.dispute.is_some();
        snapshot.jobs.retain(|job| is_listed(job) || !is_seldom(job.uid));
        snapshot.gone.retain(|uid| !is_seldom(*uid));
        snapshot
    }

    fn final_slot(&self) -> u64 {
        self.slot.saturating_sub(self.final_after)
    }

    /// What the finalised chain answers to the core's questions.
    pub(super) fn finalized(&self) -> Finalized {
        let slot = self.final_slot();
        let over = self.core.tracked().filter(|tracked| tracked.ask_final).map(|tracked| tracked.uid);
        Finalized { slot, over: over.filter(|uid| self.is_over(*uid)).collect() }
    }

    /// Whether a job is over for good.
    fn is_over(&self, uid: JobUid) -> bool {
        let past = self.history.iter().find(|past| past.slot >= self.final_slot());
        let job = past.map_or(&self.jobs, |past| &past.jobs).get(&uid);
        job.is_none_or(|job| job.status.is_terminal() && job.seat.is_none())
    }

    pub(super) fn step(&mut self, event: Event) {
        self.step_together([event]);
    }

    /// Several events that were waiting. As the loop around the core does it: each is in the journal before the next one comes, and
    /// what else they ask for is done when all of them are.
    pub(super) fn step_together(&mut self, events: impl IntoIterator<Item = Event>) {
        let (deaths, mut rest) = (self.deaths, Vec::new());
        let was_behind = self.is_behind;
        for (number, event) in events.into_iter().enumerate() {
            self.is_behind = number > 0;
            self.assert_moves(&event);
            let actions = self.core.step(event, self.now);
            let (records, others): (Vec<_>, Vec<_>) = actions.into_iter().partition(Action::is_recorded);
            self.act(records);
            if self.deaths != deaths {
                return;
            }
            rest.extend(others);
        }
        self.act(rest);
        self.is_behind = was_behind;
    }

    fn act(&mut self, actions: Vec<Action>) {
        let deaths = self.deaths;
        for action in actions {
            if self.dies_after == Some(0) {
                self.die_and_restart();
            }
            if self.deaths != deaths {
                return;
            }
            self.dies_after = self.dies_after.map(|left| left - 1);
            self.act_once(action);
        }
    }

    fn act_once(&mut self, action: Action) {
        match action {
            // What is not there any more when its turn comes is not worked on.
            Action::Prepare(uid) | Action::Run(uid) | Action::Publish(uid) | Action::BuildTx(uid, _)
                if self.core.job(uid).is_none() => {}
            Action::BuildTx(uid, kind @ TxKind::Accept) if self.core.job(uid).and_then(Job::ticket).is_none() => {
                self.pending.push(Event::TxNotBuilt { uid, kind });
            }
            Action::Persist(uid) => self.persist(uid),
            Action::Forget(uid) => {
                let is_signed = self.rows.get(&uid).is_some_and(|row| row.is_seat_known || !row.txs.is_empty());
                assert!(!is_signed || self.is_over(uid), "E-12: {uid} was forgotten, and a fork can bring it back");
                self.seen_slot = self.core.seen_slot();
                self.rows.remove(&uid);
            }
            Action::Sign(uid, kind) => self.sign(uid, kind),
            Action::Prepare(uid) => {
                let attempt = self.row(uid).prepare_attempts;
                let preparation = if self.runs_ahead { Preparation::Ran } else { Preparation::Runnable };
                self.pending.push(Event::Prepared { uid, attempt, result: Ok(preparation) });
            }
            Action::Run(uid) => {
                let attempt = self.row(uid).run_attempts;
                // Another one each time.
                let salt = [attempt; 32];
                let lost = WorkFault { kind: WorkFaultKind::Content, message: String::new() };
                let result = if self.is_content_lost { Err(lost) } else { Ok(OURS) };
                self.pending.push(Event::Ran { uid, attempt, result, salt });
            }
            Action::Publish(uid) => {
                let attempt = self.row(uid).publish_attempts;
                self.pending.push(Event::Published { uid, attempt, result: Ok(()) });
            }
            Action::BuildTx(uid, kind) => {
                let mut message = vec![code(kind), uid.0[0]];
                message.extend(self.signatures.to_le_bytes());
                let is_court = self.is_court(uid) && kind != TxKind::Claim;
                let payload = if is_court { self.court_payload(uid, kind) } else { self.payload(uid, kind) };
                message.extend(payload);
                // As on a real chain, several times as long as it takes until a slot is final.
                let last_valid_block_height = self.slot + 4 * self.final_after;
                let fee_step = self.row(uid).next_fee_step(kind);
                self.pending.push(Event::TxBuilt { uid, kind, message, last_valid_block_height, fee_step });
            }
            Action::Deliver(uid, kind) => self.deliver(uid, kind),
            Action::Halt(..) => self.halted = true,
            Action::Enroll
            | Action::Warm(_)
            | Action::StopSending(..)
            | Action::StopWork(_)
            | Action::CleanUp(_)
            | Action::Alert(..) => {}
        }
    }

    pub(super) fn row(&self, uid: JobUid) -> &JobRow {
        &self.core.job(uid).expect("known").row
    }

    /// The journal's rules, so that the core is held to them.
    fn persist(&mut self, uid: JobUid) {
        let Some(job) = self.core.job(uid) else { return };
        if let Some(old) = self.rows.get(&uid) {
            assert!(old.outcome.is_none() || old.outcome == job.row.outcome, "I-07: the outcome changed");
            assert!(old.salt.is_none() || old.salt == job.row.salt, "the salt changed");
            assert!(old.challenge.is_none() || old.challenge == job.row.challenge, "the challenge changed");
            for (old, new) in old.ballots.iter().zip(&job.row.ballots) {
                assert!(old.is_none() || old == new, "a ballot changed");
            }
            for tx in old.txs.iter().filter(|tx| tx.state == TxState::Live && tx.signature.is_some()) {
                let kept = job.row.txs.iter().any(|new| new.signature == tx.signature);
                assert!(kept, "E-04: a live {:?} was replaced", tx.kind);
            }
        }
        assert!(job.row.is_of_one_mind(), "I-07: a ballot is not of the job's outcome");
        self.seen_slot = self.core.seen_slot();
        self.rows.insert(uid, job.row.clone());
    }

    fn sign(&mut self, uid: JobUid, kind: TxKind) {
        let row = &self.rows[&uid];
        let tx = row.tx(kind).expect("journaled before it is signed");
        assert!(tx.signature.is_none(), "signed once");
        let ballot = match kind {
            // It says nothing.
            TxKind::Vote(round) if row.ballot(round).is_none() => Some(UNAVAILABLE),
            TxKind::Vote(round) | TxKind::RevealVote(round) => Some(row.ballot(round).expect("recorded").ballot),
            _ => row.outcome,
        };
        if kind.says_outcome() && ballot != Some(UNAVAILABLE) {
            self.signed.push((uid, ballot.expect("fixed before it is signed")));
        }
        self.signatures += 1;
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&self.signatures.to_le_bytes());
        self.last_valid.insert(signature, tx.last_valid_block_height);
        self.messages.insert(signature, tx.message.clone());
        self.step(Event::TxSigned { uid, kind, signature });
    }

    fn deliver(&mut self, uid: JobUid, kind: TxKind) {
        // A dearer one that was journaled and not signed when the process died is not sent.
        let signed: Vec<Signature> = self.rows[&uid].live_txs(kind).filter_map(|tx| tx.signature).collect();
        // A later event may have told its fate.
        assert!(!signed.is_empty() || self.is_behind, "journaled and signed before it is sent");
        for signature in signed {
            match self.fates.get(&signature).cloned() {
                Some(fate) => self.pending.push(Event::TxResolved { uid, kind, signature, fate }),
                None if self.live.contains(&(uid, kind, signature)) => {}
                None => self.live.push((uid, kind, signature)),
            }
        }
    }

    /// Lets one live transaction meet the program.
    pub(super) fn land(&mut self, index: usize) {
        let next_slot = self.slot + 1;
        let valid = |tx: &&(JobUid, TxKind, Signature)| self.last_valid[&tx.2] >= next_slot;
        let landing: Vec<_> = self.live.iter().filter(valid).copied().collect();
        let Some(&(uid, kind, signature)) = landing.get(index % landing.len().max(1)) else { return };
        self.remember();
        self.live.retain(|tx| tx.2 != signature);
        self.slot = next_slot;
        let outcome = self.signed.iter().find(|(of, _)| *of == uid).map(|(_, outcome)| *outcome);
        let is_drawn = kind != TxKind::Claim && self.others.contains_key(&uid);
        let worked = match kind {
            TxKind::Claim => self.apply(uid, kind, outcome),
            _ if is_drawn => self.apply_drawn(uid, kind, signature),
            _ if self.is_court(uid) => self.apply_court(uid, kind, signature),
            _ => self.apply(uid, kind, outcome),
        };
        let slot = self.slot;
        let fate = if worked { TxFate::Landed { slot } } else { TxFate::Failed { slot, message: String::new() } };
        self.fates.insert(signature, fate.clone());
        self.pending.push(Event::TxResolved { uid, kind, signature, fate });
    }

    /// E-04: what the finalised chain passed and does not know is dead.
    pub(super) fn bury(&mut self) {
        let final_slot = self.final_slot();
        let is_dead = |signature: &Signature| self.last_valid[signature] < final_slot;
        let (dead, live) = std::mem::take(&mut self.live).into_iter().partition(|tx| is_dead(&tx.2));
        self.live = live;
        let dead: Vec<(JobUid, TxKind, Signature)> = dead;
        for (uid, kind, signature) in dead {
            self.pending.push(Event::TxResolved { uid, kind, signature, fate: TxFate::Dead });
        }
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

    pub(super) fn remember(&mut self) {
        let (slot, earnings) = (self.slot, self.earnings);
        let (jobs, others) = (self.jobs.clone(), self.others.clone());
        let (fates, live) = (self.fates.clone(), self.live.clone());
        self.history.push(Past { slot, jobs, others, earnings, fates, live });
    }

    /// The chain takes its last changes back, as deep as nothing final is touched (E-12).
    pub(super) fn fork(&mut self, depth: usize) {
        let final_slot = self.final_slot();
        for _ in 0..=depth {
            let Some(past) = self.history.pop_if(|past| past.slot >= final_slot) else { break };
            let Past { slot, jobs, others, earnings, fates, live } = past;
            (self.jobs, self.others, self.earnings, self.fates) = (jobs, others, earnings, fates);
            self.forks.push(slot.saturating_add(1));
            self.live.extend(live);
        }
        self.live.sort_unstable();
        self.live.dedup();
        let met: Vec<Signature> = self.fates.keys().copied().collect();
        self.live.retain(|tx| !met.contains(&tx.2));
        self.slot += 1;
    }

    /// Somebody else moves a job, if it stands where that is possible.
    pub(super) fn meanwhile(&mut self, index: usize, from: (JobStatus, Option<Seat>), to: (JobStatus, Option<Seat>)) {
        self.remember();
        self.slot += 1;
        let count = self.jobs.len().max(1);
        if let Some(job) = self.jobs.values_mut().nth(index % count).filter(|job| !job.is_drawn())
            && (job.status, job.seat) == from
        {
            (job.status, job.seat) = to;
            job.execution_deadline_unix = 0;
        }
    }

    pub(super) fn die_and_restart(&mut self) {
        self.deaths += 1;
        self.dies_after = self.dies_again.take();
        if self.is_sent_lost {
            self.live.clear();
        }
        // Another secret each time, as after a real start.
        let mut settings = self.settings.clone();
        settings.watch.secret[0] =
            settings.watch.secret[0].wrapping_add(u8::try_from(self.deaths % 251).expect("small"));
        let (core, actions) = Core::restore(settings, self.rows.values().cloned(), self.seen_slot);
        self.core = core;
        // What was sent before may still land; what is delivered again is the same bytes.
        self.pending.clear();
        self.act(actions);
    }

    pub(super) fn assert_promises(&self) {
        for (uid, outcome) in &self.signed {
            let other = self.signed.iter().find(|(other, bytes)| other == uid && bytes != outcome);
            assert!(other.is_none(), "I-07: two outcomes were signed for {uid}");
        }
        for row in self.rows.values() {
            for kind in TxKind::ALL {
                let live_max = match kind {
                    // One for each stage that the others brought it to, or for each attempt.
                    TxKind::Settle | TxKind::Advance | TxKind::Accept => live_max(kind),
                    _ => live_max(kind).min(1 + usize::from(settings().fee_bumps_max)),
                };
                let live = row.live_txs(kind).filter(|tx| tx.signature.is_some()).count();
                assert!(live <= live_max, "E-04: {live} {kind:?} may land for {}", row.uid);
            }
        }
    }

    /// A slot passes, and everything that is on its way arrives.
    pub(super) fn tick(&mut self) {
        self.slot += 1;
        self.now.chain_unix += 1;
        self.now.monotonic_ms += 31_000;
        self.bury();
        while !self.pending.is_empty() {
            let event = self.pending.remove(0);
            self.step(event);
        }
    }

    /// Faults have stopped: everything happens, soon.
    pub(super) fn run_to_the_end(&mut self) {
        self.run_to_the_end_while(|_| ());
    }

    /// As [`Self::run_to_the_end`], and this happens besides.
    pub(super) fn run_to_the_end_while(&mut self, meanwhile: impl Fn(&mut Self)) {
        let mut quiet_since = self.slot;
        for round in 0..400 {
            meanwhile(self);
            self.tick();
            self.land(round);
            self.others_move_all();
            self.court_moves_late();
            let snapshot = self.snapshot();
            self.step(Event::Polled(snapshot));
            // What counts for the day's budget is kept until tomorrow.
            let rests = |job: &Job| match job.row.phase {
                Phase::Dropped(_) | Phase::Halted => true,
                Phase::Claimed => job.row.spent.is_some(),
                _ => false,
            };
            let rests = self.core.jobs().all(rests);
            let is_quiet = self.pending.is_empty() && self.live.is_empty() && !self.has_drawn_seat();
            if rests && is_quiet && self.slot > quiet_since + 2 * self.final_after {
                return;
            }
            if !(rests && is_quiet) {
                quiet_since = self.slot;
            }
        }
    }

    /// Everything happens, soon, others' part too, until it is so or 300 slots have passed.
    pub(super) fn until(&mut self, uid: JobUid, others_move: fn(&mut Self), is_there: impl Fn(&Self) -> bool) {
        let acts: [fn(&mut Self); 4] =
            [Self::tick, |world| world.land(0), |world| world.step(Event::Polled(world.snapshot())), others_move];
        for _ in 0..300 {
            for act in acts {
                if is_there(self) {
                    return;
                }
                act(self);
            }
        }
        panic!("{:?} {:?}", self.core.job(uid).map(|job| &job.row), self.jobs.get(&uid));
    }
}

/// Whether a job is in this phase.
pub(super) fn phase_is(uid: JobUid, phase: Phase) -> impl Fn(&World) -> bool {
    move |world| world.core.job(uid).is_some_and(|job| job.row.phase == phase)
}

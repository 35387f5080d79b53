//! The functional core: `(state, event, now) → (state, actions)`. No clock, no disk, no network, no randomness.
//!
//! The chain is the truth: `reconcile` moves a job to where the chain says it is, whatever was believed before, so
//! that lost, repeated and reordered events change nothing but time (E-11). `schedule` starts what may start now.
//! The only thing that is never taken back is a row's outcome (I-07).

mod admission;
mod delivery;
mod event;
mod fees;
mod job;
mod policy;
mod reconcile;
mod sandbox;
mod schedule;
mod seats;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::collections::BTreeMap;

use assay_protocol::JobStatus;
use assay_runtime::Engine;
use assay_sdk::FeeLadder;
use solana_pubkey::Pubkey;

pub use event::{
    Action, Event, Finalized, JobView, Preparation, ProviderView, Seat, Snapshot, Tracked, TxFate, WorkFault,
    WorkFaultKind,
};
pub use fees::{FEE_BUMPS_LIMIT, compute_unit_limit, live_max};
pub use job::{DeclineReason, DropReason, JobRow, JobUid, OutcomeBytes, Phase, Salt, TxKind, TxRecord, TxState};
pub use policy::{Policy, Refusal};
use seats::{Foreseen, Search};

/// The two clocks a decision may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The chain's Clock, for deadlines (E-22).
    pub chain_unix: i64,
    /// A clock that never jumps, for back-off.
    pub monotonic_ms: u64,
}

/// Every number the core decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our Provider account: whose tickets win, and whose commitment opens.
    pub provider: Pubkey,
    /// Which jobs are taken at all.
    pub policy: Policy,
    /// Most jobs kept in memory and journal.
    pub jobs_tracked_max: usize,
    /// Most jobs accepted and not yet submitted.
    pub jobs_active_max: usize,
    /// Most preparations at once.
    pub preparations_max: usize,
    /// Most children running guests at once.
    pub runs_max: usize,
    /// Gas that the reference burns in a second on this host.
    pub gas_per_second: u64,
    /// What runs guests.
    pub engine: Engine,
    /// Preparations of one job before it is quarantined.
    pub prepare_attempts_max: u8,
    /// Runs of one job before its seat is given back.
    pub run_attempts_max: u8,
    /// Failed transactions of one kind before a human is told (or, for `accept_job`, the job left alone).
    pub tx_failures_max: u8,
    /// What is offered for a compute unit.
    pub fees: FeeLadder,
    /// A submission that did not land for this long is outbid by a dearer one, milliseconds.
    pub fee_bump_ms: u64,
    /// How often at most, until the fate of one of them is known; up to [`FEE_BUMPS_LIMIT`].
    pub fee_bumps_max: u8,
    /// A job whose queue closes sooner than this is not accepted, seconds.
    pub accept_margin_s: i64,
    /// Whoever is not ready to submit this long before the deadline declines instead of missing it, seconds.
    pub decline_margin_s: i64,
    /// Submit a result that could not be published, rather than decline (C-17).
    pub submit_unpublished: bool,
    /// Below this balance of the node key nothing is accepted (E-15).
    pub balance_min_lamports: u64,
    /// Earnings are claimed from this amount on.
    pub claim_min_lamports: u64,
    /// Finalize, settle, close and claim own jobs, and expire those that others hold up.
    pub crank: bool,
    /// Take over seats that the chain shows and the journal does not know. Off, they stop the process: another
    /// instance may hold the key, or the journal is an old copy (E-18, E-19).
    pub adopt_unknown_seats: bool,
}

/// Longest that one module is compiled, seconds: beyond it engines give up.
const COMPILE_S_MAX: u64 = 5;
/// Longest that one module is metered and set up before its guest begins, seconds, whatever its gas limit: the worst that
/// `tools/bench bombs` knows take nearly as long.
const SET_UP_S_MAX: u64 = 5;
/// Runs of one job: of the fast variant, and of the program itself unless the guest exited.
const RUNS_OF_JOB: u64 = 2;

impl Settings {
    /// Gas that the reference burns in the longest time that a run with this gas limit takes: it may begin twice, and
    /// be set up and compiled each time. `auto` compiles only what takes less time than the gas limit.
    fn gas_of_run(&self, gas_limit: u64) -> u64 {
        let compiling = self.gas_per_second.saturating_mul(COMPILE_S_MAX);
        let compiling = match self.engine {
            Engine::Wasmi => 0,
            Engine::Wasmtime => compiling,
            Engine::Auto | Engine::Unlike(_) => compiling.min(gas_limit),
        };
        let setting_up = self.gas_per_second.saturating_mul(SET_UP_S_MAX);
        gas_limit.saturating_add(compiling).saturating_add(setting_up).saturating_mul(RUNS_OF_JOB)
    }
}

/// First pause after a failure; doubles up to [`BACKOFF_MS_MAX`].
const BACKOFF_MS: u64 = 500;
/// Longest pause after repeated failures.
const BACKOFF_MS_MAX: u64 = 30_000;

/// What decides which steps of anybody's are left: status, attempt, seats that are not settled.
type Stage = (JobStatus, u8, u8);

/// Between two providers' turns to settle a job of both, milliseconds: enough for the first one's transaction.
const TURN_MS: u64 = 3_000;

/// One job: its durable row and what is known besides.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the journal holds, or will hold once it is persisted.
    pub row: JobRow,
    /// The last look at the account.
    pub view: Option<JobView>,
    /// Views older than this slot are ignored.
    view_slot: u64,
    /// Slot of the first look that found it ended (closed, or terminal without a seat of ours), since a look last found
    /// it otherwise. A fork may take that back.
    ended_slot: Option<u64>,
    /// The last look found no account of it.
    is_gone: bool,
    /// The finalised chain says that it is over: no fork takes that back (E-12).
    is_over: bool,
    /// Where its pay was credited: an older look at the provider account does not show it yet.
    settled_slot: Option<u64>,
    /// Nothing is started for it before this moment.
    not_before_ms: u64,
    /// A message of this kind is being built or signed.
    building: Option<TxKind>,
    /// When something was last signed for it; zero after a start.
    signed_ms: u64,
    /// What a message that is being built is built for, and what the last one was; `None` after a start.
    building_for: Option<Stage>,
    built_for: Option<Stage>,
    /// When somebody's turn to settle began.
    turns_from_ms: Option<u64>,
    /// Its draw, as recording it now would make it; `None` while that is not known.
    foreseen: Option<Foreseen>,
    /// How far our tickets were looked through.
    search: Search,
}

impl Job {
    fn new(row: JobRow) -> Self {
        Self {
            row,
            view: None,
            view_slot: 0,
            ended_slot: None,
            is_gone: false,
            is_over: false,
            settled_slot: None,
            not_before_ms: 0,
            building: None,
            signed_ms: 0,
            building_for: None,
            built_for: None,
            turns_from_ms: None,
            foreseen: None,
            search: Search::default(),
        }
    }

    fn stage(&self) -> Stage {
        let stage = |view: &JobView| (view.status, view.attempt, view.executions_open);
        self.view.as_ref().map_or((JobStatus::Open, 0, 0), stage)
    }

    /// Whether it is our turn to settle what anybody may settle: by seat, so that not all of them send the same.
    fn is_our_turn(&mut self, provider: &Pubkey, now: Now) -> bool {
        let executors = self.view.as_ref().map_or(&[][..], |view| &view.executors);
        let place = executors.iter().position(|executor| executor == provider).unwrap_or(0);
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let began_ms = *self.turns_from_ms.get_or_insert(now.monotonic_ms);
        now.monotonic_ms >= began_ms.saturating_add(place.saturating_mul(TURN_MS))
    }

    fn back_off(&mut self, failures: u8, now: Now) {
        let doubled = BACKOFF_MS.saturating_mul(1 << u32::from(failures.saturating_sub(1)).min(16));
        self.not_before_ms = now.monotonic_ms.saturating_add(doubled.min(BACKOFF_MS_MAX));
    }

    /// Preparations that may have failed because of what is in the job (E-24).
    fn crashed_preparations(&self) -> u8 {
        self.row.prepare_attempts.saturating_sub(self.row.content_failures)
    }

    /// Whether nothing is left to do for it, as far as the chain does not change its mind.
    fn is_done(&self) -> bool {
        matches!(self.row.phase, Phase::Claimed | Phase::Dropped(_) | Phase::Halted)
    }

    /// Whether the finalised chain can be expected to say that it is over.
    fn asks_final(&self, finalized_slot: u64) -> bool {
        self.is_done() && !self.is_over && self.ended_slot.is_some_and(|ended| finalized_slot >= ended)
    }

    fn seat(&self) -> Option<Seat> {
        self.view.as_ref().and_then(|view| view.seat)
    }
}

/// One try at some work on a job; the answer of an older try is ignored.
#[derive(Clone, Copy)]
struct Attempt {
    uid: JobUid,
    attempt: u8,
}

/// The state.
#[derive(Clone, Debug)]
pub struct Core {
    settings: Settings,
    jobs: BTreeMap<JobUid, Job>,
    provider: Option<ProviderView>,
    /// Of the last look; older ones are ignored.
    slot: u64,
    /// Highest slot of anything that was acted on.
    seen_slot: u64,
    finalized_slot: u64,
    /// Where the last claim landed: what the account held before is not there to be claimed again.
    claimed_slot: u64,
    draining: bool,
    /// No child can be started: nothing is begun that needs one.
    sandbox_fails: bool,
}

impl Core {
    /// The state after a start, from the journal's rows, and what has to be resumed at once. Looks from before
    /// `seen_slot`, the journal's highest slot, are ignored: a node that lags behind what was acted on would show jobs
    /// as they were (E-08).
    #[must_use]
    pub fn restore(settings: Settings, rows: impl IntoIterator<Item = JobRow>, seen_slot: u64) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        let mut jobs = BTreeMap::new();
        for mut row in rows {
            // A signature is journaled before its transaction is sent: a message without one was never sent.
            row.txs.retain(|tx| tx.signature.is_some());
            row.phase = match row.phase {
                Phase::Fetching | Phase::Prepared => Phase::Seen,
                Phase::Accepting if !row.has_live_tx(TxKind::Accept) => Phase::Seen,
                Phase::Running => Phase::Accepted,
                Phase::Publishing | Phase::Published => row.phase_before_publishing(),
                other => other,
            };
            let live = row.txs.iter().filter(|tx| tx.state == TxState::Live);
            actions.extend(live.map(|tx| Action::Deliver(row.uid, tx.kind)));
            jobs.insert(row.uid, Job::new(row));
        }
        let core = Self {
            settings,
            jobs,
            provider: None,
            slot: seen_slot,
            seen_slot,
            finalized_slot: 0,
            claimed_slot: 0,
            draining: false,
            sandbox_fails: false,
        };
        (core, actions)
    }

    /// One job.
    #[must_use]
    pub fn job(&self, uid: JobUid) -> Option<&Job> {
        self.jobs.get(&uid)
    }

    /// Highest slot of anything that was acted on; goes into the journal with every row.
    #[must_use]
    pub fn seen_slot(&self) -> u64 {
        self.seen_slot
    }

    /// What the next look has to answer, by uid.
    pub fn tracked(&self) -> impl Iterator<Item = Tracked> {
        let tracked = |job: &Job| Tracked {
            uid: job.row.uid,
            job: job.row.job,
            ask_final: job.asks_final(self.finalized_slot),
            is_held: job.row.is_held(),
            seed_slot: job.seed_slot(),
        };
        self.jobs.values().map(tracked)
    }

    /// All jobs, by uid.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// Our account as last seen.
    #[must_use]
    pub fn provider(&self) -> Option<&ProviderView> {
        self.provider.as_ref()
    }

    /// Whether a drain was requested and no result is owed any more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining && !self.jobs.values().any(|job| job.row.phase.owes_result())
    }

    /// Whether anything is on its way, so that looking often is worth it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.jobs.values().any(|job| !job.is_done())
    }

    /// Moves the state and says what to do. Never fails: what does not fit the state is ignored.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Polled(snapshot) => self.reconcile(snapshot, now, &mut actions),
            Event::Prepared { uid, attempt, result: Err(fault) }
            | Event::Ran { uid, attempt, result: Err(fault), .. }
                if fault.kind == WorkFaultKind::Sandbox =>
            {
                self.on_sandbox_fault(Attempt { uid, attempt }, &mut actions);
            }
            Event::SandboxWorks => self.sandbox_fails = false,
            Event::Prepared { uid, attempt, result } => {
                self.on_prepared(Attempt { uid, attempt }, result, now, &mut actions);
            }
            Event::Ran { uid, attempt, result, salt } => {
                let result = result.map(|outcome| (outcome, salt));
                self.on_ran(Attempt { uid, attempt }, result, now, &mut actions);
            }
            Event::Published { uid, attempt, result } => self.on_published(Attempt { uid, attempt }, &result, now),
            Event::PackageLost { uid } => self.on_package_lost(uid),
            Event::TxBuilt { uid, kind, message, last_valid_block_height, fee_step } => {
                let (signature, state) = (None, TxState::Live);
                let tx = TxRecord { kind, message, signature, last_valid_block_height, fee_step, state };
                self.on_built(uid, tx, now, &mut actions);
            }
            Event::TxNotBuilt { uid, kind } => self.on_not_built(uid, kind, now),
            Event::TxSigned { uid, kind, signature } => self.on_signed(uid, (kind, signature), now, &mut actions),
            Event::TxResolved { uid, kind, signature, fate } => {
                self.on_resolved(uid, (kind, signature), &fate, now, &mut actions);
            }
            Event::Tick => {}
            Event::DrainRequested => self.draining = true,
        }
        self.schedule(now, &mut actions);
        actions
    }

    fn on_prepared(
        &mut self,
        Attempt { uid, attempt }: Attempt,
        result: Result<Preparation, WorkFault>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let (accept_invalid, attempts_max) = (self.settings.policy.accept_invalid, self.settings.prepare_attempts_max);
        let is_idle = !self.jobs.values().any(|job| job.row.phase == Phase::Running);
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        if job.row.phase != Phase::Fetching || job.row.prepare_attempts != attempt {
            return;
        }
        // Its acceptance takes the chain a while, others may run the same module.
        if matches!(result, Ok(Preparation::Runnable)) && is_idle {
            actions.push(Action::Warm(uid));
        }
        if result.is_ok() {
            // It did no harm: prepared again after a lost race, it is not on its way into quarantine (E-24).
            job.row.prepare_attempts = attempt.saturating_sub(1);
        }
        job.row.phase = match result {
            Ok(Preparation::Runnable) => Phase::Prepared,
            Ok(Preparation::Invalid) if accept_invalid => Phase::Prepared,
            Ok(Preparation::Invalid) => Phase::Dropped(DropReason::Invalid),
            // C-15: content that is not to be had now may be had later; not accepting costs nothing.
            Err(fault) if fault.kind == WorkFaultKind::Content => {
                job.row.content_failures = job.row.content_failures.saturating_add(1);
                job.back_off(job.row.content_failures, now);
                Phase::Seen
            }
            Err(_) if job.crashed_preparations() >= attempts_max => Phase::Dropped(DropReason::Quarantined),
            Err(_) => {
                job.back_off(attempt, now);
                Phase::Seen
            }
        };
        if matches!(job.row.phase, Phase::Dropped(_)) {
            actions.extend([Action::Persist(uid), Action::CleanUp(uid)]);
        }
    }

    fn on_ran(
        &mut self,
        Attempt { uid, attempt }: Attempt,
        result: Result<(OutcomeBytes, Salt), WorkFault>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let attempts_max = self.settings.run_attempts_max;
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        if job.row.phase != Phase::Running || job.row.run_attempts != attempt {
            return;
        }
        match result {
            Ok((outcome, _)) if job.row.outcome.is_some_and(|known| known != outcome) => {
                // I-07, E-06: the first outcome may have been signed; the second shows that this host cannot be trusted.
                job.row.phase = Phase::Halted;
                actions.push(Action::Persist(uid));
                actions
                    .push(Action::Alert(uid, "two runs gave different outcomes; the job is halted and nothing signed"));
            }
            Ok((outcome, salt)) => {
                job.row.outcome = Some(outcome);
                // The first one counts: a commitment to it may have been signed.
                if job.is_drawn() {
                    job.row.salt.get_or_insert(salt);
                }
                job.row.phase = Phase::Ran;
                actions.push(Action::Persist(uid));
            }
            // C-16: tried until the safety margin, which gives the seat back.
            Err(fault) if fault.kind == WorkFaultKind::Content => {
                job.row.phase = Phase::Accepted;
                job.back_off(attempt, now);
            }
            Err(_) if attempt >= attempts_max => {
                job.row.phase = Phase::Declining(DeclineReason::HostFault);
                job.row.tx_failures = 0;
                actions.push(Action::Persist(uid));
            }
            Err(_) => {
                job.row.phase = Phase::Accepted;
                job.back_off(attempt, now);
            }
        }
    }

    fn on_published(&mut self, Attempt { uid, attempt }: Attempt, result: &Result<(), WorkFault>, now: Now) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        if job.row.phase != Phase::Publishing || job.row.publish_attempts != attempt {
            return;
        }
        if result.is_ok() {
            job.row.phase = Phase::Published;
        } else {
            job.row.phase = job.row.phase_before_publishing();
            job.back_off(attempt, now);
        }
    }

    fn on_package_lost(&mut self, uid: JobUid) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        match job.row.phase {
            // Without a reveal the bond is lost; those who agree have the package, too.
            Phase::Publishing if job.row.salt.is_some() => job.row.phase = Phase::Published,
            Phase::Publishing | Phase::Ran => job.row.phase = Phase::Accepted,
            _ => {}
        }
    }
}

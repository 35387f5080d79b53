//! The functional core: `(state, event, now) → (state, actions)`. No clock, no disk, no network, no randomness.
//!
//! The chain is the truth: `reconcile` moves a job to where the chain says it is, whatever was believed before, so
//! that lost, repeated and reordered events change nothing but time (E-11). `schedule` starts what may start now.
//! The only thing that is never taken back is a row's outcome (I-07).

mod admission;
mod alone;
mod contest;
mod court;
mod delivery;
mod enroll;
mod event;
mod fees;
mod job;
mod part;
mod phase;
mod policy;
mod reconcile;
mod sandbox;
mod schedule;
mod seats;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod tx;
mod work;

use std::collections::BTreeMap;

use alone::Alone;
use assay_protocol::{DisputeStatus, JobStatus};
use assay_runtime::Engine;
use assay_sdk::FeeLadder;
use solana_pubkey::Pubkey;

pub use contest::Watch;
use court::Jury;
pub use court::{Absence, DisputeView, OwnChallenge, OwnVote, ROUNDS};
pub use event::{
    Action, Attention, Collision, Event, Finalized, Interest, JobView, Preparation, ProviderView, Seat, Snapshot,
    Tracked, TxFate, WorkFault, WorkFaultKind,
};
pub use fees::{FEE_BUMPS_LIMIT, compute_unit_limit, live_max};
pub use job::{BallotRow, ChallengeRow, JobRow, JobUid, OutcomeBytes, Salt, Spent, UNAVAILABLE};
pub use phase::{DeclineReason, DropReason, Phase, Role};
pub use policy::{Policy, Refusal};
pub use seats::Step;
use seats::{Foreseen, Search};
pub use tx::{TxKind, TxRecord, TxState};

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
    /// The hot key: challenges are its own.
    pub node_key: Pubkey,
    /// Which jobs are taken at all.
    pub policy: Policy,
    /// Which results of others are watched, what is contested, and whether we judge.
    pub watch: Watch,
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

/// What decides which steps of anybody's are left: status, attempt, seats that are not settled; of a dispute status, round,
/// and what it leaves to be done for others: absences, the instructions of the next settlement.
type Stage = (JobStatus, u8, u8, Option<(DisputeStatus, u8, usize)>);

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
    /// It was run when it was prepared: its run is a matter of writing that down.
    has_run: bool,
    /// Others are said to have all its seats: nothing is begun for one until a look at this slot, or a later one, says what is so.
    taken_until: Option<u64>,
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
    /// It is, or was, taken alone, and what that locks.
    alone: Option<Alone>,
    /// Our tickets in the jury of its dispute.
    jury: Jury,
    /// The slot of the jury's draw, once its block is known.
    jury_ready: Option<u64>,
    /// What anybody may do for it now, when that was last asked for.
    step: Option<Step>,
    /// A human was told what cannot be done for it.
    is_told: bool,
    /// Somebody in the market serves as juror.
    has_jury: bool,
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
            has_run: false,
            taken_until: None,
            building: None,
            signed_ms: 0,
            building_for: None,
            built_for: None,
            turns_from_ms: None,
            foreseen: None,
            search: Search::default(),
            alone: None,
            jury: Jury::default(),
            jury_ready: None,
            step: None,
            is_told: false,
            has_jury: false,
        }
    }

    /// Whether it was run when it was prepared, and what that gave waits for its run.
    #[must_use]
    pub(crate) const fn has_run(&self) -> bool {
        self.has_run
    }

    fn stage(&self) -> Stage {
        let of_dispute = |dispute: &DisputeView| {
            (dispute.status, dispute.round, dispute.settlement.len().saturating_add(dispute.absences.len()))
        };
        let stage =
            |view: &JobView| (view.status, view.attempt, view.executions_open, view.dispute.as_deref().map(of_dispute));
        self.view.as_ref().map_or((JobStatus::Open, 0, 0, None), stage)
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

    /// Most jobs of a market are taken by others, and most of one's own are over. A seat that comes all the same is listed.
    fn attention(&self) -> Attention {
        let has_part = self.row.role != Role::Execute || self.row.has_part_in_dispute();
        let is_ours = self.seat().is_some() || has_part;
        match self.row.phase {
            Phase::Dropped(_) if !is_ours => Attention::Seldom,
            Phase::Claimed if self.is_gone => Attention::Seldom,
            phase if phase.is_before_accept() && !is_ours && !self.row.has_any_live_tx() => Attention::Listed,
            _ => Attention::Close,
        }
    }

    /// Whether its dispute, and what is ours in it, have to be looked at.
    fn is_disputed(&self) -> bool {
        let shown = self.view.as_ref().is_some_and(|view| view.disputes_open > 0);
        shown || (self.view.is_none() && self.row.has_part_in_dispute())
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
    /// No stake is enrolled before this moment.
    enroll_not_before_ms: u64,
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
                Phase::Running => row.phase_before_run(),
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
            enroll_not_before_ms: 0,
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

    /// What the next look has to answer.
    #[must_use]
    pub fn interest(&self) -> Interest {
        let is_juror = self.provider.is_some_and(|provider| provider.duty.duty_until_unix > 0);
        let watches = self.settings.watch.sample > 0 && !self.draining;
        Interest {
            jobs: self.tracked().collect(),
            results: watches,
            disputes: watches || (self.settings.watch.duty && is_juror),
        }
    }

    fn tracked(&self) -> impl Iterator<Item = Tracked> {
        let tracked = |job: &Job| Tracked {
            uid: job.row.uid,
            job: job.row.job,
            attention: job.attention(),
            ask_final: job.asks_final(self.finalized_slot),
            is_held: job.row.is_held(),
            seed_slot: job.seed_slot().or_else(|| job.jury_slot()),
            is_disputed: job.is_disputed(),
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

    /// Whether a drain was requested and no result, vote or reveal is owed any more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining && !self.jobs.values().any(|job| job.row.owes_answer())
    }

    /// Whether anything is on its way, so that looking often is worth it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.jobs.values().any(|job| !job.is_done())
    }

    /// Moves the state and says what to do. Never fails: what does not fit the state is ignored.
    #[must_use]
    pub fn step(&mut self, event: Event, now: Now) -> Vec<Action> {
        let about = event.job();
        self.step_about(event, about, now)
    }

    /// As [`Self::step`], looking at one job, or at all that it may concern.
    fn step_about(&mut self, event: Event, about: Option<JobUid>, now: Now) -> Vec<Action> {
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
            Event::Published { uid, attempt, result } => {
                self.on_published(Attempt { uid, attempt }, &result, now, &mut actions);
            }
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
            Event::SeatsTaken { uid } => self.on_seats_taken(uid),
            Event::Tick => {}
            Event::DrainRequested => self.draining = true,
        }
        self.schedule(about, now, &mut actions);
        for action in &actions {
            // What its preparation ran is thrown away with everything else of it.
            if let Action::CleanUp(uid) = action
                && let Some(job) = self.jobs.get_mut(uid)
            {
                job.has_run = false;
            }
        }
        actions
    }
}

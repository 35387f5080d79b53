//! What may start now: in the order of money already at stake, so that owed results never wait for new work.

use std::collections::BTreeMap;

use super::{
    Action, Core, DeclineReason, DropReason, Job, JobUid, Now, OutcomeBytes, Phase, ProviderView, Role, Settings,
    TxKind, TxRecord, TxState, alone::Coming,
};
use assay_protocol::{JobStatus, OutcomeKind};
use solana_pubkey::Pubkey;

/// Jobs that were posted in so many slots are as old as each other.
const SLOTS_ALIKE: u64 = 16;

/// Seats that are held or on their way.
#[derive(Default)]
struct Taken {
    /// Results that are owed for them.
    results: usize,
    coming: Coming,
}

impl Taken {
    fn add(&mut self, job: &Job) {
        self.results = self.results.saturating_add(1);
        self.coming.add(job);
    }
}

impl Core {
    /// What follows from an event: of one job, which moves that one and those that wait for what it had; or, without one, of
    /// whatever may concern all of them, such as time.
    pub(super) fn schedule(&mut self, about: Option<JobUid>, now: Now, actions: &mut Vec<Action>) {
        if about.is_none() {
            self.search_juries();
            self.search_tickets(now);
        }
        match about {
            Some(about) => {
                self.schedule_jobs(|job| job.row.uid == about || job.waits_for_other_jobs(), now, actions);
            }
            None => self.schedule_jobs(|job| !job.rests(), now, actions),
        }
    }

    /// All that may start, of these jobs as of what is not one job's matter.
    pub(super) fn schedule_jobs(&mut self, which: impl Fn(&Job) -> bool, now: Now, actions: &mut Vec<Action>) {
        let uids = self.in_turn(&which);
        for uid in &uids {
            self.watch_deadline(*uid, now, actions);
        }
        for uid in &uids {
            self.advance_owed(*uid, now, actions);
            self.advance_part(*uid, now, actions);
        }
        self.decide_ballots(&uids, now, actions);
        self.decide_contests(&uids, now, actions);
        self.advance_claims(now);
        self.enroll_matured(now, actions);
        self.choose_alone();
        self.start_acceptances(now, actions);
        self.start_preparations(now, actions);
        // Others than before: some were given a place, or the claim.
        for uid in self.in_turn(&which) {
            self.build_wanted(uid, now, actions);
            self.forget_done(uid, now, actions);
        }
    }

    /// These jobs: own seats first, then juries, then what is only watched.
    fn in_turn(&self, which: impl Fn(&Job) -> bool) -> Vec<JobUid> {
        let jobs = self.jobs.values().filter(|job| which(job));
        let mut jobs: Vec<(Role, JobUid)> = jobs.map(|job| (job.row.role, job.row.uid)).collect();
        jobs.sort_unstable();
        jobs.into_iter().map(|(_, uid)| uid).collect()
    }

    /// Gives the seat back while that is still possible, when the result will not be ready in time: a decline costs
    /// less than a miss, or among several seats as much, and the others need not wait for it.
    fn watch_deadline(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let (margin_s, unpublished) = (self.settings.decline_margin_s, self.settings.submit_unpublished);
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let deadline = job.deadline_unix();
        let margin_s = job.reveal_margin_s().map_or(margin_s, |most| margin_s.min(most));
        if deadline == 0 || now.chain_unix < deadline.saturating_sub(margin_s) || now.chain_unix >= deadline {
            return;
        }
        // A long pause after failures must not outlast the seat.
        job.not_before_ms = job.not_before_ms.min(now.monotonic_ms.saturating_add(super::BACKOFF_MS));
        let reason = match job.row.phase {
            Phase::Accepted | Phase::Running => DeclineReason::OutOfTime,
            Phase::Ran if job.is_drawn() => return,
            Phase::Committed if !job.may_reveal(now) => return,
            // A hidden result that is not revealed costs the whole bond.
            Phase::Ran | Phase::Committed | Phase::Publishing if unpublished || job.row.salt.is_some() => {
                job.row.phase = Phase::Published;
                job.not_before_ms = now.monotonic_ms;
                return;
            }
            Phase::Ran | Phase::Publishing => DeclineReason::ContentUnavailable,
            _ => return,
        };
        job.row.phase = Phase::Declining(reason);
        job.row.tx_failures = 0;
        job.not_before_ms = now.monotonic_ms;
        actions.extend([Action::StopWork(uid), Action::Persist(uid)]);
    }

    /// Moves a job whose seat is held one step on, as far as nothing has to be waited for.
    fn advance_owed(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let (crank, provider) = (self.settings.crank, self.settings.provider);
        let next = self.jobs.get(&uid).filter(|job| job.row.phase == Phase::Accepted && job.may_run());
        let can_run = next.is_some_and(|job| job.has_run || self.can_run());
        let Some(job) = self.jobs.get_mut(&uid).filter(|job| job.row.role == Role::Execute) else { return };
        if job.view.is_none() || now.monotonic_ms < job.not_before_ms || job.is_too_late(now) {
            return;
        }
        if can_run {
            job.row.run_attempts = job.row.run_attempts.saturating_add(1);
            job.row.phase = Phase::Running;
            // The attempt is counted on disk first: a job that kills the whole process is found out (E-24).
            actions.extend([Action::Persist(uid), Action::Run(uid)]);
        }
        if job.row.phase == Phase::Ran && job.is_drawn() {
            job.row.phase = Phase::Committing;
            job.row.tx_failures = 0;
        }
        if job.row.phase == Phase::Ran || (job.row.phase == Phase::Committed && job.may_reveal(now)) {
            if job.row.outcome.as_ref().is_some_and(has_package) {
                job.row.publish_attempts = job.row.publish_attempts.saturating_add(1);
                job.row.phase = Phase::Publishing;
                if job.row.salt.is_some() {
                    // What was hidden may be shown from now on.
                    actions.push(Action::Persist(uid));
                }
                actions.push(Action::Publish(uid));
            } else {
                job.row.phase = Phase::Published;
            }
        }
        if job.row.phase == Phase::Published {
            job.row.phase = if job.row.salt.is_some() { Phase::Revealing } else { Phase::Submitting };
            job.row.tx_failures = 0;
        }
        if job.row.phase == Phase::Submitted && crank && job.window_is_over(now) && job.is_our_turn(&provider, now) {
            job.row.phase = Phase::Settling;
            job.row.tx_failures = 0;
        }
    }

    /// Whether a child is free for one more run.
    pub(super) fn can_run(&self) -> bool {
        let running = self.jobs.values().filter(|job| job.row.phase == Phase::Running && !job.has_run).count();
        running < self.settings.runs_max && !self.sandbox_fails
    }

    /// One claim at a time pays for every settled job.
    fn advance_claims(&mut self, now: Now) {
        let (slot, min, crank) = (self.slot, self.settings.claim_min_lamports, self.settings.crank);
        let Some(provider) = self.provider.filter(|_| slot >= self.claimed_slot) else { return };
        // Somebody else claimed for us, or the claim that failed came too late: there is nothing to wait for.
        let idle = |job: &Job| job.building.is_none() && !job.row.has_live_tx(TxKind::Claim);
        let is_in_vain = |job: &Job| job.row.phase == Phase::Claiming && provider.earnings_lamports == 0 && idle(job);
        for job in self.jobs.values_mut().filter(|job| is_in_vain(job)) {
            job.row.phase = Phase::Claimed;
        }
        let mut claiming = self.jobs.values().any(|job| job.row.phase == Phase::Claiming);
        for job in self.jobs.values_mut() {
            let seen = job.settled_slot.is_none_or(|settled| slot >= settled);
            if job.row.phase != Phase::Settled || !seen || now.monotonic_ms < job.not_before_ms {
                continue;
            }
            if !crank || provider.earnings_lamports == 0 || provider.earnings_lamports < min {
                job.row.phase = Phase::Claimed;
            } else if !claiming {
                claiming = true;
                job.row.phase = Phase::Claiming;
                job.row.tx_failures = 0;
            }
        }
    }

    fn start_acceptances(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(provider) = self.provider.filter(|provider| now.chain_unix >= provider.jailed_until_unix) else {
            return;
        };
        let mut taken = self.taken();
        // Many may be waiting: not one of them is looked at in vain.
        if self.draining || self.sandbox_fails || taken.results >= self.settings.jobs_active_max {
            return;
        }
        let prepared: Vec<JobUid> =
            self.jobs.iter().filter(|(_, job)| job.row.phase == Phase::Prepared).map(|(uid, _)| *uid).collect();
        for uid in prepared {
            if !self.has_free_place(&provider, uid, &taken) {
                continue;
            }
            let in_time = self.jobs.get(&uid).is_some_and(|job| self.has_time(job, now));
            let runs_in_time = self.jobs.get(&uid).is_some_and(|job| self.runs_in_time(job));
            let Some(job) = self.jobs.get_mut(&uid).filter(|job| job.may_be_taken()) else { continue };
            if now.monotonic_ms < job.not_before_ms || (in_time && !runs_in_time) {
                continue;
            }
            if in_time {
                job.row.phase = Phase::Accepting;
                job.row.tx_failures = 0;
                taken.add(job);
            } else {
                job.row.phase = Phase::Dropped(DropReason::OutOfTime);
                actions.push(Action::CleanUp(uid));
            }
        }
    }

    /// What results are owed for, or will be.
    fn taken(&self) -> Taken {
        let mut taken = Taken::default();
        self.jobs.values().filter(|job| job.row.owes_result()).for_each(|job| taken.add(job));
        taken
    }

    /// Whether one more seat fits everything that bounds them: own settings, capacity, stake, exposure cap.
    fn has_free_place(&self, provider: &ProviderView, uid: JobUid, taken: &Taken) -> bool {
        let Some(job) = self.jobs.get(&uid) else { return false };
        let (lock_lamports, stake_min_lamports) =
            (job.lock_lamports(), job.view.as_ref().map_or(0, |view| view.stake_min_lamports));
        let coming = &taken.coming;
        let seats = usize::from(provider.active).saturating_add(coming.seats);
        taken.results < self.settings.jobs_active_max
            && seats < usize::from(provider.capacity)
            && !provider.market_paused
            && provider.node_balance_lamports >= self.settings.balance_min_lamports
            && provider.stake_lamports >= stake_min_lamports
            && coming.leaves_room_for(lock_lamports, provider)
    }

    fn has_time(&self, job: &Job, now: Now) -> bool {
        job.view.as_ref().is_some_and(|view| {
            let queue_left_s = view.queue_deadline_unix.saturating_sub(now.chain_unix);
            queue_left_s > self.settings.accept_margin_s && i64::from(view.execution_s) > self.settings.decline_margin_s
        })
    }

    /// Whether a run would end in time behind those that are owed already. A job that could start at once is never
    /// refused for this: its gas limit says only what it may burn.
    fn runs_in_time(&self, job: &Job) -> bool {
        let Some(view) = &job.view else { return false };
        let waits_or_runs =
            |job: &Job| matches!(job.row.phase, Phase::Accepting | Phase::Accepted | Phase::Running | Phase::Drawn);
        let ahead = || self.jobs.values().filter(|job| !job.has_run && waits_or_runs(job));
        if job.has_run || ahead().count() < self.settings.runs_max {
            return true;
        }
        let gas_of = |gas_limit| self.settings.gas_of_run(gas_limit);
        let gas = |job: &Job| job.view.as_ref().map_or(0, |view| gas_of(view.limits.gas_limit));
        let queued = ahead().fold(0_u64, |sum, job| sum.saturating_add(gas(job)));
        let runs = u64::try_from(self.settings.runs_max).unwrap_or(u64::MAX).max(1);
        let gas = (queued / runs).saturating_add(gas_of(view.limits.gas_limit));
        let run_s = i64::try_from(gas / self.settings.gas_per_second.max(1)).unwrap_or(i64::MAX);
        i64::from(view.execution_s) > run_s.saturating_add(self.settings.decline_margin_s)
    }

    fn start_preparations(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.draining || self.sandbox_fails || self.provider.is_none() {
            return;
        }
        let count = |phase| self.jobs.values().filter(|job| job.row.phase == phase).count();
        // What is prepared and cannot be accepted holds disk and memory: no more of it than could start at once.
        let waiting = count(Phase::Prepared);
        let free = self.settings.preparations_max.saturating_sub(count(Phase::Fetching));
        let places = free.min(self.settings.jobs_active_max.saturating_sub(waiting));
        if places == 0 {
            return;
        }
        let loads = self.loads();
        let mut candidates: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.row.role == Role::Execute && job.row.phase == Phase::Seen)
            .filter(|(_, job)| now.monotonic_ms >= job.not_before_ms)
            .filter(|(_, job)| job.may_be_taken())
            .filter_map(|(uid, job)| Some((*uid, job.row.content_failures, job.view.as_ref()?)))
            // Whoever floods the market waits behind the others, whether its content is to be had or not (E-23), and what was
            // tried in vain behind what was not. Of jobs of one seat that are as old as each other each provider begins with
            // others, or all would race for the same. Several seats are filled together: those who began with others would
            // wait for each other.
            .map(|(uid, failures, view)| {
                let load = loads.get(&view.poster).copied().unwrap_or(0);
                let turn = if view.is_drawn() { view.created_slot } else { self.settings.own_order(uid) };
                (
                    load.saturating_add(usize::from(failures)),
                    u64::MAX - view.price,
                    view.created_slot / SLOTS_ALIKE,
                    turn,
                    uid,
                )
            })
            .collect();
        candidates.sort_unstable();
        for (.., uid) in candidates.into_iter().take(places) {
            let in_time = self.jobs.get(&uid).is_some_and(|job| self.has_time(job, now));
            let attempts_max = self.settings.prepare_attempts_max;
            let Some(job) = self.jobs.get_mut(&uid) else { continue };
            if !in_time {
                job.row.phase = Phase::Dropped(DropReason::OutOfTime);
            } else if job.crashed_preparations() >= attempts_max {
                // Counted on disk before each try: whatever it did to the process, it does not get another (E-24).
                job.row.phase = Phase::Dropped(DropReason::Quarantined);
                actions.push(Action::Persist(uid));
            } else {
                job.row.prepare_attempts = job.row.prepare_attempts.saturating_add(1);
                job.row.phase = Phase::Fetching;
                actions.extend([Action::Persist(uid), Action::Prepare(uid)]);
            }
        }
    }

    /// How many jobs of each poster are in hand, or were until their content was not to be had.
    fn loads(&self) -> BTreeMap<Pubkey, usize> {
        let mut loads = BTreeMap::new();
        let waits = |job: &Job| job.row.content_failures > 0 && job.row.phase.is_before_accept();
        let takes_time = |job: &&Job| job.row.owes_result() || waits(job);
        let in_hand = self.jobs.values().filter(takes_time);
        for view in in_hand.filter_map(|job| job.view.as_ref()) {
            let load: &mut usize = loads.entry(view.poster).or_default();
            *load = load.saturating_add(1);
        }
        loads
    }

    fn build_wanted(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let Some(kind) = job.wanted_tx(&self.settings, now) else { return };
        // A claim is about the provider; after a restart the job's account may be closed already.
        let unseen = job.view.is_none() && kind != TxKind::Claim;
        let waits = job.building.is_some() || now.monotonic_ms < job.not_before_ms || unseen;
        let is_refused = kind != TxKind::Advance && job.is_too_late(now);
        if waits || is_refused || job.revive_tx(kind, actions) {
            return;
        }
        if kind == TxKind::Accept && !job.may_be_taken() {
            return;
        }
        if job.row.has_live_tx(kind) && !job.may_bump(kind, &self.settings, now) {
            return;
        }
        job.step = job.due_step(&self.settings, now);
        job.building = Some(kind);
        job.building_for = Some(job.stage());
        actions.push(Action::BuildTx(uid, kind));
    }

    /// Drops what is over: paid and final, or of no more interest to anybody. Never while a signature may still land, and
    /// never by what a fork could take back: a seat that came back without its row would look like somebody else's.
    fn forget_done(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get(&uid).filter(|job| !job.wants_close(&self.settings)) else { return };
        // What was spent today counts until tomorrow.
        let counts = job.counts_today(now);
        if !job.is_done() || !job.is_over || job.row.has_any_live_tx() || job.building.is_some() || counts {
            return;
        }
        self.jobs.remove(&uid);
        actions.extend([Action::CleanUp(uid), Action::Forget(uid)]);
    }
}

impl Job {
    /// Whether nothing can become of it before the next look: others have it, or it was paid and its account is gone.
    pub(super) fn rests(&self) -> bool {
        let shows_part = self.view.as_ref().is_some_and(|view| view.seat.is_some() || view.dispute.is_some());
        let has_part = self.row.role != Role::Execute || self.row.has_part_in_dispute() || shows_part;
        let is_left = match self.row.phase {
            Phase::Dropped(_) => true,
            Phase::Claimed => self.is_gone,
            _ => false,
        };
        is_left && !has_part && !self.is_over && !self.row.has_any_live_tx() && self.building.is_none()
    }

    /// Whether it may get on by what another job leaves: a child, or, as it has just been given that, a place among those that are
    /// accepted, or the one claim.
    fn waits_for_other_jobs(&self) -> bool {
        let waits = matches!(self.row.phase, Phase::Accepted | Phase::Accepting | Phase::Claiming);
        waits || self.row.role != Role::Execute
    }

    /// The transaction that it waits for.
    pub(super) fn wanted_tx(&self, settings: &Settings, now: Now) -> Option<TxKind> {
        match self.row.phase {
            Phase::Accepting => Some(TxKind::Accept),
            Phase::Declining(_) => Some(TxKind::Decline),
            Phase::Committing if !self.is_too_late(now) => Some(TxKind::Commit),
            Phase::Revealing if !self.is_too_late(now) => Some(TxKind::Reveal),
            Phase::Submitting => Some(TxKind::Submit),
            Phase::Settling | Phase::SettlingVote => Some(TxKind::Settle),
            Phase::Claiming => Some(TxKind::Claim),
            _ => self.contest_tx(now).or_else(|| self.due_step(settings, now).map(|_| TxKind::Advance)),
        }
    }

    /// Until when the chain takes what is owed in this phase; zero when nothing is, or nothing is known.
    fn deadline_unix(&self) -> i64 {
        let Some(view) = &self.view else { return 0 };
        match self.row.phase {
            _ if !self.row.holds_seat() => 0,
            _ if self.is_committed() => view.reveal_deadline_unix,
            _ => view.execution_deadline_unix,
        }
    }

    fn is_committed(&self) -> bool {
        let is_revealed_next =
            matches!(self.row.phase, Phase::Committed | Phase::Publishing | Phase::Published | Phase::Revealing);
        is_revealed_next && self.row.salt.is_some()
    }

    /// Longest part of the time for reveals that is kept for the reveal itself, seconds; `None` before.
    fn reveal_margin_s(&self) -> Option<i64> {
        let view = self.view.as_ref().filter(|_| self.is_committed())?;
        Some(i64::from(view.reveal_s / 2))
    }

    /// The chain takes nothing for this seat any more but has not said so yet.
    fn is_too_late(&self, now: Now) -> bool {
        let deadline = self.deadline_unix();
        deadline != 0 && now.chain_unix >= deadline
    }

    fn window_is_over(&self, now: Now) -> bool {
        self.view.as_ref().is_some_and(|view| {
            let closes = view.window_deadline_unix;
            let is_agreed = view.status == JobStatus::Submitted && closes != 0;
            view.status.is_terminal() || (is_agreed && now.chain_unix >= closes)
        })
    }

    /// Makes a landed transaction live again, when the chain has forgotten it and it is wanted still (E-12): the same
    /// bytes are sent, so there are never two that could land.
    fn revive_tx(&mut self, kind: TxKind, actions: &mut Vec<Action>) -> bool {
        if self.is_repeatable(kind) {
            return false;
        }
        let uid = self.row.uid;
        let is_landed = |tx: &&mut TxRecord| tx.kind == kind && matches!(tx.state, TxState::Landed(_));
        let Some(tx) = self.row.txs.iter_mut().rfind(is_landed) else { return false };
        tx.state = TxState::Live;
        actions.extend([Action::Persist(uid), Action::Deliver(uid, kind)]);
        true
    }
}

/// Invalid outcomes have no result package.
fn has_package(outcome: &OutcomeBytes) -> bool {
    OutcomeKind::from_code(outcome[0]) != Some(OutcomeKind::Invalid)
}

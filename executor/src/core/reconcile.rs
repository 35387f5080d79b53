//! Moves every job to where the chain says it is.

use assay_protocol::JobStatus;

use super::{
    Action, Core, DropReason, Finalized, Job, JobRow, JobUid, JobView, Now, Phase, Role, Seat, Snapshot, TxKind,
    TxState,
};

const UNKNOWN_SEAT: &str = "the chain shows a seat that the journal does not know: another instance runs with this \
    node key, or the journal is an old copy; stop the other instance or restore the journal, and start with \
    --adopt-unknown-seats only when neither is the case";
const FOREIGN_RESULT: &str = "the chain shows a result for our seat that is not the one in the journal: the journal \
    is an old copy or somebody else holds the node key; restore the journal or rotate the key";

const LOST_SALT: &str = "the chain shows a commitment whose salt the journal does not have: it cannot be revealed, and the \
    bond of the seat will be lost";

/// A look that is on its way may not show what word has come of: it reads a slot that may be one behind.
const LOOK_BEHIND_SLOTS: u64 = 2;

/// Whether those who hold a seat may still commit or submit.
const fn takes_commits(status: JobStatus) -> bool {
    matches!(status, JobStatus::Open | JobStatus::Assigned)
}

/// Whether those who committed may still reveal, now or later.
const fn takes_reveals(status: JobStatus) -> bool {
    takes_commits(status) || matches!(status, JobStatus::Revealing)
}

impl Core {
    pub(super) fn reconcile(&mut self, snapshot: Snapshot, now: Now, actions: &mut Vec<Action>) {
        // E-08, E-11: an older look says nothing new.
        if snapshot.slot < self.slot {
            return;
        }
        let Snapshot { slot, finalized, provider, jobs, gone, seeds } = snapshot;
        self.slot = slot;
        self.provider = Some(provider);
        self.on_finalized(finalized.unwrap_or_default());
        self.seen_slot = self.seen_slot.max(self.slot);
        for uid in gone {
            if let Some(job) = self.jobs.get_mut(&uid)
                && slot >= job.view_slot
            {
                job.on_gone(slot, actions);
            }
        }
        let (ours, others): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|view| view.seat.is_some() || self.jobs.contains_key(&view.uid));
        for view in ours {
            let uid = view.uid;
            self.reconcile_job(view, slot, now, actions);
            if let Some(job) = self.jobs.get_mut(&uid) {
                job.foresee(&seeds, slot, now);
            }
        }
        let (open, standing): (Vec<_>, Vec<_>) = others.into_iter().partition(|view| view.status == JobStatus::Open);
        // A juror is called whatever else it does: being absent costs its duty lock.
        for view in standing {
            if self.is_of_interest(&view, now) {
                self.reconcile_job(view, slot, now, actions);
            }
        }
        if !self.draining {
            let score_bps = self.provider.map_or(0, |provider| provider.score_bps);
            let is_for_us =
                |view: &JobView| self.settings.policy.admit(view).is_ok() && score_bps >= view.min_trust_bps;
            let newcomers = open.into_iter().filter(is_for_us).collect();
            self.take_in(newcomers, slot, now, actions);
        }
    }

    fn on_finalized(&mut self, Finalized { slot, over }: Finalized) {
        self.finalized_slot = self.finalized_slot.max(slot);
        for uid in over {
            // Before it was created, the chain could not know it.
            if let Some(job) = self.jobs.get_mut(&uid).filter(|job| slot >= job.row.created_slot) {
                job.is_over = true;
                // From here on no honest look shows it, and only such looks count.
                self.slot = self.slot.max(slot);
            }
        }
    }

    /// E-10: whoever says so may be wrong or lie, and keeps us from this job until a look, but neither its place nor a drain
    /// waiting.
    pub(super) fn on_seats_taken(&mut self, uid: JobUid) {
        let until = self.slot.saturating_add(LOOK_BEHIND_SLOTS);
        if let Some(job) = self.jobs.get_mut(&uid) {
            // Said again, it holds no longer.
            job.taken_until.get_or_insert(until);
            job.put_off_acceptance();
        }
    }

    /// Moves a job to where this look shows it; one that is not known yet is known from now on.
    pub(super) fn reconcile_job(&mut self, view: JobView, slot: u64, now: Now, actions: &mut Vec<Action>) {
        let (uid, adopt, provider) = (view.uid, self.settings.adopt_unknown_seats, self.settings.provider);
        let new = || Job::new(JobRow::new(uid, view.job, view.created_slot));
        let job = self.jobs.entry(uid).or_insert_with(new);
        if slot < job.view_slot {
            return;
        }
        job.view_slot = slot;
        job.taken_until = job.taken_until.filter(|until| slot < *until);
        job.is_gone = false;
        let has_part = view.dispute.as_ref().is_some_and(|dispute| dispute.has_part_of_ours());
        job.see_end(view.status.is_terminal() && view.seat.is_none() && !has_part, slot);
        let before = job.row.phase;
        let (status, seat) = (view.status, view.seat);
        job.view = Some(view);
        job.has_jury = self.provider.is_some_and(|provider| provider.duty_tickets_total > 0);
        if job.halts_at_foreign_part(&self.settings, actions) {
            return;
        }
        match seat {
            None if job.row.role != Role::Execute => job.follow(status, slot, actions),
            None if job.row.has_part_in_dispute() && job.is_dispute_unseen() => {}
            // Our seat is settled, our challenge is not.
            None if job.has_open_part() && status.is_terminal() => job.row.phase = Phase::Settling,
            // The queue timed out: nobody ran, and the seat is free of charge.
            Some(Seat::Accepted) if status.is_terminal() => job.on_seat_over(DropReason::Ended, status, actions),
            Some(Seat::Accepted) if !takes_commits(status) => job.on_seat_over(DropReason::Missed, status, actions),
            Some(Seat::Accepted) => job.on_seat_accepted(adopt, actions),
            Some(Seat::Committed(commitment)) => {
                let is_ours = job.row.commitment(&provider) == Some(commitment);
                job.on_seat_committed(is_ours, (status, adopt), actions);
            }
            Some(Seat::Submitted(outcome)) => job.on_seat_submitted(&outcome, adopt, actions),
            Some(Seat::Missed) => job.on_seat_over(DropReason::Missed, status, actions),
            None => job.on_no_seat(status, slot, actions),
        }
        if seat.is_some() {
            job.row.role = Role::Execute;
        }
        if job.row.phase != before {
            job.not_before_ms = now.monotonic_ms;
            let durable = !job.row.phase.is_before_accept();
            if durable {
                actions.push(Action::Persist(uid));
            }
        }
        self.take_part(uid, now, actions);
    }
}

impl Job {
    /// The account is closed. What was submitted has been settled; anything else has ended without us.
    fn on_gone(&mut self, slot: u64, actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        self.see_end(true, slot);
        self.is_gone = true;
        if let Some(view) = &mut self.view {
            view.seat = None;
            view.dispute = None;
        }
        match self.row.phase {
            Phase::Dropped(_) | Phase::Halted => {}
            _ if self.row.role != Role::Execute && self.row.has_part_in_dispute() => {
                self.settle_part(slot);
                actions.push(Action::Persist(uid));
            }
            Phase::Revealing | Phase::Submitting | Phase::Submitted | Phase::Settling => {
                self.enter_settled(slot);
                actions.push(Action::Persist(uid));
            }
            Phase::Settled | Phase::Claiming | Phase::Claimed => {}
            _ => self.end(DropReason::Ended, actions),
        }
    }

    fn see_end(&mut self, ended: bool, slot: u64) {
        self.ended_slot = ended.then(|| self.ended_slot.unwrap_or(slot));
    }

    fn on_seat_accepted(&mut self, adopt: bool, actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        match self.row.phase {
            Phase::Accepting => self.enter_accepted(),
            Phase::Seen | Phase::Fetching | Phase::Prepared | Phase::Dropped(_) => {
                if matches!(self.row.phase, Phase::Dropped(DropReason::Declined)) {
                    // E-12: the decline was rolled back.
                    self.row.phase = Phase::Declining(super::DeclineReason::HostFault);
                    return;
                }
                // Ours if we signed for it; the acceptance may have landed after we stopped waiting for it.
                if !self.row.is_seat_known && !adopt {
                    actions.push(Action::Halt(uid, UNKNOWN_SEAT));
                    return;
                }
                actions.push(Action::StopWork(uid));
                self.row.is_seat_known = true;
                self.enter_accepted();
            }
            // E-12: the submission, or the penalty, was rolled back.
            Phase::Submitted | Phase::Settling | Phase::Settled | Phase::Claiming | Phase::Claimed => {
                if self.row.tx(TxKind::Submit).is_some() {
                    self.row.phase = Phase::Submitting;
                } else {
                    self.enter_accepted();
                }
            }
            // E-12: the commitment was rolled back.
            Phase::Committed | Phase::Publishing | Phase::Published | Phase::Revealing if self.row.salt.is_some() => {
                self.enter_accepted();
            }
            _ => {}
        }
    }

    fn on_seat_committed(&mut self, is_ours: bool, (status, adopt): (JobStatus, bool), actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        if !is_ours && (self.row.salt.is_some() || !adopt) {
            // E-18: signed with our key, and not by this journal.
            actions.push(Action::Halt(uid, FOREIGN_RESULT));
            return;
        }
        if !is_ours || !takes_reveals(status) {
            if !is_ours && !matches!(self.row.phase, Phase::Dropped(_) | Phase::Settling) {
                actions.push(Action::Alert(uid, LOST_SALT));
            }
            self.on_seat_over(DropReason::Missed, status, actions);
            return;
        }
        match self.row.phase {
            Phase::Committed | Phase::Publishing | Phase::Published | Phase::Revealing | Phase::Halted => {}
            // E-12: the reveal, or what followed from it, was rolled back.
            Phase::Submitted | Phase::Settling | Phase::Settled | Phase::Claiming | Phase::Claimed
                if self.row.tx(TxKind::Reveal).is_some() =>
            {
                self.row.phase = Phase::Revealing;
            }
            _ => {
                actions.push(Action::StopWork(uid));
                self.row.phase = Phase::Committed;
            }
        }
    }

    fn on_seat_submitted(&mut self, outcome: &super::OutcomeBytes, adopt: bool, actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        if self.row.outcome != Some(*outcome) {
            if self.row.outcome.is_some() || !adopt {
                // E-18: signed with our key, and not by this journal.
                actions.push(Action::Halt(uid, FOREIGN_RESULT));
                return;
            }
            self.row.outcome = Some(*outcome);
        }
        match self.row.phase {
            Phase::Submitted | Phase::Settling | Phase::Halted => {}
            // E-12: the settlement was rolled back.
            Phase::Settled | Phase::Claiming | Phase::Claimed => self.row.phase = Phase::Settling,
            // What is still being published goes on.
            Phase::Revealing | Phase::Submitting => self.row.phase = Phase::Submitted,
            _ => {
                actions.push(Action::StopWork(uid));
                self.row.phase = Phase::Submitted;
            }
        }
    }

    /// Nothing can be done for the seat any more but to settle it.
    fn on_seat_over(&mut self, reason: DropReason, status: JobStatus, actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        if !matches!(self.row.phase, Phase::Dropped(_) | Phase::Settling | Phase::Halted) {
            let is_declined = matches!(self.row.phase, Phase::Declining(_));
            actions.extend([Action::StopWork(uid), Action::CleanUp(uid)]);
            self.row.phase = Phase::Dropped(if is_declined { DropReason::Declined } else { reason });
        }
        // The rent of the seat comes back when the job is over.
        if status.is_terminal() && matches!(self.row.phase, Phase::Dropped(_)) {
            self.row.tx_failures = 0;
            self.row.phase = Phase::Settling;
        }
    }

    fn on_no_seat(&mut self, status: JobStatus, slot: u64, actions: &mut Vec<Action>) {
        let is_open = status == JobStatus::Open;
        match self.row.phase {
            // Whoever was quicker gave the seat back, or one more seat is wanted.
            Phase::Dropped(DropReason::LostRace) if is_open => self.row.phase = Phase::Seen,
            // A job that is left alone stays known while it could be taken again.
            Phase::Dropped(_) | Phase::Halted => {}
            phase if is_open && !phase.is_after_accept() => {}
            Phase::Declining(_) => self.end(DropReason::Declined, actions),
            _ if is_open && self.row.tx(TxKind::Decline).is_some() => self.end(DropReason::Declined, actions),
            // E-12: the acceptance was rolled back; the work starts over once it stands again.
            _ if is_open => {
                actions.push(Action::StopWork(self.row.uid));
                self.row.phase = Phase::Accepting;
            }
            _ if !status.is_terminal() => self.end(DropReason::LostRace, actions),
            Phase::Accepting if status == JobStatus::Resolved => self.end(DropReason::LostRace, actions),
            Phase::Settled | Phase::Claiming | Phase::Claimed => {}
            Phase::Revealing | Phase::Submitting | Phase::Submitted | Phase::Settling
                if status == JobStatus::Resolved =>
            {
                self.enter_settled(slot);
            }
            _ => self.end(DropReason::Ended, actions),
        }
    }

    pub(super) fn end(&mut self, reason: DropReason, actions: &mut Vec<Action>) {
        let uid: JobUid = self.row.uid;
        actions.extend([Action::StopWork(uid), Action::CleanUp(uid)]);
        if let Some(tx) = self.row.txs.iter().find(|tx| tx.state == TxState::Live) {
            actions.push(Action::StopSending(uid, tx.kind));
        }
        self.row.phase = Phase::Dropped(reason);
    }
}

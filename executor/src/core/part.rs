//! Jobs in which we have no seat, as juror or watcher: where each stands, and the run that it may need.

use assay_protocol::{JobStatus, Verdict, ballot_hash};

use super::{Action, Core, DropReason, Job, JobUid, Now, Phase, Role, Settings, Spent, court::OwnVote};

const FOREIGN_PART: &str = "the chain shows a vote or a challenge of ours that is not the one in the journal: the journal is an \
    old copy or somebody else holds the node key; restore the journal or rotate the key";
const LOST_PART: &str = "the chain shows a vote or a challenge whose salt the journal does not have: it cannot be revealed, and its \
    bond will be lost";

/// Tries to publish a result that a jury found right and whose executor did not: nobody else may have it.
const PUBLISH_ATTEMPTS_MAX: u8 = 3;

impl Core {
    /// Takes a juror's or a watcher's job one step on, as far as nothing has to be waited for.
    pub(super) fn advance_part(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get(&uid).filter(|job| job.row.role != Role::Execute && !job.is_gone) else { return };
        let (can_run, may_watch) = (self.can_run(), !self.draining && self.affords_run(job, now));
        let affords = job.row.role == Role::Judge || may_watch;
        let (provider, attempts_max) = (self.provider, self.settings.run_attempts_max);
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let Some(view) = &job.view else { return };
        if view.status == JobStatus::Disputed
            && let Some(phase) = job.standing(provider.as_ref(), now)
            && !matches!(job.row.phase, Phase::Halted)
        {
            job.row.phase = phase;
        }
        job.conclude_watch(now, actions);
        job.publish_if_right(actions);
        let crashes = job.row.run_attempts.saturating_sub(job.row.content_failures);
        let waits = matches!(job.row.phase, Phase::Drawn | Phase::Sampled) && now.monotonic_ms >= job.not_before_ms;
        if !waits || !can_run || !affords || crashes >= attempts_max || job.is_too_late_to_judge(&self.settings, now) {
            return;
        }
        if job.row.role == Role::Watch && job.row.run_attempts == 0 {
            let gas = job.view.as_ref().map_or(0, |view| view.limits.gas_limit);
            job.spend(now, Spent { gas, ..Spent::default() });
        }
        job.row.run_attempts = job.row.run_attempts.saturating_add(1);
        job.row.phase = Phase::Running;
        // As for a seat: a job that kills the whole process is found out (E-24).
        actions.extend([Action::Persist(uid), Action::Run(uid)]);
    }
}

impl Job {
    /// Whether the chain shows something of ours in the dispute that the journal cannot have signed (E-18).
    fn shows_foreign_part(&self, settings: &Settings) -> bool {
        let Some(dispute) = self.view.as_ref().and_then(|view| view.dispute.as_ref()) else { return false };
        let is_foreign_vote = |(round, vote): (u8, &Option<OwnVote>)| match vote {
            None | Some(OwnVote::Excused) => false,
            Some(OwnVote::Committed(hidden)) => {
                self.row.vote_commitment(&settings.provider, round).as_ref() != Some(hidden)
            }
            Some(OwnVote::Revealed(hash)) => {
                self.row.ballot(round).map(|row| ballot_hash(&row.ballot)).as_ref() != Some(hash)
            }
        };
        let is_foreign_challenge = dispute.challenge.is_some_and(|challenge| match challenge.commitment {
            // An appeal named it at once.
            [0, ..] if challenge.commitment == [0; 32] => {
                self.row.appeal.is_none() || self.row.outcome_hash() != Some(challenge.outcome_hash)
            }
            hidden => self.row.challenge_commitment(&settings.node_key) != Some(hidden),
        });
        is_foreign_challenge || (0..).zip(&dispute.votes).any(is_foreign_vote)
    }

    /// Stops at what the journal cannot have signed; whether there is such a thing.
    pub(super) fn halts_at_foreign_part(&mut self, settings: &Settings, actions: &mut Vec<Action>) -> bool {
        if !self.shows_foreign_part(settings) {
            return false;
        }
        if settings.adopt_unknown_seats {
            self.tell(LOST_PART, actions);
            return false;
        }
        actions.push(Action::Halt(self.row.uid, FOREIGN_PART));
        true
    }

    /// Whether something of ours in the dispute waits to be settled.
    pub(super) fn has_open_part(&self) -> bool {
        let dispute = self.view.as_ref().and_then(|view| view.dispute.as_ref());
        dispute.is_some_and(|dispute| dispute.has_part_of_ours())
    }

    /// Whether there is a dispute that the last look did not look at.
    pub(super) fn is_dispute_unseen(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.disputes_open > 0 && view.dispute.is_none())
    }

    /// Moves a juror's or a watcher's job to where the chain says it is.
    pub(super) fn follow(&mut self, status: JobStatus, slot: u64, actions: &mut Vec<Action>) {
        if self.row.phase == Phase::Halted || self.is_dispute_unseen() {
            return;
        }
        let is_dropped = matches!(self.row.phase, Phase::Dropped(_));
        match status {
            _ if status.is_terminal() && self.has_open_part() => {
                if !matches!(self.row.phase, Phase::Settling | Phase::SettlingVote) {
                    self.row.tx_failures = 0;
                    actions.push(Action::StopWork(self.row.uid));
                }
                self.row.phase = if self.row.role == Role::Judge { Phase::SettlingVote } else { Phase::Settling };
            }
            _ if status.is_terminal() && self.row.has_part_in_dispute() => self.settle_part(slot),
            // What stands, or is contested, is what we are about.
            JobStatus::Submitted if self.row.role == Role::Watch => {}
            JobStatus::Disputed => {}
            // Ended, or a fork took back what there was to judge.
            _ if !is_dropped => self.end(DropReason::Ended, actions),
            _ => {}
        }
    }

    /// Nothing of ours is left in the dispute.
    pub(super) fn settle_part(&mut self, slot: u64) {
        if !matches!(self.row.phase, Phase::Settled | Phase::Claiming | Phase::Claimed | Phase::Halted) {
            self.row.tx_failures = 0;
            self.enter_settled(slot);
        }
    }

    /// What a watched result came to.
    fn conclude_watch(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(view) = self.view.as_ref().filter(|_| self.row.role == Role::Watch) else { return };
        let is_standing = view.status == JobStatus::Submitted;
        if !(is_standing || view.status == JobStatus::Disputed) || self.is_dispute_unseen() {
            return;
        }
        if self.row.challenge.is_some() {
            if is_standing && self.row.phase == Phase::Ran {
                self.row.phase = Phase::Challenging;
            }
            return;
        }
        let is_over = !self.can_contest(now);
        let reason = match self.row.phase {
            Phase::Ran if is_standing && self.row.outcome_hash() == Some(view.standing_hash) => DropReason::Agrees,
            // What was found is kept while a jury may find otherwise: that can be appealed against.
            Phase::Ran if is_standing && is_over => DropReason::OutOfTime,
            Phase::Sampled | Phase::Running if is_over => DropReason::OutOfTime,
            _ => return,
        };
        self.end(reason, actions);
        actions.push(Action::Persist(self.row.uid));
    }

    /// Whether what a juror's run gives could not be voted for in time.
    fn is_too_late_to_judge(&self, settings: &Settings, now: Now) -> bool {
        let Some(view) = self.view.as_ref().filter(|_| self.row.role == Role::Judge) else { return false };
        let margin_s = settings.vote_margin_s(view.execution_s);
        let until = |deadline: i64| now.chain_unix >= deadline.saturating_sub(margin_s);
        view.dispute.as_ref().is_none_or(|dispute| until(dispute.commit_deadline_unix))
    }

    /// Publishes the result that a jury found right, if we have it: its executor may have shown something else, or nothing.
    fn publish_if_right(&mut self, actions: &mut Vec<Action>) {
        let dispute = self.view.as_ref().and_then(|view| view.dispute.as_ref());
        let is_right = dispute.is_some_and(|dispute| {
            dispute.verdict == Verdict::Outcome && Some(dispute.verdict_hash) == self.row.outcome_hash()
        });
        let settles = matches!(self.row.phase, Phase::Settling | Phase::SettlingVote);
        if settles && is_right && self.row.publish_attempts == 0 && self.row.result_digest().is_some() {
            self.row.publish_attempts = 1;
            actions.extend([Action::Persist(self.row.uid), Action::Publish(self.row.uid)]);
        }
    }

    /// Whether a result that a jury found right is to be published again.
    pub(super) fn publishes_again(&self) -> bool {
        self.row.role != Role::Execute && self.row.publish_attempts < PUBLISH_ATTEMPTS_MAX
    }
}

//! What work gave: a preparation, a run, a publication.

use super::{
    Action, Attempt, Core, DeclineReason, DropReason, JobUid, Now, OutcomeBytes, Phase, Preparation, Role, Salt,
    WorkFault, WorkFaultKind,
};

impl Core {
    pub(super) fn on_prepared(
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
        job.has_run = matches!(result, Ok(Preparation::Ran));
        job.row.phase = match result {
            Ok(Preparation::Runnable | Preparation::Ran) => Phase::Prepared,
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

    pub(super) fn on_ran(
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
        // What its preparation gave is used up: another try takes a child.
        job.has_run = false;
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
                if job.row.role == Role::Execute && job.is_drawn() {
                    job.row.salt.get_or_insert(salt);
                }
                job.row.phase = Phase::Ran;
                actions.push(Action::Persist(uid));
            }
            // C-16: tried until the safety margin, which gives the seat back, or says of a juror what it found.
            Err(fault) if fault.kind == WorkFaultKind::Content => {
                job.row.phase = job.row.phase_before_run();
                if job.row.role != Role::Execute {
                    job.row.content_failures = job.row.content_failures.saturating_add(1);
                }
                job.back_off(attempt, now);
            }
            Err(_) if job.row.role == Role::Execute && attempt >= attempts_max => {
                job.row.phase = Phase::Declining(DeclineReason::HostFault);
                job.row.tx_failures = 0;
                actions.push(Action::Persist(uid));
            }
            Err(_) => {
                job.row.phase = job.row.phase_before_run();
                job.back_off(attempt, now);
            }
        }
    }

    pub(super) fn on_published(
        &mut self,
        Attempt { uid, attempt }: Attempt,
        result: &Result<(), WorkFault>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&uid).filter(|job| job.row.publish_attempts == attempt) else { return };
        if job.publishes_again() && result.is_err() {
            job.row.publish_attempts = attempt.saturating_add(1);
            actions.push(Action::Publish(uid));
        }
        if job.row.phase != Phase::Publishing {
            return;
        }
        if result.is_ok() {
            job.row.phase = Phase::Published;
        } else {
            job.row.phase = job.row.phase_before_publishing();
            job.back_off(attempt, now);
        }
    }

    pub(super) fn on_package_lost(&mut self, uid: JobUid) {
        let Some(job) = self.jobs.get_mut(&uid).filter(|job| job.row.role == Role::Execute) else { return };
        match job.row.phase {
            // Without a reveal the bond is lost; those who agree have the package, too.
            Phase::Publishing if job.row.salt.is_some() => job.row.phase = Phase::Published,
            Phase::Publishing | Phase::Ran => job.row.phase = Phase::Accepted,
            _ => {}
        }
    }
}

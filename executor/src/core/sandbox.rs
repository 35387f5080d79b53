//! When this host can start no sandbox child: nothing is taken or begun until it can, and no job is blamed.

use super::{Action, Attempt, Core, Phase};

const SANDBOX_FAILS: &str = "no sandbox child can be started: no job is prepared, accepted or run until one can; the log \
    and /healthz say why";

impl Core {
    /// Takes back the try that never was: it must not bring the job into quarantine (E-24).
    pub(super) fn on_sandbox_fault(&mut self, Attempt { uid, attempt }: Attempt, actions: &mut Vec<Action>) {
        if !self.sandbox_fails {
            self.sandbox_fails = true;
            actions.push(Action::Alert(uid, SANDBOX_FAILS));
        }
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        job.has_run = false;
        let row = &mut job.row;
        let (phase, attempts) = match row.phase {
            Phase::Fetching => (Phase::Seen, &mut row.prepare_attempts),
            Phase::Running => (row.phase_before_run(), &mut row.run_attempts),
            _ => return,
        };
        if *attempts == attempt {
            *attempts = attempt.saturating_sub(1);
            row.phase = phase;
            actions.push(Action::Persist(uid));
        }
    }
}

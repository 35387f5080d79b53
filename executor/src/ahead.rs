//! Runs that were made when their job was prepared. A child costs more than a small run, so whoever checks such a task runs
//! it at once. What it gave waits here, in memory, until the seat is taken; what is lost is run again.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_content::Entry;
use assay_protocol::TaskSpec;
use assay_runtime::{EngineKind, Variant};

use crate::{
    core::JobUid,
    worker::{CheckedRun, RanTask, WorkerFault},
};

/// Runs that wait at once; the oldest go first. Those of lost races are among them.
const RUNS_MAX: usize = 128;
/// Of a larger result nothing is kept, bytes of its blocks.
const RESULT_BYTES_MAX: usize = 64 << 10;

/// A run whose answer nothing contradicts.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// What came of it.
    pub(crate) checked: CheckedRun,
    /// By the child's word.
    pub(crate) engine: Option<EngineKind>,
    /// The variant that gave the answer.
    pub(crate) variant: Variant,
    /// Why the task is Invalid.
    pub(crate) explanation: Option<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Ran {
    /// Compares a child's answer with the task, the job directory and itself; see [`RanTask::check`].
    ///
    /// # Errors
    /// [`WorkerFault::Inconsistent`].
    pub(crate) fn checked(ran: RanTask, task: &TaskSpec, job: &[Entry]) -> Result<Self, WorkerFault> {
        let checked = ran.check(task, job)?;
        let RanTask { engine, variant, explanation, .. } = ran;
        Ok(Self { checked, engine, variant, explanation, took: Duration::ZERO })
    }

    fn bytes(&self) -> usize {
        self.checked.package.iter().flat_map(|package| &package.blocks).map(|(_, block)| block.len()).sum()
    }
}

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    runs: Mutex<VecDeque<(JobUid, Ran)>>,
}

impl Ahead {
    /// Keeps what the last run of a job gave.
    pub(crate) fn keep(&self, uid: JobUid, ran: Ran) {
        let mut runs = self.runs();
        runs.retain(|(kept, _)| *kept != uid);
        if ran.bytes() <= RESULT_BYTES_MAX {
            runs.push_back((uid, ran));
        }
        if runs.len() > RUNS_MAX {
            runs.pop_front();
        }
    }

    /// What a run of this job gave, once.
    pub(crate) fn take(&self, uid: JobUid) -> Option<Ran> {
        let mut runs = self.runs();
        let index = runs.iter().position(|(kept, _)| *kept == uid)?;
        runs.remove(index).map(|(_, ran)| ran)
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<(JobUid, Ran)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use assay_content::pack_entries;
    use assay_protocol::{InvalidReason, Outcome};

    use super::*;

    fn ran(gas_used: u64, bytes: usize) -> Ran {
        let package = pack_entries([Entry::file("stdout.txt", vec![0; bytes])]).expect("packed");
        let outcome = Outcome { gas_used, ..Outcome::invalid(InvalidReason::ModuleInvalid) };
        let checked = CheckedRun { outcome, package: Some(package), entries: Vec::new(), facts: None };
        Ran { checked, engine: None, variant: Variant::Fast, explanation: None, took: Duration::ZERO }
    }

    fn taken(ahead: &Ahead, uid: u8) -> Option<u64> {
        ahead.take(JobUid([uid; 32])).map(|ran| ran.checked.outcome.gas_used)
    }

    #[test]
    fn the_last_run_of_a_job_is_given_out_once() {
        let ahead = Ahead::default();
        ahead.keep(JobUid([1; 32]), ran(1, 10));
        ahead.keep(JobUid([2; 32]), ran(2, 10));
        ahead.keep(JobUid([1; 32]), ran(3, 10));
        assert_eq!([1, 1, 2, 3].map(|uid| taken(&ahead, uid)), [Some(3), None, Some(2), None]);
    }

    #[test]
    fn memory_is_bounded_by_number_and_by_size() {
        let ahead = Ahead::default();
        ahead.keep(JobUid([0; 32]), ran(0, 10));
        ahead.keep(JobUid([0; 32]), ran(0, RESULT_BYTES_MAX + 1));
        assert_eq!(taken(&ahead, 0), None, "too large, and newer than what was there");
        for uid in 0..=u8::try_from(RUNS_MAX).expect("few") {
            ahead.keep(JobUid([uid; 32]), ran(u64::from(uid), 10));
        }
        assert_eq!((taken(&ahead, 0), taken(&ahead, 1)), (None, Some(1)), "the oldest went");
    }
}

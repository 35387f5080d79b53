//! Runs that were made when their job was prepared. A child costs more than a small run, so whoever checks such a task runs
//! it at once. What it gave waits here, in memory, until the seat is taken or the job is of no more interest.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_content::Entry;
use assay_protocol::TaskSpec;
use assay_runtime::{EngineKind, Variant};
use bytes::Bytes;

use crate::{
    core::JobUid,
    metrics_list as names,
    worker::{CheckedRun, RanTask, WorkerFault},
};

/// Runs that wait at once.
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
    runs: Mutex<BTreeMap<JobUid, Ran>>,
}

impl Ahead {
    /// Keeps what the last run of a job gave, until it is taken; whether there is room for it.
    pub(crate) fn keep(&self, uid: JobUid, mut ran: Ran) -> bool {
        metrics::counter!(names::RUNS_AHEAD).increment(1);
        let mut runs = self.runs();
        runs.remove(&uid);
        let has_room = runs.len() < RUNS_MAX && ran.bytes() <= RESULT_BYTES_MAX;
        if has_room {
            // Of its own: a slice would keep all of the answer that it came in.
            let blocks = ran.checked.package.iter_mut().flat_map(|package| &mut package.blocks);
            blocks.for_each(|(_, block)| *block = Bytes::copy_from_slice(block));
            ran.checked.entries = Vec::new();
            runs.insert(uid, ran);
        }
        has_room
    }

    /// What a run of this job gave, once.
    pub(crate) fn take(&self, uid: JobUid) -> Option<Ran> {
        self.runs().remove(&uid)
    }

    fn runs(&self) -> MutexGuard<'_, BTreeMap<JobUid, Ran>> {
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
        for (uid, gas_used) in [(1, 1), (2, 2), (1, 3)] {
            assert!(ahead.keep(JobUid([uid; 32]), ran(gas_used, 10)));
        }
        assert_eq!([1, 1, 2, 3].map(|uid| taken(&ahead, uid)), [Some(3), None, Some(2), None]);
    }

    #[test]
    fn memory_is_bounded_by_number_and_by_size() {
        let ahead = Ahead::default();
        assert!(ahead.keep(JobUid([0; 32]), ran(0, 10)));
        assert!(!ahead.keep(JobUid([0; 32]), ran(0, RESULT_BYTES_MAX + 1)));
        assert_eq!(taken(&ahead, 0), None, "too large, and newer than what was there");
        let last = u8::try_from(RUNS_MAX).expect("few");
        let kept = (0..=last).filter(|uid| ahead.keep(JobUid([*uid; 32]), ran(u64::from(*uid), 10)));
        assert!(kept.eq(0..last), "what is kept stays until it is taken");
        assert_eq!((taken(&ahead, 0), taken(&ahead, last)), (Some(0), None));
        assert!(ahead.keep(JobUid([last; 32]), ran(u64::from(last), 10)));
    }
}

//! What the parent makes of a child's answer about a run.
//!
//! The child read hostile bytes, so what this process can know itself is not taken from it: the module's hash, arguments
//! and environment follow from the job directory, the hashes of stdout and stderr from the result's files, the result's
//! CID from its bytes. What only a run can tell (how it ended, gas, peaks) is the child's word, as far as the outcome's
//! rules allow it. What contradicts itself is a host fault: no outcome, never signed.

use assay_content::{BlockSet, Budget, Entry, Package, digest_from_cid, pack_entries, unpack};
use assay_protocol::{Outcome, OutcomeKind, TaskSpec};
use assay_sdk::{
    receipt::{RunFacts, compare},
    task,
    verify::{Streams, check_result},
};
use sha2::{Digest, Sha256};

use super::{parent::WorkerFault, wire::RanTask};

/// An answer that nothing here contradicts.
#[derive(Clone, Debug)]
pub struct CheckedRun {
    /// What is agreed on.
    pub outcome: Outcome,
    /// The result directory, packed here; `None` when Invalid.
    pub package: Option<Package>,
    /// Its files; none when Invalid.
    pub entries: Vec<Entry>,
    /// What a receipt says about the run; `None` when Invalid. The peaks in it are the child's word.
    pub facts: Option<RunFacts>,
}

impl RanTask {
    /// Compares the answer with the task, the job directory and itself.
    ///
    /// # Errors
    /// [`WorkerFault::Inconsistent`] names what cannot be so.
    pub fn check(&self, task: &TaskSpec, job: &[Entry]) -> Result<CheckedRun, WorkerFault> {
        self.checked(task, job).map_err(WorkerFault::Inconsistent)
    }

    fn checked(&self, task: &TaskSpec, job: &[Entry]) -> Result<CheckedRun, String> {
        let outcome = Outcome::decode(&self.outcome, task.limits.gas_limit).map_err(|error| error.to_string())?;
        if outcome.kind == OutcomeKind::Invalid {
            if self.root.is_some() || !self.blocks.is_empty() || self.facts.is_some() {
                return Err("an Invalid task has a result".to_owned());
            }
            return Ok(CheckedRun { outcome, package: None, entries: Vec::new(), facts: None });
        }
        let root = self.root.ok_or("a task that ran has no result")?;
        if digest_from_cid(&root).ok() != Some(outcome.result_cid_digest) {
            return Err("the result is not the one that the outcome names".to_owned());
        }
        let blocks = BlockSet::from_blocks(self.blocks.iter().cloned()).map_err(|error| error.to_string())?;
        let entries = unpack(root, &blocks, &Budget::RESULT).map_err(|error| error.to_string())?;
        let streams = check_result(&outcome, &task.limits, &entries)?;
        let facts = self.check_facts(task, job, streams)?;
        // Of the files, so that no block is kept that they do not need.
        let package = pack_entries(entries.iter().cloned()).map_err(|error| error.to_string())?;
        Ok(CheckedRun { outcome, package: Some(package), entries, facts: Some(facts) })
    }

    /// What is said about the run, against what is known here.
    fn check_facts(&self, task: &TaskSpec, job: &[Entry], streams: Streams<'_>) -> Result<RunFacts, String> {
        let claimed = self.facts.as_ref().ok_or("a task that ran has no measurements")?;
        let (manifest, module) = task::manifest_and_module(job).ok_or("a task ran whose manifest names no module")?;
        let own = RunFacts {
            module_hash: Sha256::digest(module).into(),
            // A job promises it; without a job it is the child's word, which whoever runs the task again checks.
            metered_hash: if task.is_module(&claimed.metered_hash) { claimed.metered_hash } else { task.metered_hash },
            args: manifest.args,
            env: manifest.env,
            stack_peak_bytes: claimed.stack_peak_bytes,
            memory_peak_bytes: claimed.memory_peak_bytes,
            stdout_hash: Sha256::digest(streams.stdout).into(),
            stderr_hash: Sha256::digest(streams.stderr).into(),
        };
        if let Some(row) = compare(&claimed.fields(), &own.fields()).into_iter().find(|row| !row.equal) {
            return Err(format!("{} is another one than the job directory and the result give", row.field));
        }
        if self.metered_hash != Some(own.metered_hash) {
            return Err("the module that it metered is another one than run.metered_hash".to_owned());
        }
        Ok(own)
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

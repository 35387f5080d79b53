//! From a job directory to an outcome: the one place where it is decided (I-08).
//!
//! Providers, `assay run` and `assay verify` all come through here, so they cannot disagree. [`prepare`] checks the
//! directory and meters the module, which needs no engine and is what a provider does before it accepts; the run itself
//! may happen in another process; [`conclude`] packs what it gave. [`execute`] does all three.
//!
//! The checks stand in [`crate::task`], because a poster makes them too; they need no engine.

use assay_content::{Entry, EntryKind, PackError, Package, digest_from_cid, pack_entries};
use assay_protocol::{
    Hash32, Outcome, OutcomeKind, PROFILE_V1, TaskLimits, TaskSpec,
    outcome::{FLAG_STDERR_CUT, FLAG_STDOUT_CUT},
};
use assay_runtime::{End, EntryPoint, FileTree, HostFault, Node, RunReport, RunRequest, run_with};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    manifest::JobManifest,
    program::accounts::Job,
    receipt::{EngineNote, RunFacts},
    task::{self, CheckedEntry, CheckedTask},
};

pub use crate::task::InvalidTask;
/// How a task is run, and what ran it.
pub use assay_runtime::{Engine, EngineKind, Run, RunOptions, Variant};

/// Name of the captured standard output in a result directory.
pub const STDOUT_FILE_NAME: &str = "stdout.txt";
/// Name of the captured standard error in a result directory.
pub const STDERR_FILE_NAME: &str = "stderr.txt";
/// Name of the output directory in a result directory.
pub const OUTPUT_DIRECTORY_NAME: &str = "output";

/// Everything that determines an outcome.
#[derive(Clone, Debug)]
pub struct TaskInput {
    /// Profile, metered module, limits, seed and clock, as the job account states them.
    pub spec: TaskSpec,
    /// The job directory, as `assay_content::unpack` or a fetcher gives it.
    pub entries: Vec<Entry>,
}

impl TaskInput {
    /// The task of a job account.
    #[must_use]
    pub fn from_job(job: &Job, entries: Vec<Entry>) -> Self {
        Self { spec: job.task_spec(), entries }
    }
}

impl From<EngineKind> for EngineNote {
    fn from(kind: EngineKind) -> Self {
        Self { name: kind.name().to_owned(), version: kind.version().to_owned() }
    }
}

/// A task after its checks.
#[derive(Clone, Debug)]
pub enum PreparedTask {
    /// It can run.
    Ready(Box<ReadyTask>),
    /// It cannot, on any host; that is its outcome.
    Invalid(InvalidTask),
}

/// A task that can run.
#[derive(Clone, Debug)]
pub struct ReadyTask {
    /// What to hand to the runtime.
    pub request: RunRequest,
    /// The manifest.
    pub manifest: JobManifest,
    /// SHA-256 of the module as it was uploaded.
    pub module_hash: Hash32,
}

/// What running a task gave.
#[derive(Clone, Debug)]
pub struct ExecutedTask {
    /// What is agreed on.
    pub outcome: Outcome,
    /// The result directory; `None` for `Invalid`, which packs nothing.
    pub package: Option<Package>,
    /// What the runtime measured, and which engine ran it; `None` when the task was invalid before it ran.
    pub run: Option<Run>,
    /// What a receipt says about the run; `None` for `Invalid`.
    pub facts: Option<RunFacts>,
    /// What is wrong with an invalid task.
    pub problem: Option<InvalidTask>,
}

impl ExecutedTask {
    /// An invalid task, whether its checks found it or its content could not even be read
    /// (`FetchError::invalid_reason`).
    #[must_use]
    pub fn invalid(problem: InvalidTask) -> Self {
        Self {
            outcome: Outcome::invalid(problem.reason),
            package: None,
            run: None,
            facts: None,
            problem: Some(problem),
        }
    }
}

/// This host could not come to an outcome. Says nothing about the task and is never signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyFault {
    /// The job uses a profile that this version does not know.
    #[error("execute the task: its profile is {profile} and this version knows only {PROFILE_V1}; update assay")]
    Profile {
        /// The job's profile.
        profile: u32,
    },
    /// The runtime failed.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// The result could not be packed; the runtime's bounds are stricter than the packing rules, so this is a fault.
    #[error("pack the result: {0}")]
    Pack(#[from] PackError),
    /// The runtime's report is no outcome of the job, so the report is wrong.
    #[error("conclude the run: {problem}; the runtime and this version do not fit, report it")]
    Report {
        /// What is wrong with it.
        problem: String,
    },
}

/// Checks a task and meters its module, for a run that begins with this variant.
///
/// # Errors
/// [`VerifyFault::Profile`] when this version does not know the job's profile. A task that no host can run is no error
/// but [`PreparedTask::Invalid`].
pub fn prepare(input: &TaskInput, variant: Variant) -> Result<PreparedTask, VerifyFault> {
    if input.spec.profile != PROFILE_V1 {
        return Err(VerifyFault::Profile { profile: input.spec.profile });
    }
    Ok(match check(input, variant) {
        Ok(ready) => PreparedTask::Ready(Box::new(ready)),
        Err(invalid) => PreparedTask::Invalid(invalid),
    })
}

/// Packs what a run of [`ReadyTask::request`] gave.
///
/// # Errors
/// [`VerifyFault`] when the report cannot be an outcome; never because of what the guest did.
pub fn conclude(ready: &ReadyTask, run: Run) -> Result<ExecutedTask, VerifyFault> {
    let report = &run.report;
    if let End::Invalid(reason) = report.end {
        return Ok(ExecutedTask::invalid(InvalidTask::new(reason, "the runtime refused the module")));
    }
    let package = pack_entries(result_entries(report))?;
    let result_cid_digest = digest_from_cid(&package.root)
        .map_err(|error| VerifyFault::Report { problem: format!("the result's CID is not canonical: {error}") })?;
    let (kind, exit_code) = match report.end {
        End::Exited(code) => (OutcomeKind::Exited, code),
        End::OutputTooLarge(code) => (OutcomeKind::OutputTooLarge, code),
        End::OutOfGas => (OutcomeKind::OutOfGas, 0),
        End::Trapped(_) | End::Invalid(_) => (OutcomeKind::Trapped, 0),
    };
    let cut_flags =
        if report.stdout_cut { FLAG_STDOUT_CUT } else { 0 } | if report.stderr_cut { FLAG_STDERR_CUT } else { 0 };
    let detail = match report.end {
        End::Trapped(trap) => trap.code(),
        _ => cut_flags,
    };
    let outcome =
        Outcome { kind, detail, exit_code, gas_used: report.gas_used, result_cid_digest, state_root: [0; 32] };
    outcome
        .check(ready.request.limits.gas_limit)
        .map_err(|error| VerifyFault::Report { problem: error.to_string() })?;
    let facts = Some(facts(ready, report));
    Ok(ExecutedTask { outcome, package: Some(package), run: Some(run), facts, problem: None })
}

fn facts(ready: &ReadyTask, report: &RunReport) -> RunFacts {
    let ReadyTask { request, module_hash, .. } = ready;
    RunFacts {
        module_hash: *module_hash,
        metered_hash: request.metered.hash,
        args: request.args.clone(),
        env: request.env.clone(),
        stack_peak_bytes: report.stack_peak_bytes,
        memory_peak_bytes: report.memory_peak_bytes,
        stdout_hash: Sha256::digest(&report.stdout).into(),
        stderr_hash: Sha256::digest(&report.stderr).into(),
    }
}

/// Checks, runs and packs a task in this process, in any engine: the outcome is the same. There is no wall clock in
/// here; who needs one runs it where it can be killed.
///
/// # Errors
/// [`VerifyFault`] when this host could not come to an outcome.
pub fn execute(input: &TaskInput, options: &RunOptions) -> Result<ExecutedTask, VerifyFault> {
    execute_with(input, options.variant, |request| run_with(request, options).map_err(VerifyFault::from))
}

/// As [`execute`], with the module metered for this variant, and the run done by `runner`.
///
/// # Errors
/// As [`execute`]; whatever fault the runner gives.
pub fn execute_with<F: From<VerifyFault>>(
    input: &TaskInput,
    variant: Variant,
    runner: impl FnOnce(&RunRequest) -> Result<Run, F>,
) -> Result<ExecutedTask, F> {
    match prepare(input, variant)? {
        PreparedTask::Invalid(invalid) => Ok(ExecutedTask::invalid(invalid)),
        PreparedTask::Ready(ready) => {
            let run = runner(&ready.request)?;
            Ok(conclude(&ready, run)?)
        }
    }
}

/// The checks of [`task::check`], and the runtime's form of what they let pass.
fn check(input: &TaskInput, variant: Variant) -> Result<ReadyTask, InvalidTask> {
    let meter: task::Meter = match variant {
        Variant::Canonical => assay_metering::meter,
        Variant::Fast => assay_metering::meter_with_fast,
    };
    let checked = task::check_metered_by(&input.spec, &input.entries, meter)?;
    let CheckedTask { manifest, module_hash, metered, stdin, entry } = checked;
    let TaskSpec { limits, seed, clock_unix_ns, .. } = input.spec;
    let request = RunRequest {
        metered,
        program_name: manifest.executable.clone(),
        args: manifest.args.clone(),
        env: manifest.env.clone(),
        stdin: stdin.to_vec(),
        root: file_tree(&input.entries)?,
        output_path: Some(manifest.output_path().to_owned()),
        limits,
        seed,
        clock_unix_ns,
        entry: match entry {
            CheckedEntry::Command => EntryPoint::Command,
            CheckedEntry::Reactor => EntryPoint::Reactor,
            CheckedEntry::Function(name) => EntryPoint::Function(name),
        },
    };
    Ok(ReadyTask { request, manifest, module_hash })
}

/// The runtime's rules for paths are those that [`task::check`] has applied; a path that it refuses all the same makes
/// the directory invalid.
fn file_tree(entries: &[Entry]) -> Result<FileTree, InvalidTask> {
    let mut tree = FileTree::new();
    for entry in entries {
        let inserted = match &entry.kind {
            EntryKind::File(bytes) => tree.insert_file(&entry.path, bytes.as_ref()),
            EntryKind::Directory => tree.insert_directory(&entry.path),
        };
        inserted.map_err(|error| task::directory_invalid(&entry.path, &error.to_string()))?;
    }
    Ok(tree)
}

/// What a run printed, as its result directory holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streams<'a> {
    /// `stdout.txt`.
    pub stdout: &'a [u8],
    /// `stderr.txt`.
    pub stderr: &'a [u8],
}

/// Whether the files are a result directory that this outcome can have, for whoever did not pack them.
///
/// # Errors
/// What they have that [`conclude`] never packs, or lack.
pub fn check_result<'a>(
    outcome: &Outcome,
    limits: &TaskLimits,
    entries: &'a [Entry],
) -> Result<Streams<'a>, &'static str> {
    let file = |path: &str| entries.iter().find(|entry| entry.path == path).and_then(Entry::bytes);
    let (Some(stdout), Some(stderr)) = (file(STDOUT_FILE_NAME), file(STDERR_FILE_NAME)) else {
        return Err("the result has no stdout.txt or no stderr.txt");
    };
    let is_output = |path: &str| path.strip_prefix(OUTPUT_DIRECTORY_NAME).is_some_and(|rest| rest.starts_with('/'));
    let outputs = entries.iter().filter(|entry| is_output(&entry.path)).count();
    let has_directory =
        entries.iter().any(|entry| entry.path == OUTPUT_DIRECTORY_NAME && matches!(entry.kind, EntryKind::Directory));
    if !has_directory || entries.len() != outputs.saturating_add(3) {
        return Err("the result is not stdout.txt, stderr.txt and output/");
    }
    let exited = outcome.kind == OutcomeKind::Exited;
    if outputs > 0 && !exited {
        return Err("the result has output, and the run did not exit within its limits");
    }
    let bytes = |file: &[u8]| u64::try_from(file.len()).unwrap_or(u64::MAX);
    // A trap's detail does not say what was cut.
    let flags = if outcome.kind == OutcomeKind::Trapped { 0 } else { outcome.detail };
    for (stream, flag) in [(stdout, FLAG_STDOUT_CUT), (stderr, FLAG_STDERR_CUT)] {
        let length = bytes(stream);
        if length > limits.stdio_bytes || (flags & flag != 0 && length < limits.stdio_bytes) {
            return Err("stdout or stderr is longer than its limit, or was cut below it");
        }
    }
    let total = entries.iter().filter_map(Entry::bytes).fold(0_u64, |sum, file| sum.saturating_add(bytes(file)));
    if exited && total > limits.output_bytes {
        return Err("the result is larger than its limit");
    }
    Ok(Streams { stdout, stderr })
}

/// What the result directory holds: the output of a run that exited within its limits, stdout and stderr of every run.
fn result_entries(report: &RunReport) -> Vec<Entry> {
    let mut entries = vec![
        Entry::file(STDOUT_FILE_NAME, report.stdout.clone()),
        Entry::file(STDERR_FILE_NAME, report.stderr.clone()),
        Entry::directory(OUTPUT_DIRECTORY_NAME),
    ];
    if matches!(report.end, End::Exited(_)) {
        entries.extend(report.output.iter().map(|(path, node)| {
            let path = format!("{OUTPUT_DIRECTORY_NAME}/{path}");
            match node {
                Node::File(bytes) => Entry::file(path, Bytes::copy_from_slice(bytes)),
                Node::Directory => Entry::directory(path),
            }
        }));
    }
    entries
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;

//! Whether a task can run: the checks of its directory, manifest and module, the same for poster and provider.
//!
//! They depend on the content and the job account alone, need no engine, and are made in a fixed order: directory,
//! manifest, limits and seed and clock, executable, other paths, module, metered hash, entry point. The first that fails
//! gives the reason of `Invalid`.

use std::collections::BTreeMap;

use assay_content::Entry;
use assay_metering::{EntryPoints, MeterError, Metered};
use assay_protocol::{Hash32, InvalidReason, TaskSpec, limits::INPUT_BYTES_MAX};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::manifest::{JobManifest, MANIFEST_FILE_NAME, ManifestEntry, PATH_BYTES_MAX};

/// Why a task cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}: {problem}")]
pub struct InvalidTask {
    /// The reason that the outcome states.
    pub reason: InvalidReason,
    /// What is wrong and where, for people.
    pub problem: String,
}

impl InvalidTask {
    pub(crate) fn new(reason: InvalidReason, problem: impl Into<String>) -> Self {
        Self { reason, problem: problem.into() }
    }
}

/// A task that can run.
#[derive(Clone, Debug)]
pub struct CheckedTask {
    /// The manifest.
    pub manifest: JobManifest,
    /// SHA-256 of the module as it was uploaded.
    pub module_hash: Hash32,
    /// The metered module.
    pub metered: Metered,
    /// What the guest reads as its standard input.
    pub stdin: Bytes,
    /// How the module is entered.
    pub entry: CheckedEntry,
}

/// How a module is entered, once it is known that it offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedEntry {
    /// `_start`.
    Command,
    /// `run`.
    Reactor,
    /// The export of this name.
    Function(String),
}

/// The files and directories of a job by path; `None` is a directory.
type Paths<'a> = BTreeMap<&'a str, Option<&'a Bytes>>;

/// Makes the checks.
///
/// # Errors
/// [`InvalidTask`] of the first check that fails.
pub fn check(spec: &TaskSpec, entries: &[Entry]) -> Result<CheckedTask, InvalidTask> {
    check_metered_by(spec, entries, assay_metering::meter)
}

/// What rewrites a module: [`assay_metering::meter`], or [`assay_metering::meter_with_fast`] for whoever runs it.
pub(crate) type Meter = fn(&[u8]) -> Result<Metered, MeterError>;

pub(crate) fn check_metered_by(spec: &TaskSpec, entries: &[Entry], meter: Meter) -> Result<CheckedTask, InvalidTask> {
    let paths = check_directory(entries)?;
    let file = |path: &str| paths.get(path).copied().flatten();
    let manifest = file(MANIFEST_FILE_NAME).ok_or_else(|| {
        InvalidTask::new(InvalidReason::ManifestMissing, "the job directory has no file \"manifest.json\"")
    })?;
    let manifest = JobManifest::from_json(manifest)
        .map_err(|error| InvalidTask::new(InvalidReason::ManifestInvalid, error.to_string()))?;
    if let Some(mismatch) = manifest.mismatch(&spec.limits, spec.seed, spec.clock_unix_ns) {
        return Err(InvalidTask::new(InvalidReason::TaskMismatch, mismatch.to_string()));
    }
    let module = file(&manifest.executable).ok_or_else(|| {
        let problem = format!("the job directory has no file \"{}\"", manifest.executable.escape_debug());
        InvalidTask::new(InvalidReason::ExecutableMissing, problem)
    })?;
    check_output_path(&paths, manifest.output_path())?;
    let stdin = match &manifest.stdin {
        None => Bytes::new(),
        Some(path) => file(path).cloned().ok_or_else(|| {
            let problem = format!("field `stdin`: the job directory has no file \"{}\"", path.escape_debug());
            InvalidTask::new(InvalidReason::ManifestInvalid, problem)
        })?,
    };
    let metered = meter(module).map_err(|error| InvalidTask::new(error.reason(), error.to_string()))?;
    if !spec.is_module(&metered.hash) {
        let (promised, given) = (hex::encode(spec.metered_hash), hex::encode(metered.hash));
        let problem = format!("the account says {promised}, the module gives {given}");
        return Err(InvalidTask::new(InvalidReason::MeteredHashMismatch, problem));
    }
    let entry = entry_point(&manifest, &metered.info.entry_points)?;
    let module_hash = Sha256::digest(module).into();
    Ok(CheckedTask { manifest, module_hash, metered, stdin, entry })
}

/// The manifest of a job directory and the uploaded module that it names. Says nothing about whether the task can run.
#[must_use]
pub fn manifest_and_module(entries: &[Entry]) -> Option<(JobManifest, &Bytes)> {
    let file = |path: &str| {
        let mut found = entries.iter().filter(|entry| entry.path == path);
        found.next().filter(|_| found.next().is_none()).and_then(Entry::bytes)
    };
    let manifest = JobManifest::from_json(file(MANIFEST_FILE_NAME)?).ok()?;
    let module = file(&manifest.executable)?;
    Some((manifest, module))
}

pub(crate) fn directory_invalid(path: &str, problem: &str) -> InvalidTask {
    let path: String = path.chars().take(64).collect();
    InvalidTask::new(InvalidReason::DirectoryInvalid, format!("\"{}\": {problem}", path.escape_debug()))
}

/// Size, and every path by the rules of [`assay_content::validate_path`], at most as long as a guest can name.
fn check_directory(entries: &[Entry]) -> Result<Paths<'_>, InvalidTask> {
    let lengths = entries.iter().filter_map(Entry::bytes).map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    let file_bytes = lengths.fold(0, u64::saturating_add);
    if file_bytes > INPUT_BYTES_MAX {
        let problem = format!("its files have {file_bytes} bytes; at most {INPUT_BYTES_MAX} are allowed");
        return Err(InvalidTask::new(InvalidReason::InputTooLarge, problem));
    }
    let mut paths = Paths::new();
    for entry in entries {
        assay_content::validate_path(&entry.path)
            .map_err(|error| directory_invalid(&entry.path, &error.to_string()))?;
        if entry.path.len() > PATH_BYTES_MAX {
            return Err(directory_invalid(&entry.path, "the path is longer than 1,024 bytes"));
        }
        if paths.insert(&entry.path, entry.bytes()).is_some() {
            return Err(directory_invalid(&entry.path, "the path stands there twice"));
        }
    }
    Ok(paths)
}

/// The output directory is created by the runtime, which takes directories above it that are none for a conflict.
fn check_output_path(paths: &Paths<'_>, output_path: &str) -> Result<(), InvalidTask> {
    let ends = output_path.match_indices('/').map(|(at, _)| at).chain([output_path.len()]);
    for prefix in ends.filter_map(|end| output_path.get(..end)) {
        if matches!(paths.get(prefix), Some(Some(_))) {
            let problem = format!("field `output_path`: \"{}\" is a file of the job directory", prefix.escape_debug());
            return Err(InvalidTask::new(InvalidReason::ManifestInvalid, problem));
        }
    }
    Ok(())
}

fn entry_point(manifest: &JobManifest, offered: &EntryPoints) -> Result<CheckedEntry, InvalidTask> {
    let missing = |problem: String| InvalidTask::new(InvalidReason::EntryPointMissing, problem);
    match (manifest.entry(), &manifest.function_name) {
        (Some(ManifestEntry::Command) | None, _) if offered.command => Ok(CheckedEntry::Command),
        (Some(ManifestEntry::Reactor) | None, _) if offered.reactor => Ok(CheckedEntry::Reactor),
        (Some(ManifestEntry::Function), Some(name)) if offered.functions.contains(name) => {
            Ok(CheckedEntry::Function(name.clone()))
        }
        (Some(ManifestEntry::Function), name) => Err(missing(format!(
            "the module does not export \"{}\" as (i32, i32) -> i64 together with `alloc`",
            name.as_deref().unwrap_or_default().escape_debug()
        ))),
        (Some(ManifestEntry::Command), _) => Err(missing("the module does not export `_start`".to_owned())),
        (Some(ManifestEntry::Reactor), _) => Err(missing("the module does not export `run`".to_owned())),
        (None, _) => Err(missing(
            "the module exports neither `_start` nor `run`; name another export in `function_name`".to_owned(),
        )),
    }
}

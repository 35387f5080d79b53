//! What is kept about executions, in the data directory: the receipt of each outcome, and one line for each run.
//!
//! A receipt is a draft until the journal holds its outcome; then the bot signs it, once, and it never changes again. A
//! draft that a crash left behind is signed after the restart. Lines and receipts are bounded: what is oldest goes.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use assay_content::{Entry, PackError, Package, pack_entries};
use assay_protocol::{Hash32, Posting};
use assay_sdk::{
    program,
    receipt::{RECEIPT_FILE_NAME, Receipt},
};
use serde_json::json;

use crate::core::{JobUid, JobView, WorkFault, WorkFaultKind};

/// Directory of the receipts in the data directory.
const RECEIPTS_DIRECTORY: &str = "receipts";
/// One line of JSON for each run, newest last.
pub const EXECUTIONS_FILE: &str = "executions.jsonl";
/// The lines before those.
const EXECUTIONS_FILE_OLD: &str = "executions.old.jsonl";
/// The file of runs is begun anew when it is longer.
const EXECUTIONS_BYTES_MAX: u64 = 16 << 20;
/// Receipts in all, bytes: some tens of thousands.
const RECEIPTS_BYTES_MAX: u64 = 128 << 20;
/// Receipts written before their sum is looked at again.
const PRUNE_EVERY: u32 = 256;
/// Longest text of a fault in a line, characters.
const ERROR_CHARS_MAX: usize = 256;

const SIGNED: &str = "json";
const DRAFT: &str = "draft";

/// The receipts and the lines. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data_dir: PathBuf,
    /// The cluster that all jobs are on.
    cluster: Hash32,
    /// Receipts written since their sum was looked at; held while anything is written.
    written: Mutex<u32>,
}

impl Records {
    /// The records of a data directory, whose jobs are on this cluster. Touches nothing.
    pub(crate) fn new(data_dir: &Path, cluster: Hash32) -> Self {
        let shared = Shared { data_dir: data_dir.to_path_buf(), cluster, written: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Makes the directory of the receipts, and room in it.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub(crate) fn open(&self) -> io::Result<()> {
        let receipts = self.shared.data_dir.join(RECEIPTS_DIRECTORY);
        DirBuilder::new().recursive(true).mode(0o700).create(&receipts)?;
        prune(&receipts, RECEIPTS_BYTES_MAX)
    }

    /// The job as its receipt names it.
    pub(crate) fn posting(&self, view: &JobView) -> Posting {
        Posting {
            program: program::ID.to_bytes(),
            cluster: self.shared.cluster,
            job: view.job.to_bytes(),
            created_slot: view.created_slot,
        }
    }

    /// Keeps what a run gave until its outcome is in the journal. On disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn draft(&self, uid: JobUid, receipt: &Receipt) -> io::Result<()> {
        self.write(uid, DRAFT, receipt)
    }

    /// The draft of a job that has no receipt yet.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(crate) fn drafted(&self, uid: JobUid) -> io::Result<Option<Receipt>> {
        if self.path(uid, SIGNED).exists() {
            return self.discard(uid).map(|()| None);
        }
        match fs::read(self.path(uid, DRAFT)) {
            Ok(bytes) => Receipt::from_json(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps a signed receipt for good, and drops its draft.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(&self, uid: JobUid, receipt: &Receipt) -> io::Result<()> {
        self.write(uid, SIGNED, receipt)?;
        self.discard(uid)
    }

    /// Drops a draft.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn discard(&self, uid: JobUid) -> io::Result<()> {
        match fs::remove_file(self.path(uid, DRAFT)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Begins a run. Its line is written when it [`ended`](Execution::ended), or says that it was stopped.
    pub(crate) fn begin(&self, view: &JobView) -> Execution {
        Execution { records: self.clone(), view: view.clone(), begun: Instant::now(), is_told: false }
    }

    fn executed(&self, view: &JobView, result: Result<&Receipt, &WorkFault>, took: Duration) {
        let line = line(view, result, took);
        if let Err(error) = self.append(&line) {
            tracing::error!(%error, uid = %view.uid, "execution_not_recorded");
        }
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let _writing = self.shared.written.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.shared.data_dir.join(EXECUTIONS_FILE);
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        if file.metadata()?.len() > EXECUTIONS_BYTES_MAX {
            fs::rename(&path, self.shared.data_dir.join(EXECUTIONS_FILE_OLD))?;
            file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        }
        file.write_all(line.as_bytes())
    }

    fn path(&self, uid: JobUid, kind: &str) -> PathBuf {
        path(&self.shared.data_dir, uid, kind)
    }

    /// Under another name first, so that there is all of it or nothing.
    fn write(&self, uid: JobUid, kind: &str, receipt: &Receipt) -> io::Result<()> {
        let mut written = self.shared.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, partial) = (self.path(uid, kind), self.path(uid, "partial"));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(receipt.to_json().as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        let directory = self.shared.data_dir.join(RECEIPTS_DIRECTORY);
        File::open(&directory)?.sync_all()?;
        *written = written.saturating_add(1);
        if *written >= PRUNE_EVERY {
            *written = 0;
            prune(&directory, RECEIPTS_BYTES_MAX)?;
        }
        Ok(())
    }
}

/// A run that is going on.
pub(crate) struct Execution {
    records: Records,
    view: JobView,
    begun: Instant,
    is_told: bool,
}

impl Execution {
    /// Whatever came of it.
    pub(crate) fn ended(mut self, result: Result<&Receipt, &WorkFault>) {
        self.is_told = true;
        self.records.executed(&self.view, result, self.begun.elapsed());
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if !self.is_told {
            let stopped = WorkFault { kind: WorkFaultKind::Cancelled, message: "stopped before it ended".to_owned() };
            self.records.executed(&self.view, Err(&stopped), self.begun.elapsed());
        }
    }
}

/// The jobs of a data directory that have a signed receipt, newest first, at most so many.
///
/// # Errors
/// When the directory cannot be read. One that is not there has none.
pub fn receipts(data_dir: &Path, count_max: usize) -> io::Result<Vec<(JobUid, PathBuf)>> {
    let mut files = files(&data_dir.join(RECEIPTS_DIRECTORY))?;
    files.reverse();
    let uid = |path: &Path| {
        let name = path.file_name()?.to_str()?.strip_suffix(SIGNED)?.strip_suffix('.')?;
        JobUid::from_hex(name)
    };
    let signed = files.into_iter().filter_map(|file| uid(&file.path).map(|uid| (uid, file.path)));
    Ok(signed.take(count_max).collect())
}

/// The file of a job's signed receipt, if one is kept.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_receipt(data_dir: &Path, uid: JobUid) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path(data_dir, uid, SIGNED)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path(data_dir: &Path, uid: JobUid, kind: &str) -> PathBuf {
    data_dir.join(RECEIPTS_DIRECTORY).join(format!("{uid}.{kind}"))
}

/// A receipt as it is published: a directory with one file.
///
/// # Errors
/// [`PackError`].
pub fn receipt_package(json: &[u8]) -> Result<Package, PackError> {
    pack_entries([Entry::file(RECEIPT_FILE_NAME, json.to_vec())])
}

struct Kept {
    modified: SystemTime,
    path: PathBuf,
    bytes: u64,
}

/// The files of a directory, oldest first.
fn files(directory: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Removed since: another look finds out.
        let Ok(metadata) = entry.metadata() else { continue };
        let modified = metadata.modified().unwrap_or(UNIX_EPOCH);
        files.push(Kept { modified, path: entry.path(), bytes: metadata.len() });
    }
    files.sort_by(|left, right| (left.modified, &left.path).cmp(&(right.modified, &right.path)));
    Ok(files)
}

/// Removes the oldest files until the rest is within the bound.
fn prune(directory: &Path, bytes_max: u64) -> io::Result<()> {
    let files = files(directory)?;
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    for file in files {
        if bytes <= bytes_max {
            break;
        }
        fs::remove_file(&file.path)?;
        bytes = bytes.saturating_sub(file.bytes);
    }
    Ok(())
}

/// A fault may quote a guest, so its text is cut and escaped.
fn line(view: &JobView, result: Result<&Receipt, &WorkFault>, took: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let receipt = result.ok();
    let outcome = receipt.map(|receipt| receipt.outcome);
    let run = receipt.and_then(|receipt| receipt.run.as_ref());
    let quoted = |fault: &WorkFault| -> String {
        fault.message.chars().take(ERROR_CHARS_MAX).flat_map(char::escape_debug).collect()
    };
    let line = json!({
        "ended_unix": now,
        "job": view.job.to_string(),
        "job_uid": view.uid.to_string(),
        "module_hash": run.map(|run| hex::encode(run.module_hash)),
        "metered_hash": hex::encode(view.metered_hash),
        "engine": receipt.and_then(|receipt| receipt.engine.as_ref()).map(|engine| engine.name.clone()),
        "outcome": outcome.map(|outcome| format!("{:?}", outcome.kind)),
        "detail": outcome.map(|outcome| outcome.detail),
        "exit_code": outcome.map(|outcome| outcome.exit_code),
        "gas_used": outcome.map(|outcome| outcome.gas_used),
        "stack_peak_bytes": run.map(|run| run.stack_peak_bytes),
        "memory_peak_bytes": run.map(|run| run.memory_peak_bytes),
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "error": result.err().map(quoted),
    });
    format!("{line}\n")
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;

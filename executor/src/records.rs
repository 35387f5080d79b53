//! What is kept about executions, in the data directory: the receipt of each outcome, and one line for each run.
//!
//! A receipt is a draft until the journal holds its outcome; then the bot signs it, once, and it never changes again. A
//! draft that a crash left behind is signed after the restart. Beside a receipt lies an empty file until the content nodes
//! have it. Lines and receipts are bounded in age, number and bytes ([`RecordsConfig`]): what is oldest goes.

mod prune;

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use assay_content::{Entry, PackError, Package, pack_entries};
use assay_protocol::{Hash32, Posting, TaskSpec};
use assay_sdk::{
    program,
    receipt::{RECEIPT_FILE_NAME, RECEIPT_JSON_BYTES_MAX, Receipt, RunFacts},
};
use serde_json::{Value, json};

use self::prune::{files, prune_receipts};
use crate::{
    config::RecordsConfig,
    core::{JobUid, JobView, WorkFault, WorkFaultKind},
    metrics_list as names,
    quote::quoted,
};

/// Directory of the receipts in the data directory.
const RECEIPTS_DIRECTORY: &str = "receipts";
/// One line of JSON for each run, newest last.
pub const EXECUTIONS_FILE: &str = "executions.jsonl";
/// The lines before those.
const EXECUTIONS_FILE_OLD: &str = "executions.old.jsonl";
/// Receipts written before all of them are looked at again.
const PRUNE_EVERY: u32 = 256;
/// Of the lines, what is looked at for when they begin, bytes: several lines, of two quotations and numbers each.
const LINES_LOOKED_AT_BYTES: u64 = 16 << 10;

/// Receipts that tell which modules run most.
const RECEIPTS_COUNTED_MAX: usize = 256;
/// Modules that are made ready ahead.
const POPULAR_MAX: usize = 16;

const SIGNED: &str = "json";
const DRAFT: &str = "draft";
/// Of an empty file beside a receipt that no content node has yet.
const UNPUBLISHED: &str = "unpublished";

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
    bounds: RecordsConfig,
    /// Read while a receipt is written, several at once; written while the oldest go.
    receipts: RwLock<()>,
    /// Receipts and drafts written by now.
    written: AtomicU32,
    /// Held while lines are written.
    lines: Mutex<()>,
}

impl Records {
    /// The records of a data directory, whose jobs are on this cluster. Touches nothing.
    pub(crate) fn new(data_dir: &Path, cluster: Hash32, bounds: RecordsConfig) -> Self {
        let shared = Shared {
            data_dir: data_dir.to_path_buf(),
            cluster,
            bounds,
            receipts: RwLock::default(),
            written: AtomicU32::new(0),
            lines: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes the directory of the receipts, and room in it if it can: seats that are held are worth more than old records.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.directory())?;
        if let Err(error) = self.prune() {
            tracing::warn!(%error, data_dir = %self.shared.data_dir.display(), "records_not_pruned");
        }
        Ok(())
    }

    /// Lets the oldest records go, until the rest is within the bounds.
    ///
    /// # Errors
    /// When a file cannot be read or removed; the rest is looked at all the same.
    pub(crate) fn prune(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let receipts = self.prune_receipts(now);
        receipts.and(self.prune_executions(now))
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
        let draft = read(&self.path(uid, DRAFT))?;
        draft.map(|bytes| Receipt::from_json(&bytes).map_err(io::Error::other)).transpose()
    }

    /// Keeps a signed receipt for good, to be published, and drops its draft.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(&self, uid: JobUid, receipt: &Receipt) -> io::Result<()> {
        // First, and on disk with the receipt: no crash between the two leaves one that is never published.
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.path(uid, UNPUBLISHED))?;
        self.write(uid, SIGNED, receipt)?;
        self.discard(uid)
    }

    /// The file of a job's signed receipt, if one is kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn signed(&self, uid: JobUid) -> io::Result<Option<Vec<u8>>> {
        read_receipt(&self.shared.data_dir, uid)
    }

    /// The receipts that no content node has yet, in the order of the uids. Gauges how many there are. Looks at every file.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn unpublished(&self) -> io::Result<BTreeSet<JobUid>> {
        let mut waiting = BTreeSet::new();
        for entry in fs::read_dir(self.directory())? {
            let marked = uid_of(&entry?.path(), UNPUBLISHED);
            waiting.extend(marked.filter(|uid| self.path(*uid, SIGNED).exists()));
        }
        let count = u32::try_from(waiting.len()).unwrap_or(u32::MAX);
        metrics::gauge!(names::RECEIPTS_WAITING).set(f64::from(count));
        Ok(waiting)
    }

    /// A task of each module that ran most often lately, most often first: at most [`POPULAR_MAX`], by the newest
    /// [`RECEIPTS_COUNTED_MAX`] receipts. One that cannot be read counts for nothing.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn popular(&self) -> io::Result<Vec<TaskSpec>> {
        let newest = receipts(&self.shared.data_dir, RECEIPTS_COUNTED_MAX)?;
        let read = |path: &Path| Receipt::from_json(&read(path).ok()??).ok();
        let mut modules: Vec<(Hash32, usize, TaskSpec)> = Vec::new();
        for Receipt { task, run, .. } in newest.iter().filter_map(|(_, path)| read(path)) {
            let Some(RunFacts { module_hash, .. }) = run else { continue };
            match modules.iter_mut().find(|(known, ..)| *known == module_hash) {
                Some((_, runs, _)) => *runs = runs.saturating_add(1),
                None => modules.push((module_hash, 1, task)),
            }
        }
        // Of those that ran equally often the one that ran last is first.
        modules.sort_by_key(|(_, runs, _)| Reverse(*runs));
        Ok(modules.into_iter().take(POPULAR_MAX).map(|(.., task)| task).collect())
    }

    /// The content nodes have the receipt of this job, or there is none any more.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn published(&self, uid: JobUid) -> io::Result<()> {
        remove(&self.path(uid, UNPUBLISHED))
    }

    /// Drops a draft.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(crate) fn discard(&self, uid: JobUid) -> io::Result<()> {
        remove(&self.path(uid, DRAFT))
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
        let _writing = self.lines();
        let [path, old] = self.executions();
        let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let mut file = open()?;
        let bytes = file.metadata()?.len().saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        if bytes > self.shared.bounds.executions_quota.0 / 2 {
            fs::rename(&path, &old)?;
            file = open()?;
        }
        file.write_all(line.as_bytes())
    }

    /// Lines that are half as old as they may become are put aside, and go when all of them are too old.
    fn prune_executions(&self, now: SystemTime) -> io::Result<()> {
        let _writing = self.lines();
        let [path, old] = self.executions();
        let half = self.shared.bounds.age_max.0 / 2;
        if fs::metadata(&old).and_then(|old| old.modified()).is_ok_and(|modified| age(modified, now) > half) {
            remove(&old)?;
        }
        match begun(&path)? {
            Some(begun) if age(begun, now) > half => fs::rename(&path, &old),
            _ => Ok(()),
        }
    }

    /// The lines, and those before them.
    fn executions(&self) -> [PathBuf; 2] {
        [EXECUTIONS_FILE, EXECUTIONS_FILE_OLD].map(|name| self.shared.data_dir.join(name))
    }

    fn directory(&self) -> PathBuf {
        self.shared.data_dir.join(RECEIPTS_DIRECTORY)
    }

    fn lines(&self) -> MutexGuard<'_, ()> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, uid: JobUid, kind: &str) -> PathBuf {
        path(&self.shared.data_dir, uid, kind)
    }

    /// Under another name first, so that there is all of it or nothing.
    fn write(&self, uid: JobUid, kind: &str, receipt: &Receipt) -> io::Result<()> {
        let json = receipt.to_json();
        if json.len() > RECEIPT_JSON_BYTES_MAX {
            // Nobody would read it.
            return Err(io::Error::other(format!("the receipt has more than {RECEIPT_JSON_BYTES_MAX} bytes")));
        }
        let number = self.shared.written.fetch_add(1, Ordering::Relaxed);
        // Its own, since a run that was stopped may still be writing what the next one writes.
        let partial = self.path(uid, &format!("{kind}.{number}.partial"));
        {
            let _writing = self.shared.receipts.read().unwrap_or_else(PoisonError::into_inner);
            let written = write_synced(&partial, json.as_bytes());
            let placed = written.and_then(|()| fs::rename(&partial, self.path(uid, kind)));
            if placed.is_err() {
                remove(&partial)?;
            }
            placed?;
            File::open(self.directory())?.sync_all()?;
        }
        let is_due = number.wrapping_add(1).is_multiple_of(PRUNE_EVERY);
        if is_due { self.prune_receipts(SystemTime::now()) } else { Ok(()) }
    }

    fn prune_receipts(&self, now: SystemTime) -> io::Result<()> {
        let _alone = self.shared.receipts.write().unwrap_or_else(PoisonError::into_inner);
        prune_receipts(&self.directory(), &self.shared.bounds, now)
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
    /// It was made before it was asked for, and took so long.
    pub(crate) fn began_earlier(&mut self, took: Duration) {
        self.begun = self.begun.checked_sub(took).unwrap_or(self.begun);
    }

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
    files.sort_by(|left, right| (right.modified, &right.path).cmp(&(left.modified, &left.path)));
    let signed = files.into_iter().filter_map(|file| uid_of(&file.path, SIGNED).map(|uid| (uid, file.path)));
    Ok(signed.take(count_max).collect())
}

/// The job of a file of this kind.
fn uid_of(path: &Path, kind: &str) -> Option<JobUid> {
    JobUid::from_hex(path.file_name()?.to_str()?.strip_suffix(kind)?.strip_suffix('.')?)
}

/// The file of a job's signed receipt, if one is kept.
///
/// # Errors
/// When it cannot be read.
pub fn read_receipt(data_dir: &Path, uid: JobUid) -> io::Result<Option<Vec<u8>>> {
    read(&path(data_dir, uid, SIGNED))
}

/// Whether the content nodes have the signed receipt of this job.
#[must_use]
pub fn is_published(data_dir: &Path, uid: JobUid) -> bool {
    !path(data_dir, uid, UNPUBLISHED).exists()
}

/// A file that is no longer than a receipt; `None` when there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    // One byte more than there may be, so that too much is seen.
    let limit = u64::try_from(RECEIPT_JSON_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > RECEIPT_JSON_BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {RECEIPT_JSON_BYTES_MAX} bytes, which no receipt is")));
    }
    Ok(Some(bytes))
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Zero for what is to come: clocks are set.
fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

fn path(data_dir: &Path, uid: JobUid, kind: &str) -> PathBuf {
    data_dir.join(RECEIPTS_DIRECTORY).join(format!("{uid}.{kind}"))
}

/// When the lines of a file begin: by the first that says it, or else no later than its last change. What is damaged says
/// nothing. `None` of an empty file, which a full disk leaves, and of none.
fn begun(path: &Path) -> io::Result<Option<SystemTime>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let modified = file.metadata()?.modified()?;
    let mut bytes = Vec::new();
    if file.take(LINES_LOOKED_AT_BYTES).read_to_end(&mut bytes)? == 0 {
        return Ok(None);
    }
    let ended = |line| serde_json::from_slice::<Value>(line).ok()?["ended_unix"].as_u64();
    let begin = bytes.split(|byte| *byte == b'\n').find_map(ended).map(Duration::from_secs);
    Ok(begin.and_then(|begin| UNIX_EPOCH.checked_add(begin)).or(Some(modified)))
}

/// A receipt as it is published: a directory with one file.
///
/// # Errors
/// [`PackError`].
pub fn receipt_package(json: &[u8]) -> Result<Package, PackError> {
    pack_entries([Entry::file(RECEIPT_FILE_NAME, json.to_vec())])
}

/// A fault may quote a guest, so its text is cut and escaped.
fn line(view: &JobView, result: Result<&Receipt, &WorkFault>, took: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let receipt = result.ok();
    let outcome = receipt.map(|receipt| receipt.outcome);
    let run = receipt.and_then(|receipt| receipt.run.as_ref());
    let line = json!({
        "ended_unix": now,
        "job": view.job.to_string(),
        "job_uid": view.uid.to_string(),
        "module_hash": run.map(|run| hex::encode(run.module_hash)),
        "metered_hash": hex::encode(view.metered_hash),
        "engine": receipt.and_then(|receipt| receipt.engine.as_ref()).map(|engine| engine.name.clone()),
        "outcome": outcome.map(|outcome| outcome.kind.name()),
        "detail": outcome.map(|outcome| outcome.detail),
        "exit_code": outcome.map(|outcome| outcome.exit_code),
        "gas_used": outcome.map(|outcome| outcome.gas_used),
        "stack_peak_bytes": run.map(|run| run.stack_peak_bytes),
        "memory_peak_bytes": run.map(|run| run.memory_peak_bytes),
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "error": result.err().map(|fault| quoted(&fault.message)),
    });
    format!("{line}\n")
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;

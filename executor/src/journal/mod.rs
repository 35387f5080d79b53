//! The durable journal: what must be known after a crash, on disk before it is acted on.
//!
//! An append-only log of length, chained checksum and JSON. Not a database, because everything about it has to be
//! ours to decide: the order of write and fsync, what a torn tail means (refuse and say how to repair, never quietly
//! start afresh, E-17), and a file that a person can read when something went wrong. The checksum of a record covers
//! the record before it, so a record that was lost, repeated or moved is found as surely as one that was damaged. Rows are
//! a few hundred bytes and bounded in number; the log is rewritten when it has grown past its limit.
//!
//! Records that are written together share one fsync, and no permission to sign is given before it.
//!
//! The sign-guard lives here because here is the only truth that survives: a row's outcome is written once (I-07), and
//! a signature that may still land is never replaced (E-04).

mod log;

use std::{collections::BTreeMap, fs, io, iter, path::Path};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use log::{HEAD_BYTES, Log, RECORD_BYTES_MAX};
pub use log::{LogFile, RecordError, Repair, repair};

use crate::{
    core::{JobRow, JobUid, TxKind, TxRecord, TxState, live_max},
    fault::crash_points_of_row,
};

/// Name of the journal in the data directory.
pub const JOURNAL_FILE: &str = "journal.log";
/// The log is rewritten when it is longer than this and more than half of it is dead.
const REWRITE_BYTES: u64 = 4 << 20;
/// Most rows. Above [`crate::core::Settings::jobs_tracked_max`] by a margin for seats that the chain shows.
const ROWS_MAX: usize = 65_536;

/// Why the journal stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk is full or broken. The process must stop: what cannot be recorded must not be signed (E-16).
    #[error("write the journal {path}: {source}; nothing more is signed; free or repair the disk, then start again")]
    Write {
        /// Journal file.
        path: String,
        /// From the system.
        source: io::Error,
    },
    /// The file could not be opened or read.
    #[error("open the journal {path}: {source}")]
    Open {
        /// Journal file.
        path: String,
        /// From the system.
        source: io::Error,
    },
    /// The file is damaged (E-17).
    #[error(
        "read the journal {path}: {source}. To recover: 1. stop every other instance that uses this node key; \
         2. copy the data directory; 3. run `assay-executor journal repair`, which keeps the good part and saves \
         the original beside it; 4. if it reports a damaged middle, settle what the chain still shows for this \
         provider first (`assay provider status`), then start with --adopt-unknown-seats. Nothing was changed"
    )]
    Damaged {
        /// Journal file.
        path: String,
        /// What is wrong, and where.
        source: RecordError,
    },
    /// The file is whole, and another version wrote it.
    #[error(
        "read the journal {path}: {source}. It is whole: start the version that wrote it, let it finish and drain \
         (`assay provider status` shows no seat), then start this one with an empty provider.data_dir. Nothing was \
         changed"
    )]
    Version {
        /// Journal file.
        path: String,
        /// Which record, and what is not understood.
        source: RecordError,
    },
    /// Another outcome, ballot or salt is already recorded for the job, or a ballot is not of its outcome (I-07, E-06).
    #[error("record another outcome, ballot or salt for job {0}: one is recorded already, and a job never gets two")]
    OutcomeDiffers(JobUid),
    /// A signature that may still land would be replaced, or joined by more than may land beside it (E-04).
    #[error("replace the {} transaction of job {uid}: the recorded one may still land", kind.name())]
    LiveTransaction {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
    },
    /// There is nothing to sign.
    #[error("sign for job {uid}: no unsigned {} transaction is recorded", kind.name())]
    NothingToSign {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
    },
    /// More rows than the journal holds, or a row too large.
    #[error("record job {0}: the journal is at its limit of {ROWS_MAX} jobs or {RECORD_BYTES_MAX} bytes a row")]
    Full(JobUid),
    /// An earlier write failed; the file's end is not known any more.
    #[error("write the journal: an earlier write failed and its end is unknown; start again")]
    Poisoned,
}

/// A committed record that may be signed. Only the journal makes one, and only for a message that is on disk.
#[derive(Debug)]
pub struct SigningPermit {
    uid: JobUid,
    kind: TxKind,
    message: Vec<u8>,
    row: JobRow,
}

impl SigningPermit {
    /// Job.
    #[must_use]
    pub fn uid(&self) -> JobUid {
        self.uid
    }

    /// Kind.
    #[must_use]
    pub fn kind(&self) -> TxKind {
        self.kind
    }

    /// The message, as journaled.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// What else is on disk about the job: its one outcome and the salt of it.
    #[must_use]
    pub fn row(&self) -> &JobRow {
        &self.row
    }
}

/// A committed outcome whose receipt may be signed. Only the journal makes one.
#[derive(Debug)]
pub struct ReceiptPermit {
    uid: JobUid,
    outcome: crate::core::OutcomeBytes,
}

impl ReceiptPermit {
    /// Job.
    #[must_use]
    pub fn uid(&self) -> JobUid {
        self.uid
    }

    /// The one outcome that a receipt of this job may state.
    #[must_use]
    pub fn outcome(&self) -> &crate::core::OutcomeBytes {
        &self.outcome
    }
}

/// One record of the log, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Highest slot of anything that was acted on by then.
    slot: u64,
    change: Change,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Put(Box<JobRow>),
    Forget(String),
    /// Only the slot: the first record of a log that was written anew.
    Nothing,
}

/// The journal and the rows it holds.
pub struct Journal {
    log: Log,
    path: String,
    rows: BTreeMap<JobUid, JobRow>,
    /// Of the last record.
    seen_slot: u64,
    /// Bytes of the log that each row takes, and their sum: what a rewrite would leave.
    row_bytes: BTreeMap<JobUid, u64>,
    live_bytes: u64,
    /// Records were written since the last commit.
    is_ahead: bool,
    poisoned: bool,
}

impl Journal {
    /// Opens or creates the journal in a data directory. The caller holds the instance lock.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when any record is not whole; nothing is changed then.
    pub fn open(data_dir: &Path) -> Result<Self, JournalError> {
        let path = data_dir.join(JOURNAL_FILE);
        let name = path.display().to_string();
        let open_error = |source| JournalError::Open { path: name.clone(), source };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(open_error(error)),
        };
        let file = log::open_append(&path).map_err(open_error)?;
        Self::from_parts(Box::new(file), &bytes, &path)
    }

    /// As [`Self::open`], over any file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_parts(file: Box<dyn LogFile>, bytes: &[u8], path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let damaged = |source| JournalError::Damaged { path: name.clone(), source };
        let (payloads, chain) = log::read(bytes).map_err(damaged)?;
        let log = Log::new(file, path.to_path_buf(), chain, bytes.len());
        let (rows, row_bytes) = (BTreeMap::new(), BTreeMap::new());
        let path = name.clone();
        // What a process wrote that was killed before its commit was read from memory, perhaps.
        let (seen_slot, live_bytes, is_ahead, poisoned) = (0, 0, !bytes.is_empty(), false);
        let mut journal = Self { log, path, rows, seen_slot, row_bytes, live_bytes, is_ahead, poisoned };
        for (index, payload) in payloads.iter().enumerate() {
            let unknown = |message: String| {
                let source = RecordError::Meaning { index, message };
                JournalError::Version { path: name.clone(), source }
            };
            let record: Record = serde_json::from_slice(payload).map_err(|error| unknown(error.to_string()))?;
            journal.seen_slot = record.slot;
            match record.change {
                Change::Nothing => {}
                Change::Put(row) => journal.keep(*row, record_bytes(payload)),
                Change::Forget(text) => {
                    let mut uid = JobUid([0; 32]);
                    hex::decode_to_slice(&text, &mut uid.0).map_err(|error| unknown(error.to_string()))?;
                    journal.drop_row(uid);
                }
            }
        }
        Ok(journal)
    }

    fn keep(&mut self, row: JobRow, bytes: u64) {
        let replaced = self.row_bytes.insert(row.uid, bytes).unwrap_or(0);
        self.live_bytes = self.live_bytes.saturating_sub(replaced).saturating_add(bytes);
        self.rows.insert(row.uid, row);
    }

    fn drop_row(&mut self, uid: JobUid) {
        self.live_bytes = self.live_bytes.saturating_sub(self.row_bytes.remove(&uid).unwrap_or(0));
        self.rows.remove(&uid);
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &JobRow> {
        self.rows.values()
    }

    /// One row, as it was written last.
    #[must_use]
    pub fn row(&self, uid: JobUid) -> Option<&JobRow> {
        self.rows.get(&uid)
    }

    /// Highest slot of anything that had been acted on when the last record was written.
    #[must_use]
    pub fn seen_slot(&self) -> u64 {
        self.seen_slot
    }

    /// Writes a row, and the highest slot of anything that was acted on. Both are on disk after the next [`Self::commit`]:
    /// rows that change together share its fsync. A row that is there already is not written again, whatever the slot.
    ///
    /// # Errors
    /// The sign-guard's refusals, or [`JournalError::Write`], after which nothing may be signed.
    pub fn put(&mut self, row: &JobRow, seen_slot: u64) -> Result<(), JournalError> {
        let uid = row.uid;
        if !row.is_of_one_mind() {
            return Err(JournalError::OutcomeDiffers(uid));
        }
        if let Some(old) = self.rows.get(&uid) {
            if old == row {
                return Ok(());
            }
            check_guard(old, row)?;
        } else if self.rows.len() >= ROWS_MAX {
            return Err(JournalError::Full(uid));
        }
        let before = self.log.len_bytes();
        crash_points_of_row("journal.before", self.rows.get(&uid), Some(row));
        self.append(seen_slot, Change::Put(Box::new(row.clone())), uid)?;
        crash_points_of_row("journal.after", self.rows.get(&uid), Some(row));
        self.keep(row.clone(), self.log.len_bytes().saturating_sub(before));
        self.rewrite_if_long()
    }

    /// Drops a row, and writes the slot as [`Self::put`] does; repeating it changes nothing.
    ///
    /// # Errors
    /// [`JournalError::Write`].
    pub fn forget(&mut self, uid: JobUid, seen_slot: u64) -> Result<(), JournalError> {
        if !self.rows.contains_key(&uid) {
            return Ok(());
        }
        crash_points_of_row("journal.before", self.rows.get(&uid), None);
        self.append(seen_slot, Change::Forget(uid.to_string()), uid)?;
        crash_points_of_row("journal.after", self.rows.get(&uid), None);
        self.drop_row(uid);
        self.rewrite_if_long()
    }

    /// Whether anything was written since the last commit.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Returns once everything that was written is on disk.
    ///
    /// # Errors
    /// [`JournalError::Write`], after which nothing may be signed.
    pub fn commit(&mut self) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        if self.is_ahead {
            self.log.sync().map_err(|source| self.poison(source))?;
            self.is_ahead = false;
        }
        Ok(())
    }

    /// The permission to sign the recorded message of this kind, which is on disk then.
    ///
    /// # Errors
    /// [`JournalError::NothingToSign`] unless exactly that message is recorded, live and without a signature; as
    /// [`Self::commit`].
    pub fn permit(&mut self, uid: JobUid, kind: TxKind) -> Result<SigningPermit, JournalError> {
        self.commit()?;
        let row = self.rows.get(&uid);
        let tx = row.and_then(|row| row.tx(kind)).filter(|tx| tx.signature.is_none() && tx.state == TxState::Live);
        let (Some(row), Some(tx)) = (row, tx) else { return Err(JournalError::NothingToSign { uid, kind }) };
        Ok(SigningPermit { uid, kind, message: tx.message.clone(), row: row.clone() })
    }

    /// The permission to sign the receipt of a job; `None` unless an outcome of it is recorded, which is on disk then and need
    /// not be hidden any more.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn receipt_permit(&mut self, uid: JobUid) -> Result<Option<ReceiptPermit>, JournalError> {
        self.commit()?;
        let outcome = self.rows.get(&uid).filter(|row| row.may_be_shown()).and_then(|row| row.outcome);
        Ok(outcome.map(|outcome| ReceiptPermit { uid, outcome }))
    }

    fn append(&mut self, slot: u64, change: Change, uid: JobUid) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let payload = self.encode(slot, change)?;
        if payload.len() > RECORD_BYTES_MAX {
            return Err(JournalError::Full(uid));
        }
        self.seen_slot = slot;
        self.is_ahead = true;
        self.log.append(&payload).map_err(|source| self.poison(source))
    }

    /// After a failed fsync the kernel may have dropped the page: the file's end is unknown for good.
    fn poison(&mut self, source: io::Error) -> JournalError {
        self.poisoned = true;
        self.write_error(source)
    }

    fn rewrite_if_long(&mut self) -> Result<(), JournalError> {
        let len_bytes = self.log.len_bytes();
        // Mostly alive: as much has to be written again before a rewrite is worth its cost.
        if len_bytes < REWRITE_BYTES || self.live_bytes > len_bytes / 2 {
            return Ok(());
        }
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<(), JournalError> {
        let put = |row: &JobRow| self.encode(self.seen_slot, Change::Put(Box::new(row.clone())));
        let puts = self.rows.values().map(put).collect::<Result<Vec<_>, _>>()?;
        self.row_bytes = self.rows.keys().copied().zip(puts.iter().map(|payload| record_bytes(payload))).collect();
        self.live_bytes = self.row_bytes.values().sum();
        let first = self.encode(self.seen_slot, Change::Nothing)?;
        let records: Vec<Vec<u8>> = iter::once(first).chain(puts).collect();
        self.log.rewrite(&records).map_err(|source| self.poison(source))?;
        self.is_ahead = false;
        Ok(())
    }

    fn encode(&self, slot: u64, change: Change) -> Result<Vec<u8>, JournalError> {
        serde_json::to_vec(&Record { slot, change }).map_err(|error| self.write_error(error.into()))
    }

    fn write_error(&self, source: io::Error) -> JournalError {
        JournalError::Write { path: self.path.clone(), source }
    }
}

/// Bytes that a record takes in the log.
fn record_bytes(payload: &[u8]) -> u64 {
    u64::try_from(HEAD_BYTES.saturating_add(payload.len())).unwrap_or(u64::MAX)
}

fn check_guard(old: &JobRow, new: &JobRow) -> Result<(), JournalError> {
    let uid = new.uid;
    let is_other_outcome = old.outcome.is_some() && old.outcome != new.outcome;
    let is_other_ballot = old.ballots.iter().zip(&new.ballots).any(|(old, new)| old.is_some() && old != new);
    let is_other_salt =
        (old.salt.is_some() && old.salt != new.salt) || (old.challenge.is_some() && old.challenge != new.challenge);
    if is_other_outcome || is_other_salt || is_other_ballot {
        return Err(JournalError::OutcomeDiffers(uid));
    }
    for tx in old.txs.iter().filter(|tx| tx.state == TxState::Live && tx.signature.is_some()) {
        let same = |other: &TxRecord| other.message == tx.message && other.signature == tx.signature;
        let is_kept = new.txs.iter().any(|other| other.kind == tx.kind && same(other));
        if !is_kept || new.live_txs(tx.kind).count() > live_max(tx.kind) {
            return Err(JournalError::LiveTransaction { uid, kind: tx.kind });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! Which receipts go when there are too many.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{age, remove};
use crate::config::RecordsConfig;

/// A file of a record.
pub(super) struct Kept {
    pub(super) modified: SystemTime,
    pub(super) path: PathBuf,
    bytes: u64,
}

/// The files of a directory.
pub(super) fn files(directory: &Path) -> io::Result<Vec<Kept>> {
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
    Ok(files)
}

/// Everything about one job.
#[derive(Default)]
struct Record {
    modified: Option<SystemTime>,
    bytes: u64,
    paths: Vec<PathBuf>,
}

/// Removes the oldest records, each whole, until the rest is within the bounds.
pub(super) fn prune_receipts(directory: &Path, bounds: &RecordsConfig, now: SystemTime) -> io::Result<()> {
    let mut records: BTreeMap<Option<String>, Record> = BTreeMap::new();
    for Kept { modified, path, bytes } in files(directory)? {
        let uid = path.file_name().and_then(OsStr::to_str).and_then(|name| name.split('.').next());
        let record = records.entry(uid.map(str::to_owned)).or_default();
        record.modified = record.modified.max(Some(modified));
        record.bytes = record.bytes.saturating_add(bytes);
        record.paths.push(path);
    }
    let mut records: Vec<Record> = records.into_values().collect();
    records.sort_by_key(|record| record.modified);
    let mut bytes = records.iter().fold(0_u64, |sum, record| sum.saturating_add(record.bytes));
    let mut count = records.len();
    for record in records {
        let is_old = record.modified.is_some_and(|modified| age(modified, now) > bounds.age_max.0);
        if !is_old && count <= bounds.receipts_max && bytes <= bounds.receipts_quota.0 {
            break;
        }
        record.paths.iter().try_for_each(|path| remove(path))?;
        bytes = bytes.saturating_sub(record.bytes);
        count = count.saturating_sub(1);
    }
    Ok(())
}

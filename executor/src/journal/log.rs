//! Records on disk: `length u32 LE · length checksum 8 · checksum 16 · payload`. The checksum is the head of
//! `SHA-256(previous checksum ‖ length ‖ payload)`, the length checksum that of `SHA-256(previous checksum ‖ length)`:
//! without it, one flipped bit in a length near the end would look like a write that was cut off.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::fault::crash_point;

/// Largest payload. A row with five transactions is about 15 kB.
pub(super) const RECORD_BYTES_MAX: usize = 256 << 10;
const CHECKSUM_BYTES: usize = 16;
const LENGTH_CHECKSUM_BYTES: usize = 8;
pub(super) const HEAD_BYTES: usize = 4 + LENGTH_CHECKSUM_BYTES + CHECKSUM_BYTES;

pub(super) type Checksum = [u8; CHECKSUM_BYTES];

/// What is wrong with a journal's bytes.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The file ends inside a record: a write was cut off.
    #[error("record {index} at byte {offset} is torn: the file ends inside it")]
    Torn {
        /// Which record, from 0.
        index: usize,
        /// Where it begins.
        offset: usize,
    },
    /// A length or checksum does not fit.
    #[error("record {index} at byte {offset} is damaged: its checksum does not fit")]
    Checksum {
        /// Which record, from 0.
        index: usize,
        /// Where it begins.
        offset: usize,
    },
    /// The bytes are whole and mean nothing to this version.
    #[error("record {index} is not understood by this version: {message}")]
    Meaning {
        /// Which record, from 0.
        index: usize,
        /// From the parser.
        message: String,
    },
}

/// The file under the log: append and fsync, nothing else.
pub trait LogFile: Send {
    /// Appends all bytes.
    ///
    /// # Errors
    /// From the system: disk full, I/O error.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once everything appended is on disk.
    ///
    /// # Errors
    /// From the system. What was appended since the last sync may then be lost.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to this length.
    ///
    /// # Errors
    /// From the system.
    fn truncate(&mut self, len_bytes: u64) -> io::Result<()>;
}

impl LogFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        self.set_len(len_bytes)
    }
}

pub(super) fn open_append(path: &Path) -> io::Result<File> {
    let is_new = !path.exists();
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    if is_new {
        file.sync_all()?;
        sync_parent(path)?;
    }
    Ok(file)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

pub(super) struct Log {
    file: Box<dyn LogFile>,
    path: PathBuf,
    chain: Checksum,
    len_bytes: u64,
}

impl Log {
    pub(super) fn new(file: Box<dyn LogFile>, path: PathBuf, chain: Checksum, len: usize) -> Self {
        Self { file, path, chain, len_bytes: u64::try_from(len).unwrap_or(u64::MAX) }
    }

    pub(super) const fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Writes a record, which is on disk once [`Self::sync`] returns.
    pub(super) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        let (record, chain) = encode(&self.chain, payload)?;
        // One write: a process killed here leaves all of the record or nothing.
        if let Err(error) = self.file.append(&record) {
            // A full disk may have taken a part of it; without that part the journal stays whole. If even this fails,
            // the next start says that it is torn.
            if let Err(error) = self.file.truncate(self.len_bytes) {
                tracing::error!(%error, "journal_left_torn");
            }
            return Err(error);
        }
        self.chain = chain;
        self.len_bytes = self.len_bytes.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Returns once every record is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    /// Replaces the log by one that holds only these records. The old one stays whole until the new one is on disk.
    pub(super) fn rewrite(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut chain = Checksum::default();
        for payload in payloads {
            let (record, next) = encode(&chain, payload)?;
            bytes.extend_from_slice(&record);
            chain = next;
        }
        replace(&self.path, &bytes)?;
        self.file = Box::new(open_append(&self.path)?);
        self.chain = chain;
        self.len_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        crash_point("journal.rewritten");
        Ok(())
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    crash_point("journal.rewriting");
    fs::rename(&fresh, path)?;
    sync_parent(path)
}

fn encode(chain: &Checksum, payload: &[u8]) -> io::Result<(Vec<u8>, Checksum)> {
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "record too long");
    let length = u32::try_from(payload.len()).map_err(too_long)?.to_le_bytes();
    let sum = checksum(chain, &length, payload);
    let mut record = Vec::with_capacity(HEAD_BYTES + payload.len());
    record.extend_from_slice(&length);
    record.extend_from_slice(&length_checksum(chain, &length));
    record.extend_from_slice(&sum);
    record.extend_from_slice(payload);
    Ok((record, sum))
}

fn checksum(chain: &Checksum, length: &[u8; 4], payload: &[u8]) -> Checksum {
    head_of(Sha256::new().chain_update(chain).chain_update(length).chain_update(payload))
}

fn length_checksum(chain: &Checksum, length: &[u8; 4]) -> [u8; LENGTH_CHECKSUM_BYTES] {
    head_of(Sha256::new().chain_update(chain).chain_update(length))
}

fn head_of<const N: usize>(hasher: Sha256) -> [u8; N] {
    let digest: [u8; 32] = hasher.finalize().into();
    std::array::from_fn(|index| digest[index])
}

/// All payloads and the last checksum; refuses a file of which any byte does not fit.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<&[u8]>, Checksum), RecordError> {
    let (payloads, chain, error) = read_good_part(bytes);
    error.map_or(Ok((payloads, chain)), Err)
}

/// As many records as are whole, and what stopped the reading.
fn read_good_part(bytes: &[u8]) -> (Vec<&[u8]>, Checksum, Option<RecordError>) {
    let (mut payloads, mut chain, mut offset) = (Vec::new(), Checksum::default(), 0);
    while offset < bytes.len() {
        match read_one(&bytes[offset..], &chain) {
            Ok((payload, sum)) => {
                payloads.push(payload);
                chain = sum;
                offset += HEAD_BYTES + payload.len();
            }
            Err(torn) => {
                let index = payloads.len();
                let error =
                    if torn { RecordError::Torn { index, offset } } else { RecordError::Checksum { index, offset } };
                return (payloads, chain, Some(error));
            }
        }
    }
    (payloads, chain, None)
}

/// `Err(true)` when the bytes end too early, `Err(false)` when they are wrong. Only a length that is known to be the one
/// that was written can say that they end too early.
fn read_one<'a>(bytes: &'a [u8], chain: &Checksum) -> Result<(&'a [u8], Checksum), bool> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(true)?;
    let (length_sum, rest) = rest.split_first_chunk::<LENGTH_CHECKSUM_BYTES>().ok_or(true)?;
    let payload_bytes = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| false)?;
    if payload_bytes > RECORD_BYTES_MAX || length_checksum(chain, length) != *length_sum {
        return Err(false);
    }
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM_BYTES>().ok_or(true)?;
    let payload = rest.get(..payload_bytes).ok_or(true)?;
    if checksum(chain, length, payload) == *sum { Ok((payload, *sum)) } else { Err(false) }
}

/// What [`repair`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Records kept.
    pub records_kept: usize,
    /// Bytes cut off.
    pub bytes_cut: usize,
    /// Whether only an unfinished last record was cut: nothing was ever acted on that is lost now.
    pub is_harmless: bool,
    /// Copy of the original.
    pub saved_as: PathBuf,
}

impl Repair {
    /// What to do next.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        if self.is_harmless {
            "Only an unfinished last record was cut: nothing that was acted on is lost. Start the bot again."
        } else {
            "Records that were acted on may be lost: check `assay provider status`, make sure that no other instance \
             runs with this node key, then start with --adopt-unknown-seats. The salt of a result that was committed to and \
             not revealed is nowhere else: a seat whose record is lost loses its bond."
        }
    }
}

/// Keeps the part of a journal that is whole and saves the original beside it. `None` when nothing was wrong.
///
/// # Errors
/// From the system.
pub fn repair(data_dir: &Path) -> io::Result<Option<Repair>> {
    let path = data_dir.join(super::JOURNAL_FILE);
    let bytes = fs::read(&path)?;
    let (payloads, _, error) = read_good_part(&bytes);
    let Some(error) = error else { return Ok(None) };
    let good_bytes = payloads.iter().map(|payload| HEAD_BYTES + payload.len()).sum::<usize>();
    let saved_as = unused_name(&path)?;
    fs::copy(&path, &saved_as)?;
    File::open(&saved_as)?.sync_all()?;
    replace(&path, &bytes[..good_bytes])?;
    Ok(Some(Repair {
        records_kept: payloads.len(),
        bytes_cut: bytes.len() - good_bytes,
        is_harmless: matches!(error, RecordError::Torn { .. }),
        saved_as,
    }))
}

fn unused_name(path: &Path) -> io::Result<PathBuf> {
    (1..1_000)
        .map(|number| path.with_extension(format!("damaged-{number}")))
        .find(|name| !name.exists())
        .ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, "1,000 damaged journals are kept already"))
}

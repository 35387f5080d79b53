//! What parent and child say to each other: the child which fences stand, the parent what to do, the child what came of
//! it.

use assay_content::{Cid, Entry, EntryKind};
use assay_protocol::{Hash32, TaskLimits, TaskSpec, outcome::OUTCOME_BYTES};
use assay_sdk::receipt::RunFacts;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

use super::frame::{FrameError, read_last_frame, write_frame};

/// What the child is asked to do with a job directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkRequest {
    /// Read the manifest, validate and meter the module.
    Prepare {
        /// Task.
        task: TaskSpec,
        /// Job directory.
        entries: Vec<Entry>,
    },
    /// All of it, and run.
    Run {
        /// Task.
        task: TaskSpec,
        /// Job directory.
        entries: Vec<Entry>,
    },
}

/// What a preparation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prepared {
    /// The task can run.
    Runnable,
    /// The task is Invalid on every host, for this reason (code and text).
    Invalid(u16, String),
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanTask {
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Blocks of the result package, the root's among them; empty when Invalid. Not verified.
    pub blocks: Vec<(Cid, Bytes)>,
    /// Root of the package; `None` when Invalid.
    pub root: Option<Cid>,
    /// Bytes of the result's files.
    pub file_bytes: u64,
    /// Most stack, bytes.
    pub stack_peak_bytes: u64,
    /// Most linear memory, bytes.
    pub memory_peak_bytes: u64,
    /// Hash of the metered module; `None` when the task did not come so far.
    pub metered_hash: Option<Hash32>,
    /// What a receipt says about the run; `None` when Invalid.
    pub facts: Option<RunFacts>,
    /// Why the task is Invalid, in words that a person can act on.
    pub explanation: Option<String>,
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkReply {
    /// To [`WorkRequest::Prepare`].
    Prepared(Prepared),
    /// To [`WorkRequest::Run`].
    Ran(Box<RanTask>),
    /// This host could not do it.
    Fault(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestHeader {
    run: bool,
    profile: u32,
    job_cid_digest: Hash32,
    metered_hash: Hash32,
    limits: [u64; 5],
    seed: u64,
    clock_unix_ns: u64,
    /// Path and, for a file, its length in the body.
    entries: Vec<(String, Option<u64>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReplyHeader {
    Prepared(Prepared),
    Ran(Box<RanHeader>),
    Fault(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RanHeader {
    outcome: String,
    root: Option<String>,
    file_bytes: u64,
    stack_peak_bytes: u64,
    memory_peak_bytes: u64,
    metered_hash: Option<Hash32>,
    facts: Option<RunFacts>,
    explanation: Option<String>,
    /// CID and length in the body.
    blocks: Vec<(String, u64)>,
}

fn bad<E: serde::de::Error>(message: &str) -> E {
    E::custom(message)
}

fn header_error(message: &str) -> FrameError {
    FrameError::Header(bad(message))
}

/// Cuts `length` bytes off the front of a body.
fn cut(body: &mut Bytes, length: u64) -> Result<Bytes, FrameError> {
    let length = usize::try_from(length).ok().filter(|length| *length <= body.len());
    length.map(|length| body.split_to(length)).ok_or_else(|| header_error("a length exceeds the body"))
}

impl WorkRequest {
    pub(super) fn write(&self, to: impl std::io::Write) -> Result<(), FrameError> {
        let (run, task, entries) = match self {
            Self::Prepare { task, entries } => (false, task, entries),
            Self::Run { task, entries } => (true, task, entries),
        };
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = task.limits;
        let length = |entry: &Entry| entry.bytes().map(|bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let header = RequestHeader {
            run,
            profile: task.profile,
            job_cid_digest: task.job_cid_digest,
            metered_hash: task.metered_hash,
            limits: [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes],
            seed: task.seed,
            clock_unix_ns: task.clock_unix_ns,
            entries: entries.iter().map(|entry| (entry.path.clone(), length(entry))).collect(),
        };
        let body: Vec<&[u8]> = entries.iter().filter_map(Entry::bytes).map(AsRef::as_ref).collect();
        write_frame(to, &header, &body)
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<Self, FrameError> {
        let (header, body): (RequestHeader, _) = read_last_frame(from)?;
        let mut body = Bytes::from(body);
        let mut entries = Vec::with_capacity(header.entries.len());
        for (path, length) in header.entries {
            let kind = match length {
                Some(length) => EntryKind::File(cut(&mut body, length)?),
                None => EntryKind::Directory,
            };
            entries.push(Entry { path, kind });
        }
        let [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes] = header.limits;
        let task = TaskSpec {
            profile: header.profile,
            job_cid_digest: header.job_cid_digest,
            metered_hash: header.metered_hash,
            limits: TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes },
            seed: header.seed,
            clock_unix_ns: header.clock_unix_ns,
        };
        Ok(if header.run { Self::Run { task, entries } } else { Self::Prepare { task, entries } })
    }
}

impl WorkReply {
    pub(super) fn write(&self, to: impl std::io::Write) -> Result<(), FrameError> {
        match self {
            Self::Prepared(prepared) => write_frame(to, &ReplyHeader::Prepared(prepared.clone()), &[]),
            Self::Fault(message) => write_frame(to, &ReplyHeader::Fault(message.clone()), &[]),
            Self::Ran(ran) => {
                let length = |bytes: &Bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                let header = RanHeader {
                    outcome: hex::encode(ran.outcome),
                    root: ran.root.map(|root| root.to_string()),
                    file_bytes: ran.file_bytes,
                    stack_peak_bytes: ran.stack_peak_bytes,
                    memory_peak_bytes: ran.memory_peak_bytes,
                    metered_hash: ran.metered_hash,
                    facts: ran.facts.clone(),
                    explanation: ran.explanation.clone(),
                    blocks: ran.blocks.iter().map(|(cid, bytes)| (cid.to_string(), length(bytes))).collect(),
                };
                let body: Vec<&[u8]> = ran.blocks.iter().map(|(_, bytes)| bytes.as_ref()).collect();
                write_frame(to, &ReplyHeader::Ran(Box::new(header)), &body)
            }
        }
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<Self, FrameError> {
        let (header, body): (ReplyHeader, _) = read_last_frame(from)?;
        let mut body = Bytes::from(body);
        let reply = match header {
            ReplyHeader::Prepared(prepared) => Self::Prepared(prepared),
            ReplyHeader::Fault(message) => Self::Fault(message),
            ReplyHeader::Ran(ran) => {
                let cid = |text: &str| Cid::from_str(text).map_err(|_| header_error("a CID is not one"));
                let mut outcome = [0; OUTCOME_BYTES];
                hex::decode_to_slice(&ran.outcome, &mut outcome).map_err(|_| header_error("an outcome is not one"))?;
                let mut blocks = Vec::with_capacity(ran.blocks.len());
                for (text, length) in &ran.blocks {
                    blocks.push((cid(text)?, cut(&mut body, *length)?));
                }
                Self::Ran(Box::new(RanTask {
                    outcome,
                    blocks,
                    root: ran.root.as_deref().map(cid).transpose()?,
                    file_bytes: ran.file_bytes,
                    stack_peak_bytes: ran.stack_peak_bytes,
                    memory_peak_bytes: ran.memory_peak_bytes,
                    metered_hash: ran.metered_hash,
                    facts: ran.facts,
                    explanation: ran.explanation,
                }))
            }
        };
        if body.is_empty() { Ok(reply) } else { Err(header_error("the body is longer than its parts")) }
    }
}

//! What parent and child say to each other: the child which fences stand, the parent what to do, the child what came of
//! it.

use assay_content::{Cid, Entry, EntryKind};
use assay_protocol::{Hash32, TaskLimits, TaskSpec, outcome::OUTCOME_BYTES};
use assay_runtime::{Engine, EngineKind, Variant};
use assay_sdk::receipt::RunFacts;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, sync::Arc};

use super::frame::{FrameError, read_last_frame, write_frame};

/// What the child is asked to do with a job directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkRequest {
    /// How far to go.
    pub work: Work,
    /// Task.
    pub task: TaskSpec,
    /// Job directory.
    pub entries: Vec<Entry>,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Read the manifest, validate and meter the module.
    Prepare,
    /// The same, and compile what a run would begin with, if it would be compiled.
    Compile(Manner),
    /// All of it, and run.
    Run(Manner),
}

/// How a module is run. Changes nothing but time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The engine.
    pub engine: Engine,
    /// The variant to begin with.
    pub variant: Variant,
}

impl Manner {
    /// As providers run: the fast variant, in the engine that is quicker.
    pub const QUICKEST: Self = Self { engine: Engine::Auto, variant: Variant::Fast };
    /// The program itself, interpreted.
    pub const REFERENCE: Self = Self { engine: Engine::Wasmi, variant: Variant::Canonical };
}

impl Work {
    /// How a module is run or compiled; `None` where no engine is needed.
    pub(super) const fn manner(self) -> Option<Manner> {
        match self {
            Self::Prepare => None,
            Self::Compile(manner) | Self::Run(manner) => Some(manner),
        }
    }

    /// Whether memory has to become code.
    pub(super) fn may_compile(self) -> bool {
        self.manner().is_some_and(|manner| manner.engine.may_compile())
    }
}

/// Compiled code on its way between parent and child, by variant.
pub(super) type Code = Vec<(Variant, Arc<[u8]>)>;

/// What a preparation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prepared {
    /// The task can run.
    Runnable,
    /// The task is Invalid on every host, for this reason (code and text).
    Invalid(u16, String),
}

/// What the child says that a run gave: its word, until [`RanTask::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RanTask {
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Blocks of the result package, the root's among them; empty when Invalid.
    pub blocks: Vec<(Cid, Bytes)>,
    /// Root of the package; `None` when Invalid.
    pub root: Option<Cid>,
    /// Hash of the metered module; `None` when the task did not come so far.
    pub metered_hash: Option<Hash32>,
    /// What a receipt says about the run; `None` when Invalid.
    pub facts: Option<RunFacts>,
    /// The engine that ran it; `None` when the task did not come so far. Informative: a child may say what it likes.
    pub engine: Option<EngineKind>,
    /// The variant that gave the answer.
    pub variant: Variant,
    /// Why the task is Invalid, in words that a person can act on.
    pub explanation: Option<String>,
}

/// What the child answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkReply {
    /// To [`Work::Prepare`] and [`Work::Compile`].
    Prepared(Prepared),
    /// To [`Work::Run`].
    Ran(Box<RanTask>),
    /// To [`Work::Run`] with the fast variant: it gave no answer, and where a guest ran nothing is compiled any more. Run
    /// the program itself in another child. [`super::run_in_child`] does so and never returns this.
    Repeat,
    /// This host could not do it.
    Fault(String),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    Prepare,
    Compile,
    Run,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestHeader {
    step: Step,
    engine: String,
    variant: String,
    profile: u32,
    job_cid_digest: Hash32,
    metered_hash: Hash32,
    limits: [u64; 5],
    seed: u64,
    clock_unix_ns: u64,
    /// Path and, for a file, its length in the body.
    entries: Vec<(String, Option<u64>)>,
    code: CodeHeader,
}

/// Variant and length in the body, behind everything else.
type CodeHeader = Vec<(String, u64)>;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyHeader {
    answer: AnswerHeader,
    code: CodeHeader,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerHeader {
    Prepared(Prepared),
    Ran(Box<RanHeader>),
    Repeat,
    Fault(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RanHeader {
    outcome: String,
    root: Option<String>,
    metered_hash: Option<Hash32>,
    facts: Option<RunFacts>,
    engine: Option<String>,
    variant: String,
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

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn code_header(code: &Code) -> CodeHeader {
    code.iter().map(|(variant, bytes)| (variant.letter().to_owned(), length(bytes))).collect()
}

fn variant(letter: &str) -> Result<Variant, FrameError> {
    Variant::from_letter(letter).ok_or_else(|| header_error("a variant is not one"))
}

/// The end of a body, and nothing behind it.
fn cut_code(mut body: Bytes, header: CodeHeader) -> Result<Code, FrameError> {
    let mut code = Code::new();
    for (letter, length) in header {
        let bytes = cut(&mut body, length)?;
        code.push((variant(&letter)?, Arc::from(bytes.as_ref())));
    }
    if body.is_empty() { Ok(code) } else { Err(header_error("the body is longer than its parts")) }
}

impl WorkRequest {
    pub(super) fn write(&self, code: &Code, to: impl std::io::Write) -> Result<(), FrameError> {
        let Self { work, task, entries } = self;
        let step = match work {
            Work::Prepare => Step::Prepare,
            Work::Compile(_) => Step::Compile,
            Work::Run(_) => Step::Run,
        };
        let manner = work.manner().unwrap_or(Manner::REFERENCE);
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = task.limits;
        let header = RequestHeader {
            step,
            engine: manner.engine.to_string(),
            variant: manner.variant.letter().to_owned(),
            profile: task.profile,
            job_cid_digest: task.job_cid_digest,
            metered_hash: task.metered_hash,
            limits: [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes],
            seed: task.seed,
            clock_unix_ns: task.clock_unix_ns,
            entries: entries
                .iter()
                .map(|entry| (entry.path.clone(), entry.bytes().map(|bytes| length(bytes))))
                .collect(),
            code: code_header(code),
        };
        let files = entries.iter().filter_map(Entry::bytes).map(AsRef::as_ref);
        let body: Vec<&[u8]> = files.chain(code.iter().map(|(_, bytes)| bytes.as_ref())).collect();
        write_frame(to, &header, &body)
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<(Self, Code), FrameError> {
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
        let engine = header.engine.parse().map_err(|_| header_error("an engine is not one"))?;
        let manner = Manner { engine, variant: variant(&header.variant)? };
        let work = match header.step {
            Step::Prepare => Work::Prepare,
            Step::Compile => Work::Compile(manner),
            Step::Run => Work::Run(manner),
        };
        let [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes] = header.limits;
        let task = TaskSpec {
            profile: header.profile,
            job_cid_digest: header.job_cid_digest,
            metered_hash: header.metered_hash,
            limits: TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes },
            seed: header.seed,
            clock_unix_ns: header.clock_unix_ns,
        };
        Ok((Self { work, task, entries }, cut_code(body, header.code)?))
    }
}

impl WorkReply {
    pub(super) fn write(&self, code: &Code, to: impl std::io::Write) -> Result<(), FrameError> {
        let (answer, blocks) = match self {
            Self::Prepared(prepared) => (AnswerHeader::Prepared(prepared.clone()), [].as_slice()),
            Self::Repeat => (AnswerHeader::Repeat, [].as_slice()),
            Self::Fault(message) => (AnswerHeader::Fault(message.clone()), [].as_slice()),
            Self::Ran(ran) => (AnswerHeader::Ran(Box::new(RanHeader::from(ran.as_ref()))), ran.blocks.as_slice()),
        };
        let blocks = blocks.iter().map(|(_, bytes)| bytes.as_ref());
        let body: Vec<&[u8]> = blocks.chain(code.iter().map(|(_, bytes)| bytes.as_ref())).collect();
        write_frame(to, &ReplyHeader { answer, code: code_header(code) }, &body)
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<(Self, Code), FrameError> {
        let (header, body): (ReplyHeader, _) = read_last_frame(from)?;
        let mut body = Bytes::from(body);
        let reply = match header.answer {
            AnswerHeader::Prepared(prepared) => Self::Prepared(prepared),
            AnswerHeader::Repeat => Self::Repeat,
            AnswerHeader::Fault(message) => Self::Fault(message),
            AnswerHeader::Ran(ran) => Self::Ran(Box::new(ran.read(&mut body)?)),
        };
        Ok((reply, cut_code(body, header.code)?))
    }
}

impl From<&RanTask> for RanHeader {
    fn from(ran: &RanTask) -> Self {
        Self {
            outcome: hex::encode(ran.outcome),
            root: ran.root.map(|root| root.to_string()),
            metered_hash: ran.metered_hash,
            facts: ran.facts.clone(),
            engine: ran.engine.map(|engine| engine.name().to_owned()),
            variant: ran.variant.letter().to_owned(),
            explanation: ran.explanation.clone(),
            blocks: ran.blocks.iter().map(|(cid, bytes)| (cid.to_string(), length(bytes))).collect(),
        }
    }
}

impl RanHeader {
    fn read(self, body: &mut Bytes) -> Result<RanTask, FrameError> {
        let cid = |text: &str| Cid::from_str(text).map_err(|_| header_error("a CID is not one"));
        let mut outcome = [0; OUTCOME_BYTES];
        hex::decode_to_slice(&self.outcome, &mut outcome).map_err(|_| header_error("an outcome is not one"))?;
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for (text, length) in &self.blocks {
            blocks.push((cid(text)?, cut(body, *length)?));
        }
        let engine = |name: &str| EngineKind::from_name(name).ok_or_else(|| header_error("an engine is not one"));
        Ok(RanTask {
            outcome,
            blocks,
            root: self.root.as_deref().map(cid).transpose()?,
            metered_hash: self.metered_hash,
            facts: self.facts,
            engine: self.engine.as_deref().map(engine).transpose()?,
            variant: variant(&self.variant)?,
            explanation: self.explanation,
        })
    }
}

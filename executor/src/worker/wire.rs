//! What parent and child say to each other: the child which fences stand, the parent what to do, the child what came of
//! it.

use assay_content::{Cid, Entry, EntryKind};
use assay_protocol::{Hash32, TaskLimits, TaskSpec, outcome::OUTCOME_BYTES};
use assay_runtime::{Engine, EngineKind, Variant};
use assay_sdk::receipt::RunFacts;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, sync::Arc};

use super::{
    frame::{FrameError, read_last_frame, write_frame},
    parent::WorkerFault,
};

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

    /// The variant that a module is metered for: the one to begin with. Whoever takes another engine than a provider would
    /// has to estimate what a provider estimates, which is with the fast variant.
    pub(super) fn metered_for(self) -> Variant {
        if self.engine == Engine::Unlike(None) { Self::QUICKEST.variant } else { self.variant }
    }
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

/// Compiled code of one module on its way between parent and child, by variant.
pub type Code = Vec<(Variant, Arc<[u8]>)>;

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

/// What the child answers. [`super::run_in_child`] returns the first two and deals with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkReply {
    /// To [`Work::Prepare`], and to [`Work::Compile`] of a task that is Invalid.
    Prepared(Prepared),
    /// To [`Work::Run`].
    Ran(Box<RanTask>),
    /// To [`Work::Compile`]: what was made, if anything had to be. No other answer has room for code: what comes from a
    /// child in which a guest ran is never run again (W-11).
    Compiled(Code),
    /// To [`Work::Run`]: it begins with compiled code of this variant, which was not handed in or is of no use. Have it
    /// compiled by a child in which no guest runs.
    Missing(Variant),
    /// To [`Work::Run`] with the fast variant: it gave no answer, and where a guest ran nothing is compiled any more. Run
    /// the program itself in another child.
    Repeat,
    /// This host could not do it.
    Fault(String),
}

impl WorkReply {
    /// The answer of a preparation.
    ///
    /// # Errors
    /// [`WorkerFault::OtherQuestion`].
    pub fn prepared(self) -> Result<Prepared, WorkerFault> {
        if let Self::Prepared(prepared) = self { Ok(prepared) } else { Err(WorkerFault::OtherQuestion) }
    }

    /// The answer of a run.
    ///
    /// # Errors
    /// [`WorkerFault::OtherQuestion`].
    pub fn ran(self) -> Result<RanTask, WorkerFault> {
        if let Self::Ran(ran) = self { Ok(*ran) } else { Err(WorkerFault::OtherQuestion) }
    }
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
    /// Length of the path in the body and, for a file, of its bytes behind it. Paths are no part of the header: a poster
    /// chooses them, and what has to be escaped in one would take several times its length.
    entries: Vec<(u64, Option<u64>)>,
    /// What the parent keeps of the module; `None`: it keeps nothing, and whoever needs code compiles it.
    code: Option<CodeHeader>,
}

/// Variant and length in the body, behind everything else.
type CodeHeader = Vec<(String, u64)>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReplyHeader {
    Prepared(Prepared),
    Ran(Box<RanHeader>),
    Compiled(CodeHeader),
    Missing(String),
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

fn cut_code(body: &mut Bytes, header: CodeHeader) -> Result<Code, FrameError> {
    let cut_one = |(letter, length): (String, u64)| Ok((variant(&letter)?, Arc::from(cut(body, length)?.as_ref())));
    header.into_iter().map(cut_one).collect()
}

fn nothing_left(body: &Bytes) -> Result<(), FrameError> {
    if body.is_empty() { Ok(()) } else { Err(header_error("the body is longer than its parts")) }
}

impl WorkRequest {
    /// Other work on the same task.
    pub(super) fn with(&self, work: Work) -> Self {
        Self { work, ..self.clone() }
    }

    /// With the compiled code that the parent keeps; `None`: it keeps none.
    pub(super) fn write(&self, code: Option<&Code>, to: impl std::io::Write) -> Result<(), FrameError> {
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
                .map(|entry| (length(entry.path.as_bytes()), entry.bytes().map(|bytes| length(bytes))))
                .collect(),
            code: code.map(code_header),
        };
        let parts = entries.iter().flat_map(|entry| {
            let bytes = entry.bytes().map(AsRef::as_ref);
            std::iter::once(entry.path.as_bytes()).chain(bytes)
        });
        let body: Vec<&[u8]> = parts.chain(code.into_iter().flatten().map(|(_, bytes)| bytes.as_ref())).collect();
        write_frame(to, &header, &body)
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<(Self, Option<Code>), FrameError> {
        let (header, body): (RequestHeader, _) = read_last_frame(from)?;
        let mut body = Bytes::from(body);
        let mut entries = Vec::with_capacity(header.entries.len());
        for (path, length) in header.entries {
            let path =
                String::from_utf8(cut(&mut body, path)?.into()).map_err(|_| header_error("a path is not UTF-8"))?;
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
        let code = header.code.map(|code| cut_code(&mut body, code)).transpose()?;
        nothing_left(&body)?;
        Ok((Self { work, task, entries }, code))
    }
}

impl WorkReply {
    pub(super) fn write(&self, to: impl std::io::Write) -> Result<(), FrameError> {
        let (header, body): (_, Vec<&[u8]>) = match self {
            Self::Prepared(prepared) => (ReplyHeader::Prepared(prepared.clone()), Vec::new()),
            Self::Missing(variant) => (ReplyHeader::Missing(variant.letter().to_owned()), Vec::new()),
            Self::Repeat => (ReplyHeader::Repeat, Vec::new()),
            Self::Fault(message) => (ReplyHeader::Fault(message.clone()), Vec::new()),
            Self::Compiled(code) => {
                (ReplyHeader::Compiled(code_header(code)), code.iter().map(|(_, bytes)| bytes.as_ref()).collect())
            }
            Self::Ran(ran) => {
                let header = ReplyHeader::Ran(Box::new(RanHeader::from(ran.as_ref())));
                (header, ran.blocks.iter().map(|(_, bytes)| bytes.as_ref()).collect())
            }
        };
        write_frame(to, &header, &body)
    }

    pub(super) fn read(from: impl std::io::Read) -> Result<Self, FrameError> {
        let (header, body): (ReplyHeader, _) = read_last_frame(from)?;
        let mut body = Bytes::from(body);
        let reply = match header {
            ReplyHeader::Prepared(prepared) => Self::Prepared(prepared),
            ReplyHeader::Missing(letter) => Self::Missing(variant(&letter)?),
            ReplyHeader::Repeat => Self::Repeat,
            ReplyHeader::Fault(message) => Self::Fault(message),
            ReplyHeader::Compiled(code) => Self::Compiled(cut_code(&mut body, code)?),
            ReplyHeader::Ran(ran) => Self::Ran(Box::new(ran.read(&mut body)?)),
        };
        nothing_left(&body)?;
        Ok(reply)
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

#[cfg(test)]
mod tests {
    use assay_content::limits::{BLOCK_BYTES_MAX, ENTRIES_MAX, PATH_BYTES_MAX};
    use assay_protocol::{METERED_HASH_UNSTATED, PROFILE_V1, limits::INPUT_BYTES_MAX};
    use assay_runtime::ARTIFACT_BYTES_MAX;

    use super::*;

    /// A directory as large as any that is read: files and paths at their limits, one byte of each path to be escaped.
    fn largest() -> Vec<Entry> {
        let size = usize::try_from(INPUT_BYTES_MAX).expect("a length") / ENTRIES_MAX;
        assert!(size <= BLOCK_BYTES_MAX);
        let (bytes, quotes) = (Bytes::from(vec![7; size]), "\"".repeat(PATH_BYTES_MAX - 5));
        (0..ENTRIES_MAX).map(|number| Entry::file(format!("{quotes}{number:05}"), bytes.clone())).collect()
    }

    fn request(work: Work, entries: Vec<Entry>) -> WorkRequest {
        let task = TaskSpec {
            profile: PROFILE_V1,
            job_cid_digest: [1; 32],
            metered_hash: METERED_HASH_UNSTATED,
            limits: TaskLimits::default(),
            seed: u64::MAX,
            clock_unix_ns: u64::MAX,
        };
        WorkRequest { work, task, entries }
    }

    #[test]
    fn w_17_the_largest_directory_fits_a_request_with_the_largest_code_beside_it() {
        let code: Arc<[u8]> = vec![9; usize::try_from(ARTIFACT_BYTES_MAX).expect("a length")].into();
        let both = vec![(Variant::Fast, code.clone()), (Variant::Canonical, code)];
        let entries = largest();
        let works = [
            (Work::Prepare, None),
            (Work::Compile(Manner::QUICKEST), Some(&both)),
            (Work::Run(Manner::QUICKEST), Some(&both)),
        ];
        for (work, code) in works {
            request(work, entries.clone()).write(code, std::io::sink()).expect("within both limits");
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written_whatever_its_paths() {
        let entries = vec![
            Entry::file("\"quoted\"/\u{e9}", &b"bytes"[..]),
            Entry::directory("empty"),
            Entry::file("nothing", &b""[..]),
        ];
        let code = vec![(Variant::Fast, Arc::from(&b"code"[..]))];
        for (work, code) in [(Work::Prepare, None), (Work::Run(Manner::QUICKEST), Some(code))] {
            let (request, mut bytes) = (request(work, entries.clone()), Vec::new());
            request.write(code.as_ref(), &mut bytes).expect("written");
            let (read, given) = WorkRequest::read(bytes.as_slice()).expect("read");
            assert_eq!((read, given), (request, code));
            // A path that is cut inside a character.
            let at = bytes.windows(2).position(|pair| pair == "\u{e9}".as_bytes()).expect("in the body");
            bytes[at] = b'?';
            assert!(matches!(WorkRequest::read(bytes.as_slice()), Err(FrameError::Header(_))));
        }
    }
}

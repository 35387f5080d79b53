//! Receipts: what one run of a task gave, in a fixed number of bytes that a provider can sign and anybody can compare.
//!
//! Everything in here is determined by the task, the posting and the signer's key, so one key has one receipt for one
//! job. What is not (engine, versions, times) is in no receipt and under no signature.

use core::fmt;

use solana_sha256_hasher::hashv;

use crate::{
    ids::{job_uid, Domain, Hash32, JobUidInput},
    limits::WASM_PAGE_BYTES,
    outcome::{InvalidReason, Outcome, OutcomeError, OutcomeKind, FLAG_STDERR_CUT, FLAG_STDOUT_CUT, OUTCOME_BYTES},
    task::{TaskSpec, METERED_HASH_UNSTATED, TASK_SPEC_BYTES},
};

/// Bytes of an encoded [`Receipt`].
pub const RECEIPT_BYTES: usize = POSTING_BYTES + TASK_SPEC_BYTES + OUTCOME_BYTES + RECEIPT_RUN_BYTES + 32;
/// Bytes of the message that is signed: the domain tag and the encoding.
pub const RECEIPT_MESSAGE_BYTES: usize = 16 + RECEIPT_BYTES;

const POSTING_BYTES: usize = 3 * 32 + 8;
const RECEIPT_RUN_BYTES: usize = 4 * 32 + 2 * 8 + 2 * 32;

/// A job on a chain: everything but the task that its uid is made of, so that no other task can be shown under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Address of the Assay program.
    pub program: Hash32,
    /// The market's [`crate::cluster_tag`].
    pub cluster: Hash32,
    /// Address of the Job account; not zero.
    pub job: Hash32,
    /// Slot in which `create_job` ran.
    pub created_slot: u64,
}

impl Posting {
    /// [`job_uid`] of this posting of a task with this digest.
    #[must_use]
    pub fn job_uid(&self, task_digest: &Hash32) -> Hash32 {
        let Self { program, cluster, job, created_slot } = self;
        job_uid(&JobUidInput { program, cluster, job, created_slot: *created_slot, task_digest })
    }
}

/// What a run measured, beside its outcome. An Invalid task was not run and has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptRun {
    /// SHA-256 of the module as it was uploaded.
    pub module_hash: Hash32,
    /// SHA-256 of the metered module, the program that ran.
    pub metered_hash: Hash32,
    /// [`args_hash`] of the arguments behind the program's name.
    pub args_hash: Hash32,
    /// [`env_hash`] of the environment.
    pub env_hash: Hash32,
    /// Most stack in use at once, bytes.
    pub stack_peak_bytes: u64,
    /// Most linear memory, bytes.
    pub memory_peak_bytes: u64,
    /// SHA-256 of the result's `stdout.txt`.
    pub stdout_hash: Hash32,
    /// SHA-256 of the result's `stderr.txt`.
    pub stderr_hash: Hash32,
}

/// One run of a task, by one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The job; `None` for a run that nobody posted.
    pub posting: Option<Posting>,
    /// Content, program, limits, seed and clock.
    pub task: TaskSpec,
    /// What is agreed on.
    pub outcome: Outcome,
    /// What the run measured; `None` exactly when the outcome is Invalid.
    pub run: Option<ReceiptRun>,
    /// The key that signs; `None` when nobody does.
    pub provider_key: Option<Hash32>,
}

/// Why a receipt is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The outcome is not canonical.
    Outcome(OutcomeError),
    /// A limit of the task is outside the protocol's bounds.
    Limits,
    /// Program, cluster or address of the job is zero.
    Posting,
    /// The job promises no metered module, which `create_job` refuses.
    Unpromised,
    /// Another metered module than promised is the outcome, and none was promised.
    Mismatch,
    /// There are measurements of an Invalid task, or none of another.
    Run,
    /// Another program ran than the task promises.
    MeteredHash,
    /// A hash of the run is zero, which stands for nothing.
    Zero,
    /// The stack peak is over the task's limit.
    StackPeak,
    /// The memory peak is over the task's limit, or not a whole number of pages.
    MemoryPeak,
    /// What was printed does not fit the task's limit: cut and empty, or not empty where nothing may be.
    Stdio,
    /// The provider's key is zero.
    ProviderKey,
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outcome(error) => return write!(f, "the outcome is not canonical: {error}"),
            Self::Limits => "a limit of the task is outside the protocol's bounds",
            Self::Posting => "the program, the cluster or the address of the job is zero",
            Self::Unpromised => "it is of a job, and the task promises no metered module; every job does",
            Self::Mismatch => "the metered module differs from the promised one, and the task promises none",
            Self::Run => "an Invalid task has measurements of a run, or another task has none",
            Self::MeteredHash => "another metered module ran than the task promises",
            Self::Zero => "a hash of the run is zero",
            Self::StackPeak => "the stack peak is over the task's limit",
            Self::MemoryPeak => "the memory peak is over the task's limit or not a multiple of 65536",
            Self::Stdio => "a hash of stdout or stderr does not fit whether it was cut and how long it may be",
            Self::ProviderKey => "the provider's key is zero",
        })
    }
}

impl core::error::Error for ReceiptError {}

impl Receipt {
    /// Checks that the receipt is one: what the encoding could not tell apart, and what no run of the task can give,
    /// whatever its module. It needs the receipt alone; whether the rest is so is for a second run to show.
    ///
    /// # Errors
    /// [`ReceiptError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), ReceiptError> {
        if !self.task.limits.is_within_bounds() {
            return Err(ReceiptError::Limits);
        }
        self.outcome.check(self.task.limits.gas_limit).map_err(ReceiptError::Outcome)?;
        self.check_promise()?;
        match &self.run {
            Some(run) if self.outcome.kind != OutcomeKind::Invalid => self.check_run(run)?,
            None if self.outcome.kind == OutcomeKind::Invalid => {}
            _ => return Err(ReceiptError::Run),
        }
        if self.provider_key == Some([0; 32]) {
            return Err(ReceiptError::ProviderKey);
        }
        Ok(())
    }

    /// The posting, and what was promised with it.
    fn check_promise(&self) -> Result<(), ReceiptError> {
        let is_unpromised = self.task.metered_hash == METERED_HASH_UNSTATED;
        if let Some(Posting { program, cluster, job, created_slot: _ }) = &self.posting {
            if [program, cluster, job].contains(&&[0; 32]) {
                return Err(ReceiptError::Posting);
            }
            if is_unpromised {
                return Err(ReceiptError::Unpromised);
            }
        }
        if is_unpromised && self.outcome.invalid_reason() == Some(InvalidReason::MeteredHashMismatch) {
            return Err(ReceiptError::Mismatch);
        }
        Ok(())
    }

    /// What was measured, against the limits and the outcome.
    fn check_run(&self, run: &ReceiptRun) -> Result<(), ReceiptError> {
        let ReceiptRun { module_hash, metered_hash, args_hash, env_hash, stdout_hash, stderr_hash, .. } = run;
        if [module_hash, metered_hash, args_hash, env_hash, stdout_hash, stderr_hash].contains(&&[0; 32]) {
            return Err(ReceiptError::Zero);
        }
        if !self.task.is_module(metered_hash) {
            return Err(ReceiptError::MeteredHash);
        }
        let limits = &self.task.limits;
        if run.stack_peak_bytes > limits.stack_bytes {
            return Err(ReceiptError::StackPeak);
        }
        let is_whole_pages = run.memory_peak_bytes.is_multiple_of(WASM_PAGE_BYTES);
        if run.memory_peak_bytes > limits.memory_bytes || !is_whole_pages {
            return Err(ReceiptError::MemoryPeak);
        }
        // What was cut is as long as it may be, and what may have no bytes has none. A trap's detail does not say what
        // was cut.
        let flags = if self.outcome.kind == OutcomeKind::Trapped { 0 } else { self.outcome.detail };
        let empty = hashv(&[]).to_bytes();
        for (hash, flag) in [(stdout_hash, FLAG_STDOUT_CUT), (stderr_hash, FLAG_STDERR_CUT)] {
            let is_empty = *hash == empty;
            let must_be_empty = limits.stdio_bytes == 0;
            if (must_be_empty && !is_empty) || (flags & flag != 0 && is_empty && !must_be_empty) {
                return Err(ReceiptError::Stdio);
            }
        }
        Ok(())
    }

    /// Fields in order, integers little-endian; zeros for what is not there. Different receipts that pass [`Self::check`]
    /// have different encodings.
    #[must_use]
    pub fn encode(&self) -> [u8; RECEIPT_BYTES] {
        const NO_POSTING: Posting = Posting { program: [0; 32], cluster: [0; 32], job: [0; 32], created_slot: 0 };
        const NO_RUN: ReceiptRun = ReceiptRun {
            module_hash: [0; 32],
            metered_hash: [0; 32],
            args_hash: [0; 32],
            env_hash: [0; 32],
            stack_peak_bytes: 0,
            memory_peak_bytes: 0,
            stdout_hash: [0; 32],
            stderr_hash: [0; 32],
        };
        let posting = self.posting.unwrap_or(NO_POSTING);
        let run = self.run.unwrap_or(NO_RUN);
        let parts: [&[u8]; 15] = [
            &posting.program,
            &posting.cluster,
            &posting.job,
            &posting.created_slot.to_le_bytes(),
            &self.task.encode(),
            &self.outcome.encode(),
            &run.module_hash,
            &run.metered_hash,
            &run.args_hash,
            &run.env_hash,
            &run.stack_peak_bytes.to_le_bytes(),
            &run.memory_peak_bytes.to_le_bytes(),
            &run.stdout_hash,
            &run.stderr_hash,
            &self.provider_key.unwrap_or([0; 32]),
        ];
        concatenated(&parts)
    }

    /// What the provider signs with ed25519: the domain tag, then the encoding. The tag's first bytes make it no message
    /// of a Solana transaction: it would have 97 signers, 115 of them read-only.
    #[must_use]
    pub fn message(&self) -> [u8; RECEIPT_MESSAGE_BYTES] {
        concatenated(&[Domain::Receipt.tag(), &self.encode()])
    }

    /// `H(domain, encoding)`: names the receipt.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        hashv(&[&self.message()]).to_bytes()
    }

    /// The job's uid, if there is a job.
    #[must_use]
    pub fn job_uid(&self) -> Option<Hash32> {
        self.posting.map(|posting| posting.job_uid(&self.task.digest()))
    }
}

/// Parts one behind the other; their lengths add up to `N`, which the layouts above see to.
fn concatenated<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut out = [0; N];
    let bytes = parts.iter().copied().flatten();
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// `h(n)` of the arguments, where `h(0) = H(domain)` and `h(i) = H(domain, h(i - 1), length of string i (u64 LE), string
/// i)`. Different lists have different hashes, and a list of any length needs no memory.
pub fn args_hash<'a>(args: impl IntoIterator<Item = &'a str>) -> Hash32 {
    chained(Domain::Args, args.into_iter())
}

/// As [`args_hash`], of name, value, name, value, … in the order of the names' bytes.
pub fn env_hash<'a>(env: impl IntoIterator<Item = (&'a str, &'a str)>) -> Hash32 {
    chained(Domain::Env, env.into_iter().flat_map(|(name, value)| [name, value]))
}

fn chained<'a>(domain: Domain, strings: impl Iterator<Item = &'a str>) -> Hash32 {
    let tag = domain.tag();
    strings.fold(hashv(&[tag]).to_bytes(), |hash, string| {
        // No string is longer than memory, whose addresses have 64 bits.
        let length = u64::try_from(string.len()).unwrap_or(u64::MAX);
        hashv(&[tag, &hash, &length.to_le_bytes(), string.as_bytes()]).to_bytes()
    })
}

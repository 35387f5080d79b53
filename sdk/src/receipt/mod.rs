//! Receipts: `receipt.json`, what a run of a task gave, so that anybody can check it without asking anybody.
//!
//! [`Receipt`] is what the file says; [`Receipt::canonical`] is the same in the fixed bytes that are hashed, compared and
//! signed (`docs/PROTOCOL.md`). A receipt proves nothing by itself: its signature shows who said it, running the task
//! again shows whether it is so. [`fields`](Receipt::fields) and [`compare`] are the one place where that is looked at
//! field by field.

mod compare;
mod json;

use std::collections::BTreeMap;

use assay_protocol::{
    Hash32, Outcome, OutcomeKind, Posting, ReceiptError, ReceiptRun, TaskSpec,
    receipt::{args_hash, env_hash},
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use thiserror::Error;

pub use compare::{Comparison, Field, compare, describe_detail, outcome_fields, posting_fields, task_fields};

/// Name of the file, and of the one file of a published receipt.
pub const RECEIPT_FILE_NAME: &str = "receipt.json";
/// Longest file, in bytes. What makes a receipt long are arguments and environment, which a manifest bounds to a quarter.
pub const RECEIPT_JSON_BYTES_MAX: usize = 262_144;
/// Longest text about the engine, in bytes.
const NOTE_BYTES_MAX: usize = 64;

/// What a run of a task gave, as `receipt.json` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The job; `None` for a run that nobody posted.
    pub posting: Option<Posting>,
    /// Content, program, limits, seed and clock.
    pub task: TaskSpec,
    /// What is agreed on.
    pub outcome: Outcome,
    /// What the run measured; `None` exactly when the outcome is Invalid.
    pub run: Option<RunFacts>,
    /// Who says so; `None` when nobody does.
    pub signed: Option<SignedBy>,
    /// Which engine ran it. Not signed and not compared: every engine gives the same.
    pub engine: Option<EngineNote>,
}

/// What a run measured beside its outcome, and what it was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// SHA-256 of the module as it was uploaded.
    pub module_hash: Hash32,
    /// SHA-256 of the metered module.
    pub metered_hash: Hash32,
    /// The arguments behind the program's name.
    pub args: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Most stack in use at once, bytes.
    pub stack_peak_bytes: u64,
    /// Most linear memory, bytes.
    pub memory_peak_bytes: u64,
    /// SHA-256 of the result's `stdout.txt`.
    pub stdout_hash: Hash32,
    /// SHA-256 of the result's `stderr.txt`.
    pub stderr_hash: Hash32,
}

/// A key and its signature over [`assay_protocol::Receipt::message`]. The signature need not be right, see
/// [`Receipt::check_signature`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The provider's node key.
    pub key: Pubkey,
    /// Its signature.
    pub signature: Signature,
}

/// The engine that ran a task. Informative: whoever holds the file may change it without a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineNote {
    /// `wasmi` or `wasmtime`, or the engine of another implementation.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What a receipt's signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptSignature {
    /// There is none: nobody vouches for the receipt.
    Missing,
    /// The key signed exactly this receipt.
    Valid,
    /// The key did not sign this receipt: it was changed, or never signed.
    Wrong,
}

/// Why a file is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReceiptFileError {
    /// Longer than a receipt can be.
    #[error("read the receipt: it is longer than {RECEIPT_JSON_BYTES_MAX} bytes, which no receipt is")]
    TooLarge,
    /// Not the JSON of a receipt.
    #[error("read the receipt: line {line}, column {column}: {problem}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        problem: String,
    },
    /// A field cannot have this value.
    #[error("read the receipt: field `{field}` {problem}")]
    Field {
        /// Its path.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Two fields that say the same do not agree.
    #[error("read the receipt: field `{field}` is {stated}, and the fields that it follows from give {derived}")]
    Contradiction {
        /// The field that repeats.
        field: &'static str,
        /// Its value.
        stated: String,
        /// What it should be.
        derived: String,
    },
    /// Every field for itself is right, together they are no receipt.
    #[error("read the receipt: {0}")]
    NotOne(ReceiptError),
}

impl Receipt {
    /// The same in the fixed form that is hashed and signed.
    #[must_use]
    pub fn canonical(&self) -> assay_protocol::Receipt {
        assay_protocol::Receipt {
            posting: self.posting,
            task: self.task,
            outcome: self.outcome,
            run: self.run.as_ref().map(RunFacts::canonical),
            provider_key: self.signed.map(|signed| signed.key.to_bytes()),
        }
    }

    /// What a key has to sign to vouch for this receipt, whoever signed it before.
    #[must_use]
    pub fn message_for(&self, key: &Pubkey) -> [u8; assay_protocol::receipt::RECEIPT_MESSAGE_BYTES] {
        assay_protocol::Receipt { provider_key: Some(key.to_bytes()), ..self.canonical() }.message()
    }

    /// The receipt, signed. Whether the signature is right is [`Self::check_signature`]'s to say.
    #[must_use]
    pub fn with_signature(self, key: Pubkey, signature: Signature) -> Self {
        Self { signed: Some(SignedBy { key, signature }), ..self }
    }

    /// Whether the signature, if there is one, is the key's over this receipt.
    #[must_use]
    pub fn check_signature(&self) -> ReceiptSignature {
        match self.signed {
            None => ReceiptSignature::Missing,
            Some(SignedBy { key, signature }) if signature.verify(key.as_ref(), &self.message_for(&key)) => {
                ReceiptSignature::Valid
            }
            Some(_) => ReceiptSignature::Wrong,
        }
    }

    /// Checks that this is a receipt.
    ///
    /// # Errors
    /// [`ReceiptFileError`].
    pub fn check(&self) -> Result<(), ReceiptFileError> {
        self.canonical().check().map_err(ReceiptFileError::NotOne)?;
        let texts =
            self.engine.iter().flat_map(|engine| [("engine.name", &engine.name), ("engine.version", &engine.version)]);
        for (field, text) in texts {
            if text.len() > NOTE_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                let problem = format!("is not at most {NOTE_BYTES_MAX} visible ASCII characters");
                return Err(ReceiptFileError::Field { field, problem });
            }
        }
        Ok(())
    }

    /// The receipt of a run in this or another process.
    ///
    /// # Errors
    /// [`ReceiptFileError::NotOne`] when the parts do not belong together.
    pub fn unsigned(
        (posting, task): (Option<Posting>, TaskSpec),
        (outcome, run): (Outcome, Option<RunFacts>),
        engine: Option<EngineNote>,
    ) -> Result<Self, ReceiptFileError> {
        let run = run.filter(|_| outcome.kind != OutcomeKind::Invalid);
        let receipt = Self { posting, task, outcome, run, signed: None, engine };
        receipt.check().map(|()| receipt)
    }
}

impl RunFacts {
    fn canonical(&self) -> ReceiptRun {
        ReceiptRun {
            module_hash: self.module_hash,
            metered_hash: self.metered_hash,
            args_hash: args_hash(self.args.iter().map(String::as_str)),
            env_hash: env_hash(self.env.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
            stack_peak_bytes: self.stack_peak_bytes,
            memory_peak_bytes: self.memory_peak_bytes,
            stdout_hash: self.stdout_hash,
            stderr_hash: self.stderr_hash,
        }
    }
}

#[cfg(test)]
mod tests;

//! The file. Whoever sends it may be hostile: it is bounded before it is parsed, unknown and repeated fields are refused,
//! and what is said twice has to agree.

use std::{collections::BTreeMap, fmt, str::FromStr};

use assay_content::{cid_from_digest, digest_from_cid, parse_cid};
use assay_protocol::{Hash32, METERED_HASH_UNSTATED, Outcome, OutcomeKind, Posting, TaskLimits, TaskSpec};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Unexpected, Visitor},
};
use solana_pubkey::Pubkey;

use super::{EngineNote, RECEIPT_JSON_BYTES_MAX, Receipt, ReceiptFileError, RunFacts, SignedBy};
use crate::strict_json::{Object, object, object_or_null, unique_keys};

/// Version of the file and of the encoding behind it.
const VERSION: u32 = 1;

/// Longest quotation of a file in an error, in characters.
const QUOTED_CHARS_MAX: usize = 256;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiptJson {
    receipt_version: u32,
    #[serde(default, deserialize_with = "object_or_null")]
    job: Option<JobJson>,
    #[serde(deserialize_with = "object")]
    task: TaskJson,
    #[serde(deserialize_with = "object")]
    outcome: OutcomeJson,
    #[serde(default, deserialize_with = "object_or_null")]
    run: Option<RunJson>,
    provider_key: Option<String>,
    signature: Option<String>,
    #[serde(default, deserialize_with = "object_or_null")]
    informative: Option<InformativeJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobJson {
    address: String,
    uid: String,
    program: String,
    cluster: String,
    created_slot: Decimal,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskJson {
    digest: String,
    profile: u32,
    job_cid: String,
    metered_hash: Option<String>,
    #[serde(deserialize_with = "object")]
    limits: LimitsJson,
    seed: Decimal,
    clock_unix_ns: Decimal,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsJson {
    gas_limit: Decimal,
    memory_bytes: Decimal,
    stack_bytes: Decimal,
    output_bytes: Decimal,
    stdio_bytes: Decimal,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomeJson {
    kind: Kind,
    detail: u16,
    exit_code: u32,
    gas_used: Decimal,
    result_cid: Option<String>,
    state_root: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunJson {
    module_hash: String,
    metered_hash: String,
    args: Vec<String>,
    #[serde(deserialize_with = "unique_keys")]
    env: BTreeMap<String, String>,
    stack_peak_bytes: Decimal,
    memory_peak_bytes: Decimal,
    stdout_hash: String,
    stderr_hash: String,
}

/// Under no signature: the name says so to whoever reads the file without a tool. Other implementations have other
/// engines, so their names are no closed set.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InformativeJson {
    engine: String,
    engine_version: String,
}

/// An integer of 64 bits, as a string of its decimal digits. JavaScript and others read a number as a float and round
/// what is over 2^53 without a word; a seed or a clock is.
struct Decimal(u64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The digits that it is written with and no others, so that equal numbers are equal texts.
        let number = |text: &str| text.parse().ok().filter(|number: &u64| number.to_string() == text).map(Self);
        deserializer
            .deserialize_str(Text { expected: "an integer of 64 bits in quotes, such as \"1000\"", read: number })
    }
}

/// An outcome's kind, by name.
struct Kind(OutcomeKind);

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "Exited, Trapped, OutOfGas, OutputTooLarge or Invalid";
        deserializer.deserialize_str(Text { expected, read: |text: &str| OutcomeKind::from_name(text).map(Self) })
    }
}

/// Reads a string, and nothing else, that stands for something.
struct Text<R> {
    expected: &'static str,
    read: R,
}

impl<T, R: FnOnce(&str) -> Option<T>> Visitor<'_> for Text<R> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        let expected = self.expected;
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &expected))
    }
}

impl Receipt {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ReceiptFileError`] says what is wrong and where. Whether the signature is right and whether any of it is so is
    /// not looked at: [`Self::check_signature`], [`super::compare`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReceiptFileError> {
        if bytes.len() > RECEIPT_JSON_BYTES_MAX {
            return Err(ReceiptFileError::TooLarge);
        }
        let Object(json) = serde_json::from_slice::<Object<ReceiptJson>>(bytes).map_err(|error| {
            let text = error.to_string();
            // serde_json appends the position, which this error states first.
            let problem = harmless(text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem));
            ReceiptFileError::Syntax { line: error.line(), column: error.column(), problem }
        })?;
        if json.receipt_version != VERSION {
            let problem = format!("is {}, and this version of assay knows {VERSION} alone", json.receipt_version);
            return Err(ReceiptFileError::Field { field: "receipt_version", problem });
        }
        let signed = match (json.provider_key, json.signature) {
            (None, None) => None,
            (Some(key), Some(signature)) => {
                Some(SignedBy { key: base58("provider_key", &key)?, signature: base58("signature", &signature)? })
            }
            (key, _) => {
                let field = if key.is_some() { "signature" } else { "provider_key" };
                let problem = "is missing; a key and its signature stand together or not at all".to_owned();
                return Err(ReceiptFileError::Field { field, problem });
            }
        };
        let task = json.task.read()?;
        let receipt = Self {
            posting: json.job.map(|job| job.read(&task)).transpose()?,
            task,
            outcome: json.outcome.read()?,
            run: json.run.map(RunJson::read).transpose()?,
            signed,
            engine: json.informative.map(|note| EngineNote { name: note.engine, version: note.engine_version }),
        };
        receipt.check().map(|()| receipt)
    }

    /// Writes the file: indented JSON with a final line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        let digest = self.task.digest();
        let json = ReceiptJson {
            receipt_version: VERSION,
            job: self.posting.map(|posting| JobJson {
                address: Pubkey::from(posting.job).to_string(),
                uid: hex::encode(posting.job_uid(&digest)),
                program: Pubkey::from(posting.program).to_string(),
                cluster: hex::encode(posting.cluster),
                created_slot: Decimal(posting.created_slot),
            }),
            task: TaskJson::new(&self.task),
            outcome: OutcomeJson::new(&self.outcome),
            run: self.run.as_ref().map(RunJson::new),
            provider_key: self.signed.map(|signed| signed.key.to_string()),
            signature: self.signed.map(|signed| signed.signature.to_string()),
            informative: self
                .engine
                .clone()
                .map(|note| InformativeJson { engine: note.name, engine_version: note.version }),
        };
        let mut text = serde_json::to_string_pretty(&json).expect("strings and integers are JSON");
        text.push('\n');
        text
    }
}

impl JobJson {
    fn read(self, task: &TaskSpec) -> Result<Posting, ReceiptFileError> {
        let posting = Posting {
            program: base58::<Pubkey>("job.program", &self.program)?.to_bytes(),
            cluster: hash("job.cluster", &self.cluster)?,
            job: base58::<Pubkey>("job.address", &self.address)?.to_bytes(),
            created_slot: self.created_slot.0,
        };
        agree("job.uid", &self.uid, &posting.job_uid(&task.digest()))?;
        Ok(posting)
    }
}

impl TaskJson {
    fn new(task: &TaskSpec) -> Self {
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = task.limits;
        let limits = LimitsJson {
            gas_limit: Decimal(gas_limit),
            memory_bytes: Decimal(memory_bytes),
            stack_bytes: Decimal(stack_bytes),
            output_bytes: Decimal(output_bytes),
            stdio_bytes: Decimal(stdio_bytes),
        };
        let is_promised = task.metered_hash != METERED_HASH_UNSTATED;
        Self {
            digest: hex::encode(task.digest()),
            profile: task.profile,
            job_cid: cid_from_digest(&task.job_cid_digest).to_string(),
            metered_hash: is_promised.then(|| hex::encode(task.metered_hash)),
            limits,
            seed: Decimal(task.seed),
            clock_unix_ns: Decimal(task.clock_unix_ns),
        }
    }

    fn read(self) -> Result<TaskSpec, ReceiptFileError> {
        let LimitsJson { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = self.limits;
        let task = TaskSpec {
            profile: self.profile,
            job_cid_digest: cid("task.job_cid", &self.job_cid)?,
            metered_hash: optional_hash("task.metered_hash", self.metered_hash.as_deref())?,
            limits: TaskLimits {
                gas_limit: gas_limit.0,
                memory_bytes: memory_bytes.0,
                stack_bytes: stack_bytes.0,
                output_bytes: output_bytes.0,
                stdio_bytes: stdio_bytes.0,
            },
            seed: self.seed.0,
            clock_unix_ns: self.clock_unix_ns.0,
        };
        agree("task.digest", &self.digest, &task.digest())?;
        Ok(task)
    }
}

impl OutcomeJson {
    fn new(outcome: &Outcome) -> Self {
        Self {
            kind: Kind(outcome.kind),
            detail: outcome.detail,
            exit_code: outcome.exit_code,
            gas_used: Decimal(outcome.gas_used),
            result_cid: crate::program::result_cid(outcome).map(|cid| cid.to_string()),
            state_root: (outcome.state_root != [0; 32]).then(|| hex::encode(outcome.state_root)),
        }
    }

    fn read(self) -> Result<Outcome, ReceiptFileError> {
        Ok(Outcome {
            kind: self.kind.0,
            detail: self.detail,
            exit_code: self.exit_code,
            gas_used: self.gas_used.0,
            result_cid_digest: match self.result_cid {
                Some(text) => cid("outcome.result_cid", &text)?,
                None => [0; 32],
            },
            state_root: optional_hash("outcome.state_root", self.state_root.as_deref())?,
        })
    }
}

impl RunJson {
    fn new(run: &RunFacts) -> Self {
        Self {
            module_hash: hex::encode(run.module_hash),
            metered_hash: hex::encode(run.metered_hash),
            args: run.args.clone(),
            env: run.env.clone(),
            stack_peak_bytes: Decimal(run.stack_peak_bytes),
            memory_peak_bytes: Decimal(run.memory_peak_bytes),
            stdout_hash: hex::encode(run.stdout_hash),
            stderr_hash: hex::encode(run.stderr_hash),
        }
    }

    fn read(self) -> Result<RunFacts, ReceiptFileError> {
        Ok(RunFacts {
            module_hash: hash("run.module_hash", &self.module_hash)?,
            metered_hash: hash("run.metered_hash", &self.metered_hash)?,
            args: self.args,
            env: self.env,
            stack_peak_bytes: self.stack_peak_bytes.0,
            memory_peak_bytes: self.memory_peak_bytes.0,
            stdout_hash: hash("run.stdout_hash", &self.stdout_hash)?,
            stderr_hash: hash("run.stderr_hash", &self.stderr_hash)?,
        })
    }
}

/// What quotes a stranger's file, cut and without anything that acts on a terminal (W-08).
fn harmless(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().take(QUOTED_CHARS_MAX) {
        if character.is_ascii_graphic() || character == ' ' {
            out.push(character);
        } else {
            out.extend(character.escape_unicode());
        }
    }
    out
}

/// 64 lower-case digits and nothing else, so that equal hashes are equal texts.
fn hash(field: &'static str, text: &str) -> Result<Hash32, ReceiptFileError> {
    let mut hash = [0; 32];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    match hex::decode_to_slice(text, &mut hash) {
        Ok(()) if is_lower => Ok(hash),
        _ => Err(ReceiptFileError::Field { field, problem: "is not 64 lower-case hexadecimal digits".to_owned() }),
    }
}

/// Zero stands for nothing and is written `null`.
fn optional_hash(field: &'static str, text: Option<&str>) -> Result<Hash32, ReceiptFileError> {
    match text.map(|text| hash(field, text)).transpose()? {
        None => Ok([0; 32]),
        Some([0, rest @ ..]) if rest == [0; 31] => {
            Err(ReceiptFileError::Field { field, problem: "is zero; what is not there is null".to_owned() })
        }
        Some(hash) => Ok(hash),
    }
}

/// The canonical text and no other, so that equal content has equal texts: base32 is read in either case.
fn cid(field: &'static str, text: &str) -> Result<Hash32, ReceiptFileError> {
    let bad = |problem: String| ReceiptFileError::Field { field, problem: harmless(&problem) };
    let cid = parse_cid(text).map_err(|error| bad(format!("is no CID: {error}")))?;
    let canonical = cid.to_string();
    if canonical != text {
        return Err(bad(format!("is a CID in another spelling than its canonical one, {canonical}")));
    }
    digest_from_cid(&cid).map_err(|error| bad(format!("is no CID of a directory: {error}")))
}

fn base58<T: FromStr>(field: &'static str, text: &str) -> Result<T, ReceiptFileError> {
    let problem = || "is not base58 of the right length".to_owned();
    text.parse().map_err(|_| ReceiptFileError::Field { field, problem: problem() })
}

fn agree(field: &'static str, stated: &str, derived: &Hash32) -> Result<(), ReceiptFileError> {
    if hash(field, stated)? == *derived {
        return Ok(());
    }
    Err(ReceiptFileError::Contradiction { field, stated: stated.to_owned(), derived: hex::encode(derived) })
}

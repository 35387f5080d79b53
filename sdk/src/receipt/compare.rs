//! Field by field: what a receipt says, and where two of them, or a receipt and a chain, do not agree.

use assay_content::cid_from_digest;
use assay_protocol::{
    METERED_HASH_UNSTATED, Outcome, Posting, TaskLimits, TaskSpec,
    outcome::{FLAG_STDERR_CUT, FLAG_STDOUT_CUT},
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{Receipt, RunFacts};

/// Stands for what is not there.
const NONE: &str = "none";

/// One field of a receipt, under its path in `receipt.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its path.
    pub name: &'static str,
    /// Its value as text; two values are equal when their texts are.
    pub value: String,
}

/// One field on two sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Its path in `receipt.json`.
    pub field: &'static str,
    /// What is claimed.
    pub claimed: String,
    /// What it is compared with.
    pub found: String,
    /// Whether they are the same.
    pub equal: bool,
}

/// Compares what is claimed with what was found. What only one side has is `none` on the other.
#[must_use]
pub fn compare(claimed: &[Field], found: &[Field]) -> Vec<Comparison> {
    let value = |fields: &[Field], name: &str| {
        fields.iter().find(|field| field.name == name).map_or_else(|| NONE.to_owned(), |field| field.value.clone())
    };
    let only_found = found.iter().filter(|field| !claimed.iter().any(|claimed| claimed.name == field.name));
    let names = claimed.iter().chain(only_found).map(|field| field.name);
    names
        .map(|name| {
            let (claimed, found) = (value(claimed, name), value(found, name));
            Comparison { field: name, equal: claimed == found, claimed, found }
        })
        .collect()
}

impl Receipt {
    /// Everything that the signature covers but the key itself, in the order of the file.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let digest = self.task.digest();
        let mut fields = self.posting.as_ref().map(|posting| posting_fields(posting, &digest)).unwrap_or_default();
        fields.extend(task_fields(&self.task));
        fields.extend(outcome_fields(&self.outcome));
        fields.extend(self.run.as_ref().map(RunFacts::fields).unwrap_or_default());
        fields
    }
}

fn field(name: &'static str, value: impl ToString) -> Field {
    Field { name, value: value.to_string() }
}

/// The fields of a job on a chain.
#[must_use]
pub fn posting_fields(posting: &Posting, task_digest: &[u8; 32]) -> Vec<Field> {
    vec![
        field("job.address", Pubkey::from(posting.job)),
        field("job.uid", hex::encode(posting.job_uid(task_digest))),
        field("job.program", Pubkey::from(posting.program)),
        field("job.cluster", hex::encode(posting.cluster)),
        field("job.created_slot", posting.created_slot),
    ]
}

/// The fields of a task.
#[must_use]
pub fn task_fields(task: &TaskSpec) -> Vec<Field> {
    let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = task.limits;
    let metered_hash =
        if task.metered_hash == METERED_HASH_UNSTATED { NONE.to_owned() } else { hex::encode(task.metered_hash) };
    vec![
        field("task.digest", hex::encode(task.digest())),
        field("task.profile", task.profile),
        field("task.job_cid", cid_from_digest(&task.job_cid_digest)),
        field("task.metered_hash", metered_hash),
        field("task.limits.gas_limit", gas_limit),
        field("task.limits.memory_bytes", memory_bytes),
        field("task.limits.stack_bytes", stack_bytes),
        field("task.limits.output_bytes", output_bytes),
        field("task.limits.stdio_bytes", stdio_bytes),
        field("task.seed", task.seed),
        field("task.clock_unix_ns", task.clock_unix_ns),
    ]
}

/// The fields of an outcome.
#[must_use]
pub fn outcome_fields(outcome: &Outcome) -> Vec<Field> {
    let cid = crate::program::result_cid(outcome).map_or_else(|| NONE.to_owned(), |cid| cid.to_string());
    let state_root = if outcome.state_root == [0; 32] { NONE.to_owned() } else { hex::encode(outcome.state_root) };
    vec![
        field("outcome.kind", outcome.kind.name()),
        field("outcome.detail", describe_detail(outcome)),
        field("outcome.exit_code", outcome.exit_code),
        field("outcome.gas_used", outcome.gas_used),
        field("outcome.result_cid", cid),
        field("outcome.state_root", state_root),
    ]
}

impl RunFacts {
    /// The fields of a run.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let json = |value: serde_json::Value| value.to_string();
        vec![
            field("run.module_hash", hex::encode(self.module_hash)),
            field("run.metered_hash", hex::encode(self.metered_hash)),
            field("run.args", json(self.args.clone().into())),
            field("run.env", json(serde_json::json!(self.env))),
            field("run.stack_peak_bytes", self.stack_peak_bytes),
            field("run.memory_peak_bytes", self.memory_peak_bytes),
            field("run.stdout_hash", hex::encode(self.stdout_hash)),
            field("run.stderr_hash", hex::encode(self.stderr_hash)),
        ]
    }
}

/// What `detail` means for the outcome's kind. Different details of one kind have different texts.
#[must_use]
pub fn describe_detail(outcome: &Outcome) -> String {
    if let Some(trap) = outcome.trap() {
        return trap.to_string();
    }
    if let Some(reason) = outcome.invalid_reason() {
        return reason.to_string();
    }
    match (outcome.detail & FLAG_STDOUT_CUT != 0, outcome.detail & FLAG_STDERR_CUT != 0) {
        (false, false) => NONE.to_owned(),
        (true, false) => "stdout cut".to_owned(),
        (false, true) => "stderr cut".to_owned(),
        (true, true) => "stdout and stderr cut".to_owned(),
    }
}

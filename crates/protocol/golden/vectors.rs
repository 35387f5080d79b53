//! Checks the linked `assay-protocol` against the golden vectors beside this file. The tests of the libraries that link it
//! include this file and call [`check_all`], so that none of them, with whatever features it turns on, agrees to other
//! rules:
//!
//! ```ignore
//! #[rustfmt::skip]
//! #[path = "../../crates/protocol/golden/vectors.rs"]
//! mod golden;
//!
//! #[test]
//! fn the_linked_protocol_agrees_with_the_golden_vectors() {
//!     golden::check_all();
//! }
//! ```
//!
//! Needs `serde_json` and `hex` among the dev-dependencies. `generate.py` writes the vectors; they change with
//! the protocol's version alone.

use assay_protocol::{
    challenge_commitment, cluster_tag, commitment, fees,
    ids::{ChallengeCommitmentInput, CommitmentInput, JobUidInput, VoteCommitmentInput},
    job_uid, receipt, vote_commitment, Ballot, ChallengeEvent, ChallengeStatus, DisputeEvent, DisputeStatus,
    ExecutionEvent, ExecutionStatus, FeeError, Hash32, JobEvent, JobStatus, MarketTerms, Outcome, OutcomeKind, Posting,
    Receipt, ReceiptRun, TaskLimits, TaskSpec, VoteEvent, VoteStatus,
};
use serde_json::Value;

mod draws;
mod trust;

pub use draws::{check_draws, check_tallies, check_tickets};
pub use trust::{check_pots, check_trust};

const TASKS: &str = include_str!("tasks.json");
const IDS: &str = include_str!("ids.json");
const OUTCOMES: &str = include_str!("outcomes.json");
const FEES: &str = include_str!("fees.json");
const STATUSES: &str = include_str!("statuses.json");
const TERMS: &str = include_str!("terms.json");
const RECEIPTS: &str = include_str!("receipts.json");

/// Every vector of every file.
///
/// # Panics
/// At the first vector that the linked crate disagrees with.
pub fn check_all() {
    check_tasks();
    check_ids();
    check_outcomes();
    check_fees();
    check_statuses();
    check_terms();
    check_receipts();
    check_draws();
    check_tickets();
    check_tallies();
    check_trust();
    check_pots();
}

/// Encodings, digests and bounds of tasks.
pub fn check_tasks() {
    let file = parse(TASKS);
    for vector in rows(&file, "tasks") {
        let task = task(vector);
        assert_eq!(hex::encode(task.encode()), text(vector, "encoding"), "encoding of {vector}");
        assert_eq!(task.digest(), hash(vector, "digest"), "digest of {vector}");
    }
    for vector in rows(&file, "bounds") {
        let mut limits = TaskLimits::default();
        let value = number(vector, "value");
        match text(vector, "field") {
            "gas_limit" => limits.gas_limit = value,
            "memory_bytes" => limits.memory_bytes = value,
            "stack_bytes" => limits.stack_bytes = value,
            "output_bytes" => limits.output_bytes = value,
            "stdio_bytes" => limits.stdio_bytes = value,
            other => panic!("no limit is called {other}"),
        }
        assert_eq!(limits.is_within_bounds(), flag(vector, "ok"), "bound {vector}");
    }
}

/// Cluster tags, job uids and commitments.
pub fn check_ids() {
    let file = parse(IDS);
    for vector in rows(&file, "clusters") {
        assert_eq!(cluster_tag(&hash(vector, "genesis_hash")), hash(vector, "tag"), "{vector}");
    }
    for vector in rows(&file, "job_uids") {
        let uid = job_uid(&JobUidInput {
            program: &hash(vector, "program"),
            cluster: &hash(vector, "cluster"),
            job: &hash(vector, "job"),
            created_slot: number(vector, "created_slot"),
            task_digest: &hash(vector, "task_digest"),
        });
        assert_eq!(uid, hash(vector, "uid"), "{vector}");
    }
    for vector in rows(&file, "commitments") {
        let value = commitment(&CommitmentInput {
            job_uid: &hash(vector, "job_uid"),
            provider: &hash(vector, "provider"),
            outcome_hash: &hash(vector, "outcome_hash"),
            trace_root: &hash(vector, "trace_root"),
            salt: &hash(vector, "salt"),
        });
        assert_eq!(value, hash(vector, "commitment"), "{vector}");
    }
    for vector in rows(&file, "challenges") {
        let value = challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &hash(vector, "job_uid"),
            challenger: &hash(vector, "challenger"),
            outcome_hash: &hash(vector, "outcome_hash"),
            trace_root: &hash(vector, "trace_root"),
            salt: &hash(vector, "salt"),
        });
        assert_eq!(value, hash(vector, "commitment"), "{vector}");
    }
    for vector in rows(&file, "votes") {
        let value = vote_commitment(&VoteCommitmentInput {
            job_uid: &hash(vector, "job_uid"),
            round: narrow(vector, "round"),
            provider: &hash(vector, "provider"),
            ballot_hash: &hash(vector, "ballot_hash"),
            trace_root: &hash(vector, "trace_root"),
            salt: &hash(vector, "salt"),
        });
        assert_eq!(value, hash(vector, "commitment"), "{vector}");
    }
}

/// Encodings and hashes of outcomes, and bytes that must be refused.
pub fn check_outcomes() {
    let file = parse(OUTCOMES);
    for vector in rows(&file, "outcomes") {
        let (outcome, gas_limit) = (outcome(vector), number(vector, "gas_limit"));
        let encoding = hex::decode(text(vector, "encoding")).expect("hexadecimal");
        assert_eq!(outcome.encode().as_slice(), encoding, "encoding of {vector}");
        assert_eq!(outcome.hash(), hash(vector, "hash"), "hash of {vector}");
        assert_eq!(Outcome::decode(&encoding, gas_limit), Ok(outcome), "decoding of {vector}");
    }
    for vector in rows(&file, "refused") {
        let encoding = hex::decode(text(vector, "encoding")).expect("hexadecimal");
        let error = Outcome::decode(&encoding, number(vector, "gas_limit")).expect_err("refused bytes");
        assert_eq!(format!("{error:?}"), text(vector, "error"), "{vector}");
    }
    for vector in rows(&file, "ballots") {
        let encoding = hex::decode(text(vector, "encoding")).expect("hexadecimal").try_into().expect("79 bytes");
        let ballot = Ballot::decode(&encoding, 1_000_000).expect("a ballot");
        assert_eq!(ballot == Ballot::Unavailable, flag(vector, "unavailable"), "{vector}");
        assert_eq!((ballot.encode(), ballot.hash()), (encoding, hash(vector, "hash")), "{vector}");
    }
}

/// Pay, shares, escrow, bonds, penalties and windows.
pub fn check_fees() {
    let file = parse(FEES);
    for vector in rows(&file, "pay") {
        let price =
            fees::Price { base_fee_lamports: number(vector, "base_fee_lamports"), price: number(vector, "price") };
        assert_eq!(price.pay(number(vector, "gas")), lamports(vector, "pay_lamports"), "{vector}");
    }
    for vector in rows(&file, "share") {
        let share = fees::share_bps(number(vector, "amount_lamports"), narrow(vector, "bps"));
        assert_eq!(share, lamports(vector, "share_lamports"), "{vector}");
    }
    for vector in rows(&file, "escrow") {
        let max_pay = number(vector, "max_pay_lamports");
        let escrow = fees::escrow_required(max_pay, narrow(vector, "redundancy"), narrow(vector, "fee_bps"));
        assert_eq!(escrow, lamports(vector, "escrow_lamports"), "{vector}");
    }
    for vector in rows(&file, "bond") {
        let (max_pay, minimum) = (number(vector, "max_pay_lamports"), number(vector, "minimum_lamports"));
        assert_eq!(
            fees::bond(max_pay, minimum, narrow(vector, "rate_bps")),
            lamports(vector, "bond_lamports"),
            "{vector}"
        );
    }
    for vector in rows(&file, "penalty") {
        let (bond, delay_fee) = (number(vector, "bond_lamports"), number(vector, "delay_fee_lamports"));
        let expected = fees::Penalty {
            poster_lamports: number(vector, "poster_lamports"),
            sink_lamports: number(vector, "sink_lamports"),
        };
        assert_eq!(fees::miss_penalty(bond, narrow(vector, "rate_bps"), delay_fee), Ok(expected), "{vector}");
    }
    for vector in rows(&file, "decline") {
        let decline = fees::Decline {
            bond_lamports: number(vector, "bond_lamports"),
            miss_rate_bps: narrow(vector, "miss_rate_bps"),
            fee_lamports: number(vector, "fee_lamports"),
            execution_s: narrow(vector, "execution_s"),
        };
        assert_eq!(decline.cost(number(vector, "held_s")), lamports(vector, "cost_lamports"), "{vector}");
    }
    for vector in rows(&file, "window") {
        let (gas_limit, rate) = (number(vector, "gas_limit"), number(vector, "verify_rate_gas_per_s"));
        assert_eq!(fees::window_s(narrow(vector, "base_s"), gas_limit, rate), number(vector, "window_s"), "{vector}");
    }
}

/// One status with its code, and every event in it.
macro_rules! check_machine {
    ($machine:expr, $status:ty, $event:ty) => {{
        let statuses = rows($machine, "statuses");
        assert_eq!(statuses.len(), <$status>::ALL.len(), "a status without a vector");
        for (vector, status) in statuses.iter().zip(<$status>::ALL) {
            assert_eq!(format!("{status:?}"), text(vector, "name"));
            assert_eq!(status.code(), narrow::<u8>(vector, "code"), "{vector}");
            assert_eq!(<$status>::from_code(status.code()), Some(status), "{vector}");
        }
        let mut transitions = rows($machine, "transitions").iter();
        for from in <$status>::ALL {
            for event in <$event>::ALL {
                let vector = transitions.next().expect("a vector for every status and event");
                assert_eq!(
                    (format!("{from:?}").as_str(), format!("{event:?}").as_str()),
                    (text(vector, "from"), text(vector, "event"))
                );
                let to = from.transition(*event).into_iter().next().map(|status| format!("{status:?}"));
                assert_eq!(to.as_deref(), vector["to"].as_str(), "{vector}");
            }
        }
        assert!(transitions.next().is_none(), "a vector for a status or event that does not exist");
    }};
}

/// Codes of statuses and the whole tables of transitions.
pub fn check_statuses() {
    let file = parse(STATUSES);
    check_machine!(&file["job"], JobStatus, JobEvent);
    check_machine!(&file["execution"], ExecutionStatus, ExecutionEvent);
    check_machine!(&file["dispute"], DisputeStatus, DisputeEvent);
    check_machine!(&file["challenge"], ChallengeStatus, ChallengeEvent);
    check_machine!(&file["vote"], VoteStatus, VoteEvent);
    for (vector, status) in rows(&file["job"], "statuses").iter().zip(JobStatus::ALL) {
        assert_eq!(status.is_terminal(), flag(vector, "terminal"), "{vector}");
    }
}

/// Bounds of a market's terms.
pub fn check_terms() {
    let file = parse(TERMS);
    for vector in rows(&file, "checks") {
        let error = terms(&file["base"], &vector["changes"]).check().err().map(|error| format!("{error:?}"));
        assert_eq!(error.as_deref(), vector["error"].as_str(), "{vector}");
    }
    let base = base_terms();
    for (terms, error) in terms_checks() {
        let expected = error.or_else(|| (terms.ticket_lamports != base.ticket_lamports).then(|| "Ticket".to_owned()));
        assert_eq!(terms.check_after(&base).err().map(|error| format!("{error:?}")), expected, "{terms:?}");
    }
}

/// Encodings and hashes of receipts, and what is none.
pub fn check_receipts() {
    let file = parse(RECEIPTS);
    for vector in rows(&file, "receipts") {
        let receipt = receipt(vector);
        assert_eq!(receipt.check(), Ok(()), "{vector}");
        assert_eq!(hex::encode(receipt.encode()), text(vector, "encoding"), "encoding of {vector}");
        assert_eq!(receipt.hash(), hash(vector, "hash"), "hash of {vector}");
        assert_eq!(receipt.job_uid(), optional(vector, "job_uid").map(|_| hash(vector, "job_uid")), "{vector}");
        let Some(run) = receipt.run else { continue };
        let args = vector["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
        assert_eq!(receipt::args_hash(args), run.args_hash, "arguments of {vector}");
        let env = vector["env"].as_object().expect("an environment").iter();
        let mut env: Vec<_> = env.map(|(name, value)| (name.as_str(), value.as_str().expect("a value"))).collect();
        env.sort_unstable();
        assert_eq!(receipt::env_hash(env), run.env_hash, "environment of {vector}");
    }
    for vector in rows(&file, "refused") {
        let error = receipt(&vector["receipt"]).check().expect_err("no receipt");
        assert_eq!(format!("{error:?}"), text(vector, "error"), "{vector}");
    }
}

/// Every signed receipt of the vectors, with the seed of its key and the signature.
pub fn signed_receipts() -> Vec<(Receipt, Hash32, Vec<u8>)> {
    let file = parse(RECEIPTS);
    let signed = rows(&file, "receipts").iter().filter(|vector| optional(vector, "key_seed").is_some());
    let signature = |vector: &Value| hex::decode(text(vector, "signature")).expect("hexadecimal");
    signed.map(|vector| (receipt(vector), hash(vector, "key_seed"), signature(vector))).collect()
}

/// Every receipt of the vectors, and its file.
pub fn receipt_files() -> Vec<(Receipt, Value)> {
    let file = parse(RECEIPTS);
    rows(&file, "receipts").iter().map(|vector| (receipt(vector), vector["file"].clone())).collect()
}

/// The terms that [`check_terms`] starts from: a usable market.
pub fn base_terms() -> MarketTerms {
    terms(&parse(TERMS)["base"], &Value::Null)
}

/// Every outcome of the vectors with the gas limit it was checked against.
pub fn outcomes() -> Vec<(Outcome, u64)> {
    let file = parse(OUTCOMES);
    rows(&file, "outcomes").iter().map(|vector| (outcome(vector), number(vector, "gas_limit"))).collect()
}

/// Terms with the name of the first bound they break.
pub fn terms_checks() -> Vec<(MarketTerms, Option<String>)> {
    let file = parse(TERMS);
    let vectors = rows(&file, "checks").iter();
    vectors.map(|row| (terms(&file["base"], &row["changes"]), row["error"].as_str().map(str::to_owned))).collect()
}

/// Bytes that are no outcome.
pub fn refused_outcomes() -> Vec<Vec<u8>> {
    let file = parse(OUTCOMES);
    rows(&file, "refused").iter().map(|row| hex::decode(text(row, "encoding")).expect("hexadecimal")).collect()
}

fn task(vector: &Value) -> TaskSpec {
    let limits = &vector["limits"];
    TaskSpec {
        profile: narrow(vector, "profile"),
        job_cid_digest: hash(vector, "job_cid_digest"),
        metered_hash: hash(vector, "metered_hash"),
        limits: TaskLimits {
            gas_limit: number(limits, "gas_limit"),
            memory_bytes: number(limits, "memory_bytes"),
            stack_bytes: number(limits, "stack_bytes"),
            output_bytes: number(limits, "output_bytes"),
            stdio_bytes: number(limits, "stdio_bytes"),
        },
        seed: number(vector, "seed"),
        clock_unix_ns: number(vector, "clock_unix_ns"),
    }
}

fn outcome(vector: &Value) -> Outcome {
    let name = text(vector, "kind");
    let kind = OutcomeKind::from_name(name).unwrap_or_else(|| panic!("no outcome is called {name}"));
    Outcome {
        kind,
        detail: narrow(vector, "detail"),
        exit_code: narrow(vector, "exit_code"),
        gas_used: number(vector, "gas_used"),
        result_cid_digest: hash(vector, "result_cid_digest"),
        state_root: hash(vector, "state_root"),
    }
}

fn receipt(vector: &Value) -> Receipt {
    Receipt {
        posting: optional(vector, "posting").map(|posting| Posting {
            program: hash(posting, "program"),
            cluster: hash(posting, "cluster"),
            job: hash(posting, "job"),
            created_slot: number(posting, "created_slot"),
        }),
        task: task(&vector["task"]),
        outcome: outcome(&vector["outcome"]),
        run: optional(vector, "run").map(|run| ReceiptRun {
            module_hash: hash(run, "module_hash"),
            metered_hash: hash(run, "metered_hash"),
            args_hash: hash(run, "args_hash"),
            env_hash: hash(run, "env_hash"),
            stack_peak_bytes: number(run, "stack_peak_bytes"),
            memory_peak_bytes: number(run, "memory_peak_bytes"),
            stdout_hash: hash(run, "stdout_hash"),
            stderr_hash: hash(run, "stderr_hash"),
        }),
        provider_key: optional(vector, "provider_key").map(|_| hash(vector, "provider_key")),
    }
}

fn terms(base: &Value, changes: &Value) -> MarketTerms {
    let mut all = base.clone();
    for (name, value) in changes.as_object().into_iter().flatten() {
        let field = all.get_mut(name).unwrap_or_else(|| panic!("no term is called {name}"));
        *field = value.clone();
    }
    let all = &all;
    MarketTerms {
        fee_bps: narrow(all, "fee_bps"),
        stake_min_lamports: number(all, "stake_min_lamports"),
        bond_min_lamports: number(all, "bond_min_lamports"),
        bond_rate_bps: narrow(all, "bond_rate_bps"),
        miss_rate_bps: narrow(all, "miss_rate_bps"),
        delay_fee_lamports: number(all, "delay_fee_lamports"),
        decline_fee_lamports: number(all, "decline_fee_lamports"),
        attempts_max: narrow(all, "attempts_max"),
        queue_timeout_s: narrow(all, "queue_timeout_s"),
        execution_base_s: narrow(all, "execution_base_s"),
        challenge_base_s: narrow(all, "challenge_base_s"),
        job_total_s: narrow(all, "job_total_s"),
        unbonding_s: narrow(all, "unbonding_s"),
        verify_rate_gas_per_s: number(all, "verify_rate_gas_per_s"),
        gas_limit_max: number(all, "gas_limit_max"),
        profiles: narrow(all, "profiles"),
        quorum_bps: narrow(all, "quorum_bps"),
        executions_max: narrow(all, "executions_max"),
        ticket_lamports: number(all, "ticket_lamports"),
        widen_s: narrow(all, "widen_s"),
        reveal_s: narrow(all, "reveal_s"),
        jury_lambda: narrow(all, "jury_lambda"),
        jury_quorum_bps: narrow(all, "jury_quorum_bps"),
        juror_bond_lamports: number(all, "juror_bond_lamports"),
        duty_rate_bps: narrow(all, "duty_rate_bps"),
        audit_one_in_min: narrow(all, "audit_one_in_min"),
        audit_one_in_max: narrow(all, "audit_one_in_max"),
        jail_s: narrow(all, "jail_s"),
    }
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("a golden file is JSON")
}

fn rows<'a>(file: &'a Value, group: &str) -> &'a [Value] {
    let rows = file[group].as_array().unwrap_or_else(|| panic!("no group {group}"));
    assert!(!rows.is_empty(), "group {group} is empty");
    rows
}

fn optional<'a>(vector: &'a Value, field: &str) -> Option<&'a Value> {
    vector.get(field).filter(|value| !value.is_null())
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {vector}"))
}

fn flag(vector: &Value, field: &str) -> bool {
    vector[field].as_bool().unwrap_or_else(|| panic!("{field} is no flag in {vector}"))
}

fn number(vector: &Value, field: &str) -> u64 {
    vector[field].as_u64().unwrap_or_else(|| panic!("{field} is no number in {vector}"))
}

fn narrow<T: TryFrom<u64>>(vector: &Value, field: &str) -> T {
    T::try_from(number(vector, field)).unwrap_or_else(|_| panic!("{field} is too large in {vector}"))
}

fn lamports(vector: &Value, field: &str) -> Result<u64, FeeError> {
    assert!(vector.get(field).is_some(), "no {field} in {vector}");
    vector[field].as_u64().ok_or(FeeError)
}

fn hash(vector: &Value, field: &str) -> Hash32 {
    let bytes = hex::decode(text(vector, field)).expect("hexadecimal");
    bytes.try_into().expect("32 bytes")
}

fn unix(vector: &Value, field: &str) -> i64 {
    vector[field].as_i64().unwrap_or_else(|| panic!("{field} is no time in {vector}"))
}

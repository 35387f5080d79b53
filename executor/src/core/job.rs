//! What is known about one job, and the part of it that survives a crash.

use std::fmt;

use assay_protocol::{Hash32, ballot_hash, commitment, ids::CommitmentInput, outcome::OUTCOME_BYTES};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

use super::text::{base58, hex_bytes, hex_option, hex_uid};

/// Key of a job in the journal, in events and in logs: `H(program, cluster, job address, created slot, task digest)`.
/// An account closed and created again has another uid (P-24).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobUid(pub Hash32);

impl JobUid {
    /// From 64 lower-case hexadecimal digits, the form that it is shown in.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut uid = Self([0; 32]);
        hex::decode_to_slice(text, &mut uid.0).ok()?;
        (uid.to_string() == text).then_some(uid)
    }
}

impl fmt::Display for JobUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for JobUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobUid({self})")
    }
}

/// The bytes that `submit_results` and `reveal_result` carry.
pub type OutcomeBytes = [u8; OUTCOME_BYTES];

/// What keeps a commitment from being guessed: 32 random bytes.
pub type Salt = Hash32;

/// The transactions a provider sends about a job. The discriminant orders them in a job's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxKind {
    /// What anybody may do once its time has come and a seat waits for: `record_seed`, `expire_job`, `close_job`.
    Advance,
    /// `accept_job`, behind `record_seed` where the seed is not recorded.
    Accept,
    /// `decline_job`.
    Decline,
    /// `commit_result`.
    Commit,
    /// `reveal_result`.
    Reveal,
    /// `submit_results`.
    Submit,
    /// What is still missing of `finalize_job`, `settle_execution`, `close_job`.
    Settle,
    /// `claim_reward`.
    Claim,
}

impl TxKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Advance,
        Self::Accept,
        Self::Decline,
        Self::Commit,
        Self::Reveal,
        Self::Submit,
        Self::Settle,
        Self::Claim,
    ];

    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Advance => "advance",
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Commit => "commit",
            Self::Reveal => "reveal",
            Self::Submit => "submit",
            Self::Settle => "settle",
            Self::Claim => "claim",
        }
    }
}

/// What became of a transaction, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxState {
    /// It may land, or have landed; no other transaction of this kind may be signed.
    Live,
    /// Confirmed, without an error, in this slot.
    Landed(u64),
    /// Confirmed with an error in this slot: it changed nothing.
    Failed(u64),
    /// It can never land, or never again: the finalised chain is past its last valid height and does not know it (E-04),
    /// or has it already.
    Dead,
}

/// A transaction as it is journaled: before it is signed, and again with its signature before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxRecord {
    /// What it does.
    pub kind: TxKind,
    /// The serialized message; signing it again gives the same bytes.
    #[serde(with = "hex_bytes")]
    pub message: Vec<u8>,
    /// The first signature, once signed.
    #[serde(with = "hex_option")]
    pub signature: Option<[u8; 64]>,
    /// The message's blockhash is valid up to this block height.
    pub last_valid_block_height: u64,
    /// Step of the fee ladder that its price is of: how many before it did not land in time (E-14).
    #[serde(default)]
    pub fee_step: u8,
    /// What became of it.
    pub state: TxState,
}

/// Why a job is not, or no longer, worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Another provider took the seat.
    LostRace,
    /// The job ended: cancelled, expired or closed.
    Ended,
    /// The execution deadline passed; the chain penalised the seat.
    Missed,
    /// The seat was given back.
    Declined,
    /// The policy refuses it.
    Policy,
    /// The task is Invalid and the policy does not accept such jobs.
    Invalid,
    /// It failed on this host too often (E-24).
    Quarantined,
    /// Too little time is left to finish it safely.
    OutOfTime,
    /// Accepting it failed too often.
    AcceptFailed,
}

impl DropReason {
    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostRace => "lost_race",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Declined => "declined",
            Self::Policy => "policy",
            Self::Invalid => "invalid",
            Self::Quarantined => "quarantined",
            Self::OutOfTime => "out_of_time",
            Self::AcceptFailed => "accept_failed",
        }
    }
}

/// Why a seat is given back; the code goes on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The host could not run the task.
    HostFault,
    /// The content was no longer to be had, or the result could not be published.
    ContentUnavailable,
    /// Too little time is left.
    OutOfTime,
}

impl DeclineReason {
    /// The code that `decline_job` carries.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::HostFault => 1,
            Self::ContentUnavailable => 2,
            Self::OutOfTime => 3,
        }
    }
}

/// Where a job stands in this provider's hands. Forgotten is the absence of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Open on chain and allowed by the policy; waits for a place.
    Seen,
    /// The content is being fetched, validated and metered.
    Fetching,
    /// The task can run here; waits for a free seat.
    Prepared,
    /// `accept_job` is on its way.
    Accepting,
    /// The seat is held; waits for the other seats to be taken, and for a worker.
    Accepted,
    /// The sandbox child runs.
    Running,
    /// The outcome is fixed, in the journal (I-07).
    Ran,
    /// `commit_result` is on its way.
    Committing,
    /// The hidden outcome is on chain; waits until the others' are.
    Committed,
    /// The result package is being published.
    Publishing,
    /// The result can be fetched by others.
    Published,
    /// `reveal_result` is on its way.
    Revealing,
    /// `submit_results` is on its way.
    Submitting,
    /// The outcome stands on chain; waits for the others', and for the end of the window.
    Submitted,
    /// Finalize, settle and close are on their way.
    Settling,
    /// The pay is credited to the provider account.
    Settled,
    /// `claim_reward` is on its way.
    Claiming,
    /// Paid. The row is dropped once the finalised chain says that the job is over.
    Claimed,
    /// `decline_job` is on its way.
    Declining(DeclineReason),
    /// Not worked on.
    Dropped(DropReason),
    /// The sign-guard stopped it; a human must look (E-06).
    Halted,
}

impl Phase {
    /// Whether the provider holds, or may come to hold, a seat and owes a result.
    #[must_use]
    pub const fn owes_result(self) -> bool {
        matches!(
            self,
            Self::Accepting
                | Self::Accepted
                | Self::Running
                | Self::Ran
                | Self::Committing
                | Self::Committed
                | Self::Publishing
                | Self::Published
                | Self::Revealing
                | Self::Submitting
                | Self::Declining(_)
        )
    }

    /// Whether the seat is on chain and the result is not.
    #[must_use]
    pub const fn holds_seat(self) -> bool {
        self.owes_result() && !matches!(self, Self::Accepting)
    }

    /// Whether an acceptance stood once and the seat was not given up since.
    #[must_use]
    pub const fn is_after_accept(self) -> bool {
        self.holds_seat()
            || matches!(self, Self::Submitted | Self::Settling | Self::Settled | Self::Claiming | Self::Claimed)
    }

    /// Whether all seats of a job with several have committed, or can no more.
    #[must_use]
    pub const fn is_after_commits(self) -> bool {
        matches!(
            self,
            Self::Publishing
                | Self::Published
                | Self::Revealing
                | Self::Submitted
                | Self::Settling
                | Self::Settled
                | Self::Claiming
                | Self::Claimed
        )
    }

    /// Before anything was signed.
    #[must_use]
    pub const fn is_before_accept(self) -> bool {
        matches!(self, Self::Seen | Self::Fetching | Self::Prepared)
    }

    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Fetching => "fetching",
            Self::Prepared => "prepared",
            Self::Accepting => "accepting",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Ran => "ran",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Revealing => "revealing",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Settling => "settling",
            Self::Settled => "settled",
            Self::Claiming => "claiming",
            Self::Claimed => "claimed",
            Self::Declining(_) => "declining",
            Self::Dropped(_) => "dropped",
            Self::Halted => "halted",
        }
    }
}

/// The durable part of a job: one row of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRow {
    /// Key.
    #[serde(with = "hex_uid")]
    pub uid: JobUid,
    /// Address of the Job account.
    #[serde(with = "base58")]
    pub job: Pubkey,
    /// Slot that created the account: what the chain says of an earlier one says nothing of this job.
    pub created_slot: u64,
    /// Where it stands.
    pub phase: Phase,
    /// Times preparing it was begun.
    pub prepare_attempts: u8,
    /// Preparations that ended because its content was not to be had: no fault of the job's module.
    pub content_failures: u8,
    /// Times running it was begun.
    pub run_attempts: u8,
    /// Times publishing it was begun.
    pub publish_attempts: u8,
    /// Transactions of the present kind that failed or died.
    pub tx_failures: u8,
    /// The one outcome that may ever be signed for this job. Written once (I-07).
    #[serde(with = "hex_option")]
    pub outcome: Option<OutcomeBytes>,
    /// Hides that outcome until it is revealed. Recorded with it, once, if the job has several seats: whoever loses it
    /// loses the bond.
    #[serde(with = "hex_option", default)]
    pub salt: Option<Salt>,
    /// An acceptance was signed once, or the seat was adopted: a seat that the chain shows is ours.
    pub is_seat_known: bool,
    /// The last transaction of each kind, behind those of its kind that it outbid and that may land still.
    pub txs: Vec<TxRecord>,
}

/// Where an outcome names its result: behind kind, detail, exit code and gas.
const RESULT_DIGEST_AT: usize = 1 + 2 + 4 + 8;

impl JobRow {
    /// Digest of the result package, if there is one. Read without the job's gas limit, which a row does not hold and
    /// which the whole outcome cannot be checked without.
    #[must_use]
    pub fn result_digest(&self) -> Option<Hash32> {
        let outcome = self.outcome?;
        let digest: Hash32 = std::array::from_fn(|index| outcome[RESULT_DIGEST_AT + index]);
        (digest != [0; 32]).then_some(digest)
    }

    /// What `commit_result` carries for this provider; `None` before there is something to commit to.
    #[must_use]
    pub fn commitment(&self, provider: &Pubkey) -> Option<Hash32> {
        let (outcome, salt) = (self.outcome?, self.salt?);
        let (provider, outcome_hash) = (provider.to_bytes(), ballot_hash(&outcome));
        let input = CommitmentInput {
            job_uid: &self.uid.0,
            provider: &provider,
            outcome_hash: &outcome_hash,
            trace_root: &[0; 32],
            salt: &salt,
        };
        Some(commitment(&input))
    }

    /// Where a job stands whose outcome has to be published, again or for the first time.
    #[must_use]
    pub(super) const fn phase_before_publishing(&self) -> Phase {
        if self.salt.is_some() { Phase::Committed } else { Phase::Ran }
    }

    /// Whether what was computed may be shown to others: before all have committed, they could copy it (P-01).
    #[must_use]
    pub const fn may_be_shown(&self) -> bool {
        self.salt.is_none() || self.phase.is_after_commits()
    }

    /// A job that has just been seen.
    #[must_use]
    pub const fn new(uid: JobUid, job: Pubkey, created_slot: u64) -> Self {
        Self {
            uid,
            job,
            created_slot,
            phase: Phase::Seen,
            prepare_attempts: 0,
            content_failures: 0,
            run_attempts: 0,
            publish_attempts: 0,
            tx_failures: 0,
            outcome: None,
            salt: None,
            is_seat_known: false,
            txs: Vec::new(),
        }
    }

    /// The last transaction of this kind, if one was ever recorded.
    #[must_use]
    pub fn tx(&self, kind: TxKind) -> Option<&TxRecord> {
        self.txs.iter().rfind(|tx| tx.kind == kind)
    }

    /// As [`Self::tx`].
    pub fn tx_mut(&mut self, kind: TxKind) -> Option<&mut TxRecord> {
        self.txs.iter_mut().rfind(|tx| tx.kind == kind)
    }

    /// The transaction with this signature.
    pub fn tx_signed_mut(&mut self, signature: &[u8; 64]) -> Option<&mut TxRecord> {
        self.txs.iter_mut().find(|tx| tx.signature.as_ref() == Some(signature))
    }

    /// Transactions of this kind that may still land, the last one last.
    pub fn live_txs(&self, kind: TxKind) -> impl Iterator<Item = &TxRecord> {
        self.txs.iter().filter(move |tx| tx.kind == kind && tx.state == TxState::Live)
    }

    /// Whether a transaction of this kind may still land.
    #[must_use]
    pub fn has_live_tx(&self, kind: TxKind) -> bool {
        self.live_txs(kind).next().is_some()
    }

    /// Whether money of ours is in a seat that is not settled yet, or may come to be by what was signed.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.phase.holds_seat() || matches!(self.phase, Phase::Submitted | Phase::Settling) || self.has_any_live_tx()
    }

    /// Whether any transaction may still land.
    #[must_use]
    pub fn has_any_live_tx(&self) -> bool {
        self.txs.iter().any(|tx| tx.state == TxState::Live)
    }
}

//! What is known about one job, and the part of it that survives a crash.

use std::fmt;

use assay_protocol::{
    Hash32, ballot_hash, commitment,
    ids::{ChallengeCommitmentInput, CommitmentInput, VoteCommitmentInput, challenge_commitment, vote_commitment},
    outcome::OUTCOME_BYTES,
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;

use super::{
    court::ROUNDS,
    phase::{Phase, Role},
    text::{base58, hex_array, hex_option, hex_uid},
    tx::{TxKind, TxRecord, TxState},
};
use crate::habit;

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

/// The ballot that says that a job's content cannot be had: zeros, which are no outcome.
pub const UNAVAILABLE: OutcomeBytes = [0; OUTCOME_BYTES];

/// What a juror says in one round. On disk before the vote is signed: whoever loses it cannot reveal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BallotRow {
    /// The job's one outcome, or [`UNAVAILABLE`].
    #[serde(with = "hex_array")]
    pub ballot: OutcomeBytes,
    /// Hides it until it is revealed; of this round alone.
    #[serde(with = "hex_array")]
    pub salt: Salt,
    /// Our tickets that won, ascending; none where everybody votes.
    pub tickets: Vec<u32>,
    /// Tickets behind it.
    pub weight: u32,
}

/// A challenge of ours. On disk before it is signed: whoever loses it cannot reveal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeRow {
    /// Hides the job's one outcome until it is revealed.
    #[serde(with = "hex_array")]
    pub salt: Salt,
}

/// What watching and contesting this job took of a day's budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// Day by the chain's clock, since 1970; what was spent on another is no matter any more.
    pub day: i64,
    /// Gas that was run for it at most.
    pub gas: u64,
    /// Bonds of challenge and appeals, lamports.
    pub bonds_lamports: u64,
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
    /// What we are to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub role: Role,
    /// Our ballots, by round. Each is written once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ballots: [Option<BallotRow>; ROUNDS],
    /// Our challenge. Written once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub challenge: Option<ChallengeRow>,
    /// The last round against whose verdict we decided to appeal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub appeal: Option<u8>,
    /// The last round from whose vote we decided to be excused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excused: Option<u8>,
    /// Of the budget for contesting results.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spent: Option<Spent>,
    /// An acceptance was signed once, or the seat was adopted: a seat that the chain shows is ours.
    pub is_seat_known: bool,
    /// The last transaction of each kind, behind those of its kind that it outbid and that may land still.
    pub txs: Vec<TxRecord>,
}

/// Most jobs never come to a dispute: what is only of one is not written for them.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where an outcome names its result: behind kind, detail, exit code and gas.
const RESULT_DIGEST_AT: usize = 1 + 2 + 4 + 8;

impl Spent {
    /// Seconds of a day.
    pub const DAY_S: i64 = 86_400;

    /// The day of a moment, seconds since 1970.
    #[must_use]
    pub const fn day_of(unix: i64) -> i64 {
        unix.div_euclid(Self::DAY_S)
    }

    /// With more of a day; what was spent on another day is no matter any more.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        let before = if self.day == more.day { self } else { Self::default() };
        Self {
            day: more.day,
            gas: before.gas.saturating_add(more.gas),
            bonds_lamports: before.bonds_lamports.saturating_add(more.bonds_lamports),
        }
    }
}

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
        Some(habit::committed(&self.job, commitment(&input)))
    }

    /// What `commit_vote` carries for this provider in a round; `None` before there is a ballot.
    #[must_use]
    pub fn vote_commitment(&self, provider: &Pubkey, round: u8) -> Option<Hash32> {
        let BallotRow { ballot, salt, .. } = self.ballot(round)?;
        Some(vote_commitment(&VoteCommitmentInput {
            job_uid: &self.uid.0,
            round,
            provider: &provider.to_bytes(),
            ballot_hash: &ballot_hash(ballot),
            trace_root: &[0; 32],
            salt,
        }))
    }

    /// What `open_dispute` and `enter_dispute` carry for this challenger; `None` before there is something to challenge with.
    #[must_use]
    pub fn challenge_commitment(&self, challenger: &Pubkey) -> Option<Hash32> {
        let (challenge, outcome) = (self.challenge?, self.outcome?);
        Some(challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &self.uid.0,
            challenger: &challenger.to_bytes(),
            outcome_hash: &ballot_hash(&outcome),
            trace_root: &[0; 32],
            salt: &challenge.salt,
        }))
    }

    /// Our ballot of a round.
    #[must_use]
    pub fn ballot(&self, round: u8) -> Option<&BallotRow> {
        self.ballots.get(usize::from(round))?.as_ref()
    }

    /// Whether a vote of this round is to be sent: one that says something, or one that excuses us.
    #[must_use]
    pub fn votes_in(&self, round: u8) -> bool {
        self.ballot(round).is_some() || self.excused == Some(round)
    }

    /// Hash of the job's one outcome.
    #[must_use]
    pub fn outcome_hash(&self) -> Option<Hash32> {
        self.outcome.map(|outcome| ballot_hash(&outcome))
    }

    /// Whether every ballot says what the row says: its one outcome, or that there was nothing to be had (I-07).
    #[must_use]
    pub fn is_of_one_mind(&self) -> bool {
        let agrees = |row: &BallotRow| row.ballot == UNAVAILABLE || Some(row.ballot) == self.outcome;
        self.ballots.iter().flatten().all(agrees)
    }

    /// Whether anything of a dispute was ever decided to be signed.
    #[must_use]
    pub fn has_part_in_dispute(&self) -> bool {
        let votes = self.excused.is_some() || self.ballots.iter().any(Option::is_some);
        self.challenge.is_some() || self.appeal.is_some() || votes
    }

    /// Whether this process holds a seat, or something hidden in a dispute, for which it owes the chain an answer.
    #[must_use]
    pub fn owes_answer(&self) -> bool {
        let hides = matches!(
            self.phase,
            Phase::Voting | Phase::Voted | Phase::RevealingVote | Phase::Challenging | Phase::RevealingOutcome
        );
        self.owes_result() || hides
    }

    /// Whether the provider holds, or may come to hold, a seat and owes a result.
    #[must_use]
    pub fn owes_result(&self) -> bool {
        self.role == Role::Execute && self.phase.owes_result()
    }

    /// Whether the seat is on chain and the result is not.
    #[must_use]
    pub fn holds_seat(&self) -> bool {
        self.role == Role::Execute && self.phase.holds_seat()
    }

    /// Where a job stands whose run has to be begun again.
    #[must_use]
    pub(super) const fn phase_before_run(&self) -> Phase {
        match self.role {
            Role::Execute => Phase::Accepted,
            Role::Judge => Phase::Drawn,
            Role::Watch => Phase::Sampled,
        }
    }

    /// Where a job stands whose outcome has to be published, again or for the first time.
    #[must_use]
    pub(super) const fn phase_before_publishing(&self) -> Phase {
        if self.salt.is_some() { Phase::Committed } else { Phase::Ran }
    }

    /// Whether what was computed may be shown to others: before all have committed, they could copy it (P-01). What a juror
    /// or a challenger found is shown when the dispute is over.
    #[must_use]
    pub fn may_be_shown(&self) -> bool {
        match self.role {
            Role::Execute => self.salt.is_none() || self.phase.is_after_commits(),
            Role::Judge | Role::Watch => matches!(
                self.phase,
                Phase::SettlingVote | Phase::Settling | Phase::Settled | Phase::Claiming | Phase::Claimed
            ),
        }
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
            role: Role::Execute,
            ballots: [const { None }; ROUNDS],
            challenge: None,
            appeal: None,
            excused: None,
            spent: None,
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

    /// Whether money of ours is in a seat, a vote or a challenge that is not settled yet, or may come to be by what was signed.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let waits = matches!(self.phase, Phase::Submitted | Phase::Settling | Phase::SettlingVote | Phase::Challenged);
        let votes = matches!(self.phase, Phase::Voted | Phase::RevealingVote | Phase::VoteRevealed);
        self.holds_seat() || self.owes_answer() || waits || votes || self.has_any_live_tx()
    }

    /// Whether any transaction may still land.
    #[must_use]
    pub fn has_any_live_tx(&self) -> bool {
        self.txs.iter().any(|tx| tx.state == TxState::Live)
    }
}

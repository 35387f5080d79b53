//! Domain-separated hash preimages. Every preimage is the 16-byte domain tag followed by fixed-width fields, so two
//! different inputs never share one preimage (A-15, P-12).

use solana_sha256_hasher::hashv;

use crate::{
    outcome::{Outcome, OUTCOME_BYTES},
    task::TaskSpec,
};

/// A SHA-256 digest, 32 bytes.
pub type Hash32 = [u8; 32];

/// The first 16 bytes of a preimage: what kind of thing is hashed, and under which version of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// What a job asks for, see [`TaskSpec::digest`].
    Task,
    /// One posting of a task on one chain, see [`job_uid`].
    JobUid,
    /// The result that is agreed on, see [`Outcome::hash`].
    Outcome,
    /// A seat's hidden result, see [`commitment`].
    Commitment,
    /// A challenger's hidden result, see [`challenge_commitment`].
    Challenge,
    /// A juror's hidden ballot, see [`vote_commitment`].
    Vote,
    /// What a draw depends on, see [`crate::draw::seed`].
    Seed,
    /// All tickets of one holder in one draw, see [`crate::tickets::TicketDraw`].
    Ticket,
    /// A cluster's name or genesis hash, see [`cluster_tag`].
    Cluster,
    /// What one run gave, see [`crate::Receipt`].
    Receipt,
    /// Arguments in a receipt, see [`crate::receipt::args_hash`].
    Args,
    /// The environment in a receipt, see [`crate::receipt::env_hash`].
    Env,
}

impl Domain {
    /// The tag that opens the preimage: ASCII, zero padded.
    #[must_use]
    pub const fn tag(self) -> &'static [u8; 16] {
        match self {
            Self::Task => b"assay:task:v1\0\0\0",
            Self::JobUid => b"assay:job_uid:v1",
            Self::Outcome => b"assay:outcome:v1",
            Self::Commitment => b"assay:commit:v1\0",
            Self::Challenge => b"assay:challeng:1",
            Self::Vote => b"assay:vote:v1\0\0\0",
            Self::Seed => b"assay:seed:v1\0\0\0",
            Self::Ticket => b"assay:ticket:v1\0",
            Self::Cluster => b"assay:cluster:v1",
            Self::Receipt => b"assay:receipt:v1",
            Self::Args => b"assay:args:v1\0\0\0",
            Self::Env => b"assay:env:v1\0\0\0\0",
        }
    }
}

/// `H(domain, genesis hash)`: what a market records as its cluster, so that nothing signed for one cluster means
/// anything on another (P-12).
#[must_use]
pub fn cluster_tag(genesis_hash: &Hash32) -> Hash32 {
    hashv(&[Domain::Cluster.tag(), genesis_hash]).to_bytes()
}

/// Fields of the preimage of [`job_uid`].
#[derive(Clone, Copy, Debug)]
pub struct JobUidInput<'a> {
    /// Address of the Assay program.
    pub program: &'a Hash32,
    /// The market's [`cluster_tag`].
    pub cluster: &'a Hash32,
    /// Address of the Job account.
    pub job: &'a Hash32,
    /// Slot in which `create_job` ran.
    pub created_slot: u64,
    /// [`TaskSpec::digest`].
    pub task_digest: &'a Hash32,
}

/// `H(domain, program, cluster, job address, created slot (u64 LE), task digest)`. In every preimage, receipt and
/// journal key: an account closed and created again under the same seeds has another uid (P-24).
#[must_use]
pub fn job_uid(input: &JobUidInput<'_>) -> Hash32 {
    hashv(&[
        Domain::JobUid.tag(),
        input.program,
        input.cluster,
        input.job,
        &input.created_slot.to_le_bytes(),
        input.task_digest,
    ])
    .to_bytes()
}

/// Fields of the preimage of [`commitment`].
#[derive(Clone, Copy, Debug)]
pub struct CommitmentInput<'a> {
    /// [`job_uid`] of the job.
    pub job_uid: &'a Hash32,
    /// Address of the Provider account.
    pub provider: &'a Hash32,
    /// [`Outcome::hash`].
    pub outcome_hash: &'a Hash32,
    /// Root of the execution trace; zero in profile 1.
    pub trace_root: &'a Hash32,
    /// 32 random bytes, kept until the reveal.
    pub salt: &'a Hash32,
}

/// `H(domain, job_uid, provider, outcome hash, trace root, salt)`. Binds job and provider: a copied commitment
/// opens for nobody else (P-01).
#[must_use]
pub fn commitment(input: &CommitmentInput<'_>) -> Hash32 {
    hashv(&[Domain::Commitment.tag(), input.job_uid, input.provider, input.outcome_hash, input.trace_root, input.salt])
        .to_bytes()
}

/// Fields of the preimage of [`challenge_commitment`].
#[derive(Clone, Copy, Debug)]
pub struct ChallengeCommitmentInput<'a> {
    /// [`job_uid`] of the disputed job.
    pub job_uid: &'a Hash32,
    /// Key of the challenger.
    pub challenger: &'a Hash32,
    /// [`Outcome::hash`] of what it holds to be right.
    pub outcome_hash: &'a Hash32,
    /// Root of the execution trace; zero in profile 1.
    pub trace_root: &'a Hash32,
    /// 32 random bytes, kept until the reveal.
    pub salt: &'a Hash32,
}

/// `H(domain, job_uid, challenger, outcome hash, trace root, salt)`. Opens for this challenger alone, and as nothing but a
/// challenge (P-01).
#[must_use]
pub fn challenge_commitment(input: &ChallengeCommitmentInput<'_>) -> Hash32 {
    hashv(&[Domain::Challenge.tag(), input.job_uid, input.challenger, input.outcome_hash, input.trace_root, input.salt])
        .to_bytes()
}

/// Fields of the preimage of [`vote_commitment`].
#[derive(Clone, Copy, Debug)]
pub struct VoteCommitmentInput<'a> {
    /// [`job_uid`] of the disputed job.
    pub job_uid: &'a Hash32,
    /// Round of the dispute, 0..=3.
    pub round: u8,
    /// Address of the juror's Provider account.
    pub provider: &'a Hash32,
    /// [`ballot_hash`] of what it found.
    pub ballot_hash: &'a Hash32,
    /// Root of the execution trace; zero in profile 1.
    pub trace_root: &'a Hash32,
    /// 32 random bytes, kept until the reveal.
    pub salt: &'a Hash32,
}

/// `H(domain, job_uid, round u8, provider, ballot hash, trace root, salt)`. Opens for this juror and this round alone
/// (P-01).
#[must_use]
pub fn vote_commitment(input: &VoteCommitmentInput<'_>) -> Hash32 {
    let round = [input.round];
    let VoteCommitmentInput { job_uid, provider, ballot_hash, trace_root, salt, .. } = input;
    hashv(&[Domain::Vote.tag(), *job_uid, &round, *provider, *ballot_hash, *trace_root, *salt]).to_bytes()
}

/// `H(domain, bytes)` of an encoded outcome, or of the zeros by which a juror says that the content cannot be had: one rule
/// for both.
#[must_use]
pub fn ballot_hash(ballot: &[u8; OUTCOME_BYTES]) -> Hash32 {
    hashv(&[Domain::Outcome.tag(), ballot]).to_bytes()
}

impl TaskSpec {
    /// `H(domain, encoding)`: equal digest, equal outcome, wherever and whenever it runs (I-08).
    #[must_use]
    pub fn digest(&self) -> Hash32 {
        hashv(&[Domain::Task.tag(), &self.encode()]).to_bytes()
    }
}

impl Outcome {
    /// `H(domain, encoding)`: what votes and commitments carry. Results are equal when their outcome bytes are equal.
    #[must_use]
    pub fn hash(&self) -> Hash32 {
        ballot_hash(&self.encode())
    }
}

//! The rules that the chain and everybody else must agree on.
//!
//! Pure functions and fixed-width types: no I/O, no clock, no allocation. The on-chain program, the SDK, the executor
//! and the runtime link this crate, so a rule that stands here is the same rule everywhere. `docs/PROTOCOL.md` is its
//! normative text; `golden/` holds its vectors, which the tests of the metering, the content, the runtime, the SDK, the
//! executor and the program read, each with the features that it turns on here.
#![cfg_attr(not(feature = "anchor"), no_std)]
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

pub mod ballot;
pub mod draw;
pub mod duty;
pub mod fees;
pub mod ids;
pub mod limits;
pub mod outcome;
pub mod pot;
pub mod receipt;
pub mod seats;
pub mod status;
pub mod tally;
pub mod task;
pub mod terms;
pub mod tickets;
pub mod trust;

pub use ballot::{round_expected, round_verdict, Ballot, Expected, Round, Verdict};
pub use draw::{Draw, DrawError, DrawNow, DrawState, DrawStep, Lookup, Purpose, SlotHash, Subject};
pub use fees::FeeError;
pub use ids::{ballot_hash, challenge_commitment, cluster_tag, commitment, job_uid, vote_commitment, Domain, Hash32};
pub use outcome::{InvalidReason, Outcome, OutcomeError, OutcomeKind, Trap};
pub use pot::Pot;
pub use receipt::{Posting, Receipt, ReceiptError, ReceiptRun};
pub use seats::{agreed, seats_max, seats_paid_max, Mode, Rule};
pub use status::{
    ChallengeEvent, ChallengeStatus, DisputeEvent, DisputeStatus, ExecutionEvent, ExecutionStatus, JobEvent, JobStatus,
    TransitionError, VoteEvent, VoteStatus,
};
pub use tally::{Entry, Measure, Tally, Voice, TALLY_BYTES};
pub use task::{TaskLimits, TaskSpec, METERED_HASH_UNSTATED};
pub use terms::{MarketTerms, TermsError};
pub use trust::{Settled, TrustVector};

/// Version byte of every account and preimage of this protocol generation.
pub const PROTOCOL_VERSION: u8 = 1;

/// The deterministic execution profile of this release: feature set, cost table, WASI rules and packing rules.
pub const PROFILE_V1: u32 = 1;

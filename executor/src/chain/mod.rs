//! What the bot needs of the chain, and the one implementation over JSON-RPC.
//!
//! Polling is the truth; the subscription only says that looking sooner is worth it.

mod accounts;
mod blockhashes;
mod disputes;
mod endpoints;
mod facts;
mod hint;
mod look;
mod rpc;
mod seeds;
mod status;
mod witness;

use std::future::Future;

use solana_hash::Hash;
use solana_pubkey::Pubkey;
use thiserror::Error;

pub use endpoints::ENDPOINTS_MAX;
pub use facts::ChainFacts;
pub use hint::{SlotHeard, watch_for_hints};
pub use rpc::{RpcChain, RpcSettings};

use crate::core::{Interest, JobView, Snapshot};

/// Why a question to the chain was not answered. Always worth asking again, unless the answer is about us.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The endpoint failed, refused, or did not answer.
    #[error("{doing} at {endpoint}: {source}")]
    Rpc {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port.
        endpoint: String,
        /// The cause.
        source: Box<solana_rpc_client_api::client_error::Error>,
    },
    /// The answer is older than what was seen before (E-08).
    #[error(
        "{doing} at {endpoint}: the node is behind slot {seen_slot}, which was seen already; wait until it has caught \
         up, or use another endpoint. If the cluster was started anew, so was its count of slots: start this provider \
         with an empty provider.data_dir"
    )]
    Behind {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port.
        endpoint: String,
        /// Highest slot seen.
        seen_slot: u64,
    },
    /// The answer is not what was asked for.
    #[error("{doing} at {endpoint}: the answer is not understood: {problem}")]
    Answer {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port.
        endpoint: String,
        /// What is wrong.
        problem: String,
    },
    /// Another endpoint says something else about what our money is in (E-09).
    #[error(
        "{doing} at {endpoint}: {witness} says something else about {about}; nothing is concluded until they agree. If \
         it stays so, one of them is far behind, serves another cluster, or lies: take it out of chain.cluster or \
         chain.other_rpc_urls"
    )]
    Disputed {
        /// What was asked.
        doing: &'static str,
        /// Who was asked: scheme, host and port.
        endpoint: String,
        /// Who says something else.
        witness: String,
        /// About what.
        about: String,
    },
    /// No other endpoint answers, of those that are there to be asked.
    #[error(
        "confirm job {job}: no endpoint of chain.other_rpc_urls answers, and a seat is not taken on the word of one; \
         check them, or remove them to go on with one"
    )]
    NoWitness {
        /// Address of the job.
        job: Pubkey,
    },
    /// An account that must be there is not.
    #[error("fetch the {kind} {address} at {endpoint}: there is no such account on this cluster; {next}")]
    Missing {
        /// What kind of account.
        kind: &'static str,
        /// Address.
        address: Pubkey,
        /// Scheme, host and port.
        endpoint: String,
        /// What to do.
        next: &'static str,
    },
}

/// One look at the chain and the time on its clock.
#[derive(Clone, Debug)]
pub struct Look {
    /// For the core.
    pub snapshot: Snapshot,
    /// The Clock sysvar.
    pub chain_unix: i64,
}

/// What a status query says about one signature, and for when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAnswer {
    /// Slot that the node had reached when it answered.
    pub slot: u64,
    /// What it says.
    pub status: SignatureStatus,
}

/// What is known about one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureStatus {
    /// Nobody knows it (yet).
    Unknown,
    /// Seen, not yet confirmed.
    Processed,
    /// Confirmed or finalised.
    Confirmed {
        /// Slot.
        slot: u64,
        /// The error it ended with, if any.
        error: Option<String>,
    },
}

/// The highest finalised block, or one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalizedBlock {
    /// Slot of the block or a later one: a node that has reached it knows all that is in the block.
    pub slot: u64,
    /// Height of the block.
    pub height: u64,
}

/// An Execution that somebody has to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSeat {
    /// Provider account.
    pub provider: Pubkey,
    /// Who gets its rent back.
    pub rent_payer: Pubkey,
}

/// How far a look goes. A request reads fifty jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The jobs that something of ours is in.
    Held,
    /// Those, and a listing of the open jobs of the market, of own seats and of what else is of interest, which costs the node
    /// more; and the jobs that the listing does not show any more.
    Market,
    /// That, and all other jobs that are tracked.
    Everything,
}

/// The chain as the bot needs it.
pub trait Chain: Clone + Send + Sync + 'static {
    /// A look; see [`Snapshot`].
    fn look(&self, interest: Interest, scope: Scope) -> impl Future<Output = Result<Look, ChainError>> + Send;

    /// A recent blockhash and the last block height at which it is valid.
    fn recent_blockhash(&self) -> impl Future<Output = Result<(Hash, u64), ChainError>> + Send;

    /// Hands a transaction to the cluster. An error does not mean that it will not land (E-03).
    fn send(&self, transaction: Vec<u8>) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Status of a signature, searched for in the whole history.
    fn status(&self, signature: [u8; 64]) -> impl Future<Output = Result<StatusAnswer, ChainError>> + Send;

    /// As [`Self::status`], by the word of each other endpoint that answers; none where there is one endpoint (E-09).
    fn witnessed_statuses(&self, signature: [u8; 64]) -> impl Future<Output = Vec<StatusAnswer>> + Send;

    /// Whether another endpoint shows the same open job, where there is another one: asked before a bond is locked for
    /// it (E-09).
    fn confirm_open(&self, job: &JobView) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Executions of a job that are there, ours among them. A wrong answer costs a transaction that fails.
    fn open_seats(&self, job: &JobView) -> impl Future<Output = Result<Vec<OpenSeat>, ChainError>> + Send;

    /// How far the finalised chain is.
    fn finalized_block(&self) -> impl Future<Output = Result<FinalizedBlock, ChainError>> + Send;
}

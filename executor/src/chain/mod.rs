//! What the bot needs of the chain, and the one implementation over JSON-RPC.
//!
//! Polling is the truth; the subscription only says that looking sooner is worth it.

mod accounts;
mod hint;
mod rpc;

use std::future::Future;

use assay_protocol::Hash32;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use thiserror::Error;

pub use hint::watch_for_hints;
pub use rpc::{RpcChain, RpcSettings};

use crate::core::{JobUid, Snapshot};

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

/// What a status query says about one signature.
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

/// The chain as the bot needs it.
pub trait Chain: Clone + Send + Sync + 'static {
    /// A complete look; see [`Snapshot`].
    fn look(&self, tracked: Vec<(JobUid, Pubkey)>) -> impl Future<Output = Result<Look, ChainError>> + Send;

    /// A recent blockhash and the last block height at which it is valid.
    fn recent_blockhash(&self) -> impl Future<Output = Result<(Hash, u64), ChainError>> + Send;

    /// Hands a transaction to the cluster. An error does not mean that it will not land (E-03).
    fn send(&self, transaction: Vec<u8>) -> impl Future<Output = Result<(), ChainError>> + Send;

    /// Status of a signature, searched for in the whole history.
    fn status(&self, signature: [u8; 64]) -> impl Future<Output = Result<SignatureStatus, ChainError>> + Send;

    /// Height of the highest finalised block.
    fn finalized_block_height(&self) -> impl Future<Output = Result<u64, ChainError>> + Send;
}

/// What the start-up checks compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    /// `cluster_tag` of the cluster's genesis hash.
    pub cluster_tag: Hash32,
    /// SHA-256 of the program's executable bytes, without trailing zeros.
    pub program_sha256: Hash32,
    /// The market's own cluster tag.
    pub market_cluster_tag: Hash32,
    /// Bit i allows profile i + 1.
    pub market_profiles: u32,
    /// Node key that the Provider account names.
    pub node_key: Pubkey,
}

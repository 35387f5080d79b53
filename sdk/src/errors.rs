//! Errors that name their cause and the next step.

use std::{borrow::Cow, fmt, time::Duration};

use assay_protocol::Hash32;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::client_error::{Error as RpcError, TransactionError};
use solana_signature::Signature;
use thiserror::Error;

use crate::{client::TransportFailure, program::failure::ProgramFailure};

/// An error that knows what its reader can do.
pub trait NextStep {
    /// What to do next, a sentence without a final full stop; `None` when the message says it all.
    fn next_step(&self) -> Option<Cow<'static, str>>;

    /// Whether the cluster gave no answer, so that nothing is known about what was asked.
    fn is_unreachable(&self) -> bool {
        false
    }
}

/// Why talking to the chain failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The RPC endpoint answered with an error.
    #[error("{doing} at {endpoint}: {source}")]
    Rpc {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port of the endpoint.
        endpoint: String,
        /// The cause.
        source: Box<RpcError>,
    },
    /// The RPC endpoint gave no answer.
    #[error("{doing} at {endpoint}: {failure}")]
    Transport {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port of the endpoint.
        endpoint: String,
        /// What went wrong on the way.
        failure: TransportFailure,
    },
    /// The WebSocket endpoint failed.
    #[error("subscribe at {endpoint}: {problem}")]
    Subscription {
        /// Scheme, host and port of the endpoint.
        endpoint: String,
        /// The cause.
        problem: String,
    },
    /// The program refused the transaction.
    #[error(transparent)]
    Program(Box<ProgramFailure>),
    /// The runtime refused the transaction before or outside the program.
    #[error("run the transaction: {error}{}", LastLogs(logs))]
    Transaction {
        /// What the runtime says.
        error: TransactionError,
        /// The end of its log.
        logs: Vec<String>,
    },
    /// The transaction's blockhash expired and it is certain that it never ran.
    #[error("confirm {signature}: its blockhash expired before it was included; nothing happened")]
    Expired {
        /// Its signature.
        signature: Signature,
    },
    /// It is not known whether the transaction ran.
    #[error("confirm {signature}: not confirmed after {} s; it may still run", waited.as_secs())]
    Unconfirmed {
        /// Its signature.
        signature: Signature,
        /// How long it was waited for.
        waited: Duration,
    },
    /// There is no such account.
    #[error("fetch the {kind} {address}: there is no such account on this cluster")]
    NotFound {
        /// What kind of account.
        kind: &'static str,
        /// Its address.
        address: Pubkey,
    },
    /// The account is something else.
    #[error("read {address} as a {kind}: {problem}")]
    Decode {
        /// What kind of account was expected.
        kind: &'static str,
        /// Its address.
        address: Pubkey,
        /// What is wrong with it.
        problem: String,
    },
    /// The market belongs to another cluster.
    #[error("use the market {market}: it was created for another cluster (tag {}…)", short_hex(found))]
    WrongCluster {
        /// The market.
        market: Pubkey,
        /// Its cluster tag.
        found: Hash32,
    },
    /// The program is not deployed there.
    #[error("use the program {program} at {endpoint}: it is not deployed on this cluster")]
    ProgramMissing {
        /// The program's address.
        program: Pubkey,
        /// Scheme, host and port of the endpoint.
        endpoint: String,
    },
    /// A transaction was to be signed and the client has no signer.
    #[error("sign the transaction: no keypair was given")]
    NoSigner,
    /// Signing failed.
    #[error("sign the transaction: {problem}")]
    Signing {
        /// The cause.
        problem: String,
    },
    /// The payer cannot pay.
    #[error("pay from {payer}: it holds {have_lamports} lamports and {need_lamports} are needed")]
    InsufficientFunds {
        /// Who pays.
        payer: Pubkey,
        /// What it has.
        have_lamports: u64,
        /// What it needs.
        need_lamports: u64,
    },
    /// The payer cannot even pay for the transaction itself.
    #[error("pay from {payer}: {problem}")]
    PayerTooPoor {
        /// Who pays.
        payer: Pubkey,
        /// What it lacks.
        problem: &'static str,
    },
    /// More history than a cursor may skip.
    #[error("read events of {address}: more than {signatures_max} transactions since the cursor")]
    CursorTooOld {
        /// Whose history.
        address: Pubkey,
        /// The bound.
        signatures_max: usize,
    },
}

impl ClientError {
    /// Whether the same call may succeed later, without anything being changed by the caller.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Subscription { .. } | Self::Expired { .. } => true,
            Self::Transport { failure, .. } => failure.is_retryable(),
            Self::Rpc { source, .. } => is_passing(source),
            Self::Transaction { error, .. } => {
                matches!(error, TransactionError::BlockhashNotFound | TransactionError::AccountInUse)
            }
            _ => false,
        }
    }

    /// How long the endpoint asks to wait before the next request.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transport { failure: TransportFailure::RateLimited { retry_after }, .. } => *retry_after,
            _ => None,
        }
    }
}

impl NextStep for ClientError {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Transport { failure, .. } => failure.next_step(),
            Self::Rpc { .. } => "check the cluster: `assay doctor`; another endpoint may know better: --cluster URL",
            Self::Subscription { .. } => "check the WebSocket URL; without it the state is polled",
            Self::Program(failure) => return failure.next_step(),
            Self::Transaction { error, .. } => return transaction_next_step(error),
            Self::Expired { .. } => "send it again",
            Self::Unconfirmed { signature, .. } => {
                return Some(Cow::Owned(format!("look up {signature} before sending it again")));
            }
            Self::NotFound { kind: "job", .. } => {
                "check the address and the cluster; a closed job's account is gone for good, its events stay in the \
                 chain's history, and this endpoint has none of them"
            }
            Self::NotFound { .. } => "check the address and the cluster",
            Self::Decode { .. } => "check the address; the account is of another kind or another program version",
            Self::WrongCluster { .. } => "check the URL: the market's account was copied from another network",
            Self::ProgramMissing { .. } => "choose the cluster on which Assay runs, or deploy the program",
            Self::NoSigner => "give a keypair with --keypair",
            Self::Signing { .. } => "check the keypair",
            Self::InsufficientFunds { payer, .. } | Self::PayerTooPoor { payer, .. } => {
                return Some(Cow::Owned(format!("send SOL to {payer}; on a local network: `assay wallet airdrop`")));
            }
            Self::CursorTooOld { .. } => "start from a fresh cursor and read the accounts for the state until then",
        }))
    }

    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Transport { .. })
    }
}

/// The node's own troubles, which pass; a refusal of the request does not.
fn is_passing(error: &RpcError) -> bool {
    use solana_rpc_client_api::{client_error::ErrorKind, request::RpcError as Response};
    match error.kind() {
        // Node unhealthy, slot skipped, no snapshot, minimum context slot not reached, internal error.
        ErrorKind::RpcError(Response::RpcResponseError { code, .. }) => {
            matches!(code, -32_005 | -32_004 | -32_008 | -32_016 | -32_603)
        }
        _ => false,
    }
}

fn transaction_next_step(error: &TransactionError) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error {
        TransactionError::BlockhashNotFound => "send it again: the blockhash is too old or the endpoint lags",
        TransactionError::AlreadyProcessed => "nothing: it ran before",
        TransactionError::ProgramAccountNotFound => "choose the cluster on which Assay runs",
        _ => return None,
    }))
}

fn short_hex(hash: &Hash32) -> String {
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The last lines of a log; where a failing program says why.
struct LastLogs<'a>(&'a [String]);

impl fmt::Display for LastLogs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LINES_SHOWN: usize = 3;
        for line in self.0.iter().skip(self.0.len().saturating_sub(LINES_SHOWN)) {
            let line: String = line.chars().take(200).collect();
            write!(f, "\n  {}", line.escape_debug())?;
        }
        Ok(())
    }
}

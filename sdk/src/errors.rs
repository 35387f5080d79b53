//! Errors that name their cause and the next step.

use std::{borrow::Cow, fmt, time::Duration};

use assay_protocol::Hash32;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::client_error::{Error as RpcError, TransactionError};
use solana_signature::Signature;
use thiserror::Error;

use crate::program::failure::ProgramFailure;

/// An error that knows what its reader can do.
pub trait NextStep {
    /// What to do next, a sentence without a final full stop; `None` when the message says it all.
    fn next_step(&self) -> Option<Cow<'static, str>>;
}

/// Why talking to the chain failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The RPC endpoint failed.
    #[error("{doing} at {endpoint}: {}", Causes(source))]
    Rpc {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port of the endpoint.
        endpoint: String,
        /// The cause.
        source: Box<RpcError>,
    },
    /// The endpoint did not answer in time.
    #[error("{doing} at {endpoint}: no answer within {} s", timeout.as_secs_f32())]
    Timeout {
        /// What was asked.
        doing: &'static str,
        /// Scheme, host and port of the endpoint.
        endpoint: String,
        /// How long it was waited for.
        timeout: Duration,
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
            Self::Timeout { .. } | Self::Subscription { .. } | Self::Expired { .. } => true,
            Self::Rpc { source, .. } => is_transport(source),
            Self::Transaction { error, .. } => {
                matches!(error, TransactionError::BlockhashNotFound | TransactionError::AccountInUse)
            }
            _ => false,
        }
    }

    /// The program's refusal, if it is one.
    #[must_use]
    pub fn program_failure(&self) -> Option<&ProgramFailure> {
        match self {
            Self::Program(failure) => Some(failure),
            _ => None,
        }
    }
}

impl NextStep for ClientError {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::Rpc { .. } | Self::Timeout { .. } => {
                "check that the cluster is up and its URL right: `assay doctor`; start a local one with `assay localnet`"
            }
            Self::Subscription { .. } => "check the WebSocket URL; without it the state is polled",
            Self::Program(failure) => return failure.next_step(),
            Self::Transaction { error, .. } => return transaction_next_step(error),
            Self::Expired { .. } => "send it again",
            Self::Unconfirmed { signature, .. } => {
                return Some(Cow::Owned(format!("look up {signature} before sending it again")));
            }
            Self::NotFound { .. } => "check the address and the cluster; a closed job is gone for good",
            Self::Decode { .. } => "check the address; the account is of another kind or another program version",
            Self::WrongCluster { .. } => "check the URL: the market's account was copied from another network",
            Self::ProgramMissing { .. } => "choose the cluster on which Assay runs, or deploy the program",
            Self::NoSigner => "give a keypair with --keypair",
            Self::Signing { .. } => "check the keypair",
            Self::InsufficientFunds { payer, .. } => {
                return Some(Cow::Owned(format!("send SOL to {payer}; on a local network: `assay wallet airdrop`")));
            }
            Self::CursorTooOld { .. } => "start from a fresh cursor and read the accounts for the state until then",
        }))
    }
}

/// Failures of transport and load, which pass; a refusal of the request does not.
fn is_transport(error: &RpcError) -> bool {
    use solana_rpc_client_api::{client_error::ErrorKind, request::RpcError as Response};
    match error.kind() {
        ErrorKind::Io(_) | ErrorKind::Reqwest(_) | ErrorKind::Middleware(_) | ErrorKind::SerdeJson(_) => true,
        ErrorKind::RpcError(Response::RpcRequestError(_) | Response::ForUser(_) | Response::ParseError(_)) => true,
        // Node unhealthy, slot skipped, no snapshot, minimum context slot not reached, internal error.
        ErrorKind::RpcError(Response::RpcResponseError { code, .. }) => {
            matches!(code, -32_005 | -32_004 | -32_008 | -32_016 | -32_603)
        }
        _ => false,
    }
}

fn transaction_next_step(error: &TransactionError) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match error {
        TransactionError::AccountNotFound
        | TransactionError::InsufficientFundsForFee
        | TransactionError::InsufficientFundsForRent { .. } => {
            "send SOL to the payer; on a local network: `assay wallet airdrop`"
        }
        TransactionError::BlockhashNotFound => "send it again: the blockhash is too old or the endpoint lags",
        TransactionError::AlreadyProcessed => "nothing: it ran before",
        TransactionError::ProgramAccountNotFound => "choose the cluster on which Assay runs",
        _ => return None,
    }))
}

fn short_hex(hash: &Hash32) -> String {
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// An error and what is behind it: transport errors say "error sending request" and keep the reason to themselves.
struct Causes<'a>(&'a RpcError);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CAUSES_MAX: usize = 8;
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = std::error::Error::source(self.0);
        for _ in 0..CAUSES_MAX {
            let Some(error) = cause else { break };
            let text = error.to_string();
            // Wrappers repeat what they wrap.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
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

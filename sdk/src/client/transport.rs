//! JSON-RPC over HTTP: one request, one answer, both bounded, and failures by name.
//!
//! The library's own sender sleeps for minutes inside a request when it is told to slow down, reads answers of any size, and
//! puts the URL, which may hold an access token, into its errors (E-28). This one does none of that.

use std::{
    fmt, io,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Map, Value};
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::{
    nonblocking::rpc_client::RpcClient,
    rpc_client::RpcClientConfig,
    rpc_sender::{RpcSender, RpcTransportStats},
};
use solana_rpc_client_api::{
    client_error::{Error as RpcError, ErrorKind, reqwest},
    request::{RpcError as Refusal, RpcRequest, RpcResponseErrorData},
};
use thiserror::Error;
use url::Url;

/// Largest answer that is read, 64 MiB: some 100,000 accounts of the program.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How much of a text from an endpoint reaches a reader.
const QUOTED_CHARS_MAX: usize = 200;

/// Why there is no answer. What the endpoint says *in* an answer is no failure of this kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TransportFailure {
    /// There is no connection.
    #[error("the endpoint cannot be reached: {problem}")]
    Unreachable {
        /// The innermost cause.
        problem: String,
    },
    /// Connected, but the answer did not come in time.
    #[error("the endpoint gave no answer within {} s", timeout.as_secs_f32())]
    TimedOut {
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection ended before the answer did.
    #[error("the endpoint broke off: {problem}")]
    BrokenOff {
        /// The innermost cause.
        problem: String,
    },
    /// HTTP 429.
    #[error("the endpoint takes no more requests for now (HTTP 429){}", Wait(*retry_after))]
    RateLimited {
        /// How long the endpoint asks to wait.
        retry_after: Option<Duration>,
    },
    /// Another HTTP status than 200.
    #[error("the endpoint answered with HTTP status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// What came is not what was asked for.
    #[error("what the endpoint answered is not what it was asked for: {problem}")]
    Garbled {
        /// What is wrong with it.
        problem: String,
    },
    /// The answer is longer than anything that is read.
    #[error("the endpoint's answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
}

impl TransportFailure {
    /// Whether the same request may be answered later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Status { status } => *status >= 500 || *status == 408,
            Self::TooLarge => false,
            _ => true,
        }
    }

    /// What a reader can do.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::BrokenOff { .. } => {
                "check the URL (--cluster) and that the cluster is up; `assay localnet` starts a local one, `assay doctor` checks all"
            }
            Self::RateLimited { .. } => "try again later, or use an endpoint with a higher limit: --cluster URL",
            Self::Status { status: 401 | 403 } => {
                "this endpoint wants an access token: put it into the URL (--cluster)"
            }
            Self::Status { status: 500.. } => "try again later, or use another endpoint: --cluster URL",
            Self::Status { .. } | Self::Garbled { .. } => {
                "check the URL (--cluster): it must be a Solana JSON-RPC endpoint"
            }
            Self::TooLarge => "narrow down what is asked for, for example with --market",
        }
    }

    /// The failure behind a client library's error; `None` when the endpoint did answer.
    #[must_use]
    pub fn of(error: &RpcError) -> Option<Self> {
        match error.kind() {
            ErrorKind::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
                Some(failure) => Some(failure.clone()),
                None => Some(Self::BrokenOff { problem: error.to_string() }),
            },
            ErrorKind::SerdeJson(error) => Some(Self::Garbled { problem: error.to_string() }),
            ErrorKind::RpcError(
                Refusal::RpcRequestError(problem) | Refusal::ParseError(problem) | Refusal::ForUser(problem),
            ) => Some(Self::Garbled { problem: quoted(problem) }),
            _ => None,
        }
    }

    fn of_http(error: &reqwest::Error, timeout: Duration) -> Self {
        let problem = || innermost(error);
        if error.is_timeout() {
            Self::TimedOut { timeout }
        } else if error.is_connect() || error.is_builder() {
            Self::Unreachable { problem: problem() }
        } else {
            Self::BrokenOff { problem: problem() }
        }
    }
}

impl From<TransportFailure> for RpcError {
    fn from(failure: TransportFailure) -> Self {
        ErrorKind::Io(io::Error::other(failure)).into()
    }
}

/// `; it asks to wait 3 s`.
struct Wait(Option<Duration>);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(wait) => write!(f, "; it asks to wait {} s", wait.as_secs()),
            None => Ok(()),
        }
    }
}

/// An RPC client over this transport, at `confirmed`. It never tries again by itself, and no request takes longer than
/// the timeout.
#[must_use]
pub fn rpc_client(url: &Url, timeout: Duration) -> RpcClient {
    let client = reqwest::Client::builder()
        .timeout(timeout)
        .pool_idle_timeout(timeout)
        // A POST that is redirected arrives as a GET without its body; the status says more.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| innermost(&error));
    let transport = Transport { client, url: url.clone(), timeout, request_id: AtomicU64::new(0) };
    RpcClient::new_sender(transport, RpcClientConfig::with_commitment(CommitmentConfig::confirmed()))
}

struct Transport {
    /// Or why there is none: the system's TLS could not be set up.
    client: Result<reqwest::Client, String>,
    url: Url,
    timeout: Duration,
    request_id: AtomicU64,
}

impl Transport {
    async fn ask(&self, request: RpcRequest, params: Value) -> Result<Value, RpcError> {
        let id = self.request_id.fetch_add(1, Ordering::Relaxed);
        let body = request.build_request_json(id, params).to_string();
        let answer: Value = serde_json::from_slice(&self.exchange(body).await?)
            .map_err(|error| TransportFailure::Garbled { problem: format!("no JSON: {error}") })?;
        match answer {
            Value::Object(answer) => result_of(answer),
            _ => Err(garbled("no JSON object").into()),
        }
    }

    async fn exchange(&self, body: String) -> Result<Vec<u8>, TransportFailure> {
        let failed = |error: reqwest::Error| TransportFailure::of_http(&error, self.timeout);
        let client =
            self.client.as_ref().map_err(|problem| TransportFailure::Unreachable { problem: problem.clone() })?;
        let post = client.post(self.url.as_str()).header(reqwest::header::CONTENT_TYPE, "application/json");
        let mut response = post.body(body).send().await.map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            429 => return Err(TransportFailure::RateLimited { retry_after: retry_after(response.headers()) }),
            status => return Err(TransportFailure::Status { status }),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                return Err(TransportFailure::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl RpcSender for Transport {
    fn send<'life0, 'async_trait>(
        &'life0 self,
        request: RpcRequest,
        params: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, RpcError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.ask(request, params))
    }

    /// Nobody reads them.
    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }

    fn url(&self) -> String {
        self.url.to_string()
    }
}

fn result_of(mut answer: Map<String, Value>) -> Result<Value, RpcError> {
    match (answer.remove("error"), answer.remove("result")) {
        (Some(error), _) if !error.is_null() => {
            let code = error.get("code").and_then(Value::as_i64).ok_or_else(|| garbled("an error without a code"))?;
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            let (message, data) = (quoted(message), RpcResponseErrorData::Empty);
            Err(ErrorKind::RpcError(Refusal::RpcResponseError { code, message, data }).into())
        }
        // A result may be null: there is no such transaction, for example.
        (_, Some(result)) => Ok(result),
        (_, None) => Err(garbled("neither a result nor an error").into()),
    }
}

fn garbled(problem: &str) -> TransportFailure {
    TransportFailure::Garbled { problem: problem.to_owned() }
}

/// Seconds only: no endpoint uses the form with a date.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(text.trim().parse().ok()?))
}

/// What an endpoint says, short and harmless for a terminal.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect()
}

/// The cause behind all wrappers: these say no more than "error sending request" and repeat the URL.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    const CAUSES_MAX: usize = 16;
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.take(CAUSES_MAX).last().map_or_else(String::new, ToString::to_string)
}

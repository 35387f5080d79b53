//! Errors as each side of the node tells them, and the guards before every handler.

use std::{future::Future, net::IpAddr, time::Duration};

use axum::{
    Json,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ALLOW, CONTENT_TYPE, HOST, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::Shared;
use crate::{CidError, PackError, StoreError, UnpackError};

/// Longest time until an answer begins, uploads included.
const HANDLER_TIME_MAX: Duration = Duration::from_secs(300);

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("ipld: could not find {what}"))
    }

    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once; try again")
    }

    /// As Kubo answers: its clients read `Message` and expect 500 for what is not there.
    pub(super) fn into_rpc(self) -> Response {
        let status = match self.status {
            StatusCode::NOT_FOUND => StatusCode::INTERNAL_SERVER_ERROR,
            status => status,
        };
        (status, Json(json!({ "Message": self.message, "Code": 0, "Type": "error" }))).into_response()
    }
}

/// As a gateway answers: plain text.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let plain = [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
        (self.status, plain, format!("{}\n", self.message)).into_response()
    }
}

impl From<CidError> for Refusal {
    fn from(error: CidError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let status = match &error {
            StoreError::QuotaExceeded { .. } => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Cid(_) | StoreError::Incomplete { .. } | StoreError::Walk { .. } => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<UnpackError> for Refusal {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Missing { cid } => Self::not_found(cid),
            UnpackError::Store(error) => error.into(),
            error => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        }
    }
}

impl From<PackError> for Refusal {
    fn from(error: PackError) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Runs disk work off the event loop.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping")),
    }
}

/// An RPC handler's answer.
pub(super) async fn rpc(work: impl Future<Output = Result<Response, Refusal>>) -> Response {
    work.await.unwrap_or_else(Refusal::into_rpc)
}

/// Bounds the requests in flight and the time until each is answered.
pub(super) async fn bounded(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let Ok(_permit) = state.requests.try_acquire() else {
        return Refusal::busy().into_response();
    };
    match tokio::time::timeout(HANDLER_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response(),
    }
}

/// Keeps browsers and foreign names away from the RPC.
pub(super) async fn guarded(State(state): State<Shared>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "the RPC takes POST only").into_rpc();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if request.headers().contains_key(ORIGIN) {
        return Refusal::new(StatusCode::FORBIDDEN, "the RPC does not answer web pages").into_rpc();
    }
    if !is_own_name(request.headers(), &state.host_names) {
        return Refusal::new(StatusCode::FORBIDDEN, "the RPC does not answer under this host name").into_rpc();
    }
    next.run(request).await
}

/// An address cannot be rebound to another machine, a name can.
fn is_own_name(headers: &HeaderMap, names: &[String]) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    literal.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

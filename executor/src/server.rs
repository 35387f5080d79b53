//! `/metrics` for Prometheus and `/healthz` for whoever restarts the process. On loopback unless told otherwise.

use std::{
    net::SocketAddr,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Without a look at the chain for this long the bot is not healthy.
const LOOK_AGE_MAX: Duration = Duration::from_secs(60);

/// The address could not be had.
#[derive(Debug, Error)]
#[error("listen on {address} (server.listen): {source}; choose another address, or port 0 for a free one")]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

/// What health is judged by.
pub(crate) struct Status {
    started: Instant,
    slot: AtomicU64,
    looked_ms: AtomicU64,
}

impl Default for Status {
    fn default() -> Self {
        Self { started: Instant::now(), slot: AtomicU64::new(0), looked_ms: AtomicU64::new(0) }
    }
}

impl Status {
    /// The chain was seen.
    pub(crate) fn looked(&self, slot: u64) {
        self.slot.store(slot, Ordering::Relaxed);
        self.looked_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn report(&self) -> (bool, String) {
        let slot = self.slot.load(Ordering::Relaxed);
        let age_ms = self.elapsed_ms().saturating_sub(self.looked_ms.load(Ordering::Relaxed));
        let healthy = slot > 0 && Duration::from_millis(age_ms) <= LOOK_AGE_MAX;
        let state = if healthy { "ok" } else { "the chain was not seen" };
        (healthy, format!("{{\"status\":\"{state}\",\"slot\":{slot},\"look_age_ms\":{age_ms}}}\n"))
    }
}

/// One recorder per process, however often the bot is started in it.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics_not_recorded");
            None
        }
    };
    RECORDER.get_or_init(install).as_ref()
}

/// Takes the address; the first thing that can fail visibly.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = TcpListener::bind(address).await.map_err(|source| BindError { address, source })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "server_started");
    }
    // Before anything is counted.
    recorder();
    Ok(listener)
}

/// Serves until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    status: Arc<Status>,
    stopping: CancellationToken,
) -> Result<(), String> {
    let router = Router::new().route("/metrics", get(metrics)).route("/healthz", get(health)).with_state(status);
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stopping.cancelled().await });
    serving.await.map_err(|error| error.to_string())
}

async fn metrics() -> impl IntoResponse {
    match recorder() {
        Some(handle) => (StatusCode::OK, handle.render()),
        None => (StatusCode::SERVICE_UNAVAILABLE, "metrics are recorded elsewhere in this process\n".to_owned()),
    }
}

async fn health(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let (healthy, body) = status.report();
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [("content-type", "application/json")], body)
}

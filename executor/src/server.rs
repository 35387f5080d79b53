//! `/metrics` for Prometheus, `/healthz` for whoever restarts the process, `/receipts` and `/receipts/JOB_UID` for whoever
//! wants to check a result. On loopback unless told otherwise.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    core::JobUid,
    metrics_list as names,
    quote::quoted,
    records::{read_receipt, receipts},
    work::blocking,
};

/// Without a look at the chain for this long the bot is not healthy.
const LOOK_AGE_MAX: Duration = Duration::from_secs(60);
/// When the children of so many jobs failed in a row it is not for the jobs.
const FAILED_JOBS_MAX: usize = 3;
/// Most receipts that are listed.
const RECEIPTS_LISTED_MAX: usize = 1_000;

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
    children: Mutex<Children>,
}

/// How the last children ended.
#[derive(Default)]
struct Children {
    /// Why none can be started.
    none: Option<String>,
    /// Jobs whose children failed since one did not, at most [`FAILED_JOBS_MAX`].
    failed: BTreeSet<JobUid>,
    /// How the last of them failed.
    failure: String,
}

impl Default for Status {
    fn default() -> Self {
        let (slot, looked_ms) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { started: Instant::now(), slot, looked_ms, children: Mutex::default() }
    }
}

impl Status {
    /// The chain was seen.
    pub(crate) fn looked(&self, slot: u64) {
        self.slot.store(slot, Ordering::Relaxed);
        self.looked_ms.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    /// No child can be started, for this reason. True when that is news.
    pub(crate) fn sandbox_failed(&self, reason: &str) -> bool {
        metrics::gauge!(names::SANDBOX_WORKS).set(0.0);
        self.children().none.replace(quoted(reason)).is_none()
    }

    /// Children can be started.
    pub(crate) fn sandbox_works(&self) {
        metrics::gauge!(names::SANDBOX_WORKS).set(1.0);
        self.children().none = None;
    }

    /// The child of a job did not come to an answer.
    pub(crate) fn child_failed(&self, uid: JobUid, failure: &str) {
        let mut children = self.children();
        if children.failed.len() < FAILED_JOBS_MAX {
            children.failed.insert(uid);
        }
        children.failure = quoted(failure);
    }

    /// A child did what it should.
    pub(crate) fn child_worked(&self) {
        self.children().failed.clear();
    }

    fn children(&self) -> MutexGuard<'_, Children> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn report(&self) -> (bool, String) {
        let slot = self.slot.load(Ordering::Relaxed);
        let age_ms = self.elapsed_ms().saturating_sub(self.looked_ms.load(Ordering::Relaxed));
        let mut reasons = Vec::new();
        if slot == 0 || Duration::from_millis(age_ms) > LOOK_AGE_MAX {
            reasons.push("the chain was not seen".to_owned());
        }
        let children = self.children();
        reasons.extend(children.none.clone());
        if children.failed.len() >= FAILED_JOBS_MAX {
            reasons
                .push(format!("the sandbox children of the last {FAILED_JOBS_MAX} jobs failed: {}", children.failure));
        }
        let status = if reasons.is_empty() { "ok" } else { "failing" };
        let body = json!({ "status": status, "reasons": reasons, "slot": slot, "look_age_ms": age_ms });
        (reasons.is_empty(), format!("{body}\n"))
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
    metrics::gauge!(names::SANDBOX_WORKS).set(1.0);
    Ok(listener)
}

/// What there is to be asked about.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) status: Arc<Status>,
    pub(crate) data_dir: PathBuf,
}

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, served: Served, stopping: CancellationToken) -> Result<(), String> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/receipts", get(list_receipts))
        .route("/receipts/{job_uid}", get(receipt))
        .with_state(served);
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stopping.cancelled().await });
    serving.await.map_err(|error| error.to_string())
}

async fn metrics() -> impl IntoResponse {
    match recorder() {
        Some(handle) => (StatusCode::OK, handle.render()),
        None => (StatusCode::SERVICE_UNAVAILABLE, "metrics are recorded elsewhere in this process\n".to_owned()),
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn health(State(served): State<Served>) -> impl IntoResponse {
    let (healthy, body) = served.status.report();
    let code = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, JSON, body)
}

/// The uids of the jobs whose receipts are kept, newest first.
async fn list_receipts(State(served): State<Served>) -> impl IntoResponse {
    match blocking(move || receipts(&served.data_dir, RECEIPTS_LISTED_MAX)).await {
        Ok(found) => {
            let uids: Vec<String> = found.iter().map(|(uid, _)| uid.to_string()).collect();
            (StatusCode::OK, JSON, json!(uids).to_string().into_bytes())
        }
        Err(error) => failed(&error),
    }
}

/// The receipt of a job, as it is kept. What is no uid names no file.
async fn receipt(State(served): State<Served>, Path(uid): Path<String>) -> impl IntoResponse {
    let found = blocking(move || match JobUid::from_hex(&uid) {
        Some(uid) => read_receipt(&served.data_dir, uid),
        None => Ok(None),
    });
    match found.await {
        Ok(Some(json)) => (StatusCode::OK, JSON, json),
        Ok(None) => (
            StatusCode::NOT_FOUND,
            JSON,
            json!({ "error": "no receipt of this job is kept here" }).to_string().into_bytes(),
        ),
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> (StatusCode, [(&'static str, &'static str); 1], Vec<u8>) {
    tracing::warn!(%error, "receipts_not_read");
    let body = json!({ "error": "the receipts cannot be read" }).to_string().into_bytes();
    (StatusCode::INTERNAL_SERVER_ERROR, JSON, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Status {
        let status = Status::default();
        status.looked(1);
        status
    }

    #[test]
    fn the_chain_has_to_be_seen() {
        let (is_healthy, body) = Status::default().report();
        assert!(!is_healthy && body.contains("the chain was not seen"), "{body}");
        let (is_healthy, body) = healthy().report();
        assert!(is_healthy && body.contains(r#""status":"ok""#), "{body}");
    }

    #[test]
    fn w_12_e_24_health_says_why_no_child_can_be_started_until_one_can() {
        let status = healthy();
        assert!(status.sandbox_failed("no \"seccomp\"\u{1b}[31m"), "news");
        assert!(!status.sandbox_failed("no processes left"), "no news");
        let (is_healthy, body) = status.report();
        assert!(!is_healthy && body.contains("no processes left"), "{body}");
        status.sandbox_works();
        assert!(status.report().0);
    }

    #[test]
    fn e_24_children_that_fail_for_job_after_job_are_this_hosts_fault_and_one_poisonous_job_is_not() {
        let status = healthy();
        for _ in 0..10 {
            status.child_failed(JobUid([1; 32]), "crashed");
        }
        assert!(status.report().0);
        status.child_failed(JobUid([2; 32]), "crashed");
        status.child_worked();
        status.child_failed(JobUid([3; 32]), "crashed");
        assert!(status.report().0);
        status.child_failed(JobUid([4; 32]), "crashed");
        status.child_failed(JobUid([5; 32]), "killed\u{1b}[31m");
        let (is_healthy, body) = status.report();
        assert!(!is_healthy && body.contains("killed") && !body.contains('\u{1b}'), "{body}");
        let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(value["status"], "failing");
    }
}

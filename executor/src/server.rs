//! `/metrics` for Prometheus, `/healthz` for whoever restarts the process, `/receipts` and `/receipts/JOB_UID` for whoever
//! wants to check a result. On loopback unless told otherwise; whoever comes is a stranger, so connections, waits and looks at
//! the disk are bounded (C-19).

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use assay_content::{ClientLimits, node};
use axum::{
    Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;
use tokio::{net::TcpListener, sync::watch, time::timeout};
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
/// Most receipts that are listed at once.
const RECEIPTS_LISTED_MAX: usize = 1_000;
/// How old a list may be: one look at all receipts serves everybody who asks meanwhile.
const LISTING_AGE_MAX: Duration = Duration::from_secs(1);
/// Most connections, and of them of one client: Prometheus, whoever restarts the process, a proxy, a few strangers.
const CONNECTIONS_MAX: usize = 64;
const CONNECTIONS_PER_CLIENT_MAX: usize = 32;
/// Longest time until a request's head is whole; also how long an idle connection stays.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long requests in flight are waited for at the end.
const STOP_GRACE: Duration = Duration::from_secs(5);

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
    status: Arc<Status>,
    data_dir: PathBuf,
    listing: Arc<tokio::sync::Mutex<Option<Listing>>>,
}

/// The jobs whose receipts were kept at this time, newest first.
struct Listing {
    looked: Instant,
    uids: Arc<[JobUid]>,
}

impl Served {
    pub(crate) fn new(status: Arc<Status>, data_dir: PathBuf) -> Self {
        Self { status, data_dir, listing: Arc::default() }
    }

    /// One look at a time, however many ask.
    async fn uids(&self) -> std::io::Result<Arc<[JobUid]>> {
        let mut listing = self.listing.lock().await;
        if let Some(known) = listing.as_ref().filter(|known| known.looked.elapsed() < LISTING_AGE_MAX) {
            return Ok(known.uids.clone());
        }
        let data_dir = self.data_dir.clone();
        let found = blocking(move || receipts(&data_dir, usize::MAX)).await?;
        let uids: Arc<[JobUid]> = found.into_iter().map(|(uid, _)| uid).collect();
        *listing = Some(Listing { looked: Instant::now(), uids: uids.clone() });
        Ok(uids)
    }
}

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, served: Served, stopping: CancellationToken) -> Result<(), String> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/receipts", get(list_receipts))
        .route("/receipts/{job_uid}", get(receipt))
        .fallback(async || not_found("nothing is served here but /metrics, /healthz, /receipts and /receipts/JOB_UID"))
        .method_not_allowed_fallback(async || refused(StatusCode::METHOD_NOT_ALLOWED, "this is only read, with GET"))
        .with_state(served);
    let limits = ClientLimits {
        connections_max: CONNECTIONS_MAX,
        connections_per_client_max: CONNECTIONS_PER_CLIENT_MAX,
        head_timeout: HEAD_TIMEOUT,
        ..ClientLimits::default()
    };
    let (stop, stopped) = watch::channel(false);
    let mut serving = pin!(node::serve(listener, router, limits, stopped));
    tokio::select! {
        () = &mut serving => return Ok(()),
        () = stopping.cancelled() => drop(stop),
    }
    if timeout(STOP_GRACE, serving).await.is_err() {
        tracing::warn!("server_clients_left_unanswered");
    }
    Ok(())
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

/// Which part of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Uid of the last job of the part before.
    after: Option<String>,
}

/// The uids of the jobs whose receipts are kept, newest first, at most [`RECEIPTS_LISTED_MAX`] of them.
async fn list_receipts(State(served): State<Served>, page: Result<Query<Page>, QueryRejection>) -> impl IntoResponse {
    let Ok(Query(page)) = page else {
        return refused(StatusCode::BAD_REQUEST, "nothing can be asked for but `after`, once, the uid of a job");
    };
    let uids = match served.uids().await {
        Ok(uids) => uids,
        Err(error) => return failed(&error),
    };
    let behind = match &page.after {
        None => Some(&*uids),
        Some(after) => {
            let last = JobUid::from_hex(after).and_then(|after| uids.iter().position(|uid| *uid == after));
            last.and_then(|last| uids.get(last.saturating_add(1)..))
        }
    };
    match behind {
        Some(behind) => {
            let uids: Vec<String> = behind.iter().take(RECEIPTS_LISTED_MAX).map(ToString::to_string).collect();
            (StatusCode::OK, JSON, json!(uids).to_string().into_bytes())
        }
        None => not_found("no receipt of the job behind `after` is kept here; list from the start"),
    }
}

/// The receipt of a job, as it is kept. What is no uid names no file.
async fn receipt(State(served): State<Served>, uid: Result<Path<String>, PathRejection>) -> impl IntoResponse {
    let found = blocking(move || match uid.ok().and_then(|Path(uid)| JobUid::from_hex(&uid)) {
        Some(uid) => read_receipt(&served.data_dir, uid),
        None => Ok(None),
    });
    match found.await {
        Ok(Some(json)) => (StatusCode::OK, JSON, json),
        Ok(None) => not_found("no receipt of this job is kept here"),
        Err(error) => failed(&error),
    }
}

type Answer = (StatusCode, [(&'static str, &'static str); 1], Vec<u8>);

fn refused(code: StatusCode, error: &str) -> Answer {
    (code, JSON, json!({ "error": error }).to_string().into_bytes())
}

fn not_found(error: &str) -> Answer {
    refused(StatusCode::NOT_FOUND, error)
}

fn failed(error: &std::io::Error) -> Answer {
    tracing::warn!(%error, "receipts_not_read");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "the receipts cannot be read")
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

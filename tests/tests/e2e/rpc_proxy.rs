//! A JSON-RPC endpoint that treats `sendTransaction` badly and passes everything else on.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_signature::Signature;
use tokio::{net::TcpListener, task::JoinHandle};
use url::Url;

use crate::support::with_port;

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug)]
pub enum Treatment {
    /// It lands, and the caller is told that the server failed (E-03).
    LandsWithError,
    /// The caller is told its signature, and nobody else ever hears of it.
    Vanishes,
}

struct Shared {
    upstream: Url,
    treatment: Treatment,
    left: AtomicUsize,
    treated: AtomicUsize,
    client: reqwest::Client,
}

/// The endpoint; dropping it closes it.
pub struct RpcProxy {
    /// Where it listens.
    pub url: Url,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for RpcProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RpcProxy {
    /// Treats the first `times` transactions so.
    pub async fn start(upstream: &Url, treatment: Treatment, times: usize) -> Self {
        // A reqwest client wants one although this one speaks plain HTTP. An error says that there is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = with_port(upstream, listener.local_addr().expect("an address").port());
        let shared = Arc::new(Shared {
            upstream: upstream.clone(),
            treatment,
            left: AtomicUsize::new(times),
            treated: AtomicUsize::new(0),
            client: reqwest::Client::new(),
        });
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { url, shared, task }
    }

    /// Transactions treated so far.
    pub fn treated(&self) -> usize {
        self.shared.treated.load(Ordering::SeqCst)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> impl IntoResponse {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_send = request["method"] == "sendTransaction";
    let treat =
        is_send && shared.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if treat {
        shared.treated.fetch_add(1, Ordering::SeqCst);
    }
    match shared.treatment {
        Treatment::Vanishes if treat => {
            let transaction = BASE64_STANDARD.decode(request["params"][0].as_str().expect("base64")).expect("base64");
            // One signature: a length byte, then its 64 bytes.
            let signature = Signature::try_from(&transaction[1..65]).expect("64 bytes");
            let reply = json!({"jsonrpc": "2.0", "id": request["id"], "result": signature.to_string()});
            (StatusCode::OK, reply.to_string().into_bytes())
        }
        _ => {
            let sent =
                shared.client.post(shared.upstream.clone()).header("content-type", "application/json").body(body);
            let reply = match sent.send().await {
                Ok(reply) => reply.bytes().await.map(|bytes| bytes.to_vec()).unwrap_or_default(),
                Err(_) => return (StatusCode::BAD_GATEWAY, Vec::new()),
            };
            if treat { (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()) } else { (StatusCode::OK, reply) }
        }
    }
}

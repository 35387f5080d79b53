//! A JSON-RPC endpoint that treats transactions badly, or lies about accounts, and passes everything else on.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anchor_lang::{AccountDeserialize, AccountSerialize, Discriminator};
use assay_sdk::program::{
    accounts::{Execution, Job},
    client::args::SubmitResults,
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
    /// As [`Self::Vanishes`], and whoever asks is told that it landed (E-09).
    Swallowed,
    /// A submission that offers less for a compute unit, micro-lamports, vanishes; nothing else does (E-14).
    TooCheap(u64),
    /// Transactions pass. Whoever asks what became of one is told that nobody knows it (E-03).
    Unheard,
    /// Transactions pass. Seats are hidden: whoever asks for an Execution is told that there is none (E-09).
    SeatsHidden,
    /// Transactions pass. Every job seems to pay this base fee (E-09).
    Embellished(u64),
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
    /// Treats the first `times` of what the treatment is for so.
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

    /// Requests treated so far.
    pub fn treated(&self) -> usize {
        self.shared.treated.load(Ordering::SeqCst)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> impl IntoResponse {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let treat = shared.treatment.concerns(&request)
        && shared.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if treat {
        shared.treated.fetch_add(1, Ordering::SeqCst);
    }
    let vanishes = !matches!(shared.treatment, Treatment::LandsWithError);
    if treat
        && vanishes
        && let Some(transaction) = transaction(&request)
    {
        // One signature: a length byte, then its 64 bytes.
        let signature = Signature::try_from(&transaction[1..65]).expect("64 bytes");
        let reply = json!({"jsonrpc": "2.0", "id": request["id"], "result": signature.to_string()});
        return (StatusCode::OK, reply.to_string().into_bytes());
    }
    if matches!(shared.treatment, Treatment::Unheard) && treat {
        // Of any slot, and without a word to the ledger: it is asked ten times a second about each.
        let result = json!({"context": {"slot": u32::MAX}, "value": [null]});
        let reply = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        return (StatusCode::OK, reply.to_string().into_bytes());
    }
    let sent = shared.client.post(shared.upstream.clone()).header("content-type", "application/json").body(body);
    let reply = match sent.send().await {
        Ok(reply) => reply.bytes().await.map(|bytes| bytes.to_vec()).unwrap_or_default(),
        Err(_) => return (StatusCode::BAD_GATEWAY, Vec::new()),
    };
    match (treat, serde_json::from_slice::<Value>(&reply)) {
        (true, _) if !vanishes => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        (true, Ok(mut reply)) => {
            shared.treatment.falsify(&mut reply["result"]);
            (StatusCode::OK, reply.to_string().into_bytes())
        }
        _ => (StatusCode::OK, reply),
    }
}

impl Treatment {
    /// Whether a request is one that is treated.
    fn concerns(self, request: &Value) -> bool {
        let reads = request["method"] == "getMultipleAccounts" || request["method"] == "getProgramAccounts";
        match self {
            Self::LandsWithError | Self::Vanishes => transaction(request).is_some(),
            Self::Swallowed => transaction(request).is_some() || request["method"] == "getSignatureStatuses",
            Self::TooCheap(least) => transaction(request).is_some_and(|bytes| {
                let submits = bytes.windows(8).any(|window| window == SubmitResults::DISCRIMINATOR);
                submits && offered(&bytes) < least
            }),
            Self::Unheard => request["method"] == "getSignatureStatuses",
            Self::SeatsHidden | Self::Embellished(_) => reads,
        }
    }

    /// What is told instead of the truth.
    fn falsify(self, result: &mut Value) {
        let slot = result["context"]["slot"].clone();
        let Some(entries) = result["value"].as_array_mut() else { return };
        match self {
            Self::Swallowed => {
                for status in entries {
                    *status = json!({"slot": slot, "err": null, "confirmations": 1, "confirmationStatus": "confirmed"});
                }
            }
            Self::SeatsHidden => {
                let is_seat =
                    |entry: &Value| data(entry).is_some_and(|data| data.starts_with(Execution::DISCRIMINATOR));
                entries.retain(|entry| entry["pubkey"].is_null() || !is_seat(entry));
                for entry in entries.iter_mut().filter(|entry| is_seat(entry)) {
                    *entry = Value::Null;
                }
            }
            Self::Embellished(base_fee_lamports) => {
                for entry in entries {
                    let Some(job) = data(entry).and_then(|data| Job::try_deserialize(&mut &data[..]).ok()) else {
                        continue;
                    };
                    let mut data = Vec::new();
                    Job { base_fee_lamports, ..job }.try_serialize(&mut data).expect("written");
                    let account = if entry["pubkey"].is_null() { entry } else { &mut entry["account"] };
                    account["data"][0] = BASE64_STANDARD.encode(data).into();
                }
            }
            Self::LandsWithError | Self::Vanishes | Self::TooCheap(_) | Self::Unheard => {}
        }
    }
}

/// The bytes of a transaction that is to be sent.
fn transaction(request: &Value) -> Option<Vec<u8>> {
    let is_send = request["method"] == "sendTransaction";
    is_send.then(|| BASE64_STANDARD.decode(request["params"][0].as_str().expect("base64")).expect("base64"))
}

/// What it offers for a compute unit: an instruction of nine bytes, of which the first says what the others are.
fn offered(transaction: &[u8]) -> u64 {
    let price = transaction.windows(10).find(|window| window.starts_with(&[9, 3]) && window.ends_with(&[0; 4]));
    price.map_or(0, |window| u64::from_le_bytes(window[2..].try_into().expect("eight bytes")))
}

/// The data of an account, alone or with its address.
fn data(entry: &Value) -> Option<Vec<u8>> {
    let account = if entry["pubkey"].is_null() { entry } else { &entry["account"] };
    BASE64_STANDARD.decode(account["data"][0].as_str()?).ok()
}

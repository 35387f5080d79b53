//! Watching: a connection that is cut or falls silent is made anew, and a wrong one is an error in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use assay_sdk::{
    Client, ClientError, Cluster, NextStep,
    accounts::JobFilter,
    client::WatchNews,
    program::{self, accounts::Job},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::endpoint::impatient;

/// Longest wait of a test; what is waited for takes a fraction of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of one connection, once subscriptions are answered.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Slots come, and this job is pushed.
    Pushes(Pubkey),
    /// It is closed at once.
    Cut,
    /// Nothing comes any more.
    Silent,
}

/// A WebSocket endpoint; the n-th connection has the n-th fate, later ones the last.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(fates: Vec<Fate>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let fate = *fates.get(number).or(fates.last()).unwrap();
                tokio::spawn(async move { drop(serve(stream, fate).await) });
            }
        });
        Self { port, connections, task }
    }

    fn client(&self) -> Client {
        let mut cluster = Cluster::localnet();
        cluster.ws_url = format!("ws://127.0.0.1:{}", self.port).parse().unwrap();
        Client::new(impatient(cluster))
    }

    /// The address of the next job that a watch over this endpoint tells of.
    async fn first_job(&self) -> Pubkey {
        let mut watch = self.client().watch_jobs(&JobFilter::default()).await.unwrap();
        tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap().address
    }
}

async fn serve(stream: TcpStream, fate: Fate) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    for _ in 0..2 {
        let Some(request) = socket.next().await else { return Ok(()) };
        let request: Value = serde_json::from_str(request?.to_text()?).unwrap();
        // The subscription has the number of its request.
        say(&mut socket, json!({ "jsonrpc": "2.0", "id": request["id"], "result": request["id"] })).await?;
    }
    match fate {
        Fate::Cut => Ok(()),
        Fate::Silent => std::future::pending().await,
        Fate::Pushes(address) => {
            say(&mut socket, notification("programNotification", 1, &pushed(address))).await?;
            loop {
                let slot = json!({ "slot": 2, "parent": 1, "root": 0 });
                say(&mut socket, notification("slotNotification", 2, &slot)).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

async fn say(
    socket: &mut WebSocketStream<TcpStream>,
    value: Value,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    socket.send(Message::text(value.to_string())).await
}

fn notification(method: &str, subscription: u64, result: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": { "result": result, "subscription": subscription } })
}

fn pushed(address: Pubkey) -> Value {
    let mut data = vec![0; program::account_bytes::<Job>()];
    data[..8].copy_from_slice(<Job as anchor_lang::Discriminator>::DISCRIMINATOR);
    data[8] = 1;
    let account = json!({
        "lamports": 1, "data": [BASE64_STANDARD.encode(data), "base64"], "owner": program::ID.to_string(),
        "executable": false, "rentEpoch": 0, "space": 0,
    });
    json!({ "context": { "slot": 2 }, "value": { "pubkey": address.to_string(), "account": account } })
}

#[tokio::test]
async fn e_10_a_watch_whose_connection_is_cut_comes_back_and_hears_again() {
    let address = Pubkey::new_unique();
    let server = Server::start(vec![Fate::Cut, Fate::Pushes(address)]).await;
    assert_eq!(server.first_job().await, address);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn e_10_who_follows_waits_for_an_endpoint_that_is_down_and_hears_what_becomes_of_it() {
    let address = Pubkey::new_unique();
    let server = Server::start(vec![Fate::Cut, Fate::Pushes(address)]).await;
    let mut watch = server.client().follow_jobs(&JobFilter::default());
    let (mut told, mut is_changed, mut is_slot) = (Vec::new(), false, false);
    while !is_changed || !is_slot {
        match tokio::time::timeout(PATIENCE, watch.next_news()).await.unwrap().unwrap() {
            WatchNews::Subscribed => told.push("subscribed"),
            WatchNews::Lost(_) => told.push("lost"),
            WatchNews::Changed(job) => is_changed = job.address == address,
            WatchNews::Slot(slot) => is_slot = slot == 2,
        }
    }
    // Whether the first connection is cut before or after it was made is a matter of time.
    assert!(told.ends_with(&["lost", "subscribed"]) && told.len() <= 3, "{told:?}");
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let mut cluster = Cluster::localnet();
    cluster.ws_url = format!("ws://127.0.0.1:{port}").parse().unwrap();
    let mut watch = Client::new(impatient(cluster)).follow_jobs(&JobFilter::default());
    for _ in 0..2 {
        let news = tokio::time::timeout(PATIENCE, watch.next_news()).await.unwrap();
        assert!(
            matches!(&news, Some(WatchNews::Lost(Some(error))) if error.to_string().contains("refused")),
            "{news:?}"
        );
    }
}

#[tokio::test]
async fn e_10_a_watch_that_hears_nothing_connects_anew() {
    let address = Pubkey::new_unique();
    let server = Server::start(vec![Fate::Silent, Fate::Pushes(address)]).await;
    assert_eq!(server.first_job().await, address);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn e_10_a_quiet_market_is_no_dead_connection() {
    let address = Pubkey::new_unique();
    let server = Server::start(vec![Fate::Pushes(address)]).await;
    let mut watch = server.client().watch_jobs(&JobFilter::default()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().address, address);
    // Longer than the silence that is put up with; slots come all the while.
    assert!(tokio::time::timeout(Duration::from_millis(900), watch.next()).await.is_err());
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_websocket_endpoint_that_never_shakes_hands_is_an_error_in_time() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut cluster = Cluster::localnet();
    cluster.ws_url = format!("ws://{}/?api-key=token", silent.local_addr().unwrap()).parse().unwrap();
    let error = Client::new(impatient(cluster)).watch_jobs(&JobFilter::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::Subscription { .. }), "{error}");
    assert!(error.to_string().contains("no answer within 0.4 s") && !error.to_string().contains("token"), "{error}");
    assert!(error.next_step().unwrap().contains("WebSocket URL"));
}

#[tokio::test]
async fn a_websocket_endpoint_that_is_not_there_is_an_error_that_says_why() {
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let mut cluster = Cluster::localnet();
    cluster.ws_url = format!("ws://127.0.0.1:{port}").parse().unwrap();
    let error = Client::new(impatient(cluster)).watch_jobs(&JobFilter::default()).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

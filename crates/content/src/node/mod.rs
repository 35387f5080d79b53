//! The content node: a store served as a subset of Kubo's RPC and as a trustless gateway.
//!
//! The RPC writes, so it is careful who asks: `POST` only, no browser's `Origin`, no host name that is not its own (a
//! page that points a name of its own at 127.0.0.1 gets nothing). The gateway only reads and anybody may.
//!
//! Clients are strangers (C-19): their connections are counted, every wait for them has an end, and what is held in
//! memory for all of them together is bounded.

mod add;
mod answer;
mod export;
mod gateway;
mod listing;
mod patience;
mod resolve;
mod rpc;
mod serve;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::extract::DefaultBodyLimit;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};
use url::Url;

pub use self::serve::serve;

use self::answer::Refusal;
use crate::{
    BlockStore,
    limits::{
        BODY_BYTES_MAX, Budget, CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT_MAX, NODE_MEMORY_BYTES_MAX,
        REQUESTS_IN_FLIGHT_MAX,
    },
};

/// How long [`ContentNode::shutdown`] waits for requests in flight.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What it serves.
    pub store: BlockStore,
    /// Where the RPC listens; port 0 picks one. Loopback unless the machine's firewall says otherwise: whoever
    /// reaches it may write.
    pub rpc: SocketAddr,
    /// Where the gateway listens; port 0 picks one.
    pub gateway: SocketAddr,
    /// Largest request body.
    pub body_bytes_max: u64,
    /// What a file or directory may cost that is read for somebody.
    pub budget: Budget,
    /// Host names, besides `localhost` and addresses, under which the RPC answers.
    pub host_names: Vec<String>,
    /// How many clients may come, and how slow they may be.
    pub clients: ClientLimits,
}

/// What clients may cost, per listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Most connections; more are turned away at once.
    pub connections_max: usize,
    /// Most connections of one address (IPv6: one network of 64 bits), so that one client does not shut out the others.
    pub connections_per_client_max: usize,
    /// Longest time until a request's head is whole, counted from the connection's start or from the last answer.
    pub head_timeout: Duration,
    /// Longest time for which a client may neither send the body it announced nor take the answer it asked for.
    pub silence_timeout: Duration,
    /// Least speed at which it does so, in bytes per second of waiting for it.
    pub bytes_per_s_min: u64,
    /// Most bytes of whole files that are held for all clients together; who needs more than is left is refused. Blocks
    /// and CARs are streamed and need none of it.
    pub memory_bytes_max: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            connections_per_client_max: CONNECTIONS_PER_CLIENT_MAX,
            head_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(20),
            bytes_per_s_min: 4 << 10,
            memory_bytes_max: NODE_MEMORY_BYTES_MAX,
        }
    }
}

impl NodeConfig {
    /// Both listeners on loopback, ports picked by the system.
    #[must_use]
    pub fn loopback(store: BlockStore) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            store,
            rpc: any,
            gateway: any,
            body_bytes_max: BODY_BYTES_MAX,
            budget: Budget::RESULT,
            host_names: Vec::new(),
            clients: ClientLimits::default(),
        }
    }
}

/// Why a node could not start or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A port could not be taken.
    #[error("listen on {address}: {source}; choose another port or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A listener's task ended before it was told to.
    #[error("serve on {address}: {reason}; start the node again")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What happened.
        reason: String,
    },
}

/// What every handler shares.
#[derive(Debug)]
struct State {
    store: BlockStore,
    budget: Budget,
    host_names: Vec<String>,
    requests: Semaphore,
    /// Bytes that may still be held in memory for clients.
    memory: Arc<Semaphore>,
}

impl State {
    /// Takes bytes of the memory that all clients share. They are free again when the permit is dropped.
    fn hold(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.memory).try_acquire_many_owned(bytes).map_err(|_| Refusal::busy())
    }
}

type Shared = Arc<State>;

/// A running content node. Dropping it stops it; [`Self::shutdown`] waits for requests in flight.
#[derive(Debug)]
pub struct ContentNode {
    rpc: SocketAddr,
    gateway: SocketAddr,
    /// Servers stop when this says so, or is dropped.
    stop: watch::Sender<bool>,
    servers: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl ContentNode {
    /// Binds both listeners and serves.
    ///
    /// # Errors
    /// [`NodeError::Listen`] when a port is taken.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let NodeConfig { store, rpc, gateway, body_bytes_max, budget, host_names, clients } = config;
        let state = || {
            let requests = Semaphore::new(REQUESTS_IN_FLIGHT_MAX);
            let memory = Arc::new(Semaphore::new(clients.memory_bytes_max.min(Semaphore::MAX_PERMITS)));
            let (store, host_names) = (store.clone(), host_names.clone());
            Arc::new(State { store, budget, host_names, requests, memory })
        };
        let body_limit = DefaultBodyLimit::max(usize::try_from(body_bytes_max).unwrap_or(usize::MAX));
        let (stop, stopped) = watch::channel(false);
        let mut servers = Vec::new();
        let routers = [(rpc, rpc::router(state()).layer(body_limit)), (gateway, gateway::router(state()))];
        for (address, router) in routers {
            let listener = TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
            let bound = listener.local_addr().map_err(|source| NodeError::Listen { address, source })?;
            servers.push((bound, tokio::spawn(serve::serve(listener, router, clients, stopped.clone()))));
        }
        let (rpc, gateway) = (servers[0].0, servers[1].0);
        tracing::info!(%rpc, %gateway, "content_node_started");
        Ok(Self { rpc, gateway, stop, servers })
    }

    /// Base URL of the RPC, as [`crate::KuboClient::new`] takes it.
    #[must_use]
    pub fn rpc_url(&self) -> Url {
        url_of(self.rpc)
    }

    /// Base URL of the gateway, as [`crate::Source::Gateway`] takes it.
    #[must_use]
    pub fn gateway_url(&self) -> Url {
        url_of(self.gateway)
    }

    /// Whether both servers still serve.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.servers.iter().all(|(_, server)| !server.is_finished())
    }

    /// Stops listening, lets requests in flight end for at most five seconds, and returns.
    ///
    /// # Errors
    /// [`NodeError::Serve`] when a server had failed.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        let Self { stop, servers, .. } = self;
        stop.send_replace(true);
        for (address, mut server) in servers {
            let failed = |reason: String| NodeError::Serve { address, reason };
            match timeout(SHUTDOWN_GRACE, &mut server).await {
                Ok(Ok(())) => {}
                Ok(Err(panic)) => return Err(failed(panic.to_string())),
                Err(_) => {
                    tracing::warn!(%address, "content_node_requests_cut");
                    server.abort();
                }
            }
        }
        Ok(())
    }
}

fn url_of(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address makes a valid URL")
}

//! The content node: a store served as a subset of Kubo's RPC and as a trustless gateway.

use std::net::SocketAddr;

use url::Url;

use crate::BlockStore;

/// How a node is started.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What it serves.
    pub store: BlockStore,
    /// Where the RPC listens; port 0 picks one.
    pub rpc: SocketAddr,
    /// Where the gateway listens; port 0 picks one.
    pub gateway: SocketAddr,
    /// Largest request body.
    pub body_bytes_max: u64,
}

impl NodeConfig {
    /// Both listeners on loopback, ports picked by the system.
    #[must_use]
    pub fn loopback(store: BlockStore) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { store, rpc: any, gateway: any, body_bytes_max: crate::limits::BODY_BYTES_MAX }
    }
}

/// Why a node could not start or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A port could not be taken.
    #[error("listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running content node. Dropping it stops it; [`Self::shutdown`] waits for requests in flight.
#[derive(Debug)]
pub struct ContentNode {
    rpc: SocketAddr,
    gateway: SocketAddr,
}

impl ContentNode {
    /// Binds both listeners and serves.
    ///
    /// # Errors
    /// [`NodeError`] when a port is taken.
    pub async fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let _ = config;
        todo!()
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

    /// Stops listening, lets requests in flight end, and returns.
    ///
    /// # Errors
    /// [`NodeError`] when a server had failed.
    pub async fn shutdown(self) -> Result<(), NodeError> {
        todo!()
    }
}

fn url_of(address: SocketAddr) -> Url {
    Url::parse(&format!("http://{address}")).expect("a socket address makes a valid URL")
}

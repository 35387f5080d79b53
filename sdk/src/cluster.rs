//! Which network to talk to: a known name or a URL.

use std::{fmt, str::FromStr};

use thiserror::Error;
use url::Url;

/// RPC port of a local network.
pub const LOCAL_RPC_PORT: u16 = 8_899;
/// Content node port (Kubo RPC) of a local network.
pub const LOCAL_CONTENT_PORT: u16 = 5_001;
/// Gateway port of a local network.
pub const LOCAL_GATEWAY_PORT: u16 = 8_080;

/// A cluster's JSON-RPC and WebSocket endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// JSON-RPC, `http` or `https`.
    pub rpc_url: Url,
    /// WebSocket, `ws` or `wss`.
    pub ws_url: Url,
}

/// Why a text names no cluster.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Neither a known name nor a URL.
    #[error("\"{given}\" is no cluster: {problem}; give localnet, devnet, testnet, mainnet or an http(s) URL")]
    Unknown {
        /// What was given.
        given: String,
        /// Why it is not one.
        problem: String,
    },
}

impl Cluster {
    /// The local network on its default ports.
    #[must_use]
    pub fn localnet() -> Self {
        Self::at_ports(LOCAL_RPC_PORT, LOCAL_RPC_PORT.saturating_add(1))
    }

    /// A network on loopback.
    #[must_use]
    pub fn at_ports(rpc_port: u16, ws_port: u16) -> Self {
        let parse = |text: String| Url::parse(&text).expect("a loopback URL with a port is a URL");
        Self {
            rpc_url: parse(format!("http://127.0.0.1:{rpc_port}")),
            ws_url: parse(format!("ws://127.0.0.1:{ws_port}")),
        }
    }

    /// Uses another WebSocket endpoint than the one derived from the RPC URL.
    #[must_use]
    pub fn with_ws_url(mut self, ws_url: Url) -> Self {
        self.ws_url = ws_url;
        self
    }

    /// Whether the endpoint is on this machine: a local network, with an airdrop and no real money.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.rpc_url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    fn from_rpc_url(rpc_url: Url) -> Option<Self> {
        let mut ws_url = rpc_url.clone();
        ws_url.set_scheme(if rpc_url.scheme() == "https" { "wss" } else { "ws" }).ok()?;
        // By convention a validator's WebSocket port is the one after its RPC port.
        if let Some(port) = rpc_url.port() {
            ws_url.set_port(Some(port.checked_add(1)?)).ok()?;
        }
        Some(Self { rpc_url, ws_url })
    }
}

impl FromStr for Cluster {
    type Err = ClusterError;

    fn from_str(given: &str) -> Result<Self, ClusterError> {
        let text = match given {
            "localnet" | "localhost" | "local" | "l" => return Ok(Self::localnet()),
            "devnet" | "d" => "https://api.devnet.solana.com",
            "testnet" | "t" => "https://api.testnet.solana.com",
            "mainnet" | "mainnet-beta" | "m" => "https://api.mainnet-beta.solana.com",
            other => other,
        };
        let unknown = |problem: String| ClusterError::Unknown { given: given.to_owned(), problem };
        let url = Url::parse(text).map_err(|error| unknown(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(unknown("the URL is not http or https with a host".to_owned()));
        }
        Self::from_rpc_url(url).ok_or_else(|| unknown("no WebSocket URL can be derived from it".to_owned()))
    }
}

impl fmt::Display for Cluster {
    /// Without user, password and query, which may hold an access token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.rpc_url))
    }
}

/// Scheme, host and port of a URL; the rest may hold an access token.
#[must_use]
pub fn redacted(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        (Some(host), None) => format!("{}://{host}", url.scheme()),
        (None, _) => url.scheme().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_and_urls_give_both_endpoints() {
        let local: Cluster = "localnet".parse().unwrap();
        assert_eq!((local.rpc_url.as_str(), local.ws_url.as_str()), ("http://127.0.0.1:8899/", "ws://127.0.0.1:8900/"));
        assert!(local.is_loopback());
        let devnet: Cluster = "devnet".parse().unwrap();
        assert_eq!(devnet.ws_url.as_str(), "wss://api.devnet.solana.com/");
        assert!(!devnet.is_loopback());
        let custom: Cluster = "http://10.0.0.7:9000".parse().unwrap();
        assert_eq!(custom.ws_url.as_str(), "ws://10.0.0.7:9001/");
    }

    #[test]
    fn what_is_no_cluster_says_what_is() {
        for given in ["", "devnett", "ftp://example.com", "ws://127.0.0.1:1"] {
            let message = given.parse::<Cluster>().unwrap_err().to_string();
            assert!(message.contains("give localnet, devnet"), "{message}");
        }
    }

    #[test]
    fn a_printed_cluster_keeps_its_token_secret() {
        let cluster: Cluster = "https://user:word@rpc.example.com/v1?api-key=token".parse().unwrap();
        assert_eq!(cluster.to_string(), "https://rpc.example.com");
    }
}

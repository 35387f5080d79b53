//! An Assay network in one process, for demos and tests: a ledger with real JSON-RPC and WebSocket that runs the
//! committed program, a content node, a market with short windows, funded keys and registered providers.
//!
//! The only crate that links the embedded ledger. It is always offline: nothing is read from any other cluster. Providers
//! are processes of their own, started by whoever starts the network; [`Network::info`] has what they need.

mod artifact;
mod config;
mod keys;
mod ledger;
mod network;

pub use artifact::{ArtifactError, ProgramArtifact};
pub use config::NetworkConfig;
pub use ledger::{Ledger, LedgerConfig, LedgerError, Ports, SLOT_MS_DEFAULT};
pub use network::{INFO_FILE_NAME, MARKET_NAME, Network, NetworkError, NetworkInfo, ProviderInfo};

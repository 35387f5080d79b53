//! Rust SDK of Assay, a marketplace for verifiable computation: what posters, providers and verifiers link.
//!
//! A job is a directory with a [`JobManifest`], a WebAssembly module and its inputs. [`JobSpec`] says what to pay for it,
//! [`Client`] posts it, [`JobHandle`] follows it and fetches its result:
#![doc = "```no_run"]
#![doc = include_str!("../doc/post_and_read.rs")]
#![doc = "```"]
//! A client that can do this has a key and a place for content:
//! ```no_run
//! # use std::{path::Path, sync::Arc, time::Duration};
//! use assay_content::{BlockStore, FetchLimits, Fetcher, KuboClient, Publisher, Source, StoreLimits};
//! use assay_sdk::{Client, ClientConfig, ContentAccess, load_keypair};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node: url::Url = "http://127.0.0.1:5001".parse()?;
//! let store = BlockStore::open(Path::new("cache"), StoreLimits::default())?;
//! let content = ContentAccess {
//!     publisher: Publisher::new(vec![KuboClient::new(node.clone(), Duration::from_secs(60))?], 1),
//!     fetcher: Fetcher::new(store, vec![Source::Kubo(node)], FetchLimits::default())?,
//! };
//! let poster = Arc::new(load_keypair(Path::new("poster.json"))?);
//! let client = Client::new(ClientConfig::new("localnet".parse()?)).with_signer(poster).with_content(content);
//! # Ok(()) }
//! ```
//! Errors say what failed and why; [`NextStep`] says what to do about it. Refusals of the program carry the names of its
//! IDL ([`program::ProgramFailure`]). With the feature `verify`, the module `verify` turns a job directory into an
//! outcome, exactly as every provider does.

pub mod accounts;
pub mod client;
pub mod cluster;
pub mod crank;
pub mod errors;
pub mod events;
pub mod explain;
mod fee_ladder;
pub mod gathering;
pub mod instructions;
pub mod job_handle;
mod job_history;
pub mod job_spec;
pub mod keypair;
pub mod manifest;
pub mod pda;
pub mod program;
mod prospect;
pub mod receipt;
mod strict_json;
pub mod task;
#[cfg(feature = "verify")]
pub mod verify;

/// The rules that the chain and everybody else agree on.
pub use assay_protocol as protocol;
/// An account's address.
pub use solana_pubkey::Pubkey;

pub use accounts::{ChallengeFilter, DisputeFilter, ExecutionFilter, JobFilter, Keyed, ProviderFilter, VoteFilter};
pub use client::{
    ChainTime, Client, ClientConfig, ContentAccess, PostError, PostedJob, Sent, SharedSigner, SignatureState,
};
pub use cluster::{Cluster, ClusterError};
pub use errors::{ClientError, NextStep};
pub use events::{Event, EventCursor, EventHistory, EventPage, EventRecord};
pub use fee_ladder::FeeLadder;
pub use job_handle::{JobError, JobHandle, JobLogs, JobResult, JobView, WaitOptions};
pub use job_spec::{JobSpec, JobSpecBuilder, PreparedJob, Quote, SpecError};
pub use keypair::{KeypairError, load_keypair, save_keypair};
pub use manifest::{JobManifest, ManifestEntry, ManifestError, ManifestLimits};
pub use prospect::Prospect;
pub use receipt::{Receipt, ReceiptFileError, ReceiptSignature};

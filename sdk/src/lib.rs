//! Rust SDK of Assay.

pub mod accounts;
pub mod client;
pub mod cluster;
pub mod crank;
pub mod errors;
pub mod events;
pub mod explain;
pub mod instructions;
pub mod job_handle;
pub mod job_spec;
pub mod keypair;
pub mod manifest;
pub mod pda;
pub mod program;
#[cfg(feature = "verify")]
pub mod verify;

/// The rules that the chain and everybody else agree on.
pub use assay_protocol as protocol;

pub use accounts::{ExecutionFilter, JobFilter, Keyed, ProviderFilter};
pub use client::{
    ChainTime, Client, ClientConfig, ContentAccess, PostError, PostedJob, Sent, SharedSigner, SignatureState,
};
pub use cluster::{Cluster, ClusterError};
pub use errors::{ClientError, NextStep};
pub use events::{Event, EventCursor, EventPage, EventRecord};
pub use job_handle::{JobError, JobHandle, JobLogs, JobResult, JobView, WaitOptions};
pub use job_spec::{JobSpec, JobSpecBuilder, PreparedJob, Quote, SpecError};
pub use keypair::{KeypairError, load_keypair, save_keypair};
pub use manifest::{JobManifest, ManifestEntry, ManifestError, ManifestLimits};

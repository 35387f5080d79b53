//! Rust SDK of Assay.

pub mod cluster;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod keypair;
pub mod manifest;
pub mod pda;
pub mod program;

pub use cluster::{Cluster, ClusterError};
pub use errors::{ClientError, NextStep};
pub use keypair::{KeypairError, load_keypair, save_keypair};
pub use manifest::{JobManifest, ManifestEntry, ManifestError, ManifestLimits};

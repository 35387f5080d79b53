//! Rust SDK of Assay.

pub mod cluster;
pub mod keypair;
pub mod manifest;

pub use cluster::{Cluster, ClusterError};
pub use keypair::{KeypairError, load_keypair, save_keypair};
pub use manifest::{JobManifest, ManifestEntry, ManifestError, ManifestLimits};

//! The whole path on a real ledger: the committed program, the SDK as poster, content over HTTP, and a provider that is
//! played by the test.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "network/lifecycle.rs"]
mod lifecycle;
#[path = "network/start.rs"]
mod starting;

#[path = "../../../sdk/doc/post_and_read.rs"]
mod example;

use std::{path::PathBuf, sync::Arc};

use assay_localnet::{Network, NetworkConfig};
use assay_sdk::{Client, SharedSigner, load_keypair};

/// A network on free ports, and the directory that it lives in.
async fn start() -> (Network, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let network = Network::start(NetworkConfig::for_tests(directory.path())).await.unwrap();
    (network, directory)
}

fn sample_job(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs").join(name).join("job")
}

fn signer(path: &std::path::Path) -> SharedSigner {
    Arc::new(load_keypair(path).unwrap())
}

/// The network's client with another key.
fn client_as(network: &Network, key: &std::path::Path) -> Client {
    network.client().clone().with_signer(signer(key))
}

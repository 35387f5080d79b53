//! Publishing a package to several nodes.

use cid::Cid;

use crate::{KuboClient, KuboError, Package};

/// Where a package is now.
#[derive(Debug)]
pub struct Published {
    /// Its root.
    pub root: Cid,
    /// Addresses of the nodes that pinned it.
    pub pinned: Vec<String>,
    /// Nodes that did not, and why.
    pub failed: Vec<(String, KuboError)>,
}

/// Fewer nodes than wanted pinned the package.
#[derive(Debug, thiserror::Error)]
#[error("publish {root}: {pinned} of {pins_min} wanted nodes pinned it")]
pub struct PublishError {
    /// The package.
    pub root: Cid,
    /// How many nodes pinned it.
    pub pinned: usize,
    /// How many should have.
    pub pins_min: usize,
    /// What the others said.
    pub failed: Vec<(String, KuboError)>,
}

impl PublishError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.failed.iter().any(|(_, error)| error.is_retryable())
    }
}

/// Publishes packages to nodes, all at once.
#[derive(Clone, Debug)]
pub struct Publisher {
    nodes: Vec<KuboClient>,
    pins_min: usize,
}

impl Publisher {
    /// A publisher that wants at least `pins_min` of the nodes to pin every package.
    #[must_use]
    pub fn new(nodes: Vec<KuboClient>, pins_min: usize) -> Self {
        Self { nodes, pins_min }
    }

    /// Uploads the package to every node. One attempt; retries are the caller's decision.
    ///
    /// # Errors
    /// [`PublishError`] when fewer than `pins_min` nodes pinned it.
    pub async fn publish(&self, package: &Package) -> Result<Published, PublishError> {
        let _ = (package, &self.nodes, self.pins_min);
        todo!()
    }
}

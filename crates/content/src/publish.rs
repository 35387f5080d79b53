//! Publishing a package to several nodes.

use std::fmt;

use cid::Cid;
use futures_util::future::join_all;

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
#[derive(Debug)]
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

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "publish {}: {} of {} wanted nodes pinned it", self.root, self.pinned, self.pins_min)?;
        self.failed.iter().try_for_each(|(_, error)| write!(f, "; {error}"))
    }
}

impl std::error::Error for PublishError {}

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
        let imports = self.nodes.iter().map(|node| async { (node.name(), node.dag_import(package).await) });
        let (mut pinned, mut failed) = (Vec::new(), Vec::new());
        for (node, imported) in join_all(imports).await {
            match imported {
                Ok(()) => pinned.push(node),
                Err(error) => {
                    tracing::warn!(%node, %error, root = %package.root, "package_not_pinned");
                    failed.push((node, error));
                }
            }
        }
        if pinned.len() < self.pins_min {
            return Err(PublishError { root: package.root, pinned: pinned.len(), pins_min: self.pins_min, failed });
        }
        Ok(Published { root: package.root, pinned, failed })
    }
}

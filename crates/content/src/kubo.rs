//! A client of Kubo's RPC.

use std::time::Duration;

use cid::Cid;
use url::Url;

use crate::Package;

/// What `version` says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KuboVersion {
    /// Version of the daemon.
    pub version: String,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KuboError {
    /// The daemon imported the package under another root.
    #[error("import into {node}: it reports root {got} instead of {want}")]
    OtherRoot {
        /// The daemon's address.
        node: String,
        /// The package's root.
        want: Cid,
        /// The daemon's.
        got: String,
    },
}

impl KuboError {
    /// Whether the same request may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }
}

/// A client of one Kubo RPC endpoint. Redirects are never followed.
#[derive(Clone, Debug)]
pub struct KuboClient {
    _url: Url,
}

impl KuboClient {
    /// A client whose requests take at most `timeout` each.
    ///
    /// # Errors
    /// [`KuboError`] when the address is not `http` or `https`.
    pub fn new(url: Url, timeout: Duration) -> Result<Self, KuboError> {
        let _ = timeout;
        Ok(Self { _url: url })
    }

    /// Asks for the daemon's version: a cheap sign of life.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn version(&self) -> Result<KuboVersion, KuboError> {
        todo!()
    }

    /// Uploads a package as a CAR, pins its root and checks that the daemon reports the same root.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn dag_import(&self, package: &Package) -> Result<(), KuboError> {
        let _ = package;
        todo!()
    }
}

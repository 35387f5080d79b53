//! Content from sources that nobody has to trust, raced with deadlines and budgets.

use std::time::Duration;

use assay_protocol::InvalidReason;
use cid::Cid;
use url::Url;

use crate::{BlockStore, Entry, StoreError, UnpackError, limits::Budget};

/// Where content may be had. The local store is always asked first and is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Kubo RPC endpoint, `http://127.0.0.1:5001`. Configured by the operator, so any host is allowed.
    Kubo(Url),
    /// A trustless gateway. Configured by the operator, so any host is allowed.
    Gateway(Url),
    /// A trustless gateway that a stranger named (a provider's endpoint on chain): only public addresses are spoken to.
    Discovered(Url),
}

/// What a [`Fetcher`] may spend.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    /// Files, entries, links and depth of the package.
    pub budget: Budget,
    /// Total time of one [`Fetcher::fetch`].
    pub deadline: Duration,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest silence of a source, before its headers or between two pieces.
    pub silence_timeout: Duration,
    /// Least average speed after the first `silence_timeout`, in bytes per second.
    pub bytes_per_s_min: u64,
    /// Head start of the best source before the next is asked too.
    pub hedge_after: Duration,
    /// Most sources asked at the same time.
    pub parallel_sources: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            budget: Budget::PROFILE,
            deadline: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(5),
            silence_timeout: Duration::from_secs(10),
            bytes_per_s_min: 16 << 10,
            hedge_after: Duration::from_secs(2),
            parallel_sources: 3,
        }
    }
}

/// Why one source did not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It does not have the content.
    #[error("it does not have the content")]
    NotFound,
}

/// What one source said.
#[derive(Debug)]
pub struct SourceReport {
    /// The source, by its address.
    pub source: String,
    /// Why it did not help.
    pub error: SourceError,
}

/// Why content could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No source had it, or none gave it in time.
    #[error("fetch {cid}: no source gave it")]
    Unavailable {
        /// The content.
        cid: Cid,
        /// Every source that was asked and what it said.
        reports: Vec<SourceReport>,
    },
    /// It is there, and it is not a package.
    #[error("fetch {cid}: {source}")]
    Content {
        /// The content.
        cid: Cid,
        /// What is wrong with it.
        source: Box<UnpackError>,
    },
    /// The local store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FetchError {
    /// Whether trying again later may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Store(_))
    }

    /// The outcome's reason when the content itself is at fault; `None` is a host fault, never signed.
    #[must_use]
    pub fn invalid_reason(&self) -> Option<InvalidReason> {
        match self {
            Self::Content { source, .. } => source.invalid_reason(),
            _ => None,
        }
    }
}

/// Fetches packages. Cheap to clone; clones share what was learned about sources.
#[derive(Clone, Debug)]
pub struct Fetcher {
    _store: BlockStore,
}

impl Fetcher {
    /// A fetcher over a store and sources, best first.
    ///
    /// # Errors
    /// [`FetchError`] when a source's address cannot be used.
    pub fn new(store: BlockStore, sources: Vec<Source>, limits: FetchLimits) -> Result<Self, FetchError> {
        let _ = (sources, limits);
        Ok(Self { _store: store })
    }

    /// The package under a CID, from the store or the first source that gives all of it. Its blocks are then in the
    /// store, not pinned.
    ///
    /// # Errors
    /// [`FetchError`] with what every source said.
    pub async fn fetch(&self, root: &Cid) -> Result<Vec<Entry>, FetchError> {
        let _ = root;
        todo!()
    }
}

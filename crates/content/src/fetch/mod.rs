//! Content from sources that nobody has to trust, raced with deadlines and budgets.
//!
//! The best source is asked first; when it fails, or has not finished after a while, the next one is asked too. Every
//! verified block goes into a pool that all sources of one fetch share, so two halves make a whole. Below it lies the
//! store: what is there is not asked for again, and a CAR that mostly repeats it is stopped. What a source did wrong is
//! remembered and it is asked later next time.
//!
//! Only [`unpack`] says that content is no package, in its own fixed order and over verified blocks, so the reason is
//! the same from the store and from every source. Caps on bytes and blocks, cuts and lies are faults of one fetch.

mod error;
mod pool;
mod source;
mod verdict;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cid::Cid;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};
use url::Url;

pub use error::{FetchError, SourceError, SourceReport};
use pool::{Pool, lock};
use source::{Filled, SourceClient};

use crate::{
    BlockStore, Entry, StoreError, UnpackError,
    dag::{Step, Walk},
    digest_from_cid,
    limits::Budget,
    unpack,
};

/// Demerits of a failed attempt, and of a lie: a liar is asked after everybody who merely failed.
const DEMERITS_FAILURE: u32 = 1;
const DEMERITS_LIE: u32 = 1_000;
const DEMERITS_MAX: u32 = 1_000_000;

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
    /// Files, entries, links and depth of the package; see also [`Fetcher::within`].
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

/// Fetches packages. Cheap to clone; clones share what was learned about sources.
#[derive(Clone, Debug)]
pub struct Fetcher {
    shared: Arc<Shared>,
    budget: Budget,
}

#[derive(Debug)]
struct Shared {
    store: BlockStore,
    sources: Vec<SourceClient>,
    /// Demerits, by source.
    demerits: Mutex<Vec<u32>>,
    limits: FetchLimits,
}

/// A running attempt: which source, and what came of it.
type Attempt<'a> = BoxFuture<'a, (usize, Result<Filled, SourceError>)>;

impl Fetcher {
    /// A fetcher over a store and sources, best first.
    ///
    /// # Errors
    /// [`FetchError::Source`] when a source's address cannot be used.
    pub fn new(store: BlockStore, sources: Vec<Source>, limits: FetchLimits) -> Result<Self, FetchError> {
        let sources = sources.into_iter().map(|source| SourceClient::new(source, &limits));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let demerits = Mutex::new(vec![0; sources.len()]);
        Ok(Self { budget: limits.budget, shared: Arc::new(Shared { store, sources, demerits, limits }) })
    }

    /// The same fetcher for packages of another size. What makes an outcome of a job directory reads it within
    /// [`Budget::PROFILE`].
    #[must_use]
    pub fn within(&self, budget: Budget) -> Self {
        Self { budget, shared: Arc::clone(&self.shared) }
    }

    /// The package under a CID, from the store or the first source that gives all of it. Its blocks are then in the
    /// store, not pinned.
    ///
    /// # Errors
    /// [`FetchError`] with what every source said.
    pub async fn fetch(&self, root: &Cid) -> Result<Vec<Entry>, FetchError> {
        let root = *root;
        digest_from_cid(&root).map_err(|error| content(root, error.into()))?;
        let (shared, budget) = (Arc::clone(&self.shared), self.budget);
        match blocking(move || unpack(root, &shared.store, &budget)).await? {
            Ok(entries) => return Ok(entries),
            Err(UnpackError::Missing { .. }) => {}
            Err(UnpackError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(content(root, error)),
        }
        let pool = Arc::new(Pool::new(self.shared.store.clone()));
        let entries = self.race(&root, &pool).await?;
        self.keep(root, pool).await;
        Ok(entries)
    }

    /// Whether each source is there and is one: a Kubo node says its version, a gateway has the empty block. Without any source
    /// there is nothing to be found out.
    ///
    /// # Errors
    /// [`FetchError::Source`] names the first that is not.
    pub async fn probe(&self) -> Result<(), FetchError> {
        for source in &self.shared.sources {
            source.probe().await.map_err(|error| FetchError::Source { source: source.name(), error })?;
        }
        Ok(())
    }

    /// Sources by name with their demerits, in the order in which the next fetch asks them.
    #[must_use]
    pub fn ranking(&self) -> Vec<(String, u32)> {
        let demerits = lock(&self.shared.demerits).clone();
        self.order().into_iter().map(|index| (self.shared.sources[index].name(), demerits[index])).collect()
    }

    fn order(&self) -> Vec<usize> {
        let demerits = lock(&self.shared.demerits);
        let mut order: Vec<_> = (0..demerits.len()).collect();
        order.sort_by_key(|index| demerits[*index]);
        order
    }

    async fn race(&self, root: &Cid, pool: &Arc<Pool>) -> Result<Vec<Entry>, FetchError> {
        let limits = &self.shared.limits;
        let deadline = Instant::now() + limits.deadline;
        let mut waiting = self.order().into_iter();
        let mut running: FuturesUnordered<Attempt<'_>> = FuturesUnordered::new();
        let mut asked = Vec::new();
        let mut reports: Vec<(usize, SourceError)> = Vec::new();
        loop {
            if running.len() < limits.parallel_sources.max(1)
                && let Some(index) = waiting.next()
            {
                asked.push(index);
                let source = &self.shared.sources[index];
                let filled = source.fill(root, pool, &self.budget);
                running.push(filled.map(move |result| (index, result)).boxed());
            }
            let hedge = Instant::now() + limits.hedge_after;
            let may_hedge = waiting.len() > 0 && running.len() < limits.parallel_sources;
            tokio::select! {
                finished = running.next() => match finished {
                    Some((index, Ok(Filled { entries, fault }))) => {
                        self.learn(index, fault.as_ref());
                        return Ok(entries);
                    }
                    // The verdict of `unpack` over verified blocks: no source can have anything better under this CID.
                    Some((_, Err(SourceError::Content(error)))) => return Err(content(*root, *error)),
                    Some((index, Err(error))) => {
                        self.learn(index, Some(&error));
                        reports.push((index, error));
                    }
                    None => return Err(self.unavailable(root, reports)),
                },
                () = sleep_until(hedge.min(deadline)), if may_hedge => {}
                () = sleep_until(deadline) => {}
            }
            if Instant::now() >= deadline {
                let silent = asked.iter().filter(|index| !reports.iter().any(|(reported, _)| reported == *index));
                let late: Vec<_> = silent.map(|index| (*index, SourceError::late())).collect();
                late.iter().for_each(|(index, error)| self.learn(*index, Some(error)));
                reports.extend(late);
                return Err(self.unavailable(root, reports));
            }
        }
    }

    fn learn(&self, index: usize, error: Option<&SourceError>) {
        let name = self.shared.sources[index].name();
        let mut demerits = lock(&self.shared.demerits);
        match error {
            None => demerits[index] /= 2,
            Some(error) => {
                let charge = if error.is_lie() { DEMERITS_LIE } else { DEMERITS_FAILURE };
                demerits[index] = demerits[index].saturating_add(charge).min(DEMERITS_MAX);
                tracing::warn!(source = %name, %error, lied = error.is_lie(), "content_source_failed");
            }
        }
    }

    fn unavailable(&self, root: &Cid, reports: Vec<(usize, SourceError)>) -> FetchError {
        let report =
            |(index, error): (usize, SourceError)| SourceReport { source: self.shared.sources[index].name(), error };
        FetchError::Unavailable { cid: *root, reports: reports.into_iter().map(report).collect() }
    }

    /// Copies what was given and belongs to the package into the store. Failing to keep a copy does not fail the fetch.
    async fn keep(&self, root: Cid, pool: Arc<Pool>) {
        let (shared, links) = (Arc::clone(&self.shared), self.budget.links);
        let kept = blocking(move || {
            let blocks = pool.view();
            let mut import = shared.store.import();
            let mut walk = Walk::new(&blocks, [root], links);
            let mut kept = Vec::new();
            while let Some(step) = walk.next()? {
                if let Step::Block(cid, block) = step
                    && blocks.was_given(&cid)
                {
                    kept.push((cid, block));
                }
            }
            import.put_verified(&kept)?;
            Ok::<_, UnpackError>(())
        });
        if let Err(error) = kept.await.map_err(UnpackError::from).and_then(|kept| kept) {
            tracing::warn!(%root, %error, "fetched_package_not_cached");
        }
    }
}

fn content(cid: Cid, source: UnpackError) -> FetchError {
    FetchError::Content { cid, source: Box::new(source) }
}

/// Disk and hashing off the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Cancelled)
}

//! Several JSON-RPC endpoints of one cluster: whichever answers is asked, and what money depends on is held against
//! another one's word (E-07, E-09).

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use assay_sdk::{client::rpc_client, cluster::redacted};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use tokio::time::Instant;
use url::Url;

/// Most endpoints, the first one included.
pub const ENDPOINTS_MAX: usize = 4;
/// An endpoint that did not answer is asked last for this long, and not as a witness: each time would cost a timeout.
const REST: Duration = Duration::from_secs(30);

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) rpc: RpcClient,
    /// Scheme, host and port.
    pub(super) name: String,
    silent_since: Mutex<Option<Instant>>,
}

impl Endpoint {
    fn new(url: &Url, request_timeout: Duration) -> Self {
        let silent_since = Mutex::new(None);
        Self { rpc: rpc_client(url, request_timeout), name: redacted(url), silent_since }
    }

    /// It did, or did not, give an answer of any kind.
    pub(super) fn has_answered(&self, answered: bool) {
        let silent_since = (!answered).then(Instant::now);
        *self.silent_since.lock().unwrap_or_else(PoisonError::into_inner) = silent_since;
    }

    fn rests(&self, now: Instant) -> bool {
        let silent_since = *self.silent_since.lock().unwrap_or_else(PoisonError::into_inner);
        silent_since.is_some_and(|since| now.saturating_duration_since(since) < REST)
    }
}

/// All of them, and the one that is asked first.
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    current: AtomicUsize,
}

impl Endpoints {
    pub(super) fn new<'a>(urls: impl IntoIterator<Item = &'a Url>, request_timeout: Duration) -> Self {
        let all = urls.into_iter().take(ENDPOINTS_MAX).map(|url| Endpoint::new(url, request_timeout)).collect();
        Self { all, current: AtomicUsize::new(0) }
    }

    pub(super) fn get(&self, index: usize) -> Option<&Endpoint> {
        self.all.get(index)
    }

    /// The one that answered last.
    pub(super) fn current(&self) -> usize {
        self.current.load(Ordering::SeqCst)
    }

    /// The next question goes to this one first.
    pub(super) fn prefer(&self, index: usize) {
        if self.current.swap(index, Ordering::SeqCst) != index {
            let endpoint = self.get(index).map_or("", |endpoint| &endpoint.name);
            tracing::warn!(endpoint, "endpoint_changed");
        }
    }

    /// All of them in the order in which they are asked: from the current one on, those that are silent last.
    pub(super) fn in_order(&self, now: Instant) -> Vec<usize> {
        let from = self.current();
        let around = (from..self.all.len()).chain(0..from.min(self.all.len()));
        let (silent, awake): (Vec<_>, Vec<_>) =
            around.partition(|index| self.get(*index).is_some_and(|endpoint| endpoint.rests(now)));
        awake.into_iter().chain(silent).collect()
    }

    /// Whether there is another one than the current one, silent or not.
    pub(super) fn are_several(&self) -> bool {
        self.all.len() > 1
    }

    /// All but the current one that are not silent.
    pub(super) fn witnesses(&self, now: Instant) -> Vec<usize> {
        let current = self.current();
        let is_witness = |index: &usize| *index != current && self.get(*index).is_some_and(|other| !other.rests(now));
        (0..self.all.len()).filter(is_witness).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_07_a_silent_endpoint_is_asked_last_until_it_has_rested() {
        let urls: Vec<Url> = (1..=3).map(|port| format!("http://127.0.0.1:{port}").parse().expect("a URL")).collect();
        let endpoints = Endpoints::new(&urls, Duration::from_secs(1));
        let order = |now| (endpoints.in_order(now), endpoints.witnesses(now));
        assert_eq!(order(Instant::now()), (vec![0, 1, 2], vec![1, 2]));
        endpoints.get(0).expect("there").has_answered(false);
        endpoints.get(2).expect("there").has_answered(false);
        endpoints.prefer(1);
        assert_eq!(order(Instant::now()), (vec![1, 2, 0], vec![]));
        endpoints.get(2).expect("there").has_answered(true);
        assert_eq!(order(Instant::now()), (vec![1, 2, 0], vec![2]));
        assert_eq!(order(Instant::now() + REST), (vec![1, 2, 0], vec![0, 2]));
    }

    #[test]
    fn there_are_never_more_than_are_allowed() {
        let url: Url = "http://127.0.0.1:1".parse().expect("a URL");
        let many = Endpoints::new(std::iter::repeat_n(&url, 9), Duration::ZERO);
        assert_eq!(many.in_order(Instant::now()).len(), ENDPOINTS_MAX);
        assert!(!Endpoints::new([&url], Duration::ZERO).are_several());
    }
}

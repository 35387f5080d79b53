//! The chain's clock between two looks at it.

use std::{collections::VecDeque, time::Instant};

use crate::core::Now;

/// Observations kept; an older one no longer counts, so that a drifting clock is followed.
const OBSERVATIONS_MAX: usize = 32;

/// Estimates the chain's Clock. Each look gives whole seconds, a lower bound; the best bound of the last looks is
/// nearly exact and never ahead, so nothing is sent before its time.
pub(super) struct ChainClock {
    started: Instant,
    /// Chain milliseconds minus our monotonic milliseconds.
    offsets_ms: VecDeque<i64>,
}

impl ChainClock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), offsets_ms: VecDeque::new() }
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn observe(&mut self, chain_unix: i64) {
        let ours = i64::try_from(self.monotonic_ms()).unwrap_or(i64::MAX);
        self.offsets_ms.push_back(chain_unix.saturating_mul(1_000).saturating_sub(ours));
        if self.offsets_ms.len() > OBSERVATIONS_MAX {
            self.offsets_ms.pop_front();
        }
    }

    pub(super) fn now(&self) -> Now {
        let monotonic_ms = self.monotonic_ms();
        let offset = self.offsets_ms.iter().max().copied().unwrap_or(0);
        let chain_ms = offset.saturating_add(i64::try_from(monotonic_ms).unwrap_or(i64::MAX));
        Now { chain_unix: chain_ms.div_euclid(1_000), monotonic_ms }
    }
}

//! The chain's clock between two looks at it (E-22).

use std::{collections::VecDeque, time::Instant};

use crate::core::Now;

/// Observations kept; an older one no longer counts, so that a drifting clock is followed.
const OBSERVATIONS_MAX: usize = 32;
/// A transaction sees the clock of its slot, which is up to a slot behind the time.
const SLOT_LAG_MS: i64 = 450;

/// Estimates the Clock that a transaction sent now would see. Each look gives whole seconds, a lower bound; the best
/// bound of the last looks, less a slot, is late by a fraction of a second and hardly ever early.
pub(super) struct ChainClock {
    started: Instant,
    estimate: Estimate,
}

impl ChainClock {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), estimate: Estimate::default() }
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn observe(&mut self, chain_unix: i64) {
        let monotonic_ms = self.monotonic_ms();
        self.estimate.observe(chain_unix, monotonic_ms);
    }

    pub(super) fn now(&self) -> Now {
        let monotonic_ms = self.monotonic_ms();
        Now { chain_unix: self.estimate.at(monotonic_ms), monotonic_ms }
    }
}

#[derive(Default)]
struct Estimate {
    /// Chain milliseconds minus our monotonic milliseconds.
    offsets_ms: VecDeque<i64>,
}

impl Estimate {
    fn observe(&mut self, chain_unix: i64, monotonic_ms: u64) {
        let ours = i64::try_from(monotonic_ms).unwrap_or(i64::MAX);
        self.offsets_ms.push_back(chain_unix.saturating_mul(1_000).saturating_sub(ours));
        if self.offsets_ms.len() > OBSERVATIONS_MAX {
            self.offsets_ms.pop_front();
        }
    }

    fn at(&self, monotonic_ms: u64) -> i64 {
        let offset = self.offsets_ms.iter().max().copied().unwrap_or(0);
        let ours = i64::try_from(monotonic_ms).unwrap_or(i64::MAX);
        offset.saturating_add(ours).saturating_sub(SLOT_LAG_MS).div_euclid(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a bank with 400 ms slots shows: the time at which its slot began, in whole seconds.
    fn bank_clock(ms: u64) -> i64 {
        i64::try_from(1_000_000 + ms / 400 * 400).expect("small").div_euclid(1_000)
    }

    #[test]
    fn e_22_the_estimate_is_never_ahead_of_a_bank_and_late_by_less_than_a_second() {
        let mut estimate = Estimate::default();
        for ms in (0..60_000).step_by(170) {
            estimate.observe(bank_clock(ms), ms);
            let late = bank_clock(ms) - estimate.at(ms);
            assert!((0..=1).contains(&late) || (ms < 2_000 && late <= 2), "{late} s late at {ms} ms");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let mut estimate = Estimate::default();
        estimate.observe(5_000, 0);
        for ms in 0..40 {
            estimate.observe(1_000, ms);
        }
        assert!(estimate.at(40) <= 1_000);
    }
}

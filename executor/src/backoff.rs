//! Pauses after failures: doubled each time, jittered, bounded (E-07).

use std::time::Duration;

use rand::Rng;

/// The next pause grows with every failure in a row.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// From a first to a longest pause.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// Something worked.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Half of the present pause and a random share of the other half, so that many bots do not come back together.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = self.next.saturating_mul(2).min(self.longest);
        let half = pause / 2;
        half + half.mul_f64(rand::rng().random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_07_pauses_grow_to_their_bound_and_start_over() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<Duration> = (0..10).map(|_| backoff.next_pause()).collect();
        assert!(pauses[0] >= Duration::from_millis(50) && pauses[0] <= Duration::from_millis(100));
        assert!(pauses[9] >= Duration::from_millis(500) && pauses[9] <= Duration::from_secs(1));
        backoff.reset();
        assert!(backoff.next_pause() <= Duration::from_millis(100));
    }
}

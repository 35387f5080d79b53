//! Modules whose results differed.

use super::{Demands, POOR, Verdict};
use crate::state::{Key, Model, Module, rent_lamports, size};

/// Logarithms to the base of two of 0 to 9, in 1/1,000; that of 0 is never asked for.
const LOG2_MILLI: [u64; 10] = [0, 0, 1_000, 1_585, 2_000, 2_322, 2_585, 2_807, 3_000, 3_170];

impl Model {
    /// The address of what is known of a metered module in a market.
    #[must_use]
    pub fn module_key(&self, market: Key, metered_hash: &[u8; 32]) -> Key {
        self.at(&[b"module", &market.0, metered_hash])
    }

    /// Once per job, when nobody reveals any more, where there was more than one outcome.
    pub(super) fn record_collision(&mut self, payer: Key, key: Key) -> Verdict {
        let (job, now) = (self.job(key)?, self.now_unix);
        let at = self.module_key(job.market, &job.metered_hash);
        let known = self.modules.get(&at).copied();
        let cost = if known.is_some() { 0 } else { self.cost(at, rent_lamports(size::MODULE), 0) };
        let counts: Vec<u8> = job.tally.entries().map(|entry| entry.count).collect();
        let mut demands = Demands::default();
        demands.that(job.status.is_counted() && counts.len() > 1 && !job.collision_recorded, "NoCollision");
        demands.that(self.balance(payer) >= cost, POOR);
        demands.met()?;
        let before = known.unwrap_or(Module {
            market: job.market,
            metered_hash: job.metered_hash,
            last_job: key,
            collisions: 0,
            distinct_max: 0,
            entropy_millibits_sum: 0,
            last_unix: now,
        });
        let after = Module {
            last_job: key,
            collisions: before.collisions + 1,
            distinct_max: before.distinct_max.max(u8::try_from(counts.len()).expect("nine at most")),
            entropy_millibits_sum: before.entropy_millibits_sum + entropy_millibits(&counts),
            last_unix: now,
            ..before
        };
        self.modules.insert(at, after);
        self.job_mut(key).collision_recorded = true;
        self.pay(payer, at, cost);
        Ok(())
    }
}

/// `⌊(N × log2 N − Σ c × log2 c) / N⌋` of counts `c` with the sum `N`, 1/1,000 bit.
fn entropy_millibits(counts: &[u8]) -> u64 {
    let total: u8 = counts.iter().sum();
    let term = |count: u8| u64::from(count) * LOG2_MILLI[usize::from(count)];
    (term(total) - counts.iter().map(|count| term(*count)).sum::<u64>()) / u64::from(total)
}

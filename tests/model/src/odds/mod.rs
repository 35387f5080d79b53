//! What the draws give in numbers: shares, times, and how often somebody with part of the stake gets its way.
//!
//! Seats are drawn again and again (Monte Carlo, fixed seeds); juries, of which only two sums matter, are summed up exactly, so
//! that chances of one in a million are no guess. `tools/draw-table` prints it all.

pub mod juries;
pub mod seats;
mod tables;

pub use tables::tables;

/// Tries that the leader of a seed's slot may have: ends of its block, each a handful of hashes, that some cores get through in its
/// 400 ms. What a seed draws costs next to nothing to see.
pub const GRINDING_TRIES: i32 = 1_000_000;

/// The chance that at least one of the leader's tries succeeds.
#[must_use]
pub fn ground(chance: f64) -> f64 {
    1.0 - (1.0 - chance).powi(GRINDING_TRIES)
}

/// What the generator's state grows by.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Splitmix64: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Begins a sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The 64 bits that come after so many others.
    #[must_use]
    pub const fn after(mut self, others: u64) -> u64 {
        self.0 = self.0.wrapping_add(others.wrapping_mul(STEP));
        self.next_u64()
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number under `bound`, which is above zero. The bias is under 2^-40 for every bound that is used here.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }

    /// Puts things into a random order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).expect("an index");
            things.swap(last, other);
        }
    }
}

//! The price of a compute unit, which rises while transactions do not land (E-14).

/// Price of the first step up from nothing, micro-lamports per compute unit.
const FIRST_STEP_MICRO_LAMPORTS: u64 = 10_000;
/// How many times as much each further step costs.
const STEP_FACTOR: u64 = 4;
/// Micro-lamports in a lamport.
const MICRO_LAMPORTS: u64 = 1_000_000;

/// What is offered for a compute unit, try by try. The steps are wide: a transaction that was not taken at one price is
/// not taken at a slightly higher one, and each try costs time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeLadder {
    /// Of the first try, micro-lamports per compute unit.
    pub first_micro_lamports: u64,
    /// Of the highest step, micro-lamports per compute unit. Not above the first: the price never rises.
    pub max_micro_lamports: u64,
}

impl FeeLadder {
    /// From nothing to an amount that is small beside the fee of any job: 25,000 lamports for 100,000 compute units.
    pub const DEFAULT: Self = Self { first_micro_lamports: 0, max_micro_lamports: 250_000 };

    /// Micro-lamports per compute unit after so many tries that did not land.
    #[must_use]
    pub fn price(&self, step: u8) -> u64 {
        let first = self.first_micro_lamports;
        let Some(rises) = step.checked_sub(1) else { return first };
        let begun = first.saturating_mul(STEP_FACTOR).max(FIRST_STEP_MICRO_LAMPORTS);
        begun.saturating_mul(STEP_FACTOR.saturating_pow(rises.into())).min(self.max_micro_lamports).max(first)
    }

    /// As [`Self::price`], for a transaction of so many compute units which is worth so many lamports to its sender: no
    /// step is worth more than that. What is offered at first is offered whatever it is worth.
    #[must_use]
    pub fn price_within(&self, step: u8, units: u32, worth_lamports: u64) -> u64 {
        let affordable = worth_lamports.saturating_mul(MICRO_LAMPORTS) / u64::from(units.max(1));
        self.price(step).min(affordable).max(self.first_micro_lamports)
    }

    /// Lamports that so many compute units cost at most, after so many tries that did not land.
    #[must_use]
    pub fn lamports(&self, step: u8, units: u32) -> u64 {
        self.price(step).saturating_mul(units.into()).div_ceil(MICRO_LAMPORTS)
    }
}

impl Default for FeeLadder {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_14_the_price_rises_from_the_first_to_the_highest_and_stays_there() {
        let prices = |first_micro_lamports, max_micro_lamports| {
            let ladder = FeeLadder { first_micro_lamports, max_micro_lamports };
            [0, 1, 2, 3, 4, u8::MAX].map(|step| ladder.price(step))
        };
        assert_eq!(prices(0, 250_000), [0, 10_000, 40_000, 160_000, 250_000, 250_000]);
        assert_eq!(prices(5_000, 250_000), [5_000, 20_000, 80_000, 250_000, 250_000, 250_000]);
        assert_eq!(prices(7, 0), [7; 6], "the price that was asked for is never lowered");
        assert_eq!(prices(u64::MAX, 1), [u64::MAX; 6]);
    }

    #[test]
    fn e_14_no_step_costs_more_than_the_transaction_is_worth() {
        let ladder = FeeLadder { first_micro_lamports: 5_000, max_micro_lamports: 250_000 };
        // 40,000 units and 20,000 lamports: half a lamport a unit can be spent, and more than the cap.
        assert_eq!(ladder.price_within(9, 40_000, 20_000), 250_000);
        assert_eq!(ladder.price_within(9, 40_000, 1_000), 25_000);
        assert_eq!(ladder.price_within(9, 40_000, 0), 5_000);
        assert_eq!(ladder.price_within(9, 0, u64::MAX), 250_000);
        assert_eq!((ladder.lamports(0, 40_000), ladder.lamports(9, 40_000), ladder.lamports(1, 1)), (200, 10_000, 1));
    }
}

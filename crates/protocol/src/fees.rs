//! Fee, bond and penalty arithmetic. Integers only, `u128` in the middle, rounded down; what rounding leaves is the
//! poster's (I-05).

use core::fmt;

use crate::{
    limits::{BPS_ONE, PRICE_UNIT_GAS},
    outcome::{Outcome, OutcomeKind},
};

/// A sum left the range of `u64` lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeError;

impl fmt::Display for FeeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount does not fit 64 bits of lamports")
    }
}

impl core::error::Error for FeeError {}

/// What one job pays for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Paid for any outcome, lamports.
    pub base_fee_lamports: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
}

impl Price {
    /// `base fee + floor(gas × price / 10^12)`, lamports.
    ///
    /// # Errors
    /// [`FeeError`] when the sum leaves `u64`.
    pub fn pay(&self, gas: u64) -> Result<u64, FeeError> {
        let product = u128::from(gas).checked_mul(u128::from(self.price)).ok_or(FeeError)?;
        let variable = product.checked_div(u128::from(PRICE_UNIT_GAS)).ok_or(FeeError)?;
        let total = variable.checked_add(u128::from(self.base_fee_lamports)).ok_or(FeeError)?;
        u64::try_from(total).map_err(|_| FeeError)
    }

    /// What an outcome pays: [`Self::pay`] of its gas; the base fee alone when it is `Invalid`.
    ///
    /// # Errors
    /// As [`Self::pay`].
    pub fn pay_for(&self, outcome: &Outcome) -> Result<u64, FeeError> {
        match outcome.kind {
            OutcomeKind::Invalid => Ok(self.base_fee_lamports),
            _ => self.pay(outcome.gas_used),
        }
    }
}

/// `floor(amount × bps / 10,000)`, lamports.
///
/// # Errors
/// [`FeeError`] when the result leaves `u64`, which takes a rate above one whole.
pub fn share_bps(amount_lamports: u64, bps: u32) -> Result<u64, FeeError> {
    let product = u128::from(amount_lamports).checked_mul(u128::from(bps)).ok_or(FeeError)?;
    let share = product.checked_div(u128::from(BPS_ONE)).ok_or(FeeError)?;
    u64::try_from(share).map_err(|_| FeeError)
}

/// What a poster pays in: every seat at its most, and the market's fee on top.
/// `n × max pay + floor(n × max pay × fee)`.
///
/// # Errors
/// [`FeeError`] when the sum leaves `u64`.
pub fn escrow_required(max_pay_lamports: u64, redundancy: u8, fee_bps: u16) -> Result<u64, FeeError> {
    let pay = max_pay_lamports.checked_mul(u64::from(redundancy)).ok_or(FeeError)?;
    pay.checked_add(share_bps(pay, u32::from(fee_bps))?).ok_or(FeeError)
}

/// The bond of a seat: `max(minimum, floor(max pay × rate))`; the rate is at least one whole.
///
/// # Errors
/// [`FeeError`] when the result leaves `u64`.
pub fn bond(max_pay_lamports: u64, minimum_lamports: u64, rate_bps: u32) -> Result<u64, FeeError> {
    Ok(share_bps(max_pay_lamports, rate_bps)?.max(minimum_lamports))
}

/// How a missed deadline's penalty is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// To the poster: at most the fixed delay fee, so that nobody provokes misses for profit (P-20).
    pub poster_lamports: u64,
    /// To the Sink, which nobody can empty.
    pub sink_lamports: u64,
}

/// Splits `floor(bond × rate)`: the poster gets at most `delay_fee_lamports`, the Sink the rest. Never more than the
/// bond, because the rate is at most one whole.
///
/// # Errors
/// [`FeeError`] when the arithmetic leaves `u64`.
pub fn miss_penalty(bond_lamports: u64, rate_bps: u16, delay_fee_lamports: u64) -> Result<Penalty, FeeError> {
    let total = share_bps(bond_lamports, u32::from(rate_bps))?.min(bond_lamports);
    let poster_lamports = total.min(delay_fee_lamports);
    let sink_lamports = total.checked_sub(poster_lamports).ok_or(FeeError)?;
    Ok(Penalty { poster_lamports, sink_lamports })
}

/// What giving a seat back depends on, see [`Self::cost`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// Bond of the seat, lamports.
    pub bond_lamports: u64,
    /// Share of the bond lost by a missed deadline, basis points, at most one whole.
    pub miss_rate_bps: u16,
    /// Least cost, lamports.
    pub fee_lamports: u64,
    /// Seconds from accepting to the deadline.
    pub execution_s: u32,
}

impl Decline {
    /// What a seat costs that is given back after `held_s` seconds, lamports: the miss penalty's share for the time it was
    /// held, `floor(floor(bond × rate) × held / execution)`, at least the fee, at most the bond. So whoever keeps a job
    /// from others by taking it and giving it back pays for that time as for a miss, however often and under however
    /// many names it is done (P-23), and giving back is never dearer than missing.
    ///
    /// # Errors
    /// [`FeeError`] when the arithmetic leaves `u64`.
    pub fn cost(&self, held_s: u64) -> Result<u64, FeeError> {
        let execution_s = u64::from(self.execution_s).max(1);
        let penalty = share_bps(self.bond_lamports, u32::from(self.miss_rate_bps))?;
        let product = u128::from(penalty).checked_mul(u128::from(held_s.min(execution_s))).ok_or(FeeError)?;
        let share = product.checked_div(u128::from(execution_s)).ok_or(FeeError)?;
        let share = u64::try_from(share).map_err(|_| FeeError)?;
        Ok(share.max(self.fee_lamports).min(self.bond_lamports))
    }
}

/// `base + ceil(gas limit / verify rate)` seconds: no window is shorter than re-execution takes. A verify rate of
/// zero is refused by the market's bounds; here it counts as one.
#[must_use]
pub fn window_s(base_s: u32, gas_limit: u64, verify_rate_gas_per_s: u64) -> u64 {
    let work_s = gas_limit.div_ceil(verify_rate_gas_per_s.max(1));
    u64::from(base_s).saturating_add(work_s)
}

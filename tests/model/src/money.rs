//! Amounts, in u128 throughout and rounded down.

/// A share in basis points.
#[must_use]
pub fn share(amount: u64, bps: u32) -> u64 {
    fit(u128::from(amount) * u128::from(bps) / 10_000)
}

/// What so much gas pays.
#[must_use]
pub fn pay(base_fee: u64, price: u64, gas: u64) -> u64 {
    fit(u128::from(base_fee) + u128::from(gas) * u128::from(price) / 1_000_000_000_000)
}

/// What this outcome pays: one that could not run, the base fee alone.
#[must_use]
pub fn pay_of(base_fee: u64, price: u64, outcome: &[u8; 79]) -> u64 {
    if outcome[0] == 5 {
        return base_fee;
    }
    let gas = outcome[7..15].iter().rev().fold(0, |sum, byte| sum * 256 + u64::from(*byte));
    pay(base_fee, price, gas)
}

/// What a poster pays in for so many seats.
#[must_use]
pub fn escrow(pay_max: u64, seats: u8, fee_bps: u16) -> u64 {
    let pays = u128::from(pay_max) * u128::from(seats);
    fit(pays + pays * u128::from(fee_bps) / 10_000)
}

/// Amounts stay far inside 64 bits: there are fewer lamports than that.
fn fit(amount: u128) -> u64 {
    u64::try_from(amount).expect("the schedules stay inside the protocol's bounds")
}

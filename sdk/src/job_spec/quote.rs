//! What a job can cost.

use assay_protocol::{FeeError, MarketTerms, Mode, fees, fees::Price, seats_max, seats_paid_max};

/// The most that a job can cost, component by component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Paid for any outcome, all seats that may have to be paid.
    pub base_fee_lamports: u64,
    /// Gas limit at the price, all those seats.
    pub gas_lamports: u64,
    /// The market's fee on both.
    pub market_fee_lamports: u64,
    /// What is paid in: the three above. What is not used comes back.
    pub escrow_lamports: u64,
    /// Rent of the job account; comes back when the job is closed.
    pub rent_lamports: u64,
    /// Fee of the transaction that posts the job.
    pub transaction_fee_lamports: u64,
    /// What the poster's balance needs.
    pub total_lamports: u64,
}

/// What a quote depends on.
#[derive(Clone, Copy, Debug)]
pub struct QuoteInput<'a> {
    /// Price and base fee.
    pub price: Price,
    /// Most gas.
    pub gas_limit: u64,
    /// Seats.
    pub redundancy: u8,
    /// How the result is found.
    pub mode: Mode,
    /// The market's terms.
    pub terms: &'a MarketTerms,
    /// Rent of a job account.
    pub rent_lamports: u64,
    /// Fee of one transaction.
    pub transaction_fee_lamports: u64,
}

impl Quote {
    /// Computes a quote as the program does.
    ///
    /// # Errors
    /// [`FeeError`] when a sum leaves 64 bits of lamports.
    pub fn new(input: &QuoteInput<'_>) -> Result<Self, FeeError> {
        let seats_max = seats_max(input.mode, input.redundancy, input.terms.executions_max);
        let seats_paid = seats_paid_max(input.mode, input.redundancy, seats_max);
        let seats = u64::from(seats_paid);
        let max_pay_lamports = input.price.pay(input.gas_limit)?;
        let escrow_lamports = fees::escrow_required(max_pay_lamports, seats_paid, input.terms.fee_bps)?;
        let pay_lamports = max_pay_lamports.checked_mul(seats).ok_or(FeeError)?;
        let base_fee_lamports = input.price.base_fee_lamports.checked_mul(seats).ok_or(FeeError)?;
        let total_lamports = escrow_lamports
            .checked_add(input.rent_lamports)
            .and_then(|sum| sum.checked_add(input.transaction_fee_lamports))
            .ok_or(FeeError)?;
        Ok(Self {
            base_fee_lamports,
            gas_lamports: pay_lamports.checked_sub(base_fee_lamports).ok_or(FeeError)?,
            market_fee_lamports: escrow_lamports.checked_sub(pay_lamports).ok_or(FeeError)?,
            escrow_lamports,
            rent_lamports: input.rent_lamports,
            transaction_fee_lamports: input.transaction_fee_lamports,
            total_lamports,
        })
    }
}

//! Accounts of which an instruction changes few of many fields.

use core::marker::PhantomData;

use anchor_lang::{error::ErrorCode, prelude::*, Discriminator};

use super::{sum_lamports, Job, Market};

/// A Job as its bytes lie.
pub type RawJob = Raw<Job>;
/// A Market as its bytes lie.
pub type RawMarket = Raw<Market>;

/// An account as its bytes lie: one copy each way, where Borsh moves every field by itself. An instruction that changes three of
/// a hundred fields spends less on all the rest than on those.
#[derive(Clone, Debug)]
pub struct Raw<T> {
    bytes: Vec<u8>,
    of: PhantomData<T>,
}

impl<T: AccountDeserialize> Raw<T> {
    /// All fields.
    ///
    /// # Errors
    /// Anchor's, for bytes that are no such account.
    pub fn read(&self) -> Result<T> {
        T::try_deserialize_unchecked(&mut self.bytes.as_slice())
    }
}

impl<T> Raw<T> {
    fn number(&self, offset: usize) -> Result<u64> {
        let bytes = self.bytes.get(offset..).and_then(|rest| rest.first_chunk());
        Ok(u64::from_le_bytes(*bytes.ok_or(ErrorCode::AccountDidNotDeserialize)?))
    }

    fn put<const BYTES: usize>(&mut self, offset: usize, value: [u8; BYTES]) -> Result<()> {
        let bytes = self.bytes.get_mut(offset..).and_then(|rest| rest.first_chunk_mut());
        *bytes.ok_or(ErrorCode::AccountDidNotSerialize)? = value;
        Ok(())
    }
}

impl RawJob {
    const EXECUTIONS_OPEN: usize = 370;
    const ESCROW_LAMPORTS: usize = 626;
    const COMPENSATION_LAMPORTS: usize = 634;

    /// Writes what settling a seat changes of a job: escrow, compensation, the number of its Executions.
    ///
    /// # Errors
    /// Anchor's, for bytes that are no Job.
    pub fn write_settled(&mut self, job: &Job) -> Result<()> {
        self.put(Self::EXECUTIONS_OPEN, [job.executions_open])?;
        self.put(Self::ESCROW_LAMPORTS, job.escrow_lamports.to_le_bytes())?;
        self.put(Self::COMPENSATION_LAMPORTS, job.compensation_lamports.to_le_bytes())
    }
}

impl RawMarket {
    const FEES_LAMPORTS: usize = 203;
    const RENT_LAMPORTS: usize = 479;
    const TICKETS_TOTAL: usize = 487;
    const DUTY_TICKETS_TOTAL: usize = 495;

    /// Fees to be claimed, lamports.
    ///
    /// # Errors
    /// Anchor's, for bytes that are no Market.
    pub fn fees_lamports(&self) -> Result<u64> {
        self.number(Self::FEES_LAMPORTS)
    }

    /// Writes them.
    ///
    /// # Errors
    /// Anchor's, for bytes that are no Market.
    pub fn write_fees(&mut self, lamports: u64) -> Result<()> {
        self.put(Self::FEES_LAMPORTS, lamports.to_le_bytes())
    }

    /// Writes what a loss of stake changes of a market: the sums of tickets.
    ///
    /// # Errors
    /// Anchor's, for bytes that are no Market.
    pub fn write_tickets(&mut self, market: &Market) -> Result<()> {
        self.put(Self::TICKETS_TOTAL, market.tickets_total.to_le_bytes())?;
        self.put(Self::DUTY_TICKETS_TOTAL, market.duty_tickets_total.to_le_bytes())
    }

    /// Rent and fees, see [`super::Ledger`].
    ///
    /// # Errors
    /// [`crate::errors::AssayError::AmountOverflow`] when the sum leaves `u64`.
    pub fn owed_lamports(&self) -> Result<u64> {
        sum_lamports(&[self.number(Self::RENT_LAMPORTS)?, self.fees_lamports()?])
    }
}

impl<T: Discriminator + Space> AccountDeserialize for Raw<T> {
    fn try_deserialize(bytes: &mut &[u8]) -> Result<Self> {
        require!(bytes.starts_with(T::DISCRIMINATOR), ErrorCode::AccountDiscriminatorMismatch);
        let least_bytes = T::DISCRIMINATOR.len().saturating_add(T::INIT_SPACE);
        require!(bytes.len() >= least_bytes, ErrorCode::AccountDidNotDeserialize);
        Self::try_deserialize_unchecked(bytes)
    }

    fn try_deserialize_unchecked(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Self { bytes: bytes.to_vec(), of: PhantomData })
    }
}

impl<T> AccountSerialize for Raw<T> {
    fn try_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<()> {
        writer.write_all(&self.bytes).map_err(|_| ErrorCode::AccountDidNotSerialize.into())
    }
}

impl<T> Owner for Raw<T> {
    fn owner() -> Pubkey {
        crate::ID
    }
}

impl<T: Discriminator> Discriminator for Raw<T> {
    const DISCRIMINATOR: &'static [u8] = T::DISCRIMINATOR;
}

#[cfg(feature = "idl-build")]
impl<T> anchor_lang::IdlBuild for Raw<T> {}

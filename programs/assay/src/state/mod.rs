//! The accounts. Each begins with version, bump and status (one byte each), then public keys, so that filters by
//! memcmp stay stable; each ends with reserved bytes. Fields are the ledger: lamports beyond `rent_lamports` and the
//! fields are a donation that belongs to nobody until the account closes.

mod challenge;
mod dispute;
mod execution;
mod job;
mod job_seats;
mod market;
mod module;
pub(crate) mod packed;
mod provider;
mod sink;
mod vote;

use anchor_lang::prelude::*;

use crate::errors::AssayError;

pub use challenge::Challenge;
pub use dispute::{Dispute, Jury};
pub use execution::Execution;
pub use job::{
    deadline_unix, Job, AUDIT_DRAWN, AUDIT_NOT_DRAWN, AUDIT_SEED_PENDING, FILL_ARBITRATION, FILL_AUDIT, FILL_FIRST,
    KIND_SINGLE,
};
pub use job_seats::Seated;
pub use market::Market;
pub use module::Module;
pub use provider::{Hold, Provider};
pub use sink::Sink;
pub use vote::Vote;

// Layouts change only by appending into the reserve; a size that moves breaks every account already on chain.
const _: () = assert!(Market::SIZE_BYTES == 8 + 559);
const _: () = assert!(Provider::SIZE_BYTES == 8 + 394);
const _: () = assert!(Job::SIZE_BYTES == 8 + 1_357);
const _: () = assert!(Execution::SIZE_BYTES == 8 + 308);
const _: () = assert!(Dispute::SIZE_BYTES == 8 + 1_302);
const _: () = assert!(Challenge::SIZE_BYTES == 8 + 187);
const _: () = assert!(Vote::SIZE_BYTES == 8 + 204);
const _: () = assert!(Module::SIZE_BYTES == 8 + 160);
const _: () = assert!(Sink::SIZE_BYTES == 8 + 43);

/// Status of an account that has no life cycle of its own.
pub const STATUS_ACTIVE: u8 = 1;

/// First seed of each program-derived address. None begins with another, and the seeds after it have fixed widths, so no two
/// accounts share one preimage.
pub mod seeds {
    /// Market: then creator, name.
    pub const MARKET: &[u8] = b"market";
    /// Provider: then market, authority.
    pub const PROVIDER: &[u8] = b"provider";
    /// Job: then market, poster, id (u64 LE).
    pub const JOB: &[u8] = b"job";
    /// Execution: then job, provider.
    pub const EXECUTION: &[u8] = b"execution";
    /// Dispute: then job, index (u8).
    pub const DISPUTE: &[u8] = b"dispute";
    /// Challenge: then dispute, challenger.
    pub const CHALLENGE: &[u8] = b"challenge";
    /// Vote: then dispute, round (u8), provider.
    pub const VOTE: &[u8] = b"vote";
    /// Module: then market, metered hash.
    pub const MODULE: &[u8] = b"module";
    /// Sink: nothing else.
    pub const SINK: &[u8] = b"sink";
}

/// An account whose lamports are owed to somebody.
pub trait Ledger {
    /// Least lamports that this account must hold: its rent and the sum of its ledger fields.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the sum leaves `u64`.
    fn owed_lamports(&self) -> Result<u64>;
}

/// Adds ledger fields.
///
/// # Errors
/// [`AssayError::AmountOverflow`] when the sum leaves `u64`.
fn sum_lamports(fields: &[u64]) -> Result<u64> {
    let mut total: u64 = 0;
    for field in fields {
        total = total.checked_add(*field).ok_or(AssayError::AmountOverflow)?;
    }
    Ok(total)
}

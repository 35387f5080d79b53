//! An embedded network for demo and tests: a real ledger with real servers, in this process.

pub mod ledger;

pub use ledger::{Ledger, LedgerConfig, LedgerError};

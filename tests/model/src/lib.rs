//! The protocol once more, in plain Rust: no Anchor, none of the program's code, of the protocol crate its hashes and
//! encodings alone. Everything is said as naively as it can be, so that it can be read beside docs/PROTOCOL.md.

pub mod act;
pub mod cast;
pub mod draw;
pub mod money;
pub mod odds;
pub mod promises;
pub mod rules;
pub mod schedule;
pub mod state;
pub mod tally;

use assay_protocol::Outcome;

/// Whether these are the one encoding of an outcome that fits this gas limit.
#[must_use]
pub fn is_canonical(outcome: &[u8; 79], gas_limit: u64) -> bool {
    Outcome::decode(outcome, gas_limit).is_ok()
}

/// What results are compared by.
#[must_use]
pub fn outcome_hash(outcome: &[u8; 79]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::new().chain_update(b"assay:outcome:v1").chain_update(outcome).finalize().into()
}

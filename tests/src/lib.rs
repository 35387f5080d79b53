//! Suites that cross crates: the committed program on a ledger of its own, attacks on it, properties, and the whole
//! path from a poster's command to a provider's pay. This library is what the suites share.

pub mod call;
pub mod calls;
pub mod compute;
pub mod court;
pub mod dispute_calls;
pub mod dispute_compute;
pub mod idl;
pub mod invariants;
pub mod mutate;
pub mod panel;
pub mod party;
pub mod refusal;
pub mod scenario;
pub mod trial;
pub mod verdict_calls;
pub mod world;

/// The program's types as the committed IDL spells them, with the conversions to the protocol's.
pub use assay_sdk::program as assay;

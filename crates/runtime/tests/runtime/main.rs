//! What guests see, and how runs end.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod abi;
mod artifacts;
#[path = "../corpus/operators.rs"]
mod corpus;
mod engines;
mod guest;
mod programs;
mod sandbox;
mod tree;
mod wasi;

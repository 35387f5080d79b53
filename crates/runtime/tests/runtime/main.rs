//! What guests see, and how runs end.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod abi;
mod artifacts;
#[cfg(target_os = "linux")]
mod bombs;
#[path = "../corpus/mod.rs"]
mod corpus;
mod differential;
mod endings;
mod engines;
mod guest;
mod programs;
mod real_programs;
mod sandbox;
mod trace;
mod tree;
mod vectors;
mod wasi;

//! Deterministic execution of metered modules.
//!
//! [`run`] is a pure function of its [`RunRequest`]: module, arguments, files, limits, seed and clock determine how the
//! program ends, what it writes and how much gas it uses, to the byte (I-08). What is not deterministic, an engine that
//! fails or a host without memory, is a [`HostFault`] and is never a result. There is no wall clock in here: who needs
//! one runs this in a process that can be killed.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod artifact;
mod cache;
mod effort;
mod engine;
mod fs;
mod options;
mod report;
mod request;
mod run;
#[cfg(test)]
#[path = "../tests/spec/mod.rs"]
mod spec;
pub mod trace;
mod wasi;

pub use artifact::{ArtifactKey, ArtifactStore, Handover, ModuleName};
pub use cache::{ARTIFACT_BYTES_MAX, ArtifactCache, CacheBytes, CacheCounts, CacheError, CacheLimits};
pub use effort::{COMPILE_EFFORT_MAX, compile_effort};
pub use engine::{EngineKind, RESERVED_ADDRESS_BYTES, compiled_code_identity};
pub use fs::{FileTree, Node, PathError};
pub use options::{BeforeGuest, Engine, Run, RunOptions, UnknownEngine, Variant};
pub use report::{End, HostFault, RunReport};
pub use request::{EntryPoint, RunRequest};
pub use run::{run, run_with};

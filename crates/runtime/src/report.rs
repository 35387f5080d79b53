//! How a run ended: a result, or a host fault.

use assay_protocol::{InvalidReason, Trap};
use thiserror::Error;

use crate::fs::FileTree;

/// How the program ended. Every variant is a result: deterministic, signable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It returned or called `proc_exit` with this code.
    Exited(u32),
    /// It trapped.
    Trapped(Trap),
    /// It reached the gas limit.
    OutOfGas,
    /// It exited with this code, and stdout, stderr and the output together exceed the limit.
    OutputTooLarge(u32),
    /// It cannot be run at all.
    Invalid(InvalidReason),
}

/// What a run gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// How it ended.
    pub end: End,
    /// Gas used: at most the limit, exactly the limit when out of gas, zero when invalid.
    pub gas_used: u64,
    /// Most stack in use at once, bytes, by the rule of docs/METERING.md.
    pub stack_peak_bytes: u64,
    /// Most linear memory, bytes. Memory never shrinks, so this is its size at the end.
    pub memory_peak_bytes: u64,
    /// What was written to stdout, cut at the limit.
    pub stdout: Vec<u8>,
    /// What was written to stderr, cut at the limit.
    pub stderr: Vec<u8>,
    /// Whether stdout was cut.
    pub stdout_cut: bool,
    /// Whether stderr was cut.
    pub stderr_cut: bool,
    /// What is under the output path, relative to it; empty unless the program exited within its limits.
    pub output: FileTree,
}

/// This host could not run the program to its end. Says nothing about the program and is never signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostFault {
    /// The host did not give the memory that the job's limits allow.
    #[error(
        "run the program: this host did not give it the memory that its limits allow; free memory or take jobs with less"
    )]
    OutOfMemory,
    /// The engine's own stack overflowed below the job's deterministic limit.
    #[error(
        "run the program: the engine's own stack overflowed below the job's limit; this is a fault of the engine's settings, report it"
    )]
    EngineStack,
    /// Compiling would take longer than a run is worth.
    #[error(
        "run the program: it is too large or too intricate to be compiled in a few seconds; run it with the engine wasmi or auto"
    )]
    CompileEffort,
    /// The engine refused or failed in a way that a metered module cannot cause.
    #[error("run the program: the engine failed: {0}; the metered module and this engine do not fit, report it")]
    Engine(String),
    /// The fast variant gave no answer, and since [`crate::RunOptions::before_guest`], or because of
    /// [`crate::RunOptions::compiled_elsewhere`], nothing is compiled here.
    #[error(
        "run the program: its fast variant gave no answer, and this process compiles nothing any more; run the program \
         itself, variant G, in a new one"
    )]
    Repeat,
    /// Another process compiles ([`crate::RunOptions::compiled_elsewhere`]) and the store has no code of this variant that
    /// fits. Nothing was run.
    #[error(
        "run the program: the store has no compiled code of variant {} and this process makes none; compile it in another",
        .0.letter()
    )]
    NotCompiled(crate::Variant),
    /// [`crate::RunOptions::before_guest`] failed.
    #[error("run the program: this process could not give up what a guest must not have: {0}; nothing was run")]
    Unconfined(String),
    /// The host did not start the thread that runs the engine.
    #[error("run the program: this host starts no thread for it; raise its limits on threads and memory")]
    Thread,
    /// The request breaks a rule that the caller must keep, such as limits outside the protocol's bounds.
    #[error("run the program: the request is not valid: {0}")]
    Request(&'static str),
}

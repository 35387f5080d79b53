//! Engines: what runs a metered module. Which one changes time and nothing else.
//!
//! An engine gives an [`Instance`], which does as little as possible; [`machine::Machine`] around it is the same for
//! all, and so are the host functions in [`crate::wasi`].

mod machine;
mod wasmi;
mod wasmi_repair;
mod wasmtime;

use assay_protocol::limits::STACK_BYTES_MAX;

pub(crate) use machine::{Figures, Halt, Interruption, Machine};
pub(crate) use wasmi::{Hooks, WasmiInstance};
pub use wasmtime::{RESERVED_ADDRESS_BYTES, compiled_code_identity};
pub(crate) use wasmtime::{WasmtimeInstance, compile};

use crate::{
    Variant, artifact,
    wasi::{Args, Call, Gas, Handler, Memory, Stop, Wasi},
};

/// Names the engine that ran a program, for receipts and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// The interpreter, the reference.
    Wasmi,
    /// The compiler.
    Wasmtime,
}

impl EngineKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wasmi => "wasmi",
            Self::Wasmtime => "wasmtime",
        }
    }

    /// The engine of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Wasmi, Self::Wasmtime].into_iter().find(|kind| kind.name() == name)
    }

    /// Its version.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Wasmi => "2.0.0",
            Self::Wasmtime => "48.0.8",
        }
    }

    /// Native stack of the thread that runs it, bytes.
    pub(crate) const fn native_stack_bytes(self) -> usize {
        match self {
            Self::Wasmi => wasmi::NATIVE_STACK_BYTES,
            Self::Wasmtime => wasmtime::NATIVE_STACK_BYTES,
        }
    }
}

/// The engine's own stack is this many times the deterministic limit, so that the limit is always reached first.
const STACK_FACTOR: usize = 8;
/// Stack that an engine needs whatever the limit is.
const STACK_SLACK_BYTES: usize = 1 << 20;

/// [`STACK_FACTOR`] times the largest limit of a job, and some more.
#[expect(clippy::cast_possible_truncation, reason = "a constant of four mebibytes")]
const ENGINE_STACK_BYTES_MAX: usize = STACK_FACTOR * STACK_BYTES_MAX as usize + STACK_SLACK_BYTES;

/// A rewritten module on its way into an engine.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    pub wasm: &'a [u8],
    /// Which rewriting that is.
    pub variant: Variant,
    /// What compiled code of it is called in a store, and the store.
    pub compiled: Option<artifact::Place<'a>>,
    /// Whether it is not compiled here, see [`crate::RunOptions::compiled_elsewhere`].
    pub compiled_elsewhere: bool,
    /// SHA-256 of `wasm`.
    pub hash: &'a assay_protocol::Hash32,
    /// [`crate::compile_effort`].
    pub compile_effort: u64,
}

/// One instance of a metered module in some engine. Names are those of the module's exports.
pub(crate) trait Instance {
    /// Whether it exports a function of this name.
    fn has_function(&mut self, name: &str) -> bool;
    /// Calls a function with raw bits, of which each parameter takes as many as its type has; its results as raw bits.
    fn call(&mut self, name: &str, args: &[u64]) -> Result<Vec<u64>, Interruption>;
    /// A global's raw bits.
    fn global(&mut self, name: &str) -> Option<u64>;
    /// Sets a global, whose type takes as many of the bits as it has.
    fn set_global(&mut self, name: &str, bits: u64) -> Option<()>;
    /// From now on host calls work: they find the gas and the memory.
    fn open_host_calls(&mut self) -> Option<()>;
    /// The exported linear memory; empty when there is none.
    fn memory(&mut self) -> &mut [u8];
    /// State of the host functions.
    fn wasi(&mut self) -> &mut Wasi;
    /// Ends the run.
    fn into_wasi(self: Box<Self>) -> Wasi;
}

/// An instance that could not be made, and the state that it did not use.
pub(crate) type NotMade = Box<(Interruption, Wasi)>;

/// [`Stop`] on its way through an engine.
#[derive(Clone, Copy, Debug)]
struct Stopped(Stop);

impl core::fmt::Display for Stopped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl core::error::Error for Stopped {}

/// What a host call needs, wherever it comes from.
struct HostCall<'a> {
    handler: Handler,
    wasi: &'a mut Wasi,
    memory: &'a mut [u8],
    gas: &'a mut Gas,
    args: &'a [u64],
}

impl HostCall<'_> {
    /// Runs it; the error number for the guest.
    fn run(self) -> Result<i32, Stop> {
        let mut call = Call { wasi: self.wasi, memory: Memory::new(self.memory), gas: self.gas };
        call.run(self.handler, Args(self.args)).map(|errno| errno.code())
    }
}

/// Most parameters of a host function.
const HOST_PARAMETERS_MAX: usize = 9;

//! Names of what the rewriting adds to a module's exports. Guests may not export names with [`PREFIX`].

/// Reserved for the names below; a guest that exports such a name is refused.
pub const PREFIX: &str = "assay:";
/// Mutable `i64`: gas left. The host sets it to the gas limit less [`INSTANTIATION_GAS`] before anything runs. Below
/// zero means out of gas, and the gas used is then the limit.
pub const GAS_LEFT: &str = "assay:gas_left";
/// Mutable `i32`: bytes of stack a run may use, unsigned. The host sets it before anything runs.
pub const STACK_LIMIT: &str = "assay:stack_limit";
/// Mutable `i32`: the most stack used so far, bytes, unsigned.
pub const STACK_PEAK: &str = "assay:stack_peak";
/// Mutable `i32`: pages of linear memory a run may use. The host sets it before anything runs.
pub const MEMORY_LIMIT_PAGES: &str = "assay:memory_limit_pages";
/// Mutable `i32`: why injected code executed `unreachable`: zero, or the code of `protocol::Trap`.
pub const TRAP_CODE: &str = "assay:trap";
/// Immutable `i64`: what instantiation costs; the host charges it before it instantiates.
pub const INSTANTIATION_GAS: &str = "assay:instantiation_gas";
/// The module's start function, if it has one. The start section itself is removed, so that a start function runs
/// under the gas limit like everything else (W-06).
pub const START: &str = "assay:start";
/// Table of the two hooks that [`crate::trace::traced`] adds; no program has it.
pub const HOOKS: &str = "assay:hooks";
/// Value of [`TRAP_CODE`] when growing failed although every limit allowed it: this host has no memory. A host fault.
pub const TRAP_HOST_MEMORY: i32 = 0xffff;

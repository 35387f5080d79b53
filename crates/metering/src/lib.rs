//! Wasm in, metered wasm out.
//!
//! [`meter`] checks a module against the profile and rewrites it, deterministically, into variant G: the module counts
//! its own gas, bounds its own stack and has canonical NaNs. The rewritten module *is* the program and its hash is the
//! canonical one, so any conforming engine gives the same output, the same gas and the same trap. For who
//! asks, [`meter_with_fast`] writes variant L in the same pass, which does the same in less time.
//! `docs/METERING.md` is the normative text. No engine, no I/O, no panic on any bytes.
#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

mod analyze;
mod assemble;
pub mod bounds;
mod compiling;
mod constants;
pub mod cost;
mod debts;
mod error;
pub mod export;
mod inject;
pub mod inspect;
mod module;
mod nans;
mod parts;
pub mod profile;
mod rewrite;
mod scan;
mod scratch;
pub mod trace;
mod unmetered;

pub use error::{MeterError, SIZE_ADVICE};
pub use module::{
    EntryPoints, Export, ExportKind, FastVariant, Import, MemoryInfo, Metered, ModuleInfo, Signature, ValueType,
};

pub use unmetered::unmetered;

/// Checks a module against the profile: size, features, structural bounds, imports, reserved names.
///
/// # Errors
/// [`MeterError`] names the first rule broken, where it can the compiler flag that avoids it.
pub fn validate(wasm: &[u8]) -> Result<ModuleInfo, MeterError> {
    // Two bounds are on the metered code, so that accepting a module means to have metered it.
    meter(wasm).map(|metered| metered.info)
}

/// Checks a module as [`validate`] does and rewrites it into variant G. Equal bytes in, equal bytes out.
///
/// # Errors
/// As [`validate`].
pub fn meter(wasm: &[u8]) -> Result<Metered, MeterError> {
    assemble::meter(wasm, false)
}

/// As [`meter`], and writes the faster variant L beside G, for about as much work again.
///
/// # Errors
/// As [`validate`]: variant G alone decides.
pub fn meter_with_fast(wasm: &[u8]) -> Result<Metered, MeterError> {
    assemble::meter(wasm, true)
}

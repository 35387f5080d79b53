//! Structural bounds of the profile, in one place. They keep the time and memory of validation, rewriting and
//! compilation proportional to the module's size on every engine (W-03).

use crate::MeterError;

/// Function types.
pub const TYPES_MAX: u64 = 10_000;
/// Parameters of one function type.
pub const PARAMS_MAX: u64 = 128;
/// Results of one function type.
pub const RESULTS_MAX: u64 = 16;
/// Imports.
pub const IMPORTS_MAX: u64 = 256;
/// Exports.
pub const EXPORTS_MAX: u64 = 10_000;
/// Parameters and results of all exports that are functions. Engines refuse a million.
pub const EXPORTED_VALUES_MAX: u64 = 500_000;
/// Bytes of the name of an import, an export or a custom section.
pub const NAME_BYTES_MAX: u64 = 1_024;
/// Functions defined.
pub const FUNCTIONS_MAX: u64 = 50_000;
/// Bytes of one function's body.
pub const BODY_BYTES_MAX: u64 = 1 << 20;
/// Bytes of one function's body after rewriting. Engines refuse bodies over 7,654,321 bytes.
pub const METERED_BODY_BYTES_MAX: u64 = 4 << 20;
/// Bytes of all functions' bodies after rewriting, with their lengths, the added ones too.
pub const METERED_CODE_BYTES_MAX: u64 = 32 << 20;
/// Locals of one function, parameters included.
pub const LOCALS_MAX: u64 = 10_000;
/// Values on the operand stack of one function.
pub const OPERANDS_MAX: u64 = 10_000;
/// Nested blocks in one function.
pub const NESTING_MAX: u64 = 4_096;
/// Targets of one `br_table`, the default not counted.
pub const BR_TABLE_MAX: u64 = 10_000;
/// Targets of all `br_table`s of one function.
pub const BR_TABLE_TOTAL_MAX: u64 = 100_000;
/// Globals.
pub const GLOBALS_MAX: u64 = 10_000;
/// Tables.
pub const TABLES_MAX: u64 = 16;
/// Elements of one table, at the start and after growing.
pub const TABLE_ELEMENTS_MAX: u64 = 100_000;
/// Data segments.
pub const DATA_SEGMENTS_MAX: u64 = 10_000;
/// Element segments.
pub const ELEMENT_SEGMENTS_MAX: u64 = 10_000;
/// Elements of all element segments.
pub const ELEMENTS_MAX: u64 = 200_000;
/// Operators of one constant expression, its `end` not counted. Engines take them recursively, or compile them.
pub const CONSTANT_OPERATORS_MAX: u64 = 64;
/// Custom sections; their contents are dropped.
pub const CUSTOM_SECTIONS_MAX: u64 = 1_000;

/// Refuses a count over its bound.
///
/// # Errors
/// [`MeterError::OverBounds`].
pub fn check(what: &'static str, found: impl Into<u64>, limit: u64) -> Result<(), MeterError> {
    let found = found.into();
    if found > limit { Err(MeterError::OverBounds { what, found, limit }) } else { Ok(()) }
}

/// A length as `u64`; the platform's lengths always fit.
pub(crate) fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

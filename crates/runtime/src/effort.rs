//! What compiling a program takes, estimated before anybody compiles it.
//!
//! Compilers are not linear: a module of ten kilobytes within the bounds of the profile can take minutes (W-03). The
//! reference translates whatever the profile accepts in one pass. An estimate for hosts: no result depends on it.

use assay_metering::Metered;

/// Most of [`compile_effort`] that is compiled: 5 s and 1 GiB at most, by `--example bombs` (docs/benchmarks.md, "Bombs").
pub const COMPILE_EFFORT_MAX: u64 = 20_000_000_000;

/// With less gas than this the reference is done before a compiler is ready.
const GAS_PER_COMPILATION: u64 = 2_000_000;
/// What the reference runs in a nanosecond.
const GAS_PER_NS: u64 = 4;
/// What the compiler takes for a byte of rewritten module: 0.75 µs over the corpus, by
/// `cargo bench -p assay-runtime --bench calibration -- compiling`.
const NS_PER_BYTE: u64 = 750;

/// Gas that the reference runs while the compiler compiles a program, about; more for what compilers take longer for.
#[must_use]
pub fn compile_effort(metered: &Metered) -> u64 {
    let bytes = u64::try_from(metered.wasm.len()).unwrap_or(u64::MAX);
    let ns = bytes.saturating_mul(NS_PER_BYTE).saturating_add(metered.info.compile_ns);
    ns.saturating_mul(GAS_PER_NS).saturating_add(GAS_PER_COMPILATION)
}

//! Why a module is refused.

use assay_protocol::InvalidReason;
use thiserror::Error;

/// What to do about a module that is too large. Names of functions stay: the tools show them, and metering drops them.
pub const SIZE_ADVICE: &str =
    "strip debug info (Rust: strip = \"debuginfo\"; clang: -Wl,--strip-debug) or optimise for size";

/// Why a module is refused. A property of the bytes: the same on every host. Each message says it of the module, behind
/// the reason that an outcome states: "module is not valid: it uses …".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MeterError {
    /// More bytes than the profile allows.
    #[error("it has {size_bytes} bytes, the profile allows {limit_bytes}; {}", SIZE_ADVICE)]
    TooLarge {
        /// Bytes of the module.
        size_bytes: usize,
        /// [`assay_protocol::limits::MODULE_BYTES_MAX`].
        limit_bytes: u64,
    },
    /// The bytes are something else altogether.
    #[error("it is {found}, not a WebAssembly module; {next}")]
    NotWasm {
        /// What they look like.
        found: &'static str,
        /// What to do about it.
        next: &'static str,
    },
    /// The bytes are not valid WebAssembly.
    #[error("{message} (at byte {offset}); it is not valid WebAssembly, build it again")]
    Invalid {
        /// What the validator said.
        message: String,
        /// Where, byte offset.
        offset: u64,
    },
    /// A feature outside the profile.
    #[error("it uses {feature}, which the profile does not have ({message}, at byte {offset}); build it with {flag}")]
    Feature {
        /// Name of the feature.
        feature: &'static str,
        /// Compiler flags that turn it off.
        flag: &'static str,
        /// What the validator said.
        message: String,
        /// Where, byte offset.
        offset: u64,
    },
    /// An import that the profile does not have, or with another signature.
    #[error("it imports {module}.{name} ({problem}); only the functions of wasi_snapshot_preview1 can be imported")]
    UnknownImport {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A structural bound of the profile is exceeded.
    #[error("{what} is {found}, the profile allows {limit}")]
    OverBounds {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// An export uses a name reserved for the metering.
    #[error("its export {name:?} begins with \"assay:\", which is reserved; rename it")]
    ReservedExport {
        /// Name of the export.
        name: String,
    },
}

impl MeterError {
    /// The reason an outcome carries. It does not say which rule of the profile was broken: of several, validators find
    /// different ones first, and which proposal would have made a module valid depends on those that a validator knows.
    #[must_use]
    pub const fn reason(&self) -> InvalidReason {
        match self {
            Self::TooLarge { .. } => InvalidReason::ModuleTooLarge,
            Self::UnknownImport { .. } => InvalidReason::UnknownImport,
            Self::NotWasm { .. }
            | Self::Invalid { .. }
            | Self::Feature { .. }
            | Self::OverBounds { .. }
            | Self::ReservedExport { .. } => InvalidReason::ModuleInvalid,
        }
    }
}

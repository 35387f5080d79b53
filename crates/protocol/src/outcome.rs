//! The outcome: the thing agreed on. Fixed width, one canonical encoding, no other bytes accepted.

use core::fmt;

use crate::ids::Hash32;

/// Bytes of an encoded [`Outcome`].
pub const OUTCOME_BYTES: usize = 79;

/// Set in `detail` of [`OutcomeKind::Exited`], [`OutcomeKind::OutOfGas`] and [`OutcomeKind::OutputTooLarge`], where it
/// holds nothing else: stdout was cut at its limit. A trap's `detail` is its code alone.
pub const FLAG_STDOUT_CUT: u16 = 1;
/// As [`FLAG_STDOUT_CUT`], for stderr.
pub const FLAG_STDERR_CUT: u16 = 2;

/// How a run ended. Every kind is a result: deterministic, signable, paid. What is not deterministic is a host
/// fault and has no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum OutcomeKind {
    /// The program returned or called `proc_exit`. `exit_code` is its own; `detail` holds the cut flags.
    Exited = 1,
    /// The program trapped. `detail` is a [`Trap`].
    Trapped = 2,
    /// The gas limit was reached. `gas_used` equals the limit; `detail` holds the cut flags.
    OutOfGas = 3,
    /// The result package would exceed its limit; stdout and stderr are packed, the output is not. `exit_code` and
    /// `detail` as for `Exited`.
    OutputTooLarge = 4,
    /// The task cannot run: `detail` is an [`InvalidReason`]. Pays the base fee; no gas, no package.
    Invalid = 5,
}

impl OutcomeKind {
    /// All of them, by code.
    pub const ALL: [Self; 5] = [Self::Exited, Self::Trapped, Self::OutOfGas, Self::OutputTooLarge, Self::Invalid];

    /// The kind with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Exited,
            2 => Self::Trapped,
            3 => Self::OutOfGas,
            4 => Self::OutputTooLarge,
            5 => Self::Invalid,
            _ => return None,
        })
    }

    /// Its name in receipts, records and the output of commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited => "Exited",
            Self::Trapped => "Trapped",
            Self::OutOfGas => "OutOfGas",
            Self::OutputTooLarge => "OutputTooLarge",
            Self::Invalid => "Invalid",
        }
    }

    /// The kind with this name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant = $code,)+ }

        impl $name {
            /// All of them, by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code carried in `detail`.
            #[must_use]
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The member with this code, if there is one.
            #[must_use]
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)+ })
            }
        }
    };
}

coded! {
    /// Why a program trapped.
    Trap {
        /// `unreachable` was executed.
        Unreachable = 1 "unreachable executed",
        /// A load, store or bulk operation left the linear memory.
        MemoryOutOfBounds = 2 "memory access out of bounds",
        /// A table access or `call_indirect` index left the table.
        TableOutOfBounds = 3 "table access out of bounds",
        /// `call_indirect` through an empty element.
        IndirectCallToNull = 4 "indirect call to null",
        /// `call_indirect` with another signature.
        BadSignature = 5 "indirect call type mismatch",
        /// Integer division by zero.
        IntegerDivisionByZero = 6 "integer division by zero",
        /// Integer overflow in a division.
        IntegerOverflow = 7 "integer overflow",
        /// A float with no integer value was truncated.
        BadConversionToInteger = 8 "invalid conversion to integer",
        /// The stack limit was reached.
        StackExhausted = 9 "stack exhausted",
        /// Memory was to grow past the job's limit.
        MemoryLimit = 10 "memory limit reached",
        /// A table was to grow past the profile's limit.
        TableLimit = 11 "table limit reached",
        /// A host call was given a pointer or length outside the linear memory.
        HostPointerOutOfBounds = 12 "host call with a pointer out of bounds",
        /// The guest broke the calling convention of its entry point.
        AbiViolation = 13 "guest broke its calling convention",
    }
}

coded! {
    /// Why a task cannot run. A property of the content, the same on every host.
    InvalidReason {
        /// The directory has no `manifest.json`.
        ManifestMissing = 1 "manifest.json is missing",
        /// The manifest is not valid.
        ManifestInvalid = 2 "manifest.json is not valid",
        /// The manifest's limits, seed or clock differ from the job account's.
        TaskMismatch = 3 "manifest and job account disagree",
        /// The manifest names an executable that is not there.
        ExecutableMissing = 4 "executable is missing",
        /// The module is larger than the profile allows.
        ModuleTooLarge = 5 "module is too large",
        /// The module is not valid WebAssembly.
        ModuleInvalid = 6 "module is not valid",
        /// The module uses a feature outside the profile.
        FeatureForbidden = 7 "module uses a feature outside the profile",
        /// The module imports something the profile does not have.
        UnknownImport = 8 "module has an unknown import",
        /// The module exceeds a structural bound of the profile (functions, locals, nesting, ...).
        ModuleOverBounds = 9 "module exceeds a bound of the profile",
        /// The module has no entry point of a known kind.
        EntryPointMissing = 10 "module has no known entry point",
        /// The metered module's hash is not the one in the job account.
        MeteredHashMismatch = 11 "metered module differs from the job account's",
        /// The job directory is larger than the profile allows.
        InputTooLarge = 12 "job directory is too large",
        /// The job directory has a symbolic link, a hostile name or an unknown node type.
        DirectoryInvalid = 13 "job directory is not valid",
    }
}

/// What a run gave. See [`OutcomeKind`] for the meaning of `detail` by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// How it ended.
    pub kind: OutcomeKind,
    /// Trap code, invalid reason or flags, by kind.
    pub detail: u16,
    /// Exit code of the guest; zero unless `kind` is `Exited` or `OutputTooLarge`.
    pub exit_code: u32,
    /// Gas used, as variant G counts it; zero for `Invalid`.
    pub gas_used: u64,
    /// SHA-256 digest of the result directory's CID (CIDv1, dag-pb); zero for `Invalid`.
    pub result_cid_digest: Hash32,
    /// Root of the final state; zero in profile 1.
    pub state_root: Hash32,
}

/// Why bytes are no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutcomeError {
    /// Not [`OUTCOME_BYTES`] long.
    Length,
    /// No such kind.
    Kind,
    /// `detail` means nothing for this kind.
    Detail,
    /// A field that must be zero for this kind is not.
    NotZero,
    /// A field that must not be zero for this kind is.
    Zero,
    /// `gas_used` is over the limit, or not the limit when out of gas.
    Gas,
}

impl fmt::Display for OutcomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "outcome is not 79 bytes long",
            Self::Kind => "outcome kind is unknown",
            Self::Detail => "outcome detail is unknown for its kind",
            Self::NotZero => "an outcome field that must be zero is not",
            Self::Zero => "an outcome field that must not be zero is",
            Self::Gas => "gas used does not fit the gas limit",
        })
    }
}

impl core::error::Error for OutcomeError {}

impl Outcome {
    /// The outcome of a task that cannot run.
    #[must_use]
    pub const fn invalid(reason: InvalidReason) -> Self {
        Self {
            kind: OutcomeKind::Invalid,
            detail: reason.code(),
            exit_code: 0,
            gas_used: 0,
            result_cid_digest: [0; 32],
            state_root: [0; 32],
        }
    }

    /// The trap, when `kind` is `Trapped`.
    #[must_use]
    pub const fn trap(&self) -> Option<Trap> {
        match self.kind {
            OutcomeKind::Trapped => Trap::from_code(self.detail),
            _ => None,
        }
    }

    /// The reason, when `kind` is `Invalid`.
    #[must_use]
    pub const fn invalid_reason(&self) -> Option<InvalidReason> {
        match self.kind {
            OutcomeKind::Invalid => InvalidReason::from_code(self.detail),
            _ => None,
        }
    }

    /// Fields in order, integers little-endian.
    #[must_use]
    pub fn encode(&self) -> [u8; OUTCOME_BYTES] {
        let mut out = [0; OUTCOME_BYTES];
        let fields: [&[u8]; 6] = [
            &[self.kind as u8],
            &self.detail.to_le_bytes(),
            &self.exit_code.to_le_bytes(),
            &self.gas_used.to_le_bytes(),
            &self.result_cid_digest,
            &self.state_root,
        ];
        let mut rest = out.as_mut_slice();
        for field in fields {
            // The widths add up to OUTCOME_BYTES, so the split never fails; an impossible miss leaves zeros.
            let Some((head, tail)) = rest.split_at_mut_checked(field.len()) else { break };
            head.copy_from_slice(field);
            rest = tail;
        }
        out
    }

    /// Reads [`Self::encode`]'s bytes and refuses every other, see [`Self::check`].
    ///
    /// # Errors
    /// [`OutcomeError`] names what is not canonical.
    pub fn decode(bytes: &[u8], gas_limit: u64) -> Result<Self, OutcomeError> {
        if bytes.len() != OUTCOME_BYTES {
            return Err(OutcomeError::Length);
        }
        let (kind, rest) = take::<1>(bytes)?;
        let (detail, rest) = take::<2>(rest)?;
        let (exit_code, rest) = take::<4>(rest)?;
        let (gas_used, rest) = take::<8>(rest)?;
        let (result_cid_digest, rest) = take::<32>(rest)?;
        let (state_root, _) = take::<32>(rest)?;
        let outcome = Self {
            kind: OutcomeKind::from_code(u8::from_le_bytes(kind)).ok_or(OutcomeError::Kind)?,
            detail: u16::from_le_bytes(detail),
            exit_code: u32::from_le_bytes(exit_code),
            gas_used: u64::from_le_bytes(gas_used),
            result_cid_digest,
            state_root,
        };
        outcome.check(gas_limit)?;
        Ok(outcome)
    }

    /// Whether the fields are canonical for the kind, for a job with this gas limit.
    ///
    /// # Errors
    /// [`OutcomeError`] names the first rule broken.
    pub fn check(&self, gas_limit: u64) -> Result<(), OutcomeError> {
        const CUT_FLAGS: u16 = FLAG_STDOUT_CUT | FLAG_STDERR_CUT;
        let detail_known = match self.kind {
            OutcomeKind::Exited | OutcomeKind::OutOfGas | OutcomeKind::OutputTooLarge => self.detail & !CUT_FLAGS == 0,
            OutcomeKind::Trapped => Trap::from_code(self.detail).is_some(),
            OutcomeKind::Invalid => InvalidReason::from_code(self.detail).is_some(),
        };
        if !detail_known {
            return Err(OutcomeError::Detail);
        }
        let carries_exit_code = matches!(self.kind, OutcomeKind::Exited | OutcomeKind::OutputTooLarge);
        if self.state_root != [0; 32] || (!carries_exit_code && self.exit_code != 0) {
            return Err(OutcomeError::NotZero);
        }
        let invalid = self.kind == OutcomeKind::Invalid;
        if invalid && (self.gas_used != 0 || self.result_cid_digest != [0; 32]) {
            return Err(OutcomeError::NotZero);
        }
        if !invalid && self.result_cid_digest == [0; 32] {
            return Err(OutcomeError::Zero);
        }
        let gas_fits = match self.kind {
            OutcomeKind::OutOfGas => self.gas_used == gas_limit,
            _ => self.gas_used <= gas_limit,
        };
        if gas_fits {
            Ok(())
        } else {
            Err(OutcomeError::Gas)
        }
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), OutcomeError> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(OutcomeError::Length)?;
    Ok((*head, rest))
}

//! What a job asks for: content, limits, seed and clock. Nothing else may influence its outcome (I-08).

use crate::{ids::Hash32, limits};

/// Deterministic limits of one execution. Stored in the job account and part of the task digest.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskLimits {
    /// Most gas, 1..=[`limits::GAS_LIMIT_MAX`].
    pub gas_limit: u64,
    /// Most linear memory in bytes, a multiple of 65,536, at most [`limits::MEMORY_BYTES_MAX`].
    pub memory_bytes: u64,
    /// Most stack in bytes, see docs/METERING.md, at most [`limits::STACK_BYTES_MAX`].
    pub stack_bytes: u64,
    /// Most bytes of the result's files, stdout and stderr included, at most [`limits::OUTPUT_BYTES_MAX`].
    pub output_bytes: u64,
    /// Most bytes of stdout and of stderr, each, at most [`limits::STDIO_BYTES_MAX`].
    pub stdio_bytes: u64,
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            gas_limit: limits::GAS_LIMIT_DEFAULT,
            memory_bytes: limits::MEMORY_BYTES_DEFAULT,
            stack_bytes: limits::STACK_BYTES_DEFAULT,
            output_bytes: limits::OUTPUT_BYTES_MAX,
            stdio_bytes: limits::STDIO_BYTES_DEFAULT,
        }
    }
}

impl TaskLimits {
    /// Whether every limit is inside the protocol's bounds.
    #[must_use]
    pub const fn is_within_bounds(&self) -> bool {
        self.gas_limit >= 1
            && self.gas_limit <= limits::GAS_LIMIT_MAX
            && self.memory_bytes >= limits::WASM_PAGE_BYTES
            && self.memory_bytes <= limits::MEMORY_BYTES_MAX
            && self.memory_bytes.is_multiple_of(limits::WASM_PAGE_BYTES)
            && self.stack_bytes >= limits::STACK_BYTES_MIN
            && self.stack_bytes <= limits::STACK_BYTES_MAX
            && self.output_bytes >= 1
            && self.output_bytes <= limits::OUTPUT_BYTES_MAX
            && self.stdio_bytes <= limits::STDIO_BYTES_MAX
    }
}

/// Everything that determines an outcome, but for the metered hash that a job states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Execution profile, [`crate::PROFILE_V1`].
    pub profile: u32,
    /// SHA-256 digest of the job directory's CID (CIDv1, dag-pb).
    pub job_cid_digest: Hash32,
    /// Limits.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    pub clock_unix_ns: u64,
}

/// Bytes of an encoded [`TaskSpec`].
pub const TASK_SPEC_BYTES: usize = 4 + 2 * 32 + 5 * 8 + 8 + 8;

impl TaskSpec {
    /// Fields in order, integers little-endian; after the CID's digest the SHA-256 of the metered module, because a module
    /// that is metered to another hash makes the outcome Invalid.
    #[must_use]
    pub fn encode(&self, metered_hash: &Hash32) -> [u8; TASK_SPEC_BYTES] {
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = self.limits;
        let numbers = [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes, self.seed, self.clock_unix_ns];
        let mut out = [0; TASK_SPEC_BYTES];
        let (profile, rest) = out.split_at_mut(4);
        profile.copy_from_slice(&self.profile.to_le_bytes());
        let (cid, rest) = rest.split_at_mut(32);
        cid.copy_from_slice(&self.job_cid_digest);
        let (metered, rest) = rest.split_at_mut(32);
        metered.copy_from_slice(metered_hash);
        for (field, number) in rest.chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number.to_le_bytes());
        }
        out
    }
}

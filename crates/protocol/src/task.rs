//! What a job asks for: content, module, limits, seed and clock. Nothing else may influence its outcome (I-08).

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

/// Everything that determines an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Execution profile, [`crate::PROFILE_V1`].
    pub profile: u32,
    /// SHA-256 digest of the job directory's CID (CIDv1, dag-pb).
    pub job_cid_digest: Hash32,
    /// SHA-256 of the metered module: another one makes the outcome Invalid. [`METERED_HASH_UNSTATED`] outside a job,
    /// where nobody has promised one.
    pub metered_hash: Hash32,
    /// Limits.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    pub clock_unix_ns: u64,
}

/// Bytes of an encoded [`TaskSpec`].
pub const TASK_SPEC_BYTES: usize = 4 + 2 * 32 + 5 * 8 + 8 + 8;

/// Stands for the metered hash of a task that promises none: whatever the module gives is right. The program refuses
/// it, so no job has it.
pub const METERED_HASH_UNSTATED: Hash32 = [0; 32];

impl TaskSpec {
    /// Whether a module that is metered to this hash is the task's.
    #[must_use]
    pub fn is_module(&self, metered_hash: &Hash32) -> bool {
        self.metered_hash == METERED_HASH_UNSTATED || self.metered_hash == *metered_hash
    }

    /// Fields in order, integers little-endian.
    #[must_use]
    pub fn encode(&self) -> [u8; TASK_SPEC_BYTES] {
        let TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes } = self.limits;
        let numbers = [gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes, self.seed, self.clock_unix_ns];
        let mut out = [0; TASK_SPEC_BYTES];
        let (profile, rest) = out.split_at_mut(4);
        profile.copy_from_slice(&self.profile.to_le_bytes());
        let (cid, rest) = rest.split_at_mut(32);
        cid.copy_from_slice(&self.job_cid_digest);
        let (metered, rest) = rest.split_at_mut(32);
        metered.copy_from_slice(&self.metered_hash);
        for (field, number) in rest.chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number.to_le_bytes());
        }
        out
    }
}

//! What a run depends on. Nothing else does.

use std::collections::BTreeMap;

use assay_metering::Metered;
use assay_protocol::TaskLimits;

use crate::fs::FileTree;

/// How the guest is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// WASI command: `_start`.
    Command,
    /// Reactor: `_initialize` if exported, then `run`; input on stdin, result on stdout.
    Reactor,
    /// The export of this name, with `alloc`: `(ptr, len) -> ptr << 32 | len`. Stdin is the input, the bytes it
    /// points at become stdout.
    Function(String),
}

/// Everything that determines how a run ends (I-08).
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The program.
    pub metered: Metered,
    /// `argv[0]`: the manifest's `executable`.
    pub program_name: String,
    /// The arguments after `argv[0]`.
    pub args: Vec<String>,
    /// Environment, handed out in order of the names.
    pub env: BTreeMap<String, String>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// What the guest sees as `/`.
    pub root: FileTree,
    /// The directory in `root` that may be written, such as `output/`. It is created, and emptied first. `None`: none.
    pub output_path: Option<String>,
    /// Limits of the job.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    pub clock_unix_ns: u64,
    /// How the guest is entered.
    pub entry: EntryPoint,
}

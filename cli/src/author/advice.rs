//! What to do about a run that did not exit well, by how it ended.

use assay_protocol::{InvalidReason, TaskLimits, Trap};
use assay_runtime::End;

use crate::output::grouped;

/// Commands that look closer, in words, on what was run.
#[derive(Debug)]
pub struct Closer {
    /// `assay meter`, with the same flags.
    pub meter: String,
    /// `assay validate`.
    pub validate: String,
    /// `assay inspect`.
    pub inspect: String,
    /// Whether a flag named the function to be called, which `validate` knows nothing of.
    pub is_function_told: bool,
}

impl Closer {
    /// The next step after this end of a run under these limits.
    pub fn next_step(&self, end: End, limits: &TaskLimits) -> String {
        let Self { meter, .. } = self;
        match end {
            End::OutOfGas => {
                format!("give it more than {} with --gas-limit; {meter} shows what uses it", grouped(limits.gas_limit))
            }
            End::OutputTooLarge(_) => "write less, or allow more with --output-bytes".to_owned(),
            End::Trapped(Trap::MemoryLimit) => {
                let bytes = grouped(limits.memory_bytes);
                format!("give it more than {bytes} bytes with --memory, or build it to need less")
            }
            End::Trapped(Trap::StackExhausted) => {
                let bytes = grouped(limits.stack_bytes);
                format!("give it more than {bytes} bytes with --stack; {meter} shows where it was when it stopped")
            }
            End::Trapped(_) => format!("{meter} shows where it was when it stopped"),
            End::Invalid(reason) => self.next_step_of_invalid(reason),
            End::Exited(_) => "read what it wrote to stderr".to_owned(),
        }
    }

    /// The next step after this was found before any run.
    pub fn next_step_of_invalid(&self, reason: InvalidReason) -> String {
        if reason == InvalidReason::EntryPointMissing && self.is_function_told {
            return format!("name another with --function, or none; {} shows what there is to call", self.inspect);
        }
        format!("{} lists everything that is wrong with it", self.validate)
    }
}

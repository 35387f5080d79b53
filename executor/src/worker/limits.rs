//! How much of this host one child may use.

use std::io;

use assay_runtime::RESERVED_ADDRESS_BYTES;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

/// Threads and processes the child's user may have. The count is per user and not held against root, so this is the
/// second line; the first is the system-call filter.
const PROCESSES_MAX: u64 = 4_096;
/// The pipes, and what the fences need while they go up.
const OPEN_FILES_MAX: u64 = 16;

/// How far a child that yields goes back, the most there is.
const NICENESS: i32 = 19;

/// Limits of one child. Liveness and the host's safety only: whatever hits one is a host fault, never a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildLimits {
    /// Memory, bytes: what it may write to, and its address space but for what compiled code reserves.
    pub memory_bytes: u64,
    /// Processor time, seconds.
    pub cpu_s: u64,
    /// Whether memory that was written may become code, see [`super::Fence::SystemCalls`].
    pub may_compile: bool,
    /// Whether it leaves the processor to whoever else wants it.
    pub yields: bool,
}

impl ChildLimits {
    /// One short argument, so that limits hold before anything is parsed from the pipe.
    pub fn to_argument(self) -> String {
        let Self { memory_bytes, cpu_s, may_compile, yields } = self;
        format!("{memory_bytes}:{cpu_s}:{may_compile}:{yields}")
    }

    /// Reads [`Self::to_argument`].
    pub fn from_argument(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let limits = Self {
            memory_bytes: parts.next()?.parse().ok()?,
            cpu_s: parts.next()?.parse().ok()?,
            may_compile: parts.next()?.parse().ok()?,
            yields: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(limits)
    }

    /// Applies them to this process, for good: soft and hard. A host that allows less keeps its own limit.
    pub fn apply(self) -> io::Result<()> {
        if self.yields {
            setpriority_process(None, NICENESS)?;
        }
        // Reserved and never written to, so that the limit on what is written to still holds.
        let reserved_bytes = if self.may_compile { RESERVED_ADDRESS_BYTES } else { 0 };
        for (resource, wanted) in [
            (Resource::As, self.memory_bytes.saturating_add(reserved_bytes)),
            (Resource::Data, self.memory_bytes),
            (Resource::Cpu, self.cpu_s),
            (Resource::Nofile, OPEN_FILES_MAX),
            (Resource::Nproc, PROCESSES_MAX),
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            (Resource::Memlock, 0),
        ] {
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX).min(wanted);
            setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_the_command_line() {
        for (may_compile, yields) in [(false, true), (true, false)] {
            let limits = ChildLimits { memory_bytes: 1 << 31, cpu_s: 17, may_compile, yields };
            assert_eq!(ChildLimits::from_argument(&limits.to_argument()), Some(limits));
        }
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "1:2:true",
            "1:2:3:true",
            "1:2:",
            "-1:2:true:true",
            "x:y:true:true",
            "1:2:true:true:5",
        ] {
            assert_eq!(ChildLimits::from_argument(text), None, "{text}");
        }
    }
}

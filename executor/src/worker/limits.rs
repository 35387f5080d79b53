//! What the child takes away from itself before it reads a byte.

use std::{fs, io};

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// Limits of one child. Liveness and the host's safety only: whatever hits one is a host fault, never a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildLimits {
    /// Address space, bytes.
    pub address_space_bytes: u64,
    /// Processor time, seconds.
    pub cpu_s: u64,
    /// Open files.
    pub open_files: u64,
}

impl ChildLimits {
    /// One short argument, so that limits hold before anything is parsed from the pipe.
    pub fn to_argument(self) -> String {
        format!("{}:{}:{}", self.address_space_bytes, self.cpu_s, self.open_files)
    }

    /// Reads [`Self::to_argument`].
    pub fn from_argument(text: &str) -> Option<Self> {
        let mut parts = text.split(':').map(str::parse::<u64>);
        let mut next = || parts.next().and_then(Result::ok);
        Some(Self { address_space_bytes: next()?, cpu_s: next()?, open_files: next()? })
    }

    /// Applies them to this process, for good: soft and hard.
    pub fn apply(self) -> io::Result<()> {
        let limit = |resource, value| -> io::Result<()> {
            Ok(setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?)
        };
        limit(Resource::As, self.address_space_bytes)?;
        limit(Resource::Cpu, self.cpu_s)?;
        limit(Resource::Nofile, self.open_files)?;
        limit(Resource::Fsize, 0)?;
        limit(Resource::Core, 0)?;
        platform::harden()
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use super::{Resource, Rlimit, fs, io, setrlimit};
    use rustix::{
        process::{DumpableBehavior, Signal, chdir, chroot, set_dumpable_behavior, set_parent_process_death_signal},
        thread::{CapabilitySet, CapabilitySets, UnshareFlags, set_capabilities, set_no_new_privs, unshare_unsafe},
    };

    /// Threads and processes the child's user may have. The count is per user and not held against root, so this is
    /// the second line; the first is that no guest can ask for a process.
    const PROCESSES_MAX: u64 = 4_096;
    /// A directory that exists everywhere and holds nothing of the host: what is in it dies with this process.
    const NOTHING: &str = "/proc/self/fdinfo";

    pub fn harden() -> io::Result<()> {
        // E-20: when memory is short, the guest goes first. A host that forbids it only loses the order.
        if let Err(error) = fs::write("/proc/self/oom_score_adj", "1000") {
            tracing::debug!(%error, "oom_score_adj_not_set");
        }
        setrlimit(Resource::Nproc, Rlimit { current: Some(PROCESSES_MAX), maximum: Some(PROCESSES_MAX) })
            .or_else(|error| if error == rustix::io::Errno::PERM { Ok(()) } else { Err(error) })?;
        // W-12, best effort: hosts differ in what they allow, and a guest has to break the engine first.
        if let Err(error) = isolate() {
            tracing::debug!(%error, "child_not_isolated");
        }
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
        set_no_new_privs(true)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        // Last: the kernel forgets it when credentials change.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        Ok(())
    }

    /// No network, no System V objects, no file system, and nobody's user.
    fn isolate() -> io::Result<()> {
        let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
        #[expect(unsafe_code, reason = "only FILES can confuse threads about descriptors; it is not asked for")]
        // SAFETY: see the reason above; besides, this process has one thread.
        unsafe {
            unshare_unsafe(flags)?;
        }
        chroot(NOTHING)?;
        Ok(chdir("/")?)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    pub fn harden() -> std::io::Result<()> {
        Ok(())
    }
}

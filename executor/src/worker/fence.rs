//! What stands between a guest that broke the engine and this host, one name per fence.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// One fence around the sandbox child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// A process group of its own, so that it is killed whole.
    ProcessGroup,
    /// No descriptor but its pipes.
    Descriptors,
    /// The first victim when the host runs out of memory.
    MemoryOrder,
    /// Bounds on memory, processor time, files, processes; no core dump.
    ResourceLimits,
    /// Not root.
    User,
    /// A user namespace: its ids mean nothing outside.
    UserNamespace,
    /// A network namespace without a network.
    NetworkNamespace,
    /// A namespace without other processes' System V objects and message queues.
    IpcNamespace,
    /// A root directory that holds nothing of the host.
    FileSystem,
    /// No program it could execute would have more rights than it has.
    NoNewPrivileges,
    /// The kernel's own refusal of files, TCP ports, foreign sockets and signals.
    Landlock,
    /// No capability.
    Capabilities,
    /// Nobody may trace it or read its memory; no core dump.
    NotDumpable,
    /// It dies with its parent.
    DeathSignal,
    /// Only the system calls that computing needs: no file, socket, process or signal. Memory becomes executable only in
    /// a child that may compile, and only until a second filter goes up before the guest's first instruction.
    SystemCalls,
}

impl Fence {
    /// All of them, in the order in which they go up: each needs what the later ones take away.
    pub const ALL: [Self; 15] = [
        Self::ProcessGroup,
        Self::Descriptors,
        Self::MemoryOrder,
        Self::ResourceLimits,
        Self::User,
        Self::UserNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::FileSystem,
        Self::NoNewPrivileges,
        Self::Landlock,
        Self::Capabilities,
        Self::NotDumpable,
        Self::DeathSignal,
        Self::SystemCalls,
    ];

    /// Name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessGroup => "process group",
            Self::Descriptors => "closed descriptors",
            Self::MemoryOrder => "out-of-memory order",
            Self::ResourceLimits => "resource limits",
            Self::User => "ordinary user",
            Self::UserNamespace => "user namespace",
            Self::NetworkNamespace => "network namespace",
            Self::IpcNamespace => "IPC namespace",
            Self::FileSystem => "empty root directory",
            Self::NoNewPrivileges => "no new privileges",
            Self::Landlock => "landlock",
            Self::Capabilities => "dropped capabilities",
            Self::NotDumpable => "unreadable memory",
            Self::DeathSignal => "death signal",
            Self::SystemCalls => "system-call filter (seccomp)",
        }
    }

    /// Whether guests must not run without it. Required is what every process may take away from itself on any Linux
    /// that Assay supports, in a container as well, and what together leaves a guest that broke the engine with
    /// nothing but its pipes: the filter alone refuses every file, socket, process and signal. The others say the same
    /// a second time, in another part of the kernel; kernels and containers that forbid user namespaces, or have no
    /// landlock, are common, and a bot that does not start there protects nobody.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::ProcessGroup
            | Self::ResourceLimits
            | Self::NoNewPrivileges
            | Self::Capabilities
            | Self::NotDumpable
            | Self::DeathSignal
            | Self::SystemCalls => true,
            // The filter lets it read and write its three pipes only.
            Self::Descriptors
            | Self::MemoryOrder
            | Self::User
            | Self::UserNamespace
            | Self::NetworkNamespace
            | Self::IpcNamespace
            | Self::FileSystem
            | Self::Landlock => false,
        }
    }
}

/// For an error number: the fence stands, but not all of it.
pub(super) const IN_PART: i32 = rustix::io::Errno::RANGE.raw_os_error();

/// A fence that could not be put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingFence {
    /// Which.
    pub fence: Fence,
    /// What the system answered.
    pub errno: i32,
}

impl fmt::Display for MissingFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            IN_PART => write!(f, "{}: only in part; this kernel is too old for all of it", self.fence.name()),
            errno => write!(f, "{}: {}", self.fence.name(), io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Which fences stand around a child, as it found itself before it read its first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fences {
    missing: Vec<MissingFence>,
}

impl Fences {
    /// Puts up all of them, one after the other.
    pub(super) fn put_up(mut put_up: impl FnMut(Fence) -> io::Result<()>) -> Self {
        let missing = Fence::ALL.into_iter().filter_map(|fence| {
            // Not supported here at all: no system call was made that could have answered.
            let errno = |error: io::Error| error.raw_os_error().unwrap_or(rustix::io::Errno::NOSYS.raw_os_error());
            put_up(fence).err().map(|error| MissingFence { fence, errno: errno(error) })
        });
        Self { missing: missing.collect() }
    }

    /// Those that do not stand.
    pub fn missing(&self) -> impl Iterator<Item = &MissingFence> {
        self.missing.iter()
    }

    /// Those without which no guest may run, see [`Fence::is_required`].
    pub fn missing_required(&self) -> impl Iterator<Item = &MissingFence> {
        self.missing.iter().filter(|missing| missing.fence.is_required())
    }
}

/// Missing fences in a sentence: `landlock: Function not implemented (os error 38), ...`.
pub fn listed<'a>(missing: impl IntoIterator<Item = &'a MissingFence>) -> String {
    missing.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a child says first: every fence, and why it does not stand (0: it stands).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    fences: Vec<(Fence, i32)>,
}

impl From<&Fences> for Hello {
    fn from(fences: &Fences) -> Self {
        let errno = |fence| fences.missing.iter().find(|missing| missing.fence == fence).map_or(0, |found| found.errno);
        Self { fences: Fence::ALL.into_iter().map(|fence| (fence, errno(fence))).collect() }
    }
}

impl From<Hello> for Fences {
    /// A fence that is not spoken of does not stand.
    fn from(hello: Hello) -> Self {
        let said = |fence| hello.fences.iter().find(|(said, _)| *said == fence).map(|(_, errno)| *errno);
        Self::put_up(|fence| match said(fence) {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w_12_a_report_survives_the_pipe_and_silence_is_no_fence() {
        let refused = |fence| if fence == Fence::Landlock { Err(io::Error::from_raw_os_error(38)) } else { Ok(()) };
        let fences = Fences::put_up(refused);
        let text = serde_json::to_string(&Hello::from(&fences)).expect("JSON");
        assert_eq!(Fences::from(serde_json::from_str::<Hello>(&text).expect("read back")), fences);
        assert_eq!((fences.missing().count(), fences.missing_required().count()), (1, 0));
        assert!(listed(fences.missing()).starts_with("landlock: "), "{}", listed(fences.missing()));
        let silent = Fences::from(Hello { fences: Vec::new() });
        assert_eq!(silent.missing().count(), Fence::ALL.len());
    }
}

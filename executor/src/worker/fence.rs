//! What stands between a guest that broke the engine and this host, one name per fence.

use std::{fmt, io, str::FromStr};

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

    /// Whether it passes from a process to what that forks: what a fork server puts up once for all of its children.
    /// Those have such namespaces in common; none of them may make a socket or an object there.
    #[must_use]
    pub const fn passes_on(self) -> bool {
        match self {
            Self::MemoryOrder
            | Self::User
            | Self::UserNamespace
            | Self::NetworkNamespace
            | Self::IpcNamespace
            | Self::FileSystem
            | Self::NoNewPrivileges
            | Self::Capabilities
            | Self::NotDumpable => true,
            // Each child has its own group, parent's death, limits and filter, keeps two pipes, and is walled off from its
            // siblings.
            Self::ProcessGroup
            | Self::Descriptors
            | Self::ResourceLimits
            | Self::Landlock
            | Self::DeathSignal
            | Self::SystemCalls => false,
        }
    }

    /// Whether guests must not run without it. Required is what every process may take away from itself on any Linux
    /// that Assay supports, in a container as well, and what together leaves a guest that broke the engine with
    /// nothing but its pipes: the filter alone refuses every file, socket, process and signal. The others say the same
    /// a second time, in another part of the kernel; kernels and containers that forbid user namespaces, or have no
    /// landlock, are common: a command has to work there, and a bot, which takes strangers' jobs, does when it is told to.
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

/// Which fences a child has to have before it gets work; more of them, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// None: who sets this trusts every guest.
    None,
    /// Those that [`Fence::is_required`].
    Required,
    /// All, each of them whole.
    Full,
}

impl Isolation {
    /// Whether no guest may run without this fence.
    #[must_use]
    pub const fn needs(self, fence: Fence) -> bool {
        match self {
            Self::None => false,
            Self::Required => fence.is_required(),
            Self::Full => true,
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Required => "required",
            Self::Full => "full",
        })
    }
}

impl FromStr for Isolation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::None, Self::Required, Self::Full].into_iter().find(|known| known.to_string() == text);
        known.ok_or_else(|| format!("\"{text}\" is no isolation; write full, required or none"))
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
        let missing = |fence| {
            // Not supported here at all: no system call was made that could have answered.
            let errno = |error: io::Error| error.raw_os_error().unwrap_or(rustix::io::Errno::NOSYS.raw_os_error());
            put_up(fence).err().map(|error| MissingFence { fence, errno: errno(error) })
        };
        Fence::ALL.into_iter().filter_map(missing).collect()
    }

    /// What putting up this one came to.
    pub(super) fn result(&self, fence: Fence) -> io::Result<()> {
        let missing = self.missing.iter().find(|missing| missing.fence == fence);
        missing.map_or(Ok(()), |missing| Err(io::Error::from_raw_os_error(missing.errno)))
    }

    /// Those that do not stand.
    pub fn missing(&self) -> impl Iterator<Item = &MissingFence> {
        self.missing.iter()
    }

    /// Those that do not stand and that this isolation needs.
    pub fn missing_for(&self, isolation: Isolation) -> impl Iterator<Item = &MissingFence> {
        self.missing.iter().filter(move |missing| isolation.needs(missing.fence))
    }

    /// The most that can be asked of this child.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        let stands = |isolation: &Isolation| self.missing_for(*isolation).next().is_none();
        [Isolation::Full, Isolation::Required].into_iter().find(stands).unwrap_or(Isolation::None)
    }
}

impl FromIterator<MissingFence> for Fences {
    /// All but these.
    fn from_iter<T: IntoIterator<Item = MissingFence>>(missing: T) -> Self {
        Self { missing: missing.into_iter().collect() }
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
        let errno = |fence| fences.result(fence).err().and_then(|error| error.raw_os_error()).unwrap_or(0);
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
        assert_eq!(fences.missing().count(), 1);
        assert!(listed(fences.missing()).starts_with("landlock: "), "{}", listed(fences.missing()));
        let silent = Fences::from(Hello { fences: Vec::new() });
        assert_eq!((silent.missing().count(), silent.isolation()), (Fence::ALL.len(), Isolation::None));
    }

    #[test]
    fn w_12_every_fence_that_is_missing_or_stands_in_part_lowers_the_isolation() {
        assert_eq!(Fences::put_up(|_| Ok(())).isolation(), Isolation::Full);
        for left_out in Fence::ALL {
            for errno in [IN_PART, 1, 38] {
                let refused = |fence| if fence == left_out { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) };
                let fences = Fences::put_up(refused);
                let expected = if left_out.is_required() { Isolation::None } else { Isolation::Required };
                assert_eq!(fences.isolation(), expected, "{left_out:?}");
                for wanted in [Isolation::None, Isolation::Required, Isolation::Full] {
                    let missing: Vec<Fence> = fences.missing_for(wanted).map(|missing| missing.fence).collect();
                    let named = if wanted > expected { vec![left_out] } else { Vec::new() };
                    assert_eq!(missing, named, "{left_out:?} for {wanted}");
                }
            }
        }
    }
}

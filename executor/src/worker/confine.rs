//! What the child takes away from itself before it reads a byte. Elsewhere than on Linux only what every Unix has.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use rustix::process::Pid;

use super::{fence::Fence, limits::ChildLimits};

/// Puts up one fence around this process, for good.
pub(super) fn put_up(fence: Fence, parent: Pid, limits: ChildLimits) -> io::Result<()> {
    match fence {
        // Its parent makes it the leader, too; asking again changes nothing and shows that it is so.
        Fence::ProcessGroup => Ok(rustix::process::setpgid(None, None)?),
        Fence::ResourceLimits => limits.apply(),
        Fence::DeathSignal => platform::die_with(parent),
        Fence::SystemCalls => platform::filter_calls(limits),
        other => platform::put_up(other),
    }
}

/// Puts up one that needs no limits: around a process that forks children.
#[cfg(target_os = "linux")]
pub(super) fn before_fork(fence: Fence, parent: Pid) -> io::Result<()> {
    match fence {
        Fence::DeathSignal => platform::die_with(parent),
        other => platform::put_up(other),
    }
}

/// Puts up what stands between the guest and what compiling it needed, around every thread of this process: the second
/// filter of system calls. Everything is compiled and loaded then. Once it stands, nothing is done.
pub(super) fn before_guest() -> io::Result<()> {
    static STANDS: Mutex<bool> = Mutex::new(false);
    let mut stands = STANDS.lock().unwrap_or_else(PoisonError::into_inner);
    if !*stands {
        platform::filter_calls_of_guest()?;
        *stands = true;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod platform {
    use std::{fs, io};

    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
    use rustix::{
        io::Errno,
        process::{
            DumpableBehavior, Gid, Pid, Signal, Uid, chdir, chroot, geteuid, getppid, set_dumpable_behavior,
            set_parent_process_death_signal,
        },
        thread::{
            CapabilitySet, CapabilitySets, UnshareFlags, capabilities, set_capabilities, set_keep_capabilities,
            set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
        },
    };

    use super::{ChildLimits, Fence};
    use crate::worker::{
        fence::IN_PART,
        filter::{self, Stage},
    };

    /// A directory that exists everywhere and holds nothing of the host: what is in it dies with the process that goes there.
    const NOTHING: &str = "/proc/self/fdinfo";
    /// The user and group that own nothing.
    const NOBODY: u32 = 65_534;

    pub(super) fn put_up(fence: Fence) -> io::Result<()> {
        match fence {
            Fence::Descriptors => close_descriptors(),
            Fence::MemoryOrder => fs::write("/proc/self/oom_score_adj", "1000"),
            Fence::User => become_nobody(),
            Fence::UserNamespace => unshare(UnshareFlags::NEWUSER),
            Fence::NetworkNamespace => unshare(UnshareFlags::NEWNET),
            Fence::IpcNamespace => unshare(UnshareFlags::NEWIPC),
            Fence::FileSystem => Ok(chroot(NOTHING).and_then(|()| chdir("/"))?),
            Fence::NoNewPrivileges => Ok(set_no_new_privs(true)?),
            Fence::Landlock => restrict(),
            Fence::Capabilities => drop_capabilities(),
            Fence::NotDumpable => Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?),
            Fence::ProcessGroup | Fence::ResourceLimits | Fence::DeathSignal | Fence::SystemCalls => Ok(()),
        }
    }

    /// After the user changed: the kernel forgets the signal then.
    pub(super) fn die_with(parent: Pid) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before the line above; then whoever waits for this child is somebody else.
        if getppid() == Some(parent) { Ok(()) } else { Err(Errno::SRCH.into()) }
    }

    pub(super) fn filter_calls(limits: ChildLimits) -> io::Result<()> {
        filter::apply(if limits.may_compile { Stage::Compiling } else { Stage::Preparing })
    }

    pub(super) fn filter_calls_of_guest() -> io::Result<()> {
        filter::apply(Stage::Running)
    }

    /// A parent may have been started with descriptors that it does not know of.
    fn close_descriptors() -> io::Result<()> {
        #[expect(unsafe_code, reason = "descriptors that somebody still uses must not be closed; here nobody does")]
        // SAFETY: nothing in this process has opened anything yet; 0, 1 and 2 stay.
        let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
        if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Root gives up its identity and keeps, for the next fences, its capabilities.
    fn become_nobody() -> io::Result<()> {
        if !geteuid().is_root() {
            return Ok(());
        }
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        set_keep_capabilities(true)?;
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        let kept = capabilities(None)?;
        Ok(set_capabilities(None, CapabilitySets { effective: kept.permitted, ..kept })?)
    }

    fn unshare(flags: UnshareFlags) -> io::Result<()> {
        #[expect(unsafe_code, reason = "only FILES can confuse threads about descriptors; it is not asked for")]
        // SAFETY: see the reason above; besides, this process has one thread.
        unsafe { unshare_unsafe(flags) }.map_err(io::Error::from)
    }

    fn drop_capabilities() -> io::Result<()> {
        let none = CapabilitySet::empty();
        Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
    }

    /// Everything that this kernel's landlock knows, and no exception.
    fn restrict() -> io::Result<()> {
        let latest = ABI::V6;
        let enforced = Ruleset::default()
            .handle_access(AccessFs::from_all(latest))
            .and_then(|rules| rules.handle_access(AccessNet::from_all(latest)))
            .and_then(|rules| rules.scope(Scope::from_all(latest)))
            .and_then(|rules| rules.create())
            .and_then(|rules| rules.restrict_self());
        match enforced {
            Ok(status) => stands(&status.ruleset),
            Err(error) => Err(io::Error::from_raw_os_error(*landlock::Errno::from(error))),
        }
    }

    /// Only the whole fence is one: an older kernel's holds files and not, for example, signals.
    fn stands(enforced: &RulesetStatus) -> io::Result<()> {
        match enforced {
            RulesetStatus::FullyEnforced => Ok(()),
            RulesetStatus::PartiallyEnforced => Err(io::Error::from_raw_os_error(IN_PART)),
            RulesetStatus::NotEnforced => Err(Errno::OPNOTSUPP.into()),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::worker::fence::{Fences, listed};

        #[test]
        fn w_12_a_fence_of_which_the_kernel_knows_a_part_does_not_stand() {
            let found = |status: RulesetStatus| {
                let fences = Fences::put_up(|fence| if fence == Fence::Landlock { stands(&status) } else { Ok(()) });
                listed(fences.missing())
            };
            assert_eq!(found(RulesetStatus::FullyEnforced), "");
            let none = found(RulesetStatus::NotEnforced);
            assert!(none.starts_with("landlock: ") && !none.contains("in part"), "{none}");
            assert!(found(RulesetStatus::PartiallyEnforced).starts_with("landlock: only in part"));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;

    pub(super) fn put_up(_: super::Fence) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn die_with(_: super::Pid) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn filter_calls(_: super::ChildLimits) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn filter_calls_of_guest() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

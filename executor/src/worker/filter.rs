//! The system calls that are left to the child: what computing, answering and ending need, and no more.
//!
//! There are two filters. Behind the first the child reads its work, validates, meters and compiles; one that may compile
//! may make memory executable there. The second is put on top when everything is compiled and loaded, before the guest's
//! first instruction, and cannot be taken off: no memory becomes executable any more, nothing more is read, and what can
//! still be written can never be code.
//!
//! Everything else does not exist for it: the kernel answers `ENOSYS`, as an older kernel would, so that the C library
//! takes its older ways (`clone3`, whose flags a filter cannot see, becomes `clone`, whose flags it can).

use std::{collections::BTreeMap, io};

use libc::{c_int, c_long};
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Allowed with any arguments: none of them reaches outside the process.
const ALLOWED: [c_long; 20] = [
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // The guest runs in a thread with a stack of its own.
    libc::SYS_futex,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_sched_yield,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // A stack overflow is told from other faults by a handler.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Seeds of hash tables, and time where the kernel does not map its clock.
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Flags that decide what `clone` makes: a thread and nothing else has these two...
const THREAD: c_int = libc::CLONE_THREAD | libc::CLONE_VM;
/// ... and none of these.
const NO_THREAD: c_int = libc::CLONE_VFORK
    | libc::CLONE_PTRACE
    | libc::CLONE_PARENT
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_IO;

/// How far a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It prepares; what it compiles becomes executable.
    Compiling,
    /// It prepares; nothing becomes executable.
    Preparing,
    /// The guest runs.
    Running,
}

/// Confines every thread of this process, and those that it will start, for good.
pub(super) fn apply(stage: Stage) -> io::Result<()> {
    // A machine whose system calls the compiler of filters does not know.
    let program = program(stage).map_err(|_| io::Error::from(Errno::OPNOTSUPP))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| match error {
        Error::Prctl(source) | Error::Seccomp(source) => source,
        _ => Errno::INVAL.into(),
    })
}

fn program(stage: Stage) -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
    rules.extend(restricted()?);
    if stage != Stage::Running {
        rules.extend(before_guest()?);
    }
    rules.insert(libc::SYS_mprotect, protections(stage)?);
    let refused = SeccompAction::Errno(Errno::NOSYS.raw_os_error().unsigned_abs());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?.try_into()
}

/// What one argument has to be.
enum Needs {
    /// This value.
    Equal(u64),
    /// Of these bits, those.
    Bits { of: c_int, those: c_int },
}

/// Every one of these arguments (by index) as needed.
fn rule(arguments: &[(u8, Needs)]) -> Result<SeccompRule, BackendError> {
    let bits = |bits: c_int| u64::from(bits.cast_unsigned());
    let condition = |(index, needs): &(u8, Needs)| {
        let (operator, value) = match *needs {
            Needs::Equal(value) => (SeccompCmpOp::Eq, value),
            Needs::Bits { of, those } => (SeccompCmpOp::MaskedEq(bits(of)), bits(those)),
        };
        SeccompCondition::new(*index, SeccompCmpArgLen::Dword, operator, value)
    };
    SeccompRule::new(arguments.iter().map(condition).collect::<Result<_, _>>()?)
}

/// The value of these flags as the kernel sees them.
fn exactly(flags: c_int) -> Needs {
    Needs::Equal(u64::from(flags.cast_unsigned()))
}

/// Memory that is no code.
const NO_CODE: Needs = Needs::Bits { of: libc::PROT_EXEC, those: 0 };

/// What may become of memory. The compiler's becomes code when it is written; that it can be written again before the
/// guest starts is why there is a second filter.
fn protections(stage: Stage) -> Result<Vec<SeccompRule>, BackendError> {
    let code = (stage == Stage::Compiling).then_some(exactly(libc::PROT_READ | libc::PROT_EXEC));
    [NO_CODE].into_iter().chain(code).map(|protection| rule(&[(2, protection)])).collect()
}

/// What is over when the guest starts: reading the work, and putting up the second filter.
fn before_guest() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    let every_thread = u64::from(u32::try_from(libc::SECCOMP_FILTER_FLAG_TSYNC).unwrap_or(u32::MAX));
    let filter = [(0, Needs::Equal(libc::SECCOMP_SET_MODE_FILTER.into())), (1, Needs::Equal(every_thread))];
    // It stands since the fences went up; whoever adds a filter asks for it again.
    let no_new_privileges = [(0, exactly(libc::PR_SET_NO_NEW_PRIVS)), (1, Needs::Equal(1))];
    Ok(vec![
        (libc::SYS_read, vec![rule(&[(0, Needs::Equal(0))])?]),
        (libc::SYS_seccomp, vec![rule(&filter)?]),
        (libc::SYS_prctl, vec![rule(&no_new_privileges)?]),
    ])
}

/// Allowed with some arguments only, in every stage.
fn restricted() -> Result<Vec<(c_long, Vec<SeccompRule>)>, BackendError> {
    // Its own pipes, whatever descriptors it may have been started with.
    let output = || Ok(vec![rule(&[(0, Needs::Equal(1))])?, rule(&[(0, Needs::Equal(2))])?]);
    // New memory is no file, never code, and never shared: shared memory could be mapped twice, once to write and once
    // to execute.
    let own_memory = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
    let own_memory = Needs::Bits { of: own_memory | libc::MAP_SHARED, those: own_memory };
    let thread = Needs::Bits { of: THREAD | NO_THREAD, those: THREAD };
    // An engine that aborts says so.
    let own = Needs::Equal(u64::from(std::process::id()));
    let abort = exactly(libc::SIGABRT);
    Ok(vec![
        (libc::SYS_write, output()?),
        (libc::SYS_writev, output()?),
        (libc::SYS_mmap, vec![rule(&[(2, NO_CODE), (3, own_memory)])?]),
        (libc::SYS_clone, vec![rule(&[(0, thread)])?]),
        (libc::SYS_tgkill, vec![rule(&[(0, own), (2, abort)])?]),
    ])
}

//! In the place of a guest that broke the engine: a native program behind the sandbox child's fences that tries what it
//! must not do and reports what the kernel said. Started under the name `without-filter` it does so without the filter of
//! system calls, to show what the other fences hold. Where the job has a file `code` it hands that back instead, as code
//! that it compiled.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    return stand_in::main();
    #[cfg(not(target_os = "linux"))]
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod stand_in {
    use std::{collections::BTreeMap, ffi::CStr, process::ExitCode};

    use assay_executor::worker::{Fence, WorkReply, WorkRequest, before_guest, maybe_child_with};
    use assay_runtime::Variant;
    use libc::{c_int, c_long};

    /// Name of the executable that goes without the filter.
    const WITHOUT_FILTER: &str = "without-filter";
    /// Higher than any system call.
    const CALLS_MAX: c_long = 1_024;
    /// The kernel's own traps for probes on x86-64, no calls: they kill whoever is not probed, filter or not.
    const PROBE_TRAPS: std::ops::Range<c_long> = 335..337;

    pub fn main() -> ExitCode {
        let mut arguments = std::env::args();
        let is_unfiltered = arguments.next().is_some_and(|path| path.ends_with(WITHOUT_FILTER));
        let parent = arguments.nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        let without: &[Fence] = if is_unfiltered { &[Fence::SystemCalls] } else { &[] };
        maybe_child_with(without, |request| answer(&request, parent, is_unfiltered)).unwrap_or(ExitCode::FAILURE)
    }

    /// What was tried, and the error number, 0 when it worked.
    fn answer(request: &WorkRequest, parent: c_long, is_unfiltered: bool) -> WorkReply {
        let file = |path| request.entries.iter().find(|entry| entry.path == path).and_then(|entry| entry.bytes());
        if let Some(code) = file("code") {
            let code = [Variant::Fast, Variant::Canonical].map(|variant| (variant, code.as_ref().into()));
            return WorkReply::Compiled(code.into());
        }
        let port = file("port").and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok()).unwrap_or(0);
        let mut tried = try_all(parent, port);
        tried.insert("variables that exist".to_owned(), number(std::env::vars_os().count()));
        if is_unfiltered {
            tried.insert("descriptors that exist".to_owned(), descriptors_that_exist());
        } else {
            tried.extend(only_filtered());
            tried.insert("calls that exist".to_owned(), calls_that_exist());
            tried.extend(as_a_guest().into_iter().map(|(name, errno)| (format!("guest: {name}"), errno)));
        }
        WorkReply::Fault(serde_json::to_string(&tried).unwrap_or_default())
    }

    /// One system call: its error number, 0 when it worked.
    fn call(number: c_long, arguments: [c_long; 6]) -> c_int {
        let [a, b, c, d, e, f] = arguments;
        #[expect(unsafe_code, reason = "a guest that broke the engine may call anything")]
        // SAFETY: not at all; that the kernel refuses it is what is tested. Pointers are to live buffers or null.
        let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        if result == -1 { std::io::Error::last_os_error().raw_os_error().unwrap_or(-1) } else { 0 }
    }

    fn address<T: ?Sized>(value: &T) -> c_long {
        let pointer: *const T = value;
        c_long::try_from(pointer.cast::<u8>().addr()).unwrap_or(0)
    }

    fn text(text: &CStr) -> c_long {
        address(text)
    }

    fn bits(flags: c_int) -> c_long {
        c_long::from(flags)
    }

    /// What every fence that stands has to refuse, with or without the filter.
    fn try_all(parent: c_long, port: u16) -> BTreeMap<String, c_int> {
        let here = bits(libc::AT_FDCWD);
        let mut memory = [0_u8; 16];
        let into = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() };
        // Some byte of the parent's: its code lies elsewhere than ours, so the answer is a refusal or a fault.
        let from = libc::iovec { iov_base: std::ptr::without_provenance_mut(0x1_0000), iov_len: 1 };
        let create = bits(libc::O_CREAT | libc::O_WRONLY);
        let (file, mem) = (c"/etc/passwd", std::ffi::CString::new(format!("/proc/{parent}/mem")).unwrap_or_default());
        [
            ("open a file", call(libc::SYS_openat, [here, text(file), bits(libc::O_RDONLY), 0, 0, 0])),
            ("write a file", call(libc::SYS_openat, [here, text(c"/tmp/assay-escaped"), create, 0o600, 0, 0])),
            ("open the parent's memory", call(libc::SYS_openat, [here, text(&mem), bits(libc::O_RDONLY), 0, 0, 0])),
            ("read the parent's memory", {
                call(libc::SYS_process_vm_readv, [parent, address(&into), 1, address(&from), 1, 0])
            }),
            ("trace the parent", call(libc::SYS_ptrace, [bits_of(libc::PTRACE_ATTACH), parent, 0, 0, 0, 0])),
            ("signal the parent", call(libc::SYS_kill, [parent, 0, 0, 0, 0, 0])),
            ("become root", call(libc::SYS_setuid, [0; 6])),
            ("become the group of root", call(libc::SYS_setgid, [0; 6])),
            ("execute a program", call(libc::SYS_execve, [text(c"/bin/true"), 0, 0, 0, 0, 0])),
            ("mount a file system", { call(libc::SYS_mount, [text(c"none"), text(c"/"), text(c"tmpfs"), 0, 0, 0]) }),
            ("leave the root directory", call(libc::SYS_chroot, [text(c"/.."), 0, 0, 0, 0, 0])),
            ("connect over TCP", connect(port)),
            ("raise a limit", {
                let limit = [u64::MAX; 2];
                call(libc::SYS_prlimit64, [0, c_long::from(libc::RLIMIT_FSIZE), address(&limit), 0, 0, 0])
            }),
        ]
        .map(|(name, errno)| (name.to_owned(), errno))
        .into()
    }

    fn bits_of(value: libc::c_uint) -> c_long {
        c_long::from(value)
    }

    fn connect(port: u16) -> c_int {
        match std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => 0,
            Err(error) => error.raw_os_error().unwrap_or(-1),
        }
    }

    /// What only the filter refuses to an ordinary process.
    fn only_filtered() -> BTreeMap<String, c_int> {
        let exec = bits(libc::PROT_READ | libc::PROT_EXEC);
        let (private, anonymous) = (bits(libc::MAP_PRIVATE), bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS));
        let (all, shared) =
            (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, bits(libc::MAP_SHARED | libc::MAP_ANONYMOUS));
        let page = vec![0_u8; 8_192];
        let aligned = (address(page.as_slice()) + 4_095) & !4_095;
        let own = c_long::from(std::process::id());
        let thread = bits(libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND);
        [
            ("fork", fork(bits(libc::SIGCHLD))),
            ("fork sharing memory", fork(bits(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD))),
            (
                "a thread in another namespace",
                call(libc::SYS_clone, [thread | bits(libc::CLONE_NEWNET), 0, 0, 0, 0, 0]),
            ),
            ("clone3", call(libc::SYS_clone3, [0; 6])),
            ("executable memory", call(libc::SYS_mmap, [0, 4_096, exec, anonymous, -1, 0])),
            ("memory made executable", make_executable(aligned, libc::PROT_READ | libc::PROT_EXEC)),
            ("memory to write and execute", make_executable(aligned, all)),
            ("memory to execute unread", make_executable(aligned, libc::PROT_EXEC)),
            ("new memory to write and execute", call(libc::SYS_mmap, [0, 4_096, bits(all), anonymous, -1, 0])),
            // The same pages twice: once to write, once to execute.
            ("shared memory", call(libc::SYS_mmap, [0, 4_096, bits(libc::PROT_READ), shared, -1, 0])),
            ("code of a file", call(libc::SYS_mmap, [0, 4_096, exec, private, 0, 0])),
            ("memory of a file", call(libc::SYS_mmap, [0, 4_096, bits(libc::PROT_READ), private, 0, 0])),
            ("read another descriptor", call(libc::SYS_read, [3, aligned, 1, 0, 0, 0])),
            ("write another descriptor", call(libc::SYS_write, [3, aligned, 1, 0, 0, 0])),
            ("write its own input", call(libc::SYS_write, [0, aligned, 1, 0, 0, 0])),
            ("stop itself by a signal", call(libc::SYS_tgkill, [own, own, bits(libc::SIGSTOP), 0, 0, 0])),
            ("abort another process", call(libc::SYS_tgkill, [1, 1, bits(libc::SIGABRT), 0, 0, 0])),
            ("a local socket", call(libc::SYS_socket, [bits(libc::AF_UNIX), bits(libc::SOCK_STREAM), 0, 0, 0, 0])),
            ("leave the process group", call(libc::SYS_setsid, [0; 6])),
            ("become dumpable", call(libc::SYS_prctl, [bits(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0])),
            ("outlive the parent", call(libc::SYS_prctl, [bits(libc::PR_SET_PDEATHSIG), 0, 0, 0, 0, 0])),
        ]
        .map(|(name, errno)| (name.to_owned(), errno))
        .into()
    }

    /// What is tried when the guest runs, behind the second filter: all of it again, and from a thread that was there
    /// before.
    fn as_a_guest() -> BTreeMap<String, c_int> {
        let page = vec![0_u8; 8_192];
        let aligned = (address(page.as_slice()) + 4_095) & !4_095;
        let private = bits(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let readable = libc::PROT_READ | libc::PROT_WRITE;
        let (start, started) = std::sync::mpsc::channel::<()>();
        let earlier = std::thread::spawn(move || {
            let _ended = started.recv();
            make_executable(aligned, libc::PROT_READ | libc::PROT_EXEC)
        });
        if let Err(error) = before_guest() {
            return [(format!("no second filter: {error}"), -1)].into();
        }
        drop(start);
        let mut tried = only_filtered();
        tried.insert("calls that exist".to_owned(), calls_that_exist());
        let more = [
            ("memory made executable by an earlier thread", earlier.join().unwrap_or(-1)),
            ("read its own input", call(libc::SYS_read, [0, aligned, 1, 0, 0, 0])),
            ("another filter", call(libc::SYS_seccomp, [1, 1, 0, 0, 0, 0])),
            // What memory needs to grow, in either engine.
            ("reserved memory made writable", call(libc::SYS_mprotect, [aligned, 4_096, bits(readable), 0, 0, 0])),
            ("new memory", call(libc::SYS_mmap, [0, 4_096, bits(readable), private, -1, 0])),
        ];
        tried.extend(more.map(|(name, errno)| (name.to_owned(), errno)));
        tried
    }

    /// Whatever becomes of it, the page is then what it was.
    fn make_executable(page: c_long, protection: c_int) -> c_int {
        let errno = call(libc::SYS_mprotect, [page, 4_096, bits(protection), 0, 0, 0]);
        call(libc::SYS_mprotect, [page, 4_096, bits(libc::PROT_READ | libc::PROT_WRITE), 0, 0, 0]);
        errno
    }

    /// A descendant, should there be one, ends at once.
    fn fork(flags: c_long) -> c_int {
        let before = std::process::id();
        let errno = call(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        if std::process::id() != before {
            std::process::exit(0);
        }
        errno
    }

    fn number(count: usize) -> c_int {
        c_int::try_from(count).unwrap_or(c_int::MAX)
    }

    /// How many descriptors there are beside the pipes.
    fn descriptors_that_exist() -> c_int {
        let is_open = |descriptor: &c_long| call(libc::SYS_fcntl, [*descriptor, bits(libc::F_GETFD), 0, 0, 0, 0]) == 0;
        number((3..1_024).filter(is_open).count())
    }

    /// How many system calls exist for this process beside those that the filter lets pass.
    fn calls_that_exist() -> c_int {
        let listed = [
            libc::SYS_brk,
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_futex,
            libc::SYS_rseq,
            libc::SYS_set_robust_list,
            libc::SYS_sched_yield,
            libc::SYS_getpid,
            libc::SYS_gettid,
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigreturn,
            libc::SYS_sigaltstack,
            libc::SYS_getrandom,
            libc::SYS_clock_gettime,
            libc::SYS_close,
            libc::SYS_restart_syscall,
            libc::SYS_exit,
            libc::SYS_exit_group,
            // With some arguments; `only_filtered` tries others.
            libc::SYS_read,
            libc::SYS_mmap,
            libc::SYS_mprotect,
            libc::SYS_seccomp,
            libc::SYS_prctl,
        ];
        let unlisted = (0..CALLS_MAX).filter(|number| !listed.contains(number) && !PROBE_TRAPS.contains(number));
        number(unlisted.filter(|number| call(*number, [0; 6]) != libc::ENOSYS).count())
    }
}

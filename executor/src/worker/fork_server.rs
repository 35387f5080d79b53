//! A process that sandbox children are forked from, so that not each of them has to be executed, linked and put behind
//! every fence anew.
//!
//! It is this binary, executed with a clean environment and one thread. It puts up the fences that pass to whatever it
//! forks ([`Fence::passes_on`]), sees nothing of any job, and does one thing: for a message with limits and two pipes it
//! makes a child. That child's parent is the bot (`CLONE_PARENT`), which kills and reaps it as any other.
//!
//! Children of one server have its memory layout in common. So it is replaced as soon as one of them ends without a whole
//! answer, and after [`FORKS_MAX`] of them: whoever would guess at addresses has as many guesses as children run at once, and
//! what he learns lasts no longer.

use std::{
    convert::Infallible,
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::retry_on_intr,
    process::{Pid, Signal, WaitOptions, kill_process, setpgid, waitpid},
};

use super::{FORK_SERVER_ARGUMENT, limits::ChildLimits};

/// Children of one server, at most.
const FORKS_MAX: u32 = 256;
/// How long none is started after one that forked no child at all.
const PAUSE: Duration = Duration::from_secs(60);

/// Starts the process when the first child is needed, and another one when it has to be replaced.
#[derive(Debug, Default)]
pub struct ForkServer {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Arc<Running>>,
    /// When one could not be started, or forked not one child.
    failed: Option<Instant>,
}

impl ForkServer {
    /// Process id of the one that is running. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        Some(self.state.lock().unwrap_or_else(PoisonError::into_inner).running.as_ref()?.id)
    }

    /// A child of this binary that reads from the first pipe, writes to the second and leads its process group. It lives
    /// no longer than what is returned with its id, which is to be held until it is reaped. `None` for a while after there could
    /// be none.
    ///
    /// # Errors
    /// When there is no such process here, it does not answer, or it cannot fork.
    pub(super) fn fork(
        &self,
        program: &Path,
        limits: ChildLimits,
        pipes: (BorrowedFd<'_>, BorrowedFd<'_>),
    ) -> io::Result<Option<(Pid, Arc<Running>)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Ok(None);
        }
        let known = state.running.take().filter(|running| running.forks.fetch_add(1, Ordering::Relaxed) < FORKS_MAX);
        let is_new = known.is_none();
        let forked = known.map_or_else(|| Running::start(program).map(Arc::new), Ok).and_then(|running| {
            let pid = platform::ask(&running.socket, limits, pipes)?;
            // The child does the same. Whoever comes second changes nothing, and from here on its group can be killed.
            setpgid(Some(pid), Some(pid)).inspect_err(|_| end(pid))?;
            Ok((pid, running))
        });
        state.failed = (is_new && forked.is_err()).then(Instant::now);
        state.running = forked.as_ref().ok().map(|(_, running)| running.clone());
        forked.map(Some)
    }

    /// Nothing more is forked from it.
    pub(super) fn retire(&self, running: &Arc<Running>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running.as_ref().is_some_and(|current| Arc::ptr_eq(current, running)) {
            state.running = None;
        }
    }
}

/// A child that is of no use.
fn end(pid: Pid) {
    let killed = kill_process(pid, Signal::KILL);
    if let Err(error) = killed.and_then(|()| retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()))) {
        tracing::debug!(%error, "child_not_killed");
    }
}

/// One such process. It ends when nobody holds this any more.
#[derive(Debug)]
pub(super) struct Running {
    socket: OwnedFd,
    id: u32,
    forks: AtomicU32,
    _keeper: Sender<Infallible>,
}

impl Running {
    /// Starts it in a thread that lives as long: it and its children are killed when the thread ends that started it.
    fn start(program: &Path) -> io::Result<Self> {
        let (socket, its_socket) = platform::socket_pair()?;
        let mut command = Command::new(program);
        command
            .arg(FORK_SERVER_ARGUMENT)
            .arg(std::process::id().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(its_socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What a terminal says to the bot is not said to it.
            .process_group(0);
        let (keeper, wanted) = mpsc::channel();
        let (started, start) = mpsc::sync_channel(1);
        thread::Builder::new().name("fork-server".into()).spawn(move || keep(command, &started, &wanted))?;
        let id = start.recv().map_err(io::Error::other)??;
        Ok(Self { socket, id, forks: AtomicU32::new(1), _keeper: keeper })
    }
}

fn keep(mut command: Command, started: &SyncSender<io::Result<u32>>, wanted: &Receiver<Infallible>) {
    let spawned = command.spawn();
    // Its end of the socket: that it closed shows that the process is gone.
    drop(command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return drop(started.send(Err(error))),
    };
    drop(started.send(Ok(child.id())));
    // Nothing is ever sent: this ends when the other side is dropped.
    let Err(_) = wanted.recv();
    if let Err(error) = child.kill().and_then(|()| child.wait()) {
        tracing::debug!(%error, "fork_server_not_killed");
    }
}

pub(super) use platform::serve;

#[cfg(target_os = "linux")]
mod platform {
    use std::{
        io::{self, IoSlice, IoSliceMut},
        mem::MaybeUninit,
        os::fd::{BorrowedFd, OwnedFd},
        time::Duration,
    };

    use rustix::{
        io::retry_on_intr,
        net::{
            AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
            SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
            sockopt::{Timeout, set_socket_timeout},
        },
        process::Pid,
    };

    use super::ChildLimits;
    use crate::worker::{
        confine,
        fence::{Fence, Fences},
    };

    /// Longest message, bytes: limits as text.
    const MESSAGE_BYTES_MAX: usize = 128;
    /// Longest wait for a server, which does nothing but this.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Messages, not a stream: each is one child.
    pub(super) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&ours, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&ours, Timeout::Send, Some(PATIENCE))?;
        Ok((ours, theirs))
    }

    /// The parent's side of one child.
    pub(super) fn ask(
        server: &OwnedFd,
        limits: ChildLimits,
        (stdin, stdout): (BorrowedFd<'_>, BorrowedFd<'_>),
    ) -> io::Result<Pid> {
        let pipes = [stdin, stdout];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut descriptors = SendAncillaryBuffer::new(&mut space);
        descriptors.push(SendAncillaryMessage::ScmRights(&pipes));
        let text = limits.to_argument();
        // Once it was asked there is a child: no signal to this process may keep its answer from being heard.
        retry_on_intr(|| sendmsg(server, &[IoSlice::new(text.as_bytes())], &mut descriptors, SendFlags::NOSIGNAL))?;
        let mut answer = [0; 4];
        let (length, _) = retry_on_intr(|| recv(server, &mut answer, RecvFlags::empty()))?;
        let pid = i32::from_le_bytes(answer);
        match Pid::from_raw(pid.max(0)) {
            Some(pid) if length == answer.len() => Ok(pid),
            _ if length == answer.len() => Err(io::Error::from_raw_os_error(-pid)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// The server's side. Returns in each child, with its limits and the fences that stand already, and, with nothing,
    /// when the bot wants no more of them.
    ///
    /// # Errors
    /// The system's, in the server.
    pub(in crate::worker) fn serve(parent: Pid) -> io::Result<Option<(ChildLimits, Fences)>> {
        // Each child does it again, and says whether it can be done.
        let _closed = confine::before_fork(Fence::Descriptors, parent);
        let fences =
            Fences::put_up(|fence| if fence.passes_on() { confine::before_fork(fence, parent) } else { Ok(()) });
        confine::before_fork(Fence::DeathSignal, parent)?;
        let socket = rustix::stdio::stdin();
        while let Some((limits, [stdin, stdout])) = receive(socket)? {
            match fork_sibling() {
                Ok(None) => {
                    rustix::stdio::dup2_stdin(stdin)?;
                    rustix::stdio::dup2_stdout(stdout)?;
                    return Ok(Some((limits, fences)));
                }
                Ok(Some(pid)) => answer(socket, pid)?,
                Err(error) => answer(socket, error.raw_os_error().map_or(-libc::EIO, |errno| -errno))?,
            }
        }
        Ok(None)
    }

    fn answer(socket: BorrowedFd<'_>, pid_or_errno: i32) -> io::Result<()> {
        send(socket, &pid_or_errno.to_le_bytes(), SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next child's limits and pipes; `None` when the bot has closed its end.
    fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<(ChildLimits, [OwnedFd; 2])>> {
        let mut text = [0; MESSAGE_BYTES_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut descriptors = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let message = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut descriptors, flags)?;
        if message.bytes == 0 {
            return Ok(None);
        }
        let pipes = descriptors.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(pipes) => Some(pipes),
            _ => None,
        });
        let pipes = <[OwnedFd; 2]>::try_from(pipes.flatten().collect::<Vec<_>>());
        let limits = text.get(..message.bytes).and_then(|text| std::str::from_utf8(text).ok());
        match (limits.and_then(ChildLimits::from_argument), pipes) {
            (Some(limits), Ok(pipes)) => Ok(Some((limits, pipes))),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// A copy of this process, whose parent is this one's own. Its id; in the copy itself, nothing.
    fn fork_sibling() -> io::Result<Option<i32>> {
        let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
        #[expect(unsafe_code, reason = "the C library's fork cannot give the copy another parent")]
        // SAFETY: this process has one thread, so no lock is held in the copy by one that it lacks; it goes on with a
        // copy of this stack, as after fork. What the C library keeps of a thread's id is this process's there, whose id
        // no thread of the copy can have.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
        match i32::try_from(pid) {
            Ok(0) => Ok(None),
            Ok(pid) if pid > 0 => Ok(Some(pid)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Elsewhere children are executed.
#[cfg(not(target_os = "linux"))]
mod platform {
    use std::{
        io,
        os::fd::{BorrowedFd, OwnedFd},
    };

    use super::{ChildLimits, Pid};
    use crate::worker::fence::Fences;

    pub(in crate::worker) fn serve(_: Pid) -> io::Result<Option<(ChildLimits, Fences)>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn ask(_: &OwnedFd, _: ChildLimits, _: (BorrowedFd<'_>, BorrowedFd<'_>)) -> io::Result<Pid> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

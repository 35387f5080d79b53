//! The parent's side: start, feed, wait no longer than agreed, kill.

use std::{
    io,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;

use super::{
    CHILD_ARGUMENT,
    frame::FrameError,
    limits::ChildLimits,
    wire::{WorkReply, WorkRequest},
};

/// Address space beside the guest's memory: the binary, the engine, the module in all its forms, the job directory and
/// the result, each at its limit.
const ADDRESS_SPACE_BASE_BYTES: u64 = 2 << 30;
const OPEN_FILES: u64 = 16;

/// How a child is started.
#[derive(Clone, Debug)]
pub struct ChildSettings {
    /// The binary; its `main` calls [`super::maybe_child_main`] first. `None`: this very executable.
    pub program: Option<PathBuf>,
    /// Wall clock from start to the end of the answer.
    pub deadline: Duration,
    /// Most address space; `None`: computed from the job's limits.
    pub address_space_bytes: Option<u64>,
}

impl Default for ChildSettings {
    fn default() -> Self {
        Self {
            program: None,
            deadline: Duration::from_millis(assay_protocol::limits::WALL_CLOCK_MS_DEFAULT),
            address_space_bytes: None,
        }
    }
}

/// The child gave no result. Says nothing about the task and is never signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerFault {
    /// It could not be started.
    #[error("start the sandbox child: {0}; check that the executable can be run and that processes are left")]
    Start(io::Error),
    /// It did not finish in time.
    #[error(
        "run the sandbox child: no answer within {0:?}; it was killed; raise worker.deadline or lower policy.gas_limit_max"
    )]
    Deadline(Duration),
    /// Stopped on request.
    #[error("run the sandbox child: stopped on request")]
    Cancelled,
    /// It ended without a whole answer: a crash, a memory limit, the OOM killer.
    #[error(
        "run the sandbox child: it ended ({status}) without a whole answer: {frame}; see worker.memory_max if it was killed"
    )]
    Crashed {
        /// How it ended.
        status: String,
        /// What was wrong with the answer.
        frame: FrameError,
    },
    /// It answered and reported a fault, or answered another question.
    #[error("run the sandbox child: {0}")]
    Reported(String),
}

/// Stops a child from another thread. Cheap to clone.
#[derive(Clone, Default)]
pub struct Cancel {
    shared: Arc<CancelShared>,
}

#[derive(Default)]
struct CancelShared {
    state: Mutex<CancelState>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct CancelState {
    cancelled: bool,
    finished: bool,
}

impl Cancel {
    /// Kills the child, now or as soon as it is started.
    pub fn cancel(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).cancelled = true;
        self.shared.changed.notify_all();
    }

    fn finish(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).finished = true;
        self.shared.changed.notify_all();
    }

    /// Waits until cancelled, finished or too late.
    fn wait(&self, deadline: Duration) -> CancelState {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut CancelState| !state.cancelled && !state.finished;
        let waited = self.shared.changed.wait_timeout_while(state, deadline, waiting);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Starts a child, gives it the request and returns its answer. Blocks; call it from a thread that may.
///
/// The child dies with the thread that started it, which is why this does all its waiting on the calling thread.
///
/// # Errors
/// [`WorkerFault`]. Whatever happens, no process of the child's group is left.
pub fn run_in_child(
    request: &WorkRequest,
    settings: &ChildSettings,
    cancel: &Cancel,
) -> Result<WorkReply, WorkerFault> {
    let begun = Instant::now();
    let mut child = start(request, settings)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
        // Whether it could be reaped changes nothing about the answer.
        drop(kill(&mut child));
        return Err(WorkerFault::Start(io::Error::other("the pipes were not made")));
    };
    let too_late = AtomicBool::new(false);
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let answer = thread::scope(|scope| {
        scope.spawn(|| {
            let state = cancel.wait(settings.deadline.saturating_sub(begun.elapsed()));
            if !state.finished {
                too_late.store(!state.cancelled, Ordering::SeqCst);
                kill_group(group);
            }
        });
        // The child reads all of its request before it writes: writing first cannot deadlock.
        let sent = request.write(io::BufWriter::new(stdin));
        // An error of writing is not interesting: the answer, or its absence, says more.
        let answer = WorkReply::read(io::BufReader::new(stdout)).map_err(|error| sent.err().unwrap_or(error));
        cancel.finish();
        answer
    });
    let status = kill(&mut child);
    match answer {
        Ok(WorkReply::Fault(message)) => Err(WorkerFault::Reported(message)),
        Ok(reply) => match (&reply, request) {
            (WorkReply::Prepared(_), WorkRequest::Prepare { .. }) | (WorkReply::Ran(_), WorkRequest::Run { .. }) => {
                Ok(reply)
            }
            _ => Err(WorkerFault::Reported("it answered another question".into())),
        },
        Err(_) if too_late.load(Ordering::SeqCst) => Err(WorkerFault::Deadline(settings.deadline)),
        Err(_) if cancel.wait(Duration::ZERO).cancelled => Err(WorkerFault::Cancelled),
        Err(frame) => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            Err(WorkerFault::Crashed { status, frame })
        }
    }
}

/// This very executable. On Linux by the link that still leads to it after an upgrade replaced its file.
fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

fn start(request: &WorkRequest, settings: &ChildSettings) -> Result<Child, WorkerFault> {
    let program = settings.program.clone().map_or_else(own_executable, Ok).map_err(WorkerFault::Start)?;
    let (WorkRequest::Prepare { task, .. } | WorkRequest::Run { task, .. }) = request;
    // The engine may hold a memory twice while it grows.
    let computed = task.spec.limits.memory_bytes.saturating_mul(2).saturating_add(ADDRESS_SPACE_BASE_BYTES);
    let limits = ChildLimits {
        address_space_bytes: settings.address_space_bytes.unwrap_or(computed),
        cpu_s: settings.deadline.as_secs().saturating_add(2),
        open_files: OPEN_FILES,
    };
    Command::new(program)
        .arg(CHILD_ARGUMENT)
        .arg(std::process::id().to_string())
        .arg(limits.to_argument())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(WorkerFault::Start)
}

/// Kills the group, descendants included, and reaps the child. Its group is its own since before it ran, and its id is
/// taken until it is reaped, so nothing else is hit (W-18).
fn kill(child: &mut Child) -> io::Result<ExitStatus> {
    kill_group(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    child.wait()
}

fn kill_group(group: Option<Pid>) {
    if let Some(group) = group
        && let Err(error) = kill_process_group(group, Signal::KILL)
    {
        // It ended by itself in the meantime.
        tracing::debug!(%error, "child_group_not_killed");
    }
}

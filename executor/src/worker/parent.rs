//! The parent's side: start, feed, wait no longer than agreed, kill.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::{
        fd::AsFd as _,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use assay_runtime::{ArtifactCache, Variant};
use rustix::{
    io::retry_on_intr,
    process::{Pid, Signal, WaitOptions, kill_process_group, waitpid},
};
use thiserror::Error;

use super::{
    CHILD_ARGUMENT,
    fence::{Fences, Hello, Isolation, listed},
    fork_server::{ForkServer, Running},
    frame::{FrameError, read_frame},
    limits::ChildLimits,
    shelf::Shelf,
    wire::{Code, Manner, Prepared, Work, WorkReply, WorkRequest},
};

/// Memory beside the guest's: the binary, the engine, the module in all its forms, the job directory and
/// the result, each at its limit.
const MEMORY_BASE_BYTES: u64 = 2 << 30;

/// How a child is started.
#[derive(Clone, Debug)]
pub struct ChildSettings {
    /// The binary; its `main` calls [`super::maybe_child_main`] first. `None`: this very executable.
    pub program: Option<PathBuf>,
    /// Forks children instead of executing each; whenever it cannot, the child is executed.
    pub fork_server: Option<Arc<ForkServer>>,
    /// Wall clock from start to the end of the answer.
    pub deadline: Duration,
    /// Most memory, bytes; `None`: computed from the job's limits.
    pub memory_bytes: Option<u64>,
    /// Give no work to a child without every fence that this needs.
    pub isolation: Isolation,
    /// Where compiled code is kept between children; `None`: each that runs compiles for itself.
    pub compiled: Option<Arc<ArtifactCache>>,
    /// Whether the child leaves the processor to whoever else wants it.
    pub yields: bool,
}

/// The child gave no result. Says nothing about the task and is never signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerFault {
    /// It could not be started.
    #[error("start the sandbox child: {0}; check that the executable can be run and that processes are left")]
    Start(io::Error),
    /// It ended, or its time was over, before it could take any work.
    #[error(
        "start the sandbox child: {status} before it was ready: {frame}; see the limits that this process was started with"
    )]
    NotReady {
        /// How it ended.
        status: String,
        /// What it said instead.
        frame: FrameError,
    },
    /// A fence is missing that it needs; it was given no work.
    #[error("{}", unconfined(.fences, *.wanted))]
    Unconfined {
        /// Which stand.
        fences: Fences,
        /// What it was told to need.
        wanted: Isolation,
    },
    /// It did not finish in time.
    #[error("run the sandbox child: no answer within {0:?}; it was killed")]
    Deadline(Duration),
    /// It was not given the work, which is more than fits into a request.
    #[error("give the sandbox child its work: {0}; no job directory that can be packed is so large, report it")]
    TooLarge(FrameError),
    /// Stopped on request.
    #[error("run the sandbox child: stopped on request")]
    Cancelled,
    /// It ended without a whole answer: a crash, a memory limit, the OOM killer.
    #[error(
        "run the sandbox child: it ended ({status}) without a whole answer: {frame}; if it was killed, see whether this host \
         has the memory that the task's limits allow"
    )]
    Crashed {
        /// How it ended.
        status: String,
        /// What was wrong with the answer.
        frame: FrameError,
    },
    /// Its answer cannot be so: a guest may have taken it over.
    #[error("run the sandbox child: its answer is not consistent: {0}; keep the job directory and report it")]
    Inconsistent(String),
    /// It answered and reported a fault.
    #[error("run the sandbox child: {0}")]
    Reported(String),
    /// It answered another question.
    #[error("run the sandbox child: it answered another question")]
    OtherQuestion,
}

impl Default for ChildSettings {
    fn default() -> Self {
        Self {
            program: None,
            fork_server: None,
            deadline: Duration::from_millis(assay_protocol::limits::WALL_CLOCK_MS_DEFAULT),
            memory_bytes: None,
            isolation: if cfg!(target_os = "linux") { Isolation::Required } else { Isolation::None },
            compiled: None,
            yields: false,
        }
    }
}

/// The variable that sets the isolation for a bot, over its configuration, and for every command that runs guests.
pub const ISOLATION_VARIABLE: &str = "ASSAY__WORKER__ISOLATION";

/// Names what is missing, and the setting that goes on without it.
fn unconfined(fences: &Fences, wanted: Isolation) -> String {
    let enough = fences.isolation();
    let terms = match enough {
        Isolation::None => "if you trust every guest",
        Isolation::Required | Isolation::Full => "if the required ones, which stand, are enough for you",
    };
    format!(
        "confine the sandbox child (isolation \"{wanted}\"): these fences are missing: {}; use a Linux kernel, or a container \
         profile, that allows them; or, {terms}, go on without: worker.isolation = \"{enough}\" in a provider's \
         configuration, {ISOLATION_VARIABLE}={enough} in the environment of any command",
        listed(fences.missing_for(wanted))
    )
}

impl WorkerFault {
    /// Whether the child had no work yet: then it is this host that failed, whatever the work would have been.
    #[must_use]
    pub const fn is_before_work(&self) -> bool {
        matches!(self, Self::Start(_) | Self::NotReady { .. } | Self::Unconfined { .. })
    }
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

    /// Another child begins: the one before it, if any, is no more.
    fn begin(&self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).finished = false;
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
/// A child that is executed dies with the thread that started it, which is why this does all its waiting on the calling thread;
/// one that is forked, with its server's. Some
/// work takes more than one child, one after the other, within the same deadline. A run whose fast variant gave no answer
/// is repeated in another: where a guest ran, nothing is compiled any more. Where compiled code is kept, a run compiles
/// nothing at all: what it lacks is made by a child in which no guest runs, and then it begins anew.
///
/// # Errors
/// [`WorkerFault`]. Whatever happens, no process of the child's group is left.
pub fn run_in_child(
    request: &WorkRequest,
    settings: &ChildSettings,
    cancel: &Cancel,
) -> Result<WorkReply, WorkerFault> {
    let children = Children { settings, cancel, begun: Instant::now() };
    match request.work {
        Work::Prepare => children.ask(request, None)?.prepared().map(WorkReply::Prepared),
        Work::Compile(_) => {
            let shelf = children.shelf(request);
            let given = shelf.as_ref().map(Shelf::take).unwrap_or_default();
            children.compile(request, shelf.as_ref(), given).map(|(prepared, _)| WorkReply::Prepared(prepared))
        }
        Work::Run(manner) => children.run(request, manner)?.ran().map(|ran| WorkReply::Ran(Box::new(ran))),
    }
}

/// The children of one request.
struct Children<'a> {
    settings: &'a ChildSettings,
    cancel: &'a Cancel,
    begun: Instant,
}

impl<'a> Children<'a> {
    fn shelf(&self, request: &WorkRequest) -> Option<Shelf<'a>> {
        self.settings.compiled.as_deref().and_then(|cache| Shelf::of(request, cache))
    }

    /// Runs it and, where its fast variant gave no answer, the program itself.
    fn run(&self, request: &WorkRequest, manner: Manner) -> Result<WorkReply, WorkerFault> {
        match self.run_once(request, manner)? {
            WorkReply::Repeat if manner.variant == Variant::Fast => {
                let manner = Manner { variant: Variant::Canonical, ..manner };
                self.run_once(&request.with(Work::Run(manner)), manner)
            }
            reply => Ok(reply),
        }
    }

    /// Runs it with what is on the shelf, or with what is then made for it. Code comes from a child that compiles and runs
    /// no guest, and from no other (W-11).
    fn run_once(&self, request: &WorkRequest, manner: Manner) -> Result<WorkReply, WorkerFault> {
        let Some(shelf) = self.shelf(request) else { return self.ask(request, None) };
        let given = shelf.take();
        let missing = match self.ask(request, Some(&given))? {
            WorkReply::Missing(variant) => variant,
            reply => return Ok(reply),
        };
        shelf.forget(&given, missing);
        match self.compile(&request.with(Work::Compile(manner)), Some(&shelf), Code::new()) {
            Ok((_, made)) => self.ask(request, Some(&made)),
            // The compiler cannot; the reference may.
            Err(WorkerFault::Reported(_) | WorkerFault::Crashed { .. }) if manner.engine.falls_back() => {
                self.ask(&request.with(Work::Run(Manner::REFERENCE)), None)
            }
            Err(fault) => Err(fault),
        }
    }

    /// Has a child compile, and keeps what it made.
    fn compile(
        &self,
        request: &WorkRequest,
        shelf: Option<&Shelf<'_>>,
        given: Code,
    ) -> Result<(Prepared, Code), WorkerFault> {
        match self.ask(request, Some(&given))? {
            WorkReply::Compiled(made) => {
                if let Some(shelf) = shelf {
                    shelf.keep(&given, &made);
                }
                Ok((Prepared::Runnable, made))
            }
            reply => reply.prepared().map(|prepared| (prepared, Code::new())),
        }
    }

    /// One child, one answer, whatever it is but a fault.
    fn ask(&self, request: &WorkRequest, given: Option<&Code>) -> Result<WorkReply, WorkerFault> {
        let whole = self.settings.deadline;
        let deadline = whole.saturating_sub(self.begun.elapsed());
        if deadline.is_zero() {
            // What was before took it all.
            return Err(WorkerFault::Deadline(whole));
        }
        let settings = ChildSettings { deadline, ..self.settings.clone() };
        let needs = Needs { memory_bytes: request.task.limits.memory_bytes, may_compile: request.work.may_compile() };
        let reply = in_child(needs, &settings, self.cancel, |_, to, from| {
            // The child reads all of its request before it answers: writing first cannot deadlock.
            let sent = match request.write(given, io::BufWriter::new(to)) {
                Err(error @ FrameError::TooLong { .. }) => return Err(Stop::Fault(WorkerFault::TooLarge(error))),
                sent => sent,
            };
            // Another error of writing is not interesting: the answer, or its absence, says more.
            let reply = WorkReply::read(from).map_err(|error| sent.err().unwrap_or(error));
            reply.map_err(Stop::Broken)
        });
        match reply {
            Ok(WorkReply::Fault(message)) => Err(WorkerFault::Reported(message)),
            Err(WorkerFault::Deadline(_)) => Err(WorkerFault::Deadline(whole)),
            reply => reply,
        }
    }
}

/// Starts a child for such work, hears which fences stand and ends it without any. Blocks like [`run_in_child`].
///
/// # Errors
/// [`WorkerFault`] when there can be no child; [`WorkerFault::Unconfined`] when one that the settings need is missing.
pub fn probe_child(work: Work, settings: &ChildSettings) -> Result<Fences, WorkerFault> {
    let memory_bytes = assay_protocol::limits::MEMORY_BYTES_MAX;
    let needs = Needs { memory_bytes, may_compile: work.may_compile() };
    in_child(needs, settings, &Cancel::default(), |fences, _, _| Ok(fences))
}

/// Where the child's words arrive.
type FromChild = io::BufReader<PipeReader>;

/// Why a conversation ended early.
enum Stop {
    /// What the child says is not what was agreed on.
    Broken(FrameError),
    /// As it is.
    Fault(WorkerFault),
}

/// What a child needs of this host.
#[derive(Clone, Copy)]
struct Needs {
    /// Most linear memory.
    memory_bytes: u64,
    /// Whether memory has to become code.
    may_compile: bool,
}

/// Starts a child, hears its greeting, lets `talk` talk to it, and leaves nothing of it.
fn in_child<T>(
    needs: Needs,
    settings: &ChildSettings,
    cancel: &Cancel,
    talk: impl FnOnce(Fences, PipeWriter, &mut FromChild) -> Result<T, Stop>,
) -> Result<T, WorkerFault> {
    let begun = Instant::now();
    cancel.begin();
    let (child, to, from) = start(needs, settings).map_err(WorkerFault::Start)?;
    let too_late = AtomicBool::new(false);
    let mut is_ready = false;
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            let state = cancel.wait(settings.deadline.saturating_sub(begun.elapsed()));
            if !state.finished {
                too_late.store(!state.cancelled, Ordering::SeqCst);
                child.kill();
            }
        });
        let mut from = io::BufReader::new(from);
        let ended = hear_greeting(&mut from, settings).and_then(|fences| {
            is_ready = true;
            talk(fences, to, &mut from)
        });
        cancel.finish();
        ended
    });
    let status = child.end();
    if let (Err(_), Some(server), Some(running)) = (&ended, &settings.fork_server, &child.server) {
        server.retire(running);
    }
    let status = || status.map_or_else(|error| error.to_string(), |status| status.to_string());
    ended.map_err(|stop| match stop {
        Stop::Fault(fault) => fault,
        Stop::Broken(_) if cancel.wait(Duration::ZERO).cancelled => WorkerFault::Cancelled,
        Stop::Broken(frame) if !is_ready => WorkerFault::NotReady { status: status(), frame },
        Stop::Broken(_) if too_late.load(Ordering::SeqCst) => WorkerFault::Deadline(settings.deadline),
        Stop::Broken(frame) => WorkerFault::Crashed { status: status(), frame },
    })
}

/// Which fences stand, before anything hostile is sent.
fn hear_greeting(from: &mut FromChild, settings: &ChildSettings) -> Result<Fences, Stop> {
    let (hello, _): (Hello, _) = read_frame(from).map_err(Stop::Broken)?;
    let fences = Fences::from(hello);
    let wanted = settings.isolation;
    let stands = fences.isolation() >= wanted;
    if stands { Ok(fences) } else { Err(Stop::Fault(WorkerFault::Unconfined { fences, wanted })) }
}

/// This very executable. On Linux by the link that still leads to it after an upgrade replaced its file.
fn own_executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

/// A child that has not been reaped.
struct Child {
    /// Also of its process group.
    pid: Pid,
    /// What it was forked from, which has to live as long.
    server: Option<Arc<Running>>,
}

impl Child {
    /// Kills its group. That is its own since before its first byte of work, and its id is taken until it is reaped, so
    /// nothing else is hit (W-18).
    fn kill(&self) {
        if let Err(error) = kill_process_group(self.pid, Signal::KILL) {
            // It ended by itself in the meantime.
            tracing::debug!(%error, "child_group_not_killed");
        }
    }

    /// Kills it, descendants included, and reaps it.
    fn end(&self) -> io::Result<ExitStatus> {
        self.kill();
        let ended = retry_on_intr(|| waitpid(Some(self.pid), WaitOptions::empty()))?;
        // Without the option to look only, there is no other answer.
        let (_, status) = ended.ok_or(io::ErrorKind::NotFound)?;
        Ok(ExitStatus::from_raw(status.as_raw()))
    }
}

/// Starts a child; with it what leads to it and from it.
fn start(needs: Needs, settings: &ChildSettings) -> io::Result<(Child, PipeWriter, PipeReader)> {
    // The engine may hold a memory twice while it grows.
    let computed = needs.memory_bytes.saturating_mul(2).saturating_add(MEMORY_BASE_BYTES);
    let limits = ChildLimits {
        memory_bytes: settings.memory_bytes.unwrap_or(computed),
        cpu_s: settings.deadline.as_secs().saturating_add(2),
        may_compile: needs.may_compile,
        yields: settings.yields,
    };
    let program = settings.program.clone().map_or_else(own_executable, Ok)?;
    if let Some(server) = &settings.fork_server {
        let (stdin, to) = io::pipe()?;
        let (from, stdout) = io::pipe()?;
        match server.fork(&program, limits, (stdin.as_fd(), stdout.as_fd())) {
            Ok(Some((pid, running))) => return Ok((Child { pid, server: Some(running) }, to, from)),
            Ok(None) => {}
            // It may have made one that still holds these pipes: the other child gets its own.
            Err(error) => tracing::warn!(%error, "child_not_forked"),
        }
    }
    let (stdin, to) = io::pipe()?;
    let (from, stdout) = io::pipe()?;
    let child = Command::new(program)
        .arg(CHILD_ARGUMENT)
        .arg(std::process::id().to_string())
        .arg(limits.to_argument())
        .env_clear()
        .current_dir("/")
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    Ok((Child { pid, server: None }, to, from))
}

//! The child's side: give everything up, say what is left, read one request, answer once, end.

use std::{
    io::{self, BufWriter},
    process::ExitCode,
    sync::Arc,
};

use assay_protocol::Hash32;
use assay_runtime::{ArtifactStore, Engine, EngineKind, Handover, HostFault, RunOptions, RunRequest, Variant};
use assay_sdk::verify::{self, ExecutedTask, PreparedTask, TaskInput, VerifyFault};
use rustix::process::Pid;

use super::{
    CHILD_ARGUMENT, confine,
    fence::{Fence, Fences, Hello},
    frame::{FrameError, write_frame},
    limits::ChildLimits,
    wire::{Code, Prepared, RanTask, Work, WorkReply, WorkRequest},
};

/// Exit codes, for whoever looks at the parent's log.
const EXIT_ARGUMENTS: u8 = 64;
const EXIT_PIPE: u8 = 67;

/// Runs the sandbox child and returns its exit code, if this process was started as one. Every binary that calls
/// [`super::run_in_child`] calls this before anything else in its `main`.
#[must_use]
pub fn maybe_child_main() -> Option<ExitCode> {
    child_with(&[], answer)
}

/// What a child puts up before the guest's first instruction. For a stand-in.
///
/// # Errors
/// The system's.
#[doc(hidden)]
pub fn before_guest() -> io::Result<()> {
    confine::before_guest()
}

/// As [`maybe_child_main`], for a stand-in that answers otherwise, and behind fewer fences: it shows in a test what a
/// guest that broke the engine could do.
#[doc(hidden)]
#[must_use]
pub fn maybe_child_with(without: &[Fence], answer: impl FnOnce(WorkRequest) -> WorkReply) -> Option<ExitCode> {
    child_with(without, |request, _, _| (answer(request), Code::new()))
}

/// What a child says at the end, and what it compiled on the way.
type Answer = (WorkReply, Code);

fn child_with(without: &[Fence], answer: impl FnOnce(WorkRequest, Code, &Fences) -> Answer) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()?.to_str() != Some(CHILD_ARGUMENT) {
        return None;
    }
    let parent = arguments.next().and_then(|text| Pid::from_raw(text.to_str()?.parse().ok()?));
    let limits = arguments.next().and_then(|text| ChildLimits::from_argument(text.to_str()?));
    let (Some(parent), Some(limits)) = (parent, limits) else { return Some(ExitCode::from(EXIT_ARGUMENTS)) };
    let fences = Fences::put_up(|fence| {
        let left_out = without.contains(&fence);
        if left_out { Err(io::ErrorKind::Unsupported.into()) } else { confine::put_up(fence, parent, limits) }
    });
    match converse(&fences, answer) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::from(EXIT_PIPE)),
    }
}

/// The parent judges the fences before it sends anything.
fn converse(fences: &Fences, answer: impl FnOnce(WorkRequest, Code, &Fences) -> Answer) -> Result<(), FrameError> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    write_frame(&mut stdout, &Hello::from(fences), &[])?;
    let (request, given) = WorkRequest::read(io::stdin().lock())?;
    let (reply, made) = answer(request, given, fences);
    reply.write(&made, stdout)
}

fn answer(request: WorkRequest, given: Code, fences: &Fences) -> Answer {
    let WorkRequest { work, task, entries } = request;
    let input = TaskInput { spec: task, entries };
    let Some(manner) = work.manner() else { return (prepare(&input, Variant::Canonical, |_| Ok(())), Code::new()) };
    let store = Arc::new(Handover::new(given));
    // Without the first filter, which whoever runs this allowed, a second one would be no fence either.
    let is_filtered = fences.missing().all(|missing| missing.fence != Fence::SystemCalls);
    let options = RunOptions {
        engine: manner.engine,
        variant: manner.variant,
        artifacts: work.may_compile().then(|| store.clone() as Arc<dyn ArtifactStore>),
        before_guest: is_filtered.then_some(confine::before_guest),
        ..RunOptions::default()
    };
    let reply = match work {
        Work::Run(_) => run(&input, &options),
        Work::Compile(_) | Work::Prepare => prepare(&input, manner.variant, |request| compile(request, &options)),
    };
    drop(options);
    (reply, Arc::into_inner(store).map(Handover::into_made).unwrap_or_default())
}

/// Checks a task and, if it can run, goes on to `then`.
fn prepare(input: &TaskInput, variant: Variant, then: impl FnOnce(&RunRequest) -> Result<(), HostFault>) -> WorkReply {
    match verify::prepare(input, variant) {
        Ok(PreparedTask::Ready(ready)) => match then(&ready.request) {
            Ok(()) => WorkReply::Prepared(Prepared::Runnable),
            Err(fault) => WorkReply::Fault(fault.to_string()),
        },
        Ok(PreparedTask::Invalid(invalid)) => {
            WorkReply::Prepared(Prepared::Invalid(invalid.reason.code(), invalid.to_string()))
        }
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

fn compile(request: &RunRequest, options: &RunOptions) -> Result<(), HostFault> {
    match options.choose(&request.metered, &request.limits) {
        EngineKind::Wasmi => Ok(()),
        EngineKind::Wasmtime => options.compile(&request.metered),
    }
}

fn run(input: &TaskInput, options: &RunOptions) -> WorkReply {
    let mut metered_hash = None;
    let executed = verify::execute_with(input, options.variant, |request| {
        metered_hash = Some(request.metered.hash);
        assay_runtime::run_with(request, options).map_err(VerifyFault::from)
    });
    match executed {
        Ok(executed) => WorkReply::Ran(Box::new(ran(executed, metered_hash))),
        Err(VerifyFault::Host(HostFault::Repeat)) => WorkReply::Repeat,
        // Of the engine, and the reference was not to stand in for it.
        Err(VerifyFault::Host(fault)) if options.engine == Engine::Wasmtime && fault != HostFault::CompileEffort => {
            WorkReply::Fault(format!("{fault}; or run it with the engine wasmi or auto, which need less of the host"))
        }
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

pub(super) fn ran(executed: ExecutedTask, metered_hash: Option<Hash32>) -> RanTask {
    let ExecutedTask { outcome, package, run, facts, problem } = executed;
    let (engine, variant) = run.map_or((None, Variant::Canonical), |run| (run.engine, run.variant));
    let root = package.as_ref().map(|package| package.root);
    let blocks = package.map_or_else(Vec::new, |package| package.blocks);
    RanTask {
        outcome: outcome.encode(),
        blocks,
        root,
        metered_hash,
        facts,
        engine,
        variant,
        explanation: problem.map(|problem| problem.to_string()),
    }
}

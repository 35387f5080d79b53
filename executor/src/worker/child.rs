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
    CHILD_ARGUMENT, FORK_SERVER_ARGUMENT, confine,
    fence::{Fence, Fences, Hello},
    fork_server::serve,
    frame::{FrameError, write_frame},
    limits::ChildLimits,
    wire::{Code, Manner, Prepared, RanTask, Work, WorkReply, WorkRequest},
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
    child_with(without, |request, _, _| answer(request))
}

fn child_with(
    without: &[Fence],
    answer: impl FnOnce(WorkRequest, Option<Code>, &Fences) -> WorkReply,
) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let role = arguments.next()?.into_string().ok()?;
    if ![CHILD_ARGUMENT, FORK_SERVER_ARGUMENT].contains(&role.as_str()) {
        return None;
    }
    let parent = arguments.next().and_then(|text| Pid::from_raw(text.to_str()?.parse().ok()?));
    let Some(parent) = parent else { return Some(ExitCode::from(EXIT_ARGUMENTS)) };
    let (limits, inherited) = if role == FORK_SERVER_ARGUMENT {
        match serve(parent) {
            Ok(Some((limits, fences))) => (limits, Some(fences)),
            Ok(None) => return Some(ExitCode::SUCCESS),
            Err(_) => return Some(ExitCode::from(EXIT_PIPE)),
        }
    } else {
        match arguments.next().and_then(|text| ChildLimits::from_argument(text.to_str()?)) {
            Some(limits) => (limits, None),
            None => return Some(ExitCode::from(EXIT_ARGUMENTS)),
        }
    };
    let fences = Fences::put_up(|fence| match &inherited {
        _ if without.contains(&fence) => Err(io::ErrorKind::Unsupported.into()),
        Some(inherited) if fence.passes_on() => inherited.result(fence),
        _ => confine::put_up(fence, parent, limits),
    });
    match converse(&fences, answer) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(_) => Some(ExitCode::from(EXIT_PIPE)),
    }
}

/// The parent judges the fences before it sends anything.
fn converse(
    fences: &Fences,
    answer: impl FnOnce(WorkRequest, Option<Code>, &Fences) -> WorkReply,
) -> Result<(), FrameError> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    write_frame(&mut stdout, &Hello::from(fences), &[])?;
    let (request, given) = WorkRequest::read(io::stdin().lock())?;
    answer(request, given, fences).write(stdout)
}

fn answer(request: WorkRequest, given: Option<Code>, fences: &Fences) -> WorkReply {
    let WorkRequest { work, task, entries } = request;
    let input = TaskInput { spec: task, entries };
    match work {
        Work::Prepare => prepare(&input, Variant::Canonical, |_| WorkReply::Prepared(Prepared::Runnable)),
        Work::Compile(manner) => {
            prepare(&input, manner.metered_for(), |request| compile(request, manner, given.unwrap_or_default()))
        }
        Work::Run(manner) => {
            // Without the first filter, which whoever runs this allowed, a second one would be no fence either.
            let is_filtered = fences.missing().all(|missing| missing.fence != Fence::SystemCalls);
            let options = RunOptions {
                engine: manner.engine,
                variant: manner.variant,
                compiled_elsewhere: given.is_some(),
                artifacts: given.map(|given| Arc::new(Handover::new(given)) as Arc<dyn ArtifactStore>),
                before_guest: is_filtered.then_some(confine::before_guest),
                ..RunOptions::default()
            };
            run(&input, manner.metered_for(), &options)
        }
    }
}

/// Checks a task and, if it can run, goes on to `then`.
fn prepare(input: &TaskInput, variant: Variant, then: impl FnOnce(&RunRequest) -> WorkReply) -> WorkReply {
    match verify::prepare(input, variant) {
        Ok(PreparedTask::Ready(ready)) => then(&ready.request),
        Ok(PreparedTask::Invalid(invalid)) => {
            WorkReply::Prepared(Prepared::Invalid(invalid.reason.code(), invalid.to_string()))
        }
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

/// Makes what a run would begin with, unless it was given or the run would not be compiled.
fn compile(request: &RunRequest, manner: Manner, given: Code) -> WorkReply {
    let Manner { engine, variant } = manner;
    let store = Arc::new(Handover::new(given));
    let options = RunOptions { engine, variant, artifacts: Some(store.clone()), ..RunOptions::default() };
    if options.choose(&request.metered, &request.limits) == EngineKind::Wasmtime
        && let Err(fault) = options.compile(&request.metered)
    {
        return failed(&fault, engine);
    }
    drop(options);
    WorkReply::Compiled(Arc::into_inner(store).map(Handover::into_made).unwrap_or_default())
}

fn run(input: &TaskInput, metered_for: Variant, options: &RunOptions) -> WorkReply {
    let mut metered_hash = None;
    let executed = verify::execute_with(input, metered_for, |request| {
        metered_hash = Some(request.metered.hash);
        assay_runtime::run_with(request, options).map_err(VerifyFault::from)
    });
    match executed {
        Ok(executed) => WorkReply::Ran(Box::new(ran(executed, metered_hash))),
        Err(VerifyFault::Host(HostFault::Repeat)) => WorkReply::Repeat,
        Err(VerifyFault::Host(HostFault::NotCompiled(variant))) => WorkReply::Missing(variant),
        Err(VerifyFault::Host(fault)) => failed(&fault, options.engine),
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

/// Names the way out where the reference was not to stand in.
fn failed(fault: &HostFault, engine: Engine) -> WorkReply {
    if engine == Engine::Wasmtime && *fault != HostFault::CompileEffort {
        WorkReply::Fault(format!("{fault}; or run it with the engine wasmi or auto, which need less of the host"))
    } else {
        WorkReply::Fault(fault.to_string())
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

//! The child's side: give everything up, say what is left, read one request, answer once, end.

use std::{
    io::{self, BufWriter},
    process::ExitCode,
};

use assay_protocol::Hash32;
use assay_sdk::verify::{self, ExecutedTask, PreparedTask, TaskInput, VerifyFault};
use rustix::process::Pid;

use super::{
    CHILD_ARGUMENT, confine,
    fence::{Fence, Fences, Hello},
    frame::{FrameError, write_frame},
    limits::ChildLimits,
    wire::{Prepared, RanTask, WorkReply, WorkRequest},
};

/// Exit codes, for whoever looks at the parent's log.
const EXIT_ARGUMENTS: u8 = 64;
const EXIT_PIPE: u8 = 67;

/// Runs the sandbox child and returns its exit code, if this process was started as one. Every binary that calls
/// [`super::run_in_child`] calls this before anything else in its `main`.
#[must_use]
pub fn maybe_child_main() -> Option<ExitCode> {
    maybe_child_with(&[], answer)
}

/// As [`maybe_child_main`], for a stand-in that answers otherwise, and behind fewer fences: it shows in a test what a
/// guest that broke the engine could do.
#[doc(hidden)]
#[must_use]
pub fn maybe_child_with(without: &[Fence], answer: impl FnOnce(WorkRequest) -> WorkReply) -> Option<ExitCode> {
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
fn converse(fences: &Fences, answer: impl FnOnce(WorkRequest) -> WorkReply) -> Result<(), FrameError> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    write_frame(&mut stdout, &Hello::from(fences), &[])?;
    let request = WorkRequest::read(io::stdin().lock())?;
    answer(request).write(stdout)
}

fn answer(request: WorkRequest) -> WorkReply {
    match request {
        WorkRequest::Prepare { task, entries } => prepare(&TaskInput { spec: task, entries }),
        WorkRequest::Run { task, entries } => run(&TaskInput { spec: task, entries }),
    }
}

fn prepare(input: &TaskInput) -> WorkReply {
    match verify::prepare(input) {
        Ok(PreparedTask::Ready(_)) => WorkReply::Prepared(Prepared::Runnable),
        Ok(PreparedTask::Invalid(invalid)) => {
            WorkReply::Prepared(Prepared::Invalid(invalid.reason.code(), invalid.to_string()))
        }
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

fn run(input: &TaskInput) -> WorkReply {
    let mut metered_hash = None;
    let executed = verify::execute_with(input, |request| {
        metered_hash = Some(request.metered.hash);
        assay_runtime::run(request).map_err(VerifyFault::from)
    });
    match executed {
        Ok(executed) => WorkReply::Ran(Box::new(ran(executed, metered_hash))),
        Err(fault) => WorkReply::Fault(fault.to_string()),
    }
}

fn ran(executed: ExecutedTask, metered_hash: Option<Hash32>) -> RanTask {
    let ExecutedTask { outcome, package, report, facts, problem } = executed;
    let peaks = report.map_or((0, 0), |report| (report.stack_peak_bytes, report.memory_peak_bytes));
    let root = package.as_ref().map(|package| package.root);
    let (blocks, file_bytes) = package.map_or((Vec::new(), 0), |package| (package.blocks, package.file_bytes));
    RanTask {
        outcome: outcome.encode(),
        blocks,
        root,
        file_bytes,
        stack_peak_bytes: peaks.0,
        memory_peak_bytes: peaks.1,
        metered_hash,
        facts,
        explanation: problem.map(|problem| problem.to_string()),
    }
}

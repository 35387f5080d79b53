//! The child's side: give everything up, read one request, answer once, end.

use std::{io, process::ExitCode};

use assay_protocol::Hash32;
use assay_sdk::verify::{self, ExecutedTask, PreparedTask, TaskInput, VerifyFault};

use super::{
    CHILD_ARGUMENT,
    frame::FrameError,
    limits::ChildLimits,
    wire::{Prepared, RanTask, WorkReply, WorkRequest},
};

/// Exit codes, for whoever looks at the parent's log.
const EXIT_ARGUMENTS: u8 = 64;
const EXIT_LIMITS: u8 = 65;
const EXIT_ORPHAN: u8 = 66;
const EXIT_PIPE: u8 = 67;

/// Runs the sandbox child and returns its exit code, if this process was started as one. Every binary that calls
/// [`super::run_in_child`] calls this before anything else in its `main`.
#[must_use]
pub fn maybe_child_main() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()?.to_str() != Some(CHILD_ARGUMENT) {
        return None;
    }
    let parent = arguments.next().and_then(|text| text.to_str()?.parse::<i32>().ok());
    let limits = arguments.next().and_then(|text| ChildLimits::from_argument(text.to_str()?));
    let (Some(parent), Some(limits)) = (parent, limits) else { return Some(ExitCode::from(EXIT_ARGUMENTS)) };
    Some(child_main(parent, limits))
}

fn child_main(parent: i32, limits: ChildLimits) -> ExitCode {
    if limits.apply().is_err() {
        return ExitCode::from(EXIT_LIMITS);
    }
    // The parent may have died before the death signal was asked for.
    if rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero).map(i32::from) != Some(parent) {
        return ExitCode::from(EXIT_ORPHAN);
    }
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_PIPE),
    }
}

fn answer() -> Result<(), FrameError> {
    let request = WorkRequest::read(io::stdin().lock())?;
    let reply = match request {
        WorkRequest::Prepare { task, entries } => {
            prepare(&TaskInput { spec: task.spec, metered_hash: task.metered_hash, entries })
        }
        WorkRequest::Run { task, entries } => {
            run(&TaskInput { spec: task.spec, metered_hash: task.metered_hash, entries })
        }
    };
    reply.write(io::BufWriter::new(io::stdout().lock()))
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
    let ExecutedTask { outcome, package, report, problem } = executed;
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
        explanation: problem.map(|problem| problem.to_string()),
    }
}

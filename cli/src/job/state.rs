//! A job's state in words: what it is, since when and why.

use assay_protocol::{ExecutionStatus, JobStatus, Mode};
use assay_sdk::{
    job_handle::{JobView, NoResult},
    program::accounts::{Execution, Job},
};
use serde::Serialize;

use crate::{
    error::{CliError, Exit},
    output::duration,
};

/// A state, its age and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// `open`, `assigned`, `submitted`, `resolved`, `cancelled`, `expired`, ...
    pub state: &'static str,
    /// Seconds since it began, when that is known.
    pub age_s: Option<i64>,
    /// Why the job is in it, and what happens next.
    pub reason: String,
}

/// A status as it is shown.
pub fn status_name(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Open => "open",
        JobStatus::Assigned => "assigned",
        JobStatus::Submitted => "submitted",
        JobStatus::Resolved => "resolved",
        JobStatus::Cancelled => "cancelled",
        JobStatus::Expired => "expired",
        JobStatus::Disputed => "disputed",
        JobStatus::Revealing => "revealing",
        JobStatus::Deadlocked => "deadlocked",
        _ => "unknown",
    }
}

/// Where a seat stands, as it is shown.
pub const fn seat_name(status: Option<ExecutionStatus>) -> &'static str {
    match status {
        Some(ExecutionStatus::Accepted) => "accepted",
        Some(ExecutionStatus::Committed) => "committed",
        Some(ExecutionStatus::Submitted) => "revealed",
        Some(ExecutionStatus::Missed) => "missed",
        _ => "unknown",
    }
}

/// A mode as it is shown.
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Optimistic => "optimistic",
        Mode::Redundant => "redundant",
        Mode::Quorum => "quorum",
        Mode::Adaptive => "adaptive",
        _ => "unknown",
    }
}

/// The state of a job at this moment. `seat` is the Execution of whoever holds the seat.
pub fn state(view: &JobView, seat: Option<&Execution>, now_unix: i64) -> State {
    let state = status_name(view.status);
    let Some(job) = view.account.as_deref() else {
        let since = view.closing.and_then(|closing| closing.closed_unix);
        let age_s = since.map(|moment| now_unix.saturating_sub(moment).max(0));
        let reason = match view.status {
            JobStatus::Cancelled => "its poster cancelled it before anybody took it; refunded and closed",
            JobStatus::Expired => return State { state, age_s, reason: format!("{}; closed", ended(view)) },
            _ => "settled, refunded and closed",
        };
        return State { state, age_s, reason: reason.to_owned() };
    };
    let (age_s, reason) = match (view.status, view.no_result) {
        (JobStatus::Expired, Some(_)) => (age_s(job.resolved_unix, now_unix), ended(view)),
        _ => live(job, view.status, seat, now_unix),
    };
    State { state, age_s, reason }
}

/// Seconds since a moment; zero is none.
fn age_s(moment: i64, now_unix: i64) -> Option<i64> {
    (moment > 0).then(|| now_unix.saturating_sub(moment).max(0))
}

fn live(job: &Job, status: JobStatus, seat: Option<&Execution>, now_unix: i64) -> (Option<i64>, String) {
    let since = |moment| age_s(moment, now_unix);
    let left = |moment: i64| duration(moment.saturating_sub(now_unix));
    match status {
        JobStatus::Open => open(job, now_unix),
        JobStatus::Assigned if job.redundancy > 1 => {
            let waits = format!("{} of {} seats have not committed", job.pending_commits, job.seats);
            let reason = if now_unix < job.execution_deadline_unix {
                format!("{waits} and have {} left", left(job.execution_deadline_unix))
            } else {
                format!("{waits} in time; the others reveal until {} from now", left(job.reveal_deadline_unix))
            };
            (seat.and_then(|seat| since(seat.accepted_unix)), reason)
        }
        JobStatus::Revealing => {
            let reason = if now_unix < job.reveal_deadline_unix {
                format!("{} seats have {} left to reveal", job.pending_reveals, left(job.reveal_deadline_unix))
            } else {
                "the time to reveal is over; anybody may count now".to_owned()
            };
            (None, reason)
        }
        JobStatus::Deadlocked => {
            let reason = if now_unix < job.window_deadline_unix {
                let left = left(job.window_deadline_unix);
                format!("its seats do not agree; refunded in {left}, unless a jury is asked: `assay dispute open`")
            } else {
                "its seats do not agree; anybody may expire it now, then everything is refunded".to_owned()
            };
            (None, reason)
        }
        JobStatus::Disputed => (None, "a jury decides: `assay dispute show` tells who may do what".to_owned()),
        JobStatus::Assigned => {
            let reason = if now_unix < job.execution_deadline_unix {
                format!("a provider holds the seat and has {} left to submit", left(job.execution_deadline_unix))
            } else {
                "the provider let its deadline pass; anybody may expire it now".to_owned()
            };
            (seat.and_then(|seat| since(seat.accepted_unix)), reason)
        }
        JobStatus::Submitted => {
            let reason = if now_unix < job.window_deadline_unix {
                let left = left(job.window_deadline_unix);
                format!("a result stands; it is final in {left}, unless it is disputed")
            } else {
                "the challenge window is over; anybody may finalize it now".to_owned()
            };
            (seat.and_then(|seat| since(seat.submitted_unix)), reason)
        }
        JobStatus::Resolved if job.executions_open > 0 => {
            (since(job.resolved_unix), format!("the result is final; {} to be settled", waiting(job.executions_open)))
        }
        JobStatus::Resolved => {
            (since(job.resolved_unix), "the result is final and settled; the job can be closed".to_owned())
        }
        JobStatus::Cancelled => (since(job.resolved_unix), "its poster cancelled it before anybody took it".to_owned()),
        JobStatus::Expired => (since(job.resolved_unix), expired(job)),
        _ => (None, format!("status {} is newer than this assay; update it", job.status)),
    }
}

fn waiting(seats: u8) -> String {
    if seats == 1 { "the seat waits".to_owned() } else { format!("{seats} seats wait") }
}

fn open(job: &Job, now_unix: i64) -> (Option<i64>, String) {
    // The queue begins anew each time a seat is given back, which no field records but the deadline.
    let queued = job.queue_deadline_unix.saturating_sub(i64::from(job.queue_timeout_s)).max(job.created_unix);
    if job.redundancy > 1 {
        let queued_s = now_unix.saturating_sub(job.fill_unix).max(0);
        return (Some(queued_s), open_for_several(job, now_unix));
    }
    let again = match job.attempt {
        0 => String::new(),
        missed => format!("; {missed} of {} attempts were missed", job.attempts_max),
    };
    let reason = if now_unix < job.queue_deadline_unix {
        let left = duration(job.queue_deadline_unix.saturating_sub(now_unix));
        format!("waiting for a provider, {left} left{again}")
    } else {
        format!("nobody took it in time; anybody may expire it now, then everything is refunded{again}")
    };
    (Some(now_unix.saturating_sub(queued).max(0)), reason)
}

fn open_for_several(job: &Job, now_unix: i64) -> String {
    let taken = format!("{} of {} seats are taken", job.seats_filled, job.seats_wanted);
    let (left_s, is_first) = (job.queue_deadline_unix.saturating_sub(now_unix), job.arbiters == 0);
    match (left_s > 0, is_first) {
        (true, true) => format!("{taken}; the others are drawn, {} left", duration(left_s)),
        (true, false) => format!("its seats do not agree, one more is drawn: {taken}, {} left", duration(left_s)),
        (false, true) => format!("only {taken} in time; anybody may expire it now, then everything is refunded"),
        (false, false) => "nobody took the seat that would decide; anybody may expire it now".to_owned(),
    }
}

/// Why a job has no result and who gets what, where its history tells.
fn ended(view: &JobView) -> String {
    let is_closed = view.account.is_none();
    let goes = |gone: &'static str, goes: &'static str| if is_closed { gone } else { goes };
    let escrow = goes("the whole escrow went back to the poster", "the whole escrow goes back to the poster");
    let come = goes("came", "come");
    match view.no_result {
        Some(NoResult::NotTaken) if view.provider.is_some() => {
            format!("its seats were not all taken in time; {escrow}")
        }
        Some(NoResult::NotTaken) => format!("nobody took it in time; {escrow}"),
        Some(NoResult::Missed) => format!("whoever took it let the deadline pass; {escrow}"),
        Some(NoResult::Disagreed) => format!("its seats did not agree, and nobody asked a jury; {escrow}"),
        Some(NoResult::Unavailable) => format!(
            "a jury found that its content was not to be had; {escrow}, what challengers bet {come} back, and no provider is paid"
        ),
        Some(NoResult::NoQuorum) => format!(
            "no jury reached a verdict; {escrow}, what challengers bet {come} back less a part that is burned, and no provider is paid"
        ),
        None => format!("it ended without a result; {escrow}"),
    }
}

/// Why a job has no result, as far as its account tells.
fn expired(job: &Job) -> String {
    let refunded = "the escrow goes back to the poster";
    match (job.redundancy > 1, job.window_deadline_unix > 0) {
        (true, false) if job.attempt == 0 => return format!("its seats were not all taken in time; {refunded}"),
        (true, true) => return format!("neither its seats nor a jury gave a result; {refunded}"),
        (false, true) => return format!("no jury found a result; {refunded}"),
        // An adaptive job whose lone attempts were missed had one seat.
        (true, false) | (false, false) => {}
    }
    match job.attempt {
        0 => format!("nobody took it in time; {refunded}"),
        missed if missed >= job.attempts_max => format!("all {missed} attempts missed their deadline; {refunded}"),
        missed => format!("no time was left after {missed} missed attempts; {refunded}"),
    }
}

/// Why a job has no result to show: exit code 5 when it will never have one, 6 when it may yet.
pub fn no_result(view: &JobView, now_unix: i64) -> CliError {
    let job = view.address;
    let State { state, reason, .. } = self::state(view, None, now_unix);
    if !view.is_final() {
        return CliError::new(format!("job {job} has no result yet; it is {state}: {reason}"))
            .with_exit(Exit::NotEnded)
            .with_next(format!("follow it: assay job wait {job}"));
    }
    let next = match view.account {
        Some(_) => format!("get escrow and rent back: assay job close {job}; then post it again"),
        None => format!("post it again: assay job submit DIR; what happened: assay job describe {job}"),
    };
    CliError::new(format!("job {job} has no result and will never have one; it is {state}: {reason}"))
        .with_exit(Exit::NoResult)
        .with_next(next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anchor_lang::AnchorDeserialize;

    use super::*;

    #[test]
    fn an_expired_job_is_told_by_what_it_waited_for() {
        let mut job = Job::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        (job.redundancy, job.attempts_max) = (1, 3);
        assert!(expired(&job).starts_with("nobody took it"));
        job.attempt = 3;
        assert!(expired(&job).starts_with("all 3 attempts"));
        // Adaptive, after runs that went alone: its other seats were never put up.
        job.redundancy = 3;
        assert!(expired(&job).starts_with("all 3 attempts"));
        job.attempt = 0;
        assert!(expired(&job).starts_with("its seats were not all taken"));
        job.window_deadline_unix = 1;
        assert!(expired(&job).starts_with("neither its seats nor a jury"));
    }
}

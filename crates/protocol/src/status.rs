//! The life of a job and of an execution. [`JobStatus::transition`] is the only way a status changes.

use core::fmt;

/// Where a job stands. The code is the account's third byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum JobStatus {
    /// Waiting for providers; seats are free.
    Open = 1,
    /// All seats are filled; the execution clock runs.
    Assigned = 2,
    /// A result stands; the challenge window is open.
    Submitted = 3,
    /// The result is final; seats wait to be settled.
    Resolved = 4,
    /// Cancelled by the poster before anybody held a seat.
    Cancelled = 5,
    /// Nobody delivered in time; everything is refunded.
    Expired = 6,
    /// The result is disputed. Reserved: no transition leads here yet.
    Disputed = 7,
}

/// What may happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobEvent {
    /// A provider took the last free seat.
    SeatsFilled,
    /// The poster cancels; no seat is taken.
    Cancelled,
    /// The queue's deadline passed with a free seat.
    QueueTimedOut,
    /// A provider gave its seat back in time.
    Declined,
    /// A provider let its deadline pass; attempts and time are left.
    MissedRequeued,
    /// A provider let its deadline pass; no attempt or no time is left.
    MissedLast,
    /// The last outstanding result arrived.
    Submitted,
    /// The window closed without a dispute.
    Finalized,
}

/// This event cannot happen in this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransitionError {
    /// Where the job stands.
    pub from: JobStatus,
    /// What was to happen.
    pub event: JobEvent,
}

impl fmt::Display for TransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a job that is {:?} does not allow {:?}", self.from, self.event)
    }
}

impl core::error::Error for TransitionError {}

impl JobStatus {
    /// All statuses, by code.
    pub const ALL: [Self; 7] =
        [Self::Open, Self::Assigned, Self::Submitted, Self::Resolved, Self::Cancelled, Self::Expired, Self::Disputed];

    /// The code stored in the account.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Open,
            2 => Self::Assigned,
            3 => Self::Submitted,
            4 => Self::Resolved,
            5 => Self::Cancelled,
            6 => Self::Expired,
            7 => Self::Disputed,
            _ => return None,
        })
    }

    /// Whether nothing but settling and closing can happen any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Resolved | Self::Cancelled | Self::Expired)
    }

    /// The status after an event.
    ///
    /// # Errors
    /// [`TransitionError`] when the event cannot happen in this status.
    pub const fn transition(self, event: JobEvent) -> Result<Self, TransitionError> {
        Ok(match (self, event) {
            (Self::Open, JobEvent::SeatsFilled) => Self::Assigned,
            (Self::Open, JobEvent::Cancelled) => Self::Cancelled,
            (Self::Open, JobEvent::QueueTimedOut) | (Self::Assigned, JobEvent::MissedLast) => Self::Expired,
            (Self::Assigned, JobEvent::Declined | JobEvent::MissedRequeued) => Self::Open,
            (Self::Assigned, JobEvent::Submitted) => Self::Submitted,
            (Self::Submitted, JobEvent::Finalized) => Self::Resolved,
            (from, event) => return Err(TransitionError { from, event }),
        })
    }
}

/// Where one provider's seat stands. The code is the account's third byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// The provider holds the seat and its bond is locked.
    Accepted = 1,
    /// The provider's outcome stands.
    Submitted = 2,
    /// The provider let its deadline pass and was penalised; the account stays so that it cannot take the job again.
    Missed = 3,
}

/// What may happen to a seat. Giving a seat back and settling it close its account instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExecutionEvent {
    /// The provider's outcome arrived in time.
    Submitted,
    /// The deadline passed without one.
    Missed,
}

impl ExecutionStatus {
    /// The code stored in the account.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this code, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Accepted,
            2 => Self::Submitted,
            3 => Self::Missed,
            _ => return None,
        })
    }

    /// The status after an event; `None` when it cannot happen in this status.
    #[must_use]
    pub const fn transition(self, event: ExecutionEvent) -> Option<Self> {
        match (self, event) {
            (Self::Accepted, ExecutionEvent::Submitted) => Some(Self::Submitted),
            (Self::Accepted, ExecutionEvent::Missed) => Some(Self::Missed),
            _ => None,
        }
    }
}

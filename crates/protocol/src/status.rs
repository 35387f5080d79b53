//! The lives of jobs, seats, disputes, challenges and votes. A `transition` is the only way a status changes.

use core::fmt;

macro_rules! statuses {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant = $code,)+ }

        impl $name {
            /// All statuses, by code.
            pub const ALL: [Self; [$($code,)+].len()] = [$(Self::$variant,)+];

            /// The code stored in the account.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The status with this code, if there is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                Some(match code { $($code => Self::$variant,)+ _ => return None })
            }
        }
    };
}

macro_rules! events {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// All events.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

statuses! {
    /// Where a job stands. The code is the account's third byte.
    JobStatus {
        /// Waiting for providers; seats are free.
        Open = 1,
        /// All seats are filled; the execution clock runs.
        Assigned = 2,
        /// A result stands; the window in which it may be contested is open.
        Submitted = 3,
        /// The result is final; seats wait to be settled.
        Resolved = 4,
        /// Cancelled by the poster before anybody held a seat.
        Cancelled = 5,
        /// Nobody delivered in time, or no result could be found; everything is refunded.
        Expired = 6,
        /// A dispute decides.
        Disputed = 7,
        /// Nobody may commit any more; committed results are revealed.
        Revealing = 8,
        /// The seats do not agree and no more may be asked; only a dispute can find a result.
        Deadlocked = 9,
    }
}

events! {
    /// What may happen to a job.
    JobEvent {
        /// A provider took the last free seat.
        SeatsFilled,
        /// The poster cancels; no seat is taken.
        Cancelled,
        /// The first queue's deadline passed with a free seat.
        QueueTimedOut,
        /// An audit's queue ended with some of its seats taken: it goes on with them.
        AuditUnderfilled,
        /// An audit's queue ended with none of its seats taken: the result goes on alone.
        AuditUnfilled,
        /// An arbiter's queue ended without one.
        ArbiterMissing,
        /// A provider gave its seat back in time; it was the only one.
        Declined,
        /// The only provider let its deadline pass; attempts and time are left.
        MissedRequeued,
        /// The only provider let its deadline pass; no attempt or no time is left.
        MissedLast,
        /// The only provider's result arrived, for all to see.
        Submitted,
        /// Nobody is left who may commit.
        CommitsClosed,
        /// The draw says that a result found alone is audited.
        AuditDrawn,
        /// Nothing is missing, or the time is over, and enough seats say the same.
        Agreed,
        /// As [`Self::Agreed`], but they do not; another seat is asked.
        DisagreedRequeued,
        /// As [`Self::Agreed`], but they do not; no seat or no time is left.
        DisagreedLast,
        /// The window closed without a dispute.
        Finalized,
        /// A dispute was opened.
        Disputed,
        /// The time to open a dispute over a deadlock passed.
        NobodyAppealed,
        /// The dispute found an outcome.
        Judged,
        /// The dispute found that the content cannot be had, or nothing.
        Voided,
    }
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
        use JobEvent as On;
        Ok(match (self, event) {
            (Self::Open, On::SeatsFilled | On::AuditUnderfilled) => Self::Assigned,
            (Self::Open, On::Cancelled) => Self::Cancelled,
            (Self::Open, On::QueueTimedOut) => Self::Expired,
            (Self::Open, On::AuditUnfilled) => Self::Revealing,
            (Self::Open, On::ArbiterMissing) => Self::Deadlocked,
            (Self::Assigned, On::Declined | On::MissedRequeued) => Self::Open,
            (Self::Assigned, On::MissedLast) => Self::Expired,
            (Self::Assigned, On::Submitted) => Self::Submitted,
            (Self::Assigned, On::CommitsClosed) => Self::Revealing,
            (Self::Revealing, On::AuditDrawn) => Self::Open,
            (Self::Assigned | Self::Revealing, On::Agreed) => Self::Submitted,
            (Self::Assigned | Self::Revealing, On::DisagreedRequeued) => Self::Open,
            (Self::Assigned | Self::Revealing, On::DisagreedLast) => Self::Deadlocked,
            (Self::Submitted, On::Finalized) => Self::Resolved,
            (Self::Submitted | Self::Deadlocked, On::Disputed) => Self::Disputed,
            (Self::Deadlocked, On::NobodyAppealed) => Self::Expired,
            (Self::Disputed, On::Judged) => Self::Resolved,
            (Self::Disputed, On::Voided) => Self::Expired,
            (from, event) => return Err(TransitionError { from, event }),
        })
    }
}

statuses! {
    /// Where one provider's seat stands. The code is the account's third byte.
    ExecutionStatus {
        /// The provider holds the seat and its bond is locked.
        Accepted = 1,
        /// The provider's outcome stands.
        Submitted = 2,
        /// The provider let its deadline pass, or left after the clock had started, and was penalised; the account stays so
        /// that it cannot take the job again.
        Missed = 3,
        /// The provider committed to an outcome and has not shown it.
        Committed = 4,
    }
}

events! {
    /// What may happen to a seat. Giving back a seat whose clock has not started, and settling, close its account instead.
    ExecutionEvent {
        /// The provider's outcome arrived in time, for all to see.
        Submitted,
        /// The deadline passed without one, or the seat was given back after the clock had started.
        Missed,
        /// The provider committed to an outcome in time.
        Committed,
        /// The provider showed what it had committed to.
        Revealed,
    }
}

impl ExecutionStatus {
    /// The status after an event; `None` when it cannot happen in this status.
    #[must_use]
    pub const fn transition(self, event: ExecutionEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Accepted, ExecutionEvent::Submitted) | (Self::Committed, ExecutionEvent::Revealed) => {
                Self::Submitted
            }
            (Self::Accepted, ExecutionEvent::Missed) => Self::Missed,
            (Self::Accepted, ExecutionEvent::Committed) => Self::Committed,
            _ => return None,
        })
    }
}

statuses! {
    /// Where a dispute stands. The code is the account's third byte.
    DisputeStatus {
        /// Challengers may enter.
        Entry = 1,
        /// A round waits for the seed of its jury.
        Drawing = 2,
        /// A round's jurors commit, then reveal; challengers reveal in the first round.
        Voting = 3,
        /// The round is counted; its verdict may be appealed against, its absences shown.
        Tallied = 4,
        /// Over: challenges, seats and votes wait to be settled.
        Final = 5,
    }
}

events! {
    /// What may happen to a dispute.
    DisputeEvent {
        /// A round began and its jury is drawn.
        DrawArmed,
        /// The seed is there, or a round began in which everybody votes.
        VotingOpened,
        /// The round is counted.
        Tallied,
        /// The last word is spoken.
        Settled,
    }
}

impl DisputeStatus {
    /// The status after an event; `None` when it cannot happen in this status.
    #[must_use]
    pub const fn transition(self, event: DisputeEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Entry | Self::Tallied, DisputeEvent::DrawArmed) => Self::Drawing,
            (Self::Entry | Self::Tallied | Self::Drawing, DisputeEvent::VotingOpened) => Self::Voting,
            (Self::Voting, DisputeEvent::Tallied) => Self::Tallied,
            (Self::Tallied, DisputeEvent::Settled) => Self::Final,
            _ => return None,
        })
    }
}

statuses! {
    /// Where a challenge stands. The code is the account's third byte.
    ChallengeStatus {
        /// The bond is paid in, the outcome hidden.
        Entered = 1,
        /// The outcome is known.
        Revealed = 2,
        /// The outcome is the verdict; bond and reward wait to be paid.
        Won = 3,
    }
}

events! {
    /// What may happen to a challenge. Losing it, or getting the bond back, closes its account instead.
    ChallengeEvent {
        /// The challenger showed what it had committed to.
        Revealed,
        /// The verdict is its outcome.
        Won,
    }
}

impl ChallengeStatus {
    /// The status after an event; `None` when it cannot happen in this status.
    #[must_use]
    pub const fn transition(self, event: ChallengeEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Entered, ChallengeEvent::Revealed) => Self::Revealed,
            (Self::Revealed, ChallengeEvent::Won) => Self::Won,
            _ => return None,
        })
    }
}

statuses! {
    /// Where a vote stands. The code is the account's third byte.
    VoteStatus {
        /// The ballot is hidden.
        Committed = 1,
        /// The ballot is known.
        Revealed = 2,
    }
}

events! {
    /// What may happen to a vote. Settling closes its account instead.
    VoteEvent {
        /// The juror showed what it had committed to.
        Revealed,
    }
}

impl VoteStatus {
    /// The status after an event; `None` when it cannot happen in this status.
    #[must_use]
    pub const fn transition(self, event: VoteEvent) -> Option<Self> {
        match (self, event) {
            (Self::Committed, VoteEvent::Revealed) => Some(Self::Revealed),
            _ => None,
        }
    }
}

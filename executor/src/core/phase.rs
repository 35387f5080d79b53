//! Where a job stands in this provider's hands.

use serde::{Deserialize, Serialize};

/// Why a job is not, or no longer, worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Another provider took the seat.
    LostRace,
    /// The job ended: cancelled, expired or closed.
    Ended,
    /// The execution deadline passed; the chain penalised the seat.
    Missed,
    /// The seat was given back.
    Declined,
    /// The policy refuses it.
    Policy,
    /// The task is Invalid and the policy does not accept such jobs.
    Invalid,
    /// It failed on this host too often (E-24).
    Quarantined,
    /// Too little time is left to finish it safely.
    OutOfTime,
    /// Accepting it failed too often.
    AcceptFailed,
    /// It was watched, and the result is what we found, too.
    Agrees,
    /// It was watched, and contesting it is more than the day's budget.
    Budget,
}

impl DropReason {
    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LostRace => "lost_race",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Declined => "declined",
            Self::Policy => "policy",
            Self::Invalid => "invalid",
            Self::Quarantined => "quarantined",
            Self::OutOfTime => "out_of_time",
            Self::AcceptFailed => "accept_failed",
            Self::Agrees => "agrees",
            Self::Budget => "budget",
        }
    }
}

/// Why a seat is given back; the code goes on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// The host could not run the task.
    HostFault,
    /// The content was no longer to be had, or the result could not be published.
    ContentUnavailable,
    /// Too little time is left.
    OutOfTime,
}

impl DeclineReason {
    /// The code that `decline_job` carries.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::HostFault => 1,
            Self::ContentUnavailable => 2,
            Self::OutOfTime => 3,
        }
    }
}

/// What this provider is to a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes a seat, or would.
    #[default]
    Execute,
    /// It is in the jury of the job's dispute, as far as its tickets win.
    Judge,
    /// It checks a result of others.
    Watch,
}

/// Where a job stands in this provider's hands. Forgotten is the absence of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Open on chain and allowed by the policy; waits for a place. Of a juror: no ticket of ours has won yet.
    Seen,
    /// The content is being fetched, validated and metered.
    Fetching,
    /// The task can run here; waits for a free seat.
    Prepared,
    /// `accept_job` is on its way.
    Accepting,
    /// The seat is held; waits for the other seats to be taken, and for a worker.
    Accepted,
    /// The sandbox child runs.
    Running,
    /// The outcome is fixed, in the journal (I-07).
    Ran,
    /// `commit_result` is on its way.
    Committing,
    /// The hidden outcome is on chain; waits until the others' are.
    Committed,
    /// The result package is being published.
    Publishing,
    /// The result can be fetched by others.
    Published,
    /// `reveal_result` is on its way.
    Revealing,
    /// `submit_results` is on its way.
    Submitting,
    /// The outcome stands on chain; waits for the others', and for the end of the window.
    Submitted,
    /// Finalize, settle and close are on their way.
    Settling,
    /// The pay is credited to the provider account.
    Settled,
    /// `claim_reward` is on its way.
    Claiming,
    /// Paid. The row is dropped once the finalised chain says that the job is over.
    Claimed,
    /// `decline_job` is on its way.
    Declining(DeclineReason),
    /// In the jury; waits for a worker.
    Drawn,
    /// `commit_vote` is on its way.
    Voting,
    /// The hidden ballot is on chain; waits until nobody can vote any more.
    Voted,
    /// `reveal_vote` is on its way.
    RevealingVote,
    /// The ballot is on chain for all to see; waits for the dispute's end, or for the next round.
    VoteRevealed,
    /// Our votes, and what they wait for, are being settled.
    SettlingVote,
    /// Chosen to be watched; waits for a worker.
    Sampled,
    /// `open_dispute` or `enter_dispute` is on its way.
    Challenging,
    /// The challenge is on chain; waits until it has to be shown, then for the dispute's end.
    Challenged,
    /// `reveal_outcome` is on its way.
    RevealingOutcome,
    /// `appeal` is on its way.
    Appealing,
    /// Not worked on.
    Dropped(DropReason),
    /// The sign-guard stopped it; a human must look (E-06).
    Halted,
}

impl Phase {
    /// Whether the provider holds, or may come to hold, a seat and owes a result.
    #[must_use]
    pub const fn owes_result(self) -> bool {
        matches!(
            self,
            Self::Accepting
                | Self::Accepted
                | Self::Running
                | Self::Ran
                | Self::Committing
                | Self::Committed
                | Self::Publishing
                | Self::Published
                | Self::Revealing
                | Self::Submitting
                | Self::Declining(_)
        )
    }

    /// Whether the seat is on chain and the result is not.
    #[must_use]
    pub const fn holds_seat(self) -> bool {
        self.owes_result() && !matches!(self, Self::Accepting)
    }

    /// Whether an acceptance stood once and the seat was not given up since.
    #[must_use]
    pub const fn is_after_accept(self) -> bool {
        self.holds_seat()
            || matches!(self, Self::Submitted | Self::Settling | Self::Settled | Self::Claiming | Self::Claimed)
    }

    /// Whether all seats of a job with several have committed, or can no more.
    #[must_use]
    pub const fn is_after_commits(self) -> bool {
        matches!(
            self,
            Self::Publishing
                | Self::Published
                | Self::Revealing
                | Self::Submitted
                | Self::Settling
                | Self::Settled
                | Self::Claiming
                | Self::Claimed
        )
    }

    /// Before anything was signed.
    #[must_use]
    pub const fn is_before_accept(self) -> bool {
        matches!(self, Self::Seen | Self::Fetching | Self::Prepared)
    }

    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Fetching => "fetching",
            Self::Prepared => "prepared",
            Self::Accepting => "accepting",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Ran => "ran",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Publishing => "publishing",
            Self::Published => "published",
            Self::Revealing => "revealing",
            Self::Submitting => "submitting",
            Self::Submitted => "submitted",
            Self::Settling => "settling",
            Self::Settled => "settled",
            Self::Claiming => "claiming",
            Self::Claimed => "claimed",
            Self::Declining(_) => "declining",
            Self::Drawn => "drawn",
            Self::Voting => "voting",
            Self::Voted => "voted",
            Self::RevealingVote => "revealing_vote",
            Self::VoteRevealed => "vote_revealed",
            Self::SettlingVote => "settling_vote",
            Self::Sampled => "sampled",
            Self::Challenging => "challenging",
            Self::Challenged => "challenged",
            Self::RevealingOutcome => "revealing_outcome",
            Self::Appealing => "appealing",
            Self::Dropped(_) => "dropped",
            Self::Halted => "halted",
        }
    }
}

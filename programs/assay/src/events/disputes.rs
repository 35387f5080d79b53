//! Events of jury duty and disputes.

use anchor_lang::prelude::*;
use assay_protocol::outcome::OUTCOME_BYTES;

/// `set_duty` ran.
#[event]
pub struct DutySet {
    /// The market.
    pub market: Pubkey,
    /// The provider.
    pub provider: Pubkey,
    /// Whether it serves as juror from now on.
    pub is_on: bool,
    /// Stake that stands for it, lamports; zero once it is released.
    pub lock_lamports: u64,
    /// Tickets that juries of the market are counted by now.
    pub duty_tickets_total: u64,
}

/// `open_dispute` ran.
#[event]
pub struct DisputeOpened {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The dispute's account.
    pub dispute: Pubkey,
    /// Who opened it.
    pub payer: Pubkey,
    /// Whether the seats had found nothing; else a result is contested.
    pub is_deadlock: bool,
    /// Tickets that its juries are counted by.
    pub duty_tickets_total: u64,
    /// Challengers enter before this moment; not after a deadlock.
    pub entry_deadline_unix: i64,
}

/// `enter_dispute` ran, or `open_dispute` with a challenge.
#[event]
pub struct DisputeEntered {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who challenges.
    pub challenger: Pubkey,
    /// Its hidden outcome.
    pub commitment: [u8; 32],
    /// What it paid in.
    pub bond_lamports: u64,
}

/// A round of a dispute began: by `open_dispute`, `record_seed`, `appeal` or `settle_dispute`.
#[event]
pub struct RoundStarted {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// The slot whose block draws the jury.
    pub seed_slot: u64,
    /// Whether nobody is drawn and everybody votes.
    pub is_everybody: bool,
}

/// The jury of a round is known and votes.
#[event]
pub struct VotingOpened {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// Tickets expected.
    pub expected: u64,
    /// Commit before this moment.
    pub commit_deadline_unix: i64,
    /// Reveal from then on and before this moment.
    pub reveal_deadline_unix: i64,
}

/// `commit_vote` ran.
#[event]
pub struct VoteCommitted {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// The juror.
    pub provider: Pubkey,
    /// Tickets behind the vote.
    pub weight: u64,
    /// The hidden ballot.
    pub commitment: [u8; 32],
    /// Stake reserved.
    pub lock_lamports: u64,
}

/// `reveal_vote` ran.
#[event]
pub struct VoteRevealed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// The juror.
    pub provider: Pubkey,
    /// Tickets behind the vote.
    pub weight: u64,
    /// An encoded outcome; zero for Unavailable.
    pub ballot: [u8; OUTCOME_BYTES],
}

/// `reveal_outcome` ran.
#[event]
pub struct OutcomeRevealed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who challenges.
    pub challenger: Pubkey,
    /// Encoded outcome that it holds to be right.
    pub outcome: [u8; OUTCOME_BYTES],
}

/// `tally_round` ran.
#[event]
pub struct RoundTallied {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// 0 none, 1 an outcome, 2 that the content cannot be had.
    pub verdict: u8,
    /// The ballot that leads: the verdict's, if there is one.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Tickets expected.
    pub expected: u64,
    /// Tickets revealed.
    pub revealed: u64,
    /// Appeal, or show absences, before this moment.
    pub verdict_deadline_unix: i64,
}

/// `slash_absent` ran.
#[event]
pub struct AbsentSlashed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round that it missed.
    pub round: u8,
    /// The juror.
    pub provider: Pubkey,
    /// What it lost.
    pub lamports: u64,
}

/// `appeal` ran; the next round begins.
#[event]
pub struct VerdictAppealed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round whose verdict is appealed against.
    pub round: u8,
    /// Who appeals.
    pub appellant: Pubkey,
    /// What it holds to be right: an encoded outcome; zero for Unavailable.
    pub ballot: [u8; OUTCOME_BYTES],
    /// What it paid in.
    pub bond_lamports: u64,
}

/// `settle_dispute` ended a dispute.
#[event]
pub struct DisputeSettled {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// 1 an outcome, 2 that the content cannot be had, 3 nothing.
    pub verdict: u8,
    /// The outcome; zero when there is none.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Rounds voted.
    pub rounds: u8,
    /// Seats that gave the outcome.
    pub right: u8,
}

/// `settle_challenge` ran.
#[event]
pub struct ChallengeSettled {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who challenged.
    pub challenger: Pubkey,
    /// Whether its outcome is the verdict.
    pub has_won: bool,
    /// What it was paid; zero while it waits for its share, and when it lost.
    pub lamports: u64,
}

/// `settle_vote` ran; the vote's account is closed.
#[event]
pub struct VoteSettled {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The round.
    pub round: u8,
    /// The juror.
    pub provider: Pubkey,
    /// Credited to it.
    pub earned_lamports: u64,
    /// Stake set free.
    pub unlocked_lamports: u64,
    /// Stake lost.
    pub lost_lamports: u64,
}

/// `close_dispute` ran.
#[event]
pub struct DisputeClosed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// What was burned.
    pub sink_lamports: u64,
    /// What its opener received: rent, and donations if there were any.
    pub lamports: u64,
}

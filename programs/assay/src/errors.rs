//! Every way an instruction may refuse. From the first release on append only: numbers never change then. Messages say what was expected.

use anchor_lang::prelude::*;
use assay_protocol::{DrawError, FeeError, OutcomeError, TermsError};

/// Refusals of the program.
#[error_code]
pub enum AssayError {
    // Arguments.
    /// A number left its range.
    #[msg("an amount, count or time must stay in its range")]
    AmountOverflow,
    /// Zero lamports were to be moved.
    #[msg("the amount must be above zero")]
    AmountZero,
    /// A market was asked to pay in tokens.
    #[msg("the mint must be zero: markets pay in lamports")]
    MintUnsupported,
    /// A digest that names content is zero.
    #[msg("the cluster tag, job CID digest and metered hash must not be zero")]
    DigestZero,
    /// See [`TermsError::Fee`].
    #[msg("the fee must be at most 1,000 basis points")]
    TermsFee,
    /// See [`TermsError::Bond`].
    #[msg(
        "the least bond must be at most 1,000,000 SOL and missing it cost at least the decline fee, the bond rate 10,000 to 100,000 basis points"
    )]
    TermsBond,
    /// See [`TermsError::MissRate`].
    #[msg("the miss rate must be 1,000 to 10,000 basis points")]
    TermsMissRate,
    /// See [`TermsError::FixedFee`].
    #[msg("the delay fee must be at most 0.1 SOL, the decline fee 5,000 lamports to 0.1 SOL")]
    TermsFixedFee,
    /// See [`TermsError::Attempts`].
    #[msg("the attempts must be 1 to 5")]
    TermsAttempts,
    /// See [`TermsError::Window`].
    #[msg(
        "each window must be 1 second to 7 days, the widening time at most the queue timeout, the job's total at least queue timeout, longest execution and longest challenge together and at most 30 days"
    )]
    TermsWindow,
    /// See [`TermsError::Unbonding`].
    #[msg("unbonding must be longer than the longest execution, reveal, challenge and dispute together, and at most 30 days")]
    TermsUnbonding,
    /// See [`TermsError::Gas`].
    #[msg("the verify rate must be 1 to 10^10 gas per second, the gas limit 1 to 10^15")]
    TermsGas,
    /// See [`TermsError::Profiles`].
    #[msg("the terms must allow profile 1 and no other")]
    TermsProfiles,
    /// Too few or too many seats.
    #[msg("the redundancy must be 1 when optimistic, else 2 to the market's executions_max")]
    RedundancyUnsupported,
    /// Unknown mode.
    #[msg("the mode must be 1 optimistic, 2 redundant, 3 quorum, or in a market with audits 4 adaptive")]
    ModeUnsupported,
    /// More than full trust was demanded.
    #[msg("the least trust must be at most 10,000 basis points")]
    TrustUnsupported,
    /// Unknown profile, or one that the market does not take.
    #[msg("the profile must be known to the program and allowed by the market")]
    ProfileForbidden,
    /// A limit is outside the protocol's bounds.
    #[msg("the task limits must be inside the protocol's bounds")]
    LimitsOutOfBounds,
    /// More gas than the market takes.
    #[msg("the gas limit must be at most the market's")]
    GasLimitAboveMarket,
    /// Price or base fee is out of bounds.
    #[msg("the price must be 1 to 10^15 lamports per 10^12 gas, the base fee at most 1,000 SOL")]
    PriceOutOfBounds,
    /// The escrow cannot pay for the whole gas limit.
    #[msg("the escrow must cover base fee, gas limit at the price, and market fee, for every seat that can be right")]
    EscrowTooSmall,
    /// The job would never be handed out, or for too long.
    #[msg("the expiry must be later than now and within the market's total time")]
    ExpiryOutOfRange,
    /// Not a canonical outcome of this job.
    #[msg("the outcome must be 79 canonical bytes that fit the job's gas limit")]
    OutcomeNotCanonical,
    // Who.
    /// Another authority was expected.
    #[msg("the signer must be the account's authority")]
    AuthorityMismatch,
    /// Nobody, or somebody else, was proposed.
    #[msg("the signer must be the proposed authority")]
    PendingAuthorityMismatch,
    /// Another node key was expected.
    #[msg("the signer must be the provider's current node key")]
    NodeKeyMismatch,
    /// The hot key would be the cold one.
    #[msg("the node key must differ from the authority")]
    NodeKeyIsAuthority,
    /// Another poster was expected.
    #[msg("the account must be the job's poster")]
    PosterMismatch,
    // Which.
    /// Another market was expected.
    #[msg("the market must be the one that the job and the provider belong to")]
    MarketMismatch,
    /// Another job was expected.
    #[msg("the job must be the execution's")]
    JobMismatch,
    /// Another provider was expected.
    #[msg("the provider must be the execution's")]
    ProviderMismatch,
    /// Another recipient of the rent was expected.
    #[msg("the rent must go back to who paid it")]
    RentPayerMismatch,
    /// The address is not the one that the seeds give.
    #[msg("the address must be the canonical one for its seeds")]
    AddressMismatch,
    /// The job exists.
    #[msg("the job's address must be unused: choose another id")]
    JobExists,
    /// This provider holds, or let lapse, a seat of this job.
    #[msg("the provider must not have taken this job before")]
    ExecutionExists,
    /// An optional account is missing.
    #[msg("one assigned seat expires with its execution, provider and sink; what is lost in settling needs the sink; a result is disputed with commitment and challenge, a deadlock without")]
    AccountsMissing,
    /// An optional account is not needed.
    #[msg("what is not one assigned seat expires without execution, provider and sink")]
    AccountsUnexpected,
    // When.
    /// The market is paused.
    #[msg("the market must not be paused")]
    MarketPaused,
    /// The pause is too long.
    #[msg("a pause must end within 72 hours")]
    PauseTooLong,
    /// The last pause is too recent.
    #[msg("a pause may begin once in 7 days")]
    PauseTooSoon,
    /// The job waits for no provider.
    #[msg("the job must be open")]
    JobNotOpen,
    /// Nobody works on the job.
    #[msg("the job must be assigned, or open when a seat is given back")]
    JobNotAssigned,
    /// No result stands.
    #[msg("the job must be submitted")]
    JobNotSubmitted,
    /// The job is not over.
    #[msg("the job must be resolved, cancelled or expired")]
    JobNotTerminal,
    /// The job waits for nothing that this ends.
    #[msg("the job must be open, assigned, revealing or deadlocked")]
    JobNotExpirable,
    /// Somebody holds a seat.
    #[msg("no seat of the job may be taken")]
    SeatTaken,
    /// The seat is not being worked on.
    #[msg("the execution must be accepted, in the job's present attempt")]
    ExecutionNotAccepted,
    /// The seat has nothing to settle.
    #[msg("the status of the execution must be known")]
    ExecutionNotSettleable,
    /// Too late.
    #[msg("the deadline must not have passed")]
    DeadlinePassed,
    /// Too early.
    #[msg("the deadline must have passed")]
    DeadlineNotReached,
    /// Executions of the job are not settled.
    #[msg("every execution must be settled first")]
    ExecutionsOpen,
    /// A job may not be closed in the slot that created it.
    #[msg("the job must be older than one slot")]
    SlotTooEarly,
    // Stake and money.
    /// The provider's stake is below the market's minimum.
    #[msg("the stake must be at least the market's minimum")]
    StakeTooSmall,
    /// Not enough stake is free.
    #[msg("the stake that is not locked must cover the amount")]
    FreeStakeTooSmall,
    /// The bond would exceed the exposure cap.
    #[msg("locked stake and bond together must not exceed the exposure cap")]
    ExposureCapReached,
    /// All of the provider's places are taken.
    #[msg("the provider must have a free place")]
    CapacityReached,
    /// Nothing is unbonding.
    #[msg("there must be unbonding stake")]
    NothingUnbonding,
    /// The stake is still unbonding.
    #[msg("the unbonding period must be over")]
    StillUnbonding,
    /// Nothing to claim.
    #[msg("there must be something to claim")]
    NothingToClaim,
    /// The provider still has stake, earnings or executions.
    #[msg("stake, unbonding, earnings and executions must be zero")]
    ProviderInUse,
    // Broken state; never seen unless the program is wrong.
    /// An unknown status byte.
    #[msg("the status byte must be known")]
    StatusUnknown,
    /// The protocol's table has no such transition.
    #[msg("the status must allow this transition")]
    TransitionForbidden,
    /// More is locked than staked.
    #[msg("locked stake must not exceed the stake")]
    LockExceedsStake,
    /// Fewer lamports than the ledger owes.
    #[msg("an account must hold its rent and every lamport that its ledger owes")]
    LedgerNotBacked,
    /// The address of a new sink, market or provider is taken.
    #[msg("the new account's address must be unused")]
    AccountInUse,
    /// The job at this address is not the one that was checked.
    #[msg("the job must be the one that was checked; it was closed and created again")]
    JobUidMismatch,
    /// See [`TermsError::Stake`].
    #[msg("the least stake must be at most 1,000,000 SOL")]
    TermsStake,
    /// See [`TermsError::Quorum`].
    #[msg("the quorum must be 5,001 to 10,000 basis points and the most seats 1 to 9")]
    TermsQuorum,
    /// See [`TermsError::Ticket`].
    #[msg("a ticket must be 10^6 to 10^15 lamports, and the same as before")]
    TermsTicket,
    /// See [`TermsError::Jury`].
    #[msg(
        "a jury must begin with 9 to 16 tickets, its quorum be 3,334 to 6,667 basis points, a juror's bond between the decline fee and half a ticket, and the duty rate 100 to 5,000 basis points"
    )]
    TermsJury,
    /// See [`TermsError::Audit`].
    #[msg("audits must be one in 2 to one in 100, least first, or both zero")]
    TermsAudit,
    /// See [`TermsError::Jail`].
    #[msg("jail must be between one second and 7 days")]
    TermsJail,
    // Draws and seats.
    /// The tickets would not change.
    #[msg("there must be tickets to enroll for the provider's node key once the stake is mature, or tickets without stake")]
    NothingToEnroll,
    /// Tickets that a jury counts would lose their stake.
    #[msg("the stake must bear the enrolled tickets while the provider is a juror")]
    StakeOnDuty,
    /// Nothing is drawn.
    #[msg("the job must have a draw")]
    NoDraw,
    /// The seed's block is not there.
    #[msg("the block that gives the seed must be there: try again in a few slots")]
    SeedNotReady,
    /// The seed is not recorded.
    #[msg("the seed of the draw must be recorded first: record_seed")]
    SeedMissing,
    /// The ticket is not the provider's, or was not drawn.
    #[msg("the ticket must be enrolled, borne by the stake, and drawn")]
    TicketLoses,
    /// The tickets are younger than the draw.
    #[msg("the tickets must have been enrolled before the draw was fixed")]
    TicketImmature,
    /// The window after an agreement is too long.
    #[msg("the agreement window must be at most the market's longest challenge window")]
    WindowOutOfRange,
    /// The instruction is for another mode.
    #[msg("an optimistic job takes submit_results, every other commit_result and reveal_result")]
    ModeMismatch,
    /// The commitment is zero.
    #[msg("the commitment must not be zero, but for a vote that excuses a juror with two other votes open, and one for each earlier round")]
    CommitmentZero,
    /// Outcome and salt give another commitment.
    #[msg("outcome and salt must give the commitment of this provider for this job")]
    CommitmentMismatch,
    /// The seat has nothing to reveal.
    #[msg("the execution must be committed, in the job's present attempt")]
    ExecutionNotCommitted,
    /// Nobody reveals now.
    #[msg("the job must be revealing, or assigned past its execution deadline")]
    JobNotRevealing,
    /// Somebody may still commit.
    #[msg("commitments must be closed first")]
    TooEarly,
    // Jury duty.
    /// Duty is as it was asked to be.
    #[msg("duty must change: on needs a provider without duty lock, off one that serves or has a lock to release")]
    DutyUnchanged,
    /// The lock still stands for disputes that may run.
    #[msg("the unbonding period since duty ended must be over")]
    StillOnDuty,
    // Disputes.
    /// There is nothing to dispute.
    #[msg("the job must be submitted or deadlocked")]
    NotDisputable,
    /// Another dispute was expected.
    #[msg("the dispute must be the challenge's or the vote's")]
    DisputeMismatch,
    /// Another challenger was expected.
    #[msg("the account must be the challenge's challenger")]
    ChallengerMismatch,
    /// Nobody enters any more.
    #[msg("the dispute must be open for entry")]
    EntryClosed,
    /// Nobody votes now.
    #[msg("the dispute must be voting")]
    DisputeNotVoting,
    /// The round is not counted.
    #[msg("the dispute must be tallied; absences are shown of the counted round, and of the one before until the dispute is over")]
    DisputeNotTallied,
    /// The dispute is not over.
    #[msg("the dispute must be final")]
    DisputeNotFinal,
    /// The provider is no juror of this dispute.
    #[msg("the provider must have been on duty when the dispute was opened, and be neither an executor of the job nor its poster's")]
    NotAJuror,
    /// The juror has voted in this round.
    #[msg("a juror must vote once in a round")]
    AlreadyVoted,
    /// Too few tickets, or too many.
    #[msg("1 to 64 tickets must be named, none where everybody votes, and one be usable")]
    WeightOutOfRange,
    /// A ticket is named twice, or out of order.
    #[msg("tickets must be named in strictly ascending order")]
    TicketsUnordered,
    /// It belongs to another round.
    #[msg("votes are revealed in their round, challenges in the first")]
    RoundOver,
    /// The vote has nothing to reveal.
    #[msg("the vote must be committed")]
    VoteNotCommitted,
    /// The challenge has nothing to reveal.
    #[msg("the challenge must be entered and not revealed")]
    ChallengeNotEntered,
    /// What stands needs no challenge.
    #[msg("the outcome must differ from the one that is contested")]
    OutcomeStands,
    /// There is no verdict to appeal against, or no round to come.
    #[msg("a round that is not the last must have found a verdict")]
    NotAppealable,
    /// The appellant said something else before.
    #[msg("an appeal must say what the appellant's challenge revealed")]
    AppealContradicts,
    /// There is no duty lock.
    #[msg("the juror must have a duty lock")]
    NothingToSlash,
    /// The juror revealed.
    #[msg("the juror must have revealed no vote in this round, or one that is not full and weighs one ticket less than are named")]
    JurorWasPresent,
    /// Challenges are not counted.
    #[msg("every challenge must be counted first: settle_challenge")]
    ChallengesUncounted,
    /// Challenges are not settled.
    #[msg("every challenge must be settled first")]
    ChallengesOpen,
    /// Votes are not settled.
    #[msg("every vote must be settled first")]
    VotesOpen,
    /// A dispute is not closed.
    #[msg("every dispute of the job must be closed first")]
    DisputesOpen,
    // Trust.
    /// A wrong, hidden or repeatedly missing result keeps the provider from seats for a while.
    #[msg("the provider must not be in jail: the time in its account is the way out")]
    Jailed,
    /// The score is below the job's floor.
    #[msg("the provider's trust must be at least the job's least trust, and higher for an arbiter")]
    TrustTooLow,
    /// The provider may not run alone.
    #[msg("running alone takes ten confirmed results in a row, and unaudited pay that the stake still covers with this job's")]
    NotTrusted,
    /// Whether the result is audited is not drawn yet.
    #[msg("the seed of the audit must be recorded first: record_seed")]
    AuditPending,
    /// The job waits for a seed, not for a time.
    #[msg("the job must not wait for the seed of an audit: record_seed ends that wait")]
    SeedPending,
    // Modules.
    /// There is nothing to record.
    #[msg("the job's seats must have given different outcomes, nobody reveal any more, and nobody have recorded it")]
    NoCollision,
    /// Another module was expected.
    #[msg("the module must be that of the job's market and metered hash")]
    ModuleMismatch,
    // Duty.
    /// A lock would leave a juror too little for its votes.
    #[msg("with a duty lock a juror bond for each usable ticket must stay free of stake and exposure cap: take fewer seats at once, or add stake")]
    JuryReserveTooSmall,
}

impl From<FeeError> for AssayError {
    fn from(_: FeeError) -> Self {
        Self::AmountOverflow
    }
}

impl From<DrawError> for AssayError {
    fn from(error: DrawError) -> Self {
        match error {
            DrawError::SeedNotReady => Self::SeedNotReady,
            _ => Self::NoDraw,
        }
    }
}

impl From<OutcomeError> for AssayError {
    fn from(_: OutcomeError) -> Self {
        Self::OutcomeNotCanonical
    }
}

impl From<TermsError> for AssayError {
    fn from(error: TermsError) -> Self {
        match error {
            TermsError::Fee => Self::TermsFee,
            TermsError::Bond => Self::TermsBond,
            TermsError::MissRate => Self::TermsMissRate,
            TermsError::FixedFee => Self::TermsFixedFee,
            TermsError::Attempts => Self::TermsAttempts,
            TermsError::Window => Self::TermsWindow,
            TermsError::Unbonding => Self::TermsUnbonding,
            TermsError::Gas => Self::TermsGas,
            TermsError::Stake => Self::TermsStake,
            TermsError::Quorum => Self::TermsQuorum,
            TermsError::Ticket => Self::TermsTicket,
            TermsError::Jury => Self::TermsJury,
            TermsError::Audit => Self::TermsAudit,
            TermsError::Jail => Self::TermsJail,
            // `TermsError` is non-exhaustive; a bound added there gets its own number here in the same commit.
            _ => Self::TermsProfiles,
        }
    }
}

/// Refuses by this error unless it holds. Anchor's macro of the same name builds the whole message wherever it stands; here that is done
/// in one place, which makes the program 60 kB smaller.
macro_rules! require {
    ($condition:expr, $error:expr) => {
        if !$condition {
            return Err($error.into());
        }
    };
}

/// Refuses by this error, naming both keys, unless they are the same.
macro_rules! require_keys_eq {
    ($left:expr, $right:expr, $error:expr) => {
        if $left != $right {
            return Err($crate::errors::keys_refused($error, &$left, &$right));
        }
    };
}

/// Refuses by this error, naming both keys, if they are the same.
macro_rules! require_keys_neq {
    ($left:expr, $right:expr, $error:expr) => {
        if $left == $right {
            return Err($crate::errors::keys_refused($error, &$left, &$right));
        }
    };
}

/// Refuses by this error.
macro_rules! err {
    ($error:expr) => {
        Err($error.into())
    };
}

pub(crate) use {err, require, require_keys_eq, require_keys_neq};

/// The error of two keys that should, or should not, be the same.
#[cold]
#[inline(never)]
pub fn keys_refused(error: AssayError, left: &Pubkey, right: &Pubkey) -> Error {
    Error::from(error).with_pubkeys((*left, *right))
}

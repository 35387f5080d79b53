//! What the stories have to reach together: everything that the tables allow, every refusal that an act can meet.

use std::collections::BTreeSet;

use assay_model::schedule::coverage::Coverage;
use assay_tests::idl;

/// Each instruction with what the program refuses it for.
const REFUSALS: &[(&str, &[&str])] = &[
    ("create_sink", &["AccountInUse"]),
    ("create_market", &["AccountInUse"]),
    ("update_market", &["AuthorityMismatch", "TermsTicket"]),
    ("pause_market", &["AuthorityMismatch", "PauseTooLong", "PauseTooSoon"]),
    ("propose_market_authority", &["AuthorityMismatch"]),
    ("accept_market_authority", &["PendingAuthorityMismatch"]),
    ("claim_market_fees", &["AuthorityMismatch", "NothingToClaim"]),
    ("register_provider", &["AccountInUse", "MarketPaused", "NodeKeyIsAuthority"]),
    ("stake", &["AuthorityMismatch", "AmountZero"]),
    ("unstake", &["AuthorityMismatch", "FreeStakeTooSmall", "StakeOnDuty", "JuryReserveTooSmall"]),
    ("update_provider", &["AuthorityMismatch"]),
    ("withdraw_stake", &["AuthorityMismatch", "NothingUnbonding", "StillUnbonding"]),
    ("claim_reward", &["NothingToClaim"]),
    ("close_provider", &["AuthorityMismatch", "ProviderInUse"]),
    ("enroll_stake", &["NothingToEnroll"]),
    (
        "create_job",
        &[
            "JobExists",
            "MarketPaused",
            "RedundancyUnsupported",
            "TrustUnsupported",
            "GasLimitAboveMarket",
            "PriceOutOfBounds",
            "WindowOutOfRange",
            "EscrowTooSmall",
            "ExpiryOutOfRange",
        ],
    ),
    ("cancel_job", &["PosterMismatch", "JobNotOpen", "SeatTaken"]),
    (
        "accept_job",
        &[
            "NodeKeyMismatch",
            "MarketMismatch",
            "MarketPaused",
            "JobNotOpen",
            "JobUidMismatch",
            "DeadlinePassed",
            "StakeTooSmall",
            "FreeStakeTooSmall",
            "ExposureCapReached",
            "JuryReserveTooSmall",
            "CapacityReached",
            "ExecutionExists",
            "SeedMissing",
            "TicketLoses",
            "TicketImmature",
            "Jailed",
            "TrustTooLow",
            "NotTrusted",
        ],
    ),
    ("decline_job", &["NodeKeyMismatch", "JobNotAssigned", "DeadlinePassed", "ExecutionNotAccepted"]),
    ("submit_results", &["NodeKeyMismatch", "JobNotAssigned", "ModeMismatch", "DeadlinePassed", "OutcomeNotCanonical"]),
    (
        "commit_result",
        &[
            "NodeKeyMismatch",
            "JobNotAssigned",
            "ModeMismatch",
            "DeadlinePassed",
            "ExecutionNotAccepted",
            "CommitmentZero",
        ],
    ),
    (
        "reveal_result",
        &[
            "NodeKeyMismatch",
            "JobNotRevealing",
            "TooEarly",
            "AuditPending",
            "DeadlinePassed",
            "ExecutionNotCommitted",
            "OutcomeNotCanonical",
            "CommitmentMismatch",
        ],
    ),
    ("record_seed", &["NoDraw", "SeedNotReady", "DeadlineNotReached"]),
    (
        "expire_job",
        &[
            "JobNotExpirable",
            "SeedPending",
            "DeadlineNotReached",
            "AccountsMissing",
            "AccountsUnexpected",
            "ExecutionNotAccepted",
        ],
    ),
    ("finalize_job", &["JobNotSubmitted", "DeadlineNotReached"]),
    ("settle_execution", &["JobNotTerminal", "ChallengesUncounted"]),
    ("close_job", &["JobNotTerminal", "ExecutionsOpen", "DisputesOpen", "SlotTooEarly"]),
    (
        "set_duty",
        &[
            "AuthorityMismatch",
            "DutyUnchanged",
            "WeightOutOfRange",
            "FreeStakeTooSmall",
            "ExposureCapReached",
            "JuryReserveTooSmall",
            "StillOnDuty",
        ],
    ),
    ("open_dispute", &["NotDisputable", "DeadlinePassed", "AccountsMissing", "CommitmentZero"]),
    ("enter_dispute", &["EntryClosed", "DeadlinePassed", "CommitmentZero", "AccountInUse"]),
    (
        "commit_vote",
        &[
            "NodeKeyMismatch",
            "DisputeNotVoting",
            "DeadlinePassed",
            "MarketMismatch",
            "NotAJuror",
            "CommitmentZero",
            "WeightOutOfRange",
            "TicketsUnordered",
            "TicketLoses",
            "ExposureCapReached",
            "AlreadyVoted",
        ],
    ),
    (
        "reveal_vote",
        &[
            "NodeKeyMismatch",
            "DisputeNotVoting",
            "TooEarly",
            "DeadlinePassed",
            "RoundOver",
            "VoteNotCommitted",
            "CommitmentMismatch",
            "OutcomeNotCanonical",
        ],
    ),
    (
        "reveal_outcome",
        &[
            "DisputeNotVoting",
            "TooEarly",
            "DeadlinePassed",
            "RoundOver",
            "ChallengeNotEntered",
            "OutcomeNotCanonical",
            "OutcomeStands",
            "CommitmentMismatch",
        ],
    ),
    ("record_collision", &["NoCollision"]),
    ("tally_round", &["DisputeNotVoting", "DeadlineNotReached"]),
    (
        "slash_absent",
        &[
            "DisputeNotTallied",
            "MarketMismatch",
            "NotAJuror",
            "TicketLoses",
            "TicketsUnordered",
            "JurorWasPresent",
            "NothingToSlash",
        ],
    ),
    ("appeal", &["NotAppealable", "DeadlinePassed", "OutcomeStands", "OutcomeNotCanonical", "AppealContradicts"]),
    ("settle_dispute", &["DisputeNotTallied", "DeadlineNotReached"]),
    ("settle_challenge", &["DisputeNotFinal", "ChallengesUncounted", "ExecutionsOpen"]),
    ("settle_vote", &["DisputeNotFinal", "ChallengesUncounted", "ExecutionsOpen"]),
    ("close_dispute", &["DisputeNotFinal", "ChallengesOpen", "VotesOpen", "ExecutionsOpen"]),
];

/// Errors that no act of a story meets.
const ELSEWHERE: &[&str] = &[
    // Accounts that were exchanged: the mutation suite's.
    "JobMismatch",
    "ProviderMismatch",
    "RentPayerMismatch",
    "ModuleMismatch",
    "DisputeMismatch",
    "ChallengerMismatch",
    "AddressMismatch",
    // Terms and arguments outside their bounds: refused by name in markets.rs and jobs.rs.
    "MintUnsupported",
    "DigestZero",
    "TermsFee",
    "TermsBond",
    "TermsMissRate",
    "TermsFixedFee",
    "TermsAttempts",
    "TermsWindow",
    "TermsUnbonding",
    "TermsGas",
    "TermsProfiles",
    "TermsStake",
    "TermsQuorum",
    "TermsJury",
    "TermsAudit",
    "TermsJail",
    "ModeUnsupported",
    "ProfileForbidden",
    "LimitsOutOfBounds",
    // Of states that the program never writes: broken.rs.
    "AmountOverflow",
    "StatusUnknown",
    "TransitionForbidden",
    "LockExceedsStake",
    "LedgerNotBacked",
    "ExecutionNotSettleable",
];

/// What no story had, and errors that this list does not know.
pub fn of(all: &Coverage, stories: u64) -> Vec<String> {
    let mut gaps = all.gaps();
    for (act, reasons) in REFUSALS.iter().copied() {
        let met = all.refusals.get(act);
        let unmet = reasons.iter().filter(|reason| !met.is_some_and(|met| met.contains(**reason)));
        gaps.extend(unmet.map(|reason| format!("{act}: {reason}")));
        if all.acts.get(act).is_none_or(|(done, _)| *done == 0) {
            gaps.push(format!("{act} that goes through"));
        }
    }
    let known: BTreeSet<&str> = REFUSALS.iter().flat_map(|(_, reasons)| *reasons).chain(ELSEWHERE).copied().collect();
    let unknown = idl::error_names().into_iter().filter(|name| !known.contains(name.as_str()));
    gaps.extend(unknown.map(|name| format!("a place for the error {name}")));
    let unasked = idl::instruction_names().into_iter().filter(|name| REFUSALS.iter().all(|(act, _)| act != name));
    gaps.extend(unasked.map(|name| format!("a place for the instruction {name}")));
    gaps.retain(|gap| !UNREACHABLE.contains(&gap.as_str()));
    gaps.retain(|gap| stories >= MANY || !SELDOM.contains(&gap.as_str()));
    gaps
}

/// Stories that reach also what is rare.
const MANY: u64 = 2_000;
/// What takes more stories than an ordinary run tells.
const SELDOM: &[&str] = &[
    // Whose votes lock nearly all its stake, slashed for an absence, back for duty.
    "set_duty: FreeStakeTooSmall",
    // Whose cap leaves room for the duty lock and for few votes.
    "commit_vote: ExposureCapReached",
    // Who copied another's commitment, and shows what stood neither.
    "reveal_outcome: CommitmentMismatch",
    // Who was wrong, and goes for another seat before its jail is over.
    "accept_job: Jailed",
    // A juror that shows what encodes no outcome.
    "reveal_vote: OutcomeNotCanonical",
    // Who leaves out the seat that missed its deadline, or a challenge beside a result that stands, in the moment it counts.
    "expire_job: AccountsMissing",
    "open_dispute: AccountsMissing",
    // Who doubts a verdict in the very second in which it is too late.
    "appeal a second late",
    // Who judges three disputes at a time.
    "an excuse of a busy juror",
    // Whose cap leaves room for few votes in a round of everybody.
    "a vote whose cap kept it light",
    // All seats differ, no arbiter helps, and the jury is large enough.
    "an end of a deadlock with a result",
    // A jury that was captured, and the larger one that was not.
    "an appeal that won",
    // A light vote, shown by its tickets the wrong way round.
    "slash_absent: TicketsUnordered",
    // A challenge that won, to be paid while another is not counted.
    "settle_challenge: ChallengesUncounted",
];

/// What the protocol's tables allow and the rules never come to.
const UNREACHABLE: &[&str] = &[
    // Without a reveal there is nothing new to agree on, and the first reveal closes the commits.
    "a job that is Assigned: Agreed",
];

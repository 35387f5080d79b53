//! Refusals of the program, by the names of its IDL. Numbers are an encoding; nothing here matches on one.

use std::{borrow::Cow, sync::LazyLock};

use serde::Deserialize;
use solana_instruction::error::InstructionError;
use solana_rpc_client_api::client_error::TransactionError;
use thiserror::Error;

use super::AssayError;
use crate::errors::NextStep;

/// Codes below this are Anchor's own.
const FRAMEWORK_CODES: std::ops::Range<u32> = 100..6_000;

/// The program refused an instruction, by name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("run the instruction: {name}: {message}")]
pub struct ProgramFailure {
    /// Name of the error in the IDL, or of Anchor's own error.
    pub name: Cow<'static, str>,
    /// What was expected.
    pub message: Cow<'static, str>,
    /// Position of the refused instruction in its transaction.
    pub instruction: u8,
    /// The transaction's log.
    pub logs: Vec<String>,
    code: u32,
}

/// One row of the IDL's table of errors.
#[derive(Debug, Deserialize)]
struct ErrorRow {
    code: u32,
    name: String,
    #[serde(default)]
    msg: Option<String>,
}

#[derive(Deserialize)]
struct IdlErrors {
    #[serde(default)]
    errors: Vec<ErrorRow>,
}

static ERRORS: LazyLock<Vec<ErrorRow>> = LazyLock::new(|| {
    // `declare_program!` read the same file when this crate was compiled, so it is there and well formed.
    serde_json::from_str::<IdlErrors>(super::IDL_JSON).map(|idl| idl.errors).unwrap_or_default()
});

impl ProgramFailure {
    /// The failure behind a transaction error, if a custom error code of this program or of Anchor is behind it.
    #[must_use]
    pub fn from_transaction(error: &TransactionError, logs: &[String]) -> Option<Self> {
        let TransactionError::InstructionError(instruction, InstructionError::Custom(code)) = error else {
            return None;
        };
        Self::from_code(*code, *instruction, logs)
    }

    fn from_code(code: u32, instruction: u8, logs: &[String]) -> Option<Self> {
        let of = |name: Cow<'static, str>, message: Cow<'static, str>| Self {
            name,
            message,
            instruction,
            logs: logs.to_vec(),
            code,
        };
        if let Some(row) = ERRORS.iter().find(|row| row.code == code) {
            return Some(of(Cow::Borrowed(&row.name), Cow::Borrowed(row.msg.as_deref().unwrap_or(&row.name))));
        }
        if !FRAMEWORK_CODES.contains(&code) {
            return None;
        }
        let (name, message) = framework_error(logs)?;
        Some(of(Cow::Owned(name), Cow::Owned(message)))
    }

    /// Whether it is this error.
    #[must_use]
    pub fn is(&self, error: AssayError) -> bool {
        self.code == u32::from(error)
    }
}

/// What to do about each refusal that its sender can do something about.
const NEXT_STEPS: &[(AssayError, &str)] = {
    use AssayError as E;
    &[
        (E::AmountZero, "give an amount above zero"),
        (E::AccountInUse, "it is there already: `assay provider status`, `assay market show`"),
        (E::PauseTooLong, "pause for at most 72 hours"),
        (E::PauseTooSoon, "wait: a pause may begin once in 7 days"),
        (E::NodeKeyIsAuthority, "use another hot key: the cold key must not be on the provider's machine"),
        (E::PendingAuthorityMismatch, "sign with the key that the market is handed to: --keypair"),
        (E::ProfileForbidden, "choose a market that allows the job's profile: `assay market show`"),
        (E::JobUidMismatch, "look at the job again: `assay job describe`; another one is at this address now"),
        (E::EscrowTooSmall, "raise the escrow, or lower the gas limit, the price or the base fee"),
        (E::GasLimitAboveMarket, "lower the gas limit, or choose a market that allows more: `assay market show`"),
        (E::PriceOutOfBounds, "give a price above zero, in lamports per 10^12 gas"),
        (E::ExpiryOutOfRange, "give a later deadline inside the market's total time"),
        (E::LimitsOutOfBounds, "keep the limits inside the protocol's bounds"),
        (E::MarketPaused, "wait for the end of the pause: `assay market show`"),
        (E::JobExists, "post it again: another id is drawn"),
        (E::JobNotOpen, "look at its state: `assay job describe`; somebody else may have taken it"),
        (E::JobNotAssigned, "look at its state: `assay job describe`"),
        (E::JobNotSubmitted, "look at its state: `assay job describe`; no result stands"),
        (E::JobNotTerminal, "wait until the job is resolved, cancelled or expired: `assay job wait`"),
        (E::SeatTaken, "wait for the result or the deadline: a job that somebody works on cannot be cancelled"),
        (E::DeadlinePassed, "too late; look at the job's state: `assay job describe`"),
        (E::DeadlineNotReached, "wait for the deadline: `assay job describe` shows it"),
        (E::ExecutionsOpen, "settle its executions first: `assay job wait` shows them"),
        (E::SlotTooEarly, "try again in the next slot"),
        (E::StakeTooSmall, "add stake: `assay provider stake`"),
        (E::FreeStakeTooSmall, "add stake, or wait until seats are settled: `assay provider status`"),
        (E::ExposureCapReached, "raise the exposure cap, or wait until seats are settled: `assay provider status`"),
        (
            E::JuryReserveTooSmall,
            "hold fewer seats at once, add stake, raise the exposure cap, or wait until the duty lock is released: `assay provider status`",
        ),
        (E::CapacityReached, "raise the capacity, or wait until seats are settled: `assay provider status`"),
        (E::Jailed, "wait until it is over: `assay job describe` shows how long"),
        (
            E::TrustTooLow,
            "take jobs that ask for less trust, with several drawn seats, until enough results are confirmed",
        ),
        (E::NotTrusted, "take a drawn seat: ten confirmed results in a row let a provider run alone"),
        (E::AuditPending, "wait a few slots: anybody records the audit's seed, as providers do, and then it goes on"),
        (E::SeedPending, "wait a few slots: anybody records the audit's seed, as providers do, and then it goes on"),
        (E::NoCollision, "nothing to do: the results agree, are not all revealed, or were recorded"),
        (E::StillUnbonding, "wait until unbonding is over: `assay provider status` shows when"),
        (E::NothingUnbonding, "unstake first: `assay provider unstake`"),
        (E::NothingToClaim, "wait until an execution is settled: `assay provider status`"),
        (E::ProviderInUse, "settle, claim, unstake and withdraw first: `assay provider status`"),
        (E::NodeKeyMismatch, "use the node key that is registered: `assay provider status`"),
        (E::AuthorityMismatch, "sign with the account's authority: --keypair"),
        (E::PosterMismatch, "sign with the key that posted the job: --keypair"),
        (E::ExecutionExists, "take another job: this provider had this one before"),
        (E::WeightOutOfRange, "enroll stake first: without a ticket nobody serves and no vote weighs anything"),
        (E::DutyUnchanged, "nothing is to be done: duty is as asked, or its lock still waits to be released"),
        (E::StillOnDuty, "wait one unbonding period from the end of duty: `assay provider status`"),
        (
            E::StakeOnDuty,
            "leave the stake that its tickets need; or end duty first, and wait until its lock is released: `assay provider status`",
        ),
        (
            E::NotDisputable,
            "look at its state: `assay job describe`; only a result in its window and a deadlock are disputed",
        ),
        (E::EntryClosed, "wait for the verdict, and appeal if it is wrong: `assay dispute show`"),
        (E::DisputeNotVoting, "look at the dispute: `assay dispute show`; no round votes now"),
        (E::DisputeNotTallied, "look at the dispute: `assay dispute show`; its round is not counted"),
        (E::DisputeNotFinal, "wait until the dispute is over: `assay dispute show`"),
        (E::TooEarly, "wait until nobody may commit any more: `assay dispute show` says when"),
        (
            E::RoundOver,
            "look at the dispute's round: `assay dispute show`; what belongs to an earlier one counts no more",
        ),
        (E::OutcomeStands, "nothing is to be done: this is the outcome that stands"),
        (
            E::NotAJuror,
            "leave it to others: executors, the poster's provider, and whoever was not on duty when the dispute was opened, are no jurors",
        ),
        (E::AlreadyVoted, "reveal the vote once commits are over; one per round counts"),
        (E::SeedNotReady, "try again in a few slots"),
        (E::DisputesOpen, "wait until the dispute is over and closed: `assay dispute show`"),
        (E::ChallengesUncounted, "count its challenges first: anybody may settle them"),
    ]
};

impl NextStep for ProgramFailure {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        NEXT_STEPS.iter().find(|(error, _)| self.is(*error)).map(|(_, step)| Cow::Borrowed(*step))
    }
}

/// Name and message of an error of Anchor's own, from its log line
/// `… Error Code: Name. Error Number: n. Error Message: text.`
fn framework_error(logs: &[String]) -> Option<(String, String)> {
    logs.iter().rev().find_map(|line| {
        let (_, rest) = line.split_once("Error Code: ")?;
        let (name, rest) = rest.split_once(". Error Number: ")?;
        let (_, message) = rest.split_once("Error Message: ")?;
        Some((name.to_owned(), message.trim_end_matches('.').to_owned()))
    })
}

/// The table of the IDL, for documentation: name and message of every error.
pub fn all_errors() -> impl Iterator<Item = (&'static str, &'static str)> {
    ERRORS.iter().map(|row| (row.name.as_str(), row.msg.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn custom(code: u32) -> TransactionError {
        TransactionError::InstructionError(1, InstructionError::Custom(code))
    }

    #[test]
    fn a_refusal_has_the_name_of_the_idl_and_a_next_step() {
        let failure = ProgramFailure::from_transaction(&custom(AssayError::EscrowTooSmall.into()), &[]).unwrap();
        assert!(failure.is(AssayError::EscrowTooSmall) && !failure.is(AssayError::JobExists));
        assert_eq!(failure.name, AssayError::EscrowTooSmall.name());
        assert_eq!(failure.message, AssayError::EscrowTooSmall.to_string());
        assert_eq!(failure.instruction, 1);
        assert!(failure.next_step().unwrap().starts_with("raise the escrow"));
    }

    #[test]
    fn what_exists_already_is_refused_with_where_to_look() {
        let failure = ProgramFailure::from_transaction(&custom(AssayError::AccountInUse.into()), &[]).unwrap();
        assert!(failure.next_step().unwrap().contains("`assay provider status`"));
    }

    #[test]
    fn stake_on_duty_is_told_all_that_frees_it() {
        let failure = ProgramFailure::from_transaction(&custom(AssayError::StakeOnDuty.into()), &[]).unwrap();
        let step = failure.next_step().unwrap();
        for way in ["leave the stake", "end duty first", "its lock is released"] {
            assert!(step.contains(way), "{way} is not in {step}");
        }
    }

    #[test]
    fn an_error_of_the_framework_is_named_by_its_log() {
        let line = "Program log: AnchorError caused by account: job. Error Code: AccountNotInitialized. \
                    Error Number: 3012. Error Message: The program expected this account to be already initialized.";
        let logs = vec!["Program X invoke [1]".to_owned(), line.to_owned()];
        let code = anchor_lang::error::ErrorCode::AccountNotInitialized.into();
        let failure = ProgramFailure::from_transaction(&custom(code), &logs).unwrap();
        assert_eq!(failure.name, "AccountNotInitialized");
        assert_eq!(failure.message, "The program expected this account to be already initialized");
    }

    #[test]
    fn errors_of_other_kinds_are_not_the_programs() {
        assert_eq!(ProgramFailure::from_transaction(&TransactionError::AccountInUse, &[]), None);
        assert_eq!(ProgramFailure::from_transaction(&custom(1), &[]), None);
    }

    #[test]
    fn the_idl_has_a_message_for_every_error() {
        assert!(all_errors().count() > 10);
        assert!(all_errors().all(|(name, message)| !name.is_empty() && !message.is_empty()));
    }
}

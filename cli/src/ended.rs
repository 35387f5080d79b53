//! How a run ended, as every command that runs something says it: in `--json`, and in words.

use assay_protocol::{Outcome, OutcomeKind};
use assay_runtime::{End, RunReport};
use serde::Serialize;

use crate::output::grouped;

/// How a run ended. Its keys are a contract: none is ever removed or renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// `Exited`, `Trapped`, `OutOfGas`, `OutputTooLarge`, `Invalid`.
    outcome: &'static str,
    /// The guest's, when it has one.
    exit_code: Option<u32>,
    /// Why the outcome is not `Exited`, in words: the trap, what is invalid. Not there when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Ended {
    /// Of a run in this process.
    pub fn of_report(report: &RunReport) -> Self {
        Self::new(report.end, report.gas_used, None)
    }

    /// `explanation` is what is wrong with an invalid task, if more is known than the reason.
    pub fn of_outcome(outcome: &Outcome, explanation: Option<&str>) -> Self {
        Self::new(end_of(outcome), outcome.gas_used, explanation)
    }

    fn new(end: End, gas_used: u64, explanation: Option<&str>) -> Self {
        let (kind, exit_code, reason) = match end {
            End::Exited(code) => (OutcomeKind::Exited, Some(code), None),
            End::OutputTooLarge(code) => {
                (OutcomeKind::OutputTooLarge, Some(code), Some("its output is larger than its limit".to_owned()))
            }
            End::OutOfGas => {
                (OutcomeKind::OutOfGas, None, Some(format!("it used all of its {} gas", grouped(gas_used))))
            }
            End::Trapped(trap) => (OutcomeKind::Trapped, None, Some(trap.to_string())),
            End::Invalid(reason) => {
                let reason = reason.to_string();
                let text = match explanation {
                    // Most explanations begin with the reason.
                    Some(text) if text.starts_with(&reason) => text.to_owned(),
                    Some(text) => format!("{reason}: {text}"),
                    None => reason,
                };
                (OutcomeKind::Invalid, None, Some(text))
            }
        };
        Self { outcome: kind.name(), exit_code, reason }
    }

    /// The guest's exit code, when it has one.
    pub const fn exit_code(&self) -> Option<u32> {
        self.exit_code
    }

    /// `Exited(3)`, `Trapped: unreachable executed`.
    pub fn text(&self) -> String {
        match (&self.reason, self.exit_code) {
            (Some(reason), _) => format!("{}: {reason}", self.outcome),
            (None, Some(code)) => format!("{}({code})", self.outcome),
            (None, None) => self.outcome.to_owned(),
        }
    }
}

/// An outcome in a few words, for where its gas stands beside it: a limit that was reached is told by the kind alone.
pub fn outcome_text(outcome: &Outcome) -> String {
    match outcome.kind {
        OutcomeKind::OutOfGas | OutcomeKind::OutputTooLarge => outcome.kind.name().to_owned(),
        _ => Ended::of_outcome(outcome, None).text(),
    }
}

/// How a run ended, by its outcome.
pub fn end_of(outcome: &Outcome) -> End {
    match (outcome.kind, outcome.trap(), outcome.invalid_reason()) {
        (OutcomeKind::OutOfGas, ..) => End::OutOfGas,
        (OutcomeKind::OutputTooLarge, ..) => End::OutputTooLarge(outcome.exit_code),
        (_, Some(trap), _) => End::Trapped(trap),
        (_, _, Some(reason)) => End::Invalid(reason),
        _ => End::Exited(outcome.exit_code),
    }
}

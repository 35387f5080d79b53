//! Why a transaction was refused, by the name that the program gives the error.

use std::{fmt, io::Write};

use solana_instruction::error::InstructionError;
use solana_transaction::TransactionError;

/// A refused transaction.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The ledger's own error.
    pub error: TransactionError,
    /// Log lines of the transaction.
    pub logs: Vec<String>,
}

impl Refusal {
    /// From what the ledger reported.
    #[must_use]
    pub fn new(error: TransactionError, logs: Vec<String>) -> Self {
        Self { error, logs }
    }

    /// The name that the program logged, `account.ErrorCode` when it named the account.
    #[must_use]
    pub fn logged_name(&self) -> Option<String> {
        let line = self.logs.iter().rev().find(|line| line.contains("AnchorError"))?;
        let name = between(line, "Error Code: ", ".")?;
        Some(match between(line, "caused by account: ", ".") {
            Some(account) => format!("{account}.{name}"),
            None => name.to_owned(),
        })
    }
}

/// Names a file that gets a line for each refusal that a test asserted.
pub const REFUSALS_FILE: &str = "ASSAY_REFUSALS_FILE";

/// Writes down that a transaction was refused so, where somebody wants to know.
///
/// # Panics
/// When the file is not writable.
pub fn note(name: &str) {
    let Some(path) = std::env::var_os(REFUSALS_FILE) else { return };
    let file = std::fs::OpenOptions::new().append(true).open(path);
    // One write each, so that threads do not cut each other's lines.
    file.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes())).expect("the file that was asked for");
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            TransactionError::InstructionError(_, InstructionError::Custom(code)) => match self.logged_name() {
                Some(name) => f.write_str(&name),
                None => write!(f, "system error {code}"),
            },
            TransactionError::InstructionError(_, error) => write!(f, "{error:?}"),
            error => write!(f, "{error:?}"),
        }
    }
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

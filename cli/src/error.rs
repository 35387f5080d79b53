//! What went wrong, why, and what to do next; and the exit code that says it to scripts.

use std::{fmt, process::ExitCode};

use assay_sdk::errors::NextStep;
use serde::Serialize;

/// Exit codes, documented in `assay --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed.
    Failure = 1,
    /// The command line is wrong. Also clap's own code.
    Usage = 2,
    /// Re-execution gave another outcome than the chain holds, or than was expected.
    Differs = 3,
    /// Nothing was done because nobody confirmed it.
    NotConfirmed = 4,
    /// The job ended without a result: cancelled or expired.
    NoResult = 5,
}

/// The text of `assay --help` about exit codes.
pub const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 verification found a difference · \
4 not confirmed, nothing done · 5 the job ended without a result";

/// A failure as a person reads it. Deliberately no `std::error::Error`, so that `?` converts every error into it.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    /// Everything was printed already; only the exit code is left.
    is_silent: bool,
    what: String,
    why: Vec<String>,
    next: Option<String>,
}

/// What commands return.
pub type CliResult<T = ()> = Result<T, CliError>;

#[derive(Serialize)]
struct Json<'a> {
    error: &'a str,
    causes: &'a [String],
    next: Option<&'a str>,
    exit_code: u8,
}

impl CliError {
    /// A failure with exit code 1.
    pub fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, is_silent: false, what: what.into(), why: Vec::new(), next: None }
    }

    /// A command line that cannot be meant.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(what) }
    }

    /// A failure that the printed result shows already.
    pub fn silent(what: impl Into<String>) -> Self {
        Self { is_silent: true, ..Self::new(what) }
    }

    /// What to do next, if something is known.
    pub fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// What failed, without causes.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// With another exit code.
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// With a reason.
    pub fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.why.push(cause.into());
        self
    }

    /// With the next step to take.
    pub fn with_next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// Prints it, as JSON on stdout or as text on stderr.
    pub fn report(&self, json: bool) -> ExitCode {
        if self.is_silent {
            return ExitCode::from(self.exit as u8);
        }
        if json {
            let exit_code = self.exit as u8;
            let line = Json { error: &self.what, causes: &self.why, next: self.next.as_deref(), exit_code };
            println!("{}", serde_json::to_string(&line).unwrap_or_default());
        } else {
            eprint!("{self}");
        }
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        for why in &self.why {
            writeln!(f, "  because: {why}")?;
        }
        match &self.next {
            Some(next) => writeln!(f, "  next: {next}"),
            None => Ok(()),
        }
    }
}

impl<E: std::error::Error> From<E> for CliError {
    fn from(error: E) -> Self {
        let mut why = Vec::new();
        let mut said = error.to_string();
        let what = said.clone();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Many errors already quote their cause.
            if !said.contains(&text) {
                why.push(text.clone());
            }
            said = text;
            source = cause.source();
        }
        Self { why, ..Self::new(what) }
    }
}

/// Keeps the next step that an error of the SDK knows.
pub trait Hint<T> {
    /// As `?`, with the error's own next step.
    fn hint(self) -> CliResult<T>;
}

impl<T, E: std::error::Error + NextStep> Hint<T> for Result<T, E> {
    fn hint(self) -> CliResult<T> {
        self.map_err(|error| {
            let next = error.next_step().map(std::borrow::Cow::into_owned);
            CliError { next, ..error.into() }
        })
    }
}

/// Puts what was attempted in front of why it failed.
pub trait Context<T> {
    /// `error: {what}`, then the causes.
    fn context(self, what: impl Into<String>) -> CliResult<T>;
    /// The next step to take.
    fn next(self, next: impl Into<String>) -> CliResult<T>;
}

impl<T, E: Into<CliError>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> CliResult<T> {
        self.map_err(|error| {
            let CliError { exit, is_silent, what: cause, mut why, next } = error.into();
            why.insert(0, cause);
            CliError { exit, is_silent, what: what.into(), why, next }
        })
    }

    fn next(self, next: impl Into<String>) -> CliResult<T> {
        self.map_err(|error| {
            let error = error.into();
            let next = error.next.clone().unwrap_or_else(|| next.into());
            error.with_next(next)
        })
    }
}

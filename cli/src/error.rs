//! What went wrong, why, and what to do next; and the exit code that says it to scripts.

use std::{fmt, process::ExitCode};

use assay_sdk::errors::NextStep;
use serde::Serialize;
use serde_json::{Value, json};

use crate::output::print_json;

/// Exit codes, documented in `assay --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed.
    Failure = 1,
    /// The command line is wrong. Also clap's own code.
    Usage = 2,
    /// A run gave something else than a chain or a receipt claims, than was expected, or than the other engine; or two receipts
    /// differ.
    Differs = 3,
    /// Nothing was done because nobody confirmed it.
    NotConfirmed = 4,
    /// The job has no result and will never have one: cancelled, expired, or Invalid where files are asked for.
    NoResult = 5,
    /// The job has not ended yet: nothing failed, and it goes on.
    NotEnded = 6,
    /// The cluster gave no answer, so that nothing is known about what was asked.
    Unreachable = 7,
    /// Ctrl-C, as shells number it.
    Interrupted = 130,
}

/// The text of `assay --help` about exit codes.
pub const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 something differs from what is claimed or expected · \
4 not confirmed, nothing done · 5 the job has no result and never will · 6 the job has not ended yet and goes on · \
7 the cluster cannot be reached · 130 interrupted.
With --json every failure is one JSON object, the last line of stdout: `error`, `causes`, `next`, `exit_code`; where there \
is a result all the same, it is the result with `error`, `causes` and `next` added. Remarks and progress go to stderr.";

/// A failure as a person reads it. Deliberately no `std::error::Error`, so that `?` converts every error into it.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    /// Everything was printed already; only the exit code is left.
    is_silent: bool,
    what: String,
    why: Vec<String>,
    next: Option<String>,
    /// What there is to show all the same; a JSON object.
    result: Option<Value>,
}

/// What commands return.
pub type CliResult<T = ()> = Result<T, CliError>;

impl CliError {
    /// A failure with exit code 1.
    pub fn new(what: impl Into<String>) -> Self {
        Self { exit: Exit::Failure, is_silent: false, what: what.into(), why: Vec::new(), next: None, result: None }
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

    /// Whether the cluster gave no answer.
    pub fn is_unreachable(&self) -> bool {
        self.exit == Exit::Unreachable
    }

    /// What failed, without causes.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why it failed, outermost reason first.
    pub fn causes(&self) -> &[String] {
        &self.why
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

    /// With what there is to show all the same, for `--json`.
    pub fn with_result(self, result: &impl Serialize) -> Self {
        Self { result: serde_json::to_value(result).ok(), ..self }
    }

    /// The one object of `--json`. Beside a result the exit code is left out: a job's result has a guest's under that name.
    fn to_json(&self) -> Value {
        let (error, causes, next) = (json!(self.what), json!(self.why), json!(self.next));
        match self.result.clone() {
            Some(Value::Object(mut result)) => {
                result.extend([("error".to_owned(), error), ("causes".to_owned(), causes), ("next".to_owned(), next)]);
                Value::Object(result)
            }
            _ => json!({ "error": error, "causes": causes, "next": next, "exit_code": self.exit as u8 }),
        }
    }

    /// Prints it, as JSON on stdout or as text on stderr.
    pub fn report(&self, json: bool) -> ExitCode {
        if self.is_silent {
            return ExitCode::from(self.exit as u8);
        }
        if json {
            print_json(&self.to_json());
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

/// What went wrong of two things that were both tried: the first says the exit code, and the second is a cause beside its own.
pub fn both(first: CliResult, second: CliResult) -> CliResult {
    match (first, second) {
        (Err(first), Err(second)) => {
            let besides = std::iter::once(second.what()).chain(second.causes().iter().map(String::as_str));
            let besides = besides.collect::<Vec<_>>().join(": ");
            Err(first.with_cause(format!("besides, {besides}")))
        }
        (first, second) => first.and(second),
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
            let exit = if error.is_unreachable() { Exit::Unreachable } else { Exit::Failure };
            CliError { next, exit, ..error.into() }
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
            let CliError { what: cause, mut why, exit, is_silent, next, result } = error.into();
            why.insert(0, cause);
            CliError { what: what.into(), why, exit, is_silent, next, result }
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

//! The provider's bot: watch, accept, fetch, run, publish, submit, settle, claim. Crash-safe.
//!
//! [`core`] decides and does nothing; everything else does and decides nothing. The journal is written before anything
//! is signed, the chain is believed before the journal, and guest code runs in a child process without keys. [`run`] is
//! the whole bot; the binary `assay-executor` and the command line's `assay provider start` call it.

// The standard macro panics when the reader has gone. This shadows it in every module below.
macro_rules! eprintln {
    ($($text:tt)*) => { drop(std::io::Write::write_fmt(&mut $crate::Stderr, format_args!("{}\n", format_args!($($text)*)))) };
}

mod ahead;
mod backoff;
mod bot;
pub mod chain;
mod check;
pub mod cli;
pub mod config;
pub mod core;
mod fault;
pub mod habit;
pub mod journal;
mod lock;
mod metrics_list;
mod quote;
mod records;
mod sender;
mod server;
mod signer;
mod startup;
mod statement;
mod stderr;
mod supervisor;
mod transactions;
mod work;
pub mod worker;

pub use bot::{RunError, Shutdown, run};
pub use check::{Reach, check};
pub use config::Config;
pub use habit::Habit;
pub use lock::{InstanceLock, LockError};
pub use records::{EXECUTIONS_FILE, is_published, read_receipt, receipt_package, receipts};
pub use startup::StartError;
pub use statement::{Speaker, Statement};
pub use stderr::Stderr;
pub use transactions::BuildError;

/// What is said on the command line rather than in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Take over seats that the chain shows and the journal does not know.
    pub adopt_unknown_seats: bool,
    /// Keep the content of jobs that failed on this host.
    pub keep_on_failure: bool,
    /// What runs guests, over the file's `worker.engine`.
    pub engine: Option<config::EngineName>,
}

impl Options {
    /// The configuration where it is the file's, this where it is told.
    #[must_use]
    pub fn over(self, mut config: Config) -> Config {
        config.worker.engine = self.engine.unwrap_or(config.worker.engine);
        config
    }
}

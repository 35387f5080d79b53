//! `assay job`: post jobs, follow them, fetch their results.

mod describe;
mod end;
mod list;
mod module;
mod order;
mod quote;
mod result;
pub mod state;
mod submit;
mod timeline;
mod view;
mod wait;

#[cfg(feature = "localnet")]
pub use order::Order;
#[cfg(feature = "localnet")]
pub use submit::Plan;
pub use timeline::HistoryJson;
#[cfg(feature = "localnet")]
pub use view::JobJson;

use std::path::PathBuf;

use assay_protocol::JobStatus;
use clap::{Args, Subcommand, ValueEnum};
use solana_pubkey::Pubkey;

use crate::{context::Context, error::CliResult, parse};

/// `assay job`.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Posts a job directory; shows the most it can cost and asks.
    Submit(submit::SubmitArgs),
    /// Shows what a job would cost, how soon its seats would be taken, and who could not take one and why; posts nothing.
    Quote(quote::QuoteArgs),
    /// Lists jobs.
    List(ListArgs),
    /// Shows a job: state, age, reason, what holds providers back, and everything that happened to it and why.
    Describe(JobArgs),
    /// Follows a job until its result is final.
    Wait(WaitArgs),
    /// Prints what the guest wrote to stdout and stderr.
    #[command(after_help = NO_FILES)]
    Logs(JobArgs),
    /// Fetches the result directory and checks every byte of it.
    Get(GetArgs),
    /// Takes a job back that nobody accepted yet.
    Cancel(JobArgs),
    /// Settles and closes a job that is over; the rest of the escrow and the rent come back.
    Close(JobArgs),
    /// Prints the JSON schema of manifest.json.
    Schema,
}

/// How `logs` and `get` end.
const NO_FILES: &str = "Exit codes: 0 done · 5 there are no files and never will be: the job was cancelled, expired or \
Invalid · 6 there is no result yet · 1 anything else, such as content that cannot be fetched";

/// A job.
#[derive(Debug, Args)]
pub struct JobArgs {
    /// Address of the job.
    #[arg(value_parser = parse::address)]
    job: Pubkey,
}

/// `assay job wait`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the result is final, whatever it is · 5 the job ended without one: cancelled, expired · \
6 --timeout-s is over, the job goes on · 130 interrupted, the job goes on. --json has the providers' `obstacles`."
)]
pub struct WaitArgs {
    /// Address of the job.
    #[arg(value_parser = parse::address)]
    job: Pubkey,
    /// Stop following after this many seconds; the job goes on.
    #[arg(long, alias = "timeout", value_name = "SECONDS", value_parser = parse::seconds, allow_negative_numbers = true)]
    timeout_s: Option<u32>,
}

/// `assay job get`.
#[derive(Debug, Args)]
#[command(after_help = NO_FILES)]
pub struct GetArgs {
    /// Address of the job.
    #[arg(value_parser = parse::address)]
    job: Pubkey,
    /// Where to; by default a new directory named like the job.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `assay job list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only jobs in this state.
    #[arg(long)]
    status: Option<StatusFilter>,
    /// Only jobs of this poster.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address, conflicts_with = "mine")]
    poster: Option<Pubkey>,
    /// Only your own jobs.
    #[arg(long)]
    mine: bool,
}

/// States to filter by.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StatusFilter {
    /// Waiting for a provider.
    Open,
    /// A provider works on it.
    Assigned,
    /// What several seats found is being shown.
    Revealing,
    /// A result stands.
    Submitted,
    /// What stands, or a deadlock, is before a jury.
    Disputed,
    /// The seats do not agree.
    Deadlocked,
    /// The result is final.
    Resolved,
    /// Taken back by its poster.
    Cancelled,
    /// Ended without a result.
    Expired,
}

impl From<StatusFilter> for JobStatus {
    fn from(filter: StatusFilter) -> Self {
        match filter {
            StatusFilter::Open => Self::Open,
            StatusFilter::Assigned => Self::Assigned,
            StatusFilter::Revealing => Self::Revealing,
            StatusFilter::Submitted => Self::Submitted,
            StatusFilter::Disputed => Self::Disputed,
            StatusFilter::Deadlocked => Self::Deadlocked,
            StatusFilter::Resolved => Self::Resolved,
            StatusFilter::Cancelled => Self::Cancelled,
            StatusFilter::Expired => Self::Expired,
        }
    }
}

/// Runs `assay job`.
pub async fn run(context: &Context, command: JobCommand) -> CliResult {
    match command {
        JobCommand::Submit(args) => submit::submit(context, &args).await,
        JobCommand::Quote(args) => quote::quote(context, &args).await,
        JobCommand::List(args) => list::list(context, &args).await,
        JobCommand::Describe(args) => describe::describe(context, args.job).await,
        JobCommand::Wait(args) => wait::wait(context, &args).await,
        JobCommand::Logs(args) => result::logs(context, args.job).await,
        JobCommand::Get(args) => result::get(context, &args).await,
        JobCommand::Cancel(args) => end::cancel(context, args.job).await,
        JobCommand::Close(args) => end::close(context, args.job).await,
        JobCommand::Schema => {
            println!("{}", serde_json::to_string_pretty(&assay_sdk::JobManifest::json_schema())?);
            Ok(())
        }
    }
}

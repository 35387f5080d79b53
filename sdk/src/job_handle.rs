//! Following one job: its state while the account lives, its history once it is closed.

mod steps;

use std::{borrow::Cow, time::Duration};

use assay_content::{Cid, Entry, FetchError, cid_from_digest};
use assay_protocol::{
    Hash32, JobStatus, Outcome, OutcomeKind, TaskSpec,
    fees::Price,
    outcome::{FLAG_STDERR_CUT, FLAG_STDOUT_CUT},
};
use bytes::Bytes;
use solana_pubkey::Pubkey;
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    accounts::{ExecutionFilter, Keyed},
    client::{Client, Sent},
    crank,
    errors::{ClientError, NextStep},
    events::EventRecord,
    explain::{AcceptCheck, AcceptContext, first_obstacle},
    instructions::{self, JobPoster},
    job_history,
    pda::ExecutionSeeds,
    program::{
        self,
        accounts::{Execution, Job},
    },
};

pub use crate::job_history::{JobClosing, NoResult, Posting};

/// How long [`JobHandle::wait`] waits for an endpoint that does not answer.
const ENDPOINT_PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two looks at whether a step is overdue.
const HELP_INTERVAL: Duration = Duration::from_millis(500);

/// Follows one job. Cheap to clone.
#[derive(Clone, Debug)]
pub struct JobHandle {
    pub(crate) client: Client,
    address: Pubkey,
}

/// What is known about a job, live or closed.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Its address.
    pub address: Pubkey,
    /// Which of the jobs that had this address, one after the other.
    pub job_uid: Hash32,
    /// In which slot it was created.
    pub created_slot: u64,
    /// Its market.
    pub market: Pubkey,
    /// Who posted it.
    pub poster: Pubkey,
    /// Everything that determines its outcome.
    pub task: TaskSpec,
    /// What it pays for work.
    pub price: Price,
    /// Where it stands; the last status when it is closed.
    pub status: JobStatus,
    /// The Provider account that holds the seat, or held it at the end.
    pub provider: Option<Pubkey>,
    /// The outcome that stands.
    pub outcome: Option<Outcome>,
    /// Paid to the provider, once final.
    pub pay_lamports: u64,
    /// Paid to the market, once final.
    pub fee_lamports: u64,
    /// Why it ended without one; of a job that is not closed only [`JobHandle::no_result`] finds it out.
    pub no_result: Option<NoResult>,
    /// The account; `None` once it is closed.
    pub account: Option<Box<Job>>,
    /// What closing gave; `None` before.
    pub closing: Option<JobClosing>,
}

impl JobView {
    /// Content identifier of the job directory.
    #[must_use]
    pub fn job_cid(&self) -> Cid {
        cid_from_digest(&self.task.job_cid_digest)
    }

    /// Content identifier of the result, if there is one.
    #[must_use]
    pub fn result_cid(&self) -> Option<Cid> {
        self.outcome.as_ref().and_then(program::result_cid)
    }

    /// Whether nothing can change any more but settling and closing.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        self.status.is_terminal() || self.closing.is_some()
    }
}

/// How long [`JobHandle::wait`] waits, and whether it helps.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// Give up after this long; `None` waits until the chain's own deadlines end the job.
    pub timeout: Option<Duration>,
    /// Take the steps that anybody may take once they have been due for this many seconds, so that the job ends even when
    /// its provider is gone. Needs a signer; `None` only watches.
    pub advance_after_s: Option<u32>,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self { timeout: None, advance_after_s: Some(5) }
    }
}

/// A result's files.
#[derive(Clone, Debug)]
pub struct JobResult {
    /// The outcome.
    pub outcome: Outcome,
    /// Content identifier of the files.
    pub cid: Cid,
    /// The files and directories.
    pub entries: Vec<Entry>,
}

impl JobResult {
    /// What the guest printed.
    ///
    /// # Errors
    /// [`JobError::Malformed`] when the result lacks the files.
    pub fn logs(&self) -> Result<JobLogs, JobError> {
        let file = |name: &'static str| {
            let entry = self.entries.iter().find(|entry| entry.path == name).and_then(Entry::bytes).cloned();
            entry.ok_or(JobError::Malformed { cid: self.cid, file: name })
        };
        let flags = if self.outcome.kind == OutcomeKind::Trapped { 0 } else { self.outcome.detail };
        Ok(JobLogs {
            stdout: file("stdout.txt")?,
            stderr: file("stderr.txt")?,
            stdout_cut: flags & FLAG_STDOUT_CUT != 0,
            stderr_cut: flags & FLAG_STDERR_CUT != 0,
        })
    }
}

/// What the guest printed.
#[derive(Clone, Debug)]
pub struct JobLogs {
    /// Standard output.
    pub stdout: Bytes,
    /// Standard error.
    pub stderr: Bytes,
    /// Standard output was cut at its limit. Only an exit, out of gas and too large an output say so; a trap does not.
    pub stdout_cut: bool,
    /// Standard error was cut at its limit.
    pub stderr_cut: bool,
}

/// Why a job cannot be followed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JobError {
    /// The chain.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The content.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The account is closed and its history is not to be had.
    #[error("read the job {job}: its account is closed and this endpoint has no history of it")]
    NoHistory {
        /// The job.
        job: Pubkey,
    },
    /// There is no result yet, or none at all.
    #[error("read the result of {job}: the job is {status:?} and has none")]
    NoResult {
        /// The job.
        job: Pubkey,
        /// Where it stands.
        status: JobStatus,
    },
    /// The outcome packs no files.
    #[error("read the result of {job}: the task was invalid ({reason}), which packs no files")]
    NoPackage {
        /// The job.
        job: Pubkey,
        /// Why it was invalid.
        reason: String,
    },
    /// The result lacks a file that every result has.
    #[error("read the result {cid}: it has no file {file}; the provider packed it wrongly")]
    Malformed {
        /// The result.
        cid: Cid,
        /// The file.
        file: &'static str,
    },
    /// No place to find content was given.
    #[error("read the result: no content node was given")]
    NoContent,
    /// The job did not end in time.
    #[error("wait for {job}: it is {status:?} after {} s", waited.as_secs())]
    Timeout {
        /// The job.
        job: Pubkey,
        /// Where it stands.
        status: JobStatus,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The job is not over.
    #[error("close {job}: it is {status:?}")]
    NotOver {
        /// The job.
        job: Pubkey,
        /// Where it stands.
        status: JobStatus,
    },
}

impl NextStep for JobError {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::Client(error) => return error.next_step(),
            Self::NoHistory { .. } => {
                Cow::Borrowed("use an endpoint that keeps the history of that time: --cluster URL")
            }
            Self::NoResult { status, .. } if status.is_terminal() => {
                Cow::Borrowed("post it again: a job that was cancelled or expired never has one")
            }
            Self::NoResult { job, .. } | Self::Timeout { job, .. } | Self::NotOver { job, .. } => {
                Cow::Owned(format!("see what it waits for: `assay job describe {job}`"))
            }
            Self::NoPackage { .. } => Cow::Borrowed("correct the job directory and post it again"),
            Self::Malformed { .. } => Cow::Borrowed("check the result: `assay verify`"),
            Self::NoContent => Cow::Borrowed("give a content node, or start one with `assay localnet`"),
            Self::Fetch(_) => Cow::Borrowed("check the content nodes: `assay doctor`"),
        })
    }

    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_unreachable())
    }
}

impl JobHandle {
    /// Follows the job at this address.
    #[must_use]
    pub const fn new(client: Client, address: Pubkey) -> Self {
        Self { client, address }
    }

    /// The job's address.
    #[must_use]
    pub const fn address(&self) -> Pubkey {
        self.address
    }

    /// Where the job stands. A closed job is read from its history.
    ///
    /// # Errors
    /// [`JobError::Client`] with `NotFound` when there never was such a job; [`JobError::NoHistory`].
    pub async fn status(&self) -> Result<JobView, JobError> {
        match self.client.fetch_optional::<Job>(&self.address).await? {
            Some(job) => Ok(live_view(self.address, job)?),
            None => job_history::closed_view(&self.client, self.address).await,
        }
    }

    /// The job's executions, missed ones included.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn executions(&self) -> Result<Vec<Keyed<Execution>>, ClientError> {
        self.client.list_executions(&ExecutionFilter { job: Some(self.address), ..ExecutionFilter::default() }).await
    }

    /// Every event of this address, oldest first; those of earlier jobs that had it included.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn history(&self) -> Result<Vec<EventRecord>, ClientError> {
        self.client.job_events(&self.address).await
    }

    /// [`Self::history`], each job that had this address for itself, oldest first.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn postings(&self) -> Result<Vec<Posting>, ClientError> {
        Ok(job_history::postings(self.history().await?))
    }

    /// Waits until the outcome is final, or the job is cancelled or expired. `on_change` sees every status that is noticed.
    /// An endpoint that is down for less than half a minute is waited for.
    ///
    /// # Errors
    /// [`JobError::Timeout`] when that takes too long; [`JobError::Client`] when the endpoint fails for good.
    pub async fn wait(&self, options: WaitOptions, mut on_change: impl FnMut(&JobView)) -> Result<JobView, JobError> {
        let started = Instant::now();
        let mut seen: Option<(JobStatus, Option<Pubkey>)> = None;
        let (mut answered, mut helped) = (started, started);
        loop {
            match self.status().await {
                Ok(view) => {
                    answered = Instant::now();
                    if seen != Some((view.status, view.provider)) {
                        seen = Some((view.status, view.provider));
                        on_change(&view);
                    }
                    if view.is_final() {
                        return Ok(view);
                    }
                    if let Some(after_s) = options.advance_after_s.filter(|_| helped.elapsed() >= HELP_INTERVAL) {
                        helped = Instant::now();
                        self.advance_overdue(&view, after_s).await?;
                    }
                }
                Err(JobError::Client(error)) if error.is_retryable() && answered.elapsed() < ENDPOINT_PATIENCE => {
                    tracing::warn!(job = %self.address, %error, "endpoint did not answer, waiting for it");
                }
                Err(error) => return Err(error),
            }
            let waited = started.elapsed();
            if options.timeout.is_some_and(|timeout| waited >= timeout) {
                let status = seen.map_or(JobStatus::Open, |(status, _)| status);
                return Err(JobError::Timeout { job: self.address, status, waited });
            }
            tokio::time::sleep(self.client.config().poll_interval).await;
        }
    }

    /// The result's files, every byte verified against the outcome.
    ///
    /// # Errors
    /// [`JobError`] says why there are none, or where they were looked for.
    pub async fn result(&self) -> Result<JobResult, JobError> {
        self.result_of(&self.status().await?).await
    }

    /// As [`Self::result`], of a job that was looked at already.
    ///
    /// # Errors
    /// As [`Self::result`].
    pub async fn result_of(&self, view: &JobView) -> Result<JobResult, JobError> {
        let Some(outcome) = view.outcome else {
            return Err(JobError::NoResult { job: self.address, status: view.status });
        };
        let Some(cid) = program::result_cid(&outcome) else {
            let reason = outcome.invalid_reason().map_or_else(|| "unknown".to_owned(), |reason| reason.to_string());
            return Err(JobError::NoPackage { job: self.address, reason });
        };
        let content = self.client.content().ok_or(JobError::NoContent)?;
        let entries = content.fetcher.fetch(&cid).await?;
        Ok(JobResult { outcome, cid, entries })
    }

    /// What the guest printed.
    ///
    /// # Errors
    /// As [`Self::result`]; [`JobError::Malformed`] when the result lacks the files.
    pub async fn logs(&self) -> Result<JobLogs, JobError> {
        self.result().await?.logs()
    }

    /// Cancels the job; only its poster may, and only while nobody holds a seat.
    ///
    /// # Errors
    /// [`ClientError::Program`] says why not.
    pub async fn cancel(&self) -> Result<Sent, ClientError> {
        let poster = self.client.signer_address()?;
        self.client.send(&[instructions::cancel_job(&JobPoster { job: self.address, poster })]).await
    }

    /// Why each of these providers has not accepted the job: the first condition of the program that fails, or `None`
    /// when the program would let it.
    ///
    /// # Errors
    /// A failure of the endpoint, or an account that is not there.
    pub async fn explain(&self, providers: &[Pubkey]) -> Result<Vec<Option<AcceptCheck>>, ClientError> {
        let job = self.fetch().await?;
        let market = self.client.fetch(&job.account.market).await?;
        let now = self.client.chain_time().await?;
        let execution_of = |provider: &Pubkey| ExecutionSeeds { job: self.address, provider: *provider }.address();
        let addresses: Vec<Pubkey> = providers.iter().map(execution_of).collect();
        let executions = self.client.fetch_many::<Execution>(&addresses).await?;
        let accounts = self.client.fetch_many::<program::accounts::Provider>(providers).await?;
        let mut found = Vec::with_capacity(providers.len());
        for ((address, provider), execution) in providers.iter().zip(accounts).zip(executions) {
            let provider = provider.ok_or(ClientError::NotFound { kind: "provider", address: *address })?;
            let context = AcceptContext {
                job: &job.account,
                market: &market,
                provider: &provider,
                execution: execution.as_ref(),
                now_unix: now.unix,
            };
            found.push(first_obstacle(&context));
        }
        Ok(found)
    }

    async fn fetch(&self) -> Result<Keyed<Job>, ClientError> {
        Ok(Keyed { address: self.address, account: self.client.fetch(&self.address).await? })
    }

    /// Takes a step that has been due for a while and that nobody took. A refusal means that somebody was quicker.
    async fn advance_overdue(&self, view: &JobView, after_s: u32) -> Result<(), ClientError> {
        let due_from = view.account.as_ref().and_then(|job| crank::due_from_unix(job));
        let (Some(due_from), Ok(_)) = (due_from, self.client.signer()) else { return Ok(()) };
        let now = match self.client.chain_time().await {
            Err(error) if error.is_retryable() => return Ok(()),
            now => now?,
        };
        if now.unix < due_from.saturating_add(i64::from(after_s)) {
            return Ok(());
        }
        match self.advance().await {
            Ok(_) | Err(ClientError::Program(_) | ClientError::NotFound { .. }) => Ok(()),
            Err(error) if error.is_retryable() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn unknown_status(job: &Keyed<Job>) -> ClientError {
    let problem = format!("its status {} is of a later program version", job.account.status);
    ClientError::Decode { kind: "job", address: job.address, problem }
}

fn live_view(address: Pubkey, job: Job) -> Result<JobView, ClientError> {
    let job = Keyed { address, account: job };
    let status = job.account.job_status().ok_or_else(|| unknown_status(&job))?;
    let outcome = job.account.standing_outcome().map_err(|error| ClientError::Decode {
        kind: "job",
        address,
        problem: error.to_string(),
    })?;
    let job = job.account;
    Ok(JobView {
        address,
        job_uid: job.job_uid,
        created_slot: job.created_slot,
        market: job.market,
        poster: job.poster,
        task: job.task_spec(),
        price: job.price(),
        status,
        provider: job.seat_holder(),
        outcome,
        pay_lamports: job.pay_lamports,
        fee_lamports: job.fee_lamports,
        no_result: None,
        account: Some(Box::new(job)),
        closing: None,
    })
}

//! A dispute as one look at the chain finds it, by any address that leads to it.

use assay_protocol::JobStatus;
use assay_sdk::{
    ChainTime, ClientError, Event, EventCursor, JobHandle, JobView,
    accounts::ProgramAccount,
    crank::Disputed,
    events::SIGNATURES_MAX,
    program::{
        DisputeStage,
        accounts::{Challenge, Dispute, Execution, Job},
    },
};
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    error::{CliError, CliResult, Hint},
    job::state::status_name,
};

/// A job and its dispute.
pub(super) struct Case {
    pub(super) handle: JobHandle,
    pub(super) view: JobView,
    /// `None` while there is none, and once it is closed.
    pub(super) disputed: Option<Disputed>,
    pub(super) now: ChainTime,
}

impl Case {
    /// By the address of a job, of its dispute, or of one of its seats.
    pub(super) async fn find(chain: &Chain, address: &Pubkey) -> CliResult<Self> {
        let handle = JobHandle::new(chain.client().clone(), job_of(chain, address).await?);
        Self::look(chain, handle).await
    }

    /// Looks, or looks again.
    pub(super) async fn look(chain: &Chain, handle: JobHandle) -> CliResult<Self> {
        let view = handle.status().await.hint()?;
        let is_open = view.account.as_ref().is_some_and(|job| job.disputes_open > 0);
        let disputed = if is_open {
            match handle.disputed().await {
                // Closed between two requests.
                Err(ClientError::NotFound { .. }) => None,
                found => found.hint()?,
            }
        } else {
            None
        };
        Ok(Self { handle, view, disputed, now: chain.client().chain_time().await.hint()? })
    }

    /// The job's address.
    pub(super) fn job(&self) -> Pubkey {
        self.view.address
    }

    /// The job's poster and its executors, by seat, who are no jurors.
    pub(super) fn excluded(&self) -> CliResult<(Pubkey, Vec<Pubkey>)> {
        let job = self.view.account.as_ref().ok_or_else(|| {
            CliError::new(format!("the job {} is closed", self.job()))
                .with_next(format!("what happened: assay job describe {}", self.job()))
        })?;
        Ok((job.poster, job.seat_holders().collect()))
    }

    /// The dispute, which has to be there still.
    pub(super) fn require_disputed(&self) -> CliResult<&Disputed> {
        self.disputed.as_ref().ok_or_else(|| {
            let (job, status) = (self.job(), self.view.status);
            let error =
                CliError::new(format!("there is no dispute over the job {job}, which is {}", status_name(status)));
            error.with_next(match status {
                JobStatus::Submitted | JobStatus::Deadlocked => format!("open one: assay dispute open {job}"),
                _ if self.view.account.is_none() => format!("what happened: assay dispute show {job}"),
                _ => format!("look at the job: assay job describe {job}"),
            })
        })
    }

    /// The challenge of a wallet in it.
    pub(super) fn challenge_of(&self, wallet: &Pubkey) -> Option<&Challenge> {
        let challenges = self.disputed.as_ref().map_or(&[][..], |disputed| &disputed.challenges);
        challenges.iter().map(|found| &found.account).find(|challenge| challenge.challenger == *wallet)
    }

    /// Where the dispute stands.
    pub(super) fn stage(&self) -> Option<DisputeStage> {
        self.disputed.as_ref()?.dispute.account.stage(self.now.unix)
    }
}

/// The job that an address leads to.
async fn job_of(chain: &Chain, address: &Pubkey) -> CliResult<Pubkey> {
    if is_a::<Job>(chain, address).await?.is_some() {
        return Ok(*address);
    }
    if let Some(dispute) = is_a::<Dispute>(chain, address).await? {
        return Ok(dispute.job);
    }
    if let Some(seat) = is_a::<Execution>(chain, address).await? {
        return Ok(seat.job);
    }
    // Closed: its history says of which job it was.
    let page = chain.client().events_after(address, EventCursor::default(), SIGNATURES_MAX).await.hint()?;
    let job = page.records.iter().rev().find_map(|record| match &record.event {
        Event::DisputeOpened(event) if event.dispute == *address => Some(event.job),
        event => event.job().filter(|job| job == address),
    });
    job.ok_or_else(|| {
        CliError::new(format!("{address} is no job, no dispute and no seat of this cluster, and never was"))
            .with_next("`assay dispute list` shows disputes, `assay job list` jobs; or choose another --cluster")
    })
}

/// The account if it is of this kind; another kind is none.
async fn is_a<T: ProgramAccount>(chain: &Chain, address: &Pubkey) -> CliResult<Option<T>> {
    match chain.client().fetch_optional::<T>(address).await {
        Err(ClientError::Decode { .. }) => Ok(None),
        found => found.hint(),
    }
}

//! Steps that anybody may take for the job that is followed.

use assay_protocol::{JobStatus, Outcome};

use super::{JobError, JobHandle, JobView, unknown_status};
use crate::{
    accounts::{ChallengeFilter, Keyed, ProviderFilter, VoteFilter},
    client::Sent,
    crank::{self, Absence, Disputed, Roll},
    errors::ClientError,
    pda,
    program::accounts::Dispute,
};

impl JobHandle {
    /// Settles what is open and closes a job that is over, with its dispute if there is one; refund and rent go to its poster.
    ///
    /// # Errors
    /// [`JobError::NotOver`], or what the program refuses.
    pub async fn close(&self) -> Result<Sent, JobError> {
        loop {
            let job = self.fetch().await?;
            let status = job.account.job_status().ok_or_else(|| unknown_status(&job))?;
            if !status.is_terminal() {
                return Err(JobError::NotOver { job: self.address, status });
            }
            if job.account.disputes_open > 0 {
                // Nothing is due when somebody else was quicker: then the job is gone, or closes without its dispute.
                match self.advance_dispute().await? {
                    Some(sent) => return Ok(sent),
                    None => continue,
                }
            }
            let executions = self.executions().await?;
            let steps = crank::close_steps(&job, &executions);
            if !steps.is_empty() {
                return Ok(self.client.send(&steps).await?);
            }
            // More seats than one transaction settles: each round closes some of at most nine.
            self.client.send(&crank::due_steps(&job, &executions, i64::MAX)).await?;
        }
    }

    /// Takes the steps that are due, if any are: anybody may. Gives the last transaction.
    ///
    /// # Errors
    /// What the program refuses, for example because somebody else was quicker.
    pub async fn advance(&self) -> Result<Option<Sent>, ClientError> {
        let job = self.fetch().await?;
        if job.account.disputes_open > 0 {
            return self.advance_dispute().await;
        }
        let now = self.client.chain_time().await?;
        let steps = crank::due_steps(&job, &self.executions().await?, now.unix);
        if steps.is_empty() {
            return Ok(None);
        }
        self.client.send(&steps).await.map(Some)
    }

    /// The absences that anybody may take a duty lock for now: of a counted round, and of the one before.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn absences(&self, disputed: &Disputed) -> Result<Vec<Absence>, ClientError> {
        let dispute = &disputed.dispute;
        if dispute.account.rounds_called().is_empty() {
            return Ok(Vec::new());
        }
        let market = ProviderFilter { market: Some(dispute.account.market), ..ProviderFilter::default() };
        let roll = Roll {
            dispute: dispute.clone(),
            providers: self.client.list_providers(&market).await?,
            votes: disputed.votes.clone(),
        };
        Ok(roll.absences(u32::MAX))
    }

    /// The job's dispute with all that hangs on it; `None` while it has none.
    ///
    /// # Errors
    /// A failure of the endpoint, or the job is not there.
    pub async fn disputed(&self) -> Result<Option<Disputed>, ClientError> {
        let address = pda::dispute_address(&self.address);
        let Some(account) = self.client.fetch_optional::<Dispute>(&address).await? else { return Ok(None) };
        let challenges = ChallengeFilter { dispute: Some(address), ..ChallengeFilter::default() };
        let votes = VoteFilter { dispute: Some(address), ..VoteFilter::default() };
        Ok(Some(Disputed {
            job: self.fetch().await?,
            dispute: Keyed { address, account },
            challenges: self.client.list_challenges(&challenges).await?,
            votes: self.client.list_votes(&votes).await?,
            executions: self.executions().await?,
        }))
    }

    /// The result that a dispute over the job contests; `None` while there is no such dispute, and after a deadlock.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn contested_outcome(&self, view: &JobView) -> Result<Option<Outcome>, ClientError> {
        let Some(job) = view.account.as_deref().filter(|_| view.status == JobStatus::Disputed) else {
            return Ok(None);
        };
        let dispute = self.client.fetch_optional::<Dispute>(&pda::dispute_address(&self.address)).await?;
        Ok(dispute.and_then(|dispute| dispute.contested_outcome(job)))
    }

    /// The next step of a dispute's round; from the last verdict's deadline on all that is left: everybody is paid, dispute and
    /// job are closed.
    async fn advance_dispute(&self) -> Result<Option<Sent>, ClientError> {
        let Some(disputed) = self.disputed().await? else { return Ok(None) };
        let mut last = None;
        for steps in disputed.due_transactions(self.client.chain_time().await?) {
            last = Some(self.client.send(&steps).await?);
        }
        Ok(last)
    }
}

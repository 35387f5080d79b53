//! Jobs from the moment when they are posted: what their posters contest, and what they do when nobody else does it in time.

use std::time::Duration;

use assay_protocol::{DisputeStatus, JobStatus, Mode};
use assay_sdk::{
    ClientError, JobError, Keyed,
    client::ChainTime,
    crank,
    instructions::{self, OpenDispute, Secret},
    pda::{ChallengeSeeds, dispute_address},
    program::accounts::{Dispute, Job},
};
use solana_pubkey::Pubkey;

use super::jobs::Posted;
use crate::error::{CliResult, Hint as _};

/// Time that whoever has a seat or a vote is given to go on before the poster does, seconds.
const HELP_AFTER_S: i64 = 2;
/// A poster waits so long for a transaction, then looks again: somebody else may have been quicker with the same step, and what the
/// ledger refuses without a trace is certain to be dead only a minute later.
const PATIENCE: Duration = Duration::from_secs(3);

/// A poster's part in the dispute over its job, from before it is sent. What hides the outcome is in memory alone: the network ends
/// with this process.
#[derive(Clone, Copy)]
pub(super) struct Contest {
    secret: Secret,
    is_shown: bool,
}

/// A job and its dispute as one look saw them.
pub(super) struct Look {
    pub(super) now: ChainTime,
    pub(super) job: Job,
    pub(super) dispute: Option<Dispute>,
}

/// What is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// A dispute is open; of a job with one seat, over the result of this provider.
    Disputed(Option<Pubkey>),
    /// The jury has voted, and the poster told what it found.
    Shown,
    /// Nothing.
    Nothing,
}

impl Posted {
    /// Does what is the poster's to do now: contests what is wrong, shows what it found, and takes the steps that are overdue.
    pub(super) async fn tend(&mut self, look: &Look) -> CliResult<Done> {
        if self.is_wrong(look) {
            self.challenge(&look.job).await?;
            return Ok(Done::Nothing);
        }
        let Some(dispute) = &look.dispute else {
            self.help(look).await?;
            return Ok(Done::Nothing);
        };
        if !std::mem::replace(&mut self.is_disputed, true) {
            let is_single = self.kind.mode() == Mode::Optimistic;
            return Ok(Done::Disputed(look.job.seat_holder().filter(|_| is_single)));
        }
        if self.contest.is_some_and(|contest| !contest.is_shown) && takes_reveals(dispute, look.now) {
            return self.show().await;
        }
        if self.is_due(dispute, look.now) {
            self.advance().await?;
        }
        Ok(Done::Nothing)
    }

    /// Takes the step of a job without a dispute that is overdue, if one is.
    async fn help(&self, look: &Look) -> CliResult {
        let is_over = look.job.job_status().is_some_and(JobStatus::is_terminal);
        let due_unix = if is_over { Some(look.job.resolved_unix) } else { crank::due_from_unix(&look.job) };
        if due_unix.is_none_or(|due_unix| look.now.unix < due_unix.saturating_add(HELP_AFTER_S)) {
            return Ok(());
        }
        if is_over { try_to(self.handle.close()).await.map(drop) } else { self.advance().await }
    }

    /// Whether a wrong result stands that can still be contested.
    fn is_wrong(&self, look: &Look) -> bool {
        let stands = look.job.job_status() == Some(JobStatus::Submitted) && look.job.outcome != self.right.encode();
        stands && look.dispute.is_none() && look.now.unix < look.job.window_deadline_unix
    }

    /// Opens a dispute; the next look shows whether it is open. Sent again, it hides the outcome by the same secret.
    async fn challenge(&mut self, job: &Job) -> CliResult {
        let fresh = || Contest { secret: Secret::random(job.job_uid), is_shown: false };
        let secret = self.contest.get_or_insert_with(fresh).secret;
        let payer = self.client.signer_address().hint()?;
        let commitment = Some(secret.challenge(&payer, &self.right));
        let open = OpenDispute {
            payer,
            market: job.market,
            poster: job.poster,
            job: self.handle.address(),
            executors: job.seat_holders().collect(),
            commitment,
        };
        try_to(self.client.send(&[instructions::open_dispute(&open)])).await.map(drop)
    }

    async fn show(&mut self) -> CliResult<Done> {
        let Some(contest) = &mut self.contest else { return Ok(Done::Nothing) };
        let (dispute, challenger) = (dispute_address(&self.handle.address()), self.client.signer_address().hint()?);
        let seeds = ChallengeSeeds { dispute, challenger };
        let reveal = instructions::reveal_outcome(&seeds, &self.right, contest.secret.salt);
        contest.is_shown = try_to(self.client.send(&[reveal])).await?;
        Ok(if contest.is_shown { Done::Shown } else { Done::Nothing })
    }

    /// Whether a step of the dispute is overdue.
    fn is_due(&self, dispute: &Dispute, now: ChainTime) -> bool {
        let then = ChainTime { slot: now.slot, unix: now.unix.saturating_sub(HELP_AFTER_S) };
        if matches!(dispute.dispute_status(), Some(DisputeStatus::Tallied | DisputeStatus::Final)) {
            return then.unix >= dispute.verdict_deadline_unix;
        }
        let keyed = Keyed { address: dispute_address(&self.handle.address()), account: *dispute };
        crank::due_dispute_step(&keyed, then).is_some()
    }

    async fn advance(&self) -> CliResult {
        try_to(self.handle.advance()).await.map(drop)
    }
}

fn takes_reveals(dispute: &Dispute, now: ChainTime) -> bool {
    let is_time = (dispute.commit_deadline_unix..dispute.reveal_deadline_unix).contains(&now.unix);
    dispute.dispute_status() == Some(DisputeStatus::Voting) && dispute.round == 0 && is_time
}

/// Whether a step was taken. That somebody else took it first, or that its time was over, is no fault.
async fn try_to<T, E: Into<JobError>>(step: impl Future<Output = Result<T, E>>) -> CliResult<bool> {
    match tokio::time::timeout(PATIENCE, step).await.map(|done| done.map_err(E::into)) {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(JobError::Client(ClientError::Program(_) | ClientError::NotFound { .. }))) | Err(_) => Ok(false),
        Ok(Err(error)) => Err(error).hint(),
    }
}

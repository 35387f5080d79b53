//! A job whose account is closed, read from its history: the events, and the arguments of the `create_job` that they do
//! not repeat.

use anchor_lang::{AnchorDeserialize, Discriminator};
use assay_protocol::{Hash32, JobStatus, Outcome, TaskSpec, Verdict, fees::Price};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    client::Client,
    errors::ClientError,
    events::{Event, EventRecord},
    job_handle::{JobError, JobHandle, JobView},
    program::{self, client::args},
};

/// The events of one job. An address can be used again once its job is closed (P-24), so it may have several.
#[derive(Clone, Debug)]
pub struct Posting {
    /// Tells the jobs of one address apart; `None` when the endpoint no longer has the job's beginning.
    pub job_uid: Option<Hash32>,
    /// The events, oldest first.
    pub records: Vec<EventRecord>,
}

/// What the poster received when the job was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobClosing {
    /// What was left of the escrow.
    pub refund_lamports: u64,
    /// Delay fees.
    pub compensation_lamports: u64,
    /// Everything, rent included.
    pub total_lamports: u64,
    /// When, if the endpoint knows.
    pub closed_unix: Option<i64>,
}

/// Why a job ended without a result; of most of it only the history tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResult {
    /// Not all of its seats were taken in time.
    NotTaken,
    /// Whoever took its one seat let the deadline pass.
    Missed,
    /// Its seats did not agree, and nobody asked a jury.
    Disagreed,
    /// A jury found that its content could not be had.
    Unavailable,
    /// No jury reached a verdict.
    NoQuorum,
}

impl NoResult {
    /// As the events of an expired job tell, oldest first; `None` when they do not, such as when the endpoint has lost some.
    #[must_use]
    pub fn of_history(records: &[EventRecord]) -> Option<Self> {
        records.iter().fold(None, |known, record| match &record.event {
            Event::ExecutionMissed(_) => Some(Self::Missed),
            Event::SeatsDisagreed(_) => Some(Self::Disagreed),
            Event::DisputeSettled(event) if event.verdict == Verdict::Unavailable as u8 => Some(Self::Unavailable),
            Event::DisputeSettled(event) if event.verdict == Verdict::NoQuorum as u8 => Some(Self::NoQuorum),
            Event::JobExpired(_) => known.or(Some(Self::NotTaken)),
            _ => known,
        })
    }
}

/// Cuts the events of one address where a job was created.
pub(crate) fn postings(records: Vec<EventRecord>) -> Vec<Posting> {
    let mut found: Vec<Posting> = Vec::new();
    for record in records {
        let created = match &record.event {
            Event::JobCreated(event) => Some(event.job_uid),
            _ => None,
        };
        match found.last_mut().filter(|_| created.is_none()) {
            Some(posting) => posting.records.push(record),
            None => found.push(Posting { job_uid: created, records: vec![record] }),
        }
    }
    found
}

/// The last state of the last job at an address, from the transactions that touched it.
pub(crate) async fn closed_view(client: &Client, address: Pubkey) -> Result<JobView, JobError> {
    let Some(Posting { records, .. }) = postings(client.job_events(&address).await?).pop() else {
        return Err(ClientError::NotFound { kind: "job", address }.into());
    };
    let Some((record, created)) = records.iter().find_map(|record| match &record.event {
        Event::JobCreated(event) => Some((record, *event)),
        _ => None,
    }) else {
        return Err(JobError::NoHistory { job: address });
    };
    let posted = posted_args(client, (address, &record.signature)).await?;
    let task = TaskSpec {
        profile: posted.profile,
        job_cid_digest: posted.job_cid_digest,
        metered_hash: posted.metered_hash,
        limits: posted.limits.into(),
        seed: posted.seed,
        clock_unix_ns: posted.clock_unix_ns,
    };
    let mut view = JobView {
        address,
        job_uid: created.job_uid,
        created_slot: record.slot,
        market: created.market,
        poster: created.poster,
        task,
        price: Price { base_fee_lamports: posted.base_fee_lamports, price: posted.price },
        status: JobStatus::Open,
        provider: None,
        outcome: None,
        pay_lamports: 0,
        fee_lamports: 0,
        no_result: None,
        account: None,
        closing: None,
    };
    for record in &records {
        apply_event(&mut view, record);
    }
    view.no_result = NoResult::of_history(&records).filter(|_| view.status == JobStatus::Expired);
    Ok(view)
}

/// The arguments of the `create_job` that a transaction holds: the events do not repeat all of them.
async fn posted_args(
    client: &Client,
    (address, signature): (Pubkey, &Signature),
) -> Result<program::types::CreateJobArgs, JobError> {
    let found = instruction(client, (address, signature), (2, args::CreateJob::DISCRIMINATOR)).await?;
    let posted = found.and_then(|(data, _)| args::CreateJob::deserialize(&mut data.as_slice()).ok());
    Ok(posted.ok_or(JobError::NoHistory { job: address })?.args)
}

/// The instruction of the program with this discriminator that has the job among its accounts in this place: its
/// arguments and its accounts.
async fn instruction(
    client: &Client,
    (job, signature): (Pubkey, &Signature),
    (place, discriminator): (usize, &[u8]),
) -> Result<Option<(Vec<u8>, Vec<Pubkey>)>, JobError> {
    let transaction = client.transaction(signature).await?.ok_or(JobError::NoHistory { job })?;
    let keys = transaction.message.static_account_keys();
    Ok(transaction.message.instructions().iter().find_map(|instruction| {
        let program = keys.get(usize::from(instruction.program_id_index))?;
        let accounts = instruction.accounts.iter().map(|index| keys.get(usize::from(*index)).copied());
        let accounts = accounts.collect::<Option<Vec<_>>>()?;
        let data = instruction.data.strip_prefix(discriminator)?;
        (*program == program::ID && accounts.get(place) == Some(&job)).then(|| (data.to_vec(), accounts))
    }))
}

impl JobHandle {
    /// The job as a receipt names it. Checked: with the task it gives the job's uid.
    ///
    /// # Errors
    /// A failure of the endpoint; [`JobError::NoHistory`] when what it says does not give the uid.
    pub async fn posting(&self, view: &JobView) -> Result<assay_protocol::Posting, JobError> {
        let posting = assay_protocol::Posting {
            program: program::ID.to_bytes(),
            cluster: self.client.cluster_tag().await?,
            job: view.address.to_bytes(),
            created_slot: view.created_slot,
        };
        let is_it = posting.job_uid(&view.task.digest()) == view.job_uid;
        if is_it { Ok(posting) } else { Err(JobError::NoHistory { job: view.address }) }
    }

    /// Why a job that ended without a result has none, as far as the endpoint has its history.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn no_result(&self, view: &JobView) -> Result<Option<NoResult>, ClientError> {
        if view.status != JobStatus::Expired || view.no_result.is_some() {
            return Ok(view.no_result);
        }
        let postings = self.postings().await?;
        let own = postings.iter().find(|posting| posting.job_uid == Some(view.job_uid));
        Ok(own.and_then(|posting| NoResult::of_history(&posting.records)))
    }

    /// The node key that signed the submission of the outcome that stands.
    ///
    /// # Errors
    /// A failure of the endpoint; [`JobError::NoHistory`] when it no longer knows.
    pub async fn submitter(&self, view: &JobView) -> Result<Pubkey, JobError> {
        let missing = JobError::NoHistory { job: view.address };
        let posting = self.postings().await?.pop().filter(|posting| posting.job_uid == Some(view.job_uid));
        let submission = posting.as_ref().and_then(|posting| {
            let is_submission = |record: &&EventRecord| matches!(record.event, Event::ResultsSubmitted(_));
            posting.records.iter().rev().find(is_submission)
        });
        let Some(record) = submission else { return Err(missing) };
        let wanted = (2, args::SubmitResults::DISCRIMINATOR);
        let found = instruction(&self.client, (view.address, &record.signature), wanted).await?;
        found.and_then(|(_, accounts)| accounts.first().copied()).ok_or(missing)
    }
}

fn apply_event(view: &mut JobView, record: &EventRecord) {
    match &record.event {
        Event::JobAccepted(event) => {
            // While other seats are free no clock runs.
            let status = if event.execution_deadline_unix > 0 { JobStatus::Assigned } else { JobStatus::Open };
            (view.status, view.provider) = (status, view.provider.or(Some(event.provider)));
        }
        Event::JobDeclined(event) if event.is_vacated => {}
        Event::JobDeclined(_) => (view.status, view.provider) = (JobStatus::Open, None),
        Event::SeatsAgreed(event) => {
            view.status = JobStatus::Submitted;
            view.outcome = Outcome::decode(&event.outcome, view.task.limits.gas_limit).ok();
        }
        Event::ExecutionMissed(event) => {
            view.status = if event.requeued { JobStatus::Open } else { JobStatus::Expired };
            view.provider = None;
        }
        Event::ResultsSubmitted(event) => {
            view.status = JobStatus::Submitted;
            view.outcome = Outcome::decode(&event.outcome, view.task.limits.gas_limit).ok();
        }
        Event::JobFinalized(event) => {
            view.status = JobStatus::Resolved;
            (view.pay_lamports, view.fee_lamports) = (event.pay_lamports, event.fee_lamports);
        }
        Event::DisputeOpened(_) => view.status = JobStatus::Disputed,
        // What a jury found takes the place of what stood; without an outcome there is a refund.
        Event::DisputeSettled(event) => {
            let is_judged = event.verdict == Verdict::Outcome as u8;
            view.status = if is_judged { JobStatus::Resolved } else { JobStatus::Expired };
            let outcome = Outcome::decode(&event.outcome, view.task.limits.gas_limit).ok();
            view.outcome = outcome.filter(|_| is_judged);
        }
        // What a jury found is paid without `finalize_job`; every right seat gets the same.
        Event::ExecutionSettled(event) if event.pay_lamports > 0 => {
            (view.pay_lamports, view.fee_lamports) = (event.pay_lamports, event.fee_lamports);
        }
        Event::JobCancelled(_) => view.status = JobStatus::Cancelled,
        Event::JobExpired(_) => view.status = JobStatus::Expired,
        Event::JobClosed(event) => {
            view.closing = Some(JobClosing {
                refund_lamports: event.refund_lamports,
                compensation_lamports: event.compensation_lamports,
                total_lamports: event.lamports,
                closed_unix: record.block_time_unix,
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::events::{DisputeSettled, ExecutionSettled, JobCancelled, JobClosed, JobCreated};
    use assay_protocol::{OutcomeKind, TaskLimits};

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 1_024].as_slice()).unwrap()
    }

    fn record(event: Event) -> EventRecord {
        EventRecord { signature: Signature::default(), slot: 1, block_time_unix: None, index: 0, event }
    }

    #[test]
    fn i_03_what_a_jury_found_is_shown_and_not_what_had_stood() {
        let outcome = |gas_used| Outcome {
            kind: OutcomeKind::Exited,
            detail: 0,
            exit_code: 0,
            gas_used,
            result_cid_digest: [1; 32],
            state_root: [0; 32],
        };
        let task = TaskSpec {
            profile: 1,
            job_cid_digest: [1; 32],
            metered_hash: [1; 32],
            limits: TaskLimits::default(),
            seed: 0,
            clock_unix_ns: 0,
        };
        for (verdict, expected) in [
            (Verdict::Outcome, (JobStatus::Resolved, Some(outcome(2)))),
            (Verdict::Unavailable, (JobStatus::Expired, None)),
            (Verdict::NoQuorum, (JobStatus::Expired, None)),
        ] {
            let mut view = JobView {
                address: Pubkey::default(),
                job_uid: [0; 32],
                created_slot: 0,
                market: Pubkey::default(),
                poster: Pubkey::default(),
                task,
                price: Price { base_fee_lamports: 0, price: 0 },
                status: JobStatus::Submitted,
                provider: None,
                outcome: Some(outcome(1)),
                pay_lamports: 0,
                fee_lamports: 0,
                no_result: None,
                account: None,
                closing: None,
            };
            apply_event(&mut view, &record(Event::DisputeOpened(zeroed())));
            assert_eq!(view.status, JobStatus::Disputed);
            let settled = DisputeSettled { verdict: verdict as u8, outcome: outcome(2).encode(), ..zeroed() };
            apply_event(&mut view, &record(Event::DisputeSettled(settled)));
            assert_eq!((view.status, view.outcome), expected);
            for (pay_lamports, fee_lamports) in [(0, 0), (7, 1), (0, 0)] {
                let seat = ExecutionSettled { pay_lamports, fee_lamports, ..zeroed() };
                apply_event(&mut view, &record(Event::ExecutionSettled(seat)));
            }
            assert_eq!((view.pay_lamports, view.fee_lamports), (7, 1), "of the seat that was right");
        }
    }

    #[test]
    fn why_a_job_has_no_result_is_told_by_its_history() {
        use crate::program::events::{ExecutionMissed, JobAccepted, JobExpired, SeatsDisagreed};
        let accepted = || Event::JobAccepted(zeroed::<JobAccepted>());
        let missed = || Event::ExecutionMissed(zeroed::<ExecutionMissed>());
        let disagreed = || Event::SeatsDisagreed(zeroed::<SeatsDisagreed>());
        let settled = |verdict| Event::DisputeSettled(DisputeSettled { verdict: verdict as u8, ..zeroed() });
        let expired = || Event::JobExpired(zeroed::<JobExpired>());
        for (events, expected) in [
            (vec![accepted(), expired()], Some(NoResult::NotTaken)),
            (vec![accepted(), missed(), expired()], Some(NoResult::Missed)),
            (vec![disagreed(), expired()], Some(NoResult::Disagreed)),
            (vec![disagreed(), settled(Verdict::NoQuorum)], Some(NoResult::NoQuorum)),
            (vec![accepted(), settled(Verdict::Unavailable)], Some(NoResult::Unavailable)),
            (vec![accepted()], None),
        ] {
            let records: Vec<EventRecord> = events.into_iter().map(record).collect();
            assert_eq!(NoResult::of_history(&records), expected, "{records:?}");
        }
    }

    #[test]
    fn p_24_two_jobs_at_one_address_are_kept_apart() {
        let created = |uid| record(Event::JobCreated(JobCreated { job_uid: [uid; 32], ..zeroed() }));
        let cancelled = || record(Event::JobCancelled(zeroed::<JobCancelled>()));
        let closed = || record(Event::JobClosed(zeroed::<JobClosed>()));
        // The endpoint has lost the beginning of the first job.
        let found = postings(vec![closed(), created(1), cancelled(), closed(), created(2)]);
        let shape: Vec<_> = found.iter().map(|posting| (posting.job_uid, posting.records.len())).collect();
        assert_eq!(shape, [(None, 1), (Some([1; 32]), 3), (Some([2; 32]), 1)]);
        assert!(postings(Vec::new()).is_empty());
    }
}

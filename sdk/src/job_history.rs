//! A job whose account is closed, read from its history: the events, and the arguments of the `create_job` that they do
//! not repeat.

use anchor_lang::{AnchorDeserialize, Discriminator};
use assay_protocol::{Hash32, JobStatus, Outcome, TaskSpec, fees::Price};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    client::Client,
    errors::ClientError,
    events::{Event, EventRecord},
    job_handle::{JobError, JobView},
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
    let Some((signature, created)) = records.iter().find_map(|record| match &record.event {
        Event::JobCreated(event) => Some((record.signature, *event)),
        _ => None,
    }) else {
        return Err(JobError::NoHistory { job: address });
    };
    let posted = posted_args(client, (address, &signature)).await?;
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
        market: created.market,
        poster: created.poster,
        task,
        price: Price { base_fee_lamports: posted.base_fee_lamports, price: posted.price },
        status: JobStatus::Open,
        provider: None,
        outcome: None,
        pay_lamports: 0,
        fee_lamports: 0,
        account: None,
        closing: None,
    };
    for record in &records {
        apply_event(&mut view, record);
    }
    Ok(view)
}

/// The arguments of the `create_job` that a transaction holds: the events do not repeat all of them.
async fn posted_args(
    client: &Client,
    (address, signature): (Pubkey, &Signature),
) -> Result<program::types::CreateJobArgs, JobError> {
    let missing = || JobError::NoHistory { job: address };
    let transaction = client.transaction(signature).await?.ok_or_else(missing)?;
    let keys = transaction.message.static_account_keys();
    let posted = transaction.message.instructions().iter().find_map(|instruction| {
        let job = instruction.accounts.get(2).and_then(|index| keys.get(usize::from(*index)))?;
        let program = keys.get(usize::from(instruction.program_id_index))?;
        if *program != program::ID || *job != address {
            return None;
        }
        let mut data = instruction.data.strip_prefix(args::CreateJob::DISCRIMINATOR)?;
        args::CreateJob::deserialize(&mut data).ok()
    });
    Ok(posted.ok_or_else(missing)?.args)
}

fn apply_event(view: &mut JobView, record: &EventRecord) {
    match &record.event {
        Event::JobAccepted(event) => {
            (view.status, view.provider) = (JobStatus::Assigned, Some(event.provider));
        }
        Event::JobDeclined(_) => (view.status, view.provider) = (JobStatus::Open, None),
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
    use crate::program::events::{JobCancelled, JobClosed, JobCreated};

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 1_024].as_slice()).unwrap()
    }

    fn record(event: Event) -> EventRecord {
        EventRecord { signature: Signature::default(), slot: 1, block_time_unix: None, index: 0, event }
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

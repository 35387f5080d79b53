//! A job whose account is closed, read from its history: the events, and the arguments of the `create_job` that they do
//! not repeat.

use anchor_lang::{AnchorDeserialize, Discriminator};
use assay_protocol::{JobStatus, Outcome, TaskSpec, fees::Price};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    client::Client,
    errors::ClientError,
    events::{Event, EventRecord},
    job_handle::{JobClosing, JobError, JobView},
    program::{self, client::args},
};

/// The last state of a closed job, from the transactions that touched it.
pub(crate) async fn closed_view(client: &Client, address: Pubkey) -> Result<JobView, JobError> {
    let records = client.job_events(&address).await?;
    // A closed account's seeds can be used again (P-24): the last posting counts.
    let created = records.iter().enumerate().rev().find_map(|(index, record)| match &record.event {
        Event::JobCreated(event) => Some((index, record.signature, *event)),
        _ => None,
    });
    let Some((index, signature, created)) = created else {
        return Err(match records.is_empty() {
            true => ClientError::NotFound { kind: "job", address }.into(),
            false => JobError::NoHistory { job: address },
        });
    };
    let posted = posted_args(client, (address, &signature)).await?;
    let task = TaskSpec {
        profile: posted.profile,
        job_cid_digest: posted.job_cid_digest,
        limits: posted.limits.into(),
        seed: posted.seed,
        clock_unix_ns: posted.clock_unix_ns,
    };
    let mut view = JobView {
        address,
        market: created.market,
        poster: created.poster,
        task,
        metered_hash: posted.metered_hash,
        price: Price { base_fee_lamports: posted.base_fee_lamports, price: posted.price },
        status: JobStatus::Open,
        provider: None,
        outcome: None,
        pay_lamports: 0,
        fee_lamports: 0,
        account: None,
        closing: None,
    };
    for record in records.iter().skip(index) {
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

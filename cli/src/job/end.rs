//! `assay job cancel` and `assay job close`.

use assay_protocol::JobStatus;
use assay_sdk::{
    client::Sent,
    job_handle::{JobHandle, JobView},
};
use solana_pubkey::Pubkey;

use super::state::status_name;
use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Hint},
    output::lamports,
    progress::Progress,
};

async fn open(context: &Context, job: Pubkey) -> CliResult<(JobHandle, JobView)> {
    let chain = Chain::signing(context).await?;
    let handle = JobHandle::new(chain.client().clone(), job);
    let view = handle.status().await.hint()?;
    if view.account.is_none() {
        return Err(CliError::new(format!("job {job} is closed already"))
            .with_next(format!("its events stay in the chain's history: assay job describe {job}")));
    }
    Ok((handle, view))
}

fn report(context: &Context, job: Pubkey, done: &str, sent: Sent) {
    let json = serde_json::json!({ "job": job.to_string(), "signature": sent.signature.to_string() });
    context.output.result(&json, || println!("{done}: transaction {}", sent.signature));
}

pub(super) async fn cancel(context: &Context, job: Pubkey) -> CliResult {
    let (handle, view) = open(context, job).await?;
    if view.status != JobStatus::Open {
        let what = format!("job {job} cannot be cancelled any more: it is {}", status_name(view.status));
        let next = if view.is_final() { "get what is left back: assay job close" } else { "follow it: assay job wait" };
        return Err(CliError::new(what).with_next(format!("{next} {job}")));
    }
    let escrow = view.account.as_ref().map_or(0, |account| account.escrow_lamports);
    context.confirm(&format!(
        "Cancels {job}. Its escrow of {} comes back to {} when it is closed.",
        lamports(escrow),
        view.poster
    ))?;
    let sent = {
        let _progress = Progress::start(context.output, "cancelling");
        handle.cancel().await.hint()?
    };
    report(context, job, "cancelled", sent);
    context.output.note(format!("next: assay job close {job}"));
    Ok(())
}

pub(super) async fn close(context: &Context, job: Pubkey) -> CliResult {
    let (handle, view) = open(context, job).await?;
    let Some(account) = view.account.as_ref().filter(|_| view.is_final()) else {
        let what = format!("job {job} cannot be closed yet: it is {}", status_name(view.status));
        return Err(CliError::new(what).with_next(format!("follow it: assay job wait {job}")));
    };
    context.confirm(&format!(
        "Settles and closes {job}. Its account is deleted for good; its events stay in the chain's history.\nWhat is left of its escrow ({} now), its compensation ({}) and its rent ({}) go to {}.",
        lamports(account.escrow_lamports),
        lamports(account.compensation_lamports),
        lamports(account.rent_lamports),
        view.poster
    ))?;
    let sent = {
        let _progress = Progress::start(context.output, "closing");
        handle.close().await.hint()?
    };
    report(context, job, "closed", sent);
    Ok(())
}

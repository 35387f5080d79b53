//! `assay job list`.

use assay_sdk::{accounts::JobFilter, program::accounts::Job};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{ListArgs, state::status_name};
use crate::{
    chain::Chain,
    context::Context,
    ended::outcome_text,
    error::{CliResult, Hint},
    output::{duration, grouped, lamports, table},
};

#[derive(Debug, Serialize)]
struct Row {
    job: String,
    job_uid: String,
    state: &'static str,
    created_age_s: i64,
    poster: String,
    gas_limit: u64,
    price: u64,
    escrow_lamports: u64,
    outcome: Option<String>,
}

pub(super) async fn list(context: &Context, args: &ListArgs) -> CliResult {
    let chain = Chain::reading(context).await?;
    let poster = match args.poster {
        None if args.mine => Some(context.keypair()?.pubkey()),
        poster => poster,
    };
    // Without a named market the jobs of all markets are shown.
    let market = context.settings.market.value;
    let filter = JobFilter { status: args.status.map(Into::into), market, poster, provider: None };
    let now_unix = chain.now_unix().await?;
    let mut found = chain.client().list_jobs(&filter).await.hint()?;
    found.sort_by_key(|found| std::cmp::Reverse((found.account.created_slot, found.address)));
    let rows: Vec<Row> = found.iter().map(|found| row(&found.address, &found.account, now_unix)).collect();
    context.output.result(&rows, || {
        let mut shown = table(["job", "state", "age", "gas limit", "price", "in escrow", "outcome"]);
        for row in &rows {
            shown.add_row([
                row.job.clone(),
                row.state.to_owned(),
                duration(row.created_age_s),
                grouped(row.gas_limit),
                lamports(row.price),
                lamports(row.escrow_lamports),
                row.outcome.clone().unwrap_or_default(),
            ]);
        }
        println!("{shown}");
        if rows.is_empty() {
            println!("no job matches; closed jobs are not listed, `assay job describe JOB` still shows them");
        }
    });
    Ok(())
}

fn row(address: &Pubkey, job: &Job, now_unix: i64) -> Row {
    Row {
        job: address.to_string(),
        job_uid: hex::encode(job.job_uid),
        state: job.job_status().map_or("unknown", status_name),
        created_age_s: now_unix.saturating_sub(job.created_unix).max(0),
        poster: job.poster.to_string(),
        gas_limit: job.limits.gas_limit,
        price: job.price,
        escrow_lamports: job.escrow_lamports,
        outcome: job.standing_outcome().ok().flatten().as_ref().map(outcome_text),
    }
}

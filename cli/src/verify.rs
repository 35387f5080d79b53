//! `assay verify`: runs a job again and compares, field by field, with what the chain holds.

use std::path::PathBuf;

use assay_protocol::OutcomeKind;
use assay_sdk::{
    job_handle::JobHandle,
    receipt::{Field, Receipt, compare},
};
use clap::Args;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    context::Context,
    engine::{Again, EngineArgs},
    error::{CliResult, Context as _, Hint},
    job::state::no_result,
    output::refuse_existing,
    parse,
    progress::Progress,
    receipt::{self, Part, Verdict},
    sandbox,
};

/// `assay verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything agrees · 3 something differs · 1 it could not be checked · 5 the job ended \
without a result · 6 the job has no result yet"
)]
pub struct VerifyArgs {
    /// Address of the job; it may be closed.
    #[arg(value_parser = parse::address)]
    job: Pubkey,
    /// Writes what running it gave as a receipt that nobody signed.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArgs,
}

/// Runs `assay verify`.
pub async fn run(context: &Context, args: &VerifyArgs) -> CliResult {
    refuse_existing(args.receipt.as_deref(), "--receipt")?;
    let chain = Chain::reading(context).await?.with_content(context)?;
    let (verdict, found) = {
        let mut progress = Progress::quiet_start(context.output, "reading the job");
        let again = Again::new(&args.engine, None, context.output);
        verify(&chain, args.job, again, &mut progress).await?
    };
    if let Some(path) = &args.receipt {
        receipt::write(path, &found)?;
    }
    context.output.result_and(&verdict, receipt::require_equal(&verdict), || print(&verdict))
}

/// Fetches the job directory, runs it in the sandbox and compares with what the chain holds. The receipt is of this run.
pub async fn verify(
    chain: &Chain,
    job: Pubkey,
    again: Again,
    progress: &mut Progress,
) -> CliResult<(Verdict, Receipt)> {
    let handle = JobHandle::new(chain.client().clone(), job);
    let view = handle.status().await.hint()?;
    let Some(claimed) = view.outcome else {
        return Err(no_result(&view, chain.now_unix().await?));
    };
    progress.set("fetching the job directory");
    let fetched = sandbox::fetch(chain.fetcher()?, &view.job_cid()).await;
    let choice = again.choice();
    let ran = match fetched.next("check the content nodes: assay doctor")? {
        Ok(entries) => {
            progress.set("running it again");
            sandbox::run(again.order(view.task, entries)).await?
        }
        Err(invalid) => invalid,
    };
    let posting = handle.posting(&view).await.hint()?;
    let found = receipt::found(Some(posting), view.task, &ran)?;
    let mut on_chain = receipt::record_fields(&view);
    if claimed.kind != OutcomeKind::Invalid {
        // The program refuses jobs that promise no module, so the promise says what has to have run.
        on_chain.push(Field { name: "run.metered_hash", value: hex::encode(view.task.metered_hash) });
    }
    // Of the rest the chain says nothing.
    let here: Vec<Field> =
        found.fields().into_iter().filter(|field| on_chain.iter().any(|claim| claim.name == field.name)).collect();
    let part = Part { with: "run", fields: compare(&on_chain, &here) };
    let mut verdict = Verdict::new(Some((view.address, view.job_uid)), vec![part]);
    (verdict.engine, verdict.engine_choice) = (ran.engine, choice);
    if let Some(cid) = view.result_cid() {
        progress.set("fetching the published result");
        let state = match chain.fetcher()?.fetch(&cid).await {
            Ok(entries) if entries == ran.entries => "available, every byte checked".to_owned(),
            Ok(_) => "available, other files than here".to_owned(),
            Err(error) => format!("not available: {error}"),
        };
        // Availability is shown and does not decide: the outcome is what was agreed on.
        verdict.remarks.push(format!("published result {cid}: {state}"));
    }
    Ok((verdict, found))
}

/// Prints a verdict for a person.
pub fn print(verdict: &Verdict) {
    receipt::print_verdict(verdict, "chain");
    if let (true, Some(job)) = (verdict.verified, &verdict.job) {
        println!("verified: running {job} again gives the same outcome");
    }
}

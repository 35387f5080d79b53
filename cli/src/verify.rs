//! `assay verify`: runs a job again and compares, field by field, with what the chain holds.

use std::path::{Path, PathBuf};

use assay_protocol::OutcomeKind;
use assay_sdk::{
    job_handle::{JobHandle, JobView},
    receipt::{Field, Receipt},
};
use clap::Args;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    context::Context,
    engine::{Again, AgainArgs},
    error::{CliError, CliResult, Context as _, Hint, both},
    job::state::no_result,
    output::require_new_file,
    parse,
    progress::Progress,
    receipt::{self, Verdict},
    sandbox::{self, Ran},
};

/// `assay verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 everything agrees · 3 something differs · 1 it could not be checked, or everything agrees and FILE \
could not be written · 5 the job ended \
without a result · 6 the job has no result yet · 2 wrong usage · 7 the cluster cannot be reached"
)]
pub struct VerifyArgs {
    /// Address of the job; it may be closed.
    #[arg(value_parser = parse::address)]
    job: Pubkey,
    /// The job directory; by default it is fetched from the content node by the CID that the chain holds.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Writes what running it gave as a receipt that nobody signed.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    again: AgainArgs,
}

/// Runs `assay verify`.
pub async fn run(context: &Context, args: &VerifyArgs) -> CliResult {
    require_new_file(args.receipt.as_deref(), "--receipt")?;
    let chain = Chain::reading(context).await?.with_content(context)?;
    let (verdict, found) = {
        let mut progress = Progress::quiet_start(context.output, "reading the job");
        let again = Again::check(&args.again, None, context.output);
        let subject = Subject { job: args.job, dir: args.dir.as_deref() };
        verify(&chain, subject, again, &mut progress).await?
    };
    // A disk that is full takes nothing of what the run has shown, nor does it hide that something differs.
    let kept = args.receipt.as_deref().map_or(Ok(()), |path| receipt::write(path, &found));
    let checked = both(receipt::require_equal(&verdict), kept);
    context.output.result_and(&verdict, checked, || print(&verdict))
}

/// What is verified.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Address of the job.
    pub job: Pubkey,
    /// Its directory; `None`: fetched.
    pub dir: Option<&'a Path>,
}

/// Gets the job directory, runs it in the sandbox and compares with what the chain holds. The receipt is of this run.
pub async fn verify(
    chain: &Chain,
    Subject { job, dir }: Subject<'_>,
    again: Again,
    progress: &mut Progress,
) -> CliResult<(Verdict, Receipt)> {
    let handle = JobHandle::new(chain.client().clone(), job);
    let mut view = handle.status().await.hint()?;
    let contested = handle.contested_outcome(&view).await.hint()?;
    view.outcome = view.outcome.or(contested);
    let Some(claimed) = view.outcome else {
        return Err(no_result(&view, chain.now_unix().await?));
    };
    let runs = run_again(chain, (&view, dir), &again, progress).await?;
    let posting = handle.posting(&view).await.hint()?;
    let found = receipt::found_each(Some(posting), view.task, &runs)?;
    let mut on_chain = receipt::record_fields(&view);
    if claimed.kind != OutcomeKind::Invalid {
        // The program refuses jobs that promise no module, so the promise says what has to have run.
        on_chain.push(Field { name: "run.metered_hash", value: hex::encode(view.task.metered_hash) });
    }
    // Of the rest the chain says nothing.
    let is_claimed = |field: &Field| on_chain.iter().any(|claim| claim.name == field.name);
    let here = |found: &Receipt| found.fields().into_iter().filter(is_claimed).collect();
    let parts = receipt::compare_runs(&on_chain, &found, here);
    let mut verdict = Verdict::new(Some((view.address, view.job_uid)), parts);
    verdict.ran_in(&runs, again.choice());
    if contested.is_some() {
        verdict.remarks.push(format!(
            "this is what a dispute contests; nothing stands until a jury has decided: assay dispute show {job}"
        ));
    }
    if let Some(cid) = view.result_cid() {
        progress.set("fetching the published result");
        let state = match chain.fetcher()?.fetch(&cid).await {
            Ok(entries) if runs.iter().all(|ran| ran.entries == entries) => "available, every byte checked".to_owned(),
            Ok(_) => "available, other files than here".to_owned(),
            Err(error) => format!("not available: {error}"),
        };
        // Availability is shown and does not decide: the outcome is what was agreed on.
        verdict.remarks.push(format!("published result {cid}: {state}"));
    }
    let first = found.into_iter().next().map(|(receipt, _)| receipt);
    let first = first.ok_or_else(|| CliError::new("the job was not run again"))?;
    Ok((verdict, first))
}

/// Gets the job directory, from `dir` if one is named, and runs it in the sandbox.
pub async fn run_again(
    chain: &Chain,
    (view, dir): (&JobView, Option<&Path>),
    again: &Again,
    progress: &mut Progress,
) -> CliResult<Vec<Ran>> {
    let read = match dir {
        Some(dir) => {
            progress.set("reading the job directory");
            Ok(receipt::read_directory(dir, &view.job_cid())?)
        }
        None => {
            progress.set("fetching the job directory");
            let fetched = sandbox::fetch(chain.fetcher()?, &view.job_cid()).await;
            let fetched = fetched.context("cannot fetch the job directory");
            fetched.next("name the job directory with --dir, or check the content nodes: assay doctor")?
        }
    };
    match read {
        Ok(entries) => {
            progress.set("running it again");
            again.run(view.task, &entries).await
        }
        Err(invalid) => Ok(vec![invalid]),
    }
}

/// Prints a verdict for a person.
pub fn print(verdict: &Verdict) {
    receipt::print_verdict(verdict, "chain");
    if let (true, Some(job)) = (verdict.verified, &verdict.job) {
        println!("verified: running {job} again gives the same outcome");
    }
}

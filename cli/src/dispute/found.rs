//! What running a disputed job gives here, and holding it against others.

use std::path::PathBuf;

use assay_content::{Entry, Package, pack_entries};
use assay_executor::core::JobRow;
use assay_protocol::Outcome;
use assay_sdk::receipt::{compare, outcome_fields};
use clap::Args;

use super::{case::Case, moves::told};
use crate::{
    chain::Chain,
    engine::{Again, AgainArgs},
    error::{CliError, CliResult, Context as _},
    output::Output,
    progress::Progress,
    receipt,
    sandbox::{self, JobDirectory},
    verify,
};

/// How the job is run.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// The job directory; by default it is fetched from the content node by the CID that the chain holds.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    again: AgainArgs,
}

impl FindArgs {
    /// Sees to it that a jury can have the content: it is to be had by its CID, or the directory at hand is published.
    pub(super) async fn serve(&self, chain: &Chain, case: &Case) -> CliResult {
        let cid = case.view.job_cid();
        let Some(dir) = &self.dir else {
            let fetched = sandbox::fetch(chain.fetcher()?, &cid).await;
            let missing = format!("the content of {} is not to be had here either", case.job());
            let next = "name the job directory with --dir: it is published on the content node, for the next jury; one that \
                        cannot have it either finds the same again";
            return fetched.map(drop).context(missing).next(next);
        };
        let directory = JobDirectory::from_entries(receipt::read_directory(dir, &cid)?)?;
        publish(chain, &directory.package).await.context("the job directory could not be published for the next jury")
    }
}

async fn publish(chain: &Chain, package: &Package) -> CliResult {
    let Some(content) = chain.client().content() else { return Ok(()) };
    content.publisher.publish(package).await?;
    Ok(())
}

/// Only what nobody serves is not to be had, and of no job that was run here: every source is there, was asked, and did not find it.
pub(super) async fn require_unavailable(chain: &Chain, case: &Case, row: &JobRow, instead: &'static str) -> CliResult {
    let job = case.job();
    if row.outcome.is_some() {
        return Err(CliError::new(format!("{job} was run here, so its content was to be had")).with_next(instead));
    }
    let unknown = || format!("whether the content of {job} is to be had is not known");
    let next = "a content node that fails says nothing of the content: mend what is named, then run this again in time; for votes it is in \
                [content] of the bot's configuration";
    let fetcher = chain.fetcher()?;
    match sandbox::fetch(fetcher, &case.view.job_cid()).await {
        // Any server at all says that it does not have it.
        Err(error) if error.says_absent() => fetcher.probe().await.context(unknown()).next(next),
        Err(error) => Err(error).context(unknown()).next(next),
        Ok(_) => Err(CliError::new(format!("the content of {job} is to be had: it was just fetched"))
            .with_cause("whoever says otherwise loses its bond when a jury finds an outcome")
            .with_next(instead)),
    }
}

/// What a run gave.
pub(super) struct Found {
    pub(super) outcome: Outcome,
    /// Its result directory.
    entries: Vec<Entry>,
}

impl Found {
    /// Runs the job, in both engines if that is asked for; they have to agree.
    pub(super) async fn run(chain: &Chain, case: &Case, args: &FindArgs, output: Output) -> CliResult<Self> {
        let mut progress = Progress::start(output, "running the job again");
        let again = Again::check(&args.again, None, output);
        let runs = verify::run_again(chain, (&case.view, args.dir.as_deref()), &again, &mut progress).await?;
        receipt::require_agreement(&receipt::found_each(None, case.view.task, &runs)?)?;
        let first = runs.into_iter().next().ok_or_else(|| CliError::new("the job was not run again"))?;
        Ok(Self { outcome: first.outcome, entries: first.entries })
    }

    /// Publishes its result: where a jury finds it right, nobody else may have it.
    pub(super) async fn publish(&self, chain: &Chain) -> CliResult {
        if self.entries.is_empty() {
            return Ok(());
        }
        let package = pack_entries(self.entries.iter().cloned()).context("cannot pack the result")?;
        publish(chain, &package).await.context("the result could not be published")
    }
}

/// Prints where what stands and what was found here differ, on stderr.
pub(super) fn note_differences(output: Output, standing: &Outcome, found: &Outcome) {
    output.note("what stands, and what is held against it:");
    for row in compare(&outcome_fields(standing), &outcome_fields(found)).iter().filter(|row| !row.equal) {
        output.note(format!("  DIFFERS {:<26} stands {}", row.field, receipt::shown_value(&row.claimed)));
        output.note(format!("          {:<26} here   {}", "", receipt::shown_value(&row.found)));
    }
}

/// The outcome that is on record.
pub(super) fn recorded(row: &JobRow, gas_limit: u64) -> Option<Outcome> {
    Outcome::decode(&row.outcome?, gas_limit).ok()
}

/// Takes an outcome into a row: the one that it has already, or its first (I-07).
pub(super) fn hold(row: &mut JobRow, outcome: &Outcome, gas_limit: u64) -> CliResult {
    let bytes = outcome.encode();
    match row.outcome {
        Some(recorded) if recorded != bytes => {
            let recorded =
                Outcome::decode(&recorded, gas_limit).map_or_else(|_| "another".to_owned(), |known| told(&known));
            Err(CliError::new(format!("another outcome of this job is on record here already: {recorded}"))
                .with_cause(format!("now it is {}; two outcomes of one job are never signed", told(outcome)))
                .with_next("if the first was wrong, leave this job to others: whoever says two things is wrong once"))
        }
        _ => {
            row.outcome = Some(bytes);
            Ok(())
        }
    }
}

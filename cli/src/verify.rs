//! `assay verify`: runs a job again and compares, field by field.

use std::sync::Arc;

use assay_executor::worker::Manner;
use assay_protocol::Outcome;
use assay_runtime::{ArtifactCache, Engine};
use assay_sdk::job_handle::{JobHandle, JobView};
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    context::Context,
    engine::{EngineArgs, EngineRow},
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::state::{no_result, outcome_text},
    output::{Output, grouped},
    parse,
    progress::Progress,
    sandbox::{self, Order, Ran},
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
    #[command(flatten)]
    engine: EngineArgs,
}

/// One field, on chain and here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Which field.
    pub field: &'static str,
    /// What the chain says.
    pub chain: String,
    /// What running it again gave.
    pub here: String,
    /// Whether they agree.
    pub equal: bool,
}

/// What the comparison found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The job.
    pub job: String,
    /// Which of the jobs that had this address.
    pub job_uid: String,
    /// Whether every field agrees.
    pub verified: bool,
    /// The fields.
    pub fields: Vec<Field>,
    /// What ran it again, when anything was run.
    pub engine: Option<EngineRow>,
    /// Why this engine.
    pub engine_choice: &'static str,
}

/// How it is run again. What the provider ran it with is on no record: the check takes what `auto` would not take.
#[derive(Debug)]
pub struct Again {
    manner: Manner,
    compiled: Option<Arc<ArtifactCache>>,
}

impl Again {
    /// By the flags.
    pub fn new(args: &EngineArgs, output: Output) -> Self {
        Self { manner: args.verifier_manner(None), compiled: args.cache(output) }
    }

    const fn choice(&self) -> &'static str {
        match self.manner.engine {
            Engine::Unlike(_) => "not the one that a provider takes by default, where that can be",
            _ => "as asked for",
        }
    }
}

/// Runs `assay verify`.
pub async fn run(context: &Context, args: &VerifyArgs) -> CliResult {
    let chain = Chain::reading(context).await?.with_content(context)?;
    let verdict = {
        let mut progress = Progress::quiet_start(context.output, "reading the job");
        let again = Again::new(&args.engine, context.output);
        verify(&chain, args.job, again, &mut progress).await?
    };
    context.output.result_and(&verdict, require_equal(&verdict), || print(&verdict))
}

/// Exit code 3 when something differs.
pub fn require_equal(verdict: &Verdict) -> CliResult {
    if verdict.verified {
        return Ok(());
    }
    Err(CliError::new(format!("the result of {} is not what running it again gives", verdict.job))
        .with_exit(Exit::Differs)
        .with_next("run it once more on another machine; two that agree against the chain have found a wrong result"))
}

/// Fetches the job directory, runs it in the sandbox and compares with what the chain holds.
pub async fn verify(chain: &Chain, job: Pubkey, again: Again, progress: &mut Progress) -> CliResult<Verdict> {
    let choice = again.choice();
    let view = JobHandle::new(chain.client().clone(), job).status().await.hint()?;
    let Some(claimed) = view.outcome else {
        return Err(no_result(&view, chain.now_unix().await?));
    };
    progress.set("fetching the job directory");
    let ran = match chain.fetcher()?.fetch(&view.job_cid()).await {
        Ok(entries) => {
            progress.set("running it again");
            let Again { manner, compiled } = again;
            let order = Order { task: view.task, entries, deadline: None, manner, compiled };
            sandbox::run(order).await?
        }
        // Content that no host can read is an outcome, too.
        Err(error) => match error.invalid_reason() {
            Some(reason) => Ran::invalid(reason, error.to_string()),
            None => {
                return Err(error)
                    .context("cannot fetch the job directory")
                    .next("check the content nodes: assay doctor");
            }
        },
    };
    let mut verdict = Verdict { engine_choice: choice, ..compare(&view, &claimed, &ran) };
    if let Some(cid) = view.result_cid() {
        progress.set("fetching the published result");
        let here = match chain.fetcher()?.fetch(&cid).await {
            Ok(entries) if entries == ran.entries => "available, every byte checked".to_owned(),
            Ok(_) => "available, other files than here".to_owned(),
            Err(error) => format!("not available: {error}"),
        };
        // Availability is shown and does not decide: the outcome is what was agreed on.
        verdict.fields.push(Field { field: "published result", chain: cid.to_string(), equal: true, here });
    }
    Ok(verdict)
}

fn compare(view: &JobView, claimed: &Outcome, ran: &Ran) -> Verdict {
    let here = &ran.outcome;
    let field = |field, chain: String, here: String| Field { field, equal: chain == here, chain, here };
    let cid = |outcome: &Outcome| {
        assay_sdk::program::result_cid(outcome).map_or_else(|| "none".to_owned(), |cid| cid.to_string())
    };
    let mut fields = vec![
        field("outcome", outcome_text(claimed), outcome_text(here)),
        field("detail", claimed.detail.to_string(), here.detail.to_string()),
        field("exit code", claimed.exit_code.to_string(), here.exit_code.to_string()),
        field("gas used", grouped(claimed.gas_used), grouped(here.gas_used)),
        field("result CID", cid(claimed), cid(here)),
        field("outcome hash", hex::encode(claimed.hash()), hex::encode(here.hash())),
    ];
    if let Some(metered_hash) = ran.metered_hash {
        fields.push(field("metered module", hex::encode(view.task.metered_hash), hex::encode(metered_hash)));
    }
    let verified = claimed.encode() == here.encode();
    let (job, job_uid) = (view.address.to_string(), hex::encode(view.job_uid));
    Verdict { job, job_uid, verified, fields, engine: ran.engine.clone(), engine_choice: "" }
}

/// Prints a verdict for a person.
pub fn print(verdict: &Verdict) {
    for Field { field, chain, here, equal } in &verdict.fields {
        if *equal && chain == here {
            println!("  same    {field:<16} {here}");
        } else if *equal {
            println!("  checked {field:<16} {here}");
        } else {
            println!("  DIFFERS {field:<16} chain {chain}");
            println!("          {:<16} here  {here}", "");
        }
    }
    if let Some(engine) = &verdict.engine {
        println!("  run in  {:<16} {} ({})", "", engine.text(), verdict.engine_choice);
    }
    if verdict.verified {
        println!("verified: running {} again gives the same outcome", verdict.job);
    }
}

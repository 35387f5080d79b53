//! Checking a claim by running the task again. What claims, a receipt or a chain, makes no difference here.

use assay_content::Entry;
use assay_protocol::{Posting, TaskSpec};
use assay_runtime::EngineKind;
use assay_sdk::{
    job_handle::{JobHandle, JobView},
    receipt::{
        Comparison, EngineNote, Field, Receipt, ReceiptSignature, compare, outcome_fields, posting_fields, task_fields,
    },
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{VerifyArgs, engine_text, file, signature_text, signature_word};
use crate::{
    chain::Chain,
    context::{Context, GlobalArgs},
    engine::{Again, EngineRow},
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::state::no_result,
    output::{Output, printable},
    progress::Progress,
    sandbox::{self, JobDirectory, Ran},
};

/// Longest value that is printed for a person, in characters; `--json` has all of it.
const SHOWN_CHARS_MAX: usize = 160;

/// One thing that a claim was compared with.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// `run`: running it again gave the other side; `chain`: the chain's record did.
    pub with: &'static str,
    /// Field by field.
    pub fields: Vec<Comparison>,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The job, if there is one.
    pub job: Option<String>,
    /// Which of the jobs that had this address.
    pub job_uid: Option<String>,
    /// Whether every field agrees, and no signature is wrong.
    pub verified: bool,
    /// `valid`, `missing` or `wrong`; not there when no receipt was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<&'static str>,
    /// What was compared with what.
    pub compared: Vec<Part>,
    /// What ran it again, when anything was run.
    pub engine: Option<EngineRow>,
    /// Why this engine.
    pub engine_choice: &'static str,
    /// What was looked at and does not decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Verdict {
    /// Over what was compared.
    pub fn new(job: Option<(Pubkey, [u8; 32])>, compared: Vec<Part>) -> Self {
        Self {
            job: job.map(|(address, _)| address.to_string()),
            job_uid: job.map(|(_, uid)| hex::encode(uid)),
            verified: compared.iter().flat_map(|part| &part.fields).all(|row| row.equal),
            signature: None,
            compared,
            engine: None,
            engine_choice: "",
            remarks: Vec::new(),
        }
    }

    fn differing(&self) -> Vec<&'static str> {
        let rows = self.compared.iter().flat_map(|part| &part.fields).filter(|row| !row.equal);
        let signature = self.signature.filter(|word| *word == "wrong").map(|_| "signature");
        rows.map(|row| row.field).chain(signature).collect()
    }
}

/// Exit code 3 when something differs.
pub fn require_equal(verdict: &Verdict) -> CliResult {
    if verdict.verified {
        return Ok(());
    }
    let fields = verdict.differing().join(", ");
    Err(CliError::new(format!("what is claimed is not so: {fields}"))
        .with_exit(Exit::Differs)
        .with_next("run it once more on another machine; two that agree against the claim have found a wrong one"))
}

/// A value on one line, nothing in it that acts on a terminal.
pub fn shown_value(text: &str) -> String {
    let text = printable(text.as_bytes()).replace('\n', "\\n").replace('\t', "\\t");
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text,
    }
}

/// Prints rows for a person; `sides` are what the claim and the other side are called.
pub fn print_rows(rows: &[Comparison], (left, right): (&str, &str)) {
    for Comparison { field, claimed, found, equal } in rows {
        if *equal {
            println!("  same    {field:<26} {}", shown_value(found));
        } else {
            println!("  DIFFERS {field:<26} {left:<7} {}", shown_value(claimed));
            println!("          {:<26} {right:<7} {}", "", shown_value(found));
        }
    }
}

/// Prints a verdict for a person; `claim` is what makes it.
pub fn print_verdict(verdict: &Verdict, claim: &str) {
    for part in &verdict.compared {
        match part.with {
            "run" => println!("running it again:"),
            _ => println!("the chain's record:"),
        }
        print_rows(&part.fields, (claim, if part.with == "run" { "here" } else { "chain" }));
    }
    if let Some(engine) = &verdict.engine {
        println!("  run in {} ({})", engine.text(), verdict.engine_choice);
    }
    for remark in &verdict.remarks {
        println!("  {remark}");
    }
}

/// The receipt of a run here.
pub fn found(posting: Option<Posting>, task: TaskSpec, ran: &Ran) -> CliResult<Receipt> {
    let engine = ran.engine.as_ref();
    let engine = engine.map(|row| EngineNote { name: row.name.to_owned(), version: row.version.to_owned() });
    Receipt::unsigned((posting, task), (ran.outcome, ran.facts.clone()), engine)
        .context("the sandbox child gave no valid result")
}

/// Runs `assay receipt verify`.
pub async fn verify(globals: &GlobalArgs, args: &VerifyArgs) -> CliResult {
    let output = globals.output();
    let receipt = file::load(globals, &args.receipt).await?;
    let mut progress = Progress::quiet_start(output, "reading the job directory");
    let used = receipt.engine.as_ref().and_then(|engine| EngineKind::from_name(&engine.name));
    let again = Again::new(&args.engine, used, output);
    let choice = again.choice();
    let (part, engine) = run_again(globals, (args, again), &receipt, &mut progress).await?;
    let mut compared = vec![part];
    if let Some(job) = args.job {
        progress.set("reading the chain's record");
        compared.push(with_chain(globals, job, &receipt).await?);
    }
    drop(progress);
    let job = receipt.posting.zip(receipt.canonical().job_uid());
    let mut verdict = Verdict::new(job.map(|(posting, uid)| (Pubkey::from(posting.job), uid)), compared);
    (verdict.engine, verdict.engine_choice) = (engine, choice);
    verdict.signature = Some(signature_word(&receipt));
    verdict.verified &= receipt.check_signature() != ReceiptSignature::Wrong;
    verdict.remarks = remarks(&receipt, args);
    let checked = require_equal(&verdict);
    show(output, &verdict, checked)
}

fn show(output: Output, verdict: &Verdict, checked: CliResult) -> CliResult {
    output.result_and(verdict, checked, || {
        print_verdict(verdict, "receipt");
        if verdict.verified {
            println!("verified: running the task again gives what the receipt says");
        }
    })
}

/// What a reader might otherwise take for checked.
fn remarks(receipt: &Receipt, args: &VerifyArgs) -> Vec<String> {
    let mut remarks =
        vec![format!("signature {}", signature_text(receipt)), format!("engine {}", engine_text(receipt))];
    match receipt.posting {
        Some(posting) if args.job.is_none() => {
            remarks.push(format!("job {} is the receipt's word; `--job` asks the chain", Pubkey::from(posting.job)))
        }
        _ => {}
    }
    remarks
}

/// What the receipt says against a run of its task.
async fn run_again(
    globals: &GlobalArgs,
    (args, again): (&VerifyArgs, Again),
    receipt: &Receipt,
    progress: &mut Progress,
) -> CliResult<(Part, Option<EngineRow>)> {
    let claimed: Vec<Field> = receipt.fields().into_iter().filter(|field| !field.name.starts_with("job.")).collect();
    let cid = assay_content::cid_from_digest(&receipt.task.job_cid_digest);
    let read = match &args.dir {
        Some(dir) => {
            let directory = JobDirectory::read(dir)?;
            if directory.package.root != cid {
                // Another job's directory proves nothing about this one.
                let found = directory.package.root.to_string();
                let row = Comparison { field: "task.job_cid", claimed: cid.to_string(), found, equal: false };
                return Ok((Part { with: "run", fields: vec![row] }, None));
            }
            Ok(directory.entries)
        }
        None => {
            progress.set("fetching the job directory");
            fetch(globals, &cid).await?
        }
    };
    let ran = match read {
        Ok(entries) => {
            progress.set("running it again");
            sandbox::run(again.order(receipt.task, entries)).await?
        }
        Err(invalid) => invalid,
    };
    let found = found(None, receipt.task, &ran)?;
    Ok((Part { with: "run", fields: compare(&claimed, &found.fields()) }, ran.engine))
}

async fn fetch(globals: &GlobalArgs, cid: &assay_content::Cid) -> CliResult<Result<Vec<Entry>, Ran>> {
    let context = Context::new(globals)?;
    let chain = Chain::unchecked(&context).with_content(&context)?;
    sandbox::fetch(chain.fetcher()?, cid)
        .await
        .next("name the job directory with --dir, or check the content nodes: assay doctor")
}

/// What the receipt says against what the chain holds.
async fn with_chain(globals: &GlobalArgs, job: Option<Pubkey>, receipt: &Receipt) -> CliResult<Part> {
    let address = job.or(receipt.posting.map(|posting| Pubkey::from(posting.job))).ok_or_else(|| {
        CliError::usage("the receipt names no job: nobody posted this run")
            .with_next("leave out --job; or name the job: --job=ADDRESS")
    })?;
    let context = Context::new(globals)?;
    let chain = Chain::reading(&context).await?;
    let handle = JobHandle::new(chain.client().clone(), address);
    let view = handle.status().await.hint()?;
    if view.outcome.is_none() {
        return Err(no_result(&view, chain.now_unix().await?));
    }
    let posting = handle.posting(&view).await.hint()?;
    let mut on_chain = posting_fields(&posting, &view.task.digest());
    on_chain.extend(record_fields(&view));
    let mut claimed: Vec<Field> =
        receipt.fields().into_iter().filter(|field| !field.name.starts_with("run.")).collect();
    if let Some(signed) = receipt.signed {
        let key = handle.submitter(&view).await.hint()?;
        claimed.push(Field { name: "provider_key", value: signed.key.to_string() });
        on_chain.push(Field { name: "provider_key", value: key.to_string() });
    }
    Ok(Part { with: "chain", fields: compare(&claimed, &on_chain) })
}

/// What the chain says about a job's run: task and outcome.
pub fn record_fields(view: &JobView) -> Vec<Field> {
    let mut fields = task_fields(&view.task);
    fields.extend(view.outcome.as_ref().map(outcome_fields).unwrap_or_default());
    fields
}

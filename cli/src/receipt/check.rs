//! Checking a claim by running the task again. What claims, a receipt or a chain, makes no difference here.

use std::path::Path;

use assay_content::{Cid, Entry};
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

use super::{VerifyArgs, engine_text, file, signature_text};
use crate::{
    author::JOB_DIRECTORY_NAME,
    chain::Chain,
    context::{Context, GlobalArgs},
    engine::{Again, EngineRow},
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::state::no_result,
    output::{Output, printable, shown_path},
    progress::Progress,
    sandbox::{self, JobDirectory, Ran},
};

/// Longest value that is printed for a person, in characters; `--json` has all of it.
const SHOWN_CHARS_MAX: usize = 160;
/// How much of what two long values have in common is printed in front of their first difference, characters.
const SHOWN_COMMON_CHARS: usize = 16;

/// Where the other side of a comparison is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Running it again.
    Run,
    /// The chain's record.
    Chain,
    /// Running it again in the other engine; what is compared with it is the first run.
    OtherEngine,
}

/// One comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// What with.
    pub with: Source,
    /// What ran it again, when it was run in both engines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineRow>,
    /// Field by field.
    pub fields: Vec<Comparison>,
}

impl Part {
    fn is_equal(&self) -> bool {
        self.fields.iter().all(|row| row.equal)
    }
}

/// What the runs gave against what is claimed and, of two, against each other. `compared` is what of a run's receipt the
/// claim speaks of.
pub fn compare_runs(
    claimed: &[Field],
    found: &[(Receipt, Option<EngineRow>)],
    compared: impl Fn(&Receipt) -> Vec<Field>,
) -> Vec<Part> {
    let mut parts: Vec<Part> = found
        .iter()
        .map(|(receipt, engine)| Part {
            with: Source::Run,
            engine: engine.filter(|_| found.len() > 1),
            fields: compare(claimed, &compared(receipt)),
        })
        .collect();
    parts.extend(compare_engines(found));
    parts
}

/// What two runs gave against each other; `None` of one.
fn compare_engines(found: &[(Receipt, Option<EngineRow>)]) -> Option<Part> {
    let [(first, _), (second, _)] = found else { return None };
    let fields = compare(&first.fields(), &second.fields());
    Some(Part { with: Source::OtherEngine, engine: None, fields })
}

/// Exit code 3, and each field that differs, when two runs gave different things.
pub fn require_agreement(found: &[(Receipt, Option<EngineRow>)]) -> CliResult {
    let differing: Vec<_> =
        compare_engines(found).into_iter().flat_map(|part| part.fields).filter(|row| !row.equal).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let sides = found.iter().map(|(_, engine)| engine.map_or("nothing ran".to_owned(), |engine| engine.text()));
    let error = engines_differ().with_cause(format!("compared: {}", sides.collect::<Vec<_>>().join(" · ")));
    Err(differing.iter().fold(error, |error, Comparison { field, claimed, found, .. }| {
        let (first, second) = shown_pair(claimed, found);
        error.with_cause(format!("{field}: {first} · {second}"))
    }))
}

fn engines_differ() -> CliError {
    CliError::new("the engines do not agree, so one of them is wrong")
        .with_exit(Exit::Differs)
        .with_next("keep the job directory and report it with this output; it says nothing of anything else")
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The job, as a chain has it; `None` when none was asked.
    pub job: Option<String>,
    /// Which of the jobs that had this address.
    pub job_uid: Option<String>,
    /// The job that a receipt names, when no chain was asked whether there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_job: Option<String>,
    /// Which of the jobs that had this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_job_uid: Option<String>,
    /// Whether a chain's record of the job was compared.
    pub chain_checked: bool,
    /// Whether every field agrees, and no signature is wrong.
    pub verified: bool,
    /// Not there when no receipt was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReceiptSignature>,
    /// What was compared with what.
    pub compared: Vec<Part>,
    /// What ran it again, when anything was run.
    pub engine: Option<EngineRow>,
    /// What ran it a second time, with `--both`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_engine: Option<EngineRow>,
    /// Whether the two gave the same; not there unless both ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engines_agree: Option<bool>,
    /// Why this engine.
    pub engine_choice: &'static str,
    /// What was looked at and does not decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Verdict {
    /// Over what was compared; `job` is the one that a chain has.
    pub fn new(job: Option<(Pubkey, [u8; 32])>, compared: Vec<Part>) -> Self {
        Self {
            job: job.map(|(address, _)| address.to_string()),
            job_uid: job.map(|(_, uid)| hex::encode(uid)),
            claimed_job: None,
            claimed_job_uid: None,
            chain_checked: job.is_some(),
            verified: compared.iter().all(Part::is_equal),
            signature: None,
            compared,
            engine: None,
            other_engine: None,
            engines_agree: None,
            engine_choice: "",
            remarks: Vec::new(),
        }
    }

    /// Notes what ran it again, and why that.
    pub fn ran_in(&mut self, runs: &[Ran], choice: &'static str) {
        let mut engines = runs.iter().map(|ran| ran.engine);
        self.engine = engines.next().flatten();
        self.other_engine = engines.next().flatten();
        self.engine_choice = choice;
        let other = self.compared.iter().find(|part| part.with == Source::OtherEngine);
        self.engines_agree = other.filter(|_| self.other_engine.is_some()).map(Part::is_equal);
    }

    /// Fields in which the claim is not what was found.
    fn differing(&self) -> Vec<&'static str> {
        let claims = self.compared.iter().filter(|part| part.with != Source::OtherEngine);
        let rows = claims.flat_map(|part| &part.fields).filter(|row| !row.equal);
        let signature = self.signature.filter(|signature| *signature == ReceiptSignature::Wrong).map(|_| "signature");
        let mut fields = Vec::new();
        for field in rows.map(|row| row.field).chain(signature) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }
}

/// Exit code 3 when something differs.
pub fn require_equal(verdict: &Verdict) -> CliResult {
    if verdict.verified {
        return Ok(());
    }
    if verdict.engines_agree == Some(false) {
        return Err(engines_differ());
    }
    let fields = verdict.differing();
    let next = match fields.as_slice() {
        // What it says is so; the file is damaged or somebody else's.
        ["signature"] => "get the receipt from the provider again",
        _ => "run it once more on another machine; two that agree against the claim have found a wrong one",
    };
    Err(CliError::new(format!("what is claimed is not so: {}", fields.join(", ")))
        .with_exit(Exit::Differs)
        .with_next(next))
}

/// A value on one line, nothing in it that acts on a terminal.
pub fn shown_value(text: &str) -> String {
    shown_from(&one_line(text), 0)
}

fn one_line(text: &str) -> String {
    printable(text.as_bytes()).replace('\n', "\\n").replace('\t', "\\t")
}

/// From this character on, cut.
fn shown_from(text: &str, start: usize) -> String {
    let rest = text.chars().skip(start);
    let shown: String = rest.clone().take(SHOWN_CHARS_MAX).collect();
    let (before, after) = (start > 0, rest.clone().nth(SHOWN_CHARS_MAX).is_some());
    let mark = |is_cut| if is_cut { "…" } else { "" };
    let length = if before || after { format!(" ({} bytes)", text.len()) } else { String::new() };
    format!("{}{shown}{}{length}", mark(before), mark(after))
}

/// Two values that differ, cut so that the first difference is shown.
fn shown_pair(left: &str, right: &str) -> (String, String) {
    let (left, right) = (one_line(left), one_line(right));
    let is_long = |text: &str| text.chars().nth(SHOWN_CHARS_MAX).is_some();
    let common = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
    let start = if is_long(&left) || is_long(&right) { common.saturating_sub(SHOWN_COMMON_CHARS) } else { 0 };
    (shown_from(&left, start), shown_from(&right, start))
}

/// Prints rows for a person; `sides` are what the claim and the other side are called.
pub fn print_rows(rows: &[Comparison], (left, right): (&str, &str)) {
    for Comparison { field, claimed, found, equal } in rows {
        if *equal {
            println!("  same    {field:<26} {}", shown_value(found));
        } else {
            let (claimed, found) = shown_pair(claimed, found);
            println!("  DIFFERS {field:<26} {left:<7} {claimed}");
            println!("          {:<26} {right:<7} {found}", "");
        }
    }
}

/// Prints a verdict for a person; `claim` is what makes it.
pub fn print_verdict(verdict: &Verdict, claim: &str) {
    for part in &verdict.compared {
        let in_engine = part.engine.map(|engine| format!(" in {}", engine.text())).unwrap_or_default();
        let sides = match part.with {
            Source::Run => {
                println!("running it again{in_engine}:");
                (claim, "here")
            }
            Source::Chain => {
                println!("the chain's record:");
                (claim, "chain")
            }
            Source::OtherEngine => {
                println!("the two runs against each other:");
                ("first", "second")
            }
        };
        // Twice the same rows say no more than once.
        if part.with == Source::OtherEngine && part.is_equal() {
            println!("  same    all {} fields", part.fields.len());
        } else {
            print_rows(&part.fields, sides);
        }
    }
    match (&verdict.engine, verdict.engines_agree) {
        (_, Some(true)) => println!("  the engines agree"),
        (_, Some(false)) => println!("  THE ENGINES DO NOT AGREE"),
        (Some(engine), None) => println!("  run in {} ({})", engine.text(), verdict.engine_choice),
        (None, None) => {}
    }
    for remark in &verdict.remarks {
        println!("  {remark}");
    }
}

/// The receipt of a run here.
pub fn found(posting: Option<Posting>, task: TaskSpec, ran: &Ran) -> CliResult<Receipt> {
    let engine = ran.engine.map(|row| EngineNote::from(row.kind));
    Receipt::unsigned((posting, task), (ran.outcome, ran.facts.clone()), engine)
        .context("the sandbox child gave no valid result")
}

/// The receipts of runs here, each with what ran it.
pub fn found_each(
    posting: Option<Posting>,
    task: TaskSpec,
    runs: &[Ran],
) -> CliResult<Vec<(Receipt, Option<EngineRow>)>> {
    runs.iter().map(|ran| Ok((found(posting, task, ran)?, ran.engine))).collect()
}

/// Runs `assay receipt verify`.
pub async fn verify(globals: &GlobalArgs, args: &VerifyArgs) -> CliResult {
    let output = globals.output();
    let receipt = file::load(globals, &args.receipt).await?;
    let mut progress = Progress::quiet_start(output, "reading");
    // Before the run, which may take long: a chain that cannot be asked, or a job without a result, ends it at once.
    let recorded = match args.job {
        Some(job) => Some(with_chain(globals, job, &receipt).await?),
        None => None,
    };
    let used = receipt.engine.as_ref().and_then(|engine| EngineKind::from_name(&engine.name));
    let again = Again::check(&args.again, used, output);
    let (mut compared, runs) = run_again(globals, (args, &again), &receipt, &mut progress).await?;
    drop(progress);
    let job = recorded.map(|(part, job)| {
        compared.push(part);
        job
    });
    let mut verdict = Verdict::new(job, compared);
    if let (None, Some(posting)) = (job, receipt.posting) {
        verdict.claimed_job = Some(Pubkey::from(posting.job).to_string());
        verdict.claimed_job_uid = receipt.canonical().job_uid().map(hex::encode);
    }
    verdict.ran_in(&runs, again.choice());
    verdict.signature = Some(receipt.check_signature());
    verdict.verified &= receipt.check_signature() != ReceiptSignature::Wrong;
    verdict.remarks = remarks(&receipt, args);
    let checked = require_equal(&verdict);
    show(output, &verdict, checked)
}

fn show(output: Output, verdict: &Verdict, checked: CliResult) -> CliResult {
    output.result_and(verdict, checked, || {
        print_verdict(verdict, "receipt");
        if verdict.verified {
            println!("verified: running the task again gives what the receipt says{}", reach(verdict));
        }
    })
}

/// How far that goes: a key made for the purpose can sign a true run of a job that nobody posted.
fn reach(verdict: &Verdict) -> &'static str {
    match (verdict.chain_checked, &verdict.claimed_job) {
        (true, _) => ", and the chain has this job with this result",
        (false, Some(_)) => "; the job itself was not checked on any chain",
        (false, None) => "",
    }
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
    (args, again): (&VerifyArgs, &Again),
    receipt: &Receipt,
    progress: &mut Progress,
) -> CliResult<(Vec<Part>, Vec<Ran>)> {
    let claimed: Vec<Field> = receipt.fields().into_iter().filter(|field| !field.name.starts_with("job.")).collect();
    let cid = assay_content::cid_from_digest(&receipt.task.job_cid_digest);
    let read = match &args.dir {
        Some(dir) => {
            progress.set("reading the job directory");
            Ok(read_directory(dir, &cid)?)
        }
        None => {
            progress.set("fetching the job directory");
            fetch(globals, &cid).await?
        }
    };
    let runs = match read {
        Ok(entries) => {
            progress.set("running it again");
            again.run(receipt.task, &entries).await?
        }
        Err(invalid) => vec![invalid],
    };
    let found = found_each(None, receipt.task, &runs)?;
    Ok((compare_runs(&claimed, &found, Receipt::fields), runs))
}

/// The job directory. Another job's proves nothing about this one, neither for nor against it.
pub fn read_directory(dir: &Path, cid: &Cid) -> CliResult<Vec<Entry>> {
    let problem = match JobDirectory::read(dir) {
        Ok(directory) if directory.package.root == *cid => return Ok(directory.entries),
        Ok(JobDirectory { package, .. }) => CliError::new(format!(
            "{} is another job's directory (CID {}, the one to be run is {cid})",
            shown_path(dir),
            package.root
        ))
        .with_next("name the directory as it was posted, every file unchanged; without --dir it is fetched by its CID"),
        Err(error) => error,
    };
    let inner = dir.join(JOB_DIRECTORY_NAME);
    let is_meant = JobDirectory::read(&inner).is_ok_and(|directory| directory.package.root == *cid);
    Err(if is_meant { problem.with_next(format!("did you mean {}?", shown_path(&inner))) } else { problem })
}

async fn fetch(globals: &GlobalArgs, cid: &Cid) -> CliResult<Result<Vec<Entry>, Ran>> {
    let context = Context::new(globals)?;
    let chain = Chain::unchecked(&context).with_content(&context)?;
    sandbox::fetch(chain.fetcher()?, cid)
        .await
        .context("cannot fetch the job directory")
        .next("name the job directory with --dir, or check the content nodes: assay doctor")
}

/// What the receipt says against what the chain holds, and the job there: its address and uid.
async fn with_chain(
    globals: &GlobalArgs,
    job: Option<Pubkey>,
    receipt: &Receipt,
) -> CliResult<(Part, (Pubkey, [u8; 32]))> {
    let address = job.or(receipt.posting.map(|posting| Pubkey::from(posting.job))).ok_or_else(|| {
        CliError::usage("the receipt names no job: nobody posted this run").with_next(
            "leave out --job; a job on chain is checked by: assay verify JOB, with --receipt FILE for a receipt of it",
        )
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
    Ok((Part { with: Source::Chain, engine: None, fields: compare(&claimed, &on_chain) }, (view.address, view.job_uid)))
}

/// What the chain says about a job's run: task and outcome.
pub fn record_fields(view: &JobView) -> Vec<Field> {
    let mut fields = task_fields(&view.task);
    fields.extend(view.outcome.as_ref().map(outcome_fields).unwrap_or_default());
    fields
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

//! `assay test`: runs a module as a provider would and compares what it writes with what is expected.

use std::path::{Path, PathBuf};

use assay_content::Entry;
use assay_protocol::{OutcomeKind, TaskLimits, TaskSpec};
use clap::Args;
use serde::Serialize;

use super::{
    advice::Closer,
    compare::{DIFFERENCES_MAX, Difference, differences},
    project::{Target, Task, TaskArgs},
};
use crate::{
    ended::end_of,
    engine::{Again, AgainArgs},
    error::{CliError, CliResult, Exit},
    output::{Output, grouped, printable, shown_path, typeable},
    progress::Progress,
    receipt,
    run::RunLine,
    sandbox::{JobDirectory, Ran},
};

/// Gas of a test unless the manifest or a flag says otherwise.
const GAS_LIMIT: u64 = 1_000_000;
/// Where a project keeps what is expected.
const EXPECTED_DIRECTORY_NAME: &str = "expected";
/// Most of what the guest wrote that is shown, bytes of each stream.
const SHOWN_BYTES_MAX: usize = 2_000;

/// `assay test`.
#[derive(Debug, Args)]
#[command(
    mut_arg("both", |flag| flag.help("Runs it in both engines, which must agree on everything")),
    mut_arg("gas_limit", |flag| flag.help("Most gas [default: the manifest's, else 1,000,000]")),
    after_help = "DIR is a result directory (stdout.txt, stderr.txt, output/; what is not there is not compared) or the \
output directory alone. A project's own `expected/` is the default.\nExit codes: 0 the module exited with 0 and wrote what is expected · \
3 it wrote something else · 1 it ended otherwise, or could not be run · 2 wrong usage"
)]
pub struct TestArgs {
    #[command(flatten)]
    task: TaskArgs,
    /// What it should write.
    #[arg(long, value_name = "DIR")]
    expect: Option<PathBuf>,
    #[command(flatten)]
    again: AgainArgs,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Tested {
    #[serde(flatten)]
    run: RunLine,
    gas_limit: u64,
    /// Whether both engines ran it; a result is only shown when they agree.
    both_engines: bool,
    /// Whether it wrote what is expected; null when nothing is.
    as_expected: Option<bool>,
    differences: Vec<Difference>,
}

/// Runs `assay test`.
pub async fn run(output: Output, args: &TestArgs) -> CliResult {
    let Task { target, spec, entries, closer } = args.task.task(GAS_LIMIT)?;
    let expected = args.expect.clone().or_else(|| own_expectation(args, &target));
    let hints = Hints { record: how_to_record(args, &target, expected.as_deref()), closer };
    // Read before the run, which may take long.
    let wanted = expected.as_deref().map(JobDirectory::read).transpose()?;
    let ran = {
        let _progress = Progress::quiet_start(output, "running");
        run_task(output, args, (spec, &entries)).await?
    };
    let differences = wanted.map(|wanted| differences(&wanted.entries, &ran.entries)).unwrap_or_default();
    let checked = check(&ran, &spec.limits, (expected.as_deref(), &hints), &differences);
    let as_expected = expected.is_some().then_some(differences.is_empty());
    let gas_limit = spec.limits.gas_limit;
    let tested = Tested { run: RunLine::of(&ran), gas_limit, both_engines: args.again.both, as_expected, differences };
    output.result_and(&tested, checked, || show(&ran, &tested))
}

/// Runs it as a provider does, or in both engines.
async fn run_task(output: Output, args: &TestArgs, (spec, entries): (TaskSpec, &[Entry])) -> CliResult<Ran> {
    let runs = Again::trial(&args.again, output).run(spec, entries).await?;
    receipt::require_agreement(&receipt::found_each(None, spec, &runs)?)?;
    runs.into_iter().next().ok_or_else(|| CliError::new("the module was not run"))
}

/// A project's recorded result; not for another input than its own.
fn own_expectation(args: &TestArgs, target: &Target) -> Option<PathBuf> {
    let is_own = args.task.stdin.is_none() && args.task.args.is_empty() && args.task.function.is_none();
    match target {
        Target::Directory { project, .. } if is_own => {
            Some(project.join(EXPECTED_DIRECTORY_NAME)).filter(|directory| directory.is_dir())
        }
        _ => None,
    }
}

/// What makes it expected: a command to be typed where one does it.
fn how_to_record(args: &TestArgs, target: &Target, expected: Option<&Path>) -> String {
    let has_own_terms = args.task.terms.seed.is_none() && args.expect.is_none();
    match (target, expected) {
        // What is there is not overwritten, so it goes first.
        (Target::Directory { job, .. }, Some(own)) if has_own_terms => {
            format!("record it: rm -r {0} && assay run {1} --out {0}", typeable(own), typeable(job))
        }
        (_, Some(named)) => format!("put it into {}", shown_path(named)),
        (_, None) => String::new(),
    }
}

fn is_success(ran: &Ran) -> bool {
    ran.outcome.kind == OutcomeKind::Exited && ran.outcome.exit_code == 0
}

/// Commands to be typed next.
struct Hints {
    record: String,
    closer: Closer,
}

fn check(
    ran: &Ran,
    limits: &TaskLimits,
    (expected, hints): (Option<&Path>, &Hints),
    differences: &[Difference],
) -> CliResult {
    if !is_success(ran) {
        let next = hints.closer.next_step(end_of(&ran.outcome), limits);
        return Err(CliError::new(format!("the test failed: {}", ran.text())).with_next(next));
    }
    let Some(expected) = expected else { return Ok(()) };
    if differences.is_empty() {
        return Ok(());
    }
    let files = if differences.len() == 1 { "1 file".to_owned() } else { format!("{} files", differences.len()) };
    Err(CliError::new(format!("the test failed: {files} not as in {}", shown_path(expected)))
        .with_exit(Exit::Differs)
        .with_next(format!("mend the module; or, if this is what it should write, {}", hints.record)))
}

fn show(ran: &Ran, tested: &Tested) {
    for (name, file) in [("stdout", "stdout.txt"), ("stderr", "stderr.txt")] {
        let bytes = ran.file(file);
        if bytes.is_empty() {
            continue;
        }
        let shown = printable(bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes));
        println!("{name}");
        for line in shown.lines() {
            println!("  {line}");
        }
        if bytes.len() > SHOWN_BYTES_MAX {
            println!("  … {} bytes in all", grouped(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
        }
    }
    // Why a task is invalid is a long story, which the error tells.
    let is_invalid = ran.outcome.kind == OutcomeKind::Invalid;
    println!("outcome      {}", if is_invalid { ran.outcome.kind.name().to_owned() } else { ran.text() });
    println!("gas          {} of {}", grouped(ran.outcome.gas_used), grouped(tested.gas_limit));
    println!("memory peak  {} bytes", grouped(ran.memory_peak_bytes()));
    println!("stack peak   {} bytes", grouped(ran.stack_peak_bytes()));
    match &ran.engine {
        _ if tested.both_engines => println!("engines      both, which agree"),
        Some(engine) => println!("engine       {}", engine.text()),
        None => {}
    }
    // Of a run that failed, what it did not write is no news.
    if !is_success(ran) {
        return;
    }
    for difference in tested.differences.iter().take(DIFFERENCES_MAX) {
        println!("{} {}", difference.path, difference.what);
        for line in difference.lines.lines() {
            println!("  {line}");
        }
    }
    if tested.differences.len() > DIFFERENCES_MAX {
        println!("… {} files in all", tested.differences.len());
    }
    match tested.as_expected {
        Some(true) => println!("as expected"),
        Some(false) => {}
        None => println!("nothing to compare with; --expect DIR names what it should write"),
    }
}

//! `assay run`: runs a module, or a whole job directory, exactly as a provider would.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use assay_content::{Cid, Entry, write_entries};
use assay_protocol::{TaskSpec, limits::INPUT_BYTES_MAX};
use assay_sdk::{
    JobManifest,
    manifest::MANIFEST_FILE_NAME,
    verify::{STDERR_FILE_NAME, STDOUT_FILE_NAME},
};
use clap::Args;
use serde::Serialize;

use crate::{
    author::Target,
    ended::Ended,
    engine::{EngineArgs, EngineRow},
    error::{CliError, CliResult, Context as _, both},
    output::{Output, grouped, print_bytes, require_new_directory, require_new_file, shown_path},
    progress::Progress,
    receipt,
    sandbox::{JobDirectory, Order, Ran, TaskTerms, TermArgs, manifest_terms, run as run_in_sandbox},
};

/// Where `--stdin FILE` is put in the guest's file system, unless a manifest names a place.
pub const STDIN_ENTRY: &str = "stdin.bin";
/// Where the guest writes its results.
const OUTPUT_PATH: &str = "output";

/// `assay run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the run came to an outcome, whichever it is: Exited (with any exit code of the guest), Trapped, \
OutOfGas, OutputTooLarge, Invalid; read `outcome`, `exit_code` and, if it is there, `reason` of --json · 1 this host came to none: a file \
that cannot be read, --timeout-s is over, the sandbox failed; or what --out and --receipt name could not be written · 2 wrong usage · 130 interrupted"
)]
pub struct RunArgs {
    /// A module; or a project or its job directory, which is then run by its manifest.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    terms: TermArgs,
    /// Files that the guest sees as its root directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// An environment variable for the guest; may be repeated.
    #[arg(long, value_name = "K=V", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// The guest's standard input.
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Writes the result directory here: stdout.txt, stderr.txt, output/.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Writes a receipt of the run, which nobody signed.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Calls this exported function instead of the module's own entry point.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Arguments for the guest.
    #[arg(last = true)]
    args: Vec<String>,
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no NAME=VALUE")),
    }
}

/// The last line of `--json`. Its keys are a contract: none is ever removed or renamed.
#[derive(Debug, Serialize)]
pub struct RunLine {
    #[serde(flatten)]
    ended: Ended,
    gas_used: u64,
    /// Bytes, like the next one; receipts and records have the unit in the name.
    stack_peak: u64,
    memory_peak: u64,
    result_cid: Option<String>,
    metered_hash: Option<String>,
    /// What ran it, when anything was run.
    engine: Option<EngineRow>,
}

impl RunLine {
    /// Of a run.
    pub fn of(ran: &Ran) -> Self {
        Self {
            ended: ran.ended(),
            gas_used: ran.outcome.gas_used,
            stack_peak: ran.stack_peak_bytes(),
            memory_peak: ran.memory_peak_bytes(),
            result_cid: ran.root.as_ref().map(Cid::to_string),
            metered_hash: ran.metered_hash.map(hex::encode),
            engine: ran.engine,
        }
    }
}

/// Runs `assay run`.
pub async fn run(output: Output, args: RunArgs) -> CliResult {
    require_new_directory(args.out.as_deref(), "--out")?;
    require_new_file(args.receipt.as_deref(), "--receipt")?;
    let target = Target::find(&args.path)?;
    let (directory, terms) = match &target {
        Target::Directory { job, .. } => {
            // What is wrong with a job directory is an outcome. A project may not be one yet: its module may not be built.
            if *job != args.path {
                target.module()?;
            }
            job_directory(&args, job)?
        }
        Target::Module(path) => module_directory(&args, path)?,
    };
    let task = directory.spec(terms)?;
    let ran = {
        let _progress = Progress::quiet_start(output, "running");
        let deadline = args.engine.timeout.deadline();
        let (manner, compiled) = (args.engine.provider_manner(), args.engine.cache(output));
        run_in_sandbox(Order { task, entries: directory.entries, deadline, manner, compiled }).await?
    };
    // A disk that is full takes nothing of what the run has shown.
    let kept = both(keep_result(output, &args, &ran), keep_receipt(&args, task, &ran));
    show(output, &ran, kept)
}

fn keep_result(output: Output, args: &RunArgs, ran: &Ran) -> CliResult {
    match &args.out {
        Some(out) if ran.root.is_none() => {
            output.note(format!("nothing was written to {}: an invalid job has no result", shown_path(out)));
            Ok(())
        }
        Some(out) => write_entries(out, &ran.entries)
            .context(format!("cannot write the result to {}", shown_path(out)))
            .next("name another directory with --out, on a disk that has room"),
        None => Ok(()),
    }
}

fn keep_receipt(args: &RunArgs, task: TaskSpec, ran: &Ran) -> CliResult {
    match &args.receipt {
        Some(path) => receipt::write(path, &receipt::found(None, task, ran)?),
        None => Ok(()),
    }
}

fn terms(args: &RunArgs, manifest: Option<&JobManifest>) -> TaskTerms {
    let terms = TaskTerms::default();
    args.terms.over(manifest.map_or(terms, |manifest| manifest_terms(manifest, terms)))
}

/// A job directory runs by its manifest, so the flags that would make another manifest are refused.
fn job_directory(args: &RunArgs, job: &Path) -> CliResult<(JobDirectory, TaskTerms)> {
    let is_plain = args.dir.is_none()
        && args.env.is_empty()
        && args.stdin.is_none()
        && args.function.is_none()
        && args.args.is_empty();
    if !is_plain {
        return Err(CliError::usage(
            "a job directory runs by its manifest; --dir, --env, --stdin, --function and arguments are for modules",
        )
        .with_next(format!("edit {}, or name the module", shown_path(&job.join(MANIFEST_FILE_NAME)))));
    }
    let directory = JobDirectory::read(job)?;
    // A manifest that is not valid is a result too: the run says Invalid and why.
    let manifest = directory.manifest().ok();
    let terms = terms(args, manifest.as_ref());
    let mismatch = manifest.and_then(|manifest| manifest.mismatch(&terms.limits, terms.seed, terms.clock_unix_ns));
    if let Some(mismatch) = mismatch {
        let (field, flag) = match mismatch.field {
            "limits.gas_limit" => (mismatch.field, "--gas-limit"),
            "limits.memory_bytes" => (mismatch.field, "--memory"),
            "limits.stack_bytes" => (mismatch.field, "--stack"),
            "limits.output_bytes" => (mismatch.field, "--output-bytes"),
            "clock_unix_ns" => (mismatch.field, "--clock-unix-ns"),
            field => (field, "--seed"),
        };
        return Err(CliError::usage(format!(
            "{flag} is {} and {MANIFEST_FILE_NAME} states `{field}` {}; a job has one of them",
            mismatch.account, mismatch.manifest
        ))
        .with_next(format!("leave out {flag}, or `{field}` in {MANIFEST_FILE_NAME}")));
    }
    Ok((directory, terms))
}

/// A whole file, pipes and devices included, none of them longer than a job directory may be.
pub fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(INPUT_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= INPUT_BYTES_MAX) {
        return Ok(bytes);
    }
    Err(io::Error::other(format!("it is longer than {} bytes, all that a job may hold", grouped(INPUT_BYTES_MAX))))
}

/// A module alone becomes a job directory with a manifest made of the flags.
fn module_directory(args: &RunArgs, path: &Path) -> CliResult<(JobDirectory, TaskTerms)> {
    let module = read_bounded(path)
        .context(format!("cannot read the module {}", shown_path(path)))
        .next("name a .wasm file, a job directory or a project")?;
    let name = path.file_name().and_then(|name| name.to_str());
    let executable = name.ok_or_else(|| CliError::usage("the module's file name is not UTF-8"))?.to_owned();
    let mut entries = match &args.dir {
        Some(dir) => JobDirectory::read(dir)?.entries,
        None => Vec::new(),
    };
    entries.retain(|entry| entry.path != MANIFEST_FILE_NAME);
    match entries.iter().find(|entry| entry.path == executable) {
        Some(entry) if entry.bytes().is_some_and(|bytes| bytes.as_ref() == module) => {}
        Some(_) => {
            return Err(CliError::usage(format!("--dir has another file {executable:?} than the module"))
                .with_next("rename one of the two"));
        }
        None => entries.push(Entry::file(executable.clone(), module)),
    }
    let stdin = match &args.stdin {
        None => None,
        Some(path) => {
            let bytes = read_bounded(path)
                .context(format!("cannot read the file of --stdin, {}", shown_path(path)))
                .next("name a file for --stdin")?;
            entries.retain(|entry| entry.path != STDIN_ENTRY);
            entries.push(Entry::file(STDIN_ENTRY, bytes));
            Some(STDIN_ENTRY.to_owned())
        }
    };
    let manifest = JobManifest {
        args: args.args.clone(),
        env: args.env.iter().cloned().collect(),
        stdin,
        function_name: args.function.clone(),
        ..JobManifest::new(executable, OUTPUT_PATH)
    };
    entries.push(Entry::file(MANIFEST_FILE_NAME, manifest.to_json()?));
    Ok((JobDirectory::from_entries(entries)?, terms(args, None)))
}

/// The run, and what could not be `kept` of it.
fn show(output: Output, ran: &Ran, kept: CliResult) -> CliResult {
    let line = RunLine::of(ran);
    let (stdout, stderr) = (ran.file(STDOUT_FILE_NAME), ran.file(STDERR_FILE_NAME));
    print_bytes(&mut io::stdout().lock(), stdout)?;
    print_bytes(&mut io::stderr().lock(), stderr)?;
    if output.json {
        // The guest's last line and the JSON line are never one.
        if stdout.last().is_some_and(|byte| *byte != b'\n') {
            println!();
        }
        return output.result_and(&line, kept, || ());
    }
    if stderr.last().is_some_and(|byte| *byte != b'\n') {
        eprintln!();
    }
    if !output.quiet {
        eprintln!("outcome      {}", ran.text());
        eprintln!("gas          {}", grouped(line.gas_used));
        eprintln!("peaks        stack {} bytes, memory {} bytes", grouped(line.stack_peak), grouped(line.memory_peak));
        eprintln!("result       {}", line.result_cid.as_deref().unwrap_or("none"));
        eprintln!("metered      {}", line.metered_hash.as_deref().unwrap_or("none"));
        eprintln!("engine       {}", line.engine.as_ref().map_or("none".to_owned(), EngineRow::text));
    }
    kept
}

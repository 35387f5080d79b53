//! Running a job directory in the sandbox child, exactly as a provider does.

use std::{path::Path, sync::Arc, time::Duration};

use assay_content::{
    BlockSet, Budget, Cid, Entry, FetchError, Fetcher, PackLimits, Package, digest_from_cid, pack_entries, pack_path,
    unpack,
};
use assay_executor::worker::{
    Cancel, CheckedRun, ChildSettings, ISOLATION_VARIABLE, Isolation, Manner, RanTask, Work, WorkRequest, WorkerFault,
    run_in_child,
};
use assay_protocol::{
    Hash32, InvalidReason, METERED_HASH_UNSTATED, Outcome, PROFILE_V1, TaskLimits, TaskSpec,
    limits::{CLOCK_UNIX_NS_DEFAULT, SEED_DEFAULT},
};
use assay_runtime::ArtifactCache;
use assay_sdk::{JobManifest, manifest::MANIFEST_FILE_NAME, receipt::RunFacts};
use clap::Args;

use crate::{
    ended::Ended,
    engine::EngineRow,
    error::{CliError, CliResult, Context as _, Exit},
    output::{grouped, shown_path},
    parse,
};

/// Wall clock of a run beside its gas, compiling included. Liveness only: reaching it is no result.
const DEADLINE_BASE_S: u64 = 60;
/// Gas per second that even a slow machine manages.
const SLOW_GAS_PER_S: u64 = 5_000_000;
/// Runs of one task: of the fast variant, and of the program itself where that gave no answer.
const RUNS_MAX: u64 = 2;
/// Longest wall clock that is worked out.
const DEADLINE_S_MAX: u64 = 24 * 3_600;

/// A job directory in memory.
#[derive(Debug)]
pub struct JobDirectory {
    /// Its files.
    pub entries: Vec<Entry>,
    /// Its blocks.
    pub package: Package,
}

impl JobDirectory {
    /// Reads a directory by the rules that a poster's is packed by.
    pub fn read(dir: &Path) -> CliResult<Self> {
        let named = format!("cannot read the directory {}", shown_path(dir));
        let next =
            if dir.is_dir() { "mend what is named, then run this again" } else { "name a directory that there is" };
        let package = pack_path(dir, PackLimits::default()).context(named.clone()).next(next)?;
        let blocks = BlockSet::from_blocks(package.blocks.iter().cloned())?;
        let entries = unpack(package.root, &blocks, &Budget::PROFILE).context(named).next(next)?;
        Ok(Self { entries, package })
    }

    /// From files in memory.
    pub fn from_entries(entries: Vec<Entry>) -> CliResult<Self> {
        let package = pack_entries(entries.iter().cloned()).context("cannot pack the job directory")?;
        Ok(Self { entries, package })
    }

    /// Its manifest; the error says what is wrong with it.
    pub fn manifest(&self) -> CliResult<JobManifest> {
        let file = self.entries.iter().find(|entry| entry.path == MANIFEST_FILE_NAME).and_then(Entry::bytes);
        let bytes = file.ok_or_else(|| {
            CliError::new(format!("the job directory has no {MANIFEST_FILE_NAME}"))
                .with_next(r#"write one: {"executable": "job.wasm", "args": [], "output_path": "output/"}"#)
        })?;
        JobManifest::from_json(bytes).context(format!("{MANIFEST_FILE_NAME} is not valid"))
    }

    /// What determines its outcome under these limits, seed and clock.
    pub fn spec(&self, terms: TaskTerms) -> CliResult<TaskSpec> {
        Ok(TaskSpec {
            profile: PROFILE_V1,
            job_cid_digest: digest_from_cid(&self.package.root)?,
            metered_hash: METERED_HASH_UNSTATED,
            limits: terms.limits,
            seed: terms.seed,
            clock_unix_ns: terms.clock_unix_ns,
        })
    }
}

/// What a task may use and what it starts from.
#[derive(Clone, Copy, Debug)]
pub struct TaskTerms {
    /// Limits.
    pub limits: TaskLimits,
    /// Seed.
    pub seed: u64,
    /// Start of the clock.
    pub clock_unix_ns: u64,
}

impl Default for TaskTerms {
    fn default() -> Self {
        Self { limits: TaskLimits::default(), seed: SEED_DEFAULT, clock_unix_ns: CLOCK_UNIX_NS_DEFAULT }
    }
}

/// Flags of commands that make a task of one's own. What a flag says counts, then the manifest, then the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct TermArgs {
    /// Most gas [default: the manifest's, else 1,000,000,000].
    #[arg(long, value_name = "N", value_parser = parse::gas_limit, allow_negative_numbers = true)]
    pub gas_limit: Option<u64>,
    /// Most linear memory in bytes, a multiple of 65,536 [default: the manifest's, else 67,108,864].
    #[arg(long, value_name = "BYTES", value_parser = parse::memory, allow_negative_numbers = true)]
    pub memory: Option<u64>,
    /// Most stack in bytes [default: the manifest's, else 1,048,576].
    #[arg(long, value_name = "BYTES", value_parser = parse::stack, allow_negative_numbers = true)]
    pub stack: Option<u64>,
    /// Most bytes of everything that it writes [default: the manifest's, else 67,108,864].
    #[arg(long, value_name = "BYTES", value_parser = parse::output_bytes, allow_negative_numbers = true)]
    pub output_bytes: Option<u64>,
    /// Seed of the guest's randomness [default: the manifest's, else 0].
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// When the guest's clock starts, nanoseconds since 1970: 1767225600000000000 is the beginning of 2026, $(date +%s)000000000
    /// is now [default: the manifest's, else 1735689600000000000, which is 2025].
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    pub clock_unix_ns: Option<u64>,
}

impl TermArgs {
    /// The terms, but for what the flags say.
    pub fn over(&self, mut terms: TaskTerms) -> TaskTerms {
        let limits = &mut terms.limits;
        let rows = [
            (&mut limits.gas_limit, self.gas_limit),
            (&mut limits.memory_bytes, self.memory),
            (&mut limits.stack_bytes, self.stack),
            (&mut limits.output_bytes, self.output_bytes),
            (&mut terms.seed, self.seed),
            (&mut terms.clock_unix_ns, self.clock_unix_ns),
        ];
        for (term, flag) in rows {
            *term = flag.unwrap_or(*term);
        }
        terms
    }
}

/// What the manifest pins, over the given terms.
pub fn manifest_terms(manifest: &JobManifest, terms: TaskTerms) -> TaskTerms {
    TaskTerms {
        limits: manifest.limits.unwrap_or_default().resolve(&terms.limits),
        seed: manifest.seed.unwrap_or(terms.seed),
        clock_unix_ns: manifest.clock_unix_ns.unwrap_or(terms.clock_unix_ns),
    }
}

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    /// What is agreed on.
    pub outcome: Outcome,
    /// Root of the result directory; `None` when Invalid.
    pub root: Option<Cid>,
    /// Files of the result directory.
    pub entries: Vec<Entry>,
    /// Hash of the metered module; `None` when it cannot be metered.
    pub metered_hash: Option<Hash32>,
    /// Which engine ran it; `None` when nothing was run.
    pub engine: Option<EngineRow>,
    /// What a receipt says about the run; `None` when Invalid.
    pub facts: Option<RunFacts>,
    /// Why it is Invalid.
    pub explanation: Option<String>,
}

impl Ran {
    /// A task whose content no host can read.
    pub fn invalid(reason: InvalidReason, explanation: String) -> Self {
        Self {
            outcome: Outcome::invalid(reason),
            root: None,
            entries: Vec::new(),
            metered_hash: None,
            engine: None,
            facts: None,
            explanation: Some(explanation),
        }
    }

    fn of(ran: RanTask, checked: CheckedRun) -> Self {
        let CheckedRun { outcome, package, entries, facts } = checked;
        Self {
            outcome,
            root: package.map(|package| package.root),
            entries,
            metered_hash: ran.metered_hash,
            engine: ran.engine.map(|kind| EngineRow { kind, variant: ran.variant }),
            facts,
            explanation: ran.explanation,
        }
    }

    /// Most stack, bytes; zero when nothing ran.
    pub fn stack_peak_bytes(&self) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.stack_peak_bytes)
    }

    /// Most linear memory, bytes; zero when nothing ran.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.facts.as_ref().map_or(0, |facts| facts.memory_peak_bytes)
    }

    /// A file of the result directory.
    pub fn file(&self, path: &str) -> &[u8] {
        self.entries.iter().find(|entry| entry.path == path).and_then(Entry::bytes).map_or(&[], |bytes| bytes.as_ref())
    }

    /// How it ended.
    pub fn ended(&self) -> Ended {
        Ended::of_outcome(&self.outcome, self.explanation.as_deref())
    }

    /// The outcome in words, with the reason.
    pub fn text(&self) -> String {
        self.ended().text()
    }
}

/// What to run.
#[derive(Debug)]
pub struct Order {
    /// Content, module, limits, seed, clock.
    pub task: TaskSpec,
    /// The job directory.
    pub entries: Vec<Entry>,
    /// Wall clock; `None`: by the gas limit.
    pub deadline: Option<Duration>,
    /// How it is run.
    pub manner: Manner,
    /// Where compiled code is kept, if it is.
    pub compiled: Option<Arc<ArtifactCache>>,
}

/// A job directory from the content node; `Err` when no host can read it, which is an outcome, too.
pub async fn fetch(fetcher: &Fetcher, cid: &Cid) -> Result<Result<Vec<Entry>, Ran>, FetchError> {
    // The commands' own budget is a result's, which may be larger; whether a job directory is valid must not depend on it.
    match fetcher.within(Budget::PROFILE).fetch(cid).await {
        Ok(entries) => Ok(Ok(entries)),
        Err(error) => match error.invalid_reason() {
            Some(reason) => Ok(Err(Ran::invalid(reason, error.to_string()))),
            None => Err(error),
        },
    }
}

/// Runs it in a child process without keys, files and network.
pub async fn run(order: Order) -> CliResult<Ran> {
    let Order { task, entries, deadline: told, manner, compiled } = order;
    let gas_limit = task.limits.gas_limit;
    let deadline = told.unwrap_or_else(|| deadline_by_gas(gas_limit));
    let isolation = told_isolation()?.unwrap_or(ChildSettings::default().isolation);
    let settings = ChildSettings { deadline, isolation, compiled, ..ChildSettings::default() };
    let request = WorkRequest { work: Work::Run(manner), task, entries };
    // Nothing of the answer is believed that the job directory and the result say otherwise.
    let run_and_check = move |cancel: &Cancel| {
        let ran = run_in_child(&request, &settings, cancel)?.ran()?;
        ran.check(&request.task, &request.entries).map(|checked| (ran, checked))
    };
    let cancel = Cancel::default();
    let stopper = cancel.clone();
    let work = tokio::task::spawn_blocking(move || run_and_check(&cancel));
    let reply = tokio::select! {
        reply = work => reply,
        interrupted = tokio::signal::ctrl_c() => {
            stopper.cancel();
            interrupted?;
            return Err(CliError::new("interrupted; the sandbox child was stopped").with_exit(Exit::Interrupted));
        }
    };
    match reply.context("the sandbox failed")? {
        Ok((ran, checked)) => Ok(Ran::of(ran, checked)),
        Err(WorkerFault::Deadline(_)) => Err(too_slow(gas_limit, told, deadline)),
        Err(fault) => Err(CliError::from(fault)),
    }
}

/// What does not exit is run again from the start.
fn deadline_by_gas(gas_limit: u64) -> Duration {
    let runs_s = (gas_limit / SLOW_GAS_PER_S).saturating_mul(RUNS_MAX);
    Duration::from_secs(DEADLINE_BASE_S.saturating_add(runs_s).min(DEADLINE_S_MAX))
}

/// The variable that overrides a provider's configuration counts for what is run at the command line, too.
pub fn told_isolation() -> CliResult<Option<Isolation>> {
    let told = std::env::var_os(ISOLATION_VARIABLE).map(|text| text.to_string_lossy().parse());
    told.transpose().map_err(|error| CliError::usage(format!("cannot use {ISOLATION_VARIABLE}")).with_cause(error))
}

/// Wall clock is no part of an outcome, so running out of it gives none.
fn too_slow(gas_limit: u64, told: Option<Duration>, deadline: Duration) -> CliError {
    let waited = deadline.as_secs();
    match told {
        Some(_) => CliError::new(format!("the run had not ended after {waited} s (--timeout-s), so it has no outcome"))
            .with_next(format!(
                "give it more with --timeout-s; to reach its gas limit, {}, would be an outcome",
                grouped(gas_limit)
            )),
        None => CliError::new(format!(
            "the run had not ended after {waited} s, all that its gas limit of {} is given here",
            grouped(gas_limit)
        ))
        .with_next(
            "run it on a faster machine, or with less load; --timeout-s of `run`, `test`, `verify` and `receipt verify` gives it \
             more time",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_09_the_wall_clock_leaves_time_for_the_repeat_and_the_compiler() {
        for (gas_limit, seconds) in [(0, 60), (5_000_000, 62), (50_000_000_000, 20_060), (u64::MAX, 86_400)] {
            assert_eq!(deadline_by_gas(gas_limit).as_secs(), seconds);
        }
    }
}

//! Which engine runs a guest at the command line, and where its compiled code is kept. Neither changes a result.

use std::{env, path::PathBuf, sync::Arc, time::Duration};

use assay_content::Entry;
use assay_executor::worker::Manner;
use assay_protocol::TaskSpec;
use assay_runtime::{ArtifactCache, CacheLimits, Engine, EngineKind, Variant};
use clap::Args;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    error::CliResult,
    output::Output,
    parse,
    sandbox::{self, Order, Ran},
};

/// Compiled modules on disk, bytes; what was used longest ago goes first.
const CACHE_DISK_BYTES: u64 = 1 << 30;
/// A command runs one module.
const CACHE_MEMORY_BYTES: u64 = 64 << 20;

/// Flags of commands that run guests.
#[derive(Clone, Debug, Args)]
pub struct EngineArgs {
    /// wasmi (the reference, an interpreter), wasmtime (a compiler) or auto. The result is the same.
    #[arg(long, value_name = "ENGINE", default_value = "auto", value_parser = engine)]
    pub engine: Engine,
    /// Compiles anew and keeps nothing; by default compiled modules are kept in the user's cache folder.
    #[arg(long)]
    pub no_cache: bool,
    #[command(flatten)]
    pub timeout: TimeoutArgs,
}

/// The flag of commands whose runs may be given up.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct TimeoutArgs {
    /// Gives up on a run after this many seconds, without a result; by default the gas limit decides.
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds, allow_negative_numbers = true)]
    timeout_s: Option<u32>,
}

impl TimeoutArgs {
    /// Wall clock of each run, if one is told.
    pub fn deadline(self) -> Option<Duration> {
        self.timeout_s.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }
}

/// One of the three names.
fn engine(text: &str) -> Result<Engine, String> {
    text.parse::<assay_executor::config::EngineName>().map(|name| name.0)
}

impl EngineArgs {
    /// How a provider runs it.
    pub fn provider_manner(&self) -> Manner {
        Manner { engine: self.engine, variant: Variant::Fast }
    }

    /// How a check runs it: the program itself, with `auto` in the engine that its provider did not use.
    pub fn verifier_manner(&self, used: Option<EngineKind>) -> Manner {
        let engine = if self.engine == Engine::Auto { Engine::Unlike(used) } else { self.engine };
        Manner { engine, variant: Variant::Canonical }
    }

    /// Compiled modules of this user. A cache that cannot be used is said and gone without.
    pub fn cache(&self, output: Output) -> Option<Arc<ArtifactCache>> {
        if self.no_cache || !self.engine.may_compile() {
            return None;
        }
        let directory = cache_home()?.join("assay").join("compiled");
        let limits = CacheLimits { memory_bytes: CACHE_MEMORY_BYTES, disk_bytes: CACHE_DISK_BYTES };
        match ArtifactCache::open(Some(&directory), limits) {
            Ok(cache) => Some(Arc::new(cache)),
            Err(error) => {
                output.note(format!("compiled modules are not kept: {error}"));
                None
            }
        }
    }
}

/// `$XDG_CACHE_HOME`, or `~/.cache`.
fn cache_home() -> Option<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
}

/// Flags of commands that may run a task in both engines.
#[derive(Clone, Debug, Args)]
pub struct AgainArgs {
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Runs it in both engines, one after the other, and compares what they give with each other, too.
    #[arg(long, conflicts_with = "engine")]
    pub both: bool,
}

/// How a task is run: once, or in both engines.
#[derive(Debug)]
pub struct Again {
    manners: Vec<Manner>,
    deadline: Option<Duration>,
    compiled: Option<Arc<ArtifactCache>>,
}

impl Again {
    /// To check a run: by the flags, and by the engine that is said to have run it; a chain says nothing of that.
    pub fn check(args: &AgainArgs, used: Option<EngineKind>, output: Output) -> Self {
        Self::new(args, (args.engine.verifier_manner(used), Variant::Canonical), output)
    }

    /// As a provider runs it; with `--both`, against the program itself in the reference.
    pub fn trial(args: &AgainArgs, output: Output) -> Self {
        Self::new(args, (args.engine.provider_manner(), Variant::Fast), output)
    }

    /// `compiled` is the variant that the compiler runs of both.
    fn new(args: &AgainArgs, (alone, compiled): (Manner, Variant), output: Output) -> Self {
        let reference = Manner { engine: Engine::Wasmi, variant: Variant::Canonical };
        let both = || vec![reference, Manner { engine: Engine::Wasmtime, variant: compiled }];
        let manners = if args.both { both() } else { vec![alone] };
        Self { manners, deadline: args.engine.timeout.deadline(), compiled: args.engine.cache(output) }
    }

    /// Why this engine.
    pub fn choice(&self) -> &'static str {
        match self.manners.as_slice() {
            [Manner { engine: Engine::Unlike(Some(_)), .. }] => {
                "not the one that the receipt says it ran in, where that can be"
            }
            [Manner { engine: Engine::Unlike(None), .. }] => {
                "not the one that a provider takes by default, where that can be"
            }
            _ => "as asked for",
        }
    }

    /// The runs, one after the other.
    pub async fn run(&self, task: TaskSpec, entries: &[Entry]) -> CliResult<Vec<Ran>> {
        let mut runs = Vec::with_capacity(self.manners.len());
        for manner in &self.manners {
            let (entries, deadline, compiled) = (entries.to_vec(), self.deadline, self.compiled.clone());
            runs.push(sandbox::run(Order { task, entries, deadline, manner: *manner, compiled }).await?);
        }
        Ok(runs)
    }
}

/// Which engine ran a guest, and the variant of the program that gave the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineRow {
    /// The engine.
    pub kind: EngineKind,
    /// The program itself, or the fast variant.
    pub variant: Variant,
}

impl Serialize for EngineRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("EngineRow", 3)?;
        row.serialize_field("name", self.kind.name())?;
        row.serialize_field("version", self.kind.version())?;
        row.serialize_field("variant", self.variant.letter())?;
        row.end()
    }
}

impl EngineRow {
    /// `wasmtime 48.0.8, variant L`.
    pub fn text(&self) -> String {
        format!("{} {}, variant {}", self.kind.name(), self.kind.version(), self.variant.letter())
    }
}

//! Which engine runs a guest at the command line, and where its compiled code is kept. Neither changes a result.

use std::{env, path::PathBuf, sync::Arc};

use assay_content::Entry;
use assay_executor::worker::Manner;
use assay_protocol::TaskSpec;
use assay_runtime::{ArtifactCache, CacheLimits, Engine, EngineKind, Variant};
use clap::Args;
use serde::Serialize;

use crate::{output::Output, sandbox::Order};

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

/// How a run is checked by another one.
#[derive(Debug)]
pub struct Again {
    manner: Manner,
    compiled: Option<Arc<ArtifactCache>>,
}

impl Again {
    /// By the flags, and by the engine that is said to have run it; a chain says nothing of that.
    pub fn new(args: &EngineArgs, used: Option<EngineKind>, output: Output) -> Self {
        Self { manner: args.verifier_manner(used), compiled: args.cache(output) }
    }

    /// Why this engine.
    pub const fn choice(&self) -> &'static str {
        match self.manner.engine {
            Engine::Unlike(Some(_)) => "not the one that the receipt says it ran in, where that can be",
            Engine::Unlike(None) => "not the one that a provider takes by default, where that can be",
            _ => "as asked for",
        }
    }

    /// The run.
    pub fn order(self, task: TaskSpec, entries: Vec<Entry>) -> Order {
        Order { task, entries, deadline: None, manner: self.manner, compiled: self.compiled }
    }
}

/// Which engine ran a guest, for `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineRow {
    /// `wasmi` or `wasmtime`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The variant of the program that gave the answer: `G` (the program itself) or `L` (the fast one).
    pub variant: &'static str,
}

impl EngineRow {
    /// `wasmtime 48.0.8, variant L`.
    pub fn text(&self) -> String {
        format!("{} {}, variant {}", self.name, self.version, self.variant)
    }
}

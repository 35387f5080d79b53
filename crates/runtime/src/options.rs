//! How a run is done. Nothing in here changes what it gives.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use assay_metering::Metered;
use assay_protocol::{Hash32, TaskLimits};

use crate::{
    EngineKind, HostFault, RunReport,
    artifact::{ArtifactKey, ArtifactStore, ModuleName, Place},
    effort::{COMPILE_EFFORT_MAX, compile_effort},
    engine::{self, Program},
};

/// Which engine runs the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The reference: an interpreter that starts at once.
    #[default]
    Wasmi,
    /// The compiler: faster, once it has compiled.
    Wasmtime,
    /// The compiler where its code is in the store or the gas limit is worth compiling for; the reference otherwise, and
    /// whenever the compiler fails.
    Auto,
    /// Whoever checks a run: the engine other than this one; without one, other than [`Self::Auto`] takes that has
    /// nothing in its store, as far as the estimate tells: that of the same module, metered with variant L or without it,
    /// as there. The reference whenever the compiler fails.
    Unlike(Option<EngineKind>),
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no engine; write wasmi, wasmtime or auto")]
pub struct UnknownEngine(String);

/// `wasmi`, `wasmtime`, `auto`, and for [`Engine::Unlike`] `unlike`, `unlike:wasmi`, `unlike:wasmtime`.
impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        let kind = |name| EngineKind::from_name(name).ok_or_else(|| UnknownEngine(text.chars().take(64).collect()));
        Ok(match text.split_once(':') {
            None if text == "auto" => Self::Auto,
            None if text == "unlike" => Self::Unlike(None),
            Some(("unlike", other)) => Self::Unlike(Some(kind(other)?)),
            _ => kind(text)?.into(),
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wasmi => f.write_str(EngineKind::Wasmi.name()),
            Self::Wasmtime => f.write_str(EngineKind::Wasmtime.name()),
            Self::Auto => f.write_str("auto"),
            Self::Unlike(None) => f.write_str("unlike"),
            Self::Unlike(Some(other)) => write!(f, "unlike:{}", other.name()),
        }
    }
}

impl From<EngineKind> for Engine {
    fn from(kind: EngineKind) -> Self {
        match kind {
            EngineKind::Wasmi => Self::Wasmi,
            EngineKind::Wasmtime => Self::Wasmtime,
        }
    }
}

impl Engine {
    /// Whether the compiler may come into play.
    #[must_use]
    pub const fn may_compile(self) -> bool {
        !matches!(self, Self::Wasmi | Self::Unlike(Some(EngineKind::Wasmtime)))
    }

    /// Whether the reference stands in for a compiler that fails.
    #[must_use]
    pub const fn falls_back(self) -> bool {
        matches!(self, Self::Auto | Self::Unlike(_))
    }
}

/// Which rewriting of the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Variant {
    /// G, the program itself.
    #[default]
    Canonical = 0,
    /// L, and G again unless the guest exited with gas left: faster, but a run that ends otherwise takes twice its time,
    /// which whoever sets a wall clock has to allow for.
    Fast = 1,
}

impl Variant {
    /// What docs/METERING.md calls it.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Canonical => "G",
            Self::Fast => "L",
        }
    }

    /// The variant of this letter.
    #[must_use]
    pub fn from_letter(letter: &str) -> Option<Self> {
        [Self::Canonical, Self::Fast].into_iter().find(|variant| variant.letter() == letter)
    }
}

/// How a run is done. The default is the reference: the program itself, interpreted.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// The engine.
    pub engine: Engine,
    /// The variant to begin with.
    pub variant: Variant,
    /// Where compiled code is kept; `None`: it is compiled every time.
    pub artifacts: Option<Arc<dyn ArtifactStore>>,
    /// Whether another process compiles, in which no guest runs. Code is then taken from the store or not at all
    /// ([`HostFault::NotCompiled`]), and a run that has to be repeated in the compiler is not ([`HostFault::Repeat`]).
    pub compiled_elsewhere: bool,
    /// Whether [`Run::memory_hash`] is wanted.
    pub hash_memory: bool,
    /// What this process gives up before a guest's first instruction, such as making memory executable: called when
    /// everything is compiled, loaded and instantiated, again when a run is repeated; if it fails nothing is run.
    /// `None`: nothing, and whatever a run needs can be compiled at any time.
    pub before_guest: Option<BeforeGuest>,
}

/// See [`RunOptions::before_guest`].
pub type BeforeGuest = fn() -> std::io::Result<()>;

/// A report and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The result, the same whatever the options are.
    pub report: RunReport,
    /// The engine that gave it; `None` when nothing was run.
    pub engine: Option<EngineKind>,
    /// The variant that gave it.
    pub variant: Variant,
    /// SHA-256 of the linear memory at the end, of zero bytes if the program exports none. To compare engines with.
    pub memory_hash: Option<Hash32>,
    /// How long the guest ran in this variant: without compiling, loading and instantiating. Says something about this
    /// host and nothing about the result.
    pub guest_time: Duration,
}

impl RunOptions {
    /// The engine that a run begins with.
    #[must_use]
    pub fn choose(&self, metered: &Metered, limits: &TaskLimits) -> EngineKind {
        let is_worth = || compile_effort(metered) <= limits.gas_limit.min(COMPILE_EFFORT_MAX);
        let is_there = || self.place(metered, self.variant).is_some_and(|place| place.store.holds(&place.key));
        let compiles = match self.engine {
            Engine::Wasmi => false,
            Engine::Wasmtime => true,
            Engine::Auto => is_worth() || is_there(),
            Engine::Unlike(Some(other)) => other == EngineKind::Wasmi,
            Engine::Unlike(None) => !is_worth(),
        };
        if compiles { EngineKind::Wasmtime } else { EngineKind::Wasmi }
    }

    /// The program itself.
    pub(crate) fn canonical<'a>(&'a self, metered: &'a Metered) -> Program<'a> {
        Program {
            wasm: &metered.wasm,
            variant: Variant::Canonical,
            hash: &metered.hash,
            compile_effort: compile_effort(metered),
            compiled: self.place(metered, Variant::Canonical),
            compiled_elsewhere: self.compiled_elsewhere,
        }
    }

    /// The fast variant, if it is wanted and the module has it.
    pub(crate) fn fast<'a>(&'a self, metered: &'a Metered) -> Option<Program<'a>> {
        let fast = metered.fast.as_ref().filter(|_| self.variant == Variant::Fast)?;
        Some(Program {
            wasm: &fast.wasm,
            variant: Variant::Fast,
            hash: &fast.hash,
            compile_effort: compile_effort(metered),
            compiled: self.place(metered, Variant::Fast),
            compiled_elsewhere: self.compiled_elsewhere,
        })
    }

    fn place(&self, metered: &Metered, variant: Variant) -> Option<Place<'_>> {
        let store = self.artifacts.as_deref()?;
        let engine = engine::compiled_code_identity().ok()?;
        Some(Place { store, key: ArtifactKey { module: ModuleName::Metered(metered.hash), variant, engine } })
    }

    /// Compiles a program for wasmtime and puts it into the store, if it is not there. For stores that are warmed, and
    /// for a process that only compiles.
    ///
    /// # Errors
    /// [`HostFault`] when the engine fails.
    pub fn compile(&self, metered: &Metered) -> Result<(), HostFault> {
        let program = self.fast(metered).unwrap_or_else(|| self.canonical(metered));
        crate::run::on_own_thread(EngineKind::Wasmtime, || engine::compile(program))
    }
}

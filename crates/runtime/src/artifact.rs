//! Compiled code between runs: what it is called, how it is wrapped, where it is kept.
//!
//! Compiled code is native code: whoever gets a store to hand out other bytes runs what they like. So nothing of it is
//! used that is not whole (SHA-256) and made for exactly this program, engine, version, configuration and processor
//! (W-11); anything else is forgotten and made again.

use std::sync::{Arc, Mutex, PoisonError};

use assay_protocol::Hash32;
use sha2::{Digest, Sha256};

use crate::Variant;

/// What a module is called in a store: by whoever computes the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModuleName {
    /// The metered hash, where the process that runs guests keeps its own store.
    Metered(Hash32),
    /// SHA-256 of the uploaded module, where a parent keeps code for children that run guests. The parent computed it
    /// itself and takes code only from children that compile and run no guest: what a hostile module does to its compiler
    /// can spoil nothing but the code of that module, and what a guest does, or its input, no code at all.
    Uploaded(Hash32),
}

/// What compiled code is called in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArtifactKey {
    /// Which module.
    pub module: ModuleName,
    /// Which rewriting of the module.
    pub variant: Variant,
    /// [`crate::compiled_code_identity`].
    pub engine: Hash32,
}

impl ArtifactKey {
    /// SHA-256 over all of it: a file name.
    #[must_use]
    pub fn digest(&self) -> Hash32 {
        let (tag, module) = match self.module {
            ModuleName::Metered(hash) => (0, hash),
            ModuleName::Uploaded(hash) => (1, hash),
        };
        let mut hash = Sha256::new_with_prefix(b"assay:artifact:v2\0");
        hash.update([tag]);
        hash.update(module);
        hash.update([self.variant as u8]);
        hash.update(self.engine);
        hash.finalize().into()
    }
}

/// Keeps compiled code. May forget anything at any time; what it gives back is checked by whoever asked.
pub trait ArtifactStore: Send + Sync {
    /// What is kept under a key.
    fn load(&self, key: &ArtifactKey) -> Option<Arc<[u8]>>;
    /// Keeps, if there is room.
    fn keep(&self, key: &ArtifactKey, artifact: Arc<[u8]>);
    /// Forgets what turned out to be of no use.
    fn forget(&self, key: &ArtifactKey);
    /// Whether something is kept under a key.
    fn holds(&self, key: &ArtifactKey) -> bool;
}

/// A key and the store to look in.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub store: &'a dyn ArtifactStore,
    pub key: ArtifactKey,
}

impl Place<'_> {
    pub(crate) fn load(&self) -> Option<Arc<[u8]>> {
        self.store.load(&self.key)
    }

    pub(crate) fn keep(&self, artifact: Vec<u8>) {
        self.store.keep(&self.key, artifact.into());
    }

    pub(crate) fn forget(&self) {
        self.store.forget(&self.key);
    }
}

/// A store of one process without files, as a sandbox child: it begins with what the parent handed in and, where that
/// child compiles and runs no guest, ends with what is to be handed back.
#[derive(Default)]
pub struct Handover {
    given: Vec<(Variant, Arc<[u8]>)>,
    made: Mutex<Vec<(Variant, Arc<[u8]>)>>,
}

impl Handover {
    /// Begins with code of one module, by variant.
    #[must_use]
    pub const fn new(given: Vec<(Variant, Arc<[u8]>)>) -> Self {
        Self { given, made: Mutex::new(Vec::new()) }
    }

    /// What was compiled in the meantime.
    #[must_use]
    pub fn into_made(self) -> Vec<(Variant, Arc<[u8]>)> {
        self.made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<(Variant, Arc<[u8]>)>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ArtifactStore for Handover {
    fn load(&self, key: &ArtifactKey) -> Option<Arc<[u8]>> {
        let made = self.made();
        let found = made.iter().chain(&self.given).find(|(variant, _)| *variant == key.variant);
        found.map(|(_, artifact)| artifact.clone())
    }

    fn keep(&self, key: &ArtifactKey, artifact: Arc<[u8]>) {
        let mut made = self.made();
        made.retain(|(variant, _)| *variant != key.variant);
        made.push((key.variant, artifact));
    }

    /// What was given and did not fit is compiled again at once, and then found first.
    fn forget(&self, key: &ArtifactKey) {
        self.made().retain(|(variant, _)| *variant != key.variant);
    }

    fn holds(&self, key: &ArtifactKey) -> bool {
        self.load(key).is_some()
    }
}

const MAGIC: [u8; 8] = *b"ASYCODE1";
/// Bytes before the code: magic, program, engine, SHA-256 of everything else.
const HEADER_BYTES: usize = 8 + 32 + 32 + 32;

/// Wraps compiled code: magic · SHA-256 of the program · identity of the engine · SHA-256 of these and the code · code.
pub(crate) fn seal(code: &[u8], program: &Hash32, engine: &Hash32) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(code.len().saturating_add(HEADER_BYTES));
    sealed.extend_from_slice(&MAGIC);
    sealed.extend_from_slice(program);
    sealed.extend_from_slice(engine);
    sealed.extend_from_slice(&digest(program, engine, code));
    sealed.extend_from_slice(code);
    sealed
}

/// The code, if it is whole and of this program for this engine.
pub(crate) fn open<'a>(sealed: &'a [u8], program: &Hash32, engine: &Hash32) -> Option<&'a [u8]> {
    let rest = sealed.strip_prefix(&MAGIC)?.strip_prefix(program)?.strip_prefix(engine)?;
    let (found, code) = rest.split_first_chunk::<32>()?;
    (*found == digest(program, engine, code)).then_some(code)
}

fn digest(program: &Hash32, engine: &Hash32, code: &[u8]) -> Hash32 {
    let mut hash = Sha256::new_with_prefix(MAGIC);
    hash.update(program);
    hash.update(engine);
    hash.update(code);
    hash.finalize().into()
}

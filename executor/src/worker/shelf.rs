//! Compiled code between children, on the parent's side.
//!
//! What a child compiled comes from a process that read hostile bytes. So three rules hold (W-11). It is never used here,
//! only in children behind the same fences. It is filed under the hash of the uploaded module, which this process computes
//! itself: a module that takes over its compiler spoils its own code and no other. And it comes from children that compile
//! and run no guest: what runs with one poster's input leaves nothing for the next poster of the same module.

use assay_protocol::Hash32;
use assay_runtime::{ArtifactCache, ArtifactKey, ArtifactStore, ModuleName, Variant, compiled_code_identity};
use assay_sdk::task;
use sha2::{Digest, Sha256};

use super::wire::{Code, WorkRequest};

/// Where the code of one module lies.
pub(super) struct Shelf<'a> {
    cache: &'a ArtifactCache,
    module: ModuleName,
    engine: Hash32,
    variant: Variant,
}

impl<'a> Shelf<'a> {
    /// `None` where no code is compiled or nothing of the job directory could be.
    pub(super) fn of(request: &WorkRequest, cache: &'a ArtifactCache) -> Option<Self> {
        let manner = request.work.manner().filter(|manner| manner.engine.may_compile())?;
        let module = ModuleName::Uploaded(Sha256::digest(task::manifest_and_module(&request.entries)?.1).into());
        // The child is this very program on this very processor.
        let engine = compiled_code_identity().ok()?;
        Some(Self { cache, module, engine, variant: manner.variant })
    }

    fn key(&self, variant: Variant) -> ArtifactKey {
        ArtifactKey { module: self.module, variant, engine: self.engine }
    }

    /// What there is: of the variant that a run begins with, and of the program itself, which it may go on with.
    pub(super) fn take(&self) -> Code {
        let first = self.cache.load(&self.key(self.variant)).map(|code| (self.variant, code));
        let again = (self.variant != Variant::Canonical && self.cache.holds(&self.key(Variant::Canonical)))
            .then(|| self.cache.load(&self.key(Variant::Canonical)))
            .flatten();
        first.into_iter().chain(again.map(|code| (Variant::Canonical, code))).collect()
    }

    /// Keeps what a child made in which no guest ran, instead of what it was given and had no use for.
    pub(super) fn keep(&self, given: &Code, made: &Code) {
        for (variant, code) in made {
            self.forget(given, *variant);
            self.cache.keep(&self.key(*variant), code.clone());
        }
    }

    /// Forgets what was given of a variant, if it was: it is of no use.
    pub(super) fn forget(&self, given: &Code, variant: Variant) {
        if given.iter().any(|(given, _)| *given == variant) {
            self.cache.forget(&self.key(variant));
        }
    }
}

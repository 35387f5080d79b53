//! Compiled code between children, on the parent's side.
//!
//! What a child compiled comes from a process that read hostile bytes. So it is never used here, only in children behind
//! the same fences, and it is filed under the hash of the uploaded module, which this process computes itself: a child
//! that a module took over spoils the code of that module and of no other (W-11).

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

    /// Keeps what the child made, instead of what it was given and had no use for.
    pub(super) fn keep(&self, given: &Code, made: Code) {
        for (variant, code) in made {
            if given.iter().any(|(given, _)| *given == variant) {
                self.cache.forget(&self.key(variant));
            }
            self.cache.keep(&self.key(variant), code);
        }
    }
}

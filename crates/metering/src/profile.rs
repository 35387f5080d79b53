//! The feature profile: which proposals a module may use, and what it may import.

use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, ValidPayload, Validator, ValidatorResources,
    WasmFeatures,
};

use crate::{MeterError, ValueType};

/// Module of every import the profile has.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// What today's compilers emit for wasm32-wasip1 and what every engine does alike.
#[must_use]
pub fn features() -> WasmFeatures {
    ACCEPTED.iter().map(|(feature, _)| *feature).collect()
}

/// Accepted features: the bit and its name.
const ACCEPTED: &[(WasmFeatures, &str)] = &[
    (WasmFeatures::FLOATS, "floating point"),
    (WasmFeatures::MUTABLE_GLOBAL, "mutable globals"),
    (WasmFeatures::SATURATING_FLOAT_TO_INT, "saturating float-to-int"),
    (WasmFeatures::SIGN_EXTENSION, "sign extension"),
    (WasmFeatures::MULTI_VALUE, "multi-value"),
    (WasmFeatures::BULK_MEMORY, "bulk memory"),
    (WasmFeatures::REFERENCE_TYPES, "reference types"),
    (WasmFeatures::EXTENDED_CONST, "extended constant expressions"),
];

/// Refused features: the bit, its name, and what to tell a compiler. The first match names a missing feature.
const REFUSED: &[(WasmFeatures, &str, &str)] = &[
    (
        WasmFeatures::RELAXED_SIMD,
        "relaxed SIMD",
        "-C target-feature=-relaxed-simd (Rust), -mno-relaxed-simd (clang), no --enable relaxed-simd (AssemblyScript) or \
         no +relaxed-simd among the target's features (TinyGo)",
    ),
    (
        WasmFeatures::SIMD,
        "SIMD",
        "-C target-feature=-simd128 (Rust), -mno-simd128 (clang), no --enable simd (AssemblyScript) or no +simd128 among \
         the target's features (TinyGo)",
    ),
    (
        WasmFeatures::THREADS,
        "threads and atomics",
        "-C target-feature=-atomics and the target wasm32-wasip1, not wasm32-wasip1-threads (Rust), -mno-atomics without \
         -pthread (clang), no --enable threads (AssemblyScript) or -scheduler=asyncify (TinyGo)",
    ),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads", "-mno-atomics (clang)"),
    (WasmFeatures::MEMORY64, "memory64", "--target wasm32-wasip1 instead of a wasm64 target"),
    (
        WasmFeatures::MULTI_MEMORY,
        "multiple memories",
        "-C target-feature=-multimemory (Rust) or -mno-multimemory (clang)",
    ),
    (WasmFeatures::TAIL_CALL, "tail calls", "-C target-feature=-tail-call (Rust) or -mno-tail-call (clang)"),
    (
        WasmFeatures::EXCEPTIONS,
        "exception handling",
        "-C panic=abort (Rust), -fno-exceptions -mno-exception-handling (clang) or no recover() (TinyGo)",
    ),
    (
        WasmFeatures::LEGACY_EXCEPTIONS,
        "legacy exception handling",
        "-C panic=abort (Rust), -fno-exceptions -mno-exception-handling (clang) or no recover() (TinyGo)",
    ),
    (
        WasmFeatures::FUNCTION_REFERENCES,
        "typed function references",
        "-mno-gc, and a language whose compiler targets wasm32-wasip1 without garbage collection",
    ),
    (
        WasmFeatures::GC_TYPES,
        "externref and garbage-collected types",
        "-C target-feature=-reference-types (Rust), -mno-reference-types (clang) or no --enable reference-types \
         (AssemblyScript)",
    ),
    (
        WasmFeatures::GC,
        "garbage collection",
        "-mno-gc, no --enable gc (AssemblyScript), and a language whose compiler targets wasm32-wasip1 without it",
    ),
    (
        WasmFeatures::WIDE_ARITHMETIC,
        "wide arithmetic",
        "-C target-feature=-wide-arithmetic (Rust) or -mno-wide-arithmetic (clang)",
    ),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes", "no --page-size flag of the linker"),
    (WasmFeatures::STACK_SWITCHING, "stack switching", "no flag for stack switching"),
    (WasmFeatures::MEMORY_CONTROL, "memory control", "no flag for memory control"),
    (WasmFeatures::COMPACT_IMPORTS, "compact import sections", "a linker without compact imports"),
];

/// The component model is another binary format, so it is found by its header.
pub(crate) const COMPONENT: (&str, &str) =
    ("the component model", "--target wasm32-wasip1 instead of wasm32-wasip2, without componentising");

/// The error for a validation failure: [`MeterError::Feature`] when the module would be valid with more features.
pub(crate) fn explain(error: &wasmparser::Error, wasm: &[u8]) -> MeterError {
    let message = error.message().to_owned();
    let offset = error.offset();
    let named = error.missing_wasm_feature().and_then(name_feature);
    let found = named.or_else(|| necessary_feature(wasm));
    match found {
        Some((feature, flag)) => MeterError::Feature { feature, flag, message, offset },
        None => MeterError::Invalid { message, offset },
    }
}

/// For errors that do not carry the feature: if everything together would make the module valid, the first feature
/// without which it is not.
fn necessary_feature(wasm: &[u8]) -> Option<(&'static str, &'static str)> {
    // The profile's bounds do not protect these validations, so only modules of a usual size get them.
    const BYTES_MAX: usize = 1 << 20;
    if wasm.len() > BYTES_MAX {
        return None;
    }
    let is_valid = |features| Validator::new_with_features(features).validate_all(wasm).is_ok();
    if !is_valid(WasmFeatures::all()) {
        return None;
    }
    let necessary = REFUSED.iter().find(|(bit, ..)| !is_valid(WasmFeatures::all().difference(*bit)));
    let unnamed = ("a proposal outside the profile", "--target wasm32-wasip1, -mcpu=mvp and no further features");
    Some(necessary.map_or(unnamed, |(_, name, flag)| (*name, *flag)))
}

/// Features without which the module is not valid: those of the profile by name, and the others as what refuses them.
/// `None` for a module that is not valid with all features together.
pub(crate) fn used(wasm: &[u8]) -> Option<(Vec<&'static str>, Vec<MeterError>)> {
    let mut needs = Needs::new();
    // In a validator's order: what is declared in all of the module, then the functions.
    needs.narrow(|features| validate_declarations(wasm, features))?;
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut parser = Parser::new(0);
    parser.set_features(WasmFeatures::all());
    for payload in parser.parse_all(wasm) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload.ok()?).ok()? {
            needs.narrow(|features| validate_function(&function, &body, features))?;
        }
    }
    let accepted = ACCEPTED.iter().filter(|(bit, _)| needs.of(*bit).is_some()).map(|(_, name)| *name);
    let refused = REFUSED.iter().filter_map(|(bit, feature, flag)| {
        let error = needs.of(*bit)?;
        Some(MeterError::Feature { feature, flag, message: error.message().to_owned(), offset: error.offset() })
    });
    Some((accepted.collect(), refused.collect()))
}

/// Everything but the functions' bodies.
fn validate_declarations(wasm: &[u8], features: WasmFeatures) -> wasmparser::Result<()> {
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    parser.parse_all(wasm).try_for_each(|payload| validator.payload(&payload?).map(drop))
}

fn validate_function(
    function: &FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    features: WasmFeatures,
) -> wasmparser::Result<()> {
    let FuncToValidate { resources, index, ty, features: _ } = function;
    let function = FuncToValidate { resources: resources.clone(), index: *index, ty: *ty, features };
    function.into_validator(FuncValidatorAllocations::default()).validate(body)
}

/// Which features a module needs, found part by part. A part that is valid without all features that nothing needed
/// before it is looked at once: more features never make it invalid. So what a module takes beyond validating it depends
/// on how many features it uses, not on how many there are.
struct Needs {
    /// Those that nothing needed so far.
    unused: WasmFeatures,
    /// The others, with what is said of the first place that needs each.
    used: Vec<(WasmFeatures, wasmparser::Error)>,
}

impl Needs {
    fn new() -> Self {
        Self { unused: candidates().collect(), used: Vec::new() }
    }

    /// Goes on with the next part, which `validate` validates with the features that it is given. `None` when the part is
    /// not valid with all of them.
    fn narrow(&mut self, validate: impl Fn(WasmFeatures) -> wasmparser::Result<()>) -> Option<()> {
        let without = |features: WasmFeatures| validate(WasmFeatures::all().difference(features)).err();
        let Some(mut error) = without(self.unused) else { return Some(()) };
        validate(WasmFeatures::all()).ok()?;
        loop {
            let missing = error.missing_wasm_feature().unwrap_or(WasmFeatures::empty());
            let mut left: Vec<_> = candidates().filter(|bit| self.unused.contains(*bit)).collect();
            // The error may name another one than the first of the list.
            left.sort_by_key(|bit| !bit.intersects(missing));
            let found = left.into_iter().find_map(|bit| Some((bit, without(bit)?)));
            // Where one of several would do, none is necessary.
            let Some((bit, said)) = found else { return Some(()) };
            self.unused.remove(bit);
            self.used.push((bit, said));
            match without(self.unused) {
                Some(next) => error = next,
                None => return Some(()),
            }
        }
    }

    fn of(&self, bit: WasmFeatures) -> Option<&wasmparser::Error> {
        self.used.iter().find(|(used, _)| *used == bit).map(|(_, error)| error)
    }
}

/// Features that have a name here.
fn candidates() -> impl Iterator<Item = WasmFeatures> {
    ACCEPTED.iter().map(|(bit, _)| *bit).chain(REFUSED.iter().map(|(bit, ..)| *bit))
}

fn name_feature(missing: WasmFeatures) -> Option<(&'static str, &'static str)> {
    REFUSED.iter().find(|(bit, ..)| missing.intersects(*bit)).map(|(_, name, flag)| (*name, *flag))
}

/// A function that can be imported from [`WASI_MODULE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasiFunction {
    /// Its name.
    pub name: &'static str,
    /// Parameters.
    pub params: &'static [ValueType],
    /// Results.
    pub results: &'static [ValueType],
}

const I: ValueType = ValueType::I32;
const L: ValueType = ValueType::I64;

const fn wasi(name: &'static str, params: &'static [ValueType]) -> WasiFunction {
    WasiFunction { name, params, results: &[I] }
}

/// Everything that can be imported, by name. The runtime provides exactly this.
pub const WASI_FUNCTIONS: &[WasiFunction] = &[
    wasi("args_get", &[I, I]),
    wasi("args_sizes_get", &[I, I]),
    wasi("clock_res_get", &[I, I]),
    wasi("clock_time_get", &[I, L, I]),
    wasi("environ_get", &[I, I]),
    wasi("environ_sizes_get", &[I, I]),
    wasi("fd_advise", &[I, L, L, I]),
    wasi("fd_allocate", &[I, L, L]),
    wasi("fd_close", &[I]),
    wasi("fd_datasync", &[I]),
    wasi("fd_fdstat_get", &[I, I]),
    wasi("fd_fdstat_set_flags", &[I, I]),
    wasi("fd_fdstat_set_rights", &[I, L, L]),
    wasi("fd_filestat_get", &[I, I]),
    wasi("fd_filestat_set_size", &[I, L]),
    wasi("fd_filestat_set_times", &[I, L, L, I]),
    wasi("fd_pread", &[I, I, I, L, I]),
    wasi("fd_prestat_dir_name", &[I, I, I]),
    wasi("fd_prestat_get", &[I, I]),
    wasi("fd_pwrite", &[I, I, I, L, I]),
    wasi("fd_read", &[I, I, I, I]),
    wasi("fd_readdir", &[I, I, I, L, I]),
    wasi("fd_renumber", &[I, I]),
    wasi("fd_seek", &[I, L, I, I]),
    wasi("fd_sync", &[I]),
    wasi("fd_tell", &[I, I]),
    wasi("fd_write", &[I, I, I, I]),
    wasi("path_create_directory", &[I, I, I]),
    wasi("path_filestat_get", &[I, I, I, I, I]),
    wasi("path_filestat_set_times", &[I, I, I, I, L, L, I]),
    wasi("path_link", &[I, I, I, I, I, I, I]),
    wasi("path_open", &[I, I, I, I, I, L, L, I, I]),
    wasi("path_readlink", &[I, I, I, I, I, I]),
    wasi("path_remove_directory", &[I, I, I]),
    wasi("path_rename", &[I, I, I, I, I, I]),
    wasi("path_symlink", &[I, I, I, I, I]),
    wasi("path_unlink_file", &[I, I, I]),
    wasi("poll_oneoff", &[I, I, I, I]),
    WasiFunction { name: "proc_exit", params: &[I], results: &[] },
    wasi("proc_raise", &[I]),
    wasi("random_get", &[I, I]),
    wasi("sched_yield", &[]),
    wasi("sock_accept", &[I, I, I]),
    wasi("sock_recv", &[I, I, I, I, I, I]),
    wasi("sock_send", &[I, I, I, I, I]),
    wasi("sock_shutdown", &[I, I]),
];

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;

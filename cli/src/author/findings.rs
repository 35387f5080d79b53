//! What is wrong with a module, and what to do about each of it.

use assay_metering::{MeterError, SIZE_ADVICE};
use serde::Serialize;

use crate::{error::CliError, output::grouped};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: `manifest.json`, the module's name, a path.
    pub place: String,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub next: String,
}

impl Finding {
    /// Of the module in a file of this name.
    pub fn of_module(place: &str, error: &MeterError) -> Self {
        let (what, next) = match error {
            MeterError::Feature { feature, flag, message, offset } => (
                format!("it uses {feature}: {message} (at byte {})", grouped(*offset)),
                format!("build it with {flag}"),
            ),
            MeterError::UnknownImport { module, name, problem } => {
                (format!("it imports {module}.{name}: {problem}"), import_advice(module, name).to_owned())
            }
            MeterError::OverBounds { what, found, limit } => (
                format!("{what} is {}; at most {} are accepted", grouped(*found), grouped(*limit)),
                "split what is generated into smaller functions, or move tables from code into data".to_owned(),
            ),
            MeterError::ReservedExport { name } => {
                (format!("its export {name:?} begins with \"assay:\", which is reserved"), "rename it".to_owned())
            }
            MeterError::NotWasm { found, next } => {
                (format!("it is {found}, not a WebAssembly module"), (*next).to_owned())
            }
            MeterError::Invalid { message, offset } => (
                format!("it is not valid WebAssembly: {message} (at byte {})", grouped(*offset)),
                "build it again".to_owned(),
            ),
            MeterError::TooLarge { size_bytes, limit_bytes } => (
                format!(
                    "it has {} bytes; at most {} are accepted",
                    grouped(u64::try_from(*size_bytes).unwrap_or(u64::MAX)),
                    grouped(*limit_bytes)
                ),
                SIZE_ADVICE.to_owned(),
            ),
            other => (other.to_string(), "build it for wasm32-wasip1".to_owned()),
        };
        Self { place: place.to_owned(), what, next }
    }
}

/// The findings as one failure.
pub fn refused(what: String, findings: &[Finding], next: &str) -> CliError {
    let error = CliError::new(what).with_next(next);
    findings.iter().fold(error, |error, finding| {
        error.with_cause(format!("{}: {}; {}", finding.place, finding.what, finding.next))
    })
}

/// Where an import that providers do not have comes from, usually, and how to be rid of it.
fn import_advice(module: &str, name: &str) -> &'static str {
    match (module, name) {
        ("env", "memory" | "table" | "__indirect_function_table" | "__memory_base" | "__table_base") => {
            "export the memory instead: no --importMemory or --importTable (AssemblyScript), no -Wl,--import-memory, \
             --import-table or -shared (clang)"
        }
        ("env", "abort" | "trace" | "seed" | "console.log" | "Date.now") => {
            "AssemblyScript without WASI: let asconfig.json extend \
             ./node_modules/@assemblyscript/wasi-shim/asconfig.json"
        }
        ("wasi", "thread-spawn") => "threads: build for wasm32-wasip1, not wasm32-wasip1-threads, without -pthread",
        ("wasi_snapshot_preview1", _) => {
            "WASI preview 1 has no such function, or another type of it: use one toolchain and its own libc"
        }
        ("wasi_unstable", _) => "an older draft of WASI: use a compiler that targets wasm32-wasip1",
        ("gojs" | "go", _) => "Go for browsers: build with tinygo build -target=wasip1",
        (module, _) if module.starts_with("wasi:") || module.starts_with("wasi_snapshot_preview2") => {
            "WASI preview 2: build for wasm32-wasip1, not wasm32-wasip2, without componentising"
        }
        (module, _) if module.starts_with("__wbindgen") || module == "wbg" => {
            "wasm-bindgen, which talks to a browser: build with --target wasm32-wasip1 and turn off the JavaScript features \
             of dependencies (getrandom \"js\", chrono \"wasmbind\", …); cargo tree -i wasm-bindgen shows who needs it"
        }
        ("env", _) => {
            "a function that no linked library defines: link the one that does (clang: no -Wl,--allow-undefined; Rust: no \
             extern block without its library)"
        }
        _ => "use only functions of wasi_snapshot_preview1; providers have no others",
    }
}

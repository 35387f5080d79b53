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
                bound_advice(what).to_owned(),
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

/// How many there are, in words.
pub fn counted(findings: &[Finding]) -> String {
    if findings.len() == 1 { "1 finding".to_owned() } else { format!("{} findings", findings.len()) }
}

/// The findings as one failure.
pub fn refused(what: String, findings: &[Finding], next: &str) -> CliError {
    let error = CliError::new(what).with_next(next);
    findings.iter().fold(error, |error, finding| {
        error.with_cause(format!("{}: {}; {}", finding.place, finding.what, finding.next))
    })
}

/// What makes less of what a bound counts, by the metering's name for it.
fn bound_advice(what: &str) -> &'static str {
    match what {
        what if what.contains("custom section") => {
            "strip the module: strip = true (Rust), -Wl,--strip-all (clang), no --debug (AssemblyScript), -no-debug (TinyGo)"
        }
        what if what.contains("exported functions") || what.contains("exports") => {
            "export only what is called from outside: no -Wl,--export-all or --export-dynamic (clang), no #[no_mangle] or \
             #[export_name] on what is not (Rust)"
        }
        what if what.contains("name in bytes") => {
            "give it a shorter name: #[export_name], #[link_name], export_name(\"…\")"
        }
        what if what.contains("number of imports") => "import each host function once, and no others",
        what if what.contains("table") && !what.contains("br_table") || what.contains("element") => {
            "take the address of fewer functions: fewer callbacks, trait objects and virtual methods, or a switch instead"
        }
        what if what.contains("data segments") => "merge its data: leave out -Wl,--no-merge-data-segments (clang)",
        what if what.contains("globals") => "keep what is global in one structure in memory",
        what if what.contains("types") => "use fewer different signatures: pass structures by pointer",
        what if what.contains("parameters") || what.contains("results") => {
            "pass them in a structure, by pointer; no -Xclang -target-abi -Xclang experimental-mv (clang)"
        }
        what if what.contains("constant expression") => "compute it at the start, in a function",
        what if what.contains("number of functions") || what.contains("metered code") => {
            "link less into it: fewer dependencies, -Wl,--gc-sections (clang), opt-level = \"s\" and lto = true (Rust)"
        }
        _ => "split what is generated into smaller functions, or move tables from code into data",
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn next(what: &'static str) -> String {
        Finding::of_module("a.wasm", &MeterError::OverBounds { what, found: 2, limit: 1 }).next
    }

    #[test]
    fn findings_are_counted_in_words() {
        let one = Finding { place: String::new(), what: String::new(), next: String::new() };
        assert_eq!(counted(std::slice::from_ref(&one)), "1 finding");
        assert_eq!(counted(&[one.clone(), one]), "2 findings");
    }

    #[test]
    fn a_bound_is_mended_by_what_it_counts() {
        for (what, expected) in [
            ("number of custom sections", "strip"),
            ("length of a custom section's name in bytes", "strip"),
            ("number of parameters and results of all exported functions", "export only"),
            ("number of exports", "export only"),
            ("length of an export's name in bytes", "shorter name"),
            ("number of imports", "import each"),
            ("number of a table's elements", "address of fewer functions"),
            ("number of elements in all segments", "address of fewer functions"),
            ("number of data segments", "merge"),
            ("number of globals", "one structure"),
            ("number of types", "signatures"),
            ("number of a function's parameters", "by pointer"),
            ("number of a constant expression's operators", "at the start"),
            ("size of the metered code in bytes", "link less"),
            ("number of a function's br_table targets", "smaller functions"),
            ("number of a br_table's targets", "smaller functions"),
            ("size of a function's body in bytes", "smaller functions"),
            ("number of a function's locals", "smaller functions"),
        ] {
            assert!(next(what).contains(expected), "{what}: {}", next(what));
        }
    }
}

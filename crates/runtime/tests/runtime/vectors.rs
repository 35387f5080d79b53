//! The golden vectors of metering v1: module in, hash of the metered module, or why it is refused; module and input, how the run ends. Result
//! CIDs stand in examples/jobs/*/expected.json, which tools/check-samples checks as a provider runs them.

use std::{fs, path::PathBuf};

use assay_metering::meter;
use assay_protocol::PROFILE_V1;
use assay_runtime::{Node, RunRequest, run};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    corpus::{
        operators, programs,
        programs::{Size, program},
        samples::sample,
        script::{READ_RIGHTS, RIGHTS, Script},
    },
    guest::request_wasm,
};

const RECORD: &str = "ASSAY_RECORD_GOLDEN";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/metering-v1.json")
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn modules() -> Vec<(String, Vec<u8>)> {
    let corpus = programs::programs().into_iter().map(|program| (program.name.to_owned(), program.wasm()));
    let guests = [
        ("guest in C", include_bytes!("../guests/libc.wasm").to_vec()),
        ("guest in Rust", include_bytes!("../guests/probe.wasm").to_vec()),
        ("every operator", wat(&every_operator())),
    ];
    corpus.chain(guests.map(|(name, wasm)| (name.to_owned(), wasm))).collect()
}

/// All cases of the operators' corpus, one behind the other.
fn every_operator() -> String {
    let codes: String = operators::cases().into_iter().map(|case| case.code).collect();
    operators::program(&codes, 1)
}

fn module_vectors() -> Vec<Value> {
    let vector = |(name, wasm): (String, Vec<u8>)| {
        let metered = meter(&wasm).unwrap();
        json!({
            "name": name,
            "module_sha256": hash(&wasm),
            "metered_hash": hex::encode(metered.hash),
            "instantiation_gas": metered.instantiation_gas,
        })
    };
    modules().into_iter().map(vector).collect()
}

/// The small corpus whole, and stopped by gas and by stack; a trap; the sample that is quickest.
fn requests() -> Vec<(String, RunRequest)> {
    let mut requests = Vec::new();
    for listed in programs::programs() {
        requests.push((listed.name.to_owned(), listed.request(Size::Small)));
    }
    let mut little_gas = program("vm").request(Size::Small);
    little_gas.limits.gas_limit = 1_000_000;
    let mut little_stack = program("recursion").request(Size::Small);
    little_stack.limits.stack_bytes = 4_096;
    let mut panics = program("store").request(Size::Small);
    panics.args.push("panic".into());
    let operators = request_wasm(&wat(&every_operator()));
    requests.push(("vm with a million of gas".into(), little_gas));
    requests.push(("recursion with four kibibytes of stack".into(), little_stack));
    requests.push(("store that panics".into(), panics));
    requests.push(("every operator".into(), operators));
    requests.push(("customer-tiers".into(), sample("customer-tiers").0));
    requests.push(("paths".into(), paths().request()));
    requests
}

/// What paths and listings cost: two paths, one too long, empty pieces, an entry that is removed while it is listed.
fn paths() -> Script {
    let mut script = Script::new();
    script.open("output/a", 1, RIGHTS).open("output/b", 1, RIGHTS).open("output", 2, READ_RIGHTS);
    let (from, from_length) = script.bytes(b"output/a");
    let (to, to_length) = script.bytes(b"output//./c");
    script.call("path_rename", &[3, from, from_length, 3, to, to_length]);
    script.call("fd_readdir", &[6, 0, 30, 0, 40]);
    script.path("path_unlink_file", "output/b").path("path_unlink_file", "");
    script.call("fd_readdir", &[6, 0, 200, 1, 40]);
    script.open(&"x/".repeat(3_000), 0, READ_RIGHTS);
    script
}

/// Modules that are refused, each with its reason.
fn refused() -> Vec<Value> {
    let name = "n".repeat(1_025);
    let unknown = r#"(import "env" "f" (func))"#;
    let cases = [
        ("no module", b"MZ".to_vec()),
        ("a component", b"\0asm\x0d\0\x01\0".to_vec()),
        ("a body that is not valid", wat("(module (func i32.add))")),
        ("SIMD", wat("(module (func v128.const i64x2 0 0 drop))")),
        ("memory64", wat("(module (memory i64 1))")),
        ("two memories", wat("(module (memory 1) (memory 1))")),
        (
            "a constant from a global that is not imported",
            wat("(module (global i32 (i32.const 1)) (global i32 (global.get 0)))"),
        ),
        ("129 parameters", wat(&format!("(module (type (func (param {}))))", "i32 ".repeat(129)))),
        ("1,001 parameters", wat(&format!("(module (type (func (param {}))))", "i32 ".repeat(1_001)))),
        ("a table of 10,000,001 elements", wat("(module (table 10000001 funcref))")),
        ("17 tables", wat(&format!("(module {})", "(table 0 funcref)".repeat(17)))),
        ("an export's name of 1,025 bytes", wat(&format!(r#"(module (func (export "{name}")))"#))),
        ("a custom section's name of 1,025 bytes", wat(&format!(r#"(module (@custom "{name}" ""))"#))),
        ("a reserved export", wat(r#"(module (func (export "assay:gas_left")))"#)),
        ("an unknown import", wat(&format!("(module {unknown})"))),
        ("an imported memory", wat(r#"(module (import "env" "memory" (memory 1)))"#)),
        (
            "an import of another type",
            wat(r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32))))"#),
        ),
        ("an unknown import before a body that is not valid", wat(&format!("(module {unknown} (func i32.add))"))),
        (
            "an unknown import behind a type that is over a bound",
            wat(&format!("(module (type (func (param {}))) {unknown})", "i32 ".repeat(129))),
        ),
        (
            "an unknown import before one with too long a name",
            wat(&format!(r#"(module {unknown} (import "{name}" "f" (func)))"#)),
        ),
    ];
    let vector = |(name, wasm): (&str, Vec<u8>)| {
        let reason = format!("{:?}", meter(&wasm).unwrap_err().reason());
        json!({ "name": name, "module": hex::encode(wasm), "reason": reason })
    };
    cases.into_iter().map(vector).collect()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn run_vector((name, request): (String, RunRequest)) -> Value {
    // The program itself; that variant L and the other engine agree with it is another test's.
    let report = run(&request).unwrap();
    let output = report.output.iter().map(|(path, node)| match node {
        Node::File(bytes) => (path.to_owned(), json!(hash(bytes))),
        Node::Directory => (path.to_owned(), Value::Null),
    });
    json!({
        "name": name,
        "arguments": request.args,
        "gas_limit": request.limits.gas_limit,
        "stack_bytes": request.limits.stack_bytes,
        "outcome": format!("{:?}", report.end),
        "gas_used": report.gas_used,
        "stack_peak": report.stack_peak_bytes,
        "memory_peak": report.memory_peak_bytes,
        "stdout_sha256": hash(&report.stdout),
        "stderr_sha256": hash(&report.stderr),
        "output_sha256": output.collect::<serde_json::Map<_, _>>(),
    })
}

#[test]
fn w_09_the_golden_vectors_of_metering_v1_hold() {
    let found = json!({
        "about": "Metering v1, frozen: docs/METERING.md. Modules of examples/corpus and crates/runtime/tests.",
        "profile": PROFILE_V1,
        "cost_table": assay_metering::cost::COST_TABLE_VERSION,
        "modules": module_vectors(),
        "refused": refused(),
        "runs": requests().into_iter().map(run_vector).collect::<Vec<_>>(),
    });
    if std::env::var_os(RECORD).is_some() {
        fs::write(path(), serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let recorded: Value = serde_json::from_slice(&fs::read(path()).unwrap()).unwrap();
    for list in ["modules", "refused", "runs"] {
        let (found, recorded) = (found[list].as_array().unwrap(), recorded[list].as_array().unwrap());
        for (found, recorded) in found.iter().zip(recorded) {
            assert_eq!(found, recorded, "{THIS_IS_V2}");
        }
        assert_eq!(found.len(), recorded.len(), "{THIS_IS_V2}");
    }
    for version in ["profile", "cost_table"] {
        assert_eq!(found[version], recorded[version], "{THIS_IS_V2}");
    }
}

const THIS_IS_V2: &str = "this is v2: metering v1 is frozen, and jobs that are posted would end otherwise. Take the \
    change back, or make it execution profile 2 beside profile 1 (docs/METERING.md). If only a program of the corpus or \
    this test changed, record anew: ASSAY_RECORD_GOLDEN=1 cargo test -p assay-runtime --test runtime golden_vectors";

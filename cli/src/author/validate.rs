//! `assay validate`: everything that providers would refuse, found before anybody is paid.

use std::path::PathBuf;

use assay_content::Entry;
use assay_metering::{Metered, inspect, meter};
use assay_protocol::{InvalidReason, limits::WASM_PAGE_BYTES};
use assay_runtime::Variant;
use assay_sdk::{
    JobManifest,
    manifest::MANIFEST_FILE_NAME,
    verify::{PreparedTask, TaskInput, prepare},
};
use clap::Args;
use serde::Serialize;

use super::{
    findings::{Finding, counted, refused},
    project::Target,
};
use crate::{
    error::CliResult,
    output::{Output, grouped, shown_path},
    sandbox::{JobDirectory, TaskTerms, manifest_terms},
};

/// `assay validate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 providers accept it · 1 there are findings, or it cannot be read · 2 wrong usage"
)]
pub struct ValidateArgs {
    /// A project, its job directory, or a module; by default the project around the current directory.
    #[arg(default_value = ".")]
    path: PathBuf,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Validated {
    valid: bool,
    /// What is wrong, all of it.
    findings: Vec<Finding>,
    /// What is allowed and could be better.
    remarks: Vec<String>,
    metered_hash: Option<String>,
    instantiation_gas: Option<u64>,
}

/// Runs `assay validate`.
pub fn run(output: Output, args: &ValidateArgs) -> CliResult {
    let target = Target::find_here(&args.path)?;
    let mut checks = Checks { build: target.build_advice(), ..Checks::default() };
    match &target {
        Target::Module(path) => {
            let wasm = target.module()?;
            let name = shown_path(path);
            if let Some(metered) = checks.module(&name, &wasm) {
                checks.has_entry_point(&name, &metered);
            }
        }
        Target::Directory { job, .. } => match JobDirectory::read(job) {
            Ok(directory) => checks.directory(&directory),
            Err(error) => {
                let what = [&[error.what().to_owned()], error.causes()].concat().join(": ");
                checks.add(&shown_path(job), what, error.next_step().unwrap_or("mend the directory"));
            }
        },
    }
    let mut validated = checks.found;
    validated.valid = validated.findings.is_empty();
    let checked = if validated.valid {
        Ok(())
    } else {
        let what = format!("no provider would run {}: {}", shown_path(&args.path), counted(&validated.findings));
        let next = format!("mend them, then run `{}` again", target.command("validate"));
        Err(refused(what, &validated.findings, &next))
    };
    output.result_and(&validated, checked, || {
        for remark in &validated.remarks {
            println!("remark       {remark}");
        }
        if validated.valid {
            println!("metered      {}", validated.metered_hash.as_deref().unwrap_or("none"));
            println!("to start it  {} gas", grouped(validated.instantiation_gas.unwrap_or_default()));
            println!("valid        providers accept it");
        }
    })
}

#[derive(Default)]
struct Checks {
    found: Validated,
    /// Where a missing module comes from.
    build: String,
}

impl Checks {
    fn add(&mut self, place: &str, what: impl Into<String>, next: impl Into<String>) {
        self.found.findings.push(Finding { place: place.to_owned(), what: what.into(), next: next.into() });
    }

    fn module(&mut self, name: &str, wasm: &[u8]) -> Option<Metered> {
        let Ok(metered) = meter(wasm) else {
            let findings = inspect::findings(wasm);
            self.found.findings.extend(findings.iter().map(|error| Finding::of_module(name, error)));
            return None;
        };
        self.found.metered_hash = Some(hex::encode(metered.hash));
        self.found.instantiation_gas = Some(metered.instantiation_gas);
        // Names of functions are wanted: the tools show them, and stripping debug info leaves them.
        let sections = inspect::sections(wasm);
        let strippable = sections.iter().filter(|section| section.is_custom && section.name != "name");
        let custom: u64 = strippable.map(|section| section.size_bytes).sum();
        if custom > metered.info.size_bytes / 2 {
            self.found.remarks.push(format!(
                "{} of the module's {} bytes are custom sections other than the names of functions, which nobody needs; strip \
                 them: strip = \"debuginfo\" (Rust), -Wl,--strip-debug (clang), no --debug (AssemblyScript), -no-debug (TinyGo)",
                grouped(custom),
                grouped(metered.info.size_bytes)
            ));
        }
        Some(metered)
    }

    fn has_entry_point(&mut self, name: &str, metered: &Metered) {
        let offered = &metered.info.entry_points;
        if !offered.command && !offered.reactor && offered.functions.is_empty() {
            self.add(name, "it exports no entry point", ENTRY_POINT_ADVICE);
        }
    }

    fn directory(&mut self, directory: &JobDirectory) {
        let manifest = match directory.manifest() {
            Ok(manifest) => Some(manifest),
            Err(error) => {
                let what = error.causes().first().cloned().unwrap_or_else(|| error.what().to_owned());
                let what = what.strip_prefix("manifest.json, ").unwrap_or(&what);
                self.add(MANIFEST_FILE_NAME, what, "`assay job schema` prints the schema of a manifest");
                None
            }
        };
        match manifest {
            Some(manifest) => self.manifest(&manifest, directory),
            // Without a manifest nobody knows which file is the module: each that looks like one is checked.
            None => {
                for entry in directory.entries.iter().filter(|entry| entry.path.ends_with(".wasm")) {
                    self.module(&entry.path, entry.bytes().map_or(&[][..], |bytes| bytes.as_ref()));
                }
            }
        }
    }

    fn manifest(&mut self, manifest: &JobManifest, directory: &JobDirectory) {
        let file = |path: &str| directory.entries.iter().find(|entry| entry.path == path).and_then(Entry::bytes);
        if let Some(stdin) = manifest.stdin.as_deref().filter(|path| file(path).is_none()) {
            self.add(
                MANIFEST_FILE_NAME,
                format!("field `stdin`: there is no file {stdin:?}"),
                "add the file, or leave out the field",
            );
        }
        let Some(wasm) = file(&manifest.executable) else {
            let what = format!("field `executable`: there is no file {:?}", manifest.executable);
            self.add(MANIFEST_FILE_NAME, what, self.build.clone());
            return;
        };
        let Some(metered) = self.module(&manifest.executable, wasm) else { return };
        let terms = manifest_terms(manifest, TaskTerms::default());
        self.limits(&metered, terms);
        if !self.found.findings.is_empty() {
            return;
        }
        // What a poster and every provider check, for whatever is not looked at above.
        let task = directory.spec(terms).map(|spec| TaskInput { spec, entries: directory.entries.clone() });
        match task.map(|task| prepare(&task, Variant::Canonical)) {
            Ok(Ok(PreparedTask::Ready(_))) => {}
            Ok(Ok(PreparedTask::Invalid(invalid))) => {
                let next = match invalid.reason {
                    InvalidReason::EntryPointMissing => ENTRY_POINT_ADVICE,
                    _ => "change the manifest or the directory",
                };
                self.add(MANIFEST_FILE_NAME, invalid.problem, next);
            }
            Ok(Err(error)) => self.add(MANIFEST_FILE_NAME, error.to_string(), "update assay"),
            Err(error) => self.add(MANIFEST_FILE_NAME, error.what(), "change the manifest"),
        }
    }

    /// What would end every run before it begins.
    fn limits(&mut self, metered: &Metered, terms: TaskTerms) {
        let limits = terms.limits;
        if metered.instantiation_gas > limits.gas_limit {
            self.add(
                MANIFEST_FILE_NAME,
                format!(
                    "the gas limit is {}; to start the module takes {}",
                    grouped(limits.gas_limit),
                    grouped(metered.instantiation_gas)
                ),
                "raise `limits.gas_limit`",
            );
        }
        let pages = metered.info.memory.map_or(0, |memory| memory.initial_pages);
        let bytes = pages.saturating_mul(WASM_PAGE_BYTES);
        if bytes > limits.memory_bytes {
            self.add(
                MANIFEST_FILE_NAME,
                format!(
                    "the memory limit is {}; the module starts with {}",
                    grouped(limits.memory_bytes),
                    grouped(bytes)
                ),
                "raise `limits.memory_bytes`, or let the linker reserve less (-Wl,--initial-memory, stack size)",
            );
        }
    }
}

const ENTRY_POINT_ADVICE: &str = "export `_start`: a binary with main (Rust, C), \"exportStart\": \"_start\" \
    (AssemblyScript), package main (TinyGo); or export `run`, or `alloc` and a function that `function_name` in the manifest names";

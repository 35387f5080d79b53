//! `assay inspect`: what a module holds.

use std::{cmp::Reverse, path::PathBuf};

use assay_metering::{
    Metered,
    inspect::{FunctionSize, Inspection, Item, Section, inspect},
    meter,
};
use clap::Args;
use serde::Serialize;

use super::{findings::Finding, names::FunctionNames, project::Target};
use crate::{
    error::{CliError, CliResult},
    output::{Output, grouped, printable, shown_path, table},
};

/// How many of the largest functions are shown unless a flag says otherwise.
const TOP: usize = 10;

/// `assay inspect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 shown, also a module that providers refuse · 1 it is no module or cannot be read · 2 wrong usage"
)]
pub struct InspectArgs {
    /// A module, a job directory or a project.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// How many of the largest functions are shown.
    #[arg(long, value_name = "N", default_value_t = TOP)]
    top: usize,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Shown {
    path: String,
    size_bytes: u64,
    /// Whether providers accept it; `assay validate` says why not.
    accepted: bool,
    refusal: Option<Finding>,
    /// Null when it is not valid, whatever it may use.
    features: Option<Vec<&'static str>>,
    /// Those that providers refuse.
    refused_features: Option<Vec<&'static str>>,
    sections: Vec<ShownSection>,
    /// Of a refused module as far as it can be read, like the functions.
    imports: Vec<ShownItem>,
    exports: Vec<ShownItem>,
    functions: usize,
    largest_functions: Vec<ShownFunction>,
    /// What is only known of an accepted module.
    #[serde(flatten)]
    module: Option<ShownModule>,
}

#[derive(Debug, Serialize)]
struct ShownSection {
    name: String,
    custom: bool,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ShownModule {
    metered_hash: String,
    metered_size_bytes: u64,
    instantiation_gas: u64,
    entry_points: Vec<String>,
    memory_initial_pages: Option<u64>,
    memory_maximum_pages: Option<u64>,
    has_start_function: bool,
}

#[derive(Debug, Serialize)]
struct ShownItem {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Debug, Serialize)]
struct ShownFunction {
    index: u32,
    name: String,
    code_bytes: u64,
    /// Null in a refused module.
    frame_bytes: Option<u64>,
}

/// Runs `assay inspect`.
pub fn run(output: Output, args: &InspectArgs) -> CliResult {
    let target = Target::find_here(&args.path)?;
    let (path, wasm) = (target.module_path()?, target.module()?);
    let inspection = inspect(&wasm);
    let metered = meter(&wasm);
    let refusal = metered.as_ref().err().map(|error| Finding::of_module(&shown_path(&path), error));
    if let Some(finding) = refusal.as_ref().filter(|_| inspection.sections.is_empty()) {
        return Err(
            CliError::new(format!("cannot read {}: {}", finding.place, finding.what)).with_next(finding.next.clone())
        );
    }
    let shown = Shown {
        path: path.display().to_string(),
        size_bytes: u64::try_from(wasm.len()).unwrap_or(u64::MAX),
        accepted: refusal.is_none(),
        refusal,
        features: inspection.is_valid.then(|| inspection.features.clone()),
        refused_features: inspection.is_valid.then(|| inspection.refused_features.clone()),
        sections: inspection.sections.iter().map(section).collect(),
        imports: inspection.imports.iter().map(item).collect(),
        exports: inspection.exports.iter().map(item).collect(),
        functions: inspection.functions.len(),
        largest_functions: largest(&inspection, args.top),
        module: metered.ok().map(|metered| module(&metered)),
    };
    output.result(&shown, || print(&shown, &target.command("validate")));
    Ok(())
}

fn section(section: &Section) -> ShownSection {
    ShownSection { name: section.name.clone(), custom: section.is_custom, size_bytes: section.size_bytes }
}

fn item(item: &Item) -> ShownItem {
    let name = if item.module.is_empty() { item.name.clone() } else { format!("{}.{}", item.module, item.name) };
    ShownItem { name, ty: item.ty.clone() }
}

fn largest(inspection: &Inspection, top: usize) -> Vec<ShownFunction> {
    let names = FunctionNames::new(inspection);
    let mut largest: Vec<&FunctionSize> = inspection.functions.iter().collect();
    largest.sort_by_key(|function| (Reverse(function.code_bytes), function.index));
    largest.truncate(top);
    let shown = largest.into_iter().map(|function| ShownFunction {
        index: function.index,
        name: names.of(function.index),
        code_bytes: function.code_bytes,
        frame_bytes: function.frame_bytes,
    });
    shown.collect()
}

fn module(metered: &Metered) -> ShownModule {
    let info = &metered.info;
    let mut entry_points = Vec::new();
    entry_points.extend(info.entry_points.command.then(|| "_start".to_owned()));
    entry_points.extend(info.entry_points.reactor.then(|| "run".to_owned()));
    entry_points.extend(info.entry_points.functions.iter().cloned());
    ShownModule {
        metered_hash: hex::encode(metered.hash),
        metered_size_bytes: u64::try_from(metered.wasm.len()).unwrap_or(u64::MAX),
        instantiation_gas: metered.instantiation_gas,
        entry_points,
        memory_initial_pages: info.memory.map(|memory| memory.initial_pages),
        memory_maximum_pages: info.memory.and_then(|memory| memory.maximum_pages),
        has_start_function: info.has_start,
    }
}

/// A name out of the module, on one line, nothing in it that acts on a terminal.
fn shown_name(name: &str) -> String {
    printable(name.as_bytes()).replace('\n', "\\n").replace('\t', "\\t")
}

/// `validate` is the command that lists what is wrong.
fn print(shown: &Shown, validate: &str) {
    println!("module       {} ({} bytes)", shown.path, grouped(shown.size_bytes));
    match &shown.refusal {
        None => println!("profile      accepted"),
        Some(finding) => {
            println!("profile      REFUSED: {}", finding.what);
            println!("             next: {}; `{validate}` lists everything", finding.next);
        }
    }
    if let Some(module) = &shown.module {
        print_module(module);
    }
    let starts = shown.module.as_ref().is_some_and(|module| module.has_start_function);
    let start = if starts { ", and a start function" } else { "" };
    println!("functions    {}{start}", grouped(u64::try_from(shown.functions).unwrap_or(u64::MAX)));
    println!("features     {}", features(shown));
    let mut sections = table(["section", "bytes"]);
    for ShownSection { name, custom, size_bytes } in &shown.sections {
        let name = if *custom { format!("custom: {}", shown_name(name)) } else { name.clone() };
        sections.add_row([name, grouped(*size_bytes)]);
    }
    println!("{sections}");
    for (heading, items) in [("imports", &shown.imports), ("exports", &shown.exports)] {
        println!("{heading}{}", if items.is_empty() { ": none" } else { "" });
        for item in items {
            println!("  {} {}", shown_name(&item.name), item.ty);
        }
    }
    let mut functions = table(["largest functions", "index", "code bytes", "stack frame bytes"]);
    for function in &shown.largest_functions {
        let [index, code] = [u64::from(function.index), function.code_bytes].map(grouped);
        let frame = function.frame_bytes.map_or_else(|| "not known".to_owned(), grouped);
        functions.add_row([function.name.clone(), index, code, frame]);
    }
    println!("{functions}");
}

/// What it uses beyond the first version of WebAssembly, and what of that providers refuse.
fn features(shown: &Shown) -> String {
    let (Some(accepted), Some(refused)) = (&shown.features, &shown.refused_features) else {
        return "not known: it is not valid WebAssembly".to_owned();
    };
    let all = accepted.iter().map(|name| (*name).to_owned());
    let all: Vec<String> = all.chain(refused.iter().map(|name| format!("{name} (refused)"))).collect();
    if all.is_empty() { "none beyond 1.0".to_owned() } else { all.join(", ") }
}

fn print_module(module: &ShownModule) {
    let entries = if module.entry_points.is_empty() { "none".to_owned() } else { module.entry_points.join(", ") };
    println!("metered      {} ({} bytes)", module.metered_hash, grouped(module.metered_size_bytes));
    println!("to start it  {} gas", grouped(module.instantiation_gas));
    println!("entry points {entries}");
    let Some(initial) = module.memory_initial_pages else {
        println!("memory       none");
        return;
    };
    let maximum = module.memory_maximum_pages.map_or_else(|| "none".to_owned(), grouped);
    println!("memory       {} pages of 65,536 bytes at the start, declared maximum {maximum}", grouped(initial));
}

//! `assay inspect`: what a module holds.

use std::{cmp::Reverse, path::PathBuf};

use assay_metering::{
    ExportKind, Metered, Signature,
    inspect::{Inspection, Section, inspect},
    meter,
};
use clap::Args;
use serde::Serialize;

use super::{findings::Finding, names::FunctionNames, project::Target};
use crate::{
    error::{CliError, CliResult},
    output::{Output, grouped, shown_path, table},
};

/// How many of the largest functions are shown unless a flag says otherwise.
const TOP: usize = 10;

/// `assay inspect`.
#[derive(Debug, Args)]
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
    features: Vec<&'static str>,
    sections: Vec<ShownSection>,
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
    imports: Vec<ShownItem>,
    exports: Vec<ShownItem>,
    functions: u32,
    largest_functions: Vec<ShownFunction>,
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
    frame_bytes: u64,
}

/// Runs `assay inspect`.
pub fn run(output: Output, args: &InspectArgs) -> CliResult {
    let target = Target::find(&args.path)?;
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
        features: inspection.features.clone(),
        sections: inspection.sections.iter().map(section).collect(),
        module: metered.ok().map(|metered| module(&metered, &inspection, args.top)),
    };
    output.result(&shown, || print(&shown, &target.command("validate")));
    Ok(())
}

fn section(section: &Section) -> ShownSection {
    ShownSection { name: section.name.clone(), custom: section.is_custom, size_bytes: section.size_bytes }
}

fn module(metered: &Metered, inspection: &Inspection, top: usize) -> ShownModule {
    let info = &metered.info;
    let names = FunctionNames::new(inspection, &info.imports);
    let mut largest = inspection.functions.clone();
    largest.sort_by_key(|function| (Reverse(function.code_bytes), function.index));
    largest.truncate(top);
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
        imports: info
            .imports
            .iter()
            .map(|import| ShownItem {
                name: format!("{}.{}", import.module, import.name),
                ty: signature(&import.signature),
            })
            .collect(),
        exports: info
            .exports
            .iter()
            .map(|export| ShownItem {
                name: export.name.clone(),
                ty: match &export.kind {
                    ExportKind::Function(ty) => signature(ty),
                    ExportKind::Memory => "memory".to_owned(),
                    ExportKind::Table => "table".to_owned(),
                    ExportKind::Global => "global".to_owned(),
                },
            })
            .collect(),
        functions: info.functions,
        largest_functions: largest
            .iter()
            .map(|function| ShownFunction {
                index: function.index,
                name: names.of(function.index),
                code_bytes: function.code_bytes,
                frame_bytes: function.frame_bytes,
            })
            .collect(),
    }
}

fn signature(signature: &Signature) -> String {
    let list =
        |types: &[assay_metering::ValueType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("({}) -> ({})", list(&signature.params), list(&signature.results))
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
    println!(
        "features     {}",
        if shown.features.is_empty() { "none beyond 1.0".to_owned() } else { shown.features.join(", ") }
    );
    let mut sections = table(["section", "bytes"]);
    for ShownSection { name, custom, size_bytes } in &shown.sections {
        sections.add_row([if *custom { format!("custom: {name}") } else { name.clone() }, grouped(*size_bytes)]);
    }
    println!("{sections}");
    let Some(module) = &shown.module else { return };
    for (heading, items) in [("imports", &module.imports), ("exports", &module.exports)] {
        println!("{heading}{}", if items.is_empty() { ": none" } else { "" });
        for item in items {
            println!("  {} {}", item.name, item.ty);
        }
    }
    let mut functions = table(["largest functions", "index", "code bytes", "stack frame bytes"]);
    for function in &module.largest_functions {
        let figures = [u64::from(function.index), function.code_bytes, function.frame_bytes].map(grouped);
        let [index, code, frame] = figures;
        functions.add_row([function.name.clone(), index, code, frame]);
    }
    println!("{functions}");
}

fn print_module(module: &ShownModule) {
    let pages = |pages: Option<u64>| pages.map_or_else(|| "none".to_owned(), grouped);
    let entries = if module.entry_points.is_empty() { "none".to_owned() } else { module.entry_points.join(", ") };
    println!("metered      {} ({} bytes)", module.metered_hash, grouped(module.metered_size_bytes));
    println!("to start it  {} gas", grouped(module.instantiation_gas));
    println!("entry points {entries}");
    println!(
        "memory       {} pages of 65,536 bytes at the start, declared maximum {}",
        pages(module.memory_initial_pages),
        pages(module.memory_maximum_pages)
    );
    println!(
        "functions    {}{}",
        grouped(u64::from(module.functions)),
        if module.has_start_function { ", and a start function" } else { "" }
    );
}

//! `assay meter`: which functions use the gas.

use std::{cmp::Reverse, path::PathBuf};

use assay_metering::inspect::inspect;
use assay_runtime::{
    End,
    trace::{FunctionGas, Traced, run_traced},
};
use clap::{Args, ValueEnum};
use inferno::flamegraph;
use serde::Serialize;

use super::{names::FunctionNames, project::TaskArgs};
use crate::{
    ended::Ended,
    engine::TimeoutArgs,
    error::{CliError, CliResult, Context as _},
    output::{Output, grouped, require_new_file, table, write_new},
    progress::Progress,
};

/// How many functions are shown unless a flag says otherwise.
const TOP: usize = 20;
/// Most gas unless the manifest or a flag says otherwise: that of a job.
const GAS_LIMIT: u64 = assay_protocol::limits::GAS_LIMIT_DEFAULT;
/// How many of the functions that a stopped run was in are shown.
const STOPPED_IN: usize = 12;

/// `assay meter`.
#[derive(Debug, Args)]
#[command(
    mut_arg("timeout_s", |flag| flag.help(super::TIMEOUT_OF_ALL)),
    after_help = "Gas, outcome and peaks are those of a provider's run; only the time is longer. The module runs in the \
interpreter, in this process and not in the sandbox.\nExit codes: 0 the run came to an outcome, whichever it is · 1 it could not \
be run · 2 wrong usage"
)]
pub struct MeterArgs {
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    timeout: TimeoutArgs,
    /// Writes a flame graph (SVG), a new file: width is gas, what stands on a function was called by it.
    #[arg(long, value_name = "FILE")]
    flame: Option<PathBuf>,
    /// How many functions are shown.
    #[arg(long, value_name = "N", default_value_t = TOP)]
    top: usize,
    /// What the functions are ordered by.
    #[arg(long, value_enum, default_value_t = Order::SelfGas)]
    by: Order,
}

/// What functions are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Gas of the function's own code.
    #[value(name = "self")]
    SelfGas,
    /// The same with everything that it called.
    #[value(name = "total")]
    TotalGas,
    /// How often it was called.
    Calls,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    ended: Ended,
    gas_used: u64,
    /// Instantiation, and what a function entry's input and output cost.
    outside_gas: u64,
    /// How many functions were called.
    functions_called: usize,
    functions: Vec<ShownFunction>,
    /// Where a run that did not exit stopped, innermost first.
    stopped_in: Vec<String>,
    flame: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownFunction {
    index: u32,
    name: String,
    calls: u64,
    self_gas: u64,
    total_gas: u64,
}

/// Runs `assay meter`.
pub async fn run(output: Output, args: MeterArgs) -> CliResult {
    require_new_file(args.flame.as_deref(), "--flame")?;
    let task = args.task.task(GAS_LIMIT)?;
    let inspection = inspect(&task.target.module()?);
    let (ready, _) = task.ready()?;
    let request = ready.request;
    let names = FunctionNames::new(&inspection);
    let traced = {
        let _progress = Progress::quiet_start(output, "running");
        let work = move || -> CliResult<Traced> {
            let plain = assay_runtime::run(&request)?;
            let traced = run_traced(&request)?;
            // The figures are worth nothing if the hooks change what they measure.
            if traced.report == plain { Ok(traced) } else { Err(disturbed(plain.gas_used, traced.report.gas_used)) }
        };
        super::in_this_process(args.timeout, work).await?
    };
    if let Some(file) = &args.flame {
        let svg = flame_graph(&traced, &names, &args.task.path.display().to_string())?;
        write_new(file, &svg)?;
    }
    let shown = shown(&args, &traced, &names);
    output.result(&shown, || print(&shown, &traced));
    if !names.are_known() {
        output.note(
            "the module has no function names; keep them: strip = \"debuginfo\" (Rust), no -s or --strip-all (clang)",
        );
    }
    Ok(())
}

fn disturbed(plain: u64, traced: u64) -> CliError {
    CliError::new("counting by function changed the run, so its figures are wrong")
        .with_cause(format!("{} gas without, {} with", grouped(plain), grouped(traced)))
        .with_next("report it, with the module")
}

fn shown(args: &MeterArgs, traced: &Traced, names: &FunctionNames) -> Shown {
    let mut functions: Vec<FunctionGas> = traced.functions.clone();
    functions.sort_by_key(|function| {
        let by = match args.by {
            Order::SelfGas => function.self_gas,
            Order::TotalGas => function.total_gas,
            Order::Calls => function.calls,
        };
        (Reverse(by), function.function)
    });
    let row = |function: &FunctionGas| ShownFunction {
        index: function.function,
        name: names.of(function.function),
        calls: function.calls,
        self_gas: function.self_gas,
        total_gas: function.total_gas,
    };
    let stopped = !matches!(traced.report.end, End::Exited(_) | End::OutputTooLarge(_));
    let innermost = traced.stopped_in.iter().rev().take(STOPPED_IN).filter(|_| stopped);
    Shown {
        ended: Ended::of_report(&traced.report),
        gas_used: traced.report.gas_used,
        outside_gas: traced.outside_gas,
        functions_called: functions.len(),
        functions: functions.iter().take(args.top).map(row).collect(),
        stopped_in: innermost.map(|function| names.of(*function)).collect(),
        flame: args.flame.as_ref().map(|file| file.display().to_string()),
    }
}

fn print(shown: &Shown, traced: &Traced) {
    println!("outcome      {}", shown.ended.text());
    println!("gas          {}, of which {} to start", grouped(shown.gas_used), grouped(shown.outside_gas));
    let share = |gas: u64| format!("{:.1} %", share_percent(gas, shown.gas_used));
    let mut rows = table(["function", "calls", "self gas", "", "total gas", ""]);
    for function in &shown.functions {
        rows.add_row([
            function.name.clone(),
            grouped(function.calls),
            grouped(function.self_gas),
            share(function.self_gas),
            grouped(function.total_gas),
            share(function.total_gas),
        ]);
    }
    println!("{rows}");
    if shown.functions_called > shown.functions.len() {
        println!(
            "{} of {} functions that were called; --top N shows more",
            shown.functions.len(),
            shown.functions_called
        );
    }
    if !shown.stopped_in.is_empty() {
        println!("it stopped in");
        for function in &shown.stopped_in {
            println!("  {function}");
        }
    }
    if let Some(file) = &shown.flame {
        println!(
            "flame graph  {file}{}",
            if traced.is_cut { " (the deepest calls are drawn with their callers)" } else { "" }
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn share_percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// What is less than this part of the gas is narrower than a pixel, and counts for its caller.
const SMALLEST_PART: u64 = 2_000;
/// Longest name in a flame graph, characters.
const FLAME_NAME_CHARACTERS_MAX: usize = 80;

/// The call tree as a flame graph.
fn flame_graph(traced: &Traced, names: &FunctionNames, title: &str) -> CliResult<Vec<u8>> {
    let mut options = flamegraph::Options::default();
    options.title = format!("Gas of {title}");
    options.count_name = "gas".to_owned();
    options.deterministic = true;
    let lines = stacks(traced, names);
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .context("cannot draw the flame graph")?;
    Ok(svg)
}

/// One line for every path of functions: `outer;inner gas`.
fn stacks(traced: &Traced, names: &FunctionNames) -> Vec<String> {
    let nodes = &traced.nodes;
    let mut own: Vec<u64> = nodes.iter().map(|node| node.self_gas).collect();
    let mut total = own.clone();
    // Callees stand behind their callers.
    for (place, node) in nodes.iter().enumerate().rev() {
        let (gas, all) = (own[place], total[place]);
        let Some(parent) = node.parent else { continue };
        total[parent] = total[parent].saturating_add(all);
        if all < traced.report.gas_used / SMALLEST_PART {
            own[parent] = own[parent].saturating_add(gas);
            own[place] = 0;
        }
    }
    let name = |function: u32| -> String {
        // A semicolon parts functions.
        names.of(function).replace(';', ":").chars().take(FLAME_NAME_CHARACTERS_MAX).collect()
    };
    let mut paths: Vec<String> = Vec::with_capacity(nodes.len());
    let mut lines = vec![format!("(start) {}", traced.outside_gas)];
    for (place, node) in nodes.iter().enumerate() {
        let is_drawn = total[place] >= traced.report.gas_used / SMALLEST_PART;
        let path = match node.parent.and_then(|parent| paths.get(parent)) {
            _ if !is_drawn => String::new(),
            Some(parent) => format!("{parent};{}", name(node.function)),
            None => name(node.function),
        };
        if is_drawn && own[place] > 0 {
            lines.push(format!("{path} {}", own[place]));
        }
        paths.push(path);
    }
    lines
}

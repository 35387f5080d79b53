//! `assay bench`: a module on both engines, side by side.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use assay_metering::{Metered, meter_with_fast, unmetered};
use assay_runtime::{
    ArtifactCache, ArtifactStore, CacheLimits, End, Engine, RunOptions, RunReport, RunRequest, run_with,
};
use clap::Args;
use serde::Serialize;

use super::{advice::Closer, project::TaskArgs};
use crate::{
    ended::Ended,
    engine::TimeoutArgs,
    error::{CliError, CliResult, Exit},
    output::{Output, grouped, table},
    progress::Progress,
};

/// How often each way is run unless a flag says otherwise.
const RUNS: u32 = 5;
/// Most gas unless the manifest or a flag says otherwise: that of a job.
const GAS_LIMIT: u64 = assay_protocol::limits::GAS_LIMIT_DEFAULT;

/// `assay bench`.
#[derive(Debug, Args)]
#[command(
    mut_arg("timeout_s", |flag| flag.help(super::TIMEOUT_OF_ALL)),
    after_help = "plain is the module as it was uploaded, without metering, which no provider runs; G is the program itself, L \
computes the same faster. All times are the least of all runs, which take turns.\n\
The module runs in this process and not in the sandbox. Times are those of this machine at this moment; gas is the same \
everywhere.\nExit codes: 0 measured; an engine that could not run it says why · 3 the engines do not agree · 1 it could not be \
measured, or does not run to its end · 2 wrong usage"
)]
pub struct BenchArgs {
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    timeout: TimeoutArgs,
    /// How often each way is run.
    #[arg(long, value_name = "N", default_value_t = RUNS, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
}

/// What `--json` prints. Times are nanoseconds, the least of all runs.
#[derive(Debug, Serialize)]
struct Benched {
    #[serde(flatten)]
    ended: Ended,
    gas_used: u64,
    module_bytes: u64,
    metered_bytes: usize,
    /// The metering pass, both variants.
    metering_ns: u64,
    runs: u32,
    ways: Vec<Way>,
}

/// One engine with one form of the module.
#[derive(Debug, Serialize)]
struct Way {
    engine: &'static str,
    /// `plain`, `G`, `L`.
    form: &'static str,
    /// To compile and instantiate.
    compile_ns: Option<u64>,
    /// To load compiled code and instantiate, where the engine keeps such code.
    load_ns: Option<u64>,
    /// The guest itself, from its entry to its end.
    run_ns: Option<u64>,
    /// Of the run.
    ns_per_gas: Option<f64>,
    /// Of the run, plain = 1.
    overhead: Option<f64>,
    /// Why the engine did not run it.
    fault: Option<String>,
}

/// Runs `assay bench`.
pub async fn run(output: Output, args: BenchArgs) -> CliResult {
    let task = args.task.task(GAS_LIMIT)?;
    let wasm = task.target.module()?;
    let (ready, closer) = task.ready()?;
    let request = ready.request;
    let benched = {
        let _progress = Progress::quiet_start(output, "measuring");
        let work = move || Bench::new(&wasm, request, (args.runs, &closer))?.measure();
        super::in_this_process(args.timeout, work).await?
    };
    output.result(&benched, || print(&benched));
    Ok(())
}

/// A form of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As uploaded.
    Plain,
    /// Variant G.
    Canonical,
    /// Variant L.
    Fast,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Canonical => "G",
            Self::Fast => "L",
        }
    }
}

struct Bench {
    /// One request for each form that the module has.
    requests: Vec<(Form, RunRequest)>,
    reference: RunReport,
    metering: Duration,
    runs: u32,
    artifacts: Arc<dyn ArtifactStore>,
}

impl Bench {
    fn new(wasm: &[u8], request: RunRequest, (runs, closer): (u32, &Closer)) -> CliResult<Self> {
        let began = Instant::now();
        let metered = meter_with_fast(wasm)?;
        let mut metering = began.elapsed();
        for _ in 1..runs {
            let began = Instant::now();
            meter_with_fast(wasm)?;
            metering = metering.min(began.elapsed());
        }
        let mut forms = Vec::new();
        forms.extend(unmetered(wasm)?.map(|plain| (Form::Plain, plain)));
        // As a program of its own, so that nothing is repeated: a guest that exits needs no second run.
        let fast = metered.fast.clone().map(|fast| Metered {
            wasm: fast.wasm,
            hash: fast.hash,
            fast: None,
            ..metered.clone()
        });
        forms.push((Form::Canonical, Metered { fast: None, ..metered }));
        forms.extend(fast.map(|fast| (Form::Fast, fast)));
        let reference = assay_runtime::run(&request)?;
        if !matches!(reference.end, End::Exited(_)) {
            return Err(CliError::new(format!(
                "the module does not run to its end: {}",
                Ended::of_report(&reference).text()
            ))
            .with_next(closer.next_step(reference.end, &request.limits)));
        }
        let requests =
            forms.into_iter().map(|(form, metered)| (form, RunRequest { metered, ..request.clone() })).collect();
        let artifacts = Arc::new(ArtifactCache::open(None, CacheLimits::default())?);
        Ok(Self { requests, reference, metering, runs, artifacts })
    }

    fn measure(&self) -> CliResult<Benched> {
        let mut ways = Vec::new();
        for engine in [Engine::Wasmi, Engine::Wasmtime] {
            for (form, request) in &self.requests {
                ways.push(Measured::first(self, engine, *form, request)?);
            }
        }
        // In turns, so that a moment of load does not fall on one of them.
        for _ in 0..self.runs {
            ways.iter_mut().try_for_each(Measured::again)?;
        }
        let gas_used = self.reference.gas_used;
        let plain = |engine| ways.iter().find(|way| way.engine == engine && way.form == Form::Plain)?.run;
        let shown = ways.iter().map(|way| way.shown(gas_used, plain(way.engine))).collect();
        let metered =
            self.requests.iter().find(|(form, _)| *form == Form::Canonical).map(|(_, request)| &request.metered);
        Ok(Benched {
            ended: Ended::of_report(&self.reference),
            gas_used,
            module_bytes: metered.map_or(0, |metered| metered.info.size_bytes),
            metered_bytes: metered.map_or(0, |metered| metered.wasm.len()),
            metering_ns: nanoseconds(self.metering),
            runs: self.runs,
            ways: shown,
        })
    }
}

/// What was measured of one way so far: the least times.
struct Measured<'a> {
    engine: Engine,
    form: Form,
    request: &'a RunRequest,
    kept: RunOptions,
    compile: Option<Duration>,
    load: Option<Duration>,
    run: Option<Duration>,
    fault: Option<String>,
}

impl<'a> Measured<'a> {
    /// Compiles, and checks that the way gives what the reference gives.
    fn first(bench: &Bench, engine: Engine, form: Form, request: &'a RunRequest) -> CliResult<Self> {
        let kept = RunOptions { engine, artifacts: Some(bench.artifacts.clone()), ..RunOptions::default() };
        let mut way = Self { engine, form, request, kept, compile: None, load: None, run: None, fault: None };
        match run_with(request, &way.kept) {
            Ok(run) if form == Form::Plain || run.report == bench.reference => Ok(way),
            Ok(_) => Err(CliError::new(format!("{engine:?} gives another result than the reference"))
                .with_exit(Exit::Differs)
                .with_next("report it, with the module and its input")),
            Err(fault) => {
                way.fault = Some(fault.to_string());
                Ok(way)
            }
        }
    }

    fn again(&mut self) -> CliResult {
        if self.fault.is_some() {
            return Ok(());
        }
        self.once(&RunOptions { artifacts: None, ..self.kept.clone() })?;
        if self.engine == Engine::Wasmtime { self.once(&self.kept.clone()) } else { Ok(()) }
    }

    /// Runs once more and keeps the lesser times.
    fn once(&mut self, options: &RunOptions) -> CliResult {
        let began = Instant::now();
        let run = run_with(self.request, options)?;
        let before = began.elapsed().saturating_sub(run.guest_time);
        let least =
            |best: &mut Option<Duration>, took: Duration| *best = Some(best.map_or(took, |best| best.min(took)));
        least(if options.artifacts.is_some() { &mut self.load } else { &mut self.compile }, before);
        least(&mut self.run, run.guest_time);
        Ok(())
    }

    fn shown(&self, gas_used: u64, plain: Option<Duration>) -> Way {
        let gas = gas_used.saturating_sub(self.request.metered.instantiation_gas);
        Way {
            engine: match self.engine {
                Engine::Wasmi => "wasmi",
                _ => "wasmtime",
            },
            form: self.form.name(),
            compile_ns: self.compile.map(nanoseconds),
            load_ns: self.load.map(nanoseconds),
            run_ns: self.run.map(nanoseconds),
            // The plain form counts none.
            ns_per_gas: self.run.filter(|_| self.form != Form::Plain).and_then(|run| ratio(nanoseconds(run), gas)),
            overhead: self.run.zip(plain).and_then(|(run, plain)| ratio(nanoseconds(run), nanoseconds(plain))),
            fault: self.fault.clone(),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1_000.0).round() / 1_000.0)
}

fn print(benched: &Benched) {
    println!("outcome      {}", benched.ended.text());
    println!("gas          {}", grouped(benched.gas_used));
    println!(
        "metering     {} for {} bytes, which become {}",
        time(Some(benched.metering_ns)),
        grouped(benched.module_bytes),
        grouped(u64::try_from(benched.metered_bytes).unwrap_or(u64::MAX))
    );
    let mut rows = table(["engine", "form", "compile", "load", "run", "ns per gas", "plain = 1"]);
    for way in &benched.ways {
        let figure = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        rows.add_row([
            way.engine.to_owned(),
            way.form.to_owned(),
            time(way.compile_ns),
            time(way.load_ns),
            way.fault.clone().unwrap_or_else(|| time(way.run_ns)),
            figure(way.ns_per_gas),
            figure(way.overhead),
        ]);
    }
    println!("{rows}");
    println!("least of {} runs each", benched.runs);
}

/// `850 µs`, `1.25 ms`, `3.1 s`.
fn time(nanoseconds: Option<u64>) -> String {
    let Some(nanoseconds) = nanoseconds else { return String::new() };
    let duration = Duration::from_nanos(nanoseconds);
    match nanoseconds {
        ..1_000_000 => format!("{} µs", nanoseconds / 1_000),
        1_000_000..1_000_000_000 => format!("{:.2} ms", duration.as_secs_f64() * 1_000.0),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

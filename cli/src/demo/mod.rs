//! `assay demo`: the sample jobs from posting to payment, on a network that is gone afterwards.

mod liars;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use assay_localnet::{LedgerConfig, NetworkConfig, NetworkInfo};
use assay_runtime::Engine;
use assay_sdk::{
    job_handle::{JobHandle, JobView},
    job_spec::BASE_FEE_LAMPORTS_DEFAULT,
};
use clap::Args;
use serde::Serialize;

use crate::{
    chain::Chain,
    ended::outcome_text,
    engine::{Again, AgainArgs, EngineArgs, TimeoutArgs},
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::{JobJson, Order, Plan},
    localnet::{Running, stop_requested},
    output::{Output, grouped, lamports, table, typeable},
    progress::Progress,
    receipt,
    verify::{self, Subject},
};

const JOBS: [&str; 3] = ["customer-tiers", "word-count", "mandelbrot"];
/// The job that is verified at the end.
const VERIFIED: &str = "word-count";
/// 0.01 SOL per 10^12 gas, so that the sums in the table can be read.
const PRICE: u64 = 10_000_000_000;
const POLL: Duration = Duration::from_millis(150);
/// A healthy machine needs a tenth of this.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// `assay demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Directory of the sample jobs.
    #[arg(long, default_value = "examples/jobs", value_name = "DIR")]
    jobs: PathBuf,
    /// Slot time in milliseconds.
    #[arg(long, default_value_t = 400, value_name = "MS")]
    slot_ms: u64,
    /// Keep the network up afterwards, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Twenty jobs of one seat and of several instead, for seven providers of which five have a bad habit each; ends with who
    /// was paid and who lost stake. Only where this was built from the repository.
    #[arg(long, conflicts_with_all = ["keep", "jobs"])]
    with_liars: bool,
    /// From which the keys of the network with liars follow; by default another one each time.
    #[arg(long, value_name = "N", requires = "with_liars")]
    seed: Option<u64>,
}

/// What `examples/jobs/*/expected.json` holds and the demo compares.
#[derive(Debug, serde::Deserialize)]
struct Expected {
    result_cid: String,
}

/// One sample job on its way.
struct Sample {
    name: &'static str,
    dir: PathBuf,
    handle: JobHandle,
    expected_cid: String,
    /// What was shown last.
    seen: Option<String>,
    ended: Option<JobView>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    #[serde(flatten)]
    job: JobJson,
    expected_result_cid: String,
    /// The command that verifies it once the demo is over.
    verify: String,
}

/// Runs `assay demo`.
pub async fn run(output: Output, args: &DemoArgs) -> CliResult {
    if args.with_liars {
        return liars::run(output, args).await;
    }
    for name in JOBS {
        let manifest = args.jobs.join(name).join("job/manifest.json");
        if !manifest.is_file() {
            return Err(CliError::new(format!("the sample job {} is not there", manifest.display()))
                .with_next("run it from the repository's root, or name the samples with --jobs"));
        }
    }
    let dir = tempfile::tempdir().context("cannot create a temporary directory")?;
    let config = NetworkConfig {
        ledger: LedgerConfig { slot_ms: args.slot_ms, ..LedgerConfig::default() },
        content_port: None,
        gateway_port: None,
        ..NetworkConfig::new(dir.path())
    };
    let started = Instant::now();
    let mut running = {
        let _progress = Progress::start(output, "starting ledger, content node and provider");
        tokio::select! {
            running = Running::start(config, Vec::new()) => running?,
            stopped = stop_requested() => return stopped,
        }
    };
    let shown = tokio::select! {
        shown = show(output, args, &mut running, started) => shown,
        stopped = stop_requested() => stopped.and(Err(CliError::new("interrupted"))),
    };
    if args.keep && shown.is_ok() {
        output.note("The network stays up; Ctrl-C stops it.");
        stop_requested().await?;
    }
    running.stop().await?;
    output.note(format!("nothing is left running ({:.1} s in all)", started.elapsed().as_secs_f32()));
    shown
}

async fn show(output: Output, args: &DemoArgs, running: &mut Running, started: Instant) -> CliResult {
    let info = running.network().info().clone();
    output.note(format!(
        "network up after {:.1} s: ledger {}, content node {}, {} provider process",
        started.elapsed().as_secs_f32(),
        info.rpc_url,
        info.content_url,
        info.providers.len()
    ));
    let chain = Chain::over(running.network().client().clone(), running.network().market());
    let mut samples = post(output, args, &chain, running).await?;
    settle(output, &mut samples, running, started).await?;
    let now_unix = chain.now_unix().await?;
    let rows: Vec<Row> = samples
        .iter()
        .filter_map(|sample| sample.ended.as_ref().map(|view| (sample, view)))
        .map(|(sample, view)| Row {
            name: sample.name,
            job: JobJson::new(view, None, now_unix),
            expected_result_cid: sample.expected_cid.clone(),
            verify: verify_command(args.keep, sample, &info),
        })
        .collect();
    output.result(&rows, || print(&rows, args.keep));
    verify_one(output, &chain, &samples).await?;
    check_expected(output, &rows)
}

async fn post(output: Output, args: &DemoArgs, chain: &Chain, running: &Running) -> CliResult<Vec<Sample>> {
    let mut samples = Vec::new();
    for name in JOBS {
        let dir = args.jobs.join(name).join("job");
        let expected = read_expected(&args.jobs.join(name).join("expected.json"))?;
        let order = Order {
            dir: dir.clone(),
            market: running.network().market(),
            price: PRICE,
            base_fee_lamports: BASE_FEE_LAMPORTS_DEFAULT,
            gas_limit: None,
            seed: None,
            redundancy: 1,
            mode: None,
            min_trust_bps: 0,
            agreement_s: None,
            expires_unix: 0,
            id: None,
        };
        let plan = Plan::make(chain, &order).await.context(format!("cannot prepare the sample job {name}"))?;
        let (cid, most) = (plan.prepared.cid(), plan.quote.total_lamports);
        let posted = plan.post(chain).await.context(format!("cannot post the sample job {name}"))?;
        output.note(format!("{name}: posted {} ({cid}), at most {}", posted.handle.address(), lamports(most)));
        let handle = posted.handle;
        samples.push(Sample { name, dir, handle, expected_cid: expected.result_cid, seen: None, ended: None });
    }
    Ok(samples)
}

fn read_expected(path: &Path) -> CliResult<Expected> {
    let text = fs::read_to_string(path).context(format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).context(format!("{} is not valid", path.display()))
}

/// Follows all jobs until they are paid, refunded and closed.
async fn settle(output: Output, samples: &mut [Sample], running: &mut Running, started: Instant) -> CliResult {
    let mut progress = Progress::start(output, "the provider works");
    let begun = Instant::now();
    loop {
        running.check()?;
        for sample in samples.iter_mut().filter(|sample| sample.ended.is_none()) {
            let view = sample.handle.status().await.hint()?;
            let step = step(&view);
            if sample.seen.as_ref() != Some(&step) {
                progress.line(format!("{:5.1} s  {:<15} {step}", started.elapsed().as_secs_f32(), sample.name));
                sample.seen = Some(step);
            }
            if view.account.is_none() {
                sample.ended = Some(view);
            }
        }
        let open: Vec<&str> =
            samples.iter().filter(|sample| sample.ended.is_none()).map(|sample| sample.name).collect();
        if open.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > SETTLE_TIMEOUT {
            return Err(CliError::new(format!(
                "not settled within {} s: {}",
                SETTLE_TIMEOUT.as_secs(),
                open.join(", ")
            ))
            .with_next("start `assay localnet`, post the job there and read the provider's log"));
        }
        progress.set(format!("waiting for {}", open.join(", ")));
        tokio::time::sleep(POLL).await;
    }
}

fn step(view: &JobView) -> String {
    let outcome =
        view.outcome.as_ref().map(|outcome| format!(": {}, {} gas", outcome_text(outcome), grouped(outcome.gas_used)));
    match (&view.closing, outcome) {
        (Some(closing), _) => format!("closed: {} back to the poster", lamports(closing.refund_lamports)),
        (None, outcome) => {
            format!("{}{}", crate::job::state::status_name(view.status), outcome.unwrap_or_default())
        }
    }
}

/// The network is gone when the table is read, unless it is kept; running the job again needs none.
fn verify_command(is_kept: bool, sample: &Sample, info: &NetworkInfo) -> String {
    if is_kept {
        let job = sample.handle.address();
        return format!("assay verify {job} --cluster {} --content {}", info.rpc_url, info.content_url);
    }
    format!("assay run {}", typeable(&sample.dir))
}

fn print(rows: &[Row], is_kept: bool) {
    let mut shown = table(["job", "outcome", "gas", "paid", "fee", "refunded", "result CID"]);
    for row in rows {
        let job = &row.job;
        shown.add_row([
            row.name.to_owned(),
            job.outcome_text.clone().unwrap_or_else(|| job.state.to_owned()),
            grouped(job.gas_used.unwrap_or_default()),
            lamports(job.pay_lamports),
            lamports(job.fee_lamports),
            lamports(job.refund_lamports.unwrap_or_default()),
            job.result_cid.clone().unwrap_or_else(|| "none".to_owned()),
        ]);
    }
    println!("{shown}");
    println!(
        "{}",
        if is_kept {
            "Verify each, in another terminal, with:"
        } else {
            "Verify each by running it again, on any machine: gas and result CID are those of the table."
        }
    );
    for row in rows {
        println!("  {:<15} {}", row.name, row.verify);
    }
}

async fn verify_one(output: Output, chain: &Chain, samples: &[Sample]) -> CliResult {
    let Some(sample) = samples.iter().find(|sample| sample.name == VERIFIED) else { return Ok(()) };
    let job = sample.handle.address();
    let (verdict, _) = {
        let mut progress = Progress::start(output, format!("verifying {VERIFIED} by running it again"));
        let engine = EngineArgs { engine: Engine::Auto, no_cache: true, timeout: TimeoutArgs::default() };
        let again = AgainArgs { engine, both: false };
        let subject = Subject { job, dir: None };
        verify::verify(chain, subject, Again::check(&again, None, output), &mut progress).await?
    };
    if !output.json {
        verify::print(&verdict);
    }
    receipt::require_equal(&verdict)
}

/// The results are the same on every machine; the repository says what they are.
fn check_expected(output: Output, rows: &[Row]) -> CliResult {
    let wrong: Vec<&str> = rows
        .iter()
        .filter(|row| row.job.result_cid.as_ref() != Some(&row.expected_result_cid))
        .map(|row| row.name)
        .collect();
    if wrong.is_empty() {
        output.note("all results are the ones that examples/jobs/*/expected.json names");
        return Ok(());
    }
    Err(CliError::new(format!("other results than expected: {}", wrong.join(", "))).with_exit(Exit::Differs).with_next(
        "examples/jobs/*/expected.json names the expected ones; `tools/check-samples` compares without a network",
    ))
}

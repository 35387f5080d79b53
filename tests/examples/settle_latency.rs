//! Benchmark: how long a job takes from `create_job` to the provider's confirmed claim, and what the bot itself adds.
//!
//! Runs the sample job `word-count` on the embedded network as a user starts it (400 ms slots, a challenge window of one
//! second), with the bot as a process of its own, and prints a table. `cargo run -p assay-tests --example settle_latency
//! [RUNS]`; 20 runs by default.

mod bots;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use assay_localnet::{LedgerConfig, Network, NetworkConfig};
use assay_runtime::{ArtifactCache, CacheLimits, Engine, RunOptions, Variant};
use assay_sdk::{
    Client, JobSpec,
    program::accounts::{Job, Provider},
    verify::{PreparedTask, TaskInput, prepare},
};

use bots::{Bot, Failure, LOOK};

/// Longest wait for one job.
const PATIENCE: Duration = Duration::from_secs(60);
/// Gas limit of the job; it uses about half.
const GAS_LIMIT: u64 = 3_000_000_000;

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    match tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| runtime.block_on(bench(runs))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("settle_latency: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(runs: usize) -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let network = Network::start(NetworkConfig {
        ledger: LedgerConfig { slot_ms: 400, ..LedgerConfig::for_tests() },
        providers: 1,
        ..NetworkConfig::for_tests(directory.path().join("net"))
    })
    .await?;
    let mut bot = Bot::start(&network, 0, directory.path(), |_| ()).await?;
    let client = network.client();
    let provider = network.info().providers[0].address.parse()?;

    let spec = JobSpec::builder(job_directory(), network.market()).gas_limit(GAS_LIMIT).build()?;
    let idle_bytes = resident_bytes(&bot)?;
    let mut settled = Vec::new();
    for _ in 0..runs {
        let prepared = client.prepare_job(&spec).await?;
        let quote = client.quote(&spec, &prepared).await?;
        let began = Instant::now();
        let posted = client.post_prepared(&spec, prepared, quote).await?;
        wait_until_paid(client, &posted.handle.address(), &provider).await?;
        settled.push(began.elapsed());
    }
    let execution = fastest_execution(&spec)?;
    let mut own: Vec<Duration> = bot_times(&std::fs::read_to_string(&bot.log)?)?
        .into_iter()
        .map(|whole| whole.saturating_sub(execution))
        .collect();
    bot.child.kill().await?;
    network.shutdown().await?;

    println!("{runs} runs of word-count, 400 ms slots, challenge window 1 s, bot in its own process\n");
    println!("| what | p50 | p95 | max |\n|---|---|---|---|");
    row("create_job (upload included) → claim confirmed", &mut settled);
    row("the bot's own share: accepted → submitted, less the execution", &mut own);
    println!("\nexecution alone, in process, fastest of 5: {} ms", execution.as_millis());
    println!("the bot's resident memory, idle: {} MB", idle_bytes / 1_000_000);
    Ok(())
}

fn job_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/jobs/word-count/job")
}

async fn wait_until_paid(
    client: &Client,
    job: &assay_sdk::Pubkey,
    provider: &assay_sdk::Pubkey,
) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let closed = client.fetch_optional::<Job>(job).await?.is_none();
        if closed && client.fetch::<Provider>(provider).await?.earnings_lamports == 0 {
            return Ok(());
        }
        if Instant::now() > end {
            return Err("a job did not settle within a minute".into());
        }
    }
}

/// What the guest's execution costs with nothing around it: no child, no metering, no compiling, no packing.
fn fastest_execution(spec: &JobSpec) -> Result<Duration, Failure> {
    let prepared = spec.prepare()?;
    let entries = assay_content::unpack(prepared.package.root, &prepared.package, &assay_content::Budget::default())?;
    let input = TaskInput { spec: prepared.task, entries };
    let PreparedTask::Ready(ready) = prepare(&input, Variant::Fast)? else {
        return Err("the sample job is not valid".into());
    };
    let artifacts = ArtifactCache::open(None, CacheLimits::default())?;
    let options = RunOptions {
        engine: Engine::Auto,
        variant: Variant::Fast,
        artifacts: Some(std::sync::Arc::new(artifacts)),
        ..RunOptions::default()
    };
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let began = Instant::now();
        assay_runtime::run_with(&ready.request, &options)?;
        fastest = fastest.min(began.elapsed());
    }
    Ok(fastest)
}

/// For each job, the time from its acceptance, confirmed, to its result, sent, by the bot's own log.
fn bot_times(log: &str) -> Result<Vec<Duration>, Failure> {
    let at = |line: &str| -> Result<f64, Failure> {
        let clock = line.get(11..26).ok_or("a log line without a time")?;
        let mut parts = clock.split(':').map(str::parse::<f64>);
        let mut next = || parts.next().ok_or("a log line without a time");
        Ok(next()?? * 3_600.0 + next()?? * 60.0 + next()??)
    };
    let mut times = Vec::new();
    let mut accepted = None;
    for line in log.lines().filter(|line| line.contains("job_moved")) {
        if line.contains("to=\"running\"") {
            accepted = Some(at(line)?);
        }
        if line.contains("from=\"submitting\"")
            && let Some(accepted) = accepted.take()
        {
            // Midnight may lie between the two.
            times.push(Duration::from_secs_f64((at(line)? - accepted).rem_euclid(86_400.0)));
        }
    }
    Ok(times)
}

fn resident_bytes(bot: &Bot) -> Result<u64, Failure> {
    let status = bot.proc_file("status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no VmRSS")?.parse()?;
    Ok(kib * 1_024)
}

fn row(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let text = |time: Option<&Duration>| time.map_or("–".to_owned(), |time| format!("{} ms", time.as_millis()));
    println!("| {what} | {} | {} | {} |", text(at(50)), text(at(95)), text(times.last()));
}

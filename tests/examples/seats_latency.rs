//! Benchmark: how soon several seats are paid once the last one has shown its result, and how long a dispute takes that nobody
//! delays.
//!
//! Five bots, each a process of its own and on duty as a juror, on the embedded network with the windows of
//! `assay demo --with-liars` and 400 ms slots. First jobs of three seats whose results nobody may dispute; then jobs of one
//! seat whose poster contests a right result, and loses. `cargo run -p assay-tests --example seats_latency [RUNS]`; 20 jobs and a
//! quarter as many disputes by default. Exits with an error when a median is over its goal.

mod bots;

use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_executor::Config;
use assay_localnet::{LedgerConfig, Network, NetworkConfig};
use assay_protocol::{DisputeStatus, ExecutionStatus, JobStatus, Outcome};
use assay_sdk::{
    Client, JobHandle, JobSpec,
    instructions::{self, Duty, OpenDispute, ProviderAuthority, Secret},
    pda::{ChallengeSeeds, dispute_address},
    program::accounts::{Challenge, Dispute, Job},
};
use solana_instruction::Instruction;

use bots::{Bot, Failure, LOOK};

/// Providers, each with a bot.
const BOTS: usize = 5;
/// Seats of the jobs without disputes.
const SEATS: u8 = 3;
/// Disputes for so many jobs without one.
const RUNS_PER_DISPUTE: usize = 4;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the medians must reach.
const CLAIMABLE_GOAL: Duration = Duration::from_secs(1);
const DISPUTE_GOAL: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20);
    match tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| runtime.block_on(bench(runs))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("seats_latency: a median is over its goal");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("seats_latency: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(runs: usize) -> Result<bool, Failure> {
    let directory = tempfile::tempdir()?;
    let config = NetworkConfig {
        ledger: LedgerConfig { slot_ms: 400, ..LedgerConfig::for_tests() },
        providers: BOTS,
        ..NetworkConfig::for_tests(directory.path().join("net")).with_quick_disputes()
    };
    let network = Network::start(config.clone()).await?;
    begin_duty(&network).await?;
    let mut bots = Vec::new();
    for provider in 0..BOTS {
        bots.push(Bot::start(&network, provider, directory.path(), settings).await?);
    }
    let job = directory.path().join("job");
    write_job(&job)?;
    let mut claimable = Vec::new();
    for _ in 0..runs {
        claimable.push(until_claimable(&network, &job).await?);
    }
    let (mut verdicts, mut disputes) = (Vec::new(), Vec::new());
    for _ in 0..(runs / RUNS_PER_DISPUTE).max(1) {
        let (verdict, whole) = dispute(&network, &job).await?;
        verdicts.push(verdict);
        disputes.push(whole);
    }
    for bot in &mut bots {
        bot.child.kill().await?;
    }
    network.shutdown().await?;

    println!(
        "{BOTS} bots on duty, 400 ms slots; {} s to contest, {} s to run, {} s to reveal\n",
        config.challenge_s, config.execution_s, config.reveal_s
    );
    println!("| what | runs | p50 | max | goal |\n|---|---|---|---|---|");
    let fast = row("last reveal of three → earnings of all three claimable", &mut claimable, Some(CLAIMABLE_GOAL));
    row("dispute opened → first verdict", &mut verdicts, None);
    let soon = row("dispute opened → everybody settled, accounts closed", &mut disputes, Some(DISPUTE_GOAL));
    Ok(fast && soon)
}

/// Bots take jobs without a window for disputes only if they are told to.
fn settings(config: &mut Config) {
    config.policy.accept_without_appeal = true;
}

async fn begin_duty(network: &Network) -> Result<(), Failure> {
    for provider in &network.info().providers {
        let authority: assay_sdk::SharedSigner = Arc::new(assay_sdk::load_keypair(&provider.authority_keypair)?);
        let named = ProviderAuthority { authority: authority.pubkey(), market: network.market() };
        network.client().clone().with_signer(authority).send(&[instructions::set_duty(&named, Duty::Begin)]).await?;
    }
    Ok(())
}

fn write_job(directory: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("job.wasm"), wat::parse_str(r#"(module (func (export "_start")))"#)?)?;
    std::fs::write(directory.join("manifest.json"), r#"{"executable": "job.wasm", "output_path": "output/"}"#)?;
    Ok(())
}

/// From the moment at which all results are seen to that at which all seats are seen settled.
async fn until_claimable(network: &Network, job: &Path) -> Result<Duration, Failure> {
    let spec = JobSpec::builder(job, network.market()).gas_limit(1_000_000).redundancy(SEATS).agreement_s(0).build()?;
    let handle = network.client().post_job(&spec).await?.handle;
    wait("the last reveal of a job", async || {
        let seats = handle.executions().await?;
        let shown = |status: u8| status == ExecutionStatus::Submitted.code();
        let are_all = seats.iter().filter(|seat| shown(seat.account.status)).count() == usize::from(SEATS);
        Ok(are_all || is_closed(network.client(), &handle).await?)
    })
    .await?;
    let began = Instant::now();
    wait("the settlement of all seats", async || Ok(handle.executions().await?.is_empty())).await?;
    let took = began.elapsed();
    wait("the end of a job without a dispute", async || is_closed(network.client(), &handle).await).await?;
    Ok(took)
}

/// From the challenge to the first verdict, and to the end.
async fn dispute(network: &Network, job: &Path) -> Result<(Duration, Duration), Failure> {
    let client = network.client();
    let spec = JobSpec::builder(job, network.market()).gas_limit(1_000_000).build()?;
    let handle = client.post_job(&spec).await?.handle;
    let (job, challenger) = (handle.address(), client.signer_address()?);
    wait("the result of a job of one seat", async || {
        Ok(client.fetch_optional::<Job>(&job).await?.is_some_and(|job| job.status == JobStatus::Submitted.code()))
    })
    .await?;
    let view = handle.status().await?;
    let right = view.outcome.ok_or("a submitted job without an outcome")?;
    let claimed = Outcome { gas_used: right.gas_used.saturating_add(1), ..right };
    let secret = Secret::random(view.job_uid);
    let seeds = ChallengeSeeds { dispute: dispute_address(&job), challenger };
    let commitment = Some(secret.challenge(&challenger, &claimed));
    let account: Job = client.fetch(&job).await?;
    let executors = account.seat_holders().collect();
    let open =
        OpenDispute { payer: challenger, market: account.market, poster: account.poster, job, executors, commitment };
    send(client, instructions::open_dispute(&open)).await?;
    let began = Instant::now();
    let mut is_shown = false;
    let mut verdict = None;
    wait("the end of a dispute", async || {
        let Some(dispute) = client.fetch_optional::<Dispute>(&seeds.dispute).await? else { return Ok(true) };
        let status = dispute.dispute_status().ok_or("an unknown status")?;
        if status == DisputeStatus::Voting && !is_shown && is_time_to_show(client, &dispute).await? {
            is_shown = client.fetch_optional::<Challenge>(&seeds.address()).await?.is_some();
            send(client, instructions::reveal_outcome(&seeds, &claimed, secret.salt)).await?;
        }
        if matches!(status, DisputeStatus::Tallied | DisputeStatus::Final) {
            verdict.get_or_insert(began.elapsed());
        }
        Ok(false)
    })
    .await?;
    let took = began.elapsed();
    Ok((verdict.ok_or("the dispute ended without a verdict")?, took))
}

async fn is_time_to_show(client: &Client, dispute: &Dispute) -> Result<bool, Failure> {
    Ok(client.chain_time().await?.unix >= dispute.commit_deadline_unix)
}

async fn send(client: &Client, instruction: Instruction) -> Result<(), Failure> {
    client.send(&[instruction]).await?;
    Ok(())
}

async fn is_closed(client: &Client, handle: &JobHandle) -> Result<bool, Failure> {
    Ok(client.fetch_optional::<Job>(&handle.address()).await?.is_none())
}

async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        if is_so().await? {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("{what} did not happen within two minutes").into());
        }
    }
}

/// Prints a row; whether its median reaches the goal.
fn row(what: &str, times: &mut [Duration], goal: Option<Duration>) -> bool {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    let most = times.last().copied().unwrap_or_default();
    let goal_text = goal.map_or(String::new(), |goal| format!("≤ {} s", goal.as_secs()));
    println!(
        "| {what} | {} | {:.2} s | {:.2} s | {goal_text} |",
        times.len(),
        median.as_secs_f64(),
        most.as_secs_f64()
    );
    goal.is_none_or(|goal| median <= goal)
}

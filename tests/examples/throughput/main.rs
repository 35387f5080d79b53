//! Benchmark: how many jobs a second the embedded network settles, beside what its ledger takes in the same run, and which
//! process spends the time.
//!
//! What the ledger takes is measured twice, before the bots start and after they ended: plain transfers, and the transactions of
//! jobs as this process alone sends them, whose results it makes up. The second is the ceiling: it is what jobs could reach if
//! nobody fetched, ran, published or watched anything.
//!
//! The last challenge window is counted on neither side, as long as it was by the chain's clock; what the bots did for earlier jobs
//! while it lasted is in their processor time.
//!
//! Posts jobs of a guest that does next to nothing, one after the other without waiting for the chain, with one seat and with
//! three. Bots, each a process of its own, settle them: as many as a job has seats, and three that race for one seat. All of
//! that several times, since the speed of a shared host changes from minute to minute.
//! `cargo run --release -p assay-tests --example throughput [JOBS [ROUNDS]]`; 3 rounds of 200 jobs by default. Exits with an
//! error when the jobs' transactions are on average fewer than 40 % of that ceiling.

#[path = "../bots/mod.rs"]
mod bots;
mod ceiling;
mod window;

use std::{
    collections::BTreeSet,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_executor::Config;
use assay_localnet::{LedgerConfig, Network, NetworkConfig};
use assay_sdk::{
    Client, JobFilter, JobSpec, Pubkey,
    instructions::{self, ProviderAuthority, ProviderChanges},
    program::accounts::Provider,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_signature::Signature;
use solana_signer::Signer as _;

use bots::{Bot, Failure, LOOK};
use ceiling::Ceiling;
use window::Clock;

/// Seats of a job, and providers, each with a bot.
const ROWS: [(u8, usize); 3] = [(1, 1), (1, 3), (3, 3)];
/// Requests on their way at once.
const AT_ONCE: usize = 32;
/// Jobs that the poster packs and checks at once.
const CHECKS_AT_ONCE: usize = 4;
/// Seats that a provider may hold at once, and that its bot takes at once.
const CAPACITY: u16 = 600;
const SEATS_OF_BOT: usize = 64;
/// Preparations of a bot at once.
const PREPARATIONS_OF_BOT: usize = 8;
/// Stake of each, for the bonds of all those seats, 50 SOL in lamports.
const STAKE_LAMPORTS: u64 = 50_000_000_000;
/// Challenge window of every job, s.
const WINDOW_S: u32 = 1;
/// Longest wait for all jobs.
const PATIENCE: Duration = Duration::from_secs(300);
/// Share of the ceiling that jobs must reach, percent.
const GOAL_PERCENT: f64 = 40.0;
/// Gas limit of a job.
const GAS_LIMIT: u64 = 1_000_000;

fn main() -> ExitCode {
    let argument = |number| std::env::args().nth(number).and_then(|text| text.parse().ok());
    let (jobs, rounds) = (argument(1).unwrap_or(200), argument(2).unwrap_or(3).max(1));
    let bench = bench(jobs, rounds);
    match tokio::runtime::Runtime::new().map_err(Failure::from).and_then(|runtime| runtime.block_on(bench)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("throughput: below {GOAL_PERCENT} % of what the jobs' transactions alone reach");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("throughput: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(jobs: usize, rounds: usize) -> Result<bool, Failure> {
    // One for all that is measured, so that nothing is removed meanwhile: there are file systems that look at every file
    // removed in the last minutes when they make another one (ext4 without a journal).
    let directory = tempfile::tempdir()?;
    let mut rows = ROWS.map(|(seats, bots)| Row { seats, bots, rounds: Vec::new() });
    for number in 1..=rounds {
        for row in &mut rows {
            let home = directory.path().join(format!("{number}-{}-{}", row.seats, row.bots));
            std::fs::create_dir(&home)?;
            let round = measure(&home, jobs, (row.seats, row.bots)).await?;
            let (seats, bots, percent) = (row.seats, row.bots, round.percent());
            eprintln!("round {number} of {rounds}: {seats} seats, {bots} bots: {percent:.0} %");
            row.rounds.push(round);
        }
    }
    println!(
        "{rounds} times {jobs} jobs, 400 ms slots, challenge window {WINDOW_S} s, the last of which is not counted\n"
    );
    println!(
        "| seats | bots | jobs per s | transactions per job | their fees, lamports | per s | transfers per s | jobs' transactions alone per s | \
         share | lowest | highest | s | with the last window, s | of it processor time: \
         ledger, node, poster | bots | their sandbox children |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    rows.iter().for_each(|row| println!("{}", row.text()));
    Ok(rows.iter().all(|row| row.mean(Round::percent) >= GOAL_PERCENT))
}

/// What was measured with this many seats.
struct Row {
    seats: u8,
    bots: usize,
    rounds: Vec<Round>,
}

impl Row {
    fn mean(&self, value: impl Fn(&Round) -> f64) -> f64 {
        self.rounds.iter().map(value).sum::<f64>() / as_f64(self.rounds.len())
    }

    fn text(&self) -> String {
        let percents = || self.rounds.iter().map(Round::percent);
        let seconds = self.mean(|round| round.took.as_secs_f64());
        let jobs = self.mean(|round| as_f64(round.jobs));
        let transactions = self.mean(|round| as_f64(round.transactions));
        format!(
            "| {} | {} | {:.1} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} % | {:.0} % | {:.0} % | {seconds:.1} | {:.1} | \
             {:.1} s | {:.1} s | {:.1} s |",
            self.seats,
            self.bots,
            jobs / seconds,
            transactions / jobs,
            self.mean(|round| as_f64(round.fees_lamports)) / jobs,
            transactions / seconds,
            self.mean(|round| round.ceiling.transfers_per_s),
            self.mean(|round| round.ceiling.steps_per_s),
            self.mean(Round::percent),
            percents().fold(f64::INFINITY, f64::min),
            percents().fold(0.0, f64::max),
            self.mean(|round| round.whole.as_secs_f64()),
            self.mean(|round| round.spent.here_s),
            self.mean(|round| round.spent.bots_s),
            self.mean(|round| round.spent.children_s),
        )
    }
}

/// These jobs, once.
struct Round {
    jobs: usize,
    /// Those of the jobs and of claims, whoever sent them.
    transactions: usize,
    /// What all of them cost.
    fees_lamports: usize,
    /// Without the last window.
    took: Duration,
    /// With it.
    whole: Duration,
    ceiling: Ceiling,
    spent: Spent,
}

impl Round {
    fn percent(&self) -> f64 {
        as_f64(self.transactions) / self.took.as_secs_f64() / self.ceiling.steps_per_s * 100.0
    }
}

async fn measure(home: &Path, jobs: usize, (seats, providers): (u8, usize)) -> Result<Round, Failure> {
    let network = Network::start(NetworkConfig {
        ledger: LedgerConfig { slot_ms: 400, ..LedgerConfig::for_tests() },
        providers,
        challenge_s: WINDOW_S,
        stakes_lamports: vec![STAKE_LAMPORTS; providers],
        ..NetworkConfig::for_tests(home.join("net"))
    })
    .await?;
    raise_capacity(&network).await?;
    let accounts = network.info().providers.iter().map(|provider| provider.address.parse());
    let accounts = accounts.collect::<Result<Vec<Pubkey>, _>>()?;
    let sample = specs(&network, home, (1, 1))?.pop().ok_or("no job")?;
    let before = Ceiling::measure(&network, &sample).await?;
    let earlier = network.client().transactions_of(&accounts).await?;
    let mut bots = Vec::new();
    for provider in 0..providers {
        bots.push(Bot::start(&network, provider, home, settings).await?);
    }
    let specs = specs(&network, home, (jobs, seats))?;
    let spent = Spent::so_far(&bots)?;
    let clock = Clock::watch(network.client().clone());
    let began = Instant::now();
    let posted = post(network.client(), &specs).await?;
    wait_until_paid(&network).await?;
    let whole = began.elapsed();
    let spent = Spent::so_far(&bots)?.since(&spent);
    for bot in &mut bots {
        bot.child.kill().await?;
    }
    let took = whole.saturating_sub(clock.last_window(network.client(), &posted).await?);
    let (transactions, fees_lamports) = transactions(network.client(), (&accounts, &posted), &earlier).await?;
    let after = Ceiling::measure(&network, &sample).await?;
    network.shutdown().await?;
    Ok(Round { jobs, transactions, fees_lamports, took, whole, ceiling: before.midpoint(after), spent })
}

/// As one that has many jobs posts them: while it waits for those that are sent, it goes on with the next.
async fn post(client: &Client, specs: &[JobSpec]) -> Result<Vec<Pubkey>, Failure> {
    let checked = stream::iter(specs).map(|spec| async {
        let prepared = client.prepare_job(spec).await?;
        let quote = client.quote(spec, &prepared).await?;
        Ok::<_, Failure>(client.check_job(spec, prepared, quote).await?)
    });
    checked
        .buffer_unordered(CHECKS_AT_ONCE)
        .map_ok(|checked| async { Ok(client.post_checked(checked).await?.handle.address()) })
        .try_buffer_unordered(specs.len())
        .try_collect()
        .await
}

/// As many as a bot's machine could take that runs nothing else.
fn settings(config: &mut Config) {
    config.limits.jobs_active_max = SEATS_OF_BOT;
    config.worker.preparations_max = PREPARATIONS_OF_BOT;
}

async fn raise_capacity(network: &Network) -> Result<(), Failure> {
    for provider in &network.info().providers {
        let authority: assay_sdk::SharedSigner = Arc::new(assay_sdk::load_keypair(&provider.authority_keypair)?);
        let named = ProviderAuthority { authority: authority.pubkey(), market: network.market() };
        let changes = ProviderChanges { capacity: Some(CAPACITY), ..ProviderChanges::default() };
        network
            .client()
            .clone()
            .with_signer(authority)
            .send(&[instructions::update_provider(&named, &changes)])
            .await?;
    }
    Ok(())
}

/// Each job is another one, as strangers' jobs are.
fn specs(network: &Network, home: &Path, (jobs, seats): (usize, u8)) -> Result<Vec<JobSpec>, Failure> {
    (0..jobs)
        .map(|number| {
            let directory = home.join(format!("job-{number}"));
            std::fs::create_dir_all(&directory)?;
            let guest = format!(r#"(module (func (export "_start") (drop (i32.const {number}))))"#);
            std::fs::write(directory.join("job.wasm"), wat::parse_str(guest)?)?;
            std::fs::write(directory.join("manifest.json"), r#"{"executable": "job.wasm", "output_path": "output/"}"#)?;
            Ok(JobSpec::builder(directory, network.market()).gas_limit(GAS_LIMIT).redundancy(seats).build()?)
        })
        .collect()
}

/// Until no job is left and every provider has claimed.
async fn wait_until_paid(network: &Network) -> Result<(), Failure> {
    let client = network.client();
    let end = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(LOOK * 5);
    loop {
        looks.tick().await;
        let mut is_over = true;
        for provider in &network.info().providers {
            let account: Provider = client.fetch(&provider.address.parse()?).await?;
            is_over &= account.active == 0 && account.earnings_lamports == 0;
        }
        // A listing costs the ledger more than all of these.
        if is_over && client.list_jobs(&JobFilter::default()).await?.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err("the jobs did not settle within five minutes".into());
        }
    }
}

/// How many transactions were sent about these jobs, claims and what failed included, and the fees of all of them, lamports.
async fn transactions(
    client: &Client,
    (providers, jobs): (&[Pubkey], &[Pubkey]),
    before: &BTreeSet<Signature>,
) -> Result<(usize, usize), Failure> {
    let mut signatures = client.transactions_of(jobs).await?;
    signatures.extend(client.transactions_of(providers).await?.difference(before));
    let fees: Vec<u64> = stream::iter(&signatures)
        .map(|signature| async {
            let fee = client.transaction_fee(signature).await?;
            fee.ok_or_else(|| Failure::from("the ledger does not say what a transaction cost"))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    Ok((signatures.len(), usize::try_from(fees.iter().sum::<u64>())?))
}

/// Processor time, seconds.
#[derive(Clone, Copy, Default)]
struct Spent {
    here_s: f64,
    bots_s: f64,
    children_s: f64,
}

impl Spent {
    fn so_far(bots: &[Bot]) -> Result<Self, Failure> {
        let mut spent = Self { here_s: times(&std::fs::read_to_string("/proc/self/stat")?)?.0, ..Self::default() };
        for bot in bots {
            let (own, children) = times(&bot.proc_file("stat")?)?;
            spent.bots_s += own;
            spent.children_s += children;
        }
        Ok(spent)
    }

    fn since(self, before: &Self) -> Self {
        Self {
            here_s: self.here_s - before.here_s,
            bots_s: self.bots_s - before.bots_s,
            children_s: self.children_s - before.children_s,
        }
    }
}

/// Seconds of a process and of its children that ended, from `/proc/ID/stat` (proc_pid_stat(5), fields 14 to 17).
fn times(stat: &str) -> Result<(f64, f64), Failure> {
    // The name in field 2 may hold anything, spaces and brackets too.
    let fields = stat.rsplit_once(')').ok_or("no process's stat")?.1.split_whitespace();
    let ticks = fields.skip(11).take(4).map(str::parse::<u32>).collect::<Result<Vec<_>, _>>()?;
    let [user, system, children_user, children_system] = ticks.as_slice() else {
        return Err("no process's stat".into());
    };
    let per_s = f64::from(u32::try_from(rustix::param::clock_ticks_per_second())?);
    Ok((f64::from(user + system) / per_s, f64::from(children_user + children_system) / per_s))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

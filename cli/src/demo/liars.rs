//! `assay demo --with-liars`: two honest providers among five with a bad habit each. Who is paid, who loses, and whether a
//! lamport is missing at the end.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_executor::Habit;
use assay_localnet::{LedgerConfig, NetworkConfig};
use assay_protocol::{JobStatus, Mode, Outcome, trust::TrustVector};
use assay_runtime::Engine;
use assay_sdk::{
    Client, ClientError, Event, EventRecord, JobError, JobHandle, crank,
    job_spec::BASE_FEE_LAMPORTS_DEFAULT,
    program::accounts::{Job, Provider},
};
use futures_util::future::try_join_all;
use serde::Serialize;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    DemoArgs,
    books::{Books, OpenBooks},
};
use crate::{
    chain::Chain,
    engine::{EngineArgs, TimeoutArgs},
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::{Order, Plan, state::mode_name},
    localnet::{Running, stop_requested},
    output::{Output, lamports, table},
    progress::Progress,
    sandbox::{self, JobDirectory},
};

/// Honest providers. Each has five times the stake of a liar: seats are drawn by stake, and with five liars of seven names
/// the honest have two thirds of it.
const HONEST: usize = 2;
const HONEST_STAKE_LAMPORTS: u64 = 10_000_000_000;
const LIAR_STAKE_LAMPORTS: u64 = 2_000_000_000;
/// Seats with an arbiter: among so many liars a second one would find the same.
const EXECUTIONS_MAX: u8 = SEATS + 1;
/// Jobs, and how many of them count heads; the others count stake.
const JOBS: usize = 20;
const REDUNDANT_JOBS: usize = 6;
const SEATS: u8 = 3;
const POSTERS: usize = 4;
/// Given to each poster, 10 SOL in lamports.
const POSTER_LAMPORTS: u64 = 10_000_000_000;
/// 0.01 SOL per 10^12 gas.
const PRICE: u64 = 10_000_000_000;
const GAS_LIMIT: u64 = 1_000_000;
/// How long a silent seat can keep the others waiting, and one that does not reveal, seconds.
const EXECUTION_S: u32 = 12;
const REVEAL_S: u32 = 8;
const POLL: Duration = Duration::from_millis(400);
/// Time that whoever has a seat is given to go on before the poster does, seconds.
const HELP_AFTER_S: i64 = 2;
const SETTLE_TIMEOUT: Duration = Duration::from_secs(240);

/// Prints eight bytes of its randomness, which follow from the job's seed: the same module gives another result for each.
///
/// ```wat
/// (module
///   (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
///   (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
///   (memory (export "memory") 1)
///   (func (export "_start")
///     (drop (call 0 (i32.const 16) (i32.const 8)))
///     (drop (call 1 (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))
///   (data (i32.const 0) "\10\00\00\00\08\00\00\00"))
/// ```
const MODULE: &[u8] = b"\x00asm\x01\x00\x00\x00\x01\x12\x03`\x02\x7f\x7f\x01\x7f`\x04\x7f\x7f\x7f\x7f\x01\x7f`\x00\x00\
\x02G\x02\x16wasi_snapshot_preview1\x0arandom_get\x00\x00\x16wasi_snapshot_preview1\x08fd_write\x00\x01\x03\x02\x01\x02\
\x05\x03\x01\x00\x01\x07\x13\x02\x06memory\x02\x00\x06_start\x00\x02\
\x0a\x16\x01\x14\x00A\x10A\x08\x10\x00\x1aA\x01A\x00A\x01A\x0c\x10\x01\x1a\x0b\
\x0b\x0e\x01\x00A\x00\x0b\x08\x10\x00\x00\x00\x08\x00\x00\x00";
const MANIFEST: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;

/// One job on its way.
struct Posted {
    number: usize,
    mode: Mode,
    handle: JobHandle,
    /// What running it here gave.
    right: Outcome,
    is_closed: bool,
}

/// One job at its end.
#[derive(Debug, Serialize)]
struct Ended {
    number: usize,
    job: String,
    mode: &'static str,
    status: &'static str,
    /// Whether the right result stands; `None` where none does.
    is_right: Option<bool>,
    escrow_lamports: u64,
    refund_lamports: u64,
    #[serde(skip)]
    history: Vec<EventRecord>,
}

impl Ended {
    /// Whether its poster got what it paid for, or everything back.
    fn is_fair(&self) -> bool {
        self.is_right.unwrap_or(self.refund_lamports == self.escrow_lamports)
    }
}

/// One provider at the end.
#[derive(Debug, Serialize)]
struct Row {
    provider: String,
    name: String,
    habit: Option<&'static str>,
    /// Seats that it took.
    jobs: usize,
    earned_lamports: u64,
    slashed_lamports: u64,
    /// Results that stood, that did not, and deadlines that it let pass.
    right: u32,
    wrong: u32,
    missed: u32,
    trust_score_bps: u16,
}

#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    holds: bool,
    /// Whom or what it fails for.
    fails_for: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    jobs: Vec<Ended>,
    providers: Vec<Row>,
    books: Books,
    checks: Vec<Check>,
}

/// Runs it.
pub(super) async fn run(output: Output, args: &DemoArgs) -> CliResult {
    let habits: Vec<Option<Habit>> =
        std::iter::repeat_n(None, HONEST).chain(Habit::ALL.into_iter().map(Some)).collect();
    let dir = tempfile::tempdir().context("cannot create a temporary directory")?;
    let stakes = habits.iter().map(|habit| if habit.is_some() { LIAR_STAKE_LAMPORTS } else { HONEST_STAKE_LAMPORTS });
    let config = NetworkConfig {
        ledger: LedgerConfig { slot_ms: args.slot_ms, ..LedgerConfig::default() },
        content_port: None,
        gateway_port: None,
        providers: habits.len(),
        stakes_lamports: stakes.collect(),
        execution_s: EXECUTION_S,
        reveal_s: REVEAL_S,
        executions_max: EXECUTIONS_MAX,
        ..NetworkConfig::new(dir.path().join("net"))
    };
    let started = Instant::now();
    let mut running = {
        let _progress = Progress::start(output, "starting ledger, content node and seven providers");
        tokio::select! {
            running = Running::start(config, habits) => running?,
            stopped = stop_requested() => return stopped,
        }
    };
    output.note(format!("network up after {:.1} s", started.elapsed().as_secs_f32()));
    let shown = tokio::select! {
        shown = show(output, dir.path(), &mut running) => shown,
        stopped = stop_requested() => stopped.and(Err(CliError::new("interrupted"))),
    };
    running.stop().await?;
    output.note(format!("nothing is left running ({:.1} s in all)", started.elapsed().as_secs_f32()));
    shown
}

async fn show(output: Output, dir: &Path, running: &mut Running) -> CliResult {
    let begun = Instant::now();
    let posters = posters(running).await?;
    let books = OpenBooks::open(running, &posters).await?;
    let mut jobs = post(output, dir, &posters, running).await?;
    output.note(format!("{JOBS} jobs posted after {:.1} s, of {SEATS} seats each", begun.elapsed().as_secs_f32()));
    settle(output, &mut jobs, running, begun).await?;
    running.stop_providers().await;
    let books = books.close().await?;
    let mut ended = Vec::new();
    for job in &jobs {
        ended.push(end(job).await?);
    }
    let providers = rows(running, &ended).await?;
    let checks = checks(&ended, &providers, &books);
    let report = Report { jobs: ended, providers, books, checks };
    let failed: Vec<&str> = report.checks.iter().filter(|check| !check.holds).map(|check| check.what).collect();
    let checked = if failed.is_empty() {
        Ok(())
    } else {
        Err(CliError::new(format!("not as it should be: {}", failed.join("; "))).with_exit(Exit::Differs).with_next(
            "who is drawn differs each time: run it again; if the same check fails, that is a fault of this version",
        ))
    };
    output.result_and(&report, checked, || print(&report))
}

async fn posters(running: &Running) -> CliResult<Vec<Client>> {
    let network = running.network();
    let mut posters = Vec::with_capacity(POSTERS);
    for _ in 0..POSTERS {
        let keypair = Keypair::new();
        network.ledger().airdrop(&keypair.pubkey(), POSTER_LAMPORTS).await?;
        posters.push(network.client().clone().with_signer(Arc::new(keypair)));
    }
    Ok(posters)
}

/// Each poster runs its jobs itself first: it knows what is right.
async fn post(output: Output, dir: &Path, posters: &[Client], running: &Running) -> CliResult<Vec<Posted>> {
    let _progress = Progress::start(output, "posting");
    let dir = dir.join("job");
    fs::create_dir_all(&dir)?;
    fs::write(dir.join("job.wasm"), MODULE)?;
    fs::write(dir.join("manifest.json"), MANIFEST)?;
    let market = running.network().market();
    let posting = (1..).zip(posters).map(|(first, poster)| post_all(Chain::over(poster.clone(), market), &dir, first));
    let mut jobs: Vec<Posted> = try_join_all(posting).await?.into_iter().flatten().collect();
    jobs.sort_unstable_by_key(|job| job.number);
    Ok(jobs)
}

/// One poster's jobs: those with this number and every fourth after it.
async fn post_all(chain: Chain, dir: &Path, first: usize) -> CliResult<Vec<Posted>> {
    let (market, _) = chain.market().await?;
    let mut jobs = Vec::new();
    for number in (first..=JOBS).step_by(POSTERS) {
        let mode = if number <= REDUNDANT_JOBS { Mode::Redundant } else { Mode::Quorum };
        let order = Order {
            dir: dir.to_path_buf(),
            market,
            price: PRICE,
            base_fee_lamports: BASE_FEE_LAMPORTS_DEFAULT,
            gas_limit: Some(GAS_LIMIT),
            seed: u64::try_from(number).ok(),
            redundancy: SEATS,
            mode: Some(mode),
            min_trust_bps: 0,
            agreement_s: None,
            expires_unix: 0,
            id: None,
        };
        let plan = Plan::make(&chain, &order).await?;
        let right = here(&plan).await?;
        let handle = plan.post(&chain).await?.handle;
        jobs.push(Posted { number, mode, handle, right, is_closed: false });
    }
    Ok(jobs)
}

async fn here(plan: &Plan) -> CliResult<Outcome> {
    let engine = EngineArgs { engine: Engine::Wasmi, no_cache: true, timeout: TimeoutArgs::default() };
    let entries = JobDirectory::read(plan.spec.directory())?.entries;
    let (task, manner) = (plan.prepared.task, engine.provider_manner());
    Ok(sandbox::run(sandbox::Order { task, entries, deadline: None, manner, compiled: None }).await?.outcome)
}

/// Follows all jobs until they are closed. Whatever nobody does in time the poster does.
async fn settle(output: Output, jobs: &mut [Posted], running: &mut Running, begun: Instant) -> CliResult {
    let mut progress = Progress::start(output, "the providers work, more or less");
    let client = running.network().client().clone();
    let addresses: Vec<Pubkey> = jobs.iter().map(|job| job.handle.address()).collect();
    let since = Instant::now();
    loop {
        running.check()?;
        let now_unix = client.chain_time().await.hint()?.unix;
        let accounts = client.fetch_many::<Job>(&addresses).await.hint()?;
        for (job, account) in jobs.iter_mut().zip(accounts).filter(|(job, _)| !job.is_closed) {
            match account {
                Some(account) => help(job, &account, now_unix).await?,
                None => {
                    job.is_closed = true;
                    progress.line(format!("{:5.1} s  job {} is closed", begun.elapsed().as_secs_f32(), job.number));
                }
            }
        }
        let open: Vec<String> = jobs.iter().filter(|job| !job.is_closed).map(|job| job.number.to_string()).collect();
        if open.is_empty() {
            return Ok(());
        }
        if since.elapsed() > SETTLE_TIMEOUT {
            let jobs = open.join(", ");
            return Err(CliError::new(format!("not settled within {} s: jobs {jobs}", SETTLE_TIMEOUT.as_secs()))
                .with_next("give the machine more room and run it again; seven providers share it"));
        }
        progress.set(format!("{} of {} jobs are closed", jobs.len().saturating_sub(open.len()), jobs.len()));
        tokio::time::sleep(POLL).await;
    }
}

/// Takes the step that is overdue, if one is. That somebody else was quicker is no fault.
async fn help(job: &Posted, account: &Job, now_unix: i64) -> CliResult {
    let is_over = account.job_status().is_some_and(JobStatus::is_terminal);
    let due_unix = if is_over { Some(account.resolved_unix) } else { crank::due_from_unix(account) };
    if due_unix.is_none_or(|due_unix| now_unix < due_unix.saturating_add(HELP_AFTER_S)) {
        return Ok(());
    }
    let helped = if is_over {
        job.handle.close().await.map(drop)
    } else {
        job.handle.advance().await.map(drop).map_err(JobError::from)
    };
    match helped {
        Err(JobError::Client(ClientError::Program(_) | ClientError::NotFound { .. })) | Ok(()) => Ok(()),
        helped => helped.hint(),
    }
}

async fn end(job: &Posted) -> CliResult<Ended> {
    let view = job.handle.status().await.hint()?;
    let history = job.handle.history().await.hint()?;
    let escrow_lamports = history.iter().find_map(|record| match &record.event {
        Event::JobCreated(event) => Some(event.escrow_lamports),
        _ => None,
    });
    Ok(Ended {
        number: job.number,
        job: view.address.to_string(),
        mode: mode_name(job.mode),
        status: crate::job::state::status_name(view.status),
        is_right: (view.status == JobStatus::Resolved).then(|| view.outcome == Some(job.right)),
        escrow_lamports: escrow_lamports.unwrap_or_default(),
        refund_lamports: view.closing.map_or(0, |closing| closing.refund_lamports),
        history,
    })
}

async fn rows(running: &Running, jobs: &[Ended]) -> CliResult<Vec<Row>> {
    let events = || jobs.iter().flat_map(|job| &job.history).map(|record| &record.event);
    let mut rows = Vec::new();
    for (index, info) in running.network().info().providers.iter().enumerate() {
        let address: Pubkey = info.address.parse().context("the network names no address")?;
        let account: Provider = running.network().client().fetch(&address).await.hint()?;
        let settled = || {
            events().filter_map(|event| match event {
                Event::ExecutionSettled(event) if event.provider == address => Some(event),
                _ => None,
            })
        };
        let is_seat = |event: &&Event| matches!(event, Event::JobAccepted(event) if event.provider == address);
        let trust = TrustVector::from(account.trust);
        rows.push(Row {
            provider: info.address.clone(),
            name: format!("provider-{}", index.saturating_add(1)),
            habit: running.habit(index).map(Habit::name),
            jobs: events().filter(is_seat).count(),
            earned_lamports: settled().map(|event| event.pay_lamports.saturating_add(event.share_lamports)).sum(),
            slashed_lamports: settled().map(|event| event.lost_lamports).sum(),
            right: trust.completed,
            wrong: trust.failed,
            missed: trust.missed,
            trust_score_bps: trust.score_bps(),
        });
    }
    Ok(rows)
}

fn checks(jobs: &[Ended], providers: &[Row], books: &Books) -> Vec<Check> {
    let check = |what, fails_for: Vec<String>| Check { what, holds: fails_for.is_empty(), fails_for };
    let named = |fails: &dyn Fn(&Row) -> bool| {
        providers.iter().filter(|row| fails(row)).map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    let unfair = jobs.iter().filter(|job| !job.is_fair()).map(|job| format!("job {}", job.number)).collect();
    let missing = books.missing_lamports();
    vec![
        check("every honest provider was paid", named(&|row| row.habit.is_none() && row.earned_lamports == 0)),
        check("every poster got the right result or a full refund", unfair),
        check("every liar lost stake", named(&|row| row.habit.is_some() && row.slashed_lamports == 0)),
        check(
            "no lamport was lost or made",
            (missing != 0).then(|| format!("{missing} lamports")).into_iter().collect(),
        ),
    ]
}

fn print(report: &Report) {
    let mut shown = table(["provider", "habit", "jobs", "earned", "slashed", "right", "wrong", "missed", "trust"]);
    for row in &report.providers {
        shown.add_row([
            row.name.clone(),
            row.habit.unwrap_or("honest").to_owned(),
            row.jobs.to_string(),
            lamports(row.earned_lamports),
            lamports(row.slashed_lamports),
            row.right.to_string(),
            row.wrong.to_string(),
            row.missed.to_string(),
            format!("{}.{:02} %", row.trust_score_bps / 100, row.trust_score_bps % 100),
        ]);
    }
    println!("{shown}");
    let with = |is_right: Option<bool>| report.jobs.iter().filter(|job| job.is_right == is_right).count();
    println!(
        "{} jobs: {} with the right result, {} with a wrong one, {} without one and refunded",
        report.jobs.len(),
        with(Some(true)),
        with(Some(false)),
        with(None)
    );
    report.books.print();
    for Check { what, holds, fails_for } in &report.checks {
        let of = if fails_for.is_empty() { String::new() } else { format!(": not {}", fails_for.join(", ")) };
        println!("{} {what}{of}", if *holds { "yes" } else { "NO " });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_module_is_the_one_that_its_text_says() {
        let source = include_str!("liars.rs");
        let text: String = source
            .lines()
            .skip_while(|line| *line != "/// ```wat")
            .skip(1)
            .take_while(|line| *line != "/// ```")
            .map(|line| line.trim_start_matches('/'))
            .collect();
        assert_eq!(wat::parse_str(&text).unwrap(), MODULE);
    }

    fn ended(is_right: Option<bool>, refund_lamports: u64) -> Ended {
        let (job, mode, status, history) = (String::new(), "redundant", "resolved", Vec::new());
        Ended { number: 1, job, mode, status, is_right, escrow_lamports: 10, refund_lamports, history }
    }

    #[test]
    fn a_job_was_fair_with_the_right_result_or_with_everything_back() {
        assert!(ended(Some(true), 3).is_fair() && ended(None, 10).is_fair());
        assert!(!ended(Some(false), 10).is_fair() && !ended(None, 9).is_fair());
    }
}

//! `assay demo --with-liars`: two honest providers among five with a bad habit each. Who is paid, who loses, and whether a
//! lamport is missing at the end.

mod books;
mod follow;
mod jobs;
mod people;
mod report;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_executor::Habit;
use assay_localnet::{LedgerConfig, NetworkConfig};
use assay_sdk::{
    Client,
    pda::dispute_address,
    program::accounts::{Dispute, Job},
};
use futures_util::future::try_join_all;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::DemoArgs;
use crate::{
    error::{CliError, CliResult, Context as _, Hint as _},
    localnet::{Running, stop_requested},
    output::{Output, lamports, percent},
    progress::Progress,
};
use books::OpenBooks;
use follow::{Done, Look};
use jobs::{Board, Kind, Posted, Posting};
use people::People;
use report::{Ended, Report};

/// Honest providers, and all of them. Each honest one has sixteen times the stake of a liar: then it matters that seats are drawn by
/// stake though five of seven names lie, and one honest seat outweighs all liars together by the two thirds that are asked for.
const HONEST: usize = 2;
const PROVIDERS: u8 = 7;
const HONEST_STAKE_LAMPORTS: u64 = 32_000_000_000;
const LIAR_STAKE_LAMPORTS: u64 = 2_000_000_000;
const POSTERS: usize = 4;
/// Given to each poster, 10 SOL in lamports.
const POSTER_LAMPORTS: u64 = 10_000_000_000;
/// Stake counts in draws as long as not everybody is asked, which leaves honest bots time to come. Longer, and liars would sit in jail
/// for the first jobs before the one for everybody is full.
const WIDEN_S: u32 = 2;
/// Asked of those who take the last jobs: one confirmed result gives it.
const TRUST_ASKED_BPS: u16 = 1_000;
const POLL: Duration = Duration::from_millis(400);
const SETTLE_TIMEOUT: Duration = Duration::from_secs(240);

/// Runs it.
pub(super) async fn run(output: Output, args: &DemoArgs) -> CliResult {
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()));
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
        jurors: HONEST,
        seed: Some(seed),
        executions_max: PROVIDERS,
        widen_s: WIDEN_S,
        ..NetworkConfig::new(dir.path().join("net")).with_quick_disputes()
    };
    let started = Instant::now();
    let mut running = {
        let _progress = Progress::start(output, "starting ledger, content node and seven providers");
        tokio::select! {
            running = Running::start(config, habits) => running?,
            stopped = stop_requested() => return stopped,
        }
    };
    output.note(format!(
        "network up after {:.1} s (seed {seed}): two honest providers with {} each, on jury duty, among five liars with {} each: {}",
        started.elapsed().as_secs_f32(),
        lamports(HONEST_STAKE_LAMPORTS),
        lamports(LIAR_STAKE_LAMPORTS),
        Habit::ALL.map(Habit::name).join(", ")
    ));
    let shown = tokio::select! {
        shown = show(output, dir.path(), &mut running, seed) => shown,
        stopped = stop_requested() => stopped.and(Err(CliError::new("interrupted"))),
    };
    running.stop().await?;
    output.note(format!("nothing is left running ({:.1} s in all)", started.elapsed().as_secs_f32()));
    shown
}

async fn show(output: Output, dir: &Path, running: &mut Running, seed: u64) -> CliResult {
    let posters = posters(running).await?;
    let books = OpenBooks::open(running, &posters).await?;
    let people = People::meet(running).await?;
    let board = Board::new(dir.join("job"), running.network().market(), posters)?;
    output.note(format!("{} jobs:\n{}", Kind::count(), Kind::programme().join("\n")));
    let show = Show {
        people: &people,
        posting: Some(board.post(&Kind::jobs(false), 0)),
        board,
        began: Instant::now(),
        progress: Progress::quiet_start(output, "posting"),
        jobs: Vec::new(),
        ended: Vec::new(),
    };
    let ended = show.play(running).await?;
    running.stop_providers().await;
    let books = books.close().await?;
    let providers = people.rows(running.network().client(), &ended).await?;
    let report = Report::new(seed, ended, providers, books);
    output.result_and(&report, report.verdict(), || report.print())
}

async fn posters(running: &Running) -> CliResult<Vec<Client>> {
    let network = running.network();
    let posters = (0..POSTERS).map(async |_| {
        let keypair = Keypair::new();
        network.ledger().airdrop(&keypair.pubkey(), POSTER_LAMPORTS).await?;
        CliResult::Ok(network.client().clone().with_signer(Arc::new(keypair)))
    });
    try_join_all(posters).await
}

/// All jobs from the first to the last.
struct Show<'a> {
    people: &'a People,
    board: Board,
    began: Instant,
    progress: Progress,
    /// What is on its way to the chain.
    posting: Option<Posting>,
    jobs: Vec<Posted>,
    ended: Vec<Ended>,
}

impl Show<'_> {
    /// Posts, and follows all jobs until they are closed.
    async fn play(mut self, running: &mut Running) -> CliResult<Vec<Ended>> {
        while self.ended.len() < Kind::count() {
            running.check()?;
            self.require_time()?;
            self.take_posted(running).await?;
            let looks = self.look(running.network().client()).await?;
            self.tend(&looks).await?;
            self.take_closed(&looks).await?;
            self.progress.set(format!("{} of {} jobs are closed", self.ended.len(), Kind::count()));
            tokio::time::sleep(POLL).await;
        }
        self.ended.sort_unstable_by_key(Ended::number);
        Ok(self.ended)
    }

    /// Takes in what was posted. The jobs that ask for trust follow once both honest providers have it, at the latest when all
    /// others are over.
    async fn take_posted(&mut self, running: &Running) -> CliResult {
        if let Some(posting) = &mut self.posting {
            match posting.news()? {
                Some(news) => self.jobs.extend(news),
                None => {
                    self.posting = None;
                    self.tell(format!("{} jobs are posted", self.jobs.len()));
                }
            }
        } else if self.jobs.len() < Kind::count() {
            let least_bps = self.people.least_honest_score_bps(running.network().client()).await?;
            if least_bps >= TRUST_ASKED_BPS || self.ended.len() == self.jobs.len() {
                let asked_bps = least_bps.min(TRUST_ASKED_BPS);
                self.tell(format!("the last jobs follow; they ask for a trust of {}", percent(asked_bps)));
                self.posting = Some(self.board.post(&Kind::jobs(true), asked_bps));
            }
        }
        Ok(())
    }

    /// All jobs as they are now, in their order; `None` for those that are closed.
    async fn look(&self, client: &Client) -> CliResult<Vec<Option<Look>>> {
        let jobs: Vec<Pubkey> = self.jobs.iter().map(|job| job.handle.address()).collect();
        let disputes: Vec<Pubkey> = jobs.iter().map(dispute_address).collect();
        let now = client.chain_time().await.hint()?;
        let disputes = client.fetch_many::<Dispute>(&disputes).await.hint()?;
        let jobs = client.fetch_many::<Job>(&jobs).await.hint()?;
        let look = |(job, dispute): (Option<Job>, _)| job.map(|job| Look { now, job, dispute });
        Ok(jobs.into_iter().zip(disputes).map(look).collect())
    }

    /// Lets the posters do what is theirs to do.
    async fn tend(&mut self, looks: &[Option<Look>]) -> CliResult {
        let open = self.jobs.iter_mut().zip(looks).filter_map(|(job, look)| Some((job, look.as_ref()?)));
        let tending = open.map(async |(job, look)| CliResult::Ok((job.number, job.tend(look).await?)));
        for (number, done) in try_join_all(tending).await? {
            match done {
                Done::Disputed(Some(liar)) => {
                    let liar = self.people.name(&liar);
                    self.tell(format!("job {number:>2}: {liar} says what is wrong; its poster disputes it"));
                }
                Done::Disputed(None) => self.tell(format!("job {number:>2}: its seats disagree; a jury is asked")),
                Done::Shown => {
                    self.tell(format!("job {number:>2}: the jury has voted; its poster shows what it found"))
                }
                Done::Nothing => {}
            }
        }
        Ok(())
    }

    async fn take_closed(&mut self, looks: &[Option<Look>]) -> CliResult {
        let closed = self.jobs.iter_mut().zip(looks).filter(|(job, look)| look.is_none() && !job.is_closed);
        let mut ended = Vec::new();
        for (job, _) in closed {
            job.is_closed = true;
            ended.push(Ended::read(job).await?);
        }
        for ended in ended {
            self.tell(format!("job {:>2} closed: {}", ended.number(), ended.line(|who| self.people.name(who))));
            self.ended.push(ended);
        }
        Ok(())
    }

    fn tell(&self, text: String) {
        self.progress.line(format!("{:5.1} s  {text}", self.began.elapsed().as_secs_f32()));
    }

    fn require_time(&self) -> CliResult {
        if self.began.elapsed() <= SETTLE_TIMEOUT {
            return Ok(());
        }
        let open = self.jobs.iter().filter(|job| !job.is_closed).map(|job| job.number.to_string());
        let open = open.collect::<Vec<_>>().join(", ");
        Err(CliError::new(format!("not settled within {} s: jobs {open}", SETTLE_TIMEOUT.as_secs()))
            .with_next("give the machine more room and run it again; seven providers share it"))
    }
}

//! The twenty jobs: what is asked of each, and how they are posted.

use std::{fs, path::PathBuf};

use assay_protocol::{Mode, Outcome};
use assay_runtime::Engine;
use assay_sdk::{Client, JobHandle, job_spec::BASE_FEE_LAMPORTS_DEFAULT};
use solana_pubkey::Pubkey;
use tokio::{sync::mpsc, task::JoinSet};

use super::{PROVIDERS, follow::Contest};
use crate::{
    chain::Chain,
    engine::{EngineArgs, TimeoutArgs},
    error::{CliResult, Context as _},
    job::{Order, Plan},
    sandbox::{self, JobDirectory},
};

/// Paid for a result, 0.01 SOL in lamports: enough that the market's fee for it confirms a right one.
const FEE_LAMPORTS: u64 = 10_000_000;
/// Paid for a bargain: less than the transactions of whoever does the work cost.
const BARGAIN_LAMPORTS: u64 = BASE_FEE_LAMPORTS_DEFAULT / 5;
/// 0.01 SOL per 10^12 gas.
const PRICE: u64 = 10_000_000_000;
const GAS_LIMIT: u64 = 1_000_000;
/// Posted jobs that nobody has taken note of, at most; then posting waits.
const JOBS_MAX: usize = 32;

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

/// What is asked of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A seat for every provider, and the stake decides: nobody can be lucky and not be drawn.
    Everybody,
    /// One seat, for next to nothing.
    Bargain,
    /// One seat.
    Single,
    /// Three seats, and the stake decides.
    Stake,
    /// Two seats for providers whose work was confirmed before, who must agree.
    Trusted,
}

impl Kind {
    /// All jobs, in the order in which they are posted.
    const JOBS: [(Self, usize); 5] =
        [(Self::Everybody, 1), (Self::Bargain, 4), (Self::Single, 4), (Self::Stake, 7), (Self::Trusted, 4)];

    /// The jobs with their numbers, from 1; those for trusted providers wait until there are some.
    pub(super) fn jobs(is_trusted: bool) -> Vec<(usize, Self)> {
        let kinds = Self::JOBS.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
        (1..).zip(kinds).filter(|(_, kind)| (*kind == Self::Trusted) == is_trusted).collect()
    }

    /// How many there are of all kinds.
    pub(super) fn count() -> usize {
        Self::JOBS.iter().map(|(_, count)| count).sum()
    }

    /// How the jobs differ, for people.
    pub(super) fn programme() -> Vec<String> {
        let what = |(kind, count): (Self, usize)| format!("{count:>3} × {}", kind.text());
        Self::JOBS.into_iter().map(what).collect()
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Everybody => "a seat for each provider, stake decides: nobody escapes by not being drawn",
            Self::Bargain => "one seat, paid below cost: taken by those who do not care what they deliver",
            Self::Single => "one seat, for whoever is first",
            Self::Stake => "three seats drawn by stake, stake decides",
            Self::Trusted => "two seats that must agree, later, for providers whose work was confirmed by then",
        }
    }

    /// Its name in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Bargain => "bargain",
            Self::Single => "single",
            Self::Stake => "stake",
            Self::Trusted => "trusted",
        }
    }

    pub(super) const fn mode(self) -> Mode {
        match self {
            Self::Bargain | Self::Single => Mode::Optimistic,
            Self::Everybody | Self::Stake => Mode::Quorum,
            Self::Trusted => Mode::Redundant,
        }
    }

    const fn seats(self) -> u8 {
        match self {
            Self::Everybody => PROVIDERS,
            Self::Bargain | Self::Single => 1,
            Self::Stake => 3,
            Self::Trusted => 2,
        }
    }

    const fn base_fee_lamports(self) -> u64 {
        if matches!(self, Self::Bargain) { BARGAIN_LAMPORTS } else { FEE_LAMPORTS }
    }
}

/// One job on its way.
pub(super) struct Posted {
    pub(super) number: usize,
    pub(super) kind: Kind,
    /// Signs as its poster.
    pub(super) client: Client,
    pub(super) handle: JobHandle,
    /// What running it here gave.
    pub(super) right: Outcome,
    /// Its poster's part in a dispute over it.
    pub(super) contest: Option<Contest>,
    pub(super) is_disputed: bool,
    pub(super) is_closed: bool,
}

/// Who posts where what is in which directory.
#[derive(Clone)]
pub(super) struct Board {
    dir: PathBuf,
    market: Pubkey,
    posters: Vec<Client>,
}

/// Jobs that are being posted.
pub(super) struct Posting {
    tasks: JoinSet<CliResult>,
    posted: mpsc::Receiver<Posted>,
}

impl Posting {
    /// What was posted since the last time; `None` when that was all.
    pub(super) fn news(&mut self) -> CliResult<Option<Vec<Posted>>> {
        let mut is_over = self.tasks.is_empty();
        while let Some(ended) = self.tasks.try_join_next() {
            ended.context("a task that posts jobs ended")??;
        }
        let news: Vec<Posted> = std::iter::from_fn(|| self.posted.try_recv().ok()).collect();
        is_over &= news.is_empty();
        Ok((!is_over).then_some(news))
    }
}

impl Board {
    /// Writes the directory that all jobs are made of.
    pub(super) fn new(dir: PathBuf, market: Pubkey, posters: Vec<Client>) -> CliResult<Self> {
        fs::create_dir_all(&dir)?;
        fs::write(dir.join("job.wasm"), MODULE)?;
        fs::write(dir.join("manifest.json"), MANIFEST)?;
        Ok(Self { dir, market, posters })
    }

    /// Begins to post these jobs, each poster its share one after the other.
    pub(super) fn post(&self, jobs: &[(usize, Kind)], min_trust_bps: u16) -> Posting {
        let (sender, posted) = mpsc::channel(JOBS_MAX);
        let mut tasks = JoinSet::new();
        for (index, poster) in self.posters.iter().enumerate() {
            let is_own = |(number, _): &(usize, Kind)| number % self.posters.len() == index;
            let own: Vec<(usize, Kind)> = jobs.iter().copied().filter(is_own).collect();
            let (board, poster, sender) = (self.clone(), poster.clone(), sender.clone());
            tasks.spawn(async move {
                for job in own {
                    if sender.send(board.post_one(&poster, job, min_trust_bps).await?).await.is_err() {
                        break;
                    }
                }
                Ok(())
            });
        }
        Posting { tasks, posted }
    }

    /// Its poster runs a job itself first: it knows what is right.
    async fn post_one(&self, poster: &Client, (number, kind): (usize, Kind), min_trust_bps: u16) -> CliResult<Posted> {
        let chain = Chain::over(poster.clone(), self.market);
        let order = Order {
            dir: self.dir.clone(),
            market: self.market,
            price: PRICE,
            base_fee_lamports: kind.base_fee_lamports(),
            gas_limit: Some(GAS_LIMIT),
            seed: u64::try_from(number).ok(),
            redundancy: kind.seats(),
            mode: Some(kind.mode()),
            min_trust_bps,
            agreement_s: None,
            expires_unix: 0,
            id: None,
        };
        let plan = Plan::make(&chain, &order).await?;
        let right = here(&plan).await?;
        let handle = plan.post(&chain).await?.handle;
        Ok(Posted {
            number,
            kind,
            client: poster.clone(),
            handle,
            right,
            contest: None,
            is_disputed: false,
            is_closed: false,
        })
    }
}

async fn here(plan: &Plan) -> CliResult<Outcome> {
    let engine = EngineArgs { engine: Engine::Wasmi, no_cache: true, timeout: TimeoutArgs::default() };
    let entries = JobDirectory::read(plan.spec.directory())?.entries;
    let (task, manner) = (plan.prepared.task, engine.provider_manner());
    Ok(sandbox::run(sandbox::Order { task, entries, deadline: None, manner, compiled: None }).await?.outcome)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_module_is_the_one_that_its_text_says() {
        let source = include_str!("jobs.rs");
        let text: String = source
            .lines()
            .skip_while(|line| *line != "/// ```wat")
            .skip(1)
            .take_while(|line| *line != "/// ```")
            .map(|line| line.trim_start_matches('/'))
            .collect();
        assert_eq!(wat::parse_str(&text).unwrap(), MODULE);
    }

    #[test]
    fn there_are_twenty_jobs_of_one_seat_and_of_several() {
        let all = [Kind::jobs(false), Kind::jobs(true)].concat();
        let numbers: Vec<usize> = all.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
        assert_eq!(Kind::count(), 20);
        for (_, kind) in all {
            assert_eq!(kind.mode() == Mode::Optimistic, kind.seats() == 1, "{kind:?}");
        }
    }
}

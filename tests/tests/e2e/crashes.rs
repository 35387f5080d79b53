//! A real SIGKILL at every point of a job's life, enumerated from a clean one, and a restart: the same end, once.

use std::{path::PathBuf, time::Duration};

use assay_sdk::{Client, PostedJob};
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::{
    rpc_proxy::RpcProxy,
    stories::{Before, Story},
    support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, status, until},
};

/// Providers that crash at the same time, each with a poster of its own.
const AT_ONCE: usize = 12;
/// A run passes a few dozen points; more than this is a loop.
const POINTS_MAX: usize = 200;
/// Longest time from the restart to the end.
const RECOVERY: Duration = Duration::from_secs(60);

/// A provider and the only poster it works for.
struct Seat {
    executor: Executor,
    poster: Client,
}

/// One job in a provider's hands.
struct Life<'a> {
    seat: &'a mut Seat,
    story: Story,
    job: PostedJob,
    before: Before,
}

impl<'a> Life<'a> {
    /// Up to where the provider is dead, if the story has that.
    async fn begin(net: &Net, story: Story, (seat, number): (&'a mut Seat, usize)) -> Self {
        let Seat { executor, poster } = &mut *seat;
        // Each is a life of its own: no journal of an earlier one.
        executor.config.provider.data_dir = executor.path(&format!("data-{number}"));
        story.prepare(executor);
        let before = Before::look(poster, executor).await;
        let job = story.post(net, poster, u64::try_from(number).expect("a small number")).await;
        if let Some(point) = story.dies_at() {
            start(executor, "ASSAY_CRASH_AT", point).killed_at(point).await;
        }
        Self { seat, story, job, before }
    }

    /// To the end without a crash: the points passed.
    async fn end(self) -> Vec<String> {
        let log = self.log();
        let process = start(&mut self.seat.executor, "ASSAY_CRASH_LOG", &log.display().to_string());
        if timeout(RECOVERY, self.until_over()).await.is_err() {
            panic!("it does not come to its end\n{}", process.log());
        }
        process.drain().await;
        self.check().await;
        let passed = std::fs::read_to_string(log).expect("a run passes crash points");
        passed.lines().map(str::to_owned).collect()
    }

    /// Dies at this point, is started again and comes to the same end.
    async fn crash(self, point: &str) {
        let mut process = start(&mut self.seat.executor, "ASSAY_CRASH_AT", point);
        tokio::select! {
            () = process.killed_at(point) => {}
            () = async { self.until_over().await; std::future::pending().await } => {}
        }
        let first = process.log();
        let process = self.seat.executor.start(EXECUTOR, &[]);
        if timeout(RECOVERY, self.until_over()).await.is_err() {
            let reached = status(&self.seat.poster, &self.job.handle).await;
            panic!("killed at {point}, it stays {reached:?}\n{first}\n--- started again\n{}", process.log());
        }
        // Killed after everything, there was nothing to wait for.
        until("the restart", || async { process.log().contains("executor_started").then_some(()) }).await;
        process.drain().await;
        self.check().await;
    }

    fn log(&self) -> PathBuf {
        self.seat.executor.config.provider.data_dir.with_extension("points")
    }

    async fn until_over(&self) {
        let Seat { executor, poster } = &*self.seat;
        self.story.until_over(poster, &self.job, (executor, self.before)).await;
    }

    async fn check(&self) {
        self.story.check(&self.seat.poster, &self.job, (&self.seat.executor, self.before)).await;
    }
}

fn start(executor: &mut Executor, variable: &str, value: &str) -> crate::support::Process {
    executor.start(EXECUTOR_WITH_FAULTS, &[(variable, value.to_owned())])
}

/// Plays a story without a crash, then once for each point with a crash there.
async fn play(story: Story) {
    let net = Net::start(AT_ONCE).await;
    let proxy = match story.treatment() {
        Some(treatment) => Some(RpcProxy::start(&net.network.info().rpc_url, treatment, usize::MAX).await),
        None => None,
    };
    let mut seats = Vec::new();
    for number in 0..AT_ONCE {
        let (mut executor, poster) = (net.executor(number), net.poster().await);
        executor.only_for(&poster);
        if let Some(proxy) = &proxy {
            executor.config.chain.cluster = proxy.url.to_string();
        }
        seats.push(Seat { executor, poster });
    }
    let clean = Life::begin(&net, story, (&mut seats[0], 0)).await;
    story.meanwhile(&net, &[&clean.job]).await;
    let passed = clean.end().await;
    let runs_apart = passed.iter().any(|point| point == "work.fetched#1");
    assert_eq!(runs_apart, story.runs_apart(), "{passed:?}");
    let points = story.required(&passed);
    assert!(points.len() < POINTS_MAX, "{points:?}");
    for landmark in story.landmarks() {
        assert!(points.iter().any(|point| point == landmark), "{landmark} is not in {points:?}");
    }
    for (round, points) in points.chunks(AT_ONCE).enumerate() {
        let numbered = seats.iter_mut().zip(round * AT_ONCE + 1..);
        let lives = points.iter().zip(numbered).map(|(_, seat)| Life::begin(&net, story, seat));
        let lives = join_all(lives).await;
        story.meanwhile(&net, &lives.iter().map(|life| &life.job).collect::<Vec<_>>()).await;
        join_all(lives.into_iter().zip(points).map(|(life, point)| life.crash(point))).await;
    }
    println!("{story:?}: killed at each of {} points", points.len());
    let by_timing: Vec<_> = passed.iter().filter(|point| !points.contains(point)).collect();
    println!("not required: {by_timing:?}");
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_at_any_point_of_a_job_that_settles_changes_nothing_but_time() {
    play(Story::Settled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_around_a_run_in_a_child_of_its_own_changes_nothing_but_time() {
    play(Story::Apart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_while_the_journal_is_rewritten_or_after_changes_nothing_but_time() {
    play(Story::Rewritten).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_at_any_point_of_an_invalid_job_changes_nothing_but_time() {
    play(Story::Invalid).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_at_any_point_of_a_job_that_is_declined_changes_nothing_but_time() {
    play(Story::Declined).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_after_a_seat_was_missed_changes_nothing_but_time() {
    play(Story::Missed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_after_a_job_was_cancelled_changes_nothing_but_time() {
    play(Story::Cancelled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_e_03_i_11_a_kill_while_nothing_is_heard_of_transactions_changes_nothing_but_time() {
    play(Story::Unheard).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_e_14_i_11_a_kill_while_a_submission_is_outbid_changes_nothing_but_time() {
    play(Story::Outbid).await;
}

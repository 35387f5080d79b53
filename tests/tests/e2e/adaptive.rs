//! Jobs that a proven provider runs alone: real bots earn their streak, and then some results are audited and some are not.

use assay_localnet::NetworkConfig;
use assay_protocol::limits::TRUSTED_STREAK;
use assay_sdk::{Event, EventRecord, PostedJob, program::accounts::Provider};
use futures_util::future::join_all;

use crate::support::{EXECUTOR, Executor, Net, status, until};

/// Providers, and seats of each job.
const PROVIDERS: u8 = 3;
/// Every other result is audited.
const AUDIT_ONE_IN: u16 = 2;
/// Slow enough that seats are taken before every ticket wins, on a machine that does much else: else they confirm nothing.
const WIDEN_S: u32 = 3;
/// So many jobs in a row with the same luck do not happen: one in 2^39.
const JOBS_MAX: u64 = 40;
/// Jobs that are confirmed at the same time.
const TOGETHER: u64 = 5;
/// What happens to a job whose one result is not audited, in this order.
const NOT_AUDITED: [&str; 10] = [
    "JobCreated",
    "JobAccepted",
    "ResultCommitted",
    "SeedRecorded",
    "AuditDecided",
    "ResultRevealed",
    "SeatsAgreed",
    "JobFinalized",
    "ExecutionSettled",
    "JobClosed",
];
/// And to one whose result is.
const AUDITED: [&str; 19] = [
    "JobCreated",
    "JobAccepted",
    "ResultCommitted",
    "SeedRecorded",
    "AuditDecided",
    "SeedRecorded",
    "JobAccepted",
    "JobAccepted",
    "ResultCommitted",
    "ResultCommitted",
    "ResultRevealed",
    "ResultRevealed",
    "ResultRevealed",
    "SeatsAgreed",
    "JobFinalized",
    "ExecutionSettled",
    "ExecutionSettled",
    "ExecutionSettled",
    "JobClosed",
];

struct Market {
    net: Net,
    executors: Vec<Executor>,
}

impl Market {
    async fn providers(&self) -> Vec<Provider> {
        let mut providers = Vec::new();
        for executor in &self.executors {
            providers.push(self.net.network.client().fetch(&executor.address()).await.expect("an answer"));
        }
        providers
    }

    /// Waits until the job is closed and nobody is busy with it any more.
    async fn closed(&self, posted: &PostedJob) -> Vec<EventRecord> {
        until("the job to be closed", || async {
            let is_closed = status(self.net.network.client(), &posted.handle).await.is_none();
            (is_closed && self.providers().await.iter().all(|provider| provider.active == 0)).then_some(())
        })
        .await;
        posted.handle.history().await.expect("a history")
    }

    /// Until everybody has the streak that running alone takes; numbers of jobs that were posted for that.
    async fn earn_streaks(&self) -> u64 {
        let client = self.net.network.client();
        for number in (0..JOBS_MAX).step_by(usize::try_from(TOGETHER).expect("few")) {
            if self.providers().await.iter().all(|provider| provider.trust.consecutive_valid >= TRUSTED_STREAK) {
                return number;
            }
            let posting = (number..number + TOGETHER).map(|number| self.net.post_for(client, number, PROVIDERS));
            for posted in join_all(posting).await {
                self.closed(&posted).await;
            }
        }
        panic!("{JOBS_MAX} jobs were not enough");
    }
}

fn is_audited(history: &[EventRecord]) -> bool {
    let decided = history.iter().find_map(|record| match &record.event {
        Event::AuditDecided(event) => Some(event.is_drawn),
        _ => None,
    });
    decided.expect("nobody but a runner alone takes a job while all have the streak")
}

/// The provider that ran it alone.
fn runner(history: &[EventRecord], executors: &[Executor]) -> usize {
    let first = history.iter().find_map(|record| match &record.event {
        Event::JobAccepted(event) => Some(event.provider),
        _ => None,
    });
    executors.iter().position(|executor| Some(executor.address()) == first).expect("one of them")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_03_p_19_proven_bots_run_adaptive_jobs_alone_and_audit_each_other_by_chance() {
    let config = |config| NetworkConfig { audit_one_in_max: AUDIT_ONE_IN, widen_s: WIDEN_S, ..config };
    let net = Net::start_with(usize::from(PROVIDERS), config).await;
    let executors = (0..usize::from(PROVIDERS)).map(|number| net.executor(number)).collect();
    let mut market = Market { net, executors };
    let processes: Vec<_> = market.executors.iter_mut().map(|executor| executor.start(EXECUTOR, &[])).collect();
    let first = market.earn_streaks().await;
    let mut seen = [false; 2];
    for number in first..first + JOBS_MAX {
        let before = market.providers().await;
        let posted = market.net.post_adaptive(market.net.network.client(), number, PROVIDERS).await;
        let history = market.closed(&posted).await;
        let (after, names) = (market.providers().await, history.iter().map(|record| record.event.name()));
        let (is_audited, runner) = (is_audited(&history), runner(&history, &market.executors));
        let expected: &[&str] = if is_audited { &AUDITED } else { &NOT_AUDITED };
        assert_eq!(names.collect::<Vec<_>>(), expected);
        let (before, after) = (&before[runner], &after[runner]);
        assert_eq!((after.stake_lamports, after.locked_lamports), (before.stake_lamports, 0));
        assert_eq!(after.trust.completed, before.trust.completed + 1);
        // Auditors that come so late that every ticket wins confirm nothing.
        let is_confirmed = after.trust.confirmed > before.trust.confirmed;
        let streak = before.trust.consecutive_valid + u32::from(is_confirmed);
        // What others confirm makes up for everything that nobody checked.
        assert_eq!((after.trust.consecutive_valid, after.unaudited_lamports == 0), (streak, is_confirmed));
        assert!(is_confirmed || after.unaudited_lamports > before.unaudited_lamports);
        assert!(is_audited || !is_confirmed);
        assert_eq!(posted.handle.logs().await.expect("logs").stdout, format!("job {number}\n"));
        seen[usize::from(is_audited)] |= is_audited == is_confirmed;
        if seen == [true; 2] {
            break;
        }
    }
    assert_eq!(seen, [true; 2]);
    for process in processes {
        process.drain().await;
    }
    market.net.stop().await;
}

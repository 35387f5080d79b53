//! Jobs with several seats: drawn, hidden, revealed, agreed on.

use assay_protocol::JobStatus;
use assay_sdk::{
    Client, Event, PostedJob, Receipt,
    program::accounts::{Job, Provider},
};

use crate::support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, Process, assert_life, until, until_paid};

/// Seats, and providers that run.
const SEATS: u8 = 3;
/// What happens to a job whose seats all agree, in this order.
const AGREED: [&str; 17] = [
    "JobCreated",
    "SeedRecorded",
    "JobAccepted",
    "JobAccepted",
    "JobAccepted",
    "ResultCommitted",
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

/// A network with one provider for each seat.
async fn start() -> (Net, [Executor; SEATS as usize]) {
    let net = Net::start(usize::from(SEATS)).await;
    let executors = [net.executor(0), net.executor(1), net.executor(2)];
    (net, executors)
}

/// Everybody was paid what one seat earns, lost nothing and keeps one receipt, of what stands.
async fn assert_paid_alike(client: &Client, job: &PostedJob, executors: &[Executor], before: &[Provider]) {
    let outcome = job.handle.status().await.expect("a view").outcome.expect("an outcome");
    for (executor, before) in executors.iter().zip(before) {
        let provider: Provider = client.fetch(&executor.address()).await.expect("an answer");
        assert_eq!((provider.locked_lamports, provider.active, provider.earnings_lamports), (0, 0, 0));
        assert_eq!((provider.stake_lamports, provider.trust.completed), (before.stake_lamports, 1));
        let kept = assay_executor::receipts(&executor.config.provider.data_dir, 2).expect("receipts");
        let [(_, path)] = kept.as_slice() else { panic!("{kept:?}") };
        let receipt = Receipt::from_json(&std::fs::read(path).expect("a file")).expect("a receipt");
        assert_eq!(receipt.outcome, outcome);
    }
}

async fn looks(client: &Client, executors: &[Executor]) -> Vec<Provider> {
    let mut providers = Vec::new();
    for executor in executors {
        providers.push(client.fetch(&executor.address()).await.expect("an answer"));
    }
    providers
}

async fn account(client: &Client, job: &PostedJob) -> Job {
    client.fetch(&job.handle.address()).await.expect("a job that is not closed")
}

async fn drain(processes: impl IntoIterator<Item = Process>) {
    for process in processes {
        process.drain().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_01_i_02_three_bots_are_drawn_hide_their_results_agree_and_are_paid_once_each() {
    let (net, mut executors) = start().await;
    let client = net.network.client();
    let before = looks(client, &executors).await;
    let processes = executors.each_mut().map(|executor| executor.start(EXECUTOR, &[]));
    let posted = net.post_for(client, 1, SEATS).await;
    for executor in &executors {
        until_paid(client, &posted.handle, &executor.address()).await;
    }
    let history = assert_life(&posted.handle, &AGREED).await;
    let settled = history.iter().filter_map(|record| match &record.event {
        Event::ExecutionSettled(event) => Some((event.pay_lamports, event.lost_lamports)),
        _ => None,
    });
    let pay_lamports = posted.handle.status().await.expect("a view").pay_lamports;
    assert!(settled.into_iter().all(|settled| settled == (pay_lamports, 0)) && pay_lamports > 0);
    assert_paid_alike(client, &posted, &executors, &before).await;
    drain(processes).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_07_e_01_a_bot_that_dies_around_its_commitment_reveals_what_it_committed_to() {
    let (net, mut executors) = start().await;
    let client = net.network.client();
    let before = looks(client, &executors).await;
    let points = ["journal.after.outcome#1", "tx.commit.sent#1", "tx.reveal.before_send#1"];
    let mut processes: Vec<Process> = executors
        .iter_mut()
        .zip(points)
        .map(|(executor, point)| executor.start(EXECUTOR_WITH_FAULTS, &[("ASSAY_CRASH_AT", point.to_owned())]))
        .collect();
    let posted = net.post_for(client, 1, SEATS).await;
    // The last one comes to its reveal only when the others have committed.
    for ((process, executor), point) in processes.iter_mut().zip(&mut executors).zip(points) {
        process.killed_at(point).await;
        *process = executor.start(EXECUTOR, &[]);
    }
    for executor in &executors {
        until_paid(client, &posted.handle, &executor.address()).await;
    }
    assert_life(&posted.handle, &AGREED).await;
    assert_paid_alike(client, &posted, &executors, &before).await;
    drain(processes).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_02_a_bot_that_never_reveals_loses_its_bond_and_the_others_are_paid() {
    let (net, mut executors) = start().await;
    let client = net.network.client();
    let before = looks(client, &executors).await;
    let dies = ("ASSAY_CRASH_AT", "tx.reveal.before_send#1".to_owned());
    let mut silent = executors[0].start(EXECUTOR_WITH_FAULTS, &[dies]);
    let processes = [executors[1].start(EXECUTOR, &[]), executors[2].start(EXECUTOR, &[])];
    let posted = net.post_for(client, 1, SEATS).await;
    silent.killed_at("tx.reveal.before_send#1").await;
    until("the others to reveal", || async { (account(client, &posted).await.pending_reveals == 1).then_some(()) })
        .await;
    let job = account(client, &posted).await;
    assert_eq!(job.job_status(), Some(JobStatus::Revealing));
    let ledger = net.network.ledger();
    ledger.travel_to(job.reveal_deadline_unix + 1).await.expect("time moves on");
    // Whoever settles takes all seats along, that of the silent one too.
    for executor in &executors {
        until_paid(client, &posted.handle, &executor.address()).await;
    }
    let again = executors[0].start(EXECUTOR, &[]);
    let after = looks(client, &executors).await;
    let lost: Vec<u64> =
        before.iter().zip(&after).map(|(before, after)| before.stake_lamports - after.stake_lamports).collect();
    assert_eq!(lost, [job.bond_lamports, 0, 0]);
    drain(processes).await;
    again.drain().await;
    net.stop().await;
}

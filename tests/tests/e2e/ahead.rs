//! Small guests run with the preparation of their jobs, before there is a seat; larger ones behind it.

use crate::{
    jobs::{large, prints},
    stories::Story,
    support::{EXECUTOR, Net, Process, SETTLED, assert_life, assert_settled_once, until, until_paid},
};

/// Runs ahead, and those of them that were of use.
async fn runs_ahead(process: &Process) -> [f64; 2] {
    let [all, used] = ["assay_executor_runs_ahead_total", "assay_executor_runs_ahead_used_total"];
    [process.metric(all).await.expect("metrics"), process.metric(used).await.expect("metrics")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_guests_run_before_their_seats_are_won_and_a_larger_one_behind_it() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    // More than it has: it prepares, and takes nothing.
    let balance_min_lamports = executor.config.policy.balance_min_lamports;
    executor.config.policy.balance_min_lamports = 1_000_000_000_000_000;
    let process = executor.start(EXECUTOR, &[]);
    let large = net.post_guest(client, 1, (&prints(1), large())).await;
    let jobs = [net.post(client, 2).await, net.post(client, 3).await, large];
    until("the jobs to be prepared", || async {
        (process.metric("assay_executor_jobs{phase=\"prepared\"}").await? == 3.0).then_some(())
    })
    .await;
    assert_eq!(runs_ahead(&process).await, [2.0, 0.0]);
    for job in &jobs {
        assert_life(&job.handle, &SETTLED[..1]).await;
    }
    process.drain().await;

    executor.config.policy.balance_min_lamports = balance_min_lamports;
    let process = executor.start(EXECUTOR, &[]);
    for job in &jobs {
        until_paid(client, &job.handle, &executor.address()).await;
        assert_settled_once(client, &job.handle, &executor.address()).await;
    }
    assert_eq!(runs_ahead(&process).await, [2.0, 2.0]);
    let log = process.log();
    assert_eq!(["ahead=true", "ahead=false"].map(|ahead| log.matches(ahead).count()), [2, 1], "{log}");
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_24_a_guest_that_cannot_be_run_ahead_is_prepared_without_that_and_its_seat_given_back() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    Story::Declined.prepare(&mut executor);
    // Its guest, which asks for more memory than there is here, is small for a host as quick as this.
    executor.config.worker.gas_per_second = 1_000_000_000_000;
    // One failed try would be the last.
    executor.config.limits.prepare_attempts_max = 1;
    let process = executor.start(EXECUTOR, &[]);
    let posted = Story::Declined.post(&net, client, 1).await;
    let events = ["JobCreated", "JobAccepted", "JobDeclined"];
    until("the seat to be given back", || async {
        (posted.handle.history().await.expect("a history").len() == events.len()).then_some(())
    })
    .await;
    assert_life(&posted.handle, &events).await;
    let log = process.log();
    assert_eq!(log.matches("task_not_run_ahead").count(), 1, "{log}");
    assert_eq!(runs_ahead(&process).await, [0.0, 0.0]);
    process.drain().await;
    net.stop().await;
}

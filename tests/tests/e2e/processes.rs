//! Signals and second instances.

use assay_executor::config::Digest;
use assay_protocol::JobStatus;

use crate::support::{EXECUTOR, Net, assert_settled_once, status, until, until_paid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_21_a_drain_delivers_what_is_owed_and_takes_nothing_new() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let mut process = executor.start(EXECUTOR, &[]);
    let first = net.post(client, 1).await;
    // As soon as the seat is taken, a result is owed.
    until("the seat to be taken", || async {
        (status(client, &first.handle).await != Some(JobStatus::Open)).then_some(())
    })
    .await;
    process.terminate();
    let exit = process.ended().await;
    assert!(exit.success(), "{exit}\n{}", process.log());
    let reached = status(client, &first.handle).await;
    assert!(reached != Some(JobStatus::Open) && reached != Some(JobStatus::Assigned), "it left owing: {reached:?}");

    let second = net.post(client, 2).await;
    assert_eq!(status(client, &second.handle).await, Some(JobStatus::Open));
    // Started again, it finishes the first and takes the second.
    let process = executor.start(EXECUTOR, &[]);
    for job in [&first, &second] {
        until_paid(client, &job.handle, &executor.address()).await;
        assert_settled_once(client, &job.handle, &executor.address()).await;
    }
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_19_a_second_instance_refuses_to_start_and_disturbs_nothing() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let first = executor.start(EXECUTOR, &[]);
    until("the first instance", || async { first.log().contains("executor_started").then_some(()) }).await;
    let mut second = executor.start(EXECUTOR, &[]);
    let exit = second.ended().await;
    assert_eq!(exit.code(), Some(2), "{}", second.log());
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    first.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_26_an_executor_that_expects_another_program_refuses_to_start() {
    let net = Net::start(1).await;
    let mut executor = net.executor(0);
    executor.config.chain.program_sha256 = Some(Digest([7; 32]));
    let mut process = executor.start(EXECUTOR, &[]);
    let exit = process.ended().await;
    assert!(!exit.success());
    assert!(process.log().contains(&"07".repeat(32)) || process.log().contains("program_sha256"), "{}", process.log());
    net.stop().await;
}

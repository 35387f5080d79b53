//! Signals and second instances.

use std::time::Duration;

use assay_executor::config::{Digest, Span};
use assay_protocol::JobStatus;
use assay_sdk::PostedJob;

use crate::{
    proxy::Proxy,
    support::{
        EXECUTOR, Executor, Net, Process, assert_life, assert_settled_once, outcomes_signed, status, until, until_paid,
        with_port,
    },
};

/// A bot that was asked to drain with a result in its hands that cannot be published while the node is down.
async fn drains_and_owes(net: &Net, executor: &mut Executor) -> (Process, PostedJob, Proxy) {
    let url = &net.network.info().content_url;
    let node = Proxy::down(url).await;
    executor.config.content.publish = vec![with_port(url, node.port)];
    // What ends it must be something else.
    executor.config.limits.drain_deadline = Span(Duration::from_secs(3_600));
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(net.network.client(), 1).await;
    until("an attempt to publish", || async { (node.connections() > 0).then_some(()) }).await;
    process.terminate();
    until("the drain", || async { process.log().contains("drain_started").then_some(()) }).await;
    (process, posted, node)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_21_a_drain_delivers_what_is_owed_and_takes_nothing_new() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let (mut process, first, node) = drains_and_owes(&net, &mut executor).await;
    let second = net.post(client, 2).await;
    node.bring_up();
    let exit = process.ended().await;
    assert!(exit.success(), "{exit}\n{}", process.log());
    let reached = status(client, &first.handle).await;
    assert!(reached != Some(JobStatus::Open) && reached != Some(JobStatus::Assigned), "it left owing: {reached:?}");
    assert_life(&second.handle, &["JobCreated"]).await;
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
async fn e_21_a_second_sigterm_ends_a_drain_at_once_and_loses_nothing() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let (mut process, posted, node) = drains_and_owes(&net, &mut executor).await;
    assert!(process.is_running(), "it left owing\n{}", process.log());
    process.terminate();
    let exit = process.ended().await;
    assert!(exit.success() && process.log().contains("stopped_at_once"), "{exit}\n{}", process.log());
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned));
    assert_eq!(outcomes_signed(client, &posted.handle).await, 0);
    node.bring_up();
    let process = executor.start(EXECUTOR, &[]);
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
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
    assert_eq!(exit.code(), Some(1), "{}", second.log());
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

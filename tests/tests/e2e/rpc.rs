//! An RPC that lies, forgets and goes away, and a provider that never comes back.

use std::time::Duration;

use assay_executor::config::Span;
use assay_protocol::JobStatus;
use assay_sdk::program::accounts::{Job, Provider};

use crate::{
    proxy::Proxy,
    rpc_proxy::{RpcProxy, Treatment},
    support::{
        EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, assert_settled_once, status, until, until_paid, with_port,
    },
};

/// Settles one job through this RPC.
async fn settles_through(treatment: Treatment, times: usize) {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let proxy = RpcProxy::start(&net.network.info().rpc_url, treatment, times).await;
    executor.config.chain.cluster = proxy.url.to_string();
    executor.config.chain.resend_interval = Span(Duration::from_millis(300));
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    assert!(proxy.treated() >= times.min(3), "{} of {times} transactions were treated", proxy.treated());
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_03_transactions_that_land_with_an_error_are_not_signed_again() {
    settles_through(Treatment::LandsWithError, usize::MAX).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_vanish_are_sent_again_until_they_land() {
    settles_through(Treatment::Vanishes, 3).await;
}

/// A provider whose first endpoint does this, and whose second one is honest.
async fn beside_an_honest_one(net: &Net, treatment: Treatment) -> (Executor, RpcProxy) {
    let info = net.network.info();
    let mut executor = net.executor(0);
    let proxy = RpcProxy::start(&info.rpc_url, treatment, usize::MAX).await;
    executor.config.chain.cluster = proxy.url.to_string();
    executor.config.chain.other_rpc_urls = vec![info.rpc_url.clone()];
    (executor, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_09_a_job_settles_although_an_endpoint_says_that_what_it_swallows_has_landed() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let (mut executor, proxy) = beside_an_honest_one(&net, Treatment::Swallowed).await;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    assert!(proxy.treated() > 0, "it was never asked");
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_09_a_result_is_submitted_although_an_endpoint_hides_the_seat() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let (mut executor, _proxy) = beside_an_honest_one(&net, Treatment::SeatsHidden).await;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until("the result", || async {
        (status(client, &posted.handle).await == Some(JobStatus::Submitted)).then_some(())
    })
    .await;
    until("the contradiction", || async { process.log().contains("says something else about").then_some(()) }).await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_09_no_bond_is_locked_for_a_job_that_only_one_endpoint_shows_so() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let (mut executor, proxy) = beside_an_honest_one(&net, Treatment::Embellished(5_000_000)).await;
    executor.config.policy.base_fee_min_lamports = 5_000_000;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    let refused = || process.log().matches("says something else about job").count();
    until("the bot to ask twice", || async { (refused() >= 2).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Open), "a bond was locked for a lie");
    // Without a witness, no more than with one who contradicts.
    drop(process);
    let silent = Proxy::down(&net.network.info().rpc_url).await;
    executor.config.chain.other_rpc_urls = vec![with_port(&net.network.info().rpc_url, silent.port)];
    let process = executor.start(EXECUTOR, &[]);
    let refused = || process.log().matches("a seat is not taken on the word of one").count();
    until("the bot to ask twice", || async { (refused() >= 2).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Open), "a bond was locked for a lie");
    assert!(proxy.treated() > 0);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_07_a_job_settles_although_the_first_endpoint_died_with_its_result_owed() {
    let net = Net::start(1).await;
    let (client, info) = (net.network.client(), net.network.info());
    let mut executor = net.executor(0);
    let first = Proxy::down(&info.rpc_url).await;
    first.bring_up();
    executor.config.chain.cluster = with_port(&info.rpc_url, first.port).to_string();
    executor.config.chain.ws_url = Some(info.ws_url.clone());
    executor.config.chain.other_rpc_urls = vec![info.rpc_url.clone()];
    let node = Proxy::down(&info.content_url).await;
    executor.config.content.publish = vec![with_port(&info.content_url, node.port)];
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until("a result", || async { (node.connections() > 0).then_some(()) }).await;
    first.take_down();
    node.bring_up();
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    assert!(process.log().contains("endpoint_changed"), "{}", process.log());
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_14_a_submission_that_is_too_cheap_is_outbid_until_one_lands() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    // Two steps up the ladder.
    let proxy = RpcProxy::start(&net.network.info().rpc_url, Treatment::TooCheap(40_000), usize::MAX).await;
    executor.config.chain.cluster = proxy.url.to_string();
    executor.config.chain.fee_bumps_max = 3;
    executor.config.chain.fee_bump_interval = Span(Duration::from_millis(500));
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    assert!(proxy.treated() >= 2, "{} submissions were too cheap", proxy.treated());
    assert!(process.log().matches("fee_raised").count() >= 2, "{}", process.log());
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_12_e_07_a_job_settles_although_the_rpc_went_away_with_its_result_owed() {
    let net = Net::start(1).await;
    let (client, info) = (net.network.client(), net.network.info());
    let mut executor = net.executor(0);
    let rpc = Proxy::down(&info.rpc_url).await;
    executor.config.chain.cluster = with_port(&info.rpc_url, rpc.port).to_string();
    executor.config.chain.ws_url = Some(info.ws_url.clone());
    let node = Proxy::down(&info.content_url).await;
    executor.config.content.publish = vec![with_port(&info.content_url, node.port)];
    // It starts before its endpoint does, and waits for it.
    let process = executor.start(EXECUTOR, &[]);
    until("two attempts to start", || async { (rpc.connections() >= 2).then_some(()) }).await;
    rpc.bring_up();
    let posted = net.post(client, 1).await;
    until("a result", || async { (node.connections() > 0).then_some(()) }).await;
    rpc.take_down();
    node.bring_up();
    let before = rpc.connections();
    until("some attempts in vain", || async { (rpc.connections() >= before + 8).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned), "submitted without an endpoint");
    rpc.bring_up();
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_04_a_job_whose_provider_died_is_finished_by_another() {
    let net = Net::start(2).await;
    let client = net.network.client();
    let (mut first, mut second) = (net.executor(0), net.executor(1));
    // Dies with the seat taken and the result not submitted.
    let at = "work.ran#1";
    let mut process = first.start(EXECUTOR_WITH_FAULTS, &[("ASSAY_CRASH_AT", at.to_owned())]);
    let posted = net.post(client, 1).await;
    process.killed_at(at).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned));
    let job: Job = client.fetch(&posted.handle.address()).await.expect("an answer");
    net.network.ledger().travel_to(job.execution_deadline_unix + 1).await.expect("time moves on");
    let process = second.start(EXECUTOR, &[]);
    until("the missed deadline to be called", || async {
        // Anybody may: here it is the poster.
        drop(posted.handle.advance().await);
        let provider: Provider = client.fetch(&first.address()).await.expect("an answer");
        (provider.trust.missed == 1).then_some(())
    })
    .await;
    // The dead provider's seat is settled by whoever wants the job closed, so that its poster waits for nobody.
    until("the job to be closed", || async {
        drop(posted.handle.close().await);
        status(client, &posted.handle).await.is_none().then_some(())
    })
    .await;
    until_paid(client, &posted.handle, &second.address()).await;
    let history = posted.handle.history().await.expect("a history");
    let count = |name| history.iter().filter(|record| record.event.name() == name).count();
    let counts = ["ExecutionMissed", "ResultsSubmitted", "JobFinalized", "ExecutionSettled", "JobClosed"].map(count);
    assert_eq!(counts, [1, 1, 1, 2, 1]);
    // The first comes back, finds its seat missed, and leaves everything alone.
    let again = first.start(EXECUTOR, &[]);
    let next = net.post(client, 2).await;
    until("the second job to be closed", || async { status(client, &next.handle).await.is_none().then_some(()) }).await;
    again.drain().await;
    process.drain().await;
    net.stop().await;
}

//! Sources and hints that fail.

use std::{sync::Arc, time::Duration};

use assay_executor::{
    chain::{RpcSettings, watch_for_hints},
    config::Span,
    core::JobUid,
};
use assay_protocol::{JobStatus, OutcomeKind};
use assay_sdk::{Cluster, Event, PostedJob};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};

use crate::{
    proxy::Proxy,
    support::{
        EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, PATIENCE, assert_settled_once, outcomes_signed, status, until,
        until_paid, with_port,
    },
};

/// Time before the execution deadline at which a seat is given back: all of the 61 s but three.
const EARLY: Span = Span(Duration::from_secs(58));
/// Codes of `decline_job`, see docs/PROTOCOL.md.
const CONTENT_UNAVAILABLE: u16 = 2;
const OUT_OF_TIME: u16 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_10_a_job_settles_though_the_websocket_is_silent_for_the_whole_run() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let proxy = Proxy::silent(&net.network.info().ws_url).await;
    executor.config.chain.ws_url = Some(with_port(&net.network.info().ws_url, proxy.port));
    let process = executor.start(EXECUTOR, &[]);
    until("a subscription", || async { (proxy.connections() > 0).then_some(()) }).await;
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_10_the_subscription_tells_of_slots_and_of_a_job_whose_seats_are_taken() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let (provider, info) = (executor.address(), net.network.info());
    let settings = RpcSettings {
        cluster: Cluster { rpc_url: info.rpc_url.clone(), ws_url: info.ws_url.clone() },
        others: Vec::new(),
        market: net.network.market(),
        provider,
        authority: provider,
        node_key: provider,
        request_timeout: Duration::from_secs(10),
    };
    let (hint, (sender, mut told)) = (Arc::new(Notify::new()), mpsc::unbounded_channel());
    let (slots, mut heard) = watch::channel(None);
    let watching = tokio::spawn(watch_for_hints(settings, hint.clone(), slots, move |uid| {
        sender.send(uid).expect("it is listened to");
    }));
    timeout(PATIENCE, hint.notified()).await.expect("a subscription");
    timeout(PATIENCE, heard.wait_for(Option::is_some)).await.expect("a slot").expect("somebody who tells");
    let posted = net.post(client, 1).await;
    timeout(PATIENCE, hint.notified()).await.expect("a hint");
    assert!(told.try_recv().is_err(), "its seat is free");
    let process = executor.start(EXECUTOR, &[]);
    let uid = timeout(PATIENCE, told.recv()).await.expect("word of it");
    assert_eq!(uid, Some(JobUid(posted.handle.status().await.expect("a view").job_uid)));
    watching.abort();
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_15_p_08_a_job_whose_content_is_not_there_is_not_accepted_until_it_is() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let info = net.network.info();
    let (node, gateway) = (Proxy::down(&info.content_url).await, Proxy::down(&info.gateway_url).await);
    executor.config.content.kubo = vec![with_port(&info.content_url, node.port)];
    executor.config.content.gateways = vec![with_port(&info.gateway_url, gateway.port)];
    executor.config.limits.prepare_attempts_max = u8::MAX;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until("two attempts", || async { (node.connections() + gateway.connections() >= 4).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Open), "accepted without content");
    node.bring_up();
    gateway.bring_up();
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_17_a_result_that_cannot_be_published_for_a_while_is_submitted_once_it_can() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let node = publishes_through_a_node_that_is_down(&net, &mut executor).await;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(client, 1).await;
    until("three attempts", || async { (node.connections() >= 3).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned), "submitted and not published");
    assert_eq!(outcomes_signed(client, &posted.handle).await, 0);
    node.bring_up();
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    assert_eq!(&posted.handle.logs().await.expect("a published result").stdout[..], b"job 1\n");
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_17_a_seat_is_given_back_in_time_when_the_result_cannot_be_published() {
    let net = Net::start(2).await;
    let mut executor = net.executor(0);
    let _node = publishes_through_a_node_that_is_down(&net, &mut executor).await;
    executor.config.limits.decline_margin = EARLY;
    let process = executor.start(EXECUTOR, &[]);
    let posted = net.post(net.network.client(), 1).await;
    is_declined_and_done_by_another(&net, &posted, CONTENT_UNAVAILABLE).await;
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_16_a_job_whose_content_is_lost_after_acceptance_is_run_once_it_is_back() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let (posted, source) = accepts_and_loses_the_content(&net, &mut executor).await;
    let process = executor.start(EXECUTOR, &[]);
    until("three attempts", || async { (source.connections() >= 3).then_some(()) }).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned));
    source.bring_up();
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    let outcome = posted.handle.status().await.expect("a view").outcome.expect("an outcome");
    assert_eq!(outcome.kind, OutcomeKind::Exited, "content that is not to be had is nobody's outcome");
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_16_p_08_a_seat_is_given_back_in_time_when_the_content_stays_lost() {
    let net = Net::start(2).await;
    let mut executor = net.executor(0);
    let (posted, _source) = accepts_and_loses_the_content(&net, &mut executor).await;
    executor.config.limits.decline_margin = EARLY;
    let process = executor.start(EXECUTOR, &[]);
    is_declined_and_done_by_another(&net, &posted, OUT_OF_TIME).await;
    process.drain().await;
    net.stop().await;
}

async fn publishes_through_a_node_that_is_down(net: &Net, executor: &mut Executor) -> Proxy {
    let url = &net.network.info().content_url;
    let node = Proxy::down(url).await;
    executor.config.content.publish = vec![with_port(url, node.port)];
    node
}

/// Dies after accepting and is left with a source that is down and an empty store.
async fn accepts_and_loses_the_content(net: &Net, executor: &mut Executor) -> (PostedJob, Proxy) {
    let client = net.network.client();
    let at = "tx.accept.sent#1";
    let mut process = executor.start(EXECUTOR_WITH_FAULTS, &[("ASSAY_CRASH_AT", at.to_owned())]);
    let posted = net.post(client, 1).await;
    process.killed_at(at).await;
    std::fs::remove_dir_all(executor.config.provider.data_dir.join("blocks")).expect("a store that was used");
    until("the seat to be taken", || async {
        (status(client, &posted.handle).await == Some(JobStatus::Assigned)).then_some(())
    })
    .await;
    let url = &net.network.info().content_url;
    let source = Proxy::down(url).await;
    executor.config.content.kubo = vec![with_port(url, source.port)];
    executor.config.content.gateways.clear();
    (posted, source)
}

/// The first provider declines for this reason, without a result, and the second settles the job.
async fn is_declined_and_done_by_another(net: &Net, posted: &PostedJob, reason: u16) {
    let client = net.network.client();
    let declines = || async {
        let history = posted.handle.history().await.expect("a history");
        history.into_iter().find_map(|record| match record.event {
            Event::JobDeclined(event) => Some(event),
            _ => None,
        })
    };
    let declined = until("the seat to be given back", declines).await;
    assert_eq!((declined.reason, declined.provider), (reason, net.executor(0).address()));
    assert_eq!(outcomes_signed(client, &posted.handle).await, 0);
    let mut other = net.executor(1);
    let process = other.start(EXECUTOR, &[]);
    until_paid(client, &posted.handle, &other.address()).await;
    let provider = posted.handle.status().await.expect("a view").provider;
    assert_eq!(provider, Some(other.address()));
    assert_eq!(outcomes_signed(client, &posted.handle).await, 1);
    process.drain().await;
}

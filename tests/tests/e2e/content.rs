//! Sources and hints that fail.

use assay_protocol::JobStatus;

use crate::{
    proxy::Proxy,
    support::{EXECUTOR, Net, assert_settled_once, status, until, until_paid, with_port},
};

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
async fn c_15_a_job_whose_content_is_not_there_is_not_accepted_until_it_is() {
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

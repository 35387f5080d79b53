//! A host on which no sandbox child can be started.
#![cfg(target_os = "linux")]

use assay_protocol::JobStatus;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use crate::support::{EXECUTOR, Net, Process, assert_settled_once, status, until, until_paid};

/// What `/healthz` says, and whether with success.
async fn health(process: &Process) -> Option<(bool, Value)> {
    let (is_healthy, body) = process.get("/healthz").await?;
    Some((is_healthy, serde_json::from_str(&body).ok()?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_24_w_12_a_host_that_can_start_no_child_takes_nothing_says_why_and_goes_on_when_it_can() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    // One failed try would be the last.
    executor.config.limits.prepare_attempts_max = 1;
    executor.config.limits.run_attempts_max = 1;
    let process = executor.start(EXECUTOR, &[]);
    until("health", || async { health(&process).await.filter(|(is_healthy, _)| *is_healthy) }).await;
    // The kernel ends what it cannot give a stack to before it runs. Threads of the bot have theirs already.
    let stack = getrlimit(Resource::Stack);
    let none = Rlimit { current: Some(0), ..stack };
    prlimit(Some(process.pid()), Resource::Stack, none).expect("limited");
    let posted = net.post(client, 1).await;
    let (_, body) = until("failing health", || async { health(&process).await.filter(|(healthy, _)| !healthy) }).await;
    assert_eq!(body["status"], "failing", "{body}");
    let reasons = body["reasons"].to_string();
    assert!(reasons.contains("start the sandbox child"), "{reasons}");
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Open));
    assert_eq!(process.log().matches("alert_raised").count(), 1, "{}", process.log());

    prlimit(Some(process.pid()), Resource::Stack, stack).expect("restored");
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    let (is_healthy, body) = health(&process).await.expect("an answer");
    assert!(is_healthy, "{body}");
    process.drain().await;
    net.stop().await;
}

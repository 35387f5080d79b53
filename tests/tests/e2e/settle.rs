//! Jobs that settle.

use assay_protocol::{InvalidReason, OutcomeKind, TaskLimits, Trap};

use crate::{
    jobs::{BASE_FEE_LAMPORTS, does, prints, small},
    support::{EXECUTOR, Net, assert_receipt, assert_settled_once, until_paid},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_settles_from_the_posters_call_to_the_providers_pay() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    // The released binary knows no crash points: these variables mean nothing to it.
    let log = executor.path("crash-log");
    let process = executor.start(
        EXECUTOR,
        &[("ASSAY_CRASH_AT", "journal.before.prepare#1".to_owned()), ("ASSAY_CRASH_LOG", log.display().to_string())],
    );
    let before = client.balance(&executor.authority).await.expect("a balance");
    let posted = net.post(client, 1).await;
    until_paid(client, &posted.handle, &executor.address()).await;

    let settled = assert_settled_once(client, &posted.handle, &executor.address()).await;
    let after = client.balance(&executor.authority).await.expect("a balance");
    assert_eq!(after, before + settled.pay_lamports, "the authority was paid");
    assert!(settled.pay_lamports >= 1_000_000, "at least the base fee");
    let view = posted.handle.status().await.expect("a view");
    let outcome = view.outcome.expect("an outcome");
    assert_eq!((outcome.kind, outcome.exit_code), (OutcomeKind::Exited, 0));
    assert!(outcome.gas_used > 0 && outcome.gas_used <= 1_000_000);
    let logs = posted.handle.logs().await.expect("logs");
    assert_eq!(&logs.stdout[..], b"job 1\n");
    assert!(!log.exists(), "the released binary has crash points");
    let receipt = assert_receipt(&posted.handle, &executor).await;
    assert_eq!(receipt.run.expect("it ran").args, Vec::<String>::new());
    let lines = std::fs::read_to_string(executor.config.provider.data_dir.join(assay_executor::EXECUTIONS_FILE));
    let line: serde_json::Value = serde_json::from_str(&lines.expect("a record of the run")).expect("one line");
    assert_eq!((&line["outcome"], line["gas_used"].as_u64()), (&"Exited".into(), Some(outcome.gas_used)), "{line}");
    process.drain().await;
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_jobs_and_two_providers_settle_each_job_once() {
    let net = Net::start(2).await;
    let client = net.network.client();
    let mut executors = [net.executor(0), net.executor(1)];
    let processes = executors.each_mut().map(|executor| executor.start(EXECUTOR, &[]));
    let mut posted = Vec::new();
    for number in 0..4 {
        posted.push(net.post(client, number).await);
    }
    let mut completed = 0;
    for job in &posted {
        for executor in &executors {
            until_paid(client, &job.handle, &executor.address()).await;
        }
        assert_settled_once(client, &job.handle, &executors[0].address()).await;
    }
    for executor in &executors {
        completed += assert_settled_once(client, &posted[0].handle, &executor.address()).await.completed;
    }
    assert_eq!(completed, 4);
    for process in processes {
        process.drain().await;
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_other_kind_of_outcome_settles_and_is_paid() {
    let net = Net::start(1).await;
    let client = net.network.client();
    let mut executor = net.executor(0);
    let process = executor.start(EXECUTOR, &[]);
    let tight = TaskLimits { output_bytes: 3, ..small() };
    let posted = [
        net.post_invalid(client, 1).await,
        net.post_guest(client, 2, (&does("unreachable"), small())).await,
        net.post_guest(client, 3, (&does("(loop (br 0))"), small())).await,
        net.post_guest(client, 4, (&prints(4), tight)).await,
    ];
    let expected = [
        (OutcomeKind::Invalid, InvalidReason::ManifestInvalid.code()),
        (OutcomeKind::Trapped, Trap::Unreachable.code()),
        (OutcomeKind::OutOfGas, 0),
        (OutcomeKind::OutputTooLarge, 0),
    ];
    for (job, expected) in posted.iter().zip(expected) {
        until_paid(client, &job.handle, &executor.address()).await;
        let settled = assert_settled_once(client, &job.handle, &executor.address()).await;
        let view = job.handle.status().await.expect("a view");
        let outcome = view.outcome.expect("an outcome");
        assert_eq!((outcome.kind, outcome.detail), expected);
        assert_eq!(settled.pay_lamports, view.price.pay(outcome.gas_used).expect("a pay"), "{expected:?}");
        match outcome.kind {
            OutcomeKind::Invalid => assert_eq!((outcome.gas_used, settled.pay_lamports), (0, BASE_FEE_LAMPORTS)),
            OutcomeKind::OutOfGas => assert_eq!(outcome.gas_used, small().gas_limit),
            _ => assert!(outcome.gas_used > 0),
        }
        if outcome.kind != OutcomeKind::Invalid {
            let text: &[u8] = if outcome.kind == OutcomeKind::OutputTooLarge { b"job 4\n" } else { b"" };
            assert_eq!(&job.handle.logs().await.expect("logs").stdout[..], text);
        }
    }
    process.drain().await;
    net.stop().await;
}

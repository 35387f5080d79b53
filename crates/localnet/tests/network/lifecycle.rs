//! Jobs from posting to closing.

use assay_localnet::Network;
use assay_sdk::{
    ClientError, Event, JobFilter, JobHandle, JobSpec, NextStep, WaitOptions,
    accounts::ProviderFilter,
    explain::AcceptCondition,
    instructions::{self, AcceptJob, ProviderAuthority, Seat},
    program::AssayError,
    protocol::{JobStatus, OutcomeKind},
    verify::{self, RunOptions, TaskInput},
};
use assay_sdk::{SignatureState, load_keypair};
use solana_pubkey::Pubkey;
use solana_transaction::Transaction;

use super::{client_as, example::post_and_read, sample_job, signer, start};

fn spec(network: &Network) -> JobSpec {
    JobSpec::builder(sample_job("word-count"), network.market()).build().unwrap()
}

/// Plays the provider for one job: waits for it, accepts, fetches, executes, publishes, submits.
async fn provide(network: &Network) -> Pubkey {
    let info = &network.info().providers[0];
    let client = client_as(network, &info.node_keypair);
    let provider: Pubkey = info.address.parse().unwrap();
    let open = JobFilter { status: Some(JobStatus::Open), market: Some(network.market()), ..JobFilter::default() };
    let job = loop {
        if let Some(job) = client.list_jobs(&open).await.unwrap().pop() {
            break job;
        }
        tokio::task::yield_now().await;
    };
    let seat = Seat { job: job.address, provider, node_key: client.signer_address().unwrap() };
    let accept = AcceptJob { seat, market: network.market(), job_uid: job.account.job_uid, ticket: 0 };
    client.send(&[instructions::accept_job(&accept)]).await.unwrap();
    let content = client.content().unwrap();
    let entries = content.fetcher.fetch(&job.account.job_cid()).await.unwrap();
    let input = TaskInput::from_job(&job.account, entries);
    let executed =
        tokio::task::spawn_blocking(move || verify::execute(&input, &RunOptions::default())).await.unwrap().unwrap();
    assert_eq!(executed.outcome.kind, OutcomeKind::Exited, "{:?}", executed.problem);
    content.publisher.publish(executed.package.as_ref().unwrap()).await.unwrap();
    client.send(&[instructions::submit_results(&seat, &executed.outcome)]).await.unwrap();
    provider
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_job_is_executed_paid_and_closed() {
    let (network, _directory) = start().await;
    let client = network.client();
    let directory = sample_job("word-count");
    // A poster that fails must end the test, and not leave the provider waiting.
    let followed = async { post_and_read(client, network.market(), &directory).await.unwrap() };
    let ((job, _stdout), provider) = tokio::join!(followed, provide(&network));
    assert_eq!((job.status, job.provider), (JobStatus::Resolved, Some(provider)));
    let outcome = job.outcome.unwrap();
    assert_eq!(job.pay_lamports, job.price.pay_for(&outcome).unwrap());

    let handle = JobHandle::new(client.clone(), job.address);
    let result = handle.result().await.unwrap();
    assert!(result.entries.iter().any(|entry| entry.path.starts_with("output/")), "{:?}", result.entries.len());

    let earned = client.list_providers(&ProviderFilter::default()).await.unwrap()[0].account;
    assert_eq!(earned.earnings_lamports, job.pay_lamports);
    assert_eq!((earned.locked_lamports, earned.active), (0, 0));
    let owner = ProviderAuthority { authority: earned.authority, market: network.market() };
    let before = client.balance(&earned.authority).await.unwrap();
    client.send(&[instructions::claim_reward(&owner)]).await.unwrap();
    assert_eq!(client.balance(&earned.authority).await.unwrap(), before + job.pay_lamports);

    let escrow = job.account.as_ref().unwrap().escrow_lamports;
    handle.close().await.unwrap();
    let closed = handle.status().await.unwrap();
    assert!(closed.account.is_none());
    let closing = closed.closing.unwrap();
    assert_eq!(closing.refund_lamports, escrow);
    assert_eq!((closed.status, closed.outcome, closed.provider), (job.status, job.outcome, job.provider));
    assert_eq!((closed.task, closed.price), (job.task, job.price));
    assert_eq!((closed.pay_lamports, closed.fee_lamports), (job.pay_lamports, job.fee_lamports));
    assert_eq!(handle.result().await.unwrap().cid, result.cid);
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_gives_everything_back() {
    let (network, _directory) = start().await;
    let client = network.client();
    let poster = client.signer_address().unwrap();
    let posted = client.post_job(&spec(&network)).await.unwrap();
    let after_posting = client.balance(&poster).await.unwrap();
    let stranger = client_as(&network, &network.info().market_keypair);
    let refused = JobHandle::new(stranger, posted.handle.address()).cancel().await.unwrap_err();
    assert!(matches!(&refused, ClientError::Program(failure) if failure.is(AssayError::PosterMismatch)), "{refused}");
    assert!(refused.next_step().unwrap().contains("--keypair"));

    posted.handle.cancel().await.unwrap();
    assert_eq!(posted.handle.status().await.unwrap().status, JobStatus::Cancelled);
    let again = posted.handle.cancel().await.unwrap_err();
    assert!(matches!(&again, ClientError::Program(failure) if failure.is(AssayError::JobNotOpen)), "{again}");
    posted.handle.close().await.unwrap();
    let view = posted.handle.status().await.unwrap();
    let closing = view.closing.unwrap();
    assert_eq!((view.status, closing.refund_lamports), (JobStatus::Cancelled, posted.quote.escrow_lamports));
    assert_eq!(closing.total_lamports, posted.quote.escrow_lamports + posted.quote.rent_lamports);
    // Two transactions of one signature each.
    assert_eq!(client.balance(&poster).await.unwrap(), after_posting + closing.total_lamports - 2 * 5_000);
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_takes_expires_and_says_why() {
    let (network, _directory) = start().await;
    let client = network.client();
    let posted = client.post_job(&spec(&network)).await.unwrap();
    let provider: Pubkey = network.info().providers[0].address.parse().unwrap();
    assert_eq!(posted.handle.explain(&[provider]).await.unwrap(), [None]);
    assert!(posted.handle.advance().await.unwrap().is_none());

    let job = posted.handle.status().await.unwrap().account.unwrap();
    network.ledger().travel_to(job.queue_deadline_unix).await.unwrap();
    let obstacle = posted.handle.explain(&[provider]).await.unwrap().pop().unwrap().unwrap();
    assert_eq!(obstacle.condition, AcceptCondition::BeforeDeadline);
    let options = WaitOptions { advance_after_s: Some(0), ..WaitOptions::default() };
    let view = posted.handle.wait(options, |_| {}).await.unwrap();
    assert_eq!((view.status, view.outcome), (JobStatus::Expired, None));
    posted.handle.close().await.unwrap();
    let names: Vec<_> = posted.handle.history().await.unwrap().iter().map(|record| record.event.name()).collect();
    assert_eq!(names, ["JobCreated", "JobExpired", "JobClosed"]);
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_read_once_and_in_order_through_a_cursor() {
    let (network, _directory) = start().await;
    let client = network.client();
    let program = assay_sdk::program::ID;
    let mut cursor = Default::default();
    let mut names = Vec::new();
    for round in 0..2 {
        let posted = client.post_job(&spec(&network)).await.unwrap();
        posted.handle.cancel().await.unwrap();
        loop {
            // One transaction a page, to cross page borders.
            let page = client.events_after(&program, cursor, 1).await.unwrap();
            names.extend(page.records.iter().map(|record| record.event.name()));
            cursor = page.cursor;
            if !page.more {
                break;
            }
        }
        assert_eq!(names.iter().filter(|name| **name == "JobCancelled").count(), round + 1);
    }
    let expected = ["SinkCreated", "MarketCreated", "ProviderRegistered", "StakeEnrolled"];
    assert_eq!(names.get(..4), Some(expected.as_slice()));
    assert_eq!(names.get(4..), Some(["JobCreated", "JobCancelled", "JobCreated", "JobCancelled"].as_slice()));
    assert!(names.iter().all(|name| Event::NAMES.contains(name)));
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poster_without_enough_lamports_is_told_what_is_missing() {
    let (network, directory) = start().await;
    let path = directory.path().join("poor.json");
    assay_sdk::save_keypair(&path, &solana_keypair::Keypair::new()).unwrap();
    let client = client_as(&network, &path);
    let error = client.post_job(&spec(&network)).await.unwrap_err();
    assert!(error.to_string().contains("holds 0 lamports"), "{error}");
    assert!(error.next_step().unwrap().contains("assay wallet airdrop"));
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_is_told_of_a_new_job_and_only_of_those_it_asked_for() {
    let (network, _directory) = start().await;
    let client = network.client();
    let filter = JobFilter { market: Some(network.market()), ..JobFilter::default() };
    let elsewhere = JobFilter { market: Some(Pubkey::new_unique()), ..JobFilter::default() };
    let (mut watch, mut silent) =
        (client.watch_jobs(&filter).await.unwrap(), client.watch_jobs(&elsewhere).await.unwrap());
    let job = async {
        loop {
            // The subscription may begin after the first job was posted: a watch is a hint.
            let posted = client.post_job(&spec(&network)).await.unwrap();
            let pushed = tokio::time::timeout(std::time::Duration::from_secs(2), watch.next()).await;
            if let Ok(Some(pushed)) = pushed {
                break (posted.handle.address(), pushed);
            }
        }
    };
    let (_, pushed) = job.await;
    assert_eq!((pushed.account.market, pushed.account.job_status()), (network.market(), Some(JobStatus::Open)));
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(200), silent.next()).await;
    assert!(nothing.is_err());
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_websocket_url_is_an_error_with_its_address() {
    let (network, _directory) = start().await;
    let cluster = network.client().config().cluster.clone();
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let cluster = cluster.with_ws_url(format!("ws://{gone}").parse().unwrap());
    let client = assay_sdk::Client::new(assay_sdk::ClientConfig::new(cluster));
    let error = client.watch_jobs(&JobFilter::default()).await.unwrap_err();
    assert!(error.to_string().contains(&gone.to_string()) && error.is_retryable(), "{error}");
    network.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_whose_blockhash_expired_is_known_to_have_never_run() {
    let (network, _directory) = start().await;
    let client = network.client();
    let payer = signer(&network.info().poster_keypair);
    let steps = [instructions::claim_market_fees(&instructions::MarketAuthority {
        authority: payer.pubkey(),
        market: network.market(),
    })];
    // A blockhash that never was: no block can include the transaction.
    let unknown = solana_hash::Hash::new_from_array([7; 32]);
    let keypair = load_keypair(&network.info().poster_keypair).unwrap();
    let transaction = Transaction::new_signed_with_payer(&steps, Some(&payer.pubkey()), &[&keypair], unknown);
    let blockhash = client.latest_blockhash().await.unwrap();
    let state = client.signature_state(&transaction.signatures[0], blockhash.last_valid_block_height).await.unwrap();
    assert!(matches!(state, SignatureState::Unknown), "{state:?}");
    let error = client.confirm(&transaction, 0).await.unwrap_err();
    assert!(matches!(error, ClientError::Expired { signature } if signature == transaction.signatures[0]), "{error}");
    network.shutdown().await.unwrap();
}

//! Reading: each fault by its name, tried again within bounds, and nothing secret in what is said.

use std::time::{Duration, Instant};

use assay_sdk::{ClientError, NextStep, client::TransportFailure};
use serde_json::json;
use solana_pubkey::Pubkey;

use crate::endpoint::{Endpoint, Reply};

/// Attempts of a read whose fault may pass.
const ATTEMPTS: usize = 4;

/// What a balance that cannot be read says, and how often it was asked for.
async fn failing(reply: Reply) -> (ClientError, usize) {
    let endpoint = Endpoint::always(reply).await;
    let error = endpoint.client().balance(&Pubkey::new_unique()).await.unwrap_err();
    let said = format!("{error} {error:?} {}", error.next_step().unwrap());
    assert!(said.contains(&format!("http://{}", endpoint.address)), "{said}");
    for secret in ["word", "hush", "api-key", "/v1"] {
        assert!(!said.contains(secret), "{secret} in {said}"); // E-28
    }
    (error, endpoint.asked("getBalance").len())
}

fn failure(error: &ClientError) -> &TransportFailure {
    match error {
        ClientError::Transport { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn e_07_an_endpoint_that_is_not_there_is_unreachable() {
    let address = Endpoint::always(Reply::Silence).await.address;
    let client = assay_sdk::Client::new(crate::endpoint::impatient(format!("http://{address}").parse().unwrap()));
    let error = client.balance(&Pubkey::new_unique()).await.unwrap_err();
    assert!(matches!(failure(&error), TransportFailure::Unreachable { .. }), "{error}");
    assert!(error.is_unreachable() && error.to_string().contains("refused"), "{error}");
    let account = client.market(&Pubkey::new_unique()).await.unwrap_err();
    assert!(account.is_unreachable() && !account.to_string().contains("NotFound"), "{account}");
}

#[tokio::test]
async fn e_07_silence_and_dripping_time_out_and_are_tried_again_within_bounds() {
    for reply in [Reply::Silence, Reply::Drip] {
        let begun = Instant::now();
        let (error, asked) = failing(reply).await;
        assert!(matches!(failure(&error), TransportFailure::TimedOut { .. }), "{error}");
        assert_eq!(asked, ATTEMPTS);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn e_28_a_connection_that_breaks_is_named_without_its_token_and_tried_again() {
    for reply in [Reply::Reset, Reply::Truncated] {
        let (error, asked) = failing(reply).await;
        assert!(matches!(failure(&error), TransportFailure::BrokenOff { .. }), "{error}");
        assert_eq!(asked, ATTEMPTS);
    }
}

#[tokio::test]
async fn garbage_is_named_as_such() {
    for body in ["<html>", "", "[]", "{}", "{\"result\": 3}", "{\"error\": {}}", "{\"result\": {\"value\": \"x\"}}"] {
        let (error, asked) = failing(Reply::Body(body)).await;
        assert!(matches!(failure(&error), TransportFailure::Garbled { .. }), "{body}: {error}");
        assert!(error.next_step().unwrap().contains("must be a Solana JSON-RPC endpoint"));
        assert_eq!(asked, ATTEMPTS, "{body}");
    }
}

#[tokio::test]
async fn a_status_is_named_and_only_the_servers_own_faults_are_tried_again() {
    let rows = [
        ("503 Busy", 503, ATTEMPTS, "later"),
        ("500 Oops", 500, ATTEMPTS, "later"),
        ("403 No", 403, 1, "access token"),
        ("404 No", 404, 1, "must be a Solana JSON-RPC endpoint"),
        ("302 There", 302, 1, "must be a Solana JSON-RPC endpoint"),
    ];
    for (line, code, attempts, next) in rows {
        let (error, asked) = failing(Reply::Status(line, "location: http://127.0.0.1:1/\r\n")).await;
        assert_eq!(failure(&error), &TransportFailure::Status { status: code });
        assert!(error.next_step().unwrap().contains(next), "{error}");
        assert_eq!(asked, attempts, "{line}");
    }
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_long_pause_is_given_up_at_once() {
    let (error, asked) = failing(Reply::Status("429 Slow down", "retry-after: 3600\r\n")).await;
    let retry_after = Some(Duration::from_secs(3_600));
    assert_eq!(failure(&error), &TransportFailure::RateLimited { retry_after });
    assert!(error.to_string().ends_with("it asks to wait 3600 s"), "{error}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_short_pause_that_an_endpoint_asks_for_is_kept() {
    let endpoint = Endpoint::start(|_, before| match before {
        0 => Reply::Status("429 Slow down", "retry-after: 1\r\n"),
        _ => Reply::at_slot(1, json!(7)),
    })
    .await;
    let begun = Instant::now();
    assert_eq!(endpoint.client().balance(&Pubkey::new_unique()).await.unwrap(), 7);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(endpoint.asked("getBalance").len(), 2);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endpoint = Endpoint::always(Reply::Endless).await;
    let mut config = crate::endpoint::impatient(format!("http://{}", endpoint.address).parse().unwrap());
    // On a busy machine 64 MiB take their time.
    config.request_timeout = Duration::from_secs(60);
    let error = assay_sdk::Client::new(config).balance(&Pubkey::new_unique()).await.unwrap_err();
    assert_eq!(failure(&error), &TransportFailure::TooLarge);
    assert_eq!(endpoint.asked("getBalance").len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_quoted_without_control_characters() {
    let (error, asked) = failing(Reply::Refusal(-32_602)).await;
    assert!(matches!(error, ClientError::Rpc { .. }) && !error.is_unreachable(), "{error:?}");
    assert!(error.to_string().contains("no\\u{1b}[31m"), "{error}");
    assert_eq!(asked, 1);
    let (unhealthy, asked) = failing(Reply::Refusal(-32_005)).await;
    assert!(unhealthy.is_retryable());
    assert_eq!(asked, ATTEMPTS);
}

#[tokio::test]
async fn a_read_succeeds_once_the_fault_has_passed() {
    let endpoint = Endpoint::start(|_, before| match before {
        0 => Reply::Reset,
        1 => Reply::Body("<html>"),
        2 => Reply::Status("502 Bad Gateway", ""),
        _ => Reply::at_slot(1, json!(7)),
    })
    .await;
    assert_eq!(endpoint.client().balance(&Pubkey::new_unique()).await.unwrap(), 7);
}

#[tokio::test]
async fn what_never_changes_is_asked_for_once() {
    let genesis = Pubkey::new_unique().to_string();
    let endpoint = Endpoint::start(move |request, before| match request["method"].as_str().unwrap() {
        "getGenesisHash" if before == 0 => Reply::Refusal(-32_000),
        "getGenesisHash" => Reply::Result(json!(genesis)),
        "getMinimumBalanceForRentExemption" => Reply::Result(request["params"][0].clone()),
        method => panic!("{method} is not expected"),
    })
    .await;
    let client = endpoint.client();
    client.cluster_tag().await.unwrap_err();
    let tag = client.cluster_tag().await.unwrap();
    assert_eq!(client.clone().cluster_tag().await.unwrap(), tag);
    assert_eq!(endpoint.asked("getGenesisHash").len(), 2);
    for bytes in [100, 200, 100] {
        assert_eq!(client.rent_lamports(bytes).await.unwrap(), u64::try_from(bytes).unwrap());
    }
    assert_eq!(endpoint.asked("getMinimumBalanceForRentExemption").len(), 2);
}

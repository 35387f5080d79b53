//! Sending: nothing is signed twice while the first signature may still run.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use assay_sdk::{Client, ClientError, NextStep};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;

use crate::endpoint::{Endpoint, Reply};

/// The block height at which a blockhash of this endpoint expires.
const LAST_VALID: u64 = 100;

/// What a healthy endpoint answers to everything but the fate of a transaction; its signature is echoed.
fn healthy(request: &Value, before: usize) -> Reply {
    match request["method"].as_str().unwrap() {
        "simulateTransaction" => Reply::at_slot(1, json!({ "err": null, "logs": [], "unitsConsumed": 450 })),
        "getLatestBlockhash" => {
            // A new one each time, so that signing again gives another signature.
            let hash = Hash::new_from_array([u8::try_from(before).unwrap(); 32]).to_string();
            Reply::at_slot(1, json!({ "blockhash": hash, "lastValidBlockHeight": LAST_VALID }))
        }
        // What the endpoint says about a transaction is not believed, whatever it is.
        "sendTransaction" => Reply::Status("503 Busy", ""),
        method => panic!("{method} is not expected"),
    }
}

fn height(height: u64) -> Reply {
    Reply::Result(json!({
        "absoluteSlot": height + 1_000, "blockHeight": height, "epoch": 0, "slotIndex": 0, "slotsInEpoch": 432_000,
    }))
}

fn status(slot: u64, error: &Value) -> Reply {
    let status = json!({
        "slot": slot, "confirmations": 1, "err": error, "status": { "Ok": null }, "confirmationStatus": "confirmed",
    });
    Reply::at_slot(slot, json!([status]))
}

fn unknown(slot: u64) -> Reply {
    Reply::at_slot(slot, json!([null]))
}

fn asks_history(request: &Value) -> bool {
    request["params"][1]["searchTransactionHistory"] == true
}

fn signing(endpoint: &Endpoint) -> Client {
    endpoint.client().with_signer(Arc::new(Keypair::new()))
}

fn instruction() -> Instruction {
    Instruction { program_id: Pubkey::new_unique(), accounts: Vec::new(), data: Vec::new() }
}

/// Transactions that were sent, each counted once.
fn distinct(endpoint: &Endpoint) -> usize {
    let sent: BTreeSet<String> =
        endpoint.asked("sendTransaction").iter().map(|request| request["params"][0].to_string()).collect();
    sent.len()
}

/// What a transaction that was sent offers for a compute unit: an instruction of nine bytes, of which the first says so.
fn offered(request: &Value) -> u64 {
    let bytes = BASE64_STANDARD.decode(request["params"][0].as_str().unwrap()).unwrap();
    let price = bytes.windows(10).find(|window| window.starts_with(&[9, 3]) && window.ends_with(&[0; 4]));
    price.map_or(0, |window| u64::from_le_bytes(window[2..].try_into().unwrap()))
}

#[tokio::test]
async fn e_03_a_send_that_fails_is_judged_by_the_status_alone() {
    let endpoint = Endpoint::start(|request, before| match request["method"].as_str().unwrap() {
        "getSignatureStatuses" if before < 3 => unknown(5),
        "getSignatureStatuses" => status(9, &Value::Null),
        "getEpochInfo" => height(LAST_VALID),
        _ => healthy(request, before),
    })
    .await;
    assert_eq!(signing(&endpoint).send(&[instruction()]).await.unwrap().slot, 9);
    assert_eq!(distinct(&endpoint), 1);
}

#[tokio::test]
async fn e_04_a_signature_is_dead_only_when_a_node_that_saw_the_finalised_block_does_not_know_it() {
    let (now, seen) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (clock, signed) = (Arc::clone(&now), Arc::clone(&seen));
    let endpoint = Endpoint::start(move |request, before| match request["method"].as_str().unwrap() {
        "getEpochInfo" => height(LAST_VALID + 1),
        "getSignatureStatuses" if asks_history(request) => match clock.fetch_add(1, Ordering::SeqCst) {
            // Lagging nodes, and one that fails: no proof.
            0 => unknown(0),
            1 => unknown(1_000 + LAST_VALID),
            2 => Reply::Body("<html>"),
            _ => {
                signed.store(1, Ordering::SeqCst);
                unknown(1_001 + LAST_VALID)
            }
        },
        "getSignatureStatuses" if signed.load(Ordering::SeqCst) < 2 => unknown(5),
        "getSignatureStatuses" => status(9, &Value::Null),
        "getLatestBlockhash" => {
            if before > 0 {
                assert_eq!(signed.load(Ordering::SeqCst), 1, "signed again before the first was dead");
                signed.store(2, Ordering::SeqCst);
            }
            healthy(request, before)
        }
        _ => healthy(request, before),
    })
    .await;
    assert_eq!(signing(&endpoint).send(&[instruction()]).await.unwrap().slot, 9);
    assert_eq!(distinct(&endpoint), 2);
}

#[tokio::test]
async fn e_14_more_is_offered_for_a_transaction_that_expires_until_it_is_given_up() {
    let endpoint = Endpoint::start(|request, before| match request["method"].as_str().unwrap() {
        "getEpochInfo" => height(LAST_VALID + 1),
        "getSignatureStatuses" => unknown(5_000),
        _ => healthy(request, before),
    })
    .await;
    let error = signing(&endpoint).send(&[instruction()]).await.unwrap_err();
    assert!(matches!(error, ClientError::Expired { .. }), "{error}");
    assert_eq!(distinct(&endpoint), 3);
    let prices: BTreeSet<u64> = endpoint.asked("sendTransaction").iter().map(offered).collect();
    assert_eq!(prices, BTreeSet::from([0, 10_000, 40_000]));
}

#[tokio::test]
async fn e_03_an_unknown_fate_is_said_with_the_signature_and_never_signed_again() {
    let replies = [Reply::Reset, Reply::Silence, Reply::Body("garbage"), Reply::Status("500 Oops", ""), unknown(5)];
    let judged = replies.into_iter().map(|reply| async move {
        let endpoint = Endpoint::start(move |request, before| match request["method"].as_str().unwrap() {
            "getSignatureStatuses" => reply.clone(),
            "getEpochInfo" => height(LAST_VALID),
            _ => healthy(request, before),
        })
        .await;
        let error = signing(&endpoint).send(&[instruction()]).await.unwrap_err();
        let ClientError::Unconfirmed { signature, .. } = error else { panic!("{error}") };
        assert!(error.next_step().unwrap().contains(&signature.to_string()), "{error}");
        assert_eq!(distinct(&endpoint), 1);
    });
    futures_util::future::join_all(judged).await;
}

#[tokio::test]
async fn a_transaction_that_ran_and_failed_is_not_sent_again() {
    let endpoint = Endpoint::start(|request, before| match request["method"].as_str().unwrap() {
        "getSignatureStatuses" => status(9, &json!({ "InstructionError": [0, { "Custom": 1 }] })),
        "getTransaction" => Reply::Result(Value::Null),
        _ => healthy(request, before),
    })
    .await;
    let error = signing(&endpoint).send(&[instruction()]).await.unwrap_err();
    assert!(matches!(error, ClientError::Transaction { .. }) && !error.is_retryable(), "{error}");
    assert_eq!((distinct(&endpoint), endpoint.asked("sendTransaction").len()), (1, 1));
}

#[tokio::test]
async fn a_payer_without_money_is_told_what_is_missing() {
    let rows = [
        (json!("AccountNotFound"), json!([]), "it holds nothing"),
        (json!("InsufficientFundsForFee"), json!([]), "does not hold the transaction's fee"),
        (json!({ "InsufficientFundsForRent": { "account_index": 0 } }), json!([]), "as rent"),
        (
            json!({ "InstructionError": [0, { "Custom": 1 }] }),
            json!(["Transfer: insufficient lamports 30, need 500"]),
            "it holds 30 lamports and 500 are needed",
        ),
    ];
    for (error, logs, expected) in rows {
        let endpoint = Endpoint::start(move |request, before| match request["method"].as_str().unwrap() {
            "simulateTransaction" => Reply::at_slot(1, json!({ "err": error, "logs": logs, "unitsConsumed": 0 })),
            _ => healthy(request, before),
        })
        .await;
        let client = signing(&endpoint);
        let error = client.send(&[instruction()]).await.unwrap_err();
        let payer = client.signer_address().unwrap().to_string();
        assert!(error.to_string().contains(expected) && error.to_string().contains(&payer), "{error}");
        assert!(error.next_step().unwrap().starts_with(&format!("send SOL to {payer}")), "{error}");
        assert_eq!(distinct(&endpoint), 0);
    }
}

#[tokio::test]
async fn whoever_waits_for_many_transactions_asks_about_them_together() {
    const SENT: usize = 20;
    let endpoint = Endpoint::start(|request, before| match request["method"].as_str().unwrap() {
        "getSignatureStatuses" => {
            let confirmed = json!({ "slot": 9, "confirmations": 1, "err": null, "status": { "Ok": null },
                "confirmationStatus": "confirmed" });
            let signatures = request["params"][0].as_array().unwrap().len();
            // At first nobody is told, so that all wait.
            Reply::at_slot(
                9,
                if before == 0 { json!(vec![Value::Null; signatures]) } else { json!(vec![confirmed; signatures]) },
            )
        }
        _ => healthy(request, before),
    })
    .await;
    let client = signing(&endpoint);
    let sent = (0..SENT).map(|_| async { client.send(&[instruction()]).await.unwrap().slot });
    assert_eq!(futures_util::future::join_all(sent).await, [9; SENT]);
    let asked: Vec<usize> = endpoint
        .asked("getSignatureStatuses")
        .iter()
        .map(|request| request["params"][0].as_array().unwrap().len())
        .collect();
    assert!(asked.iter().sum::<usize>() > SENT && asked.len() < SENT / 2, "{asked:?}");
}

#[tokio::test]
async fn an_endpoint_that_fails_for_one_fails_for_nobody_else() {
    let endpoint = Endpoint::start(|request, before| match request["method"].as_str().unwrap() {
        "getSignatureStatuses" if before % 2 == 0 => Reply::Refusal(-32_000),
        "getSignatureStatuses" => {
            let signatures = request["params"][0].as_array().unwrap().len();
            let confirmed = json!({ "slot": 9, "confirmations": 1, "err": null, "status": { "Ok": null },
                "confirmationStatus": "confirmed" });
            Reply::at_slot(9, json!(vec![confirmed; signatures]))
        }
        _ => healthy(request, before),
    })
    .await;
    let client = signing(&endpoint);
    let sent = (0..4).map(|_| async { client.send(&[instruction()]).await.unwrap().slot });
    assert_eq!(futures_util::future::join_all(sent).await, [9; 4]);
    assert_eq!(distinct(&endpoint), 4);
}

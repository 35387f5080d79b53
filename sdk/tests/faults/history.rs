//! Reading a long history: what the endpoint does not give is missing and said to be, and takes nothing of what it gave.

use assay_sdk::{ClientError, Event, program};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::endpoint::{Endpoint, Reply};

/// The signature of the transaction with this number, from 1, the oldest.
fn signature(number: u8) -> String {
    Signature::from([number; 64]).to_string()
}

/// As a node lists them, newest first: so many before the one that is named.
fn listed(count: u8, parameters: &Value) -> Value {
    let before = (1..=count).find(|number| parameters["before"] == signature(*number)).unwrap_or(count + 1);
    let limit = parameters["limit"].as_u64().unwrap() as usize;
    let entry = |number: u8| {
        json!({ "signature": signature(number), "slot": number, "err": null, "memo": null, "blockTime": number,
                "confirmationStatus": "confirmed" })
    };
    (1..before).rev().take(limit).map(entry).collect()
}

/// A transaction whose log has one event: the stake after it is the transaction's number.
fn transaction(number: u64) -> Value {
    let event = program::events::Staked { provider: Pubkey::new_unique(), lamports: 1, stake_lamports: number };
    let data = BASE64_STANDARD.encode(anchor_lang::Event::data(&event));
    let logs = [
        format!("Program {} invoke [1]", program::ID),
        format!("Program data: {data}"),
        format!("Program {} success", program::ID),
    ];
    json!({ "slot": number, "blockTime": number, "transaction": ["", "base64"], "meta": {
        "err": null, "status": { "Ok": null }, "fee": 5_000, "preBalances": [], "postBalances": [], "logMessages": logs } })
}

/// An endpoint with so many transactions, of which it gives all after this one.
async fn endpoint(count: u8, gives_after: u8) -> Endpoint {
    Endpoint::start(move |request, _| match request["method"].as_str().unwrap() {
        "getSignaturesForAddress" => Reply::Result(listed(count, &request["params"][1])),
        "getTransaction" => {
            let number = (1..=count).find(|number| request["params"][0] == signature(*number)).unwrap();
            if number > gives_after { Reply::Result(transaction(number.into())) } else { Reply::Status("403 No", "") }
        }
        other => panic!("{other}"),
    })
    .await
}

/// The transactions whose events were read, and why others were not.
async fn latest(endpoint: &Endpoint, transactions_max: usize) -> (Vec<u64>, Option<ClientError>) {
    let found = endpoint.client().latest_events(&Pubkey::new_unique(), transactions_max).await.unwrap();
    assert_eq!((found.transactions, found.truncated), (found.records.len(), 0));
    let stakes = found.records.iter().map(|record| match &record.event {
        Event::Staked(event) => event.stake_lamports,
        other => panic!("{other:?}"),
    });
    (stakes.collect(), found.missing)
}

#[tokio::test]
async fn the_newest_events_are_read_and_older_ones_said_to_be_missing() {
    let endpoint = endpoint(5, 0).await;
    for transactions_max in [5, 6, 1_000] {
        let (read, missing) = latest(&endpoint, transactions_max).await;
        assert_eq!(read, [1, 2, 3, 4, 5], "oldest first");
        assert!(missing.is_none(), "{missing:?}");
    }
    let (read, missing) = latest(&endpoint, 3).await;
    assert_eq!(read, [3, 4, 5]);
    assert!(matches!(missing, Some(ClientError::CursorTooOld { signatures_max: 3, .. })), "{missing:?}");
}

#[tokio::test]
async fn an_endpoint_that_fails_after_a_part_takes_nothing_of_that_part() {
    let partial = endpoint(5, 2).await;
    let (read, missing) = latest(&partial, 100).await;
    assert_eq!(read, [3, 4, 5]);
    assert!(matches!(missing, Some(ClientError::Transport { .. })), "{missing:?}");
    // Without a part there is only the failure.
    let nothing = endpoint(5, 5).await;
    let error = nothing.client().latest_events(&Pubkey::new_unique(), 100).await.unwrap_err();
    assert!(matches!(error, ClientError::Transport { .. }), "{error}");
}

#[tokio::test]
async fn a_list_that_breaks_off_leaves_what_was_listed() {
    const PAGE: u64 = 1_000;
    let endpoint = Endpoint::start(|request, before| match (request["method"].as_str().unwrap(), before) {
        ("getSignaturesForAddress", 0) => {
            let entry = |number: u64| {
                let mut bytes = [0; 64];
                bytes[..8].copy_from_slice(&number.to_le_bytes());
                // Failed ones are listed and not read.
                json!({ "signature": Signature::from(bytes).to_string(), "slot": number, "memo": null, "blockTime": null,
                        "err": "AccountInUse", "confirmationStatus": "confirmed" })
            };
            Reply::Result((0..PAGE).map(entry).collect())
        }
        _ => Reply::Status("403 No", ""),
    })
    .await;
    let found = endpoint.client().latest_events(&Pubkey::new_unique(), 10_000).await.unwrap();
    assert_eq!((found.transactions, found.records.len()), (1_000, 0));
    assert!(matches!(found.missing, Some(ClientError::Transport { .. })), "{:?}", found.missing);
}

//! The subscription: a hint that looking at the chain is worth it, never a fact (E-10).

use std::{sync::Arc, time::Duration};

use anchor_lang::Discriminator;
use assay_sdk::program::{self, accounts::Job};
use futures_util::StreamExt;
use solana_account_decoder_client_types::UiAccountEncoding;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::{
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    filter::{Memcmp, RpcFilterType},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use url::Url;

use crate::{backoff::Backoff, metrics_list as names};

/// A connection that said nothing for this long is opened anew: a half-open one looks the same as a quiet market.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// Longest time to connect and subscribe.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Follows changes of the market's jobs and wakes the poller, for ever. Whatever goes wrong costs only time.
pub async fn watch_for_hints(ws_url: Url, market: Pubkey, hint: Arc<Notify>) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    loop {
        match follow(&ws_url, market, &hint, &mut backoff).await {
            Ok(()) => tracing::debug!("subscription_ended"),
            Err(error) => {
                metrics::counter!(names::SUBSCRIPTION_FAILURES).increment(1);
                tracing::warn!(%error, "subscription_lost");
            }
        }
        // What happened while nobody listened is found by the next look.
        hint.notify_one();
        sleep(backoff.next_pause()).await;
    }
}

async fn follow(ws_url: &Url, market: Pubkey, hint: &Notify, backoff: &mut Backoff) -> Result<(), String> {
    let too_slow = |_| "no connection in time".to_owned();
    let connecting = timeout(CONNECT_TIMEOUT, PubsubClient::new(ws_url.as_str()));
    let client = connecting.await.map_err(too_slow)?.map_err(|error| error.to_string())?;
    let config = RpcProgramAccountsConfig {
        filters: Some(vec![
            RpcFilterType::Memcmp(Memcmp::new_base58_encoded(0, Job::DISCRIMINATOR)),
            RpcFilterType::Memcmp(Memcmp::new_base58_encoded(super::look::FIRST_KEY_OFFSET, &market.to_bytes())),
        ]),
        account_config: RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            ..RpcAccountInfoConfig::default()
        },
        ..RpcProgramAccountsConfig::default()
    };
    let subscribing = timeout(CONNECT_TIMEOUT, client.program_subscribe(&program::ID, Some(config)));
    let (mut changes, _) = subscribing.await.map_err(too_slow)?.map_err(|error| error.to_string())?;
    tracing::info!("subscribed");
    hint.notify_one();
    while let Ok(Some(_)) = timeout(SILENCE_MAX, changes.next()).await {
        backoff.reset();
        metrics::counter!(names::HINTS).increment(1);
        hint.notify_one();
    }
    Ok(())
}

//! Accounts as the WebSocket pushes them: a hint that something changed. What is true is read; a watch may miss changes,
//! and says nothing while it reconnects.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::{PubsubClient, PubsubClientError};
use solana_rpc_client_api::{config::RpcProgramAccountsConfig, filter::RpcFilterType, response::RpcKeyedAccount};
use tokio::{sync::mpsc, task::JoinHandle};
use url::Url;

use super::{
    Client, account_config, decode_ui,
    transport::{innermost, quoted},
};
use crate::{
    accounts::{JobFilter, Keyed, ProgramAccount},
    cluster::redacted,
    errors::ClientError,
    program::{self, accounts::Job},
};

/// News kept for a reader that is busy; more are dropped, because the reader polls as well.
const BACKLOG_MAX: usize = 1_024;
/// Pause before the first reconnection, doubled up to [`RECONNECT_PAUSE_MAX`]; up to as much again is added at random, so
/// that a crowd does not come back all at once.
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause before a reconnection.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a watch tells.
#[derive(Debug)]
pub enum WatchNews<T> {
    /// Connected, for the first time or again: from here on changes are pushed; what happened before has to be read.
    Subscribed,
    /// An account changed.
    Changed(Keyed<T>),
    /// The endpoint came to this slot. Not every endpoint tells, and a reader that is busy does not hear of all of them.
    Slot(u64),
    /// The connection ended, with an error or, by the endpoint's own will, without. It is made anew.
    Lost(Option<ClientError>),
}

/// Changes of accounts of one kind. Dropping it ends the subscription.
#[derive(Debug)]
pub struct AccountWatch<T> {
    news: mpsc::Receiver<WatchNews<T>>,
    task: JoinHandle<()>,
}

impl<T> AccountWatch<T> {
    /// The next change that was pushed; `None` only when the watch's task was ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Keyed<T>> {
        loop {
            if let WatchNews::Changed(change) = self.next_news().await? {
                return Some(change);
            }
        }
    }

    /// As [`Self::next`], and what becomes of the connection.
    pub async fn next_news(&mut self) -> Option<WatchNews<T>> {
        self.news.recv().await
    }
}

impl<T> Drop for AccountWatch<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Watches the jobs that pass a filter. The first connection is made here, so that a wrong URL is an error; later ones
    /// are made in the background, for as long as the watch lives.
    ///
    /// # Errors
    /// [`ClientError::Subscription`] when the endpoint cannot be reached or refuses.
    pub async fn watch_jobs(&self, filter: &JobFilter) -> Result<AccountWatch<Job>, ClientError> {
        let subscription = self.subscription(filter.to_rpc());
        let first = subscription.connect().await?;
        Ok(subscription.begin(Some(first)))
    }

    /// As [`Self::watch_jobs`], for who goes on without: an endpoint that is not there yet is waited for.
    #[must_use]
    pub fn follow_jobs(&self, filter: &JobFilter) -> AccountWatch<Job> {
        self.subscription(filter.to_rpc()).begin(None)
    }

    fn subscription(&self, filters: Vec<RpcFilterType>) -> Subscription {
        Subscription {
            ws_url: self.config.cluster.ws_url.clone(),
            filters,
            timeout: self.config.request_timeout,
            silence_max: self.config.subscription_silence_max,
        }
    }
}

struct Subscription {
    ws_url: Url,
    filters: Vec<RpcFilterType>,
    /// Longest wait for a connection and for the answer to a subscription.
    timeout: Duration,
    silence_max: Duration,
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(RECONNECT_PAUSE_MIN)
        .with_max_delay(RECONNECT_PAUSE_MAX)
        .without_max_times()
        .build()
}

impl Subscription {
    fn begin<T: ProgramAccount>(self, first: Option<Arc<PubsubClient>>) -> AccountWatch<T> {
        let (sender, news) = mpsc::channel(BACKLOG_MAX);
        let task = tokio::spawn(self.run(first, sender));
        AccountWatch { news, task }
    }

    async fn connect(&self) -> Result<Arc<PubsubClient>, ClientError> {
        self.in_time(PubsubClient::new(self.ws_url.as_str())).await.map(Arc::new)
    }

    async fn run<T: ProgramAccount>(
        self,
        mut connection: Option<Arc<PubsubClient>>,
        sender: mpsc::Sender<WatchNews<T>>,
    ) {
        let mut waits = pauses();
        loop {
            let connected = match connection.take() {
                Some(client) => Ok(client),
                None => self.connect().await,
            };
            let ended = match connected {
                Ok(client) => self.forward(&client, (&sender, &mut waits)).await,
                Err(error) => Err(error),
            };
            let error = ended.err();
            tracing::debug!(endpoint = redacted(&self.ws_url), ?error, "subscription_ended");
            if !tell(&sender, WatchNews::Lost(error)) {
                return;
            }
            tokio::time::sleep(waits.next().unwrap_or(RECONNECT_PAUSE_MAX)).await;
        }
    }

    /// Forwards changes until the connection ends or is dead. That it lives is told by the slots, which come all the time:
    /// a half-open connection would otherwise look like a market where nothing happens.
    async fn forward<T: ProgramAccount>(
        &self,
        client: &PubsubClient,
        (sender, waits): (&mpsc::Sender<WatchNews<T>>, &mut ExponentialBackoff),
    ) -> Result<(), ClientError> {
        let mut account_config = account_config();
        account_config.commitment = Some(CommitmentConfig::confirmed());
        let config = RpcProgramAccountsConfig {
            filters: Some(self.filters.clone()),
            account_config,
            ..RpcProgramAccountsConfig::default()
        };
        let (mut pushed, _unsubscribe) = self.in_time(client.program_subscribe(&program::ID, Some(config))).await?;
        let (mut slots, silence_max) = match self.in_time(client.slot_subscribe()).await {
            Ok((slots, _unsubscribe)) => (slots, self.silence_max),
            // Then nothing tells a dead connection from a quiet market; the reader polls as well.
            Err(error) => {
                tracing::debug!(%error, "slots_not_subscribed");
                (futures_util::stream::pending().boxed(), Duration::MAX)
            }
        };
        *waits = pauses();
        if !tell(sender, WatchNews::Subscribed) {
            return Ok(());
        }
        loop {
            let heard = tokio::time::timeout(silence_max, async {
                tokio::select! {
                    change = pushed.next() => change.map(|change| changed(&change.value)),
                    slot = slots.next() => slot.map(|info| Some(WatchNews::Slot(info.slot))),
                }
            });
            let news = match heard.await {
                Ok(Some(news)) => news,
                Ok(None) => return Ok(()),
                Err(_) => {
                    return Err(self.failed(format!("nothing was heard for {} s", silence_max.as_secs_f32())));
                }
            };
            // Slots never take the room of what matters more.
            let has_room = sender.capacity() > BACKLOG_MAX / 2;
            let news = news.filter(|news| has_room || !matches!(news, WatchNews::Slot(_)));
            if news.is_some_and(|news| !tell(sender, news)) {
                return Ok(());
            }
        }
    }

    async fn in_time<T>(&self, asked: impl Future<Output = Result<T, PubsubClientError>>) -> Result<T, ClientError> {
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(answer) => answer.map_err(|error| self.failed(quoted(&problem_of(&error)))),
            Err(_) => Err(self.failed(format!("no answer within {} s", self.timeout.as_secs_f32()))),
        }
    }

    fn failed(&self, problem: String) -> ClientError {
        ClientError::Subscription { endpoint: redacted(&self.ws_url), problem }
    }
}

/// A closed account is pushed without data and is no change of the job's that a reader could use.
fn changed<T: ProgramAccount>(pushed: &RpcKeyedAccount) -> Option<WatchNews<T>> {
    let address = pushed.pubkey.parse::<Pubkey>().ok()?;
    let account = decode_ui::<T>(address, &pushed.account).ok()?;
    Some(WatchNews::Changed(Keyed { address, account }))
}

/// Whether anybody still listens. What a reader has no room for is dropped.
fn tell<T>(sender: &mpsc::Sender<WatchNews<T>>, news: WatchNews<T>) -> bool {
    match sender.try_send(news) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => {
            tracing::debug!("news_dropped");
            true
        }
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

/// The library keeps why it could not connect to itself.
fn problem_of(error: &PubsubClientError) -> String {
    match error {
        PubsubClientError::ConnectionError(error) => innermost(error.as_ref()),
        error => innermost(error),
    }
}

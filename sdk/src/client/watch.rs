//! Accounts as the WebSocket pushes them: a hint that something changed. What is true is read; a watch may miss changes,
//! and says nothing while it reconnects.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_pubsub_client::nonblocking::pubsub_client::PubsubClient;
use solana_rpc_client_api::{config::RpcProgramAccountsConfig, filter::RpcFilterType};
use tokio::{sync::mpsc, task::JoinHandle};
use url::Url;

use super::{Client, account_config, decode_ui};
use crate::{
    accounts::{JobFilter, Keyed, ProgramAccount},
    cluster::redacted,
    errors::ClientError,
    program::{self, accounts::Job},
};

/// Changes kept for a reader that is busy; more are dropped, because the reader polls as well.
const BACKLOG_MAX: usize = 1_024;
/// Longest wait for a connection and for the answer to a subscription.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before the first reconnection; doubled up to [`RECONNECT_PAUSE_MAX`].
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest pause before a reconnection.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Changes of accounts of one kind. Dropping it ends the subscription.
#[derive(Debug)]
pub struct AccountWatch<T> {
    changes: mpsc::Receiver<Keyed<T>>,
    task: JoinHandle<()>,
}

impl<T> AccountWatch<T> {
    /// The next change that was pushed; `None` only when the watch's task was ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Keyed<T>> {
        self.changes.recv().await
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
        self.watch(filter.to_rpc()).await
    }

    async fn watch<T: ProgramAccount>(&self, filters: Vec<RpcFilterType>) -> Result<AccountWatch<T>, ClientError> {
        let subscription = Subscription { ws_url: self.config.cluster.ws_url.clone(), filters };
        let (sender, changes) = mpsc::channel(BACKLOG_MAX);
        let first = subscription.connect().await?;
        let task = tokio::spawn(subscription.run(first, sender));
        Ok(AccountWatch { changes, task })
    }
}

struct Subscription {
    ws_url: Url,
    filters: Vec<RpcFilterType>,
}

impl Subscription {
    async fn connect(&self) -> Result<Arc<PubsubClient>, ClientError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, PubsubClient::new(self.ws_url.as_str())).await {
            Ok(Ok(client)) => Ok(Arc::new(client)),
            Ok(Err(error)) => Err(self.failed(error.to_string())),
            Err(_) => Err(self.failed(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    async fn run<T: ProgramAccount>(self, first: Arc<PubsubClient>, sender: mpsc::Sender<Keyed<T>>) {
        let mut connection = Some(first);
        let mut pause = RECONNECT_PAUSE_MIN;
        loop {
            let connected = match connection.take() {
                Some(client) => Ok(client),
                None => self.connect().await,
            };
            let ended = match connected {
                Ok(client) => self.forward(&client, (&sender, &mut pause)).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) if sender.is_closed() => return,
                Ok(()) => tracing::debug!(endpoint = redacted(&self.ws_url), "subscription ended"),
                Err(error) => tracing::debug!(%error, "subscription failed"),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(RECONNECT_PAUSE_MAX);
        }
    }

    /// Forwards changes until the stream ends.
    async fn forward<T: ProgramAccount>(
        &self,
        client: &PubsubClient,
        (sender, pause): (&mpsc::Sender<Keyed<T>>, &mut Duration),
    ) -> Result<(), ClientError> {
        let mut account_config = account_config();
        account_config.commitment = Some(CommitmentConfig::confirmed());
        let config = RpcProgramAccountsConfig {
            filters: Some(self.filters.clone()),
            account_config,
            ..RpcProgramAccountsConfig::default()
        };
        let subscribed = client.program_subscribe(&program::ID, Some(config));
        let (mut pushed, _unsubscribe) = match tokio::time::timeout(CONNECT_TIMEOUT, subscribed).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.failed(error.to_string())),
            Err(_) => return Err(self.failed("no answer to the subscription".to_owned())),
        };
        *pause = RECONNECT_PAUSE_MIN;
        while let Some(change) = pushed.next().await {
            let Ok(address) = change.value.pubkey.parse::<Pubkey>() else { continue };
            // A closed account is pushed without data and is no change of the job's that a reader could use.
            let Ok(account) = decode_ui::<T>(address, &change.value.account) else { continue };
            match sender.try_send(Keyed { address, account }) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => tracing::debug!(%address, "change dropped"),
                Err(mpsc::error::TrySendError::Closed(_)) => return Ok(()),
            }
        }
        Ok(())
    }

    fn failed(&self, problem: String) -> ClientError {
        ClientError::Subscription { endpoint: redacted(&self.ws_url), problem }
    }
}

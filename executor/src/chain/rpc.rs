//! [`Chain`] over JSON-RPC: bounded requests, and no answer that is older than what was seen (E-08).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use assay_sdk::{Cluster, client::TransportFailure, pda::ExecutionSeeds, program};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    client_error::ErrorKind,
    custom_error::JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED,
    request::{RpcError, RpcRequest},
};
use tokio::{sync::Semaphore, time::Instant};
use url::Url;

use super::{
    Chain, ChainError, FinalizedBlock, Look, OpenSeat, Scope, StatusAnswer, accounts,
    blockhashes::{Blockhashes, Recent},
    endpoints::{Endpoint, Endpoints},
    status::{self, Questions},
};
use crate::{
    core::{Interest, JobView},
    metrics_list as names,
};

/// Requests in flight at once.
const REQUESTS_MAX: usize = 8;

/// Who asks.
#[derive(Clone, Debug)]
pub struct RpcSettings {
    /// The endpoint that is asked first, and the WebSocket.
    pub cluster: Cluster,
    /// Further JSON-RPC endpoints of the same cluster; see [`super::ENDPOINTS_MAX`].
    pub others: Vec<Url>,
    /// Market account.
    pub market: Pubkey,
    /// Provider account.
    pub provider: Pubkey,
    /// Cold key.
    pub authority: Pubkey,
    /// Hot key.
    pub node_key: Pubkey,
    /// Longest time for one request.
    pub request_timeout: Duration,
}

/// A cluster behind one JSON-RPC endpoint or several. Cheap to clone.
#[derive(Clone)]
pub struct RpcChain {
    shared: Arc<Shared>,
    /// The only one that is asked; `None`: whichever answers.
    only: Option<usize>,
}

struct Shared {
    endpoints: Endpoints,
    settings: RpcSettings,
    permits: Semaphore,
    questions: Questions,
    blockhashes: Blockhashes,
    /// Highest slot seen: a node that lags behind it must not answer (E-08).
    seen_slot: AtomicU64,
}

/// Which chain is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Commitment {
    /// What decisions rest on; never older than what was seen.
    Confirmed,
    /// What a witness says, who may be behind; what was seen does not change by it.
    Witnessed,
    /// What no fork takes back; as old as it may be.
    Finalized,
}

#[derive(Deserialize)]
pub(super) struct WithContext<T> {
    pub(super) context: Context,
    pub(super) value: T,
}

#[derive(Deserialize)]
pub(super) struct Context {
    pub(super) slot: u64,
}

#[derive(Deserialize)]
pub(super) struct RawAccount {
    pub(super) lamports: u64,
    pub(super) owner: String,
    data: (String, String),
}

impl RawAccount {
    /// The bytes, if the account belongs to the program.
    pub(super) fn of_program(&self) -> Option<Vec<u8>> {
        (self.owner == program::ID.to_string()).then(|| self.bytes()).flatten()
    }

    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.data.0).ok()
    }
}

/// Accounts of one request, in the order asked for.
pub(super) struct Fetched {
    pub(super) slot: u64,
    pub(super) accounts: Vec<Option<RawAccount>>,
}

impl Fetched {
    pub(super) fn get(&self, index: usize) -> Option<&RawAccount> {
        self.accounts.get(index).and_then(Option::as_ref)
    }
}

impl RpcChain {
    /// Talks to an endpoint; nothing is asked yet.
    #[must_use]
    pub fn new(settings: RpcSettings) -> Self {
        let urls = std::iter::once(&settings.cluster.rpc_url).chain(&settings.others);
        let endpoints = Endpoints::new(urls, settings.request_timeout);
        let shared = Shared {
            endpoints,
            settings,
            permits: Semaphore::new(REQUESTS_MAX),
            questions: status::questions(),
            blockhashes: Blockhashes::default(),
            seen_slot: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), only: None }
    }

    /// The same chain, by the word of one endpoint.
    fn by(&self, index: usize) -> Self {
        Self { shared: Arc::clone(&self.shared), only: Some(index) }
    }

    /// The same chain by the word of each other endpoint than the one that is asked now, as far as they answer.
    pub(super) fn witnesses(&self) -> Vec<Self> {
        self.shared.endpoints.witnesses(Instant::now()).into_iter().map(|index| self.by(index)).collect()
    }

    /// Whether there could be a witness.
    pub(super) fn has_others(&self) -> bool {
        self.shared.endpoints.are_several()
    }

    /// Who asks.
    #[must_use]
    pub fn settings(&self) -> &RpcSettings {
        &self.shared.settings
    }

    /// Questions about signatures, to whichever endpoint answers.
    pub(super) fn questions(&self) -> &Questions {
        &self.shared.questions
    }

    /// From now on no node that is behind this slot is believed.
    pub fn see_slot(&self, slot: u64) {
        self.shared.seen_slot.fetch_max(slot, Ordering::SeqCst);
    }

    fn seen_slot(&self) -> u64 {
        self.shared.seen_slot.load(Ordering::SeqCst)
    }

    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        request: RpcRequest,
        params: Value,
    ) -> Result<T, ChainError> {
        self.of_any(|index| self.ask_one(index, doing, (request, params.clone()))).await
    }

    /// The answer of the first endpoint that gives one; each is asked at most once. When none does, what the first said.
    async fn of_any<T, F>(&self, ask: impl Fn(usize) -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        if let Some(only) = self.only {
            return ask(only).await;
        }
        let mut first_error = None;
        for index in self.shared.endpoints.in_order(Instant::now()) {
            match ask(index).await {
                Ok(answer) => {
                    self.shared.endpoints.prefer(index);
                    return Ok(answer);
                }
                Err(error) => {
                    tracing::debug!(%error, "endpoint_failed");
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or_else(|| self.not_understood("ask the cluster", "there is no endpoint")))
    }

    async fn ask_one<T: DeserializeOwned>(
        &self,
        index: usize,
        doing: &'static str,
        (request, params): (RpcRequest, Value),
    ) -> Result<T, ChainError> {
        let this = self.by(index);
        let endpoint = this.endpoint().ok_or_else(|| this.not_understood(doing, "there is no such endpoint"))?;
        // Never closed, so acquiring cannot fail; a permit that is not there would only mean less politeness.
        let _permit = self.shared.permits.acquire().await;
        metrics::counter!(names::RPC_REQUESTS, "method" => request.to_string()).increment(1);
        let answer = endpoint.rpc.send(request, params).await;
        endpoint.has_answered(answer.as_ref().err().and_then(TransportFailure::of).is_none());
        answer.map_err(|source| {
            metrics::counter!(names::RPC_FAILURES, "method" => request.to_string()).increment(1);
            let is_behind = matches!(
                source.kind(),
                ErrorKind::RpcError(RpcError::RpcResponseError { code, .. })
                    if *code == JSON_RPC_SERVER_ERROR_MIN_CONTEXT_SLOT_NOT_REACHED
            );
            if is_behind {
                return this.behind(doing, self.seen_slot());
            }
            ChainError::Rpc { doing, endpoint: endpoint.name.clone(), source: Box::new(source) }
        })
    }

    /// As [`Self::ask`], of a node that is not behind what was seen: it is told so, and its answer is checked.
    pub(super) async fn ask_fresh<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        request: RpcRequest,
        params: impl Fn(u64) -> Value,
    ) -> Result<WithContext<T>, ChainError> {
        let seen_slot = self.seen_slot();
        let params = params(seen_slot);
        let ask = async |index| {
            let answer: WithContext<T> = self.ask_one(index, doing, (request, params.clone())).await?;
            if answer.context.slot < seen_slot {
                return Err(self.by(index).behind(doing, seen_slot));
            }
            Ok(answer)
        };
        let answer = self.of_any(ask).await?;
        self.see_slot(answer.context.slot);
        Ok(answer)
    }

    /// The one that is asked first.
    fn endpoint(&self) -> Option<&Endpoint> {
        let endpoints = &self.shared.endpoints;
        endpoints.get(self.only.unwrap_or_else(|| endpoints.current()))
    }

    /// It is not waited for again for a while.
    pub(super) fn rest(&self) {
        if let Some(endpoint) = self.endpoint() {
            endpoint.has_answered(false);
        }
    }

    /// Its scheme, host and port.
    pub(super) fn name(&self) -> String {
        self.endpoint().map_or_else(String::new, |endpoint| endpoint.name.clone())
    }

    fn behind(&self, doing: &'static str, seen_slot: u64) -> ChainError {
        ChainError::Behind { doing, endpoint: self.name(), seen_slot }
    }

    pub(super) fn not_understood(&self, doing: &'static str, problem: impl Into<String>) -> ChainError {
        ChainError::Answer { doing, endpoint: self.name(), problem: problem.into() }
    }

    pub(super) fn missing(&self, kind: &'static str, address: Pubkey, next: &'static str) -> ChainError {
        ChainError::Missing { kind, address, endpoint: self.name(), next }
    }

    pub(super) async fn accounts(&self, addresses: &[Pubkey], commitment: Commitment) -> Result<Fetched, ChainError> {
        let (doing, request) = ("fetch accounts", RpcRequest::GetMultipleAccounts);
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let answer: WithContext<Vec<Option<RawAccount>>> = if commitment == Commitment::Confirmed {
            let config = |slot| json!({"encoding": "base64", "commitment": "confirmed", "minContextSlot": slot});
            self.ask_fresh(doing, request, |slot| json!([texts, config(slot)])).await?
        } else {
            let name = if commitment == Commitment::Finalized { "finalized" } else { "confirmed" };
            let config = json!({"encoding": "base64", "commitment": name});
            self.ask(doing, request, json!([texts, config])).await?
        };
        if answer.value.len() != addresses.len() {
            return Err(self.not_understood(doing, "another number of accounts than asked for"));
        }
        Ok(Fetched { slot: answer.context.slot, accounts: answer.value })
    }
}

impl Chain for RpcChain {
    async fn look(&self, interest: Interest, scope: Scope) -> Result<Look, ChainError> {
        self.look_at(interest, scope).await
    }

    async fn open_seats(&self, job: &JobView) -> Result<Vec<OpenSeat>, ChainError> {
        let seat = |provider: &Pubkey| ExecutionSeeds { job: job.job, provider: *provider }.address();
        let addresses: Vec<Pubkey> = job.executors.iter().map(seat).collect();
        let fetched = self.accounts(&addresses, Commitment::Confirmed).await?;
        let account = |index| fetched.get(index).and_then(RawAccount::of_program);
        Ok((0..addresses.len()).filter_map(account).filter_map(|data| accounts::open_seat(&data)).collect())
    }

    async fn recent_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let doing = "fetch a recent blockhash";
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Latest {
            blockhash: String,
            last_valid_block_height: u64,
        }
        let blockhashes = &self.shared.blockhashes;
        if let Some(known) = blockhashes.known(self.seen_slot(), Instant::now()) {
            return Ok(known);
        }
        let asked = Instant::now();
        let params = |slot| json!([{"commitment": "confirmed", "minContextSlot": slot}]);
        let answer: WithContext<Latest> = self.ask_fresh(doing, RpcRequest::GetLatestBlockhash, params).await?;
        let hash = answer.value.blockhash.parse().map_err(|_| self.not_understood(doing, "it is no hash"))?;
        let height = answer.value.last_valid_block_height;
        blockhashes.learn(Recent { hash, height, slot: answer.context.slot, asked });
        Ok((hash, height))
    }

    async fn send(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        let config = json!({
            "encoding": "base64",
            "preflightCommitment": "confirmed",
            // The node's own retries would go on after we have stopped.
            "maxRetries": 0,
        });
        let params = json!([BASE64_STANDARD.encode(transaction), config]);
        let (doing, request) = ("send a transaction", RpcRequest::SendTransaction);
        // To all of them: one that only says that it passes transactions on holds nothing up (E-09).
        let sent = self.ask::<String>(doing, request, params.clone());
        let others = self.by_witnesses(|witness| {
            let params = params.clone();
            async move { witness.ask::<String>(doing, request, params).await }
        });
        let (sent, others) = tokio::join!(sent, others);
        if others.is_empty() { sent.map(drop) } else { Ok(()) }
    }

    async fn status(&self, signature: [u8; 64]) -> Result<StatusAnswer, ChainError> {
        self.status_of(signature).await
    }

    async fn witnessed_statuses(&self, signature: [u8; 64]) -> Vec<StatusAnswer> {
        let ask = |witness: Self| async move { witness.ask_statuses(&[signature]).await };
        self.by_witnesses(ask).await.into_iter().flatten().collect()
    }

    async fn confirm_open(&self, job: &JobView) -> Result<(), ChainError> {
        self.confirm_open_elsewhere(job).await
    }

    async fn finalized_block(&self) -> Result<FinalizedBlock, ChainError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Epoch {
            absolute_slot: u64,
            block_height: u64,
        }
        let params = || json!([{"commitment": "finalized"}]);
        let doing = "fetch the finalised block height";
        let height: u64 = self.ask(doing, RpcRequest::GetBlockHeight, params()).await?;
        // Height and slot of one block. A node that gives its newest block here is held to the height above.
        let epoch: Epoch = self.ask(doing, RpcRequest::GetEpochInfo, params()).await?;
        Ok(FinalizedBlock { slot: epoch.absolute_slot, height: epoch.block_height.min(height) })
    }
}

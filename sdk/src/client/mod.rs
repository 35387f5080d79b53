//! The async client: reads accounts and events, sends transactions, posts jobs.

mod books;
mod constants;
mod disputes;
mod events;
mod post;
mod send;
mod states;
mod transport;
mod watch;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use assay_content::{Fetcher, Publisher};
use backon::{BackoffBuilder, ExponentialBuilder};
use serde_json::json;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::{
    client_error::Error as RpcError,
    config::{RpcAccountInfoConfig, RpcProgramAccountsConfig},
    filter::RpcFilterType,
    request::RpcRequest,
    response::Response,
};
use solana_signature::Signature;
use solana_signer::Signer;
use tokio::time::Instant;

use crate::{
    accounts::{self, ExecutionFilter, JobFilter, Keyed, ProgramAccount, ProviderFilter, RawAccount},
    cluster::{Cluster, redacted},
    errors::ClientError,
    fee_ladder::FeeLadder,
    program::{
        self,
        accounts::{Execution, Job, Market, Provider},
    },
};

use constants::Constants;
use states::Questions;

pub use post::{CheckedJob, PostError, PostedJob};
pub use send::{Blockhash, Sent, SignatureState, Simulation, TransactionPlan};
pub use transport::{TransportFailure, rpc_client};
pub use watch::{AccountWatch, WatchNews};

/// A key that signs, shared by clones of a client.
pub type SharedSigner = Arc<dyn Signer + Send + Sync>;

/// Attempts of a read whose transport fails.
const READ_ATTEMPTS_MAX: usize = 4;
/// No attempt of a read begins later than this after the first; an endpoint that asks for a longer pause is given up.
const READ_BUDGET: Duration = Duration::from_secs(20);
/// Pause before the second attempt, doubled up to [`READ_PAUSE_MAX`]; up to as much again is added at random.
const READ_PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two attempts, unless the endpoint asks for a longer one.
const READ_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Most accounts asked for in one request; what RPC nodes allow.
const ACCOUNTS_PER_REQUEST: usize = 100;

/// How a [`Client`] talks to a cluster.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The endpoints.
    pub cluster: Cluster,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// Longest wait for a transaction's confirmation.
    pub confirm_timeout: Duration,
    /// Pause between two looks at the same thing.
    pub poll_interval: Duration,
    /// A WebSocket connection on which not even a slot is heard for this long is dead and made anew.
    pub subscription_silence_max: Duration,
    /// What is offered for a compute unit, and for how much more a transaction that did not land is signed again.
    pub fees: FeeLadder,
}

impl ClientConfig {
    /// Settings that suit the cluster: a local network is polled more often.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        let poll_ms = if cluster.is_loopback() { 50 } else { 500 };
        Self {
            cluster,
            request_timeout: Duration::from_secs(15),
            confirm_timeout: Duration::from_secs(120),
            poll_interval: Duration::from_millis(poll_ms),
            subscription_silence_max: Duration::from_secs(30),
            fees: FeeLadder::DEFAULT,
        }
    }
}

/// Where job directories and results are put and found.
#[derive(Clone, Debug)]
pub struct ContentAccess {
    /// Uploads packages.
    pub publisher: Publisher,
    /// Finds packages.
    pub fetcher: Fetcher,
}

/// The chain's own time; deadlines are compared with it and with no other clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainTime {
    /// The slot.
    pub slot: u64,
    /// Seconds since the Unix epoch, by the chain.
    pub unix: i64,
}

impl ChainTime {
    const ADDRESS: Pubkey = solana_sdk_ids::sysvar::clock::ID;

    fn of(clock: Option<&UiAccount>) -> Result<Self, ClientError> {
        let (kind, address) = ("clock", Self::ADDRESS);
        let account = clock.ok_or(ClientError::NotFound { kind, address })?;
        let problem = || ClientError::Decode { kind, address, problem: "it is not 40 bytes long".to_owned() };
        let data = account.data.decode().ok_or_else(problem)?;
        // Clock: slot u64, epoch start i64, epoch u64, leader schedule epoch u64, time i64, all little-endian.
        let slot = data.first_chunk::<8>().ok_or_else(problem)?;
        let unix = data.get(32..).and_then(|rest| rest.first_chunk::<8>()).ok_or_else(problem)?;
        Ok(Self { slot: u64::from_le_bytes(*slot), unix: i64::from_le_bytes(*unix) })
    }
}

/// Talks to one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    rpc: Arc<RpcClient>,
    config: Arc<ClientConfig>,
    /// What was read once, and the questions on their way: clones share both.
    constants: Arc<Constants>,
    states: Arc<Questions>,
    signer: Option<SharedSigner>,
    content: Option<ContentAccess>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("cluster", &self.config.cluster.to_string())
            .field("signer", &self.signer.as_ref().and_then(|signer| signer.try_pubkey().ok()))
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that reads. Nothing is sent before the first call.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let rpc = rpc_client(&config.cluster.rpc_url, config.request_timeout);
        Self {
            rpc: Arc::new(rpc),
            config: Arc::new(config),
            constants: Arc::default(),
            states: Arc::default(),
            signer: None,
            content: None,
        }
    }

    /// Signs and pays with this key.
    #[must_use]
    pub fn with_signer(mut self, signer: SharedSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Puts and finds content here.
    #[must_use]
    pub fn with_content(mut self, content: ContentAccess) -> Self {
        self.content = Some(content);
        self
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// The RPC client underneath, for what this one does not wrap.
    #[must_use]
    pub fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// Where content is put and found, if that was given.
    #[must_use]
    pub fn content(&self) -> Option<&ContentAccess> {
        self.content.as_ref()
    }

    /// The key that signs and pays.
    ///
    /// # Errors
    /// [`ClientError::NoSigner`] when none was given.
    pub fn signer(&self) -> Result<&SharedSigner, ClientError> {
        self.signer.as_ref().ok_or(ClientError::NoSigner)
    }

    /// Address of [`Self::signer`].
    ///
    /// # Errors
    /// [`ClientError::NoSigner`] when there is none; [`ClientError::Signing`] when it has no address.
    pub fn signer_address(&self) -> Result<Pubkey, ClientError> {
        self.signer()?.try_pubkey().map_err(|error| ClientError::Signing { problem: error.to_string() })
    }

    /// An account of the program.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Decode`], or a failure of the endpoint.
    pub async fn fetch<T: ProgramAccount>(&self, address: &Pubkey) -> Result<T, ClientError> {
        self.fetch_optional(address).await?.ok_or(ClientError::NotFound { kind: T::KIND, address: *address })
    }

    /// An account of the program, or `None` when there is none.
    ///
    /// # Errors
    /// [`ClientError::Decode`], or a failure of the endpoint.
    pub async fn fetch_optional<T: ProgramAccount>(&self, address: &Pubkey) -> Result<Option<T>, ClientError> {
        let account = self.raw_account("read an account", address).await?;
        account.map(|account| decode_ui(*address, &account)).transpose()
    }

    /// Several accounts of one kind, each `None` when there is none.
    ///
    /// # Errors
    /// [`ClientError::Decode`], or a failure of the endpoint.
    pub async fn fetch_many<T: ProgramAccount>(&self, addresses: &[Pubkey]) -> Result<Vec<Option<T>>, ClientError> {
        let mut found = Vec::with_capacity(addresses.len());
        for chunk in addresses.chunks(ACCOUNTS_PER_REQUEST) {
            for (address, account) in chunk.iter().zip(self.raw_accounts(chunk).await?) {
                found.push(account.map(|account| decode_ui(*address, &account)).transpose()?);
            }
        }
        Ok(found)
    }

    /// The jobs that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_jobs(&self, filter: &JobFilter) -> Result<Vec<Keyed<Job>>, ClientError> {
        self.list(filter.to_rpc()).await
    }

    /// The providers that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_providers(&self, filter: &ProviderFilter) -> Result<Vec<Keyed<Provider>>, ClientError> {
        self.list(filter.to_rpc()).await
    }

    /// The executions that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_executions(&self, filter: &ExecutionFilter) -> Result<Vec<Keyed<Execution>>, ClientError> {
        self.list(filter.to_rpc()).await
    }

    /// All markets.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_markets(&self) -> Result<Vec<Keyed<Market>>, ClientError> {
        self.list(accounts::kind::<Market>().collect()).await
    }

    /// A market, checked to belong to this cluster (P-12).
    ///
    /// # Errors
    /// As [`Self::fetch`]; [`ClientError::WrongCluster`] when it was created for another one.
    pub async fn market(&self, address: &Pubkey) -> Result<Market, ClientError> {
        let market = self.fetch(address).await?;
        self.check_cluster(address, &market).await?;
        Ok(market)
    }

    async fn check_cluster(&self, address: &Pubkey, market: &Market) -> Result<(), ClientError> {
        if market.cluster == self.cluster_tag().await? {
            Ok(())
        } else {
            Err(ClientError::WrongCluster { market: *address, found: market.cluster })
        }
    }

    /// Checks that the program is deployed and executable.
    ///
    /// # Errors
    /// [`ClientError::ProgramMissing`], or a failure of the endpoint.
    pub async fn check_program(&self) -> Result<(), ClientError> {
        let id = program::ID;
        match self.raw_account("read the program", &id).await? {
            Some(account) if account.executable => Ok(()),
            _ => Err(ClientError::ProgramMissing { program: id, endpoint: self.endpoint() }),
        }
    }

    /// The chain's time.
    ///
    /// # Errors
    /// A failure of the endpoint, or a Clock account that is none.
    pub async fn chain_time(&self) -> Result<ChainTime, ClientError> {
        ChainTime::of(self.raw_account("read the clock", &ChainTime::ADDRESS).await?.as_ref())
    }

    /// Lamports that an address holds.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn balance(&self, address: &Pubkey) -> Result<u64, ClientError> {
        self.read("read a balance", || self.rpc.get_balance(address)).await
    }

    /// Asks a test network for lamports, waits until they are there, and says what the address holds then.
    ///
    /// # Errors
    /// A failure or refusal of the endpoint; [`ClientError::Unconfirmed`] when they do not arrive in time.
    pub async fn airdrop(&self, address: &Pubkey, lamports: u64) -> Result<u64, ClientError> {
        let before = self.balance(address).await?;
        // Once only: an endpoint that answers late would give twice.
        let params = json!([address.to_string(), lamports]);
        let promised = self
            .once("ask for an airdrop", &|| self.rpc.send::<String>(RpcRequest::RequestAirdrop, params.clone()))
            .await?;
        let arrival = async {
            loop {
                let balance = self.balance(address).await?;
                if balance > before {
                    return Ok(balance);
                }
                tokio::time::sleep(self.config.poll_interval).await;
            }
        };
        match tokio::time::timeout(self.config.confirm_timeout, arrival).await {
            Ok(arrived) => arrived,
            Err(_) => {
                let signature: Signature = promised.parse().unwrap_or_default();
                Err(ClientError::Unconfirmed { signature, waited: self.config.confirm_timeout })
            }
        }
    }

    /// An account as it stands at `confirmed`. The library's own call reports every failure as an account that is missing.
    async fn raw_account(&self, doing: &'static str, address: &Pubkey) -> Result<Option<UiAccount>, ClientError> {
        let params = json!([address.to_string(), account_config()]);
        let ask = || self.rpc.send::<Response<Option<UiAccount>>>(RpcRequest::GetAccountInfo, params.clone());
        Ok(self.read(doing, ask).await?.value)
    }

    /// Accounts as they stand together at `confirmed`, at most [`ACCOUNTS_PER_REQUEST`].
    async fn raw_accounts(&self, addresses: &[Pubkey]) -> Result<Vec<Option<UiAccount>>, ClientError> {
        let ask = || self.rpc.get_multiple_ui_accounts_with_config(addresses, account_config());
        Ok(self.read("read accounts", ask).await?.value)
    }

    async fn list<T: ProgramAccount>(&self, filters: Vec<RpcFilterType>) -> Result<Vec<Keyed<T>>, ClientError> {
        let config = RpcProgramAccountsConfig {
            filters: Some(filters),
            account_config: account_config(),
            ..RpcProgramAccountsConfig::default()
        };
        let found = self
            .read("list accounts", || self.rpc.get_program_ui_accounts_with_config(&program::ID, config.clone()))
            .await?;
        // An account of a later layout version must not hide the others.
        let decoded = found.into_iter().filter_map(|(address, account)| match decode_ui(address, &account) {
            Ok(account) => Some(Keyed { address, account }),
            Err(error) => {
                tracing::warn!(%address, %error, "account skipped");
                None
            }
        });
        Ok(decoded.collect())
    }

    /// Reads, and tries again when the transport failed; a refusal is final. Bounded in attempts and in time.
    async fn read<T, F>(&self, doing: &'static str, request: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, RpcError>>,
    {
        let begun = Instant::now();
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(READ_PAUSE_MIN)
            .with_max_delay(READ_PAUSE_MAX)
            .with_max_times(READ_ATTEMPTS_MAX.saturating_sub(1))
            .build();
        loop {
            let error = match self.once(doing, &request).await {
                Err(error) if error.is_retryable() => error,
                result => return result,
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            let pause = error.retry_after().map_or(pause, |asked| asked.saturating_add(pause));
            if begun.elapsed().saturating_add(pause) > READ_BUDGET {
                return Err(error);
            }
            tracing::debug!(%error, ?pause, "read_failed");
            tokio::time::sleep(pause).await;
        }
    }

    /// One request; the transport bounds it in time.
    async fn once<T, F>(&self, doing: &'static str, request: &impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, RpcError>>,
    {
        request().await.map_err(|error| {
            let endpoint = self.endpoint();
            match TransportFailure::of(&error) {
                Some(failure) => ClientError::Transport { doing, endpoint, failure },
                None => ClientError::Rpc { doing, endpoint, source: Box::new(error) },
            }
        })
    }

    fn endpoint(&self) -> String {
        redacted(&self.config.cluster.rpc_url)
    }
}

/// Base64 and `confirmed`: uncompressed, so that no bytes from outside are inflated.
fn account_config() -> RpcAccountInfoConfig {
    RpcAccountInfoConfig {
        encoding: Some(UiAccountEncoding::Base64),
        commitment: Some(CommitmentConfig::confirmed()),
        data_slice: None,
        min_context_slot: None,
    }
}

/// Decodes an account as an RPC node or a subscription states it.
///
/// # Errors
/// [`ClientError::Decode`] says what is wrong with it.
pub fn decode_ui<T: ProgramAccount>(address: Pubkey, account: &UiAccount) -> Result<T, ClientError> {
    let refuse = |problem: &str| ClientError::Decode { kind: T::KIND, address, problem: problem.to_owned() };
    let data = account.data.decode().ok_or_else(|| refuse("its data is not base64"))?;
    let owner = account.owner.parse().map_err(|_| refuse("its owner is no address"))?;
    accounts::decode(&RawAccount { address, owner, data: &data })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::errors::NextStep;

    fn client_of(url: &str) -> Client {
        let mut config = ClientConfig::new(url.parse().unwrap());
        config.request_timeout = Duration::from_millis(300);
        Client::new(config)
    }

    #[tokio::test]
    async fn an_endpoint_that_is_down_is_named_without_its_token() {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let client = client_of(&format!("http://user:word@127.0.0.1:{port}/v1?api-key=token"));
        let error = client.balance(&Pubkey::new_unique()).await.unwrap_err();
        assert!(error.is_retryable());
        assert!(error.next_step().unwrap().contains("assay doctor"));
        let shown = format!("{error} {error:?} {client:?}");
        assert!(shown.contains(&format!("http://127.0.0.1:{port}")), "{shown}");
        for secret in ["word", "token", "api-key", "/v1"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_says_nothing_is_given_up() {
        let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let client = client_of(&format!("http://{}", silent.local_addr().unwrap()));
        let error = client.once("read a balance", &|| client.rpc.get_slot()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }

    #[test]
    fn a_client_without_a_key_says_so() {
        let error = client_of("localnet").signer_address().unwrap_err();
        assert!(matches!(error, ClientError::NoSigner));
        assert!(error.next_step().unwrap().contains("--keypair"));
    }
}

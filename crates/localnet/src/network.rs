//! A whole network: ledger, content node, market, funded keys, registered providers.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use assay_content::{
    BlockStore, ContentNode, FetchError, FetchLimits, Fetcher, KuboClient, KuboError, NodeConfig, NodeError, Publisher,
    Source, StoreError, StoreLimits,
};
use assay_sdk::{
    Client, ClientConfig, ClientError, Cluster, ContentAccess, KeypairError,
    instructions::{self, CreateMarket, Duty, EnrollStake, ProviderAuthority, RegisterProvider},
    pda, program,
    protocol::MarketTerms,
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use thiserror::Error;
use url::Url;

use crate::{
    config::NetworkConfig,
    keys::{Key, Keys, ProviderKeys},
    ledger::{Ledger, LedgerError},
};

/// Name of the demo market.
pub const MARKET_NAME: &str = "demo";
/// File in the network's directory that tells others where everything is.
pub const INFO_FILE_NAME: &str = "network.json";
/// What each key is given, 1,000 SOL in lamports.
const FUNDING_LAMPORTS: u64 = 1_000_000_000_000;
/// Stake of each provider, 5 SOL in lamports.
const STAKE_LAMPORTS: u64 = 5_000_000_000;
/// Exposure cap of each provider: 2 SOL with the usual stake.
const EXPOSURE_CAP_BPS: u64 = 4_000;
/// Seats of each provider, those included whose result waits to be final.
const CAPACITY: u16 = 16;
/// Most providers of a local network.
const PROVIDERS_MAX: usize = 32;
/// Providers that act in one transaction, each with a signature of its own.
const SIGNED_PER_TRANSACTION: usize = 4;
/// Longest wait for one request to the content node.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a network does not start or stop.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The content node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The content node is not there any more.
    #[error("run the network: the content node ended by itself")]
    NodeEnded,
    /// The block store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The content client.
    #[error(transparent)]
    Kubo(#[from] KuboError),
    /// The fetcher.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A keypair file.
    #[error(transparent)]
    Keypair(#[from] KeypairError),
    /// The chain.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A setting.
    #[error("start the network: {problem}")]
    Config {
        /// What is wrong with it.
        problem: String,
    },
    /// The directory.
    #[error("start the network: {path}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Where everything is; also written to [`INFO_FILE_NAME`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkInfo {
    /// JSON-RPC.
    pub rpc_url: Url,
    /// WebSocket.
    pub ws_url: Url,
    /// The content node's RPC.
    pub content_url: Url,
    /// The content node's gateway.
    pub gateway_url: Url,
    /// Address of the program.
    pub program: String,
    /// Address of the market.
    pub market: String,
    /// Keypair of the market's authority.
    pub market_keypair: PathBuf,
    /// Keypair of a funded poster.
    pub poster_keypair: PathBuf,
    /// The registered providers.
    pub providers: Vec<ProviderInfo>,
}

/// One registered provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderInfo {
    /// Address of its account.
    pub address: String,
    /// Its cold key.
    pub authority_keypair: PathBuf,
    /// Its hot key.
    pub node_keypair: PathBuf,
    /// A directory for its journal and store.
    pub data_directory: PathBuf,
}

/// A running network.
#[derive(Debug)]
pub struct Network {
    ledger: Ledger,
    node: ContentNode,
    client: Client,
    market: Pubkey,
    info: NetworkInfo,
}

impl Network {
    /// Starts everything, creates Sink and market, funds the keys, registers the providers, lets their stake mature and
    /// enrolls it (the chain's clock is ahead by that time), puts the jurors on duty, and waits until all of it answers. Call it
    /// from a multi-thread runtime.
    ///
    /// # Errors
    /// [`NetworkError`] names what is in the way; what was started is stopped again.
    pub async fn start(config: NetworkConfig) -> Result<Self, NetworkError> {
        if config.providers > PROVIDERS_MAX {
            let problem = format!("{} providers were asked for, at most {PROVIDERS_MAX} are run", config.providers);
            return Err(NetworkError::Config { problem });
        }
        let terms = config.terms()?;
        let keys = Keys::load_or_create(&config)?;
        let node = start_node(&config).await?;
        let ledger = match Ledger::start(config.ledger.clone()).await {
            Ok(ledger) => ledger,
            Err(error) => {
                node.shutdown().await?;
                return Err(error.into());
            }
        };
        match Self::set_up(&config, &ledger, &node, (&keys, terms)).await {
            Ok((client, market, info)) => {
                let network = Self { ledger, node, client, market, info };
                network.ready().await?;
                Ok(network)
            }
            Err(error) => {
                ledger.shutdown().await?;
                node.shutdown().await?;
                Err(error)
            }
        }
    }

    async fn set_up(
        config: &NetworkConfig,
        ledger: &Ledger,
        node: &ContentNode,
        (keys, terms): (&Keys, MarketTerms),
    ) -> Result<(Client, Pubkey, NetworkInfo), NetworkError> {
        let base = Client::new(ClientConfig::new(ledger.cluster()));
        for key in keys.funded() {
            ledger.airdrop(&key.address, FUNDING_LAMPORTS).await?;
        }
        let market = create_market(&base, &keys.market, terms).await?;
        let mut providers = Vec::with_capacity(keys.providers.len());
        let stakes = config.stakes_lamports.iter().copied().chain(std::iter::repeat(STAKE_LAMPORTS));
        for (provider, stake_lamports) in keys.providers.iter().zip(stakes) {
            providers.push(register(&base, provider, (market, node, stake_lamports)).await?);
        }
        enroll(&base, ledger, (keys, market, terms)).await?;
        put_on_duty(&base, market, (keys, config.jurors)).await?;
        let content = content_access(&config.directory, node)?;
        let client = base.with_signer(Arc::clone(&keys.poster.signer)).with_content(content);
        let Cluster { rpc_url, ws_url } = ledger.cluster();
        let info = NetworkInfo {
            rpc_url,
            ws_url,
            content_url: node.rpc_url(),
            gateway_url: node.gateway_url(),
            program: program::ID.to_string(),
            market: market.to_string(),
            market_keypair: keys.market.path.clone(),
            poster_keypair: keys.poster.path.clone(),
            providers,
        };
        info.save(&config.directory)?;
        Ok((client, market, info))
    }

    /// Waits until ledger, market and content node answer.
    ///
    /// # Errors
    /// [`NetworkError`] of the part that does not.
    pub async fn ready(&self) -> Result<(), NetworkError> {
        self.ledger.ready().await?;
        self.client.market(&self.market).await?;
        KuboClient::new(self.node.rpc_url(), CONTENT_TIMEOUT)?.version().await?;
        Ok(())
    }

    /// Looks whether all parts still run.
    ///
    /// # Errors
    /// [`NetworkError`] of the part that ended by itself.
    pub fn check(&self) -> Result<(), NetworkError> {
        self.ledger.check()?;
        if self.node.is_running() { Ok(()) } else { Err(NetworkError::NodeEnded) }
    }

    /// A client that signs as the funded poster and uses the network's content node.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Address of the market.
    #[must_use]
    pub const fn market(&self) -> Pubkey {
        self.market
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where everything is.
    #[must_use]
    pub const fn info(&self) -> &NetworkInfo {
        &self.info
    }

    /// Stops everything and waits until the ports are free again.
    ///
    /// # Errors
    /// [`NetworkError`] of the part that does not stop; the other is stopped all the same.
    pub async fn shutdown(self) -> Result<(), NetworkError> {
        let ledger = self.ledger.shutdown().await;
        self.node.shutdown().await?;
        Ok(ledger?)
    }
}

impl NetworkInfo {
    /// Reads what [`Network::start`] wrote to this directory.
    ///
    /// # Errors
    /// [`NetworkError`] when there is no such file or it is not valid.
    pub fn load(directory: &Path) -> Result<Self, NetworkError> {
        let path = directory.join(INFO_FILE_NAME);
        let text = fs::read_to_string(&path).map_err(|source| NetworkError::Io { path: path.clone(), source })?;
        serde_json::from_str(&text)
            .map_err(|error| NetworkError::Config { problem: format!("{}: {error}", path.display()) })
    }

    fn save(&self, directory: &Path) -> Result<(), NetworkError> {
        let path = directory.join(INFO_FILE_NAME);
        let text =
            serde_json::to_string_pretty(self).map_err(|error| NetworkError::Config { problem: error.to_string() })?;
        fs::write(&path, text).map_err(|source| NetworkError::Io { path, source })
    }
}

async fn create_market(base: &Client, authority: &Key, terms: MarketTerms) -> Result<Pubkey, NetworkError> {
    let name = pda::market_name(MARKET_NAME).map_err(|error| NetworkError::Config { problem: error.to_string() })?;
    let market = CreateMarket { authority: authority.address, name, cluster: base.cluster_tag().await?, terms };
    let client = base.clone().with_signer(Arc::clone(&authority.signer));
    client.send(&[instructions::create_sink(authority.address), instructions::create_market(&market)]).await?;
    Ok(pda::market_address(&authority.address, &name))
}

async fn register(
    base: &Client,
    keys: &ProviderKeys,
    (market, node, stake_lamports): (Pubkey, &ContentNode, u64),
) -> Result<ProviderInfo, NetworkError> {
    let gateway = node.gateway_url();
    let endpoint = instructions::endpoint(gateway.as_str())
        .ok_or_else(|| NetworkError::Config { problem: format!("{gateway} is longer than an endpoint may be") })?;
    let provider = RegisterProvider {
        authority: keys.authority.address,
        node_key: keys.node.address,
        market,
        stake_lamports,
        exposure_cap_lamports: stake_lamports / 10_000 * EXPOSURE_CAP_BPS,
        capacity: CAPACITY,
        endpoint,
    };
    let client = base.clone().with_signer(Arc::clone(&keys.authority.signer));
    let node_key = [Arc::clone(&keys.node.signer)];
    client.send_signed_by(&[instructions::register_provider(&provider)], &node_key).await?;
    Ok(ProviderInfo {
        address: pda::provider_address(&market, &keys.authority.address).to_string(),
        authority_keypair: keys.authority.path.clone(),
        node_keypair: keys.node.path.clone(),
        data_directory: keys.data_directory.clone(),
    })
}

/// Lets the providers' stake mature, which takes the whole time that stake needs to leave, and counts it as tickets: who
/// has none is drawn for no seat.
async fn enroll(
    base: &Client,
    ledger: &Ledger,
    (keys, market, terms): (&Keys, Pubkey, MarketTerms),
) -> Result<(), NetworkError> {
    if keys.providers.is_empty() {
        return Ok(());
    }
    let matures_unix = base.chain_time().await?.unix.saturating_add(i64::from(terms.unbonding_s)).saturating_add(1);
    ledger.travel_to(matures_unix).await?;
    let client = base.clone().with_signer(Arc::clone(&keys.market.signer));
    for providers in keys.providers.chunks(SIGNED_PER_TRANSACTION) {
        let enroll = |keys: &ProviderKeys| {
            let provider = pda::provider_address(&market, &keys.authority.address);
            instructions::enroll_stake(&EnrollStake { signer: keys.node.address, market, provider })
        };
        let instructions: Vec<_> = providers.iter().map(enroll).collect();
        let signers: Vec<_> = providers.iter().map(|provider| Arc::clone(&provider.node.signer)).collect();
        client.send_signed_by(&instructions, &signers).await?;
    }
    Ok(())
}

/// Lets the first providers serve as jurors: the disputes of a market without any end with no verdict.
async fn put_on_duty(base: &Client, market: Pubkey, (keys, jurors): (&Keys, usize)) -> Result<(), NetworkError> {
    let client = base.clone().with_signer(Arc::clone(&keys.market.signer));
    let jurors: Vec<&ProviderKeys> = keys.providers.iter().take(jurors).collect();
    for jurors in jurors.chunks(SIGNED_PER_TRANSACTION) {
        let begin = |keys: &&ProviderKeys| {
            let provider = ProviderAuthority { authority: keys.authority.address, market };
            instructions::set_duty(&provider, Duty::Begin)
        };
        let instructions: Vec<_> = jurors.iter().map(begin).collect();
        let signers: Vec<_> = jurors.iter().map(|juror| Arc::clone(&juror.authority.signer)).collect();
        client.send_signed_by(&instructions, &signers).await?;
    }
    Ok(())
}

async fn start_node(config: &NetworkConfig) -> Result<ContentNode, NetworkError> {
    let store = BlockStore::open_scratch(&config.directory.join("blocks"), StoreLimits::default())?;
    let address = |port: Option<u16>| SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let node = NodeConfig {
        rpc: address(config.content_port),
        gateway: address(config.gateway_port),
        ..NodeConfig::loopback(store)
    };
    Ok(ContentNode::start(node).await?)
}

fn content_access(directory: &Path, node: &ContentNode) -> Result<ContentAccess, NetworkError> {
    let kubo = KuboClient::new(node.rpc_url(), CONTENT_TIMEOUT)?;
    let cache = BlockStore::open_scratch(&directory.join("cache"), StoreLimits::default())?;
    let sources = vec![Source::Gateway(node.gateway_url()), Source::Kubo(node.rpc_url())];
    let limits = FetchLimits { budget: assay_content::Budget::RESULT, ..FetchLimits::default() };
    Ok(ContentAccess { publisher: Publisher::new(vec![kubo], 1), fetcher: Fetcher::new(cache, sources, limits)? })
}

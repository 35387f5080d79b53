//! The chain as commands use it: a client of the SDK with the settings applied.

use std::{sync::Arc, time::Duration};

use assay_content::{BlockStore, Budget, FetchLimits, Fetcher, KuboClient, Publisher, Source, StoreLimits};
use assay_executor::Config;
use assay_sdk::{
    Cluster,
    accounts::{Keyed, ProviderFilter},
    client::{Client, ClientConfig, ContentAccess, Sent, SharedSigner},
    program::accounts::{Market, Provider},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use tempfile::TempDir;
use url::Url;

use crate::{
    context::{CONTENT_TIMEOUT, Context},
    error::{CliError, CliResult, Context as _, Hint},
    output::lamports,
    progress::Progress,
};

/// A command that waits for a transaction gives up after this long.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(90);

/// What a signature costs, without a priority fee.
const SIGNATURE_FEE_LAMPORTS: u64 = 5_000;

/// A transaction that a person is asked about.
#[derive(Default)]
pub struct Action<'a> {
    /// What will happen, in full sentences.
    pub plan: String,
    /// Shown while it is sent.
    pub doing: &'static str,
    /// What leaves the payer's account, lamports, each with its name; the transaction's fee comes on top.
    pub costs: &'a [(&'static str, u64)],
    /// The instructions, in order.
    pub instructions: &'a [Instruction],
    /// Who signs beside the payer.
    pub signers: &'a [SharedSigner],
}

/// A client with the settings applied.
#[derive(Debug)]
pub struct Chain {
    client: Client,
    market: Option<Pubkey>,
    /// Blocks of this command; gone when it ends.
    _blocks: Option<TempDir>,
}

impl Chain {
    /// For commands that only read. The program must be deployed.
    pub async fn reading(context: &Context) -> CliResult<Self> {
        let chain = Self::unchecked(context);
        chain.client.check_program().await.hint()?;
        Ok(chain)
    }

    /// For commands that sign with the keypair of the settings.
    pub async fn signing(context: &Context) -> CliResult<Self> {
        let keypair = context.keypair()?;
        Ok(Self::reading(context).await?.signed_by(keypair))
    }

    /// For what a provider's bot does, by hand: its cluster, its content nodes, its hot key.
    pub async fn of_bot(config: &Config, node_key: Keypair) -> CliResult<Self> {
        let cluster = config.cluster().context("cannot use chain.cluster of the bot's configuration")?;
        let chain = Self::at(cluster, Some(config.market())).signed_by(node_key);
        chain.client.check_program().await.hint()?;
        let content = &config.content;
        let limits = FetchLimits { deadline: content.fetch_deadline.0, ..FetchLimits::default() };
        chain.with_sources((&content.kubo, &content.gateways), limits)
    }

    /// Without a look at the program: for wallets.
    pub fn unchecked(context: &Context) -> Self {
        Self::at(context.settings.cluster.value.clone(), context.settings.market.value)
    }

    fn signed_by(self, keypair: Keypair) -> Self {
        let signer: SharedSigner = Arc::new(keypair);
        Self { client: self.client.with_signer(signer), ..self }
    }

    fn at(cluster: Cluster, market: Option<Pubkey>) -> Self {
        let config = ClientConfig { confirm_timeout: CONFIRM_TIMEOUT, ..ClientConfig::new(cluster) };
        Self { client: Client::new(config), market, _blocks: None }
    }

    /// Over a client that signs and has content already.
    #[cfg(feature = "localnet")]
    pub fn over(client: Client, market: Pubkey) -> Self {
        Self { client, market: Some(market), _blocks: None }
    }

    /// Adds the content node of the settings.
    pub fn with_content(self, context: &Context) -> CliResult<Self> {
        let settings = &context.settings;
        let kubo = std::slice::from_ref(&settings.content.value);
        // Results may be larger than job directories.
        let limits = FetchLimits { budget: Budget::RESULT, ..FetchLimits::default() };
        self.with_sources((kubo, &settings.gateways.value), limits)
    }

    /// Adds these Kubo nodes, which results are published to as well, and gateways.
    fn with_sources(self, (kubo, gateways): (&[Url], &[Url]), limits: FetchLimits) -> CliResult<Self> {
        let blocks = tempfile::tempdir().context("cannot create a temporary directory for blocks")?;
        let store = BlockStore::open_scratch(blocks.path(), StoreLimits::default())?;
        let nodes = kubo.iter().map(|url| KuboClient::new(url.clone(), CONTENT_TIMEOUT)).collect::<Result<_, _>>()?;
        let gateways = gateways.iter().cloned().map(Source::Gateway);
        let sources = kubo.iter().cloned().map(Source::Kubo).chain(gateways).collect();
        let content =
            ContentAccess { publisher: Publisher::new(nodes, 1), fetcher: Fetcher::new(store, sources, limits)? };
        Ok(Self { client: self.client.with_content(content), market: self.market, _blocks: Some(blocks) })
    }

    /// The client underneath.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where content is found.
    pub fn fetcher(&self) -> CliResult<&Fetcher> {
        let content = self.client.content();
        content.map(|content| &content.fetcher).ok_or_else(|| CliError::new("no content node is set"))
    }

    /// The address that signs and pays.
    pub fn signer(&self) -> CliResult<Pubkey> {
        self.client.signer_address().hint()
    }

    /// The chain's clock.
    pub async fn now_unix(&self) -> CliResult<i64> {
        Ok(self.client.chain_time().await.hint()?.unix)
    }

    /// All markets of this cluster.
    pub async fn markets(&self) -> CliResult<Vec<(Pubkey, Market)>> {
        let found = self.client.list_markets().await.hint()?;
        Ok(found.into_iter().map(|Keyed { address, account }| (address, account)).collect())
    }

    /// The market of the settings, or the only one of the cluster.
    pub async fn market(&self) -> CliResult<(Pubkey, Market)> {
        if let Some(address) = self.market {
            return Ok((address, self.client.market(&address).await.hint()?));
        }
        let mut markets = self.markets().await?;
        match (markets.pop(), markets.len()) {
            (Some((address, _)), 0) => Ok((address, self.client.market(&address).await.hint()?)),
            (None, _) => Err(CliError::new("there is no market on this cluster")
                .with_next("create one with `assay market create --name NAME`, or choose another --cluster")),
            (Some(_), more) => Err(CliError::usage(format!("there are {} markets on this cluster", more + 1))
                .with_next("name one with --market; `assay market list` lists them")),
        }
    }

    /// Refuses what the payer cannot pay or the program would not take, says what will happen, asks, sends.
    pub async fn carry_out(&self, context: &Context, action: &Action<'_>) -> CliResult<Sent> {
        self.ask(context, action).await?;
        self.send(context, action).await
    }

    /// Refuses what the payer cannot pay or the program would not take, says what will happen, asks. Nothing is sent.
    pub async fn ask(&self, context: &Context, action: &Action<'_>) -> CliResult {
        self.require_funds(action).await?;
        self.client.dry_run(action.instructions).await.hint()?;
        context.confirm(&action.plan)
    }

    /// Sends what was asked about.
    pub async fn send(&self, context: &Context, action: &Action<'_>) -> CliResult<Sent> {
        let _progress = Progress::start(context.output, action.doing);
        self.client.send_signed_by(action.instructions, action.signers).await.hint()
    }

    async fn require_funds(&self, action: &Action<'_>) -> CliResult {
        if action.costs.is_empty() {
            return Ok(());
        }
        let payer = self.signer()?;
        let signatures = u64::try_from(action.signers.len()).unwrap_or(u64::MAX).saturating_add(1);
        let fee = SIGNATURE_FEE_LAMPORTS.saturating_mul(signatures);
        let needed = action.costs.iter().fold(fee, |sum, (_, amount)| sum.saturating_add(*amount));
        let held = self.client.balance(&payer).await.hint()?;
        if held >= needed {
            return Ok(());
        }
        let parts = action.costs.iter().filter(|(_, amount)| *amount > 0);
        let parts: Vec<String> = parts.map(|(name, amount)| format!("{} {name}", lamports(*amount))).collect();
        let missing = lamports(needed.saturating_sub(held));
        Err(CliError::new(format!("{payer} holds {}, and {} are needed", lamports(held), lamports(needed)))
            .with_cause(format!("{} and {} transaction fee", parts.join(", "), lamports(fee)))
            .with_next(format!(
                "send {missing} to {payer} (on a local or test network: `assay wallet airdrop AMOUNT`), or choose less"
            )))
    }

    /// The providers of a market.
    pub async fn providers(&self, market: Pubkey) -> CliResult<Vec<Keyed<Provider>>> {
        self.client.list_providers(&ProviderFilter { market: Some(market), ..ProviderFilter::default() }).await.hint()
    }
}

//! Everything that is checked before the first job: sandbox, key, lock, journal, store, chain (E-19, E-26).

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use assay_content::{
    BlockStore, Budget, FetchError, FetchLimits, Fetcher, KuboClient, KuboError, Publisher, Source, StoreError,
    StoreLimits, digest_from_cid,
};
use assay_protocol::{Hash32, PROFILE_V1};
use assay_runtime::{ArtifactCache, CacheError, CacheLimits, Engine, Variant, compiled_code_identity};
use assay_sdk::{ClusterError, KeypairError, load_keypair};
use rustix::process::{Resource, Rlimit, setrlimit};
use solana_pubkey::Pubkey;
use thiserror::Error;
use tokio::time::sleep;
use url::Url;

use crate::{
    Config, InstanceLock, LockError, Options,
    backoff::Backoff,
    chain::{ChainError, ChainFacts, RpcChain, RpcSettings},
    core::JobRow,
    journal::{Journal, JournalError},
    records::Records,
    server::BindError,
    signer::Signer,
    work::{WorkSettings, Workshop, blocking},
    worker::{ChildSettings, Fences, Isolation, Manner, Work, WorkerFault, listed, probe_child},
};

/// Questions to an endpoint that does not answer at start.
const CHAIN_ATTEMPTS: usize = 6;

/// Why the bot did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// This process cannot be kept from being read or dumped.
    #[error("keep other processes out of this one's memory, which holds the node key: {0}")]
    Exposed(io::Error),
    /// No child can be started, or it cannot be confined (W-12).
    #[error(transparent)]
    Sandbox(#[from] WorkerFault),
    /// The node key cannot be used.
    #[error("load the node key (provider.node_key_path): {0}")]
    Key(#[from] KeypairError),
    /// The cluster is not one.
    #[error("use chain.cluster: {0}")]
    Cluster(#[from] ClusterError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The block store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory of compiled modules cannot be used.
    #[error(transparent)]
    Compiled(#[from] CacheError),
    /// The engine that was asked for does not work here.
    #[error("use worker.engine = \"wasmtime\" on this machine: {0}; set it to auto or wasmi")]
    Engine(String),
    /// Receipts cannot be kept.
    #[error(
        "make the directory receipts in provider.data_dir: {0}; free or repair the disk, and see that the directory is yours"
    )]
    Records(io::Error),
    /// A source of content cannot be used.
    #[error(transparent)]
    Content(#[from] FetchError),
    /// A node to publish to cannot be used.
    #[error(transparent)]
    Publish(#[from] KuboError),
    /// The chain cannot be used.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The address of the server cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The chain is not the one this bot is for.
    #[error("start on this cluster: {0}")]
    Mismatch(String),
}

impl StartError {
    /// Whether all that is wrong is that the chain does not answer.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Chain(ChainError::Rpc { .. }))
    }
}

/// Everything the loop needs.
pub(crate) struct Parts<C> {
    pub(crate) chain: C,
    pub(crate) journal: Journal,
    /// Looks from before it are ignored.
    pub(crate) seen_slot: u64,
    pub(crate) signer: Signer,
    pub(crate) workshop: Workshop,
    pub(crate) provider: Pubkey,
    pub(crate) lock: InstanceLock,
}

pub(crate) async fn prepare(config: &Config, options: Options) -> Result<Parts<RpcChain>, StartError> {
    protect_process().map_err(StartError::Exposed)?;
    report_fences(&probe(config).await?);
    let signer = signer(config)?;
    let chain = connect(config, &signer)?;
    let lock = InstanceLock::acquire(&config.provider.data_dir)?;
    let journal = Journal::open(&config.provider.data_dir)?;
    let store = store(config)?;
    let released = release_unnamed(&store, journal.rows())?;
    if released > 0 {
        tracing::info!(released, "unnamed_results_released");
    }
    let provider = config.provider_address();
    let facts = facts(&chain).await?;
    check(config, &facts, signer.address())?;
    let records = Records::new(&config.provider.data_dir, facts.cluster_tag, config.records);
    records.open().map_err(StartError::Records)?;
    let workshop = workshop(config, options, (store, records), compiled(config)?)?;
    // Whoever adopts seats believes the chain more than the journal, its slots included.
    let seen_slot = if options.adopt_unknown_seats { 0 } else { journal.seen_slot() };
    chain.see_slot(seen_slot);
    tracing::info!(
        provider = %provider,
        node_key = %signer.address(),
        program_sha256 = hex::encode(facts.program_sha256),
        jobs = journal.rows().count(),
        "executor_started"
    );
    Ok(Parts { chain, journal, seen_slot, signer, workshop, provider, lock })
}

/// From here on this process holds a key: nobody traces it, reads its memory or finds it in a core dump.
fn protect_process() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Starts one child, to know before the first job that there can be one and which fences it has.
pub(crate) async fn probe(config: &Config) -> Result<Fences, StartError> {
    let (settings, work) = (child(config), Work::Run(manner(config)));
    Ok(blocking(move || probe_child(work, &settings)).await?)
}

fn report_fences(fences: &Fences) {
    let required = listed(fences.missing_for(Isolation::Required));
    if !required.is_empty() {
        tracing::warn!(missing = required, "guests_not_isolated");
    }
    // Whatever these hold the required ones hold as well.
    let missing = listed(fences.missing().filter(|missing| !missing.fence.is_required()));
    tracing::info!(missing, "sandbox_checked");
}

/// The hot key, which has to be nobody else's to read.
pub(crate) fn signer(config: &Config) -> Result<Signer, StartError> {
    Ok(Signer::new(load_keypair(&config.provider.node_key_path)?, config.provider_address()))
}

/// The chain, not asked anything yet.
pub(crate) fn connect(config: &Config, signer: &Signer) -> Result<RpcChain, StartError> {
    Ok(RpcChain::new(RpcSettings {
        cluster: config.cluster()?,
        others: config.chain.other_rpc_urls.clone(),
        market: config.market(),
        provider: config.provider_address(),
        authority: config.provider.authority.0,
        node_key: signer.address(),
        request_timeout: config.chain.request_timeout.0,
    }))
}

fn child(config: &Config) -> ChildSettings {
    ChildSettings {
        program: None,
        fork_server: cfg!(target_os = "linux").then(Arc::default),
        deadline: config.worker.prepare_deadline.0,
        memory_bytes: config.worker.memory_max.map(|size| size.0),
        isolation: config.worker.isolation,
        compiled: None,
        yields: false,
    }
}

/// The quickest way in this engine: METERING, 11.
fn manner(config: &Config) -> Manner {
    Manner { engine: config.worker.engine.0, variant: Variant::Fast }
}

/// A run that the reference makes so many times a second takes about as long as starting a child for it.
const RUNS_AHEAD_PER_SECOND: u64 = 100;

/// Whoever wants everything compiled has nothing run by the reference.
fn ahead_gas_max(config: &Config) -> u64 {
    match config.worker.engine.0 {
        Engine::Wasmi | Engine::Auto => config.worker.gas_per_second / RUNS_AHEAD_PER_SECOND,
        Engine::Wasmtime | Engine::Unlike(_) => 0,
    }
}

/// A supervisor starts services in any order: an endpoint that is not up yet gets some seconds.
async fn facts(chain: &RpcChain) -> Result<ChainFacts, ChainError> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(4));
    for _ in 1..CHAIN_ATTEMPTS {
        match chain.facts().await {
            Err(error @ ChainError::Rpc { .. }) => {
                tracing::warn!(%error, "chain_not_seen");
                sleep(backoff.next_pause()).await;
            }
            other => return other,
        }
    }
    chain.facts().await
}

/// Whether the chain is the one that this bot is for.
pub(crate) fn check(config: &Config, facts: &ChainFacts, node_key: Pubkey) -> Result<(), StartError> {
    let ensure = |holds: bool, message: String| if holds { Ok(()) } else { Err(StartError::Mismatch(message)) };
    let market = config.market();
    ensure(
        facts.market_cluster_tag == facts.cluster_tag,
        format!("market {market} was made for another cluster; check chain.cluster and provider.market"),
    )?;
    ensure(
        facts.market_profiles & 1 == 1,
        format!("market {market} does not allow profile {PROFILE_V1}, the one this version runs; update the executor"),
    )?;
    ensure(
        facts.node_key == node_key,
        format!(
            "the provider names {} as its node key and provider.node_key_path holds {node_key}; give the right file \
             or rotate the key with `assay provider`",
            facts.node_key
        ),
    )?;
    let wanted = config.chain.program_sha256;
    ensure(
        wanted.is_none_or(|wanted| wanted.0 == facts.program_sha256),
        format!(
            "the program's executable has SHA-256 {} and chain.program_sha256 wants another; update the executor or \
             correct the setting",
            hex::encode(facts.program_sha256)
        ),
    )
}

/// Unpins results that no row names: a package is pinned before its outcome is journaled, and a crash between the two
/// would keep its room for good.
fn release_unnamed<'a>(store: &BlockStore, rows: impl Iterator<Item = &'a JobRow>) -> Result<usize, StoreError> {
    let named: HashSet<Hash32> = rows.filter_map(JobRow::result_digest).collect();
    let mut released = 0;
    for root in store.pins()? {
        if digest_from_cid(&root).is_ok_and(|digest| !named.contains(&digest)) {
            store.unpin(&root)?;
            released += 1;
        }
    }
    Ok(released)
}

/// Name of the block store in the data directory.
pub(crate) const STORE_DIRECTORY: &str = "blocks";

pub(crate) fn store(config: &Config) -> Result<BlockStore, StartError> {
    let limits = StoreLimits { quota_bytes: config.content.disk_quota.0 };
    Ok(BlockStore::open(&config.provider.data_dir.join(STORE_DIRECTORY), limits)?)
}

/// Name of the compiled modules' directory in the data directory.
pub(crate) const COMPILED_DIRECTORY: &str = "compiled";
/// Compiled modules in memory besides, bytes.
const COMPILED_MEMORY_BYTES: u64 = 256 << 20;

/// Where compiled code is kept; `None` where there is none to keep.
pub(crate) fn compiled(config: &Config) -> Result<Option<Arc<ArtifactCache>>, StartError> {
    let (engine, quota) = (config.worker.engine.0, config.worker.compiled_quota.0);
    if engine == Engine::Wasmtime {
        compiled_code_identity().map_err(|fault| StartError::Engine(fault.to_string()))?;
    }
    if !engine.may_compile() || quota == 0 {
        return Ok(None);
    }
    let limits = CacheLimits { memory_bytes: quota.min(COMPILED_MEMORY_BYTES), disk_bytes: quota };
    let directory = config.provider.data_dir.join(COMPILED_DIRECTORY);
    Ok(Some(Arc::new(ArtifactCache::open(Some(&directory), limits)?)))
}

pub(crate) fn workshop(
    config: &Config,
    options: Options,
    (store, records): (BlockStore, Records),
    compiled: Option<Arc<ArtifactCache>>,
) -> Result<Workshop, StartError> {
    let content = &config.content;
    let kubo = content.kubo.iter().cloned().map(Source::Kubo);
    let sources: Vec<Source> = kubo.chain(content.gateways.iter().cloned().map(Source::Gateway)).collect();
    let limits = FetchLimits { budget: Budget::PROFILE, deadline: content.fetch_deadline.0, ..FetchLimits::default() };
    let fetcher = Fetcher::new(store.clone(), sources, limits)?;
    let nodes = if content.publish.is_empty() { &content.kubo } else { &content.publish };
    let connect = |url: Url| KuboClient::new(url, content.publish_deadline.0);
    let nodes: Vec<KuboClient> = nodes.iter().cloned().map(connect).collect::<Result<_, _>>()?;
    let keep = options.keep_on_failure || content.keep_on_failure;
    let settings = WorkSettings {
        fetch_deadline: content.fetch_deadline.0,
        publish_deadline: content.publish_deadline.0,
        child: ChildSettings { compiled, ..child(config) },
        manner: manner(config),
        ahead_gas_max: ahead_gas_max(config),
        keep_failed_in: keep.then(|| config.provider.data_dir.join("failed")),
    };
    let publisher = Publisher::new(nodes, content.pins_min);
    Ok(Workshop::new(store, (fetcher, publisher), records, settings))
}

#[cfg(test)]
mod tests {
    use assay_content::{Entry, pack_entries};
    use assay_protocol::{Outcome, OutcomeKind};

    use super::*;
    use crate::core::JobUid;

    #[test]
    fn e_27_a_process_that_holds_the_key_cannot_be_read_or_dumped() {
        protect_process().expect("protected");
        assert_eq!(rustix::process::getrlimit(Resource::Core).maximum, Some(0));
        #[cfg(target_os = "linux")]
        assert_eq!(
            rustix::process::dumpable_behavior().expect("known"),
            rustix::process::DumpableBehavior::NotDumpable
        );
    }

    #[test]
    fn results_that_no_row_names_are_released() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = BlockStore::open(dir.path(), StoreLimits { quota_bytes: 1 << 20 }).expect("opened");
        let packages = [&b"named"[..], b"unnamed"]
            .map(|text| pack_entries([Entry::file("stdout.txt", text.to_vec())]).expect("packed"));
        for package in &packages {
            store.put_package(package).expect("stored");
        }
        let mut row = JobRow::new(JobUid([1; 32]), Pubkey::default(), 1);
        let outcome = Outcome {
            kind: OutcomeKind::OutOfGas,
            gas_used: 7,
            result_cid_digest: digest_from_cid(&packages[0].root).expect("canonical"),
            ..Outcome::invalid(assay_protocol::InvalidReason::ModuleInvalid)
        };
        row.outcome = Some(outcome.encode());
        assert_eq!(release_unnamed(&store, [&row].into_iter()).expect("released"), 1);
        assert_eq!(store.pins().expect("read"), [packages[0].root]);
    }
}

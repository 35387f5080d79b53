//! One TOML file; `ASSAY__SECTION__KEY` overrides a key; unknown keys are refused; listeners are on loopback by
//! default; secrets are named by file path and their mode is checked when they are read.

mod load;
mod units;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use assay_protocol::{Hash32, limits::BPS_ONE};
use assay_runtime::Engine;
use assay_sdk::{Cluster, ClusterError, FeeLadder};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use url::Url;

use crate::worker::Isolation;

pub use load::{ConfigError, check, load, resolved};
pub use units::{Address, Digest, EngineName, Size, Span};

/// Everything the bot can be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who and where.
    pub provider: ProviderConfig,
    /// The chain.
    #[serde(default)]
    pub chain: ChainConfig,
    /// Job directories and results.
    #[serde(default)]
    pub content: ContentConfig,
    /// Which jobs are taken.
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Which results of others are watched, and what contesting wrong ones may cost.
    #[serde(default)]
    pub watch: WatchConfig,
    /// The sandbox child.
    #[serde(default)]
    pub worker: WorkerConfig,
    /// Bounds, margins, attempts.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Receipts, and lines about runs.
    #[serde(default)]
    pub records: RecordsConfig,
    /// Metrics, health and receipts.
    #[serde(default)]
    pub server: ServerConfig,
}

/// Who and where.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Address of the Market account.
    pub market: Address,
    /// Address of the provider's cold key; the key itself is not needed here.
    pub authority: Address,
    /// Keypair file of the hot key, mode 600.
    pub node_key_path: PathBuf,
    /// Journal, blocks, lock. Belongs to one instance.
    pub data_dir: PathBuf,
}

/// The chain.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// Name (`localnet`, `devnet`, ...) or JSON-RPC URL.
    pub cluster: String,
    /// WebSocket URL, where it does not follow from the cluster.
    pub ws_url: Option<Url>,
    /// Further JSON-RPC endpoints of the same cluster. They are asked when the first does not answer; no seat is taken that
    /// none of them confirms, and nothing is concluded about a held one that they contradict.
    pub other_rpc_urls: Vec<Url>,
    /// Time between two looks at the chain when nothing hints at news.
    pub poll_interval: Span,
    /// Time between two looks at a transaction that was sent. Where the endpoint tells of slots, there is one in each instead, and
    /// after `resend_interval` at the latest, until it is processed.
    pub confirm_interval: Span,
    /// Time after which an unconfirmed transaction's bytes are sent again, and between two looks at one that is sent no more.
    pub resend_interval: Span,
    /// Longest time for one RPC request.
    pub request_timeout: Span,
    /// Subscribe to account changes, as a hint to look sooner.
    pub subscribe: bool,
    /// Price per compute unit, micro-lamports. Zero adds no instruction.
    pub priority_fee_micro_lamports: u64,
    /// Highest price, up to which it rises in steps while transactions do not land, but to no more than they are worth;
    /// the same as `priority_fee_micro_lamports`: it never rises.
    pub priority_fee_max_micro_lamports: u64,
    /// Time after which a submission that has not landed is outbid by a dearer one; the first one may land still.
    pub fee_bump_interval: Span,
    /// How often at most; zero waits until the first one is certain never to land, which takes a minute or more.
    pub fee_bumps_max: u8,
    /// SHA-256 of the program's executable data, hex. Set, any other program is refused.
    pub program_sha256: Option<Digest>,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            cluster: "localnet".into(),
            ws_url: None,
            other_rpc_urls: Vec::new(),
            poll_interval: Span(Duration::from_secs(2)),
            confirm_interval: Span(Duration::from_millis(100)),
            resend_interval: Span(Duration::from_secs(2)),
            request_timeout: Span(Duration::from_secs(10)),
            subscribe: true,
            priority_fee_micro_lamports: FeeLadder::DEFAULT.first_micro_lamports,
            priority_fee_max_micro_lamports: FeeLadder::DEFAULT.max_micro_lamports,
            fee_bump_interval: Span(Duration::from_secs(10)),
            fee_bumps_max: 3,
            program_sha256: None,
        }
    }
}

impl ChainConfig {
    /// What is offered for a compute unit.
    #[must_use]
    pub const fn fees(&self) -> FeeLadder {
        FeeLadder {
            first_micro_lamports: self.priority_fee_micro_lamports,
            max_micro_lamports: self.priority_fee_max_micro_lamports,
        }
    }
}

/// Job directories and results.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContentConfig {
    /// Kubo RPC endpoints to fetch from.
    pub kubo: Vec<Url>,
    /// Trustless gateways to fetch from.
    pub gateways: Vec<Url>,
    /// Kubo RPC endpoints that results are published to; empty means `kubo`.
    pub publish: Vec<Url>,
    /// Least number of them that must pin a result.
    pub pins_min: usize,
    /// Longest time for one fetch of a job directory.
    pub fetch_deadline: Span,
    /// Longest time for publishing a result once.
    pub publish_deadline: Span,
    /// Most bytes of blocks on disk; what is not pinned goes first.
    pub disk_quota: Size,
    /// Keep a job's content when it failed here.
    pub keep_on_failure: bool,
}

impl Default for ContentConfig {
    fn default() -> Self {
        let local = Url::parse("http://127.0.0.1:5001").expect("a loopback URL with a port is a URL");
        Self {
            kubo: vec![local],
            gateways: Vec::new(),
            publish: Vec::new(),
            pins_min: 1,
            fetch_deadline: Span(Duration::from_secs(60)),
            publish_deadline: Span(Duration::from_secs(60)),
            disk_quota: Size(4 << 30),
            keep_on_failure: false,
        }
    }
}

/// Which jobs are taken.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Least price, lamports per 10^12 gas.
    pub price_min: u64,
    /// Least base fee, lamports. The default is what the transactions of a job cost, so that no job is a loss.
    pub base_fee_min_lamports: u64,
    /// Highest gas limit.
    pub gas_limit_max: u64,
    /// Most linear memory.
    pub memory_max: Size,
    /// Only these posters; empty means everybody.
    pub posters_allowed: Vec<Address>,
    /// Never these posters.
    pub posters_denied: Vec<Address>,
    /// Only these metered modules (hex); empty means all.
    pub modules_allowed: Vec<Digest>,
    /// Never these metered modules.
    pub modules_denied: Vec<Digest>,
    /// Take a task that is Invalid, for its base fee: its poster learns why at once.
    pub accept_invalid: bool,
    /// Take a seat among several where what they agree on is final at once: who is right in the minority loses its bond
    /// and cannot dispute it.
    pub accept_without_appeal: bool,
    /// Submit a result that could not be published, rather than give the seat back.
    pub submit_unpublished: bool,
    /// Below this balance of the node key nothing is accepted, lamports.
    pub balance_min_lamports: u64,
    /// Earnings are claimed from this amount on, lamports.
    pub claim_min_lamports: u64,
    /// Finalize, settle, close and claim own jobs.
    pub crank: bool,
    /// Vote in juries while this provider is on duty (`assay provider duty on`, which the cold key signs). Off while it is on duty,
    /// every jury that it is drawn into and misses may cost its duty lock.
    pub duty: bool,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            price_min: 0,
            base_fee_min_lamports: assay_sdk::job_spec::BASE_FEE_LAMPORTS_DEFAULT,
            gas_limit_max: 1_000_000_000_000,
            memory_max: Size(assay_protocol::limits::MEMORY_BYTES_MAX),
            posters_allowed: Vec::new(),
            posters_denied: Vec::new(),
            modules_allowed: Vec::new(),
            modules_denied: Vec::new(),
            accept_invalid: true,
            accept_without_appeal: false,
            submit_unpublished: false,
            balance_min_lamports: 10_000_000,
            claim_min_lamports: 1,
            crank: true,
            duty: true,
        }
    }
}

/// Which results of others are watched, and what contesting wrong ones may cost. Days are those of the chain's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// How many of the results of others that stand and may be disputed are run again, 0..=10,000 basis points; zero watches
    /// none. Which ones, nobody else can tell.
    pub sample_rate_bps: u16,
    /// Most gas run for that in a day. A job counts with its gas limit.
    pub gas_per_day: u64,
    /// Most bonds of challenges and appeals in a day, lamports, those for own seats included; they are paid by the node key. A
    /// bond comes back, with a reward, when the jury finds what this provider found; else it is lost.
    pub bonds_per_day_lamports: u64,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { sample_rate_bps: 0, gas_per_day: 1_000_000_000_000, bonds_per_day_lamports: 1_000_000_000 }
    }
}

/// The sandbox child.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Wall clock of validating and metering one module, and of a run that is made meanwhile. That of any other run is the
    /// job's own: its seat has to be given back [`LimitsConfig::decline_margin`] before its execution deadline, and what a
    /// host is too slow for is kept out by [`PolicyConfig::gas_limit_max`].
    pub prepare_deadline: Span,
    /// Which engine runs guests: `wasmi` (the reference, an interpreter), `wasmtime` (a compiler), or `auto`, which
    /// compiles what is worth it and lets the reference run the rest. The results are the same.
    pub engine: EngineName,
    /// Most bytes of compiled modules on disk; what was used longest ago goes first. Zero keeps none.
    pub compiled_quota: Size,
    /// Most memory of a child; absent: computed from the job's limits.
    pub memory_max: Option<Size>,
    /// Children that run guests at once, beside preparations that run small ones.
    pub runs_max: usize,
    /// Preparations at once. What the reference runs in 10 ms at most, by its gas limit, is run with its preparation, in one child,
    /// unless the engine is `wasmtime`; a result of more than 64 KiB is not kept, and such a task is run again.
    pub preparations_max: usize,
    /// Without which fences of the sandbox child the bot does not start and runs no guest: `full`, every one; `required`,
    /// those that every Linux process can put up; `none` goes on without any.
    pub isolation: Isolation,
    /// Gas that the reference burns in a second here, to tell whether a job that has to wait for others would be in
    /// time, and which runs are so small that they are made with the preparation. A run is counted as two, and with what
    /// setting up and compiling take.
    pub gas_per_second: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            prepare_deadline: Span(Duration::from_secs(15)),
            engine: EngineName(Engine::Auto),
            compiled_quota: Size(2 << 30),
            memory_max: None,
            runs_max: 2,
            preparations_max: 4,
            isolation: Isolation::Full,
            gas_per_second: 250_000_000,
        }
    }
}

/// Bounds, margins, attempts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Most jobs known at once.
    pub jobs_tracked_max: usize,
    /// Most jobs accepted and not yet submitted.
    pub jobs_active_max: usize,
    /// Preparations of one job before it is left alone.
    pub prepare_attempts_max: u8,
    /// Runs of one job before its seat is given back.
    pub run_attempts_max: u8,
    /// Failed transactions of one kind before a human is told.
    pub tx_failures_max: u8,
    /// A job whose queue closes sooner is not accepted.
    pub accept_margin: Span,
    /// Time before the execution deadline at which the seat is given back instead.
    pub decline_margin: Span,
    /// Longest time to finish what is owed after the first SIGTERM.
    pub drain_deadline: Span,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            jobs_tracked_max: 1_024,
            jobs_active_max: 8,
            prepare_attempts_max: 4,
            run_attempts_max: 3,
            tx_failures_max: 5,
            accept_margin: Span(Duration::from_secs(2)),
            decline_margin: Span(Duration::from_secs(5)),
            drain_deadline: Span(Duration::from_secs(60)),
        }
    }
}

/// Receipts, and lines about runs: how long, and how much of them is kept. What is oldest goes first; it is looked at at
/// the start, hourly, and after every 256 receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsConfig {
    /// Longest time that anything is kept.
    pub age_max: Span,
    /// Most receipts.
    pub receipts_max: usize,
    /// Most bytes of receipts.
    pub receipts_quota: Size,
    /// Most bytes of lines about runs.
    pub executions_quota: Size,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        Self {
            age_max: Span(Duration::from_secs(365 * 86_400)),
            receipts_max: 65_536,
            receipts_quota: Size(128 << 20),
            executions_quota: Size(32 << 20),
        }
    }
}

/// Metrics, health and receipts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Where `/metrics`, `/healthz` and `/receipts` listen; absent: nowhere. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// Allow an address other than loopback; opens all three.
    pub public: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9_464))), public: false }
    }
}

impl Config {
    /// A configuration with defaults for all but who and where.
    #[must_use]
    pub fn new(provider: ProviderConfig) -> Self {
        Self {
            provider,
            chain: ChainConfig::default(),
            content: ContentConfig::default(),
            policy: PolicyConfig::default(),
            watch: WatchConfig::default(),
            worker: WorkerConfig::default(),
            limits: LimitsConfig::default(),
            records: RecordsConfig::default(),
            server: ServerConfig::default(),
        }
    }

    /// What the core decides by. `secret` is 32 random bytes of this start.
    #[must_use]
    pub fn settings(&self, options: &crate::Options, node_key: Pubkey, secret: Hash32) -> crate::core::Settings {
        let (policy, worker, limits) = (&self.policy, &self.worker, &self.limits);
        let keys = |list: &[Address]| list.iter().map(|address| address.0).collect();
        let digests = |list: &[Digest]| list.iter().map(|digest| digest.0).collect();
        crate::core::Settings {
            provider: self.provider_address(),
            node_key,
            watch: crate::core::Watch {
                sample: (u64::from(self.watch.sample_rate_bps) << 32) / u64::from(BPS_ONE),
                gas_per_day: self.watch.gas_per_day,
                bonds_per_day_lamports: self.watch.bonds_per_day_lamports,
                duty: policy.duty,
                secret,
            },
            policy: crate::core::Policy {
                price_min: policy.price_min,
                base_fee_min_lamports: policy.base_fee_min_lamports,
                gas_limit_max: policy.gas_limit_max,
                memory_max_bytes: policy.memory_max.0,
                posters_allowed: keys(&policy.posters_allowed),
                posters_denied: keys(&policy.posters_denied),
                modules_allowed: digests(&policy.modules_allowed),
                modules_denied: digests(&policy.modules_denied),
                accept_invalid: policy.accept_invalid,
                accept_without_appeal: policy.accept_without_appeal,
            },
            jobs_tracked_max: limits.jobs_tracked_max,
            jobs_active_max: limits.jobs_active_max,
            preparations_max: worker.preparations_max,
            runs_max: worker.runs_max,
            gas_per_second: worker.gas_per_second,
            engine: worker.engine.0,
            prepare_attempts_max: limits.prepare_attempts_max,
            run_attempts_max: limits.run_attempts_max,
            tx_failures_max: limits.tx_failures_max,
            fees: self.chain.fees(),
            fee_bump_ms: u64::try_from(self.chain.fee_bump_interval.0.as_millis()).unwrap_or(u64::MAX),
            fee_bumps_max: self.chain.fee_bumps_max,
            accept_margin_s: limits.accept_margin.whole_s(),
            decline_margin_s: limits.decline_margin.whole_s(),
            submit_unpublished: policy.submit_unpublished,
            balance_min_lamports: policy.balance_min_lamports,
            claim_min_lamports: policy.claim_min_lamports,
            crank: policy.crank,
            adopt_unknown_seats: options.adopt_unknown_seats,
        }
    }

    /// Address of the Provider account.
    #[must_use]
    pub fn provider_address(&self) -> Pubkey {
        assay_sdk::pda::provider_address(&self.market(), &self.provider.authority.0)
    }

    /// The chain's endpoints.
    ///
    /// # Errors
    /// [`ClusterError`] when `chain.cluster` names none.
    pub fn cluster(&self) -> Result<Cluster, ClusterError> {
        let cluster: Cluster = self.chain.cluster.parse()?;
        Ok(match &self.chain.ws_url {
            Some(ws_url) => cluster.with_ws_url(ws_url.clone()),
            None => cluster,
        })
    }

    /// Address of the market.
    #[must_use]
    pub fn market(&self) -> Pubkey {
        self.provider.market.0
    }
}

/// The least that a file has to say, for tests of what else it may.
#[cfg(test)]
pub(crate) const MINIMAL: &str = r#"
    [provider]
    market = "11111111111111111111111111111111"
    authority = "11111111111111111111111111111111"
    node_key_path = "node.json"
    data_dir = "data"
"#;

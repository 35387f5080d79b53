//! A network in this process whose clock can be moved, for what takes longer than a test: disputes, maturing stake.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use assay_content::{BlockStore, ContentNode, NodeConfig, StoreLimits};
use assay_localnet::{Network, NetworkConfig};
use assay_protocol::{Outcome, OutcomeKind};
use assay_sdk::{
    Client, ClientError, JobHandle, Pubkey,
    crank::Disputed,
    instructions::{self, AcceptJob, Duty, ProviderAuthority, Seat},
    program::{
        DisputeStage,
        accounts::{Job, Provider},
    },
};
use serde_json::Value;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    assay, home,
    network::{job_directory, json, refused},
};

/// Longest wait for a dispute to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a liar submits.
pub const WRONG: Outcome = Outcome {
    kind: OutcomeKind::Exited,
    detail: 0,
    exit_code: 0,
    gas_used: 7,
    result_cid_digest: [7; 32],
    state_root: [0; 32],
};

/// A network without a bot.
pub struct Court {
    runtime: Runtime,
    network: Option<Network>,
    pub home: TempDir,
}

impl Court {
    /// With this many registered providers, whose stake is enrolled.
    pub fn start(providers: usize) -> Self {
        Self::start_with(providers, |config| config)
    }

    pub fn start_with(providers: usize, change: impl FnOnce(NetworkConfig) -> NetworkConfig) -> Self {
        let (runtime, home) = (Runtime::new().unwrap(), home());
        let config = NetworkConfig {
            providers,
            // Nothing ends by itself while a command is typed.
            challenge_s: 600,
            execution_s: 100,
            reveal_s: 300,
            ..NetworkConfig::for_tests(home.path().join("net"))
        };
        let network = runtime.block_on(Network::start(change(config))).unwrap();
        Self { runtime, network: Some(network), home }
    }

    pub fn stop(mut self) {
        self.runtime.block_on(self.network.take().unwrap().shutdown()).unwrap();
    }

    fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn client(&self) -> &Client {
        self.network().client()
    }

    pub fn content_url(&self) -> String {
        self.network().info().content_url.to_string()
    }

    /// A content node that has nothing.
    pub fn empty_node(&self) -> ContentNode {
        let store = BlockStore::open(&self.home.path().join("empty"), StoreLimits::default()).unwrap();
        self.run(ContentNode::start(NodeConfig::loopback(store))).unwrap()
    }

    pub fn market(&self) -> Pubkey {
        self.network().market()
    }

    pub fn rpc_url(&self) -> &url::Url {
        &self.network().info().rpc_url
    }

    pub fn now_unix(&self) -> i64 {
        self.run(self.client().chain_time()).unwrap().unix
    }

    /// Moves the chain's clock to this moment, or leaves it if that has come.
    pub fn travel_to(&self, unix: i64) {
        if self.now_unix() < unix {
            self.run(self.network().ledger().travel_to(unix)).unwrap();
        }
    }

    /// Keypair files of a provider: cold and hot.
    pub fn keys(&self, provider: usize) -> (PathBuf, PathBuf) {
        let info = &self.network().info().providers[provider];
        (info.authority_keypair.clone(), info.node_keypair.clone())
    }

    pub fn address(&self, provider: usize) -> Pubkey {
        self.network().info().providers[provider].address.parse().unwrap()
    }

    pub fn provider(&self, provider: usize) -> Provider {
        self.run(self.client().fetch(&self.address(provider))).unwrap()
    }

    /// `assay` with this keypair.
    pub fn assay(&self, keypair: &Path) -> assert_cmd::Command {
        let info = self.network().info();
        let mut command = assay(self.home.path());
        command
            .env("ASSAY_CLUSTER", info.rpc_url.as_str())
            .env("ASSAY_WS_URL", info.ws_url.as_str())
            .env("ASSAY_CONTENT", info.content_url.as_str())
            .env("ASSAY_KEYPAIR", keypair);
        command
    }

    /// `assay` as the funded poster.
    pub fn poster(&self) -> assert_cmd::Command {
        self.assay(&self.network().info().poster_keypair)
    }

    /// A wallet with 10 SOL.
    pub fn wallet(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        let keypair = Keypair::new();
        assay_sdk::save_keypair(&path, &keypair).unwrap();
        self.run(self.network().ledger().airdrop(&keypair.pubkey(), 10_000_000_000)).unwrap();
        path
    }

    pub fn balance(&self, keypair: &Path) -> u64 {
        self.run(self.client().balance(&key(keypair).pubkey())).unwrap()
    }

    /// Sends by the SDK what no command does.
    pub fn send(&self, keypair: &Path, instructions: &[Instruction]) {
        let client = self.client().clone().with_signer(Arc::new(key(keypair)));
        self.run(client.send(instructions)).unwrap();
    }

    /// As [`Self::send`], of what the program may not take yet.
    pub fn is_taken(&self, keypair: &Path, instructions: &[Instruction]) -> bool {
        let client = self.client().clone().with_signer(Arc::new(key(keypair)));
        self.run(client.send(instructions)).is_ok()
    }

    pub fn set_on_duty(&self, provider: usize) {
        let (cold, _) = self.keys(provider);
        let seat = ProviderAuthority { authority: key(&cold).pubkey(), market: self.market() };
        self.send(&cold, &[instructions::set_duty(&seat, Duty::Begin)]);
    }

    /// The directory that a provider's bot would run in, as `assay provider init` writes it around its hot key.
    pub fn bot_directory(&self, provider: usize) -> PathBuf {
        let dir = self.home.path().join(format!("bot-{provider}"));
        if !dir.exists() {
            let (cold, hot) = self.keys(provider);
            std::fs::create_dir(&dir).unwrap();
            let copy = dir.join("node.json");
            std::fs::copy(hot, &copy).unwrap();
            std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).unwrap();
            json(&mut self.assay(&cold), &["provider", "init", "--dir", dir.to_str().unwrap()]);
        }
        dir
    }

    /// Posts the job that prints "hello" and exits with 3; its address.
    pub fn post(&self, more: &[&str]) -> String {
        let dir = job_directory(self.home.path());
        let arguments = [&["job", "submit", dir.to_str().unwrap(), "--yes"], more].concat();
        json(&mut self.poster(), &arguments)["job"].as_str().unwrap().to_owned()
    }

    pub fn handle(&self, job: &str) -> JobHandle {
        JobHandle::new(self.client().clone(), job.parse().unwrap())
    }

    pub fn seat(&self, job: &str, provider: usize) -> Seat {
        let (_, hot) = self.keys(provider);
        Seat { job: job.parse().unwrap(), provider: self.address(provider), node_key: key(&hot).pubkey() }
    }

    /// A provider takes the only seat.
    pub fn accept(&self, job: &str, provider: usize) {
        let account: Job = self.run(self.client().fetch(&job.parse().unwrap())).unwrap();
        let seat = self.seat(job, provider);
        let accept = AcceptJob { seat, market: self.market(), job_uid: account.job_uid, ticket: 0 };
        self.send(&self.keys(provider).1, &[instructions::accept_job(&accept)]);
    }

    /// A provider takes the only seat and answers with this.
    pub fn answer(&self, job: &str, provider: usize, outcome: &Outcome) {
        self.accept(job, provider);
        self.submit(job, provider, outcome);
    }

    /// A provider that has the only seat answers with this.
    pub fn submit(&self, job: &str, provider: usize, outcome: &Outcome) {
        let submit = instructions::submit_results(&self.seat(job, provider), outcome);
        self.send(&self.keys(provider).1, &[submit]);
    }

    pub fn disputed(&self, job: &str) -> Option<Disputed> {
        match self.run(self.handle(job).disputed()) {
            // Closed, with its job, between two requests: somebody follows it to its end.
            Err(ClientError::NotFound { .. }) => None,
            found => found.unwrap(),
        }
    }

    /// `assay dispute vote` of a provider; `None` when no ticket of it is in the jury.
    pub fn vote(&self, job: &str, provider: usize, more: &[&str]) -> Option<Value> {
        let config = self.bot_directory(provider).join("provider.toml");
        let arguments = [&["dispute", "vote", job, "--yes", "--config", config.to_str().unwrap()], more].concat();
        let (code, said) = refused(&mut self.poster(), &arguments);
        if code == Some(0) {
            return Some(said);
        }
        let causes = said["causes"].to_string();
        assert!(code == Some(1) && causes.contains("is in the jury of round"), "{said}");
        None
    }

    /// `assay dispute vote` of a provider whose bot has this content node, whatever the settings of whoever types it say.
    pub fn try_vote(&self, job: &str, (provider, kubo): (usize, &str), more: &[&str]) -> (Option<i32>, Value) {
        let config = self.bot_directory(provider).join("provider.toml");
        let arguments = [&["dispute", "vote", job, "--yes", "--config", config.to_str().unwrap()], more].concat();
        let mut command = self.poster();
        command.env("ASSAY_CLUSTER", "http://127.0.0.1:1").env("ASSAY_CONTENT", "http://127.0.0.1:1");
        refused(command.env("ASSAY__CONTENT__KUBO", format!("[\"{kubo}\"]")), &arguments)
    }

    /// Moves the clock over what is waited for and lets `act` do what a stage asks for, until the dispute is closed.
    pub fn drive(&self, job: &str, mut act: impl FnMut(&Disputed, DisputeStage)) {
        self.drive_until(job, |disputed, stage| {
            act(disputed, stage);
            false
        });
    }

    /// As [`Self::drive`], until `act` says that it is far enough.
    pub fn drive_until(&self, job: &str, mut act: impl FnMut(&Disputed, DisputeStage) -> bool) {
        let end = Instant::now() + PATIENCE;
        while let Some(disputed) = self.disputed(job) {
            assert!(Instant::now() < end, "the dispute goes on: {:?}", disputed.dispute.account);
            let dispute = &disputed.dispute.account;
            let now_unix = self.now_unix();
            let stage = dispute.stage(now_unix).unwrap();
            if act(&disputed, stage) {
                return;
            }
            if let Some(until_unix) = dispute.stage_until_unix(now_unix) {
                self.travel_to(until_unix);
            }
        }
    }
}

/// The key in a file.
pub fn key(path: &Path) -> Keypair {
    assay_sdk::load_keypair(path).unwrap()
}

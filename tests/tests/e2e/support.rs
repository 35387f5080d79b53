//! A network, providers with their processes, and waiting for what the chain says, always with a deadline.

use std::{
    collections::BTreeSet,
    future::Future,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anchor_lang::Discriminator;
use assay_executor::{
    Config,
    config::{Address, ProviderConfig, Span},
    worker::Isolation,
};
use assay_localnet::{Network, NetworkConfig, ProviderInfo};
use assay_protocol::JobStatus;
use assay_sdk::{
    Client, Event, EventRecord, JobHandle, Pubkey, Receipt, ReceiptSignature,
    program::{
        accounts::{Job, Provider},
        client::args::SubmitResults,
    },
};
use rustix::process::{Pid, Signal, kill_process};
use solana_keypair::Keypair;
use solana_signer::Signer;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, interval, timeout},
};
use url::Url;

/// Longest wait for anything; what is waited for takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often the chain is asked.
const LOOK: Duration = Duration::from_millis(50);
/// Given to each extra poster, 10 SOL in lamports.
const POSTER_LAMPORTS: u64 = 10_000_000_000;

/// The executor as it is released.
pub const EXECUTOR: &str = env!("CARGO_BIN_EXE_executor_plain");
/// The executor with its crash points.
pub const EXECUTOR_WITH_FAULTS: &str = env!("CARGO_BIN_EXE_executor_with_faults");

/// A network and the directory it lives in.
pub struct Net {
    /// The network.
    pub network: Network,
    directory: TempDir,
}

impl Net {
    /// Starts a network with this many registered providers and no process.
    pub async fn start(providers: usize) -> Self {
        Self::start_with(providers, |config| config).await
    }

    /// As [`Self::start`], with what this makes of the configuration.
    pub async fn start_with(providers: usize, change: impl FnOnce(NetworkConfig) -> NetworkConfig) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = NetworkConfig { providers, ..NetworkConfig::for_tests(directory.path().join("net")) };
        let config = change(config);
        let network = Network::start(config).await.expect("the network starts");
        Self { network, directory }
    }

    /// Stops the network.
    pub async fn stop(self) {
        self.network.shutdown().await.expect("the network stops");
    }

    /// The files of a provider's process, with this number from 0.
    pub fn executor(&self, number: usize) -> Executor {
        let info = self.network.info();
        let provider = info.providers[number].clone();
        let authority = assay_sdk::load_keypair(&provider.authority_keypair).expect("a keypair").pubkey();
        let home = self.directory.path().join(format!("executor-{number}"));
        std::fs::create_dir_all(&home).expect("a directory");
        let mut config = Config::new(ProviderConfig {
            market: Address(self.network.market()),
            authority: Address(authority),
            node_key_path: provider.node_keypair.clone(),
            data_dir: home.join("data"),
        });
        config.chain.cluster = info.rpc_url.to_string();
        config.chain.ws_url = Some(info.ws_url.clone());
        config.chain.poll_interval = Span(Duration::from_millis(300));
        // Under load nothing is outbid but where a test wants it: how often something is signed is what some count.
        config.chain.fee_bumps_max = 0;
        // Kernels and containers differ in what they allow beyond that.
        config.worker.isolation = Isolation::Required;
        config.content.kubo = vec![info.content_url.clone()];
        config.content.gateways = vec![info.gateway_url.clone()];
        config.server.listen = Some(([127, 0, 0, 1], 0).into());
        Executor { config, provider, authority, home, log_number: 0 }
    }

    /// A client of a new, funded poster.
    pub async fn poster(&self) -> Client {
        let keypair = Keypair::new();
        self.network.ledger().airdrop(&keypair.pubkey(), POSTER_LAMPORTS).await.expect("an airdrop");
        self.network.client().clone().with_signer(Arc::new(keypair))
    }

    /// A directory of this name, for whoever posts from it.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// One provider's configuration and directory; a process of it is started with [`Executor::start`].
pub struct Executor {
    /// What its file will say.
    pub config: Config,
    /// Its keys.
    pub provider: ProviderInfo,
    /// Address of its cold key.
    pub authority: Pubkey,
    home: PathBuf,
    log_number: u32,
}

impl Executor {
    /// Address of the Provider account.
    pub fn address(&self) -> Pubkey {
        self.provider.address.parse().expect("an address")
    }

    /// Takes jobs of this poster only.
    pub fn only_for(&mut self, poster: &Client) {
        self.config.policy.posters_allowed = vec![Address(poster.signer_address().expect("a signer"))];
    }

    /// A path in the executor's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Starts a process of this binary.
    pub fn start(&mut self, binary: &str, variables: &[(&str, String)]) -> Process {
        self.start_by(Command::new(binary), variables)
    }

    /// Starts a process by a command that ends with a binary; what it logs goes to a file of its own.
    pub fn start_by(&mut self, mut command: Command, variables: &[(&str, String)]) -> Process {
        let config = self.path("provider.toml");
        std::fs::write(&config, toml::to_string(&self.config).expect("a configuration")).expect("written");
        self.log_number += 1;
        let log = self.path(&format!("log-{}", self.log_number));
        let file = std::fs::File::create(&log).expect("a log");
        command
            .arg("--config")
            .arg(config)
            .arg("run")
            .envs(variables.iter().map(|(key, value)| (*key, value.as_str())));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
        Process { child: command.spawn().expect("the executor starts"), log }
    }
}

/// A running executor. Dropping it kills it.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Everything it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What its server answers, and whether with success; `None` before it listens.
    pub async fn get(&self, path: &str) -> Option<(bool, String)> {
        let log = self.log();
        let address = log.lines().find(|line| line.contains("server_started"))?.split("address=").nth(1)?.trim();
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.starts_with("HTTP/1.0 200"), body.to_owned()))
    }

    /// Sum of what it measures by this name, with labels or without; zero before it counted anything, `None` before it
    /// listens.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (_, metrics) = self.get("/metrics").await?;
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        id.expect("the process runs")
    }

    /// Asks it to drain.
    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("the signal is sent");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the process can be asked").is_none()
    }

    /// Waits until it ended.
    pub async fn ended(&mut self) -> ExitStatus {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("the process can be waited for"),
            Err(_) => panic!("the executor still runs\n{}", self.log()),
        }
    }

    /// Asks it to drain and waits until it did, with success.
    pub async fn drain(mut self) {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Waits until it was killed by SIGKILL at a crash point.
    pub async fn killed_at(&mut self, point: &str) {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => {
                let status = status.expect("the process can be waited for");
                assert_eq!(status.signal(), Some(9), "not killed at {point}: {status}\n{}", self.log());
            }
            Err(_) => panic!("it never came to {point}\n{}", self.log()),
        }
    }
}

/// Asks until the answer is there.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = Instant::now() + PATIENCE;
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {PATIENCE:?} in vain for {what}");
    }
}

/// The job's status on chain; `None` once it is closed.
pub async fn status(client: &Client, job: &JobHandle) -> Option<JobStatus> {
    let account: Option<Job> = client.fetch_optional(&job.address()).await.expect("an answer");
    account.map(|job| JobStatus::from_code(job.status).expect("a known status"))
}

/// Waits until the job is closed and its provider was paid everything.
pub async fn until_paid(client: &Client, job: &JobHandle, provider: &Pubkey) {
    until("the job to be closed and paid", || async {
        let account: Provider = client.fetch(provider).await.expect("an answer");
        let paid = account.earnings_lamports == 0 && account.active == 0;
        (paid && status(client, job).await.is_none()).then_some(())
    })
    .await;
}

/// What happens to a job that is settled, in this order.
pub const SETTLED: [&str; 6] =
    ["JobCreated", "JobAccepted", "ResultsSubmitted", "JobFinalized", "ExecutionSettled", "JobClosed"];

/// I-02, I-07: each step of this job's life happened once, and nothing else did.
pub async fn assert_settled_once(client: &Client, job: &JobHandle, provider: &Pubkey) -> Settled {
    let history = assert_life(job, &SETTLED).await;
    assert_eq!(outcomes_signed(client, job).await, 1, "several outcomes were signed");
    let account: Provider = client.fetch(provider).await.expect("an answer");
    let mut pay_lamports = 0;
    for record in &history {
        if let Event::JobFinalized(event) = &record.event {
            pay_lamports = event.pay_lamports;
        }
    }
    Settled { pay_lamports, completed: account.trust.completed }
}

/// The one receipt that this provider keeps: its own word on what stands on chain, I-07.
pub async fn assert_receipt(job: &JobHandle, executor: &Executor) -> Receipt {
    let kept = assay_executor::receipts(&executor.config.provider.data_dir, usize::MAX).expect("receipts");
    let [(uid, path)] = kept.as_slice() else { panic!("{kept:?}") };
    let receipt = Receipt::from_json(&std::fs::read(path).expect("a file")).expect("a receipt");
    let view = job.status().await.expect("a view");
    assert_eq!(receipt.check_signature(), ReceiptSignature::Valid);
    assert_eq!((uid.0, Some(receipt.outcome), receipt.task), (view.job_uid, view.outcome, view.task));
    assert_eq!(receipt.posting, Some(job.posting(&view).await.expect("a posting")));
    let key = receipt.signed.expect("a signature").key;
    assert_eq!(key, job.submitter(&view).await.expect("a submission"));
    assert_eq!(key, assay_sdk::load_keypair(&executor.provider.node_keypair).expect("a keypair").pubkey());
    receipt
}

/// Everything that ever happened to this job, which is this and in this order.
pub async fn assert_life(job: &JobHandle, events: &[&str]) -> Vec<EventRecord> {
    let history = job.history().await.expect("a history");
    let names: Vec<&str> = history.iter().map(|record| record.event.name()).collect();
    assert_eq!(names, events);
    history
}

/// I-07: how many different outcomes whatever was sent for this job carries, whether it landed or failed.
pub async fn outcomes_signed(client: &Client, job: &JobHandle) -> usize {
    let signatures = client.rpc().get_signatures_for_address(&job.address()).await.expect("signatures");
    let mut submissions = BTreeSet::new();
    for entry in signatures {
        let signature = entry.signature.parse().expect("a signature");
        let transaction = client.transaction(&signature).await.expect("an answer").expect("a known transaction");
        for instruction in transaction.message.instructions() {
            if instruction.data.starts_with(SubmitResults::DISCRIMINATOR) {
                submissions.insert(instruction.data.clone());
            }
        }
    }
    submissions.len()
}

/// What a settled job left behind.
pub struct Settled {
    /// The provider's pay.
    pub pay_lamports: u64,
    /// Jobs that its provider completed.
    pub completed: u32,
}

/// A URL with another port.
pub fn with_port(url: &Url, port: u16) -> Url {
    let mut url = url.clone();
    url.set_port(Some(port)).expect("a URL with a host takes a port");
    url
}

//! The embedded ledger: a process-local chain with real JSON-RPC and WebSocket endpoints on loopback.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::JoinHandle,
    time::Duration,
};

use assay_sdk::{Client, ClientConfig, ClientError, Cluster, JobFilter, program};
use crossbeam_channel::{Receiver, Sender};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::request::RpcRequest;
use surfpool_core::surfnet::{
    locker::SurfnetSvmLocker,
    svm::{SurfnetSvm, SurfnetSvmConfig},
};
use surfpool_types::{BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SurfpoolConfig};
use thiserror::Error;
use tokio::{sync::oneshot, time::Instant};

use crate::artifact::{ArtifactError, ProgramArtifact};

/// Slot time of a demo, milliseconds: what real clusters aim at.
pub const SLOT_MS_DEFAULT: u64 = 400;
/// Longest wait for the ledger to come up or go down.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at whether it did.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Attempts with other ports when one that the system gave was taken in between.
const FREE_PORT_ATTEMPTS_MAX: u32 = 8;
/// Threads of the ledger's own runtime.
const LEDGER_THREADS: usize = 2;

/// Ports of the ledger; `None` lets the system choose a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// JSON-RPC.
    pub rpc: Option<u16>,
    /// WebSocket.
    pub ws: Option<u16>,
}

/// How a ledger is started.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// Where it listens.
    pub ports: Ports,
    /// Slot time, milliseconds.
    pub slot_ms: u64,
    /// The program; `None` loads the committed one.
    pub program: Option<ProgramArtifact>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        Self { ports: Ports::default(), slot_ms: SLOT_MS_DEFAULT, program: None }
    }
}

impl LedgerConfig {
    /// Free ports and 50 ms slots.
    #[must_use]
    pub fn for_tests() -> Self {
        Self { slot_ms: 50, ..Self::default() }
    }
}

/// Why a ledger does not start, answer or stop.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another process listens on a port that was asked for.
    #[error(
        "start the ledger: {what} port {port} is taken; stop whoever uses it (`ss -ltnp 'sport = :{port}'` shows it) or choose another port"
    )]
    PortTaken {
        /// Which port.
        what: &'static str,
        /// Its number.
        port: u16,
    },
    /// A port cannot be listened on for another reason.
    #[error("start the ledger: listen on {what} port {port}: {source}")]
    Port {
        /// Which port.
        what: &'static str,
        /// Its number.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// The program cannot be loaded.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The slot time makes no sense.
    #[error("start the ledger: the slot time is {slot_ms} ms; 10 to 60000 are allowed")]
    SlotTime {
        /// What was given.
        slot_ms: u64,
    },
    /// The ledger itself failed.
    #[error("start the ledger: {problem}")]
    Start {
        /// What it said.
        problem: String,
    },
    /// It did not come up in time.
    #[error("start the ledger: it did not answer within {} s", START_TIMEOUT.as_secs())]
    NotReady,
    /// It is not there any more.
    #[error("run the ledger: it ended by itself; nothing listens on port {port}")]
    Ended {
        /// Where it listened.
        port: u16,
    },
    /// It did not go down in time.
    #[error("stop the ledger: it still runs after {} s", START_TIMEOUT.as_secs())]
    NotStopped,
    /// It did not answer as it should.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It refused to move its clock.
    #[error("move the ledger's clock: {problem}")]
    Clock {
        /// What it said.
        problem: String,
    },
}

/// A running ledger. Dropping it stops it without waiting; [`Self::shutdown`] waits.
#[derive(Debug)]
pub struct Ledger {
    rpc_port: u16,
    ws_port: u16,
    commands: Sender<SimnetCommand>,
    thread: Option<JoinHandle<()>>,
    client: Client,
}

impl Ledger {
    /// Starts a ledger with the program loaded, and waits until it answers. Call it from a multi-thread runtime.
    ///
    /// # Errors
    /// [`LedgerError`] names what is in the way.
    pub async fn start(config: LedgerConfig) -> Result<Self, LedgerError> {
        if !(10..=60_000).contains(&config.slot_ms) {
            return Err(LedgerError::SlotTime { slot_ms: config.slot_ms });
        }
        let program = match &config.program {
            Some(program) => program.clone(),
            None => ProgramArtifact::committed()?,
        };
        let mut attempt = 1;
        loop {
            let rpc_port = choose_port("RPC", config.ports.rpc)?;
            let ws_port = choose_port("WebSocket", config.ports.ws)?;
            match Self::launch(&program, config.slot_ms, (rpc_port, ws_port)).await {
                // A port that the system gave can be taken by somebody else before the ledger listens on it.
                // The library does not always say so: then the port itself is asked.
                Err(LedgerError::Start { problem })
                    if attempt < FREE_PORT_ATTEMPTS_MAX
                        && (is_taken(&problem) || [rpc_port, ws_port].into_iter().any(is_used)) =>
                {
                    attempt = attempt.saturating_add(1);
                }
                result => return result,
            }
        }
    }

    async fn launch(
        program: &ProgramArtifact,
        slot_ms: u64,
        (rpc_port, ws_port): (u16, u16),
    ) -> Result<Self, LedgerError> {
        let (commands, commands_rx) = crossbeam_channel::unbounded();
        let (started, start) = oneshot::channel();
        let runner =
            Runner { elf: program.elf().to_vec(), slot_ms, rpc_port, ws_port, commands: commands.clone(), commands_rx };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || runner.run(started))
            .map_err(|source| LedgerError::Start { problem: source.to_string() })?;
        let client = Client::new(ClientConfig::new(Cluster::at_ports(rpc_port, ws_port)));
        let ledger = Self { rpc_port, ws_port, commands, thread: Some(thread), client };
        match tokio::time::timeout(START_TIMEOUT, start).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(problem))) => return Err(LedgerError::Start { problem }),
            Ok(Err(_)) => return Err(LedgerError::Start { problem: "its thread ended without a reason".to_owned() }),
            Err(_) => return Err(LedgerError::NotReady),
        }
        ledger.ready().await?;
        Ok(ledger)
    }

    /// Waits until the ledger answers, has made a block and runs the program.
    ///
    /// # Errors
    /// [`LedgerError::NotReady`] when it does not within its time.
    pub async fn ready(&self) -> Result<(), LedgerError> {
        let end = Instant::now().checked_add(START_TIMEOUT).ok_or(LedgerError::NotReady)?;
        while Instant::now() < end {
            let answers = self.client.check_program().await.is_ok()
                && self.client.latest_blockhash().await.is_ok()
                // A whole handshake: the server panics at its end over a connection that never made one.
                && self.client.watch_jobs(&JobFilter::default()).await.is_ok();
            if answers {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(LedgerError::NotReady)
    }

    /// Looks whether the ledger still runs and listens.
    ///
    /// # Errors
    /// [`LedgerError::Ended`] when it does not.
    pub fn check(&self) -> Result<(), LedgerError> {
        let has_ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        // The WebSocket port is left alone: its server panics at the end over connections that never shook hands.
        if has_ended || !listens(self.rpc_port) {
            return Err(LedgerError::Ended { port: self.rpc_port });
        }
        Ok(())
    }

    /// The endpoints.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        Cluster::at_ports(self.rpc_port, self.ws_port)
    }

    /// A client that reads.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Gives lamports to an address and waits until they are there.
    ///
    /// # Errors
    /// [`LedgerError::Client`] when the ledger fails.
    pub async fn airdrop(&self, address: &Pubkey, lamports: u64) -> Result<(), LedgerError> {
        self.client.airdrop(address, lamports).await?;
        Ok(())
    }

    /// Moves the chain's clock forward to this moment; deadlines before it have then passed. It never moves back.
    ///
    /// # Errors
    /// [`LedgerError::Clock`] when the moment is not in the future.
    pub async fn travel_to(&self, unix: i64) -> Result<(), LedgerError> {
        let refused = |problem: String| LedgerError::Clock { problem };
        let target_ms = u64::try_from(unix)
            .ok()
            .and_then(|seconds| seconds.checked_mul(1_000))
            .ok_or_else(|| refused(format!("{unix} is no moment")))?;
        let method = RpcRequest::Custom { method: "surfnet_timeTravel" };
        let params = serde_json::json!([{ "absoluteTimestamp": target_ms }]);
        self.client
            .rpc()
            .send::<serde_json::Value>(method, params)
            .await
            .map_err(|error| refused(error.to_string()))?;
        let end = Instant::now().checked_add(START_TIMEOUT).ok_or(LedgerError::NotReady)?;
        while Instant::now() < end {
            if self.client.chain_time().await?.unix >= unix {
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(refused("it did not arrive in time".to_owned()))
    }

    /// Stops the ledger and waits until its ports are free again. The library underneath never ends its clock's thread,
    /// which sleeps on without effect until the process ends: one per ledger that was started.
    ///
    /// # Errors
    /// [`LedgerError::NotStopped`] when that takes too long.
    pub async fn shutdown(mut self) -> Result<(), LedgerError> {
        self.terminate();
        let end = Instant::now().checked_add(START_TIMEOUT).ok_or(LedgerError::NotStopped)?;
        let thread = self.thread.take();
        while Instant::now() < end {
            let ended = thread.as_ref().is_none_or(JoinHandle::is_finished);
            if ended && !listens(self.rpc_port) && !is_used(self.ws_port) {
                if thread.is_some_and(|thread| thread.join().is_err()) {
                    tracing::warn!("the ledger's thread panicked while it stopped");
                }
                return Ok(());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Err(LedgerError::NotStopped)
    }

    fn terminate(&self) {
        if self.commands.send(SimnetCommand::Terminate(None)).is_err() {
            tracing::debug!("the ledger had stopped before it was told to");
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.terminate();
        }
    }
}

/// What the ledger's thread needs.
struct Runner {
    elf: Vec<u8>,
    slot_ms: u64,
    rpc_port: u16,
    ws_port: u16,
    commands: Sender<SimnetCommand>,
    commands_rx: Receiver<SimnetCommand>,
}

impl Runner {
    fn run(self, started: oneshot::Sender<Result<(), String>>) {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(LEDGER_THREADS)
            .thread_name("ledger-worker")
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return report(started, Err(error.to_string())),
        };
        runtime.block_on(self.serve(started));
        runtime.shutdown_timeout(Duration::from_secs(2));
    }

    async fn serve(self, started: oneshot::Sender<Result<(), String>>) {
        let config = self.config();
        let settings = SurfnetSvmConfig {
            slot_time: self.slot_ms,
            instruction_profiling_enabled: false,
            ..SurfnetSvmConfig::default()
        };
        let (mut svm, events, geyser) = match SurfnetSvm::new(settings) {
            Ok(parts) => parts,
            Err(error) => return report(started, Err(format!("{error:?}"))),
        };
        if let Err(error) = svm.inner.svm.add_program(program::ID, &self.elf) {
            return report(started, Err(format!("the program is refused: {error:?}")));
        }
        let (failed, failure) = crossbeam_channel::bounded(1);
        let drain = std::thread::Builder::new()
            .name("ledger-events".to_owned())
            .spawn(move || drain_events(&events, &failure, started));
        if let Err(error) = drain {
            tracing::error!(%error, "the ledger's event thread did not start");
            return;
        }
        let locker = SurfnetSvmLocker::new(svm);
        let result = surfpool_core::runloops::start_local_surfnet_runloop(
            locker,
            config,
            self.commands,
            self.commands_rx,
            geyser,
        );
        // The error is not Send; its text is.
        let problem = result.await.err().map(|error| error.to_string());
        if failed.send(problem).is_err() {
            tracing::debug!("the ledger's event thread ended first");
        }
    }

    /// Always offline: the default configuration would read from a public cluster.
    fn config(&self) -> SurfpoolConfig {
        SurfpoolConfig {
            simnets: vec![SimnetConfig {
                offline_mode: true,
                remote_rpc_url: None,
                slot_time: self.slot_ms,
                // In Transaction mode blockhashes expire after a few transactions.
                block_production_mode: BlockProductionMode::Clock,
                instruction_profiling_enabled: false,
                ..SimnetConfig::default()
            }],
            rpc: RpcConfig {
                bind_host: Ipv4Addr::LOCALHOST.to_string(),
                bind_port: self.rpc_port,
                ws_port: self.ws_port,
                ..RpcConfig::default()
            },
            ..SurfpoolConfig::default()
        }
    }
}

/// Empties the ledger's unbounded event channel for as long as it runs, and tells once whether it came up.
fn drain_events(
    events: &Receiver<SimnetEvent>,
    failure: &Receiver<Option<String>>,
    started: oneshot::Sender<Result<(), String>>,
) {
    let mut started = Some(started);
    let mut tell = |result| {
        if let Some(started) = started.take() {
            report(started, result);
        }
    };
    loop {
        crossbeam_channel::select! {
            recv(events) -> event => match event {
                Ok(SimnetEvent::CoreStarted(_)) => tell(Ok(())),
                Ok(SimnetEvent::Aborted(problem)) => tell(Err(problem)),
                Ok(SimnetEvent::ErrorLog(_, message)) => tracing::debug!(message, "ledger error"),
                Ok(_) => {}
                Err(_) => return,
            },
            recv(failure) -> problem => {
                let problem = problem.ok().flatten();
                tell(Err(problem.unwrap_or_else(|| "it stopped before it was ready".to_owned())));
                return;
            }
        }
    }
}

fn report(started: oneshot::Sender<Result<(), String>>, result: Result<(), String>) {
    if let Err(result) = started.send(result) {
        tracing::debug!(?result, "nobody waits for the ledger any more");
    }
}

/// The port asked for, if nobody listens on it; else one that the system gives.
fn choose_port(what: &'static str, asked: Option<u16>) -> Result<u16, LedgerError> {
    let port = asked.unwrap_or(0);
    let listener = TcpListener::bind(loopback(port)).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => LedgerError::PortTaken { what, port },
        _ => LedgerError::Port { what, port, source },
    })?;
    let address = listener.local_addr().map_err(|source| LedgerError::Port { what, port, source })?;
    Ok(address.port())
}

fn is_taken(problem: &str) -> bool {
    let problem = problem.to_ascii_lowercase();
    problem.contains("in use") || problem.contains("already") || problem.contains("available")
}

fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&loopback(port), Duration::from_millis(100)).is_ok()
}

fn is_used(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_err()
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

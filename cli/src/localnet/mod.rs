//! `assay localnet`: keeps a local network up until Ctrl-C.

mod liars;
mod process;

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use assay_executor::Habit;
use assay_localnet::{INFO_FILE_NAME, LedgerConfig, Network, NetworkConfig, NetworkInfo, Ports};
use assay_sdk::{
    cluster::{LOCAL_CONTENT_PORT, LOCAL_GATEWAY_PORT, LOCAL_RPC_PORT},
    load_keypair,
};
use clap::Args;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::Serialize;
use solana_signer::Signer;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    error::{CliError, CliResult, Context as _},
    output::{Output, typeable},
    progress::Progress,
    provider::{NewProvider, create_local},
};
use process::ProviderProcess;

const LOCK_NAME: &str = "lock";
/// Guests that a provider among liars runs at once. A bot keeps the seats that wait for others as if all were to run, one after the
/// other, and would take no more than the usual two while liars leave seats open.
const RUNS_AMONG_LIARS: usize = 8;
/// How often the providers are looked at.
const WATCH: Duration = Duration::from_millis(500);

/// `assay localnet`.
#[derive(Debug, Args)]
pub struct LocalnetArgs {
    /// Provider processes.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(..=32))]
    providers: u8,
    /// Providers with a bad habit, of those: wrong, lazy, copycat, silent, no-reveal; such as wrong=1,silent=2. The others
    /// are then on jury duty. Only where this was built from the repository.
    #[arg(long, value_name = "HABIT=N,…", value_delimiter = ',', value_parser = liars::parse)]
    liars: Vec<liars::Liars>,
    /// From which all keys follow, so that providers and draws can be the same again; only for a directory without keys, or
    /// with those of this seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Slot time in milliseconds.
    #[arg(long, default_value_t = 400, value_name = "MS", value_parser = clap::value_parser!(u64).range(10..=60_000))]
    slot_ms: u64,
    /// Challenge window of small jobs, in seconds.
    #[arg(long, default_value_t = 1, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    challenge_s: u32,
    /// Where keys, blocks and logs go; keys that are there are used again.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// RPC port; 8899, or a free one when that is taken.
    #[arg(long, value_name = "PORT")]
    rpc_port: Option<u16>,
    /// WebSocket port; 8900, or a free one when that is taken.
    #[arg(long, value_name = "PORT")]
    ws_port: Option<u16>,
    /// Port of the content node's Kubo RPC; 5001, or a free one when that is taken.
    #[arg(long, value_name = "PORT")]
    content_port: Option<u16>,
    /// Port of the gateway; 8080, or a free one when that is taken.
    #[arg(long, value_name = "PORT")]
    gateway_port: Option<u16>,
}

impl LocalnetArgs {
    fn require_different_ports(&self) -> CliResult {
        let told = [
            ("--rpc-port", self.rpc_port),
            ("--ws-port", self.ws_port),
            ("--content-port", self.content_port),
            ("--gateway-port", self.gateway_port),
        ];
        // Zero is any free port, as often as one likes.
        let told: Vec<_> =
            told.into_iter().filter_map(|(flag, port)| Some((flag, port.filter(|port| *port != 0)?))).collect();
        for (index, (flag, port)) in told.iter().enumerate() {
            if let Some((other, _)) = told.iter().skip(index.saturating_add(1)).find(|(_, taken)| taken == port) {
                return Err(
                    CliError::usage(format!("{flag} and {other} are both {port}")).with_next("choose different ports")
                );
            }
        }
        Ok(())
    }
}

/// A network and its provider processes.
#[derive(Debug)]
pub struct Running {
    network: Network,
    processes: Vec<ProviderProcess>,
    habits: Vec<Option<Habit>>,
}

impl Running {
    /// Starts the network, then one process per provider, honest beyond those that have a habit. What was started is
    /// stopped again when something fails.
    pub async fn start(config: NetworkConfig, habits: Vec<Option<Habit>>) -> CliResult<Self> {
        if habits.iter().any(Option::is_some) {
            process::liar()?;
        }
        let network = Network::start(config).await?;
        let mut running = Self { network, processes: Vec::new(), habits };
        match running.start_providers() {
            Ok(()) => Ok(running),
            Err(error) => {
                running.stop().await?;
                Err(error)
            }
        }
    }

    fn start_providers(&mut self) -> CliResult {
        let info = self.network.info();
        for (index, provider) in info.providers.iter().enumerate() {
            let authority = load_keypair(&provider.authority_keypair)?;
            let config_path = create_local(
                &NewProvider {
                    dir: &provider.data_directory,
                    market: self.network.market(),
                    authority: authority.pubkey(),
                    cluster: info.rpc_url.to_string(),
                    ws_url: info.ws_url.clone(),
                    content: info.content_url.clone(),
                    gateways: vec![info.gateway_url.clone()],
                    listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
                    public: false,
                    base_fee_min_lamports: self.habit(index).filter(|habit| liars::undercuts(*habit)).map(|_| 0),
                    runs_max: self.habits.iter().any(Option::is_some).then_some(RUNS_AMONG_LIARS),
                },
                &provider.node_keypair,
            )?;
            let log_path = provider.data_directory.join("provider.log");
            self.processes.push(ProviderProcess::start(&config_path, log_path, self.habit(index))?);
        }
        Ok(())
    }

    /// The bad habit of the provider with this number from 0.
    pub fn habit(&self, index: usize) -> Option<Habit> {
        self.habits.get(index).copied().flatten()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// An error that says which part has ended by itself, if one has.
    pub fn check(&mut self) -> CliResult {
        self.network.check().map_err(|error| {
            CliError::from(error).with_next("start the network again; with -vv it says more about what happens in it")
        })?;
        self.processes.iter_mut().try_for_each(ProviderProcess::check)
    }

    /// Stops the providers and waits until they are through.
    pub async fn stop_providers(&mut self) {
        futures_util::future::join_all(std::mem::take(&mut self.processes).into_iter().map(ProviderProcess::stop))
            .await;
    }

    /// Stops the providers, then everything else, and waits until nothing is left.
    pub async fn stop(mut self) -> CliResult {
        self.stop_providers().await;
        Ok(self.network.shutdown().await?)
    }
}

/// Returns when this process is asked to stop: Ctrl-C, SIGTERM, SIGHUP. From the first call on nothing is missed, also
/// while nobody waits.
pub async fn stop_requested() -> CliResult {
    static STOP: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    let mut stop = match STOP.get() {
        Some(stop) => stop.clone(),
        None => {
            let stop = listen()?;
            STOP.get_or_init(|| stop).clone()
        }
    };
    stop.wait_for(|requested| *requested).await.context("the task that listens for signals ended")?;
    Ok(())
}

fn listen() -> CliResult<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (requested, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        requested.send_replace(true);
    });
    Ok(stop)
}

/// Runs `assay localnet`.
pub async fn run(output: Output, args: &LocalnetArgs) -> CliResult {
    args.require_different_ports()?;
    let habits = liars::habits(&args.liars, args.providers)?;
    let dir = match &args.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => default_dir()?,
    };
    let _lock = lock(&dir)?;
    if dir.join(INFO_FILE_NAME).exists() {
        output.note(format!(
            "a network ran in {} before: its keys and blocks are used again; its chain is gone, so jobs, balances and \
             markets begin anew",
            dir.display()
        ));
    }
    let config = NetworkConfig {
        ledger: LedgerConfig {
            ports: Ports {
                rpc: port(output, args.rpc_port, ("--rpc-port", LOCAL_RPC_PORT)),
                ws: port(output, args.ws_port, ("--ws-port", LOCAL_RPC_PORT.saturating_add(1))),
            },
            slot_ms: args.slot_ms,
            ..LedgerConfig::default()
        },
        content_port: port(output, args.content_port, ("--content-port", LOCAL_CONTENT_PORT)),
        gateway_port: port(output, args.gateway_port, ("--gateway-port", LOCAL_GATEWAY_PORT)),
        providers: usize::from(args.providers),
        // Liars come last.
        jurors: if args.liars.is_empty() { 0 } else { habits.iter().filter(|habit| habit.is_none()).count() },
        seed: args.seed,
        challenge_s: args.challenge_s,
        ..NetworkConfig::new(&dir)
    };
    let mut running = {
        let _progress = Progress::start(output, "starting the local network");
        tokio::select! {
            running = Running::start(config, habits) => running?,
            stopped = stop_requested() => {
                output.note("stopped before the local network was up");
                return stopped;
            }
        }
    };
    let up = Up::new(&running);
    output.result(&up, || print(&up, &dir));
    let watched = tokio::select! {
        stopped = stop_requested() => stopped,
        died = watch(&mut running) => died,
    };
    output.note("stopping the local network");
    let stopped = running.stop().await;
    // Why it ended matters more than that it ended untidily.
    watched.and(stopped)?;
    output.note(format!(
        "stopped providers, content node and ledger. The chain is gone; keys, blocks and logs remain in {}",
        dir.display()
    ));
    Ok(())
}

async fn watch(running: &mut Running) -> CliResult {
    loop {
        running.check()?;
        tokio::time::sleep(WATCH).await;
    }
}

/// The port that was asked for; else the usual one; else, when that is taken, any free one.
fn port(output: Output, told: Option<u16>, (flag, usual): (&str, u16)) -> Option<u16> {
    if told.is_some() {
        return told;
    }
    if TcpListener::bind((Ipv4Addr::LOCALHOST, usual)).is_ok() {
        return Some(usual);
    }
    output.note(format!("port {usual} is taken, another one is used (choose one with {flag})"));
    None
}

fn default_dir() -> CliResult<PathBuf> {
    let data_home = std::env::var_os("XDG_DATA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let base = data_home.or_else(|| home.map(|home| home.join(".local").join("share")));
    let base = base.ok_or_else(|| CliError::new("HOME is not set").with_next("name a directory with --dir"))?;
    Ok(base.join("assay").join("localnet"))
}

/// One network per directory.
fn lock(dir: &Path) -> CliResult<File> {
    fs::create_dir_all(dir).context(format!("cannot create {}", dir.display()))?;
    let path = dir.join(LOCK_NAME);
    let file = File::create(&path).context(format!("cannot create {}", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {
            return Err(CliError::new(format!("another local network uses {}", dir.display()))
                .with_next("stop it, or name another directory with --dir"));
        }
        locked => locked.context(format!("cannot lock {}", path.display()))?,
    }
    Ok(file)
}

/// What is said once it is up.
#[derive(Debug, Serialize)]
struct Up<'a> {
    #[serde(flatten)]
    info: &'a NetworkInfo,
    /// The bad habit of each provider, none of the honest ones.
    habits: Vec<Option<&'static str>>,
}

impl<'a> Up<'a> {
    fn new(running: &'a Running) -> Self {
        let info = running.network().info();
        let habits = (0..info.providers.len()).map(|index| running.habit(index).map(Habit::name));
        Self { info, habits: habits.collect() }
    }
}

fn print(Up { info, habits }: &Up<'_>, dir: &Path) {
    println!("The local network is up.");
    println!("  RPC          {}", info.rpc_url);
    println!("  WebSocket    {}", info.ws_url);
    println!("  content      {}  (Kubo RPC)", info.content_url);
    println!("  gateway      {}", info.gateway_url);
    println!("  market       {}", info.market);
    println!("  poster       {}  (funded)", info.poster_keypair.display());
    match info.providers.len() {
        0 => println!("  providers    none"),
        count => println!("  providers    {count}, logs in {}", dir.join("provider-*/provider.log").display()),
    }
    for (number, habit) in (1..).zip(habits).filter_map(|(number, habit)| Some((number, (*habit)?))) {
        println!("               provider-{number} is {habit}");
    }
    println!();
    println!("In another terminal:");
    println!("  export ASSAY_CLUSTER={} ASSAY_WS_URL={}", info.rpc_url, info.ws_url);
    println!("  export ASSAY_CONTENT={} ASSAY_KEYPAIR={}", info.content_url, typeable(&info.poster_keypair));
    // A sample job where there is one.
    let sample = Path::new("examples/jobs/word-count/job");
    if sample.is_dir() {
        println!("  assay job submit {} --wait", sample.display());
    } else {
        println!("  assay init numbers --lang rust && assay build numbers && assay job submit numbers/job --wait");
    }
    println!("Ctrl-C stops everything.");
}

//! What the benchmarks with bots share. The bot is the binary that providers run, of the profile that the benchmark is built in: its
//! sandbox children are that binary too, and what they cost depends on how large it is.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use assay_executor::{
    Config,
    config::{Address, ProviderConfig, Span},
    worker::ChildSettings,
};
use assay_localnet::Network;
use solana_signer::Signer;
use tokio::process::{Child, Command};

pub type Failure = Box<dyn std::error::Error>;

/// Longest wait for a bot to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often something is looked at: the error of a figure.
pub const LOOK: Duration = Duration::from_millis(20);

/// A bot's process and its log.
pub struct Bot {
    pub child: Child,
    pub log: PathBuf,
}

impl Bot {
    /// Starts the bot of this provider of the network, with settings beyond the defaults of a local network, and waits
    /// until it runs. Its files go into a directory of its own in `home`.
    pub async fn start(
        network: &Network,
        provider: usize,
        home: &Path,
        settings: impl FnOnce(&mut Config),
    ) -> Result<Self, Failure> {
        let home = home.join(format!("bot-{provider}"));
        std::fs::create_dir_all(&home)?;
        let info = network.info();
        let provider = info.providers.get(provider).ok_or("no such provider")?;
        let mut config = Config::new(ProviderConfig {
            market: Address(network.market()),
            authority: Address(assay_sdk::load_keypair(&provider.authority_keypair)?.pubkey()),
            node_key_path: provider.node_keypair.clone(),
            data_dir: home.join("data"),
        });
        config.chain.cluster = info.rpc_url.to_string();
        config.chain.ws_url = Some(info.ws_url.clone());
        config.chain.poll_interval = Span(Duration::from_millis(500));
        config.worker.isolation = ChildSettings::default().isolation;
        config.content.kubo = vec![info.content_url.clone()];
        config.content.gateways = vec![info.gateway_url.clone()];
        config.server.listen = Some(([127, 0, 0, 1], 0).into());
        settings(&mut config);
        let (path, log) = (home.join("provider.toml"), home.join("log"));
        std::fs::write(&path, toml::to_string(&config)?)?;
        let mut command = Command::new(executor()?);
        command.arg("--config").arg(path).arg("run").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(std::fs::File::create(&log)?).kill_on_drop(true).spawn()?;
        let bot = Self { child, log };
        bot.wait_until_started().await?;
        Ok(bot)
    }

    async fn wait_until_started(&self) -> Result<(), Failure> {
        let end = Instant::now() + PATIENCE;
        let mut looks = tokio::time::interval(LOOK);
        while !std::fs::read_to_string(&self.log)?.contains("server_started") {
            looks.tick().await;
            if Instant::now() > end {
                return Err("a bot did not start within a minute".into());
            }
        }
        Ok(())
    }

    /// A file of `/proc` about the process.
    #[allow(dead_code, reason = "not every benchmark asks the kernel about its bots")]
    pub fn proc_file(&self, name: &str) -> Result<String, Failure> {
        let id = self.child.id().ok_or("a bot ended")?;
        Ok(std::fs::read_to_string(format!("/proc/{id}/{name}"))?)
    }
}

/// The bot's binary, beside the directory of the benchmarks.
fn executor() -> Result<PathBuf, Failure> {
    let examples = std::env::current_exe()?;
    let path =
        examples.parent().and_then(Path::parent).ok_or("no directory above the benchmark's")?.join("assay-executor");
    if path.exists() { Ok(path) } else { Err(format!("{} is not there; tools/bench builds it", path.display()).into()) }
}

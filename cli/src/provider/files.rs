//! The files of one provider: a directory with its hot key, its configuration and its data.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use assay_executor::config::{self, Address, Config, ProviderConfig};
#[cfg(feature = "localnet")]
use assay_executor::{config::Span, worker::ChildSettings};
use assay_sdk::keypair::{KeypairError, load_keypair, save_keypair};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use url::Url;

use crate::error::{CliError, CliResult, Context as _};

pub(super) const CONFIG_NAME: &str = "provider.toml";
pub(super) const NODE_KEY_NAME: &str = "node.json";
const DATA_NAME: &str = "data";
/// A local network is looked at more often.
#[cfg(feature = "localnet")]
const LOCAL_POLL: std::time::Duration = std::time::Duration::from_millis(500);

/// What a new provider's configuration says beyond the defaults.
#[derive(Clone, Debug)]
pub struct NewProvider<'a> {
    /// Where its files go.
    pub dir: &'a Path,
    /// Market it works in.
    pub market: Pubkey,
    /// Its cold key's address.
    pub authority: Pubkey,
    /// RPC URL or cluster name.
    pub cluster: String,
    /// WebSocket URL.
    pub ws_url: Url,
    /// Kubo RPC of its content node.
    pub content: Url,
    /// Gateways it may fetch from.
    pub gateways: Vec<Url>,
    /// Where metrics, health and receipts are served; `None` keeps the default.
    pub listen: Option<SocketAddr>,
    /// Whether others may reach that.
    pub public: bool,
    /// Least base fee of the jobs that it takes, lamports; `None` keeps the default.
    pub base_fee_min_lamports: Option<u64>,
    /// Guests that it runs at once, at most; `None` keeps the default.
    pub runs_max: Option<usize>,
}

impl NewProvider<'_> {
    /// The configuration. Relative paths are relative to the file, so that the directory can be moved.
    fn config(&self, node_key_path: PathBuf) -> Config {
        let mut config = Config::new(ProviderConfig {
            market: Address(self.market),
            authority: Address(self.authority),
            node_key_path,
            data_dir: DATA_NAME.into(),
        });
        config.chain.cluster.clone_from(&self.cluster);
        config.chain.ws_url = Some(self.ws_url.clone());
        config.content.kubo = vec![self.content.clone()];
        config.content.gateways.clone_from(&self.gateways);
        if self.listen.is_some() {
            config.server.listen = self.listen;
        }
        config.server.public = self.public;
        if let Some(lamports) = self.base_fee_min_lamports {
            config.policy.base_fee_min_lamports = lamports;
        }
        if let Some(runs) = self.runs_max {
            config.worker.runs_max = runs;
        }
        config
    }
}

/// What was written.
#[derive(Debug)]
pub struct ProviderFiles {
    /// The configuration.
    pub config_path: PathBuf,
    /// The hot key's file.
    pub node_key_path: PathBuf,
    /// The hot key.
    pub node_key: Keypair,
}

/// Writes configuration and hot key. An existing hot key is kept, because seats may depend on it; an existing
/// configuration is never overwritten.
pub fn create(new: &NewProvider<'_>) -> CliResult<ProviderFiles> {
    let config_path = new.dir.join(CONFIG_NAME);
    if config_path.exists() {
        return Err(CliError::new(format!("{} exists and is not overwritten", config_path.display()))
            .with_next("edit it, or name another directory with --dir"));
    }
    let config = new.config(NODE_KEY_NAME.into());
    // Before anything is written: a file that the bot refuses would have to be mended by hand.
    config::check(&config)
        .context("a bot with this configuration would not start")
        .next("name a loopback address, or add --public, which lets others read metrics, health and receipts")?;
    let files = ensure_key(new.dir)?;
    write_config(&config_path, &config)?;
    Ok(files)
}

/// Configuration of a provider of a local network: its keys exist, and its journal belongs to a chain that is gone.
#[cfg(feature = "localnet")]
pub fn create_local(new: &NewProvider<'_>, node_key_path: &Path) -> CliResult<PathBuf> {
    let node_key_path = std::path::absolute(node_key_path)?;
    if new.dir.exists() {
        fs::remove_dir_all(new.dir).context(format!("cannot empty {}", new.dir.display()))?;
    }
    fs::create_dir_all(new.dir).context(format!("cannot create {}", new.dir.display()))?;
    let mut config = new.config(node_key_path);
    config.chain.poll_interval = Span(LOCAL_POLL);
    // The jobs of a local network are one's own: what is enough for the commands is enough for its bots.
    config.worker.isolation = ChildSettings::default().isolation;
    let config_path = new.dir.join(CONFIG_NAME);
    write_config(&config_path, &config)?;
    Ok(config_path)
}

fn write_config(path: &Path, config: &Config) -> CliResult {
    fs::write(path, toml::to_string_pretty(config)?).context(format!("cannot write {}", path.display()))
}

fn ensure_key(dir: &Path) -> CliResult<ProviderFiles> {
    fs::create_dir_all(dir).context(format!("cannot create {}", dir.display()))?;
    let node_key_path = dir.join(NODE_KEY_NAME);
    let fresh = Keypair::new();
    let node_key = match save_keypair(&node_key_path, &fresh) {
        Ok(()) => fresh,
        Err(KeypairError::Exists { .. }) => load_keypair(&node_key_path)?,
        Err(error) => return Err(error.into()),
    };
    Ok(ProviderFiles { config_path: dir.join(CONFIG_NAME), node_key_path, node_key })
}

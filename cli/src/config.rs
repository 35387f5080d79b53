//! `assay config`: what the commands use when no flag and no variable says otherwise.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    context::Settings,
    error::{CliError, CliResult, Context as _},
    output::Output,
};

const CONFIG_BYTES_MAX: u64 = 64 << 10;

/// The config file, every key optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// `localnet`, `devnet`, `testnet`, `mainnet` or an RPC URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// WebSocket URL, when it is not the RPC URL's next port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ws_url: Option<Url>,
    /// Keypair file that pays and signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypair: Option<PathBuf>,
    /// Kubo RPC of the node that job directories are uploaded to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Url>,
    /// Trustless gateways that results may be fetched from as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateways: Vec<Url>,
    /// The market's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
}

/// `assay config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Shows what the commands use, and where each value comes from.
    Show,
    /// Writes one value to the config file.
    Set {
        /// Which value.
        key: Key,
        /// Its new value; several gateways are separated by commas.
        value: String,
    },
    /// Removes one value from the config file.
    Unset {
        /// Which value.
        key: Key,
    },
    /// Prints where the config file is.
    Path,
}

/// The keys of the config file.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Key {
    /// Cluster name or RPC URL.
    Cluster,
    /// WebSocket URL.
    WsUrl,
    /// Keypair file.
    Keypair,
    /// Kubo RPC URL.
    Content,
    /// Gateways, separated by commas.
    Gateways,
    /// Market address.
    Market,
}

/// Where the config file is: `$ASSAY_CONFIG`, else under `$XDG_CONFIG_HOME` or `~/.config`.
pub fn config_path() -> CliResult<PathBuf> {
    if let Some(path) = env::var_os("ASSAY_CONFIG") {
        return Ok(PathBuf::from(path));
    }
    Ok(config_home()?.join("assay").join("config.toml"))
}

/// `$XDG_CONFIG_HOME`, or `~/.config`.
pub fn config_home() -> CliResult<PathBuf> {
    base_directory(("XDG_CONFIG_HOME", ".config"), "set HOME, or name the files with ASSAY_CONFIG and --keypair")
}

/// `$XDG_STATE_HOME`, or `~/.local/state`: for what must outlive a command.
pub fn state_home() -> CliResult<PathBuf> {
    base_directory(("XDG_STATE_HOME", ".local/state"), "set HOME or XDG_STATE_HOME")
}

fn base_directory((variable, default): (&str, &str), next: &str) -> CliResult<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let found = set(variable).or_else(|| Some(set("HOME")?.join(default)));
    found.ok_or_else(|| CliError::new("cannot find the home directory: HOME is not set").with_next(next))
}

/// Reads the config file; an absent one is empty.
pub fn load() -> CliResult<ConfigFile> {
    load_from(&config_path()?)
}

fn load_from(path: &Path) -> CliResult<ConfigFile> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > CONFIG_BYTES_MAX => {
            return Err(CliError::new(format!("config file {} is larger than 64 KiB", path.display())));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ConfigFile::default()),
        _ => {}
    }
    let text = fs::read_to_string(path).context(format!("cannot read config file {}", path.display()))?;
    toml::from_str(&text)
        .context(format!("config file {} is not valid", path.display()))
        .next("correct the file; `assay config set --help` lists the keys")
}

fn save(path: &Path, config: &ConfigFile) -> CliResult {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).context(format!("cannot create {}", parent.display()))?;
    }
    let temporary = path.with_extension("toml.new");
    fs::write(&temporary, toml::to_string_pretty(config)?)
        .and_then(|()| fs::rename(&temporary, path))
        .context(format!("cannot write config file {}", path.display()))
}

/// Runs `assay config`.
pub fn run(command: ConfigCommand, settings: &Settings, output: Output) -> CliResult {
    let path = config_path()?;
    match command {
        ConfigCommand::Path => println!("{}", path.display()),
        ConfigCommand::Show => show(settings, output),
        ConfigCommand::Set { key, value } => {
            let mut config = load_from(&path)?;
            set(&mut config, key, Some(&value))?;
            save(&path, &config)?;
            output.note(format!("wrote {}", path.display()));
        }
        ConfigCommand::Unset { key } => {
            let mut config = load_from(&path)?;
            set(&mut config, key, None)?;
            save(&path, &config)?;
            output.note(format!("wrote {}", path.display()));
        }
    }
    Ok(())
}

fn show(settings: &Settings, output: Output) {
    let rows = settings.describe();
    let json: serde_json::Map<String, serde_json::Value> = rows
        .iter()
        .map(|row| (row.key.to_owned(), serde_json::json!({ "value": row.value, "from": row.origin })))
        .collect();
    output.result(&json, || {
        let mut table = crate::output::table(["key", "value", "from"]);
        for row in &rows {
            table.add_row([row.key, row.value.as_str(), row.origin]);
        }
        println!("{table}");
    });
}

/// Checks a value by the rules of the flag that would override it.
fn set(config: &mut ConfigFile, key: Key, value: Option<&str>) -> CliResult {
    let url = |text: &str| Url::parse(text).context(format!("{text:?} is no URL"));
    match key {
        Key::Cluster => {
            if let Some(value) = value {
                let _known: assay_sdk::Cluster = value.parse()?;
            }
            config.cluster = value.map(str::to_owned);
        }
        Key::WsUrl => config.ws_url = value.map(url).transpose()?,
        Key::Keypair => config.keypair = value.map(PathBuf::from),
        Key::Content => config.content = value.map(url).transpose()?,
        Key::Gateways => {
            let parts = value.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
            config.gateways = parts.map(url).collect::<CliResult<_>>()?;
        }
        Key::Market => {
            if let Some(value) = value {
                let _known: solana_pubkey::Pubkey =
                    value.parse().context(format!("{value:?} is no address of a market"))?;
            }
            config.market = value.map(str::to_owned);
        }
    }
    Ok(())
}

//! What every command shares: settings by precedence (flag, variable, config file, default), output, confirmation.

use std::{
    env,
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    time::Duration,
};

use assay_content::KuboClient;
use assay_sdk::{Cluster, keypair::load_keypair};
use clap::Args;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use url::Url;

use crate::{
    config::{self, ConfigFile},
    error::{CliError, CliResult, Context as _, Exit},
    output::Output,
    parse,
};

/// Longest time for one request to the content node; uploads of a full job directory take a second.
pub const CONTENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// One JSON object on stdout instead of text.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// No progress and no remarks.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Say more; twice for details, three times for everything.
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Do not ask before money moves.
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub yes: bool,
    /// localnet, devnet, testnet, mainnet or an RPC URL [env: ASSAY_CLUSTER, ANCHOR_PROVIDER_URL].
    #[arg(long, global = true, value_name = "NAME|URL", help_heading = "Global options")]
    pub cluster: Option<String>,
    /// WebSocket URL, when it is not the RPC URL's next port [env: ASSAY_WS_URL].
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub ws_url: Option<String>,
    /// Keypair file that pays and signs [env: ASSAY_KEYPAIR, ANCHOR_WALLET].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub keypair: Option<PathBuf>,
    /// Kubo RPC of the node that content is uploaded to and read from [env: ASSAY_CONTENT].
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub content: Option<String>,
    /// Trustless gateway to read content from as well; may be repeated [env: ASSAY_GATEWAYS, separated by commas].
    #[arg(long = "gateway", global = true, value_name = "URL", help_heading = "Global options")]
    pub gateways: Vec<String>,
    /// Address of the market [env: ASSAY_MARKET]; may be left out where the cluster has only one.
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = "Global options")]
    pub market: Option<String>,
}

impl GlobalArgs {
    /// How to print.
    pub fn output(&self) -> Output {
        Output { json: self.json, quiet: self.quiet }
    }
}

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Flag, variable, file or default.
    pub origin: &'static str,
}

/// One line of `assay config show`.
#[derive(Clone, Debug)]
pub struct SettingRow {
    /// Key of the config file.
    pub key: &'static str,
    /// The value, secrets left out.
    pub value: String,
    /// Where it comes from.
    pub origin: &'static str,
}

/// Everything resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Endpoints of the cluster.
    pub cluster: Setting<Cluster>,
    /// Path of the keypair.
    pub keypair: Setting<PathBuf>,
    /// Kubo RPC.
    pub content: Setting<Url>,
    /// Gateways.
    pub gateways: Setting<Vec<Url>>,
    /// The market, if one is named.
    pub market: Setting<Option<Pubkey>>,
}

impl Settings {
    /// Resolves flags, variables, the config file and defaults, in this order.
    pub fn resolve(globals: &GlobalArgs) -> CliResult<Self> {
        let file = config::load()?;
        let cluster = resolve_cluster(globals, &file)?;
        let keypair = resolve_keypair(globals, &file)?;
        let local_content = format!("http://127.0.0.1:{}", assay_sdk::cluster::LOCAL_CONTENT_PORT);
        let content = pick(
            globals.content.clone(),
            &["ASSAY_CONTENT"],
            file.content.as_ref().map(Url::to_string),
            Some(local_content),
        );
        let content = content
            .ok_or_else(|| CliError::usage("no content node is set"))
            .and_then(|text| text.parse(|value| url("--content", value)))?;
        let listed = |urls: &[String]| (!urls.is_empty()).then(|| urls.join(","));
        let gateways = pick(
            listed(&globals.gateways),
            &["ASSAY_GATEWAYS"],
            listed(&file.gateways.iter().map(Url::to_string).collect::<Vec<_>>()),
            Some(String::new()),
        );
        let gateways = gateways.unwrap_or(Setting { value: String::new(), origin: "default" }).parse(|text| {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| url("--gateway", part)).collect()
        })?;
        let market = match pick(globals.market.clone(), &["ASSAY_MARKET"], file.market, None) {
            None => Setting { value: None, origin: "the only market of the cluster" },
            Some(text) => text.parse(|value| match parse::address(value) {
                Ok(address) => Ok(Some(address)),
                Err(problem) => Err(CliError::usage(format!("the market {value:?}: {problem}"))),
            })?,
        };
        Ok(Self { cluster, keypair, content, gateways, market })
    }

    /// Rows for `assay config show`.
    pub fn describe(&self) -> Vec<SettingRow> {
        let gateways: Vec<String> = self.gateways.value.iter().map(assay_sdk::cluster::redacted).collect();
        let market = self.market.value.map_or_else(String::new, |market| market.to_string());
        let row = |key, value, origin| SettingRow { key, value, origin };
        vec![
            row("cluster", self.cluster.value.to_string(), self.cluster.origin),
            row("ws_url", assay_sdk::cluster::redacted(&self.cluster.value.ws_url), self.cluster.origin),
            row("keypair", self.keypair.value.display().to_string(), self.keypair.origin),
            row("content", assay_sdk::cluster::redacted(&self.content.value), self.content.origin),
            row("gateways", gateways.join(","), self.gateways.origin),
            row("market", market, self.market.origin),
        ]
    }
}

impl<T> Setting<T> {
    fn parse<U>(self, parse: impl FnOnce(&T) -> CliResult<U>) -> CliResult<Setting<U>> {
        let value = parse(&self.value).map_err(|error| error.with_exit(Exit::Usage))?;
        Ok(Setting { value, origin: self.origin })
    }
}

fn pick(
    flag: Option<String>,
    variables: &'static [&'static str],
    file: Option<String>,
    default: Option<String>,
) -> Option<Setting<String>> {
    let from = |origin| move |value| Setting { value, origin };
    let variable = || {
        variables
            .iter()
            .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (value, *name)))
            .map(|(value, origin)| Setting { value, origin })
    };
    flag.map(from("flag"))
        .or_else(variable)
        .or_else(|| file.map(from("config file")))
        .or_else(|| default.map(from("default")))
}

fn resolve_cluster(globals: &GlobalArgs, file: &ConfigFile) -> CliResult<Setting<Cluster>> {
    let variables = &["ASSAY_CLUSTER", "ANCHOR_PROVIDER_URL"];
    let name = pick(globals.cluster.clone(), variables, file.cluster.clone(), Some("localnet".to_owned()))
        .ok_or_else(|| CliError::usage("no cluster is set"))?;
    let is_from_file = name.origin == "config file";
    let cluster = name.parse(|name| Ok(name.parse::<Cluster>()?))?;
    // The file's WebSocket URL belongs to the file's cluster, not to one named elsewhere.
    let file_ws = file.ws_url.as_ref().filter(|_| is_from_file).map(Url::to_string);
    match pick(globals.ws_url.clone(), &["ASSAY_WS_URL"], file_ws, None) {
        None => Ok(cluster),
        Some(text) => {
            let ws = text.parse(|value| url("--ws-url", value))?;
            Ok(Setting { value: cluster.value.with_ws_url(ws.value), origin: cluster.origin })
        }
    }
}

fn resolve_keypair(globals: &GlobalArgs, file: &ConfigFile) -> CliResult<Setting<PathBuf>> {
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let default = home.map(|home| text(&PathBuf::from(home).join(".config/solana/id.json")));
    let variables = &["ASSAY_KEYPAIR", "ANCHOR_WALLET"];
    let path = pick(globals.keypair.as_ref().map(text), variables, file.keypair.as_ref().map(text), default);
    let path = path.ok_or_else(|| {
        CliError::usage("no keypair is set and HOME is not either").with_next("name a keypair file with --keypair")
    })?;
    path.parse(|text| Ok(expand_home(text)))
}

/// A URL of the setting that this flag, among others, sets.
fn url(flag: &str, value: &str) -> CliResult<Url> {
    Url::parse(value)
        .context(format!("{value:?} is no URL for {flag}"))
        .next("write it with its scheme, such as http://127.0.0.1:5001; `assay config show` says where it is set")
}

/// `~/x`, as configuration files write it.
fn expand_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}

/// What a command works with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Resolved settings.
    pub settings: Settings,
    /// How to print.
    pub output: Output,
    /// Whether money may move unasked.
    pub yes: bool,
}

impl Context {
    /// From the global flags.
    pub fn new(globals: &GlobalArgs) -> CliResult<Self> {
        Ok(Self { settings: Settings::resolve(globals)?, output: globals.output(), yes: globals.yes })
    }

    /// The keypair that pays and signs.
    pub fn keypair(&self) -> CliResult<Keypair> {
        Ok(load_keypair(&self.settings.keypair.value)?)
    }

    /// The content node.
    pub fn kubo(&self) -> CliResult<KuboClient> {
        Ok(KuboClient::new(self.settings.content.value.clone(), CONTENT_TIMEOUT)?)
    }

    /// Says what is about to happen and asks. Without a terminal nobody can answer, so it needs `--yes`.
    pub fn confirm(&self, plan: &str) -> CliResult {
        if self.yes {
            self.output.note(plan);
            return Ok(());
        }
        eprintln!("{plan}");
        let refused = |what: &str| CliError::new(what).with_exit(Exit::NotConfirmed);
        if !io::stdin().is_terminal() {
            return Err(refused("this wants to be confirmed and nobody can be asked: stdin is no terminal")
                .with_next("run it again with --yes to go ahead"));
        }
        eprint!("Go ahead? [y/N] ");
        io::stderr().flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(refused("not confirmed, nothing was done")),
        }
    }
}

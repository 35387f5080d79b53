//! Reading, overriding, checking and printing a configuration.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use assay_protocol::limits::BPS_ONE;
use thiserror::Error;
use toml::{Table, Value};
use url::Url;

use super::Config;
use crate::{chain::ENDPOINTS_MAX, core::FEE_BUMPS_LIMIT};

/// Prefix of the variables that override keys.
const ENV_PREFIX: &str = "ASSAY__";
/// Longest configuration file.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Least bytes of each kind of records.
const RECORDS_QUOTA_MIN: u64 = 1 << 20;
/// Least time that records are kept.
const RECORDS_AGE_MIN: Duration = Duration::from_secs(3_600);

/// Why a configuration was refused. The message names the key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error(
        "read the configuration {path}: {source}; give its path with --config or create it with `assay provider init`"
    )]
    Read {
        /// File.
        path: String,
        /// From the system.
        source: std::io::Error,
    },
    /// The file is far too long.
    #[error("read the configuration {path}: it is longer than 1 MiB; is it the right file?")]
    TooLong {
        /// File.
        path: String,
    },
    /// It is not TOML, or a key is unknown or has a wrong type.
    #[error("understand the configuration {path}: {message}")]
    Parse {
        /// File.
        path: String,
        /// From the parser, with the place.
        message: String,
    },
    /// A variable does not name a key.
    #[error("apply the variable {name}: write {ENV_PREFIX}SECTION__KEY, such as ASSAY__CHAIN__CLUSTER")]
    Variable {
        /// Variable.
        name: String,
    },
    /// A value is out of its range.
    #[error("use the configuration: {key} {problem}")]
    Value {
        /// Key, with its section.
        key: &'static str,
        /// What is wrong, and what to write.
        problem: &'static str,
    },
}

/// Reads a file and applies the overrides.
///
/// # Errors
/// [`ConfigError`] names the file and the key.
pub fn load(path: &Path, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, ConfigError> {
    let name = path.display().to_string();
    let read_error = |source| ConfigError::Read { path: name.clone(), source };
    if fs::metadata(path).map_err(read_error)?.len() > CONFIG_BYTES_MAX {
        return Err(ConfigError::TooLong { path: name });
    }
    let text = fs::read_to_string(path).map_err(read_error)?;
    let parse_error = |message: String| ConfigError::Parse { path: name.clone(), message };
    let mut table: Table = toml::from_str(&text).map_err(|error| parse_error(error.to_string()))?;
    let overrides: BTreeMap<String, String> =
        env.into_iter().filter(|(variable, _)| variable.starts_with(ENV_PREFIX)).collect();
    for (variable, value) in &overrides {
        override_key(&mut table, variable, value)?;
    }
    let mut config: Config = Value::Table(table).try_into().map_err(|error: toml::de::Error| {
        let hint = if overrides.is_empty() { "" } else { " (variables that begin with ASSAY__ were applied)" };
        parse_error(format!("{error}{hint}"))
    })?;
    // Relative paths are relative to the file, not to wherever the process was started.
    let base = path.parent().unwrap_or(Path::new("."));
    for relative in [&mut config.provider.node_key_path, &mut config.provider.data_dir] {
        *relative = base.join(relative.as_path());
    }
    check(&config)?;
    Ok(config)
}

fn override_key(table: &mut Table, variable: &str, text: &str) -> Result<(), ConfigError> {
    let unnamed = || ConfigError::Variable { name: variable.to_owned() };
    let (section, key) =
        variable.strip_prefix(ENV_PREFIX).and_then(|rest| rest.split_once("__")).ok_or_else(unnamed)?;
    let section = table.entry(section.to_lowercase()).or_insert_with(|| Value::Table(Table::new()));
    let section = section.as_table_mut().ok_or_else(unnamed)?;
    // A number, boolean or list as in TOML; anything else is a string.
    let value = toml::from_str::<Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()));
    section.insert(key.to_lowercase(), value);
    Ok(())
}

/// Whether the bot starts with these values.
///
/// # Errors
/// [`ConfigError::Value`] names the first that it refuses.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    let ensure = |holds: bool, key, problem| if holds { Ok(()) } else { Err(ConfigError::Value { key, problem }) };
    let (chain, worker, limits) = (&config.chain, &config.worker, &config.limits);
    for (key, span) in [
        ("chain.poll_interval", chain.poll_interval),
        ("chain.confirm_interval", chain.confirm_interval),
        ("chain.resend_interval", chain.resend_interval),
        ("chain.request_timeout", chain.request_timeout),
        ("chain.fee_bump_interval", chain.fee_bump_interval),
        ("content.fetch_deadline", config.content.fetch_deadline),
        ("content.publish_deadline", config.content.publish_deadline),
        ("worker.prepare_deadline", worker.prepare_deadline),
    ] {
        ensure(span.0.as_millis() >= 10, key, "is under 10 ms; write a longer duration")?;
    }
    for (key, number) in [
        ("worker.runs_max", worker.runs_max),
        ("worker.preparations_max", worker.preparations_max),
        ("limits.jobs_active_max", limits.jobs_active_max),
        ("limits.jobs_tracked_max", limits.jobs_tracked_max),
        ("limits.prepare_attempts_max", usize::from(limits.prepare_attempts_max)),
        ("limits.run_attempts_max", usize::from(limits.run_attempts_max)),
        ("limits.tx_failures_max", usize::from(limits.tx_failures_max)),
    ] {
        ensure((1..=10_000).contains(&number), key, "is outside 1 to 10,000")?;
    }
    let problem = "is under 1h, which receipts need to be signed and published; write 1h or more";
    ensure(config.records.age_max.0 >= RECORDS_AGE_MIN, "records.age_max", problem)?;
    ensure(config.records.receipts_max >= 1, "records.receipts_max", "is zero; write how many receipts are kept")?;
    for (key, quota) in [
        ("records.receipts_quota", config.records.receipts_quota),
        ("records.executions_quota", config.records.executions_quota),
    ] {
        ensure(quota.0 >= RECORDS_QUOTA_MIN, key, "is under 1 MiB; write a larger size")?;
    }
    let sampled = config.watch.sample_rate_bps <= BPS_ONE;
    ensure(sampled, "watch.sample_rate_bps", "is over 10,000, which watches every result; write 0 to 10,000")?;
    let endpoints = chain.other_rpc_urls.len() < ENDPOINTS_MAX;
    ensure(endpoints, "chain.other_rpc_urls", "names more than three; keep those that are run by different people")?;
    let bumps = chain.fee_bumps_max <= FEE_BUMPS_LIMIT;
    ensure(bumps, "chain.fee_bumps_max", "is more than 8, the most that may be signed beside one another")?;
    let rises = chain.priority_fee_max_micro_lamports >= chain.priority_fee_micro_lamports;
    let problem = "is below chain.priority_fee_micro_lamports; write the same for a price that never rises";
    ensure(rises, "chain.priority_fee_max_micro_lamports", problem)?;
    ensure(worker.gas_per_second > 0, "worker.gas_per_second", "is zero; write what one run burns in a second")?;
    let sources = !config.content.kubo.is_empty() || !config.content.gateways.is_empty();
    ensure(sources, "content.kubo", "and content.gateways are empty; name at least one source of job directories")?;
    let nodes = if config.content.publish.is_empty() { &config.content.kubo } else { &config.content.publish };
    ensure(config.content.pins_min <= nodes.len(), "content.pins_min", "is more than there are nodes to publish to")?;
    let public = config.server.listen.is_some_and(|address| !address.ip().is_loopback());
    let problem = "is not on loopback; use a loopback address, or set server.public = true to expose it";
    ensure(!public || config.server.public, "server.listen", problem)
}

/// The configuration as it will be used, as TOML, with secrets hidden: URLs may carry access tokens in their user,
/// password, path and query. Keys are named by path only, so there is nothing else to hide.
#[must_use]
pub fn resolved(config: &Config) -> String {
    let mut shown = config.clone();
    let urls = [&mut shown.content.kubo, &mut shown.content.gateways, &mut shown.content.publish];
    for url in urls.into_iter().flatten().chain(&mut shown.chain.other_rpc_urls).chain(shown.chain.ws_url.as_mut()) {
        hide(url);
    }
    if let Ok(mut url) = Url::parse(&shown.chain.cluster) {
        hide(&mut url);
        shown.chain.cluster = url.to_string();
    }
    toml::to_string_pretty(&shown).unwrap_or_else(|error| format!("# cannot be printed: {error}\n"))
}

fn hide(url: &mut Url) {
    if url.password().is_some() || !url.username().is_empty() {
        // Neither fails on a URL that has a user or password already.
        let hidden = url.set_username("hidden").and_then(|()| url.set_password(None));
        debug_assert!(hidden.is_ok(), "a URL with a user takes another");
    }
    if url.path().len() > 1 {
        url.set_path("/hidden");
    }
    if url.query().is_some() {
        url.set_query(Some("hidden"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MINIMAL;

    fn load_text(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("provider.toml");
        fs::write(&path, text).expect("written");
        load(&path, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_minimal_file_is_enough_and_paths_are_relative_to_it() {
        let config = load_text(MINIMAL, &[]).expect("loaded");
        assert!(config.provider.data_dir.is_absolute() && config.provider.data_dir.ends_with("data"));
        assert!(resolved(&config).contains("poll_interval = \"2s\""));
    }

    #[test]
    fn variables_override_keys_and_must_name_one() {
        let set = [("ASSAY__CHAIN__POLL_INTERVAL", "250ms"), ("ASSAY__WORKER__RUNS_MAX", "7"), ("PATH", "x")];
        let config = load_text(MINIMAL, &set).expect("loaded");
        assert_eq!((config.chain.poll_interval.0.as_millis(), config.worker.runs_max), (250, 7));
        assert!(matches!(load_text(MINIMAL, &[("ASSAY__CHAIN", "x")]), Err(ConfigError::Variable { .. })));
        let error = load_text(MINIMAL, &[("ASSAY__CHAIN__CLUSTR", "x")]).expect_err("no such key").to_string();
        assert!(error.contains("clustr"), "{error}");
    }

    #[test]
    fn unknown_keys_bad_values_and_open_listeners_are_refused_by_name() {
        for (text, named) in [
            ("[chain]\nurl = \"x\"", "url"),
            ("[worker]\nprepare_deadline = \"30\"", "such as"),
            ("[worker]\nprepare_deadline = \"1ms\"", "worker.prepare_deadline"),
            ("[worker]\ndeadline = \"30s\"", "unknown field `deadline`"),
            ("[worker]\nruns_max = 0", "worker.runs_max"),
            ("[worker]\nisolation = \"most\"", "full, required or none"),
            ("[worker]\ngas_per_second = 0", "worker.gas_per_second"),
            ("[server]\nlisten = \"0.0.0.0:1\"", "server.listen"),
            ("[content]\nkubo = []", "content.kubo"),
            ("[records]\nreceipts_max = 0", "records.receipts_max"),
            ("[records]\nexecutions_quota = \"1KiB\"", "records.executions_quota"),
            ("[records]\nage_max = \"59m\"", "records.age_max"),
            ("[records]\nage = \"1h\"", "unknown field `age`"),
            (
                "[chain]\nother_rpc_urls = [\"http://a\", \"http://b\", \"http://c\", \"http://d\"]",
                "chain.other_rpc_urls",
            ),
            ("[chain]\nfee_bumps_max = 9", "chain.fee_bumps_max"),
            ("[chain]\npriority_fee_micro_lamports = 250001", "chain.priority_fee_max_micro_lamports"),
            ("[content]\npins_min = 2", "content.pins_min"),
            ("[watch]\nsample_rate_bps = 10001", "watch.sample_rate_bps"),
            ("[watch]\nsample_rate = 1", "unknown field `sample_rate`"),
        ] {
            let error = load_text(&format!("{MINIMAL}\n{text}"), &[]).expect_err(text).to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn e_28_printed_urls_keep_their_tokens() {
        let text = "[chain]\ncluster = \"https://user:secret@rpc.example/secret?key=secret\"\n\
                    other_rpc_urls = [\"https://other.example/secret\"]\n\
                    [content]\nkubo = [\"http://a:secret@127.0.0.1:1/\"]";
        let config = load_text(&format!("{MINIMAL}\n{text}"), &[]).expect("loaded");
        let shown = resolved(&config);
        assert!(!shown.contains("secret") && shown.contains("rpc.example"), "{shown}");
    }
}

//! `config check`: everything that a start would refuse, found without one. It makes no file, so that it may be run by
//! another user than the bot's, and disturbs no instance that runs.

use std::path::Path;

use rustix::fs::{Access, access};

use crate::{
    Config, InstanceLock, LockError, Options,
    journal::{JOURNAL_FILE, Journal},
    lock::LOCK_FILE,
    records::Records,
    server,
    startup::{self, COMPILED_DIRECTORY, STORE_DIRECTORY, StartError},
    worker::listed,
};

/// Whether the chain is asked, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The cluster, market, provider and program are looked at.
    Chain,
    /// Only what this machine knows.
    Offline,
}

/// Checks all of it; what is found besides, in sentences.
///
/// # Errors
/// What the start would refuse, as it would say it.
pub async fn check(config: &Config, reach: Reach) -> Result<Vec<String>, StartError> {
    let mut remarks = Vec::new();
    let fences = startup::probe(config).await?;
    if fences.missing().next().is_some() {
        remarks.push(format!(
            "the bot would start, as worker.isolation = \"{}\" allows it, and guests would run without these fences: {}",
            config.worker.isolation,
            listed(fences.missing())
        ));
    }
    let signer = startup::signer(config)?;
    let chain = startup::connect(config, &signer)?;
    if is_free(&config.provider.data_dir)? {
        check_files(config)?;
        if let Some(listen) = config.server.listen {
            server::bind(listen).await?;
        }
    } else {
        remarks.push("an instance runs with this data directory: its journal, blocks and port were left alone".into());
    }
    match reach {
        Reach::Chain => startup::check(config, &chain.facts().await?, signer.address())?,
        Reach::Offline => remarks.push("the chain was not asked".into()),
    }
    Ok(remarks)
}

/// Whether no instance uses the directory, which can be used.
fn is_free(data_dir: &Path) -> Result<bool, LockError> {
    // The directory, or the nearest one in which it would be made.
    let existing = data_dir.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let unusable = |source| LockError::Io { path: existing.display().to_string(), source };
    if !existing.is_dir() {
        return Err(unusable(rustix::io::Errno::NOTDIR.into()));
    }
    access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| unusable(error.into()))?;
    if !data_dir.join(LOCK_FILE).exists() {
        return Ok(true);
    }
    match InstanceLock::acquire(data_dir) {
        Ok(_) => Ok(true),
        Err(LockError::Held { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens what is there.
fn check_files(config: &Config) -> Result<(), StartError> {
    let data_dir = &config.provider.data_dir;
    if data_dir.join(JOURNAL_FILE).exists() {
        Journal::open(data_dir)?;
    }
    if data_dir.join(STORE_DIRECTORY).exists() {
        let records = Records::new(data_dir, [0; 32], config.records);
        startup::workshop(config, Options::default(), (startup::store(config)?, records), None)?;
    }
    if data_dir.join(COMPILED_DIRECTORY).exists() {
        startup::compiled(config)?;
    }
    Ok(())
}

//! The keys of a network, in files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use assay_sdk::{KeypairError, SharedSigner, load_keypair, save_keypair};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::network::{NetworkConfig, NetworkError};

/// A key and the file that it is in.
pub(crate) struct Key {
    pub(crate) address: Pubkey,
    pub(crate) signer: SharedSigner,
    pub(crate) path: PathBuf,
}

pub(crate) struct ProviderKeys {
    pub(crate) authority: Key,
    pub(crate) node: Key,
    pub(crate) data_directory: PathBuf,
}

pub(crate) struct Keys {
    pub(crate) market: Key,
    pub(crate) poster: Key,
    pub(crate) providers: Vec<ProviderKeys>,
}

impl Keys {
    pub(crate) fn load_or_create(config: &NetworkConfig) -> Result<Self, NetworkError> {
        let keys = config.directory.join("keys");
        make_directory(&keys)?;
        let key = |name: &str| Key::load_or_create(keys.join(format!("{name}.json")));
        let mut providers = Vec::with_capacity(config.providers);
        for number in 1..=config.providers {
            let data_directory = config.directory.join(format!("provider-{number}"));
            make_directory(&data_directory)?;
            providers.push(ProviderKeys {
                authority: key(&format!("provider-{number}-authority"))?,
                node: key(&format!("provider-{number}-node"))?,
                data_directory,
            });
        }
        Ok(Self { market: key("market")?, poster: key("poster")?, providers })
    }

    pub(crate) fn funded(&self) -> impl Iterator<Item = &Key> {
        let providers = self.providers.iter().flat_map(|provider| [&provider.authority, &provider.node]);
        [&self.market, &self.poster].into_iter().chain(providers)
    }
}

impl Key {
    fn load_or_create(path: PathBuf) -> Result<Self, NetworkError> {
        let keypair = match load_keypair(&path) {
            Ok(keypair) => keypair,
            Err(KeypairError::Missing { .. }) => {
                let keypair = Keypair::new();
                save_keypair(&path, &keypair)?;
                keypair
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { address: keypair.pubkey(), signer: Arc::new(keypair), path })
    }
}

/// Private to its owner: it holds keys.
fn make_directory(path: &Path) -> Result<(), NetworkError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })
}

//! The keys of a network, in files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use assay_sdk::{KeypairError, SharedSigner, load_keypair, save_keypair};
use sha2::{Digest, Sha256};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{config::NetworkConfig, network::NetworkError};

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
        let key = |name: &str| Key::load_or_create(keys.join(format!("{name}.json")), (config.seed, name));
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
    fn load_or_create(path: PathBuf, (seed, name): (Option<u64>, &str)) -> Result<Self, NetworkError> {
        let seeded = seed.map(|seed| of_seed(seed, name));
        let keypair = match load_keypair(&path) {
            Ok(known) if seeded.as_ref().is_some_and(|seeded| *seeded != known) => {
                let problem = format!("{} is not of the seed that was given; name another directory", path.display());
                return Err(NetworkError::Config { problem });
            }
            Ok(keypair) => keypair,
            Err(KeypairError::Missing { .. }) => {
                let keypair = seeded.unwrap_or_else(Keypair::new);
                save_keypair(&path, &keypair)?;
                keypair
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { address: keypair.pubkey(), signer: Arc::new(keypair), path })
    }
}

/// A key for a network that is worth nothing: whoever knows the seed has it.
fn of_seed(seed: u64, name: &str) -> Keypair {
    let hash = Sha256::new().chain_update(b"assay:localnet:v1").chain_update(seed.to_le_bytes()).chain_update(name);
    Keypair::new_from_array(hash.finalize().into())
}

/// Private to its owner: it holds keys.
fn make_directory(path: &Path) -> Result<(), NetworkError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| NetworkError::Io { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_seed_gives_the_same_keys_each_time_and_another_one_others() {
        let address = |seed, name| of_seed(seed, name).pubkey();
        assert_eq!(address(1, "poster"), address(1, "poster"));
        assert_ne!(address(1, "poster"), address(2, "poster"));
        assert_ne!(address(1, "poster"), address(1, "market"));
    }

    #[test]
    fn keys_that_are_there_are_used_again_unless_they_are_of_another_seed() {
        let dir = tempfile::tempdir().unwrap();
        let of = |seed| {
            let config = NetworkConfig { seed, ..NetworkConfig::for_tests(dir.path()) };
            Keys::load_or_create(&config).map(|keys| keys.poster.address)
        };
        let first = of(Some(1)).unwrap();
        assert_eq!((of(Some(1)).unwrap(), of(None).unwrap()), (first, first));
        assert!(matches!(of(Some(2)), Err(NetworkError::Config { .. })));
    }
}

//! What the start-up checks compare.

use anchor_lang::AccountDeserialize;
use assay_protocol::{Hash32, cluster_tag};
use assay_sdk::program::{
    self,
    accounts::{Market, Provider},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::request::RpcRequest;

use super::{
    ChainError, RpcChain,
    rpc::{Commitment, RawAccount, RpcSettings},
};

/// Bytes before the executable in a loader's program data account.
const PROGRAM_DATA_HEAD_BYTES: usize = 45;

/// What the start-up checks compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainFacts {
    /// `cluster_tag` of the cluster's genesis hash.
    pub cluster_tag: Hash32,
    /// SHA-256 of the program's executable bytes, without trailing zeros.
    pub program_sha256: Hash32,
    /// The market's own cluster tag.
    pub market_cluster_tag: Hash32,
    /// Bit i allows profile i + 1.
    pub market_profiles: u32,
    /// Node key that the Provider account names.
    pub node_key: Pubkey,
}

impl RpcChain {
    /// What the start-up checks compare.
    ///
    /// # Errors
    /// [`ChainError::Missing`] names the account that is not there.
    pub async fn facts(&self) -> Result<ChainFacts, ChainError> {
        const NO_PROGRAM: &str = "deploy the program or choose another cluster";
        let RpcSettings { market, provider, .. } = *self.settings();
        let genesis: String = self.ask("fetch the genesis hash", RpcRequest::GetGenesisHash, Value::Null).await?;
        self.check_others(&genesis).await?;
        let genesis: Hash = genesis.parse().map_err(|_| self.not_understood("fetch the genesis hash", genesis))?;
        let fetched = self.accounts(&[program::ID, market, provider], Commitment::Confirmed).await?;
        let program_account = fetched.get(0).ok_or_else(|| self.missing("program", program::ID, NO_PROGRAM))?;
        let executable = self.executable(program_account).await?;
        let read = |index| fetched.get(index).and_then(RawAccount::of_program);
        let market_account =
            read(1).and_then(|data| Market::try_deserialize(&mut &data[..]).ok()).ok_or_else(|| {
                self.missing("market", market, "create it with `assay market create` or correct provider.market")
            })?;
        let provider_account = read(2).and_then(|data| Provider::try_deserialize(&mut &data[..]).ok());
        let provider_account = provider_account.ok_or_else(|| {
            self.missing(
                "provider",
                provider,
                "register it with `assay provider register` or correct provider.authority",
            )
        })?;
        Ok(ChainFacts {
            cluster_tag: cluster_tag(&genesis.to_bytes()),
            program_sha256: Sha256::digest(executable).into(),
            market_cluster_tag: market_account.cluster,
            market_profiles: market_account.current_terms(i64::MAX).profiles,
            node_key: provider_account.node_key,
        })
    }

    /// Endpoints of another cluster would contradict everything. One that is silent now may answer later.
    async fn check_others(&self, genesis: &str) -> Result<(), ChainError> {
        let doing = "fetch the genesis hash";
        for other in self.witnesses() {
            match other.ask::<String>(doing, RpcRequest::GetGenesisHash, Value::Null).await {
                Ok(hash) if hash == genesis => {}
                Ok(_) => {
                    let problem =
                        format!("it serves another cluster than {}; correct chain.other_rpc_urls", self.name());
                    return Err(other.not_understood(doing, problem));
                }
                Err(error) => tracing::warn!(%error, "endpoint_silent"),
            }
        }
        Ok(())
    }

    /// The program's executable, wherever its loader keeps it, without the padding behind it.
    async fn executable(&self, account: &RawAccount) -> Result<Vec<u8>, ChainError> {
        let doing = "fetch the program";
        let data = account.bytes().ok_or_else(|| self.not_understood(doing, "its data is not base64"))?;
        let mut executable = if account.owner == solana_sdk_ids::bpf_loader_upgradeable::ID.to_string() {
            let address: [u8; 32] = data
                .get(4..36)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| self.not_understood(doing, "it names no program data account"))?;
            let fetched = self.accounts(&[Pubkey::new_from_array(address)], Commitment::Confirmed).await?;
            let program_data = fetched.get(0).and_then(RawAccount::bytes).unwrap_or_default();
            program_data.get(PROGRAM_DATA_HEAD_BYTES..).unwrap_or_default().to_vec()
        } else {
            data
        };
        let length = executable.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        executable.truncate(length);
        Ok(executable)
    }
}

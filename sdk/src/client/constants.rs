//! What never changes while a client lives is asked for once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use assay_protocol::{Hash32, cluster_tag};
use tokio::sync::OnceCell;

use super::Client;
use crate::errors::ClientError;

/// What was read so far.
#[derive(Default)]
pub(super) struct Constants {
    cluster_tag: OnceCell<Hash32>,
    /// Lamports by bytes.
    rents: Mutex<BTreeMap<usize, u64>>,
}

impl Client {
    /// The tag that a market of this cluster carries. Asked for once: a client is of one cluster.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn cluster_tag(&self) -> Result<Hash32, ClientError> {
        let ask = || async {
            let genesis = self.read("read the genesis hash", || self.rpc.get_genesis_hash()).await?;
            Ok(cluster_tag(&genesis.to_bytes()))
        };
        self.constants.cluster_tag.get_or_try_init(ask).await.copied()
    }

    /// Rent of an account of this size. Asked for once: clusters have not changed it since they began.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn rent_lamports(&self, bytes: usize) -> Result<u64, ClientError> {
        let rents = || self.constants.rents.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rents().get(&bytes).copied();
        if let Some(lamports) = known {
            return Ok(lamports);
        }
        let ask = || self.rpc.get_minimum_balance_for_rent_exemption(bytes);
        let lamports = self.read("read the rent", ask).await?;
        rents().insert(bytes, lamports);
        Ok(lamports)
    }
}

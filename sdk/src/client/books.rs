//! Where lamports are and what transactions cost, for whoever checks that none is lost.

use std::collections::BTreeSet;

use solana_pubkey::Pubkey;
use solana_rpc_client_api::config::RpcProgramAccountsConfig;
use solana_signature::Signature;

use super::{Client, account_config, send::transaction_config};
use crate::{errors::ClientError, program};

impl Client {
    /// What all accounts of the program hold together, rent included, lamports.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn program_lamports(&self) -> Result<u64, ClientError> {
        let config = RpcProgramAccountsConfig { account_config: account_config(), ..Default::default() };
        let found = self
            .read("list accounts", || self.rpc.get_program_ui_accounts_with_config(&program::ID, config.clone()))
            .await?;
        Ok(found.iter().fold(0, |sum, (_, account)| sum.saturating_add(account.lamports)))
    }

    /// The transactions that name one of these addresses, those that failed included.
    ///
    /// # Errors
    /// A failure of the endpoint; [`ClientError::CursorTooOld`] when an address has too many.
    pub async fn transactions_of(&self, addresses: &[Pubkey]) -> Result<BTreeSet<Signature>, ClientError> {
        let mut signatures = BTreeSet::new();
        for address in addresses {
            for entry in self.signatures_after(address, None).await? {
                signatures.insert(super::events::parse_signature(address, &entry)?);
            }
        }
        Ok(signatures)
    }

    /// What the payer of a transaction paid for it, lamports; `None` when the endpoint does not say.
    ///
    /// # Errors
    /// A failure of the endpoint, also when it does not have the transaction.
    pub async fn transaction_fee(&self, signature: &Signature) -> Result<Option<u64>, ClientError> {
        let config = transaction_config();
        let found = self.read("read a transaction", || self.rpc.get_transaction_with_config(signature, config)).await?;
        Ok(found.transaction.meta.map(|meta| meta.fee))
    }
}

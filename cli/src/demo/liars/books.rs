//! The books of a network: every lamport that somebody holds, before and after, and what the transactions in between cost.

use std::collections::BTreeSet;

use assay_sdk::{Client, load_keypair};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    error::{CliError, CliResult, Hint},
    localnet::Running,
    output::lamports,
};

/// What program and people held at one moment, and whose it is.
pub(super) struct OpenBooks {
    client: Client,
    /// Those who pay for transactions: posters and hot keys.
    payers: Vec<Pubkey>,
    /// Those who only receive.
    others: Vec<Pubkey>,
    held_lamports: u64,
    /// How many transactions each payer's history has.
    transactions: BTreeSet<String>,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(super) struct Books {
    before_lamports: u64,
    after_lamports: u64,
    /// What the chain took for the transactions in between.
    fees_lamports: u64,
    transactions: usize,
}

impl OpenBooks {
    /// Counts for the first time, while nobody sends anything.
    pub(super) async fn open(running: &Running, posters: &[Client]) -> CliResult<Self> {
        let network = running.network();
        let (mut payers, mut others) = (Vec::new(), Vec::new());
        for poster in posters {
            payers.push(poster.signer_address().hint()?);
        }
        others.push(load_keypair(&network.info().market_keypair)?.pubkey());
        for provider in &network.info().providers {
            payers.push(load_keypair(&provider.node_keypair)?.pubkey());
            others.push(load_keypair(&provider.authority_keypair)?.pubkey());
        }
        let client = network.client().clone();
        let mut books = Self { client, payers, others, held_lamports: 0, transactions: BTreeSet::new() };
        books.held_lamports = books.held().await?;
        books.transactions = books.sent().await?;
        Ok(books)
    }

    /// Counts again, once nobody sends anything any more.
    pub(super) async fn close(self) -> CliResult<Books> {
        let after_lamports = self.held().await?;
        let sent = self.sent().await?;
        let (mut fees_lamports, mut transactions) = (0_u64, 0_usize);
        for signature in sent.difference(&self.transactions) {
            let signature = signature.parse().map_err(|_| CliError::new(format!("{signature} is no signature")))?;
            let fee = self.client.transaction_fee(&signature).await.hint()?;
            fees_lamports = fees_lamports.saturating_add(fee.unwrap_or_default());
            transactions = transactions.saturating_add(1);
        }
        Ok(Books { before_lamports: self.held_lamports, after_lamports, fees_lamports, transactions })
    }

    /// What all accounts of the program and all people hold together.
    async fn held(&self) -> CliResult<u64> {
        let mut sum = self.client.program_lamports().await.hint()?;
        for address in self.payers.iter().chain(&self.others) {
            sum = sum.saturating_add(self.client.balance(address).await.hint()?);
        }
        Ok(sum)
    }

    async fn sent(&self) -> CliResult<BTreeSet<String>> {
        let signatures = self.client.transactions_of(&self.payers).await.hint()?;
        Ok(signatures.iter().map(ToString::to_string).collect())
    }
}

impl Books {
    /// How many lamports are nowhere to be found; negative when some came from nowhere.
    pub(super) fn missing_lamports(&self) -> i128 {
        let [before, after, fees] = [self.before_lamports, self.after_lamports, self.fees_lamports].map(i128::from);
        before.saturating_sub(after).saturating_sub(fees)
    }

    pub(super) fn print(&self) {
        println!(
            "books: {} before, {} after, {} for {} transactions",
            lamports(self.before_lamports),
            lamports(self.after_lamports),
            lamports(self.fees_lamports),
            self.transactions
        );
    }
}

#[cfg(test)]
impl Books {
    /// Books that say this.
    pub(super) const fn of(before_lamports: u64, after_lamports: u64, fees_lamports: u64) -> Self {
        Self { before_lamports, after_lamports, fees_lamports, transactions: 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_what_no_fee_explains() {
        assert_eq!([7, 6, 8].map(|after| Books::of(10, after, 3).missing_lamports()), [0, 1, -1]);
    }
}

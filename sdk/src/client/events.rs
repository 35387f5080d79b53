//! Reading events in order, from a cursor that can be stored.

use std::collections::VecDeque;

use solana_commitment_config::CommitmentConfig;
use solana_pubkey::Pubkey;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_rpc_client_api::response::RpcConfirmedTransactionStatusWithSignature;
use solana_signature::Signature;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;

use super::{Client, send::transaction_config};
use crate::{
    errors::ClientError,
    events::{EventCursor, EventHistory, EventPage, EventRecord, SIGNATURES_MAX, events_in_log},
};

/// Signatures asked for in one request; the most that RPC nodes allow.
const SIGNATURES_PER_REQUEST: usize = 1_000;

impl Client {
    /// The events of the transactions that touched an address (a job, a market, or the program itself) after the cursor,
    /// oldest first, from at most `transactions_max` transactions. Pass the page's cursor to the next call; nothing is
    /// skipped and nothing comes twice.
    ///
    /// # Errors
    /// [`ClientError::CursorTooOld`] when more than [`SIGNATURES_MAX`] transactions lie behind the cursor, or a failure of the
    /// endpoint; the cursor is then still good.
    pub async fn events_after(
        &self,
        address: &Pubkey,
        cursor: EventCursor,
        transactions_max: usize,
    ) -> Result<EventPage, ClientError> {
        let waiting = self.signatures_after(address, cursor.after).await?;
        let mut page = EventPage { cursor, more: waiting.len() > transactions_max, ..EventPage::default() };
        for entry in waiting.into_iter().take(transactions_max) {
            let signature = parse_signature(address, &entry)?;
            // A failed transaction changed nothing; its log may hold events of instructions that were undone.
            if entry.err.is_none() {
                self.read_events(&signature, &entry, &mut page).await?;
            }
            page.cursor = EventCursor { after: Some(signature) };
        }
        Ok(page)
    }

    /// All events of one job, oldest first.
    ///
    /// # Errors
    /// As [`Self::events_after`].
    pub async fn job_events(&self, job: &Pubkey) -> Result<Vec<EventRecord>, ClientError> {
        let page = self.events_after(job, EventCursor::default(), SIGNATURES_MAX).await?;
        Ok(page.records.into_iter().filter(|record| record.event.job() == Some(*job)).collect())
    }

    /// The events of at most so many transactions that touched an address, the newest. What is missing before them, because there
    /// are more or because the endpoint fails after a part, is said in the answer.
    ///
    /// # Errors
    /// A failure of the endpoint before anything was read.
    pub async fn latest_events(&self, address: &Pubkey, transactions_max: usize) -> Result<EventHistory, ClientError> {
        let Listed { entries, missing } = self.signatures(address, None, transactions_max).await?;
        let mut history = EventHistory { missing, ..EventHistory::default() };
        for entry in entries.iter().rev() {
            let signature = parse_signature(address, entry)?;
            let mut page = EventPage::default();
            if entry.err.is_none() {
                match self.read_events(&signature, entry, &mut page).await {
                    Err(error) if history.transactions == 0 => return Err(error),
                    Err(error) => {
                        history.missing = Some(error);
                        break;
                    }
                    Ok(()) => {}
                }
            }
            history.transactions = history.transactions.saturating_add(1);
            history.truncated = history.truncated.saturating_add(page.truncated);
            history.records.extend(page.records.into_iter().rev());
        }
        history.records.reverse();
        Ok(history)
    }

    async fn read_events(
        &self,
        signature: &Signature,
        entry: &RpcConfirmedTransactionStatusWithSignature,
        page: &mut EventPage,
    ) -> Result<(), ClientError> {
        let config = transaction_config();
        let transaction =
            self.read("read a transaction", || self.rpc.get_transaction_with_config(signature, config)).await?;
        let logs = match transaction.transaction.meta.map(|meta| meta.log_messages) {
            Some(OptionSerializer::Some(logs)) => logs,
            _ => Vec::new(),
        };
        let found = events_in_log(&logs);
        page.truncated = page.truncated.saturating_add(usize::from(found.truncated));
        page.records.extend(found.events.into_iter().enumerate().map(|(index, event)| EventRecord {
            signature: *signature,
            slot: transaction.slot,
            block_time_unix: transaction.block_time.or(entry.block_time),
            index,
            event,
        }));
        Ok(())
    }

    /// The signatures after `until`, oldest first.
    pub(super) async fn signatures_after(
        &self,
        address: &Pubkey,
        until: Option<Signature>,
    ) -> Result<VecDeque<RpcConfirmedTransactionStatusWithSignature>, ClientError> {
        let Listed { entries, missing } = self.signatures(address, until, SIGNATURES_MAX).await?;
        missing.map_or(Ok(entries), Err)
    }

    /// At most so many signatures after `until`, the newest. RPC nodes list them newest first.
    async fn signatures(
        &self,
        address: &Pubkey,
        until: Option<Signature>,
        signatures_max: usize,
    ) -> Result<Listed, ClientError> {
        let mut entries = VecDeque::new();
        let mut before = None;
        loop {
            // One more than is wanted tells whether there are older ones.
            let wanted = signatures_max.saturating_add(1).saturating_sub(entries.len());
            let limit = wanted.min(SIGNATURES_PER_REQUEST);
            let page = self.read("list transactions", || {
                let config = GetConfirmedSignaturesForAddress2Config {
                    before,
                    until,
                    limit: Some(limit),
                    commitment: Some(CommitmentConfig::confirmed()),
                };
                self.rpc.get_signatures_for_address_with_config(address, config)
            });
            let page = match page.await {
                Err(error) if !entries.is_empty() => return Ok(Listed { entries, missing: Some(error) }),
                page => page?,
            };
            let full = page.len() >= limit;
            page.into_iter().for_each(|entry| entries.push_front(entry));
            if entries.len() > signatures_max {
                entries.drain(..entries.len().saturating_sub(signatures_max));
                let missing = Some(ClientError::CursorTooOld { address: *address, signatures_max });
                return Ok(Listed { entries, missing });
            }
            match entries.front() {
                Some(oldest) if full => before = Some(parse_signature(address, oldest)?),
                _ => return Ok(Listed { entries, missing: None }),
            }
        }
    }
}

/// Signatures of an address.
struct Listed {
    /// Oldest first.
    entries: VecDeque<RpcConfirmedTransactionStatusWithSignature>,
    /// Why older ones are not among them; `None` when there are none.
    missing: Option<ClientError>,
}

pub(super) fn parse_signature(
    address: &Pubkey,
    entry: &RpcConfirmedTransactionStatusWithSignature,
) -> Result<Signature, ClientError> {
    entry.signature.parse().map_err(|_| ClientError::Decode {
        kind: "transaction list",
        address: *address,
        problem: "a signature is not base58".to_owned(),
    })
}

//! Sending transactions: simulate, sign, send, confirm; a blockhash that expires is noticed and never guessed.

use std::{sync::Arc, time::Duration};

use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::{
    client_error::TransactionError,
    config::{RpcSendTransactionConfig, RpcSimulateTransactionConfig, RpcTransactionConfig},
};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_transaction::{Transaction, versioned::VersionedTransaction};
use solana_transaction_status_client_types::{
    TransactionStatus, UiTransactionEncoding, option_serializer::OptionSerializer,
};
use tokio::time::Instant;

use super::{Client, SharedSigner};
use crate::{errors::ClientError, program::ProgramFailure};

/// Times a transaction is signed anew because its blockhash expired.
pub(super) const SIGN_ATTEMPTS_MAX: u8 = 3;
/// Pause between two broadcasts of the same signed transaction.
const REBROADCAST_INTERVAL: Duration = Duration::from_secs(2);
/// Looks at a status until it is asked, too, whether its transaction has expired: a blockhash lives a minute.
const LOOKS_PER_EXPIRY: u32 = 10;
/// Compute units on top of what the simulation used: a tenth, and this many for the budget's own instructions.
const COMPUTE_MARGIN_UNITS: u64 = 2_000;
/// Most compute units that a transaction may ask for.
const COMPUTE_UNITS_MAX: u64 = 1_400_000;

/// A recent blockhash and how long it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blockhash {
    /// The hash.
    pub hash: Hash,
    /// The last block height at which a transaction with it may run.
    pub last_valid_block_height: u64,
}

/// What a simulation says.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Compute units used.
    pub units_consumed: u64,
    /// The log.
    pub logs: Vec<String>,
}

/// A confirmed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its signature.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
}

/// What is known about a signature.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignatureState {
    /// Nothing; it may still run.
    Unknown,
    /// It ran and is confirmed.
    Confirmed {
        /// Its slot.
        slot: u64,
    },
    /// It ran and failed; the failure is confirmed.
    Failed {
        /// Its slot.
        slot: u64,
        /// Why.
        error: TransactionError,
    },
    /// It is certain that it never runs: finalised blocks are past its blockhash and no history has it (E-04).
    Expired,
}

/// What to send and who signs.
pub struct TransactionPlan<'a> {
    /// The instructions, in order.
    pub instructions: &'a [Instruction],
    /// Signs and pays the fee.
    pub payer: &'a SharedSigner,
    /// Sign too.
    pub signers: &'a [SharedSigner],
}

impl TransactionPlan<'_> {
    fn payer_address(&self) -> Result<Pubkey, ClientError> {
        self.payer.try_pubkey().map_err(signing)
    }

    fn sign(&self, message: Message, hash: Hash) -> Result<Transaction, ClientError> {
        let mut transaction = Transaction::new_unsigned(message);
        let signers: Vec<&dyn Signer> =
            std::iter::once(self.payer).chain(self.signers).map(|signer| signer.as_ref() as &dyn Signer).collect();
        transaction.try_sign(&signers, hash).map_err(signing)?;
        Ok(transaction)
    }
}

fn signing(error: solana_signer::SignerError) -> ClientError {
    ClientError::Signing { problem: error.to_string() }
}

impl Client {
    /// Sends instructions signed by the client's own key, and waits until they are confirmed.
    ///
    /// # Errors
    /// As [`Self::send_plan`].
    pub async fn send(&self, instructions: &[Instruction]) -> Result<Sent, ClientError> {
        self.send_signed_by(instructions, &[]).await
    }

    /// As [`Self::send`], with further signers.
    ///
    /// # Errors
    /// As [`Self::send_plan`].
    pub async fn send_signed_by(
        &self,
        instructions: &[Instruction],
        signers: &[SharedSigner],
    ) -> Result<Sent, ClientError> {
        let payer = Arc::clone(self.signer()?);
        self.send_plan(&TransactionPlan { instructions, payer: &payer, signers }).await
    }

    /// Simulates, signs, sends and confirms. A transaction whose blockhash expired, with certainty unexecuted, is
    /// signed again one step up the ladder of [`super::ClientConfig::fees`], at most three times in all (E-14).
    ///
    /// # Errors
    /// [`ClientError::Program`] names what the program refused; the others are of the runtime, the endpoint or the
    /// signer. After [`ClientError::Unconfirmed`] the transaction may still run.
    pub async fn send_plan(&self, plan: &TransactionPlan<'_>) -> Result<Sent, ClientError> {
        let probe = Transaction::new_unsigned(Message::new(plan.instructions, Some(&plan.payer_address()?)));
        let simulation = self.simulate(&probe).await?;
        self.send_simulated(plan, &simulation).await
    }

    /// As [`Self::send_plan`], of a plan that was simulated a moment ago.
    pub(super) async fn send_simulated(
        &self,
        plan: &TransactionPlan<'_>,
        simulation: &Simulation,
    ) -> Result<Sent, ClientError> {
        let payer = plan.payer_address()?;
        let mut expired = 0;
        loop {
            let instructions = self.with_budget(plan.instructions, simulation.units_consumed, expired);
            let blockhash = self.latest_blockhash().await?;
            let message = Message::new_with_blockhash(&instructions, Some(&payer), &blockhash.hash);
            let transaction = plan.sign(message, blockhash.hash)?;
            match self.confirm(&transaction, blockhash.last_valid_block_height).await {
                Err(ClientError::Expired { signature }) if expired.saturating_add(1) < SIGN_ATTEMPTS_MAX => {
                    expired = expired.saturating_add(1);
                    tracing::warn!(%signature, expired, "blockhash expired, signing again");
                }
                result => return result,
            }
        }
    }

    /// A recent blockhash.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn latest_blockhash(&self) -> Result<Blockhash, ClientError> {
        let commitment = CommitmentConfig::confirmed();
        let (hash, last_valid_block_height) =
            self.read("read a blockhash", || self.rpc.get_latest_blockhash_with_commitment(commitment)).await?;
        Ok(Blockhash { hash, last_valid_block_height })
    }

    /// Simulates a transaction, signed or not, against the confirmed state.
    ///
    /// # Errors
    /// [`ClientError::Program`] or [`ClientError::Transaction`] when it would fail; or a failure of the endpoint.
    pub async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ClientError> {
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(CommitmentConfig::confirmed()),
            encoding: Some(UiTransactionEncoding::Base64),
            ..RpcSimulateTransactionConfig::default()
        };
        let result = self
            .read("simulate the transaction", || self.rpc.simulate_transaction_with_config(transaction, config.clone()))
            .await?
            .value;
        let logs = result.logs.unwrap_or_default();
        match result.err {
            Some(error) => Err(named(error.into(), logs, payer(transaction))),
            None => Ok(Simulation { units_consumed: result.units_consumed.unwrap_or(COMPUTE_UNITS_MAX), logs }),
        }
    }

    /// Sends a signed transaction once, without the endpoint's own preflight. That it was taken says nothing about
    /// whether it runs.
    ///
    /// # Errors
    /// A failure or refusal of the endpoint. The transaction may run all the same (E-03).
    pub async fn broadcast(&self, transaction: &Transaction) -> Result<Signature, ClientError> {
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            preflight_commitment: Some(CommitmentLevel::Confirmed),
            encoding: Some(UiTransactionEncoding::Base64),
            ..RpcSendTransactionConfig::default()
        };
        self.once("send the transaction", &|| self.rpc.send_transaction_with_config(transaction, config)).await
    }

    /// What is known about a signature whose blockhash is good until this block height.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn signature_state(
        &self,
        signature: &Signature,
        last_valid_block_height: u64,
    ) -> Result<SignatureState, ClientError> {
        if let Some(state) = self.recent_status(signature).await?.and_then(state_if_confirmed) {
            return Ok(state);
        }
        let finalized = CommitmentConfig::finalized();
        let root = self.read("read the block height", || self.rpc.get_epoch_info_with_commitment(finalized)).await?;
        if root.block_height <= last_valid_block_height {
            return Ok(SignatureState::Unknown);
        }
        // Past its blockhash: the history decides, asked after the height so that nothing slips between the two.
        let statuses = self
            .read("read a signature", || self.rpc.get_signature_statuses_with_history(std::slice::from_ref(signature)))
            .await?;
        Ok(match statuses.value.into_iter().next().flatten() {
            Some(status) => state_if_confirmed(status).unwrap_or(SignatureState::Unknown),
            // Behind one URL there may be several nodes: one that has not seen the finalised block proves nothing (E-08).
            None if statuses.context.slot < root.absolute_slot => SignatureState::Unknown,
            None => SignatureState::Expired,
        })
    }

    /// Sends a signed transaction until it is confirmed, has failed or has expired.
    ///
    /// # Errors
    /// [`ClientError::Program`] or [`ClientError::Transaction`] when it ran and failed, [`ClientError::Expired`] when
    /// it certainly never runs, [`ClientError::Unconfirmed`] when that is not known in time.
    pub async fn confirm(&self, transaction: &Transaction, last_valid_block_height: u64) -> Result<Sent, ClientError> {
        let signature = *transaction
            .signatures
            .first()
            .ok_or_else(|| ClientError::Signing { problem: "the transaction has no signature".to_owned() })?;
        let started = Instant::now();
        let (mut broadcast_at, mut looks): (Option<Instant>, u32) = (None, 0);
        loop {
            if broadcast_at.is_none_or(|at| at.elapsed() >= REBROADCAST_INTERVAL) {
                if let Err(error) = self.broadcast(transaction).await {
                    // It may have arrived all the same; the status decides.
                    tracing::debug!(%signature, %error, "broadcast failed");
                }
                broadcast_at = Some(Instant::now());
            }
            looks = looks.wrapping_add(1);
            let may_expire = looks.is_multiple_of(LOOKS_PER_EXPIRY);
            let last_valid_block_height = may_expire.then_some(last_valid_block_height);
            match self.state_or_unknown(&signature, last_valid_block_height).await {
                SignatureState::Confirmed { slot } => return Ok(Sent { signature, slot }),
                SignatureState::Failed { error, .. } => {
                    return Err(named(error, self.transaction_logs(&signature).await, payer(transaction)));
                }
                SignatureState::Expired => return Err(ClientError::Expired { signature }),
                SignatureState::Unknown => {}
            }
            if started.elapsed() >= self.config.confirm_timeout {
                return Err(ClientError::Unconfirmed { signature, waited: started.elapsed() });
            }
            self.until_next_look().await;
        }
    }

    /// A failing endpoint is no answer: the signature stays unknown until the caller's time is over. Without a block height it is
    /// not asked whether it has expired.
    async fn state_or_unknown(&self, signature: &Signature, last_valid_block_height: Option<u64>) -> SignatureState {
        let state = match last_valid_block_height {
            Some(height) => self.signature_state(signature, height).await,
            None => self
                .recent_status(signature)
                .await
                .map(|status| status.and_then(state_if_confirmed).unwrap_or(SignatureState::Unknown)),
        };
        match state {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(%signature, %error, "signature status unavailable");
                SignatureState::Unknown
            }
        }
    }

    /// The log of a transaction that ran; empty when the endpoint does not have it.
    pub(super) async fn transaction_logs(&self, signature: &Signature) -> Vec<String> {
        let config = transaction_config();
        let found = self.read("read a transaction", || self.rpc.get_transaction_with_config(signature, config)).await;
        match found.ok().and_then(|found| found.transaction.meta).map(|meta| meta.log_messages) {
            Some(OptionSerializer::Some(logs)) => logs,
            _ => Vec::new(),
        }
    }

    /// A transaction as it was sent; `None` when the endpoint's answer is not one.
    ///
    /// # Errors
    /// A failure of the endpoint, also when it does not have the transaction.
    pub async fn transaction(&self, signature: &Signature) -> Result<Option<VersionedTransaction>, ClientError> {
        let config = transaction_config();
        let found = self.read("read a transaction", || self.rpc.get_transaction_with_config(signature, config)).await?;
        Ok(found.transaction.transaction.decode())
    }

    /// Whether instructions signed by the client's own key would succeed; nothing is sent.
    ///
    /// # Errors
    /// As [`Self::simulate`].
    pub async fn dry_run(&self, instructions: &[Instruction]) -> Result<Simulation, ClientError> {
        let payer = self.signer_address()?;
        self.simulate(&Transaction::new_unsigned(Message::new(instructions, Some(&payer)))).await
    }

    fn with_budget(&self, instructions: &[Instruction], units_consumed: u64, fee_step: u8) -> Vec<Instruction> {
        let limit = units_consumed
            .saturating_add(units_consumed.checked_div(10).unwrap_or(0))
            .saturating_add(COMPUTE_MARGIN_UNITS)
            .min(COMPUTE_UNITS_MAX);
        let price = self.config.fees.price(fee_step);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let mut all = vec![ComputeBudgetInstruction::set_compute_unit_limit(limit)];
        if price > 0 {
            all.push(ComputeBudgetInstruction::set_compute_unit_price(price));
        }
        all.extend_from_slice(instructions);
        all
    }
}

pub(super) fn transaction_config() -> RpcTransactionConfig {
    RpcTransactionConfig {
        encoding: Some(UiTransactionEncoding::Base64),
        commitment: Some(CommitmentConfig::confirmed()),
        max_supported_transaction_version: Some(0),
    }
}

fn state_if_confirmed(status: TransactionStatus) -> Option<SignatureState> {
    if !status.satisfies_commitment(CommitmentConfig::confirmed()) {
        return None;
    }
    Some(match status.err {
        None => SignatureState::Confirmed { slot: status.slot },
        Some(error) => SignatureState::Failed { slot: status.slot, error },
    })
}

/// The first account of a transaction pays for it.
fn payer(transaction: &Transaction) -> Pubkey {
    transaction.message.account_keys.first().copied().unwrap_or_default()
}

/// A transaction's failure by the program's own names, where it is the program's, and in plain words where the payer lacks
/// money.
fn named(error: TransactionError, logs: Vec<String>, payer: Pubkey) -> ClientError {
    if let Some(failure) = ProgramFailure::from_transaction(&error, &logs) {
        return ClientError::Program(Box::new(failure));
    }
    let poor = |problem| ClientError::PayerTooPoor { payer, problem };
    match error {
        TransactionError::AccountNotFound => poor("it holds nothing, not even the transaction's fee"),
        TransactionError::InsufficientFundsForFee => poor("it does not hold the transaction's fee"),
        TransactionError::InsufficientFundsForRent { .. } => {
            poor("what would be left there is less than an account must keep as rent, and not nothing")
        }
        error => match lacking(&logs) {
            Some((have_lamports, need_lamports)) => {
                ClientError::InsufficientFunds { payer, have_lamports, need_lamports }
            }
            None => ClientError::Transaction { error, logs },
        },
    }
}

/// What a transfer found and what it needed, from the system program's log line.
fn lacking(logs: &[String]) -> Option<(u64, u64)> {
    logs.iter().rev().find_map(|line| {
        let (have, need) = line.strip_prefix("Transfer: insufficient lamports ")?.split_once(", need ")?;
        Some((have.parse().ok()?, need.parse().ok()?))
    })
}

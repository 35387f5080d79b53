//! The only place that signs.
//!
//! A signature is given for a [`SigningPermit`], which only the journal makes and only for a message that is on disk;
//! so the order journal, sign, send cannot be turned around by a mistake elsewhere. A receipt is signed for a
//! [`ReceiptPermit`], which the journal makes for an outcome that is on disk.

use assay_protocol::outcome::OUTCOME_BYTES;
use assay_sdk::Receipt;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer as _;
use thiserror::Error;

use crate::{
    core::{JobUid, TxKind},
    journal::{ReceiptPermit, SigningPermit},
};

/// Why a message was not signed. Both mean that something is wrong here, not on the chain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignError {
    /// A submission that does not carry the journaled outcome (E-06).
    #[error("sign the submission of job {0}: the message does not carry the outcome in the journal; nothing is signed")]
    ForeignOutcome(JobUid),
    /// A receipt that does not say what the journal says (E-06).
    #[error("sign the receipt of job {0}: it is not of the job and the outcome in the journal; nothing is signed")]
    ForeignReceipt(JobUid),
    /// The signature could not be made.
    #[error("sign for job {uid}: {message}")]
    Key {
        /// Job.
        uid: JobUid,
        /// From the key.
        message: String,
    },
}

/// Holds the hot key.
pub struct Signer {
    keypair: Keypair,
}

impl Signer {
    /// Takes the node key.
    #[must_use]
    pub fn new(keypair: Keypair) -> Self {
        Self { keypair }
    }

    /// The node key's address.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        self.keypair.pubkey()
    }

    /// Signs a journaled message.
    ///
    /// # Errors
    /// [`SignError::ForeignOutcome`] when a submission carries anything but the one recorded outcome (I-07).
    pub fn sign(&self, permit: &SigningPermit) -> Result<[u8; 64], SignError> {
        if permit.kind() == TxKind::Submit {
            let carried = permit.outcome().is_some_and(|outcome| carries(permit.message(), outcome));
            if !carried {
                return Err(SignError::ForeignOutcome(permit.uid()));
            }
        }
        Ok(self.signature(permit.uid(), permit.message())?.into())
    }

    /// Signs the receipt of a journaled outcome.
    ///
    /// # Errors
    /// [`SignError::ForeignReceipt`] when it is of anything but the one recorded outcome of that job (I-07).
    pub fn sign_receipt(&self, permit: &ReceiptPermit, receipt: Receipt) -> Result<Receipt, SignError> {
        let uid = permit.uid();
        let is_of_job = receipt.canonical().job_uid() == Some(uid.0);
        if !is_of_job || receipt.outcome.encode() != *permit.outcome() {
            return Err(SignError::ForeignReceipt(uid));
        }
        let signature = self.signature(uid, &receipt.message_for(&self.address()))?;
        Ok(receipt.with_signature(self.address(), signature))
    }

    fn signature(&self, uid: JobUid, message: &[u8]) -> Result<Signature, SignError> {
        let signed = self.keypair.try_sign_message(message);
        signed.map_err(|error| SignError::Key { uid, message: error.to_string() })
    }
}

/// Whether the message holds these bytes. An outcome has a hash in it, so it does not appear by chance.
fn carries(message: &[u8], outcome: &[u8; OUTCOME_BYTES]) -> bool {
    message.windows(OUTCOME_BYTES).any(|window| window == outcome)
}

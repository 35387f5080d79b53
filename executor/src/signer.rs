//! The only place that signs.
//!
//! A signature is given for a [`SigningPermit`], which only the journal makes and only for a message that is on disk;
//! so the order journal, sign, send cannot be turned around by a mistake elsewhere.

use assay_protocol::outcome::OUTCOME_BYTES;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use thiserror::Error;

use crate::{
    core::{JobUid, TxKind},
    journal::SigningPermit,
};

/// Why a message was not signed. Both mean that something is wrong here, not on the chain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignError {
    /// A submission that does not carry the journaled outcome (E-06).
    #[error("sign the submission of job {0}: the message does not carry the outcome in the journal; nothing is signed")]
    ForeignOutcome(JobUid),
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
        let signature = self
            .keypair
            .try_sign_message(permit.message())
            .map_err(|error| SignError::Key { uid: permit.uid(), message: error.to_string() })?;
        Ok(signature.into())
    }
}

/// Whether the message holds these bytes. An outcome has a hash in it, so it does not appear by chance.
fn carries(message: &[u8], outcome: &[u8; OUTCOME_BYTES]) -> bool {
    message.windows(OUTCOME_BYTES).any(|window| window == outcome)
}

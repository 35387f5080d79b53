//! The only place that signs.
//!
//! A signature is given for a [`SigningPermit`], which only the journal makes and only for a message that is on disk;
//! so the order journal, sign, send cannot be turned around by a mistake elsewhere. A receipt is signed for a
//! [`ReceiptPermit`], which the journal makes for an outcome that is on disk.

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
    /// A submission, commitment or reveal that does not carry what the journal says (E-06).
    #[error("sign the result of job {0}: the message does not carry the outcome in the journal; nothing is signed")]
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
    provider: Pubkey,
}

impl Signer {
    /// Takes the node key, and the address of the Provider account that names it.
    #[must_use]
    pub fn new(keypair: Keypair, provider: Pubkey) -> Self {
        Self { keypair, provider }
    }

    /// The node key's address.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        self.keypair.pubkey()
    }

    /// Signs a journaled message.
    ///
    /// # Errors
    /// [`SignError::ForeignOutcome`] when a submission or a reveal carries anything but the one recorded outcome, or a
    /// commitment hides anything else (I-07).
    pub fn sign(&self, permit: &SigningPermit) -> Result<[u8; 64], SignError> {
        if !self.is_of_journal(permit) {
            return Err(SignError::ForeignOutcome(permit.uid()));
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

    fn is_of_journal(&self, permit: &SigningPermit) -> bool {
        let (row, message) = (permit.row(), permit.message());
        let has_outcome = || row.outcome.is_some_and(|outcome| carries(message, &outcome));
        match permit.kind() {
            TxKind::Submit => has_outcome(),
            TxKind::Commit => row.commitment(&self.provider).is_some_and(|commitment| carries(message, &commitment)),
            TxKind::Reveal => has_outcome() && row.salt.is_some_and(|salt| carries(message, &salt)),
            TxKind::Advance | TxKind::Accept | TxKind::Decline | TxKind::Settle | TxKind::Claim => true,
        }
    }

    fn signature(&self, uid: JobUid, message: &[u8]) -> Result<Signature, SignError> {
        let signed = self.keypair.try_sign_message(message);
        signed.map_err(|error| SignError::Key { uid, message: error.to_string() })
    }
}

/// Whether the message holds these bytes. There is a hash or a random number in them, so they do not appear by chance.
fn carries<const N: usize>(message: &[u8], bytes: &[u8; N]) -> bool {
    message.windows(N).any(|window| window == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::{JobRow, TxRecord, TxState},
        journal::Journal,
    };

    /// What the signer says to a transaction of this kind that carries these bytes.
    fn signs(kind: TxKind, carried: &[u8]) -> bool {
        let (dir, provider) = (tempfile::tempdir().expect("a directory"), Pubkey::new_from_array([5; 32]));
        let mut journal = Journal::open(dir.path()).expect("new");
        let message = [&[7; 20], carried, &[7; 20]].concat();
        let mut row = hidden();
        let (signature, state) = (None, TxState::Live);
        row.txs = vec![TxRecord { kind, message, signature, last_valid_block_height: 1, fee_step: 0, state }];
        journal.put(&row, 1).expect("written");
        let permit = journal.permit(row.uid, kind).expect("recorded and unsigned");
        Signer::new(Keypair::new(), provider).sign(&permit).is_ok()
    }

    /// A job whose outcome and salt are in the journal.
    fn hidden() -> JobRow {
        let mut row = JobRow::new(JobUid([1; 32]), Pubkey::new_from_array([1; 32]), 1);
        (row.outcome, row.salt) = (Some([3; 79]), Some([4; 32]));
        row
    }

    #[test]
    fn i_07_e_06_nothing_but_the_recorded_outcome_is_submitted_committed_to_or_revealed() {
        let of = |provider: u8| hidden().commitment(&Pubkey::new_from_array([provider; 32])).expect("both recorded");
        assert!(signs(TxKind::Commit, &of(5)) && !signs(TxKind::Commit, &of(6)), "another provider's");
        assert!(!signs(TxKind::Commit, &[3; 79]) && !signs(TxKind::Reveal, &of(5)));
        assert!(signs(TxKind::Submit, &[3; 79]) && !signs(TxKind::Submit, &[9; 79]));
        let reveal = |outcome: u8, salt: u8| signs(TxKind::Reveal, &[&[outcome; 79][..], &[salt; 32]].concat());
        assert!(reveal(3, 4) && !reveal(9, 4) && !reveal(3, 9));
        assert!(signs(TxKind::Settle, &[]), "it says nothing about a result");
    }
}

//! The only place that signs.
//!
//! A signature is given for a [`SigningPermit`], which only the journal makes and only for a message that is on disk;
//! so the order journal, sign, send cannot be turned around by a mistake elsewhere. A receipt is signed for a
//! [`ReceiptPermit`], which the journal makes for an outcome that is on disk. An [`Enrollment`] of stake needs no permit: it
//! says nothing about a job, and twice does what once does.

use assay_sdk::Receipt;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer as _;
use thiserror::Error;

use crate::{
    core::{JobUid, TxKind},
    journal::{ReceiptPermit, SigningPermit},
    transactions::Enrollment,
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
    /// The signature of an enrolment could not be made.
    #[error("sign the enrolment of stake: {message}")]
    Enrollment {
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

    /// Signs what counts mature stake as tickets.
    ///
    /// # Errors
    /// [`SignError::Enrollment`] when the key fails.
    pub fn sign_enrollment(&self, enrollment: &Enrollment) -> Result<[u8; 64], SignError> {
        let signed = self.keypair.try_sign_message(enrollment.message());
        signed.map(Into::into).map_err(|error| SignError::Enrollment { message: error.to_string() })
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
            TxKind::Challenge => {
                row.challenge_commitment(&self.address()).is_some_and(|commitment| carries(message, &commitment))
            }
            TxKind::RevealOutcome => {
                has_outcome() && row.challenge.is_some_and(|challenge| carries(message, &challenge.salt))
            }
            TxKind::Appeal(_) => has_outcome(),
            TxKind::Vote(round) => {
                let commitment = row.vote_commitment(&self.provider, round);
                row.is_of_one_mind() && commitment.is_some_and(|commitment| carries(message, &commitment))
            }
            TxKind::RevealVote(round) => row.ballot(round).is_some_and(|ballot| {
                row.is_of_one_mind() && carries(message, &ballot.ballot) && carries(message, &ballot.salt)
            }),
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
        core::{BallotRow, ChallengeRow, JobRow, TxRecord, TxState},
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

    /// As [`signs`], of a juror that found nothing in the first round and this outcome in the second, and challenges with it.
    fn signs_in_dispute(kind: TxKind, carried: &[u8]) -> bool {
        let (dir, provider) = (tempfile::tempdir().expect("a directory"), Pubkey::new_from_array([5; 32]));
        let mut journal = Journal::open(dir.path()).expect("new");
        let mut row = in_dispute();
        let (message, signature, state) = ([&[7; 20], carried, &[7; 20]].concat(), None, TxState::Live);
        row.txs = vec![TxRecord { kind, message, signature, last_valid_block_height: 1, fee_step: 0, state }];
        journal.put(&row, 1).expect("written");
        let permit = journal.permit(row.uid, kind).expect("recorded and unsigned");
        Signer::new(Keypair::new_from_array([8; 32]), provider).sign(&permit).is_ok()
    }

    fn in_dispute() -> JobRow {
        let ballot =
            |byte: u8, salt: u8| Some(BallotRow { ballot: [byte; 79], salt: [salt; 32], tickets: vec![1], weight: 1 });
        let ballots = [ballot(0, 11), ballot(3, 12), None, None];
        JobRow { salt: None, ballots, challenge: Some(ChallengeRow { salt: [13; 32] }), ..hidden() }
    }

    #[test]
    fn i_07_p_01_nothing_but_the_recorded_ballots_and_the_recorded_outcome_are_signed_in_a_dispute() {
        let (row, juror) = (in_dispute(), Pubkey::new_from_array([5; 32]));
        let challenger = Keypair::new_from_array([8; 32]).pubkey();
        let vote = |round| row.vote_commitment(&juror, round).expect("recorded");
        assert!(signs_in_dispute(TxKind::Vote(0), &vote(0)) && signs_in_dispute(TxKind::Vote(1), &vote(1)));
        assert!(!signs_in_dispute(TxKind::Vote(1), &vote(0)) && !signs_in_dispute(TxKind::Vote(2), &vote(1)));
        assert!(!signs_in_dispute(TxKind::Vote(0), &row.vote_commitment(&challenger, 0).expect("recorded")));
        let shown = |ballot: u8, salt: u8| [&[ballot; 79][..], &[salt; 32]].concat();
        assert!(signs_in_dispute(TxKind::RevealVote(0), &shown(0, 11)));
        assert!(signs_in_dispute(TxKind::RevealVote(1), &shown(3, 12)));
        for (round, ballot, salt) in [(0, 3, 11), (1, 0, 12), (1, 3, 11), (1, 9, 12), (2, 3, 12)] {
            assert!(!signs_in_dispute(TxKind::RevealVote(round), &shown(ballot, salt)), "{round} {ballot} {salt}");
        }
        let hidden = row.challenge_commitment(&challenger).expect("recorded");
        assert!(signs_in_dispute(TxKind::Challenge, &hidden) && !signs_in_dispute(TxKind::Challenge, &[3; 79]));
        assert!(signs_in_dispute(TxKind::RevealOutcome, &shown(3, 13)));
        assert!(!signs_in_dispute(TxKind::RevealOutcome, &shown(9, 13)));
        assert!(!signs_in_dispute(TxKind::RevealOutcome, &shown(3, 12)));
        assert!(signs_in_dispute(TxKind::Appeal(0), &[3; 79]) && !signs_in_dispute(TxKind::Appeal(0), &[9; 79]));
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

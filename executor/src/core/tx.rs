//! The transactions that a provider sends, as they are journaled.

use serde::{Deserialize, Serialize};

use super::text::{hex_bytes, hex_option};

/// The transactions a provider sends about a job, in the order of a job's life. Those of a dispute's rounds carry the round: a
/// vote of an earlier one, whose fate is not known yet, holds up no later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxKind {
    /// What anybody may do once its time has come and something of ours waits for, see [`super::Step`].
    Advance,
    /// `accept_job`, behind `record_seed` where the seed is not recorded.
    Accept,
    /// `decline_job`.
    Decline,
    /// `commit_result`.
    Commit,
    /// `reveal_result`.
    Reveal,
    /// `submit_results`.
    Submit,
    /// `open_dispute` or `enter_dispute`: the bond is paid, the outcome hidden.
    Challenge,
    /// `commit_vote` in this round.
    Vote(u8),
    /// `reveal_vote` in this round.
    RevealVote(u8),
    /// `reveal_outcome`.
    RevealOutcome,
    /// `appeal` against the verdict of this round.
    Appeal(u8),
    /// What is still missing of `finalize_job`, `settle_execution`, of the settlement of a dispute, `close_job`.
    Settle,
    /// `claim_reward`.
    Claim,
}

impl TxKind {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Advance,
        Self::Accept,
        Self::Decline,
        Self::Commit,
        Self::Reveal,
        Self::Submit,
        Self::Challenge,
        Self::Vote(0),
        Self::Vote(1),
        Self::Vote(2),
        Self::Vote(3),
        Self::RevealVote(0),
        Self::RevealVote(1),
        Self::RevealVote(2),
        Self::RevealVote(3),
        Self::RevealOutcome,
        Self::Appeal(0),
        Self::Appeal(1),
        Self::Appeal(2),
        Self::Settle,
        Self::Claim,
    ];

    /// Whether it carries or hides an outcome: nothing but what the journal says is ever signed in one (I-07).
    #[must_use]
    pub const fn says_outcome(self) -> bool {
        matches!(
            self,
            Self::Commit
                | Self::Reveal
                | Self::Submit
                | Self::Challenge
                | Self::Vote(_)
                | Self::RevealVote(_)
                | Self::RevealOutcome
                | Self::Appeal(_)
        )
    }

    /// Name in logs and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Advance => "advance",
            Self::Accept => "accept",
            Self::Decline => "decline",
            Self::Commit => "commit",
            Self::Reveal => "reveal",
            Self::Submit => "submit",
            Self::Challenge => "challenge",
            Self::Vote(_) => "vote",
            Self::RevealVote(_) => "reveal_vote",
            Self::RevealOutcome => "reveal_outcome",
            Self::Appeal(_) => "appeal",
            Self::Settle => "settle",
            Self::Claim => "claim",
        }
    }
}

/// What became of a transaction, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TxState {
    /// It may land, or have landed; no other transaction of this kind may be signed.
    Live,
    /// Confirmed, without an error, in this slot.
    Landed(u64),
    /// Confirmed with an error in this slot: it changed nothing.
    Failed(u64),
    /// It can never land, or never again: the finalised chain is past its last valid height and does not know it (E-04),
    /// or has it already.
    Dead,
}

/// A transaction as it is journaled: before it is signed, and again with its signature before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxRecord {
    /// What it does.
    pub kind: TxKind,
    /// The serialized message; signing it again gives the same bytes.
    #[serde(with = "hex_bytes")]
    pub message: Vec<u8>,
    /// The first signature, once signed.
    #[serde(with = "hex_option")]
    pub signature: Option<[u8; 64]>,
    /// The message's blockhash is valid up to this block height.
    pub last_valid_block_height: u64,
    /// Step of the fee ladder that its price is of: how many before it did not land in time (E-14).
    #[serde(default)]
    pub fee_step: u8,
    /// What became of it.
    pub state: TxState,
}

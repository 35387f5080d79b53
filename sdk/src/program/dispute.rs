//! What the accounts of a dispute mean.

use assay_protocol::{
    ChallengeStatus, DisputeStatus, Draw, Outcome, OutcomeError, Tally, Verdict, VoteStatus,
    duty::{DutyView, ON_DUTY, is_juror},
    tickets::{self, EVERYBODY, threshold},
};
use solana_pubkey::Pubkey;

use super::{accounts, standing, types};

impl From<types::Verdict> for Verdict {
    fn from(verdict: types::Verdict) -> Self {
        match verdict {
            types::Verdict::None => Self::None,
            types::Verdict::Outcome => Self::Outcome,
            types::Verdict::Unavailable => Self::Unavailable,
            types::Verdict::NoQuorum => Self::NoQuorum,
        }
    }
}

impl accounts::Provider {
    /// When it serves or served as juror, and since when it has its tickets.
    #[must_use]
    pub const fn duty(&self) -> DutyView {
        DutyView {
            duty_from_unix: self.duty_from_unix,
            duty_until_unix: self.duty_until_unix,
            tickets_from_unix: self.tickets_from_unix,
        }
    }

    /// Whether it serves as juror.
    #[must_use]
    pub const fn is_on_duty(&self) -> bool {
        self.duty_until_unix == ON_DUTY
    }

    /// Tickets that its stake still bears, at this many lamports each.
    #[must_use]
    pub fn usable_tickets(&self, ticket_lamports: u64) -> u32 {
        tickets::usable(self.tickets, self.stake_lamports, ticket_lamports)
    }
}

impl accounts::Dispute {
    /// Where the dispute stands; `None` for a code of a later program version.
    #[must_use]
    pub fn dispute_status(&self) -> Option<DisputeStatus> {
        DisputeStatus::from_code(self.status)
    }

    /// What the last counted round found, or the dispute.
    #[must_use]
    pub fn found(&self) -> Verdict {
        self.verdict.into()
    }

    /// Whether no round follows: everybody votes in this one, or voted.
    #[must_use]
    pub fn is_last(&self) -> bool {
        Draw::from(self.draw).is_everybody()
    }

    /// The threshold below which a ticket belongs to this round's jury.
    #[must_use]
    pub fn threshold(&self) -> u64 {
        if self.is_last() { EVERYBODY } else { threshold(self.expected, self.duty_tickets_total) }
    }

    /// Whether this provider is a juror, as far as both accounts say: a challenge of its node key forbids it besides.
    #[must_use]
    pub fn is_juror(&self, address: &Pubkey, provider: &accounts::Provider) -> bool {
        provider.market == self.market
            && is_juror(&provider.duty(), self.opened_unix)
            && !self.executors.contains(address)
            && ![provider.authority, provider.node_key].contains(&self.poster)
    }

    /// The juror's tickets that are drawn in this round, ascending; none while the draw is not settled, and none where everybody
    /// votes with all of them.
    #[must_use]
    pub fn drawn_tickets(&self, address: &Pubkey, provider: &accounts::Provider) -> Vec<u32> {
        let draw = Draw::from(self.draw);
        if !draw.is_settled() || draw.is_everybody() {
            return Vec::new();
        }
        let usable = provider.usable_tickets(self.ticket_lamports);
        tickets::winning(&draw.seed, address.as_array(), usable, self.threshold()).collect()
    }

    /// The outcome that leads in this round, the verdict's if there is one; `None` for none and for Unavailable.
    ///
    /// # Errors
    /// [`OutcomeError`] for bytes that no version of the program writes.
    pub fn leading_outcome(&self) -> Result<Option<Outcome>, OutcomeError> {
        standing(&self.outcome, self.gas_limit)
    }

    /// The ballots of this round.
    #[must_use]
    pub fn ballots(&self) -> Tally {
        self.tally.into()
    }

    /// When the present wait ends by time and anybody may go on, by the chain's clock; `None` while a block is waited for, and when
    /// the dispute is over.
    #[must_use]
    pub fn waits_until_unix(&self) -> Option<i64> {
        match self.dispute_status()? {
            DisputeStatus::Entry => Some(self.entry_deadline_unix),
            DisputeStatus::Voting => {
                let challenges_missing = self.round == 0 && self.challenges_revealed < self.challenges;
                let is_missing = self.votes_revealed < self.votes_committed || challenges_missing;
                Some(if is_missing { self.reveal_deadline_unix } else { self.commit_deadline_unix })
            }
            DisputeStatus::Tallied => Some(self.verdict_deadline_unix),
            _ => None,
        }
    }
}

impl accounts::Challenge {
    /// Where the challenge stands; `None` for a code of a later program version.
    #[must_use]
    pub fn challenge_status(&self) -> Option<ChallengeStatus> {
        ChallengeStatus::from_code(self.status)
    }
}

impl accounts::Vote {
    /// Where the vote stands; `None` for a code of a later program version.
    #[must_use]
    pub fn vote_status(&self) -> Option<VoteStatus> {
        VoteStatus::from_code(self.status)
    }
}

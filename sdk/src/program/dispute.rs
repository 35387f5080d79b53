//! What the accounts of a dispute mean.

use assay_protocol::{
    ChallengeStatus, DisputeStatus, Draw, Expected, Hash32, MarketTerms, Outcome, OutcomeError, Tally, Verdict,
    VoteStatus,
    duty::{DutyView, ON_DUTY, is_busy, is_juror, jury_reserve},
    limits::VOTE_TICKETS_MAX,
    round_expected,
    tickets::{self, EVERYBODY, TicketDraw, threshold},
};
use solana_pubkey::Pubkey;

use super::{accounts, standing, types};
use crate::instructions::VoteTickets;

/// What a dispute takes at a moment. What is due is anybody's to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStage {
    /// Challengers enter, each with a hidden outcome.
    Entering,
    /// The first round is due to begin.
    EntryOver,
    /// The block that draws this round's jury is waited for; once it is there, recording it is due.
    Drawing,
    /// The jury commits its votes.
    Committing,
    /// The jury reveals its votes and, in the first round, challengers their outcomes.
    Revealing,
    /// The round is due to be counted.
    RevealsOver,
    /// The round found something, against which anybody may appeal.
    Appealing,
    /// The round is counted and nobody can appeal: it found nothing, or no round follows. Absences are shown.
    Counted,
    /// The next round, or the end, is due.
    CountOver,
    /// Over: everybody is due to be settled.
    Final,
}

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

    /// Seconds from the end of its duty until its lock can be released, where the market's unbonding period is this: never less than
    /// that which was in force when it began.
    #[must_use]
    pub fn duty_release_s(&self, unbonding_s: u32) -> i64 {
        i64::from(self.duty_unbonding_s.max(unbonding_s))
    }

    /// Stake that more can be locked of: free, and within the exposure cap.
    #[must_use]
    pub fn lockable_lamports(&self) -> u64 {
        self.stake_lamports.min(self.exposure_cap_lamports).saturating_sub(self.locked_lamports)
    }

    /// Tickets that its stake still bears, at this many lamports each.
    #[must_use]
    pub fn usable_tickets(&self, ticket_lamports: u64) -> u32 {
        tickets::usable(self.tickets, self.stake_lamports, ticket_lamports)
    }

    /// What it keeps free for its votes until its duty lock is released, lamports; zero without one.
    #[must_use]
    pub fn jury_reserve_lamports(&self, terms: &MarketTerms) -> u64 {
        let usable = self.usable_tickets(terms.ticket_lamports);
        if self.duty_lock_lamports > 0 { jury_reserve(usable, terms.juror_bond_lamports) } else { 0 }
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

    /// Rounds of which absences are shown now: the one that is counted, and the one before until the dispute is over.
    #[must_use]
    pub fn rounds_called(&self) -> Vec<u8> {
        let before = self.round.checked_sub(1);
        match self.dispute_status() {
            Some(DisputeStatus::Tallied) => [self.round].into_iter().chain(before).collect(),
            Some(DisputeStatus::Drawing | DisputeStatus::Voting) => before.into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Seed and threshold by which a round of [`Self::rounds_called`] was drawn; [`EVERYBODY`] where everybody voted.
    #[must_use]
    pub fn called(&self, round: u8) -> (Hash32, u64) {
        match round_expected(self.lambda, round, self.duty_tickets_total) {
            Expected::Tickets(expected) if round < self.round => {
                (self.previous_seed, threshold(expected, self.duty_tickets_total))
            }
            _ => (self.draw.seed, self.threshold()),
        }
    }

    /// Whether this provider is a juror: there when the dispute was opened, no executor, and not the poster's.
    #[must_use]
    pub fn is_juror(&self, address: &Pubkey, provider: &accounts::Provider) -> bool {
        provider.market == self.market
            && is_juror(&provider.duty(), self.opened_unix)
            && !self.executors.contains(address)
            && provider.authority != self.poster
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
        TicketDraw::new(&draw.seed, address.as_array()).winning(usable, self.threshold()).collect()
    }

    /// A ticket that shows the juror to be in this round's jury; `None` when it is not.
    #[must_use]
    pub fn drawn_ticket(&self, address: &Pubkey, provider: &accounts::Provider) -> Option<u32> {
        let draw = Draw::from(self.draw);
        let usable = provider.usable_tickets(self.ticket_lamports);
        if !draw.is_settled() {
            return None;
        }
        TicketDraw::new(&draw.seed, address.as_array()).winning(usable, self.threshold()).next()
    }

    /// What the juror's vote of this round names: its drawn tickets, as many as one vote may name, or all where everybody votes. The
    /// program cuts the weight to what free stake and exposure cap bear bonds for, and excuses who has nothing free. `None` without a
    /// ticket, or where the cap alone bears no bond.
    #[must_use]
    pub fn vote_tickets(&self, address: &Pubkey, provider: &accounts::Provider) -> Option<VoteTickets> {
        if self.is_capped(provider) {
            return None;
        }
        if self.is_last() {
            let weight = provider.usable_tickets(self.ticket_lamports);
            return (weight > 0).then_some(VoteTickets::All(weight));
        }
        let mut drawn = self.drawn_tickets(address, provider);
        drawn.truncate(usize::try_from(VOTE_TICKETS_MAX).unwrap_or(usize::MAX));
        (!drawn.is_empty()).then_some(VoteTickets::Drawn(drawn))
    }

    /// Whether the exposure cap forbids the bond of a ticket that the free stake bears: the program refuses such a vote.
    #[must_use]
    pub fn is_capped(&self, provider: &accounts::Provider) -> bool {
        self.has_free(provider) && provider.lockable_lamports() < self.juror_bond_lamports
    }

    /// Whether the free stake bears the bond of a ticket; else a vote excuses the juror and weighs nothing.
    #[must_use]
    pub fn has_free(&self, provider: &accounts::Provider) -> bool {
        provider.stake_lamports.saturating_sub(provider.locked_lamports) >= self.juror_bond_lamports
    }

    /// Whether a juror that asks for it is excused from its vote of this round: two votes of it are open besides one for each round
    /// before. One that has nothing free is without asking.
    #[must_use]
    pub fn is_busy(&self, provider: &accounts::Provider) -> bool {
        is_busy(provider.votes_open, self.round)
    }

    /// Whether the round's verdict may be appealed against, as long as its time lasts.
    #[must_use]
    pub fn is_appealable(&self) -> bool {
        let is_counted = self.dispute_status() == Some(DisputeStatus::Tallied);
        is_counted && matches!(self.found(), Verdict::Outcome | Verdict::Unavailable) && !self.is_last()
    }

    /// What the dispute takes at this moment, by the chain's clock; `None` for a status of a later program version.
    #[must_use]
    pub fn stage(&self, now_unix: i64) -> Option<DisputeStage> {
        let is_due = self.waits_until_unix().is_some_and(|until_unix| now_unix >= until_unix);
        Some(match self.dispute_status()? {
            DisputeStatus::Entry if is_due => DisputeStage::EntryOver,
            DisputeStatus::Entry => DisputeStage::Entering,
            DisputeStatus::Drawing => DisputeStage::Drawing,
            DisputeStatus::Voting if is_due => DisputeStage::RevealsOver,
            DisputeStatus::Voting if now_unix < self.commit_deadline_unix => DisputeStage::Committing,
            DisputeStatus::Voting => DisputeStage::Revealing,
            DisputeStatus::Tallied if is_due => DisputeStage::CountOver,
            DisputeStatus::Tallied if self.is_appealable() => DisputeStage::Appealing,
            DisputeStatus::Tallied => DisputeStage::Counted,
            DisputeStatus::Final => DisputeStage::Final,
            _ => return None,
        })
    }

    /// When its present stage ends by time, by the chain's clock; `None` where it does not.
    #[must_use]
    pub fn stage_until_unix(&self, now_unix: i64) -> Option<i64> {
        match self.stage(now_unix)? {
            DisputeStage::Committing => Some(self.commit_deadline_unix),
            DisputeStage::Entering | DisputeStage::Revealing | DisputeStage::Appealing | DisputeStage::Counted => {
                self.waits_until_unix()
            }
            _ => None,
        }
    }

    /// The result that was contested, of the disputed job; `None` after a deadlock, and for bytes that no version of the program
    /// writes.
    #[must_use]
    pub fn contested_outcome(&self, job: &accounts::Job) -> Option<Outcome> {
        let outcome = Outcome::decode(&job.outcome, self.gas_limit).ok()?;
        (outcome.hash() == self.standing_hash).then_some(outcome)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use anchor_lang::AnchorDeserialize;

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 4_096].as_slice()).unwrap()
    }

    fn dispute(status: DisputeStatus, verdict: types::Verdict) -> accounts::Dispute {
        let mut dispute: accounts::Dispute = zeroed();
        (dispute.status, dispute.verdict) = (status.code(), verdict);
        (dispute.entry_deadline_unix, dispute.commit_deadline_unix) = (10, 20);
        (dispute.reveal_deadline_unix, dispute.verdict_deadline_unix) = (30, 40);
        (dispute.votes_committed, dispute.challenges) = (2, 1);
        dispute
    }

    #[test]
    fn each_moment_of_a_dispute_has_its_stage_and_its_end() {
        use DisputeStage as Stage;
        let none = types::Verdict::None;
        for (status, verdict, now_unix, stage, until_unix) in [
            (DisputeStatus::Entry, none, 9, Stage::Entering, Some(10)),
            (DisputeStatus::Entry, none, 10, Stage::EntryOver, None),
            (DisputeStatus::Drawing, none, 10, Stage::Drawing, None),
            (DisputeStatus::Voting, none, 19, Stage::Committing, Some(20)),
            (DisputeStatus::Voting, none, 20, Stage::Revealing, Some(30)),
            (DisputeStatus::Voting, none, 30, Stage::RevealsOver, None),
            (DisputeStatus::Tallied, none, 39, Stage::Counted, Some(40)),
            (DisputeStatus::Tallied, types::Verdict::Outcome, 39, Stage::Appealing, Some(40)),
            (DisputeStatus::Tallied, types::Verdict::Unavailable, 40, Stage::CountOver, None),
            (DisputeStatus::Final, types::Verdict::Outcome, 50, Stage::Final, None),
        ] {
            let dispute = dispute(status, verdict);
            assert_eq!((dispute.stage(now_unix), dispute.stage_until_unix(now_unix)), (Some(stage), until_unix));
        }
    }

    #[test]
    fn nobody_waits_for_reveals_when_nothing_is_missing_and_nobody_appeals_against_everybody() {
        let mut voting = dispute(DisputeStatus::Voting, types::Verdict::None);
        (voting.votes_revealed, voting.challenges_revealed) = (2, 1);
        assert_eq!(voting.stage(19), Some(DisputeStage::Committing));
        assert_eq!(voting.stage(20), Some(DisputeStage::RevealsOver));
        let mut last = dispute(DisputeStatus::Tallied, types::Verdict::Outcome);
        last.draw.state = types::DrawState::Everybody;
        assert_eq!(last.stage(39), Some(DisputeStage::Counted));
    }

    #[test]
    fn p_25_a_vote_names_all_tickets_and_only_a_cap_keeps_it_from_being_taken() {
        let mut dispute = dispute(DisputeStatus::Voting, types::Verdict::None);
        (dispute.ticket_lamports, dispute.juror_bond_lamports) = (10, 5);
        dispute.draw.state = types::DrawState::Everybody;
        let mut provider: accounts::Provider = zeroed();
        (provider.tickets, provider.stake_lamports, provider.exposure_cap_lamports) = (10, 100, 100);
        let weight = |provider: &accounts::Provider| dispute.vote_tickets(&Pubkey::default(), provider);
        assert_eq!(weight(&provider), Some(VoteTickets::All(10)));
        provider.locked_lamports = 60;
        assert_eq!(weight(&provider), Some(VoteTickets::All(10)));
        provider.exposure_cap_lamports = 64;
        assert_eq!(weight(&provider), None);
        provider.locked_lamports = 96;
        assert_eq!((weight(&provider), dispute.has_free(&provider)), (Some(VoteTickets::All(10)), false), "excused");
        dispute.round = 1;
        provider.votes_open = 2;
        assert!(!dispute.is_busy(&provider));
        provider.votes_open = 3;
        assert!(dispute.is_busy(&provider));
    }

    #[test]
    fn a_drawn_round_names_its_tickets_and_no_more_than_one_vote_may() {
        let mut dispute = dispute(DisputeStatus::Voting, types::Verdict::None);
        (dispute.ticket_lamports, dispute.juror_bond_lamports) = (1, 0);
        (dispute.expected, dispute.duty_tickets_total) = (99, 100);
        let mut provider: accounts::Provider = zeroed();
        (provider.tickets, provider.stake_lamports, provider.exposure_cap_lamports) = (100, 100, 100);
        let address = Pubkey::new_from_array([3; 32]);
        assert_eq!(
            (dispute.vote_tickets(&address, &provider), dispute.drawn_ticket(&address, &provider)),
            (None, None)
        );
        dispute.draw.state = types::DrawState::Recorded;
        let drawn = dispute.drawn_tickets(&address, &provider);
        let Some(VoteTickets::Drawn(named)) = dispute.vote_tickets(&address, &provider) else { panic!("drawn") };
        assert_eq!((named.len(), &named[..]), (64, &drawn[..64]));
        assert_eq!(dispute.drawn_ticket(&address, &provider), drawn.first().copied());
    }
}

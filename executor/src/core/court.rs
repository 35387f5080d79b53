//! A dispute as one look saw it, and what in it is ours: what may be done in it at a moment, and which of our tickets are in
//! its jury. It decides nothing.

use assay_protocol::{
    ChallengeStatus, DisputeStatus, Draw, Hash32, Verdict,
    duty::is_juror,
    limits::VOTE_TICKETS_MAX,
    tickets::{EVERYBODY, TicketDraw, threshold},
};
use assay_sdk::{crank, instructions};
use solana_instruction::Instruction;

use super::{
    Core, Job, JobView, Now, Phase, ProviderView, Role,
    seats::{TICKETS_PER_STEP, is_armed},
};

/// Rounds of a dispute at most.
pub const ROUNDS: usize = 4;

/// Of less than this nobody's share is worth the fee of showing an absence, lamports.
const ABSENCE_LAMPORTS_MIN: u64 = 1_000_000;

/// A Dispute account, and our Votes and our Challenge in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeView {
    /// Status.
    pub status: DisputeStatus,
    /// From 0 to 3.
    pub round: u8,
    /// What the last counted round found, or the dispute.
    pub verdict: Verdict,
    /// Hash of the ballot that it found.
    pub verdict_hash: Hash32,
    /// Hash of the result that is disputed; zero over a deadlock.
    pub standing_hash: Hash32,
    /// Whether the provider is no juror of it: an executor, or the poster's.
    pub is_party: bool,
    /// Bond of a challenge.
    pub bond_lamports: u64,
    /// Bond of a juror's ticket.
    pub juror_bond_lamports: u64,
    /// Tickets expected in this round.
    pub expected: u64,
    /// All tickets that may be drawn.
    pub duty_tickets_total: u64,
    /// When it was opened.
    pub opened_unix: i64,
    /// Until when challengers may enter.
    pub entry_deadline_unix: i64,
    /// Until when votes of this round are committed.
    pub commit_deadline_unix: i64,
    /// Until when, from then on, they are revealed.
    pub reveal_deadline_unix: i64,
    /// Until when the round's verdict may be appealed against.
    pub verdict_deadline_unix: i64,
    /// The jury's.
    pub draw: Draw,
    /// Whether everything that was committed in this round is revealed.
    pub is_complete: bool,
    /// Our votes, by round.
    pub votes: [Option<OwnVote>; ROUNDS],
    /// Our challenge.
    pub challenge: Option<OwnChallenge>,
    /// From the count of a round on: jurors that were drawn and did not vote as they should, those first whom we would take.
    pub absences: Vec<Absence>,
    /// Once it is over: the next transaction of its settlement, whoever it is for.
    pub settlement: Vec<Instruction>,
}

/// A juror that was drawn and did not vote, whose duty lock anybody may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// What is taken into the pot, lamports.
    pub lock_lamports: u64,
    /// `slash_absent`.
    pub slash: Instruction,
}

impl From<crank::Absence> for Absence {
    fn from(absence: crank::Absence) -> Self {
        Self { lock_lamports: absence.lock_lamports, slash: instructions::slash_absent(&absence.slash) }
    }
}

/// Our Vote account of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnVote {
    /// Our hidden ballot is on chain.
    Committed(Hash32),
    /// It is known: its hash.
    Revealed(Hash32),
    /// It says nothing: we had nothing free to put behind it, or other votes to think of.
    Excused,
}

/// Our Challenge account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnChallenge {
    /// Status.
    pub status: ChallengeStatus,
    /// The hidden outcome; zero when an appeal named it at once.
    pub commitment: Hash32,
    /// Hash of the outcome once it is known.
    pub outcome_hash: Hash32,
}

impl DisputeView {
    /// Whether this round is the last one: everybody votes, or voted.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.draw.is_everybody()
    }

    /// Whether the jury commits its votes.
    #[must_use]
    pub fn takes_votes(&self, now: Now) -> bool {
        self.status == DisputeStatus::Voting && now.chain_unix < self.commit_deadline_unix
    }

    /// Whether votes, and in the first round challenges, are revealed.
    #[must_use]
    pub fn takes_reveals(&self, now: Now) -> bool {
        self.status == DisputeStatus::Voting
            && (self.commit_deadline_unix..self.reveal_deadline_unix).contains(&now.chain_unix)
    }

    /// Whether challengers may enter.
    #[must_use]
    pub fn takes_challenges(&self, now: Now) -> bool {
        self.status == DisputeStatus::Entry && now.chain_unix < self.entry_deadline_unix
    }

    /// Whether the round's verdict may be appealed against.
    #[must_use]
    pub fn takes_appeals(&self, now: Now) -> bool {
        self.status == DisputeStatus::Tallied
            && matches!(self.verdict, Verdict::Outcome | Verdict::Unavailable)
            && !self.is_last()
            && now.chain_unix < self.verdict_deadline_unix
    }

    /// From when on anybody may move it on; `None` while only a seed is waited for, or when it is over.
    #[must_use]
    pub fn due_from_unix(&self) -> Option<i64> {
        match self.status {
            DisputeStatus::Entry => Some(self.entry_deadline_unix),
            DisputeStatus::Voting if self.is_complete => Some(self.commit_deadline_unix),
            DisputeStatus::Voting => Some(self.reveal_deadline_unix),
            DisputeStatus::Tallied => Some(self.verdict_deadline_unix),
            _ => None,
        }
    }

    /// Our vote of this round.
    #[must_use]
    pub fn vote(&self) -> Option<OwnVote> {
        self.votes.get(usize::from(self.round)).copied().flatten()
    }

    /// Whether anything of ours in it is not settled.
    #[must_use]
    pub fn has_part_of_ours(&self) -> bool {
        self.challenge.is_some() || self.votes.iter().any(Option::is_some)
    }

    /// The absence that is shown next: not of a lock of which no share is worth it.
    #[must_use]
    pub fn next_absence(&self) -> Option<&Absence> {
        self.absences.iter().find(|absence| absence.lock_lamports >= ABSENCE_LAMPORTS_MIN)
    }

    /// Whether absences are shown now: of a counted round, and of the one before it while the next goes on.
    #[must_use]
    pub const fn is_called_over(&self) -> bool {
        match self.status {
            DisputeStatus::Tallied => true,
            DisputeStatus::Drawing | DisputeStatus::Voting => self.round > 0,
            _ => false,
        }
    }

    /// Whether an absence is ours to show now: where we share what it costs, since our vote or challenge is what the round found,
    /// and where a round found nothing, for which the absent are to blame.
    #[must_use]
    pub fn shows_absence(&self, now: Now) -> bool {
        let is_right = |vote: &OwnVote| matches!(vote, OwnVote::Revealed(hash) if *hash == self.verdict_hash);
        let is_ours_to_show = match self.verdict {
            Verdict::Outcome => {
                let challenged = self.challenge.is_some_and(|challenge| challenge.outcome_hash == self.verdict_hash);
                challenged || self.votes.iter().flatten().any(is_right)
            }
            Verdict::None => true,
            _ => false,
        };
        let is_over = self.status == DisputeStatus::Tallied && now.chain_unix >= self.verdict_deadline_unix;
        self.is_called_over() && !is_over && is_ours_to_show && self.next_absence().is_some()
    }

    /// Below this a ticket is in the jury of this round.
    fn threshold(&self) -> u64 {
        if self.is_last() { EVERYBODY } else { threshold(self.expected, self.duty_tickets_total) }
    }
}

/// Our tickets in the jury of one round, as far as they were looked through.
#[derive(Clone, Debug, Default)]
pub(super) struct Jury {
    seed: Hash32,
    next: u32,
    tickets: Vec<u32>,
    is_through: bool,
}

impl Core {
    /// Looks for tickets of ours that are in juries, a bounded number of them.
    pub(super) fn search_juries(&mut self) {
        let Some(provider) = self.provider else { return };
        let (holder, mut budget) = (self.settings.provider.to_bytes(), TICKETS_PER_STEP);
        for job in self.jobs.values_mut().filter(|job| job.row.role == Role::Judge) {
            let Some(dispute) = job.view.as_ref().and_then(|view| view.dispute.as_ref()) else { continue };
            if dispute.is_last() || !dispute.draw.is_settled() {
                continue;
            }
            if job.jury.seed != dispute.draw.seed {
                job.jury = Jury { seed: dispute.draw.seed, ..Jury::default() };
            }
            job.jury.go_on(&holder, provider.tickets, dispute.threshold(), &mut budget);
        }
    }
}

impl Jury {
    fn go_on(&mut self, holder: &Hash32, tickets: u32, threshold: u64, budget: &mut u32) {
        let end = tickets.min(self.next.saturating_add(*budget)).max(self.next);
        *budget = budget.saturating_sub(end.saturating_sub(self.next));
        let draw = TicketDraw::new(&self.seed, holder);
        // A vote shows no more than these.
        let room = usize::try_from(VOTE_TICKETS_MAX).unwrap_or(usize::MAX).saturating_sub(self.tickets.len());
        self.tickets.extend((self.next..end).filter(|index| draw.wins(*index, threshold)).take(room));
        self.next = end;
        self.is_through = self.next >= tickets;
    }
}

/// Our part of a round's jury.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// The tickets that a vote names; none where everybody votes.
    pub(super) tickets: Vec<u32>,
    /// How many count.
    pub(super) weight: u32,
}

impl Job {
    /// Our places in the jury of this round; `None` while they are not known.
    pub(super) fn places(&self, provider: &ProviderView) -> Option<Places> {
        let dispute = self.view.as_ref()?.dispute.as_ref()?;
        // The program cuts the vote to what can be borne when it lands, which nobody knows before, and excuses who has nothing free.
        if dispute.is_last() {
            return Some(Places { tickets: Vec::new(), weight: provider.tickets });
        }
        let is_known = self.jury.is_through && self.jury.seed == dispute.draw.seed && dispute.draw.is_settled();
        // What is lost since is no ticket any more.
        let usable = self.jury.tickets.iter().copied().filter(|ticket| *ticket < provider.tickets);
        let tickets: Vec<u32> = usable.collect();
        let weight = u32::try_from(tickets.len()).unwrap_or(0);
        is_known.then_some(Places { tickets, weight })
    }

    /// Whether this provider is in the jury of this round, as far as is known.
    pub(super) fn is_drawn_as_juror(&self, provider: &ProviderView) -> bool {
        self.places(provider).is_some_and(|places| places.weight > 0)
    }

    /// Whether a provider with this duty may be in the jury of the dispute over this job. Whoever challenged is asked like everybody.
    pub(super) fn may_judge(view: &JobView, provider: &ProviderView) -> bool {
        view.dispute.as_ref().is_some_and(|dispute| {
            !dispute.is_party && provider.tickets > 0 && is_juror(&provider.duty, dispute.opened_unix)
        })
    }

    /// The slot whose block gives the seed of the jury, to know when it can be recorded.
    pub(super) fn jury_slot(&self) -> Option<u64> {
        let dispute = self.view.as_ref()?.dispute.as_ref()?;
        let is_asked = dispute.status == DisputeStatus::Drawing && is_armed(&dispute.draw);
        (is_asked && self.jury_ready != Some(dispute.draw.seed_slot)).then_some(dispute.draw.seed_slot)
    }

    /// Whether recording the seed of the jury does something.
    pub(super) fn is_jury_ready(&self, dispute: &DisputeView) -> bool {
        is_armed(&dispute.draw) && self.jury_ready == Some(dispute.draw.seed_slot)
    }

    /// Where a juror's or a watcher's row stands, by what is on chain and on disk. `None` where the row itself says it.
    pub(super) fn standing(&self, provider: Option<&ProviderView>, now: Now) -> Option<Phase> {
        let dispute = self.view.as_ref().and_then(|view| view.dispute.as_ref())?;
        if self.row.phase == Phase::Running {
            return None;
        }
        if self.row.appeal == Some(dispute.round) && dispute.takes_appeals(now) {
            return Some(Phase::Appealing);
        }
        if let Some(challenge) = dispute.challenge {
            let opens = challenge.status == ChallengeStatus::Entered && dispute.round == 0;
            let opens = opens && dispute.takes_reveals(now);
            if opens || self.row.role != Role::Judge {
                return Some(if opens { Phase::RevealingOutcome } else { Phase::Challenged });
            }
        } else if self.row.challenge.is_some() && dispute.takes_challenges(now) {
            return Some(Phase::Challenging);
        }
        if self.row.role == Role::Watch {
            return None;
        }
        let is_voting = dispute.takes_votes(now);
        Some(match dispute.vote() {
            Some(OwnVote::Revealed(_) | OwnVote::Excused) => Phase::VoteRevealed,
            Some(OwnVote::Committed(_)) if dispute.takes_reveals(now) => Phase::RevealingVote,
            Some(OwnVote::Committed(_)) => Phase::Voted,
            None if is_voting && self.row.votes_in(dispute.round) => Phase::Voting,
            None if self.row.outcome.is_some() && dispute.challenge.is_none() => Phase::Ran,
            None if is_voting
                && self.row.outcome.is_none()
                && provider.is_some_and(|provider| self.is_drawn_as_juror(provider)) =>
            {
                Phase::Drawn
            }
            None if dispute.challenge.is_some() => Phase::Challenged,
            None => Phase::Seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jurys_tickets_are_found_in_however_many_steps_and_no_more_than_a_vote_names() {
        let (holder, seed) = ([8; 32], [7; 32]);
        for (level, step) in [(1 << 58, 1), (1 << 58, 300), (1 << 58, 1_000), (1 << 63, 7), (1 << 63, 1_000)] {
            let all = TicketDraw::new(&seed, &holder).winning(1_000, level);
            let expected: Vec<u32> = all.take(VOTE_TICKETS_MAX as usize).collect();
            let mut jury = Jury { seed, ..Jury::default() };
            while !jury.is_through {
                let mut budget = step;
                jury.go_on(&holder, 1_000, level, &mut budget);
            }
            assert_eq!(jury.tickets, expected, "{step} at a time");
        }
    }
}

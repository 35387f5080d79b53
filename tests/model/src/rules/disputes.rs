//! From a contested result to a verdict: entry, rounds, appeals.

use assay_protocol::ids::{ChallengeCommitmentInput, challenge_commitment};

use super::{Demands, POOR, Verdict};
use crate::{
    draw::{Draw, DrawState, Purpose, Recorded},
    state::{
        Challenge, ChallengeStatus, Dispute, DisputeStatus, Job, JobStatus, Key, Model, Verdict as Found,
        rent_lamports, size,
    },
    tally::{Measure, Tally},
};

/// The round that everybody votes in.
const ROUND_LAST: u8 = 3;
/// A ballot that says that the content cannot be had.
pub const UNAVAILABLE: [u8; 79] = [0; 79];

/// What the address of a new account costs.
const CHALLENGE_RENT: u64 = rent_lamports(size::CHALLENGE);

impl Model {
    pub(super) fn open_dispute(&mut self, payer: Key, key: Key, commitment: Option<[u8; 32]>) -> Verdict {
        let (job, now, slot) = (self.job(key)?, self.now_unix, self.slot);
        let disputable = matches!(job.status, JobStatus::Submitted | JobStatus::Deadlocked);
        let deadlock = job.status == JobStatus::Deadlocked;
        let bond = if deadlock { 0 } else { job.bond_lamports };
        let (at, challenge) = (self.dispute_key(key), self.challenge_key(key, payer));
        let rent = self.cost(at, rent_lamports(size::DISPUTE), 0);
        let entry = if deadlock { 0 } else { self.cost(challenge, CHALLENGE_RENT, 0) + bond };
        let mut demands = Demands::default();
        demands.that(disputable, "NotDisputable");
        demands.that(!disputable || now < job.window_deadline_unix, "DeadlinePassed");
        demands.that(!disputable || commitment.is_some() != deadlock, "AccountsMissing");
        demands.that(commitment != Some([0; 32]), "CommitmentZero");
        demands.that(self.balance(payer) >= rent + entry, POOR);
        demands.met()?;
        let mut dispute = self.new_dispute(payer, job);
        self.pay(payer, at, rent);
        if deadlock {
            dispute.start_round(0, slot, now);
        }
        self.disputes.insert(key, dispute);
        let job = self.job_mut(key);
        (job.status, job.disputes_open) = (JobStatus::Disputed, 1);
        if let Some(commitment) = commitment {
            self.new_challenge(key, payer, bond, Challenge::entered(commitment, now));
        }
        Ok(())
    }

    /// Tickets of all who are on duty, but for the executors and the poster's provider.
    fn jurors_tickets(&self, job: &Job) -> u64 {
        let own = self.providers.iter().filter(|(_, provider)| provider.market == job.market);
        let asked = own.filter(|(key, own)| !job.executors.contains(key) && own.authority != job.poster);
        asked.map(|(_, provider)| u64::from(provider.duty_tickets())).sum()
    }

    fn new_dispute(&self, payer: Key, job: &Job) -> Dispute {
        let deadlock = job.status == JobStatus::Deadlocked;
        let standing = if deadlock { None } else { job.outcome };
        Dispute {
            status: DisputeStatus::Entry,
            market: job.market,
            rent_payer: payer,
            poster: job.poster,
            uid: job.uid,
            executors: job.executors,
            round: 0,
            is_deadlock: deadlock,
            verdict: Found::None,
            right: 0,
            standing_hash: standing.map_or([0; 32], |outcome| crate::outcome_hash(&outcome)),
            verdict_hash: [0; 32],
            outcome: [0; 79],
            gas_limit: job.gas_limit,
            bond_lamports: job.bond_lamports,
            juror_bond_lamports: job.terms.juror_bond_lamports,
            ticket_lamports: self.markets[&job.market].terms.ticket_lamports,
            miss_rate_bps: job.terms.miss_rate_bps,
            lambda: job.terms.jury_lambda,
            quorum_bps: job.terms.jury_quorum_bps,
            execution_s: job.execution_s,
            reveal_s: job.reveal_s,
            duty_tickets_total: self.jurors_tickets(job),
            expected: 0,
            opened_unix: self.now_unix,
            entry_deadline_unix: job.window_deadline_unix,
            commit_deadline_unix: 0,
            reveal_deadline_unix: 0,
            verdict_deadline_unix: 0,
            final_unix: 0,
            draw: Draw::NONE,
            tally: Tally::default(),
            votes_committed: 0,
            votes_revealed: 0,
            votes_open: 0,
            revealed_weight: [0; 4],
            challenges: 0,
            challenges_revealed: 0,
            challenges_counted: 0,
            challenges_open: 0,
            held_lamports: 0,
            lost_lamports: 0,
            won_lamports: 0,
            pot_lamports: 0,
            previous_seed: [0; 32],
        }
    }

    pub(super) fn enter_dispute(&mut self, challenger: Key, key: Key, commitment: [u8; 32]) -> Verdict {
        let (dispute, now) = (self.dispute(key)?, self.now_unix);
        let bond = dispute.bond_lamports;
        let cost = self.cost(self.challenge_key(key, challenger), CHALLENGE_RENT, 0) + bond;
        let enters = dispute.status == DisputeStatus::Entry;
        let mut demands = Demands::default();
        demands.that(enters, "EntryClosed");
        demands.that(!enters || now < dispute.entry_deadline_unix, "DeadlinePassed");
        demands.that(commitment != [0; 32], "CommitmentZero");
        demands.that(!self.challenges.contains_key(&(key, challenger)), "AccountInUse");
        demands.that(self.balance(challenger) >= cost, POOR);
        demands.met()?;
        self.new_challenge(key, challenger, bond, Challenge::entered(commitment, now));
        Ok(())
    }

    fn new_challenge(&mut self, key: Key, challenger: Key, bond: u64, challenge: Challenge) {
        let (at, dispute_at) = (self.challenge_key(key, challenger), self.dispute_key(key));
        let rent = self.cost(at, CHALLENGE_RENT, 0);
        self.pay(challenger, at, rent);
        self.pay(challenger, dispute_at, bond);
        let dispute = self.dispute_mut(key);
        dispute.challenges += 1;
        dispute.challenges_open += 1;
        dispute.held_lamports += bond;
        dispute.challenges_revealed += u32::from(challenge.status == ChallengeStatus::Revealed);
        self.challenges.insert((key, challenger), Challenge { bond_lamports: bond, ..challenge });
    }

    pub(super) fn record_jury(&mut self, key: Key) -> Verdict {
        let (now, slot) = (self.now_unix, self.slot);
        self.job(key)?;
        let mut dispute = self.dispute(key)?.clone();
        let entry = dispute.status == DisputeStatus::Entry;
        let mut demands = Demands::default();
        demands.that(!entry || now >= dispute.entry_deadline_unix, "DeadlineNotReached");
        demands.met()?;
        if entry {
            dispute.start_round(0, slot, now);
        } else if dispute.status == DisputeStatus::Drawing {
            let found = dispute.draw.take(&self.slot_hashes, &dispute.uid, Purpose::Jury, dispute.round);
            let mut demands = Demands::default();
            demands.that(found != Recorded::NotReady, "SeedNotReady");
            demands.met()?;
            if found == Recorded::Expired {
                dispute.draw.ask_again(slot, now);
            }
            if dispute.draw.state == DrawState::Everybody {
                dispute.expected = dispute.duty_tickets_total;
            }
            if dispute.draw.state != DrawState::Armed {
                dispute.vote_from(now);
            }
        }
        self.disputes.insert(key, dispute);
        Ok(())
    }

    pub(super) fn reveal_outcome(&mut self, challenger: Key, key: Key, outcome: &[u8; 79], salt: &[u8; 32]) -> Verdict {
        let dispute = self.dispute(key)?;
        let challenge = self.challenge(key, challenger)?;
        let hash = crate::outcome_hash(outcome);
        let committed = challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &dispute.uid,
            challenger: &challenger.0,
            outcome_hash: &hash,
            trace_root: &[0; 32],
            salt,
        });
        let mut demands = Demands::default();
        dispute.demand_reveals(&mut demands, self.now_unix);
        demands.that(dispute.round == 0, "RoundOver");
        demands.that(challenge.status == ChallengeStatus::Entered, "ChallengeNotEntered");
        demands.that(challenge.commitment == committed, "CommitmentMismatch");
        demands.that(crate::is_canonical(outcome, dispute.gas_limit), "OutcomeNotCanonical");
        demands.that(hash != dispute.standing_hash, "OutcomeStands");
        demands.met()?;
        let challenge = self.challenges.get_mut(&(key, challenger)).expect("it was there");
        (challenge.status, challenge.outcome_hash) = (ChallengeStatus::Revealed, hash);
        self.dispute_mut(key).challenges_revealed += 1;
        Ok(())
    }

    pub(super) fn tally_round(&mut self, key: Key) -> Verdict {
        let (dispute, now) = (self.dispute(key)?, self.now_unix);
        let voting = dispute.status == DisputeStatus::Voting;
        let complete = dispute.votes_revealed == dispute.votes_committed
            && (dispute.round > 0 || dispute.challenges_revealed == dispute.challenges);
        let due = now >= dispute.reveal_deadline_unix || (now >= dispute.commit_deadline_unix && complete);
        let mut demands = Demands::default();
        demands.that(voting, "DisputeNotVoting");
        demands.that(!voting || due, "DeadlineNotReached");
        demands.met()?;
        let dispute = self.dispute_mut(key);
        dispute.status = DisputeStatus::Tallied;
        (dispute.verdict, dispute.verdict_hash) = dispute.found();
        let decided = dispute.verdict != Found::None && !dispute.is_last();
        dispute.verdict_deadline_unix = now + if decided { dispute.execution_s } else { dispute.reveal_s };
        Ok(())
    }

    pub(super) fn appeal(&mut self, appellant: Key, key: Key, ballot: &[u8; 79]) -> Verdict {
        let (dispute, now, slot) = (self.dispute(key)?, self.now_unix, self.slot);
        let own = self.challenges.get(&(key, appellant));
        let hash = crate::outcome_hash(ballot);
        let bond = dispute.bond_lamports << (dispute.round + 1).min(ROUND_LAST);
        let rent = if own.is_none() { self.cost(self.challenge_key(key, appellant), CHALLENGE_RENT, 0) } else { 0 };
        let tallied = dispute.status == DisputeStatus::Tallied;
        let open = tallied && dispute.verdict != Found::None && !dispute.is_last();
        let holds = own.is_none_or(|own| own.status == ChallengeStatus::Revealed && own.outcome_hash == hash);
        let mut demands = Demands::default();
        demands.that(open, "NotAppealable");
        demands.that(!open || now < dispute.verdict_deadline_unix, "DeadlinePassed");
        demands.that(!open || hash != dispute.verdict_hash, "OutcomeStands");
        demands.that(*ballot == UNAVAILABLE || crate::is_canonical(ballot, dispute.gas_limit), "OutcomeNotCanonical");
        demands.that(holds, "AppealContradicts");
        demands.that(self.balance(appellant) >= bond + rent, POOR);
        demands.met()?;
        if let Some(own) = self.challenges.get_mut(&(key, appellant)) {
            own.bond_lamports += bond;
            self.pay(appellant, self.dispute_key(key), bond);
            self.dispute_mut(key).held_lamports += bond;
        } else {
            let status = ChallengeStatus::Revealed;
            let entered = Challenge { status, outcome_hash: hash, ..Challenge::entered([0; 32], now) };
            self.new_challenge(key, appellant, bond, entered);
        }
        let dispute = self.dispute_mut(key);
        dispute.start_round(dispute.round + 1, slot, now);
        Ok(())
    }

    pub(super) fn settle_dispute(&mut self, key: Key) -> Verdict {
        self.job(key)?;
        let (dispute, now, slot) = (self.dispute(key)?, self.now_unix, self.slot);
        let tallied = dispute.status == DisputeStatus::Tallied;
        let mut demands = Demands::default();
        demands.that(tallied, "DisputeNotTallied");
        demands.that(!tallied || now >= dispute.verdict_deadline_unix, "DeadlineNotReached");
        demands.met()?;
        let dispute = self.dispute_mut(key);
        if dispute.verdict == Found::None && !dispute.is_last() {
            dispute.start_round(dispute.round + 1, slot, now);
            return Ok(());
        }
        (dispute.status, dispute.final_unix) = (DisputeStatus::Final, now);
        if dispute.verdict == Found::None {
            dispute.verdict = Found::NoQuorum;
        }
        let (verdict, outcome) = (dispute.verdict, dispute.outcome);
        let job = self.job_mut(key);
        job.resolved_unix = now;
        if verdict == Found::Outcome {
            job.status = JobStatus::Resolved;
            job.outcome = Some(outcome);
            job.fix_payments();
            self.dispute_mut(key).right = self.jobs[&key].right;
        } else {
            (job.status, job.outcome) = (JobStatus::Expired, None);
        }
        Ok(())
    }
}

impl Challenge {
    const fn entered(commitment: [u8; 32], entered_unix: i64) -> Self {
        Self { status: ChallengeStatus::Entered, commitment, outcome_hash: [0; 32], bond_lamports: 0, entered_unix }
    }
}

impl Dispute {
    /// Whether nothing can be asked after this round: everybody voted in it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.draw.state == DrawState::Everybody
    }

    fn start_round(&mut self, round: u8, slot: u64, now: i64) {
        self.round = round;
        self.previous_seed = self.draw.seed;
        self.tally = Tally::default();
        (self.votes_committed, self.votes_revealed) = (0, 0);
        (self.verdict, self.verdict_hash, self.outcome) = (Found::None, [0; 32], [0; 79]);
        self.expected = u64::from(self.lambda) << (2 * round);
        self.draw = Draw::armed(slot, now);
        self.status = DisputeStatus::Drawing;
        if round == ROUND_LAST || self.expected >= self.duty_tickets_total {
            self.expected = self.duty_tickets_total;
            self.draw = Draw::everybody(slot, now);
            self.vote_from(now);
        }
    }

    fn vote_from(&mut self, now: i64) {
        self.status = DisputeStatus::Voting;
        if self.duty_tickets_total == 0 {
            (self.commit_deadline_unix, self.reveal_deadline_unix) = (now, now);
            return;
        }
        self.commit_deadline_unix = now + self.execution_s;
        self.reveal_deadline_unix = self.commit_deadline_unix + self.reveal_s;
    }

    pub(super) fn demand_reveals(&self, demands: &mut Demands, now: i64) {
        let voting = self.status == DisputeStatus::Voting;
        demands.that(voting, "DisputeNotVoting");
        demands.that(!voting || now >= self.commit_deadline_unix, "TooEarly");
        demands.that(!voting || now < self.reveal_deadline_unix, "DeadlinePassed");
    }

    /// What this round came to.
    #[must_use]
    pub fn found(&self) -> (Found, [u8; 32]) {
        let revealed = self.revealed_weight[usize::from(self.round)];
        let needed = u128::from(self.expected) * u128::from(self.quorum_bps);
        let enough = self.duty_tickets_total > 0 && u128::from(revealed) * 10_000 >= needed;
        let leader = self.tally.leader(Measure::Weight).filter(|leader| enough && leader.weight * 2 > revealed);
        match leader {
            None => (Found::None, [0; 32]),
            Some(leader) if leader.hash == crate::outcome_hash(&UNAVAILABLE) => (Found::Unavailable, leader.hash),
            Some(leader) => (Found::Outcome, leader.hash),
        }
    }
}

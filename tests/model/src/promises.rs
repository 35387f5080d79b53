//! What holds after every instruction, whatever was asked (docs/THREATS.md, I-01 to I-05 and I-10).

use crate::{
    act::Act,
    rules::PAUSE_S_MAX,
    state::{Dispute, DisputeStatus, Job, JobStatus, Key, Model, Provider, SeatStatus, rent_lamports, size},
};

impl Model {
    /// Lamports of everybody and everything.
    #[must_use]
    pub fn lamports_total(&self) -> u128 {
        self.lamports.values().map(|lamports| u128::from(*lamports)).sum()
    }

    /// # Panics
    /// When a promise is broken, with its id.
    pub fn check_promises(&self) {
        for (key, market) in &self.markets {
            self.backed(*key, size::MARKET, market.fees_lamports);
            assert!(market.paused_until_unix <= self.now_unix + PAUSE_S_MAX, "I-10: {key:?} is paused for too long");
            let own = || self.providers.values().filter(|provider| provider.market == *key);
            let tickets: u64 = own().map(|provider| u64::from(provider.tickets)).sum();
            assert_eq!(market.tickets_total, tickets, "tickets of {key:?}");
            let duty = own().map(|provider| u64::from(provider.duty_tickets()));
            assert_eq!(market.duty_tickets_total, duty.sum::<u64>(), "tickets on duty of {key:?}");
        }
        for (key, provider) in &self.providers {
            self.check_provider(*key, provider);
        }
        for (key, job) in &self.jobs {
            self.check_job(*key, job);
        }
        for (job, provider) in self.executions.keys() {
            assert!(
                self.jobs.contains_key(job) && self.providers.contains_key(provider),
                "I-04: a seat outlived its own"
            );
            self.backed(self.seat(*job, *provider), size::EXECUTION, 0);
        }
        for (key, dispute) in &self.disputes {
            self.check_dispute(*key, dispute);
        }
        for (job, challenger) in self.challenges.keys() {
            self.backed(self.challenge_key(*job, *challenger), size::CHALLENGE, 0);
        }
        for (job, round, juror) in self.votes.keys() {
            self.backed(self.vote_key(*job, *round, *juror), size::VOTE, 0);
        }
        for key in self.modules.keys() {
            self.backed(*key, size::MODULE, 0);
        }
        if let Some(burned) = self.sink_lamports {
            self.backed(self.sink(), size::SINK, burned);
        }
    }

    /// What never changes any more (I-03).
    ///
    /// # Panics
    /// When it did since.
    pub fn check_finality(&self, before: &Self) {
        for (key, old) in before.jobs.iter().filter(|(_, old)| old.status.is_terminal()) {
            let Some(now) = self.jobs.get(key).filter(|now| now.uid == old.uid) else { continue };
            assert_eq!((old.status, old.outcome), (now.status, now.outcome), "I-03: {key:?}");
        }
    }

    fn backed(&self, key: Key, bytes: u64, fields: u64) {
        let (held, owed) = (self.balance(key), rent_lamports(bytes) + fields);
        assert!(held >= owed, "I-01: {key:?} holds {held} of {owed}");
    }

    fn check_provider(&self, key: Key, provider: &Provider) {
        let fields = provider.stake_lamports + provider.unbonding_lamports + provider.earnings_lamports;
        self.backed(key, size::PROVIDER, fields);
        let seats = || self.executions.iter().filter(|((_, holder), _)| *holder == key).map(|(_, seat)| seat);
        let held = || seats().filter(|seat| seat.status != SeatStatus::Missed);
        let votes = || self.votes.iter().filter(|((_, _, juror), _)| *juror == key).map(|(_, vote)| vote);
        let locks: u64 = held().map(|seat| seat.lock_lamports).chain(votes().map(|vote| vote.lock_lamports)).sum();
        assert_eq!(provider.locked_lamports, locks + provider.duty_lock_lamports, "locks of {key:?}");
        assert!(provider.locked_lamports <= provider.stake_lamports, "{key:?} locks more than its stake");
        assert_eq!(usize::from(provider.active), held().count(), "seats of {key:?}");
        assert_eq!(provider.children_open as usize, seats().count() + votes().count(), "children of {key:?}");
        let weighty = votes().filter(|vote| vote.weight > 0).count();
        assert_eq!(usize::from(provider.votes_open), weighty, "votes of {key:?}");
        if self.markets[&provider.market].paused_until_unix > self.now_unix {
            self.check_withdrawals(key, provider);
        }
    }

    /// I-10: what is due can be had while the market is paused.
    fn check_withdrawals(&self, key: Key, provider: &Provider) {
        let withdraw = Act::WithdrawStake { signer: provider.authority, provider: key };
        let is_due = provider.unbonding_lamports > 0 && provider.unbonding_until_unix <= self.now_unix;
        let claim = Act::ClaimReward { provider: key };
        for act in [is_due.then_some(withdraw), (provider.earnings_lamports > 0).then_some(claim)].into_iter().flatten()
        {
            assert_eq!(self.clone().apply(&act), Ok(()), "I-10: {act:?}");
        }
    }

    fn check_job(&self, key: Key, job: &Job) {
        self.backed(key, size::JOB, job.escrow_lamports + job.compensation_lamports);
        let seats = || self.executions.iter().filter(|((of, _), _)| *of == key).map(|(_, seat)| seat);
        let now = |status| {
            let current = seats().filter(|seat| seat.status == status && seat.attempt == job.attempt);
            u8::try_from(current.count()).expect("nine at most")
        };
        assert_eq!(usize::from(job.executions_open), seats().count(), "executions of {key:?}");
        let works = matches!(job.status, JobStatus::Open | JobStatus::Assigned | JobStatus::Revealing);
        if works {
            assert_eq!(job.pending_commits, now(SeatStatus::Accepted), "commits of {key:?}");
            assert_eq!(job.pending_reveals, now(SeatStatus::Committed), "reveals of {key:?}");
        }
        let taken = job.executors.iter().filter(|executor| **executor != Key::default()).count();
        assert_eq!(usize::from(job.seats_filled), taken, "seats of {key:?}");
        assert!(job.seats_filled <= job.seats_max && job.seats <= job.seats_filled, "seats of {key:?}: {job:?}");
        assert!(job.status != JobStatus::Submitted || job.outcome.is_some(), "{key:?} has no result");
        // I-05: whatever is right in the end, the escrow pays it.
        if job.status == JobStatus::Resolved {
            let unpaid = seats().filter(|seat| seat.status == SeatStatus::Submitted && seat.outcome == job.outcome);
            let due = (job.pay_lamports + job.fee_lamports) * unpaid.count() as u64;
            assert!(job.escrow_lamports >= due, "I-05: {key:?} owes {due}");
        }
        let due = self.due_unix(job);
        let over = job.status.is_terminal() || job.status == JobStatus::Disputed;
        assert_eq!(due.is_none(), over, "I-04: {key:?} waits for nothing");
        assert_eq!(job.disputes_open == 1, self.disputes.contains_key(&key), "disputes of {key:?}");
    }

    fn check_dispute(&self, key: Key, dispute: &Dispute) {
        self.backed(self.dispute_key(key), size::DISPUTE, dispute.held_lamports);
        let own = || self.challenges.iter().filter(|((job, _), _)| *job == key).map(|(_, challenge)| challenge);
        assert_eq!(dispute.challenges_open as usize, own().count(), "challenges of {key:?}");
        let votes = self.votes.keys().filter(|(job, _, _)| *job == key).count();
        assert_eq!(dispute.votes_open as usize, votes, "votes of {key:?}");
        let over = dispute.status == DisputeStatus::Final;
        assert_eq!(self.jobs[&key].status == JobStatus::Disputed, !over, "I-04: {key:?} and its dispute disagree");
        let bonds: u64 = own().map(|challenge| challenge.bond_lamports).sum();
        if over {
            // I-05: whatever is still to be paid is there.
            assert!(dispute.held_lamports >= bonds, "I-05: {key:?} holds less than its bonds");
        } else {
            assert_eq!(dispute.held_lamports, bonds + dispute.pot_lamports, "I-01: what {key:?} holds");
            self.check_round(key, dispute);
        }
        assert_eq!(self.due_in_dispute_unix(dispute).is_none(), over, "I-04: {key:?} waits for nothing");
    }

    /// The present round is counted as its votes stand.
    fn check_round(&self, key: Key, dispute: &Dispute) {
        let of_round = |round: u8| {
            let own = self.votes.iter().filter(move |((job, of, _), _)| (*job, *of) == (key, round));
            // An excuse says nothing.
            own.map(|(_, vote)| vote).filter(|vote| vote.weight > 0)
        };
        let count = |votes: usize| u32::try_from(votes).expect("few");
        assert_eq!(dispute.votes_committed, count(of_round(dispute.round).count()), "votes of {key:?}");
        let revealed = of_round(dispute.round).filter(|vote| vote.is_revealed).count();
        assert_eq!(dispute.votes_revealed, count(revealed), "reveals of {key:?}");
        for (round, weight) in (0..).zip(dispute.revealed_weight) {
            let sum: u64 = of_round(round).filter(|vote| vote.is_revealed).map(|vote| vote.weight).sum();
            assert_eq!(weight, sum, "weight of round {round} of {key:?}");
        }
    }

    /// From when anybody may go on with a dispute; `None` when it has its verdict.
    #[must_use]
    pub const fn due_in_dispute_unix(&self, dispute: &Dispute) -> Option<i64> {
        Some(match dispute.status {
            DisputeStatus::Entry => dispute.entry_deadline_unix,
            // A seed is anybody's to record, at any time.
            DisputeStatus::Drawing => self.now_unix,
            DisputeStatus::Voting => dispute.reveal_deadline_unix,
            DisputeStatus::Tallied => dispute.verdict_deadline_unix,
            DisputeStatus::Final => return None,
        })
    }

    /// From when anybody may end what a job waits for; `None` when it waits for nothing.
    #[must_use]
    pub fn due_unix(&self, job: &Job) -> Option<i64> {
        Some(match job.status {
            JobStatus::Open => job.queue_deadline_unix,
            JobStatus::Assigned if job.seats_wanted == 1 => job.execution_deadline_unix,
            // The seed of an audit is anybody's to record, at any time.
            JobStatus::Revealing if job.audit == crate::state::Audit::SeedPending => self.now_unix,
            JobStatus::Assigned | JobStatus::Revealing => job.reveal_deadline_unix,
            JobStatus::Submitted | JobStatus::Deadlocked => job.window_deadline_unix,
            JobStatus::Disputed => return None, // Its dispute is waited for.
            JobStatus::Resolved | JobStatus::Cancelled | JobStatus::Expired => return None,
        })
    }
}

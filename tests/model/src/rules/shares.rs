//! Who gets what of a dispute.

use super::{Demands, Verdict};
use crate::{
    money,
    state::{ChallengeStatus, Dispute, DisputeStatus, Key, Model, Verdict as Found},
};

/// Jurors' share of what was lost, basis points.
const JURORS_BPS: u32 = 3_000;
/// Winners' share of it.
const WINNERS_BPS: u32 = 5_000;

impl Dispute {
    /// What the winner of a challenge gets on top of this bond.
    #[must_use]
    pub fn winners_share(&self, bond: u64) -> u64 {
        let pool = money::share(self.lost_lamports + self.pot_lamports, WINNERS_BPS);
        let share = u128::from(pool) * u128::from(bond) / u128::from(self.won_lamports);
        u64::try_from(share).expect("at most the pool")
    }

    /// What each right seat gets where no challenger was right.
    #[must_use]
    pub fn executors_share(&self) -> u64 {
        let defended = self.verdict == Found::Outcome && self.won_lamports == 0 && self.right > 0;
        if defended { money::share(self.lost_lamports, WINNERS_BPS) / u64::from(self.right) } else { 0 }
    }

    /// What a right vote of this weight gets.
    #[must_use]
    pub fn jurors_share(&self, round: u8, weight: u64) -> u64 {
        let pool = money::share(self.lost_lamports + self.pot_lamports, JURORS_BPS);
        let rounds = u64::from(self.round) + 1;
        weight * (pool / rounds / self.revealed_weight[usize::from(round)])
    }

    fn give(&mut self, lamports: u64) {
        self.held_lamports = self.held_lamports.checked_sub(lamports).expect("I-05: a dispute pays what it holds");
    }
}

impl Model {
    pub(super) fn settle_challenge(&mut self, key: Key, challenger: Key) -> Verdict {
        self.job(key)?;
        let dispute = self.dispute(key)?.clone();
        let challenge = self.challenge(key, challenger)?.clone();
        let bond = challenge.bond_lamports;
        let counted = challenge.status == ChallengeStatus::Won;
        let over = dispute.status == DisputeStatus::Final;
        let mut demands = Demands::default();
        demands.that(over, "DisputeNotFinal");
        if counted {
            demands.that(dispute.challenges_counted == dispute.challenges, "ChallengesUncounted");
            demands.that(self.jobs[&key].executions_open == 0, "ExecutionsOpen");
        }
        demands.met()?;
        if counted {
            return self.end_challenge(key, challenger, bond + dispute.winners_share(bond));
        }
        self.dispute_mut(key).challenges_counted += 1;
        let right = challenge.status == ChallengeStatus::Revealed && challenge.outcome_hash == dispute.verdict_hash;
        match dispute.verdict {
            Found::Outcome if right => {
                let challenge = self.challenges.get_mut(&(key, challenger)).expect("it was there");
                challenge.status = ChallengeStatus::Won;
                self.dispute_mut(key).won_lamports += bond;
                Ok(())
            }
            Found::Outcome => {
                self.dispute_mut(key).lost_lamports += bond;
                self.end_challenge(key, challenger, 0)
            }
            Found::Unavailable => self.end_challenge(key, challenger, bond),
            Found::None | Found::NoQuorum => {
                let kept = money::share(bond, u32::from(dispute.miss_rate_bps));
                self.end_challenge(key, challenger, bond - kept)
            }
        }
    }

    fn end_challenge(&mut self, key: Key, challenger: Key, lamports: u64) -> Verdict {
        let dispute = self.dispute_mut(key);
        dispute.give(lamports);
        dispute.challenges_open -= 1;
        self.pay(self.dispute_key(key), challenger, lamports);
        self.challenges.remove(&(key, challenger));
        self.close(self.challenge_key(key, challenger), challenger);
        Ok(())
    }

    pub(super) fn settle_vote(&mut self, key: Key, round: u8, juror: Key) -> Verdict {
        self.job(key)?;
        let dispute = self.dispute(key)?.clone();
        self.provider(juror)?;
        let vote = self.vote(key, round, juror)?.clone();
        let over = dispute.status == DisputeStatus::Final;
        let mut demands = Demands::default();
        demands.that(over, "DisputeNotFinal");
        demands.that(!over || dispute.challenges_counted == dispute.challenges, "ChallengesUncounted");
        demands.that(!over || self.jobs[&key].executions_open == 0, "ExecutionsOpen");
        demands.met()?;
        let judged = dispute.verdict == Found::Outcome;
        let right = vote.is_revealed && vote.ballot_hash == dispute.verdict_hash;
        let lost = if judged && !right { vote.lock_lamports } else { 0 };
        let share = if judged && right { dispute.jurors_share(round, vote.weight) } else { 0 };
        let provider = self.provider_mut(juror);
        provider.lose_lock(vote.lock_lamports, lost);
        provider.earnings_lamports += share;
        provider.votes_open -= u16::from(vote.weight > 0);
        provider.children_open -= 1;
        let at = self.dispute_key(key);
        self.pay(juror, at, lost);
        self.pay(at, juror, share);
        let dispute = self.dispute_mut(key);
        dispute.held_lamports += lost;
        dispute.give(share);
        dispute.votes_open -= 1;
        self.votes.remove(&(key, round, juror));
        self.close(self.vote_key(key, round, juror), vote.rent_payer);
        Ok(())
    }

    pub(super) fn close_dispute(&mut self, key: Key) -> Verdict {
        self.job(key)?;
        let dispute = self.dispute(key)?.clone();
        let over = dispute.status == DisputeStatus::Final;
        let mut demands = Demands::default();
        demands.that(over, "DisputeNotFinal");
        demands.that(!over || dispute.challenges_open == 0, "ChallengesOpen");
        demands.that(!over || dispute.votes_open == 0, "VotesOpen");
        demands.that(!over || self.jobs[&key].executions_open == 0, "ExecutionsOpen");
        demands.met()?;
        let at = self.dispute_key(key);
        self.burn(at, dispute.held_lamports);
        self.disputes.remove(&key);
        self.close(at, dispute.rent_payer);
        self.job_mut(key).disputes_open = 0;
        Ok(())
    }
}

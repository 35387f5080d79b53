//! What a challenger stands to lose and to win by a dispute, before it pays.

use assay_protocol::{
    Ballot, ExecutionStatus, FeeError, Hash32, ballot_hash,
    pot::{Pot, kept},
};
use solana_pubkey::Pubkey;

use crate::{
    accounts::Keyed,
    crank::Disputed,
    program::accounts::{Challenge, Execution, Job},
};

/// What a challenger stands to lose and to win, lamports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prospect {
    /// Everything that it has put in by then, lost when the last verdict is another outcome.
    pub loss_lamports: u64,
    /// What is kept of that when no round finds anything.
    pub undecided_loss_lamports: u64,
    /// Won on top when it is right and whatever is still hidden is wrong.
    pub gain_lamports: u64,
}

/// Bonds on all sides, lamports.
#[derive(Clone, Copy, Debug, Default)]
struct Stakes {
    /// Its own.
    own: u64,
    /// Of others, who hold something else or still hide it.
    lost: u64,
    /// Of others, who hold the same.
    won: u64,
    /// What absent jurors have lost already.
    taken: u64,
}

impl Prospect {
    /// Of whoever opens the dispute over a job with these seats, for the bond of one of them.
    ///
    /// # Errors
    /// [`FeeError`] when the bonds leave 64 bits.
    pub fn of_opener(job: &Job, executions: &[Keyed<Execution>], ballot: &Ballot) -> Result<Self, FeeError> {
        let stakes = Stakes { own: job.bond_lamports, ..Stakes::default() };
        stakes.prospect(executions, ballot, job.miss_rate_bps)
    }

    /// Of a challenger who puts a bond on a ballot, on top of what it has put in already, by what is known now.
    ///
    /// # Errors
    /// [`FeeError`] when the bonds leave 64 bits.
    pub fn of_challenger(
        disputed: &Disputed,
        challenger: &Pubkey,
        ballot: &Ballot,
        bond_lamports: u64,
    ) -> Result<Self, FeeError> {
        let (hash, dispute) = (ballot.hash(), &disputed.dispute.account);
        let mut stakes = Stakes { own: bond_lamports, taken: dispute.pot_lamports, ..Stakes::default() };
        for challenge in &disputed.challenges {
            let Challenge { challenger: holder, outcome_hash, bond_lamports, .. } = challenge.account;
            let sum = if holder == *challenger {
                &mut stakes.own
            } else if outcome_hash == hash {
                &mut stakes.won
            } else {
                &mut stakes.lost
            };
            *sum = bond_lamports.checked_add(*sum).ok_or(FeeError)?;
        }
        stakes.prospect(&disputed.executions, ballot, dispute.miss_rate_bps)
    }
}

impl Stakes {
    fn prospect(
        &self,
        executions: &[Keyed<Execution>],
        ballot: &Ballot,
        miss_rate_bps: u16,
    ) -> Result<Prospect, FeeError> {
        let undecided_loss_lamports = kept(self.own, miss_rate_bps)?;
        // Where the content cannot be had, everybody's bond goes back and nobody is paid.
        let gain_lamports = match ballot {
            Ballot::Unavailable => 0,
            Ballot::Outcome(outcome) => self.gain(executions, &outcome.hash())?,
        };
        Ok(Prospect { loss_lamports: self.own, undecided_loss_lamports, gain_lamports })
    }

    fn gain(&self, executions: &[Keyed<Execution>], hash: &Hash32) -> Result<u64, FeeError> {
        let is_wrong = |seat: &Execution| match seat.execution_status() {
            Some(ExecutionStatus::Submitted) => ballot_hash(&seat.outcome) != *hash,
            // Hidden for good, once there is something to dispute.
            Some(ExecutionStatus::Committed) => true,
            _ => false,
        };
        let wrong = executions.iter().map(|seat| &seat.account).filter(|seat| is_wrong(seat));
        let mut extra = self.taken;
        for seat in wrong {
            extra = extra.checked_add(seat.lock_lamports).ok_or(FeeError)?;
        }
        let pot = Pot {
            lost_lamports: self.lost,
            extra_lamports: extra,
            won_lamports: self.won.checked_add(self.own).ok_or(FeeError)?,
            ..Pot::default()
        };
        Ok(pot.winner(self.own)?.saturating_sub(self.own))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::accounts::Dispute;
    use anchor_lang::AnchorDeserialize;
    use assay_protocol::{Outcome, OutcomeKind};

    fn keyed<T: AnchorDeserialize>(edit: impl FnOnce(&mut T)) -> Keyed<T> {
        let mut account = T::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        edit(&mut account);
        Keyed { address: Pubkey::new_unique(), account }
    }

    fn ballot(gas_used: u64) -> Ballot {
        let (result_cid_digest, state_root) = ([1; 32], [0; 32]);
        Ballot::Outcome(Outcome {
            kind: OutcomeKind::Exited,
            detail: 0,
            exit_code: 0,
            gas_used,
            result_cid_digest,
            state_root,
        })
    }

    fn seat(ballot: &Ballot) -> Keyed<Execution> {
        keyed(|seat: &mut Execution| {
            (seat.status, seat.lock_lamports) = (ExecutionStatus::Submitted.code(), 100);
            seat.outcome = ballot.encode();
        })
    }

    #[test]
    fn the_opener_wins_half_of_the_wrong_seats_locks_and_loses_its_bond() {
        let job = keyed(|job: &mut Job| (job.bond_lamports, job.miss_rate_bps) = (100, 5_000));
        let seats = [seat(&ballot(7)), seat(&ballot(7)), seat(&ballot(8))];
        let prospect = Prospect::of_opener(&job.account, &seats, &ballot(8)).unwrap();
        assert_eq!(prospect, Prospect { loss_lamports: 100, undecided_loss_lamports: 50, gain_lamports: 100 });
        assert_eq!(Prospect::of_opener(&job.account, &seats, &Ballot::Unavailable).unwrap().gain_lamports, 0);
    }

    #[test]
    fn an_appellant_shares_with_those_who_hold_the_same_and_wins_of_those_who_do_not() {
        let own = Pubkey::new_unique();
        let challenge = |challenger, hash, bond| {
            keyed(|challenge: &mut Challenge| {
                (challenge.challenger, challenge.outcome_hash, challenge.bond_lamports) = (challenger, hash, bond);
            })
        };
        let (right, wrong) = (ballot(8), ballot(9));
        let disputed = Disputed {
            job: keyed(|_: &mut Job| {}),
            dispute: keyed(|dispute: &mut Dispute| (dispute.pot_lamports, dispute.miss_rate_bps) = (20, 1_000)),
            challenges: vec![
                challenge(own, right.hash(), 100),
                challenge(Pubkey::new_unique(), right.hash(), 300),
                challenge(Pubkey::new_unique(), wrong.hash(), 80),
            ],
            votes: Vec::new(),
            executions: vec![seat(&ballot(7))],
        };
        let prospect = Prospect::of_challenger(&disputed, &own, &right, 200).unwrap();
        // Half of 80 + 100 + 20, shared as 300 to 300.
        assert_eq!(prospect, Prospect { loss_lamports: 300, undecided_loss_lamports: 30, gain_lamports: 50 });
    }
}

//! How a dispute ends: everybody is paid in the order in which it becomes known how much.

use assay_protocol::{ChallengeStatus, DisputeStatus, Hash32, Verdict};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;

use super::due_dispute_step;
use crate::{
    accounts::Keyed,
    client::ChainTime,
    instructions::{self, JobPoster, SettleChallenge, SettleExecution, SettleVote},
    pda::VoteSeeds,
    program::accounts::{Challenge, Dispute, Execution, Job, Vote},
};

/// Most bytes of a transaction on the wire.
const TRANSACTION_BYTES_MAX: usize = 1_232;
/// Number of signatures, and the fee payer's.
const SIGNATURE_BYTES: usize = 1 + 64;
/// Stands for a fee payer that is none of the accounts.
const ANY_PAYER: Pubkey = Pubkey::new_from_array([0xfe; 32]);

/// A disputed job and everything that hangs on it, as fetched.
#[derive(Clone, Debug)]
pub struct Disputed {
    /// The job.
    pub job: Keyed<Job>,
    /// Its dispute.
    pub dispute: Keyed<Dispute>,
    /// The dispute's challenges.
    pub challenges: Vec<Keyed<Challenge>>,
    /// Its votes, of all rounds.
    pub votes: Vec<Keyed<Vote>>,
    /// The job's seats.
    pub executions: Vec<Keyed<Execution>>,
}

impl Disputed {
    /// What is due now, as transactions to be sent in this order by anybody: the next step while rounds last; from the last word
    /// on all the rest, to the closed job. Empty when nothing is due.
    #[must_use]
    pub fn due_transactions(&self, now: ChainTime) -> Vec<Vec<Instruction>> {
        let dispute = &self.dispute.account;
        match dispute.dispute_status() {
            Some(DisputeStatus::Tallied) if now.unix >= dispute.verdict_deadline_unix => {
                let settle = instructions::settle_dispute(self.job.address);
                if dispute.found() == Verdict::None && !dispute.is_last() {
                    return vec![vec![settle]];
                }
                pack(std::iter::once(settle).chain(self.payments()))
            }
            Some(DisputeStatus::Final) => pack(self.payments()),
            _ => due_dispute_step(&self.dispute, now).into_iter().map(|step| vec![step]).collect(),
        }
    }

    /// Count, settle the seats, pay, close: no share is known before what it is a share of.
    fn payments(&self) -> impl Iterator<Item = Instruction> + '_ {
        let poster = JobPoster { job: self.job.address, poster: self.job.account.poster };
        let uncounted = self.challenges.iter().filter(|challenge| !has_won(challenge));
        let winners = self.challenges.iter().filter(|challenge| has_won(challenge) || self.wins(challenge));
        uncounted
            .map(|challenge| self.settle_challenge(challenge))
            .chain(self.executions.iter().map(|execution| self.settle_execution(execution)))
            .chain(winners.map(|challenge| self.settle_challenge(challenge)))
            .chain(self.votes.iter().map(|vote| self.settle_vote(vote)))
            .chain([
                instructions::close_dispute(self.job.address, self.dispute.account.rent_payer),
                instructions::close_job(&poster),
            ])
    }

    /// Whether counting makes this challenge a winner, which is paid by a second call.
    fn wins(&self, challenge: &Keyed<Challenge>) -> bool {
        let dispute = &self.dispute.account;
        let verdict_hash: Hash32 = dispute.verdict_hash;
        dispute.found() == Verdict::Outcome
            && challenge.account.challenge_status() == Some(ChallengeStatus::Revealed)
            && challenge.account.outcome_hash == verdict_hash
    }

    fn settle_challenge(&self, challenge: &Keyed<Challenge>) -> Instruction {
        let challenger = challenge.account.challenger;
        instructions::settle_challenge(&SettleChallenge { job: self.job.address, challenger })
    }

    fn settle_execution(&self, execution: &Keyed<Execution>) -> Instruction {
        instructions::settle_execution(&SettleExecution {
            job: self.job.address,
            market: self.job.account.market,
            provider: execution.account.provider,
            rent_payer: execution.account.rent_payer,
            is_disputed: true,
        })
    }

    fn settle_vote(&self, vote: &Keyed<Vote>) -> Instruction {
        let Vote { dispute, provider, round, rent_payer, .. } = vote.account;
        let seeds = VoteSeeds { dispute, round, provider };
        instructions::settle_vote(&SettleVote { job: self.job.address, seeds, rent_payer })
    }
}

fn has_won(challenge: &Keyed<Challenge>) -> bool {
    challenge.account.challenge_status() == Some(ChallengeStatus::Won)
}

/// Fills transactions with steps, in order, each as far as its bytes go.
fn pack(steps: impl Iterator<Item = Instruction>) -> Vec<Vec<Instruction>> {
    let mut packed: Vec<Vec<Instruction>> = Vec::new();
    for step in steps {
        let mut more = packed.pop().unwrap_or_default();
        more.push(step);
        let next = if size_bytes(&more) > TRANSACTION_BYTES_MAX { more.pop() } else { None };
        packed.push(more);
        packed.extend(next.map(|step| vec![step]));
    }
    packed
}

/// Bytes of the transaction that the client makes of these steps: signed by a fee payer of its own, with a compute budget.
fn size_bytes(steps: &[Instruction]) -> usize {
    let budget =
        [ComputeBudgetInstruction::set_compute_unit_limit(0), ComputeBudgetInstruction::set_compute_unit_price(0)];
    let all: Vec<Instruction> = budget.into_iter().chain(steps.iter().cloned()).collect();
    SIGNATURE_BYTES + Message::new(&all, Some(&ANY_PAYER)).serialize().len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::types;
    use anchor_lang::AnchorDeserialize;

    fn keyed<T: AnchorDeserialize>(edit: impl FnOnce(&mut T)) -> Keyed<T> {
        let mut account = T::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        edit(&mut account);
        Keyed { address: Pubkey::new_unique(), account }
    }

    fn disputed(challenges: usize, votes: usize, executions: usize) -> Disputed {
        Disputed {
            job: keyed(|job: &mut Job| job.poster = Pubkey::new_unique()),
            dispute: keyed(|dispute: &mut Dispute| {
                dispute.status = DisputeStatus::Tallied.code();
                dispute.verdict = types::Verdict::Outcome;
                dispute.verdict_hash = [1; 32];
                dispute.verdict_deadline_unix = 10;
                dispute.rent_payer = Pubkey::new_unique();
            }),
            challenges: (0..challenges)
                .map(|index| {
                    keyed(|challenge: &mut Challenge| {
                        challenge.status = ChallengeStatus::Revealed.code();
                        challenge.challenger = Pubkey::new_unique();
                        challenge.outcome_hash = [u8::try_from(index).unwrap(); 32];
                    })
                })
                .collect(),
            votes: (0..votes).map(|_| keyed(|vote: &mut Vote| vote.provider = Pubkey::new_unique())).collect(),
            executions: (0..executions)
                .map(|_| keyed(|seat: &mut Execution| seat.provider = Pubkey::new_unique()))
                .collect(),
        }
    }

    fn at(unix: i64) -> ChainTime {
        ChainTime { slot: 0, unix }
    }

    #[test]
    fn a_dispute_that_is_over_ends_in_transactions_that_fit_and_in_order() {
        let disputed = disputed(3, 20, 5);
        assert!(disputed.due_transactions(at(9)).is_empty());
        let transactions = disputed.due_transactions(at(10));
        assert!(transactions.iter().all(|steps| size_bytes(steps) <= TRANSACTION_BYTES_MAX));
        let steps = transactions.concat();
        // One of three challenges is right and settled twice.
        assert_eq!(steps.len(), 1 + 3 + 5 + 1 + 20 + 2);
        let last = &steps[steps.len() - 2..];
        assert_eq!(last[0], instructions::close_dispute(disputed.job.address, disputed.dispute.account.rent_payer));
        assert_eq!(steps[0], instructions::settle_dispute(disputed.job.address));
        assert_eq!(steps[2], steps[9], "the second challenge is the right one");
    }

    #[test]
    fn the_usual_dispute_ends_in_one_transaction_and_its_votes() {
        assert_eq!(disputed(1, 0, 1).due_transactions(at(10)).len(), 1);
        assert!(disputed(1, 3, 1).due_transactions(at(10)).len() <= 2);
    }

    #[test]
    fn a_round_without_verdict_is_only_followed_by_the_next() {
        let mut disputed = disputed(1, 3, 1);
        disputed.dispute.account.verdict = types::Verdict::None;
        assert_eq!(disputed.due_transactions(at(10)), [[instructions::settle_dispute(disputed.job.address)]]);
    }
}

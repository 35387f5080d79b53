//! What is said in a dispute, made of what the journal holds and of nothing else, by the bot and by hand: so nobody who keeps a
//! journal ever says two things about one job (I-07).

use assay_protocol::{Ballot, Outcome};
use assay_sdk::{
    instructions::{self, Juror, OpenDispute, VoteTickets},
    pda::{ChallengeSeeds, dispute_address},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::{core::JobRow, transactions::BuildError};

/// Who says it.
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    /// Market account.
    pub market: Pubkey,
    /// Provider account, if it votes.
    pub provider: Pubkey,
    /// Signs: challenges and appeals are its own, votes the provider's.
    pub key: Pubkey,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// Commits to the recorded outcome as challenger, in a dispute that is there.
    Enter,
    /// Shows the challenger's outcome.
    RevealOutcome,
    /// Commits to the recorded ballot of a round, or asks to be excused from it where that is recorded.
    Vote(u8),
    /// Shows the ballot of a round.
    RevealVote(u8),
    /// Holds the recorded outcome against a verdict.
    Appeal,
    /// Holds against a verdict that the content cannot be had; nobody says so of a job that it ran.
    AppealUnavailable,
}

impl Speaker {
    /// Opens the dispute with the recorded outcome, against these executors of this poster's job.
    ///
    /// # Errors
    /// [`BuildError`] when the row does not hold what is to be said.
    pub fn open(&self, row: &JobRow, poster: Pubkey, executors: Vec<Pubkey>) -> Result<Instruction, BuildError> {
        let commitment = row.challenge_commitment(&self.key).ok_or(BuildError::NoSalt(row.uid))?;
        Ok(instructions::open_dispute(&OpenDispute {
            payer: self.key,
            market: self.market,
            poster,
            job: row.job,
            executors,
            commitment: Some(commitment),
        }))
    }

    /// The instruction that says it about the job of this row, whose gas limit bounds outcomes.
    ///
    /// # Errors
    /// [`BuildError`] when the row does not hold what is to be said.
    pub fn say(&self, statement: Statement, row: &JobRow, gas_limit: u64) -> Result<Instruction, BuildError> {
        let dispute = dispute_address(&row.job);
        let own = ChallengeSeeds { dispute, challenger: self.key };
        let juror = |round| Juror { dispute, round, provider: self.provider, node_key: self.key };
        let unrecorded = || BuildError::NoSalt(row.uid);
        Ok(match statement {
            Statement::Enter => {
                let commitment = row.challenge_commitment(&self.key).ok_or_else(unrecorded)?;
                instructions::enter_dispute(&own, commitment)
            }
            Statement::RevealOutcome => {
                let salt = row.challenge.ok_or_else(unrecorded)?.salt;
                instructions::reveal_outcome(&own, &recorded_outcome(row, gas_limit)?, salt)
            }
            Statement::Vote(round) if row.ballot(round).is_none() && row.excused == Some(round) => {
                instructions::excuse_vote(&juror(round))
            }
            Statement::Vote(round) => {
                let ballot = row.ballot(round).ok_or_else(unrecorded)?;
                let commitment = row.vote_commitment(&self.provider, round).ok_or_else(unrecorded)?;
                let tickets = match ballot.tickets.is_empty() {
                    true => VoteTickets::All(ballot.weight),
                    false => VoteTickets::Drawn(ballot.tickets.clone()),
                };
                instructions::commit_vote(&juror(round), commitment, tickets)
            }
            Statement::RevealVote(round) => {
                let recorded = row.ballot(round).ok_or_else(unrecorded)?;
                let ballot = Ballot::decode(&recorded.ballot, gas_limit).map_err(|_| BuildError::NoOutcome(row.uid))?;
                instructions::reveal_vote(&juror(round), &ballot, recorded.salt)
            }
            Statement::Appeal => instructions::appeal(&own, &Ballot::Outcome(recorded_outcome(row, gas_limit)?)),
            Statement::AppealUnavailable if row.outcome.is_some() => return Err(BuildError::HadContent(row.uid)),
            Statement::AppealUnavailable => instructions::appeal(&own, &Ballot::Unavailable),
        })
    }
}

/// The one outcome that may be signed for the job.
pub(crate) fn recorded_outcome(row: &JobRow, gas_limit: u64) -> Result<Outcome, BuildError> {
    let unknown = BuildError::NoOutcome(row.uid);
    let Some(bytes) = row.outcome else { return Err(unknown) };
    Outcome::decode(&bytes, gas_limit).map_err(|_| unknown)
}

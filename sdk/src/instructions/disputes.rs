//! Disputes and the duty of those who judge them.

use assay_protocol::{
    Ballot, Hash32, Outcome, challenge_commitment,
    ids::{ChallengeCommitmentInput, VoteCommitmentInput},
    vote_commitment,
};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::{ProviderAuthority, SYSTEM_PROGRAM, build};
use crate::{
    pda::{self, ChallengeSeeds, VoteSeeds},
    program::{client, types},
};

/// Whether a provider serves as juror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// From now on.
    Begin,
    /// No more; a second time, after the market's unbonding period, it releases the lock.
    End,
}

/// Begins or ends a provider's service as juror.
#[must_use]
pub fn set_duty(provider: &ProviderAuthority, duty: Duty) -> Instruction {
    let accounts = client::accounts::SetDuty {
        authority: provider.authority,
        market: provider.market,
        provider: provider.address(),
    };
    build(accounts, client::args::SetDuty { args: types::SetDutyArgs { on: duty == Duty::Begin } })
}

/// What [`open_dispute`] needs.
#[derive(Clone, Debug)]
pub struct OpenDispute {
    /// Opens, challenges, pays.
    pub payer: Pubkey,
    /// The job's market.
    pub market: Pubkey,
    /// The job's poster, whose provider is no juror.
    pub poster: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Providers that hold its seats, by seat, who are no jurors: [`crate::program::accounts::Job::seat_holders`].
    pub executors: Vec<Pubkey>,
    /// What the payer holds to be right, hidden: [`Secret::challenge`]. `None` for a deadlock, and for nothing else.
    pub commitment: Option<Hash32>,
}

/// Contests a job's result, or asks a jury about a deadlock.
#[must_use]
pub fn open_dispute(open: &OpenDispute) -> Instruction {
    let OpenDispute { payer, market, poster, job, ref executors, commitment } = *open;
    let dispute = pda::dispute_address(&job);
    let accounts = client::accounts::OpenDispute {
        payer,
        market,
        job,
        dispute,
        challenge: commitment.map(|_| ChallengeSeeds { dispute, challenger: payer }.address()),
        poster_provider: pda::provider_address(&market, &poster),
        system_program: SYSTEM_PROGRAM,
    };
    let mut instruction = build(accounts, client::args::OpenDispute { args: types::OpenDisputeArgs { commitment } });
    instruction.accounts.extend(executors.iter().map(|executor| AccountMeta::new_readonly(*executor, false)));
    instruction
}

/// Joins a dispute with a hidden outcome, see [`Secret::challenge`].
#[must_use]
pub fn enter_dispute(seeds: &ChallengeSeeds, commitment: Hash32) -> Instruction {
    let accounts = client::accounts::EnterDispute {
        challenger: seeds.challenger,
        dispute: seeds.dispute,
        challenge: seeds.address(),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::EnterDispute { args: types::EnterDisputeArgs { commitment } })
}

/// Begins a dispute's first round once its entry is over, or records the seed of a round's jury. Anybody may send it.
#[must_use]
pub fn record_jury_seed(job: Pubkey) -> Instruction {
    let accounts = client::accounts::RecordSeed { job, dispute: Some(pda::dispute_address(&job)) };
    build(accounts, client::args::RecordSeed {})
}

/// A juror's place in one round of a dispute, and the hot key that acts for it.
#[derive(Clone, Copy, Debug)]
pub struct Juror {
    /// The dispute.
    pub dispute: Pubkey,
    /// The round.
    pub round: u8,
    /// The Provider account.
    pub provider: Pubkey,
    /// Its hot key.
    pub node_key: Pubkey,
}

impl Juror {
    /// Address of the Vote account.
    #[must_use]
    pub fn vote(&self) -> Pubkey {
        VoteSeeds { dispute: self.dispute, round: self.round, provider: self.provider }.address()
    }
}

/// The tickets behind a vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoteTickets {
    /// Those that were drawn, strictly ascending, at most 64.
    Drawn(Vec<u32>),
    /// So many, where everybody votes.
    All(u32),
}

/// Commits a vote, see [`Secret::vote`]; the bonds of its tickets are locked and the node key pays the vote's rent.
#[must_use]
pub fn commit_vote(juror: &Juror, commitment: Hash32, tickets: VoteTickets) -> Instruction {
    let tickets = match tickets {
        VoteTickets::Drawn(tickets) => tickets,
        VoteTickets::All(_) => Vec::new(),
    };
    let accounts = client::accounts::CommitVote {
        node_key: juror.node_key,
        provider: juror.provider,
        dispute: juror.dispute,
        vote: juror.vote(),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::CommitVote { args: types::CommitVoteArgs { commitment, tickets } })
}

/// Asks to be excused from a vote: taken while two votes of the juror are open besides one for each round before this, or while none
/// of its stake is free. It locks nothing, and has nothing to be shown.
#[must_use]
pub fn excuse_vote(juror: &Juror) -> Instruction {
    commit_vote(juror, [0; 32], VoteTickets::All(0))
}

/// Shows the ballot of a vote, and the salt that kept it hidden.
#[must_use]
pub fn reveal_vote(juror: &Juror, ballot: &Ballot, salt: Hash32) -> Instruction {
    let accounts = client::accounts::RevealVote {
        node_key: juror.node_key,
        provider: juror.provider,
        dispute: juror.dispute,
        vote: juror.vote(),
    };
    let args = types::RevealVoteArgs { ballot: ballot.encode(), salt };
    build(accounts, client::args::RevealVote { args })
}

/// Shows the outcome of a challenge, and the salt that kept it hidden.
#[must_use]
pub fn reveal_outcome(seeds: &ChallengeSeeds, outcome: &Outcome, salt: Hash32) -> Instruction {
    let accounts = client::accounts::RevealOutcome {
        challenger: seeds.challenger,
        dispute: seeds.dispute,
        challenge: seeds.address(),
    };
    let args = types::RevealOutcomeArgs { outcome: outcome.encode(), salt };
    build(accounts, client::args::RevealOutcome { args })
}

/// Counts a round once its time has come. Anybody may send it.
#[must_use]
pub fn tally_round(dispute: Pubkey) -> Instruction {
    build(client::accounts::TallyRound { dispute }, client::args::TallyRound {})
}

/// What hides a challenge or a vote until it is revealed. Keep it on disk before the commitment is sent: without it the bond is
/// lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Uid of the disputed job.
    pub job_uid: Hash32,
    /// 32 random bytes.
    pub salt: Hash32,
}

impl Secret {
    /// A secret with a fresh random salt.
    #[must_use]
    pub fn random(job_uid: Hash32) -> Self {
        Self { job_uid, salt: rand::random() }
    }

    /// The commitment of this challenger to this outcome.
    #[must_use]
    pub fn challenge(&self, challenger: &Pubkey, outcome: &Outcome) -> Hash32 {
        challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &self.job_uid,
            challenger: challenger.as_array(),
            outcome_hash: &outcome.hash(),
            trace_root: &[0; 32],
            salt: &self.salt,
        })
    }

    /// The commitment of this juror to this ballot, good in its round alone.
    #[must_use]
    pub fn vote(&self, juror: &Juror, ballot: &Ballot) -> Hash32 {
        vote_commitment(&VoteCommitmentInput {
            job_uid: &self.job_uid,
            round: juror.round,
            provider: juror.provider.as_array(),
            ballot_hash: &ballot.hash(),
            trace_root: &[0; 32],
            salt: &self.salt,
        })
    }
}

//! From a round's verdict to the end of a dispute.

use assay_protocol::Ballot;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{SYSTEM_PROGRAM, build};
use crate::{
    pda::{self, ChallengeSeeds, VoteSeeds},
    program::{client, types},
};

/// Asks a larger jury: holds another ballot against a round's verdict, for twice the bond of the round before. An appellant that
/// has a challenge must hold what that revealed.
#[must_use]
pub fn appeal(seeds: &ChallengeSeeds, ballot: &Ballot) -> Instruction {
    let accounts = client::accounts::Appeal {
        appellant: seeds.challenger,
        dispute: seeds.dispute,
        challenge: seeds.address(),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::Appeal { args: types::AppealArgs { ballot: ballot.encode() } })
}

/// What [`slash_absent`] needs.
#[derive(Clone, Debug)]
pub struct SlashAbsent {
    /// Dispute, round, and the Provider account of the juror.
    pub seeds: VoteSeeds,
    /// The dispute's market.
    pub market: Pubkey,
    /// Tickets of it that were drawn, ascending: one, or one more than its vote weighs; none where everybody votes.
    pub tickets: Vec<u32>,
}

/// Takes the duty lock of a juror that was drawn and did not vote, or with less than all its tickets. Anybody may send it from the
/// count of the round on, and during the next round.
#[must_use]
pub fn slash_absent(slash: &SlashAbsent) -> Instruction {
    let SlashAbsent { seeds, market, ref tickets } = *slash;
    let accounts = client::accounts::SlashAbsent {
        dispute: seeds.dispute,
        provider: seeds.provider,
        market,
        vote: seeds.address(),
    };
    let args = types::SlashAbsentArgs { round: seeds.round, tickets: tickets.clone() };
    build(accounts, client::args::SlashAbsent { args })
}

/// Ends a round against which nobody appealed in time: the next round begins, or dispute and job are over. Anybody may send it.
#[must_use]
pub fn settle_dispute(job: Pubkey) -> Instruction {
    let accounts = client::accounts::SettleDispute { job, dispute: pda::dispute_address(&job) };
    build(accounts, client::args::SettleDispute {})
}

/// What [`settle_challenge`] needs.
#[derive(Clone, Copy, Debug)]
pub struct SettleChallenge {
    /// The job.
    pub job: Pubkey,
    /// Who challenged.
    pub challenger: Pubkey,
}

/// Counts a challenge of a dispute that is over; a second time, when all challenges are counted and all seats settled, pays one
/// that won. Anybody may send it.
#[must_use]
pub fn settle_challenge(settle: &SettleChallenge) -> Instruction {
    let SettleChallenge { job, challenger } = *settle;
    let dispute = pda::dispute_address(&job);
    let challenge = ChallengeSeeds { dispute, challenger }.address();
    build(client::accounts::SettleChallenge { job, dispute, challenge, challenger }, client::args::SettleChallenge {})
}

/// What [`settle_vote`] needs.
#[derive(Clone, Copy, Debug)]
pub struct SettleVote {
    /// The job.
    pub job: Pubkey,
    /// Dispute, round, and the Provider account of the juror.
    pub seeds: VoteSeeds,
    /// Who paid the vote's rent.
    pub rent_payer: Pubkey,
}

/// Unlocks a vote, pays or takes what it comes to, and closes it, once all challenges are counted and all seats settled. Anybody may
/// send it.
#[must_use]
pub fn settle_vote(settle: &SettleVote) -> Instruction {
    let SettleVote { job, seeds, rent_payer } = *settle;
    let accounts = client::accounts::SettleVote {
        job,
        dispute: seeds.dispute,
        provider: seeds.provider,
        vote: seeds.address(),
        rent_payer,
    };
    build(accounts, client::args::SettleVote {})
}

/// Closes a dispute in which everybody got what was due, after which its job may close. `rent_payer` opened it. Anybody may send it.
#[must_use]
pub fn close_dispute(job: Pubkey, rent_payer: Pubkey) -> Instruction {
    let accounts = client::accounts::CloseDispute {
        job,
        dispute: pda::dispute_address(&job),
        sink: pda::sink_address(),
        rent_payer,
    };
    build(accounts, client::args::CloseDispute {})
}

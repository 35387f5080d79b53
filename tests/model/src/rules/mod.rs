//! What each instruction demands and does: one function per instruction, from docs/PROTOCOL.md.
//!
//! A refusal names every demand that is not met: which of them the program looks at first is its own affair.

mod disputes;
mod jobs;
mod juries;
mod modules;
mod providers;
mod reveals;
mod seats;
mod settlement;
mod shares;

use std::collections::BTreeSet;

pub use disputes::UNAVAILABLE;
pub use providers::PAUSE_S_MAX;

use crate::{
    act::Act,
    state::{Challenge, Dispute, Execution, Job, Key, Market, Model, Provider, Vote},
};

/// Every reason why an instruction is refused, by the program's names for them; never empty.
pub type Refusal = BTreeSet<&'static str>;
/// Whether an instruction goes through.
pub type Verdict = Result<(), Refusal>;

/// An account that the instruction needs is not there.
pub const MISSING: &str = "AccountNotInitialized";
/// Nor is there anything but lamports that somebody sent.
pub const EMPTY: &str = "AccountOwnedByWrongProgram";
/// A wallet has not enough for what it is to pay.
pub const POOR: &str = "system error 1";

/// Collects what is not met.
#[derive(Default)]
struct Demands(Refusal);

impl Demands {
    fn that(&mut self, holds: bool, otherwise: &'static str) {
        if !holds {
            self.0.insert(otherwise);
        }
    }

    fn met(self) -> Verdict {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

impl Model {
    /// Does what the instruction says, or nothing.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn apply(&mut self, act: &Act) -> Verdict {
        match *act {
            Act::CreateSink { payer } => self.create_sink(payer),
            Act::CreateMarket { authority, name, cluster, terms } => {
                self.create_market(authority, name, cluster, terms)
            }
            Act::UpdateMarket { signer, market, terms } => self.update_market(signer, market, terms),
            Act::PauseMarket { signer, market, until_unix } => self.pause_market(signer, market, until_unix),
            Act::ProposeMarketAuthority { signer, market, new_authority } => {
                self.propose_market_authority(signer, market, new_authority)
            }
            Act::AcceptMarketAuthority { signer, market } => self.accept_market_authority(signer, market),
            Act::ClaimMarketFees { signer, market } => self.claim_market_fees(signer, market),
            Act::RegisterProvider { .. } => self.register_provider(act),
            Act::Stake { signer, provider, lamports } => self.stake(signer, provider, lamports),
            Act::Unstake { signer, provider, lamports } => self.unstake(signer, provider, lamports),
            Act::WithdrawStake { signer, provider } => self.withdraw_stake(signer, provider),
            Act::ClaimReward { provider } => self.claim_reward(provider),
            Act::CloseProvider { signer, provider } => self.close_provider(signer, provider),
            Act::UpdateProvider { signer, provider, new_node_key, cap_lamports } => {
                self.update_provider(signer, provider, (new_node_key, cap_lamports))
            }
            Act::EnrollStake { signer, provider } => self.enroll_stake(signer, provider),
            Act::CreateJob { poster, market, posting } => self.create_job(poster, market, &posting),
            Act::CancelJob { signer, job } => self.cancel_job(signer, job),
            Act::AcceptJob { at, uid, ticket } => self.accept_job(at, uid, ticket),
            Act::DeclineJob { at } => self.decline_job(at),
            Act::SubmitResults { at, outcome } => self.submit_results(at, outcome),
            Act::CommitResult { at, commitment } => self.commit_result(at, commitment),
            Act::RevealResult { at, outcome, salt } => self.reveal_result(at, outcome, salt),
            Act::RecordSeed { job } => self.record_seed(job),
            Act::ExpireJob { job, provider } => self.expire_job(job, provider),
            Act::FinalizeJob { job } => self.finalize_job(job),
            Act::SettleExecution { job, provider } => self.settle_execution(job, provider),
            Act::RecordCollision { payer, job } => self.record_collision(payer, job),
            Act::CloseJob { job } => self.close_job(job),
            Act::SetDuty { signer, provider, on } => self.set_duty(signer, provider, on),
            Act::OpenDispute { payer, job, commitment } => self.open_dispute(payer, job, commitment),
            Act::EnterDispute { challenger, job, commitment } => self.enter_dispute(challenger, job, commitment),
            Act::RecordJury { job } => self.record_jury(job),
            Act::CommitVote { at, commitment, tickets } => self.commit_vote(at, commitment, &tickets),
            Act::RevealVote { at, round, ballot, salt } => self.reveal_vote(at, round, &ballot, &salt),
            Act::RevealOutcome { challenger, job, outcome, salt } => {
                self.reveal_outcome(challenger, job, &outcome, &salt)
            }
            Act::TallyRound { job } => self.tally_round(job),
            Act::SlashAbsent { job, provider, round, tickets } => self.slash_absent((job, round, provider), &tickets),
            Act::Appeal { appellant, job, ballot } => self.appeal(appellant, job, &ballot),
            Act::SettleDispute { job } => self.settle_dispute(job),
            Act::SettleChallenge { job, challenger } => self.settle_challenge(job, challenger),
            Act::SettleVote { job, round, provider } => self.settle_vote(job, round, provider),
            Act::CloseDispute { job } => self.close_dispute(job),
        }
    }

    /// Why an account that is not there is refused. Of several the program names the first in its list of accounts, so rules look them up
    /// in that order.
    fn missing(&self, at: Key) -> Refusal {
        Refusal::from([if self.balance(at) > 0 { EMPTY } else { MISSING }])
    }

    /// The address of an account of the program.
    #[must_use]
    pub fn at(&self, seeds: &[&[u8]]) -> Key {
        (self.address)(seeds)
    }

    /// The Sink's address.
    #[must_use]
    pub fn sink(&self) -> Key {
        self.at(&[b"sink"])
    }

    /// The address of a seat.
    #[must_use]
    pub fn seat(&self, job: Key, provider: Key) -> Key {
        self.at(&[b"execution", &job.0, &provider.0])
    }

    /// The address of a job's dispute.
    #[must_use]
    pub fn dispute_key(&self, job: Key) -> Key {
        self.at(&[b"dispute", &job.0, &[0]])
    }

    /// The address of a challenge.
    #[must_use]
    pub fn challenge_key(&self, job: Key, challenger: Key) -> Key {
        self.at(&[b"challenge", &self.dispute_key(job).0, &challenger.0])
    }

    /// The address of a vote.
    #[must_use]
    pub fn vote_key(&self, job: Key, round: u8, provider: Key) -> Key {
        self.at(&[b"vote", &self.dispute_key(job).0, &[round], &provider.0])
    }

    /// Balance, zero when there is nothing.
    #[must_use]
    pub fn balance(&self, key: Key) -> u64 {
        self.lamports.get(&key).copied().unwrap_or(0)
    }

    /// What `create` takes from the payer: the rent as far as it is not there yet, and the deposit.
    fn cost(&self, key: Key, rent: u64, deposit: u64) -> u64 {
        rent.saturating_sub(self.balance(key)).saturating_add(deposit)
    }

    /// Moves lamports; whoever calls knows that they are there.
    fn pay(&mut self, from: Key, to: Key, lamports: u64) {
        if lamports == 0 || from == to {
            return;
        }
        let left = self.balance(from).checked_sub(lamports);
        self.lamports.insert(from, left.unwrap_or_else(|| panic!("I-01: {from:?} has no {lamports} lamports")));
        *self.lamports.entry(to).or_default() += lamports;
    }

    /// Everything that an account holds goes to whoever is named.
    fn close(&mut self, key: Key, to: Key) {
        self.pay(key, to, self.balance(key));
        self.lamports.remove(&key);
    }

    fn burn(&mut self, from: Key, lamports: u64) {
        self.pay(from, self.sink(), lamports);
        *self.sink_lamports.as_mut().expect("schedules begin with the Sink") += lamports;
    }

    fn market(&self, key: Key) -> Result<&Market, Refusal> {
        self.markets.get(&key).ok_or_else(|| self.missing(key))
    }

    fn provider(&self, key: Key) -> Result<&Provider, Refusal> {
        self.providers.get(&key).ok_or_else(|| self.missing(key))
    }

    fn job(&self, key: Key) -> Result<&Job, Refusal> {
        self.jobs.get(&key).ok_or_else(|| self.missing(key))
    }

    fn execution(&self, job: Key, provider: Key) -> Result<&Execution, Refusal> {
        self.executions.get(&(job, provider)).ok_or_else(|| self.missing(self.seat(job, provider)))
    }

    fn dispute(&self, job: Key) -> Result<&Dispute, Refusal> {
        self.disputes.get(&job).ok_or_else(|| self.missing(self.dispute_key(job)))
    }

    fn challenge(&self, job: Key, challenger: Key) -> Result<&Challenge, Refusal> {
        let at = || self.challenge_key(job, challenger);
        self.challenges.get(&(job, challenger)).ok_or_else(|| self.missing(at()))
    }

    fn vote(&self, job: Key, round: u8, juror: Key) -> Result<&Vote, Refusal> {
        self.votes.get(&(job, round, juror)).ok_or_else(|| self.missing(self.vote_key(job, round, juror)))
    }

    fn dispute_mut(&mut self, job: Key) -> &mut Dispute {
        self.disputes.get_mut(&job).expect("it was there")
    }

    fn market_mut(&mut self, key: Key) -> &mut Market {
        self.markets.get_mut(&key).expect("it was there")
    }

    fn provider_mut(&mut self, key: Key) -> &mut Provider {
        self.providers.get_mut(&key).expect("it was there")
    }

    fn job_mut(&mut self, key: Key) -> &mut Job {
        self.jobs.get_mut(&key).expect("it was there")
    }

    fn execution_mut(&mut self, job: Key, provider: Key) -> &mut Execution {
        self.executions.get_mut(&(job, provider)).expect("it was there")
    }
}

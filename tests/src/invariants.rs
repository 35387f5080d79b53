//! What holds after every instruction, whatever was sent.

use anchor_lang::{AccountDeserialize, Discriminator};
use assay_protocol::{DisputeStatus, ExecutionStatus, JobStatus, Outcome, VoteStatus};
use solana_account::Account;
use solana_pubkey::Pubkey;

use crate::{
    assay::accounts::{Challenge, Dispute, Execution, Job, Market, Module, Provider, Sink, Vote},
    world::World,
};

/// Everything the program owns, decoded.
#[derive(Default)]
pub struct Ledgers {
    /// Markets.
    pub markets: Vec<(Pubkey, Market)>,
    /// Providers.
    pub providers: Vec<(Pubkey, Provider)>,
    /// Jobs.
    pub jobs: Vec<(Pubkey, Job)>,
    /// Executions.
    pub executions: Vec<(Pubkey, Execution)>,
    /// Disputes.
    pub disputes: Vec<(Pubkey, Dispute)>,
    /// Challenges.
    pub challenges: Vec<(Pubkey, Challenge)>,
    /// Votes.
    pub votes: Vec<(Pubkey, Vote)>,
    /// Sinks; one or none.
    pub sinks: Vec<(Pubkey, Sink)>,
}

impl Ledgers {
    /// Decodes every account of the program and checks each against its lamports.
    ///
    /// # Panics
    /// When an account is of no known type, or holds less than rent and fields (I-01).
    #[must_use]
    pub fn read(world: &World) -> Self {
        let mut all = Self::default();
        for (key, account) in world.program_accounts() {
            let rent = world.rent(account.data.len());
            let fields = if let Some(market) = decode::<Market>(&account) {
                let fields = market.fees_lamports;
                all.markets.push((key, market));
                fields
            } else if let Some(provider) = decode::<Provider>(&account) {
                let fields = provider.stake_lamports + provider.unbonding_lamports + provider.earnings_lamports;
                all.providers.push((key, provider));
                fields
            } else if let Some(job) = decode::<Job>(&account) {
                let fields = job.escrow_lamports + job.compensation_lamports;
                all.jobs.push((key, job));
                fields
            } else if decode::<Execution>(&account).map(|execution| all.executions.push((key, execution))).is_some() {
                0
            } else if let Some(dispute) = decode::<Dispute>(&account) {
                let fields = dispute.held_lamports;
                all.disputes.push((key, dispute));
                fields
            } else if decode::<Challenge>(&account).map(|challenge| all.challenges.push((key, challenge))).is_some()
                || decode::<Vote>(&account).map(|vote| all.votes.push((key, vote))).is_some()
                || decode::<Module>(&account).is_some()
            {
                0
            } else if let Some(sink) = decode::<Sink>(&account) {
                let fields = sink.burned_lamports;
                all.sinks.push((key, sink));
                fields
            } else {
                panic!("{key} is no account of the program: {:?}", account.data.get(..8));
            };
            assert!(account.lamports >= rent + fields, "I-01: {key} holds {} of {rent} + {fields}", account.lamports);
        }
        all
    }
}

/// # Panics
/// When a promise is broken, with its id.
pub fn check(world: &World) {
    let ledgers = Ledgers::read(world);
    for (key, provider) in &ledgers.providers {
        check_provider(&ledgers, key, provider);
    }
    for (key, market) in &ledgers.markets {
        let own = ledgers.providers.iter().map(|(_, provider)| provider).filter(|provider| provider.market == *key);
        let tickets: u64 = own.map(|provider| u64::from(provider.tickets)).sum();
        assert_eq!(market.tickets_total, tickets, "tickets of {key}");
        let own = ledgers.providers.iter().map(|(_, provider)| provider).filter(|provider| provider.market == *key);
        let tickets: u64 =
            own.filter(|provider| provider.is_on_duty()).map(|provider| u64::from(provider.tickets)).sum();
        assert_eq!(market.duty_tickets_total, tickets, "duty tickets of {key}");
    }
    for (key, job) in &ledgers.jobs {
        check_job(&ledgers, key, job);
    }
    for (key, dispute) in &ledgers.disputes {
        check_dispute(&ledgers, key, dispute);
    }
    for (key, execution) in &ledgers.executions {
        let status = ExecutionStatus::from_code(execution.status).expect("a known status");
        let job = ledgers.jobs.iter().find(|(job, _)| *job == execution.job);
        assert!(job.is_some(), "execution {key} outlived its job");
        assert_eq!(execution.outcome == [0; 79], status != ExecutionStatus::Submitted, "outcome of {key}");
    }
}

fn check_provider(ledgers: &Ledgers, key: &Pubkey, provider: &Provider) {
    assert!(provider.locked_lamports <= provider.stake_lamports, "{key} locks more than its stake");
    let own = || ledgers.executions.iter().map(|(_, execution)| execution).filter(|held| held.provider == *key);
    let held = || own().filter(|held| held.status != ExecutionStatus::Missed.code());
    assert_eq!(usize::from(provider.active), held().count(), "seats of {key}");
    let votes = || ledgers.votes.iter().map(|(_, vote)| vote).filter(|vote| vote.provider == *key);
    let locks: u64 = held().map(|held| held.lock_lamports).chain(votes().map(|vote| vote.lock_lamports)).sum();
    assert_eq!(provider.locked_lamports, locks + provider.duty_lock_lamports, "locks of {key}");
    let weighty = votes().filter(|vote| vote.weight > 0).count();
    assert_eq!(usize::from(provider.votes_open), weighty, "votes of {key}");
    assert_eq!(u64::from(provider.children_open), count(own().count() + votes().count()), "children of {key}");
}

fn count(of: usize) -> u64 {
    u64::try_from(of).expect("few")
}

fn check_dispute(ledgers: &Ledgers, key: &Pubkey, dispute: &Dispute) {
    let status = dispute.dispute_status().expect("a known status");
    let challenges = || ledgers.challenges.iter().map(|(_, challenge)| challenge).filter(|one| one.dispute == *key);
    let votes = || ledgers.votes.iter().map(|(_, vote)| vote).filter(|vote| vote.dispute == *key);
    assert_eq!(u64::from(dispute.challenges_open), count(challenges().count()), "challenges of {key}");
    assert_eq!(u64::from(dispute.votes_open), count(votes().count()), "votes of {key}");
    assert!(ledgers.jobs.iter().any(|(job, _)| *job == dispute.job), "dispute {key} outlived its job");
    if status == DisputeStatus::Final {
        return;
    }
    // I-04: every wait ends, by a time or by a block that anybody may record.
    let ends = status == DisputeStatus::Drawing || dispute.waits_until_unix().is_some_and(|until_unix| until_unix > 0);
    assert!(ends, "I-04: {key} is {status:?} without a deadline");
    let bonds: u64 = challenges().map(|challenge| challenge.bond_lamports).sum();
    assert_eq!(dispute.held_lamports, bonds + dispute.pot_lamports, "I-01: what {key} holds");
    let of_round = || votes().filter(|vote| vote.round == dispute.round && vote.weight > 0);
    assert_eq!(u64::from(dispute.votes_committed), count(of_round().count()), "votes of the round of {key}");
    let revealed = || of_round().filter(|vote| vote.status == VoteStatus::Revealed.code());
    assert_eq!(u64::from(dispute.votes_revealed), count(revealed().count()), "reveals of the round of {key}");
    let weight: u64 = revealed().map(|vote| vote.weight).sum();
    assert_eq!(dispute.revealed_weight[usize::from(dispute.round)], weight, "weight of the round of {key}");
}

fn check_job(ledgers: &Ledgers, key: &Pubkey, job: &Job) {
    let status = JobStatus::from_code(job.status).expect("a known status");
    let open = ledgers.executions.iter().filter(|(_, execution)| execution.job == *key);
    assert_eq!(usize::from(job.executions_open), open.clone().count(), "executions of {key}");
    // I-04: what is not over has a deadline that somebody can act on.
    let deadline = job.waits_until_unix().unwrap_or(job.resolved_unix);
    assert!(deadline > 0 || status == JobStatus::Disputed, "I-04: {key} is {status:?} without a deadline");
    let disputes = ledgers.disputes.iter().filter(|(_, dispute)| dispute.job == *key);
    assert_eq!(usize::from(job.disputes_open), disputes.count(), "disputes of {key}");
    let seats: Vec<_> = open.clone().map(|(_, seat)| seat).filter(|seat| seat.attempt == job.attempt).collect();
    let waiting = |wanted: ExecutionStatus| seats.iter().filter(|seat| seat.status == wanted.code()).count();
    if matches!(status, JobStatus::Open | JobStatus::Assigned | JobStatus::Revealing) && job.fill == 0 {
        assert_eq!(usize::from(job.pending_reveals), waiting(ExecutionStatus::Committed), "reveals of {key}");
        if status != JobStatus::Revealing {
            assert_eq!(usize::from(job.pending_commits), waiting(ExecutionStatus::Accepted), "commits of {key}");
        }
    }
    let stands = matches!(status, JobStatus::Submitted | JobStatus::Resolved);
    assert!(job.outcome != [0; 79] || !stands, "outcome of {key}");
    let is_contested = status == JobStatus::Disputed;
    assert!(job.outcome == [0; 79] || stands || is_contested || job.redundancy > 1, "outcome of {key}");
    if stands {
        let outcome = Outcome::decode(&job.outcome, job.limits.gas_limit);
        assert!(outcome.is_ok(), "the outcome of {key} is not canonical");
    }
}

/// Lamports of everybody but the fee payer: an instruction moves them, none creates or destroys any (I-01, I-05).
#[must_use]
pub fn lamports_total(world: &World) -> u128 {
    world.snapshot().values().map(|account| u128::from(account.lamports)).sum()
}

fn decode<T: AccountDeserialize + Discriminator>(account: &Account) -> Option<T> {
    T::try_deserialize(&mut account.data.as_slice()).ok()
}

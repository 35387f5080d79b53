//! What of a provider's stake is locked by what, and what it owes as a juror.

use std::fmt;

use assay_protocol::VoteStatus;
use assay_sdk::{
    DisputeFilter, ExecutionFilter, Keyed, VoteFilter,
    explain::{VoteContext, first_vote_obstacle},
    program::{
        DisputeStage,
        accounts::{Dispute, Execution, Provider, Vote},
    },
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    error::{CliResult, Hint},
    job::state::seat_name,
    output::{duration, lamports},
};

/// Looks at an account and at what locks its stake, until they fit together: between two requests something may have been settled.
const LOOKS_MAX: usize = 4;

/// A seat that it holds, or lost and that is not settled yet.
#[derive(Debug, Serialize)]
struct SeatLock {
    job: String,
    seat: u8,
    /// `accepted`, `committed`, `revealed`, `missed`.
    state: &'static str,
    lock_lamports: u64,
}

/// A vote that is not settled yet.
#[derive(Debug, Serialize)]
struct VoteLock {
    dispute: String,
    /// The disputed job; `None` when the dispute was closed a moment ago.
    job: Option<String>,
    round: u8,
    /// Tickets behind it.
    weight: u64,
    /// `hidden`, `shown`.
    state: &'static str,
    lock_lamports: u64,
}

/// What a juror has to do now, or loses for.
#[derive(Debug, Serialize)]
struct Duty {
    job: String,
    round: u8,
    /// `vote`: a ticket of it is in the jury; `show`: its vote is hidden.
    what: &'static str,
    /// Seconds in which it may.
    left_s: i64,
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, round, what, left_s } = self;
        let what = match *what {
            "vote" => "vote, or lose the duty's lock",
            _ => "show the hidden vote, or lose its lock",
        };
        write!(f, "{what}: round {round} of the dispute over {job}, for another {}", duration(*left_s))
    }
}

/// Everything that locks stake of a provider, and its duties as a juror.
#[derive(Debug, Serialize)]
pub(super) struct Held {
    seats_lamports: u64,
    votes_lamports: u64,
    duty_lamports: u64,
    /// By how much these and the locked stake differ: zero, unless all of it changes faster than it can be read.
    rest_lamports: u64,
    seats: Vec<SeatLock>,
    votes: Vec<VoteLock>,
    duties: Vec<Duty>,
}

impl Held {
    /// Reads it with the account that it explains.
    pub(super) async fn read(chain: &Chain, provider: &Pubkey) -> CliResult<(Provider, Self)> {
        let mut found = Self::look(chain, provider).await?;
        for _ in 1..LOOKS_MAX {
            if found.1.rest_lamports == 0 {
                break;
            }
            found = Self::look(chain, provider).await?;
        }
        Ok(found)
    }

    async fn look(chain: &Chain, provider: &Pubkey) -> CliResult<(Provider, Self)> {
        let (client, own) = (chain.client(), Some(*provider));
        let account: Provider = client.fetch(provider).await.hint()?;
        let seats = ExecutionFilter { provider: own, ..ExecutionFilter::default() };
        let seats = client.list_executions(&seats).await.hint()?;
        let votes = VoteFilter { provider: own, ..VoteFilter::default() };
        let votes = client.list_votes(&votes).await.hint()?;
        let disputes = DisputeFilter { market: Some(account.market), ..DisputeFilter::default() };
        let disputes = client.list_disputes(&disputes).await.hint()?;
        let now_unix = chain.now_unix().await?;
        let juror = Juror { address: *provider, account: &account, votes: &votes, now_unix };
        let duties = disputes.iter().filter_map(|dispute| juror.owes(dispute)).collect();
        let held = Self::new(&account, (&seats, &votes), &disputes, duties);
        Ok((account, held))
    }

    fn new(
        account: &Provider,
        (seats, votes): (&[Keyed<Execution>], &[Keyed<Vote>]),
        disputes: &[Keyed<Dispute>],
        duties: Vec<Duty>,
    ) -> Self {
        let mut seats: Vec<SeatLock> = seats.iter().map(|found| seat(&found.account)).collect();
        let mut votes: Vec<VoteLock> = votes.iter().map(|found| vote(&found.account, disputes)).collect();
        seats.sort_unstable_by(|left, right| left.job.cmp(&right.job));
        votes.sort_unstable_by(|left, right| (&left.dispute, left.round).cmp(&(&right.dispute, right.round)));
        let seats_lamports = seats.iter().fold(0, |sum: u64, seat| sum.saturating_add(seat.lock_lamports));
        let votes_lamports = votes.iter().fold(0, |sum: u64, vote| sum.saturating_add(vote.lock_lamports));
        let duty_lamports = account.duty_lock_lamports;
        let explained = seats_lamports.saturating_add(votes_lamports).saturating_add(duty_lamports);
        let rest_lamports = account.locked_lamports.abs_diff(explained);
        Self { seats_lamports, votes_lamports, duty_lamports, rest_lamports, seats, votes, duties }
    }

    /// Prints each lock and each duty, a line each.
    pub(super) fn print(&self) {
        if self.duty_lamports > 0 {
            println!("  locked   {} by jury duty", lamports(self.duty_lamports));
        }
        let locking = |seat: &&SeatLock| seat.lock_lamports > 0;
        for SeatLock { job, seat, state, lock_lamports } in self.seats.iter().filter(locking) {
            println!("  locked   {} by seat {seat} of {job}, {state}", lamports(*lock_lamports));
        }
        for VoteLock { dispute, job, round, weight, state, lock_lamports } in &self.votes {
            let over =
                job.as_ref().map_or_else(|| format!("the dispute {dispute}"), |job| format!("the dispute over {job}"));
            let tickets = if *weight == 1 { "1 ticket".to_owned() } else { format!("{weight} tickets") };
            println!(
                "  locked   {} by a vote of {tickets} in round {round} of {over}, {state}",
                lamports(*lock_lamports)
            );
        }
        if self.rest_lamports > 0 {
            println!(
                "  locked   {} more or less: something changed meanwhile; look again",
                lamports(self.rest_lamports)
            );
        }
    }

    /// Prints what has to be done, a line each.
    pub(super) fn print_duties(&self) {
        for duty in &self.duties {
            println!("  due      {duty}; a running bot does it, or `assay dispute vote {}`", duty.job);
        }
    }
}

fn seat(seat: &Execution) -> SeatLock {
    let state = seat_name(seat.execution_status());
    SeatLock { job: seat.job.to_string(), seat: seat.seat, state, lock_lamports: seat.lock_lamports }
}

fn vote(vote: &Vote, disputes: &[Keyed<Dispute>]) -> VoteLock {
    let dispute = disputes.iter().find(|dispute| dispute.address == vote.dispute);
    VoteLock {
        dispute: vote.dispute.to_string(),
        job: dispute.map(|dispute| dispute.account.job.to_string()),
        round: vote.round,
        weight: vote.weight,
        state: match vote.vote_status() {
            _ if vote.weight == 0 => "excused",
            Some(VoteStatus::Revealed) => "shown",
            _ => "hidden",
        },
        lock_lamports: vote.lock_lamports,
    }
}

/// A provider as a juror.
struct Juror<'a> {
    address: Pubkey,
    account: &'a Provider,
    votes: &'a [Keyed<Vote>],
    now_unix: i64,
}

impl Juror<'_> {
    fn owes(&self, Keyed { address, account: dispute }: &Keyed<Dispute>) -> Option<Duty> {
        let is_own = |vote: &&Vote| vote.dispute == *address && vote.round == dispute.round;
        let vote = self.votes.iter().map(|found| &found.account).find(is_own);
        let what = match dispute.stage(self.now_unix)? {
            DisputeStage::Revealing if vote?.vote_status() == Some(VoteStatus::Committed) => "show",
            DisputeStage::Committing => {
                let context = VoteContext {
                    dispute,
                    address: self.address,
                    provider: self.account,
                    vote,
                    now_unix: self.now_unix,
                };
                match first_vote_obstacle(&context) {
                    None => "vote",
                    Some(_) => return None,
                }
            }
            _ => return None,
        };
        let left_s = dispute.stage_until_unix(self.now_unix)?.saturating_sub(self.now_unix).max(0);
        Some(Duty { job: dispute.job.to_string(), round: dispute.round, what, left_s })
    }
}

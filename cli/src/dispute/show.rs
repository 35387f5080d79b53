//! `assay dispute show`.

use assay_protocol::{ChallengeStatus, ExecutionStatus, VoteStatus, ballot_hash};
use assay_sdk::{
    ChainTime, Event, EventRecord, JobHandle, Keyed, ProviderFilter,
    crank::Disputed,
    job_handle::Posting,
    program::accounts::{Challenge, Execution, Vote},
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    case::Case,
    moves::{Ballots, Move, moves, stage_name, stage_text, told, verdict_text},
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Hint},
    job::{HistoryJson, state::status_name},
    output::{duration, lamports},
};

/// A seat of the job, whose lock is at stake.
#[derive(Debug, Serialize)]
struct SeatJson {
    seat: u8,
    provider: String,
    is_yours: bool,
    /// What it gave.
    says: String,
    lock_lamports: u64,
}

#[derive(Debug, Serialize)]
struct ChallengeJson {
    challenger: String,
    is_yours: bool,
    /// `hidden`, `shown`, `won`.
    state: &'static str,
    /// What it holds, once that is known.
    says: Option<String>,
    bond_lamports: u64,
}

#[derive(Debug, Serialize)]
struct VoteJson {
    round: u8,
    provider: String,
    is_yours: bool,
    /// Tickets behind it.
    weight: u64,
    /// `hidden`, `shown`.
    state: &'static str,
    /// What it says, once that is known.
    says: Option<String>,
    lock_lamports: u64,
}

#[derive(Debug, Serialize)]
struct RoundJson {
    round: u8,
    /// Tickets that were expected to vote; known of the present round.
    expected: Option<u64>,
    /// Whether all jurors vote with all their tickets; known of the present round.
    is_everybody: Option<bool>,
    revealed_weight: u64,
    votes: Vec<VoteJson>,
}

/// A dispute that goes on, or is over and not closed.
#[derive(Debug, Serialize)]
struct LiveJson {
    state: &'static str,
    reason: String,
    round: u8,
    is_deadlock: bool,
    opened_unix: i64,
    opener: String,
    /// What was contested; none after a deadlock.
    contested: Option<String>,
    verdict: Option<String>,
    seats: Vec<SeatJson>,
    challenges: Vec<ChallengeJson>,
    rounds: Vec<RoundJson>,
    /// Tickets of the market that may be drawn.
    duty_tickets_total: u64,
    quorum_bps: u16,
    bond_lamports: u64,
    juror_bond_lamports: u64,
    /// Bonds and losses that lie in the dispute.
    held_lamports: u64,
    next: Vec<Move>,
}

#[derive(Debug, Serialize)]
struct ShowJson {
    job: String,
    dispute: String,
    market: String,
    poster: String,
    job_state: &'static str,
    /// Whether it is closed, so that only its history is left.
    closed: bool,
    #[serde(flatten)]
    live: Option<LiveJson>,
    history: Vec<HistoryJson>,
}

/// What of it is yours.
struct Look<'a> {
    disputed: &'a Disputed,
    ballots: Ballots,
    own: &'a [Pubkey],
    now: ChainTime,
}

impl Look<'_> {
    fn is_own(&self, address: &Pubkey) -> bool {
        self.own.contains(address)
    }

    fn seat(&self, seat: &Execution) -> SeatJson {
        let says = match seat.execution_status() {
            Some(ExecutionStatus::Submitted) => self.ballots.text(&ballot_hash(&seat.outcome)),
            Some(ExecutionStatus::Committed) => "nothing: it hid its outcome and did not show it".to_owned(),
            Some(ExecutionStatus::Missed) => "nothing: it was given back late".to_owned(),
            _ => "nothing".to_owned(),
        };
        SeatJson {
            seat: seat.seat,
            provider: seat.provider.to_string(),
            is_yours: self.is_own(&seat.provider),
            says,
            lock_lamports: seat.lock_lamports,
        }
    }

    fn challenge(&self, challenge: &Challenge) -> ChallengeJson {
        let state = match challenge.challenge_status() {
            Some(ChallengeStatus::Entered) => "hidden",
            Some(ChallengeStatus::Revealed) => "shown",
            Some(ChallengeStatus::Won) => "won",
            _ => "unknown",
        };
        ChallengeJson {
            challenger: challenge.challenger.to_string(),
            is_yours: self.is_own(&challenge.challenger),
            state,
            says: (challenge.outcome_hash != [0; 32]).then(|| self.ballots.text(&challenge.outcome_hash)),
            bond_lamports: challenge.bond_lamports,
        }
    }

    fn vote(&self, vote: &Vote) -> VoteJson {
        let is_shown = vote.vote_status() == Some(VoteStatus::Revealed);
        VoteJson {
            round: vote.round,
            provider: vote.provider.to_string(),
            is_yours: self.is_own(&vote.provider),
            weight: vote.weight,
            state: if is_shown { "shown" } else { "hidden" },
            says: is_shown.then(|| self.ballots.text(&vote.ballot_hash)),
            lock_lamports: vote.lock_lamports,
        }
    }

    /// The rounds that began to vote.
    fn rounds(&self) -> Vec<RoundJson> {
        let dispute = &self.disputed.dispute.account;
        let has_voted = dispute.commit_deadline_unix > 0;
        let rounds = (0..=dispute.round).zip(dispute.revealed_weight).filter(|_| has_voted);
        rounds
            .map(|(round, revealed_weight)| {
                let is_present = round == dispute.round;
                let mut votes: Vec<&Keyed<Vote>> =
                    self.disputed.votes.iter().filter(|vote| vote.account.round == round).collect();
                votes.sort_unstable_by_key(|vote| vote.account.provider);
                RoundJson {
                    round,
                    expected: is_present.then_some(dispute.expected),
                    is_everybody: is_present.then(|| dispute.is_last()),
                    revealed_weight,
                    votes: votes.into_iter().map(|vote| self.vote(&vote.account)).collect(),
                }
            })
            .collect()
    }

    fn live(&self, absences: usize) -> LiveJson {
        let dispute = &self.disputed.dispute.account;
        let mut seats: Vec<SeatJson> = self.disputed.executions.iter().map(|seat| self.seat(&seat.account)).collect();
        seats.sort_unstable_by_key(|seat| seat.seat);
        let contested = dispute.contested_outcome(&self.disputed.job.account).as_ref().map(told);
        LiveJson {
            state: stage_name(dispute.stage(self.now.unix)),
            reason: stage_text(dispute, self.now),
            round: dispute.round,
            is_deadlock: dispute.is_deadlock != 0,
            opened_unix: dispute.opened_unix,
            opener: dispute.rent_payer.to_string(),
            contested,
            verdict: verdict_text(dispute, &self.ballots),
            seats,
            challenges: self.disputed.challenges.iter().map(|found| self.challenge(&found.account)).collect(),
            rounds: self.rounds(),
            duty_tickets_total: dispute.duty_tickets_total,
            quorum_bps: dispute.quorum_bps,
            bond_lamports: dispute.bond_lamports,
            juror_bond_lamports: dispute.juror_bond_lamports,
            held_lamports: dispute.held_lamports,
            next: moves(self.disputed, self.now, (self.own, absences)),
        }
    }
}

/// Your wallet and your Provider accounts, where there is a keypair.
async fn own(context: &Context, chain: &Chain) -> CliResult<Vec<Pubkey>> {
    let Ok(keypair) = context.keypair() else { return Ok(Vec::new()) };
    let wallet = keypair.pubkey();
    let mut own = vec![wallet];
    for filter in [
        ProviderFilter { authority: Some(wallet), ..ProviderFilter::default() },
        ProviderFilter { node_key: Some(wallet), ..ProviderFilter::default() },
    ] {
        let found = chain.client().list_providers(&filter).await.hint()?;
        own.extend(found.iter().flat_map(|found| [found.address, found.account.node_key]));
    }
    Ok(own)
}

/// What happened from the opening of the last dispute on.
async fn history(handle: &JobHandle) -> CliResult<Vec<EventRecord>> {
    let Some(Posting { mut records, .. }) = handle.postings().await.hint()?.pop() else { return Ok(Vec::new()) };
    let is_opening = |record: &EventRecord| matches!(record.event, Event::DisputeOpened(_));
    let from = records.iter().position(is_opening).unwrap_or(records.len());
    Ok(records.split_off(from))
}

/// Every ballot of the dispute that is on chain whole: what stood, what leads, what seats gave, what was shown.
fn ballots(disputed: &Disputed, history: &[EventRecord]) -> Ballots {
    let dispute = &disputed.dispute.account;
    let mut ballots = Ballots::new(dispute, &disputed.job.account);
    for seat in &disputed.executions {
        ballots.learn(&seat.account.outcome, dispute.gas_limit);
    }
    for record in history {
        match &record.event {
            Event::OutcomeRevealed(event) => ballots.learn(&event.outcome, dispute.gas_limit),
            Event::VoteRevealed(event) => ballots.learn(&event.ballot, dispute.gas_limit),
            Event::VerdictAppealed(event) => ballots.learn(&event.ballot, dispute.gas_limit),
            _ => {}
        }
    }
    ballots
}

pub(super) async fn show(context: &Context, address: Pubkey) -> CliResult {
    let chain = Chain::reading(context).await?;
    let case = Case::find(&chain, &address).await?;
    let history = history(&case.handle).await?;
    if case.disputed.is_none() && history.is_empty() {
        let job = case.job();
        let status = status_name(case.view.status);
        return Err(CliError::new(format!("the job {job} was never disputed; it is {status}"))
            .with_next(format!("look at the job: assay job describe {job}")));
    }
    let own = own(context, &chain).await?;
    let live = match &case.disputed {
        Some(disputed) => {
            let absences = case.handle.absences(disputed).await.hint()?.len();
            let ballots = ballots(disputed, &history);
            Some(Look { disputed, ballots, own: &own, now: case.now }.live(absences))
        }
        None => None,
    };
    let shown = ShowJson {
        job: case.job().to_string(),
        dispute: assay_sdk::pda::dispute_address(&case.job()).to_string(),
        market: case.view.market.to_string(),
        poster: case.view.poster.to_string(),
        job_state: status_name(case.view.status),
        closed: live.is_none(),
        live,
        history: HistoryJson::all(&history, case.view.task.limits.gas_limit),
    };
    context.output.result(&shown, || print(&shown, case.now));
    Ok(())
}

fn print(shown: &ShowJson, now: ChainTime) {
    println!("dispute    {}", shown.dispute);
    println!("job        {}, {}", shown.job, shown.job_state);
    println!("poster     {}", shown.poster);
    match &shown.live {
        Some(live) => print_live(live, now),
        None => println!("state      closed: everybody was settled"),
    }
    println!("history");
    HistoryJson::print_all(&shown.history, now.unix);
}

fn print_live(live: &LiveJson, now: ChainTime) {
    println!("state      {}, round {}: {}", live.state, live.round, live.reason);
    let age = duration(now.unix.saturating_sub(live.opened_unix));
    println!("opened     {age} ago by {}", live.opener);
    match &live.contested {
        Some(contested) => println!("over       {contested}"),
        None => println!("over       a deadlock: the seats did not agree"),
    }
    println!("verdict    {}", live.verdict.as_deref().unwrap_or("none yet"));
    println!("at stake   {} in the dispute: bonds, and what was lost so far", lamports(live.held_lamports));
    let you = |is_yours: bool| if is_yours { " (you)" } else { "" };
    for seat in &live.seats {
        println!(
            "  seat {}   {}{}: {} locked",
            seat.seat,
            seat.provider,
            you(seat.is_yours),
            lamports(seat.lock_lamports)
        );
        println!("             gave {}", seat.says);
    }
    for challenge in &live.challenges {
        let bond = lamports(challenge.bond_lamports);
        println!("  challenge  {}{}: {bond}", challenge.challenger, you(challenge.is_yours));
        println!("             holds {}", challenge.says.as_deref().unwrap_or("what it hides still"));
    }
    for round in &live.rounds {
        let expected = match (round.expected, round.is_everybody) {
            (Some(expected), Some(true)) => format!(", of all {expected}"),
            (Some(expected), _) => format!(", of about {expected} that were drawn of {}", live.duty_tickets_total),
            _ => String::new(),
        };
        println!("round {}    the votes of {} tickets are shown{expected}", round.round, round.revealed_weight);
        for vote in &round.votes {
            let tickets = if vote.weight == 1 { "1 ticket".to_owned() } else { format!("{} tickets", vote.weight) };
            println!(
                "  vote       {}{}: {tickets}, {}",
                vote.provider,
                you(vote.is_yours),
                lamports(vote.lock_lamports)
            );
            println!("             says {}", vote.says.as_deref().unwrap_or("what it hides still"));
        }
    }
    for next in &live.next {
        println!("next       {next}");
    }
}

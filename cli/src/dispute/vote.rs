//! `assay dispute vote`: what a juror's bot does, by hand.

use std::path::PathBuf;

use assay_executor::{
    Config, Speaker, Statement,
    config::load,
    core::{BallotRow, JobRow, Phase, Role, UNAVAILABLE},
};
use assay_protocol::{Ballot, VoteStatus, duty::votes_excusing};
use assay_sdk::{
    Event,
    explain::{VoteCondition, VoteContext, first_vote_obstacle},
    instructions::{Secret, VoteTickets},
    keypair::load_keypair,
    pda::provider_address,
    program::{
        DisputeStage, account_bytes,
        accounts::{Dispute, Provider, Vote},
    },
};
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    case::Case,
    found::{FindArgs, Found, hold, require_unavailable},
    kept::Kept,
    moves::{ballot_text, stage_name, stage_text},
    steps::{Own, Step, Taker},
};
use crate::{
    chain::{Action, Chain},
    context::{Context, Settings},
    error::{CliError, CliResult, Context as _, Hint},
    output::{duration, lamports, shown_path},
    parse,
};

/// `assay dispute vote`.
#[derive(Debug, Args)]
#[command(
    after_help = "A running bot votes by itself. By hand: stop the bot, run this to commit a hidden vote, and again to show it when \
nobody can commit any more, or let --follow wait for that. Everything is the bot's, by its configuration: cluster, content nodes, hot \
key. What is hidden is in its journal before it is sent, so the bot shows it, too, once it runs again, and neither says two things \
about one job."
)]
pub struct VoteArgs {
    /// Address of the dispute, or of its job.
    #[arg(value_name = "DISPUTE|JOB", value_parser = parse::address)]
    dispute: Pubkey,
    /// Configuration file of the provider's bot: says which provider votes, with which hot key and journal, on which cluster, and
    /// from which content nodes.
    #[arg(long, default_value = "provider/provider.toml", value_name = "FILE")]
    config: PathBuf,
    /// Votes that the content of the job is not to be had: refused when it is, and when a content node of the configuration cannot be
    /// asked.
    #[arg(long)]
    unavailable: bool,
    /// Asks to be excused from this round instead: taken while two other votes of the provider are open, and one more for each round
    /// before, or while none of its stake is free. It locks nothing and says nothing.
    #[arg(long, conflicts_with = "unavailable")]
    excuse: bool,
    /// Stays until the vote is shown.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    find: FindArgs,
}

#[derive(Debug, Serialize)]
struct VoteJson {
    job: String,
    provider: String,
    round: u8,
    /// What the vote says, hidden or not.
    says: Option<String>,
    /// Tickets behind it.
    weight: u64,
    /// `hidden`; `shown`; `not-shown`, which nobody can any more; `excused`; `settled`, its account is closed.
    vote: &'static str,
    /// What came of it, once it is settled and the endpoint has the history.
    settled: Option<SettledJson>,
    /// Where the dispute stands.
    state: &'static str,
    reason: String,
    sent: Vec<Step>,
}

/// A vote whose account is closed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct SettledJson {
    was_shown: bool,
    earned_lamports: u64,
    lost_lamports: u64,
}

impl SettledJson {
    /// By what happened to the vote of this provider and round.
    fn told<'a>((provider, round): (&Pubkey, u8), events: impl Iterator<Item = &'a Event>) -> Option<Self> {
        let (mut was_shown, mut found) = (false, None);
        for event in events {
            match event {
                Event::VoteRevealed(event) if event.provider == *provider && event.round == round => was_shown = true,
                Event::VoteSettled(event) if event.provider == *provider && event.round == round => {
                    found = Some((event.earned_lamports, event.lost_lamports));
                }
                _ => {}
            }
        }
        found.map(|(earned_lamports, lost_lamports)| Self { was_shown, earned_lamports, lost_lamports })
    }
}

/// Where a vote stands.
fn standing(vote: Option<&Vote>, dispute: Option<&Dispute>, now_unix: i64) -> &'static str {
    let Some(vote) = vote else { return "settled" };
    let stage = dispute.filter(|dispute| dispute.round == vote.round).and_then(|dispute| dispute.stage(now_unix));
    match (vote.vote_status(), stage) {
        (Some(VoteStatus::Revealed), _) if vote.weight == 0 => "excused",
        (Some(VoteStatus::Revealed), _) => "shown",
        (Some(VoteStatus::Committed), Some(DisputeStage::Committing | DisputeStage::Revealing)) => "hidden",
        (Some(VoteStatus::Committed), _) => "not-shown",
        _ => "unknown",
    }
}

/// A juror at work.
struct Juror<'a> {
    context: &'a Context,
    chain: &'a Chain,
    args: &'a VoteArgs,
    kept: Kept,
    address: Pubkey,
    provider: Provider,
}

pub(super) async fn vote(context: &Context, args: &VoteArgs) -> CliResult {
    require_bots_own(&context.settings)?;
    let config: Config = load(&args.config, std::env::vars()).next("name the bot's configuration with --config")?;
    let node_key = load_keypair(&config.provider.node_key_path)?;
    let address = provider_address(&config.provider.market.0, &config.provider.authority.0);
    let signer = node_key.pubkey();
    let chain = Chain::of_bot(&config, node_key).await?;
    let provider: Provider = chain.client().fetch(&address).await.hint()?;
    if provider.node_key != signer {
        return Err(CliError::new(format!("{signer} is not the hot key of {address}, which is {}", provider.node_key))
            .with_next("name the configuration of the provider's own bot with --config"));
    }
    let case = Case::find(&chain, &args.dispute).await?;
    case.require_disputed()?;
    Juror { context, chain: &chain, args, kept: Kept::of_bot(&config), address, provider }.run(case).await
}

/// A flag that names something else than the bot's configuration would not count.
fn require_bots_own(settings: &Settings) -> CliResult {
    let Settings { cluster, keypair, content, gateways, market } = settings;
    let origins = [
        ("--cluster", cluster.origin),
        ("--keypair", keypair.origin),
        ("--content", content.origin),
        ("--gateway", gateways.origin),
        ("--market", market.origin),
    ];
    match origins.iter().find(|(_, origin)| *origin == "flag") {
        None => Ok(()),
        Some((flag, _)) => {
            Err(CliError::usage(format!("{flag} is not for votes: the bot's configuration says what counts"))
                .with_next(
                    "change that, or override it with a variable such as ASSAY__CHAIN__CLUSTER or ASSAY__CONTENT__KUBO",
                ))
        }
    }
}

impl Juror<'_> {
    async fn run(&self, case: Case) -> CliResult {
        let mut row = self.kept.row(&case.view)?;
        let round = case.require_disputed()?.dispute.account.round;
        let mut sent = Vec::new();
        match self.own_vote(&case, round) {
            Some(vote) => self.require_own(&row, vote)?,
            None => sent.push(self.commit(&case, &mut row).await?),
        }
        let own = Own { speaker: self.speaker(), row };
        let case = if sent.is_empty() { case } else { Case::look(self.chain, case.handle).await? };
        let mut taker = Taker::new(self.chain, self.context.output, "looking at the dispute");
        let case = if self.args.follow {
            let is_hidden = |case: &Case| {
                let vote = self.own_vote(case, round);
                vote.is_some_and(|vote| vote.vote_status() == Some(VoteStatus::Committed))
            };
            let goes_on = |case: &Case| {
                case.disputed.as_ref().is_some_and(|found| found.dispute.account.round == round) && is_hidden(case)
            };
            taker.follow(case, &own, |case| !goes_on(case)).await?
        } else if taker.show(&case, &own).await?.is_some() {
            Case::look(self.chain, case.handle).await?
        } else {
            case
        };
        sent.append(&mut taker.sent);
        drop(taker);
        self.report(&case, &own.row, (round, sent)).await
    }

    fn speaker(&self) -> Speaker {
        Speaker { market: self.provider.market, provider: self.address, key: self.provider.node_key }
    }

    fn own_vote<'a>(&self, case: &'a Case, round: u8) -> Option<&'a Vote> {
        let votes = case.disputed.as_ref().map_or(&[][..], |disputed| &disputed.votes);
        votes.iter().map(|found| &found.account).find(|vote| vote.provider == self.address && vote.round == round)
    }

    /// The chain shows what the journal hides, and nothing else.
    fn require_own(&self, row: &JobRow, vote: &Vote) -> CliResult {
        let is_shown = vote.vote_status() != Some(VoteStatus::Committed);
        if is_shown || row.vote_commitment(&self.address, vote.round) == Some(vote.commitment) {
            return Ok(());
        }
        Err(CliError::new(format!(
            "{} has voted in round {}, with something that is not on record",
            self.address, vote.round
        ))
        .with_cause(format!("what it hid is not in the journal in {}", shown_path(self.kept.path())))
        .with_next("show it from the machine that it was sent from, or bring that journal here: else its bond is lost"))
    }

    /// Finds what to say, asks, records it, and sends it.
    async fn commit(&self, case: &Case, row: &mut JobRow) -> CliResult<Step> {
        let disputed = case.require_disputed()?;
        let (round, gas_limit) = (disputed.dispute.account.round, disputed.dispute.account.gas_limit);
        if row.phase == Phase::Halted {
            return Err(CliError::new(format!(
                "the bot has stopped at {}: the chain shows what it did not sign",
                case.job()
            ))
            .with_next("see the bot's log; nothing is signed about this job until that is cleared up"));
        }
        if self.args.excuse {
            self.require_excused(case, row)?;
            row.excused = Some(round);
            (row.role, row.phase) = (Role::Judge, Phase::Voting);
        } else if row.ballot(round).is_none() {
            self.require_juror(case, self.provider)?;
            let ballot = self.ballot(case, row).await?;
            // The run took its time.
            let now = Case::look(self.chain, case.handle.clone()).await?;
            let tickets = self.require_juror(&now, self.chain.client().fetch(&self.address).await.hint()?)?;
            let (tickets, weight) = match tickets {
                VoteTickets::Drawn(tickets) => {
                    let weight = u32::try_from(tickets.len()).unwrap_or(u32::MAX);
                    (tickets, weight)
                }
                VoteTickets::All(weight) => (Vec::new(), weight),
            };
            let salt = Secret::random(case.view.job_uid).salt;
            if let Some(place) = row.ballots.get_mut(usize::from(round)) {
                *place = Some(BallotRow { ballot, salt, tickets, weight });
            }
            (row.role, row.phase) = (Role::Judge, Phase::Voting);
        }
        let instruction = self.speaker().say(Statement::Vote(round), row, gas_limit)?;
        let rent = self.chain.client().rent_lamports(account_bytes::<Vote>()).await.hint()?;
        let action = Action {
            plan: self.plan(case, (row, round, rent)),
            doing: "voting",
            costs: &[("rent", rent)],
            instructions: std::slice::from_ref(&instruction),
            ..Action::default()
        };
        let done = self.kept.say((self.chain, self.context), (row, case.now.slot), &action).await?;
        Ok(Step { what: "commit_vote".to_owned(), signature: done.signature.to_string() })
    }

    /// That the program takes an excuse of this juror, and that nothing else was decided.
    fn require_excused(&self, case: &Case, row: &JobRow) -> CliResult {
        let dispute = &case.require_disputed()?.dispute.account;
        if row.ballot(dispute.round).is_some() {
            return Err(CliError::new(format!("a vote in round {} is on record", dispute.round))
                .with_next(format!("send it: assay dispute vote {}", case.job())));
        }
        if !dispute.has_free(&self.provider) || dispute.is_busy(&self.provider) {
            return Ok(());
        }
        let needed = votes_excusing(dispute.round);
        Err(CliError::new(format!("{} is not excused from round {}", self.address, dispute.round))
            .with_cause(format!(
                "{} of its votes are open, {needed} excuse it in this round; and its free stake bears the bond of a ticket",
                self.provider.votes_open
            ))
            .with_next(format!("vote before the votes close: assay dispute vote {}", case.job())))
    }

    /// The tickets of the vote; the first condition that fails, if the program would not take it.
    fn require_juror(&self, case: &Case, provider: Provider) -> CliResult<VoteTickets> {
        let dispute = &case.require_disputed()?.dispute.account;
        let context = VoteContext {
            dispute,
            address: self.address,
            provider: &provider,
            vote: self.own_vote(case, dispute.round),
            now_unix: case.now.unix,
        };
        let tickets = dispute.vote_tickets(&self.address, &provider);
        match (first_vote_obstacle(&context), tickets) {
            (None, Some(tickets)) => Ok(tickets),
            (Some(check), _) => {
                let job = case.job();
                let next = match check.condition {
                    VoteCondition::OnDuty => "serve in the next one: assay provider duty on".to_owned(),
                    VoteCondition::Exposure => {
                        "raise the cap before the votes close: assay provider update --exposure-cap".to_owned()
                    }
                    VoteCondition::Voting | VoteCondition::Drawn => {
                        format!("see when it may: assay dispute show {job}")
                    }
                    _ => format!("leave it to others: assay dispute show {job}"),
                };
                Err(CliError::new(format!("{} cannot vote on {job} now", self.address))
                    .with_cause(check.detail)
                    .with_next(next))
            }
            (None, None) => Err(CliError::new(format!("{} has no ticket to vote with", self.address))
                .with_next("see its stake and its tickets: assay provider status")),
        }
    }

    /// What the vote says, put into the row if it is an outcome.
    async fn ballot(&self, case: &Case, row: &mut JobRow) -> CliResult<[u8; assay_protocol::outcome::OUTCOME_BYTES]> {
        if self.args.unavailable {
            let instead = "vote what running it gives: leave out --unavailable";
            return require_unavailable(self.chain, case, row, instead).await.map(|()| UNAVAILABLE);
        }
        if let Some(outcome) = row.outcome {
            self.context
                .output
                .note("the job was run before, and what it gave is on record: that is what the vote says");
            return Ok(outcome);
        }
        let found = Found::run(self.chain, case, &self.args.find, self.context.output).await;
        let found = found
            .next("if its content is not to be had until shortly before the votes close, vote that: --unavailable")?;
        hold(row, &found.outcome, case.view.task.limits.gas_limit)?;
        Ok(found.outcome.encode())
    }

    fn plan(&self, case: &Case, (row, round, rent): (&JobRow, u8, u64)) -> String {
        let Some(dispute) = case.disputed.as_ref().map(|disputed| &disputed.dispute.account) else {
            return String::new();
        };
        let Some(ballot) = row.ballot(round).filter(|_| dispute.has_free(&self.provider)) else {
            return format!(
                "Excuses {} from round {round} on {}: its vote says nothing and weighs nothing.\n  It locks nothing. The rent of {} \
                 comes back.",
                self.address,
                case.job(),
                lamports(rent),
            );
        };
        let bonds = dispute.juror_bond_lamports.saturating_mul(u64::from(ballot.weight));
        format!(
            "Votes in round {round} on {} with {} tickets of {}: {}.\n  Locks {} of its stake until the dispute is over, lost if the \
             verdict is another or the vote is not shown; a right vote is paid a share of what the wrong ones lose. The rent of {} \
             comes back.\n  The vote stays hidden for {}; then show it, within {}: assay dispute vote {} (or --follow, or the bot).",
            case.job(),
            ballot.weight,
            self.address,
            says(row, round, dispute.gas_limit).unwrap_or_default(),
            lamports(bonds),
            lamports(rent),
            duration(dispute.commit_deadline_unix.saturating_sub(case.now.unix)),
            duration(i64::from(dispute.reveal_s)),
            case.job(),
        )
    }

    async fn report(&self, case: &Case, row: &JobRow, (round, sent): (u8, Vec<Step>)) -> CliResult {
        let vote = self.own_vote(case, round);
        let dispute = case.disputed.as_ref().map(|disputed| &disputed.dispute.account);
        let (state, reason) = match dispute {
            Some(dispute) => (stage_name(dispute.stage(case.now.unix)), stage_text(dispute, case.now)),
            None => ("closed", "everybody was settled".to_owned()),
        };
        let settled = match vote {
            Some(_) => None,
            None => {
                let history = case.handle.history().await.hint()?;
                let of_job = history.iter().filter(|record| record.slot >= case.view.created_slot);
                SettledJson::told((&self.address, round), of_job.map(|record| &record.event))
            }
        };
        let recorded = row.ballot(round).map_or(0, |ballot| u64::from(ballot.weight));
        let report = VoteJson {
            job: case.job().to_string(),
            provider: self.address.to_string(),
            round,
            says: says(row, round, case.view.task.limits.gas_limit),
            weight: vote.map_or(recorded, |vote| vote.weight),
            vote: standing(vote, dispute, case.now.unix),
            settled,
            state,
            reason,
            sent,
        };
        self.context.output.result(&report, || print(&report));
        Ok(())
    }
}

fn print(report: &VoteJson) {
    for step in &report.sent {
        println!("sent   {}: transaction {}", step.what, step.signature);
    }
    println!(
        "vote   {} in round {}, {} tickets, {}",
        report.vote,
        report.round,
        report.weight,
        report.says.as_deref().unwrap_or("unknown")
    );
    if let Some(SettledJson { was_shown, earned_lamports, lost_lamports }) = &report.settled {
        let shown = if *was_shown { "shown" } else { "never shown" };
        println!("       {shown}; {} earned, {} lost", lamports(*earned_lamports), lamports(*lost_lamports));
    }
    println!("state  {}: {}", report.state, report.reason);
    match report.vote {
        "hidden" => println!("next   show it when nobody can vote any more: assay dispute vote {}", report.job),
        "not-shown" => {
            println!("next   nothing: it can be shown no more, and its bond is lost if a jury finds an outcome")
        }
        _ => {}
    }
}

/// What the vote of a round says.
fn says(row: &JobRow, round: u8, gas_limit: u64) -> Option<String> {
    Ballot::decode(&row.ballot(round)?.ballot, gas_limit).ok().as_ref().map(ballot_text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anchor_lang::AnchorDeserialize;
    use assay_protocol::DisputeStatus;
    use assay_sdk::program::events;

    use super::*;

    const JUROR: Pubkey = Pubkey::new_from_array([1; 32]);

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 4_096].as_slice()).unwrap()
    }

    #[test]
    fn a_vote_is_hidden_as_long_as_it_can_be_shown_and_no_longer() {
        let (mut vote, mut dispute): (Vote, Dispute) = (zeroed(), zeroed());
        (vote.status, dispute.status) = (VoteStatus::Committed.code(), DisputeStatus::Voting.code());
        (dispute.commit_deadline_unix, dispute.reveal_deadline_unix, dispute.votes_committed) = (10, 20, 1);
        for (now_unix, expected) in [(9, "hidden"), (19, "hidden"), (20, "not-shown")] {
            assert_eq!(standing(Some(&vote), Some(&dispute), now_unix), expected, "{now_unix}");
        }
        dispute.round = 1;
        assert_eq!(standing(Some(&vote), Some(&dispute), 9), "not-shown", "its round is over");
        vote.status = VoteStatus::Revealed.code();
        assert_eq!(standing(Some(&vote), None, 9), "excused", "it weighs nothing");
        vote.weight = 1;
        assert_eq!(standing(Some(&vote), None, 9), "shown");
        assert_eq!(standing(None, Some(&dispute), 9), "settled", "its account is closed");
    }

    #[test]
    fn what_came_of_a_settled_vote_is_told_by_its_own_events() {
        let revealed = |round| Event::VoteRevealed(events::VoteRevealed { provider: JUROR, round, ..zeroed() });
        let settled = |provider, round, earned_lamports, lost_lamports| {
            let event = events::VoteSettled { provider, round, earned_lamports, lost_lamports, ..zeroed() };
            Event::VoteSettled(event)
        };
        let other = Pubkey::new_from_array([2; 32]);
        let history = [revealed(1), settled(other, 0, 7, 0), settled(JUROR, 0, 0, 5), settled(JUROR, 1, 3, 0)];
        let told = |round| SettledJson::told((&JUROR, round), history.iter());
        let lost = SettledJson { was_shown: false, earned_lamports: 0, lost_lamports: 5 };
        let won = SettledJson { was_shown: true, earned_lamports: 3, lost_lamports: 0 };
        assert_eq!((told(0), told(1), told(2)), (Some(lost), Some(won), None));
    }
}

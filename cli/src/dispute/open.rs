//! `assay dispute open`: challenges a result, and shows what was hidden when the jury has voted.

use std::path::PathBuf;

use assay_executor::{
    Speaker, Statement,
    core::{ChallengeRow, JobRow, Phase, Role},
};
use assay_protocol::{Ballot, ChallengeStatus, JobStatus, Outcome};
use assay_sdk::{
    Event, Prospect,
    instructions::{self, OpenDispute, Secret},
    pda::dispute_address,
    program::{
        DisputeStage, account_bytes,
        accounts::{Challenge, Dispute, Job},
    },
};
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{
    case::Case,
    found::{FindArgs, Found, hold, note_differences, recorded},
    kept::{Kept, spend},
    moves::{Ballots, Move, moves, stage_name, stage_text, told, verdict_text},
    steps::{Own, Step, Taker},
};
use crate::{
    chain::{Action, Chain},
    context::Context,
    error::{CliError, CliResult, Context as _, Exit, Hint},
    job::state::status_name,
    output::{duration, lamports, shown_path},
    parse, receipt,
};

/// `assay dispute open`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs the job first and disputes what stands only if that gives something else. What you hold is hidden until the \
jury has voted; it is kept in ~/.local/state/assay/disputes before it is sent. Run the same command again to show it in time, \
or let --follow do that and everything else. A job whose seats do not agree is put before a jury without a bond."
)]
pub struct OpenArgs {
    /// Address of the job, of one of its seats, or of its dispute, which is entered then.
    #[arg(value_name = "JOB|EXECUTION", value_parser = parse::address)]
    job: Pubkey,
    /// A receipt of the job that says what you hold to be right; it is run here all the same, and has to give that.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Holds what the receipt says, whatever that is: the job is not run.
    #[arg(long, requires = "receipt")]
    force: bool,
    /// Stays until the dispute is closed: shows what was hidden, takes every step that is due.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    find: FindArgs,
}

#[derive(Debug, Serialize)]
struct OpenJson {
    job: String,
    dispute: String,
    /// What is held, and hidden until the jury has voted.
    holds: Option<String>,
    /// Where the challenge stands: `hidden`, `shown`, `settled`; none of a deadlock.
    challenge: Option<&'static str>,
    bond_lamports: u64,
    /// Where the dispute stands.
    state: &'static str,
    reason: String,
    /// What it found, once it did.
    verdict: Option<String>,
    /// Once it is closed: whether you were right, where it found an outcome, and what came back to you of bonds and gains.
    is_right: Option<bool>,
    received_lamports: Option<u64>,
    /// What was sent, in order.
    sent: Vec<Step>,
    next: Vec<Move>,
}

/// A challenger at work.
struct Challenger<'a> {
    context: &'a Context,
    chain: &'a Chain,
    args: &'a OpenArgs,
    kept: Kept,
    wallet: Pubkey,
}

pub(super) async fn open(context: &Context, args: &OpenArgs) -> CliResult {
    let chain = Chain::signing(context).await?.with_content(context)?;
    let case = Case::find(&chain, &args.job).await?;
    let wallet = chain.signer()?;
    let challenger = Challenger { context, chain: &chain, args, kept: Kept::of_wallet(&wallet)?, wallet };
    challenger.run(case).await
}

impl Challenger<'_> {
    async fn run(&self, case: Case) -> CliResult {
        let mut row = self.kept.row(&case.view)?;
        let mut sent = Vec::new();
        let mut found = None;
        if case.view.status == JobStatus::Deadlocked {
            sent.push(self.ask_jury(&case).await?);
        } else if let Some(challenge) = case.challenge_of(&self.wallet) {
            self.require_own(&row, challenge)?;
        } else if !self.is_over(&case, &row) && !self.is_follower_of_deadlock(&case) {
            found = self.challenge(&case, &mut row, &mut sent).await?;
        }
        let own = Own { speaker: self.speaker(&case), row };
        let case = if sent.is_empty() { case } else { Case::look(self.chain, case.handle).await? };
        let mut taker = Taker::new(self.chain, self.context.output, "looking at the dispute");
        let case = if self.args.follow {
            taker.follow(case, &own, |case| case.disputed.is_none()).await?
        } else if taker.show(&case, &own).await?.is_some() {
            Case::look(self.chain, case.handle).await?
        } else {
            case
        };
        sent.append(&mut taker.sent);
        drop(taker);
        self.report(&case, &own, (sent, found)).await
    }

    fn speaker(&self, case: &Case) -> Speaker {
        // No provider: a challenge is the wallet's own.
        Speaker { market: case.view.market, provider: Pubkey::default(), key: self.wallet }
    }

    /// What was challenged with is decided and settled: only what became of it is told.
    fn is_over(&self, case: &Case, row: &JobRow) -> bool {
        row.challenge.is_some() && case.view.is_final() && case.disputed.is_none()
    }

    /// A dispute over a deadlock has nobody to challenge; with `--follow` it is brought to its end.
    fn is_follower_of_deadlock(&self, case: &Case) -> bool {
        let is_deadlock = case.disputed.as_ref().is_some_and(|found| found.dispute.account.is_deadlock != 0);
        self.args.follow && is_deadlock
    }

    /// The chain shows what this machine hid, and nothing else.
    fn require_own(&self, row: &JobRow, challenge: &Challenge) -> CliResult {
        // An appeal says at once what it holds.
        let is_appeal = challenge.commitment == [0; 32];
        let is_shown = challenge.challenge_status() != Some(ChallengeStatus::Entered);
        if is_appeal || is_shown || row.challenge_commitment(&self.wallet) == Some(challenge.commitment) {
            return Ok(());
        }
        Err(CliError::new(format!("{} challenges here already, with something that is not on record", self.wallet))
            .with_cause(format!("what it hid is not in {}", shown_path(self.kept.path())))
            .with_next(
                "show it from the machine that it was sent from, or bring that folder here: else its bond is lost",
            ))
    }

    async fn ask_jury(&self, case: &Case) -> CliResult<Step> {
        let (poster, executors) = case.excluded()?;
        let (payer, market, job) = (self.wallet, case.view.market, case.job());
        let open = OpenDispute { payer, market, poster, job, executors, commitment: None };
        let rent = self.chain.client().rent_lamports(account_bytes::<Dispute>()).await.hint()?;
        let plan = format!(
            "Asks a jury about {}, whose seats do not agree. That needs no bond; the seats' own are at stake.\n  The rent of {} comes \
             back when the dispute is closed.",
            case.job(),
            lamports(rent)
        );
        let action = Action {
            plan,
            doing: "opening the dispute",
            costs: &[("rent", rent)],
            instructions: &[instructions::open_dispute(&open)],
            ..Action::default()
        };
        let done = self.chain.carry_out(self.context, &action).await?;
        Ok(Step { what: "open_dispute".to_owned(), signature: done.signature.to_string() })
    }

    /// Finds what is to be held, asks, records it, and sends it. What was run, if anything was.
    async fn challenge(&self, case: &Case, row: &mut JobRow, sent: &mut Vec<Step>) -> CliResult<Option<Found>> {
        let standing = self.contestable(case)?;
        // Recorded before, and perhaps not sent: then it is sent now.
        let is_recorded = row.challenge.is_some() && row.outcome.is_some();
        let found = if is_recorded { None } else { self.find(case, row, &standing).await? };
        if !is_recorded {
            row.challenge = Some(ChallengeRow { salt: Secret::random(case.view.job_uid).salt });
            (row.role, row.phase) = (Role::Watch, Phase::Challenging);
            spend(row, (case.view.account.as_ref().map_or(0, |job| job.bond_lamports), case.now.unix));
        }
        let gas_limit = case.view.task.limits.gas_limit;
        let held = recorded(row, gas_limit)
            .ok_or_else(|| CliError::new("what is on record of this job is no outcome of it"))?;
        let instruction = if case.disputed.is_some() {
            self.speaker(case).say(Statement::Enter, row, gas_limit)?
        } else {
            let (poster, executors) = case.excluded()?;
            self.speaker(case).open(row, poster, executors)?
        };
        let (plan, costs) = self.plan(case, (&standing, &held)).await?;
        let action = Action {
            plan,
            doing: "challenging",
            costs: &costs,
            instructions: std::slice::from_ref(&instruction),
            ..Action::default()
        };
        let done = self.kept.say((self.chain, self.context), (row, case.now.slot), &action).await?;
        let what = instructions::name(&instruction).unwrap_or("challenge").to_owned();
        sent.push(Step { what, signature: done.signature.to_string() });
        Ok(found)
    }

    /// The result that stands and can be challenged still.
    fn contestable(&self, case: &Case) -> CliResult<Outcome> {
        let (job, status) = (case.job(), case.view.status);
        let refuse = |what: String, next: String| Err(CliError::new(what).with_next(next));
        let account = case.view.account.as_deref();
        match (&case.disputed, case.stage(), account) {
            (Some(disputed), Some(DisputeStage::Entering), Some(account)) => {
                let standing = disputed.dispute.account.contested_outcome(account);
                standing.ok_or_else(|| CliError::new(format!("what is contested of {job} cannot be read")))
            }
            (Some(_), stage, _) => refuse(
                format!("nobody can enter the dispute over {job} any more: it is {}", stage_name(stage)),
                format!("if its verdict is wrong, appeal: assay dispute appeal {job}; see: assay dispute show {job}"),
            ),
            (None, _, Some(account))
                if status == JobStatus::Submitted && case.now.unix < account.window_deadline_unix =>
            {
                case.view.outcome.ok_or_else(|| CliError::new(format!("the result of {job} cannot be read")))
            }
            (None, _, Some(account)) if status == JobStatus::Submitted => {
                let ago = duration(case.now.unix.saturating_sub(account.window_deadline_unix));
                refuse(
                    format!("the result of {job} cannot be disputed any more: its window ended {ago} ago"),
                    "a job with a longer window leaves more time to check".to_owned(),
                )
            }
            _ => refuse(
                format!("there is no result of {job} to be disputed: it is {}", status_name(status)),
                format!("look at the job: assay job describe {job}"),
            ),
        }
    }

    /// What is to be held against the standing result, put into the row.
    async fn find(&self, case: &Case, row: &mut JobRow, standing: &Outcome) -> CliResult<Option<Found>> {
        let (job, gas_limit) = (case.job(), case.view.task.limits.gas_limit);
        let said = self.args.receipt.as_deref().map(receipt::load_file).transpose()?;
        if said.as_ref().is_some_and(|said| said.task != case.view.task) {
            return Err(CliError::new("the receipt is of another task than the job's")
                .with_next(format!("make one of this job: assay verify {job} --receipt FILE")));
        }
        let found = match self.args.force {
            true => None,
            false => Some(Found::run(self.chain, case, &self.args.find, self.context.output).await?),
        };
        let ran = found.as_ref().map(|found| found.outcome);
        let said = said.map(|said| said.outcome);
        if let (Some(said), Some(ran)) = (said, ran)
            && said != ran
        {
            return Err(CliError::new(format!(
                "running {job} here gives {}, the receipt says {}",
                told(&ran),
                told(&said)
            ))
            .with_exit(Exit::Differs)
            .with_next(
                "leave out --receipt to hold what was found here, or add --force to hold what the receipt says",
            ));
        }
        let held = said.or(ran).ok_or_else(|| CliError::usage("there is nothing to hold against the result"))?;
        if held == *standing {
            let what = if ran.is_some() { "running it here gives the same" } else { "the receipt says the same" };
            return Err(CliError::new(format!("there is nothing to dispute about {job}: {what}, {}", told(standing)))
                .with_cause("a challenge that shows what stands is refused, and its bond lost")
                .with_next("nothing is to be done; if you know another result, hold it: --receipt FILE --force"));
        }
        hold(row, &held, gas_limit)?;
        note_differences(self.context.output, standing, &held);
        Ok(found)
    }

    /// What will happen, and what leaves the wallet.
    async fn plan(
        &self,
        case: &Case,
        (standing, held): (&Outcome, &Outcome),
    ) -> CliResult<(String, [(&'static str, u64); 2])> {
        let account = case.view.account.as_deref().ok_or_else(|| CliError::new("the job is closed"))?;
        let client = self.chain.client();
        let ballot = Ballot::Outcome(*held);
        let bond = account.bond_lamports;
        let mut rent = client.rent_lamports(account_bytes::<Challenge>()).await.hint()?;
        let prospect = match &case.disputed {
            Some(disputed) => Prospect::of_challenger(disputed, &self.wallet, &ballot, bond),
            None => {
                let of_dispute = client.rent_lamports(account_bytes::<Dispute>()).await.hint()?;
                rent = rent.saturating_add(of_dispute);
                Prospect::of_opener(account, &case.handle.executions().await.hint()?, &ballot)
            }
        };
        let prospect = prospect.context("what may be won and lost leaves 64 bits")?;
        let opens = case.disputed.is_none();
        let plan = format!(
            "{} the dispute over {}: holds {} against {}.\n  Costs a bond of {} and rents of {}, which come back at the end.\n  At \
             worst {} are lost: if the last verdict is another outcome, or you do not show what you hold; {} if no jury finds anything. At \
             best {} are won.\n  What you hold stays hidden until the jury has voted: that is in {} at the earliest. Then show it, \
             within {}: assay dispute open {} (or --follow).",
            if opens { "Opens" } else { "Enters" },
            case.job(),
            told(held),
            told(standing),
            lamports(bond),
            lamports(rent),
            lamports(prospect.loss_lamports),
            lamports(prospect.undecided_loss_lamports),
            lamports(prospect.gain_lamports),
            duration(earliest_reveal_s(case, account)),
            duration(i64::from(account.reveal_s)),
            case.job(),
        );
        Ok((plan, [("bond", bond), ("rent", rent)]))
    }

    async fn report(&self, case: &Case, own: &Own, (sent, found): (Vec<Step>, Option<Found>)) -> CliResult {
        let gas_limit = case.view.task.limits.gas_limit;
        let held = own.row.challenge.and(own.row.outcome).and_then(|bytes| Outcome::decode(&bytes, gas_limit).ok());
        let challenge = case.challenge_of(&self.wallet);
        let mut report = OpenJson {
            job: case.job().to_string(),
            dispute: dispute_address(&case.job()).to_string(),
            holds: held.as_ref().map(told),
            challenge: challenge.map(|challenge| match challenge.challenge_status() {
                Some(ChallengeStatus::Entered) => "hidden",
                _ => "shown",
            }),
            bond_lamports: challenge.map_or(0, |challenge| challenge.bond_lamports),
            state: "closed",
            reason: "everybody was settled".to_owned(),
            verdict: None,
            is_right: None,
            received_lamports: None,
            sent,
            next: Vec::new(),
        };
        match &case.disputed {
            Some(disputed) => {
                let dispute = &disputed.dispute.account;
                let absences = case.handle.absences(disputed).await.hint()?.len();
                report.state = stage_name(dispute.stage(case.now.unix));
                report.reason = stage_text(dispute, case.now);
                report.verdict = verdict_text(dispute, &Ballots::new(dispute, &disputed.job.account));
                report.next = moves(disputed, case.now, (&[self.wallet], absences));
            }
            None => self.report_end(case, (held, found), &mut report).await?,
        }
        self.context.output.result(&report, || print(&report));
        Ok(())
    }

    /// What became of it, by the history.
    async fn report_end(
        &self,
        case: &Case,
        (held, found): (Option<Outcome>, Option<Found>),
        report: &mut OpenJson,
    ) -> CliResult {
        let final_outcome = case.view.outcome;
        report.verdict = Some(final_outcome.as_ref().map_or_else(|| "no outcome: refunded".to_owned(), told));
        let Some(held) = held else { return Ok(()) };
        report.challenge = Some("settled");
        // A jury that finds no outcome says nothing about any.
        report.is_right = final_outcome.map(|outcome| outcome == held);
        let records = case.handle.history().await.hint()?;
        let received = records.iter().filter_map(|record| match &record.event {
            Event::ChallengeSettled(event) if event.challenger == self.wallet => Some(event.lamports),
            _ => None,
        });
        report.received_lamports = Some(received.fold(0, u64::saturating_add));
        if report.is_right == Some(true) && self.args.follow {
            // The executor may have shown something else, or nothing: then the poster has it from nobody else.
            let found = match found {
                Some(found) => found,
                None => Found::run(self.chain, case, &self.args.find, self.context.output).await?,
            };
            if let Err(error) = found.publish(self.chain).await {
                let causes = error.causes().join(": ");
                self.context.output.note(format!("{}: {causes}", error.what()));
            }
        }
        Ok(())
    }
}

/// Seconds until challenges are shown, if nothing takes longer than it must.
fn earliest_reveal_s(case: &Case, account: &Job) -> i64 {
    let entry = account.window_deadline_unix.saturating_sub(case.now.unix).max(0);
    entry.saturating_add(i64::from(account.execution_s))
}

fn print(report: &OpenJson) {
    println!("dispute    {}", report.dispute);
    println!("job        {}", report.job);
    if let Some(holds) = &report.holds {
        let challenge = report.challenge.unwrap_or("not sent");
        println!("you hold   {holds} ({challenge}), for {}", lamports(report.bond_lamports));
    }
    println!("state      {}: {}", report.state, report.reason);
    if let Some(verdict) = &report.verdict {
        println!("verdict    {verdict}");
    }
    if let Some(received) = report.received_lamports {
        let how = match report.is_right {
            Some(true) => "was right",
            Some(false) => "was not right",
            None => "was not decided",
        };
        println!("settled    your challenge {how}, {} came back", lamports(received));
    }
    for step in &report.sent {
        println!("sent       {}: transaction {}", step.what, step.signature);
    }
    for next in &report.next {
        println!("next       {next}");
    }
}

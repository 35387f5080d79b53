//! `assay dispute appeal`: holds something else against a round's verdict.

use assay_executor::{
    Speaker, Statement,
    core::{JobRow, Phase, Role},
};
use assay_protocol::{Ballot, ChallengeStatus, Verdict, pot::appeal_bond};
use assay_sdk::{
    Prospect,
    crank::Disputed,
    instructions,
    program::{DisputeStage, account_bytes, accounts::Challenge},
};
use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{
    case::Case,
    found::{FindArgs, Found, hold, recorded, require_unavailable},
    kept::{Kept, spend},
    moves::{Ballots, ballot_text, stage_name, stage_text, verdict_text},
    steps::{Own, Step, Taker},
};
use crate::{
    chain::{Action, Chain},
    context::Context,
    error::{CliError, CliResult, Context as _, Hint},
    output::{duration, lamports},
    parse,
};

/// `assay dispute appeal`.
#[derive(Debug, Args)]
#[command(
    after_help = "Runs the job first and appeals only if that gives something else than the verdict. Where the verdict is that the \
content is not to be had, it has to be had here: by its CID, or with --dir, which publishes it for the next jury. One appeal serves \
everybody who holds the same; the next round's jury is four times as large."
)]
pub struct AppealArgs {
    /// Address of the dispute, or of its job.
    #[arg(value_name = "DISPUTE|JOB", value_parser = parse::address)]
    dispute: Pubkey,
    /// Stays until the dispute is closed, and takes every step that is due.
    #[arg(long)]
    follow: bool,
    /// Holds that the content of the job is not to be had; refused when it is, or was when the job was run here.
    #[arg(long, conflicts_with = "dir")]
    unavailable: bool,
    #[command(flatten)]
    find: FindArgs,
}

#[derive(Debug, Serialize)]
struct AppealJson {
    job: String,
    /// Of the round that now begins.
    round: u8,
    /// What is held against the verdict.
    holds: String,
    /// Of this appeal.
    bond_lamports: u64,
    /// Where the dispute stands.
    state: &'static str,
    reason: String,
    sent: Vec<Step>,
}

/// An appellant at work.
struct Appellant<'a> {
    context: &'a Context,
    chain: &'a Chain,
    kept: Kept,
    wallet: Pubkey,
}

/// What is held, and the bond that was put on it.
struct Held {
    text: String,
    bond_lamports: u64,
}

pub(super) async fn appeal(context: &Context, args: &AppealArgs) -> CliResult {
    let chain = Chain::signing(context).await?.with_content(context)?;
    let case = Case::find(&chain, &args.dispute).await?;
    let wallet = chain.signer()?;
    let appellant = Appellant { context, chain: &chain, kept: Kept::of_wallet(&wallet)?, wallet };
    let disputed = case.require_disputed()?;
    let mut row = appellant.kept.row(&case.view)?;
    let mut sent = Vec::new();
    let (held, mut case) = match (require_appealable(&case, disputed), appellant.landed(&case, &row)) {
        // Sent before, by a command that did not live to say so.
        (Err(_), Some(held)) => (held, case),
        (appealable, _) => {
            appealable?;
            let (held, step) = appellant.appeal(&case, args, &mut row).await?;
            sent.push(step);
            (held, Case::look(&chain, case.handle).await?)
        }
    };
    let mut taker = Taker::new(&chain, context.output, "looking at the dispute");
    let round = case.disputed.as_ref().map_or(0, |disputed| disputed.dispute.account.round);
    if args.follow {
        let own = Own { speaker: appellant.speaker(&case), row };
        case = taker.follow(case, &own, |case| case.disputed.is_none()).await?;
    }
    sent.append(&mut taker.sent);
    drop(taker);
    report(context, &case, (round, held, sent));
    Ok(())
}

/// The bond of an appeal now.
fn require_appealable(case: &Case, disputed: &Disputed) -> CliResult<u64> {
    let (dispute, job) = (&disputed.dispute.account, case.job());
    let stage = dispute.stage(case.now.unix);
    if stage == Some(DisputeStage::Appealing) {
        return appeal_bond(dispute.bond_lamports, dispute.round).context("the bond of an appeal leaves 64 bits");
    }
    let why = match stage {
        Some(DisputeStage::Counted | DisputeStage::CountOver) if dispute.found() == Verdict::None => {
            "the round found nothing; a larger one follows without a bond".to_owned()
        }
        Some(DisputeStage::Counted | DisputeStage::CountOver) if dispute.is_last() => {
            "everybody voted in this round, and none follows".to_owned()
        }
        Some(DisputeStage::CountOver | DisputeStage::Final) => "the time to appeal is over".to_owned(),
        _ => format!("there is no verdict yet: {}", stage_text(dispute, case.now)),
    };
    Err(CliError::new(format!("nothing can be held against a verdict on {job} now; it is {}", stage_name(stage)))
        .with_cause(why)
        .with_next(format!("see what may be done: assay dispute show {job}")))
}

impl Appellant<'_> {
    /// This wallet's own appeal against the round before, if that is on chain.
    fn landed(&self, case: &Case, row: &JobRow) -> Option<Held> {
        let disputed = case.disputed.as_ref()?;
        let (dispute, own) = (&disputed.dispute.account, case.challenge_of(&self.wallet)?);
        let bond_lamports = appeal_bond(dispute.bond_lamports, dispute.round.checked_sub(1)?).ok()?;
        let text = match recorded(row, dispute.gas_limit).filter(|outcome| outcome.hash() == own.outcome_hash) {
            Some(outcome) => ballot_text(&Ballot::Outcome(outcome)),
            None => Ballots::new(dispute, &disputed.job.account).text(&own.outcome_hash),
        };
        // All bonds of the rounds before are less than this one together.
        (own.bond_lamports >= bond_lamports).then_some(Held { text, bond_lamports })
    }

    /// Finds what is held, asks, records it, and sends it.
    async fn appeal(&self, case: &Case, args: &AppealArgs, row: &mut JobRow) -> CliResult<(Held, Step)> {
        let held = self.find(case, args, row).await?;
        // The run took its time.
        let case = Case::look(self.chain, case.handle.clone()).await?;
        let bond_lamports = require_appealable(&case, case.require_disputed()?)?;
        let step = self.send(&case, row, (&held, bond_lamports)).await?;
        Ok((Held { text: ballot_text(&held), bond_lamports }, step))
    }

    fn speaker(&self, case: &Case) -> Speaker {
        Speaker { market: case.view.market, provider: Pubkey::default(), key: self.wallet }
    }

    /// What is held against the verdict; an outcome is put into the row.
    async fn find(&self, case: &Case, args: &AppealArgs, row: &mut JobRow) -> CliResult<Ballot> {
        let (dispute, job) = (&case.require_disputed()?.dispute.account, case.job());
        let is_unavailable = dispute.found() == Verdict::Unavailable;
        let held = match args.unavailable {
            true if is_unavailable => Ballot::Unavailable,
            true => {
                let instead = "hold what running it gives: leave out --unavailable";
                require_unavailable(self.chain, case, row, instead).await?;
                Ballot::Unavailable
            }
            false => {
                if is_unavailable {
                    args.find.serve(self.chain, case).await?;
                }
                self.outcome(case, args, row).await?
            }
        };
        if held.hash() == dispute.verdict_hash {
            let why = if args.unavailable { "it is what you hold" } else { "it is what running the job gives here" };
            return Err(CliError::new(format!("there is nothing to appeal against: the verdict on {job} is right"))
                .with_cause(format!("{why}: {}", ballot_text(&held)))
                .with_next(format!("nothing is to be done; follow it: assay dispute show {job}")));
        }
        self.require_consistent(case, held)
    }

    /// What is on record, else what running the job gives.
    async fn outcome(&self, case: &Case, args: &AppealArgs, row: &mut JobRow) -> CliResult<Ballot> {
        let gas_limit = case.view.task.limits.gas_limit;
        let held = match recorded(row, gas_limit) {
            Some(held) => held,
            None => Found::run(self.chain, case, &args.find, self.context.output).await?.outcome,
        };
        hold(row, &held, gas_limit)?;
        Ok(Ballot::Outcome(held))
    }

    /// Whoever challenges holds what it showed, and nothing else.
    fn require_consistent(&self, case: &Case, held: Ballot) -> CliResult<Ballot> {
        let contradicts = case.challenge_of(&self.wallet).filter(|own| own.outcome_hash != held.hash());
        match contradicts.map(Challenge::challenge_status) {
            None => Ok(held),
            Some(Some(ChallengeStatus::Entered)) => {
                Err(CliError::new("your challenge was not shown in time, so you cannot appeal")
                    .with_next("appeal from another wallet: --keypair"))
            }
            Some(_) => Err(CliError::new(format!("your challenge holds something else than {}", ballot_text(&held)))
                .with_cause("one wallet holds one thing in a dispute")
                .with_next("run it once more, with --both; or appeal from another wallet: --keypair")),
        }
    }

    async fn send(&self, case: &Case, row: &mut JobRow, (held, bond): (&Ballot, u64)) -> CliResult<Step> {
        let dispute = &case.require_disputed()?.dispute.account;
        let rent = match case.challenge_of(&self.wallet) {
            Some(_) => 0,
            None => self.chain.client().rent_lamports(account_bytes::<Challenge>()).await.hint()?,
        };
        if row.appeal.replace(dispute.round) != Some(dispute.round) {
            spend(row, (bond, case.now.unix));
        }
        (row.role, row.phase) = (Role::Watch, Phase::Appealing);
        let statement = match held {
            Ballot::Outcome(_) => Statement::Appeal,
            Ballot::Unavailable => Statement::AppealUnavailable,
        };
        let instruction = self.speaker(case).say(statement, row, dispute.gas_limit)?;
        let plan = self.plan(case, held, (bond, rent))?;
        let action = Action {
            plan,
            doing: "appealing",
            costs: &[("bond", bond), ("rent", rent)],
            instructions: std::slice::from_ref(&instruction),
            ..Action::default()
        };
        let done = self.kept.say((self.chain, self.context), (row, case.now.slot), &action).await?;
        let what = instructions::name(&instruction).unwrap_or("appeal").to_owned();
        Ok(Step { what, signature: done.signature.to_string() })
    }

    /// What will happen, and what may come of it.
    fn plan(&self, case: &Case, held: &Ballot, (bond, rent): (u64, u64)) -> CliResult<String> {
        let disputed = case.require_disputed()?;
        let dispute = &disputed.dispute.account;
        let prospect = Prospect::of_challenger(disputed, &self.wallet, held, bond)
            .context("what may be won and lost leaves 64 bits")?;
        let (loss, undecided) = (lamports(prospect.loss_lamports), lamports(prospect.undecided_loss_lamports));
        // Bonds come back where the content cannot be had, whatever they were put on, and nobody is paid.
        let may_come = match held {
            Ballot::Outcome(_) => format!(
                "At worst {loss} are lost, all that you have put in, if the last verdict is another outcome; {undecided} if no jury finds \
                 anything, nothing if it is that the content is not to be had. At best {} are won.",
                lamports(prospect.gain_lamports)
            ),
            Ballot::Unavailable => format!(
                "At worst {loss} are lost, all that you have put in, if the last verdict is an outcome; {undecided} if no jury finds \
                 anything. If you are right it comes back, and nobody is paid."
            ),
        };
        Ok(format!(
            "Appeals against round {} over {}: holds {} against the verdict {}.\n  Costs a bond of {} and a rent of {}.\n  {may_come}\n  \
             The next round expects four times as many tickets; it takes {} or more.",
            dispute.round,
            case.job(),
            ballot_text(held),
            verdict_text(dispute, &Ballots::new(dispute, &disputed.job.account)).unwrap_or_default(),
            lamports(bond),
            lamports(rent),
            duration(i64::from(dispute.execution_s)),
        ))
    }
}

fn report(context: &Context, case: &Case, (round, held, sent): (u8, Held, Vec<Step>)) {
    let (state, reason) = match &case.disputed {
        Some(disputed) => {
            let dispute = &disputed.dispute.account;
            (stage_name(dispute.stage(case.now.unix)), stage_text(dispute, case.now))
        }
        None => ("closed", "everybody was settled".to_owned()),
    };
    let Held { text: holds, bond_lamports } = held;
    let report = AppealJson { job: case.job().to_string(), round, holds, bond_lamports, state, reason, sent };
    context.output.result(&report, || {
        for step in &report.sent {
            println!("sent      {}: transaction {}", step.what, step.signature);
        }
        println!("you hold  {}, for {} more", report.holds, lamports(report.bond_lamports));
        println!("state     {}, round {}: {}", report.state, report.round, report.reason);
    });
}

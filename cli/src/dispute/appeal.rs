//! `assay dispute appeal`: holds something else against a round's verdict.

use assay_executor::{
    Speaker, Statement,
    core::{JobRow, Phase, Role},
};
use assay_protocol::{Ballot, ChallengeStatus, Outcome, Verdict, pot::appeal_bond};
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
    found::{FindArgs, Found, hold},
    kept::Kept,
    moves::{Ballots, stage_name, stage_text, told, verdict_text},
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
    after_help = "Runs the job first and appeals only if that gives something else than the verdict. One appeal serves everybody who \
holds the same; the next round's jury is four times as large."
)]
pub struct AppealArgs {
    /// Address of the dispute, or of its job.
    #[arg(value_name = "DISPUTE|JOB", value_parser = parse::address)]
    dispute: Pubkey,
    /// Stays until the dispute is closed, and takes every step that is due.
    #[arg(long)]
    follow: bool,
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

pub(super) async fn appeal(context: &Context, args: &AppealArgs) -> CliResult {
    let chain = Chain::signing(context).await?.with_content(context)?;
    let case = Case::find(&chain, &args.dispute).await?;
    let wallet = chain.signer()?;
    let appellant = Appellant { context, chain: &chain, kept: Kept::of_wallet(&wallet)?, wallet };
    let disputed = case.require_disputed()?;
    let bond_lamports = require_appealable(&case, disputed)?;
    let mut row = appellant.kept.row(&case.view)?;
    let held = appellant.find(&case, args, &mut row).await?;
    // The run took its time.
    let case = Case::look(&chain, case.handle).await?;
    let disputed = case.require_disputed()?;
    require_appealable(&case, disputed)?;
    let step = appellant.send(&case, &mut row, (&held, bond_lamports)).await?;
    let mut taker = Taker::new(&chain, context.output, "looking at the dispute");
    let mut case = Case::look(&chain, case.handle).await?;
    let round = case.disputed.as_ref().map_or(0, |disputed| disputed.dispute.account.round);
    if args.follow {
        let own = Own { speaker: appellant.speaker(&case), row };
        case = taker.follow(case, &own, |case| case.disputed.is_none()).await?;
    }
    let mut sent = vec![step];
    sent.append(&mut taker.sent);
    drop(taker);
    report(context, &case, (round, told(&held), bond_lamports, sent));
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
    fn speaker(&self, case: &Case) -> Speaker {
        Speaker { market: case.view.market, provider: Pubkey::default(), key: self.wallet }
    }

    /// What is held against the verdict: what is on record, else what running the job gives.
    async fn find(&self, case: &Case, args: &AppealArgs, row: &mut JobRow) -> CliResult<Outcome> {
        let (dispute, job) = (&case.require_disputed()?.dispute.account, case.job());
        let gas_limit = dispute.gas_limit;
        let recorded = row.outcome.and_then(|bytes| Outcome::decode(&bytes, gas_limit).ok());
        let held = match recorded {
            Some(held) => held,
            None => Found::run(self.chain, case, &args.find, self.context.output).await?.outcome,
        };
        hold(row, &held, gas_limit)?;
        if held.hash() == dispute.verdict_hash {
            return Err(CliError::new(format!("there is nothing to appeal against: the verdict on {job} is right"))
                .with_cause(format!("it is what running the job gives here: {}", told(&held)))
                .with_next(format!("nothing is to be done; follow it: assay dispute show {job}")));
        }
        // Whoever challenges holds what it showed.
        let contradicts = case.challenge_of(&self.wallet).filter(|own| own.outcome_hash != held.hash());
        match contradicts.map(Challenge::challenge_status) {
            None => Ok(held),
            Some(Some(ChallengeStatus::Entered)) => {
                Err(CliError::new("your challenge was not shown in time, so you cannot appeal")
                    .with_next("appeal from another wallet: --keypair"))
            }
            Some(_) => Err(CliError::new("your challenge holds something else than running the job gives here now")
                .with_next("run it once more, with --both; or appeal from another wallet: --keypair")),
        }
    }

    async fn send(&self, case: &Case, row: &mut JobRow, (held, bond): (&Outcome, u64)) -> CliResult<Step> {
        let disputed = case.require_disputed()?;
        let dispute = &disputed.dispute.account;
        let prospect = Prospect::of_challenger(disputed, &self.wallet, &Ballot::Outcome(*held), bond)
            .context("what may be won and lost leaves 64 bits")?;
        let rent = match case.challenge_of(&self.wallet) {
            Some(_) => 0,
            None => self.chain.client().rent_lamports(account_bytes::<Challenge>()).await.hint()?,
        };
        row.appeal = Some(dispute.round);
        (row.role, row.phase) = (Role::Watch, Phase::Appealing);
        let instruction = self.speaker(case).say(Statement::Appeal, row, dispute.gas_limit)?;
        let ballots = Ballots::new(dispute, &disputed.job.account);
        let plan = format!(
            "Appeals against round {} over {}: holds {} against the verdict {}.\n  Costs a bond of {} and a rent of {}.\n  At worst {} \
             are lost, all that you have put in, if the last verdict is another; {} if no jury finds anything. At best {} are won.\n  \
             The next round expects four times as many tickets; it takes {} or more.",
            dispute.round,
            case.job(),
            told(held),
            verdict_text(dispute, &ballots).unwrap_or_default(),
            lamports(bond),
            lamports(rent),
            lamports(prospect.loss_lamports),
            lamports(prospect.undecided_loss_lamports),
            lamports(prospect.gain_lamports),
            duration(i64::from(dispute.execution_s)),
        );
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
}

fn report(context: &Context, case: &Case, (round, holds, bond_lamports, sent): (u8, String, u64, Vec<Step>)) {
    let (state, reason) = match &case.disputed {
        Some(disputed) => {
            let dispute = &disputed.dispute.account;
            (stage_name(dispute.stage(case.now.unix)), stage_text(dispute, case.now))
        }
        None => ("closed", "everybody was settled".to_owned()),
    };
    let report = AppealJson { job: case.job().to_string(), round, holds, bond_lamports, state, reason, sent };
    context.output.result(&report, || {
        for step in &report.sent {
            println!("sent      {}: transaction {}", step.what, step.signature);
        }
        println!("you hold  {}, for {} more", report.holds, lamports(report.bond_lamports));
        println!("state     {}, round {}: {}", report.state, report.round, report.reason);
    });
}

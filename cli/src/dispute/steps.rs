//! The steps of a dispute that are due, and following it until it is over.

use std::time::{Duration, Instant};

use assay_executor::{Speaker, Statement, core::JobRow};
use assay_protocol::{ChallengeStatus, VoteStatus};
use assay_sdk::{
    ClientError,
    crank::Disputed,
    instructions,
    program::{DisputeStage, accounts::Challenge},
};
use serde::Serialize;
use solana_instruction::Instruction;

use super::{
    case::Case,
    moves::{stage_name, stage_text},
};
use crate::{
    chain::Chain,
    error::{CliError, CliResult, Context as _, Exit, Hint},
    output::Output,
    progress::Progress,
};

/// A cluster that does not answer is waited for as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Refusals in a row, each because somebody else was quicker, after which something else must be wrong.
const REFUSALS_MAX: u32 = 8;

/// A transaction that was sent.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    /// The names of its instructions.
    pub(super) what: String,
    pub(super) signature: String,
}

/// What of a dispute is one's own to show.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) speaker: Speaker,
    /// As it is on disk.
    pub(super) row: JobRow,
}

impl Own {
    /// What has to be shown now, or its bond is lost.
    pub(super) fn owes(&self, disputed: &Disputed, now_unix: i64) -> Option<Statement> {
        let dispute = &disputed.dispute.account;
        if dispute.stage(now_unix) != Some(DisputeStage::Revealing) {
            return None;
        }
        let round = dispute.round;
        let votes = disputed.votes.iter().map(|found| &found.account);
        let mut own = votes.filter(|vote| vote.provider == self.speaker.provider && vote.round == round);
        if own.any(|vote| vote.vote_status() == Some(VoteStatus::Committed)) && self.row.ballot(round).is_some() {
            return Some(Statement::RevealVote(round));
        }
        let is_hidden = |challenge: &Challenge| {
            challenge.challenger == self.speaker.key && challenge.challenge_status() == Some(ChallengeStatus::Entered)
        };
        let has_hidden = disputed.challenges.iter().any(|found| is_hidden(&found.account));
        (has_hidden && round == 0 && self.row.challenge.is_some()).then_some(Statement::RevealOutcome)
    }
}

async fn send(chain: &Chain, instructions: &[Instruction]) -> Result<Step, ClientError> {
    let sent = chain.client().send(instructions).await?;
    Ok(Step { what: named(instructions), signature: sent.signature.to_string() })
}

/// `settle_dispute, settle_vote × 3`.
fn named(steps: &[Instruction]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for name in steps.iter().filter_map(instructions::name) {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((name, 1)),
        }
    }
    let text = |(name, count): &(&str, usize)| match count {
        1 => (*name).to_owned(),
        count => format!("{name} × {count}"),
    };
    counts.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// Takes steps that are due, and tells each.
pub(super) struct Taker<'a> {
    chain: &'a Chain,
    progress: Progress,
    pub(super) sent: Vec<Step>,
    /// In a row; each because somebody else was quicker, as far as one can tell.
    refusals: u32,
}

impl<'a> Taker<'a> {
    pub(super) fn new(chain: &'a Chain, output: Output, doing: &'static str) -> Self {
        Self { chain, progress: Progress::start(output, doing), sent: Vec::new(), refusals: 0 }
    }

    /// Whether anything was due at this look.
    pub(super) async fn take(&mut self, case: &Case) -> CliResult<bool> {
        let Some(disputed) = &case.disputed else { return Ok(false) };
        // A lock that is taken belongs to the pot, so before anybody's share is known.
        let absences = case.handle.absences(disputed).await.hint()?;
        let absences = absences.iter().map(|absence| vec![instructions::slash_absent(&absence.slash)]);
        let due: Vec<Vec<Instruction>> = absences.chain(disputed.due_transactions(case.now)).collect();
        for steps in &due {
            if !self.send(steps).await? {
                break;
            }
        }
        Ok(!due.is_empty())
    }

    /// Shows what is owed now; whether that was taken, `None` when nothing is owed.
    pub(super) async fn show(&mut self, case: &Case, own: &Own) -> CliResult<Option<bool>> {
        let Some(disputed) = &case.disputed else { return Ok(None) };
        let Some(statement) = own.owes(disputed, case.now.unix) else { return Ok(None) };
        let shown = own.speaker.say(statement, &own.row, disputed.dispute.account.gas_limit)?;
        self.send(&[shown]).await.map(Some)
    }

    /// Whether it was taken. A refusal means that somebody else was quicker: the next look knows more.
    async fn send(&mut self, steps: &[Instruction]) -> CliResult<bool> {
        self.progress.set(named(steps));
        match send(self.chain, steps).await {
            Ok(step) => {
                self.refusals = 0;
                self.tell(step);
                Ok(true)
            }
            Err(error @ (ClientError::Program(_) | ClientError::NotFound { .. })) if self.refusals < REFUSALS_MAX => {
                self.refusals = self.refusals.saturating_add(1);
                tracing::debug!(%error, steps = named(steps), "step refused");
                Ok(false)
            }
            Err(error) => Err(error).hint().context(format!("could not take the step {}", named(steps))),
        }
    }

    fn tell(&mut self, step: Step) {
        self.progress.line(format!("  {}: transaction {}", step.what, step.signature));
        self.sent.push(step);
    }

    /// Follows a dispute: shows what is owed, takes what is due, until `is_over` says so of a look.
    pub(super) async fn follow(&mut self, first: Case, own: &Own, is_over: impl Fn(&Case) -> bool) -> CliResult<Case> {
        let job = first.job();
        tokio::select! {
            followed = self.follow_on(first, own, is_over) => followed,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                Err(CliError::new(format!("interrupted; the dispute over {job} goes on without you"))
                    .with_exit(Exit::Interrupted)
                    .with_next(format!("what you hid has to be shown in time; run the same command again, or see: assay dispute show {job}")))
            }
        }
    }

    async fn follow_on(&mut self, first: Case, own: &Own, is_over: impl Fn(&Case) -> bool) -> CliResult<Case> {
        let (mut case, mut said, mut answered) = (first, None, Instant::now());
        let pause = self.chain.client().config().poll_interval;
        while !is_over(&case) {
            let looked = match self.one_step(&case, own, &mut said).await {
                Ok(is_sent) => {
                    if !is_sent {
                        tokio::time::sleep(pause).await;
                    }
                    Case::look(self.chain, case.handle.clone()).await
                }
                Err(error) => Err(error),
            };
            match looked {
                Ok(next) => (case, answered) = (next, Instant::now()),
                Err(error) if error.is_unreachable() && answered.elapsed() < PATIENCE => {
                    self.progress.set("the cluster does not answer; waiting for it");
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(case)
    }

    /// Whether something was sent.
    async fn one_step(
        &mut self,
        case: &Case,
        own: &Own,
        said: &mut Option<(u8, Option<DisputeStage>)>,
    ) -> CliResult<bool> {
        let Some(disputed) = &case.disputed else { return Ok(false) };
        let dispute = &disputed.dispute.account;
        let stage = (dispute.round, dispute.stage(case.now.unix));
        let text = format!("round {}, {}: {}", dispute.round, stage_name(stage.1), stage_text(dispute, case.now));
        if said.replace(stage) != Some(stage) {
            self.progress.line(format!("  {text}"));
            if stage.1 == Some(DisputeStage::Appealing)
                && own.row.outcome_hash().is_some_and(|own| own != dispute.verdict_hash)
            {
                self.progress
                    .line(format!("  the verdict is not what you hold; appeal: assay dispute appeal {}", case.job()));
            }
        }
        self.progress.set(text);
        match self.show(case, own).await? {
            Some(is_sent) => Ok(is_sent),
            None => self.take(case).await,
        }
    }
}

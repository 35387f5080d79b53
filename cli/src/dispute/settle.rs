//! `assay dispute settle`.

use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{
    case::Case,
    moves::{Move, moves, stage_name, stage_text},
    steps::{Step, Taker},
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Hint},
};

#[derive(Debug, Serialize)]
struct SettleJson {
    job: String,
    /// Where the dispute stands then; `closed` when nothing is left of it.
    state: &'static str,
    reason: String,
    /// What was sent, in order.
    sent: Vec<Step>,
    next: Vec<Move>,
}

pub(super) async fn settle(context: &Context, address: Pubkey) -> CliResult {
    let chain = Chain::signing(context).await?;
    let mut case = Case::find(&chain, &address).await?;
    case.require_disputed()?;
    let mut taker = Taker::new(&chain, context.output, "taking what is due");
    while taker.take(&case).await? {
        case = Case::look(&chain, case.handle.clone()).await?;
    }
    let sent = std::mem::take(&mut taker.sent);
    drop(taker);
    let settled = match &case.disputed {
        Some(disputed) => {
            let dispute = &disputed.dispute.account;
            let absences = case.handle.absences(disputed).await.hint()?.len();
            SettleJson {
                job: case.job().to_string(),
                state: stage_name(dispute.stage(case.now.unix)),
                reason: stage_text(dispute, case.now),
                sent,
                next: moves(disputed, case.now, (&[chain.signer()?], absences)),
            }
        }
        None => SettleJson {
            job: case.job().to_string(),
            state: "closed",
            reason: "everybody was settled".to_owned(),
            sent,
            next: Vec::new(),
        },
    };
    context.output.result(&settled, || print(&settled));
    Ok(())
}

fn print(settled: &SettleJson) {
    for step in &settled.sent {
        println!("{}: transaction {}", step.what, step.signature);
    }
    if settled.sent.is_empty() {
        println!("nothing is due now");
    }
    println!("state  {}: {}", settled.state, settled.reason);
    for next in &settled.next {
        println!("next   {next}");
    }
}

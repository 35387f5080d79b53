//! `assay dispute`: contests results, judges what others contest, brings disputes to their end.

mod appeal;
mod case;
mod found;
mod kept;
mod list;
mod moves;
mod open;
mod settle;
mod show;
mod steps;
mod vote;

use clap::{Args, Subcommand};
use solana_pubkey::Pubkey;

use crate::{context::Context, error::CliResult, parse};

/// `assay dispute`.
#[derive(Debug, Subcommand)]
pub enum DisputeCommand {
    /// Lists disputes that are not over.
    List(ListArgs),
    /// Tells a dispute: what was found by whom, who may do what next and until when, what is at stake.
    Show(ShowArgs),
    /// Disputes a result that running the job does not give, or enters a dispute; puts a deadlock before a jury.
    Open(open::OpenArgs),
    /// Votes as juror by hand; a running bot does so by itself.
    Vote(vote::VoteArgs),
    /// Holds something else against a round's verdict, for twice the bond of the round before.
    Appeal(appeal::AppealArgs),
    /// Takes every step that is due and that anybody may take, to the end of the dispute.
    Settle(ShowArgs),
}

/// `assay dispute list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Those that are over and not closed yet, too.
    #[arg(long)]
    all: bool,
    /// Only the dispute over this job.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    job: Option<Pubkey>,
    /// Only disputes over jobs in which this provider has a seat.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    provider: Option<Pubkey>,
    /// Only disputes in which this wallet challenges.
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    challenger: Option<Pubkey>,
    /// Only disputes that you opened or challenge in, over jobs that you posted or have a seat in.
    #[arg(long)]
    mine: bool,
}

/// `assay dispute show` and `assay dispute settle`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Address of the dispute, of its job, or of a seat.
    #[arg(value_name = "DISPUTE|JOB", value_parser = parse::address)]
    dispute: Pubkey,
}

/// Runs `assay dispute`.
pub async fn run(context: &Context, command: DisputeCommand) -> CliResult {
    match command {
        DisputeCommand::List(args) => list::list(context, &args).await,
        DisputeCommand::Show(args) => show::show(context, args.dispute).await,
        DisputeCommand::Open(args) => open::open(context, &args).await,
        DisputeCommand::Vote(args) => vote::vote(context, &args).await,
        DisputeCommand::Appeal(args) => appeal::appeal(context, &args).await,
        DisputeCommand::Settle(args) => settle::settle(context, args.dispute).await,
    }
}

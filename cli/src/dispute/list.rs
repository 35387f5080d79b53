//! `assay dispute list`.

use std::collections::BTreeSet;

use assay_protocol::DisputeStatus;
use assay_sdk::{
    ChainTime, ChallengeFilter, DisputeFilter, Keyed, ProviderFilter,
    pda::dispute_address,
    program::accounts::{Dispute, Job},
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::{
    ListArgs,
    moves::{Ballots, stage_name, stage_text, verdict_text},
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Hint},
    output::{duration, lamports, table},
};

#[derive(Debug, Serialize)]
struct Row {
    dispute: String,
    job: String,
    market: String,
    poster: String,
    /// Who opened it.
    opener: String,
    state: &'static str,
    /// What that means and what is next.
    reason: String,
    /// From 0.
    round: u8,
    is_deadlock: bool,
    opened_age_s: i64,
    /// Seconds until its state ends by time.
    left_s: Option<i64>,
    challenges: u32,
    /// Of this round.
    votes_committed: u32,
    votes_revealed: u32,
    /// What the last counted round found, or the dispute.
    verdict: Option<String>,
    /// Of one challenge.
    bond_lamports: u64,
    /// Bonds and losses that lie in it.
    held_lamports: u64,
}

impl Row {
    fn new(found: &Keyed<Dispute>, job: Option<&Job>, now: ChainTime) -> Self {
        let Keyed { address, account: dispute } = found;
        let left_s = dispute.stage_until_unix(now.unix).map(|until| until.saturating_sub(now.unix).max(0));
        let verdict = job.and_then(|job| verdict_text(dispute, &Ballots::new(dispute, job)));
        Self {
            dispute: address.to_string(),
            job: dispute.job.to_string(),
            market: dispute.market.to_string(),
            poster: dispute.poster.to_string(),
            opener: dispute.rent_payer.to_string(),
            state: stage_name(dispute.stage(now.unix)),
            reason: stage_text(dispute, now),
            round: dispute.round,
            is_deadlock: dispute.is_deadlock != 0,
            opened_age_s: now.unix.saturating_sub(dispute.opened_unix).max(0),
            left_s,
            challenges: dispute.challenges,
            votes_committed: dispute.votes_committed,
            votes_revealed: dispute.votes_revealed,
            verdict,
            bond_lamports: dispute.bond_lamports,
            held_lamports: dispute.held_lamports,
        }
    }
}

/// Whose disputes are listed.
struct Wanted<'a> {
    args: &'a ListArgs,
    /// With `--mine`: your wallet, and your Provider accounts.
    own: Vec<Pubkey>,
    /// Disputes in which the wallets asked for challenge; `None` when it does not matter.
    challenged: Option<BTreeSet<Pubkey>>,
    challenged_by_own: BTreeSet<Pubkey>,
}

impl<'a> Wanted<'a> {
    async fn new(context: &Context, chain: &Chain, args: &'a ListArgs) -> CliResult<Self> {
        let mut wanted = Self { args, own: Vec::new(), challenged: None, challenged_by_own: BTreeSet::new() };
        if let Some(challenger) = args.challenger {
            wanted.challenged = Some(challenged_by(chain, challenger).await?);
        }
        if args.mine {
            let wallet = context.keypair()?.pubkey();
            wanted.challenged_by_own = challenged_by(chain, wallet).await?;
            let filter = ProviderFilter { authority: Some(wallet), ..ProviderFilter::default() };
            let providers = chain.client().list_providers(&filter).await.hint()?;
            wanted.own = std::iter::once(wallet).chain(providers.iter().map(|found| found.address)).collect();
        }
        Ok(wanted)
    }

    fn has(&self, found: &Keyed<Dispute>) -> bool {
        let Keyed { address, account: dispute } = found;
        let is_mine = || {
            let parties = dispute.executors.iter().chain([&dispute.poster, &dispute.rent_payer]);
            self.challenged_by_own.contains(address) || parties.into_iter().any(|party| self.own.contains(party))
        };
        (self.args.all || dispute.dispute_status() != Some(DisputeStatus::Final))
            && self.args.job.is_none_or(|job| dispute_address(&job) == *address)
            && self.args.provider.is_none_or(|provider| dispute.executors.contains(&provider))
            && self.challenged.as_ref().is_none_or(|challenged| challenged.contains(address))
            && (!self.args.mine || is_mine())
    }
}

async fn challenged_by(chain: &Chain, challenger: Pubkey) -> CliResult<BTreeSet<Pubkey>> {
    let filter = ChallengeFilter { challenger: Some(challenger), ..ChallengeFilter::default() };
    let found = chain.client().list_challenges(&filter).await.hint()?;
    Ok(found.iter().map(|found| found.account.dispute).collect())
}

pub(super) async fn list(context: &Context, args: &ListArgs) -> CliResult {
    let chain = Chain::reading(context).await?;
    let client = chain.client();
    let wanted = Wanted::new(context, &chain, args).await?;
    // Without a named market the disputes of all markets are shown.
    let filter = DisputeFilter { status: None, market: context.settings.market.value };
    let now = client.chain_time().await.hint()?;
    let mut found = client.list_disputes(&filter).await.hint()?;
    found.retain(|found| wanted.has(found));
    found.sort_by_key(|found| std::cmp::Reverse((found.account.opened_unix, found.address)));
    let jobs: Vec<Pubkey> = found.iter().map(|found| found.account.job).collect();
    let jobs = client.fetch_many::<Job>(&jobs).await.hint()?;
    let rows: Vec<Row> = found.iter().zip(&jobs).map(|(found, job)| Row::new(found, job.as_ref(), now)).collect();
    context.output.result(&rows, || print(&rows));
    Ok(())
}

fn print(rows: &[Row]) {
    let mut shown = table(["job", "state", "round", "left", "age", "challenges", "votes", "held", "verdict"]);
    for row in rows {
        shown.add_row([
            row.job.clone(),
            row.state.to_owned(),
            row.round.to_string(),
            row.left_s.map(duration).unwrap_or_default(),
            duration(row.opened_age_s),
            row.challenges.to_string(),
            format!("{}/{}", row.votes_revealed, row.votes_committed),
            lamports(row.held_lamports),
            row.verdict.clone().unwrap_or_default(),
        ]);
    }
    println!("{shown}");
    if rows.is_empty() {
        println!("no dispute matches; closed ones are not listed, `assay dispute show JOB` still tells them");
    } else {
        println!("votes: shown of those committed in the round; next: assay dispute show JOB");
    }
}

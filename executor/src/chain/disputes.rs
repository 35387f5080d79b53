//! What disagreements leave to be done for others: a collision's record, absent jurors, and the settlement of everybody. Looked up for
//! a bounded number of them in one look, and only where a part of ours waits for it.

use std::collections::BTreeSet;

use anchor_lang::{AccountDeserialize, Discriminator};
use assay_protocol::{DisputeStatus, limits::TICKETS_MAX};
use assay_sdk::{
    Keyed,
    client::ChainTime,
    crank::{Disputed, Roll},
    pda::{ModuleSeeds, dispute_address},
    program::accounts::{Challenge, Dispute, Execution, Provider, Vote},
};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{
    ChainError, RpcChain, accounts,
    look::{FIRST_KEY_OFFSET, Found, SECOND_KEY_OFFSET},
    rpc::{Commitment, RawAccount},
};
use crate::core::{Absence, Collision, JobView};

/// Disputes whose jury is called over, and that are over and whose settlement is planned, in one look.
const PLANNED_PER_LOOK: usize = 4;
/// Most disputes of the market that are looked at besides those that are tracked: jurors see the first ones first.
const DISPUTES_PER_LOOK: usize = 64;
/// Jobs of different outcomes whose modules are looked up in one look.
const COLLISIONS_PER_LOOK: usize = 64;
/// Most tickets of others that are looked through for one that was drawn, for one dispute and look: some milliseconds.
const TICKETS_PER_ROLL: u32 = TICKETS_MAX;

fn keyed<T: AccountDeserialize>(address: Pubkey, data: &[u8]) -> Option<Keyed<T>> {
    Some(Keyed { address, account: T::try_deserialize(&mut &data[..]).ok()? })
}

fn all_keyed<T: AccountDeserialize>(found: Found<(Pubkey, Vec<u8>)>) -> Vec<Keyed<T>> {
    found.items.iter().filter_map(|(address, data)| keyed(*address, data)).collect()
}

impl RpcChain {
    /// Jobs of the market over which there is a dispute that is not over, if that is asked for.
    pub(super) async fn disputed_jobs(&self, is_asked: bool) -> Result<BTreeSet<Pubkey>, ChainError> {
        if !is_asked {
            return Ok(BTreeSet::new());
        }
        let market = self.settings().market.to_bytes();
        let fields: [(usize, &[u8]); 1] = [(SECOND_KEY_OFFSET, &market)];
        let found = self.find("list the disputes", Dispute::DISCRIMINATOR, &fields).await?;
        let mut going_on: Vec<_> =
            found.items.iter().filter_map(|(_, data)| accounts::dispute_going_on(data)).collect();
        going_on.sort_unstable();
        Ok(going_on.into_iter().take(DISPUTES_PER_LOOK).map(|(_, job)| job).collect())
    }

    /// Who was absent from the juries of disputes that we have a part in, and what comes next in the settlement of those that
    /// are over, for some of them.
    pub(super) async fn plan_disputes(&self, jobs: &mut [JobView]) -> Result<(), ChainError> {
        let status = |view: &JobView| view.dispute.as_ref().map(|dispute| dispute.status);
        for view in jobs.iter_mut().filter(|view| status(view) == Some(DisputeStatus::Final)).take(PLANNED_PER_LOOK) {
            let settlement = self.settlement(view.job).await?;
            if let Some(dispute) = view.dispute.as_mut() {
                dispute.settlement = settlement;
            }
        }
        let is_called = |view: &&mut JobView| {
            let has_part = view.dispute.as_ref().is_some_and(|dispute| dispute.has_part_of_ours());
            let is_called = view.dispute.as_ref().is_some_and(|dispute| dispute.is_called_over());
            is_called && (view.seat.is_some() || has_part)
        };
        for view in jobs.iter_mut().filter(is_called).take(PLANNED_PER_LOOK) {
            // Money of the pot, and nothing of what is owed: the next look asks again.
            let absences = self.absences(view.job).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "jury_not_called_over");
                Vec::new()
            });
            if let Some(dispute) = view.dispute.as_mut() {
                dispute.absences = absences;
            }
        }
        Ok(())
    }

    /// Those who have a part in a dispute each begin with another juror, so that they do not all take the same one.
    async fn absences(&self, job: Pubkey) -> Result<Vec<Absence>, ChainError> {
        let dispute = dispute_address(&job);
        let (of_market, of_dispute) = (self.settings().market.to_bytes(), dispute.to_bytes());
        let of_market: [(usize, &[u8]); 1] = [(FIRST_KEY_OFFSET, &of_market)];
        let of_dispute: [(usize, &[u8]); 1] = [(FIRST_KEY_OFFSET, &of_dispute)];
        let (doing, one) = ("call a jury over", [dispute]);
        let (providers, votes, fetched) = tokio::try_join!(
            self.find(doing, Provider::DISCRIMINATOR, &of_market),
            self.find(doing, Vote::DISCRIMINATOR, &of_dispute),
            self.accounts(&one, Commitment::Confirmed),
        )?;
        let known = fetched.get(0).and_then(RawAccount::of_program).and_then(|data| keyed(dispute, &data));
        let Some(dispute) = known else { return Ok(Vec::new()) };
        let mut providers: Vec<Keyed<Provider>> = all_keyed(providers);
        let ours = self.settings().provider;
        providers.sort_unstable_by_key(|provider| (provider.address <= ours, provider.address));
        let roll = Roll { dispute, providers, votes: all_keyed(votes) };
        let absences = roll.absences(TICKETS_PER_ROLL).into_iter();
        let others = absences.filter(|absence| absence.slash.seeds.provider != ours);
        Ok(others.map(Absence::from).collect())
    }

    /// Whether the modules of jobs whose results differed have a record, for jobs in which we have a seat.
    pub(super) async fn plan_collisions(&self, jobs: &mut [JobView]) -> Result<(), ChainError> {
        let is_asked = |view: &&mut JobView| view.collision.is_some() && view.seat.is_some();
        let mut collided: Vec<&mut JobView> = jobs.iter_mut().filter(is_asked).take(COLLISIONS_PER_LOOK).collect();
        if collided.is_empty() {
            return Ok(());
        }
        let market = self.settings().market;
        let module = |view: &&mut JobView| ModuleSeeds { market, metered_hash: view.metered_hash }.address();
        let addresses: Vec<Pubkey> = collided.iter().map(module).collect();
        let fetched = self.accounts(&addresses, Commitment::Confirmed).await?;
        for (index, view) in collided.iter_mut().enumerate() {
            let is_known = fetched.get(index).and_then(RawAccount::of_program).is_some();
            view.collision = Some(if is_known { Collision::OfKnownModule } else { Collision::OfNewModule });
        }
        Ok(())
    }

    /// Empty also when the accounts changed between two requests: the next look plans it.
    async fn settlement(&self, job: Pubkey) -> Result<Vec<Instruction>, ChainError> {
        let dispute = dispute_address(&job);
        let (of_job, of_dispute) = (job.to_bytes(), dispute.to_bytes());
        let of_job: [(usize, &[u8]); 1] = [(FIRST_KEY_OFFSET, &of_job)];
        let of_dispute: [(usize, &[u8]); 1] = [(FIRST_KEY_OFFSET, &of_dispute)];
        let (doing, both) = ("list what a dispute left", [job, dispute]);
        let (challenges, votes, executions, fetched) = tokio::try_join!(
            self.find(doing, Challenge::DISCRIMINATOR, &of_dispute),
            self.find(doing, Vote::DISCRIMINATOR, &of_dispute),
            self.find(doing, Execution::DISCRIMINATOR, &of_job),
            self.accounts(&both, Commitment::Confirmed),
        )?;
        let account = |index| fetched.get(index).and_then(RawAccount::of_program);
        let known =
            account(0).and_then(|data| keyed(job, &data)).zip(account(1).and_then(|data| keyed(dispute, &data)));
        let Some((job, dispute)) = known else { return Ok(Vec::new()) };
        let disputed = Disputed {
            job,
            dispute,
            challenges: all_keyed(challenges),
            votes: all_keyed(votes),
            executions: all_keyed(executions),
        };
        // What is due once it is over is due at any time.
        let next = disputed.due_transactions(ChainTime { slot: 0, unix: 0 });
        Ok(next.into_iter().next().unwrap_or_default())
    }
}

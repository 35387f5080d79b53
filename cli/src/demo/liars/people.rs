//! The providers of the show: who they are, and what became of what they held.

use assay_executor::Habit;
use assay_protocol::trust::TrustVector;
use assay_sdk::{Client, load_keypair, program::accounts::Provider};
use futures_util::future::try_join_all;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use super::report::{Ended, Row};
use crate::{
    error::{CliResult, Context as _, Hint as _},
    localnet::Running,
};

/// The providers, and what they held before the first job.
pub(super) struct People(Vec<Person>);

struct Person {
    /// Of the Provider account.
    address: Pubkey,
    name: String,
    habit: Option<&'static str>,
    /// The cold key, which is paid and pays for nothing meanwhile.
    authority: Pubkey,
    before: Held,
}

/// What a provider holds.
struct Held {
    account: Provider,
    authority_lamports: u64,
}

impl Held {
    async fn read(client: &Client, address: &Pubkey, authority: &Pubkey) -> CliResult<Self> {
        let account = client.fetch(address).await.hint()?;
        Ok(Self { account, authority_lamports: client.balance(authority).await.hint()? })
    }

    /// What it was paid, claimed or not.
    fn paid_lamports(&self) -> u64 {
        self.authority_lamports.saturating_add(self.account.earnings_lamports)
    }
}

impl People {
    /// Looks at all providers of a network, while no job is there.
    pub(super) async fn meet(running: &Running) -> CliResult<Self> {
        let network = running.network();
        let mut people = Vec::new();
        for (index, info) in network.info().providers.iter().enumerate() {
            let address = info.address.parse().context("the network names no address")?;
            let authority = load_keypair(&info.authority_keypair)?.pubkey();
            people.push(Person {
                address,
                name: format!("provider-{}", index.saturating_add(1)),
                habit: running.habit(index).map(Habit::name),
                authority,
                before: Held::read(network.client(), &address, &authority).await?,
            });
        }
        Ok(Self(people))
    }

    /// What to call a provider: by its habit, if it has one.
    pub(super) fn name(&self, address: &Pubkey) -> String {
        let person = self.0.iter().find(|person| person.address == *address);
        person.map_or_else(|| address.to_string(), |person| person.habit.unwrap_or(&person.name).to_owned())
    }

    /// The score of the honest provider that has the lowest.
    pub(super) async fn least_honest_score_bps(&self, client: &Client) -> CliResult<u16> {
        let honest = self.0.iter().filter(|person| person.habit.is_none());
        let scores = honest.map(async |person| {
            let account: Provider = client.fetch(&person.address).await.hint()?;
            CliResult::Ok(TrustVector::from(account.trust).score_bps())
        });
        Ok(try_join_all(scores).await?.into_iter().min().unwrap_or(0))
    }

    /// One row for each, in their order.
    pub(super) async fn rows(&self, client: &Client, jobs: &[Ended]) -> CliResult<Vec<Row>> {
        let mut rows = Vec::new();
        for Person { address, name, habit, authority, before } in &self.0 {
            let after = Held::read(client, address, authority).await?;
            let trust = TrustVector::from(after.account.trust);
            rows.push(Row {
                provider: address.to_string(),
                name: name.clone(),
                habit: *habit,
                stake_lamports: before.account.stake_lamports,
                jobs: jobs.iter().map(|job| job.seats_of(address)).sum(),
                earned_lamports: after.paid_lamports().saturating_sub(before.paid_lamports()),
                slashed_lamports: before.account.stake_lamports.saturating_sub(after.account.stake_lamports),
                right: trust.completed,
                wrong: trust.failed,
                missed: trust.missed,
                trust_score_bps: trust.score_bps(),
            });
        }
        Ok(rows)
    }
}

//! One look: two program queries find the jobs; one request reads each known job together with its seat, so that a
//! decision never rests on two different slots (E-08).

use std::collections::{BTreeMap, BTreeSet};

use anchor_lang::Discriminator;
use assay_protocol::JobStatus;
use assay_sdk::{
    pda::ExecutionSeeds,
    program::{
        self,
        accounts::{Execution, Job},
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;
use solana_pubkey::Pubkey;
use solana_rpc_client_api::request::RpcRequest;

use super::{
    ChainError, Look, RpcChain, Scope, accounts,
    rpc::{Commitment, Fetched, RawAccount, RpcSettings, WithContext},
};
use crate::core::{Finalized, JobUid, JobView, ProviderView, Snapshot, Tracked};

/// Accounts in one request, as RPC nodes allow.
const ACCOUNTS_PER_REQUEST: usize = 100;
/// Market, provider, node key, clock: read with the first chunk of jobs.
const FIXED_ACCOUNTS: usize = 4;
/// Jobs of one request, each with its seat.
const JOBS_PER_REQUEST: usize = (ACCOUNTS_PER_REQUEST - FIXED_ACCOUNTS) / 2;
/// Where the fields that are filtered by stand in an account.
const STATUS_OFFSET: usize = 10;
const FIRST_KEY_OFFSET: usize = 11;
const SECOND_KEY_OFFSET: usize = 43;

/// An address, and the job that was there when it was last looked at.
pub(super) type Known = (Option<JobUid>, Pubkey);

#[derive(Deserialize)]
struct Keyed {
    pubkey: String,
    account: RawAccount,
}

/// What a query found, and for which slot.
struct Found<T> {
    slot: u64,
    items: Vec<T>,
}

/// What is there, whether it is tracked or not.
#[derive(Default)]
struct Listing {
    slot: Option<u64>,
    open: Vec<JobView>,
    /// Jobs in which we have a seat.
    seats: BTreeSet<Pubkey>,
}

/// What stands at the address of a job.
enum Place {
    /// No account of the program.
    Empty,
    /// A job, with our seat.
    Job(Box<JobView>),
    /// Something of the program that this version cannot read: nothing is concluded from it.
    Unreadable,
}

/// Known accounts as one request after the other read them.
#[derive(Default)]
pub(super) struct Read {
    pub(super) slot: u64,
    pub(super) chain_unix: i64,
    pub(super) provider: Option<ProviderView>,
    pub(super) jobs: Vec<JobView>,
    pub(super) gone: Vec<JobUid>,
}

impl Read {
    /// What stands at an address says what became of the job that was tracked there (P-24): another job under the same
    /// address means that it is no more, and is news itself.
    fn take(&mut self, (uid, _): Known, place: Place) {
        match place {
            Place::Empty => self.gone.extend(uid),
            Place::Job(view) => {
                self.gone.extend(uid.filter(|uid| *uid != view.uid));
                self.jobs.push(*view);
            }
            Place::Unreadable => {}
        }
    }
}

impl Fetched {
    /// What stands at a job's address, which was asked for at this index, its seat at the next.
    fn place(&self, index: usize, address: Pubkey) -> Place {
        let data = |index: usize| self.get(index).and_then(RawAccount::of_program);
        let Some(job) = data(index) else { return Place::Empty };
        let execution = data(index.saturating_add(1));
        let seat = execution.as_deref().and_then(accounts::seat);
        if execution.is_some() && seat.is_none() {
            return Place::Unreadable;
        }
        accounts::job_view(address, &job, seat).map_or(Place::Unreadable, |view| Place::Job(Box::new(view)))
    }
}

/// Whether nothing can become of a job any more, provided that this is final.
fn is_over(uid: JobUid, place: &Place) -> bool {
    match place {
        Place::Empty => true,
        Place::Job(view) => view.uid != uid || (view.status.is_terminal() && view.seat.is_none()),
        Place::Unreadable => false,
    }
}

/// Where our money is: in the seats that are held as far as is known here, and in those that this look shows.
fn held(tracked: &[Tracked], known: &[Known], read: &Read) -> Vec<Known> {
    let is_held = |address| tracked.iter().any(|job| job.job == address && job.is_held);
    let has_seat = |address| read.jobs.iter().any(|view| view.job == address && view.seat.is_some());
    known.iter().filter(|(_, address)| is_held(*address) || has_seat(*address)).copied().collect()
}

impl RpcChain {
    pub(super) async fn look_at(&self, tracked: Vec<Tracked>, scope: Scope) -> Result<Look, ChainError> {
        let listing = match scope {
            Scope::Tracked => Listing::default(),
            Scope::Everything => self.listing().await?,
        };
        let tracked_jobs: BTreeSet<Pubkey> = tracked.iter().map(|tracked| tracked.job).collect();
        let unknown: BTreeSet<Pubkey> = listing.seats.difference(&tracked_jobs).copied().collect();
        let mut known: Vec<Known> = tracked.iter().map(|tracked| (Some(tracked.uid), tracked.job)).collect();
        known.extend(unknown.iter().map(|job| (None, *job)));
        let reading = self.read_known(&known, Commitment::Confirmed);
        let seeds = async { Ok(self.seeds(&tracked).await) };
        let (read, finalized, seeds) = tokio::try_join!(reading, self.finalized(&tracked), seeds)?;
        let held = held(&tracked, &known, &read);
        if !held.is_empty() {
            self.confirm_held(&held, &read).await?;
        }
        let provider = read.provider.ok_or_else(|| self.not_understood("fetch the provider", "it is missing"))?;
        let mut jobs: BTreeMap<JobUid, JobView> = read.jobs.into_iter().map(|view| (view.uid, view)).collect();
        for view in listing.open {
            // What was read together with its seat is the better look.
            if !tracked_jobs.contains(&view.job) && !unknown.contains(&view.job) {
                jobs.entry(view.uid).or_insert(view);
            }
        }
        let slot = listing.slot.map_or(read.slot, |slot| slot.min(read.slot));
        let jobs = jobs.into_values().collect();
        let snapshot = Snapshot { slot, finalized: Some(finalized), provider, jobs, gone: read.gone, seeds };
        Ok(Look { snapshot, chain_unix: read.chain_unix })
    }

    async fn listing(&self) -> Result<Listing, ChainError> {
        let (open, seats) = tokio::join!(self.open_jobs(), self.jobs_with_seat());
        let seats = seats?;
        // E-23: new work can wait, what is owed cannot. More open jobs than an answer can hold stop nothing else.
        let open = open.unwrap_or_else(|error| {
            tracing::warn!(%error, "open_jobs_not_listed");
            Found { slot: seats.slot, items: Vec::new() }
        });
        let slot = Some(open.slot.min(seats.slot));
        Ok(Listing { slot, open: open.items, seats: seats.items.into_iter().collect() })
    }

    /// Accounts of the program by discriminator and fields.
    async fn find(
        &self,
        doing: &'static str,
        discriminator: &[u8],
        fields: &[(usize, &[u8])],
    ) -> Result<Found<(Pubkey, Vec<u8>)>, ChainError> {
        let memcmp = |offset: usize, bytes: &[u8]| json!({"memcmp": {"offset": offset, "bytes": BASE64_STANDARD.encode(bytes), "encoding": "base64"}});
        let mut filters = vec![memcmp(0, discriminator)];
        filters.extend(fields.iter().map(|(offset, bytes)| memcmp(*offset, bytes)));
        let params = |slot| {
            let config = json!({
                "encoding": "base64",
                "commitment": "confirmed",
                "filters": filters,
                "withContext": true,
                "minContextSlot": slot,
            });
            json!([program::ID.to_string(), config])
        };
        let answer: WithContext<Vec<Keyed>> = self.ask_fresh(doing, RpcRequest::GetProgramAccounts, params).await?;
        let found = answer.value.into_iter().filter_map(|keyed| {
            let data = keyed.account.of_program()?;
            Some((keyed.pubkey.parse().ok()?, data))
        });
        Ok(Found { slot: answer.context.slot, items: found.collect() })
    }

    async fn open_jobs(&self) -> Result<Found<JobView>, ChainError> {
        let market = self.settings().market.to_bytes();
        let status = [JobStatus::Open.code()];
        let fields: [(usize, &[u8]); 2] = [(STATUS_OFFSET, &status), (FIRST_KEY_OFFSET, &market)];
        let found = self.find("list the open jobs", Job::DISCRIMINATOR, &fields).await?;
        let view = |(address, data): &(Pubkey, Vec<u8>)| accounts::job_view(*address, data, None);
        Ok(Found { slot: found.slot, items: found.items.iter().filter_map(view).collect() })
    }

    async fn jobs_with_seat(&self) -> Result<Found<Pubkey>, ChainError> {
        let provider = self.settings().provider.to_bytes();
        let fields: [(usize, &[u8]); 1] = [(SECOND_KEY_OFFSET, &provider)];
        let found = self.find("list own seats", Execution::DISCRIMINATOR, &fields).await?;
        let jobs = found.items.iter().filter_map(|(_, data)| accounts::execution_job(data)).collect();
        Ok(Found { slot: found.slot, items: jobs })
    }

    /// Each job's address, and that of our seat in it.
    fn with_seats(&self, jobs: impl Iterator<Item = Pubkey>) -> Vec<Pubkey> {
        let provider = self.settings().provider;
        jobs.flat_map(|job| [job, ExecutionSeeds { job, provider }.address()]).collect()
    }

    /// What the finalised chain says about the jobs that it is to be asked about, as many as fit a request.
    async fn finalized(&self, tracked: &[Tracked]) -> Result<Finalized, ChainError> {
        let asked: Vec<&Tracked> = tracked.iter().filter(|job| job.ask_final).take(JOBS_PER_REQUEST).collect();
        if asked.is_empty() {
            let params = json!([{"commitment": "finalized"}]);
            let slot = self.ask("fetch the finalised slot", RpcRequest::GetSlot, params).await?;
            return Ok(Finalized { slot, over: Vec::new() });
        }
        let addresses = self.with_seats(asked.iter().map(|job| job.job));
        let fetched = self.accounts(&addresses, Commitment::Finalized).await?;
        let is_over = |index: usize, job: &Tracked| is_over(job.uid, &fetched.place(index.saturating_mul(2), job.job));
        let over = asked.into_iter().enumerate().filter(|(index, job)| is_over(*index, job));
        Ok(Finalized { slot: fetched.slot, over: over.map(|(_, job)| job.uid).collect() })
    }

    pub(super) async fn read_known(&self, known: &[Known], commitment: Commitment) -> Result<Read, ChainError> {
        let RpcSettings { market, provider, node_key, .. } = *self.settings();
        let mut result = Read::default();
        // At least one chunk, for the fixed accounts.
        let empty: &[Known] = &[];
        let mut chunks: Vec<_> = known.chunks(JOBS_PER_REQUEST).collect();
        if chunks.is_empty() {
            chunks.push(empty);
        }
        for (number, chunk) in chunks.into_iter().enumerate() {
            let mut addresses = vec![market, provider, node_key, solana_sdk_ids::sysvar::clock::ID];
            addresses.extend(self.with_seats(chunk.iter().map(|(_, job)| *job)));
            let fetched = self.accounts(&addresses, commitment).await?;
            result.slot = if number == 0 { fetched.slot } else { result.slot.min(fetched.slot) };
            if number == 0 {
                self.read_fixed(&fetched, &mut result)?;
            }
            for (index, known) in chunk.iter().enumerate() {
                let at = FIXED_ACCOUNTS.saturating_add(index.saturating_mul(2));
                result.take(*known, fetched.place(at, known.1));
            }
        }
        Ok(result)
    }

    fn read_fixed(&self, fetched: &Fetched, result: &mut Read) -> Result<(), ChainError> {
        let doing = "fetch the provider";
        // slot u64, epoch start i64, epoch u64, leader schedule epoch u64, unix timestamp i64
        let clock = fetched.get(3).and_then(RawAccount::bytes).unwrap_or_default();
        let unix: Option<[u8; 8]> = clock.get(32..40).and_then(|bytes| bytes.try_into().ok());
        result.chain_unix =
            unix.map(i64::from_le_bytes).ok_or_else(|| self.not_understood(doing, "the Clock sysvar is missing"))?;
        let data = |index| fetched.get(index).and_then(RawAccount::of_program).unwrap_or_default();
        let balance = fetched.get(2).map_or(0, |account| account.lamports);
        let view = accounts::provider_view(&data(1), &data(0), balance, result.chain_unix);
        let next = "register it again with `assay provider register`";
        result.provider = Some(view.ok_or_else(|| self.missing("provider", self.settings().provider, next))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Seat, tests::view};

    fn read(uid: JobUid, place: Place) -> (Vec<JobUid>, Vec<JobUid>) {
        let mut read = Read::default();
        read.take((Some(uid), view(1).job), place);
        (read.jobs.iter().map(|job| job.uid).collect(), read.gone)
    }

    #[test]
    fn p_24_a_job_that_was_posted_again_under_its_address_is_seen_at_once() {
        let (old, new) = (view(1), JobView { uid: JobUid([2; 32]), ..view(1) });
        assert_eq!(read(old.uid, Place::Job(Box::new(new.clone()))), (vec![new.uid], vec![old.uid]));
        assert_eq!(read(old.uid, Place::Job(Box::new(old.clone()))), (vec![old.uid], vec![]));
        assert_eq!(read(old.uid, Place::Empty), (vec![], vec![old.uid]));
        assert_eq!(read(old.uid, Place::Unreadable), (vec![], vec![]), "nothing is concluded");
    }

    #[test]
    fn e_12_over_is_what_nothing_can_become_of() {
        let job = view(1);
        let is_over = |change: fn(&mut JobView)| {
            let mut view = job.clone();
            change(&mut view);
            super::is_over(job.uid, &Place::Job(Box::new(view)))
        };
        assert!(super::is_over(job.uid, &Place::Empty) && !super::is_over(job.uid, &Place::Unreadable));
        assert!(!is_over(|_| {}) && is_over(|view| view.uid = JobUid([2; 32])));
        assert!(is_over(|view| view.status = JobStatus::Cancelled));
        assert!(!is_over(|view| (view.status, view.seat) = (JobStatus::Expired, Some(Seat::Missed))));
    }
}

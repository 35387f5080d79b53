//! One look: two program queries find the jobs; one request reads each known job that something of ours is in, or that the queries
//! do not show any more, together with its seat, so that a decision never rests on two different slots (E-08).

use std::collections::{BTreeMap, BTreeSet};

use anchor_lang::Discriminator;
use assay_protocol::JobStatus;
use assay_sdk::{
    pda::{ChallengeSeeds, ExecutionSeeds, VoteSeeds, dispute_address},
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
use crate::core::{Attention, Finalized, Interest, JobUid, JobView, ProviderView, ROUNDS, Snapshot, Tracked};

/// Accounts in one request, as RPC nodes allow.
const ACCOUNTS_PER_REQUEST: usize = 100;
/// Market, provider, node key, clock: read with the first chunk of jobs.
const FIXED_ACCOUNTS: usize = 4;
/// A job and our seat; with a dispute also that, our challenge, and our vote of each round.
const ACCOUNTS_OF_JOB: usize = 2;
const ACCOUNTS_OF_DISPUTED: usize = ACCOUNTS_OF_JOB + 2 + ROUNDS;
/// Where the fields that are filtered by stand in an account.
const STATUS_OFFSET: usize = 10;
pub(super) const FIRST_KEY_OFFSET: usize = 11;
pub(super) const SECOND_KEY_OFFSET: usize = 43;

/// An address, and what is known to be there.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// The job that was there when it was last looked at.
    pub(super) uid: Option<JobUid>,
    pub(super) job: Pubkey,
    /// There is, or was, a dispute over it.
    pub(super) is_disputed: bool,
}

impl Known {
    const fn accounts(&self) -> usize {
        if self.is_disputed { ACCOUNTS_OF_DISPUTED } else { ACCOUNTS_OF_JOB }
    }
}

impl From<&Tracked> for Known {
    fn from(tracked: &Tracked) -> Self {
        Self { uid: Some(tracked.uid), job: tracked.job, is_disputed: tracked.is_disputed }
    }
}

#[derive(Deserialize)]
struct Listed {
    pubkey: String,
    account: RawAccount,
}

/// What a query found, and for which slot.
pub(super) struct Found<T> {
    slot: u64,
    pub(super) items: Vec<T>,
}

/// What is there, whether it is tracked or not.
#[derive(Default)]
struct Listing {
    slot: Option<u64>,
    open: Vec<JobView>,
    /// Jobs in which we have a seat.
    seats: BTreeSet<Pubkey>,
    /// Jobs over which there is a dispute.
    disputed: BTreeSet<Pubkey>,
}

impl Listing {
    /// What is to be read account by account: what the listing cannot tell, or tells to be ours.
    fn known(&self, tracked: &[Tracked], scope: Scope) -> Vec<Known> {
        let open: BTreeSet<JobUid> = self.open.iter().map(|view| view.uid).collect();
        let is_ours = |job: &Pubkey| self.seats.contains(job) || self.disputed.contains(job);
        let is_due = |tracked: &&Tracked| match tracked.attention {
            Attention::Close => true,
            _ if is_ours(&tracked.job) => true,
            Attention::Listed => scope != Scope::Held && !open.contains(&tracked.uid),
            Attention::Seldom => scope == Scope::Everything,
        };
        let due = tracked.iter().filter(is_due).map(|tracked| Known {
            is_disputed: tracked.is_disputed || self.disputed.contains(&tracked.job),
            ..Known::from(tracked)
        });
        let jobs: BTreeSet<Pubkey> = tracked.iter().map(|tracked| tracked.job).collect();
        let unknown = self.seats.union(&self.disputed).copied().filter(|job| !jobs.contains(job));
        let untracked = |job| Known { uid: None, job, is_disputed: self.disputed.contains(&job) };
        due.chain(unknown.map(untracked)).collect()
    }
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
    fn take(&mut self, Known { uid, .. }: Known, place: Place) {
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
    /// What stands at a job's address, which was asked for at this index, its seat at the next, its dispute and what is ours in
    /// it behind that.
    fn place(&self, index: usize, known: Known, settings: &RpcSettings) -> Place {
        let data = |index: usize| self.get(index).and_then(RawAccount::of_program);
        let Some(job) = data(index) else { return Place::Empty };
        let execution = data(index.saturating_add(1));
        let seat = execution.as_deref().and_then(accounts::seat);
        if execution.is_some() && seat.is_none() {
            return Place::Unreadable;
        }
        let Some(mut view) = accounts::job_view(known.job, &job, seat) else { return Place::Unreadable };
        let dispute = data(index.saturating_add(ACCOUNTS_OF_JOB)).filter(|_| known.is_disputed);
        if let Some(dispute) = dispute {
            let own = |place: usize| data(index.saturating_add(ACCOUNTS_OF_JOB).saturating_add(place));
            let votes = std::array::from_fn(|round| own(round.saturating_add(2)));
            let Some(dispute) = accounts::dispute_view(&dispute, (own(1), votes), settings) else {
                return Place::Unreadable;
            };
            if view.status == JobStatus::Disputed {
                view.standing_hash = dispute.standing_hash;
            }
            view.dispute = Some(Box::new(dispute));
        }
        Place::Job(Box::new(view))
    }
}

/// Whether nothing can become of a job any more, provided that this is final.
fn is_over(uid: JobUid, place: &Place) -> bool {
    match place {
        Place::Empty => true,
        Place::Job(view) => {
            let has_part = view.dispute.as_ref().is_some_and(|dispute| dispute.has_part_of_ours());
            view.uid != uid || (view.status.is_terminal() && view.seat.is_none() && !has_part)
        }
        Place::Unreadable => false,
    }
}

/// Where our money is: in the seats that are held as far as is known here, and in those that this look shows.
fn held(tracked: &[Tracked], known: &[Known], read: &Read) -> Vec<Known> {
    let is_held = |address| tracked.iter().any(|job| job.job == address && job.is_held);
    let has_seat = |address| read.jobs.iter().any(|view| view.job == address && view.seat.is_some());
    known.iter().filter(|known| is_held(known.job) || has_seat(known.job)).copied().collect()
}

/// In as many requests as it takes; at least one, for the fixed accounts.
fn in_requests(known: &[Known]) -> Vec<Vec<Known>> {
    let (mut requests, mut accounts) = (vec![Vec::new()], FIXED_ACCOUNTS);
    for known in known {
        accounts = accounts.saturating_add(known.accounts());
        if accounts > ACCOUNTS_PER_REQUEST {
            requests.push(Vec::new());
            accounts = FIXED_ACCOUNTS.saturating_add(known.accounts());
        }
        requests.last_mut().expect("one to begin with").push(*known);
    }
    requests
}

impl RpcChain {
    pub(super) async fn look_at(&self, interest: Interest, scope: Scope) -> Result<Look, ChainError> {
        let tracked = &interest.jobs;
        let listing = match scope {
            Scope::Held => Listing::default(),
            Scope::Market | Scope::Everything => self.listing(&interest).await?,
        };
        let known = listing.known(tracked, scope);
        let reading = self.read_known(&known, Commitment::Confirmed);
        let seeds = async { Ok(self.seeds(tracked).await) };
        let (mut read, finalized, seeds) = tokio::try_join!(reading, self.finalized(tracked), seeds)?;
        let held = held(tracked, &known, &read);
        if !held.is_empty() {
            self.confirm_held(&held, &read).await?;
        }
        self.plan_disputes(&mut read.jobs).await?;
        self.plan_collisions(&mut read.jobs).await?;
        let provider = read.provider.ok_or_else(|| self.not_understood("fetch the provider", "it is missing"))?;
        let mut jobs: BTreeMap<JobUid, JobView> = read.jobs.into_iter().map(|view| (view.uid, view)).collect();
        let was_read: BTreeSet<Pubkey> = known.iter().map(|known| known.job).collect();
        for view in listing.open {
            // What was read together with its seat is the better look.
            if !was_read.contains(&view.job) {
                jobs.entry(view.uid).or_insert(view);
            }
        }
        let slot = listing.slot.map_or(read.slot, |slot| slot.min(read.slot));
        let jobs = jobs.into_values().collect();
        let snapshot = Snapshot { slot, finalized: Some(finalized), provider, jobs, gone: read.gone, seeds };
        Ok(Look { snapshot, chain_unix: read.chain_unix })
    }

    async fn listing(&self, interest: &Interest) -> Result<Listing, ChainError> {
        #[cfg(feature = "habits")]
        self.look_at_others().await;
        let (open, seats, disputed) = tokio::join!(
            self.jobs_to_take(interest.results),
            self.jobs_with_seat(),
            self.disputed_jobs(interest.disputes)
        );
        let (seats, disputed) = (seats?, disputed?);
        // E-23: new work can wait, what is owed cannot. More open jobs than an answer can hold stop nothing else.
        let open = open.unwrap_or_else(|error| {
            tracing::warn!(%error, "open_jobs_not_listed");
            Found { slot: seats.slot, items: Vec::new() }
        });
        let slot = Some(open.slot.min(seats.slot));
        Ok(Listing { slot, open: open.items, seats: seats.items.into_iter().collect(), disputed })
    }

    /// Accounts of the program by discriminator and fields.
    pub(super) async fn find(
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
        let answer: WithContext<Vec<Listed>> = self.ask_fresh(doing, RpcRequest::GetProgramAccounts, params).await?;
        let found = answer.value.into_iter().filter_map(|listed| {
            let data = listed.account.of_program()?;
            Some((listed.pubkey.parse().ok()?, data))
        });
        Ok(Found { slot: answer.context.slot, items: found.collect() })
    }

    /// Open jobs, and those whose result stands, if some of them are watched.
    async fn jobs_to_take(&self, with_results: bool) -> Result<Found<JobView>, ChainError> {
        let mut open = self.jobs_with_status("list the open jobs", JobStatus::Open).await?;
        if with_results {
            let standing = self.jobs_with_status("list the standing results", JobStatus::Submitted).await?;
            open.slot = open.slot.min(standing.slot);
            open.items.extend(standing.items);
        }
        Ok(open)
    }

    async fn jobs_with_status(&self, doing: &'static str, status: JobStatus) -> Result<Found<JobView>, ChainError> {
        let market = self.settings().market.to_bytes();
        let status = [status.code()];
        let fields: [(usize, &[u8]); 2] = [(STATUS_OFFSET, &status), (FIRST_KEY_OFFSET, &market)];
        let found = self.find(doing, Job::DISCRIMINATOR, &fields).await?;
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

    /// What other seats hide, for a bot that copies it.
    #[cfg(feature = "habits")]
    async fn look_at_others(&self) {
        if !crate::habit::copies() {
            return;
        }
        let status = [assay_protocol::ExecutionStatus::Committed.code()];
        match self.find("list the commitments", Execution::DISCRIMINATOR, &[(STATUS_OFFSET, &status)]).await {
            Ok(found) => {
                let seats = found.items.iter().filter_map(|(_, data)| accounts::execution(data));
                let others = seats.filter(|seat| seat.provider != self.settings().provider);
                others.for_each(|seat| crate::habit::saw_seat(&seat));
            }
            Err(error) => tracing::warn!(%error, "commitments_not_listed"),
        }
    }

    /// A job's address, that of our seat in it, and those of its dispute and of what is ours in that.
    fn addresses(&self, known: &Known) -> Vec<Pubkey> {
        let (RpcSettings { provider, node_key, .. }, job) = (self.settings(), known.job);
        let (provider, node_key) = (*provider, *node_key);
        let mut addresses = vec![job, ExecutionSeeds { job, provider }.address()];
        if known.is_disputed {
            let dispute = dispute_address(&job);
            let votes = (0..).take(ROUNDS).map(|round| VoteSeeds { dispute, round, provider }.address());
            addresses.extend([dispute, ChallengeSeeds { dispute, challenger: node_key }.address()]);
            addresses.extend(votes);
        }
        addresses
    }

    /// What the finalised chain says about the jobs that it is to be asked about, as many as fit a request.
    async fn finalized(&self, tracked: &[Tracked]) -> Result<Finalized, ChainError> {
        let asked: Vec<Known> = tracked.iter().filter(|job| job.ask_final).map(Known::from).collect();
        let asked = in_requests(&asked).into_iter().next().unwrap_or_default();
        if asked.is_empty() {
            let params = json!([{"commitment": "finalized"}]);
            let slot = self.ask("fetch the finalised slot", RpcRequest::GetSlot, params).await?;
            return Ok(Finalized { slot, over: Vec::new() });
        }
        let addresses: Vec<Pubkey> = asked.iter().flat_map(|known| self.addresses(known)).collect();
        let fetched = self.accounts(&addresses, Commitment::Finalized).await?;
        let (mut over, mut at) = (Vec::new(), 0);
        for known in asked {
            let place = fetched.place(at, known, self.settings());
            over.extend(known.uid.filter(|uid| is_over(*uid, &place)));
            at = at.saturating_add(known.accounts());
        }
        Ok(Finalized { slot: fetched.slot, over })
    }

    pub(super) async fn read_known(&self, known: &[Known], commitment: Commitment) -> Result<Read, ChainError> {
        let RpcSettings { market, provider, node_key, .. } = *self.settings();
        let mut result = Read::default();
        for (number, chunk) in in_requests(known).into_iter().enumerate() {
            let mut addresses = vec![market, provider, node_key, solana_sdk_ids::sysvar::clock::ID];
            addresses.extend(chunk.iter().flat_map(|known| self.addresses(known)));
            let fetched = self.accounts(&addresses, commitment).await?;
            result.slot = if number == 0 { fetched.slot } else { result.slot.min(fetched.slot) };
            if number == 0 {
                self.read_fixed(&fetched, &mut result)?;
            }
            let mut at = FIXED_ACCOUNTS;
            for known in chunk {
                result.take(known, fetched.place(at, known, self.settings()));
                at = at.saturating_add(known.accounts());
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
        read.take(Known { uid: Some(uid), job: view(1).job, is_disputed: false }, place);
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
    fn e_08_what_is_not_ours_is_read_when_the_listing_is_silent_about_it_and_what_is_over_now_and_then() {
        let tracked = |byte, attention| Tracked {
            uid: view(byte).uid,
            job: view(byte).job,
            attention,
            ask_final: false,
            is_held: false,
            seed_slot: None,
            is_disputed: false,
        };
        let (close, listed, seldom) = (Attention::Close, Attention::Listed, Attention::Seldom);
        let mut all = vec![tracked(1, close)];
        all.extend([2, 3, 4].map(|byte| tracked(byte, listed)));
        all.extend([5, 6, 7].map(|byte| tracked(byte, seldom)));
        // Under the address of the third another job was posted.
        let listing = Listing {
            slot: Some(9),
            open: vec![view(2), JobView { uid: JobUid([30; 32]), ..view(3) }],
            seats: [view(6).job, view(8).job].into(),
            disputed: [view(7).job].into(),
        };
        let read = |listing: &Listing, scope| {
            let known = listing.known(&all, scope).into_iter();
            known.map(|known| (known.job.to_bytes()[0], known.uid.is_some(), known.is_disputed)).collect::<Vec<_>>()
        };
        assert_eq!(read(&Listing::default(), Scope::Held), [(1, true, false)]);
        let ours = [(6, true, false), (7, true, true), (8, false, false)];
        let market = [&[(1, true, false), (3, true, false), (4, true, false)][..], &ours].concat();
        assert_eq!(read(&listing, Scope::Market), market);
        let mut everything = market;
        everything.insert(3, (5, true, false));
        assert_eq!(read(&listing, Scope::Everything), everything);
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

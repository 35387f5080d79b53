//! Reading the program's accounts: decoding, and filters that an RPC node applies.

use anchor_lang::{AccountDeserialize, Discriminator};
use assay_protocol::{DisputeStatus, JobStatus};
use solana_pubkey::Pubkey;
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};

use crate::{
    errors::ClientError,
    program::{
        self, DISCRIMINATOR_BYTES,
        accounts::{Challenge, Dispute, Execution, Job, Market, Module, Provider, Sink, Vote},
    },
};

/// An account and its address.
#[derive(Clone, Debug)]
pub struct Keyed<T> {
    /// Where it is.
    pub address: Pubkey,
    /// What it holds.
    pub account: T,
}

/// A kind of account of the program.
pub trait ProgramAccount: AccountDeserialize + Discriminator + Send + 'static {
    /// What a person calls it.
    const KIND: &'static str;
}

impl ProgramAccount for Market {
    const KIND: &'static str = "market";
}
impl ProgramAccount for Provider {
    const KIND: &'static str = "provider";
}
impl ProgramAccount for Job {
    const KIND: &'static str = "job";
}
impl ProgramAccount for Execution {
    const KIND: &'static str = "execution";
}
impl ProgramAccount for Dispute {
    const KIND: &'static str = "dispute";
}
impl ProgramAccount for Challenge {
    const KIND: &'static str = "challenge";
}
impl ProgramAccount for Vote {
    const KIND: &'static str = "vote";
}
impl ProgramAccount for Module {
    const KIND: &'static str = "module";
}
impl ProgramAccount for Sink {
    const KIND: &'static str = "sink";
}

/// What an RPC node says about an account.
#[derive(Clone, Copy, Debug)]
pub struct RawAccount<'a> {
    /// Where it is.
    pub address: Pubkey,
    /// The program that owns it.
    pub owner: Pubkey,
    /// Its bytes.
    pub data: &'a [u8],
}

/// Decodes an account of the program; owner, discriminator and version are checked.
///
/// # Errors
/// [`ClientError::Decode`] says what it is instead.
pub fn decode<T: ProgramAccount>(raw: &RawAccount<'_>) -> Result<T, ClientError> {
    let refuse = |problem: String| ClientError::Decode { kind: T::KIND, address: raw.address, problem };
    if raw.owner != program::ID {
        return Err(refuse(format!("it belongs to {} and not to the program", raw.owner)));
    }
    let Some(fields) = raw.data.strip_prefix(T::DISCRIMINATOR) else {
        return Err(refuse("it is another kind of account".to_owned()));
    };
    match fields.first() {
        Some(&assay_protocol::PROTOCOL_VERSION) => {}
        version => return Err(refuse(format!("its layout version is {version:?}, this SDK reads version 1"))),
    }
    T::try_deserialize(&mut &*raw.data).map_err(|error| refuse(error.to_string()))
}

/// Offset of the status byte: after discriminator, version and bump.
const STATUS_OFFSET: usize = DISCRIMINATOR_BYTES + 2;
/// Offset of the first public key, and of the following ones.
const KEY_OFFSETS: [usize; 3] = [STATUS_OFFSET + 1, STATUS_OFFSET + 1 + 32, STATUS_OFFSET + 1 + 64];

/// Which jobs to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Where they stand.
    pub status: Option<JobStatus>,
    /// Their market.
    pub market: Option<Pubkey>,
    /// Who posted them.
    pub poster: Option<Pubkey>,
    /// The Provider account that holds the first seat.
    pub provider: Option<Pubkey>,
}

impl JobFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        let status = self.status.map(|status| bytes_at(STATUS_OFFSET, &[status.code()]));
        let keys = KEY_OFFSETS.into_iter().zip([self.market, self.poster, self.provider]);
        let keys = keys.filter_map(|(offset, key)| key.map(|key| bytes_at(offset, key.as_ref())));
        kind::<Job>().chain(status).chain(keys).collect()
    }

    /// Whether an account passes, for endpoints whose answer is not trusted and for pushed accounts.
    #[must_use]
    pub fn matches(&self, job: &Job) -> bool {
        self.status.is_none_or(|status| status.code() == job.status)
            && self.market.is_none_or(|market| market == job.market)
            && self.poster.is_none_or(|poster| poster == job.poster)
            && self.provider.is_none_or(|provider| job.executors.first() == Some(&provider))
    }
}

/// Which providers to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProviderFilter {
    /// Their market.
    pub market: Option<Pubkey>,
    /// Their cold key.
    pub authority: Option<Pubkey>,
    /// Their hot key.
    pub node_key: Option<Pubkey>,
}

impl ProviderFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        keyed::<Provider>([self.market, self.authority, self.node_key])
    }
}

/// Which executions to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Their job.
    pub job: Option<Pubkey>,
    /// Their Provider account.
    pub provider: Option<Pubkey>,
}

impl ExecutionFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        keyed::<Execution>([self.job, self.provider, None])
    }
}

/// Which disputes to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisputeFilter {
    /// Where they stand.
    pub status: Option<DisputeStatus>,
    /// Their market.
    pub market: Option<Pubkey>,
}

impl DisputeFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        let status = self.status.map(|status| bytes_at(STATUS_OFFSET, &[status.code()]));
        keyed::<Dispute>([None, self.market, None]).into_iter().chain(status).collect()
    }
}

/// Which challenges to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChallengeFilter {
    /// Their dispute.
    pub dispute: Option<Pubkey>,
    /// Their challenger.
    pub challenger: Option<Pubkey>,
}

impl ChallengeFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        keyed::<Challenge>([self.dispute, self.challenger, None])
    }
}

/// Which votes to list; `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VoteFilter {
    /// Their dispute.
    pub dispute: Option<Pubkey>,
    /// Their juror's Provider account.
    pub provider: Option<Pubkey>,
}

impl VoteFilter {
    /// The filters that an RPC node applies.
    #[must_use]
    pub fn to_rpc(&self) -> Vec<RpcFilterType> {
        keyed::<Vote>([self.dispute, self.provider, None])
    }
}

/// The filter that matches all accounts of one kind.
pub fn kind<T: ProgramAccount>() -> std::iter::Once<RpcFilterType> {
    std::iter::once(bytes_at(0, T::DISCRIMINATOR))
}

fn keyed<T: ProgramAccount>(keys: [Option<Pubkey>; 3]) -> Vec<RpcFilterType> {
    let keys = KEY_OFFSETS.into_iter().zip(keys);
    kind::<T>().chain(keys.filter_map(|(offset, key)| key.map(|key| bytes_at(offset, key.as_ref())))).collect()
}

fn bytes_at(offset: usize, bytes: &[u8]) -> RpcFilterType {
    RpcFilterType::Memcmp(Memcmp::new_raw_bytes(offset, bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use anchor_lang::AnchorDeserialize;

    fn job_bytes(job: &Job) -> Vec<u8> {
        let mut bytes = Vec::new();
        anchor_lang::AccountSerialize::try_serialize(job, &mut bytes).unwrap();
        bytes
    }

    fn job() -> Job {
        let mut job = Job::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        job.version = 1;
        job.status = JobStatus::Open.code();
        (job.market, job.poster, job.executors[0]) = (Pubkey::new_unique(), Pubkey::new_unique(), Pubkey::new_unique());
        job
    }

    fn passes(filters: &[RpcFilterType], bytes: &[u8]) -> bool {
        filters.iter().all(|filter| match filter {
            RpcFilterType::Memcmp(compare) => compare.bytes_match(bytes),
            _ => false,
        })
    }

    #[test]
    fn filters_compare_the_fields_that_they_name() {
        let job = job();
        let bytes = job_bytes(&job);
        let matching = [
            JobFilter::default(),
            JobFilter { status: Some(JobStatus::Open), ..JobFilter::default() },
            JobFilter { market: Some(job.market), poster: Some(job.poster), ..JobFilter::default() },
            JobFilter { provider: Some(job.executors[0]), ..JobFilter::default() },
        ];
        for filter in matching {
            assert!(passes(&filter.to_rpc(), &bytes) && filter.matches(&job), "{filter:?}");
        }
        let other = Some(Pubkey::new_unique());
        let differing = [
            JobFilter { status: Some(JobStatus::Assigned), ..JobFilter::default() },
            JobFilter { market: other, ..JobFilter::default() },
            JobFilter { poster: other, ..JobFilter::default() },
            JobFilter { provider: other, ..JobFilter::default() },
        ];
        for filter in differing {
            assert!(!passes(&filter.to_rpc(), &bytes) && !filter.matches(&job), "{filter:?}");
        }
        assert!(!passes(&ProviderFilter::default().to_rpc(), &bytes));
    }

    #[test]
    fn only_an_account_of_the_program_of_that_kind_and_version_is_decoded() {
        let job = job();
        let data = job_bytes(&job);
        let raw = RawAccount { address: Pubkey::new_unique(), owner: program::ID, data: &data };
        assert_eq!(decode::<Job>(&raw).unwrap().poster, job.poster);
        let foreign = RawAccount { owner: Pubkey::new_unique(), ..raw };
        assert!(decode::<Job>(&foreign).unwrap_err().to_string().contains("belongs to"));
        assert!(decode::<Provider>(&raw).unwrap_err().to_string().contains("another kind of account"));
        let cut = RawAccount { data: data.get(..100).unwrap(), ..raw };
        assert!(decode::<Job>(&cut).is_err());
        let mut later = data.clone();
        later[DISCRIMINATOR_BYTES] = 2;
        let later = RawAccount { data: &later, ..raw };
        assert!(decode::<Job>(&later).unwrap_err().to_string().contains("layout version"));
    }
}

//! [`Chain`] over JSON-RPC. Two program queries find the jobs; one request reads each known job together with its
//! seat, so that a decision never rests on two different slots (E-08).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anchor_lang::{AccountDeserialize, Discriminator};
use assay_protocol::{JobStatus, cluster_tag};
use assay_sdk::{
    Cluster,
    cluster::redacted,
    pda::ExecutionSeeds,
    program::{
        self,
        accounts::{Execution, Job, Market, Provider},
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use solana_commitment_config::CommitmentConfig;
use solana_hash::Hash;
use solana_pubkey::Pubkey;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use tokio::sync::Semaphore;

use super::{Chain, ChainError, ChainFacts, Look, SignatureStatus, accounts};
use crate::core::{JobUid, JobView, Snapshot};

/// Requests in flight at once.
const REQUESTS_MAX: usize = 8;
/// Accounts in one request, as RPC nodes allow.
const ACCOUNTS_PER_REQUEST: usize = 100;
/// Market, provider, node key, clock: read with the first chunk of jobs.
const FIXED_ACCOUNTS: usize = 4;
/// Jobs of one request, each with its seat.
const JOBS_PER_REQUEST: usize = (ACCOUNTS_PER_REQUEST - FIXED_ACCOUNTS) / 2;
/// Where the fields that are filtered by stand in an account.
const STATUS_OFFSET: usize = 10;
pub(super) const FIRST_KEY_OFFSET: usize = 11;
const SECOND_KEY_OFFSET: usize = 43;
/// Bytes before the executable in a loader's program data account.
const PROGRAM_DATA_HEAD_BYTES: usize = 45;

/// Who asks.
#[derive(Clone, Debug)]
pub struct RpcSettings {
    /// Endpoints.
    pub cluster: Cluster,
    /// Market account.
    pub market: Pubkey,
    /// Provider account.
    pub provider: Pubkey,
    /// Hot key.
    pub node_key: Pubkey,
    /// Longest time for one request.
    pub request_timeout: Duration,
    /// Most jobs in one look.
    pub jobs_max: usize,
}

/// A JSON-RPC endpoint. Cheap to clone.
#[derive(Clone)]
pub struct RpcChain {
    shared: Arc<Shared>,
}

struct Shared {
    rpc: RpcClient,
    settings: RpcSettings,
    endpoint: String,
    permits: Semaphore,
    /// Highest slot seen: a node that lags behind it must not answer (E-08).
    slot_seen: AtomicU64,
}

#[derive(Deserialize)]
struct WithContext<T> {
    context: Context,
    value: T,
}

#[derive(Deserialize)]
struct Context {
    slot: u64,
}

#[derive(Deserialize)]
struct Keyed {
    pubkey: String,
    account: RawAccount,
}

#[derive(Deserialize)]
struct RawAccount {
    lamports: u64,
    owner: String,
    data: (String, String),
}

impl RawAccount {
    /// The bytes, if the account belongs to the program.
    fn of_program(&self) -> Option<Vec<u8>> {
        (self.owner == program::ID.to_string()).then(|| BASE64_STANDARD.decode(&self.data.0).ok()).flatten()
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(&self.data.0).ok()
    }
}

/// Accounts of one request, in the order asked for.
struct Fetched {
    slot: u64,
    accounts: Vec<Option<RawAccount>>,
}

impl Fetched {
    fn get(&self, index: usize) -> Option<&RawAccount> {
        self.accounts.get(index).and_then(Option::as_ref)
    }
}

impl RpcChain {
    /// Talks to an endpoint; nothing is asked yet.
    #[must_use]
    pub fn new(settings: RpcSettings) -> Self {
        let rpc = RpcClient::new_with_timeout_and_commitment(
            settings.cluster.rpc_url.to_string(),
            settings.request_timeout,
            CommitmentConfig::confirmed(),
        );
        let endpoint = redacted(&settings.cluster.rpc_url);
        let (permits, slot_seen) = (Semaphore::new(REQUESTS_MAX), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { rpc, settings, endpoint, permits, slot_seen }) }
    }

    /// Who asks.
    #[must_use]
    pub fn settings(&self) -> &RpcSettings {
        &self.shared.settings
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        request: RpcRequest,
        params: Value,
    ) -> Result<T, ChainError> {
        // Never closed, so acquiring cannot fail; a permit that is not there would only mean less politeness.
        let _permit = self.shared.permits.acquire().await;
        metrics::counter!("assay_executor_rpc_requests_total", "method" => request.to_string()).increment(1);
        self.shared.rpc.send(request, params).await.map_err(|source| {
            metrics::counter!("assay_executor_rpc_failures_total", "method" => request.to_string()).increment(1);
            ChainError::Rpc { doing, endpoint: self.shared.endpoint.clone(), source: Box::new(source) }
        })
    }

    fn not_understood(&self, doing: &'static str, problem: impl Into<String>) -> ChainError {
        ChainError::Answer { doing, endpoint: self.shared.endpoint.clone(), problem: problem.into() }
    }

    fn note_slot(&self, slot: u64) {
        self.shared.slot_seen.fetch_max(slot, Ordering::SeqCst);
    }

    async fn accounts(&self, addresses: &[Pubkey]) -> Result<Fetched, ChainError> {
        let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let config = json!({
            "encoding": "base64",
            "commitment": "confirmed",
            "minContextSlot": self.shared.slot_seen.load(Ordering::SeqCst),
        });
        let doing = "fetch accounts";
        let answer: WithContext<Vec<Option<RawAccount>>> =
            self.ask(doing, RpcRequest::GetMultipleAccounts, json!([texts, config])).await?;
        if answer.value.len() != addresses.len() {
            return Err(self.not_understood(doing, "another number of accounts than asked for"));
        }
        self.note_slot(answer.context.slot);
        Ok(Fetched { slot: answer.context.slot, accounts: answer.value })
    }

    /// Accounts of the program by discriminator and fields.
    async fn find(
        &self,
        doing: &'static str,
        discriminator: &[u8],
        fields: &[(usize, &[u8])],
    ) -> Result<Vec<(Pubkey, Vec<u8>)>, ChainError> {
        let memcmp = |offset: usize, bytes: &[u8]| json!({"memcmp": {"offset": offset, "bytes": BASE64_STANDARD.encode(bytes), "encoding": "base64"}});
        let mut filters = vec![memcmp(0, discriminator)];
        filters.extend(fields.iter().map(|(offset, bytes)| memcmp(*offset, bytes)));
        let config = json!({
            "encoding": "base64",
            "commitment": "confirmed",
            "filters": filters,
            "withContext": true,
        });
        let params = json!([program::ID.to_string(), config]);
        let answer: WithContext<Vec<Keyed>> = self.ask(doing, RpcRequest::GetProgramAccounts, params).await?;
        let found = answer.value.into_iter().filter_map(|keyed| {
            let data = keyed.account.of_program()?;
            Some((keyed.pubkey.parse().ok()?, data))
        });
        Ok(found.collect())
    }

    async fn open_jobs(&self) -> Result<Vec<JobView>, ChainError> {
        let market = self.shared.settings.market.to_bytes();
        let status = [JobStatus::Open.code()];
        let fields: [(usize, &[u8]); 2] = [(STATUS_OFFSET, &status), (FIRST_KEY_OFFSET, &market)];
        let found = self.find("list the open jobs", Job::DISCRIMINATOR, &fields).await?;
        let mut jobs: Vec<JobView> =
            found.iter().filter_map(|(address, data)| accounts::job_view(*address, data, None)).collect();
        jobs.sort_by(|a, b| b.price.cmp(&a.price).then(a.uid.cmp(&b.uid)));
        jobs.truncate(self.shared.settings.jobs_max);
        Ok(jobs)
    }

    async fn jobs_with_seat(&self) -> Result<Vec<Pubkey>, ChainError> {
        let provider = self.shared.settings.provider.to_bytes();
        let fields: [(usize, &[u8]); 1] = [(SECOND_KEY_OFFSET, &provider)];
        let found = self.find("list own seats", Execution::DISCRIMINATOR, &fields).await?;
        Ok(found.iter().filter_map(|(_, data)| accounts::execution_job(data)).collect())
    }

    fn missing(&self, kind: &'static str, address: Pubkey, next: &'static str) -> ChainError {
        ChainError::Missing { kind, address, endpoint: self.shared.endpoint.clone(), next }
    }

    /// What the start-up checks compare.
    ///
    /// # Errors
    /// [`ChainError::Missing`] names the account that is not there.
    pub async fn facts(&self) -> Result<ChainFacts, ChainError> {
        const NO_PROGRAM: &str = "deploy the program or choose another cluster";
        let RpcSettings { market, provider, .. } = self.shared.settings;
        let genesis: String = self.ask("fetch the genesis hash", RpcRequest::GetGenesisHash, Value::Null).await?;
        let genesis: Hash = genesis.parse().map_err(|_| self.not_understood("fetch the genesis hash", genesis))?;
        let fetched = self.accounts(&[program::ID, market, provider]).await?;
        let program_account = fetched.get(0).ok_or_else(|| self.missing("program", program::ID, NO_PROGRAM))?;
        let executable = self.executable(program_account).await?;
        let read = |index| fetched.get(index).and_then(RawAccount::of_program);
        let market_account =
            read(1).and_then(|data| Market::try_deserialize(&mut &data[..]).ok()).ok_or_else(|| {
                self.missing("market", market, "create it with `assay market create` or correct provider.market")
            })?;
        let provider_account = read(2).and_then(|data| Provider::try_deserialize(&mut &data[..]).ok());
        let provider_account = provider_account.ok_or_else(|| {
            self.missing(
                "provider",
                provider,
                "register it with `assay provider register` or correct provider.authority",
            )
        })?;
        Ok(ChainFacts {
            cluster_tag: cluster_tag(&genesis.to_bytes()),
            program_sha256: Sha256::digest(executable).into(),
            market_cluster_tag: market_account.cluster,
            market_profiles: market_account.current_terms(i64::MAX).profiles,
            node_key: provider_account.node_key,
        })
    }

    /// The program's executable, wherever its loader keeps it, without the padding behind it.
    async fn executable(&self, account: &RawAccount) -> Result<Vec<u8>, ChainError> {
        let doing = "fetch the program";
        let data = account.bytes().ok_or_else(|| self.not_understood(doing, "its data is not base64"))?;
        let mut executable = if account.owner == solana_sdk_ids::bpf_loader_upgradeable::ID.to_string() {
            let address: [u8; 32] = data
                .get(4..36)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| self.not_understood(doing, "it names no program data account"))?;
            let fetched = self.accounts(&[Pubkey::new_from_array(address)]).await?;
            let program_data = fetched.get(0).and_then(RawAccount::bytes).unwrap_or_default();
            program_data.get(PROGRAM_DATA_HEAD_BYTES..).unwrap_or_default().to_vec()
        } else {
            data
        };
        let length = executable.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        executable.truncate(length);
        Ok(executable)
    }

    async fn read_known(&self, known: &[(Option<JobUid>, Pubkey)]) -> Result<Known, ChainError> {
        let RpcSettings { market, provider, node_key, .. } = self.shared.settings;
        let mut result = Known::default();
        // At least one chunk, for the fixed accounts.
        let empty: &[(Option<JobUid>, Pubkey)] = &[];
        let mut chunks: Vec<_> = known.chunks(JOBS_PER_REQUEST).collect();
        if chunks.is_empty() {
            chunks.push(empty);
        }
        for (number, chunk) in chunks.into_iter().enumerate() {
            let mut addresses = vec![market, provider, node_key, solana_sdk_ids::sysvar::clock::ID];
            for (_, job) in chunk {
                addresses.extend([*job, ExecutionSeeds { job: *job, provider }.address()]);
            }
            let fetched = self.accounts(&addresses).await?;
            result.slot = if number == 0 { fetched.slot } else { result.slot.min(fetched.slot) };
            if number == 0 {
                self.read_fixed(&fetched, &mut result)?;
            }
            for (index, (uid, job)) in chunk.iter().enumerate() {
                let at = FIXED_ACCOUNTS.saturating_add(index.saturating_mul(2));
                let seat = fetched
                    .get(at.saturating_add(1))
                    .and_then(RawAccount::of_program)
                    .and_then(|data| accounts::seat(&data));
                let view = fetched
                    .get(at)
                    .and_then(RawAccount::of_program)
                    .and_then(|data| accounts::job_view(*job, &data, seat));
                let same = view.as_ref().is_some_and(|view| uid.is_none_or(|uid| uid == view.uid));
                match view {
                    Some(view) if same => result.jobs.push(view),
                    // Closed, or created again under the same address: the job that was tracked is no more (P-24).
                    _ => result.gone.extend(*uid),
                }
            }
        }
        Ok(result)
    }

    fn read_fixed(&self, fetched: &Fetched, result: &mut Known) -> Result<(), ChainError> {
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
        result.provider = Some(view.ok_or_else(|| self.missing("provider", self.shared.settings.provider, next))?);
        Ok(())
    }
}

#[derive(Default)]
struct Known {
    slot: u64,
    chain_unix: i64,
    provider: Option<crate::core::ProviderView>,
    jobs: Vec<JobView>,
    gone: Vec<JobUid>,
}

impl Chain for RpcChain {
    async fn look(&self, tracked: Vec<(JobUid, Pubkey)>) -> Result<Look, ChainError> {
        let (open, seats) = tokio::try_join!(self.open_jobs(), self.jobs_with_seat())?;
        let tracked_jobs: BTreeSet<Pubkey> = tracked.iter().map(|(_, job)| *job).collect();
        let mut known: Vec<(Option<JobUid>, Pubkey)> = tracked.into_iter().map(|(uid, job)| (Some(uid), job)).collect();
        let unknown: BTreeSet<Pubkey> = seats.into_iter().filter(|job| !tracked_jobs.contains(job)).collect();
        known.extend(unknown.iter().map(|job| (None, *job)));
        // Asked after the queries, so the slot it answers for is the lowest of all.
        let (read, finalized_slot) = tokio::try_join!(
            self.read_known(&known),
            self.ask::<u64>("fetch the finalised slot", RpcRequest::GetSlot, json!([{"commitment": "finalized"}]))
        )?;
        let provider = read.provider.ok_or_else(|| self.not_understood("fetch the provider", "it is missing"))?;
        let mut jobs: BTreeMap<JobUid, JobView> = read.jobs.into_iter().map(|view| (view.uid, view)).collect();
        for view in open {
            // What was read together with its seat is the better look.
            if !tracked_jobs.contains(&view.job) && !unknown.contains(&view.job) {
                jobs.entry(view.uid).or_insert(view);
            }
        }
        let jobs = jobs.into_values().collect();
        let snapshot = Snapshot { slot: read.slot, finalized_slot, provider, jobs, gone: read.gone };
        Ok(Look { snapshot, chain_unix: read.chain_unix })
    }

    async fn recent_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let doing = "fetch a recent blockhash";
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Recent {
            blockhash: String,
            last_valid_block_height: u64,
        }
        let params = json!([{"commitment": "confirmed"}]);
        let answer: WithContext<Recent> = self.ask(doing, RpcRequest::GetLatestBlockhash, params).await?;
        let hash = answer.value.blockhash.parse().map_err(|_| self.not_understood(doing, "it is no hash"))?;
        Ok((hash, answer.value.last_valid_block_height))
    }

    async fn send(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        let config = json!({
            "encoding": "base64",
            "preflightCommitment": "confirmed",
            // The node's own retries would go on after we have stopped.
            "maxRetries": 0,
        });
        let params = json!([BASE64_STANDARD.encode(transaction), config]);
        let _: String = self.ask("send a transaction", RpcRequest::SendTransaction, params).await?;
        Ok(())
    }

    async fn status(&self, signature: [u8; 64]) -> Result<SignatureStatus, ChainError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Status {
            slot: u64,
            err: Option<Value>,
            confirmation_status: Option<String>,
        }
        let params = json!([[Signature::from(signature).to_string()], {"searchTransactionHistory": true}]);
        let doing = "fetch a transaction's status";
        let answer: WithContext<Vec<Option<Status>>> =
            self.ask(doing, RpcRequest::GetSignatureStatuses, params).await?;
        Ok(match answer.value.into_iter().next().flatten() {
            None => SignatureStatus::Unknown,
            Some(status) if status.confirmation_status.as_deref() == Some("processed") => SignatureStatus::Processed,
            Some(Status { slot, err, .. }) => {
                let error = err.filter(|error| !error.is_null()).map(|error| error.to_string());
                SignatureStatus::Confirmed { slot, error }
            }
        })
    }

    async fn finalized_block_height(&self) -> Result<u64, ChainError> {
        let params = json!([{"commitment": "finalized"}]);
        self.ask("fetch the finalised block height", RpcRequest::GetBlockHeight, params).await
    }
}

//! Posting a job: pack, check, quote, upload, create.

use std::borrow::Cow;

use assay_content::PublishError;
use assay_protocol::{FeeError, TaskSpec, fees::Price};
use solana_account_decoder_client_types::UiAccount;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::{ChainTime, Client, Sent, Simulation, TransactionPlan, decode_ui, send::SIGN_ATTEMPTS_MAX};
use crate::{
    accounts::ProgramAccount,
    errors::{ClientError, NextStep},
    instructions::{self, CreateJob},
    job_handle::JobHandle,
    job_spec::{JobSpec, PreparedJob, Quote, QuoteInput, SpecError},
    pda::{JobSeeds, job_id_with_highest_bump},
    program::{self, accounts::Job},
};

/// Base fee of a transaction with one signature.
const TRANSACTION_FEE_LAMPORTS: u64 = 5_000;
/// Compute units that `create_job` takes, for the estimate of a priority fee.
const CREATE_JOB_UNITS: u32 = 30_000;

/// A job of which everything was checked that can be, short of uploading it.
#[derive(Debug)]
pub struct CheckedJob {
    seeds: JobSeeds,
    create: Instruction,
    /// What the program said to it.
    simulation: Simulation,
    quote: Quote,
    prepared: PreparedJob,
}

/// A job that was posted.
#[derive(Debug)]
pub struct PostedJob {
    /// Follows it.
    pub handle: JobHandle,
    /// The transaction that created it.
    pub created: Sent,
    /// What was paid in, at most.
    pub quote: Quote,
    /// What was posted.
    pub prepared: PreparedJob,
}

/// Why a job was not posted. Nothing was paid, unless the error is [`ClientError::Unconfirmed`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PostError {
    /// The job directory or the spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The chain.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The upload.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The sums leave 64 bits.
    #[error("compute the price: {0}")]
    Fee(#[from] FeeError),
    /// The poster has a job with the id that was asked for.
    #[error("post the job: the id {id} is taken by your job {job}")]
    IdTaken {
        /// The id.
        id: u64,
        /// The job that has it.
        job: Pubkey,
    },
    /// No place to upload to was given.
    #[error("upload the job: no content node was given")]
    NoContent,
    /// Preparing was cut short.
    #[error("prepare the job: the task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl NextStep for PostError {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Spec(error) => error.next_step(),
            Self::Client(error) => error.next_step(),
            Self::Publish(_) => Some(Cow::Borrowed("check the content node's URL: `assay doctor`")),
            Self::Fee(_) => Some(Cow::Borrowed("lower the price, the base fee or the gas limit")),
            Self::IdTaken { job, .. } => Some(Cow::Owned(format!(
                "if it is this very job, it is posted already: `assay job wait {job}`; else give another id, or none; the id is \
                 free again once that job is closed"
            ))),
            Self::NoContent => Some(Cow::Borrowed("give a content node, or start one with `assay localnet`")),
            Self::Task(_) => None,
        }
    }

    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Client(error) if error.is_unreachable())
    }
}

impl Client {
    /// Packs, checks, quotes, uploads and creates a job, all in one call.
    ///
    /// # Errors
    /// [`PostError`]; see there what was paid.
    pub async fn post_job(&self, spec: &JobSpec) -> Result<PostedJob, PostError> {
        let prepared = self.prepare_job(spec).await?;
        let quote = self.quote(spec, &prepared).await?;
        self.post_prepared(spec, prepared, quote).await
    }

    /// [`JobSpec::prepare`] on a thread that may block.
    ///
    /// # Errors
    /// [`PostError::Spec`] says what a provider would find wrong with the job.
    pub async fn prepare_job(&self, spec: &JobSpec) -> Result<PreparedJob, PostError> {
        let spec = spec.clone();
        Ok(tokio::task::spawn_blocking(move || spec.prepare()).await??)
    }

    /// The most that the job can cost.
    ///
    /// # Errors
    /// [`PostError::Client`] when the market cannot be read or is another cluster's; [`PostError::Fee`].
    pub async fn quote(&self, spec: &JobSpec, prepared: &PreparedJob) -> Result<Quote, PostError> {
        let [market, clock] = self.accounts_together([spec.market(), ChainTime::ADDRESS]).await?;
        let (market, now) = (decoded(spec.market(), market.as_ref())?, ChainTime::of(clock.as_ref())?);
        self.check_cluster(&spec.market(), &market).await?;
        let rent_lamports = self.rent_lamports(program::account_bytes::<Job>()).await?;
        let priority_lamports = self.config.fees.lamports(SIGN_ATTEMPTS_MAX - 1, CREATE_JOB_UNITS);
        Ok(Quote::new(&QuoteInput {
            price: spec.price(),
            gas_limit: prepared.task.limits.gas_limit,
            redundancy: spec.redundancy(),
            mode: spec.mode(),
            terms: &market.current_terms(now.unix),
            rent_lamports,
            transaction_fee_lamports: TRANSACTION_FEE_LAMPORTS.saturating_add(priority_lamports),
        })?)
    }

    /// Checks, uploads and creates a job for which a quote was accepted.
    ///
    /// # Errors
    /// As [`Self::check_job`] and [`Self::post_checked`].
    pub async fn post_prepared(
        &self,
        spec: &JobSpec,
        prepared: PreparedJob,
        quote: Quote,
    ) -> Result<PostedJob, PostError> {
        self.post_checked(self.check_job(spec, prepared, quote).await?).await
    }

    /// Everything that can be checked before anything is uploaded or paid: the market's terms, the id, the poster's balance
    /// against the most that the job can cost, and what the program says to `create_job`.
    ///
    /// # Errors
    /// [`PostError`] names the first that fails.
    pub async fn check_job(
        &self,
        spec: &JobSpec,
        prepared: PreparedJob,
        quote: Quote,
    ) -> Result<CheckedJob, PostError> {
        let poster = self.signer_address()?;
        let market = spec.market();
        let id = spec.id().unwrap_or_else(|| job_id_with_highest_bump(&market, &poster));
        let seeds = JobSeeds { market, poster, id };
        let job = seeds.address();
        let [terms, clock, taken, payer] = self.accounts_together([market, ChainTime::ADDRESS, job, poster]).await?;
        spec.check_market(&prepared.task, &decoded(market, terms.as_ref())?, ChainTime::of(clock.as_ref())?.unix)?;
        // What has lamports only is no job, and hinders none.
        if taken.is_some_and(|taken| taken.owner == program::ID.to_string()) {
            return Err(PostError::IdTaken { id, job });
        }
        let (have_lamports, need_lamports) = (payer.map_or(0, |payer| payer.lamports), quote.total_lamports);
        if have_lamports < need_lamports {
            return Err(ClientError::InsufficientFunds { payer: poster, have_lamports, need_lamports }.into());
        }
        let create = instructions::create_job(&CreateJob::of(spec, &prepared.task, seeds, quote.escrow_lamports));
        let simulation = self.dry_run(std::slice::from_ref(&create)).await?;
        Ok(CheckedJob { seeds, create, simulation, quote, prepared })
    }

    async fn accounts_together<const N: usize>(
        &self,
        addresses: [Pubkey; N],
    ) -> Result<[Option<UiAccount>; N], ClientError> {
        let found = self.raw_accounts(&addresses).await?;
        // An endpoint that leaves accounts out says of these that they are not there.
        let mut found = found.into_iter();
        Ok(std::array::from_fn(|_| found.next().flatten()))
    }

    /// Uploads and creates a job that was checked.
    ///
    /// # Errors
    /// [`PostError`]; see there what was paid.
    pub async fn post_checked(&self, checked: CheckedJob) -> Result<PostedJob, PostError> {
        let content = self.content.as_ref().ok_or(PostError::NoContent)?;
        let CheckedJob { seeds, create, simulation, quote, prepared } = checked;
        content.publisher.publish(&prepared.package).await?;
        let plan = TransactionPlan { instructions: &[create], payer: self.signer()?, signers: &[] };
        let created = self.send_simulated(&plan, &simulation).await?;
        let handle = JobHandle::new(self.clone(), seeds.address());
        Ok(PostedJob { handle, created, quote, prepared })
    }
}

fn decoded<T: ProgramAccount>(address: Pubkey, account: Option<&UiAccount>) -> Result<T, ClientError> {
    decode_ui(address, account.ok_or(ClientError::NotFound { kind: T::KIND, address })?)
}

impl CreateJob {
    /// What a spec asks for, of the task that was prepared from it.
    #[must_use]
    pub fn of(spec: &JobSpec, task: &TaskSpec, seeds: JobSeeds, escrow_lamports: u64) -> Self {
        let Price { base_fee_lamports, price } = spec.price();
        Self {
            seeds,
            job_cid_digest: task.job_cid_digest,
            metered_hash: task.metered_hash,
            profile: task.profile,
            limits: task.limits,
            seed: task.seed,
            clock_unix_ns: task.clock_unix_ns,
            price,
            base_fee_lamports,
            mode: spec.mode(),
            redundancy: spec.redundancy(),
            min_trust_bps: spec.min_trust_bps(),
            escrow_lamports,
            expires_unix: spec.expires_unix(),
            agreement_s: spec.agreement_s(),
        }
    }
}

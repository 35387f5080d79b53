//! One builder per instruction, under the instruction's own name. Each takes what the program cannot derive and fills
//! in addresses; none touches the network.

use anchor_lang::{InstructionData, ToAccountMetas};
use assay_protocol::{Hash32, JobStatus, MarketTerms, Mode, Outcome, TaskLimits};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use crate::{
    pda::{self, ExecutionSeeds, JobSeeds, MARKET_NAME_BYTES},
    program::{self, accounts::Job, client, types},
};

mod disputes;
mod name;
mod seats;
mod verdicts;

pub use disputes::{
    Duty, Juror, OpenDispute, Secret, VoteTickets, commit_vote, enter_dispute, excuse_vote, open_dispute,
    record_jury_seed, reveal_outcome, reveal_vote, set_duty, tally_round,
};
pub use name::name;
pub use seats::{
    EnrollStake, RecordCollision, commit_result, enroll_stake, record_collision, record_seed, reveal_result,
};
pub use verdicts::{
    SettleChallenge, SettleVote, SlashAbsent, appeal, close_dispute, settle_challenge, settle_dispute, settle_vote,
    slash_absent,
};

/// Bytes of a provider's endpoint.
pub const ENDPOINT_BYTES: usize = 64;

fn build(accounts: impl ToAccountMetas, data: impl InstructionData) -> Instruction {
    Instruction { program_id: program::ID, accounts: accounts.to_account_metas(None), data: data.data() }
}

const SYSTEM_PROGRAM: Pubkey = solana_sdk_ids::system_program::ID;

/// Creates the sink; once per program, by anybody.
#[must_use]
pub fn create_sink(payer: Pubkey) -> Instruction {
    let accounts = client::accounts::CreateSink { payer, sink: pda::sink_address(), system_program: SYSTEM_PROGRAM };
    build(accounts, client::args::CreateSink {})
}

/// What [`create_market`] needs.
#[derive(Clone, Copy, Debug)]
pub struct CreateMarket {
    /// Creator and first authority; pays the rent.
    pub authority: Pubkey,
    /// Name, zero padded; see [`pda::market_name`].
    pub name: [u8; MARKET_NAME_BYTES],
    /// `cluster_tag` of the cluster's genesis hash.
    pub cluster: Hash32,
    /// Terms.
    pub terms: MarketTerms,
}

/// Creates a market at [`pda::market_address`].
#[must_use]
pub fn create_market(market: &CreateMarket) -> Instruction {
    let accounts = client::accounts::CreateMarket {
        authority: market.authority,
        market: pda::market_address(&market.authority, &market.name),
        system_program: SYSTEM_PROGRAM,
    };
    let args = types::CreateMarketArgs {
        name: market.name,
        cluster: market.cluster,
        mint: Pubkey::default(),
        terms: market.terms.into(),
    };
    build(accounts, client::args::CreateMarket { args })
}

/// A market and who acts as its authority.
#[derive(Clone, Copy, Debug)]
pub struct MarketAuthority {
    /// The authority, or the proposed one where an instruction says so.
    pub authority: Pubkey,
    /// The market.
    pub market: Pubkey,
}

/// Announces a market's new terms, which wait one unbonding period.
#[must_use]
pub fn update_market(market: &MarketAuthority, terms: &MarketTerms) -> Instruction {
    let accounts = client::accounts::UpdateMarket { authority: market.authority, market: market.market };
    build(accounts, client::args::UpdateMarket { args: types::UpdateMarketArgs { terms: (*terms).into() } })
}

/// Pauses a market until a moment at most 72 hours away; a moment that has passed ends the pause.
#[must_use]
pub fn pause_market(market: &MarketAuthority, until_unix: i64) -> Instruction {
    let accounts = client::accounts::PauseMarket { authority: market.authority, market: market.market };
    build(accounts, client::args::PauseMarket { args: types::PauseMarketArgs { until_unix } })
}

/// Proposes another authority; it takes over by [`accept_market_authority`].
#[must_use]
pub fn propose_market_authority(market: &MarketAuthority, new_authority: Pubkey) -> Instruction {
    let accounts = client::accounts::ProposeMarketAuthority { authority: market.authority, market: market.market };
    build(accounts, client::args::ProposeMarketAuthority { args: types::ProposeMarketAuthorityArgs { new_authority } })
}

/// Takes a market over; `authority` is the proposed one.
#[must_use]
pub fn accept_market_authority(market: &MarketAuthority) -> Instruction {
    let accounts = client::accounts::AcceptMarketAuthority { new_authority: market.authority, market: market.market };
    build(accounts, client::args::AcceptMarketAuthority {})
}

/// Pays a market's fees to its authority.
#[must_use]
pub fn claim_market_fees(market: &MarketAuthority) -> Instruction {
    let accounts = client::accounts::ClaimMarketFees { authority: market.authority, market: market.market };
    build(accounts, client::args::ClaimMarketFees {})
}

/// What [`register_provider`] needs.
#[derive(Clone, Copy, Debug)]
pub struct RegisterProvider {
    /// Cold key; pays stake and rent.
    pub authority: Pubkey,
    /// Hot key; signs too.
    pub node_key: Pubkey,
    /// The market.
    pub market: Pubkey,
    /// First stake.
    pub stake_lamports: u64,
    /// Most that may be locked at once.
    pub exposure_cap_lamports: u64,
    /// Most seats at once.
    pub capacity: u16,
    /// Where it can be reached, zero padded; see [`endpoint`].
    pub endpoint: [u8; ENDPOINT_BYTES],
}

/// An endpoint as the account stores it: UTF-8, zero padded; `None` when it is longer than 64 bytes.
#[must_use]
pub fn endpoint(text: &str) -> Option<[u8; ENDPOINT_BYTES]> {
    let mut bytes = [0; ENDPOINT_BYTES];
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(bytes)
}

/// Registers a provider at [`pda::provider_address`].
#[must_use]
pub fn register_provider(provider: &RegisterProvider) -> Instruction {
    let accounts = client::accounts::RegisterProvider {
        authority: provider.authority,
        node_key: provider.node_key,
        market: provider.market,
        provider: pda::provider_address(&provider.market, &provider.authority),
        system_program: SYSTEM_PROGRAM,
    };
    let args = types::RegisterProviderArgs {
        stake_lamports: provider.stake_lamports,
        exposure_cap_lamports: provider.exposure_cap_lamports,
        capacity: provider.capacity,
        endpoint: provider.endpoint,
    };
    build(accounts, client::args::RegisterProvider { args })
}

/// A provider's market and cold key, which make its address.
#[derive(Clone, Copy, Debug)]
pub struct ProviderAuthority {
    /// Cold key.
    pub authority: Pubkey,
    /// The market.
    pub market: Pubkey,
}

impl ProviderAuthority {
    /// Address of the Provider account.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        pda::provider_address(&self.market, &self.authority)
    }
}

/// What [`update_provider`] changes; `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProviderChanges {
    /// Most that may be locked at once.
    pub exposure_cap_lamports: Option<u64>,
    /// Most seats at once.
    pub capacity: Option<u16>,
    /// Where it can be reached.
    pub endpoint: Option<[u8; ENDPOINT_BYTES]>,
    /// Another hot key, which signs too; takes effect at once.
    pub new_node_key: Option<Pubkey>,
}

/// Changes a provider's settings.
#[must_use]
pub fn update_provider(provider: &ProviderAuthority, changes: &ProviderChanges) -> Instruction {
    let accounts = client::accounts::UpdateProvider {
        authority: provider.authority,
        provider: provider.address(),
        new_node_key: changes.new_node_key,
    };
    let args = types::UpdateProviderArgs {
        exposure_cap_lamports: changes.exposure_cap_lamports,
        capacity: changes.capacity,
        endpoint: changes.endpoint,
    };
    build(accounts, client::args::UpdateProvider { args })
}

/// Adds stake.
#[must_use]
pub fn stake(provider: &ProviderAuthority, lamports: u64) -> Instruction {
    let accounts = client::accounts::Stake {
        authority: provider.authority,
        provider: provider.address(),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::Stake { args: types::StakeArgs { lamports } })
}

/// Begins to take stake out; it can be withdrawn after the market's unbonding period.
#[must_use]
pub fn unstake(provider: &ProviderAuthority, lamports: u64) -> Instruction {
    let accounts = client::accounts::Unstake {
        authority: provider.authority,
        market: provider.market,
        provider: provider.address(),
    };
    build(accounts, client::args::Unstake { args: types::UnstakeArgs { lamports } })
}

/// Pays out what has unbonded.
#[must_use]
pub fn withdraw_stake(provider: &ProviderAuthority) -> Instruction {
    let accounts = client::accounts::WithdrawStake { authority: provider.authority, provider: provider.address() };
    build(accounts, client::args::WithdrawStake {})
}

/// Closes a provider without stake, earnings or seats; the rent goes to its authority.
#[must_use]
pub fn close_provider(provider: &ProviderAuthority) -> Instruction {
    let accounts = client::accounts::CloseProvider { authority: provider.authority, provider: provider.address() };
    build(accounts, client::args::CloseProvider {})
}

/// Pays a provider's earnings to its authority; anybody may send it.
#[must_use]
pub fn claim_reward(provider: &ProviderAuthority) -> Instruction {
    let accounts = client::accounts::ClaimReward { provider: provider.address(), authority: provider.authority };
    build(accounts, client::args::ClaimReward {})
}

/// What [`create_job`] needs.
#[derive(Clone, Copy, Debug)]
pub struct CreateJob {
    /// Market, poster and id.
    pub seeds: JobSeeds,
    /// SHA-256 digest of the job directory's CID.
    pub job_cid_digest: Hash32,
    /// SHA-256 of the metered module.
    pub metered_hash: Hash32,
    /// Execution profile.
    pub profile: u32,
    /// Limits.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock.
    pub clock_unix_ns: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome.
    pub base_fee_lamports: u64,
    /// How the result is found.
    pub mode: Mode,
    /// Seats.
    pub redundancy: u8,
    /// Least trust score of a provider.
    pub min_trust_bps: u16,
    /// Paid in.
    pub escrow_lamports: u64,
    /// The job expires when nobody accepted it before this moment; 0 is the market's queue timeout.
    pub expires_unix: i64,
    /// Seconds of the window after several seats agreed; `None` is the length of the challenge window, 0 lets nobody appeal.
    pub agreement_s: Option<u32>,
}

/// Creates a job and pays its escrow.
#[must_use]
pub fn create_job(job: &CreateJob) -> Instruction {
    let accounts = client::accounts::CreateJob {
        poster: job.seeds.poster,
        market: job.seeds.market,
        job: job.seeds.address(),
        system_program: SYSTEM_PROGRAM,
    };
    let args = types::CreateJobArgs {
        id: job.seeds.id,
        job_cid_digest: job.job_cid_digest,
        metered_hash: job.metered_hash,
        profile: job.profile,
        limits: job.limits.into(),
        seed: job.seed,
        clock_unix_ns: job.clock_unix_ns,
        price: job.price,
        base_fee_lamports: job.base_fee_lamports,
        redundancy: job.redundancy,
        mode: job.mode.code(),
        min_trust_bps: job.min_trust_bps,
        escrow_lamports: job.escrow_lamports,
        expires_unix: job.expires_unix,
        agreement_s: job.agreement_s,
    };
    build(accounts, client::args::CreateJob { args })
}

/// A job and its poster.
#[derive(Clone, Copy, Debug)]
pub struct JobPoster {
    /// The job.
    pub job: Pubkey,
    /// Its poster.
    pub poster: Pubkey,
}

/// Cancels a job that nobody holds a seat of.
#[must_use]
pub fn cancel_job(job: &JobPoster) -> Instruction {
    let accounts = client::accounts::CancelJob { poster: job.poster, job: job.job };
    build(accounts, client::args::CancelJob {})
}

/// Closes a job that is over and settled; everything left goes to the poster. Anybody may send it.
#[must_use]
pub fn close_job(job: &JobPoster) -> Instruction {
    let accounts = client::accounts::CloseJob { job: job.job, poster: job.poster };
    build(accounts, client::args::CloseJob {})
}

/// One provider's seat in one job, and the hot key that acts for it.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// The job.
    pub job: Pubkey,
    /// The Provider account.
    pub provider: Pubkey,
    /// Its hot key.
    pub node_key: Pubkey,
}

impl Seat {
    /// Address of the Execution account.
    #[must_use]
    pub fn execution(&self) -> Pubkey {
        ExecutionSeeds { job: self.job, provider: self.provider }.address()
    }
}

/// What `accept_job` takes.
#[derive(Clone, Copy, Debug)]
pub struct AcceptJob {
    /// The seat.
    pub seat: Seat,
    /// The market.
    pub market: Pubkey,
    /// Uid of the job that was checked; one that was created again at its address is refused.
    pub job_uid: [u8; 32],
    /// A ticket of the provider that wins, see `assay_protocol::tickets`; ignored by an optimistic job.
    pub ticket: u32,
}

/// Takes a seat; the bond is locked and the node key pays the execution's rent.
#[must_use]
pub fn accept_job(accept: &AcceptJob) -> Instruction {
    let AcceptJob { seat, market, job_uid, ticket } = *accept;
    let accounts = client::accounts::AcceptJob {
        node_key: seat.node_key,
        market,
        provider: seat.provider,
        job: seat.job,
        execution: seat.execution(),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::AcceptJob { args: types::AcceptJobArgs { job_uid, ticket } })
}

/// How [`decline_job`] gives a seat back.
#[derive(Clone, Copy, Debug)]
pub struct DeclineJob {
    /// The seat.
    pub seat: Seat,
    /// Who paid the execution's rent.
    pub rent_payer: Pubkey,
    /// Why; see docs/PROTOCOL.md.
    pub reason: u16,
}

/// Gives a seat back in time, for a small fee.
#[must_use]
pub fn decline_job(decline: &DeclineJob) -> Instruction {
    let accounts = client::accounts::DeclineJob {
        node_key: decline.seat.node_key,
        provider: decline.seat.provider,
        job: decline.seat.job,
        execution: decline.seat.execution(),
        rent_payer: decline.rent_payer,
        sink: pda::sink_address(),
    };
    build(accounts, client::args::DeclineJob { args: types::DeclineJobArgs { reason: decline.reason } })
}

/// Submits a seat's outcome.
#[must_use]
pub fn submit_results(seat: &Seat, outcome: &Outcome) -> Instruction {
    let accounts = client::accounts::SubmitResults {
        node_key: seat.node_key,
        provider: seat.provider,
        job: seat.job,
        execution: seat.execution(),
    };
    build(accounts, client::args::SubmitResults { args: types::SubmitResultsArgs { outcome: outcome.encode() } })
}

/// Makes a result final once its window is over. Anybody may send it.
#[must_use]
pub fn finalize_job(job: Pubkey) -> Instruction {
    build(client::accounts::FinalizeJob { job }, client::args::FinalizeJob {})
}

/// What [`settle_execution`] needs.
#[derive(Clone, Copy, Debug)]
pub struct SettleExecution {
    /// The job.
    pub job: Pubkey,
    /// Its market.
    pub market: Pubkey,
    /// The Provider account.
    pub provider: Pubkey,
    /// Who paid the execution's rent.
    pub rent_payer: Pubkey,
    /// Whether the job has a dispute, see `disputes_open`.
    pub is_disputed: bool,
}

/// Pays and unlocks a seat of a job that is over, and closes its execution. Anybody may send it.
#[must_use]
pub fn settle_execution(settle: &SettleExecution) -> Instruction {
    let accounts = client::accounts::SettleExecution {
        job: settle.job,
        execution: ExecutionSeeds { job: settle.job, provider: settle.provider }.address(),
        provider: settle.provider,
        market: settle.market,
        rent_payer: settle.rent_payer,
        // Needed only where something is lost; whoever sends this need not know.
        sink: Some(pda::sink_address()),
        dispute: settle.is_disputed.then(|| pda::dispute_address(&settle.job)),
    };
    build(accounts, client::args::SettleExecution {})
}

/// Ends what passed its deadline: an open job expires, one seat that is assigned is taken from its provider, which pays a
/// penalty, and several seats are counted. `job` is the account as fetched; it decides which accounts are needed. Anybody may
/// send it.
#[must_use]
pub fn expire_job(address: Pubkey, job: &Job) -> Instruction {
    let runs_alone = job.job_status() == Some(JobStatus::Assigned) && job.seats_wanted == 1;
    expire(address, job.seat_holder().filter(|_| runs_alone))
}

/// [`expire_job`] for whoever knows only that no seat holds the job alone: it is open, or has several seats.
#[must_use]
pub fn expire_job_of_several(address: Pubkey) -> Instruction {
    expire(address, None)
}

fn expire(job: Pubkey, holder: Option<Pubkey>) -> Instruction {
    let accounts = client::accounts::ExpireJob {
        job,
        execution: holder.map(|provider| ExecutionSeeds { job, provider }.address()),
        provider: holder,
        sink: holder.map(|_| pda::sink_address()),
    };
    build(accounts, client::args::ExpireJob {})
}

#[cfg(test)]
#[path = "instructions_tests.rs"]
mod tests;

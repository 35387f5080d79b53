//! Everybody who takes part in one job, their addresses, and each instruction as they would send it.

use assay_protocol::{MarketTerms, Outcome, OutcomeKind, TaskLimits, TaskSpec, fees, fees::Price};
use solana_pubkey::Pubkey;

use crate::{
    assay,
    world::{SOL, World},
};

/// The system program.
pub const SYSTEM_PROGRAM: Pubkey = Pubkey::new_from_array([0; 32]);
/// Genesis hash of the cluster that the tests pretend to be.
pub const GENESIS: [u8; 32] = [7; 32];
/// Stake of a registered provider.
pub const STAKE: u64 = 10 * SOL;
/// Exposure cap of a registered provider.
pub const EXPOSURE_CAP: u64 = 5 * SOL;
/// Seats of a registered provider.
pub const CAPACITY: u16 = 4;

/// Terms that the tests use unless they are about terms.
#[must_use]
pub const fn terms() -> MarketTerms {
    MarketTerms {
        fee_bps: 250,
        stake_min_lamports: SOL,
        bond_min_lamports: 10_000_000,
        bond_rate_bps: 15_000,
        miss_rate_bps: 5_000,
        delay_fee_lamports: 1_000_000,
        decline_fee_lamports: 10_000,
        attempts_max: 3,
        queue_timeout_s: 600,
        execution_base_s: 60,
        challenge_base_s: 60,
        job_total_s: 3_600,
        unbonding_s: 86_400,
        verify_rate_gas_per_s: 10_000_000,
        gas_limit_max: 10_000_000_000,
        profiles: 1,
        quorum_bps: 6_667,
        executions_max: 9,
        ticket_lamports: 100_000_000,
        widen_s: 10,
        reveal_s: 60,
        jury_lambda: 9,
        jury_quorum_bps: 5_000,
        juror_bond_lamports: 5_000_000,
        duty_rate_bps: 500,
        audit_one_in_min: 10,
        audit_one_in_max: 50,
        jail_s: 86_400,
    }
}

/// What the tests' jobs pay.
pub const PRICE: Price = Price { base_fee_lamports: 5_000, price: 1_000_000_000 };

/// A task inside the tests' terms.
#[must_use]
pub fn task() -> TaskSpec {
    TaskSpec {
        profile: 1,
        job_cid_digest: [3; 32],
        metered_hash: [4; 32],
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: assay_protocol::limits::CLOCK_UNIX_NS_DEFAULT,
    }
}

/// A program that returned after this much gas.
#[must_use]
pub fn exited(gas_used: u64) -> Outcome {
    Outcome {
        kind: OutcomeKind::Exited,
        detail: 0,
        exit_code: 0,
        gas_used,
        result_cid_digest: [9; 32],
        state_root: [0; 32],
    }
}

/// Most that a job with these limits and price can cost, and its escrow under these terms.
#[must_use]
pub fn escrow(price: Price, gas_limit: u64, terms: &MarketTerms) -> u64 {
    let max_pay = price.pay(gas_limit).expect("in bounds");
    fees::escrow_required(max_pay, 1, terms.fee_bps).expect("in bounds")
}

/// A market, one of its providers, one poster and one job.
#[derive(Clone, Copy, Debug)]
pub struct Party {
    /// Creates and runs the market.
    pub market_authority: Pubkey,
    /// The market.
    pub market: Pubkey,
    /// Part of the market's address.
    pub market_name: [u8; 32],
    /// The provider's cold key.
    pub authority: Pubkey,
    /// The provider's hot key.
    pub node_key: Pubkey,
    /// The provider.
    pub provider: Pubkey,
    /// Posts the job.
    pub poster: Pubkey,
    /// Part of the job's address.
    pub job_id: u64,
    /// The job.
    pub job: Pubkey,
    /// The provider's seat in the job.
    pub execution: Pubkey,
}

/// The address of the program's account with these seeds.
#[must_use]
pub fn address(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &assay::ID).0
}

/// Where burned shares go.
#[must_use]
pub fn sink() -> Pubkey {
    address(&[b"sink"])
}

impl Party {
    /// New wallets with 100 SOL each and a market of their own.
    pub fn new(world: &mut World) -> Self {
        let market_authority = world.wallet(100 * SOL);
        let mut name = [0; 32];
        name[..4].copy_from_slice(b"test");
        let market = address(&[b"market", market_authority.as_ref(), &name]);
        Self::in_market(world, market_authority, market, name)
    }

    /// Another provider, poster and job in the same market.
    pub fn another(&self, world: &mut World) -> Self {
        Self::in_market(world, self.market_authority, self.market, self.market_name)
    }

    fn in_market(world: &mut World, market_authority: Pubkey, market: Pubkey, market_name: [u8; 32]) -> Self {
        let (authority, node_key, poster) = (world.wallet(100 * SOL), world.wallet(SOL), world.wallet(100 * SOL));
        let provider = address(&[b"provider", market.as_ref(), authority.as_ref()]);
        let unset = Pubkey::default();
        let party = Self {
            market_authority,
            market,
            market_name,
            authority,
            node_key,
            provider,
            poster,
            job_id: 0,
            job: unset,
            execution: unset,
        };
        party.with_job(1)
    }

    /// The same people with another job id.
    #[must_use]
    pub fn with_job(mut self, id: u64) -> Self {
        self.job_id = id;
        self.job = address(&[b"job", self.market.as_ref(), self.poster.as_ref(), &id.to_le_bytes()]);
        self.execution = address(&[b"execution", self.job.as_ref(), self.provider.as_ref()]);
        self
    }

    /// Whether the first address tried for the job is off the curve.
    #[must_use]
    pub fn job_bump_is_highest(&self) -> bool {
        let seeds: [&[u8]; 4] = [b"job", self.market.as_ref(), self.poster.as_ref(), &self.job_id.to_le_bytes()];
        Pubkey::find_program_address(&seeds, &assay::ID).1 == u8::MAX
    }

    /// The same job with the provider of another party.
    #[must_use]
    pub fn with_provider_of(mut self, other: &Self) -> Self {
        (self.authority, self.node_key, self.provider) = (other.authority, other.node_key, other.provider);
        self.with_job(self.job_id)
    }
}

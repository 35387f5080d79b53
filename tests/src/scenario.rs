//! The stages of a job's life, so that each test begins where its story does.

use assay_protocol::{JobStatus, MarketTerms};
use solana_pubkey::Pubkey;

use crate::{
    assay::accounts::{Job, Provider},
    calls::create_sink,
    party::{Party, exited, terms},
    world::{SOL, World},
};

/// Gas that the tests' results used.
pub const GAS_USED: u64 = 400_000_000;

/// A world with one party in it.
#[derive(Clone)]
pub struct Scenario {
    /// The ledger.
    pub world: World,
    /// Everybody in it.
    pub party: Party,
}

impl Scenario {
    /// The sink, a market with the tests' terms, a registered provider; no job.
    #[must_use]
    pub fn ready() -> Self {
        Self::ready_with(&terms())
    }

    /// As [`Self::ready`] with other terms.
    #[must_use]
    pub fn ready_with(terms: &MarketTerms) -> Self {
        let mut world = World::new();
        let payer = world.wallet(SOL);
        world.ok(&create_sink(payer));
        let party = Party::new(&mut world);
        world.ok(&party.create_market(terms));
        world.ok(&party.register_provider());
        Self { world, party }
    }

    /// A job is open.
    #[must_use]
    pub fn open() -> Self {
        let mut this = Self::ready();
        this.world.ok(&this.party.create_job());
        this.world.next_slot();
        this
    }

    /// The provider holds the seat.
    #[must_use]
    pub fn assigned() -> Self {
        let mut this = Self::open();
        this.world.ok(&this.party.accept_job(&this.world));
        this
    }

    /// A result stands.
    #[must_use]
    pub fn submitted() -> Self {
        let mut this = Self::assigned();
        this.world.advance(5);
        this.world.ok(&this.party.submit_results(&exited(GAS_USED)));
        this
    }

    /// The result is final, the seat not settled.
    #[must_use]
    pub fn resolved() -> Self {
        let mut this = Self::submitted();
        this.world.advance_to(this.job().window_deadline_unix);
        this.world.ok(&this.party.finalize_job());
        this
    }

    /// The seat is settled; the job can be closed.
    #[must_use]
    pub fn settled() -> Self {
        let mut this = Self::resolved();
        this.world.ok(&this.party.settle_execution());
        this
    }

    /// The poster took the job back.
    #[must_use]
    pub fn cancelled() -> Self {
        let mut this = Self::open();
        this.world.ok(&this.party.cancel_job());
        this
    }

    /// Nobody took the job in time.
    #[must_use]
    pub fn expired() -> Self {
        let mut this = Self::open();
        this.world.advance_to(this.job().queue_deadline_unix);
        this.world.ok(&this.party.expire_open_job());
        this
    }

    /// The provider let its deadline pass; the job waits for another.
    #[must_use]
    pub fn requeued() -> Self {
        let mut this = Self::assigned();
        this.world.advance_to(this.job().execution_deadline_unix);
        this.world.ok(&this.party.expire_assigned_job());
        this
    }

    /// Another registered provider in the same market, with the same job.
    pub fn rival(&mut self) -> Party {
        let other = self.party.another(&mut self.world);
        self.world.ok(&other.register_provider());
        self.party.with_provider_of(&other)
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Job {
        self.world.read(&self.party.job)
    }

    /// Where the job stands.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        JobStatus::from_code(self.job().status).expect("a known status")
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.world.read(&self.party.provider)
    }

    /// Balance of an address.
    #[must_use]
    pub fn lamports(&self, key: &Pubkey) -> u64 {
        self.world.lamports(key)
    }
}

//! Several providers with enrolled stake and one job of several seats, from posting to the end.

use assay_protocol::{JobStatus, MarketTerms, Mode, Outcome, limits::TRUST_HALF_FEE_LAMPORTS};

use crate::{
    assay::{
        accounts::{Execution, Job, Market, Provider, Sink},
        types::CreateJobArgs,
    },
    calls::{create_sink, job_args},
    party::{Party, sink, terms},
    world::{SOL, World},
};

/// A ledger, its providers and their job.
#[derive(Clone)]
pub struct Panel {
    /// The ledger.
    pub world: World,
    /// The providers, each with the same poster and job.
    pub parties: Vec<Party>,
}

impl Panel {
    /// A market with so many providers whose stake is mature and enrolled; no job.
    #[must_use]
    pub fn ready(providers: usize) -> Self {
        Self::ready_with(providers, &terms())
    }

    /// As [`Self::ready`], in a market with these terms.
    #[must_use]
    pub fn ready_with(providers: usize, terms: &MarketTerms) -> Self {
        Self::ready_in(World::new(), providers, terms)
    }

    /// As [`Self::ready_with`], on this ledger.
    #[must_use]
    pub fn ready_in(mut world: World, providers: usize, terms: &MarketTerms) -> Self {
        let payer = world.wallet(SOL);
        world.ok(&create_sink(payer));
        let first = Party::new(&mut world);
        world.ok(&first.create_market(terms));
        let mut parties = vec![first];
        for _ in 1..providers {
            let other = first.another(&mut world);
            parties.push(first.with_provider_of(&other));
        }
        for party in &parties {
            world.ok(&party.register_provider());
        }
        world.advance(i64::from(terms.unbonding_s));
        for party in &parties {
            world.ok(&party.enroll_stake());
        }
        Self { world, parties }
    }

    /// Arguments of a job of several seats with an escrow that covers nine.
    #[must_use]
    pub fn args(&self, mode: Mode, redundancy: u8) -> CreateJobArgs {
        let mut args = job_args(self.parties[0].job_id);
        (args.mode, args.redundancy) = (mode.code(), redundancy);
        args.escrow_lamports *= 9;
        args
    }

    /// A job is open and its seed recorded. So much time has passed that nearly every ticket wins, and not yet all.
    #[must_use]
    pub fn open(providers: usize, mode: Mode, redundancy: u8) -> Self {
        let mut this = Self::ready(providers);
        let args = this.args(mode, redundancy);
        this.world.ok(&this.parties[0].create_job_with(args));
        this.draw();
        this
    }

    /// Records the seed and waits until nearly every ticket wins.
    pub fn draw(&mut self) {
        self.world.advance(60);
        self.world.list_slots();
        self.world.ok(&self.parties[0].record_seed());
    }

    /// The first so many providers take their seats.
    #[must_use]
    pub fn assigned(mode: Mode, seats: u8) -> Self {
        let mut this = Self::open(usize::from(seats) + 2, mode, seats);
        for index in 0..usize::from(seats) {
            this.accept(index);
        }
        this
    }

    /// A provider takes a seat by a ticket that wins.
    pub fn accept(&mut self, index: usize) {
        let party = self.parties[index];
        assert!(party.winning_ticket(&self.world).is_some(), "no ticket of {index} wins");
        self.world.ok(&party.accept_job(&self.world));
    }

    /// Writes a record with this score, basis points, into a provider's account.
    pub fn trust(&mut self, index: usize, score_bps: u64) {
        self.world.edit::<Provider>(&self.parties[index].provider, |provider| {
            provider.trust.confirmed = 100;
            provider.trust.confirmed_fee_lamports = (TRUST_HALF_FEE_LAMPORTS * score_bps).div_ceil(10_000 - score_bps);
        });
    }

    /// Everybody's own salt.
    #[must_use]
    pub fn salt(index: usize) -> [u8; 32] {
        [u8::try_from(index + 1).expect("few providers"); 32]
    }

    /// A provider commits to an outcome.
    pub fn commit(&mut self, index: usize, outcome: &Outcome) {
        let party = self.parties[index];
        let commitment = party.commitment(&self.world, outcome, Self::salt(index));
        self.world.ok(&party.commit_result(commitment));
    }

    /// A provider reveals it.
    pub fn reveal(&mut self, index: usize, outcome: &Outcome) {
        self.world.ok(&self.parties[index].reveal_result(outcome, Self::salt(index)));
    }

    /// These providers commit to these outcomes, then all reveal.
    pub fn run(&mut self, outcomes: &[(usize, Outcome)]) {
        for (index, outcome) in outcomes {
            self.commit(*index, outcome);
        }
        for (index, outcome) in outcomes {
            self.reveal(*index, outcome);
        }
    }

    /// The window passes, the result is final, every seat of these is settled and the job closed.
    pub fn finish(&mut self, seats: &[usize]) {
        self.world.advance_to(self.job().window_deadline_unix);
        self.world.ok(&self.parties[0].finalize_job());
        self.settle(seats);
    }

    /// These seats are settled and the job closed.
    pub fn settle(&mut self, seats: &[usize]) {
        for index in seats {
            self.world.ok(&self.parties[*index].settle_execution());
        }
        self.world.ok(&self.parties[0].close_job());
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Job {
        self.world.read(&self.parties[0].job)
    }

    /// Where the job stands.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        JobStatus::from_code(self.job().status).expect("a known status")
    }

    /// A provider.
    #[must_use]
    pub fn provider(&self, index: usize) -> Provider {
        self.world.read(&self.parties[index].provider)
    }

    /// A provider's seat.
    #[must_use]
    pub fn seat(&self, index: usize) -> Execution {
        self.world.read(&self.parties[index].execution)
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> Market {
        self.world.read(&self.parties[0].market)
    }

    /// Everything burned so far.
    #[must_use]
    pub fn burned(&self) -> u64 {
        self.world.read::<Sink>(&sink()).burned_lamports
    }
}

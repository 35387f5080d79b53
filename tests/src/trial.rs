//! A dispute from the posting of its job to the last lamport: what was run, contested, judged, and what everybody got.

use assay_protocol::{Ballot, DisputeStatus, JobStatus, MarketTerms, Mode, Outcome, Verdict, limits::VOTE_TICKETS_MAX};
use assay_sdk::{
    ChainTime, Keyed,
    crank::Disputed,
    program::accounts::{Challenge, Dispute, Execution, Job, Vote},
};
use solana_pubkey::Pubkey;

use crate::{
    call::Call,
    invariants,
    panel::Panel,
    party::{Party, exited, terms},
    scenario::GAS_USED,
    world::World,
};

/// One part: a hundredth of a bond, of a seat as of a challenge.
pub const PART: u64 = 100_000;
/// Providers that judge, of 100 tickets each. Those before them run and challenge.
pub const JURORS: std::ops::Range<usize> = 4..8;
/// Everybody's salt: commitments differ by kind, round and key.
pub const SALT: [u8; 32] = [5; 32];

/// A ledger, its people and one job.
#[derive(Clone)]
pub struct Trial {
    /// Providers with enrolled stake, all with the same job.
    pub panel: Panel,
}

/// What everybody had, to be compared with what they have.
pub struct Purse {
    lamports: u128,
    burned: u64,
    poster: u64,
}

/// A result that differs from others by this.
#[must_use]
pub fn said(which: u8) -> Outcome {
    Outcome { result_cid_digest: [which; 32], ..exited(GAS_USED) }
}

/// A ballot for [`said`].
#[must_use]
pub fn ballot(which: u8) -> Ballot {
    Ballot::Outcome(said(which))
}

impl Trial {
    /// A job is open; its jurors serve.
    #[must_use]
    pub fn open(terms: &MarketTerms, mode: Mode, redundancy: u8) -> Self {
        Self::open_in(World::new(), terms, mode, redundancy)
    }

    /// As [`Self::open`], on this ledger.
    #[must_use]
    pub fn open_in(world: World, terms: &MarketTerms, mode: Mode, redundancy: u8) -> Self {
        let mut panel = Panel::ready_in(world, 8, terms);
        for juror in JURORS {
            panel.world.ok(&panel.parties[juror].set_duty(true));
        }
        let args = panel.args(mode, redundancy);
        panel.world.ok(&panel.parties[0].create_job_with(args));
        panel.world.next_slot();
        Self { panel }
    }

    /// One provider ran the job and says this.
    #[must_use]
    pub fn submitted(outcome: &Outcome) -> Self {
        Self::submitted_under(&terms(), outcome)
    }

    /// As [`Self::submitted`], with other terms.
    #[must_use]
    pub fn submitted_under(terms: &MarketTerms, outcome: &Outcome) -> Self {
        let mut this = Self::open(terms, Mode::Optimistic, 1);
        let party = this.party(0);
        let accept = party.accept_job(this.world());
        this.panel.world.ok(&accept);
        this.panel.world.ok(&party.submit_results(outcome));
        this
    }

    /// Three providers ran the job and say this.
    #[must_use]
    pub fn revealed(terms: &MarketTerms, outcomes: [u8; 3]) -> Self {
        let mut this = Self::open(terms, Mode::Redundant, 3);
        this.panel.draw();
        for seat in 0..3 {
            this.panel.accept(seat);
        }
        let said: Vec<_> = outcomes.iter().enumerate().map(|(seat, which)| (seat, said(*which))).collect();
        this.panel.run(&said);
        this
    }

    /// The ledger.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.panel.world
    }

    /// A provider and its keys.
    #[must_use]
    pub fn party(&self, index: usize) -> Party {
        self.panel.parties[index]
    }

    /// The dispute.
    #[must_use]
    pub fn dispute(&self) -> Dispute {
        self.world().read(&self.party(0).dispute())
    }

    /// Where the dispute stands.
    #[must_use]
    pub fn status(&self) -> DisputeStatus {
        self.dispute().dispute_status().expect("a known status")
    }

    /// Opens the dispute with this outcome.
    pub fn dispute_with(&mut self, challenger: usize, ballot: &Ballot) {
        let party = self.party(challenger);
        let commitment = self.hidden(challenger, ballot);
        self.panel.world.ok(&party.open_dispute(&self.panel.world, party.authority, Some(commitment)));
    }

    /// Joins it with this outcome.
    pub fn enter_with(&mut self, challenger: usize, ballot: &Ballot) {
        let party = self.party(challenger);
        let commitment = self.hidden(challenger, ballot);
        self.panel.world.ok(&party.enter_dispute(party.authority, commitment));
    }

    /// What a provider's cold key commits to when it challenges with this.
    #[must_use]
    pub fn hidden(&self, challenger: usize, ballot: &Ballot) -> [u8; 32] {
        let Ballot::Outcome(outcome) = ballot else { panic!("a challenge names an outcome") };
        let party = self.party(challenger);
        party.challenge_commitment(self.world(), party.authority, (outcome, SALT))
    }

    /// The provider's tickets in the present round; all of them where everybody votes.
    #[must_use]
    pub fn tickets(&self, juror: usize) -> Vec<u32> {
        let dispute = self.dispute();
        match dispute.is_last() {
            true => (0..self.panel.provider(juror).usable_tickets(dispute.ticket_lamports)).collect(),
            false => self.party(juror).drawn_tickets(self.world()),
        }
    }

    /// `commit_vote` of a juror with all its tickets of the round.
    #[must_use]
    pub fn vote_call(&self, juror: usize, ballot: &Ballot) -> Call {
        let party = self.party(juror);
        party.commit_vote(self.world(), party.vote_commitment(self.world(), ballot, SALT))
    }

    /// `reveal_outcome` of a provider's cold key.
    #[must_use]
    pub fn show_call(&self, challenger: usize, ballot: &Ballot) -> Call {
        let party = self.party(challenger);
        party.reveal_outcome_bytes(party.authority, ballot.encode(), SALT)
    }

    /// Entry is over, or a round began: until votes may be committed. One jury in twenty has too few tickets for a verdict, and nothing
    /// here is about luck: blocks are missing, twenty at most, until one gives the seed of another.
    pub fn draw(&mut self) {
        let record = self.party(0).record_jury_seed();
        if self.status() == DisputeStatus::Entry {
            self.panel.world.advance_to(self.dispute().entry_deadline_unix);
            self.panel.world.ok(&record);
        }
        if self.status() == DisputeStatus::Drawing {
            let (before, seed_slot) = (self.clone(), self.dispute().draw.seed_slot);
            for block in seed_slot..seed_slot + 20 {
                self.clone_from(&before);
                let world = &mut self.panel.world;
                world.set_clock(world.slot().max(block) + 1, world.now());
                world.set_slot_hashes((block..world.slot()).rev().chain((0..seed_slot).rev().take(9)));
                world.ok(&record);
                if self.has_quorum() {
                    break;
                }
            }
            assert!(self.has_quorum(), "twenty juries without tickets enough");
        }
        assert_eq!(self.status(), DisputeStatus::Voting);
    }

    /// Whether the jurors together can name tickets enough for a verdict.
    fn has_quorum(&self) -> bool {
        const NAMED: usize = VOTE_TICKETS_MAX as usize;
        let (dispute, drawn) =
            (self.dispute(), JURORS.map(|juror| self.tickets(juror).len().min(NAMED)).sum::<usize>());
        drawn as u64 * 10_000 >= dispute.expected * u64::from(dispute.quorum_bps)
    }

    /// A round in which every juror that was drawn votes so and these challengers reveal that. Says how much weight was revealed.
    pub fn vote(&mut self, ballot: &Ballot, challengers: &[(usize, Ballot)]) -> u64 {
        self.draw();
        self.hide_votes(ballot);
        self.show(ballot, challengers)
    }

    /// Every juror that was drawn votes so.
    pub fn hide_votes(&mut self, ballot: &Ballot) {
        for juror in JURORS.filter(|juror| !self.tickets(*juror).is_empty()).collect::<Vec<_>>() {
            let vote = self.vote_call(juror, ballot);
            self.panel.world.ok(&vote);
        }
    }

    /// Those who voted so and these challengers reveal it, and the round is counted. Says how much weight was revealed.
    pub fn show(&mut self, ballot: &Ballot, challengers: &[(usize, Ballot)]) -> u64 {
        let round = self.dispute().round;
        let has_voted = |juror: &usize| self.world().account(&self.party(*juror).vote(round)).is_some();
        let voted: Vec<usize> = JURORS.filter(has_voted).collect();
        self.panel.world.advance_to(self.dispute().commit_deadline_unix);
        for juror in voted {
            let reveal = self.party(juror).reveal_vote(self.world(), ballot, SALT);
            self.panel.world.ok(&reveal);
        }
        for (challenger, outcome) in challengers {
            let reveal = self.show_call(*challenger, outcome);
            self.panel.world.ok(&reveal);
        }
        self.tally();
        invariants::check(self.world());
        self.dispute().revealed_weight[usize::from(round)]
    }

    /// Counts the round as soon as it may be.
    pub fn tally(&mut self) {
        let dispute = self.dispute();
        self.panel.world.advance_to(dispute.waits_until_unix().expect("a round waits").max(self.world().now()));
        let tally = self.party(0).tally_round();
        self.panel.world.ok(&tally);
    }

    /// Nobody appeals in time: the step that is due then.
    pub fn pass(&mut self) {
        self.panel.world.advance_to(self.dispute().verdict_deadline_unix - 1);
        let settle = self.party(0).settle_dispute();
        self.panel.world.refuse(&settle, "DeadlineNotReached");
        self.panel.world.advance(1);
        self.panel.world.ok(&settle);
    }

    /// Nobody appeals in time: the dispute is over.
    pub fn decide(&mut self) -> Verdict {
        self.pass();
        assert_eq!(self.status(), DisputeStatus::Final);
        self.dispute().found()
    }

    /// What there is before everybody is paid.
    #[must_use]
    pub fn purse(&self) -> Purse {
        Purse {
            lamports: invariants::lamports_total(self.world()),
            burned: self.panel.burned(),
            poster: self.world().lamports(&self.party(0).poster),
        }
    }

    /// The job, its dispute, and all that hangs on it, as the client's crank takes them.
    #[must_use]
    pub fn disputed(&self) -> Disputed {
        let job = self.party(0).job;
        Disputed {
            job: Keyed { address: job, account: self.world().read(&job) },
            dispute: Keyed { address: self.party(0).dispute(), account: self.dispute() },
            challenges: self.all::<Challenge>(),
            votes: self.all::<Vote>(),
            executions: self.all::<Execution>(),
        }
    }

    fn all<T: assay_sdk::accounts::ProgramAccount>(&self) -> Vec<Keyed<T>> {
        let decode = |(address, account): (Pubkey, solana_account::Account)| {
            let account = T::try_deserialize(&mut account.data.as_slice()).ok()?;
            Some(Keyed { address, account })
        };
        let mut all: Vec<_> = self.world().program_accounts().into_iter().filter_map(decode).collect();
        all.sort_by_key(|keyed| keyed.address);
        all
    }

    /// Sends all that is due, as the client's crank does, and says in how many transactions.
    pub fn send_due(&mut self) -> usize {
        self.panel.world.next_slot();
        let now = ChainTime { slot: self.world().slot(), unix: self.world().now() };
        let transactions = self.disputed().due_transactions(now);
        for steps in &transactions {
            if let Err(refusal) = self.panel.world.send_all(steps) {
                panic!("refused: {refusal}\n{}", refusal.logs.join("\n"));
            }
            invariants::check(self.world());
        }
        transactions.len()
    }

    /// Everything that is due, by the client's crank, until dispute and job are closed. Says in how many transactions, what was burned
    /// and what the poster got back; no lamport is made or lost.
    pub fn finish(&mut self) -> (usize, u64, u64) {
        let before = self.purse();
        let transactions = self.send_due();
        assert!(self.world().account(&self.party(0).job).is_none(), "the job is closed");
        assert!(self.world().account(&self.party(0).dispute()).is_none(), "the dispute is closed");
        assert!(
            self.all::<Challenge>().is_empty() && self.all::<Vote>().is_empty() && self.all::<Execution>().is_empty()
        );
        let after = self.purse();
        assert_eq!(before.lamports, after.lamports, "I-01: no lamport is made or lost");
        (transactions, after.burned - before.burned, after.poster - before.poster)
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> Job {
        self.panel.job()
    }

    /// Where the job stands.
    #[must_use]
    pub fn job_status(&self) -> JobStatus {
        self.panel.status()
    }

    /// Balance of the cold key that challenges for this provider.
    #[must_use]
    pub fn wallet(&self, index: usize) -> u64 {
        self.world().lamports(&self.party(index).authority)
    }

    /// Stake of a provider.
    #[must_use]
    pub fn stake(&self, index: usize) -> u64 {
        self.panel.provider(index).stake_lamports
    }

    /// Earnings of a provider.
    #[must_use]
    pub fn earned(&self, index: usize) -> u64 {
        self.panel.provider(index).earnings_lamports
    }

    /// Earnings of all jurors.
    #[must_use]
    pub fn jurors_earned(&self) -> u64 {
        JURORS.map(|juror| self.earned(juror)).sum()
    }
}

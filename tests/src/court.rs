//! A contested result or a deadlock, its challengers and its jury, from the dispute's opening to a counted round.

use assay_protocol::{Ballot, DisputeStatus, JobStatus, MarketTerms, Mode, Outcome};
use solana_pubkey::Pubkey;

use crate::{
    assay::accounts::{Challenge, Dispute, Vote},
    call::Call,
    panel::Panel,
    party::{Party, exited, terms},
    scenario::GAS_USED,
    world::SOL,
};

/// Providers with a disputed job: first those that ran it, then the jurors; and wallets that challenge.
#[derive(Clone)]
pub struct Court {
    /// The ledger, the providers and the job.
    pub panel: Panel,
    /// The first juror among the panel's providers.
    pub jurors_from: usize,
    /// Wallets with nothing but money.
    pub challengers: [Pubkey; 2],
}

/// What the job gives.
#[must_use]
pub fn truth() -> Outcome {
    exited(GAS_USED)
}

/// What the seat said that is contested.
#[must_use]
pub fn lie() -> Outcome {
    exited(GAS_USED - 1)
}

impl Court {
    /// One provider has submitted a lie; so many others are on duty. Nobody has contested it yet.
    #[must_use]
    pub fn submitted(jurors: usize) -> Self {
        Self::submitted_with(jurors, &terms())
    }

    /// As [`Self::submitted`], in a market with these terms.
    #[must_use]
    pub fn submitted_with(jurors: usize, terms: &MarketTerms) -> Self {
        let mut this = Self::around(Panel::ready_with(jurors + 1, terms), 1);
        let runner = this.panel.parties[0];
        let world = &mut this.panel.world;
        world.ok(&runner.create_job());
        let accept = runner.accept_job(world);
        world.ok(&accept);
        world.ok(&runner.submit_results(&lie()));
        this
    }

    /// Two seats that disagree and no arbiter; two others are on duty.
    #[must_use]
    pub fn deadlocked() -> Self {
        let mut panel = Panel::assigned(Mode::Redundant, 2);
        panel.run(&[(0, truth()), (1, lie())]);
        panel.world.advance_to(panel.job().queue_deadline_unix);
        panel.world.ok(&panel.parties[0].expire_open_job());
        assert_eq!(panel.status(), JobStatus::Deadlocked);
        Self::around(panel, 2)
    }

    fn around(mut panel: Panel, jurors_from: usize) -> Self {
        for party in &panel.parties[jurors_from..] {
            panel.world.ok(&party.set_duty(true));
        }
        let challengers = [panel.world.wallet(100 * SOL), panel.world.wallet(100 * SOL)];
        Self { panel, jurors_from, challengers }
    }

    /// As [`Self::submitted`], contested by the first challenger, who says the truth.
    #[must_use]
    pub fn opened(jurors: usize) -> Self {
        let mut this = Self::submitted(jurors);
        this.open(&truth());
        this
    }

    /// As [`Self::opened`], and the first round's jury votes.
    #[must_use]
    pub fn voting(jurors: usize) -> Self {
        let mut this = Self::opened(jurors);
        this.begin();
        this
    }

    /// A juror by number, from 0.
    #[must_use]
    pub fn juror(&self, number: usize) -> Party {
        self.panel.parties[self.jurors_from + number]
    }

    /// Somebody who sends what anybody may.
    #[must_use]
    pub fn anybody(&self) -> Party {
        self.panel.parties[0]
    }

    /// A challenger's salt.
    pub const SALT: [u8; 32] = [0xc4; 32];

    /// The first challenger opens the dispute.
    pub fn open(&mut self, outcome: &Outcome) {
        let call = self.open_call(0, outcome);
        self.panel.world.ok(&call);
    }

    /// `open_dispute` by a challenger.
    #[must_use]
    pub fn open_call(&self, number: usize, outcome: &Outcome) -> Call {
        self.anybody().open_dispute(&self.panel.world, self.challengers[number], Some(self.commitment(number, outcome)))
    }

    /// `enter_dispute` by a challenger.
    #[must_use]
    pub fn enter_call(&self, number: usize, outcome: &Outcome) -> Call {
        self.anybody().enter_dispute(self.challengers[number], self.commitment(number, outcome))
    }

    fn commitment(&self, number: usize, outcome: &Outcome) -> [u8; 32] {
        self.anybody().challenge_commitment(&self.panel.world, self.challengers[number], (outcome, Self::SALT))
    }

    /// `reveal_outcome` by a challenger.
    #[must_use]
    pub fn show_call(&self, number: usize, outcome: &Outcome) -> Call {
        self.anybody().reveal_outcome(self.challengers[number], outcome, Self::SALT)
    }

    /// Entry is over and the first round begins; unless everybody votes at once, its jury is drawn.
    pub fn begin(&mut self) {
        self.panel.world.advance_to(self.dispute().entry_deadline_unix);
        self.panel.world.ok(&self.anybody().record_jury_seed());
        self.draw();
    }

    /// The jury of a round that waits for its seed is drawn.
    pub fn draw(&mut self) {
        if self.status() == DisputeStatus::Drawing {
            self.panel.world.advance(10);
            self.panel.world.list_slots();
            self.panel.world.ok(&self.anybody().record_jury_seed());
        }
        assert_eq!(self.status(), DisputeStatus::Voting);
    }

    /// `commit_vote` of a juror with all its tickets of the round.
    #[must_use]
    pub fn vote_call(&self, number: usize, ballot: &Ballot) -> Call {
        let (juror, world) = (self.juror(number), &self.panel.world);
        juror.commit_vote(world, juror.vote_commitment(world, ballot, Panel::salt(number)))
    }

    /// `reveal_vote` of a juror.
    #[must_use]
    pub fn reveal_call(&self, number: usize, ballot: &Ballot) -> Call {
        self.juror(number).reveal_vote(&self.panel.world, ballot, Panel::salt(number))
    }

    /// These jurors vote so, and commits close.
    pub fn vote(&mut self, ballots: &[(usize, Ballot)]) {
        for (number, ballot) in ballots {
            let call = self.vote_call(*number, ballot);
            self.panel.world.ok(&call);
        }
        self.panel.world.advance_to(self.dispute().commit_deadline_unix);
    }

    /// These jurors reveal what they voted.
    pub fn reveal(&mut self, ballots: &[(usize, Ballot)]) {
        for (number, ballot) in ballots {
            let call = self.reveal_call(*number, ballot);
            self.panel.world.ok(&call);
        }
    }

    /// These jurors vote and reveal, the first challenger reveals the truth where that is due, and the round is counted.
    pub fn judge(&mut self, ballots: &[(usize, Ballot)]) {
        self.vote(ballots);
        self.reveal(ballots);
        let dispute = self.dispute();
        if dispute.round == 0 && dispute.challenges > dispute.challenges_revealed {
            let call = self.show_call(0, &truth());
            self.panel.world.ok(&call);
        }
        self.panel.world.ok(&self.anybody().tally_round());
    }

    /// The dispute.
    #[must_use]
    pub fn dispute(&self) -> Dispute {
        self.panel.world.read(&self.anybody().dispute())
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> DisputeStatus {
        self.dispute().dispute_status().expect("a known status")
    }

    /// A challenger's challenge.
    #[must_use]
    pub fn challenge(&self, number: usize) -> Challenge {
        self.panel.world.read(&self.anybody().challenge(self.challengers[number]))
    }

    /// A juror's vote in the present round.
    #[must_use]
    pub fn ballot(&self, number: usize) -> Vote {
        self.panel.world.read(&self.juror(number).vote(self.dispute().round))
    }
}

//! Compute units of each step of a dispute's life.

use assay_protocol::{DisputeStatus, Mode, Verdict};

use crate::{
    call::Call,
    court::{Court, JURORS, SALT, ballot, said},
    party::{Party, terms},
    world::World,
};

/// A lie with two challengers, a jury, an appeal of each kind, an absent juror, and everybody's pay, with the keys of this salt.
#[must_use]
pub fn life(salt: u64) -> Vec<(&'static str, u64)> {
    let mut this =
        Play { court: Court::open_in(World::salted(salt), &terms(), Mode::Optimistic, 1), units: Vec::new() };
    let [liar, right, late, appellant] = [0, 1, 2, 3].map(|index| this.court.party(index));
    let accept = liar.accept_job(this.court.world());
    this.court.panel.world.ok(&accept);
    this.court.panel.world.ok(&liar.submit_results(&said(9)));
    let hidden = |court: &Court, party: &Party| party.hidden_outcome(court.world(), &ballot(1), SALT);
    let open = right.open_dispute(Some(hidden(&this.court, &right)));
    this.take("open_dispute", &open);
    let enter = late.enter_dispute(hidden(&this.court, &late));
    this.take("enter_dispute", &enter);
    this.court.panel.world.advance_to(this.court.dispute().entry_deadline_unix);
    this.round(Some(&[right, late]));
    if this.court.dispute().found() == Verdict::None {
        return this.units; // One jury in twenty has too few tickets for a verdict; other keys go further.
    }
    this.take("appeal", &appellant.appeal(&ballot(7)));
    this.round(None);
    this.absent();
    this.court.pass();
    this.round(None);
    this.court.panel.world.advance_to(this.court.dispute().verdict_deadline_unix);
    this.take("settle_dispute", &liar.settle_dispute());
    for challenger in [right, late, appellant] {
        this.take("settle_challenge, counted", &challenger.settle_challenge());
    }
    this.take("settle_execution, judged", &liar.settle_disputed());
    for challenger in [right, late] {
        this.take("settle_challenge, paid", &challenger.settle_challenge());
    }
    this.votes();
    this.take("close_dispute", &right.close_dispute());
    this.take("set_duty", &late.set_duty(true));
    this.units
}

struct Play {
    court: Court,
    units: Vec<(&'static str, u64)>,
}

impl Play {
    fn take(&mut self, name: &'static str, call: &Call) {
        let units = self.court.panel.world.ok(call).compute_units;
        self.units.push((name, units));
    }

    /// A round in which the jurors vote for what is right, and these reveal it; in one without them only the first juror votes.
    fn round(&mut self, challengers: Option<&[Party]>) {
        let record = self.court.party(0).record_jury();
        if self.court.status() == DisputeStatus::Entry {
            self.take("record_seed, round", &record);
        }
        if self.court.status() == DisputeStatus::Drawing {
            let world = &mut self.court.panel.world;
            world.set_clock(world.slot() + 5, world.now());
            world.list_slots();
            self.take("record_seed, jury", &record);
        }
        let round = self.court.dispute().round;
        let drawn = |court: &Court, juror: usize| court.party(juror).jury_tickets(court.world()).len();
        let mut jurors: Vec<usize> = JURORS.filter(|juror| drawn(&self.court, *juror) > 0).collect();
        if round == 1 {
            jurors.truncate(1);
        }
        for juror in &jurors {
            let vote = self.court.party(*juror).commit_vote(self.court.world(), &ballot(1), SALT);
            let few = round == 0 && drawn(&self.court, *juror) <= 5;
            self.take(if few { "commit_vote, 1 to 5 tickets" } else { "commit_vote, more tickets" }, &vote);
        }
        self.court.panel.world.advance_to(self.court.dispute().commit_deadline_unix);
        for juror in &jurors {
            self.take("reveal_vote", &self.court.party(*juror).reveal_vote(round, &ballot(1), SALT));
        }
        for challenger in challengers.unwrap_or_default() {
            self.take("reveal_outcome", &challenger.reveal_outcome(&ballot(1), SALT));
        }
        let waits = self.court.dispute().waits_until_unix().expect("a round waits");
        self.court.panel.world.advance_to(waits.max(self.court.world().now()));
        let tally = self.court.party(0).tally_round();
        self.take("tally_round", &tally);
    }

    /// One of the jurors that stayed away in this round.
    fn absent(&mut self) {
        let round = self.court.dispute().round;
        let voted = |court: &Court, juror: usize| court.world().account(&court.party(juror).vote(round)).is_some();
        for juror in JURORS.filter(|juror| !voted(&self.court, *juror)).collect::<Vec<_>>() {
            let party = self.court.party(juror);
            let serves = self.court.panel.provider(juror).duty_lock_lamports > 0;
            let ticket = party.jury_tickets(self.court.world()).first().copied();
            if let Some(ticket) = ticket.filter(|_| serves && self.court.panel.provider(juror).votes_open < 2) {
                self.take("slash_absent", &party.slash_absent(round, ticket));
            }
        }
    }

    fn votes(&mut self) {
        for round in 0..4 {
            for juror in JURORS {
                let party = self.court.party(juror);
                if self.court.world().account(&party.vote(round)).is_some() {
                    self.take("settle_vote", &party.settle_vote(round));
                }
            }
        }
    }
}

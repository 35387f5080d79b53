//! Compute units of each step of a dispute's life.

use assay_protocol::{DisputeStatus, Mode, Verdict, limits::VOTE_TICKETS_MAX};

use crate::{
    assay::{accounts::Dispute, types::CommitVoteArgs},
    call::Call,
    party::terms,
    trial::{JURORS, SALT, Trial, ballot, said},
    world::World,
};

/// A lie with two challengers, a jury, an appeal of each kind, an absent juror, and everybody's pay, with the keys of this salt.
#[must_use]
pub fn life(salt: u64) -> Vec<(&'static str, u64)> {
    let mut this =
        Play { court: Trial::open_in(World::salted(salt), &terms(), Mode::Optimistic, 1), units: Vec::new() };
    let [liar, right, late, appellant] = [0, 1, 2, 3].map(|index| this.court.party(index));
    let accept = liar.accept_job(this.court.world());
    this.court.panel.world.ok(&accept);
    this.court.panel.world.ok(&liar.submit_results(&said(9)));
    let open = right.open_dispute(this.court.world(), right.authority, Some(this.court.hidden(1, &ballot(1))));
    this.take("open_dispute", &open);
    let enter = late.enter_dispute(late.authority, this.court.hidden(2, &ballot(1)));
    this.take("enter_dispute", &enter);
    this.court.panel.world.advance_to(this.court.dispute().entry_deadline_unix);
    this.round(&[1, 2]);
    if this.court.dispute().found() == Verdict::None {
        return this.units; // One jury in twenty has too few tickets for a verdict; other keys go further.
    }
    this.take("appeal", &appellant.appeal(&ballot(7)));
    this.round(&[]);
    this.absent();
    this.court.pass();
    this.round(&[]);
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

/// A lie before its jury.
fn drawn(salt: u64) -> Trial {
    let mut court = Trial::open_in(World::salted(salt), &terms(), Mode::Optimistic, 1);
    let liar = court.party(0);
    let accept = liar.accept_job(court.world());
    court.panel.world.ok(&accept);
    court.panel.world.ok(&liar.submit_results(&said(9)));
    court.dispute_with(1, &ballot(1));
    court.draw();
    court
}

/// A lie before a jury that nearly all tickets are in, and the most of them that the first juror can name.
fn wide(salt: u64) -> (Trial, Vec<u32>) {
    let mut court = drawn(salt);
    let dispute = court.party(JURORS.start).dispute();
    court.panel.world.edit::<Dispute>(&dispute, |dispute| dispute.expected = dispute.duty_tickets_total - 4);
    let mut tickets = court.tickets(JURORS.start);
    assert!(tickets.len() > VOTE_TICKETS_MAX as usize, "more than a vote names");
    tickets.truncate(VOTE_TICKETS_MAX as usize);
    (court, tickets)
}

/// The dearest vote: it names as many tickets as it can.
#[must_use]
pub fn full(salt: u64) -> (&'static str, u64) {
    let (mut court, tickets) = wide(salt);
    let juror = court.party(JURORS.start);
    let commitment = juror.vote_commitment(court.world(), &ballot(1), SALT);
    let vote = juror.commit_vote_with(court.world(), CommitVoteArgs { commitment, tickets });
    ("commit_vote, 64 tickets", court.panel.world.ok(&vote).compute_units)
}

/// The dearest absence: of a vote that names one ticket less than it could.
#[must_use]
pub fn light(salt: u64) -> (&'static str, u64) {
    let (mut court, tickets) = wide(salt);
    let juror = court.party(JURORS.start);
    let commitment = juror.vote_commitment(court.world(), &ballot(1), SALT);
    let vote = juror.commit_vote_with(court.world(), CommitVoteArgs { commitment, tickets: tickets[1..].to_vec() });
    court.panel.world.ok(&vote);
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let reveal = juror.reveal_vote(court.world(), &ballot(1), SALT);
    court.panel.world.ok(&reveal);
    court.tally();
    ("slash_absent, 64 tickets", court.panel.world.ok(&juror.slash_absent_with(0, tickets)).compute_units)
}

struct Play {
    court: Trial,
    units: Vec<(&'static str, u64)>,
}

impl Play {
    fn take(&mut self, name: &'static str, call: &Call) {
        let units = self.court.panel.world.ok(call).compute_units;
        self.units.push((name, units));
    }

    /// A round in which the jurors vote for what is right, and these reveal it; in one without them only the first juror votes.
    fn round(&mut self, challengers: &[usize]) {
        let record = self.court.party(0).record_jury_seed();
        if self.court.status() == DisputeStatus::Entry {
            self.take("record_seed, a round begins", &record);
        }
        if self.court.status() == DisputeStatus::Drawing {
            let world = &mut self.court.panel.world;
            world.set_clock(world.slot() + 5, world.now());
            world.list_slots();
            self.take("record_seed, its jury", &record);
        }
        let round = self.court.dispute().round;
        let drawn = |court: &Trial, juror: usize| court.tickets(juror).len();
        let mut jurors: Vec<usize> = JURORS.filter(|juror| drawn(&self.court, *juror) > 0).collect();
        if round == 1 {
            jurors.truncate(1);
        }
        for juror in &jurors {
            let vote = self.court.vote_call(*juror, &ballot(1));
            // Each of the third, the last that is drawn, has sixteen times as many tickets as in the first.
            self.take(if round < 2 { "commit_vote, first two rounds" } else { "commit_vote, third round" }, &vote);
        }
        self.court.panel.world.advance_to(self.court.dispute().commit_deadline_unix);
        for juror in &jurors {
            let reveal = self.court.party(*juror).reveal_vote(self.court.world(), &ballot(1), SALT);
            self.take("reveal_vote", &reveal);
        }
        for challenger in challengers {
            let show = self.court.show_call(*challenger, &ballot(1));
            self.take("reveal_outcome", &show);
        }
        let waits = self.court.dispute().waits_until_unix().expect("a round waits");
        self.court.panel.world.advance_to(waits.max(self.court.world().now()));
        let tally = self.court.party(0).tally_round();
        self.take("tally_round", &tally);
    }

    /// One of the jurors that stayed away in this round.
    fn absent(&mut self) {
        let round = self.court.dispute().round;
        let voted = |court: &Trial, juror: usize| court.world().account(&court.party(juror).vote(round)).is_some();
        for juror in JURORS.filter(|juror| !voted(&self.court, *juror)).collect::<Vec<_>>() {
            let party = self.court.party(juror);
            let serves = self.court.panel.provider(juror).duty_lock_lamports > 0;
            let ticket = self.court.tickets(juror).first().copied();
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

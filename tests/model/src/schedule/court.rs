//! What parties, jurors and bystanders do about a dispute.

use assay_protocol::ids::{ChallengeCommitmentInput, VoteCommitmentInput, challenge_commitment, vote_commitment};

use super::{
    Habit, Schedule, at,
    world::{Seat, own_lie, ring_lie, truth},
};
use crate::{
    act::{Act, Tickets},
    draw::wins,
    rules::UNAVAILABLE,
    state::{ChallengeStatus, Dispute, DisputeStatus, Job, JobStatus, Key, Model, Verdict},
};

/// The salt of whoever hides something about a posting.
#[must_use]
pub fn salt(uid: &[u8; 32], holder: Key) -> [u8; 32] {
    std::array::from_fn(|index| uid[index] ^ holder.0[index] ^ 0x5A)
}

/// The commitment of a challenger.
#[must_use]
pub fn contested(uid: &[u8; 32], challenger: Key, outcome: &[u8; 79]) -> [u8; 32] {
    challenge_commitment(&ChallengeCommitmentInput {
        job_uid: uid,
        challenger: &challenger.0,
        outcome_hash: &crate::outcome_hash(outcome),
        trace_root: &[0; 32],
        salt: &salt(uid, challenger),
    })
}

/// The commitment of a juror.
#[must_use]
pub fn judged(uid: &[u8; 32], round: u8, provider: Key, ballot: &[u8; 79]) -> [u8; 32] {
    vote_commitment(&VoteCommitmentInput {
        job_uid: uid,
        round,
        provider: &provider.0,
        ballot_hash: &crate::outcome_hash(ballot),
        trace_root: &[0; 32],
        salt: &salt(uid, provider),
    })
}

/// The node key that somebody has now.
#[must_use]
pub fn current(model: &Model, seat: &Seat) -> Key {
    model.providers.get(&seat.provider).map_or(seat.node_key, |own| own.node_key)
}

/// What honest jurors find: of some jobs the poster withholds the content once they are contested.
fn finding(uid: &[u8; 32]) -> [u8; 79] {
    if uid[4].is_multiple_of(6) { UNAVAILABLE } else { truth(uid) }
}

impl Seat {
    /// What it votes for as a juror.
    #[must_use]
    pub fn judges(&self, uid: &[u8; 32]) -> [u8; 79] {
        match self.habit {
            Habit::Wrong => own_lie(self.provider),
            Habit::Ring => ring_lie(uid),
            Habit::Lazy => UNAVAILABLE,
            _ => finding(uid),
        }
    }

    /// Its vote in this round: all its tickets.
    #[must_use]
    pub fn vote(&self, model: &Model, job: Key) -> Option<Act> {
        let (dispute, provider) = (model.disputes.get(&job)?, model.providers.get(&self.provider)?);
        let usable = provider.usable_tickets(dispute.ticket_lamports);
        let winning =
            (0..usable).filter(|index| wins(&dispute.draw.seed, &self.provider.0, *index, dispute.threshold()));
        let bears = |lamports: u64| lamports.saturating_sub(provider.locked_lamports) >= dispute.juror_bond_lamports;
        // Whoever gives things back sees to nothing.
        let is_careless = self.habit == Habit::Fickle;
        // The program cuts the vote to what is borne, and excuses who has nothing free; a cap excuses nobody.
        let is_taken = is_careless || !bears(provider.stake_lamports) || bears(provider.exposure_cap_lamports);
        let borne = if is_taken { u32::MAX } else { 0 };
        // The ring would deny a verdict by votes that weigh little.
        let is_light = self.habit == Habit::Ring && dispute.uid[7].is_multiple_of(2);
        let most = if is_light { borne.min(1) } else { borne.min(64) };
        let tickets = match dispute.is_last() {
            true => Tickets::NONE,
            false => Tickets::of(winning.take(usize::try_from(most).ok()?)),
        };
        let votes = if dispute.is_last() { usable.min(borne) > 0 } else { tickets.count > 0 };
        let mut others = model.votes.iter().filter(|((of, round, _), _)| *of == job && *round == dispute.round);
        let commitment = match others.next() {
            Some((_, vote)) if self.habit == Habit::Copycat => vote.commitment,
            // Whoever may be excused looks at nothing, but for the honest.
            _ if self.habit != Habit::Honest && u32::from(provider.votes_open) >= u32::from(dispute.round) + 2 => {
                [0; 32]
            }
            _ => judged(&dispute.uid, dispute.round, self.provider, &self.judges(&dispute.uid)),
        };
        votes.then(|| Act::CommitVote { at: at(provider.node_key, job, self.provider), commitment, tickets })
    }
}

impl Schedule {
    /// Everything that somebody would do about disputes now.
    pub(super) fn litigate(&mut self, model: &Model, acts: &mut Vec<Act>) {
        acts.extend(self.contests(model));
        for (key, dispute) in &model.disputes {
            acts.extend(self.proceed(model, *key, dispute));
        }
        if self.rng.below(3) == 0 {
            let seats = self.world.seats.clone();
            if let Some(Seat { authority, provider, .. }) = self.pick(&seats) {
                acts.push(Act::SetDuty { signer: authority, provider, on: self.rng.below(4) > 0 });
            }
        }
    }

    /// New disputes.
    pub(super) fn contests(&mut self, model: &Model) -> Vec<Act> {
        let stands = |job: &Job| matches!(job.status, JobStatus::Submitted | JobStatus::Deadlocked);
        let jobs = model.jobs.iter().filter(|(_, job)| stands(job));
        jobs.filter_map(|(key, job)| self.contest(model, *key, job)).collect()
    }

    /// What somebody would do about this dispute now.
    pub(super) fn proceed(&mut self, model: &Model, key: Key, dispute: &Dispute) -> Vec<Act> {
        let mut acts = Vec::new();
        match dispute.status {
            DisputeStatus::Entry if self.rng.below(3) == 0 => acts.extend(self.enter(model, key, dispute)),
            DisputeStatus::Voting => {
                self.judge(model, key, dispute, &mut acts);
                acts.push(Act::TallyRound { job: key });
            }
            DisputeStatus::Tallied => self.after(model, key, dispute, &mut acts),
            DisputeStatus::Final => acts.extend(self.claims(model, key)),
            _ => {}
        }
        let goes_on = matches!(dispute.status, DisputeStatus::Drawing | DisputeStatus::Voting);
        if dispute.round > 0 && goes_on && self.rng.below(4) == 0 {
            self.hunt(model, (key, dispute.round - 1), dispute, &mut acts);
        }
        if dispute.status != DisputeStatus::Final && self.rng.below(20) == 0 {
            acts.extend(self.update(model));
        }
        if dispute.status != DisputeStatus::Final && self.rng.below(10) == 0 {
            let seats = self.world.seats.clone();
            let on = self.rng.below(3) == 0;
            let turns = |seat: Seat| Act::SetDuty { signer: seat.authority, provider: seat.provider, on };
            acts.extend(self.pick(&seats).map(turns));
        }
        acts.extend(crank(model, key, dispute));
        acts
    }

    /// The poster looks; a bystander challenges whatever is there, and so does now and then a party.
    fn contest(&mut self, model: &Model, key: Key, job: &Job) -> Option<Act> {
        if job.status == JobStatus::Deadlocked {
            return (self.patient || self.rng.below(2) == 0).then(|| Act::OpenDispute {
                payer: self.world.bystanders[0],
                job: key,
                commitment: None,
            });
        }
        let lies = job.outcome != Some(truth(&job.uid));
        let (payer, outcome) = match self.rng.below(6) {
            5 => {
                let commitment = Some([0; 32]);
                return Some(Act::OpenDispute { payer: self.world.bystanders[1], job: key, commitment });
            }
            0 | 1 | 4 if lies => (job.poster, truth(&job.uid)),
            2 => (self.world.bystanders[0], ring_lie(&job.uid)),
            3 => {
                let parties: Vec<Key> = job.executors.into_iter().filter(|party| *party != Key::default()).collect();
                let party = self.pick(&parties)?;
                let owner = model.providers.get(&party)?.authority;
                (owner, if self.rng.below(2) == 0 { truth(&job.uid) } else { own_lie(party) })
            }
            _ => return None,
        };
        Some(Act::OpenDispute { payer, job: key, commitment: Some(contested(&job.uid, payer, &outcome)) })
    }

    fn enter(&mut self, model: &Model, key: Key, dispute: &Dispute) -> Option<Act> {
        let (challenger, outcome) = match self.rng.below(5) {
            0 => (dispute.poster, truth(&dispute.uid)),
            1 => (self.world.bystanders[1], truth(&dispute.uid)),
            2 => (self.world.bystanders[0], ring_lie(&dispute.uid)),
            3 => {
                // What it cannot open it may still copy.
                let others = model.challenges.iter().filter(|((job, _), _)| *job == key);
                let commitment = others.map(|(_, own)| own.commitment).next()?;
                return Some(Act::EnterDispute { challenger: self.world.bystanders[1], job: key, commitment });
            }
            _ => {
                let seats = self.world.seats.clone();
                (self.pick(&seats)?.node_key, truth(&dispute.uid))
            }
        };
        let commitment = contested(&dispute.uid, challenger, &outcome);
        Some(Act::EnterDispute { challenger, job: key, commitment })
    }

    fn judge(&mut self, model: &Model, key: Key, dispute: &Dispute, acts: &mut Vec<Act>) {
        for seat in &self.world.seats {
            if seat.habit == Habit::Silent {
                continue;
            }
            match model.votes.get(&(key, dispute.round, seat.provider)) {
                None if model.now_unix < dispute.commit_deadline_unix => acts.extend(seat.vote(model, key)),
                // Who shows nothing means to when it is too late.
                Some(vote)
                    if !vote.is_revealed
                        && (seat.habit != Habit::NoReveal || model.now_unix >= dispute.reveal_deadline_unix) =>
                {
                    let Some(provider) = model.providers.get(&seat.provider) else { continue };
                    let place = at(provider.node_key, key, seat.provider);
                    let (ballot, salt) = (seat.judges(&dispute.uid), salt(&dispute.uid, seat.provider));
                    acts.push(Act::RevealVote { at: place, round: dispute.round, ballot, salt });
                }
                _ => {}
            }
        }
        let own = model.challenges.iter().filter(|((job, _), _)| *job == key);
        // What is shown is shown once.
        let shown = own.clone().find(|(_, own)| own.status == ChallengeStatus::Revealed);
        if let Some(((_, challenger), _)) = shown.filter(|_| model.slot.is_multiple_of(4)) {
            let (outcome, salt) = (truth(&dispute.uid), salt(&dispute.uid, *challenger));
            acts.push(Act::RevealOutcome { challenger: *challenger, job: key, outcome, salt });
        }
        for ((_, challenger), challenge) in own.filter(|(_, own)| own.status == ChallengeStatus::Entered) {
            let lies = dispute.executors.iter().map(|party| own_lie(*party));
            let mut told = [truth(&dispute.uid), ring_lie(&dispute.uid)].into_iter().chain(lies);
            let held = told.find(|told| challenge.commitment == contested(&dispute.uid, *challenger, told));
            let salt = salt(&dispute.uid, *challenger);
            match held {
                // The sham challenger shows nothing.
                Some(_) if *challenger == self.world.bystanders[0] && dispute.uid[3].is_multiple_of(2) => {}
                Some(outcome) => {
                    acts.push(Act::RevealOutcome { challenger: *challenger, job: key, outcome, salt });
                }
                // Copied, it opens for nobody else.
                None => {
                    let outcome = if self.rng.below(2) == 0 { [3; 79] } else { truth(&dispute.uid) };
                    acts.push(Act::RevealOutcome { challenger: *challenger, job: key, outcome, salt });
                }
            }
        }
    }

    /// Another node key, or another cap, which may leave room for few votes.
    pub(super) fn update(&mut self, model: &Model) -> Option<Act> {
        let seats = self.world.seats.clone();
        let (seat, other) = (self.pick(&seats)?, self.pick(&seats)?);
        let own = model.providers.get(&seat.provider)?;
        let (new_node_key, cap_lamports) = match self.rng.below(12) {
            0 => (None, Some(own.locked_lamports + 2_000_000)),
            1 | 2 => (None, Some(u64::MAX)),
            3 => (Some(self.world.bystanders[0]), None),
            4 => (Some(other.node_key), None),
            _ => (Some(seat.node_key), None),
        };
        let signer = if self.rng.below(12) == 0 { seat.node_key } else { seat.authority };
        Some(Act::UpdateProvider { signer, provider: seat.provider, new_node_key, cap_lamports })
    }

    /// Somebody hunts for the absent, and tries it with the others too.
    fn hunt(&mut self, model: &Model, (key, round): (Key, u8), dispute: &Dispute, acts: &mut Vec<Act>) {
        let (seed, level) = dispute.called(round).unwrap_or((dispute.draw.seed, dispute.threshold()));
        let hunted = self.world.seats.iter().filter_map(|seat| {
            let usable = model.providers.get(&seat.provider)?.usable_tickets(dispute.ticket_lamports);
            let vote = model.votes.get(&(key, round, seat.provider)).filter(|vote| vote.is_revealed);
            let needed = usize::try_from(vote.map_or(0, |vote| vote.weight)).ok()?.min(64) + 1;
            let won = |index: &u32| wins(&seed, &seat.provider.0, *index, level);
            let tickets = Tickets::of((0..usable).filter(won).take(needed));
            let tickets = if tickets.count == 0 { Tickets::of([0]) } else { tickets };
            Some(Act::SlashAbsent { job: key, provider: seat.provider, round, tickets })
        });
        let hunted: Vec<Act> = hunted.collect();
        let absent: Vec<Act> = hunted.iter().filter(|act| model.clone().apply(act).is_ok()).copied().collect();
        acts.extend(self.pick(&hunted));
        acts.extend(self.pick(&absent));
        // Of a light vote, the wrong way round.
        if let Some(Act::SlashAbsent { job, provider, round, mut tickets }) =
            absent.iter().copied().find(|act| matches!(act, Act::SlashAbsent { tickets, .. } if tickets.count > 1))
        {
            tickets.indices[..tickets.count].reverse();
            acts.push(Act::SlashAbsent { job, provider, round, tickets });
        }
    }

    /// Appeals, and the hunt.
    fn after(&mut self, model: &Model, key: Key, dispute: &Dispute, acts: &mut Vec<Act>) {
        self.hunt(model, (key, dispute.round), dispute, acts);
        let right = dispute.verdict_hash == crate::outcome_hash(&finding(&dispute.uid));
        let appeals = !right || self.rng.below(2) == 0;
        if matches!(dispute.verdict, Verdict::Outcome | Verdict::Unavailable) && appeals {
            let (appellant, ballot) = match (right, self.rng.below(4)) {
                (false, 0) => (self.world.bystanders[1], finding(&dispute.uid)),
                (false, _) => (dispute.poster, finding(&dispute.uid)),
                (true, 0) => (dispute.poster, [UNAVAILABLE, [3; 79]][usize::from(dispute.uid[6] % 2)]),
                (true, 1) => (self.world.bystanders[1], truth(&dispute.uid)),
                (true, _) => (self.world.bystanders[0], ring_lie(&dispute.uid)),
            };
            acts.push(Act::Appeal { appellant, job: key, ballot });
        }
    }

    /// Somebody wants its own before its turn.
    fn claims(&mut self, model: &Model, job: Key) -> Vec<Act> {
        let votes = model.votes.keys().filter(|(of, _, _)| *of == job);
        let votes = votes.map(|(_, round, juror)| Act::SettleVote { job, round: *round, provider: *juror });
        let own = model.challenges.keys().filter(|(of, _)| *of == job);
        let own = own.map(|(_, challenger)| Act::SettleChallenge { job, challenger: *challenger });
        let (votes, own): (Vec<Act>, Vec<Act>) = (votes.collect(), own.collect());
        self.pick(&votes).into_iter().chain(self.pick(&own)).chain([Act::CloseDispute { job }]).collect()
    }

    /// Of disputes what nobody should ask for.
    pub(super) fn contempt(&mut self, model: &Model, job: Key) -> Act {
        let seats = self.world.seats.clone();
        let seat = self.pick(&seats).expect("there are providers");
        let challenger = self.challenger(model, job, &seat);
        let uid = model.jobs[&job].uid;
        let outcome = [truth(&uid), ring_lie(&uid), [3; 79]][usize::try_from(self.rng.below(3)).expect("small")];
        match self.rng.below(19) {
            0 => Act::OpenDispute { payer: challenger, job, commitment: None },
            1 => Act::OpenDispute { payer: challenger, job, commitment: Some([0; 32]) },
            2 => Act::EnterDispute { challenger, job, commitment: [2; 32] },
            3 => Act::EnterDispute { challenger, job, commitment: [0; 32] },
            4 => Act::RecordJury { job },
            5..8 => self.misvoted(model, job, &seat),
            8..11 => self.misrevealed(model, job, &seat),
            17 => Act::RevealOutcome { challenger, job, outcome, salt: salt(&uid, challenger) },
            11 => Act::TallyRound { job },
            12 => Act::Appeal { appellant: challenger, job, ballot: outcome },
            13 => Act::SettleDispute { job },
            14 => Act::SettleChallenge { job, challenger },
            15 => {
                let (round, provider) = self.voter(model, job).unwrap_or((0, seat.provider));
                Act::SettleVote { job, round, provider }
            }
            16 => self.misshown(model, job, &seat),
            _ => Act::CloseDispute { job },
        }
    }

    /// An absence of nobody; or one of a light vote, shown the wrong way round.
    fn misshown(&mut self, model: &Model, job: Key, seat: &Seat) -> Act {
        let round = model.disputes.get(&job).map_or(0, |dispute| dispute.round);
        let called = |round: u8| model.disputes.get(&job).and_then(|dispute| dispute.called(round));
        let light = model.votes.iter().filter(|((of, _, _), vote)| *of == job && vote.is_revealed && !vote.is_full);
        let light: Vec<_> = light.filter_map(|(place, vote)| Some((*place, vote, called(place.1)?))).collect();
        if let Some(((_, round, provider), vote, (seed, level))) = self.pick(&light) {
            let winning = (0..vote.tickets).filter(|index| wins(&seed, &provider.0, *index, level));
            let mut tickets = Tickets::of(winning.take(usize::try_from(vote.weight).unwrap_or(0) + 1));
            tickets.indices[..tickets.count].reverse();
            return Act::SlashAbsent { job, provider, round, tickets };
        }
        Act::SlashAbsent { job, provider: seat.provider, round, tickets: Tickets::of([0]) }
    }

    /// Mostly somebody who challenged.
    fn challenger(&mut self, model: &Model, job: Key, seat: &Seat) -> Key {
        let own: Vec<Key> = model.challenges.keys().filter(|(of, _)| *of == job).map(|(_, own)| *own).collect();
        match self.rng.below(4) {
            0 => self.world.bystanders[1],
            1 => seat.node_key,
            _ => self.pick(&own).unwrap_or(seat.node_key),
        }
    }

    /// Somebody who voted in one of the rounds, every other time somebody who has not shown it.
    fn voter(&mut self, model: &Model, job: Key) -> Option<(u8, Key)> {
        let own = model.votes.iter().filter(|((of, _, _), _)| *of == job);
        let (hidden, shown): (Vec<_>, Vec<_>) = own.partition(|(_, vote)| !vote.is_revealed);
        let all = if self.rng.below(2) == 0 && !hidden.is_empty() { hidden } else { shown };
        self.pick(&all).map(|((_, round, provider), _)| (*round, *provider))
    }

    /// A vote that breaks one rule, of whoever could vote; else one that nobody could cast.
    fn misvoted(&mut self, model: &Model, job: Key, seat: &Seat) -> Act {
        let place = at(current(model, seat), job, seat.provider);
        let made_up = Act::CommitVote { at: place, commitment: [2; 32], tickets: Tickets::of([3]) };
        // Whose cap bears no bond, and who sees to nothing.
        let careless = self.world.seats.iter().map(|seat| Seat { habit: Habit::Fickle, ..*seat });
        let is_over_cap =
            |act: &Act| model.clone().apply(act).is_err_and(|refused| refused.contains("ExposureCapReached"));
        let over_cap = careless.filter_map(|seat| seat.vote(model, job)).find(is_over_cap);
        if let (Some(over_cap), 0) = (over_cap, self.rng.below(2)) {
            return over_cap;
        }
        let votes = self.world.seats.iter().filter_map(|seat| seat.vote(model, job));
        let weighs = |act: &Act| {
            let (mut after, Act::CommitVote { at, .. }) = (model.clone(), *act) else { return false };
            let round = model.disputes[&job].round;
            after.apply(act).is_ok() && after.votes[&(job, round, at.provider)].weight > 0
        };
        let could: Vec<Act> = votes.filter(weighs).collect();
        let could = self.pick(&could).unwrap_or(made_up);
        let Act::CommitVote { mut at, mut commitment, mut tickets } = could else {
            return made_up;
        };
        match self.rng.below(6) {
            0 => commitment = [0; 32],
            1 => at.signer = self.world.bystanders[1],
            2 => tickets = Tickets::NONE,
            3 => tickets.indices[..tickets.count].reverse(),
            4 => tickets = Tickets::of([tickets.indices[0], tickets.indices[0]]),
            _ => tickets.indices[0] += 1,
        }
        Act::CommitVote { at, commitment, tickets }
    }

    /// Somebody's vote, shown wrongly.
    fn misrevealed(&mut self, model: &Model, job: Key, seat: &Seat) -> Act {
        let (round, provider) = self.voter(model, job).unwrap_or((0, seat.provider));
        let juror = *self.world.seat(provider).unwrap_or(seat);
        let uid = model.jobs[&job].uid;
        let mut place = at(current(model, &juror), job, provider);
        let (mut ballot, mut hidden) = (juror.judges(&uid), salt(&uid, provider));
        match self.rng.below(4) {
            0 => ballot = [3; 79],
            1 => hidden = [1; 32],
            2 => place.signer = self.world.bystanders[1],
            _ => {}
        }
        Act::RevealVote { at: place, round, ballot, salt: hidden }
    }
}

/// What anybody may do about a dispute because its time has come.
#[must_use]
pub fn cranks(model: &Model) -> Vec<Act> {
    model.disputes.iter().flat_map(|(key, dispute)| crank(model, *key, dispute)).collect()
}

fn crank(model: &Model, job: Key, dispute: &Dispute) -> Vec<Act> {
    let mut acts = Vec::new();
    let due = model.due_in_dispute_unix(dispute).is_some_and(|due| model.now_unix >= due);
    match dispute.status {
        DisputeStatus::Entry if due => acts.push(Act::RecordJury { job }),
        DisputeStatus::Drawing if model.slot > dispute.draw.seed_slot => acts.push(Act::RecordJury { job }),
        DisputeStatus::Voting if due => acts.push(Act::TallyRound { job }),
        DisputeStatus::Tallied if due => acts.push(Act::SettleDispute { job }),
        DisputeStatus::Final => settle(model, job, dispute, &mut acts),
        _ => {}
    }
    acts
}

fn settle(model: &Model, job: Key, dispute: &Dispute, acts: &mut Vec<Act>) {
    let uncounted = dispute.challenges_counted < dispute.challenges;
    let over = !uncounted && model.jobs[&job].executions_open == 0;
    for ((_, challenger), own) in model.challenges.iter().filter(|((of, _), _)| *of == job) {
        if over || own.status != ChallengeStatus::Won {
            acts.push(Act::SettleChallenge { job, challenger: *challenger });
        }
    }
    if over {
        let votes = model.votes.keys().filter(|(of, _, _)| *of == job);
        acts.extend(votes.map(|(_, round, provider)| Act::SettleVote { job, round: *round, provider: *provider }));
        if dispute.challenges_open == 0 && dispute.votes_open == 0 {
            acts.push(Act::CloseDispute { job });
        }
    }
}

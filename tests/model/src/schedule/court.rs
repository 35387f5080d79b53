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

impl Seat {
    /// What it votes for as a juror.
    #[must_use]
    pub fn judges(&self, uid: &[u8; 32]) -> [u8; 79] {
        match self.habit {
            Habit::Wrong => own_lie(self.provider),
            Habit::Ring => ring_lie(uid),
            Habit::Lazy => UNAVAILABLE,
            _ => truth(uid),
        }
    }

    /// Its vote in this round, of at most two tickets fewer than it may cast.
    #[must_use]
    pub fn vote(&self, model: &Model, job: Key) -> Option<Act> {
        let (dispute, provider) = (&model.disputes[&job], model.providers.get(&self.provider)?);
        let usable = provider.usable_tickets(dispute.ticket_lamports);
        let winning =
            (0..usable).filter(|index| wins(&dispute.draw.seed, &self.provider.0, *index, dispute.threshold()));
        let tickets = if dispute.is_last() { Tickets::NONE } else { Tickets::of(winning) };
        let weight = if dispute.is_last() { usable.min(50) } else { u32::try_from(tickets.count).ok()? };
        let commitment = judged(&dispute.uid, dispute.round, self.provider, &self.judges(&dispute.uid));
        (weight > 0).then(|| Act::CommitVote {
            at: at(provider.node_key, job, self.provider),
            commitment,
            weight,
            tickets,
        })
    }
}

impl Schedule {
    /// Everything that somebody would do about disputes now.
    pub(super) fn litigate(&mut self, model: &Model, acts: &mut Vec<Act>) {
        for (key, job) in &model.jobs {
            if matches!(job.status, JobStatus::Submitted | JobStatus::Deadlocked) {
                acts.extend(self.contest(*key, job));
            }
        }
        for (key, dispute) in &model.disputes {
            acts.extend(self.proceed(model, *key, dispute));
        }
        if self.rng.below(6) == 0 {
            let seats = self.world.seats.clone();
            if let Some(Seat { authority, provider, .. }) = self.pick(&seats) {
                acts.push(Act::SetDuty { signer: authority, provider, on: self.rng.below(4) > 0 });
            }
        }
    }

    /// What somebody would do about this dispute now.
    pub(super) fn proceed(&mut self, model: &Model, key: Key, dispute: &Dispute) -> Vec<Act> {
        let mut acts = Vec::new();
        match dispute.status {
            DisputeStatus::Entry if self.rng.below(3) == 0 => acts.extend(self.enter(key, dispute)),
            DisputeStatus::Voting => {
                self.judge(model, key, dispute, &mut acts);
                acts.push(Act::TallyRound { job: key });
            }
            DisputeStatus::Tallied => self.after(model, key, dispute, &mut acts),
            _ => {}
        }
        acts.extend(crank(model, key, dispute));
        acts
    }

    /// The poster looks; a bystander challenges whatever is there.
    fn contest(&mut self, key: Key, job: &Job) -> Option<Act> {
        if job.status == JobStatus::Deadlocked {
            return (self.rng.below(2) == 0).then(|| Act::OpenDispute {
                payer: self.world.bystanders[0],
                job: key,
                commitment: None,
            });
        }
        let lies = job.outcome != Some(truth(&job.uid));
        let (payer, outcome) = match self.rng.below(4) {
            0 | 1 if lies => (job.poster, truth(&job.uid)),
            2 => (self.world.bystanders[0], ring_lie(&job.uid)),
            _ => return None,
        };
        Some(Act::OpenDispute { payer, job: key, commitment: Some(contested(&job.uid, payer, &outcome)) })
    }

    fn enter(&mut self, key: Key, dispute: &Dispute) -> Option<Act> {
        let (challenger, outcome) = match self.rng.below(4) {
            0 => (dispute.poster, truth(&dispute.uid)),
            1 => (self.world.bystanders[1], truth(&dispute.uid)),
            2 => (self.world.bystanders[0], ring_lie(&dispute.uid)),
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
                Some(vote) if !vote.is_revealed && seat.habit != Habit::NoReveal => {
                    let Some(provider) = model.providers.get(&seat.provider) else { continue };
                    let place = at(provider.node_key, key, seat.provider);
                    let (ballot, salt) = (seat.judges(&dispute.uid), salt(&dispute.uid, seat.provider));
                    acts.push(Act::RevealVote { at: place, round: dispute.round, ballot, salt });
                }
                _ => {}
            }
        }
        let own = model.challenges.iter().filter(|((job, _), _)| *job == key);
        for ((_, challenger), challenge) in own.filter(|(_, own)| own.status == ChallengeStatus::Entered) {
            let told = [truth(&dispute.uid), ring_lie(&dispute.uid)];
            let held = told.iter().find(|told| challenge.commitment == contested(&dispute.uid, *challenger, told));
            // The sham challenger shows nothing.
            if let (Some(outcome), false) =
                (held, *challenger == self.world.bystanders[0] && dispute.uid[3].is_multiple_of(2))
            {
                let salt = salt(&dispute.uid, *challenger);
                acts.push(Act::RevealOutcome { challenger: *challenger, job: key, outcome: *outcome, salt });
            }
        }
    }

    /// Appeals, and somebody who tries to have everybody slashed.
    fn after(&mut self, model: &Model, key: Key, dispute: &Dispute, acts: &mut Vec<Act>) {
        let seats = self.world.seats.clone();
        if let Some((seat, provider)) =
            self.pick(&seats).and_then(|seat| Some((seat, model.providers.get(&seat.provider)?)))
        {
            let usable = provider.usable_tickets(dispute.ticket_lamports);
            let won = |index: &u32| wins(&dispute.draw.seed, &seat.provider.0, *index, dispute.threshold());
            let ticket = (0..usable).find(won).unwrap_or(0);
            acts.push(Act::SlashAbsent { job: key, provider: seat.provider, ticket });
        }
        if matches!(dispute.verdict, Verdict::Outcome | Verdict::Unavailable) && self.rng.below(3) == 0 {
            let right = dispute.verdict_hash == crate::outcome_hash(&truth(&dispute.uid));
            let (appellant, ballot) = match (right, self.rng.below(3)) {
                (false, _) => (dispute.poster, truth(&dispute.uid)),
                (true, 0) => (dispute.poster, UNAVAILABLE),
                (true, _) => (self.world.bystanders[0], ring_lie(&dispute.uid)),
            };
            acts.push(Act::Appeal { appellant, job: key, ballot });
        }
    }

    /// Of disputes what nobody should ask for.
    pub(super) fn contempt(&mut self, model: &Model, job: Key) -> Act {
        let seats = self.world.seats.clone();
        let seat = self.pick(&seats).expect("there are providers");
        let challenger = [self.world.bystanders[1], seat.node_key][usize::try_from(self.rng.below(2)).expect("small")];
        let uid = model.jobs[&job].uid;
        let (outcome, place) = (truth(&uid), at(seat.node_key, job, seat.provider));
        let round = u8::try_from(self.rng.below(3)).expect("small");
        match self.rng.below(15) {
            0 => Act::OpenDispute { payer: challenger, job, commitment: None },
            1 => Act::OpenDispute { payer: challenger, job, commitment: Some([0; 32]) },
            2 => Act::EnterDispute { challenger, job, commitment: [2; 32] },
            3 => Act::RecordJury { job },
            4 => Act::CommitVote { at: place, commitment: [2; 32], weight: 1, tickets: Tickets::of([3]) },
            5 => Act::CommitVote { at: place, commitment: [2; 32], weight: 2, tickets: Tickets::of([3, 3]) },
            6 => Act::RevealVote { at: place, round, ballot: outcome, salt: [1; 32] },
            7 => Act::RevealOutcome { challenger, job, outcome, salt: salt(&uid, challenger) },
            8 => Act::TallyRound { job },
            9 => Act::Appeal { appellant: challenger, job, ballot: outcome },
            10 => Act::SettleDispute { job },
            11 => Act::SettleChallenge { job, challenger },
            12 => Act::SettleVote { job, round, provider: seat.provider },
            13 => Act::SlashAbsent { job, provider: seat.provider, ticket: 0 },
            _ => Act::CloseDispute { job },
        }
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

//! Contesting what is wrong: which results of others are watched, what is challenged and appealed against, what a juror says.
//! Whatever is to be signed is in the row, on disk, first; what is signed next follows from the row and from what is on chain.

use assay_protocol::{ChallengeStatus, Hash32, JobStatus, duty::is_busy, pot::appeal_bond};
use sha2::{Digest, Sha256};

use super::{
    Action, BallotRow, ChallengeRow, Core, DropReason, Job, JobUid, JobView, Now, OutcomeBytes, Phase, Role, Salt,
    Settings, Spent, TxKind, UNAVAILABLE,
    court::{DisputeView, OwnVote},
};

/// What is kept besides a bond for the accounts that a dispute makes, lamports: more than its rents.
const RENTS_LAMPORTS: u64 = 20_000_000;
/// One job in so many places of the table may be watched, and as many judged.
const PLACES_PART: usize = 4;

const NO_BUDGET: &str = "a result that this provider found wrong is not contested: its bond is more than the node key can \
    pay or than what is left of watch.bonds_per_day_lamports; send SOL to the node key or raise the limit, or dispute it \
    from another wallet before its window closes";
const NO_STAKE: &str = "this provider is in a jury and has no free stake for the bond of a ticket: its vote excuses it and weighs \
    nothing";
const EXCUSED: &str = "this provider is in a jury and could not run the job in time, with its votes in other disputes or nothing free: \
    it asks to be excused";
const NO_ROOM: &str = "this provider is in a jury and cannot vote: its exposure cap leaves no room for the bond of a ticket, which is no \
    excuse; raise it at once, or its duty lock may be lost";
const NO_RUN: &str = "this provider is in a jury and could not run the job in time: it does not vote, and its duty lock may be \
    lost";

/// What watching and contesting may cost.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Watch {
    /// Chance that a result of others is watched, in 2^32.
    pub sample: u64,
    /// Most gas run for that in a day.
    pub gas_per_day: u64,
    /// Most bonds of challenges and appeals in a day, lamports.
    pub bonds_per_day_lamports: u64,
    /// Serve in juries while this provider is on duty.
    pub duty: bool,
    /// 32 random bytes of this start, which nobody else knows: what is watched, and what hides ballots, follows from them.
    pub secret: Hash32,
}

/// What a salt is for.
#[derive(Clone, Copy)]
enum Purpose {
    Sample,
    Challenge,
    Vote(u8),
}

impl Settings {
    /// Random for everybody else, and another one for each purpose: a salt that was shown tells nothing of the next.
    fn salt(&self, uid: JobUid, purpose: Purpose) -> Salt {
        let purpose = match purpose {
            Purpose::Sample => [0, 0],
            Purpose::Challenge => [1, 0],
            Purpose::Vote(round) => [2, round],
        };
        Sha256::new().chain_update(self.watch.secret).chain_update(uid.0).chain_update(purpose).finalize().into()
    }

    /// Whether a result of others is among those that are watched. Nobody can tell beforehand.
    fn samples(&self, uid: JobUid) -> bool {
        let [a, b, c, d, ..] = self.salt(uid, Purpose::Sample);
        u64::from(u32::from_le_bytes([a, b, c, d])) < self.watch.sample
    }

    /// Whether votes can be hidden in time: a juror keeps half of the time at most for the vote itself.
    pub(super) fn vote_margin_s(&self, execution_s: u32) -> i64 {
        self.decline_margin_s.min(i64::from(execution_s / 2))
    }
}

fn day(now: Now) -> i64 {
    Spent::day_of(now.chain_unix)
}

/// Until when a result may be disputed.
fn is_contestable(view: &JobView, now: Now) -> bool {
    let stands = view.status == JobStatus::Submitted && view.standing_hash != [0; 32];
    stands && view.disputes_open == 0 && now.chain_unix < view.window_deadline_unix
}

/// Whether others may still join a dispute that somebody opened.
fn takes_entries(view: &JobView, now: Now) -> bool {
    let takes = |dispute: &DisputeView| dispute.takes_challenges(now) && dispute.challenge.is_none();
    view.status == JobStatus::Disputed && view.dispute.as_deref().is_some_and(takes)
}

impl Core {
    /// Whether a job in which we have no seat is to be judged or watched.
    pub(super) fn is_of_interest(&self, view: &JobView, now: Now) -> bool {
        let places = (self.settings.jobs_tracked_max / PLACES_PART).max(1);
        let held = |role| self.jobs.values().filter(|job| job.row.role == role && !job.is_done()).count();
        match self.part_in(view, now) {
            Some(role) => held(role) < places,
            None => false,
        }
    }

    /// What we are to a job in which we have no seat.
    fn part_in(&self, view: &JobView, now: Now) -> Option<Role> {
        let provider = self.provider.as_ref()?;
        let can_run = view.kind == 0 && view.profile == assay_protocol::PROFILE_V1 && view.limits.is_within_bounds();
        if view.status == JobStatus::Disputed && self.settings.watch.duty && Job::may_judge(view, provider) {
            return can_run.then_some(Role::Judge);
        }
        let policy = &self.settings.policy;
        let is_within =
            view.limits.gas_limit <= policy.gas_limit_max && view.limits.memory_bytes <= policy.memory_max_bytes;
        let is_open = is_contestable(view, now) || takes_entries(view, now);
        let is_sampled = can_run && is_within && !self.draining && is_open && self.settings.samples(view.uid);
        // The day's budget comes last: it is the sum of all jobs'.
        (is_sampled && self.affords_gas(view.limits.gas_limit, now)).then_some(Role::Watch)
    }

    /// Makes us to a job what we are, once we have no seat in it and nothing is going on.
    pub(super) fn take_part(&mut self, uid: JobUid, now: Now, actions: &mut Vec<Action>) {
        let Some(view) = self.jobs.get(&uid).and_then(|job| job.view.clone()) else { return };
        let Some(role) = self.part_in(&view, now) else { return };
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let is_idle = matches!(job.row.phase, Phase::Seen | Phase::Dropped(_)) && !job.row.has_part_in_dispute();
        let changes = match (job.row.role, role) {
            (Role::Execute, _) => is_idle && view.seat.is_none() && job.row.outcome.is_none(),
            // Whoever watched it is asked as a juror, too, and so is whoever challenged.
            (Role::Watch, Role::Judge) => true,
            _ => false,
        };
        if !changes {
            return;
        }
        let is_running = job.row.phase == Phase::Running;
        job.has_run = false;
        job.row.phase = match role {
            Role::Judge if is_running || job.row.has_part_in_dispute() => job.row.phase,
            Role::Judge if job.row.outcome.is_some() => Phase::Ran,
            Role::Judge => Phase::Seen,
            Role::Execute | Role::Watch => Phase::Sampled,
        };
        job.row.role = role;
        if !is_running {
            (job.row.run_attempts, job.row.content_failures, job.row.tx_failures) = (0, 0, 0);
        }
        actions.push(Action::Persist(uid));
    }

    /// What was spent on a day.
    fn spent_on(&self, day: i64) -> Spent {
        let of_day = self.jobs.values().filter_map(|job| job.row.spent).filter(|spent| spent.day == day);
        of_day.fold(Spent { day, ..Spent::default() }, Spent::plus)
    }

    /// Whether a run of a watched result is within the day's budget.
    pub(super) fn affords_run(&self, job: &Job, now: Now) -> bool {
        self.affords_gas(job.view.as_ref().map_or(0, |view| view.limits.gas_limit), now)
    }

    fn affords_gas(&self, gas: u64, now: Now) -> bool {
        self.spent_on(day(now)).gas.saturating_add(gas) <= self.settings.watch.gas_per_day
    }

    fn affords_bond(&self, bond_lamports: u64, now: Now) -> bool {
        let spent = self.spent_on(day(now)).bonds_lamports.saturating_add(bond_lamports);
        let kept = self.settings.balance_min_lamports.saturating_add(RENTS_LAMPORTS);
        let balance = self.provider.map_or(0, |provider| provider.node_balance_lamports);
        spent <= self.settings.watch.bonds_per_day_lamports && balance >= bond_lamports.saturating_add(kept)
    }

    /// Decides what is contested, and records it before it is signed. Own seats come first.
    pub(super) fn decide_contests(&mut self, uids: &[JobUid], now: Now, actions: &mut Vec<Action>) {
        for uid in uids {
            let Some(job) = self.jobs.get(uid) else { continue };
            let bonds = |bonds_lamports| Spent { bonds_lamports, ..Spent::default() };
            if let Some(bond) = job.wants_challenge(now) {
                let salt = self.settings.salt(*uid, Purpose::Challenge);
                let affords = self.affords_bond(bond, now);
                let Some(job) = self.jobs.get_mut(uid) else { continue };
                if affords {
                    job.row.challenge = Some(ChallengeRow { salt });
                    job.spend(now, bonds(bond));
                    actions.push(Action::Persist(*uid));
                } else {
                    job.tell(NO_BUDGET, actions);
                    if job.row.role == Role::Watch {
                        job.row.phase = Phase::Dropped(DropReason::Budget);
                        actions.extend([Action::Persist(*uid), Action::CleanUp(*uid)]);
                    }
                }
            } else if let Some((round, bond)) = job.wants_appeal(now) {
                let affords = self.affords_bond(bond, now);
                let Some(job) = self.jobs.get_mut(uid) else { continue };
                if affords {
                    job.row.appeal = Some(round);
                    job.row.tx_failures = 0;
                    job.spend(now, bonds(bond));
                    actions.push(Action::Persist(*uid));
                } else if job.row.role != Role::Judge {
                    job.tell(NO_BUDGET, actions);
                }
            }
        }
    }

    /// Decides what a juror says, and records it before it is signed: what its run gave, or that there was nothing to run.
    pub(super) fn decide_ballots(&mut self, uids: &[JobUid], now: Now, actions: &mut Vec<Action>) {
        let Some(provider) = self.provider else { return };
        for uid in uids {
            let Some((round, ballot)) = self.jobs.get(uid).and_then(|job| job.ballot_due(&self.settings, now)) else {
                continue;
            };
            let salt = self.settings.salt(*uid, Purpose::Vote(round));
            let Some(job) = self.jobs.get_mut(uid) else { continue };
            let Some(places) = job.places(&provider) else { continue };
            let is_drawn = places.weight > 0;
            let bond = job
                .view
                .as_ref()
                .and_then(|view| view.dispute.as_ref())
                .map_or(0, |dispute| dispute.juror_bond_lamports);
            let bears = |lamports: u64| lamports.saturating_sub(provider.locked_lamports) >= bond;
            let (has_free, has_room) = (bears(provider.stake_lamports), bears(provider.exposure_cap_lamports));
            match ballot {
                Some(ballot) if is_drawn => {
                    match (has_free, has_room) {
                        (false, _) => job.tell(NO_STAKE, actions),
                        (true, false) => job.tell(NO_ROOM, actions),
                        (true, true) => {}
                    }
                    let row = BallotRow { ballot, salt, tickets: places.tickets, weight: places.weight };
                    if let Some(place) = job.row.ballots.get_mut(usize::from(round)) {
                        *place = Some(row);
                    }
                    job.row.tx_failures = 0;
                    // A long pause after content that was not to be had must not outlast the vote.
                    job.not_before_ms = now.monotonic_ms;
                    actions.push(Action::Persist(*uid));
                }
                None if is_drawn && job.row.excused == Some(round) => {}
                None if is_drawn && (!has_free || is_busy(provider.votes_open, round)) => {
                    job.row.excused = Some(round);
                    job.row.tx_failures = 0;
                    job.not_before_ms = now.monotonic_ms;
                    job.tell(EXCUSED, actions);
                    actions.push(Action::Persist(*uid));
                }
                None if is_drawn => job.tell(NO_RUN, actions),
                _ => {}
            }
        }
    }
}

impl Job {
    /// Says something once.
    pub(super) fn tell(&mut self, text: &'static str, actions: &mut Vec<Action>) {
        if !self.is_told {
            self.is_told = true;
            actions.push(Action::Alert(self.row.uid, text));
        }
    }

    /// Takes from the day's budget.
    pub(super) fn spend(&mut self, now: Now, Spent { gas, bonds_lamports, .. }: Spent) {
        let more = Spent { day: day(now), gas, bonds_lamports };
        self.row.spent = Some(self.row.spent.unwrap_or_default().plus(more));
    }

    /// Whether its part of a day's budget has to be remembered.
    pub(super) fn counts_today(&self, now: Now) -> bool {
        self.row.spent.is_some_and(|spent| spent.day == day(now))
    }

    /// Whether a watched result can still be contested, by whoever is first or joins.
    pub(super) fn can_contest(&self, now: Now) -> bool {
        self.view.as_ref().is_some_and(|view| is_contestable(view, now) || takes_entries(view, now))
    }

    /// The bond of a challenge, if the result that stands is not what we found and can still be disputed.
    fn wants_challenge(&self, now: Now) -> Option<u64> {
        let found = match self.row.role {
            Role::Execute => self.row.phase == Phase::Submitted,
            Role::Watch => self.row.phase == Phase::Ran,
            Role::Judge => false,
        };
        if !found || self.row.challenge.is_some() {
            return None;
        }
        let (view, ours) = (self.view.as_ref()?, self.row.outcome_hash()?);
        // What challengers hold is hidden, and the first of them may be the liar's friend (P-17): unless a seat says the same as
        // we do, nobody else may.
        let is_missing = self.row.role == Role::Watch && takes_entries(view, now) && !view.results.contains(&ours);
        let is_wrong = view.standing_hash != ours && (is_contestable(view, now) || is_missing);
        is_wrong.then_some(view.bond_lamports)
    }

    /// The round whose verdict is not what we found, and the bond of an appeal against it.
    fn wants_appeal(&self, now: Now) -> Option<(u8, u64)> {
        let dispute = self.view.as_ref()?.dispute.as_ref().filter(|dispute| dispute.takes_appeals(now))?;
        let ours = self.row.outcome_hash()?;
        let holds = dispute
            .challenge
            .is_none_or(|challenge| challenge.status == ChallengeStatus::Revealed && challenge.outcome_hash == ours);
        let is_new = self.row.appeal != Some(dispute.round);
        let bond = appeal_bond(dispute.bond_lamports, dispute.round).ok()?;
        (holds && is_new && dispute.verdict_hash != ours).then_some((dispute.round, bond))
    }

    /// What a juror is to say in this round now: `Some(None)` in place of a ballot when its time has come and there is none.
    fn ballot_due(&self, settings: &Settings, now: Now) -> Option<(u8, Option<OutcomeBytes>)> {
        let view = self.view.as_ref().filter(|_| self.row.role == Role::Judge)?;
        let dispute = view.dispute.as_ref().filter(|dispute| dispute.takes_votes(now) && dispute.vote().is_none())?;
        let round = dispute.round;
        // What was found after one asked to be excused is said, if the excuse was not taken.
        if self.row.ballot(round).is_some() || self.row.phase == Phase::Halted {
            return None;
        }
        let margin_s = settings.vote_margin_s(view.execution_s);
        let is_time = now.chain_unix >= dispute.commit_deadline_unix.saturating_sub(margin_s);
        match self.row.outcome {
            Some(outcome) => Some((round, Some(outcome))),
            // A host that fails says nothing about the content.
            None if is_time => {
                let is_missing = self.row.phase == Phase::Drawn && self.row.content_failures > 0;
                Some((round, is_missing.then_some(UNAVAILABLE)))
            }
            None => None,
        }
    }

    /// The transaction of a dispute that is wanted now, by what is on disk and on chain.
    pub(super) fn contest_tx(&self, now: Now) -> Option<TxKind> {
        let view = self.view.as_ref().filter(|_| self.row.phase != Phase::Halted)?;
        let Some(dispute) = &view.dispute else {
            return (self.row.challenge.is_some() && is_contestable(view, now)).then_some(TxKind::Challenge);
        };
        let round = dispute.round;
        if dispute.takes_challenges(now) {
            return (self.row.challenge.is_some() && dispute.challenge.is_none()).then_some(TxKind::Challenge);
        }
        if dispute.takes_votes(now) {
            let votes = self.row.votes_in(round) && dispute.vote().is_none();
            return votes.then_some(TxKind::Vote(round));
        }
        if dispute.takes_reveals(now) {
            let is_hidden = matches!(dispute.vote(), Some(OwnVote::Committed(_)));
            if is_hidden && self.row.ballot(round).is_some() {
                return Some(TxKind::RevealVote(round));
            }
            let opens = dispute.challenge.is_some_and(|challenge| challenge.status == ChallengeStatus::Entered);
            // What stands cannot be shown as a challenge: a fork made it right.
            let stands = self.row.outcome_hash() == Some(view.standing_hash);
            return (opens && round == 0 && self.row.challenge.is_some() && !stands).then_some(TxKind::RevealOutcome);
        }
        let appeals = dispute.takes_appeals(now) && self.row.appeal == Some(round);
        appeals.then_some(TxKind::Appeal(round))
    }
}

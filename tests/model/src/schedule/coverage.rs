//! What stories reached, so that a gap shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use assay_protocol::{
    ChallengeEvent, ChallengeStatus as ClaimStatus, DisputeEvent, DisputeStatus as ContestStatus, ExecutionEvent,
    ExecutionStatus, JobEvent, JobStatus as Told, VoteEvent, VoteStatus,
};

use super::{Step, milestones};
use crate::{
    draw::DrawState,
    rules::Verdict,
    state::{ChallengeStatus, DisputeStatus, Execution, Job, JobStatus, Model, SeatStatus, Vote},
};

/// What happened, how often.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By instruction: went through, refused.
    pub acts: BTreeMap<&'static str, (u32, u32)>,
    /// By instruction, what it was refused for: the reasons that alone refused it, and those that a ledger named.
    pub refusals: BTreeMap<&'static str, BTreeSet<String>>,
    /// What happened to jobs, by status before it; the names are those of the protocol's events.
    pub jobs: BTreeMap<(JobStatus, &'static str), u32>,
    /// What happened to seats, by status before it; those that ended by what they came to.
    pub seats: BTreeMap<(SeatStatus, &'static str), u32>,
    /// Seeds of seats that expired, by how many had before; after the third everybody is drawn.
    pub expired: BTreeMap<u8, u32>,
    /// What happened to disputes, challenges and votes, by status before it; the names are those of the protocol's events.
    pub contests: BTreeMap<(&'static str, u8, &'static str), u32>,
    /// See [`milestones`].
    pub milestones: BTreeMap<String, u32>,
}

impl Coverage {
    /// Counts one step.
    pub fn note(&mut self, before: &Model, step: &Step, verdict: &Verdict, after: &Model) {
        let Step::Act(act) = step else { return };
        let name = act.name();
        let edges = milestones::edges(before, act, verdict);
        edges.into_iter().for_each(|met| *self.milestones.entry(met).or_default() += 1);
        let (done, refused) = self.acts.entry(name).or_default();
        match verdict {
            Ok(()) => *done += 1,
            Err(reasons) => {
                *refused += 1;
                if let (1, Some(reason)) = (reasons.len(), reasons.first()) {
                    self.note_refusal(name, reason);
                }
                return;
            }
        }
        let met = milestones::milestones(before, act, after);
        met.into_iter().for_each(|met| *self.milestones.entry(met).or_default() += 1);
        for event in contest_events(before, after) {
            *self.contests.entry(event).or_default() += 1;
        }
        for (key, old) in &before.jobs {
            let Some(new) = after.jobs.get(key) else { continue };
            for event in job_events(name, old, new) {
                *self.jobs.entry(event).or_default() += 1;
            }
            let rearmed = name == "record_seed" && old.draw.state == DrawState::Armed;
            if rearmed && (new.draw.rearmed > old.draw.rearmed || new.draw.state == DrawState::Everybody) {
                *self.expired.entry(old.draw.rearmed).or_default() += 1;
            }
        }
        for (place, old) in &before.executions {
            let event = match after.executions.get(place) {
                Some(new) if new.status == old.status => continue,
                Some(new) => seat_event(old.status, new.status),
                None => seat_end(name, &before.jobs[&place.0], old),
            };
            *self.seats.entry((old.status, event)).or_default() += 1;
        }
    }

    /// Counts the reason that a ledger gave.
    pub fn note_refusal(&mut self, act: &'static str, reason: &str) {
        let reasons = self.refusals.entry(act).or_default();
        if !reasons.contains(reason) {
            reasons.insert(reason.to_owned());
        }
    }

    /// What the protocol's tables let happen to jobs and seats and no story had; ends of seats and expired seeds too.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for (status, event) in pairs(&Told::ALL, JobEvent::ALL) {
            let name = format!("{event:?}");
            let had = self.jobs.keys().any(|(from, had)| *from as u8 == status.code() && *had == name);
            if status.transition(event).is_ok() && !had {
                gaps.push(format!("a job that is {status:?}: {name}"));
            }
        }
        for (status, event) in pairs(&ExecutionStatus::ALL, ExecutionEvent::ALL) {
            let name = format!("{event:?}");
            let had = self.seats.keys().any(|(from, had)| *from as u8 == status.code() && *had == name);
            if status.transition(event).is_some() && !had {
                gaps.push(format!("a seat that is {status:?}: {name}"));
            }
        }
        gaps.extend(self.contest_gaps());
        let wanted = milestones::MILESTONES.iter().map(|met| (*met).to_owned()).chain(milestones::edges_wanted());
        gaps.extend(wanted.filter(|met| !self.milestones.contains_key(met)));
        let ended = |end: &&str| self.seats.keys().any(|(_, had)| had == end);
        gaps.extend(SEAT_ENDS.iter().filter(|end| !ended(end)).map(|end| format!("the end of a seat: {end}")));
        let expired = |before: &u8| self.expired.contains_key(before);
        let seeds = (0..=crate::draw::SEED_REARMS_MAX).filter(|before| !expired(before));
        gaps.extend(seeds.map(|before| format!("a seed that expired after {before} others")));
        gaps
    }

    /// What the tables of disputes, challenges and votes allow and no story had.
    fn contest_gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        let mut gap = |kind, status: String, code, event: String| {
            let had = self.contests.keys().any(|(of, from, had)| (*of, *from) == (kind, code) && *had == event);
            gaps.extend((!had).then(|| format!("a {kind} that is {status}: {event}")));
        };
        for (status, event) in pairs(&ContestStatus::ALL, DisputeEvent::ALL) {
            if status.transition(event).is_some() {
                gap("dispute", format!("{status:?}"), status.code(), format!("{event:?}"));
            }
        }
        for (status, event) in pairs(&ClaimStatus::ALL, ChallengeEvent::ALL) {
            if status.transition(event).is_some() {
                gap("challenge", format!("{status:?}"), status.code(), format!("{event:?}"));
            }
        }
        for (status, event) in pairs(&VoteStatus::ALL, VoteEvent::ALL) {
            if status.transition(event).is_some() {
                gap("vote", format!("{status:?}"), status.code(), format!("{event:?}"));
            }
        }
        gaps
    }

    /// Adds what another story reached.
    pub fn add(&mut self, other: &Self) {
        for (name, (done, refused)) in &other.acts {
            let sum = self.acts.entry(name).or_default();
            *sum = (sum.0 + done, sum.1 + refused);
        }
        for (name, reasons) in &other.refusals {
            self.refusals.entry(name).or_default().extend(reasons.iter().cloned());
        }
        other.jobs.iter().for_each(|(event, count)| *self.jobs.entry(*event).or_default() += count);
        other.seats.iter().for_each(|(event, count)| *self.seats.entry(*event).or_default() += count);
        other.expired.iter().for_each(|(before, count)| *self.expired.entry(*before).or_default() += count);
        other.contests.iter().for_each(|(event, count)| *self.contests.entry(*event).or_default() += count);
        other.milestones.iter().for_each(|(met, count)| *self.milestones.entry(met.clone()).or_default() += count);
    }
}

/// What a seat comes to.
const SEAT_ENDS: [&str; 10] = [
    "given back",
    "paid",
    "wrong",
    "refunded",
    "hidden, resolved",
    "hidden, expired",
    "never ran",
    "silent, resolved",
    "silent, expired",
    "missed",
];

fn pairs<A: Copy, B: Copy>(first: &[A], second: &[B]) -> Vec<(A, B)> {
    first.iter().flat_map(|a| second.iter().map(|b| (*a, *b))).collect()
}

/// What an instruction did to a job: one event, or, where the last reveal comes after the commits' deadline, two.
fn job_events(name: &str, old: &Job, new: &Job) -> Vec<(JobStatus, &'static str)> {
    use JobStatus as Is;
    let late = name == "reveal_result" && old.status == Is::Assigned && new.status != Is::Assigned;
    let closed = late.then_some((Is::Assigned, "CommitsClosed"));
    let from = if closed.is_some() { Is::Revealing } else { old.status };
    let event = match (name, from, new.status) {
        (_, old, new) if old == new => None,
        ("accept_job", ..) => Some("SeatsFilled"),
        ("cancel_job", ..) => Some("Cancelled"),
        ("decline_job", _, Is::Open) => Some("Declined"),
        ("decline_job" | "commit_result", _, Is::Revealing) => Some("CommitsClosed"),
        ("submit_results", ..) => Some("Submitted"),
        ("record_seed", ..) => Some("AuditDrawn"),
        ("finalize_job", ..) => Some("Finalized"),
        ("open_dispute", ..) => Some("Disputed"),
        ("settle_dispute", _, Is::Resolved) => Some("Judged"),
        ("settle_dispute", ..) => Some("Voided"),
        ("expire_job", Is::Open, Is::Expired) => Some("QueueTimedOut"),
        ("expire_job", Is::Open, Is::Assigned) => Some("AuditUnderfilled"),
        ("expire_job", Is::Open, Is::Revealing) => Some("AuditUnfilled"),
        ("expire_job", Is::Open, Is::Deadlocked) => Some("ArbiterMissing"),
        ("expire_job", Is::Deadlocked, _) => Some("NobodyAppealed"),
        ("expire_job", Is::Assigned, Is::Open) if old.seats_wanted == 1 => Some("MissedRequeued"),
        ("expire_job", Is::Assigned, Is::Expired) => Some("MissedLast"),
        (_, _, Is::Submitted) => Some("Agreed"),
        (_, _, Is::Open) => Some("DisagreedRequeued"),
        (_, _, Is::Deadlocked) => Some("DisagreedLast"),
        _ => Some("unknown"),
    };
    closed.into_iter().chain(event.map(|event| (from, event))).collect()
}

/// What an act did to disputes, challenges and votes that were there before.
fn contest_events(before: &Model, after: &Model) -> Vec<(&'static str, u8, &'static str)> {
    use DisputeStatus as Is;
    let mut events = Vec::new();
    for (key, old) in &before.disputes {
        let Some(new) = after.disputes.get(key).filter(|new| new.status != old.status) else { continue };
        let event = match new.status {
            Is::Entry => "unknown",
            Is::Drawing => "DrawArmed",
            Is::Voting => "VotingOpened",
            Is::Tallied => "Tallied",
            Is::Final => "Settled",
        };
        events.push(("dispute", old.status as u8, event));
    }
    for (key, old) in &before.challenges {
        let Some(new) = after.challenges.get(key).filter(|new| new.status != old.status) else { continue };
        let event = if new.status == ChallengeStatus::Won { "Won" } else { "Revealed" };
        events.push(("challenge", old.status as u8, event));
    }
    let shown = |(key, old): &(&_, &Vote)| !old.is_revealed && after.votes.get(*key).is_some_and(|new| new.is_revealed);
    let votes = before.votes.iter().filter(shown);
    events.extend(votes.map(|_| ("vote", VoteStatus::Committed.code(), "Revealed")));
    events
}

fn seat_event(old: SeatStatus, new: SeatStatus) -> &'static str {
    match (old, new) {
        (_, SeatStatus::Missed) => "Missed",
        (_, SeatStatus::Committed) => "Committed",
        (SeatStatus::Committed, _) => "Revealed",
        _ => "Submitted",
    }
}

/// What a seat came to whose account is gone.
fn seat_end(name: &str, job: &Job, seat: &Execution) -> &'static str {
    let resolved = job.status == JobStatus::Resolved;
    match seat.status {
        _ if name == "decline_job" => "given back",
        SeatStatus::Submitted if resolved && seat.outcome == job.outcome => "paid",
        SeatStatus::Submitted if resolved => "wrong",
        SeatStatus::Submitted => "refunded",
        SeatStatus::Committed if resolved => "hidden, resolved",
        SeatStatus::Committed => "hidden, expired",
        SeatStatus::Accepted if job.seats == 0 => "never ran",
        SeatStatus::Accepted if resolved => "silent, resolved",
        SeatStatus::Accepted => "silent, expired",
        SeatStatus::Missed => "missed",
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (done, refused)) in &self.acts {
            let reasons = self.refusals.get(name).into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
            writeln!(f, "{name:<18} {done:>6} {refused:>6}  {reasons}")?;
        }
        self.jobs.iter().try_for_each(|(event, count)| writeln!(f, "job {event:?} {count}"))?;
        self.seats.iter().try_for_each(|(event, count)| writeln!(f, "seat {event:?} {count}"))?;
        self.expired.iter().try_for_each(|(before, count)| writeln!(f, "seed expired after {before} {count}"))?;
        self.contests.iter().try_for_each(|(event, count)| writeln!(f, "contest {event:?} {count}"))?;
        self.milestones.iter().try_for_each(|(met, count)| writeln!(f, "{count:>6} {met}"))
    }
}

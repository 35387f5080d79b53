//! What stories reached, so that a gap shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::Step;
use crate::{
    rules::Verdict,
    state::{JobStatus, Model, SeatStatus},
};

/// What happened, how often.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By instruction: went through, refused.
    pub acts: BTreeMap<&'static str, (u32, u32)>,
    /// By instruction, the reasons that alone refused it.
    pub refusals: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// Where jobs went from where; `None` is no account.
    pub jobs: BTreeMap<(Option<JobStatus>, Option<JobStatus>), u32>,
    /// Where seats went from where.
    pub seats: BTreeMap<(Option<SeatStatus>, Option<SeatStatus>), u32>,
    /// Draws that ended as everybody's.
    pub everybody: u32,
}

impl Coverage {
    /// Counts one step.
    pub fn note(&mut self, before: &Model, step: &Step, verdict: &Verdict, after: &Model) {
        let Step::Act(act) = step else { return };
        let (done, refused) = self.acts.entry(act.name()).or_default();
        match verdict {
            Ok(()) => *done += 1,
            Err(reasons) => {
                *refused += 1;
                if let (1, Some(reason)) = (reasons.len(), reasons.first()) {
                    self.refusals.entry(act.name()).or_default().insert(reason);
                }
                return;
            }
        }
        for key in before.jobs.keys().chain(after.jobs.keys()).collect::<BTreeSet<_>>() {
            let (old, new) = (before.jobs.get(key), after.jobs.get(key));
            let moved = (old.map(|job| job.status), new.map(|job| job.status));
            if moved.0 != moved.1 {
                *self.jobs.entry(moved).or_default() += 1;
            }
            let is_everybody = |job: Option<&crate::state::Job>| {
                job.is_some_and(|job| job.draw.state == crate::draw::DrawState::Everybody)
            };
            self.everybody += u32::from(is_everybody(new) && !is_everybody(old));
        }
        for key in before.executions.keys().chain(after.executions.keys()).collect::<BTreeSet<_>>() {
            let status = |model: &Model| model.executions.get(key).map(|seat| seat.status);
            let moved = (status(before), status(after));
            if moved.0 != moved.1 {
                *self.seats.entry(moved).or_default() += 1;
            }
        }
    }

    /// Adds what another story reached.
    pub fn add(&mut self, other: &Self) {
        for (name, (done, refused)) in &other.acts {
            let sum = self.acts.entry(name).or_default();
            *sum = (sum.0 + done, sum.1 + refused);
        }
        for (name, reasons) in &other.refusals {
            self.refusals.entry(name).or_default().extend(reasons);
        }
        other.jobs.iter().for_each(|(moved, count)| *self.jobs.entry(*moved).or_default() += count);
        other.seats.iter().for_each(|(moved, count)| *self.seats.entry(*moved).or_default() += count);
        self.everybody += other.everybody;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (done, refused)) in &self.acts {
            let reasons = self.refusals.get(name).into_iter().flatten().copied().collect::<Vec<_>>().join(" ");
            writeln!(f, "{name:<18} {done:>6} {refused:>6}  {reasons}")?;
        }
        self.jobs.iter().try_for_each(|(moved, count)| writeln!(f, "job {moved:?} {count}"))?;
        self.seats.iter().try_for_each(|(moved, count)| writeln!(f, "seat {moved:?} {count}"))?;
        writeln!(f, "everybody {}", self.everybody)
    }
}

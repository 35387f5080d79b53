//! Which jobs get a place in the table. Each poster has a share of it, and a full table is shared evenly, so that nobody's
//! flood keeps others out (E-23).

use std::{cmp::Reverse, collections::BTreeMap};

use assay_protocol::JobStatus;
use solana_pubkey::Pubkey;

use super::{Action, Core, Job, JobUid, JobView, Now, Phase, Role};

/// One poster's jobs may take one in so many places, or as many as can be active at once; more than that as long as as many are
/// left for others.
const POSTERS_MIN: usize = 8;

/// Places that each poster's jobs hold.
type Held = BTreeMap<Pubkey, usize>;

impl Core {
    /// Takes in open jobs that are not known yet, as far as there is room.
    pub(super) fn take_in(&mut self, newcomers: Vec<JobView>, slot: u64, now: Now, actions: &mut Vec<Action>) {
        let mut held = Held::new();
        for view in self.jobs.values().filter(|job| job.takes_share()).filter_map(|job| job.view.as_ref()) {
            *held.entry(view.poster).or_default() += 1;
        }
        for view in in_fair_order(newcomers, self.share()).into_iter().take(self.settings.jobs_tracked_max) {
            if self.make_room(&view, &mut held, actions) {
                *held.entry(view.poster).or_default() += 1;
                self.reconcile_job(view, slot, now, actions);
            }
        }
    }

    /// Places that one poster may take now: the fewer are free, the fewer (as a switch shares its buffer among ports,
    /// Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998).
    fn share(&self) -> usize {
        let free = self.settings.jobs_tracked_max.saturating_sub(self.jobs.len());
        (self.settings.jobs_tracked_max / POSTERS_MIN).max(self.settings.jobs_active_max).max(free)
    }

    /// Whether there is a place for this job: a free one, or that of a job with less right to it, which is then left.
    fn make_room(&mut self, view: &JobView, held: &mut Held, actions: &mut Vec<Action>) -> bool {
        let share = self.share();
        let own = held.get(&view.poster).copied().unwrap_or(0);
        if own < share && self.jobs.len() < self.settings.jobs_tracked_max {
            return true;
        }
        if own < share && self.leave_one_that_ended(actions) {
            return true;
        }
        let candidate = |job: &Job| {
            let other = job.view.as_ref().filter(|_| job.takes_share() && job.can_be_left())?;
            let is_own = other.poster == view.poster;
            let places = held.get(&other.poster).copied().unwrap_or(0);
            (own < share || is_own).then_some((places, Reverse(other.price), is_own, job.row.uid))
        };
        let Some((places, Reverse(price), is_own, uid)) = self.jobs.values().filter_map(candidate).max() else {
            return false;
        };
        // Every exchange makes the shares more even, or the pay higher: it never goes round in circles.
        let is_fairer = places > own.saturating_add(1);
        let pays_more = view.price > price && (is_own || places > own);
        if is_fairer || pays_more {
            self.leave(uid, held, actions);
        }
        is_fairer || pays_more
    }

    /// A job that nobody can take any more is of use only until the finalised chain says so.
    fn leave_one_that_ended(&mut self, actions: &mut Vec<Action>) -> bool {
        let ended = self.jobs.values().find(|job| !job.takes_share() && job.can_be_left()).map(|job| job.row.uid);
        if let Some(uid) = ended {
            self.jobs.remove(&uid);
            actions.extend([Action::CleanUp(uid), Action::Forget(uid)]);
        }
        ended.is_some()
    }

    fn leave(&mut self, uid: JobUid, held: &mut Held, actions: &mut Vec<Action>) {
        let poster = self.jobs.remove(&uid).and_then(|job| job.view).map(|view| view.poster);
        if let Some(places) = poster.and_then(|poster| held.get_mut(&poster)) {
            *places = places.saturating_sub(1);
        }
        actions.extend([Action::CleanUp(uid), Action::Forget(uid)]);
    }
}

impl Job {
    /// Whether it stands in the way of its poster's next job: one that ended, for us or for everybody, only waits for finality,
    /// and one that is left alone while it can still be taken would come back at the next look.
    fn takes_share(&self) -> bool {
        !self.is_done() || self.view.as_ref().is_some_and(|view| view.status == JobStatus::Open)
    }

    /// Whether nothing is lost with it: no work is going on, and nothing was ever signed.
    fn can_be_left(&self) -> bool {
        let is_idle = matches!(self.row.phase, Phase::Seen | Phase::Dropped(_));
        let is_free = self.row.role == Role::Execute || matches!(self.row.phase, Phase::Dropped(_));
        let is_unbound = self.row.spent.is_none() && !self.row.has_part_in_dispute();
        is_idle && is_free && is_unbound && !self.row.is_seat_known && self.row.txs.is_empty()
    }
}

/// Every poster's best-paid job first, then every poster's second, and so on up to a poster's share.
fn in_fair_order(mut jobs: Vec<JobView>, share: usize) -> Vec<JobView> {
    jobs.sort_by(|a, b| b.price.cmp(&a.price).then(a.uid.cmp(&b.uid)));
    let mut counts = Held::new();
    let mut ranked: Vec<(usize, JobView)> = jobs
        .into_iter()
        .filter_map(|view| {
            let rank = counts.entry(view.poster).or_default();
            *rank += 1;
            (*rank <= share).then_some((*rank, view))
        })
        .collect();
    // Stable: better-paid first among those of one rank.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, view)| view).collect()
}

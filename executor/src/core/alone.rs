//! Adaptive jobs: which of them this provider runs alone, now that others confirmed it often enough, and what that puts at stake.
//! Where its stake does not bear that, it takes drawn seats as everybody else.

use assay_protocol::trust::solo_lock;

use super::{Core, Job, JobUid, JobView, ProviderView};

/// What taking a whole job puts at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alone {
    /// Locked until the result is settled: so much that a lie loses on average, however seldom it is audited.
    lock_lamports: u64,
    /// The most that is paid for it, which nobody else confirms unless it is audited.
    pay_max_lamports: u64,
}

/// Seats on their way that the provider account does not count yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coming {
    /// How many.
    pub(super) seats: usize,
    lock_lamports: u64,
    unaudited_lamports: u64,
}

impl Coming {
    /// Counts the seat of a job whose result is owed, unless the provider account counts it.
    pub(super) fn add(&mut self, job: &Job) {
        if job.seat().is_none() {
            let unaudited_lamports = job.alone.map_or(0, |alone| alone.pay_max_lamports);
            self.seats = self.seats.saturating_add(1);
            self.lock_lamports = self.lock_lamports.saturating_add(job.lock_lamports());
            self.unaudited_lamports = self.unaudited_lamports.saturating_add(unaudited_lamports);
        }
    }

    /// Whether stake and exposure cap bear one more lock of this size, and beside it what a juror keeps for its votes.
    pub(super) fn leaves_room_for(&self, lock_lamports: u64, provider: &ProviderView) -> bool {
        let parts = [provider.locked_lamports, provider.jury_reserve_lamports, self.lock_lamports, lock_lamports];
        let reserved = parts.into_iter().fold(0_u64, u64::saturating_add);
        reserved <= provider.stake_lamports && reserved <= provider.exposure_cap_lamports
    }
}

impl Core {
    /// Seats on their way, but for that of this job.
    fn coming(&self, except: JobUid) -> Coming {
        let mut coming = Coming::default();
        let others = self.jobs.values().filter(|job| job.row.uid != except && job.row.owes_result());
        others.for_each(|job| coming.add(job));
        coming
    }

    /// Decides which of the jobs that wait for a seat are taken alone.
    pub(super) fn choose_alone(&mut self) {
        let Some(provider) = self.provider else { return };
        let may = |job: &Job| job.view.as_ref().is_some_and(|view| one_in(view, &provider).is_some());
        let waits = |job: &Job| job.waits_for_seat() && (job.alone.is_some() || may(job));
        let uids: Vec<JobUid> = self.jobs.iter().filter(|(_, job)| waits(job)).map(|(uid, _)| *uid).collect();
        for uid in uids {
            let coming = self.coming(uid);
            let Some(job) = self.jobs.get_mut(&uid) else { continue };
            let chosen = job.view.as_ref().and_then(|view| alone(view, &provider, &coming));
            if job.alone.is_some() && chosen.is_none() {
                // Somebody else began it: what is left are seats that our tickets may win.
                job.put_off_acceptance();
            }
            job.alone = chosen;
        }
    }
}

/// One in how many such results would be audited; `None` where the provider may not take the whole job.
fn one_in(view: &JobView, provider: &ProviderView) -> Option<u16> {
    view.audits.one_in(provider.streak).filter(|_| view.may_run_alone())
}

/// What the program asks of whoever takes the whole job.
fn alone(view: &JobView, provider: &ProviderView, coming: &Coming) -> Option<Alone> {
    let one_in = one_in(view, provider)?;
    let pay_max_lamports = view.pay_max_lamports()?;
    let lock_lamports = solo_lock(view.bond_lamports, pay_max_lamports, one_in).ok()?;
    let parts = [provider.unaudited_lamports, coming.unaudited_lamports, pay_max_lamports];
    let unaudited_lamports = parts.into_iter().fold(0_u64, u64::saturating_add);
    let is_trusted = provider.score_bps >= view.min_trust_bps && unaudited_lamports <= provider.stake_lamports;
    (is_trusted && coming.leaves_room_for(lock_lamports, provider)).then_some(Alone { lock_lamports, pay_max_lamports })
}

impl Job {
    /// What its seat locks, or would.
    pub(super) fn lock_lamports(&self) -> u64 {
        let bond_lamports = self.view.as_ref().map_or(0, |view| view.bond_lamports);
        self.alone.map_or(bond_lamports, |alone| alone.lock_lamports)
    }
}

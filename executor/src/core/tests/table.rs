//! Jobs with several seats as the chain plays them with one provider of ours and others.

use std::collections::BTreeMap;

use assay_protocol::{
    Draw, DrawNow, DrawState, Hash32, Lookup, Purpose, SlotHash, Subject, ballot_hash, commitment,
    ids::CommitmentInput,
    tickets::{Fill, TICKET_SOLO, TicketDraw, seat_threshold},
};

use super::{world::*, *};

/// Most seats that a job may come to.
const SEATS_MAX: u8 = 5;
/// Blocks that the chain remembers.
const BLOCKS: u64 = 512;

/// What became of the seats of others in one job; all of them agree with us, as far as they say anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// In this round, with their clock stopped or running.
    accepted: u8,
    committed: u8,
    revealed: u8,
    /// Of earlier rounds, ours included if it was not revealed.
    silent: u8,
    /// Whether ours is of this round.
    has_ours: bool,
}

/// The hash of a block; a fork replaces it.
pub(super) fn block_hash(forks: &[u64], slot: u64) -> Hash32 {
    let replaced = forks.iter().filter(|from| **from <= slot).count();
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&slot.to_le_bytes());
    hash[8..16].copy_from_slice(&replaced.to_le_bytes());
    hash
}

/// What is drawn, of a job in this round.
fn subject(view: &JobView) -> Subject<'_> {
    let (purpose, round) = if view.is_audit_pending { (Purpose::Audit, 0) } else { (Purpose::Seats, view.attempt) };
    Subject { job_uid: &view.uid.0, purpose, round }
}

impl World {
    /// Posts a job with three seats.
    pub(super) fn post_drawn(&mut self, byte: u8) {
        let (unix, slot) = (self.now.chain_unix, self.slot);
        let job = JobView {
            mode: Mode::Redundant,
            redundancy: 3,
            seats_wanted: 3,
            draw: Draw::arm(DrawNow { slot, unix }),
            tickets_total: 100,
            fill_unix: unix,
            queue_deadline_unix: unix + 60,
            created_slot: slot,
            ..view(byte)
        };
        self.others.insert(job.uid, Others::default());
        self.jobs.insert(job.uid, job);
    }

    /// As [`Self::post_drawn`], for whoever may run it alone.
    pub(super) fn post_adaptive(&mut self, byte: u8) {
        self.post_drawn(byte);
        self.jobs.get_mut(&JobUid([byte; 32])).expect("posted").mode = Mode::Adaptive;
    }

    /// What is asked about draws, answered.
    pub(super) fn seeds(&self) -> BTreeMap<u64, Lookup> {
        let asked = self.core.tracked().filter_map(|tracked| tracked.seed_slot);
        asked.map(|slot| (slot, self.lookup(slot))).collect()
    }

    fn lookup(&self, slot: u64) -> Lookup {
        match self.slot.checked_sub(slot) {
            None | Some(0) => Lookup::NotReady,
            Some(1..=BLOCKS) => Lookup::Found(SlotHash { slot, hash: block_hash(&self.forks, slot) }),
            Some(_) => Lookup::Expired,
        }
    }

    /// What a message of ours carries.
    pub(super) fn payload(&self, uid: JobUid, kind: TxKind) -> Vec<u8> {
        let job = self.core.job(uid).expect("known");
        let row = &job.row;
        match kind {
            TxKind::Accept => {
                let ticket = job.ticket().expect("a ticket that wins").to_le_bytes();
                [&ticket[..], &[u8::from(job.has_unrecorded_draw())]].concat()
            }
            TxKind::Commit => row.commitment(&settings().provider).expect("outcome and salt").to_vec(),
            TxKind::Reveal => [&row.outcome.expect("fixed")[..], &row.salt.expect("fixed")[..]].concat(),
            TxKind::Advance => {
                vec![u8::from(job.step() == Some(Step::RecordDraw))]
            }
            _ => Vec::new(),
        }
    }

    /// Lets a transaction of ours about a job with several seats meet the program.
    pub(super) fn apply_drawn(&mut self, uid: JobUid, kind: TxKind, signature: Signature) -> bool {
        let payload = self.messages[&signature][10..].to_vec();
        let (now, job) = (self.now.chain_unix, self.jobs.get(&uid).cloned());
        let Some(job) = job else { return false };
        match (kind, job.status, job.seat) {
            (TxKind::Advance, JobStatus::Open, None) if payload == [1] => self.record(uid),
            (TxKind::Advance, JobStatus::Revealing, _) if payload == [1] && job.is_audit_pending => self.record(uid),
            (TxKind::Advance, JobStatus::Resolved | JobStatus::Expired, None) => self.jobs.remove(&uid).is_some(),
            (TxKind::Advance, ..) if payload == [0] => self.expire(uid),
            (TxKind::Accept, JobStatus::Open, None) => self.take_seat(uid, &payload),
            (TxKind::Decline, JobStatus::Open, Some(Seat::Accepted)) => {
                self.change(uid, |job, others| (job.seat, others.has_ours) = (None, false))
            }
            (TxKind::Decline, JobStatus::Assigned, Some(Seat::Accepted)) if now < job.execution_deadline_unix => self
                .change(uid, |job, others| {
                    if job.seats_wanted == 1 {
                        return requeue(job, others, now);
                    }
                    job.seat = Some(Seat::Missed);
                    (others.silent, others.has_ours) = (others.silent + 1, false);
                }),
            (TxKind::Commit, JobStatus::Assigned, Some(Seat::Accepted)) if now < job.execution_deadline_unix => {
                let commitment = payload.try_into().expect("a hash");
                self.change(uid, |job, _| job.seat = Some(Seat::Committed(commitment)))
            }
            (TxKind::Reveal, _, Some(Seat::Committed(hidden))) if is_revealing(&job, now) => {
                let (outcome, salt) = payload.split_at(79);
                let outcome: OutcomeBytes = outcome.try_into().expect("an outcome");
                let opened = commitment(&CommitmentInput {
                    job_uid: &uid.0,
                    provider: &settings().provider.to_bytes(),
                    outcome_hash: &ballot_hash(&outcome),
                    trace_root: &[0; 32],
                    salt: salt.try_into().expect("a salt"),
                });
                opened == hidden && self.change(uid, |job, _| job.seat = Some(Seat::Submitted(outcome)))
            }
            (TxKind::Settle, status, Some(_)) => {
                let is_agreed = status == JobStatus::Submitted && now >= job.window_deadline_unix;
                let is_paid = status != JobStatus::Expired && matches!(job.seat, Some(Seat::Submitted(_)));
                let is_over = is_agreed || matches!(status, JobStatus::Resolved | JobStatus::Expired);
                self.earnings += if is_over && is_paid { 5 } else { 0 };
                if is_over && job.executions_open > 1 {
                    // The others settle theirs at this moment, and nobody closes it.
                    let left = (JobStatus::Resolved, None, 0);
                    return self.change(uid, |job, _| (job.status, job.seat, job.executions_open) = left);
                }
                is_over && self.jobs.remove(&uid).is_some()
            }
            _ => false,
        }
    }

    fn record(&mut self, uid: JobUid) -> bool {
        let (lookup, now) = (|slot| self.lookup(slot), DrawNow { slot: self.slot, unix: self.now.chain_unix });
        let job = &self.jobs[&uid];
        let mut draw = job.draw;
        let worked = draw.record(&lookup(job.draw.seed_slot), now, &subject(job)).is_ok();
        let is_audited = self.audits || draw.is_everybody();
        worked
            && self.change(uid, |job, _| match job.is_audit_pending {
                false => job.draw = draw,
                true => decide_audit(job, is_audited, now),
            })
    }

    fn take_seat(&mut self, uid: JobUid, payload: &[u8]) -> bool {
        let (ticket, records) = payload.split_at(4);
        if records == [1] && !self.record(uid) {
            return false;
        }
        let job = &self.jobs[&uid];
        let fill = Fill {
            wanted: job.seats_to_fill(),
            tickets_total: job.tickets_total,
            fill_unix: job.fill_unix,
            queue_deadline_unix: job.queue_deadline_unix,
            widen_s: job.widen_s,
            is_everybody: job.draw.is_everybody(),
        };
        let ticket = u32::from_le_bytes(ticket.try_into().expect("four bytes"));
        if ticket == TICKET_SOLO {
            return self.take_alone(uid);
        }
        let threshold = seat_threshold(&fill, self.now.chain_unix);
        let draw = TicketDraw::new(&job.draw.seed, &settings().provider.to_bytes());
        if !job.draw.is_settled() || !draw.wins(ticket, threshold) {
            return false;
        }
        self.accepted += 1;
        self.change(uid, |job, others| (job.seat, others.has_ours) = (Some(Seat::Accepted), true))
    }

    fn take_alone(&mut self, uid: JobUid) -> bool {
        let may = self.streak >= 10 && self.jobs[&uid].mode == Mode::Adaptive;
        if !may || self.others[&uid] != Others::default() || self.jobs[&uid].attempt > 0 {
            return false;
        }
        self.accepted += 1;
        self.change(uid, |job, others| {
            (job.seat, job.seats_wanted, others.has_ours) = (Some(Seat::Accepted), 1, true);
            job.executors = vec![settings().provider];
        })
    }

    /// Whoever expires the job when a deadline has passed.
    fn expire(&mut self, uid: JobUid) -> bool {
        let now = self.now.chain_unix;
        let Some(job) = self.jobs.get(&uid) else { return false };
        match job.status {
            // An audit goes on with who came.
            JobStatus::Open if now >= job.queue_deadline_unix && is_audit(job) => self.change(uid, |job, others| {
                job.seats_wanted = 1 + others.accepted;
                if others.accepted == 0 {
                    (job.status, job.reveal_deadline_unix) = (JobStatus::Revealing, now + 20);
                }
            }),
            JobStatus::Open if now >= job.queue_deadline_unix => {
                let status = if job.attempt == 0 { JobStatus::Expired } else { JobStatus::Deadlocked };
                self.change(uid, |job, _| (job.status, job.window_deadline_unix) = (status, now + 2))
            }
            JobStatus::Revealing if job.is_audit_pending => false,
            JobStatus::Assigned if job.seats_wanted == 1 => self.change(uid, |job, others| {
                requeue(job, others, now);
                (job.seat, job.attempt) = (Some(Seat::Missed), job.attempt + 1);
            }),
            JobStatus::Assigned | JobStatus::Revealing if now >= job.reveal_deadline_unix => self.count(uid),
            JobStatus::Deadlocked if now >= job.window_deadline_unix => {
                self.change(uid, |job, _| job.status = JobStatus::Expired)
            }
            _ => false,
        }
    }

    /// Agreed, or one more seat, or nothing.
    fn count(&mut self, uid: JobUid) -> bool {
        let draw = Draw::arm(DrawNow { slot: self.slot, unix: self.now.chain_unix });
        let now = self.now.chain_unix;
        self.change(uid, |job, others| {
            let ours = u8::from(matches!(job.seat, Some(Seat::Submitted(_))));
            (job.execution_deadline_unix, job.reveal_deadline_unix) = (0, 0);
            if (others.revealed + ours) * 2 > job.seats_wanted {
                (job.status, job.window_deadline_unix) = (JobStatus::Submitted, now + 2);
            } else if job.seats_wanted < SEATS_MAX {
                if matches!(job.seat, Some(Seat::Accepted | Seat::Committed(_))) {
                    job.seat = Some(Seat::Missed);
                    others.has_ours = false;
                }
                others.silent = job.seats_wanted - others.revealed - ours;
                (others.accepted, others.committed) = (0, 0);
                (job.status, job.attempt, job.seats_wanted) = (JobStatus::Open, job.attempt + 1, job.seats_wanted + 1);
                job.arbiters += 1;
                (job.draw, job.fill_unix, job.queue_deadline_unix) = (draw, now, now + 60);
            } else {
                (job.status, job.window_deadline_unix) = (JobStatus::Deadlocked, now + 2);
            }
        })
    }

    /// Changes a job, and what follows from that at once: all seats filled, all committed, all revealed.
    fn change(&mut self, uid: JobUid, change: impl FnOnce(&mut JobView, &mut Others)) -> bool {
        let (now, others) = (self.now.chain_unix, self.others.get_mut(&uid).expect("several seats"));
        let Some(job) = self.jobs.get_mut(&uid) else { return false };
        change(job, others);
        let ours = |is: fn(&Seat) -> bool| u8::from(others.has_ours && job.seat.as_ref().is_some_and(is));
        let pending = others.accepted + ours(|seat| *seat == Seat::Accepted);
        let hidden = others.committed + ours(|seat| matches!(seat, Seat::Committed(_)));
        let old = u8::from(!others.has_ours && matches!(job.seat, Some(Seat::Submitted(_))));
        let revealed = others.revealed + old + ours(|seat| matches!(seat, Seat::Submitted(_)));
        if job.status == JobStatus::Open && pending + hidden + revealed + others.silent == job.seats_wanted {
            (job.status, job.seats) = (JobStatus::Assigned, job.seats_wanted);
            job.execution_deadline_unix = now + 60;
            job.reveal_deadline_unix = now + 80;
        }
        if job.status == JobStatus::Assigned && pending == 0 {
            (job.status, job.execution_deadline_unix) = (JobStatus::Revealing, 0);
            job.reveal_deadline_unix = job.reveal_deadline_unix.min(now + 20);
            if job.mode == Mode::Adaptive && job.seats_wanted == 1 {
                (job.is_audit_pending, job.reveal_deadline_unix) = (true, 0);
                job.draw = Draw::arm(DrawNow { slot: self.slot, unix: now });
            }
        }
        if job.status == JobStatus::Revealing && pending + hidden == 0 && job.reveal_deadline_unix != 0 {
            self.count(uid);
        }
        true
    }

    /// Somebody else acts in one job.
    pub(super) fn others_move(&mut self, index: usize) {
        let Some(uid) = self.others.keys().nth(index % self.others.len().max(1)).copied() else { return };
        let Some(job) = self.jobs.get(&uid).cloned() else { return };
        self.remember();
        self.slot += 1;
        let (now, held, others) = (self.now.chain_unix, job.seat.is_some(), self.others[&uid]);
        let commits = others.accepted > 0 && !self.others_hesitate;
        let _changed = match job.status {
            JobStatus::Open if now >= job.queue_deadline_unix => self.expire(uid),
            JobStatus::Revealing if job.is_audit_pending => self.record(uid),
            JobStatus::Open if job.draw.state == DrawState::Armed => self.record(uid),
            JobStatus::Open => self.change(uid, |job, others| {
                others.accepted += 1;
                if job.executors.is_empty() {
                    job.executors.push(Pubkey::new_from_array([9; 32]));
                }
            }),
            JobStatus::Assigned | JobStatus::Revealing if now >= job.reveal_deadline_unix => self.expire(uid),
            JobStatus::Assigned if commits && now < job.execution_deadline_unix => self.change(uid, |_, others| {
                others.accepted -= 1;
                others.committed += 1;
            }),
            _ if others.committed > 0 && is_revealing(&job, now) => self.change(uid, reveal_of_others),
            JobStatus::Deadlocked => self.expire(uid),
            JobStatus::Submitted if !held && now >= job.window_deadline_unix => self.jobs.remove(&uid).is_some(),
            // Whoever waits for its own pay.
            JobStatus::Submitted if now >= job.window_deadline_unix + 2 => {
                self.change(uid, |job, _| job.status = JobStatus::Resolved)
            }
            JobStatus::Expired | JobStatus::Resolved if !held => self.jobs.remove(&uid).is_some(),
            _ => false,
        };
    }

    /// Somebody else acts in every job.
    pub(super) fn others_move_all(&mut self) {
        (0..self.others.len()).for_each(|index| self.others_move(index));
        for job in self.jobs.values_mut().filter(|job| !job.is_drawn() && job.status == JobStatus::Assigned) {
            let deadline = job.execution_deadline_unix;
            if job.seat == Some(Seat::Accepted) && deadline != 0 && self.now.chain_unix >= deadline {
                (job.status, job.seat, job.execution_deadline_unix) = (JobStatus::Expired, Some(Seat::Missed), 0);
            }
        }
    }

    /// So much time that deadlines pass, in seconds and in slots.
    pub(super) fn pass(&mut self, amount: u8) {
        self.now.chain_unix += i64::from(amount);
        self.slot += u64::from(amount);
    }

    /// Whether a seat of ours waits for what others do.
    pub(super) fn has_drawn_seat(&self) -> bool {
        let is_halted = |uid| self.core.job(uid).is_some_and(|job| job.row.phase == Phase::Halted);
        self.jobs.values().any(|job| job.is_drawn() && job.seat.is_some() && !is_halted(job.uid))
    }
}

/// Commits are closed by then: who did not commit is silent.
fn reveal_of_others(job: &mut JobView, others: &mut Others) {
    if job.status == JobStatus::Assigned {
        let is_ours_late = others.has_ours && job.seat == Some(Seat::Accepted);
        others.silent += others.accepted + u8::from(is_ours_late);
        others.accepted = 0;
        others.has_ours &= !is_ours_late;
        (job.status, job.execution_deadline_unix) = (JobStatus::Revealing, 0);
    }
    others.committed -= 1;
    others.revealed += 1;
}

/// The runner left: the job is put up as it was posted.
fn requeue(job: &mut JobView, others: &mut Others, now: i64) {
    *others = Others::default();
    (job.status, job.seat, job.seats, job.seats_wanted) = (JobStatus::Open, None, 0, 3);
    (job.execution_deadline_unix, job.reveal_deadline_unix) = (0, 0);
    (job.fill_unix, job.queue_deadline_unix) = (now, now + 60);
    job.executors.clear();
}

/// Whether the free seats are an audit's: the runner has committed.
fn is_audit(job: &JobView) -> bool {
    job.mode == Mode::Adaptive && matches!(job.seat, Some(Seat::Committed(_)))
}

/// The runner goes on alone, or the other seats are put up.
fn decide_audit(job: &mut JobView, is_audited: bool, now: DrawNow) {
    job.is_audit_pending = false;
    if !is_audited {
        (job.draw.state, job.reveal_deadline_unix) = (DrawState::Recorded, now.unix + 20);
        return;
    }
    (job.status, job.seats_wanted, job.draw) = (JobStatus::Open, 3, Draw::arm(now));
    (job.fill_unix, job.queue_deadline_unix) = (now.unix, now.unix + 60);
}

fn is_revealing(job: &JobView, now: i64) -> bool {
    let is_open = match job.status {
        JobStatus::Revealing => !job.is_audit_pending,
        JobStatus::Assigned => now >= job.execution_deadline_unix,
        _ => false,
    };
    is_open && now < job.reveal_deadline_unix
}

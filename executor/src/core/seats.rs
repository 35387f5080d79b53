//! Seats that are drawn: what our tickets win, and when a seat that waits for others can go on.

use std::collections::BTreeMap;

use assay_protocol::{
    DisputeStatus, Draw, DrawNow, DrawState, Hash32, JobStatus, Lookup, Purpose, Subject,
    limits::TICKETS_MAX,
    tickets::{EVERYBODY, Fill, TICKET_SOLO, TicketDraw, seat_threshold},
    trust::trust_floor_bps,
};

use super::{
    Core, Job, JobView, Now, Phase, ProviderView, Role, Settings, TxKind, TxRecord, TxState, court::DisputeView,
};

/// Most tickets that are looked through in one step, at a look or a tick, for seats and again for juries: as many as the largest
/// provider has for one draw, which takes some milliseconds.
pub(super) const TICKETS_PER_STEP: u32 = TICKETS_MAX;

/// Seconds that those without a part of their own in a dispute leave its next step to the others.
const BYSTANDER_S: i64 = 5;
/// And up to so many more, so that not all of them take it at once.
const TURNS: u8 = 5;

/// What anybody may do for a job once its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `record_seed` of the job: a lost block of its seats' draw, after which the next one is fixed, or whether a result is audited.
    RecordDraw,
    /// `expire_job`.
    Expire,
    /// `record_collision`: that seats gave different outcomes.
    RecordCollision,
    /// `open_dispute` over a deadlock, which takes no bond.
    OpenDispute,
    /// `record_seed` of the jury, or of the end of entry.
    RecordJury,
    /// `tally_round`.
    Tally,
    /// `slash_absent`, of one juror.
    SlashAbsent,
    /// `settle_dispute`.
    Decide,
    /// What others left to be settled of a dispute in which we had a part, and in the end `close_dispute` and `close_job`.
    SettleRest,
    /// `close_job`.
    CloseJob,
}

/// How far our tickets were looked through for one that wins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    seed: Hash32,
    threshold: u64,
    next: u32,
    ticket: Option<u32>,
}

/// The draw of a job's seats as recording it would make it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreseen {
    /// Slot of the draw that it follows from.
    seed_slot: u64,
    draw: Draw,
}

impl Search {
    /// Goes on. A ticket that wins, wins for ever: the threshold never falls. Without one it starts over, once it is through,
    /// when the threshold has risen.
    fn go_on(&mut self, holder: &Hash32, tickets: u32, threshold: u64, budget: &mut u32) {
        let is_through = self.next >= tickets || self.threshold == 0;
        if is_through && threshold > self.threshold {
            (self.next, self.threshold) = (0, threshold);
        }
        let end = tickets.min(self.next.saturating_add(*budget)).max(self.next);
        let draw = TicketDraw::new(&self.seed, holder);
        self.ticket = (self.next..end).find(|index| draw.wins(*index, self.threshold));
        let end = self.ticket.map_or(end, |ticket| ticket.saturating_add(1));
        *budget = budget.saturating_sub(end.saturating_sub(self.next));
        self.next = end;
    }
}

impl Settings {
    /// Seconds that we let others go first, for each job another number.
    pub(super) fn turn_s(&self, uid: super::JobUid) -> i64 {
        let mix = self.provider.to_bytes().iter().chain(&uid.0).fold(0_u8, |sum, byte| sum.wrapping_mul(31) ^ byte);
        i64::from(mix % TURNS)
    }

    /// Where a job stands among its like for this provider: for each provider in another order. FNV-1a.
    pub(super) fn own_order(&self, uid: super::JobUid) -> u64 {
        let bytes = self.provider.to_bytes().into_iter().chain(uid.0);
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl Core {
    /// Looks for tickets that win, a bounded number of them.
    pub(super) fn search_tickets(&mut self, now: Now) {
        let Some(provider) = self.provider else { return };
        let (holder, mut budget) = (self.settings.provider.to_bytes(), TICKETS_PER_STEP);
        for job in self.jobs.values_mut() {
            let Some((seed, threshold)) = job.chance(&provider, now) else { continue };
            if job.search.seed != seed || job.search.ticket.is_some_and(|ticket| ticket >= provider.tickets) {
                job.search = Search { seed, ..Search::default() };
            }
            if job.search.ticket.is_none() {
                job.search.go_on(&holder, provider.tickets, threshold, &mut budget);
            }
        }
    }
}

impl Job {
    pub(super) fn is_drawn(&self) -> bool {
        self.row.salt.is_some() || self.view.as_ref().is_some_and(JobView::is_drawn)
    }

    /// What takes a seat: a ticket; any, where seats are not drawn; that it is taken alone. `None` while none of ours is known to
    /// win.
    #[must_use]
    pub fn ticket(&self) -> Option<u32> {
        if self.alone.is_some() {
            return Some(TICKET_SOLO);
        }
        let draw = self.view.as_ref().filter(|view| view.is_drawn()).map(|_| self.draw());
        match draw {
            None => Some(0),
            Some(draw) => draw.filter(|draw| draw.seed == self.search.seed).and(self.search.ticket),
        }
    }

    /// Whether a seat can be had now, as far as is known.
    pub(super) fn may_be_taken(&self) -> bool {
        self.ticket().is_some() && self.taken_until.is_none()
    }

    /// Gives the place back that it was to be accepted in, as long as nothing was signed for it that stands.
    pub(super) fn put_off_acceptance(&mut self) {
        let stands = |tx: &TxRecord| matches!(tx.state, TxState::Live | TxState::Landed(_));
        let is_sent = self.building.is_some() || self.row.txs.iter().any(|tx| tx.kind == TxKind::Accept && stands(tx));
        if self.row.phase == Phase::Accepting && !is_sent {
            self.row.phase = Phase::Prepared;
        }
    }

    /// The draw whose tickets can be judged: the account's, or what it would be if it were recorded now.
    fn draw(&self) -> Option<Draw> {
        let view = self.view.as_ref()?;
        [Some(view.draw), self.foreseen_of(view)].into_iter().flatten().find(Draw::is_settled)
    }

    /// Seed and threshold of the draw that our tickets take part in (P-16), of a job that can be taken and filled: without
    /// tickets of others it would only lock the bond.
    fn chance(&self, provider: &ProviderView, now: Now) -> Option<(Hash32, u64)> {
        let view = self.view.as_ref().filter(|view| view.is_drawn() && self.waits_for_seat())?;
        let draw = self.draw().filter(|draw| provider.duty.tickets_from_unix <= draw.fixed_unix)?;
        let others = view.tickets_total.saturating_sub(provider.tickets.into());
        let fill = Fill {
            wanted: view.seats_to_fill(),
            tickets_total: view.tickets_total,
            fill_unix: view.fill_unix,
            queue_deadline_unix: view.queue_deadline_unix,
            widen_s: view.widen_s,
            is_everybody: draw.is_everybody(),
        };
        let can_fill = others.saturating_add(1) >= view.seats_to_fill().into();
        let threshold = seat_threshold(&fill, now.chain_unix);
        // The program asks more of arbiters until every ticket wins.
        let arbiters = if threshold == EVERYBODY { 0 } else { view.arbiters };
        let floor_bps = trust_floor_bps(view.min_trust_bps, arbiters);
        (can_fill && provider.score_bps >= floor_bps).then_some((draw.seed, threshold))
    }

    pub(super) fn waits_for_seat(&self) -> bool {
        let waits = self.row.phase.is_before_accept() || self.row.phase == Phase::Accepting;
        waits && self.row.role == Role::Execute
    }

    /// The slot whose block is to be looked up, for the seed of our tickets or of the audit of our result.
    pub(super) fn seed_slot(&self) -> Option<u64> {
        let is_asked = |view: &&JobView| self.waits_for_seat() || (view.seat.is_some() && view.is_audit_pending);
        let view = self.view.as_ref().filter(|view| view.is_drawn()).filter(is_asked)?;
        (is_armed(&view.draw) && self.foreseen_of(view).is_none()).then_some(view.draw.seed_slot)
    }

    /// The draw that the account shows, as recording it would make it, once that is known.
    fn foreseen_of(&self, view: &JobView) -> Option<Draw> {
        let is_of_it = |foreseen: &Foreseen| is_armed(&view.draw) && foreseen.seed_slot == view.draw.seed_slot;
        self.foreseen.filter(is_of_it).map(|foreseen| foreseen.draw)
    }

    /// Takes in what the chain's list of recent blocks says about the draw.
    pub(super) fn foresee(&mut self, seeds: &BTreeMap<u64, Lookup>, slot: u64, now: Now) {
        if let Some(jury_slot) =
            self.jury_slot().filter(|slot| seeds.get(slot).is_some_and(|seed| *seed != Lookup::NotReady))
        {
            self.jury_ready = Some(jury_slot);
        }
        let Some(view) = self.view.as_ref().filter(|view| is_armed(&view.draw)) else { return };
        let seed_slot = view.draw.seed_slot;
        let Some(lookup) = seeds.get(&seed_slot) else { return };
        let (purpose, round) = if view.is_audit_pending { (Purpose::Audit, 0) } else { (Purpose::Seats, view.attempt) };
        let subject = Subject { job_uid: &view.uid.0, purpose, round };
        let mut draw = view.draw;
        if draw.record(lookup, DrawNow { slot, unix: now.chain_unix }, &subject).is_ok() {
            self.foreseen = Some(Foreseen { seed_slot, draw });
        }
    }

    /// Whether recording the draw is the first thing to do for a seat: whoever takes it alone needs none.
    #[must_use]
    pub fn has_unrecorded_draw(&self) -> bool {
        self.alone.is_none() && self.view.as_ref().is_some_and(|view| view.is_drawn() && is_armed(&view.draw))
    }

    /// Whether the clock runs: all seats are filled.
    pub(super) fn may_run(&self) -> bool {
        self.view.as_ref().is_some_and(|view| !view.is_drawn() || view.status == JobStatus::Assigned)
    }

    /// Whether nobody can commit any more.
    pub(super) fn may_reveal(&self, now: Now) -> bool {
        self.view.as_ref().is_some_and(|view| match view.status {
            JobStatus::Revealing => !view.is_audit_pending,
            JobStatus::Assigned => now.chain_unix >= view.execution_deadline_unix,
            _ => false,
        })
    }

    /// Whether a job that we had a part in is settled and not closed: those who settle at the same time each see what is the
    /// others', and leave it.
    #[must_use]
    pub fn waits_to_be_closed(&self) -> bool {
        let is_left = |view: &JobView| {
            let is_settled = view.seat.is_none() && view.executions_open == 0 && view.disputes_open == 0;
            !self.is_gone && view.status.is_terminal() && is_settled
        };
        matches!(self.row.phase, Phase::Settled | Phase::Claimed) && self.view.as_ref().is_some_and(is_left)
    }

    /// Whether the dispute that we had a part in is over and not closed.
    fn waits_for_rest(&self) -> bool {
        let dispute = self.view.as_ref().and_then(|view| view.dispute.as_ref());
        let is_over = dispute.is_some_and(|dispute| dispute.status == DisputeStatus::Final);
        !self.is_gone && is_over && matches!(self.row.phase, Phase::Settled | Phase::Claimed)
    }

    /// Whether we close it: not for ever, if its poster cannot be paid (P-21).
    pub(super) fn wants_close(&self, settings: &Settings) -> bool {
        let is_waiting = self.waits_to_be_closed() || self.waits_for_rest();
        settings.crank && self.row.tx_failures < settings.tx_failures_max && is_waiting
    }

    /// The step that anybody may take, that is overdue and for which something of ours waits: a lost seed for our tickets, a
    /// deadline that others let pass for our seat, the next moment of a dispute, the job's rent for its poster.
    pub(super) fn due_step(&self, settings: &Settings, now: Now) -> Option<Step> {
        let view = self.view.as_ref().filter(|_| settings.crank && self.row.phase != Phase::Halted)?;
        if self.wants_close(settings) && self.waits_to_be_closed() {
            return Some(Step::CloseJob);
        }
        if let Some(dispute) = &view.dispute {
            return self.due_in_dispute(view, dispute, settings, now);
        }
        if !view.is_drawn() {
            return None;
        }
        if view.seat.is_none() {
            let is_lost = self.foreseen_of(view).is_some_and(|draw| is_armed(&draw));
            let waits = self.row.phase == Phase::Seen && self.alone.is_none();
            return (waits && is_lost).then_some(Step::RecordDraw);
        }
        if view.is_audit_pending {
            return self.foreseen_of(view).map(|_| Step::RecordDraw);
        }
        let passed = |deadline_unix: i64| deadline_unix != 0 && now.chain_unix >= deadline_unix;
        if self.records_collision(view, settings, now) {
            return Some(Step::RecordCollision);
        }
        match view.status {
            JobStatus::Open => passed(view.queue_deadline_unix),
            // Of one that was taken alone it is our own deadline: whoever waits for the job ends it.
            JobStatus::Assigned if view.seats_wanted == 1 => false,
            JobStatus::Assigned | JobStatus::Revealing => passed(view.reveal_deadline_unix),
            // Our result is worth asking a jury for, where there is one.
            JobStatus::Deadlocked if !passed(view.window_deadline_unix) => {
                let has_jury = self.has_jury && self.row.outcome.is_some();
                return (has_jury && view.disputes_open == 0).then_some(Step::OpenDispute);
            }
            JobStatus::Deadlocked => view.disputes_open == 0,
            _ => false,
        }
        .then_some(Step::Expire)
    }

    /// Before a jury is asked, which leaves no time for it; and by turns while a result stands: once is enough, and settling does it
    /// besides.
    fn records_collision(&self, view: &JobView, settings: &Settings, now: Now) -> bool {
        let window_from_unix = view.window_deadline_unix.saturating_sub(view.agreement_s.into());
        let is_time = match view.status {
            JobStatus::Deadlocked => view.disputes_open == 0,
            JobStatus::Submitted => now.chain_unix >= window_from_unix.saturating_add(settings.turn_s(view.uid)),
            _ => false,
        };
        is_time && self.row.tx_failures == 0 && view.is_first_collision().is_some()
    }

    /// Whoever has a part in it, at once; jurors that were not drawn after a while.
    fn due_in_dispute(&self, view: &JobView, dispute: &DisputeView, settings: &Settings, now: Now) -> Option<Step> {
        let is_ours = dispute.status != DisputeStatus::Final && (view.seat.is_some() || dispute.has_part_of_ours());
        let patience_s = if is_ours { 0 } else { BYSTANDER_S.saturating_add(settings.turn_s(view.uid)) };
        let passed = |deadline: i64| now.chain_unix >= deadline.saturating_add(patience_s);
        match dispute.status {
            DisputeStatus::Final => {
                let is_done = matches!(self.row.phase, Phase::Settled | Phase::Claimed);
                let tries = self.row.tx_failures < settings.tx_failures_max;
                (is_done && tries && passed(dispute.verdict_deadline_unix)).then_some(Step::SettleRest)
            }
            DisputeStatus::Drawing if self.is_jury_ready(dispute) => Some(Step::RecordJury),
            DisputeStatus::Entry => passed(dispute.due_from_unix()?).then_some(Step::RecordJury),
            DisputeStatus::Voting if passed(dispute.due_from_unix()?) => Some(Step::Tally),
            _ if is_ours && dispute.shows_absence(now) => Some(Step::SlashAbsent),
            DisputeStatus::Tallied => passed(dispute.due_from_unix()?).then_some(Step::Decide),
            _ => None,
        }
    }

    /// The step that was asked for last.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.step
    }
}

pub(super) fn is_armed(draw: &Draw) -> bool {
    draw.state == DrawState::Armed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ticket_that_wins_is_found_in_however_many_steps_and_again_when_the_threshold_rises() {
        let (holder, seed, low, high) = ([8; 32], [7; 32], 1 << 57, 1 << 62);
        let first = |threshold| TicketDraw::new(&seed, &holder).winning(1_000, threshold).next().expect("one wins");
        for step in [1, 7, 1_000] {
            let mut search = Search { seed, ..Search::default() };
            let mut looked = 0;
            while search.ticket.is_none() {
                let mut budget = step;
                search.go_on(&holder, 1_000, low, &mut budget);
                looked += step - budget;
            }
            assert_eq!((search.ticket, looked), (Some(first(low)), first(low) + 1), "{step} at a time");
        }
        // Through without one, until more win.
        let (mut search, mut budget) = (Search { seed, ..Search::default() }, u32::MAX);
        for _ in 0..2 {
            search.go_on(&holder, first(low), low, &mut budget);
            assert_eq!((search.ticket, search.next), (None, first(low)));
        }
        search.go_on(&holder, first(low), high, &mut budget);
        assert_eq!(search.ticket, Some(first(high)));
    }
}

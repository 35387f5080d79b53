//! A transaction's way: built, journaled, signed, sent, and what became of it.

use super::{Action, Core, DropReason, Job, JobUid, Now, Phase, TxFate, TxKind, TxRecord, TxState};

impl Core {
    pub(super) fn on_built(&mut self, uid: JobUid, tx: TxRecord, now: Now, actions: &mut Vec<Action>) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let kind = tx.kind;
        // What it was asked for is journaled and waits for its signature: this is an answer that came twice.
        let waits = job.row.live_txs(kind).any(|tx| tx.signature.is_none());
        if job.building != Some(kind) || waits {
            return;
        }
        job.building = None;
        // One that landed meanwhile, and that a fork took back, is sent again instead: it may land again.
        let is_landed = |old: &TxRecord| old.kind == kind && matches!(old.state, TxState::Landed(_));
        let has_landed = !job.is_repeatable(kind) && job.row.txs.iter().any(is_landed);
        let may_land = job.row.has_live_tx(kind) && !job.may_bump(kind, &self.settings, now);
        if job.wanted_tx(&self.settings, now) != Some(kind) || has_landed || may_land {
            return;
        }
        if kind == TxKind::Accept && job.taken_until.is_some() {
            job.put_off_acceptance();
            return;
        }
        job.building = Some(kind);
        job.built_for = job.building_for.take();
        job.row.txs.retain(|old| old.kind != kind || old.state == TxState::Live);
        job.row.txs.push(tx);
        actions.extend([Action::Persist(uid), Action::Sign(uid, kind)]);
    }

    pub(super) fn on_not_built(&mut self, uid: JobUid, kind: TxKind, now: Now) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        if job.building == Some(kind) {
            job.building = None;
            // Nothing was signed: not a failed transaction, but waited for all the same (E-07).
            job.back_off(job.row.tx_failures.saturating_add(1), now);
        }
    }

    pub(super) fn on_signed(
        &mut self,
        uid: JobUid,
        (kind, signature): (TxKind, [u8; 64]),
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        if job.building == Some(kind) {
            job.building = None;
        }
        let Some(tx) = job.row.tx_mut(kind) else { return };
        if tx.signature.is_none() {
            tx.signature = Some(signature);
            job.signed_ms = now.monotonic_ms;
            job.row.is_seat_known |= kind == TxKind::Accept;
            actions.extend([Action::Persist(uid), Action::Deliver(uid, kind)]);
        }
    }

    pub(super) fn on_resolved(
        &mut self,
        uid: JobUid,
        (kind, signature): (TxKind, [u8; 64]),
        fate: &TxFate,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let failures_max = self.settings.tx_failures_max;
        let Some(job) = self.jobs.get_mut(&uid) else { return };
        let is_wanted = job.wanted_tx(&self.settings, now) == Some(kind);
        let Some(tx) = job.row.tx_signed_mut(&signature).filter(|tx| tx.state == TxState::Live) else { return };
        let (state, slot) = match fate {
            TxFate::Landed { slot } => (TxState::Landed(*slot), *slot),
            TxFate::Failed { slot, .. } => (TxState::Failed(*slot), *slot),
            TxFate::Dead => (TxState::Dead, 0),
        };
        tx.state = state;
        self.seen_slot = self.seen_slot.max(slot);
        if let TxFate::Landed { slot } = fate {
            job.row.tx_failures = 0;
            if job.is_repeatable(kind) {
                job.repeats(*slot);
            } else if is_wanted && job.undoes(kind, *slot) {
                job.landed_in_vain(&signature, *slot <= self.finalized_slot, now);
            } else if is_wanted {
                job.landed(kind, *slot, actions);
            }
            if job.row.has_live_tx(kind) {
                // Those that it outbid, or that outbid it, would be refused and cost their fee all the same.
                actions.push(Action::StopSending(uid, kind));
            }
            if kind == TxKind::Claim {
                self.claimed_slot = self.claimed_slot.max(*slot);
            }
        } else if is_wanted && !job.row.has_live_tx(kind) {
            // Perhaps for a seed of a fork.
            job.foreseen = None;
            job.row.tx_failures = job.row.tx_failures.saturating_add(1);
            job.back_off(job.row.tx_failures, now);
            if job.row.tx_failures >= failures_max {
                job.give_up_sending(kind, actions);
            }
        }
        actions.push(Action::Persist(uid));
    }
}

impl Job {
    /// Whether one transaction of this kind follows another, each doing the next thing: what one did is for the next look to
    /// say. If a fork takes it back, whatever is due then is signed anew; both landing costs a fee and no more, because the
    /// program does nothing twice.
    pub(super) fn is_repeatable(&self, kind: TxKind) -> bool {
        let dispute = self.view.as_ref().and_then(|view| view.dispute.as_ref());
        kind == TxKind::Advance || (kind == TxKind::Settle && (dispute.is_some() || self.row.has_part_in_dispute()))
    }

    fn repeats(&mut self, slot: u64) {
        if slot >= self.view_slot {
            (self.view, self.view_slot) = (None, slot);
        }
    }

    /// Whether a look later than that slot shows that a transaction which landed in it, and is wanted, is so still.
    fn undoes(&self, kind: TxKind, slot: u64) -> bool {
        kind != TxKind::Claim && slot < self.view_slot
    }

    /// E-12: a fork took it back and it may land again; or it stands and something else undid it since, such as a second
    /// acceptance after a decline. Once it is final it can only be the latter, and then it takes a new one.
    fn landed_in_vain(&mut self, signature: &[u8; 64], is_final: bool, now: Now) {
        if let Some(tx) = self.row.tx_signed_mut(signature).filter(|_| is_final) {
            tx.state = TxState::Dead;
        }
        self.back_off(1, now);
    }

    /// Acts on a confirmed transaction without waiting for the next poll; older views no longer count.
    fn landed(&mut self, kind: TxKind, slot: u64, actions: &mut Vec<Action>) {
        self.view_slot = self.view_slot.max(slot);
        match kind {
            TxKind::Accept => self.enter_accepted(),
            TxKind::Decline => {
                self.row.phase = Phase::Dropped(DropReason::Declined);
                actions.push(Action::CleanUp(self.row.uid));
            }
            TxKind::Commit => self.row.phase = Phase::Committed,
            TxKind::Reveal | TxKind::Submit => self.row.phase = Phase::Submitted,
            // What it did is for the next look to say.
            TxKind::Advance
            | TxKind::Challenge
            | TxKind::Vote(_)
            | TxKind::RevealVote(_)
            | TxKind::RevealOutcome
            | TxKind::Appeal(_) => self.view = None,
            TxKind::Settle => self.enter_settled(slot),
            TxKind::Claim => self.row.phase = Phase::Claimed,
        }
    }

    /// The pay is credited in this slot, or was in an earlier one.
    pub(super) fn enter_settled(&mut self, slot: u64) {
        self.row.phase = Phase::Settled;
        self.settled_slot = Some(slot);
    }

    /// The seat is ours. An outcome that was already fixed is used, not computed again.
    pub(super) fn enter_accepted(&mut self) {
        self.row.tx_failures = 0;
        self.row.phase = if self.row.outcome.is_some() { Phase::Ran } else { Phase::Accepted };
    }

    fn give_up_sending(&mut self, kind: TxKind, actions: &mut Vec<Action>) {
        let uid = self.row.uid;
        match kind {
            TxKind::Accept => {
                self.row.phase = Phase::Dropped(DropReason::AcceptFailed);
                actions.push(Action::CleanUp(uid));
            }
            // P-21: the earnings stay claimable; one wallet that cannot be paid must not hold up the rest.
            TxKind::Claim => {
                self.row.phase = Phase::Claimed;
                actions.push(Action::Alert(uid, "earnings could not be claimed; they stay claimable"));
            }
            _ => {
                actions.push(Action::Alert(uid, "a transaction failed repeatedly; it is tried on"));
            }
        }
    }
}

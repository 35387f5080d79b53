//! What a transaction may cost, and when a dearer one is signed beside it before its fate is known (E-14).

use assay_protocol::limits::REDUNDANCY_MAX;
use assay_sdk::FeeLadder;

use super::{Job, JobRow, Now, Settings, TxKind, TxState};

/// Most transactions that may outbid one, whatever the settings say.
pub const FEE_BUMPS_LIMIT: u8 = 8;

/// Most compute units of one transaction: over twice what the program's tests bound it to, because addresses differ in
/// how many tries they take to be found.
#[must_use]
pub const fn compute_unit_limit(kind: TxKind) -> u32 {
    match kind {
        TxKind::Accept => 80_000,
        TxKind::Decline | TxKind::Commit | TxKind::Reveal | TxKind::Submit | TxKind::Claim => 40_000,
        TxKind::RevealVote(_) | TxKind::RevealOutcome | TxKind::Appeal(_) => 40_000,
        // With as many tickets as a vote shows at most; a dispute with its first challenge.
        TxKind::Vote(_) | TxKind::Challenge => 100_000,
        // As long as it gets: full of seats, or of what a dispute leaves to be settled.
        TxKind::Advance | TxKind::Settle => 198_000,
    }
}

/// Most transactions of one kind of which each may still land; the journal takes no more. A submission, a commitment and a
/// reveal, of a seat or in a dispute, have a deadline, and proving that one is dead takes a minute of it; all that are signed
/// carry the one outcome, and the program takes one. What anybody may do, settle and advance, others do too: then ours is refused as a whole though a
/// part of it is left, and each part the program takes once.
/// An acceptance that lost the race for a seat is as hard to prove dead while the seat is free again, or one more is drawn: each
/// attempt has its own, and the program gives a provider one seat of a job.
/// Of another kind a second one could do what the first one did and what was undone since.
#[must_use]
pub const fn live_max(kind: TxKind) -> usize {
    match kind {
        TxKind::Commit
        | TxKind::Reveal
        | TxKind::Submit
        | TxKind::Vote(_)
        | TxKind::RevealVote(_)
        | TxKind::RevealOutcome
        | TxKind::Settle
        | TxKind::Advance => 1 + FEE_BUMPS_LIMIT as usize,
        TxKind::Accept => REDUNDANCY_MAX as usize,
        TxKind::Decline | TxKind::Claim | TxKind::Challenge | TxKind::Appeal(_) => 1,
    }
}

impl JobRow {
    /// Step of the fee ladder that the next transaction of this kind stands on. One that landed, even with an error, was
    /// dear enough.
    #[must_use]
    pub fn next_fee_step(&self, kind: TxKind) -> u8 {
        self.tx(kind).map_or(0, |tx| match tx.state {
            TxState::Live | TxState::Dead => tx.fee_step.saturating_add(1),
            TxState::Failed(_) => tx.fee_step,
            TxState::Landed(_) => 0,
        })
    }
}

impl Job {
    /// What a transaction of this kind offers for a compute unit on this step, micro-lamports: never more than the
    /// transaction is worth, unless the first step is.
    #[must_use]
    pub fn fee_price(&self, ladder: &FeeLadder, kind: TxKind, step: u8) -> u64 {
        ladder.price_within(step, compute_unit_limit(kind), self.worth_lamports(kind))
    }

    /// What a transaction is worth at least: the fee that any outcome earns, and the bond, of which a missed seat costs a
    /// share. Of an account that was not seen nothing is known.
    fn worth_lamports(&self, kind: TxKind) -> u64 {
        let Some(view) = &self.view else { return 0 };
        match kind {
            TxKind::Commit | TxKind::Reveal | TxKind::Submit | TxKind::Decline => {
                view.base_fee_lamports.saturating_add(view.bond_lamports)
            }
            // A challenge wins half of a bond or loses its own; a vote that is missing, or not shown, costs its lock.
            TxKind::Challenge | TxKind::RevealOutcome | TxKind::Appeal(_) => view.bond_lamports,
            TxKind::Vote(round) | TxKind::RevealVote(round) => {
                let bond = view.dispute.as_ref().map_or(0, |dispute| dispute.juror_bond_lamports);
                bond.saturating_mul(self.row.ballot(round).map_or(0, |ballot| ballot.weight.into()))
            }
            TxKind::Advance | TxKind::Accept | TxKind::Settle | TxKind::Claim => view.base_fee_lamports,
        }
    }

    /// Whether another one is signed although all those of this kind may still land.
    pub(super) fn may_bump(&self, kind: TxKind, settings: &Settings, now: Now) -> bool {
        let live = self.row.live_txs(kind).count();
        let bumps_max = usize::from(settings.fee_bumps_max);
        if live >= live_max(kind) {
            return false;
        }
        if matches!(kind, TxKind::Settle | TxKind::Advance) {
            // Not outbid: what it was built for has changed since.
            return self.built_for.is_some_and(|built| built != self.stage());
        }
        if kind == TxKind::Accept {
            let (_, attempt, ..) = self.stage();
            let is_another = self.built_for.is_some_and(|(_, built_for, ..)| built_for != attempt);
            return is_another && self.row.tx(TxKind::Decline).is_none();
        }
        if live > bumps_max {
            return false;
        }
        let is_patient = now.monotonic_ms < self.signed_ms.saturating_add(settings.fee_bump_ms);
        let price = |step| self.fee_price(&settings.fees, kind, step);
        let step = self.row.next_fee_step(kind);
        !is_patient && price(step) > price(step.saturating_sub(1))
    }
}

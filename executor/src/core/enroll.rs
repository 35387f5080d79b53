//! Stake that matured and counts in no draw yet.

use super::{Action, Core, Now, Phase};

/// Pause between two enrolments: the chain shows within it what became of the first.
const PAUSE_MS: u64 = 60_000;

impl Core {
    /// Enrolls what matured. A new ticket makes all of them young (P-16): not while one of ours takes a seat.
    pub(super) fn enroll_matured(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(provider) = self.provider.filter(|provider| provider.tickets_mature > provider.tickets) else {
            return;
        };
        let takes_seat = self.jobs.values().any(|job| job.row.phase == Phase::Accepting && job.is_drawn());
        let is_poor = provider.node_balance_lamports < self.settings.balance_min_lamports;
        if takes_seat || is_poor || self.draining || now.monotonic_ms < self.enroll_not_before_ms {
            return;
        }
        self.enroll_not_before_ms = now.monotonic_ms.saturating_add(PAUSE_MS);
        actions.push(Action::Enroll);
    }
}

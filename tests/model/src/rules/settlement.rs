//! What each seat gets, and the way out of everything.

use super::{Demands, Verdict};
use crate::{
    money,
    state::{Audit, Dispute, Execution, Job, JobStatus, Key, Model, SeatStatus, Trust},
};

/// A result that paid less in fees confirms nothing.
const FEE_CONFIRMING_LAMPORTS: u64 = 500;
/// Confirmed fees that give half of the volume.
const HALF_FEE_LAMPORTS: u64 = 1_000_000;
/// Deadlines missed in a row after which a provider is jailed.
const MISSES_JAIL: u8 = 3;
/// Gas from which a run's time says something.
const LATENCY_GAS_MIN: u64 = 1_000_000_000;

impl Model {
    pub(super) fn settle_execution(&mut self, key: Key, provider: Key) -> Verdict {
        let (job, seat) = (self.job(key)?.clone(), self.execution(key, provider)?.clone());
        let mut demands = Demands::default();
        demands.that(job.status.is_terminal(), "JobNotTerminal");
        let uncounted = |dispute: &Dispute| dispute.challenges_counted != dispute.challenges;
        demands
            .that(!job.status.is_terminal() || !self.disputes.get(&key).is_some_and(uncounted), "ChallengesUncounted");
        demands.met()?;
        let resolved = job.status == JobStatus::Resolved;
        match seat.status {
            SeatStatus::Missed => {}
            SeatStatus::Submitted if !resolved => self.release(key, provider, 0),
            SeatStatus::Submitted if seat.outcome == job.outcome => self.pay_seat(key, provider, &job, &seat),
            SeatStatus::Submitted | SeatStatus::Committed => {
                let lost = seat.lock_lamports;
                self.release(key, provider, lost);
                self.forfeit(key, provider, lost, resolved);
                self.shrink_tickets(provider);
                self.record_wrong(provider, &job, resolved && self.disputes.contains_key(&key));
            }
            SeatStatus::Accepted if job.seats > 0 => self.settle_silence(key, provider, &job),
            SeatStatus::Accepted => self.release(key, provider, 0),
        }
        self.forget(key, provider, seat.rent_payer);
        Ok(())
    }

    fn pay_seat(&mut self, key: Key, provider: Key, job: &Job, seat: &Execution) {
        let (pay, fee) = (job.pay_lamports, job.fee_lamports);
        self.release(key, provider, 0);
        let posting = self.job_mut(key);
        posting.escrow_lamports =
            posting.escrow_lamports.checked_sub(pay + fee).expect("I-05: escrow covers every seat");
        self.pay(key, provider, pay);
        self.pay(key, job.market, fee);
        self.market_mut(job.market).fees_lamports += fee;
        let share = self.disputes.get(&key).map_or(0, Dispute::executors_share);
        let judged = self.disputes.contains_key(&key);
        if let Some(dispute) = self.disputes.get_mut(&key) {
            dispute.held_lamports =
                dispute.held_lamports.checked_sub(share).expect("I-05: a dispute pays what it holds");
        }
        self.pay(self.dispute_key(key), provider, share);
        let holder = self.provider_mut(provider);
        holder.earnings_lamports += pay + share;
        holder.trust.disputes_won += u32::from(judged);
        holder.trust.record_right(job, seat);
        if is_confirmed(job, seat) {
            holder.trust.confirmed += 1;
            holder.trust.consecutive_valid += 1;
            holder.trust.confirmed_fee_lamports += fee;
            holder.misses_in_row = 0;
            holder.unaudited_lamports = 0;
        } else if seat.solo {
            // `release` took the value back; it stays unaudited.
            holder.unaudited_lamports += job.pay_max();
        }
        let before = self.paid.insert((job.uid, provider), pay);
        assert!(before.is_none(), "I-02: a seat was paid twice");
    }

    /// What a wrong or hidden result loses: the dispute's, where one was judged, else the Sink's.
    fn forfeit(&mut self, key: Key, provider: Key, lost: u64, judged: bool) {
        if !judged || !self.disputes.contains_key(&key) {
            return self.burn(provider, lost);
        }
        self.pay(provider, self.dispute_key(key), lost);
        let dispute = self.dispute_mut(key);
        dispute.pot_lamports += lost;
        dispute.held_lamports += lost;
    }

    /// The clock ran and nothing came.
    fn settle_silence(&mut self, key: Key, provider: Key, job: &Job) {
        let penalty = money::share(job.bond_lamports, u32::from(job.terms.miss_rate_bps));
        let to_poster = penalty.min(job.terms.delay_fee_lamports.saturating_sub(job.compensation_lamports));
        self.release(key, provider, penalty);
        self.pay(provider, key, to_poster);
        self.job_mut(key).compensation_lamports += to_poster;
        self.burn(provider, penalty - to_poster);
        self.shrink_tickets(provider);
        self.record_missed(provider, key);
    }

    fn record_wrong(&mut self, provider: Key, job: &Job, judged: bool) {
        let until_unix = self.now_unix + job.jail_s;
        let holder = self.provider_mut(provider);
        holder.trust.failed += 1;
        holder.trust.disputes_lost += u32::from(judged);
        holder.trust.consecutive_valid = 0;
        holder.jailed_until_unix = holder.jailed_until_unix.max(until_unix);
    }

    /// A deadline passed; after three in a row it may take nothing for a while.
    pub(super) fn record_missed(&mut self, provider: Key, job: Key) {
        let until_unix = self.now_unix + self.jobs[&job].jail_s;
        let holder = self.provider_mut(provider);
        holder.trust.missed += 1;
        holder.trust.consecutive_valid = 0;
        holder.misses_in_row += 1;
        if holder.misses_in_row == MISSES_JAIL {
            holder.misses_in_row = 0;
            holder.jailed_until_unix = holder.jailed_until_unix.max(until_unix);
        }
    }

    pub(super) fn close_job(&mut self, key: Key) -> Verdict {
        let job = self.job(key)?;
        let mut demands = Demands::default();
        demands.that(job.status.is_terminal(), "JobNotTerminal");
        demands.that(job.executions_open == 0, "ExecutionsOpen");
        demands.that(job.disputes_open == 0, "DisputesOpen");
        demands.that(self.slot > job.created_slot, "SlotTooEarly");
        demands.met()?;
        let poster = job.poster;
        self.jobs.remove(&key);
        self.close(key, poster);
        Ok(())
    }
}

/// Whether somebody who was drawn says the same, of one who was drawn or audited. What a jury says adds nothing: it may have been
/// called by whoever posted the job.
fn is_confirmed(job: &Job, seat: &Execution) -> bool {
    let outcome = seat.outcome.expect("a seat that is paid handed one in");
    let drawn = job.tally.entry(&crate::outcome_hash(&outcome)).map_or(0, |entry| entry.drawn);
    let others = drawn - u8::from(seat.drawn);
    let counts = seat.drawn || (seat.solo && job.audit == Audit::Drawn);
    job.fee_lamports >= FEE_CONFIRMING_LAMPORTS && counts && others > 0
}

impl Trust {
    /// One number of 0 to 10,000 for what a provider did.
    #[must_use]
    pub fn score_bps(&self) -> u32 {
        let fees = u128::from(self.confirmed_fee_lamports);
        let volume = 10_000 * fees / (fees + u128::from(HALF_FEE_LAMPORTS));
        let (right, wrong, missed) = (u128::from(self.confirmed), u128::from(self.failed), u128::from(self.missed));
        let record = if right == 0 { 0 } else { 10_000 * right / (right + 20 * wrong + 2 * missed) };
        u32::try_from(volume * record / 10_000).expect("at most 10,000")
    }

    fn record_right(&mut self, job: &Job, seat: &Execution) {
        self.completed += 1;
        let outcome = job.outcome.expect("it was judged");
        let gas = outcome[7..15].iter().rev().fold(0, |sum, byte| sum * 256 + u64::from(*byte));
        if gas < LATENCY_GAS_MIN {
            return;
        }
        let sample = u128::from(seat.elapsed_s) * 1_000 * u128::from(LATENCY_GAS_MIN) / u128::from(gas);
        let average = match self.latency_ms_avg {
            0 => sample,
            old => (u128::from(old) * 7 + sample) / 8,
        };
        self.latency_ms_avg = u32::try_from(average).unwrap_or(u32::MAX);
    }
}

//! Taking a seat, giving it back, handing a result in.

use super::{Demands, POOR, Refusal, Verdict};
use crate::{
    act::{AtSeat, TICKET_SOLO},
    draw::{Draw, DrawState, EVERYBODY, Widening, wins},
    money,
    state::{
        Audit, Execution, Fill, Job, JobStatus, Key, Mode, Model, Provider, SeatStatus, Terms, rent_lamports, size,
    },
    tally::Measure,
};

/// Confirmed results in a row after which a provider may run alone.
const TRUSTED_STREAK: u32 = 10;
/// What each arbitration adds to the least trust.
const ARBITRATION_STEP_BPS: u32 = 500;

/// How a seat is taken.
struct Taken {
    solo: bool,
    drawn: bool,
    weight_lamports: u64,
    lock_lamports: u64,
    audit_one_in: u16,
}

impl Job {
    /// What this fill's threshold depends on.
    #[must_use]
    pub fn widening(&self) -> Widening {
        Widening {
            wanted: u64::from(self.seats_wanted - self.seats),
            tickets_total: self.tickets_total,
            fill_unix: self.fill_unix,
            queue_deadline_unix: self.queue_deadline_unix,
            widen_s: self.widen_s,
        }
    }

    /// The threshold of this fill's seats now.
    #[must_use]
    pub fn seat_threshold(&self, now_unix: i64) -> u64 {
        if self.draw.state == DrawState::Everybody { EVERYBODY } else { self.widening().threshold(now_unix) }
    }

    /// Most that a seat can be paid.
    #[must_use]
    pub fn pay_max(&self) -> u64 {
        money::pay(self.base_fee_lamports, self.price, self.gas_limit)
    }

    /// Least trust of who takes a seat now.
    fn trust_floor(&self, threshold: u64) -> u32 {
        let least = u32::from(self.min_trust_bps);
        if self.fill != Fill::Arbitration || threshold == EVERYBODY {
            return least;
        }
        (least + ARBITRATION_STEP_BPS * u32::from(self.arbiters)).min(10_000)
    }
}

impl Model {
    pub(super) fn accept_job(&mut self, at: AtSeat, uid: [u8; 32], ticket: u32) -> Verdict {
        let (now, provider) = (self.now_unix, self.provider(at.provider)?);
        let (job, market) = (self.job(at.job)?, self.market(provider.market)?);
        let terms = *market.terms_at(now);
        let cost = self.cost(self.seat(at.job, at.provider), rent_lamports(size::EXECUTION), 0);
        let mut demands = Demands::default();
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(provider.market == job.market, "MarketMismatch");
        demands.that(now >= market.paused_until_unix, "MarketPaused");
        demands.that(job.status == JobStatus::Open, "JobNotOpen");
        demands.that(job.uid == uid, "JobUidMismatch");
        demands.that(now < job.queue_deadline_unix, "DeadlinePassed");
        demands.that(provider.stake_lamports >= job.terms.stake_min_lamports, "StakeTooSmall");
        demands.that(provider.active < provider.capacity, "CapacityReached");
        demands.that(!self.executions.contains_key(&(at.job, at.provider)), "ExecutionExists");
        demands.that(self.balance(at.signer) >= cost, POOR);
        demands.that(now >= provider.jailed_until_unix, "Jailed");
        if job.status != JobStatus::Open {
            return demands.met();
        }
        let taken = draw_demands(&mut demands, job, provider, &terms, (at.provider, ticket, now));
        let trusted = provider.trust.score_bps() >= job.trust_floor(job.seat_threshold(now));
        demands.that(trusted, "TrustTooLow");
        let exposed = provider.locked_lamports.saturating_add(taken.lock_lamports);
        demands.that(provider.stake_lamports - provider.locked_lamports >= taken.lock_lamports, "FreeStakeTooSmall");
        demands.that(exposed <= provider.exposure_cap_lamports, "ExposureCapReached");
        let votes = if provider.duty_lock_lamports > 0 { provider.vote_bonds(&terms) } else { 0 };
        demands.that(provider.can_bind(taken.lock_lamports.saturating_add(votes)), "JuryReserveTooSmall");
        demands.met()?;
        self.pay(at.signer, self.seat(at.job, at.provider), cost);
        self.take_seat(at, &taken);
        Ok(())
    }

    fn take_seat(&mut self, at: AtSeat, taken: &Taken) {
        let (now, slot) = (self.now_unix, self.slot);
        let provider = self.provider_mut(at.provider);
        provider.locked_lamports += taken.lock_lamports;
        provider.active += 1;
        provider.children_open += 1;
        let weight = taken.weight_lamports;
        let job = self.job_mut(at.job);
        let pay_max = job.pay_max();
        let seat = job.executors.iter().position(|key| *key == Key::default()).expect("seats_max is nine at most");
        job.executors[seat] = at.provider;
        job.executions_open += 1;
        job.seats_filled += 1;
        job.pending_commits += 1;
        job.weight_total += weight;
        if taken.solo {
            (job.seats_wanted, job.audit_one_in) = (1, taken.audit_one_in);
        }
        if job.seats_filled == job.seats_wanted {
            job.start(now);
        }
        let opened = Execution {
            status: SeatStatus::Accepted,
            node_key: at.signer,
            rent_payer: at.signer,
            seat: u8::try_from(seat).expect("under nine"),
            attempt: job.attempt,
            drawn: taken.drawn,
            solo: taken.solo,
            lock_lamports: taken.lock_lamports,
            weight,
            commitment: [0; 32],
            outcome: None,
            accepted_unix: now,
            accepted_slot: slot,
            submitted_unix: 0,
            elapsed_s: 0,
        };
        if taken.solo {
            self.provider_mut(at.provider).unaudited_lamports += pay_max;
        }
        self.executions.insert((at.job, at.provider), opened);
    }

    pub(super) fn decline_job(&mut self, at: AtSeat) -> Verdict {
        let (now, provider) = (self.now_unix, self.provider(at.provider)?);
        let (job, seat) = (self.job(at.job)?, self.execution(at.job, at.provider)?);
        let runs = job.status == JobStatus::Assigned;
        let mut demands = Demands::default();
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(runs || job.status == JobStatus::Open, "JobNotAssigned");
        demands.that(!runs || now < job.execution_deadline_unix, "DeadlinePassed");
        demands.that(seat.status == SeatStatus::Accepted && seat.attempt == job.attempt, "ExecutionNotAccepted");
        demands.met()?;
        let miss = money::share(job.bond_lamports, u32::from(job.terms.miss_rate_bps));
        if runs && job.seats_wanted > 1 {
            // Nobody can take this seat any more, so giving it back is missing it.
            self.release(at.job, at.provider, miss);
            self.burn(at.provider, miss);
            self.record_missed(at.provider, at.job);
            self.execution_mut(at.job, at.provider).status = SeatStatus::Missed;
            self.job_mut(at.job).one_commit_less(now);
            return Ok(());
        }
        let held_s = u64::try_from(now - seat.accepted_unix).unwrap_or(0);
        let execution_s = u64::try_from(job.execution_s).expect("positive").max(1);
        let timed = u128::from(miss) * u128::from(held_s.min(execution_s)) / u128::from(execution_s);
        let timed = u64::try_from(timed).expect("not above the penalty");
        let cost = timed.max(job.terms.decline_fee_lamports).min(job.bond_lamports);
        let rent_payer = seat.rent_payer;
        self.release(at.job, at.provider, cost);
        self.burn(at.provider, cost);
        self.provider_mut(at.provider).trust.declined += 1;
        self.free_seat(at.job, at.provider);
        if runs {
            self.job_mut(at.job).wait_again(now);
        }
        self.forget(at.job, at.provider, rent_payer);
        Ok(())
    }

    pub(super) fn submit_results(&mut self, at: AtSeat, outcome: [u8; 79]) -> Verdict {
        let (now, job) = (self.now_unix, self.job(at.job)?);
        let mut demands = self.hand_in(at)?;
        demands.that(job.mode == Mode::Optimistic, "ModeMismatch");
        demands.that(crate::is_canonical(&outcome, job.gas_limit), "OutcomeNotCanonical");
        demands.met()?;
        let elapsed_s = self.elapsed_s(at);
        let seat = self.execution_mut(at.job, at.provider);
        (seat.status, seat.outcome) = (SeatStatus::Submitted, Some(outcome));
        (seat.node_key, seat.submitted_unix, seat.elapsed_s) = (at.signer, now, elapsed_s);
        let weight = seat.weight;
        let job = self.job_mut(at.job);
        job.tally.add(crate::outcome_hash(&outcome), weight, false, Measure::Count);
        job.outcome = Some(outcome);
        job.pending_commits = 0;
        job.status = JobStatus::Submitted;
        job.window_deadline_unix = now + job.challenge_s;
        Ok(())
    }

    pub(super) fn commit_result(&mut self, at: AtSeat, commitment: [u8; 32]) -> Verdict {
        let (now, slot) = (self.now_unix, self.slot);
        let mut demands = self.hand_in(at)?;
        let job = self.job(at.job)?;
        demands.that(job.mode != Mode::Optimistic, "ModeMismatch");
        demands.that(commitment != [0; 32], "CommitmentZero");
        demands.met()?;
        let elapsed_s = self.elapsed_s(at);
        let seat = self.execution_mut(at.job, at.provider);
        (seat.status, seat.commitment) = (SeatStatus::Committed, commitment);
        (seat.node_key, seat.submitted_unix, seat.elapsed_s) = (at.signer, now, elapsed_s);
        let solo = seat.solo;
        let job = self.job_mut(at.job);
        job.pending_reveals += 1;
        job.one_commit_less(now);
        if solo {
            (job.audit, job.draw) = (Audit::SeedPending, Draw::armed(slot, now));
        }
        Ok(())
    }

    /// What handing a result in, open or hidden, demands of the seat.
    fn hand_in(&self, at: AtSeat) -> Result<Demands, Refusal> {
        let provider = self.provider(at.provider)?;
        let (job, seat) = (self.job(at.job)?, self.execution(at.job, at.provider)?);
        let runs = job.status == JobStatus::Assigned;
        let mut demands = Demands::default();
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(runs, "JobNotAssigned");
        demands.that(!runs || self.now_unix < job.execution_deadline_unix, "DeadlinePassed");
        demands.that(seat.status == SeatStatus::Accepted && seat.attempt == job.attempt, "ExecutionNotAccepted");
        Ok(demands)
    }

    fn elapsed_s(&self, at: AtSeat) -> u32 {
        let job = &self.jobs[&at.job];
        let began_unix = job.execution_deadline_unix - job.execution_s;
        u32::try_from(self.now_unix - began_unix).unwrap_or(0)
    }

    /// Ends a seat's hold on the provider's stake, of which so much is lost. Whoever calls moves the lamports.
    pub(super) fn release(&mut self, job: Key, provider: Key, lost_lamports: u64) {
        let pay_max = self.jobs[&job].pay_max();
        let seat = self.execution_mut(job, provider);
        let (lock, solo) = (std::mem::take(&mut seat.lock_lamports), seat.solo);
        assert!(lost_lamports <= lock, "no loss exceeds its lock");
        let holder = self.provider_mut(provider);
        holder.locked_lamports -= lock;
        holder.active -= 1;
        holder.stake_lamports -= lost_lamports;
        holder.exposure_cap_lamports = holder.exposure_cap_lamports.saturating_sub(lost_lamports);
        if solo {
            holder.unaudited_lamports = holder.unaudited_lamports.saturating_sub(pay_max);
        }
    }

    /// Gives the place of a seat back to the job.
    pub(super) fn free_seat(&mut self, key: Key, provider: Key) {
        let seat = self.executions[&(key, provider)].clone();
        let job = self.job_mut(key);
        job.executors[usize::from(seat.seat)] = Key::default();
        job.seats_filled -= 1;
        job.pending_commits -= 1;
        job.weight_total -= seat.weight;
    }

    /// Closes a seat's account.
    pub(super) fn forget(&mut self, job: Key, provider: Key, rent_payer: Key) {
        self.executions.remove(&(job, provider));
        self.close(self.seat(job, provider), rent_payer);
        self.job_mut(job).executions_open -= 1;
        self.provider_mut(provider).children_open -= 1;
    }
}

/// What a seat demands by tickets and trust, and what it locks.
fn draw_demands(
    demands: &mut Demands,
    job: &Job,
    provider: &Provider,
    terms: &Terms,
    (holder, ticket, now): (Key, u32, i64),
) -> Taken {
    let mut taken = Taken {
        solo: false,
        drawn: false,
        weight_lamports: provider.stake_lamports,
        lock_lamports: job.bond_lamports,
        audit_one_in: 0,
    };
    let threshold = job.seat_threshold(now);
    if job.mode == Mode::Optimistic {
        return taken;
    }
    if job.mode == Mode::Adaptive && ticket == TICKET_SOLO && job.fill == Fill::First && job.seats_filled == 0 {
        let (streak, pay_max) = (provider.trust.consecutive_valid, job.pay_max());
        let audits = job.terms.audit_one_in_max > 0;
        let trusted =
            audits && streak >= TRUSTED_STREAK && provider.unaudited_lamports + pay_max <= provider.stake_lamports;
        demands.that(trusted, "NotTrusted");
        let (least, most) = (u32::from(job.terms.audit_one_in_min), u32::from(job.terms.audit_one_in_max));
        taken.audit_one_in = u16::try_from(streak.clamp(least, most)).expect("at most a hundred");
        taken.lock_lamports = job.bond_lamports.max(pay_max * u64::from(taken.audit_one_in));
        taken.solo = true;
        return taken;
    }
    if !matches!(job.draw.state, DrawState::Recorded | DrawState::Everybody) {
        demands.that(false, "SeedMissing");
        return taken;
    }
    let usable = provider.usable_tickets(terms.ticket_lamports);
    taken.weight_lamports = u64::from(usable) * terms.ticket_lamports;
    demands.that(ticket < usable && wins(&job.draw.seed, &holder.0, ticket, threshold), "TicketLoses");
    demands.that(provider.tickets_from_unix <= job.draw.fixed_unix, "TicketImmature");
    taken.drawn = threshold != EVERYBODY;
    taken
}

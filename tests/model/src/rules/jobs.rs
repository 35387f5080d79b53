//! Posting a job, its seeds and its waits.

use assay_protocol::{
    ids::JobUidInput,
    job_uid,
    limits::{BASE_FEE_LAMPORTS_MAX, PRICE_MAX},
};

use super::{Demands, POOR, Verdict};
use crate::{
    act::Posting,
    draw::{Draw, DrawState, Purpose, Recorded, threshold, wins},
    money,
    state::{Audit, Fill, Job, JobStatus, Key, Market, Mode, Model, SeatStatus, Terms, rent_lamports, size},
    tally::Tally,
};

/// Most seats that the job can come to.
fn seats_max(posting: &Posting, terms: &Terms) -> u8 {
    match posting.mode {
        Mode::Optimistic => 1,
        _ => terms.executions_max.min((2 * posting.redundancy).saturating_sub(1)),
    }
}

/// Escrow that covers every seat that can be right.
fn escrow_least(posting: &Posting, terms: &Terms) -> u64 {
    let seats = if posting.mode == Mode::Quorum { seats_max(posting, terms) } else { posting.redundancy };
    let pay_max = money::pay(posting.base_fee_lamports, posting.price, posting.task.limits.gas_limit);
    money::escrow(pay_max, seats, terms.fee_bps)
}

impl Model {
    /// What a poster has to pay in under the terms in force.
    #[must_use]
    pub fn escrow_least(&self, market: Key, posting: &Posting) -> u64 {
        self.markets.get(&market).map_or(0, |market| escrow_least(posting, market.terms_at(self.now_unix)))
    }

    /// The address of a job.
    #[must_use]
    pub fn job_key(&self, market: Key, poster: Key, id: u64) -> Key {
        self.at(&[b"job", &market.0, &poster.0, &id.to_le_bytes()])
    }

    pub(super) fn create_job(&mut self, poster: Key, market_key: Key, posting: &Posting) -> Verdict {
        let (key, now) = (self.job_key(market_key, poster, posting.id), self.now_unix);
        let market = self.market(market_key)?;
        let terms = *market.terms_at(now);
        let agreement_s = posting.agreement_s.map(i64::from);
        let last_unix = now + i64::from(terms.job_total_s);
        let least = escrow_least(posting, &terms);
        let cost = self.cost(key, rent_lamports(size::JOB), posting.escrow_lamports);

        let mut demands = Demands::default();
        demands.that(!self.jobs.contains_key(&key), "JobExists");
        demands.that(now >= market.paused_until_unix, "MarketPaused");
        let (seats, most) = (posting.redundancy, terms.executions_max);
        demands.that(
            if posting.mode == Mode::Optimistic { seats == 1 } else { (2..=most).contains(&seats) },
            "RedundancyUnsupported",
        );
        demands.that(posting.mode != Mode::Adaptive || terms.audit_one_in_max > 0, "ModeUnsupported");
        demands.that(posting.min_trust_bps <= 10_000, "TrustUnsupported");
        demands.that(posting.task.limits.gas_limit <= terms.gas_limit_max, "GasLimitAboveMarket");
        demands.that((1..=PRICE_MAX).contains(&posting.price), "PriceOutOfBounds");
        demands.that(posting.base_fee_lamports <= BASE_FEE_LAMPORTS_MAX, "PriceOutOfBounds");
        let window_max_s = terms.window_s(terms.challenge_base_s, terms.gas_limit_max);
        demands.that(agreement_s.is_none_or(|seconds| seconds <= window_max_s), "WindowOutOfRange");
        demands.that(posting.escrow_lamports >= least, "EscrowTooSmall");
        let expires = posting.expires_unix;
        demands.that(expires == 0 || (expires > now && expires <= last_unix), "ExpiryOutOfRange");
        demands.that(self.balance(poster) >= cost, POOR);
        demands.met()?;

        let job = self.new_job(key, (poster, market_key), posting, market);
        self.pay(poster, key, cost);
        self.jobs.insert(key, job);
        Ok(())
    }

    fn new_job(&self, key: Key, (poster, market_key): (Key, Key), posting: &Posting, market: &Market) -> Job {
        let (now, terms) = (self.now_unix, market.terms_at(self.now_unix));
        let gas_limit = posting.task.limits.gas_limit;
        let pay_max = money::pay(posting.base_fee_lamports, posting.price, gas_limit);
        let challenge_s = terms.window_s(terms.challenge_base_s, gas_limit);
        let ends = |after_s| if posting.expires_unix == 0 { now + i64::from(after_s) } else { posting.expires_unix };
        Job {
            status: JobStatus::Open,
            market: market_key,
            poster,
            executors: [Key::default(); 9],
            terms: *terms,
            mode: posting.mode,
            redundancy: posting.redundancy,
            seats: 0,
            seats_wanted: posting.redundancy,
            seats_filled: 0,
            seats_max: seats_max(posting, terms),
            executions_open: 0,
            disputes_open: 0,
            attempt: 0,
            arbiters: 0,
            fill: Fill::First,
            audit: Audit::None,
            right: 0,
            pending_commits: 0,
            pending_reveals: 0,
            audit_one_in: 0,
            min_trust_bps: posting.min_trust_bps,
            id: posting.id,
            created_slot: self.slot,
            created_unix: now,
            uid: self.uid(key, market, posting),
            gas_limit,
            price: posting.price,
            base_fee_lamports: posting.base_fee_lamports,
            escrow_lamports: posting.escrow_lamports,
            compensation_lamports: 0,
            pay_lamports: 0,
            fee_lamports: 0,
            bond_lamports: money::share(pay_max, terms.bond_rate_bps).max(terms.bond_min_lamports),
            queue_timeout_s: i64::from(terms.queue_timeout_s),
            widen_s: i64::from(terms.widen_s),
            execution_s: terms.window_s(terms.execution_base_s, gas_limit),
            challenge_s,
            reveal_s: i64::from(terms.reveal_s),
            agreement_s: posting.agreement_s.map_or(challenge_s, i64::from),
            jail_s: i64::from(terms.jail_s),
            fill_unix: now,
            queue_deadline_unix: ends(terms.queue_timeout_s),
            total_deadline_unix: ends(terms.job_total_s),
            execution_deadline_unix: 0,
            reveal_deadline_unix: 0,
            window_deadline_unix: 0,
            resolved_unix: 0,
            tickets_total: market.tickets_total,
            weight_total: 0,
            draw: if posting.mode == Mode::Optimistic { Draw::NONE } else { Draw::armed(self.slot, now) },
            tally: Tally::default(),
            outcome: None,
            metered_hash: posting.task.metered_hash,
            collision_recorded: false,
        }
    }

    fn uid(&self, job: Key, market: &Market, posting: &Posting) -> [u8; 32] {
        job_uid(&JobUidInput {
            program: &self.program.0,
            cluster: &market.cluster,
            job: &job.0,
            created_slot: self.slot,
            task_digest: &posting.task.digest(),
        })
    }

    pub(super) fn cancel_job(&mut self, signer: Key, key: Key) -> Verdict {
        let job = self.job(key)?;
        let mut demands = Demands::default();
        demands.that(job.poster == signer, "PosterMismatch");
        demands.that(job.status == JobStatus::Open, "JobNotOpen");
        demands.that(job.seats_filled == 0, "SeatTaken");
        demands.met()?;
        let now = self.now_unix;
        let job = self.job_mut(key);
        (job.status, job.resolved_unix) = (JobStatus::Cancelled, now);
        Ok(())
    }

    pub(super) fn record_seed(&mut self, key: Key) -> Verdict {
        let (slot, now) = (self.slot, self.now_unix);
        let mut job = self.job(key)?.clone();
        let mut demands = Demands::default();
        demands.that(job.draw.state != DrawState::None, "NoDraw");
        demands.met()?;
        let is_audit = job.audit == Audit::SeedPending;
        let (purpose, round) = if is_audit { (Purpose::Audit, 0) } else { (Purpose::Seats, job.attempt) };
        let recorded = job.draw.take(&self.slot_hashes, &job.uid, purpose, round);
        let mut demands = Demands::default();
        demands.that(recorded != Recorded::NotReady, "SeedNotReady");
        demands.met()?;
        if is_audit {
            // Nobody gains by letting the seed expire: that counts as drawn.
            let odds = threshold(1, u64::from(job.audit_one_in));
            let drawn = recorded == Recorded::Expired || wins(&job.draw.seed, &job.uid, 0, odds);
            audit(&mut job, drawn, slot, now);
        } else if recorded == Recorded::Expired {
            job.draw.ask_again(slot, now);
        }
        self.jobs.insert(key, job);
        Ok(())
    }

    pub(super) fn expire_job(&mut self, key: Key, provider: Option<Key>) -> Verdict {
        let job = self.job(key)?;
        if let Some(provider) = provider {
            // A seat that is named is there, whether it is needed or not.
            self.execution(key, provider)?;
        }
        let alone = job.status == JobStatus::Assigned && job.seats_wanted == 1;
        if alone {
            return self.expire_runner(key, provider);
        }
        let reveals_until = match job.pending_reveals {
            0 => job.execution_deadline_unix.min(job.reveal_deadline_unix),
            _ => job.reveal_deadline_unix,
        };
        let due_unix = match job.status {
            JobStatus::Open => Some(job.queue_deadline_unix),
            JobStatus::Assigned | JobStatus::Revealing => Some(reveals_until),
            JobStatus::Deadlocked => Some(job.window_deadline_unix),
            _ => None,
        };
        let mut demands = Demands::default();
        demands.that(due_unix.is_some(), "JobNotExpirable");
        demands.that(job.audit != Audit::SeedPending, "SeedPending");
        demands.that(
            job.audit == Audit::SeedPending || due_unix.is_none_or(|due| self.now_unix >= due),
            "DeadlineNotReached",
        );
        demands.that(provider.is_none(), "AccountsUnexpected");
        demands.met()?;
        let (slot, now) = (self.slot, self.now_unix);
        let job = self.job_mut(key);
        match (job.status, job.fill) {
            (JobStatus::Open, Fill::First) | (JobStatus::Deadlocked, _) => {
                (job.status, job.resolved_unix) = (JobStatus::Expired, now);
            }
            (JobStatus::Open, Fill::Audit) if job.seats_filled > 1 => job.start(now),
            (JobStatus::Open, Fill::Audit) => {
                (job.status, job.reveal_deadline_unix) = (JobStatus::Revealing, now + job.reveal_s);
            }
            (JobStatus::Open, Fill::Arbitration) => job.deadlock(now),
            _ => job.close_reveals(slot, now),
        }
        Ok(())
    }

    /// Who runs alone let its deadline pass: it pays, and the job waits for another.
    fn expire_runner(&mut self, key: Key, provider: Option<Key>) -> Verdict {
        let (job, now) = (self.job(key)?, self.now_unix);
        let mut demands = Demands::default();
        demands.that(now >= job.execution_deadline_unix, "DeadlineNotReached");
        demands.that(provider.is_some(), "AccountsMissing");
        demands.met()?;
        let provider = provider.expect("demanded above");
        let seat = self.execution(key, provider)?;
        let mut demands = Demands::default();
        demands.that(seat.status == SeatStatus::Accepted, "ExecutionNotAccepted");
        demands.met()?;
        let penalty = money::share(job.bond_lamports, u32::from(job.terms.miss_rate_bps));
        let to_poster = penalty.min(job.terms.delay_fee_lamports);
        self.release(key, provider, penalty);
        self.execution_mut(key, provider).status = SeatStatus::Missed;
        self.record_missed(provider, key);
        self.pay(provider, key, to_poster);
        self.burn(provider, penalty - to_poster);
        self.free_seat(key, provider);
        let job = self.job_mut(key);
        job.compensation_lamports += to_poster;
        job.attempt += 1;
        job.wait_again(now);
        if job.attempt == job.terms.attempts_max || now >= job.total_deadline_unix {
            (job.status, job.resolved_unix) = (JobStatus::Expired, now);
        }
        Ok(())
    }

    pub(super) fn finalize_job(&mut self, key: Key) -> Verdict {
        let (job, now) = (self.job(key)?, self.now_unix);
        let mut demands = Demands::default();
        demands.that(job.status == JobStatus::Submitted, "JobNotSubmitted");
        demands.that(job.status != JobStatus::Submitted || now >= job.window_deadline_unix, "DeadlineNotReached");
        demands.met()?;
        let job = self.job_mut(key);
        job.fix_payments();
        (job.status, job.resolved_unix) = (JobStatus::Resolved, now);
        Ok(())
    }
}

/// The runner's commitment is there and so is the seed: either others run it too, or the runner reveals.
fn audit(job: &mut Job, drawn: bool, slot: u64, now: i64) {
    if drawn {
        job.audit = Audit::Drawn;
        job.fill = Fill::Audit;
        job.status = JobStatus::Open;
        job.seats_wanted = job.redundancy;
        job.draw = Draw::armed(slot, now);
        job.fill_unix = now;
        job.queue_deadline_unix = now + job.queue_timeout_s;
    } else {
        job.audit = Audit::NotDrawn;
        job.reveal_deadline_unix = now + job.reveal_s;
    }
}

impl Job {
    /// The last seat that is waited for is there: clocks start.
    pub(super) const fn start(&mut self, now: i64) {
        self.status = JobStatus::Assigned;
        self.seats = self.seats_filled;
        self.execution_deadline_unix = now + self.execution_s;
        self.reveal_deadline_unix = self.execution_deadline_unix + self.reveal_s;
    }

    /// Back into the queue, as it was posted.
    pub(super) fn wait_again(&mut self, now: i64) {
        self.status = JobStatus::Open;
        self.seats = 0;
        self.seats_wanted = self.redundancy;
        self.audit_one_in = 0;
        self.execution_deadline_unix = 0;
        self.reveal_deadline_unix = 0;
        self.fill_unix = now;
        self.queue_deadline_unix = (now + self.queue_timeout_s).min(self.total_deadline_unix);
    }

    /// What each right seat is paid, from the result that stands.
    pub(super) fn fix_payments(&mut self) {
        let outcome = self.outcome.expect("a result stands");
        self.pay_lamports = money::pay_of(self.base_fee_lamports, self.price, &outcome);
        self.fee_lamports = money::share(self.pay_lamports, u32::from(self.terms.fee_bps));
        self.right = self.tally.entry(&crate::outcome_hash(&outcome)).map_or(0, |entry| entry.count);
    }
}

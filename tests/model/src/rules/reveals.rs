//! From hidden results to one that stands, or to another seat.

use assay_protocol::{commitment, ids::CommitmentInput};

use super::{Demands, Verdict};
use crate::{
    act::AtSeat,
    draw::Draw,
    state::{Audit, Fill, Job, JobStatus, Mode, Model, SeatStatus},
    tally::Measure,
};

impl Model {
    pub(super) fn reveal_result(&mut self, at: AtSeat, outcome: [u8; 79], salt: [u8; 32]) -> Verdict {
        let (now, slot, provider) = (self.now_unix, self.slot, self.provider(at.provider)?);
        let (job, seat) = (self.job(at.job)?, self.execution(at.job, at.provider)?);
        let over = job.status == JobStatus::Revealing;
        let runs = job.status == JobStatus::Assigned;
        let hash = crate::outcome_hash(&outcome);
        let expected = commitment(&CommitmentInput {
            job_uid: &job.uid,
            provider: &at.provider.0,
            outcome_hash: &hash,
            trace_root: &[0; 32],
            salt: &salt,
        });
        let mut demands = Demands::default();
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(seat.status == SeatStatus::Committed && seat.attempt == job.attempt, "ExecutionNotCommitted");
        demands.that(over || runs, "JobNotRevealing");
        demands.that(!runs || now >= job.execution_deadline_unix, "TooEarly");
        demands.that(job.audit != Audit::SeedPending, "AuditPending");
        // While an audit's seed is waited for, nothing is due.
        demands.that(
            job.audit == Audit::SeedPending || !(over || runs) || now < job.reveal_deadline_unix,
            "DeadlinePassed",
        );
        demands.that(seat.commitment == expected, "CommitmentMismatch");
        demands.that(crate::is_canonical(&outcome, job.gas_limit), "OutcomeNotCanonical");
        demands.met()?;
        let seat = self.execution_mut(at.job, at.provider);
        (seat.status, seat.outcome) = (SeatStatus::Submitted, Some(outcome));
        let (weight, drawn) = (seat.weight, seat.drawn);
        let job = self.job_mut(at.job);
        job.status = JobStatus::Revealing;
        if job.tally.add(hash, weight, drawn, job.measure()) {
            job.outcome = Some(outcome);
        }
        job.pending_reveals -= 1;
        if job.pending_reveals == 0 {
            job.close_reveals(slot, now);
        }
        Ok(())
    }
}

impl Job {
    const fn measure(&self) -> Measure {
        match self.mode {
            Mode::Quorum => Measure::Weight,
            _ => Measure::Count,
        }
    }

    /// One seat fewer that may still commit; after the last one reveals begin.
    pub(super) fn one_commit_less(&mut self, now: i64) {
        self.pending_commits -= 1;
        if self.pending_commits == 0 {
            self.status = JobStatus::Revealing;
            self.reveal_deadline_unix = self.reveal_deadline_unix.min(now + self.reveal_s);
        }
    }

    /// The result that enough seats gave, of all seats whose clock ever ran.
    #[must_use]
    pub fn agreed(&self) -> Option<[u8; 32]> {
        let leader = self.tally.leader(self.measure())?;
        let enough = match self.mode {
            Mode::Quorum => {
                u128::from(leader.weight) * 10_000 >= u128::from(self.terms.quorum_bps) * u128::from(self.weight_total)
            }
            _ => leader.count * 2 > self.seats,
        };
        enough.then_some(leader.hash)
    }

    /// Nobody reveals any more: a result stands, or one more seat is asked, or nobody knows.
    pub(super) fn close_reveals(&mut self, slot: u64, now: i64) {
        self.pending_commits = 0;
        self.pending_reveals = 0;
        if self.agreed().is_some() {
            self.status = JobStatus::Submitted;
            self.window_deadline_unix = now + if self.seats == 1 { self.challenge_s } else { self.agreement_s };
        } else if self.seats < self.seats_max && now < self.total_deadline_unix {
            self.status = JobStatus::Open;
            self.fill = Fill::Arbitration;
            self.attempt += 1;
            self.arbiters += 1;
            self.seats_wanted = self.seats + 1;
            self.draw = Draw::armed(slot, now);
            self.fill_unix = now;
            self.queue_deadline_unix = (now + self.queue_timeout_s).min(self.total_deadline_unix);
        } else {
            self.deadlock(now);
        }
    }

    /// Whoever believes in one of the results may ask a jury, for a while.
    pub(super) const fn deadlock(&mut self, now: i64) {
        self.status = JobStatus::Deadlocked;
        self.window_deadline_unix = now + self.challenge_s;
    }
}

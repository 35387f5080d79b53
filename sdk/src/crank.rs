//! The steps that anybody may take once their time has come. Every status that is not final has one (I-04).

mod absent;
mod disputes;

pub use absent::{Absence, Roll};
pub use disputes::Disputed;

use assay_protocol::{DisputeStatus, JobStatus};
use solana_instruction::Instruction;

use crate::{
    accounts::Keyed,
    client::ChainTime,
    instructions::{self, JobPoster, SettleExecution},
    program::{
        AUDIT_SEED_PENDING,
        accounts::{Dispute, Execution, Job},
    },
};

/// Most executions settled in one transaction; the rest take another one.
const SETTLE_PER_TRANSACTION_MAX: usize = 6;

/// What is due now for a job: expire it, make its result final, settle its executions. Empty when nothing is, and while it has a
/// dispute, see [`Disputed::due_transactions`].
#[must_use]
pub fn due_steps(job: &Keyed<Job>, executions: &[Keyed<Execution>], now_unix: i64) -> Vec<Instruction> {
    let account = &job.account;
    if account.disputes_open > 0 {
        return Vec::new();
    }
    let is_due = account.waits_until_unix().is_some_and(|until_unix| now_unix >= until_unix);
    match account.job_status() {
        Some(JobStatus::Submitted) if is_due => {
            let mut steps = vec![instructions::finalize_job(job.address)];
            steps.extend(settle_steps(job, executions));
            steps
        }
        Some(status) if status.is_terminal() => settle_steps(job, executions),
        Some(_) if is_due && account.audit == AUDIT_SEED_PENDING => vec![instructions::record_seed(job.address)],
        Some(_) if is_due => vec![instructions::expire_job(job.address, account)],
        _ => Vec::new(),
    }
}

/// Settles what is open of a job that is over, and closes it: the refund goes to the poster. Empty when the job is not
/// over or has more executions than one transaction settles; then [`due_steps`] comes first. Empty too while it has a dispute.
#[must_use]
pub fn close_steps(job: &Keyed<Job>, executions: &[Keyed<Execution>]) -> Vec<Instruction> {
    let over = job.account.job_status().is_some_and(JobStatus::is_terminal);
    if !over || job.account.disputes_open > 0 || executions.len() > SETTLE_PER_TRANSACTION_MAX {
        return Vec::new();
    }
    let mut steps = settle_steps(job, executions);
    steps.push(instructions::close_job(&JobPoster { job: job.address, poster: job.account.poster }));
    steps
}

fn settle_steps(job: &Keyed<Job>, executions: &[Keyed<Execution>]) -> Vec<Instruction> {
    let settle = |execution: &Keyed<Execution>| {
        instructions::settle_execution(&SettleExecution {
            job: job.address,
            market: job.account.market,
            provider: execution.account.provider,
            rent_payer: execution.account.rent_payer,
            is_disputed: false,
        })
    };
    executions.iter().take(SETTLE_PER_TRANSACTION_MAX).map(settle).collect()
}

/// What is due now for a dispute: begin its first round, record a jury's seed, count a round. `None` when nothing is.
#[must_use]
pub fn due_dispute_step(dispute: &Keyed<Dispute>, now: ChainTime) -> Option<Instruction> {
    let account = &dispute.account;
    let is_due = account.waits_until_unix().is_some_and(|until_unix| now.unix >= until_unix);
    match account.dispute_status()? {
        DisputeStatus::Entry if is_due => Some(instructions::record_jury_seed(account.job)),
        // The list of slots holds a block once a later slot has begun.
        DisputeStatus::Drawing if now.slot > account.draw.seed_slot => {
            Some(instructions::record_jury_seed(account.job))
        }
        DisputeStatus::Voting if is_due => Some(instructions::tally_round(dispute.address)),
        _ => None,
    }
}

/// When the next step of a job is due, by the chain's clock; `None` when it waits for nobody.
#[must_use]
pub fn due_from_unix(job: &Job) -> Option<i64> {
    job.waits_until_unix()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::client::args;
    use anchor_lang::{AnchorDeserialize, Discriminator};
    use solana_pubkey::Pubkey;

    fn job(status: JobStatus) -> Keyed<Job> {
        let mut account = Job::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        account.status = status.code();
        account.queue_deadline_unix = 10;
        account.execution_deadline_unix = 20;
        account.window_deadline_unix = 30;
        account.seats_wanted = 1;
        Keyed { address: Pubkey::new_unique(), account }
    }

    fn execution() -> Keyed<Execution> {
        let account = Execution::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        Keyed { address: Pubkey::new_unique(), account }
    }

    fn dispute(status: DisputeStatus) -> Keyed<Dispute> {
        let mut account = Dispute::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        account.status = status.code();
        account.draw.seed_slot = 7;
        (account.entry_deadline_unix, account.commit_deadline_unix, account.reveal_deadline_unix) = (10, 20, 30);
        (account.challenges, account.challenges_revealed) = (1, 1);
        Keyed { address: Pubkey::new_unique(), account }
    }

    fn starts(step: &Instruction, discriminator: &[u8]) -> bool {
        step.data.starts_with(discriminator)
    }

    #[test]
    fn nothing_is_due_before_a_deadline_and_something_from_it_on() {
        for (status, deadline) in [(JobStatus::Open, 10), (JobStatus::Assigned, 20), (JobStatus::Submitted, 30)] {
            let job = job(status);
            assert_eq!(due_from_unix(&job.account), Some(deadline));
            assert!(due_steps(&job, &[], deadline - 1).is_empty(), "{status:?}");
            assert_eq!(due_steps(&job, &[], deadline).len(), 1, "{status:?}");
        }
    }

    #[test]
    fn whether_a_result_is_audited_is_drawn_by_anybody() {
        let mut job = job(JobStatus::Revealing);
        (job.account.audit, job.account.draw.fixed_unix, job.account.pending_reveals) = (AUDIT_SEED_PENDING, 40, 1);
        assert!(due_steps(&job, &[], 42).is_empty());
        assert!(starts(&due_steps(&job, &[], 43)[0], args::RecordSeed::DISCRIMINATOR));
    }

    #[test]
    fn several_seats_are_counted_when_nothing_can_be_revealed_any_more() {
        for status in [JobStatus::Assigned, JobStatus::Revealing] {
            let mut job = job(status);
            (job.account.seats_wanted, job.account.reveal_deadline_unix) = (3, 25);
            for (pending, deadline) in [(0, 20), (1, 25)] {
                job.account.pending_reveals = pending;
                assert_eq!(due_from_unix(&job.account), Some(deadline));
                assert!(due_steps(&job, &[], deadline - 1).is_empty(), "{status:?}");
                assert_eq!(due_steps(&job, &[], deadline).len(), 1, "{status:?}");
            }
        }
        assert_eq!(due_steps(&job(JobStatus::Deadlocked), &[], 30).len(), 1);
    }

    #[test]
    fn a_result_is_finalized_and_settled_at_once() {
        let steps = due_steps(&job(JobStatus::Submitted), &[execution()], 30);
        assert_eq!(steps.len(), 2);
        assert!(starts(&steps[0], args::FinalizeJob::DISCRIMINATOR));
        assert!(starts(&steps[1], args::SettleExecution::DISCRIMINATOR));
    }

    #[test]
    fn i_04_a_disputes_round_begins_is_drawn_and_counted_by_anybody() {
        let at = |slot, unix| ChainTime { slot, unix };
        for (status, early, due) in [
            (DisputeStatus::Entry, at(99, 9), at(0, 10)),
            (DisputeStatus::Drawing, at(7, 99), at(8, 0)),
            (DisputeStatus::Voting, at(99, 19), at(0, 20)),
        ] {
            assert!(due_dispute_step(&dispute(status), early).is_none(), "{status:?}");
            assert!(due_dispute_step(&dispute(status), due).is_some(), "{status:?}");
        }
        let mut missing = dispute(DisputeStatus::Voting);
        missing.account.votes_committed = 1;
        assert!(due_dispute_step(&missing, at(0, 29)).is_none());
        assert!(due_dispute_step(&missing, at(0, 30)).is_some());
        missing.account.votes_revealed = 1;
        missing.account.challenges_revealed = 0;
        assert!(due_dispute_step(&missing, at(0, 29)).is_none());
        assert!(due_dispute_step(&dispute(DisputeStatus::Final), at(99, 99)).is_none());
    }

    #[test]
    fn only_a_job_that_is_over_is_closed_and_last_of_all() {
        assert!(close_steps(&job(JobStatus::Submitted), &[]).is_empty());
        let steps = close_steps(&job(JobStatus::Resolved), &[execution()]);
        assert_eq!(steps.len(), 2);
        assert!(starts(&steps[1], args::CloseJob::DISCRIMINATOR));
        let many: Vec<_> = (0..=SETTLE_PER_TRANSACTION_MAX).map(|_| execution()).collect();
        assert!(close_steps(&job(JobStatus::Resolved), &many).is_empty());
        assert_eq!(due_steps(&job(JobStatus::Resolved), &many, 0).len(), SETTLE_PER_TRANSACTION_MAX);
    }
}

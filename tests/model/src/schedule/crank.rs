//! What anybody may do because its time has come: a stranger ends every job with it (I-04).

use crate::{
    act::Act,
    draw::DrawState,
    state::{Audit, JobStatus, Model},
};

/// Every act without an author that goes through now.
#[must_use]
pub fn cranks(model: &Model) -> Vec<Act> {
    let mut acts = super::court::cranks(model);
    for (key, job) in &model.jobs {
        let job_key = *key;
        let draws = job.draw.state == DrawState::Armed && !job.status.is_terminal();
        let drawn = draws && (job.status == JobStatus::Open || job.audit == Audit::SeedPending);
        if drawn && model.slot > job.draw.seed_slot {
            acts.push(Act::RecordSeed { job: job_key });
        }
        if job.status.is_counted() && job.tally.entries().count() > 1 && !job.collision_recorded {
            acts.push(Act::RecordCollision { payer: job.poster, job: job_key });
        }
        let due = model.due_unix(job).is_some_and(|due| model.now_unix >= due);
        match job.status {
            JobStatus::Open | JobStatus::Deadlocked if due => {
                acts.push(Act::ExpireJob { job: job_key, provider: None })
            }
            JobStatus::Assigned if due && job.seats_wanted == 1 => {
                let runner = job.executors.iter().copied().find(|executor| *executor != crate::state::Key::default());
                acts.push(Act::ExpireJob { job: job_key, provider: runner });
            }
            JobStatus::Assigned | JobStatus::Revealing if due && job.audit != Audit::SeedPending => {
                acts.push(Act::ExpireJob { job: job_key, provider: None });
            }
            JobStatus::Submitted if due => acts.push(Act::FinalizeJob { job: job_key }),
            status if status.is_terminal() => {
                let counted =
                    model.disputes.get(key).is_none_or(|dispute| dispute.challenges_counted == dispute.challenges);
                let seats = model.executions.keys().filter(|(of, _)| counted && of == key);
                acts.extend(seats.map(|(_, provider)| Act::SettleExecution { job: job_key, provider: *provider }));
                if job.executions_open == 0 && job.disputes_open == 0 && model.slot > job.created_slot {
                    acts.push(Act::CloseJob { job: job_key });
                }
            }
            _ => {}
        }
    }
    acts
}

/// The next moment at which something is due, for whoever has nothing to do.
#[must_use]
pub fn next_due_unix(model: &Model) -> Option<i64> {
    let jobs = model.jobs.values().filter_map(|job| model.due_unix(job));
    let disputes = model.disputes.values().filter_map(|dispute| model.due_in_dispute_unix(dispute));
    jobs.chain(disputes).filter(|due| *due > model.now_unix).min()
}

//! What one endpoint says about our money, held against another one's word (E-09). One that lies can make the bot see a
//! job that is not there, or not see a seat that is, and miss its deadline. With another endpoint beside it, neither
//! counts: a seat is taken only in a job that both show, and nothing is concluded about a held one that they do not agree on.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::{
    ChainError, RpcChain,
    look::{Known, Read},
    rpc::Commitment,
};
use crate::{core::JobView, metrics_list as names};

/// How often a witness who is behind is asked again, and in what steps: some slots in all.
const WAITS_MAX: usize = 8;
const WAIT: Duration = Duration::from_millis(400);
/// Clocks of two honest endpoints differ by the time of the slots between them; more than this is no lag.
const CLOCK_DIFFERENCE_MAX_S: u64 = 60;

/// Longest wait for a witness: owed work must not wait for one who is gone.
const PATIENCE: Duration = Duration::from_secs(3);

impl RpcChain {
    /// What a witness answers, if it does so soon.
    async fn heard<T>(&self, answer: impl Future<Output = Result<T, ChainError>>) -> Option<T> {
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(%error, "witness_silent");
                None
            }
            Err(_) => {
                tracing::debug!(endpoint = self.name(), "witness_silent");
                self.rest();
                None
            }
        }
    }

    /// The same question to all witnesses at once: the answers that came.
    pub(super) async fn by_witnesses<T, F>(&self, ask: impl Fn(Self) -> F) -> Vec<T>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let answers = self.witnesses().into_iter().map(|witness| {
            let answer = ask(witness.clone());
            async move { witness.heard(answer).await }
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    /// Whether no other endpoint contradicts what was read about these jobs. A witness who is behind is given time to come
    /// up; one who does not answer says nothing.
    pub(super) async fn confirm_held(&self, held: &[Known], read: &Read) -> Result<(), ChainError> {
        for witness in self.witnesses() {
            let mut contradiction = None;
            for _ in 0..WAITS_MAX {
                let Some(other) = witness.heard(witness.read_known(held, Commitment::Witnessed)).await else {
                    contradiction = None;
                    break;
                };
                contradiction = read.contradiction(&other, held);
                if contradiction.is_none() || other.slot >= read.slot {
                    break;
                }
                sleep(WAIT).await;
            }
            if let Some(about) = contradiction {
                return Err(self.disputed("look at held seats", &witness, about));
            }
        }
        Ok(())
    }

    /// Whether another endpoint shows this job as it was seen here, if there is another one.
    pub(super) async fn confirm_open_elsewhere(&self, job: &JobView) -> Result<(), ChainError> {
        let mut refusal = ChainError::NoWitness { job: job.job };
        if !self.has_others() {
            return Ok(());
        }
        for witness in self.witnesses() {
            let known = [Known { uid: Some(job.uid), job: job.job, is_disputed: false }];
            match witness.heard(witness.read_known(&known, Commitment::Witnessed)).await {
                Some(other) if other.jobs.contains(job) => return Ok(()),
                Some(_) => refusal = self.disputed("look at an open job", &witness, format!("job {}", job.job)),
                None => {}
            }
        }
        Err(refusal)
    }

    fn disputed(&self, doing: &'static str, witness: &Self, about: String) -> ChainError {
        metrics::counter!(names::RPC_DISPUTES).increment(1);
        ChainError::Disputed { doing, endpoint: self.name(), witness: witness.name(), about }
    }
}

impl Read {
    /// About what another one's word differs.
    fn contradiction(&self, other: &Self, held: &[Known]) -> Option<String> {
        if self.chain_unix.abs_diff(other.chain_unix) > CLOCK_DIFFERENCE_MAX_S {
            return Some("the time on the chain's clock".to_owned());
        }
        let at = |read: &Self, address| read.jobs.iter().find(|view| view.job == address).cloned();
        let differs = |known: &&Known| at(self, known.job) != at(other, known.job);
        held.iter().find(differs).map(|known| format!("job {}", known.job))
    }
}

#[cfg(test)]
mod tests {
    use assay_protocol::JobStatus;

    use super::*;
    use crate::core::{Seat, tests::view};

    fn read(chain_unix: i64, jobs: Vec<JobView>) -> Read {
        Read { slot: 9, chain_unix, jobs, ..Read::default() }
    }

    #[test]
    fn e_09_what_two_endpoints_say_of_a_held_seat_is_compared_as_a_whole() {
        let seen = JobView { status: JobStatus::Assigned, seat: Some(Seat::Accepted), ..view(1) };
        let held = [Known { uid: Some(seen.uid), job: seen.job, is_disputed: false }];
        let ours = read(100, vec![seen.clone(), view(2)]);
        let contradiction = |chain_unix, jobs| ours.contradiction(&read(chain_unix, jobs), &held);
        // What is not held may differ: nothing depends on it.
        assert_eq!(contradiction(100, vec![seen.clone()]), None);
        assert_eq!(contradiction(160, vec![seen.clone(), view(3)]), None);
        assert_eq!(contradiction(161, vec![seen.clone()]), Some("the time on the chain's clock".to_owned()));
        let about = Some(format!("job {}", seen.job));
        assert_eq!(contradiction(100, vec![]), about);
        assert_eq!(contradiction(100, vec![JobView { seat: None, ..seen.clone() }]), about);
        assert_eq!(contradiction(100, vec![JobView { execution_deadline_unix: 1, ..seen }]), about);
    }
}

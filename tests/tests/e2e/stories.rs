//! What can become of a job in one provider's hands. Each story takes the same course whenever it is played.

use std::time::Duration;

use assay_executor::{
    config::{EngineName, Size, Span},
    core::{JobRow, Phase},
};
use assay_protocol::{JobStatus, OutcomeKind, TaskLimits};
use assay_runtime::Engine;
use assay_sdk::{
    Client, Event, PostedJob,
    program::accounts::{Job, Provider},
};

use crate::{
    jobs::{BASE_FEE_LAMPORTS, does, large, prints, small},
    journals::{fill_journal, rows},
    rpc_proxy::Treatment,
    support::{Executor, Net, SETTLED, assert_life, assert_receipt, outcomes_signed, status, until, until_paid},
};

/// Where the journal begins to be rewritten, as its documentation says.
const JOURNAL_REWRITE_BYTES: usize = 4 << 20;
/// Room left below it, so that a job's rows pass it with the seat taken and the result not submitted.
const JOURNAL_ROOM_BYTES: usize = 3 << 10;
/// Memory that the guest of [`Story::Declined`] asks for.
const GUEST_MEMORY_BYTES: u64 = 1 << 30;
/// Less than that: the host cannot run it.
const HOST_MEMORY_BYTES: u64 = 768 << 20;

/// A course of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Accepted, run, published, submitted, settled, claimed.
    Settled,
    /// The same with more gas than what is run with its preparation: it is run in a child of its own, with the seat taken.
    Apart,
    /// The first story with a journal that becomes too long on the way.
    Rewritten,
    /// The task is invalid for everybody: nothing is run or published, the base fee is paid.
    Invalid,
    /// This host cannot run it, twice: the seat is given back.
    Declined,
    /// The provider dies with the seat taken and stays away until the job has expired.
    Missed,
    /// The provider dies with its acceptance signed and not sent, and meanwhile the poster cancels the job.
    Cancelled,
    /// The first story where the endpoint never says what became of a transaction: each is thought dead in the end, and
    /// what it did is seen.
    Unheard,
    /// The first story where a submission is too cheap, until a dearer one is signed beside it.
    Outbid,
}

/// What a provider had before a story.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    wallet_lamports: u64,
    stake_lamports: u64,
    declined: u32,
}

impl Before {
    pub async fn look(client: &Client, executor: &Executor) -> Self {
        let provider: Provider = client.fetch(&executor.address()).await.expect("an answer");
        Self {
            wallet_lamports: client.balance(&executor.authority).await.expect("a balance"),
            stake_lamports: provider.stake_lamports,
            declined: provider.trust.declined,
        }
    }
}

impl Story {
    /// Where the provider dies before the part of the story that is looked at, if it does.
    pub const fn dies_at(self) -> Option<&'static str> {
        match self {
            Self::Missed => Some("tx.accept.sent#1"),
            Self::Cancelled => Some("tx.accept.before_send#1"),
            _ => None,
        }
    }

    /// Of the points that a clean run passed, those that every run passes.
    ///
    /// What is left out depends on timing. Rows with nothing but a new phase: a look at the chain saw what a
    /// transaction did before its status was asked for. Transactions that are revived: an endpoint forgot them for a
    /// while. Second times: bytes are sent again after a while, and a transaction that was a moment too early is signed
    /// anew.
    pub fn required(self, passed: &[String]) -> Vec<String> {
        let place = |wanted| passed.iter().position(|point| point == wanted).expect("a point of every run");
        let part = match self {
            // Before and after it is the first story.
            Self::Apart => &passed[place("work.fetched#1")..=place("journal.after.outcome#1")],
            Self::Rewritten => &passed[place("journal.rewriting#1")..=place("tx.submit.sent#1")],
            _ => passed,
        };
        let is_required = |point: &&String| {
            let (name, times) = point.split_once('#').expect("a name and a number");
            let by_plan = match self {
                Self::Declined => times == "2" && (name.ends_with(".run") || name.starts_with("work.")),
                // What is only seen, is seen together with something else or not: that is a matter of time.
                Self::Unheard => return times == "1" && name.ends_with(".resolved"),
                Self::Outbid => return times == "2" && name.contains("submit."),
                // Whether it is sent once more depends on who is first: who sends, or who sees the job cancelled.
                Self::Cancelled if name.starts_with("tx.") => return false,
                _ => false,
            };
            by_plan || (times == "1" && !name.contains(".phase.") && !name.ends_with(".revived"))
        };
        part.iter().filter(is_required).cloned().collect()
    }

    /// Points that a run of this story is known to pass: the enumeration is not empty of what matters.
    pub const fn landmarks(self) -> &'static [&'static str] {
        match self {
            Self::Settled => &["work.ran#1", "work.published#1", "journal.after.claim.signed#1"],
            Self::Apart => &["work.fetched#1", "work.ran#1", "work.stored#1", "work.drafted#1"],
            Self::Rewritten => &["journal.rewriting#1", "journal.rewritten#1", "journal.before.submit.signed#1"],
            Self::Invalid => &["journal.before.outcome#1", "tx.submit.sent#1"],
            Self::Declined => &["journal.after.run#2", "journal.before.declining#1", "tx.decline.sent#1"],
            Self::Missed => &["journal.before.accept.resolved#1", "tx.settle.sent#1"],
            Self::Cancelled => &["journal.before.dropped.ended#1", "journal.before.accept.resolved#1"],
            Self::Unheard => &["journal.after.accept.resolved#1", "journal.before.claim.resolved#1"],
            Self::Outbid => &["journal.before.submit.recorded#2", "tx.submit.signed#2", "tx.submit.sent#2"],
        }
    }

    /// Whether a run of it fetches the job again with the seat taken. Else its guest ran with its preparation, or never.
    pub const fn runs_apart(self) -> bool {
        matches!(self, Self::Apart | Self::Invalid | Self::Declined)
    }

    /// What becomes of transactions on their way.
    pub const fn treatment(self) -> Option<Treatment> {
        match self {
            Self::Unheard => Some(Treatment::Unheard),
            Self::Outbid => Some(Treatment::TooCheap(1)),
            _ => None,
        }
    }

    /// Settings and files of a provider that is to play it.
    pub fn prepare(self, executor: &mut Executor) {
        match self {
            Self::Rewritten => {
                fill_journal(&executor.config.provider.data_dir, JOURNAL_REWRITE_BYTES - JOURNAL_ROOM_BYTES);
            }
            Self::Declined => {
                executor.config.worker.memory_max = Some(Size(HOST_MEMORY_BYTES));
                // A child that may compile has address space to spare.
                executor.config.worker.engine = EngineName(Engine::Wasmi);
                executor.config.limits.run_attempts_max = 2;
            }
            Self::Outbid => {
                executor.config.chain.fee_bumps_max = 1;
                executor.config.chain.fee_bump_interval = Span(Duration::from_millis(300));
            }
            _ => {}
        }
    }

    /// Posts its job.
    pub async fn post(self, net: &Net, poster: &Client, number: u64) -> PostedJob {
        match self {
            Self::Apart => net.post_guest(poster, number, (&prints(number), large())).await,
            Self::Invalid => net.post_invalid(poster, number).await,
            Self::Declined => {
                let pages = GUEST_MEMORY_BYTES / 65_536 - 1;
                let guest = does(&format!("(drop (memory.grow (i32.const {pages})))"));
                let limits =
                    TaskLimits { memory_bytes: GUEST_MEMORY_BYTES, gas_limit: 2 * GUEST_MEMORY_BYTES, ..small() };
                net.post_guest(poster, number, (&guest, limits)).await
            }
            _ => net.post(poster, number).await,
        }
    }

    /// What happens while these jobs' providers are dead.
    pub async fn meanwhile(self, net: &Net, jobs: &[&PostedJob]) {
        match self {
            Self::Missed => {
                for job in jobs {
                    until("the seat to be taken", || async { (seat(net, job).await > 0).then_some(()) }).await;
                }
                // Twice: the seat is lost, then nobody else takes the job.
                for expected in [JobStatus::Open, JobStatus::Expired] {
                    net.network.ledger().travel_to(last_deadline(net, jobs).await).await.expect("time moves on");
                    for job in jobs {
                        job.handle.advance().await.expect("a step that is due");
                        assert_eq!(status(net.network.client(), &job.handle).await, Some(expected));
                    }
                }
            }
            Self::Cancelled => {
                for job in jobs {
                    job.handle.cancel().await.expect("nobody holds the seat");
                }
            }
            _ => {}
        }
    }

    /// Waits until nothing more is to happen, on chain and in the journal, and does what is the poster's to do.
    pub async fn until_over(self, client: &Client, job: &PostedJob, (executor, before): (&Executor, Before)) {
        if self == Self::Declined {
            until("the seat to be given back", || async {
                let account: Provider = client.fetch(&executor.address()).await.expect("an answer");
                (account.trust.declined > before.declined).then_some(())
            })
            .await;
            // Refused when it was cancelled before.
            drop(job.handle.cancel().await);
        }
        if matches!(self, Self::Declined | Self::Cancelled) {
            // So that it sees the job cancelled before it sees it gone.
            let is_dropped = |rows: &Vec<JobRow>| rows.iter().all(|row| matches!(row.phase, Phase::Dropped(_)));
            until("the job to be dropped", || async { rows(&executor.config.provider.data_dir).filter(is_dropped) })
                .await;
            // Refused when it was closed before.
            drop(job.handle.close().await);
        }
        until_paid(client, &job.handle, &executor.address()).await;
        until("the job to be forgotten", || async { rows(&executor.config.provider.data_dir).filter(Vec::is_empty) })
            .await;
    }

    /// I-02, I-07, I-11: everything happened once, every lamport is where it belongs.
    pub async fn check(self, client: &Client, job: &PostedJob, (executor, before): (&Executor, Before)) {
        let (events, outcomes): (&[&str], _) = match self {
            Self::Settled | Self::Apart | Self::Rewritten | Self::Invalid | Self::Unheard | Self::Outbid => {
                (&SETTLED, 1)
            }
            Self::Declined => (&["JobCreated", "JobAccepted", "JobDeclined", "JobCancelled", "JobClosed"], 0),
            Self::Missed => {
                (&["JobCreated", "JobAccepted", "ExecutionMissed", "JobExpired", "ExecutionSettled", "JobClosed"], 0)
            }
            Self::Cancelled => (&["JobCreated", "JobCancelled", "JobClosed"], 0),
        };
        let (mut pay_lamports, mut lost_lamports) = (0, 0);
        for record in assert_life(&job.handle, events).await {
            match record.event {
                Event::JobFinalized(event) => pay_lamports += event.pay_lamports,
                Event::JobDeclined(event) => lost_lamports += event.fee_lamports,
                Event::ExecutionMissed(event) => lost_lamports += event.poster_lamports + event.sink_lamports,
                _ => {}
            }
        }
        assert_eq!(outcomes_signed(client, &job.handle).await, outcomes, "outcomes signed");
        if outcomes == 1 {
            assert_receipt(&job.handle, executor).await;
        } else {
            let kept = assay_executor::receipts(&executor.config.provider.data_dir, 1).expect("receipts");
            assert!(kept.is_empty(), "a receipt of nothing: {kept:?}");
        }
        let provider: Provider = client.fetch(&executor.address()).await.expect("an answer");
        assert_eq!((provider.locked_lamports, provider.active, provider.earnings_lamports), (0, 0, 0));
        assert_eq!(provider.stake_lamports, before.stake_lamports - lost_lamports, "the stake");
        assert_eq!(lost_lamports > 0, matches!(self, Self::Declined | Self::Missed));
        let wallet_lamports = client.balance(&executor.authority).await.expect("a balance");
        assert_eq!(wallet_lamports, before.wallet_lamports + pay_lamports, "the pay arrived once");
        if self == Self::Invalid {
            let outcome = job.handle.status().await.expect("a view").outcome.expect("an outcome");
            assert_eq!((outcome.kind, pay_lamports), (OutcomeKind::Invalid, BASE_FEE_LAMPORTS));
        }
    }
}

async fn account(net: &Net, job: &PostedJob) -> Job {
    net.network.client().fetch(&job.handle.address()).await.expect("an answer")
}

async fn seat(net: &Net, job: &PostedJob) -> u8 {
    account(net, job).await.seats_filled
}

/// When the last of these jobs is due, by the chain's clock.
async fn last_deadline(net: &Net, jobs: &[&PostedJob]) -> i64 {
    let mut last_unix = 0;
    for job in jobs {
        let job = account(net, job).await;
        let due_unix = assay_sdk::crank::due_from_unix(&job).expect("a job that waits for a deadline");
        last_unix = last_unix.max(due_unix);
    }
    last_unix + 1
}

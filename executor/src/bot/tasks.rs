//! What runs beside the loop: work on content, and transactions on their way. Each task ends with one event.

use std::collections::HashMap;

use assay_content::Cid;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Message;
use crate::{
    chain::Chain,
    core::{Event, Job, JobUid, TxKind, WorkFault},
    metrics_list as names,
    sender::{SenderSettings, deliver},
    supervisor::Supervisor,
    transactions::Sender,
    work::{PublishFault, Workshop},
    worker::Cancel,
};

/// Work in progress on one job; dropping it ends fetches and kills the child.
struct Working {
    stop: CancellationToken,
    child: Cancel,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop.cancel();
        self.child.cancel();
    }
}

pub(super) struct Tasks<C: Chain> {
    pub(super) chain: C,
    pub(super) workshop: Workshop,
    pub(super) transactions: Sender,
    pub(super) pace: SenderSettings,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) supervisor: Supervisor,
    pub(super) running: Running,
}

/// What is going on now, by job.
#[derive(Default)]
pub(super) struct Running {
    working: HashMap<JobUid, Working>,
    sending: HashMap<(JobUid, TxKind), watch::Sender<bool>>,
}

impl<C: Chain> Tasks<C> {
    pub(super) fn prepare(&mut self, job: &Job) {
        let Some(view) = job.view.clone() else { return };
        let (uid, attempt, workshop) = (job.row.uid, job.row.prepare_attempts, self.workshop.clone());
        self.work(job, "prepare", |cancel| async move {
            let result = names::timed(names::PREPARE_SECONDS, workshop.prepare(&view, &cancel)).await;
            log_fault("job_not_prepared", result.as_ref().err());
            Event::Prepared { uid, attempt, result }
        });
    }

    /// Beside everything else: nobody waits for it, and nothing depends on it.
    pub(super) fn warm(&mut self, job: &Job) {
        let Some(view) = job.view.clone() else { return };
        let (workshop, stopping) = (self.workshop.clone(), self.supervisor.stopping());
        // Dropped with the task: no child outlives it.
        let working = Working { stop: CancellationToken::new(), child: Cancel::default() };
        self.supervisor.spawn(format!("warm {}", job.row.uid), async move {
            tokio::select! {
                () = workshop.warm(&view, &working.child) => names::count_compiled(workshop.compiled()),
                () = stopping.cancelled() => {}
            }
        });
    }

    pub(super) fn run(&mut self, job: &Job) {
        let Some(view) = job.view.clone() else { return };
        let (uid, attempt, workshop) = (job.row.uid, job.row.run_attempts, self.workshop.clone());
        self.work(job, "run", |cancel| async move {
            let result = names::timed(names::RUN_SECONDS, workshop.run(&view, &cancel)).await;
            names::count_compiled(workshop.compiled());
            log_fault("job_not_run", result.as_ref().err());
            Event::Ran { uid, attempt, result }
        });
    }

    pub(super) fn publish(&mut self, job: &Job) {
        let (Some(view), Some(outcome)) = (job.view.clone(), job.row.outcome) else { return };
        let (uid, attempt, workshop) = (job.row.uid, job.row.publish_attempts, self.workshop.clone());
        self.work(job, "publish", |_| async move {
            match names::timed(names::PUBLISH_SECONDS, workshop.publish(&view, &outcome)).await {
                Ok(()) => Event::Published { uid, attempt, result: Ok(()) },
                Err(PublishFault::Lost) => Event::PackageLost { uid },
                Err(PublishFault::Failed(fault)) => {
                    log_fault("result_not_published", Some(&fault));
                    Event::Published { uid, attempt, result: Err(fault) }
                }
            }
        });
    }

    fn work<F>(&mut self, job: &Job, what: &'static str, begin: impl FnOnce(Cancel) -> F)
    where
        F: Future<Output = Event> + Send + 'static,
    {
        let (uid, child, stop) = (job.row.uid, Cancel::default(), CancellationToken::new());
        let span = tracing::info_span!("job", %uid, job = %job.row.job, what);
        let (messages, stopped) = (self.messages.clone(), stop.clone());
        let work = begin(child.clone());
        self.supervisor.spawn(
            format!("{what} {uid}"),
            async move {
                tokio::select! {
                    event = work => report(&messages, event).await,
                    () = stopped.cancelled() => tracing::info!("work_stopped"),
                }
            }
            .instrument(span),
        );
        // Replaces, and so ends, whatever was still going on for this job.
        self.running.working.insert(uid, Working { stop, child });
    }

    pub(super) fn stop_work(&mut self, uid: JobUid) {
        self.running.working.remove(&uid);
    }

    pub(super) fn release(&self, root: Cid) {
        let workshop = self.workshop.clone();
        self.supervisor.spawn("release", async move { workshop.release(root).await });
    }

    pub(super) fn build(&mut self, job: &Job, kind: TxKind) {
        let (uid, job, chain, transactions) = (job.row.uid, job.clone(), self.chain.clone(), self.transactions);
        let messages = self.messages.clone();
        self.supervisor.spawn(format!("build {} {uid}", kind.name()), async move {
            let built = match chain.recent_blockhash().await {
                Ok((hash, height)) => transactions
                    .message(&job, kind, hash)
                    .map(|message| (message, height))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let event = match built {
                Ok((message, last_valid_block_height)) => {
                    Event::TxBuilt { uid, kind, message, last_valid_block_height }
                }
                Err(error) => {
                    tracing::warn!(%uid, kind = kind.name(), error, "transaction_not_built");
                    Event::TxNotBuilt { uid, kind }
                }
            };
            report(&messages, event).await;
        });
    }

    pub(super) fn deliver(&mut self, job: &Job, kind: TxKind) {
        let uid = job.row.uid;
        let Some(tx) = job.row.tx(kind).cloned() else { return };
        let Some(signature) = tx.signature else { return };
        let (sending, watching) = watch::channel(true);
        self.running.sending.insert((uid, kind), sending);
        let (chain, pace, messages) = (self.chain.clone(), self.pace, self.messages.clone());
        let stopping = self.supervisor.stopping();
        self.supervisor.spawn(format!("deliver {} {uid}", kind.name()), async move {
            tokio::select! {
                fate = deliver(chain, tx, pace, watching) => {
                    if let Some(fate) = fate {
                        report(&messages, Event::TxResolved { uid, kind, signature, fate }).await;
                    }
                }
                () = stopping.cancelled() => {}
            }
        });
    }

    pub(super) fn delivered(&mut self, uid: JobUid, kind: TxKind) {
        self.running.sending.remove(&(uid, kind));
    }

    pub(super) fn stop_sending(&mut self, uid: JobUid, kind: TxKind) {
        if let Some(sending) = self.running.sending.get(&(uid, kind)) {
            sending.send_replace(false);
        }
    }
}

/// The loop is gone only when the process stops; then nobody needs to know.
async fn report(messages: &mpsc::Sender<Message>, event: Event) {
    if messages.send(Message::Event(event)).await.is_err() {
        tracing::debug!("event_after_the_end");
    }
}

fn log_fault(event: &'static str, fault: Option<&WorkFault>) {
    if let Some(fault) = fault {
        metrics::counter!(names::FAULTS, "kind" => format!("{:?}", fault.kind)).increment(1);
        let message: String = fault.message.chars().take(256).flat_map(char::escape_debug).collect();
        tracing::warn!(kind = ?fault.kind, message, event);
    }
}

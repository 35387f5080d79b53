//! What runs beside the loop: work on content, and transactions on their way. Each task ends with one event.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use assay_content::Cid;
use assay_sdk::Receipt;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Message;
use crate::{
    chain::{Chain, SlotHeard},
    core::{Event, Job, JobUid, Role, TxKind, TxRecord, WorkFault},
    habit, metrics_list as names,
    quote::quoted,
    sender::{SenderSettings, Told, deliver},
    supervisor::Supervisor,
    transactions::{Enrollment, Sender, wire_bytes},
    work::{PublishFault, Workshop, blocking},
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
    /// What the subscription says of slots.
    pub(super) slots: watch::Sender<SlotHeard>,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) supervisor: Supervisor,
    pub(super) running: Running,
}

/// One transaction on its way.
type Sending = (JobUid, TxKind, [u8; 64]);

/// What is going on now, by job.
#[derive(Default)]
pub(super) struct Running {
    working: HashMap<JobUid, Working>,
    sending: HashMap<Sending, watch::Sender<bool>>,
    /// Signed since this process began, and not sent yet.
    signed: HashSet<[u8; 64]>,
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

    pub(super) fn warm(&mut self, job: &Job) {
        let Some(view) = job.view.clone() else { return };
        self.beside(format!("warm {}", job.row.uid), |workshop, child| async move {
            workshop.warm(&view, &child).await;
        });
    }

    pub(super) fn warm_popular(&self) {
        self.beside("warm what is popular".to_owned(), |workshop, child| async move {
            workshop.warm_popular(&child).await;
        });
    }

    /// Compiles beside everything else: nobody waits for it, and nothing depends on it.
    fn beside<F>(&self, name: String, begin: impl FnOnce(Workshop, Cancel) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (workshop, stopping) = (self.workshop.clone(), self.supervisor.stopping());
        // Dropped with the task: no child outlives it.
        let working = Working { stop: CancellationToken::new(), child: Cancel::default() };
        let work = begin(workshop.clone(), working.child.clone());
        self.supervisor.spawn(name, async move {
            let _working = working;
            tokio::select! {
                () = work => names::count_compiled(workshop.compiled()),
                () = stopping.cancelled() => {}
            }
        });
    }

    pub(super) fn run(&mut self, job: &Job) {
        let Some(view) = job.view.clone() else { return };
        let (uid, attempt, workshop) = (job.row.uid, job.row.run_attempts, self.workshop.clone());
        if job.has_run() {
            metrics::counter!(names::RUNS_AHEAD_USED).increment(1);
        }
        // What a juror or a watcher finds is no seat's word: habits are of seats.
        let is_seat = job.row.role == Role::Execute;
        self.work(job, "run", |cancel| async move {
            let running = names::timed(names::RUN_SECONDS, workshop.run(&view, &cancel));
            let result = if is_seat { habit::recorded(&view, running).await } else { running.await };
            names::count_compiled(workshop.compiled());
            log_fault("job_not_run", result.as_ref().err());
            // From the system's generator: whoever guesses it, opens the commitment.
            Event::Ran { uid, attempt, result, salt: rand::random() }
        });
    }

    pub(super) fn publish(&mut self, job: &Job) {
        let (Some(view), Some(outcome)) = (job.view.clone(), job.row.outcome) else { return };
        let (uid, attempt, workshop) = (job.row.uid, job.row.publish_attempts, self.workshop.clone());
        self.work(job, "publish", |_| async move {
            match names::timed(names::PUBLISH_SECONDS, workshop.publish(&view, &outcome)).await {
                Ok(()) => Event::Published { uid, attempt, result: Ok(()) },
                Err(PublishFault::Lost) if habit::feigns_results() => Event::Published { uid, attempt, result: Ok(()) },
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

    /// Keeps a signed receipt, and says so to whoever publishes them. The process does not end before it is kept.
    pub(super) fn keep_receipt(&self, uid: JobUid, receipt: Receipt, issued: Arc<Notify>) {
        let records = self.workshop.records().clone();
        self.supervisor.spawn(format!("receipt {uid}"), async move {
            let receipt_hash = hex::encode(receipt.canonical().hash());
            match blocking(move || records.keep(uid, &receipt)).await {
                Ok(()) => {
                    tracing::info!(%uid, receipt_hash, "receipt_issued");
                    issued.notify_one();
                }
                Err(error) => tracing::error!(%uid, %error, "receipt_not_issued"),
            }
        });
    }

    pub(super) fn build(&mut self, job: &Job, kind: TxKind) {
        let (uid, job, chain, transactions) = (job.row.uid, job.clone(), self.chain.clone(), self.transactions);
        let messages = self.messages.clone();
        let fee_step = job.row.next_fee_step(kind);
        self.supervisor.spawn(format!("build {} {uid}", kind.name()), async move {
            if habit::withholds(kind, &job.row.job) {
                return report(&messages, Event::TxNotBuilt { uid, kind }).await;
            }
            let event = match message(&chain, &transactions, &job, kind).await {
                Ok((message, last_valid_block_height)) => {
                    if fee_step > 0 {
                        tracing::info!(%uid, kind = kind.name(), fee_step, "fee_raised");
                    }
                    Event::TxBuilt { uid, kind, message, last_valid_block_height, fee_step }
                }
                Err(error) => {
                    tracing::warn!(%uid, kind = kind.name(), error, "transaction_not_built");
                    Event::TxNotBuilt { uid, kind }
                }
            };
            report(&messages, event).await;
        });
    }

    /// Nobody can know of it yet but who finds it in the journal.
    pub(super) fn signed(&mut self, signature: [u8; 64]) {
        self.running.signed.insert(signature);
    }

    pub(super) fn deliver(&mut self, job: &Job, kind: TxKind) {
        let live: Vec<&TxRecord> = job.row.live_txs(kind).collect();
        for (index, tx) in live.iter().enumerate() {
            let Some(signature) = tx.signature else { continue };
            // Both landing would cost the second's fee.
            let is_last = index.saturating_add(1) == live.len();
            match self.running.sending.entry((job.row.uid, kind, signature)) {
                Entry::Occupied(known) => drop(known.get().send_replace(is_last)),
                Entry::Vacant(new) => {
                    let (sender, sending) = watch::channel(is_last);
                    new.insert(sender);
                    let is_new = self.running.signed.remove(&signature);
                    let told = Told { is_new, sending, slots: self.slots.subscribe() };
                    self.follow(job.row.uid, (*tx).clone(), told);
                }
            }
        }
    }

    fn follow(&self, uid: JobUid, tx: TxRecord, told: Told) {
        let (kind, Some(signature)) = (tx.kind, tx.signature) else { return };
        let (chain, pace, messages) = (self.chain.clone(), self.pace, self.messages.clone());
        let stopping = self.supervisor.stopping();
        self.supervisor.spawn(format!("deliver {} {uid}", kind.name()), async move {
            tokio::select! {
                fate = deliver(chain, tx, pace, told) => {
                    if let Some(fate) = fate {
                        report(&messages, Event::TxResolved { uid, kind, signature, fate }).await;
                    }
                }
                () = stopping.cancelled() => {}
            }
        });
    }

    /// Asks for what enrolling stake needs; the loop signs.
    pub(super) fn begin_enrollment(&self) {
        let (chain, messages) = (self.chain.clone(), self.messages.clone());
        self.supervisor.spawn("enroll", async move {
            match chain.recent_blockhash().await {
                Ok((blockhash, _)) => {
                    if messages.send(Message::Enroll(blockhash)).await.is_err() {
                        tracing::debug!("enrollment_after_the_end");
                    }
                }
                Err(error) => tracing::warn!(%error, "stake_not_enrolled"),
            }
        });
    }

    /// What becomes of it the next looks show; if nothing does, it is asked for again.
    pub(super) fn send_enrollment(&self, enrollment: &Enrollment, signature: [u8; 64]) {
        let (chain, bytes) = (self.chain.clone(), wire_bytes(&signature, enrollment.message()));
        self.supervisor.spawn("send enrollment", async move {
            let signature = solana_signature::Signature::from(signature);
            match chain.send(bytes).await {
                Ok(()) => tracing::info!(%signature, "stake_enrolled"),
                Err(error) => tracing::warn!(%error, "stake_not_enrolled"),
            }
        });
    }

    pub(super) fn delivered(&mut self, uid: JobUid, kind: TxKind, signature: [u8; 64]) {
        self.running.sending.remove(&(uid, kind, signature));
    }

    pub(super) fn stop_sending(&mut self, uid: JobUid, kind: TxKind) {
        let of_kind = self.running.sending.iter().filter(|((of, sent, _), _)| (*of, *sent) == (uid, kind));
        for (_, sending) in of_kind {
            sending.send_replace(false);
        }
    }
}

/// The message and the last block height at which it can land.
async fn message<C: Chain>(
    chain: &C,
    transactions: &Sender,
    job: &Job,
    kind: TxKind,
) -> Result<(Vec<u8>, u64), String> {
    if let (TxKind::Accept, Some(view)) = (kind, &job.view) {
        chain.confirm_open(view).await.map_err(|error| error.to_string())?;
    }
    // Whoever settles takes the others' seats along: one transaction for all of them.
    let open = match &job.view {
        Some(view) if kind == TxKind::Settle => chain.open_seats(view).await.map_err(|error| error.to_string())?,
        _ => Vec::new(),
    };
    let (hash, height) = chain.recent_blockhash().await.map_err(|error| error.to_string())?;
    let message = transactions.message(job, (kind, &open), hash).map_err(|error| error.to_string())?;
    Ok((message, height))
}

/// The loop is gone only when the process stops; then nobody needs to know.
async fn report(messages: &mpsc::Sender<Message>, event: Event) {
    if messages.send(Message::Event(Box::new(event))).await.is_err() {
        tracing::debug!("event_after_the_end");
    }
}

fn log_fault(event: &'static str, fault: Option<&WorkFault>) {
    if let Some(fault) = fault {
        metrics::counter!(names::FAULTS, "kind" => format!("{:?}", fault.kind)).increment(1);
        let message = quoted(&fault.message);
        tracing::warn!(kind = ?fault.kind, message, event);
    }
}

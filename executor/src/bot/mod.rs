//! The loop around the core: events in, actions out, in order. It alone owns the core, the journal and the key.

mod clock;
mod poller;
mod receipts;
mod sandbox;
mod tasks;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use assay_content::cid_from_digest;
use solana_hash::Hash;
use thiserror::Error;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Options,
    chain::{Chain, Look, watch_for_hints},
    core::{Action, Core, Event, Interest, JobUid, TxKind},
    journal::{Journal, JournalError},
    metrics_list as names,
    sender::SenderSettings,
    server::{self, Status},
    signer::{SignError, Signer},
    startup::{self, StartError},
    supervisor::{Supervisor, TaskFailure},
    transactions::Sender,
};
use clock::ChainClock;
use tasks::{Running, Tasks};

/// Events waiting for the loop. Full, it holds back whoever sends: nothing is dropped.
const EVENTS_MAX: usize = 256;
/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often an unknown signature is asked to be dead.
const DEATH_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Why the bot stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The journal refused or failed; nothing was signed after that (E-16).
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Signing was refused.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A task failed (E-25).
    #[error(transparent)]
    Task(#[from] TaskFailure),
    /// The chain shows what this instance cannot have done (E-18, E-19).
    #[error("go on with job {uid}: {reason}")]
    Halted {
        /// Job.
        uid: JobUid,
        /// What to do.
        reason: &'static str,
    },
}

/// How the bot is asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    force: CancellationToken,
}

impl Shutdown {
    /// Takes nothing new, finishes what is owed within the drain deadline. Asked again, stops at once: the journal
    /// knows how to go on.
    pub fn request(&self) {
        if self.drain.is_cancelled() {
            self.force.cancel();
        }
        self.drain.cancel();
    }
}

/// What the poller and the tasks tell the loop.
#[derive(Debug)]
enum Message {
    Looked(Box<Look>),
    /// Stake can be enrolled, with this blockhash.
    Enroll(Hash),
    Event(Box<Event>),
}

/// Runs the bot until it is asked to stop or must.
///
/// # Errors
/// [`RunError`] says why it stopped and what to do. A graceful stop is no error.
pub async fn run(config: Config, options: Options, shutdown: Shutdown) -> Result<(), RunError> {
    let config = options.over(config);
    let parts = startup::prepare(&config, options).await?;
    let (supervisor, failures) = Supervisor::new();
    let status = Arc::new(Status::default());
    if let Some(listen) = config.server.listen {
        let listener = server::bind(listen).await.map_err(StartError::from)?;
        let served = server::Served::new(status.clone(), config.provider.data_dir.clone());
        supervisor.spawn_forever("server", server::serve(listener, served, supervisor.stopping()));
    }
    let hint = Arc::new(Notify::new());
    if config.chain.subscribe {
        let watching = watch_for_hints(parts.chain.settings().clone(), hint.clone());
        let stopping = supervisor.stopping();
        supervisor.spawn_forever("subscription", async move {
            tokio::select! {
                () = watching => Err("it ended".to_owned()),
                () = stopping.cancelled() => Ok(()),
            }
        });
    }
    let drain_deadline = config.limits.drain_deadline.0;
    let bot = Bot::new(&config, options, parts, &supervisor, (hint, status));
    let result = bot.run(failures, shutdown, drain_deadline).await;
    supervisor.stop().await;
    result
}

struct Bot<C: Chain> {
    core: Core,
    journal: Journal,
    signer: Signer,
    tasks: Tasks<C>,
    clock: ChainClock,
    status: Arc<Status>,
    hint: Arc<Notify>,
    receipt_issued: Arc<Notify>,
    interest: watch::Sender<Interest>,
    messages: mpsc::Receiver<Message>,
    resume: Vec<Action>,
    _lock: crate::InstanceLock,
}

impl<C: Chain> Bot<C> {
    fn new(
        config: &Config,
        options: Options,
        parts: startup::Parts<C>,
        supervisor: &Supervisor,
        (hint, status): (Arc<Notify>, Arc<Status>),
    ) -> Self {
        let startup::Parts { chain, journal, seen_slot, signer, workshop, provider, lock } = parts;
        let (core, resume) = Core::restore(
            config.settings(&options, signer.address(), rand::random()),
            journal.rows().cloned(),
            seen_slot,
        );
        let (sender, messages) = mpsc::channel(EVENTS_MAX);
        let (interest, interest_receiver) = watch::channel(core.interest());
        let transactions = Sender {
            market: config.market(),
            provider,
            authority: config.provider.authority.0,
            node_key: signer.address(),
            fees: config.chain.fees(),
        };
        let pace = SenderSettings {
            confirm_interval: config.chain.confirm_interval.0,
            resend_interval: config.chain.resend_interval.0,
            death_check_interval: DEATH_CHECK_INTERVAL,
        };
        let polling = poller::Poller {
            chain: chain.clone(),
            interest: interest_receiver,
            hint: hint.clone(),
            messages: sender.clone(),
            interval: config.chain.poll_interval.0,
            stopping: supervisor.stopping(),
        };
        supervisor.spawn_forever("poller", polling.run());
        let receipt_issued = Arc::new(Notify::new());
        let receipts = receipts::keep_published(workshop.clone(), receipt_issued.clone(), supervisor.stopping());
        supervisor.spawn_forever("receipts", receipts);
        let (supervisor, running) = (supervisor.clone(), Running::default());
        let tasks = Tasks { chain, workshop, transactions, pace, messages: sender, supervisor, running };
        let clock = ChainClock::new();
        Self {
            core,
            journal,
            signer,
            tasks,
            clock,
            status,
            hint,
            receipt_issued,
            interest,
            messages,
            resume,
            _lock: lock,
        }
    }

    async fn run(
        mut self,
        mut failures: mpsc::Receiver<TaskFailure>,
        shutdown: Shutdown,
        drain_deadline: Duration,
    ) -> Result<(), RunError> {
        let resume = std::mem::take(&mut self.resume);
        self.execute(resume)?;
        // A crash may have come between an outcome and its receipt.
        let rows: Vec<JobUid> = self.journal.rows().map(|row| row.uid).collect();
        rows.into_iter().try_for_each(|uid| self.issue_receipt(uid))?;
        self.tasks.warm_popular();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Far away until a drain begins.
        let mut give_up_at = Instant::now() + Duration::from_secs(365 * 86_400);
        let mut draining = false;
        loop {
            tokio::select! {
                Some(message) = self.messages.recv() => self.on_message(message)?,
                _ = ticks.tick() => {
                    if self.core.is_busy() {
                        self.step(Event::Tick)?;
                    }
                }
                Some(failure) = failures.recv() => return Err(failure.into()),
                () = shutdown.drain.cancelled(), if !draining => {
                    draining = true;
                    give_up_at = Instant::now() + drain_deadline;
                    tracing::info!(?drain_deadline, "drain_started");
                    self.step(Event::DrainRequested)?;
                }
                () = shutdown.force.cancelled() => {
                    tracing::warn!("stopped_at_once");
                    return Ok(());
                }
                () = sleep_until(give_up_at) => {
                    tracing::warn!("drain_deadline_passed");
                    return Ok(());
                }
            }
            if self.core.is_drained() {
                tracing::info!("drained");
                return Ok(());
            }
        }
    }

    fn on_message(&mut self, message: Message) -> Result<(), RunError> {
        match message {
            Message::Looked(look) => {
                self.clock.observe(look.chain_unix);
                self.status.looked(look.snapshot.slot);
                names::gauge_balances(&look.snapshot.provider);
                self.step(Event::Polled(look.snapshot))
            }
            Message::Enroll(blockhash) => {
                let enrollment = self.tasks.transactions.enrollment(blockhash);
                let signature = self.signer.sign_enrollment(&enrollment)?;
                self.tasks.send_enrollment(&enrollment, signature);
                Ok(())
            }
            Message::Event(event) => {
                let event = *event;
                self.watch_sandbox(&event);
                if let Event::TxResolved { uid, kind, signature, fate } = &event {
                    self.tasks.delivered(*uid, *kind, *signature);
                    names::count_fate(*kind, fate);
                    let signature = solana_signature::Signature::from(*signature);
                    tracing::info!(%uid, kind = kind.name(), %signature, ?fate, "transaction_resolved");
                    // Whatever landed changed accounts: look now.
                    self.hint.notify_one();
                }
                self.step(event)
            }
        }
    }

    /// One event, everything it asks for, and the events that follow from that without waiting.
    fn step(&mut self, event: Event) -> Result<(), RunError> {
        let now = self.clock.now();
        let before: Vec<_> = self.core.jobs().map(|job| (job.row.uid, job.row.phase)).collect();
        let actions = self.core.step(event, now);
        self.log_transitions(&before);
        self.execute(actions)?;
        self.publish_state();
        Ok(())
    }

    fn execute(&mut self, actions: Vec<Action>) -> Result<(), RunError> {
        let mut queue: VecDeque<Action> = actions.into();
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Persist(uid) => self.persist(uid)?,
                Action::Forget(uid) => {
                    let seen_slot = self.core.seen_slot();
                    tokio::task::block_in_place(|| self.journal.forget(uid, seen_slot))?;
                }
                Action::Enroll => self.tasks.begin_enrollment(),
                Action::Sign(uid, kind) => {
                    // The rest of this step's actions come first: they were asked for first.
                    let signed = self.sign(uid, kind)?;
                    queue.extend(self.core.step(signed, self.clock.now()));
                }
                Action::Prepare(uid) => self.with_job(uid, Tasks::prepare),
                Action::Warm(uid) => self.with_job(uid, Tasks::warm),
                Action::Run(uid) => self.with_job(uid, Tasks::run),
                Action::Publish(uid) => self.with_job(uid, Tasks::publish),
                Action::BuildTx(uid, kind) => self.with_job(uid, |tasks, job| tasks.build(job, kind)),
                Action::Deliver(uid, kind) => self.with_job(uid, |tasks, job| tasks.deliver(job, kind)),
                Action::StopSending(uid, kind) => self.tasks.stop_sending(uid, kind),
                Action::StopWork(uid) => self.tasks.stop_work(uid),
                Action::CleanUp(uid) => self.clean_up(uid),
                Action::Alert(uid, text) => {
                    metrics::counter!(names::ALERTS).increment(1);
                    tracing::error!(%uid, text, "alert_raised");
                }
                Action::Halt(uid, reason) => return Err(RunError::Halted { uid, reason }),
            }
        }
        Ok(())
    }

    /// A job that is no longer in the core has nothing to persist: its row is being dropped.
    fn persist(&mut self, uid: JobUid) -> Result<(), RunError> {
        let Some(job) = self.core.job(uid) else { return Ok(()) };
        let seen_slot = self.core.seen_slot();
        tokio::task::block_in_place(|| self.journal.put(&job.row, seen_slot))?;
        self.issue_receipt(uid)
    }

    /// Signs the receipt of an outcome that is on disk now and may be shown, once. Payment does not depend on it, so what goes wrong with
    /// files is told and the job goes on; the draft stays for the next time.
    fn issue_receipt(&self, uid: JobUid) -> Result<(), RunError> {
        let records = self.tasks.workshop.records();
        let Some(permit) = self.journal.receipt_permit(uid) else { return Ok(()) };
        let signed = match tokio::task::block_in_place(|| records.drafted(uid)) {
            Ok(None) => return Ok(()),
            Ok(Some(draft)) => self.signer.sign_receipt(&permit, draft),
            Err(error) => {
                tracing::error!(%uid, %error, "receipt_not_issued");
                return Ok(());
            }
        };
        crate::fault::crash_point("receipt.signed");
        let kept = match signed {
            Ok(receipt) => tokio::task::block_in_place(|| records.keep(uid, &receipt)).map(|()| Some(receipt)),
            // Of a run whose outcome the journal refused: the job is halted, and its first receipt stands.
            Err(SignError::ForeignReceipt(_)) => tokio::task::block_in_place(|| records.discard(uid)).map(|()| None),
            Err(error) => return Err(error.into()),
        };
        match kept {
            Ok(Some(receipt)) => {
                tracing::info!(%uid, receipt_hash = hex::encode(receipt.canonical().hash()), "receipt_issued");
                self.receipt_issued.notify_one();
            }
            Ok(None) => tracing::error!(%uid, "receipt_refused"),
            Err(error) => tracing::error!(%uid, %error, "receipt_not_issued"),
        }
        Ok(())
    }

    fn sign(&mut self, uid: JobUid, kind: TxKind) -> Result<Event, RunError> {
        let permit = self.journal.permit(uid, kind)?;
        let signature = self.signer.sign(&permit)?;
        crate::fault::crash_point_of_tx("signed", kind);
        metrics::counter!(names::TRANSACTIONS_SIGNED, "kind" => kind.name()).increment(1);
        Ok(Event::TxSigned { uid, kind, signature })
    }

    fn with_job(&mut self, uid: JobUid, act: impl FnOnce(&mut Tasks<C>, &crate::core::Job)) {
        if let Some(job) = self.core.job(uid) {
            act(&mut self.tasks, job);
        }
    }

    /// Releases a job's result, unless another job has the same one.
    fn clean_up(&mut self, uid: JobUid) {
        let Some(digest) = self.journal.row(uid).and_then(crate::core::JobRow::result_digest) else { return };
        let shared = self.core.jobs().any(|job| job.row.uid != uid && job.row.result_digest() == Some(digest));
        if !shared {
            self.tasks.release(cid_from_digest(&digest));
        }
    }

    fn log_transitions(&self, before: &[(JobUid, crate::core::Phase)]) {
        for job in self.core.jobs() {
            let (uid, phase) = (job.row.uid, job.row.phase);
            let was = before.binary_search_by_key(&uid, |(uid, _)| *uid).ok().map(|index| before[index].1);
            if was != Some(phase) {
                metrics::counter!(names::TRANSITIONS, "phase" => phase.name()).increment(1);
                tracing::info!(%uid, job = %job.row.job, from = was.map_or("none", |was| was.name()), to = phase.name(), detail = ?phase, "job_moved");
            }
        }
    }

    fn publish_state(&self) {
        let wanted = self.core.interest();
        self.interest.send_if_modified(|interest| {
            let is_news = wanted != *interest;
            if is_news {
                *interest = wanted;
            }
            is_news
        });
        names::gauge_jobs(&self.core);
    }
}

//! The loop around the core: events in, actions out, in order. It alone owns the core, the journal and the key.

mod clock;
mod poller;
mod receipts;
mod sandbox;
mod tasks;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
/// Of those, the most that are answered together: what they change in the journal shares one fsync.
const EVENTS_TOGETHER_MAX: usize = 64;
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
    let drain_deadline = config.limits.drain_deadline.0;
    let bot = Bot::new(&config, options, parts, &supervisor, status);
    if config.chain.subscribe {
        let messages = bot.tasks.messages.clone();
        // It can do without: the looks will say so.
        let seats_taken = move |uid| drop(messages.try_send(Message::Event(Box::new(Event::SeatsTaken { uid }))));
        let (settings, slots) = (bot.tasks.chain.settings().clone(), bot.tasks.slots.clone());
        let watching = watch_for_hints(settings, bot.hint.clone(), slots, seats_taken);
        let stopping = supervisor.stopping();
        supervisor.spawn_forever("subscription", async move {
            tokio::select! {
                () = watching => Err("it ended".to_owned()),
                () = stopping.cancelled() => Ok(()),
            }
        });
    }
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
    /// Jobs that may have the draft of a receipt.
    drafted: BTreeSet<JobUid>,
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
        status: Arc<Status>,
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
        let hint = Arc::new(Notify::new());
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
        let slots = watch::Sender::new(None);
        let tasks = Tasks { chain, workshop, transactions, pace, slots, messages: sender, supervisor, running };
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
            drafted: BTreeSet::new(),
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
        let resume = self.record(resume)?;
        self.execute(resume)?;
        // A crash may have come between an outcome and its receipt.
        self.drafted = self.journal.rows().map(|row| row.uid).collect();
        self.issue_receipts()?;
        self.tasks.warm_popular();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Far away until a drain begins.
        let mut give_up_at = Instant::now() + Duration::from_secs(365 * 86_400);
        let mut draining = false;
        let mut messages = Vec::with_capacity(EVENTS_TOGETHER_MAX);
        loop {
            let actions = tokio::select! {
                _ = self.messages.recv_many(&mut messages, EVENTS_TOGETHER_MAX) => self.on_messages(messages.drain(..))?,
                _ = ticks.tick() => {
                    names::gauge_jobs(&self.core);
                    if self.core.is_busy() { self.step(Event::Tick)? } else { Vec::new() }
                }
                Some(failure) = failures.recv() => return Err(failure.into()),
                () = shutdown.drain.cancelled(), if !draining => {
                    draining = true;
                    give_up_at = Instant::now() + drain_deadline;
                    tracing::info!(?drain_deadline, "drain_started");
                    self.step(Event::DrainRequested)?
                }
                () = shutdown.force.cancelled() => {
                    tracing::warn!("stopped_at_once");
                    return Ok(());
                }
                () = sleep_until(give_up_at) => {
                    tracing::warn!("drain_deadline_passed");
                    return Ok(());
                }
            };
            self.execute(actions)?;
            self.publish_state();
            if self.core.is_drained() {
                tracing::info!("drained");
                return Ok(());
            }
        }
    }

    fn on_messages(&mut self, messages: impl Iterator<Item = Message>) -> Result<Vec<Action>, RunError> {
        let mut actions = Vec::new();
        for message in messages {
            actions.extend(self.on_message(message)?);
        }
        Ok(actions)
    }

    fn on_message(&mut self, message: Message) -> Result<Vec<Action>, RunError> {
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
                Ok(Vec::new())
            }
            Message::Event(event) => {
                let event = *event;
                self.watch_sandbox(&event);
                if let Event::Ran { uid, result: Ok(_), .. } = &event {
                    self.drafted.insert(*uid);
                }
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

    /// One event: what it asks for. What of that goes into the journal is written when this returns, and on disk after the next
    /// commit.
    fn step(&mut self, event: Event) -> Result<Vec<Action>, RunError> {
        let now = self.clock.now();
        let before: Vec<_> = self.core.jobs().map(|job| (job.row.uid, job.row.phase)).collect();
        let actions = self.core.step(event, now);
        self.log_transitions(&before);
        self.record(actions)
    }

    /// Writes what goes into the journal, and leaves the rest.
    fn record(&mut self, actions: Vec<Action>) -> Result<Vec<Action>, RunError> {
        let (records, rest): (Vec<_>, Vec<_>) = actions.into_iter().partition(Action::is_recorded);
        for action in records {
            match action {
                Action::Persist(uid) => self.persist(uid)?,
                // Its row still names the result.
                Action::CleanUp(uid) => self.clean_up(uid),
                Action::Forget(uid) => {
                    self.journal.forget(uid, self.core.seen_slot())?;
                    self.drafted.remove(&uid);
                }
                _ => {}
            }
        }
        Ok(rest)
    }

    /// Everything else that was asked for, and what follows from that without waiting: nothing of it before the journal is on
    /// disk, for which all that waited share one fsync.
    fn execute(&mut self, mut actions: Vec<Action>) -> Result<(), RunError> {
        loop {
            if self.journal.is_ahead() {
                tokio::task::block_in_place(|| self.journal.commit())?;
                self.issue_receipts()?;
            }
            if actions.is_empty() {
                return Ok(());
            }
            actions = self.act(actions)?;
        }
    }

    fn issue_receipts(&mut self) -> Result<(), RunError> {
        let drafted: Vec<JobUid> = self.drafted.iter().copied().collect();
        drafted.into_iter().try_for_each(|uid| self.issue_receipt(uid))
    }

    fn act(&mut self, actions: Vec<Action>) -> Result<Vec<Action>, RunError> {
        let mut signed = Vec::new();
        for action in actions {
            match action {
                Action::Persist(_) | Action::CleanUp(_) | Action::Forget(_) => {}
                Action::Enroll => self.tasks.begin_enrollment(),
                Action::Sign(uid, kind) => signed.push(self.sign(uid, kind)?),
                Action::Prepare(uid) => self.with_job(uid, Tasks::prepare),
                Action::Warm(uid) => self.with_job(uid, Tasks::warm),
                Action::Run(uid) => self.with_job(uid, Tasks::run),
                Action::Publish(uid) => self.with_job(uid, Tasks::publish),
                Action::BuildTx(uid, kind) => self.with_job(uid, |tasks, job| tasks.build(job, kind)),
                Action::Deliver(uid, kind) => self.with_job(uid, |tasks, job| tasks.deliver(job, kind)),
                Action::StopSending(uid, kind) => self.tasks.stop_sending(uid, kind),
                Action::StopWork(uid) => self.tasks.stop_work(uid),
                Action::Alert(uid, text) => {
                    metrics::counter!(names::ALERTS).increment(1);
                    tracing::error!(%uid, text, "alert_raised");
                }
                Action::Halt(uid, reason) => return Err(RunError::Halted { uid, reason }),
            }
        }
        // After all were signed: what a step writes would have to be on disk before the next signature.
        let mut following = Vec::new();
        for event in signed {
            following.extend(self.step(event)?);
        }
        Ok(following)
    }

    /// A job that is no longer in the core has nothing to persist: its row is being dropped.
    fn persist(&mut self, uid: JobUid) -> Result<(), RunError> {
        let Some(job) = self.core.job(uid) else { return Ok(()) };
        Ok(self.journal.put(&job.row, self.core.seen_slot())?)
    }

    /// Signs the receipt of an outcome that is on disk now and may be shown, once. Payment does not depend on it, so it is kept
    /// beside everything else; what goes wrong with files is told, and the draft stays for the next start.
    fn issue_receipt(&mut self, uid: JobUid) -> Result<(), RunError> {
        let records = self.tasks.workshop.records();
        let Some(permit) = self.journal.receipt_permit(uid)? else { return Ok(()) };
        self.drafted.remove(&uid);
        let signed = match tokio::task::block_in_place(|| records.drafted(uid)) {
            Ok(None) => return Ok(()),
            Ok(Some(draft)) => self.signer.sign_receipt(&permit, draft),
            Err(error) => {
                tracing::error!(%uid, %error, "receipt_not_issued");
                return Ok(());
            }
        };
        crate::fault::crash_point("receipt.signed");
        match signed {
            Ok(receipt) => self.tasks.keep_receipt(uid, receipt, self.receipt_issued.clone()),
            // Of a run whose outcome the journal refused: the job is halted, and its first receipt stands.
            Err(SignError::ForeignReceipt(_)) => match tokio::task::block_in_place(|| records.discard(uid)) {
                Ok(()) => tracing::error!(%uid, "receipt_refused"),
                Err(error) => tracing::error!(%uid, %error, "receipt_not_issued"),
            },
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn sign(&mut self, uid: JobUid, kind: TxKind) -> Result<Event, RunError> {
        let permit = self.journal.permit(uid, kind)?;
        let signature = self.signer.sign(&permit)?;
        crate::fault::crash_point_of_tx("signed", kind);
        metrics::counter!(names::TRANSACTIONS_SIGNED, "kind" => kind.name()).increment(1);
        self.tasks.signed(signature);
        Ok(Event::TxSigned { uid, kind, signature })
    }

    fn with_job(&mut self, uid: JobUid, act: impl FnOnce(&mut Tasks<C>, &crate::core::Job)) {
        if let Some(job) = self.core.job(uid) {
            act(&mut self.tasks, job);
        }
    }

    /// Releases what a job's preparation ran, and its result, unless another job has the same one.
    fn clean_up(&mut self, uid: JobUid) {
        self.tasks.workshop.forget_run(uid);
        let Some(digest) = self.journal.row(uid).and_then(crate::core::JobRow::result_digest) else { return };
        let shared = self.core.jobs().any(|job| job.row.uid != uid && job.row.result_digest() == Some(digest));
        if !shared {
            self.tasks.release(cid_from_digest(&digest));
        }
    }

    /// Both are sorted by uid.
    fn log_transitions(&self, before: &[(JobUid, crate::core::Phase)]) {
        let mut before = before.iter().peekable();
        for job in self.core.jobs() {
            let (uid, phase) = (job.row.uid, job.row.phase);
            while before.next_if(|(earlier, _)| *earlier < uid).is_some() {}
            let was = before.next_if(|(known, _)| *known == uid).map(|(_, was)| *was);
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
    }
}

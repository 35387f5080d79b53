//! The work on one job's content: fetch, prepare, run, publish. Everything hostile happens in the child.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_content::{
    BlockStore, Budget, Cid, Entry, FetchError, Fetcher, Publisher, cid_from_digest, pack_entries, unpack,
    write_entries,
};
use assay_protocol::{Outcome, OutcomeKind, TaskSpec};
use assay_runtime::{ArtifactCache, Engine, EngineKind};
use assay_sdk::receipt::{EngineNote, Receipt, RunFacts};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    ahead::{Ahead, Ran},
    core::{JobUid, JobView, OutcomeBytes, Preparation, WorkFault, WorkFaultKind},
    fault::crash_point,
    quote::quoted,
    records::{Execution, Records, receipt_package},
    worker::{
        Cancel, CheckedRun, ChildSettings, Manner, Prepared, Work, WorkReply, WorkRequest, WorkerFault, probe_child,
        run_in_child,
    },
};

/// Deadlines and child settings.
#[derive(Clone, Debug)]
pub struct WorkSettings {
    /// Longest time for one fetch.
    pub fetch_deadline: Duration,
    /// Longest time for publishing once.
    pub publish_deadline: Duration,
    /// A child that validates and meters, or compiles. One that runs has its job's own wall clock.
    pub child: ChildSettings,
    /// How guests are run.
    pub manner: Manner,
    /// A task with no higher gas limit is run when it is prepared: another child would cost more than the run.
    pub ahead_gas_max: u64,
    /// Where content of failed jobs is kept, if it is.
    pub keep_failed_in: Option<PathBuf>,
}

/// Fetches, computes, publishes. Cheap to clone.
#[derive(Clone)]
pub struct Workshop {
    shared: Arc<Shared>,
}

struct Shared {
    store: BlockStore,
    fetcher: Fetcher,
    publisher: Publisher,
    records: Records,
    settings: WorkSettings,
    ahead: Ahead,
    /// Held while a module is compiled ahead.
    warming: Mutex<()>,
}

/// What publishing found.
#[derive(Debug)]
pub enum PublishFault {
    /// The package is not in the local store any more.
    Lost,
    /// The nodes did not take it.
    Failed(WorkFault),
}

fn fault(kind: WorkFaultKind, message: impl ToString) -> WorkFault {
    WorkFault { kind, message: message.to_string() }
}

impl Workshop {
    /// Puts the parts together.
    pub(crate) fn new(
        store: BlockStore,
        (fetcher, publisher): (Fetcher, Publisher),
        records: Records,
        settings: WorkSettings,
    ) -> Self {
        let (ahead, warming) = (Ahead::default(), Mutex::default());
        Self { shared: Arc::new(Shared { store, fetcher, publisher, records, settings, ahead, warming }) }
    }

    /// The receipts, and the lines about runs.
    pub(crate) fn records(&self) -> &Records {
        &self.shared.records
    }

    /// Whether a sandbox child can be started, as for a run.
    ///
    /// # Errors
    /// [`WorkerFault`] says why not.
    pub async fn probe_sandbox(&self) -> Result<(), WorkerFault> {
        let WorkSettings { child, manner, .. } = self.shared.settings.clone();
        blocking(move || probe_child(Work::Run(manner), &child)).await.map(drop)
    }

    /// Whether the task can run here: fetched, validated, metered; and run, where that costs less than another child.
    ///
    /// # Errors
    /// [`WorkFault`] of the network or this host.
    pub async fn prepare(&self, view: &JobView, cancel: &Cancel) -> Result<Preparation, WorkFault> {
        let entries = match self.fetch(view).await? {
            Ok(entries) => entries,
            Err(_) => return Ok(Preparation::Invalid),
        };
        if view.limits.gas_limit <= self.shared.settings.ahead_gas_max
            && let Some(preparation) = self.run_ahead(view, entries.clone(), cancel).await?
        {
            return Ok(preparation);
        }
        let request = WorkRequest { work: Work::Prepare, task: task(view), entries: entries.clone() };
        let prepared = in_child(request, self.shared.settings.child.clone(), cancel, WorkReply::prepared).await;
        self.keep_failed(view, &entries, prepared.as_ref().err()).await;
        match prepared? {
            Prepared::Runnable => Ok(Preparation::Runnable),
            Prepared::Invalid(code, explanation) => Ok(found_invalid(code, &explanation)),
        }
    }

    /// Runs the task before anybody asks for it, within the time of a preparation; `None` when that fails, which says nothing about
    /// its preparation alone.
    async fn run_ahead(
        &self,
        view: &JobView,
        entries: Vec<Entry>,
        cancel: &Cancel,
    ) -> Result<Option<Preparation>, WorkFault> {
        // Too small to be compiled: what it runs in needs no more than the reference does.
        let manner = Manner { engine: Engine::Wasmi, ..self.shared.settings.manner };
        let run = match self.compute(view, entries, (manner, self.shared.settings.child.clone()), cancel).await {
            Err(fault) if fault.kind == WorkFaultKind::Host => {
                tracing::warn!(uid = %view.uid, message = quoted(&fault.message), "task_not_run_ahead");
                return Ok(None);
            }
            run => run?,
        };
        let Outcome { kind, detail, .. } = run.checked.outcome;
        if kind == OutcomeKind::Invalid {
            return Ok(Some(found_invalid(detail, run.explanation.as_deref().unwrap_or_default())));
        }
        let is_kept = self.shared.ahead.keep(view.uid, run);
        Ok(Some(if is_kept { Preparation::Ran } else { Preparation::Runnable }))
    }

    /// Forgets a run of a job that is of no more interest.
    pub(crate) fn forget_run(&self, uid: JobUid) {
        drop(self.shared.ahead.take(uid));
    }

    /// Compiles the task's module for its run, if that would compile it and nobody has. A help and no more: whatever goes
    /// wrong, the run does it again.
    pub async fn warm(&self, view: &JobView, cancel: &Cancel) {
        // One at a time; what would have to wait is compiled by its run.
        let Ok(_alone) = self.shared.warming.try_lock() else { return };
        if self.compiled().is_none() {
            return;
        }
        let Ok(Ok(entries)) = self.fetch(view).await else { return };
        self.compile((task(view), entries), self.shared.settings.child.clone(), cancel).await;
    }

    /// Has the code of the modules that ran most often ready in memory, from disk or, if it is of no use any more, compiled
    /// again: until half of the room is taken, one after the other, and with what processor time nobody else wants. Of
    /// modules whose job directory is still here. A help and no more, as [`Self::warm`].
    pub async fn warm_popular(&self, cancel: &Cancel) {
        let Some(compiled) = self.compiled() else { return };
        let records = self.records().clone();
        let popular = blocking(move || records.popular()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "receipts_not_read");
            Vec::new()
        });
        let mut modules = 0_usize;
        for task in popular {
            if !compiled.is_half_empty() {
                break;
            }
            let (root, store) = (cid_from_digest(&task.job_cid_digest), self.shared.store.clone());
            let Ok(entries) = blocking(move || unpack(root, &store, &Budget::PROFILE)).await else { continue };
            let _alone = self.shared.warming.lock().await;
            let settings = ChildSettings { yields: true, ..self.shared.settings.child.clone() };
            if self.compile((task, entries), settings, cancel).await {
                modules = modules.saturating_add(1);
            }
        }
        tracing::info!(modules, "popular_modules_warmed");
    }

    /// Whether the module can run.
    async fn compile(&self, (task, entries): (TaskSpec, Vec<Entry>), child: ChildSettings, cancel: &Cancel) -> bool {
        let request = WorkRequest { work: Work::Compile(self.shared.settings.manner), task, entries };
        match in_child(request, child, cancel, WorkReply::prepared).await {
            Ok(prepared) => prepared == Prepared::Runnable,
            Err(fault) => {
                tracing::debug!(message = quoted(&fault.message), "module_not_warmed");
                false
            }
        }
    }

    /// Compiled code of this provider, if it keeps any.
    pub fn compiled(&self) -> Option<&ArtifactCache> {
        self.shared.settings.child.compiled.as_deref()
    }

    /// Runs the task and stores its package and the draft of its receipt, durably. Leaves a line about it.
    ///
    /// # Errors
    /// [`WorkFault`] of the network or this host. Never signed.
    pub async fn run(&self, view: &JobView, cancel: &Cancel) -> Result<OutcomeBytes, WorkFault> {
        let mut execution = self.shared.records.begin(view);
        let result = self.run_once(view, &mut execution, cancel).await;
        execution.ended(result.as_ref());
        result.map(|receipt| receipt.outcome.encode())
    }

    async fn run_once(&self, view: &JobView, execution: &mut Execution, cancel: &Cancel) -> Result<Receipt, WorkFault> {
        if let Some(run) = self.shared.ahead.take(view.uid) {
            execution.began_earlier(run.took);
            return self.store(view, run, true).await;
        }
        let entries = match self.fetch(view).await? {
            Ok(entries) => entries,
            Err(reason) => return self.draft(view, (Outcome::invalid(reason), None), None).await,
        };
        crash_point("work.fetched");
        let child = run_child(&self.shared.settings.child, view.execution_s);
        let run = self.compute(view, entries, (self.shared.settings.manner, child), cancel).await?;
        self.store(view, run, false).await
    }

    /// Has a child run the task: an answer that nothing here contradicts.
    async fn compute(
        &self,
        view: &JobView,
        entries: Vec<Entry>,
        (manner, child): (Manner, ChildSettings),
        cancel: &Cancel,
    ) -> Result<Ran, WorkFault> {
        let begun = Instant::now();
        let request = WorkRequest { work: Work::Run(manner), task: task(view), entries: entries.clone() };
        let checked = async {
            let ran = in_child(request, child, cancel, WorkReply::ran).await?;
            let (task, job) = (task(view), entries.clone());
            blocking(move || Ran::checked(ran, &task, &job)).await.map_err(host_fault)
        };
        let ran = checked.await;
        self.keep_failed(view, &entries, ran.as_ref().err()).await;
        ran.map(|ran| Ran { took: begun.elapsed(), ..ran })
    }

    /// What the receipt will say once the journal holds the outcome.
    async fn draft(
        &self,
        view: &JobView,
        ran: (Outcome, Option<RunFacts>),
        engine: Option<EngineKind>,
    ) -> Result<Receipt, WorkFault> {
        let (records, uid) = (self.shared.records.clone(), view.uid);
        let receipt = Receipt::unsigned((Some(records.posting(view)), task(view)), ran, engine.map(EngineNote::from))
            .map_err(|error| {
            fault(WorkFaultKind::Host, format!("the child's answer is not consistent: {error}"))
        })?;
        let written = blocking(move || records.draft(uid, &receipt).map(|()| receipt)).await;
        let receipt =
            written.map_err(|error| fault(WorkFaultKind::Host, format!("write the draft of the receipt: {error}")))?;
        crash_point("work.drafted");
        Ok(receipt)
    }

    /// Keeps the result, and what the receipt will say of it.
    async fn store(&self, view: &JobView, ran: Ran, ahead: bool) -> Result<Receipt, WorkFault> {
        crash_point("work.ran");
        let Ran { checked: CheckedRun { outcome, package, facts, .. }, engine, .. } = &ran;
        tracing::info!(
            kind = outcome.kind.name(),
            detail = outcome.detail,
            gas_used = outcome.gas_used,
            stack_peak_bytes = facts.as_ref().map_or(0, |facts| facts.stack_peak_bytes),
            memory_peak_bytes = facts.as_ref().map_or(0, |facts| facts.memory_peak_bytes),
            engine = engine.map_or("none", EngineKind::name),
            variant = ran.variant.letter(),
            ahead,
            explanation = ran.explanation.as_deref().map(quoted),
            "task_ran"
        );
        if let Some(package) = package.clone() {
            let store = self.shared.store.clone();
            blocking(move || store.put_package(&package)).await.map_err(|error| fault(WorkFaultKind::Host, error))?;
            crash_point("work.stored");
        }
        self.draft(view, (ran.checked.outcome, ran.checked.facts), ran.engine).await
    }

    /// Has the content nodes pin the receipt of a job; whether there is nothing left to do about it.
    pub(crate) async fn publish_receipt(&self, uid: JobUid) -> bool {
        match self.try_publish_receipt(uid).await {
            Ok(Some(cid)) => tracing::info!(%uid, %cid, "receipt_published"),
            // It was among the oldest, which have to go.
            Ok(None) => tracing::info!(%uid, "receipt_gone_before_it_was_published"),
            Err(error) => {
                tracing::warn!(%uid, error = quoted(&error), "receipt_not_published");
                return false;
            }
        }
        true
    }

    async fn try_publish_receipt(&self, uid: JobUid) -> Result<Option<Cid>, String> {
        let records = self.shared.records.clone();
        let Some(json) = blocking(move || records.signed(uid)).await.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let package = receipt_package(&json).map_err(|error| error.to_string())?;
        let publishing = timeout(self.shared.settings.publish_deadline, self.shared.publisher.publish(&package));
        match publishing.await {
            Ok(Ok(_)) => Ok(Some(package.root)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("publish the receipt: no answer in time".to_owned()),
        }
    }

    /// Publishes the stored package of an outcome.
    ///
    /// # Errors
    /// [`PublishFault`].
    pub async fn publish(&self, view: &JobView, outcome: &OutcomeBytes) -> Result<(), PublishFault> {
        let outcome = Outcome::decode(outcome, view.limits.gas_limit).map_err(|_| PublishFault::Lost)?;
        let root = cid_from_digest(&outcome.result_cid_digest);
        let store = self.shared.store.clone();
        let package = blocking(move || {
            let entries = unpack(root, &store, &Budget::RESULT).ok()?;
            pack_entries(entries).ok().filter(|package| package.root == root)
        })
        .await
        .ok_or(PublishFault::Lost)?;
        let publishing = timeout(self.shared.settings.publish_deadline, self.shared.publisher.publish(&package));
        let failed = |message: String| PublishFault::Failed(fault(WorkFaultKind::Content, message));
        match publishing.await {
            Ok(Ok(_)) => {
                crash_point("work.published");
                Ok(())
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("publish the result: no answer in time".to_owned())),
        }
    }

    /// Releases a result; its blocks go when the quota needs the room.
    pub async fn release(&self, root: Cid) {
        let store = self.shared.store.clone();
        if let Err(error) = blocking(move || store.unpin(&root)).await {
            tracing::warn!(%error, %root, "result_not_released");
        }
    }

    /// The job directory; `Ok(Err(reason))` when it is not a package, for everybody.
    async fn fetch(&self, view: &JobView) -> Result<Result<Vec<Entry>, assay_protocol::InvalidReason>, WorkFault> {
        let root = cid_from_digest(&view.job_cid_digest);
        let late = || fault(WorkFaultKind::Content, format!("fetch {root}: no source gave it in time"));
        let fetching = timeout(self.shared.settings.fetch_deadline, self.shared.fetcher.fetch(&root));
        match fetching.await.map_err(|_| late())? {
            Ok(entries) => Ok(Ok(entries)),
            Err(error) => match error.invalid_reason() {
                Some(reason) => Ok(Err(reason)),
                None => Err(fault(fetch_fault_kind(&error), error)),
            },
        }
    }

    /// Keeps what may have made its child fail, if asked to.
    async fn keep_failed(&self, view: &JobView, entries: &[Entry], fault: Option<&WorkFault>) {
        let is_of_interest = fault.is_some_and(|fault| fault.kind == WorkFaultKind::Host);
        let Some(directory) = self.shared.settings.keep_failed_in.clone().filter(|_| is_of_interest) else { return };
        let (target, entries) = (directory.join(view.uid.to_string()), entries.to_vec());
        let result = blocking(move || write_entries(&target, &entries)).await;
        match result {
            Ok(()) => tracing::info!(directory = %directory.display(), "failed_job_kept"),
            Err(error) => tracing::debug!(%error, "failed_job_not_kept"),
        }
    }
}

fn found_invalid(code: u16, explanation: &str) -> Preparation {
    tracing::info!(code, explanation = quoted(explanation), "task_found_invalid");
    Preparation::Invalid
}

fn fetch_fault_kind(error: &FetchError) -> WorkFaultKind {
    match error {
        FetchError::Store(_) => WorkFaultKind::Host,
        _ => WorkFaultKind::Content,
    }
}

fn task(view: &JobView) -> TaskSpec {
    TaskSpec {
        profile: view.profile,
        job_cid_digest: view.job_cid_digest,
        metered_hash: view.metered_hash,
        limits: view.limits,
        seed: view.seed,
        clock_unix_ns: view.clock_unix_ns,
    }
}

/// What a child answers, as `read` understands it.
async fn in_child<T: Send + 'static>(
    request: WorkRequest,
    settings: ChildSettings,
    cancel: &Cancel,
    read: fn(WorkReply) -> Result<T, WorkerFault>,
) -> Result<T, WorkFault> {
    let cancel = cancel.clone();
    let too_slow = match request.work {
        Work::Prepare | Work::Compile(_) => "raise worker.prepare_deadline",
        Work::Run(_) => "lower policy.gas_limit_max to what this host computes while jobs hold their seats",
    };
    blocking(move || run_in_child(&request, &settings, &cancel).and_then(read)).await.map_err(|error| match error {
        WorkerFault::Cancelled => fault(WorkFaultKind::Cancelled, error),
        WorkerFault::Deadline(_) => fault(WorkFaultKind::Host, format!("{error}; {too_slow}")),
        _ => host_fault(error),
    })
}

/// A fault of this host's, with the keys of a provider's configuration that may mend it.
fn host_fault(error: WorkerFault) -> WorkFault {
    let kind = if error.is_before_work() { WorkFaultKind::Sandbox } else { WorkFaultKind::Host };
    match error {
        WorkerFault::NotReady { .. } | WorkerFault::Crashed { .. } => {
            fault(kind, format!("{error}, and worker.memory_max if it is set"))
        }
        WorkerFault::Inconsistent(_) => fault(kind, format!("{error}; content.keep_on_failure = true keeps it")),
        _ => fault(kind, error),
    }
}

/// The core ends a run when its seat has to be given back; this is for the child that nobody ends.
fn run_child(child: &ChildSettings, execution_s: u32) -> ChildSettings {
    ChildSettings { deadline: Duration::from_secs(execution_s.into()), ..child.clone() }
}

/// Runs blocking work where it may block. A panic in it goes on in the caller, whose task is supervised.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(payload) => std::panic::resume_unwind(payload),
            // The runtime is shutting down; whoever waits for this is being dropped, too.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_09_a_run_has_the_wall_clock_of_its_job_and_nothing_else_decides_it() {
        let child = ChildSettings { memory_bytes: Some(1 << 30), ..ChildSettings::default() };
        for execution_s in [1, 7, 86_400] {
            let run = run_child(&child, execution_s);
            assert_eq!(run.deadline, Duration::from_secs(u64::from(execution_s)));
            assert_eq!((run.memory_bytes, run.isolation), (Some(1 << 30), child.isolation));
        }
    }
}

//! Has the content nodes pin every receipt, one at a time, until each of them is; and lets the oldest records go.
//!
//! Which receipts wait is on disk, so a restart goes on where the last process ended. Nothing waits for this.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    core::JobUid,
    records::Records,
    work::{Workshop, blocking},
};

/// Pauses after failures in a row: of the content nodes, as for results.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// How often records are looked at for those that are too old.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// Publishes and prunes until told to stop.
pub(super) async fn keep_published(
    workshop: Workshop,
    issued: Arc<Notify>,
    stopping: CancellationToken,
) -> Result<(), String> {
    let (records, backoff) = (workshop.records().clone(), Backoff::new(PAUSE_FIRST, PAUSE_LONGEST));
    tokio::select! {
        () = publish_all(&records, &issued, backoff, |uid| workshop.publish_receipt(uid)) => Err("it ended".to_owned()),
        () = stopping.cancelled() => Ok(()),
    }
}

/// Goes around all that wait, so that one that no node takes holds back no other. What waits is looked at anew only behind a
/// failure, and its pause, or when all of it was published: a look takes the longer the more there is.
async fn publish_all<F: Future<Output = bool>>(
    records: &Records,
    issued: &Notify,
    mut backoff: Backoff,
    publish: impl Fn(JobUid) -> F,
) {
    let (mut refused, mut pruned) = (None, Instant::now());
    loop {
        if pruned.elapsed() >= PRUNE_INTERVAL {
            pruned = Instant::now();
            on_disk(records, "records_not_pruned", Records::prune).await;
        }
        let Some(waiting) = on_disk(records, "receipts_not_read", Records::unpublished).await else {
            sleep(backoff.next_pause()).await;
            continue;
        };
        if waiting.is_empty() {
            tokio::select! {
                () = issued.notified() => {}
                () = sleep(PRUNE_INTERVAL) => {}
            }
        }
        let (behind, before): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|uid| refused.is_some_and(|at| *uid > at));
        for uid in behind.into_iter().chain(before) {
            let is_done = publish(uid).await
                && on_disk(records, "receipt_not_marked", move |records| records.published(uid)).await.is_some();
            if !is_done {
                refused = Some(uid);
                sleep(backoff.next_pause()).await;
                break;
            }
            backoff.reset();
        }
    }
}

/// What works with files where it may block; `None` where they fail, which is told under this name.
async fn on_disk<T: Send + 'static>(
    records: &Records,
    failed: &'static str,
    work: impl FnOnce(&Records) -> std::io::Result<T> + Send + 'static,
) -> Option<T> {
    let records = records.clone();
    match blocking(move || work(&records)).await {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::warn!(%error, event = failed);
            None
        }
    }
}

#[cfg(test)]
#[path = "receipts_tests.rs"]
mod tests;

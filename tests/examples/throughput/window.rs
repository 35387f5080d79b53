//! The last challenge window: how long the last result had to wait for its end, by the chain's clock, which counts whole seconds
//! and goes on once a slot. Meanwhile earlier jobs are settled.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use assay_sdk::{Client, Event, JobHandle, Pubkey, client::ChainTime};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::JoinHandle;

use crate::{
    AT_ONCE,
    bots::{Failure, LOOK},
};

/// The chain's clock, as this process saw it go on.
pub struct Clock {
    seen: Arc<Mutex<Vec<(Instant, ChainTime)>>>,
    task: JoinHandle<()>,
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Clock {
    /// Looks at it until [`Self::last_window`].
    pub fn watch(client: Client) -> Self {
        let seen = Arc::<Mutex<Vec<(Instant, ChainTime)>>>::default();
        let watched = seen.clone();
        let task = tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK * 2);
            loop {
                looks.tick().await;
                if let Ok(time) = client.chain_time().await {
                    watched.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), time));
                }
            }
        });
        Self { seen, task }
    }

    /// From the slot in which the last of these jobs got a result that stands to the first in which that could be settled.
    pub async fn last_window(self, client: &Client, jobs: &[Pubkey]) -> Result<Duration, Failure> {
        let histories: Vec<_> = stream::iter(jobs)
            .map(|job| async { JobHandle::new(client.clone(), *job).history().await })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let opened = histories.iter().flatten().filter_map(|record| match &record.event {
            Event::ResultsSubmitted(submitted) => Some((record.slot, submitted.window_deadline_unix)),
            Event::SeatsAgreed(agreed) => Some((record.slot, agreed.window_deadline_unix)),
            _ => None,
        });
        let (slot, deadline_unix) = opened.max().ok_or("no result stands")?;
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first =
            |is_there: &dyn Fn(&ChainTime) -> bool| seen.iter().find(|(_, time)| is_there(time)).map(|(at, _)| *at);
        let opens = first(&|time| time.slot >= slot).ok_or("the last window was not seen to open")?;
        let closes = first(&|time| time.unix >= deadline_unix).ok_or("the last window was not seen to close")?;
        Ok(closes.saturating_duration_since(opens))
    }
}

//! The subscription: a hint that looking at the chain is worth it, that a seat is not to be had, or that the chain went on; never a
//! fact (E-10).

use std::sync::Arc;

use assay_protocol::JobStatus;
use assay_sdk::{Client, ClientConfig, JobFilter, client::WatchNews};
use tokio::sync::{Notify, watch};

use super::RpcSettings;
use crate::{core::JobUid, metrics_list as names};

/// The slot that the chain came to, as far as that is heard of; `None` while it is not.
pub type SlotHeard = Option<u64>;

/// Follows changes of the market's jobs and wakes the poller, for ever; tells of slots, and of jobs whose last seat was taken.
/// Whatever goes wrong costs only time.
pub async fn watch_for_hints(
    settings: RpcSettings,
    hint: Arc<Notify>,
    slots: watch::Sender<SlotHeard>,
    seats_taken: impl Fn(JobUid),
) {
    let RpcSettings { cluster, market, request_timeout, .. } = settings;
    let client = Client::new(ClientConfig { request_timeout, ..ClientConfig::new(cluster) });
    let mut watch = client.follow_jobs(&JobFilter { market: Some(market), ..JobFilter::default() });
    while let Some(news) = watch.next_news().await {
        match news {
            WatchNews::Subscribed => tracing::info!("subscribed"),
            WatchNews::Changed(job) => {
                metrics::counter!(names::HINTS).increment(1);
                if job.account.job_status() == Some(JobStatus::Assigned) {
                    seats_taken(JobUid(job.account.job_uid));
                }
            }
            // What changes with it, whoever waits for that asks.
            WatchNews::Slot(slot) => {
                tell(&slots, slot);
                continue;
            }
            WatchNews::Lost(error) => {
                slots.send_replace(None);
                match error {
                    None => tracing::debug!("subscription_ended"),
                    Some(error) => {
                        metrics::counter!(names::SUBSCRIPTION_FAILURES).increment(1);
                        tracing::warn!(%error, "subscription_lost");
                    }
                }
            }
        }
        // What happened while nobody listened is found by the next look, too.
        hint.notify_one();
    }
}

/// Tells of a slot, unless that one or a later one is known.
fn tell(slots: &watch::Sender<SlotHeard>, slot: u64) {
    slots.send_if_modified(|heard| {
        let is_later = heard.is_none_or(|heard| heard < slot);
        if is_later {
            *heard = Some(slot);
        }
        is_later
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_10_only_a_later_slot_is_told_of() {
        let (slots, mut hears) = watch::channel(None);
        let told = [7, 7, 6, 8].map(|slot| {
            tell(&slots, slot);
            (hears.has_changed().is_ok_and(|changed| changed), *hears.borrow_and_update())
        });
        assert_eq!(told, [(true, Some(7)), (false, Some(7)), (false, Some(7)), (true, Some(8))]);
    }
}

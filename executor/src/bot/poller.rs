//! Looks at the chain: when there is a hint, and anyway after a while.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Message;
use crate::{
    backoff::Backoff,
    chain::{Chain, Scope},
    core::Interest,
};

/// However many hints come, looks are at least this far apart.
const GAP_MIN: Duration = Duration::from_millis(20);
/// And this many times as long as the last one took: with many jobs in hand a look is many requests.
const GAP_PER_LOOK: u32 = 2;
/// But never farther than this.
const GAP_MAX: Duration = Duration::from_secs(1);
/// And listings, which cost the node more than a look at known accounts, this far.
const LISTING_GAP_MIN: Duration = Duration::from_millis(200);
/// And looks at what is over, this far.
const WHOLE_GAP_MIN: Duration = Duration::from_secs(1);

pub(super) struct Poller<C> {
    pub(super) chain: C,
    pub(super) interest: watch::Receiver<Interest>,
    pub(super) hint: Arc<Notify>,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) interval: Duration,
    pub(super) stopping: CancellationToken,
}

impl<C: Chain> Poller<C> {
    pub(super) async fn run(self) -> Result<(), String> {
        let stopping = self.stopping.clone();
        tokio::select! {
            () = self.look_for_ever() => Ok(()),
            () = stopping.cancelled() => Ok(()),
        }
    }

    async fn look_for_ever(self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(15));
        let (mut listed, mut whole): (Option<Instant>, Option<Instant>) = (None, None);
        let until =
            |last: Option<Instant>, gap: Duration| last.map_or(Duration::ZERO, |at| gap.saturating_sub(at.elapsed()));
        loop {
            let began = Instant::now();
            let until_listing = until(listed, LISTING_GAP_MIN);
            let scope = match until_listing.is_zero() {
                false => Scope::Held,
                true if until(whole, WHOLE_GAP_MIN).is_zero() => Scope::Everything,
                true => Scope::Market,
            };
            let interest = self.interest.borrow().clone();
            let looked = self.chain.look(interest, scope).await;
            let took = began.elapsed();
            match looked {
                Ok(look) => {
                    backoff.reset();
                    if scope != Scope::Held {
                        listed = Some(began);
                    }
                    if scope == Scope::Everything {
                        whole = Some(began);
                    }
                    if self.messages.send(Message::Looked(Box::new(look))).await.is_err() {
                        return;
                    }
                    sleep((took * GAP_PER_LOOK).clamp(GAP_MIN, GAP_MAX)).await;
                    // The hint may have been about a job that is not known yet: the listing that was put off follows.
                    let wait = if scope == Scope::Held { until_listing } else { self.interval };
                    // An elapsed interval and a hint are the same to us.
                    let _woken = timeout(wait, self.hint.notified()).await;
                }
                Err(error) => {
                    let pause = backoff.next_pause();
                    tracing::warn!(%error, ?pause, "chain_not_seen");
                    sleep(pause).await;
                }
            }
        }
    }
}

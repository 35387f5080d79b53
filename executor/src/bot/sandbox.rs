//! Whether this host can run guests: as the work shows it and, once it cannot, as a probe shows it.

use std::time::Duration;

use tokio::time::sleep;

use super::{Bot, Message, tasks::Tasks};
use crate::{
    backoff::Backoff,
    chain::Chain,
    core::{Event, Preparation, WorkFaultKind},
};

/// Pauses between probes while no child can be started.
const PROBE_FIRST: Duration = Duration::from_secs(1);
const PROBE_LONGEST: Duration = Duration::from_secs(30);

impl<C: Chain> Bot<C> {
    /// Tells health what became of a child, and looks for a better time when there was none.
    pub(super) fn watch_sandbox(&mut self, event: &Event) {
        let (uid, fault) = match event {
            Event::SandboxWorks => {
                tracing::info!("sandbox_works_again");
                self.status.sandbox_works();
                return;
            }
            Event::Prepared { result: Ok(Preparation::Runnable | Preparation::Ran), .. }
            | Event::Ran { result: Ok(_), .. } => {
                self.status.child_worked();
                return;
            }
            Event::Prepared { uid, result: Err(fault), .. } | Event::Ran { uid, result: Err(fault), .. } => {
                (uid, fault)
            }
            _ => return,
        };
        match fault.kind {
            WorkFaultKind::Host => self.status.child_failed(*uid, &fault.message),
            WorkFaultKind::Sandbox => {
                if self.status.sandbox_failed(&fault.message) {
                    self.tasks.probe_sandbox();
                }
            }
            WorkFaultKind::Content | WorkFaultKind::Cancelled => {}
        }
    }
}

impl<C: Chain> Tasks<C> {
    /// Tries to start a child until it can be done, then says so.
    fn probe_sandbox(&self) {
        let (workshop, messages, stopping) = (self.workshop.clone(), self.messages.clone(), self.supervisor.stopping());
        let probing = async move {
            let mut backoff = Backoff::new(PROBE_FIRST, PROBE_LONGEST);
            loop {
                sleep(backoff.next_pause()).await;
                match workshop.probe_sandbox().await {
                    Ok(()) => break,
                    Err(error) => tracing::warn!(%error, "sandbox_fails"),
                }
            }
            if messages.send(Message::Event(Box::new(Event::SandboxWorks))).await.is_err() {
                tracing::debug!("event_after_the_end");
            }
        };
        self.supervisor.spawn("sandbox", async move {
            tokio::select! {
                () = probing => {}
                () = stopping.cancelled() => {}
            }
        });
    }
}

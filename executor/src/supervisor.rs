//! Every task has a name and is watched: one that panics, or ends when it should not, stops the process with a reason
//! (E-25).

use std::future::Future;

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Why the process has to stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keep task {task} running: {reason}")]
pub struct TaskFailure {
    /// Name of the task.
    pub task: String,
    /// What happened.
    pub reason: String,
}

/// Starts tasks and hears of their failures. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor {
    tracker: TaskTracker,
    stop: CancellationToken,
    failures: mpsc::Sender<TaskFailure>,
}

impl Supervisor {
    /// A supervisor and where its tasks' failures arrive. One is enough to stop, so more are not kept.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<TaskFailure>) {
        let (failures, receiver) = mpsc::channel(1);
        (Self { tracker: TaskTracker::new(), stop: CancellationToken::new(), failures }, receiver)
    }

    /// Cancelled when everything is to end.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that may end when its work is done.
    pub fn spawn(&self, name: impl Into<String>, work: impl Future<Output = ()> + Send + 'static) {
        let (name, failures) = (name.into(), self.failures.clone());
        let task = tokio::spawn(work);
        self.tracker.spawn(async move {
            if let Err(error) = task.await {
                let reason = panic_text(error);
                tracing::error!(task = %name, %reason, "task_panicked");
                if failures.try_send(TaskFailure { task: name, reason }).is_err() {
                    tracing::debug!("a failure that stops the process is known already");
                }
            }
        });
    }

    /// Starts a task that must not end before the process does.
    pub fn spawn_forever(&self, name: &'static str, work: impl Future<Output = Result<(), String>> + Send + 'static) {
        let (failures, stop) = (self.failures.clone(), self.stop.clone());
        self.spawn(name, async move {
            let reason = match work.await {
                Err(reason) => reason,
                Ok(()) if stop.is_cancelled() => return,
                Ok(()) => "it ended".to_owned(),
            };
            if failures.try_send(TaskFailure { task: name.to_owned(), reason }).is_err() {
                tracing::debug!("a failure that stops the process is known already");
            }
        });
    }

    /// Asks all tasks to end and waits for them.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => {
            // A payload is any value; the two kinds that `panic!` makes are text.
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            format!("it panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
        }
        Err(error) => format!("it was aborted: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn e_25_a_panic_is_reported_with_the_name_of_its_task() {
        let (supervisor, mut failures) = Supervisor::new();
        supervisor.spawn("poller", async { panic!("the sky fell") });
        let failure = failures.recv().await.expect("a failure");
        assert_eq!(failure.to_string(), "keep task poller running: it panicked: the sky fell");
        supervisor.stop().await;
    }

    #[tokio::test]
    async fn a_task_that_must_not_end_is_reported_when_it_does_unless_all_stops() {
        let (supervisor, mut failures) = Supervisor::new();
        supervisor.spawn_forever("chain", async { Ok(()) });
        assert_eq!(failures.recv().await.expect("a failure").to_string(), "keep task chain running: it ended");
        let stopping = supervisor.stopping();
        supervisor.spawn_forever("server", async move {
            stopping.cancelled().await;
            Ok(())
        });
        supervisor.stop().await;
        assert!(failures.try_recv().is_err());
    }
}

//! One request for many: questions that come up while another one is on its way go out together in the next.

use std::sync::{Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::oneshot;

/// Questions that wait for the request before theirs. Whoever's turn it is asks for everybody.
#[derive(Debug)]
pub struct Gathering<Q, A> {
    waiting: Mutex<Vec<(Q, oneshot::Sender<A>)>>,
    /// Held by whoever asks for all.
    asking: tokio::sync::Mutex<()>,
    at_once_max: usize,
}

/// Why a question has no answer.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum NotAnswered<E> {
    /// The request that this caller made for everybody failed.
    #[error(transparent)]
    Failed(E),
    /// The request that another caller made failed, or was given up. That one knows why.
    #[error("the request it was part of failed")]
    WithOthers,
}

impl<Q, A> Gathering<Q, A> {
    /// For requests of at most so many questions.
    #[must_use]
    pub const fn new(at_once_max: usize) -> Self {
        Self { waiting: Mutex::new(Vec::new()), asking: tokio::sync::Mutex::const_new(()), at_once_max }
    }

    /// The answer to a question. `request` gives as many answers as it is given questions, in their order; what it leaves out is
    /// told [`NotAnswered::WithOthers`].
    ///
    /// # Errors
    /// [`NotAnswered`]. Nothing is asked again.
    pub async fn ask<F, E>(&self, question: Q, request: impl Fn(Vec<Q>) -> F) -> Result<A, NotAnswered<E>>
    where
        F: Future<Output = Result<Vec<A>, E>>,
    {
        let mut answered = self.put(question);
        loop {
            let _turn = tokio::select! {
                biased;
                answer = &mut answered => return answer.map_err(|_| NotAnswered::WithOthers),
                turn = self.asking.lock() => turn,
            };
            let (questions, askers): (Vec<Q>, Vec<_>) = self.take().into_iter().unzip();
            for (asker, answer) in askers.into_iter().zip(request(questions).await.map_err(NotAnswered::Failed)?) {
                // Whoever asked may be gone by now.
                let _gone = asker.send(answer);
            }
        }
    }

    fn put(&self, question: Q) -> oneshot::Receiver<A> {
        let (asker, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((question, asker));
        answered
    }

    /// The oldest ones, as many as fit a request. Whoever went away is not asked for.
    fn take(&self) -> Vec<(Q, oneshot::Sender<A>)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(_, asker)| !asker.is_closed());
        let count = waiting.len().min(self.at_once_max);
        waiting.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::{convert::Infallible, sync::atomic::AtomicUsize, sync::atomic::Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[test]
    fn a_request_takes_the_oldest_questions_and_none_that_nobody_waits_for() {
        let gathering = Gathering::<u16, ()>::new(256);
        let mut kept: Vec<_> = (0..300).map(|number| gathering.put(number)).collect();
        kept.remove(0);
        let first = gathering.take();
        assert_eq!((first.len(), first[0].0), (256, 1));
        assert_eq!(gathering.take().len(), 299 - 256);
        assert!(gathering.take().is_empty());
    }

    #[tokio::test]
    async fn everybody_gets_the_own_answer_from_few_requests() {
        let (gathering, requests) = (Gathering::new(100), AtomicUsize::new(0));
        let double = |questions: Vec<u32>| async {
            requests.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(questions.into_iter().map(|question| question * 2).collect())
        };
        let answers = join_all((0..150).map(|question| gathering.ask(question, double))).await;
        assert!(answers.into_iter().zip(0..).all(|(answer, question)| answer == Ok(question * 2)));
        // The first asks alone, since nobody had asked yet; the others fit into two.
        assert_eq!(requests.into_inner(), 3);
    }

    #[tokio::test]
    async fn a_failure_is_told_in_full_to_whoever_made_the_request() {
        let gathering = Gathering::<u32, u32>::new(100);
        let refused = |_: Vec<u32>| async {
            tokio::task::yield_now().await;
            Err("no")
        };
        let answers = join_all((0..3).map(|question| gathering.ask(question, refused))).await;
        let failed = Err(NotAnswered::Failed("no"));
        assert_eq!(answers, [failed, Err(NotAnswered::Failed("no")), Err(NotAnswered::WithOthers)]);
    }
}

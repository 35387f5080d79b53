//! What became of signatures. A bot with a hundred transactions on their way asks about each of them many times a second:
//! questions that come up while another one is on its way go out together, in one request.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;
use tokio::sync::oneshot;

use super::{ChainError, RpcChain, SignatureStatus, StatusAnswer, rpc::WithContext};

/// Signatures in one request, as RPC nodes allow.
const SIGNATURES_PER_REQUEST: usize = 256;
const DOING: &str = "fetch the status of transactions";

/// Questions that wait for the request before theirs.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<Vec<Question>>,
    /// Held by whoever asks for all.
    asking: tokio::sync::Mutex<()>,
}

struct Question {
    signature: [u8; 64],
    answer: oneshot::Sender<StatusAnswer>,
}

impl Questions {
    fn put(&self, signature: [u8; 64]) -> oneshot::Receiver<StatusAnswer> {
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Question { signature, answer });
        answered
    }

    /// The oldest ones, as many as fit a request. Whoever went away is not asked for.
    fn take(&self) -> Vec<Question> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|question| !question.answer.is_closed());
        let count = waiting.len().min(SIGNATURES_PER_REQUEST);
        waiting.drain(..count).collect()
    }
}

impl RpcChain {
    /// By the word of whichever endpoint answers. Whoever's turn it is asks for everybody; if that fails, the others are
    /// told so and ask again at their own pace.
    pub(super) async fn status_of(&self, signature: [u8; 64]) -> Result<StatusAnswer, ChainError> {
        let questions = self.questions();
        let mut answered = questions.put(signature);
        loop {
            let _turn = tokio::select! {
                biased;
                answer = &mut answered => {
                    return answer.map_err(|_| self.not_understood(DOING, "the request it was part of failed"));
                }
                turn = questions.asking.lock() => turn,
            };
            let batch = questions.take();
            let signatures: Vec<[u8; 64]> = batch.iter().map(|question| question.signature).collect();
            for (question, answer) in batch.into_iter().zip(self.ask_statuses(&signatures).await?) {
                // Whoever asked may be gone by now.
                let _gone = question.answer.send(answer);
            }
        }
    }

    /// One request, and as many answers, in the order asked for; at most [`SIGNATURES_PER_REQUEST`].
    pub(super) async fn ask_statuses(&self, signatures: &[[u8; 64]]) -> Result<Vec<StatusAnswer>, ChainError> {
        let texts: Vec<String> = signatures.iter().map(|bytes| Signature::from(*bytes).to_string()).collect();
        let params = json!([texts, {"searchTransactionHistory": true}]);
        // A node that lags may say what it knows; what it does not know counts only with its slot.
        let answer: WithContext<Vec<Option<Status>>> =
            self.ask(DOING, RpcRequest::GetSignatureStatuses, params).await?;
        if answer.value.len() != signatures.len() {
            return Err(self.not_understood(DOING, "another number of statuses than asked for"));
        }
        let slot = answer.context.slot;
        Ok(answer.value.into_iter().map(|status| StatusAnswer { slot, status: known(status) }).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    slot: u64,
    err: Option<Value>,
    confirmation_status: Option<String>,
}

fn known(status: Option<Status>) -> SignatureStatus {
    match status {
        None => SignatureStatus::Unknown,
        Some(status) if status.confirmation_status.as_deref() == Some("processed") => SignatureStatus::Processed,
        Some(Status { slot, err, .. }) => {
            let error = err.filter(|error| !error.is_null()).map(|error| error.to_string());
            SignatureStatus::Confirmed { slot, error }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_the_oldest_questions_and_none_that_nobody_waits_for() {
        let questions = Questions::default();
        let mut kept: Vec<_> = (0..300_u16).map(|number| questions.put([number.to_le_bytes()[0]; 64])).collect();
        kept.remove(0);
        let first = questions.take();
        assert_eq!((first.len(), first[0].signature), (SIGNATURES_PER_REQUEST, [1; 64]));
        assert_eq!(questions.take().len(), 299 - SIGNATURES_PER_REQUEST);
        assert!(questions.take().is_empty());
    }
}

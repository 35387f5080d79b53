//! What became of signatures. Whoever posts a hundred jobs at once asks about a hundred transactions many times a second: those
//! that are asked about at about the same time go into one request.

use std::time::Duration;

use solana_signature::Signature;
use solana_transaction_status_client_types::TransactionStatus;
use tokio::time::Instant;

use super::Client;
use crate::{
    errors::ClientError,
    gathering::{Gathering, NotAnswered},
};

/// Signatures in one request, as RPC nodes allow.
const SIGNATURES_PER_REQUEST: usize = 256;

/// Questions on their way, of all clones of a client.
pub(super) struct Questions {
    gathering: Gathering<Signature, Option<TransactionStatus>>,
    began: Instant,
}

impl Default for Questions {
    fn default() -> Self {
        Self { gathering: Gathering::new(SIGNATURES_PER_REQUEST), began: Instant::now() }
    }
}

impl Client {
    /// The status of a transaction that the endpoint has not forgotten yet, which it does after some minutes.
    pub(super) async fn recent_status(&self, signature: &Signature) -> Result<Option<TransactionStatus>, ClientError> {
        let ask = |signatures: Vec<Signature>| async move {
            let answer = self.read("read signatures", || self.rpc.get_signature_statuses(&signatures)).await?;
            Ok::<_, ClientError>(answer.value)
        };
        match self.states.gathering.ask(*signature, ask).await {
            Ok(status) => Ok(status),
            Err(NotAnswered::Failed(error)) => Err(error),
            // Why is not known here: this caller's own request says it.
            Err(NotAnswered::WithOthers) => Ok(ask(vec![*signature]).await?.into_iter().next().flatten()),
        }
    }

    /// Until everybody looks again who waits for a transaction: at the same moments, so that they share requests.
    pub(super) async fn until_next_look(&self) {
        let interval = self.config.poll_interval.max(Duration::from_millis(1));
        let looks = self.states.began.elapsed().div_duration_f64(interval).floor() + 1.0;
        tokio::time::sleep_until(self.states.began + interval.mul_f64(looks)).await;
    }
}

//! What became of signatures. A bot with a hundred transactions on their way asks about each of them many times a second:
//! questions that come up while another one is on its way go out together, in one request.

use assay_sdk::gathering::{Gathering, NotAnswered};
use serde::Deserialize;
use serde_json::{Value, json};
use solana_rpc_client_api::request::RpcRequest;
use solana_signature::Signature;

use super::{ChainError, RpcChain, SignatureStatus, StatusAnswer, rpc::WithContext};

/// Signatures in one request, as RPC nodes allow.
const SIGNATURES_PER_REQUEST: usize = 256;
const DOING: &str = "fetch the status of transactions";

/// Questions that wait for the request before theirs.
pub(super) type Questions = Gathering<[u8; 64], StatusAnswer>;

/// None yet.
pub(super) const fn questions() -> Questions {
    Gathering::new(SIGNATURES_PER_REQUEST)
}

impl RpcChain {
    /// By the word of whichever endpoint answers. Whoever's turn it is asks for everybody; if that fails, the others are
    /// told so and ask again at their own pace.
    pub(super) async fn status_of(&self, signature: [u8; 64]) -> Result<StatusAnswer, ChainError> {
        let ask = |signatures: Vec<_>| async move { self.ask_statuses(&signatures).await };
        self.questions().ask(signature, ask).await.map_err(|error| match error {
            NotAnswered::Failed(error) => error,
            error @ NotAnswered::WithOthers => self.not_understood(DOING, error.to_string()),
        })
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

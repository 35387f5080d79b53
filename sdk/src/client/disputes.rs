//! Disputes, their challenges and their votes, listed.

use super::Client;
use crate::{
    accounts::{ChallengeFilter, DisputeFilter, Keyed, VoteFilter},
    errors::ClientError,
    program::accounts::{Challenge, Dispute, Vote},
};

impl Client {
    /// The disputes that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_disputes(&self, filter: &DisputeFilter) -> Result<Vec<Keyed<Dispute>>, ClientError> {
        self.list(filter.to_rpc()).await
    }

    /// The challenges that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_challenges(&self, filter: &ChallengeFilter) -> Result<Vec<Keyed<Challenge>>, ClientError> {
        self.list(filter.to_rpc()).await
    }

    /// The votes that pass a filter.
    ///
    /// # Errors
    /// A failure of the endpoint.
    pub async fn list_votes(&self, filter: &VoteFilter) -> Result<Vec<Keyed<Vote>>, ClientError> {
        self.list(filter.to_rpc()).await
    }
}

//! What a market's record says of a metered module: whether seats that ran it gave different outcomes.

use assay_sdk::{Client, pda::ModuleSeeds, program::accounts::Module};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::error::{CliResult, Hint};

/// The record of a module in a market.
#[derive(Debug, Serialize)]
pub(super) struct ModuleJson {
    /// Jobs whose seats gave different outcomes.
    collisions: u32,
    /// Most different outcomes of one of them.
    distinct_max: u8,
    /// How much the results of each differed, on average, 1/1,000 bit.
    entropy_millibits: u64,
    /// The last of these jobs; it may be closed.
    last_job: String,
}

impl ModuleJson {
    /// `None` when nothing is on record.
    pub(super) async fn read(client: &Client, market: Pubkey, metered_hash: [u8; 32]) -> CliResult<Option<Self>> {
        let address = ModuleSeeds { market, metered_hash }.address();
        let found: Option<Module> = client.fetch_optional(&address).await.hint()?;
        Ok(found.map(|module| Self {
            collisions: module.collisions,
            distinct_max: module.distinct_max,
            entropy_millibits: module.entropy_millibits_sum.checked_div(module.collisions.into()).unwrap_or_default(),
            last_job: module.last_job.to_string(),
        }))
    }

    /// It in one sentence. Who was right is another question: a liar differs, too.
    pub(super) fn text(&self) -> String {
        let Self { collisions, distinct_max, last_job, .. } = self;
        let jobs = if *collisions == 1 { "one job".to_owned() } else { format!("{collisions} jobs") };
        format!(
            "seats that ran this module gave different outcomes in {jobs}, up to {distinct_max} in one, last in {last_job}: somebody \
             lied, or the module does not give the same everywhere (`assay verify` on several machines tells)"
        )
    }
}

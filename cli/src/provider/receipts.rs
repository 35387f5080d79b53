//! `assay provider receipts`: what the bot on this machine signed.

use std::fs;

use assay_executor::{config, receipt_package, receipts};
use assay_sdk::Receipt;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    error::{CliError, CliResult, Context as _},
    job::state::outcome_text,
    output::{Output, grouped, shown_path, table},
    provider::ReceiptsArgs,
};

/// A receipt that is kept.
#[derive(Debug, Serialize)]
struct Row {
    job: Option<String>,
    job_uid: String,
    outcome: String,
    gas_used: u64,
    /// Of the published receipt.
    cid: String,
    path: String,
}

/// Runs `assay provider receipts`. The bot's own configuration says where; it may be running.
pub fn list(output: Output, args: &ReceiptsArgs) -> CliResult {
    let config = config::load(&args.config, std::env::vars()).context("cannot find the bot's receipts")?;
    let data_dir = &config.provider.data_dir;
    let found = receipts(data_dir, args.limit.into())
        .context(format!("cannot read the receipts in {}", shown_path(data_dir)))
        .next("run it as the bot's own user")?;
    let mut rows = Vec::with_capacity(found.len());
    for (uid, path) in found {
        let named = format!("cannot read the receipt {}", shown_path(&path));
        let json = fs::read(&path).context(named.clone())?;
        let receipt = Receipt::from_json(&json).context(named)?;
        let package = receipt_package(&json).map_err(CliError::from)?;
        rows.push(Row {
            job: receipt.posting.map(|posting| Pubkey::from(posting.job).to_string()),
            job_uid: uid.to_string(),
            outcome: outcome_text(&receipt.outcome),
            gas_used: receipt.outcome.gas_used,
            cid: package.root.to_string(),
            path: path.display().to_string(),
        });
    }
    output.result(&rows, || {
        let mut shown = table(["job", "outcome", "gas", "receipt"]);
        for row in &rows {
            shown.add_row([
                row.job.clone().unwrap_or_else(|| "none".to_owned()),
                row.outcome.clone(),
                grouped(row.gas_used),
                row.cid.clone(),
            ]);
        }
        println!("{shown}");
        if let Some(row) = rows.first() {
            println!("next: assay receipt show {}", row.cid);
        }
    });
    Ok(())
}

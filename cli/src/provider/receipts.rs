//! `assay provider receipts`: what the bot on this machine signed.

use assay_executor::{config, is_published, read_receipt, receipt_package, receipts};
use assay_sdk::Receipt;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    ended::{Ended, outcome_text},
    error::{CliResult, Context as _},
    output::{Output, grouped, shown_path, table},
    provider::ReceiptsArgs,
};

/// A receipt that is kept.
#[derive(Debug, Serialize)]
struct Row {
    job_uid: String,
    path: String,
    /// What it says.
    #[serde(flatten)]
    said: Option<Said>,
    /// Why nobody can tell; the others are listed all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What a receipt says.
#[derive(Debug, Serialize)]
struct Said {
    job: Option<String>,
    /// Whether the content nodes have it, under its CID.
    published: bool,
    #[serde(flatten)]
    ended: Ended,
    gas_used: u64,
    receipt_hash: String,
    /// Of the receipt once it is published.
    cid: String,
    #[serde(skip)]
    text: String,
}

impl Said {
    fn by(json: &[u8], published: bool) -> Result<Self, String> {
        let receipt = Receipt::from_json(json).map_err(|error| error.to_string())?;
        let package = receipt_package(json).map_err(|error| error.to_string())?;
        Ok(Self {
            job: receipt.posting.map(|posting| Pubkey::from(posting.job).to_string()),
            published,
            ended: Ended::of_outcome(&receipt.outcome, None),
            gas_used: receipt.outcome.gas_used,
            receipt_hash: hex::encode(receipt.canonical().hash()),
            cid: package.root.to_string(),
            text: outcome_text(&receipt.outcome),
        })
    }
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
        let said = match read_receipt(data_dir, uid) {
            // The bot let it go meanwhile.
            Ok(None) => continue,
            Ok(Some(json)) => Said::by(&json, is_published(data_dir, uid)),
            Err(error) => Err(error.to_string()),
        };
        let (said, error) = match said {
            Ok(said) => (Some(said), None),
            Err(error) => (None, Some(error)),
        };
        rows.push(Row { job_uid: uid.to_string(), path: path.display().to_string(), said, error });
    }
    output.result(&rows, || print(&rows));
    Ok(())
}

fn print(rows: &[Row]) {
    let mut shown = table(["job", "outcome", "gas", "published", "receipt"]);
    for Row { path, said, .. } in rows {
        let Some(said) = said else { continue };
        shown.add_row([
            said.job.clone().unwrap_or_else(|| "none".to_owned()),
            said.text.clone(),
            grouped(said.gas_used),
            if said.published { "yes" } else { "not yet" }.to_owned(),
            if said.published { said.cid.clone() } else { path.clone() },
        ]);
    }
    println!("{shown}");
    for Row { path, error, .. } in rows {
        if let Some(error) = error {
            println!("{path} cannot be read: {error}");
        }
    }
    let readable = rows.iter().find_map(|row| row.said.as_ref().map(|said| (row, said)));
    if let Some((row, said)) = readable {
        // A CID names nothing that can be fetched until the nodes have it.
        println!("next: assay receipt show {}", if said.published { &said.cid } else { &row.path });
    }
}

//! Where receipts are read from and written to. A receipt is a stranger's file: read up to its bound, parsed strictly.

use std::{fs::File, io::Read, path::Path};

use assay_content::{Cid, Entry, parse_cid};
use assay_sdk::receipt::{RECEIPT_FILE_NAME, RECEIPT_JSON_BYTES_MAX, Receipt};

use crate::{
    chain::Chain,
    context::{Context, GlobalArgs},
    error::{CliError, CliResult, Context as _},
    output::{shown_path, write_new},
};

const NEXT: &str = "name a receipt.json, or the CID of a published receipt";

/// Reads a receipt from a file; what is no file and is a CID is fetched from the content node.
pub async fn load(globals: &GlobalArgs, named: &str) -> CliResult<Receipt> {
    let path = Path::new(named);
    match parse_cid(named) {
        Ok(cid) if !path.exists() => parse(path, &fetch(globals, &cid).await?),
        _ => load_file(path),
    }
}

/// Reads a receipt from a file.
pub fn load_file(path: &Path) -> CliResult<Receipt> {
    let bytes = read(path).context(format!("cannot read the receipt {}", shown_path(path))).next(NEXT)?;
    parse(path, &bytes)
}

fn parse(named: &Path, bytes: &[u8]) -> CliResult<Receipt> {
    Receipt::from_json(bytes).context(format!("{} is no receipt", shown_path(named))).next(NEXT)
}

fn read(path: &Path) -> CliResult<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than there may be, so that too much is seen.
    let limit = u64::try_from(RECEIPT_JSON_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

async fn fetch(globals: &GlobalArgs, cid: &Cid) -> CliResult<Vec<u8>> {
    let context = Context::new(globals)?;
    let chain = Chain::unchecked(&context).with_content(&context)?;
    let fetched = chain.fetcher()?.fetch(cid).await.context(format!("cannot fetch the receipt {cid}"));
    let entries = fetched.next("ask the provider for the file, or check the content nodes: assay doctor")?;
    let file = entries.iter().find(|entry| entry.path == RECEIPT_FILE_NAME).and_then(Entry::bytes);
    let bytes = file.ok_or_else(|| {
        CliError::new(format!("{cid} is no receipt: it has no file {RECEIPT_FILE_NAME}")).with_next(NEXT)
    })?;
    Ok(bytes.to_vec())
}

/// Writes a new file.
pub fn write(path: &Path, receipt: &Receipt) -> CliResult {
    write_new(path, receipt.to_json().as_bytes())
}

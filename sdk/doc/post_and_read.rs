use assay_sdk::{Client, JobSpec, JobView, Pubkey, WaitOptions};
use std::{error::Error, path::Path};

/// Posts the job in `directory`, waits until its outcome is final, and returns it with the job's standard output.
pub async fn post_and_read(
    client: &Client,
    market: Pubkey,
    directory: &Path,
) -> Result<(JobView, Vec<u8>), Box<dyn Error>> {
    let spec = JobSpec::builder(directory, market).price(2_000_000).build()?;
    let prepared = client.prepare_job(&spec).await?;
    let quote = client.quote(&spec, &prepared).await?;
    println!("costs at most {} lamports", quote.total_lamports);
    let posted = client.post_prepared(&spec, prepared, quote).await?;
    let job = posted.handle.wait(WaitOptions::default(), |job| println!("{:?}", job.status)).await?;
    let logs = posted.handle.logs().await?;
    Ok((job, logs.stdout.to_vec()))
}

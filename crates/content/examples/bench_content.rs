//! How long a 50 MB job directory takes: pack, upload to a content node, fetch, verify, each with a target of one
//! second in the dev profile. `cargo run -p assay-content --example bench_content`; exits with 1 over the target.

use std::{
    error::Error,
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use assay_content::{
    BlockStore, Budget, ContentNode, FetchLimits, Fetcher, KuboClient, NodeConfig, PackLimits, Source, StoreLimits,
    pack_path, unpack,
};

const TARGET: Duration = Duration::from_secs(1);
const ROUNDS: usize = 5;

/// Files, their size and their directory: 50 MB from one large file to thousands of tiny ones.
const SHAPE: &[(usize, usize, &str)] =
    &[(1, 20_000_000, "model"), (10, 1_500_000, "images"), (1_000, 10_000, "rows"), (2_500, 2_000, "notes")];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let job = scratch.path().join("job");
    let files = write_job(&job)?;
    let mut times: Vec<[Duration; 4]> = Vec::new();
    let mut bytes = 0;
    for round in 0..ROUNDS {
        let at = |name: &str| scratch.path().join(format!("{name}-{round}"));
        let remote = BlockStore::open(&at("node"), StoreLimits::default())?;
        let local = BlockStore::open(&at("local"), StoreLimits::default())?;
        let node = ContentNode::start(NodeConfig::loopback(remote)).await?;

        let begun = Instant::now();
        let package = pack_path(&job, PackLimits::default())?;
        let pack = begun.elapsed();
        bytes = package.file_bytes;

        let begun = Instant::now();
        KuboClient::new(node.rpc_url(), Duration::from_secs(60))?.dag_import(&package).await?;
        let upload = begun.elapsed();

        let sources = vec![Source::Gateway(node.gateway_url())];
        let fetcher = Fetcher::new(local.clone(), sources, FetchLimits::default())?;
        let begun = Instant::now();
        let entries = fetcher.fetch(&package.root).await?;
        let fetch = begun.elapsed();

        let begun = Instant::now();
        let again = unpack(package.root, &local, &Budget::PROFILE)?;
        let verify = begun.elapsed();
        assert_eq!(entries, again);
        times.push([pack, upload, fetch, verify]);
        node.shutdown().await?;
    }
    println!("{files} files, {bytes} bytes, {ROUNDS} rounds; target {TARGET:?} each\n");
    println!("| step | median ms | slowest ms |\n|---|---|---|");
    let mut met = true;
    for (at, step) in
        ["pack from disk", "upload and pin", "fetch into an empty store", "verify from the store"].iter().enumerate()
    {
        let mut column: Vec<_> = times.iter().map(|round| round[at]).collect();
        column.sort_unstable();
        let (median, slowest) = (column[ROUNDS / 2], column[ROUNDS - 1]);
        met &= median <= TARGET;
        println!("| {step} | {} | {} |", median.as_millis(), slowest.as_millis());
    }
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Bytes that repeat nowhere, the same in every run.
fn write_job(job: &Path) -> Result<usize, Box<dyn Error>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut files = 0;
    for (count, size, name) in SHAPE {
        let directory = job.join(name);
        fs::create_dir_all(&directory)?;
        for number in 0..*count {
            let mut content = Vec::with_capacity(size + 8);
            while content.len() < *size {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                content.extend_from_slice(&state.to_le_bytes());
            }
            content.truncate(*size);
            fs::write(directory.join(format!("{number:05}.bin")), content)?;
            files += 1;
        }
    }
    Ok(files)
}

//! Speaks to a real Kubo and a real trustless gateway:
//!
//! ```text
//! IPFS_API_URL=http://127.0.0.1:5001 IPFS_GATEWAY_URL=http://127.0.0.1:8080 \
//!     cargo run -p assay-content --example interop_content
//! ```
//!
//! Imports a directory with a nested file, a file of several chunks and a HAMT, checks the root that the daemon
//! reports, and fetches it back through both, block hashes verified. Leaves one pin behind.

use std::{env, error::Error, time::Duration};

use assay_content::{BlockStore, Budget, Entry, FetchLimits, Fetcher, KuboClient, Source, StoreLimits, pack_entries};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let api = env::var("IPFS_API_URL").map_err(|_| "IPFS_API_URL is not set; start a Kubo and give its RPC address")?;
    let gateway = env::var("IPFS_GATEWAY_URL").ok();
    let mut entries = vec![
        Entry::file("manifest.json", "{}"),
        Entry::file(
            "data/chunks.bin",
            (0..3_000_000_u32).flat_map(u32::to_le_bytes).take(5_000_000).collect::<Vec<_>>(),
        ),
        Entry::directory("empty"),
    ];
    entries.extend((0..6_000).map(|n| Entry::file(format!("many/file-{n:05}.txt"), n.to_string())));
    let package = pack_entries(entries)?;

    let client = KuboClient::new(api.parse()?, Duration::from_secs(120))?;
    println!("{}: version {}", client.name(), client.version().await?.version);
    client.dag_import(&package).await?;
    println!("imported and pinned {}", package.root);
    assert!(client.pin_ls().await?.contains(&package.root), "the root is pinned");
    assert_eq!(client.cat(&format!("/ipfs/{}/many/file-04711.txt", package.root), 100).await?, "4711");
    let listed = client.ls(&package.root.to_string()).await?;
    println!("listed {:?}", listed.iter().map(|link| link.name.as_str()).collect::<Vec<_>>());

    let sources = [Some(Source::Kubo(api.parse()?)), gateway.map(|url| url.parse().map(Source::Gateway)).transpose()?];
    for source in sources.into_iter().flatten() {
        let directory = tempfile::tempdir()?;
        let store = BlockStore::open(directory.path(), StoreLimits::default())?;
        let limits = FetchLimits { budget: Budget::PROFILE, ..FetchLimits::default() };
        let entries = Fetcher::new(store, vec![source.clone()], limits)?.fetch(&package.root).await?;
        println!("fetched {} entries from {source:?}", entries.len());
        assert_eq!(pack_entries(entries)?.root, package.root);
    }
    println!("all agree");
    Ok(())
}

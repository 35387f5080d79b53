//! The fetcher against honest and dishonest sources, over real HTTP on loopback.

use std::time::{Duration, Instant};

use assay_content::{
    Budget, ContentNode, Entry, FetchError, FetchLimits, Fetcher, HttpError, KuboClient, NodeConfig, Package, Source,
    SourceError, UnpackError, car, cid_from_digest, pack_entries,
};

use crate::{
    doubles::{Double, Reply, Then, car_of},
    packing::noise,
    stores::{Scratch, scratch},
};

/// Patient, so that an honest source on a busy machine is never taken for a silent one.
pub fn limits() -> FetchLimits {
    FetchLimits {
        budget: Budget::PROFILE,
        deadline: Duration::from_secs(120),
        connect_timeout: Duration::from_secs(30),
        silence_timeout: Duration::from_secs(30),
        bytes_per_s_min: 10_000,
        hedge_after: Duration::from_secs(60),
        parallel_sources: 2,
    }
}

/// Deadlines in milliseconds, for sources that are late on purpose: waiting for one costs nothing.
fn impatient() -> FetchLimits {
    FetchLimits { silence_timeout: Duration::from_millis(150), ..limits() }
}

pub fn sample() -> Package {
    pack_entries(sample_entries()).unwrap()
}

fn sample_entries() -> Vec<Entry> {
    vec![
        Entry::file("data/big.bin", noise((2 << 20) + 7)),
        Entry::file("data/small.txt", "small"),
        Entry::directory("empty"),
        Entry::file("manifest.json", "{}"),
    ]
}

struct Honest {
    _scratch: Scratch,
    node: ContentNode,
}

async fn honest(package: &Package) -> Honest {
    let scratch = scratch(1 << 30);
    scratch.store.put_package(package).unwrap();
    let node = ContentNode::start(NodeConfig::loopback(scratch.store.clone())).await.unwrap();
    Honest { _scratch: scratch, node }
}

fn fetcher(sources: Vec<Source>) -> (Scratch, Fetcher) {
    let scratch = scratch(1 << 30);
    let fetcher = Fetcher::new(scratch.store.clone(), sources, limits()).unwrap();
    (scratch, fetcher)
}

fn files(entries: &[Entry]) -> Vec<&Entry> {
    entries.iter().filter(|entry| entry.bytes().is_some()).collect()
}

fn assert_is_sample(entries: &[Entry]) {
    let sample = sample_entries();
    assert_eq!(files(entries), files(&sample));
}

/// Fetches from the misbehaving source alone and gives what was said about it.
async fn refusal(source: Source, package: &Package) -> SourceError {
    refusal_within(limits(), source, package).await
}

async fn refusal_within(limits: FetchLimits, source: Source, package: &Package) -> SourceError {
    let scratch = scratch(1 << 30);
    let fetcher = Fetcher::new(scratch.store.clone(), vec![source], limits).unwrap();
    match fetcher.fetch(&package.root).await.unwrap_err() {
        FetchError::Unavailable { mut reports, .. } => {
            assert_eq!(reports.len(), 1);
            reports.remove(0).error
        }
        other => panic!("expected a report, got {other}"),
    }
}

#[tokio::test]
async fn a_package_is_fetched_from_kubo_and_from_a_gateway_and_then_from_the_store() {
    let package = sample();
    let honest = honest(&package).await;
    for source in [Source::Kubo(honest.node.rpc_url()), Source::Gateway(honest.node.gateway_url())] {
        let (scratch, fetcher) = fetcher(vec![source]);
        assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
        scratch.store.pin(&package.root).unwrap();
        let offline = Fetcher::new(scratch.store.clone(), vec![], limits()).unwrap();
        assert_is_sample(&offline.fetch(&package.root).await.unwrap());
    }
}

#[tokio::test]
async fn c01_a_tampering_gateway_is_found_out_demoted_and_the_next_one_asked() {
    let package = sample();
    let honest = honest(&package).await;
    let mut car = car_of(&package);
    let middle = car.len() / 2;
    car[middle] ^= 1;
    let liar = Double::always(Reply::car(car, Then::Close)).await;
    let (_scratch, fetcher) = fetcher(vec![Source::Gateway(liar.url()), Source::Gateway(honest.node.gateway_url())]);
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    let ranking = fetcher.ranking();
    assert_eq!(ranking[0].1, 0, "the honest one comes first now");
    assert!(ranking[1].1 >= 1_000, "the liar has a liar's demerits");
    let error = refusal(Source::Gateway(liar.url()), &package).await;
    assert!(error.is_lie(), "{error}");
}

#[tokio::test]
async fn c01_a_lie_block_by_block_is_found_out_too() {
    let package = sample();
    let liar = Double::start(|line| match line.contains("format=car") {
        true => Reply::status("406 Not Acceptable"),
        false => Reply::raw("not the block"),
    });
    let liar = liar.await;
    let error = refusal(Source::Gateway(liar.url()), &package).await;
    assert!(error.is_lie(), "{error}");
}

#[tokio::test]
async fn a_gateway_without_cars_is_read_block_by_block() {
    let package = sample();
    let blocks = package.clone();
    let plain = Double::start(move |line| {
        let block = blocks.blocks.iter().find(|(cid, _)| line.contains(&cid.to_string()));
        match (line.contains("format=raw"), block) {
            (true, Some((_, block))) => Reply::raw(block.clone()),
            (true, None) => Reply::status("404 Not Found"),
            (false, _) => Reply::new("200 OK", "content-type: text/html\r\n", "<html>", Then::Close),
        }
    });
    let plain = plain.await;
    let (_scratch, fetcher) = fetcher(vec![Source::Gateway(plain.url())]);
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    assert!(plain.requests().len() > 5);
}

/// A gateway that begins a CAR, keeps silent after `car_blocks` of its blocks, and has every block by itself.
async fn begins_cars(package: &Package, car_blocks: usize) -> Double {
    let parents_first = Package { blocks: package.blocks.iter().rev().cloned().collect(), ..package.clone() };
    let begun = Package { blocks: parents_first.blocks[..car_blocks].to_vec(), ..package.clone() };
    let (car, blocks) = (car_of(&begun), package.blocks.clone());
    let double = Double::start(move |line| {
        let block = blocks.iter().find(|(cid, _)| line.contains(&cid.to_string()));
        match (line.contains("format=car"), block) {
            (true, _) => Reply::car(car.clone(), Then::Silence),
            (false, Some((_, block))) => Reply::raw(block.clone()),
            (false, None) => Reply::status("404 Not Found"),
        }
    });
    double.await
}

#[tokio::test]
async fn what_the_store_has_is_not_fetched_again() {
    let (old, mut entries) = (sample(), sample_entries());
    entries[3] = Entry::file("manifest.json", "{ }");
    entries.push(Entry::file("data/new.txt", "new"));
    let package = pack_entries(entries).unwrap();
    // The root comes first and the changed directory next. The large file below it is stored, so no more is needed.
    let double = begins_cars(&package, 2).await;
    let (scratch, fetcher) = fetcher(vec![Source::Gateway(double.url())]);
    scratch.store.put_package(&old).unwrap();
    let entries = fetcher.fetch(&package.root).await.unwrap();
    assert_eq!(pack_entries(entries).unwrap().root, package.root);
    let new: Vec<_> =
        package.blocks.iter().filter(|(cid, _)| !old.blocks.iter().any(|(known, _)| known == cid)).collect();
    assert_eq!(new.len(), 4, "two files and the directories above them");
    let asked = double.requests();
    assert_eq!(asked.iter().filter(|request| request.contains("format=car")).count(), 1);
    assert_eq!(asked.len(), 1 + 2, "{asked:?}");
    scratch.store.pin(&package.root).unwrap();
}

#[tokio::test]
async fn a_block_that_the_store_lost_is_fetched_alone() {
    let package = sample();
    let double = begins_cars(&package, 1).await;
    let (scratch, fetcher) = fetcher(vec![Source::Gateway(double.url())]);
    let lost = package.blocks.iter().find(|(_, block)| &block[..] == b"small").unwrap().clone();
    let rest: Vec<_> = package.blocks.iter().filter(|(cid, _)| *cid != lost.0).cloned().collect();
    let mut import = scratch.store.import();
    import.put(&rest).unwrap();
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    let asked: Vec<_> = double.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect();
    assert!(matches!(&asked[..], [_, block] if block.contains(&lost.0.to_string())), "{asked:?}");
    // Now all of it is there, and nobody is asked.
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    assert_eq!(double.requests().len(), asked.len());
}

#[tokio::test]
async fn what_the_store_does_not_have_comes_in_one_request() {
    let package = sample();
    let car = car_of(&package);
    let double = Double::always(Reply::car(car, Then::Close)).await;
    let (scratch, fetcher) = fetcher(vec![Source::Gateway(double.url())]);
    // A small part of it is there, which is no reason to ask for all the others one by one.
    scratch.store.put_package(&pack_entries([Entry::file("manifest.json", "{}")]).unwrap()).unwrap();
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    assert_eq!(double.requests().len(), 1);
}

#[tokio::test]
async fn c12_two_gateways_with_half_each_make_a_whole() {
    let package = sample();
    let mut doubles = Vec::new();
    for half in 0..2 {
        let blocks = package.clone();
        let double = Double::start(move |line| {
            // Directories everywhere, chunks at one of the two only.
            let held = |at: &usize| blocks.blocks[*at].0.codec() == 0x70 || at % 2 == half;
            let at = (0..blocks.blocks.len()).filter(held);
            let block = at.map(|at| &blocks.blocks[at]).find(|(cid, _)| line.contains(&cid.to_string()));
            match (line.contains("format=raw"), block) {
                (true, Some((_, block))) => Reply::raw(block.clone()),
                (true, None) => Reply::status("404 Not Found"),
                (false, _) => Reply::status("501 Not Implemented"),
            }
        });
        doubles.push(double.await);
    }
    let (_scratch, fetcher) = fetcher(doubles.iter().map(|double| Source::Gateway(double.url())).collect());
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
}

#[tokio::test]
async fn c12_extra_duplicate_and_reordered_blocks_do_no_harm_and_missing_ones_are_named() {
    let package = sample();
    let stranger = pack_entries([Entry::file("x", "y")]).unwrap();
    let mut odd = package.clone();
    odd.blocks.reverse();
    odd.blocks.extend(package.blocks.clone());
    odd.blocks.extend(stranger.blocks.clone());
    let double = Double::always(Reply::car(car_of(&odd), Then::Close)).await;
    let (scratch, fetcher) = fetcher(vec![Source::Gateway(double.url())]);
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    assert!(!scratch.store.contains(&stranger.root).unwrap(), "what does not belong to the package is not kept");

    let mut short = package.clone();
    let (lost, _) = short.blocks.remove(0);
    let car = car_of(&short);
    let double = Double::start(move |line| match line.contains("format=car") {
        true => Reply::car(car.clone(), Then::Close),
        false => Reply::status("404 Not Found"),
    });
    let double = double.await;
    let error = refusal(Source::Gateway(double.url()), &package).await;
    assert!(matches!(&error, SourceError::Missing { cid } if **cid == lost), "{error}");
    assert!(
        double.requests().iter().any(|request| request.contains(&lost.to_string())),
        "the lost block was asked for"
    );
}

#[tokio::test]
async fn c04_a_car_cut_anywhere_is_an_error_and_never_a_short_package() {
    let package = pack_entries([Entry::file("a", "1"), Entry::file("b", "2")]).unwrap();
    let car = car_of(&package);
    for cut in [0, 1, 30, car.len() / 2, car.len() - 1] {
        let part = car[..cut].to_vec();
        let double = Double::start(move |line| match line.contains("format=car") {
            true => Reply::car(part.clone(), Then::Close),
            false => Reply::status("404 Not Found"),
        });
        let double = double.await;
        let error = refusal(Source::Gateway(double.url()), &package).await;
        let absent = matches!(error, SourceError::Http(HttpError::NotFound) | SourceError::Missing { .. });
        assert!(absent, "{cut}: {error}");
    }
}

#[tokio::test]
async fn c13_silent_slow_and_endless_sources_are_dropped_in_time() {
    let package = sample();
    let car = car_of(&package);

    let mute = Double::always(Reply { head: String::new(), body: "".into(), then: Then::Silence }).await;
    let at_once = FetchLimits { connect_timeout: Duration::from_millis(150), ..impatient() };
    let error = refusal_within(at_once, Source::Gateway(mute.url()), &package).await;
    assert!(matches!(error, SourceError::Http(HttpError::Silent { silence_ms: 300 })), "{error}");

    let stalls = Double::always(Reply::car(car[..1_000].to_vec(), Then::Silence)).await;
    let error = refusal_within(impatient(), Source::Gateway(stalls.url()), &package).await;
    assert!(matches!(error, SourceError::Http(HttpError::Silent { silence_ms: 150 })), "{error}");

    let drips = Double::always(Reply::car(car[..1_000].to_vec(), Then::Drip)).await;
    let slow = FetchLimits { silence_timeout: Duration::from_millis(500), ..limits() };
    let error = refusal_within(slow, Source::Gateway(drips.url()), &package).await;
    assert!(matches!(error, SourceError::Http(HttpError::TooSlow { bytes_per_s_min: 10_000, .. })), "{error}");

    // A valid block over and over: every byte verifies and it never ends. The cap ends it.
    let (cid, block) = &package.blocks[0];
    let again = [&car::section_prefix(cid, block.len())[..], block].concat();
    let endless = Double::always(Reply::car(car::header(&package.root), Then::Forever(again.into()))).await;
    let mut small = limits();
    small.budget = Budget { file_bytes: 4 << 20, entries: 100, links: 1_000, depth: 8 };
    let error = refusal_within(small, Source::Gateway(endless.url()), &package).await;
    assert!(matches!(error, SourceError::Http(HttpError::TooLarge { .. })), "{error}");
    // The same with tiny blocks: their number ends it before their bytes do.
    let (cid, block) = package.blocks.iter().min_by_key(|(_, block)| block.len()).unwrap();
    let again = [&car::section_prefix(cid, block.len())[..], block].concat();
    let endless = Double::always(Reply::car(car::header(&package.root), Then::Forever(again.into()))).await;
    let error = refusal_within(small, Source::Gateway(endless.url()), &package).await;
    assert!(error.to_string().contains("more than 1000 blocks"), "{error}");
}

#[tokio::test]
async fn c13_the_total_deadline_ends_everything_and_says_who_was_late() {
    let package = sample();
    let drips = Double::always(Reply::car(car_of(&package)[..1_000].to_vec(), Then::Drip)).await;
    let hurry = FetchLimits { deadline: Duration::from_millis(100), ..limits() };
    let scratch = scratch(1 << 30);
    let fetcher = Fetcher::new(scratch.store.clone(), vec![Source::Gateway(drips.url())], hurry).unwrap();
    let error = fetcher.fetch(&package.root).await.unwrap_err();
    let FetchError::Unavailable { reports, .. } = error else { panic!("{error}") };
    assert!(matches!(reports[0].error, SourceError::Http(HttpError::Deadline)));
}

#[tokio::test]
async fn a_slow_source_is_hedged_by_the_next_one() {
    let package = sample();
    let honest = honest(&package).await;
    let mute = Double::always(Reply { head: String::new(), body: "".into(), then: Then::Silence }).await;
    let eager = FetchLimits { hedge_after: Duration::from_millis(20), ..limits() };
    let scratch = scratch(1 << 30);
    let sources = vec![Source::Gateway(mute.url()), Source::Kubo(honest.node.rpc_url())];
    let fetcher = Fetcher::new(scratch.store.clone(), sources, eager).unwrap();
    let begun = Instant::now();
    assert_is_sample(&fetcher.fetch(&package.root).await.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody waited for the silent one");
}

#[tokio::test]
async fn c14_redirects_are_never_followed() {
    let package = sample();
    let target = Double::always(Reply::car(car_of(&package), Then::Close)).await;
    let internal = "http://169.254.169.254/latest/meta-data".to_owned();
    for location in [target.url().to_string(), internal, "file:///etc/passwd".to_owned()] {
        for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let headers = format!("location: {location}\r\ncontent-length: 0\r\n");
            let double = Double::always(Reply::new(status, &headers, "", Then::Close)).await;
            for source in [Source::Gateway(double.url()), Source::Kubo(double.url())] {
                let error = refusal(source, &package).await;
                assert!(
                    matches!(&error, SourceError::Http(HttpError::Redirect { location: said }) if *said == location),
                    "{error}"
                );
            }
        }
    }
    assert_eq!(target.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn c14_a_strangers_endpoint_on_this_machine_is_refused() {
    let double = Double::always(Reply::status("200 OK")).await;
    let scratch = scratch(1 << 30);
    let refused = Fetcher::new(scratch.store.clone(), vec![Source::Discovered(double.url())], limits()).unwrap_err();
    assert!(matches!(refused, FetchError::Source { error: HttpError::NotPublic { .. }, .. }), "{refused}");
    let mut named = double.url();
    named.set_host(Some("localhost")).unwrap();
    let error = refusal(Source::Discovered(named), &sample()).await;
    assert!(matches!(error, SourceError::Http(HttpError::NotPublic { .. })), "{error}");
    assert_eq!(double.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn c13_compressed_answers_are_refused() {
    let headers = "content-type: application/vnd.ipld.car\r\ncontent-encoding: gzip\r\n";
    let double = Double::always(Reply::new("200 OK", headers, "\x1f", Then::Close)).await;
    let error = refusal(Source::Gateway(double.url()), &sample()).await;
    assert!(matches!(&error, SourceError::Http(HttpError::Encoding { encoding }) if encoding == "gzip"), "{error}");
    assert!(double.requests()[0].to_lowercase().contains("accept-encoding: identity"));
}

#[tokio::test]
async fn c15_when_nobody_has_it_every_source_is_named() {
    let package = sample();
    let absent = Double::always(Reply::status("404 Not Found")).await;
    let broken = Double::always(Reply::status("503 Service Unavailable")).await;
    let empty = scratch(1 << 30);
    let node = ContentNode::start(NodeConfig::loopback(empty.store.clone())).await.unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (_scratch, fetcher) = fetcher(vec![
        Source::Gateway(absent.url()),
        Source::Gateway(broken.url()),
        Source::Kubo(node.rpc_url()),
        Source::Gateway(format!("http://{closed}").parse().unwrap()),
    ]);
    let error = fetcher.fetch(&package.root).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.invalid_reason(), None, "a host fault, never an outcome");
    let text = error.to_string();
    for part in [
        absent.url().origin().ascii_serialization().as_str(),
        "it does not have the content",
        "it answered 503: \"sad\"",
        "no connection",
    ] {
        assert!(text.contains(part), "{part} is in {text}");
    }
    let FetchError::Unavailable { reports, .. } = error else { panic!("{text}") };
    assert!(matches!(reports[2].error, SourceError::Http(HttpError::NotFound)), "{}", reports[2]);
    let nobody = Fetcher::new(empty.store.clone(), vec![], limits()).unwrap();
    let error = nobody.fetch(&package.root).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
}

/// An answer of a source that is there, and of what is none: only the first says that content is not to be had.
#[tokio::test]
async fn c15_absence_is_told_from_sources_that_cannot_be_asked() {
    let package = sample();
    let empty = scratch(1 << 30);
    let node = ContentNode::start(NodeConfig::loopback(empty.store.clone())).await.unwrap();
    let (kubo, gateway) = (Source::Kubo(node.rpc_url()), Source::Gateway(node.gateway_url()));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed: url::Url = format!("http://{closed}").parse().unwrap();
    let stranger = Double::always(Reply::status("404 Not Found")).await;
    let site = Double::always(Reply::new("200 OK", "content-length: 2\r\n", "{}", Then::Close)).await;
    let broken = Double::always(Reply::status("503 Service Unavailable")).await;
    for (sources, is_there, says_absent) in [
        (vec![kubo.clone(), gateway.clone()], true, true),
        (vec![kubo.clone(), Source::Kubo(closed.clone())], false, false),
        (vec![kubo.clone(), Source::Gateway(closed)], false, false),
        // Any server does not have it.
        (vec![Source::Kubo(stranger.url())], false, true),
        (vec![kubo, Source::Gateway(stranger.url())], false, true),
        (vec![Source::Kubo(site.url())], false, false),
        (vec![Source::Gateway(site.url())], false, false),
        (vec![gateway, Source::Gateway(broken.url())], false, false),
        (vec![], true, false),
    ] {
        let (_scratch, fetcher) = fetcher(sources.clone());
        assert_eq!(fetcher.probe().await.is_ok(), is_there, "{sources:?}");
        let error = fetcher.fetch(&package.root).await.unwrap_err();
        assert_eq!(error.says_absent(), says_absent, "{sources:?}: {error}");
    }
}

#[tokio::test]
async fn content_that_is_no_package_is_final_whoever_serves_it() {
    let package = pack_entries([Entry::file("a", noise(5_000))]).unwrap();
    let honest = honest(&package).await;
    let mut tight = limits();
    tight.budget.file_bytes = 4_999;
    let scratch = scratch(1 << 30);
    let sources = vec![Source::Gateway(honest.node.gateway_url()), Source::Kubo(honest.node.rpc_url())];
    let fetcher = Fetcher::new(scratch.store.clone(), sources, tight).unwrap();
    let error = fetcher.fetch(&package.root).await.unwrap_err();
    assert_eq!(error.invalid_reason(), Some(assay_protocol::InvalidReason::InputTooLarge), "{error}");
    assert!(!error.is_retryable());
    let raw = package.blocks[0].0;
    let error = fetcher.fetch(&raw).await.unwrap_err();
    assert!(matches!(&error, FetchError::Content { source, .. } if matches!(**source, UnpackError::Cid(_))), "{error}");
}

#[tokio::test]
async fn secrets_in_a_sources_address_stay_out_of_reports() {
    let double = Double::always(Reply::status("404 Not Found")).await;
    let mut url = double.url();
    url.set_path("/secret-token/");
    let (_scratch, fetcher) = fetcher(vec![Source::Gateway(url)]);
    let error = fetcher.fetch(&cid_from_digest(&[7; 32])).await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(double.requests()[0].starts_with("GET /secret-token/ipfs/bafybei"), "{:?}", double.requests());
}

#[tokio::test]
async fn a_kubo_client_verifies_what_it_downloads() {
    let package = sample();
    let lies = Double::always(Reply::new("200 OK", "", "other bytes", Then::Close)).await;
    let client = KuboClient::new(lies.url(), Duration::from_secs(5)).unwrap();
    let error = client.block_get(&package.root).await.unwrap_err();
    assert!(error.to_string().contains("hash to something else"), "{error}");
    let error = client.dag_export(&package.root, Default::default()).await.unwrap_err();
    assert!(matches!(error, assay_content::KuboError::Car { .. }), "{error}");
    let error = client.version().await.unwrap_err();
    assert!(matches!(error, assay_content::KuboError::Answer { .. }), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn c13_no_request_of_a_kubo_client_takes_longer_than_it_may() {
    let drip = Double::always(Reply::new("200 OK", "", "{", Then::Drip)).await;
    let client = KuboClient::new(drip.url(), Duration::from_millis(200)).unwrap();
    let root = sample().root;
    let errors = [
        client.version().await.unwrap_err(),
        client.block_get(&root).await.unwrap_err(),
        client.cat("/ipfs/x", 1 << 30).await.unwrap_err(),
        client.dag_export(&root, Default::default()).await.unwrap_err(),
        client.dag_import(&sample()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("it was not done in time") && error.is_retryable(), "{error}");
    }
}

/// Who reads results, too, with a larger budget, judges job directories like everybody else.
#[tokio::test]
async fn c06_a_directory_that_only_a_result_may_be_is_no_job_directory_to_the_same_fetcher() {
    let deep = format!("{}leaf", "d/".repeat(70));
    let package = pack_entries([Entry::file(deep, "x")]).unwrap();
    let honest = honest(&package).await;
    let scratch = scratch(1 << 30);
    let limits = FetchLimits { budget: Budget::RESULT, ..limits() };
    let fetcher =
        Fetcher::new(scratch.store.clone(), vec![Source::Gateway(honest.node.gateway_url())], limits).unwrap();
    let job = fetcher.within(Budget::PROFILE);
    assert!(job.fetch(&package.root).await.unwrap_err().invalid_reason().is_some(), "from a source");
    assert!(fetcher.fetch(&package.root).await.is_ok());
    assert!(job.fetch(&package.root).await.unwrap_err().invalid_reason().is_some(), "from the store");
}

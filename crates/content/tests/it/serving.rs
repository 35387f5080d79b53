//! The content node, spoken to as Kubo's and a gateway's clients do.

use std::time::Duration;

use assay_content::{
    BlockStore, Cid, Codec, ContentNode, Entry, KuboClient, KuboError, NodeConfig, NodeError, Package, Publisher,
    block_cid, car, pack_entries,
};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    doubles::{Double, Reply, Then},
    fetching::sample,
    packing::noise,
    stores::{Scratch, scratch},
};

struct Running {
    scratch: Scratch,
    node: ContentNode,
    http: Client,
}

impl Running {
    async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    async fn configured(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let scratch = scratch(1 << 30);
        let mut config = NodeConfig::loopback(scratch.store.clone());
        change(&mut config);
        let node = ContentNode::start(config).await.unwrap();
        Self { scratch, node, http: http_client() }
    }

    fn client(&self) -> KuboClient {
        KuboClient::new(self.node.rpc_url(), Duration::from_secs(30)).unwrap()
    }

    fn rpc(&self, command: &str) -> RequestBuilder {
        self.http.post(self.node.rpc_url().join(&format!("api/v0/{command}")).unwrap())
    }

    fn gateway(&self, path: &str) -> RequestBuilder {
        self.http.get(self.node.gateway_url().join(path).unwrap())
    }

    fn store(&self) -> &BlockStore {
        &self.scratch.store
    }
}

/// The TLS set-up of this workspace's reqwest names no provider, so a test client brings one.
pub fn http_client() -> Client {
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder().no_proxy().tls_backend_preconfigured(tls).build().unwrap()
}

async fn lines(response: Response) -> Vec<Value> {
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn message(response: Response) -> String {
    let error: Value = response.json().await.unwrap();
    assert_eq!((&error["Type"], &error["Code"]), (&json!("error"), &json!(0)), "{error}");
    error["Message"].as_str().unwrap().to_owned()
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_package_is_imported_pinned_and_exported_again() {
    let running = Running::start().await;
    let (client, package) = (running.client(), sample());
    assert!(client.version().await.unwrap().version.starts_with("assay-"));
    assert!(client.id().await.unwrap().agent_version.starts_with("assay-content/"));
    client.dag_import(&package).await.unwrap();
    client.dag_import(&package).await.unwrap();
    assert_eq!(client.pin_ls().await.unwrap(), [package.root]);
    let mut exported = client.dag_export(&package.root, Default::default()).await.unwrap();
    assert_eq!(exported[0].0, package.root, "the root comes first");
    let mut packed = package.blocks.clone();
    exported.sort();
    packed.sort();
    assert_eq!(exported, packed);
    for (cid, block) in &package.blocks {
        assert_eq!(client.block_stat(cid).await.unwrap(), block.len() as u64);
        assert_eq!(client.block_get(cid).await.unwrap(), block);
    }
}

#[tokio::test]
async fn files_and_directories_are_read_by_path() {
    let running = Running::start().await;
    let (client, package) = (running.client(), sample());
    running.store().put_package(&package).unwrap();
    let big = noise((2 << 20) + 7);
    let path = |rest: &str| format!("/ipfs/{}/{rest}", package.root);
    assert_eq!(client.cat(&path("data/big.bin"), 1 << 30).await.unwrap(), big);
    assert_eq!(client.cat(&path("manifest.json"), 2).await.unwrap(), "{}");
    assert!(matches!(client.cat(&path("manifest.json"), 1).await.unwrap_err(), KuboError::Http { .. }));
    let part = running.rpc(&format!("cat?arg={}/data/big.bin&offset=10&length=5", package.root)).send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap(), &big[10..15]);
    let names: Vec<_> = client.ls(&package.root.to_string()).await.unwrap();
    let names: Vec<_> = names.iter().map(|link| (link.name.as_str(), link.kind, link.size)).collect();
    assert_eq!(names, [("data", 1, 0), ("empty", 1, 0), ("manifest.json", 2, 2)]);
    let data = client.ls(&path("data")).await.unwrap();
    assert_eq!((data[0].kind, data[0].size), (2, (2 << 20) + 7), "a file's size is its bytes, not its blocks");
    let missing = client.cat(&path("absent"), 10).await.unwrap_err();
    assert!(missing.to_string().contains("could not find \\\"absent\\\""), "{missing}");
    let below_file = client.cat(&path("manifest.json/x"), 10).await.unwrap_err();
    assert!(below_file.to_string().contains("which is a file"), "{below_file}");
    let directory = client.cat(&path("data"), 10).await.unwrap_err();
    assert!(directory.to_string().contains("is a directory"), "{directory}");
}

#[tokio::test]
async fn add_packs_by_the_frozen_profile_like_we_do() {
    let running = Running::start().await;
    let entries = [Entry::file("a/b c.txt", "1"), Entry::file("a/ä.bin", noise(3 << 20)), Entry::directory("e")];
    let package = pack_entries(entries.clone()).unwrap();
    let form = || {
        let mut form = Form::new();
        for entry in &entries {
            let name = entry.path.replace('/', "%2F").replace(' ', "+");
            form = match entry.bytes() {
                Some(bytes) => form.part("file", Part::bytes(bytes.to_vec()).file_name(name)),
                None => {
                    let part = Part::text("").file_name(name).mime_str("application/x-directory").unwrap();
                    form.part("file", part)
                }
            };
        }
        form
    };
    let hashed = running.rpc("add?wrap-with-directory=true&only-hash=true").multipart(form()).send().await.unwrap();
    assert_eq!(lines(hashed).await.last().unwrap()["Hash"], package.root.to_string());
    assert!(!running.store().contains(&package.root).unwrap());

    let added = running.rpc("add?wrap-with-directory=true&cid-version=1").multipart(form()).send().await.unwrap();
    let added = lines(added).await;
    let names: Vec<_> = added.iter().map(|line| line["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a/b c.txt", "a/ä.bin", "e", "a", ""]);
    assert_eq!(added.last().unwrap()["Hash"], package.root.to_string());
    assert_eq!(added[0]["Size"], "1");
    assert_eq!(running.client().pin_ls().await.unwrap(), [package.root]);

    let bare = running.rpc("add").multipart(form()).send().await.unwrap();
    let bare = lines(bare).await;
    assert_eq!(bare.len(), 4, "no wrapping directory");
    assert_eq!(running.client().pin_ls().await.unwrap().len(), 3, "the wrapped root, a and e");
}

#[tokio::test]
async fn add_names_a_file_without_a_name_by_its_cid() {
    let running = Running::start().await;
    let form = Form::new().part("file", Part::bytes(b"hello world".as_slice()).file_name(""));
    let added = lines(running.rpc("add").multipart(form).send().await.unwrap()).await;
    let known = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
    assert_eq!(added, [json!({ "Name": known, "Hash": known, "Size": "11" })]);
}

#[tokio::test]
async fn add_refuses_what_would_give_other_cids_and_what_is_hostile() {
    let running = Running::start().await;
    let file = |name: &str| Form::new().part("file", Part::text("x").file_name(name.to_owned()));
    for option in
        ["cid-version=0", "raw-leaves=false", "chunker=size-262144", "hash=blake3", "trickle=true", "pin=maybe"]
    {
        let refused = running.rpc(&format!("add?{option}")).multipart(file("a")).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{option}");
        assert!(!message(refused).await.is_empty());
    }
    for name in ["../a", "a%2F..%2Fb", "%00", "%zz", "a%5Cb", "a%0Ab"] {
        let refused = running.rpc("add").multipart(file(name)).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
    }
    let link = Part::text("/etc/passwd").file_name("l").mime_str("application/symlink").unwrap();
    let refused = running.rpc("add").multipart(Form::new().part("file", link)).send().await.unwrap();
    assert!(message(refused).await.contains("symbolic link"));
    let nothing = running.rpc("add").multipart(Form::new()).send().await.unwrap();
    assert_eq!(nothing.status(), StatusCode::BAD_REQUEST);
    let no_multipart = running.rpc("add").body("x").send().await.unwrap();
    assert_eq!(no_multipart.status(), StatusCode::BAD_REQUEST);
    assert_eq!(running.store().usage_bytes().unwrap(), 0, "nothing of it was kept");
}

#[tokio::test]
async fn broken_imports_are_refused_and_incomplete_ones_not_pinned() {
    let running = Running::start().await;
    let package = sample();
    let upload = |bytes: Vec<u8>| {
        let form = Form::new().part("file", Part::bytes(bytes).file_name("x.car"));
        running.rpc("dag/import?pin-roots=true&stats=true").multipart(form).send()
    };
    let whole = crate::doubles::car_of(&package);
    let cut = upload(whole[..whole.len() - 10].to_vec()).await.unwrap();
    assert!(message(cut).await.contains("the transfer was cut"));
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let flipped = upload(flipped).await.unwrap();
    assert!(message(flipped).await.contains("hash to something else"));
    let junk = upload(b"junk".to_vec()).await.unwrap();
    assert_eq!(junk.status(), StatusCode::BAD_REQUEST);
    let empty = running.rpc("dag/import").multipart(Form::new()).send().await.unwrap();
    assert_eq!(empty.status(), StatusCode::BAD_REQUEST);

    let mut lossy = pack_entries([Entry::file("never", "uploaded"), Entry::file("b", "2")]).unwrap();
    lossy.blocks.remove(0);
    let error = running.client().dag_import(&lossy).await.unwrap_err();
    assert!(matches!(&error, KuboError::NotPinned { reason, .. } if reason.contains("is missing")), "{error}");
    assert!(error.is_retryable());
    assert_eq!(running.client().pin_ls().await.unwrap(), []);

    let stats = lines(upload(whole).await.unwrap()).await;
    assert_eq!(stats[0]["Root"]["Cid"]["/"], package.root.to_string());
    assert_eq!(stats[0]["Root"]["PinErrorMsg"], "");
    assert_eq!(stats[1]["Stats"]["BlockCount"], package.blocks.len());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let running = Running::configured(|config| config.body_bytes_max = 10_000).await;
    let error = running.client().dag_import(&sample()).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("413") || matches!(error, KuboError::Http { .. }), "{said}");
    assert_eq!(running.client().pin_ls().await.unwrap(), []);
}

#[tokio::test]
async fn the_rpc_answers_posts_from_programs_only() {
    let running = Running::start().await;
    let url = running.node.rpc_url().join("api/v0/version").unwrap();
    let get = running.http.get(url.clone()).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&get, "allow"), "POST");
    let page = running.rpc("version").header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    let rebound = running.rpc("version").header("host", "evil.example:5001").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
    for own in ["localhost", "localhost:5001", "127.0.0.1", "[::1]:5001"] {
        let fine = running.rpc("version").header("host", own).send().await.unwrap();
        assert_eq!(fine.status(), StatusCode::OK, "{own}");
    }
    let unknown = running.rpc("swarm/connect").send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(message(unknown).await.contains("does not have that command"));

    let named = Running::configured(|config| config.host_names = vec!["content.internal".to_owned()]).await;
    let fine = named.rpc("version").header("host", "content.internal:5001").send().await.unwrap();
    assert_eq!(fine.status(), StatusCode::OK);
}

#[tokio::test]
async fn bad_arguments_are_named_as_kubo_names_them() {
    let running = Running::start().await;
    let absent = block_cid(Codec::Raw, b"absent");
    for (command, status, text) in [
        ("block/get".to_owned(), 400, "argument \"arg\" is required"),
        ("block/get?arg=nonsense".to_owned(), 400, "as a CID"),
        ("block/get?arg=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn".to_owned(), 400, "CIDv0"),
        (format!("block/get?arg={absent}"), 500, "could not find"),
        (format!("block/stat?arg={absent}"), 500, "could not find"),
        (format!("dag/export?arg={absent}"), 500, "could not find"),
        (format!("pin/ls?arg={absent}"), 500, "could not find"),
        ("pin/ls?type=odd".to_owned(), 400, "unknown"),
        (format!("cat?arg={absent}&offset=x"), 400, "is no number"),
    ] {
        let refused = running.rpc(&command).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), status, "{command}");
        let said = message(refused).await;
        assert!(said.contains(text), "{command}: {said}");
    }
}

#[tokio::test]
async fn the_gateway_serves_cars_blocks_and_proofs_of_paths() {
    let running = Running::start().await;
    let package = sample();
    running.store().put_package(&package).unwrap();
    let root = package.root;
    let read = |bytes: &[u8]| car::read(&mut &bytes[..], Default::default()).unwrap();

    let by_query = running.gateway(&format!("ipfs/{root}?format=car")).send().await.unwrap();
    assert!(header(&by_query, "content-type").starts_with("application/vnd.ipld.car"));
    assert_eq!(header(&by_query, "cache-control"), "public, max-age=29030400, immutable");
    assert_eq!(header(&by_query, "x-content-type-options"), "nosniff");
    let file = read(&by_query.bytes().await.unwrap());
    assert_eq!((file.roots, file.blocks.len()), (vec![root], package.blocks.len()));

    let accept = running.gateway(&format!("ipfs/{root}/data/small.txt")).header("accept", "application/vnd.ipld.car");
    let file = read(&accept.send().await.unwrap().bytes().await.unwrap());
    assert_eq!(file.blocks.len(), 3, "root, data, the file: the path is proven");
    let entity = running.gateway(&format!("ipfs/{root}?format=car&dag-scope=entity")).send().await.unwrap();
    assert_eq!(read(&entity.bytes().await.unwrap()).blocks.len(), 1);
    let block = running.gateway(&format!("ipfs/{root}/data?format=car&dag-scope=block")).send().await.unwrap();
    assert_eq!(read(&block.bytes().await.unwrap()).blocks.len(), 2);

    let raw = running.gateway(&format!("ipfs/{root}?format=raw")).send().await.unwrap();
    assert_eq!(header(&raw, "content-type"), "application/vnd.ipld.raw");
    assert_eq!(header(&raw, "x-ipfs-roots"), root.to_string());
    assert_eq!(raw.bytes().await.unwrap(), package.blocks.last().unwrap().1);
    let by_header =
        running.gateway(&format!("ipfs/{root}")).header("accept", "text/html, application/vnd.ipld.raw;q=1");
    assert_eq!(header(&by_header.send().await.unwrap(), "content-type"), "application/vnd.ipld.raw");

    for (path, status) in [
        (format!("ipfs/{root}?format=tar"), 400),
        (format!("ipfs/{root}?format=car&dag-scope=half"), 400),
        (format!("ipfs/{root}/absent?format=car"), 404),
        (format!("ipfs/{}?format=raw", block_cid(Codec::Raw, b"absent")), 404),
        ("ipfs/nonsense".to_owned(), 400),
        ("other".to_owned(), 404),
    ] {
        assert_eq!(running.gateway(&path).send().await.unwrap().status().as_u16(), status, "{path}");
    }
    let version2 = running.gateway(&format!("ipfs/{root}")).header("accept", "application/vnd.ipld.car; version=2");
    assert_eq!(version2.send().await.unwrap().status(), StatusCode::NOT_ACCEPTABLE);
    let post = running.http.post(running.node.gateway_url().join(&format!("ipfs/{root}")).unwrap());
    assert_eq!(post.send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_gateway_serves_files_with_types_ranges_and_tags() {
    let running = Running::start().await;
    let package = sample();
    running.store().put_package(&package).unwrap();
    let root = package.root;
    let small = format!("ipfs/{root}/data/small.txt");
    let whole = running.gateway(&small).send().await.unwrap();
    assert_eq!(header(&whole, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert!(header(&whole, "content-security-policy").starts_with("sandbox"));
    let tag = header(&whole, "etag");
    assert_eq!(whole.bytes().await.unwrap(), "small");

    let part = running.gateway(&small).header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!(
        (part.status(), header(&part, "content-range")),
        (StatusCode::PARTIAL_CONTENT, "bytes 1-3/5".to_owned())
    );
    assert_eq!(part.bytes().await.unwrap(), "mal");
    let beyond = running.gateway(&small).header("range", "bytes=9-").send().await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&beyond, "content-range"), "bytes */5");
    let cached = running.gateway(&small).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(cached.status(), StatusCode::NOT_MODIFIED);

    let big = format!("ipfs/{root}/data/big.bin");
    let head = running.http.request(Method::HEAD, running.node.gateway_url().join(&big).unwrap()).send().await.unwrap();
    assert_eq!(header(&head, "content-length"), ((2 << 20) + 7).to_string());
    assert_eq!(header(&head, "content-type"), "application/octet-stream");
    assert_eq!(head.bytes().await.unwrap(), "");
    let across = running.gateway(&big).header("range", "bytes=1048570-1048581").send().await.unwrap();
    assert_eq!(across.bytes().await.unwrap(), noise((2 << 20) + 7)[1_048_570..=1_048_581]);

    let page = running.gateway(&format!("ipfs/{root}/data")).send().await.unwrap();
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert!(page.text().await.unwrap().contains(&format!("/ipfs/{root}/data/big.bin")));
    let json = running.gateway(&format!("ipfs/{root}/manifest.json")).send().await.unwrap();
    assert_eq!(header(&json, "content-type"), "application/json");
    assert_eq!(running.gateway("health").send().await.unwrap().text().await.unwrap(), "ok\n");
}

#[tokio::test]
async fn an_export_that_lacks_a_block_breaks_and_does_not_end() {
    let running = Running::start().await;
    let package = sample();
    running.scratch.store.import().put(&package.blocks[1..]).unwrap();
    let error = running.client().dag_export(&package.root, Default::default()).await.unwrap_err();
    assert!(matches!(error, KuboError::Http { .. }), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_taken_port_is_named_and_shutdown_frees_it() {
    let running = Running::start().await;
    let address = running.node.rpc_url().socket_addrs(|| None).unwrap()[0];
    let mut config = NodeConfig::loopback(running.store().clone());
    config.rpc = address;
    let refused = ContentNode::start(config.clone()).await.unwrap_err();
    assert!(matches!(&refused, NodeError::Listen { address: taken, .. } if *taken == address), "{refused}");
    running.node.shutdown().await.unwrap();
    let again = ContentNode::start(config).await.unwrap();
    assert_eq!(again.rpc_url().port(), Some(address.port()));
    again.shutdown().await.unwrap();
}

fn client_of(url: Url) -> KuboClient {
    KuboClient::new(url, Duration::from_secs(5)).unwrap()
}

#[tokio::test]
async fn c17_publishing_counts_pins_and_says_who_failed() {
    let package = sample();
    let (one, two) = (Running::start().await, Running::start().await);
    let down = Double::always(Reply::status("503 Service Unavailable")).await;
    let nodes = || vec![client_of(one.node.rpc_url()), client_of(down.url()), client_of(two.node.rpc_url())];
    let published = Publisher::new(nodes(), 2).publish(&package).await.unwrap();
    assert_eq!((published.root, published.pinned.len(), published.failed.len()), (package.root, 2, 1));
    assert!(one.store().is_pinned(&package.root) && two.store().is_pinned(&package.root));
    let error = Publisher::new(nodes(), 3).publish(&package).await.unwrap_err();
    assert!(error.is_retryable());
    assert!(error.to_string().contains("2 of 3 wanted nodes pinned it"), "{error}");
    assert!(error.to_string().contains("503"), "{error}");
}

async fn import_answered(answer: String) -> KuboError {
    let double = Double::always(Reply::new("200 OK", "content-type: application/json\r\n", answer, Then::Close)).await;
    client_of(double.url()).dag_import(&tiny()).await.unwrap_err()
}

fn tiny() -> Package {
    pack_entries([Entry::file("a", "1")]).unwrap()
}

#[tokio::test]
async fn an_import_is_believed_only_with_the_same_root_and_without_a_pin_error() {
    let root = |cid: &Cid, error: &str| json!({ "Root": { "Cid": { "/": cid.to_string() }, "PinErrorMsg": error } });
    let other = import_answered(root(&block_cid(Codec::DagPb, b""), "").to_string()).await;
    assert!(matches!(other, KuboError::OtherRoot { .. }), "{other}");
    assert!(!other.is_retryable());
    let unpinned = import_answered(root(&tiny().root, "disk full").to_string()).await;
    assert!(matches!(&unpinned, KuboError::NotPinned { reason, .. } if reason == "disk full"), "{unpinned}");
    let silent = import_answered(json!({ "Stats": { "BlockCount": 1 } }).to_string()).await;
    assert!(matches!(silent, KuboError::NotPinned { .. }), "{silent}");
    let junk = import_answered("<html>".to_owned()).await;
    assert!(matches!(junk, KuboError::Answer { .. }), "{junk}");
}

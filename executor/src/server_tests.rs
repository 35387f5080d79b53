use std::{
    fs::{self, File},
    time::SystemTime,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

fn healthy() -> Status {
    let status = Status::default();
    status.looked(1);
    status
}

#[test]
fn the_chain_has_to_be_seen() {
    let (is_healthy, body) = Status::default().report();
    assert!(!is_healthy && body.contains("the chain was not seen"), "{body}");
    let (is_healthy, body) = healthy().report();
    assert!(is_healthy && body.contains(r#""status":"ok""#), "{body}");
}

#[test]
fn w_12_e_24_health_says_why_no_child_can_be_started_until_one_can() {
    let status = healthy();
    assert!(status.sandbox_failed("no \"seccomp\"\u{1b}[31m"), "news");
    assert!(!status.sandbox_failed("no processes left"), "no news");
    let (is_healthy, body) = status.report();
    assert!(!is_healthy && body.contains("no processes left"), "{body}");
    status.sandbox_works();
    assert!(status.report().0);
}

#[test]
fn e_24_children_that_fail_for_job_after_job_are_this_hosts_fault_and_one_poisonous_job_is_not() {
    let status = healthy();
    for _ in 0..10 {
        status.child_failed(JobUid([1; 32]), "crashed");
    }
    assert!(status.report().0);
    status.child_failed(JobUid([2; 32]), "crashed");
    status.child_worked();
    status.child_failed(JobUid([3; 32]), "crashed");
    assert!(status.report().0);
    status.child_failed(JobUid([4; 32]), "crashed");
    status.child_failed(JobUid([5; 32]), "killed\u{1b}[31m");
    let (is_healthy, body) = status.report();
    assert!(!is_healthy && body.contains("killed") && !body.contains('\u{1b}'), "{body}");
    let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(value["status"], "failing");
}

/// The bot's server over a data directory, until dropped.
struct Server {
    address: SocketAddr,
    stopping: CancellationToken,
}

impl Server {
    async fn start(data_dir: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopping = CancellationToken::new();
        let served = Served::new(Arc::new(healthy()), data_dir.to_path_buf());
        tokio::spawn(serve(listener, served, stopping.clone()));
        Self { address, stopping }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// Status, head and body.
    async fn get(&self, path: &str) -> (u16, String, Vec<u8>) {
        self.ask(&format!("GET {path}")).await
    }

    async fn ask(&self, what: &str) -> (u16, String, Vec<u8>) {
        let mut stream = self.connect().await;
        let request = format!("{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        parse(&answer(&mut stream).await)
    }

    async fn uids(&self, path: &str) -> Vec<String> {
        let (code, head, body) = self.get(path).await;
        assert!(code == 200 && head.contains("content-type: application/json"), "{path}: {head}");
        serde_json::from_slice(&body).expect("a list of uids")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}

async fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    bytes
}

fn parse(answer: &[u8]) -> (u16, String, Vec<u8>) {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("text");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (code, head, answer[end + 4..].to_vec())
}

/// A file of the job with this number, written so many seconds ago.
fn keep(data_dir: &std::path::Path, number: u16, kind: &str, (bytes, age_s): (&[u8], u64)) -> String {
    let directory = data_dir.join("receipts");
    fs::create_dir_all(&directory).expect("made");
    let mut uid = [0xab; 32];
    uid[..2].copy_from_slice(&number.to_be_bytes());
    let uid = JobUid(uid).to_string();
    let path = directory.join(format!("{uid}.{kind}"));
    fs::write(&path, bytes).expect("written");
    let file = File::options().write(true).open(&path).expect("opened");
    file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).expect("set");
    uid
}

#[tokio::test]
async fn p_29_the_server_lists_kept_receipts_newest_first_and_gives_each_byte_for_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(Server::start(dir.path()).await.uids("/receipts").await.is_empty(), "no directory yet");
    let signed = b"{ \"kept\" :\tas it is \xff}\n";
    let old = keep(dir.path(), 1, "json", (signed, 300));
    let new = keep(dir.path(), 2, "json", (b"{}", 100));
    let between = keep(dir.path(), 3, "json", (b"", 200));
    let draft = keep(dir.path(), 4, "draft", (b"not signed", 50));
    keep(dir.path(), 2, "unpublished", (b"", 100));
    fs::write(dir.path().join("journal.log"), b"hush").expect("written");

    let server = Server::start(dir.path()).await;
    assert_eq!(server.uids("/receipts").await, [new, between, old.clone()]);
    let (code, head, body) = server.get(&format!("/receipts/{old}")).await;
    assert_eq!((code, body.as_slice()), (200, &signed[..]), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let longer = format!("{old}0");
    for uid in [draft.as_str(), "x", &longer, &old.to_uppercase(), "..%2Fjournal.log", "%ff"] {
        let (code, _, body) = server.get(&format!("/receipts/{uid}")).await;
        assert!((400..=404).contains(&code) && !body.windows(4).any(|window| window == b"hush"), "{uid}: {code}");
    }
    let (code, _, body) = server.get(&format!("/receipts/{draft}")).await;
    assert_eq!((code, body.as_slice()), (404, &br#"{"error":"no receipt of this job is kept here"}"#[..]));
}

#[tokio::test]
async fn c_19_the_list_of_receipts_comes_in_bounded_parts_and_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let count = u16::try_from(RECEIPTS_LISTED_MAX).expect("fits") + 2;
    let kept: Vec<String> =
        (0..count).map(|number| keep(dir.path(), number, "json", (b"{}", u64::from(number) + 1))).collect();
    let server = Server::start(dir.path()).await;
    let first = server.uids("/receipts").await;
    assert_eq!(first, kept[..RECEIPTS_LISTED_MAX]);
    let after = |uid: &str| format!("/receipts?after={uid}");
    assert_eq!(server.uids(&after(&first[RECEIPTS_LISTED_MAX - 1])).await, kept[RECEIPTS_LISTED_MAX..]);
    assert!(server.uids(&after(kept.last().expect("some"))).await.is_empty());
    for (query, code) in [("after=x", 404), (&*format!("after={}", "ab".repeat(32)), 404), ("befor=1", 400)] {
        assert_eq!(server.get(&format!("/receipts?{query}")).await.0, code, "{query}");
    }
}

#[tokio::test]
async fn whatever_is_refused_is_one_json_object_that_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await;
    let after = format!("after={}", "ab".repeat(32));
    for (what, code) in [
        ("GET /".to_owned(), 404),
        ("GET /receipt".to_owned(), 404),
        ("GET /receipts/".to_owned(), 404),
        ("GET /receipts/x".to_owned(), 404),
        ("GET /receipts/%ff".to_owned(), 404),
        (format!("GET /receipts?{after}"), 404),
        ("GET /receipts?foo=1".to_owned(), 400),
        ("GET /receipts?after=%ff".to_owned(), 404),
        (format!("GET /receipts?{after}&{after}"), 400),
        ("DELETE /receipts".to_owned(), 405),
        ("POST /healthz".to_owned(), 405),
    ] {
        let (found, head, body) = server.ask(&what).await;
        assert_eq!(found, code, "{what}: {head}");
        assert!(head.contains("content-type: application/json"), "{what}: {head}");
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}: {answer}");
    }
}

#[tokio::test]
async fn c_19_a_client_has_its_share_of_connections_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path()).await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_PER_CLIENT_MAX {
        held.push(server.connect().await);
    }
    let (code, _, body) = parse(&answer(&mut server.connect().await).await);
    assert_eq!((code, body.as_slice()), (503, &b"too many connections; try again\n"[..]));
    // Those that are in are answered.
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    held[0].write_all(request).await.expect("sent");
    assert_eq!(parse(&answer(&mut held[0]).await).0, 200);
}

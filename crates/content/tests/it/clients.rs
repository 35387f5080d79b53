//! The content node against clients that are slow, silent or many, over real sockets. Deadlines are milliseconds where a
//! client breaks them on purpose, and out of reach where it must not.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};

use assay_content::{ClientLimits, ContentNode, Entry, NodeConfig, pack_entries};
use reqwest::{
    StatusCode,
    multipart::{Form, Part},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use url::Url;

use crate::{
    fetching::sample,
    packing::noise,
    serving::http_client,
    stores::{Scratch, scratch},
};

const NEVER: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_millis(100);

/// Nobody is turned away and nothing runs out, unless a test says so.
fn limits() -> ClientLimits {
    ClientLimits {
        connections_max: 1_000,
        connections_per_client_max: 1_000,
        head_timeout: NEVER,
        silence_timeout: NEVER,
        bytes_per_s_min: 1,
        memory_bytes_max: 1 << 30,
    }
}

async fn node(clients: ClientLimits) -> (Scratch, ContentNode) {
    let scratch = scratch(1 << 30);
    let config = NodeConfig { clients, ..NodeConfig::loopback(scratch.store.clone()) };
    (scratch, ContentNode::start(config).await.unwrap())
}

async fn connect(url: &Url) -> TcpStream {
    TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap()
}

/// Everything until the node closes the connection, however it does.
async fn read_out(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut read).await {}
    String::from_utf8_lossy(&read).into_owned()
}

async fn ask(mut stream: TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_out(stream).await
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn c19_a_client_that_sends_no_head_or_never_ends_one_is_cut_off() {
    let (_scratch, node) = node(ClientLimits { head_timeout: SOON, ..limits() }).await;
    for url in [node.rpc_url(), node.gateway_url()] {
        let began = Instant::now();
        assert_eq!(read_out(connect(&url).await).await, "");
        assert!(began.elapsed() >= SOON);

        // A header every ten milliseconds: never silent, and never done.
        let mut dripping = connect(&url).await;
        dripping.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        let cut = loop {
            pace.tick().await;
            if let Err(error) = dripping.write_all(b"x: y\r\n").await {
                break error;
            }
        };
        assert!(matches!(cut.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{cut}");
    }
}

#[tokio::test]
async fn c19_a_connection_that_asks_no_more_is_closed() {
    let (_scratch, node) = node(ClientLimits { head_timeout: SOON, ..limits() }).await;
    let answer = ask(connect(&node.gateway_url()).await, "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
}

#[tokio::test]
async fn c19_connections_over_the_cap_are_turned_away_and_the_others_served() {
    let (_scratch, node) = node(ClientLimits { connections_max: 20, ..limits() }).await;
    let url = node.gateway_url();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect(&url).await);
    }
    for _ in 0..200 {
        let answer = read_out(connect(&url).await).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("try again\n"), "{answer}");
    }
    let served = ask(idle.remove(0), HEALTH).await;
    assert!(served.starts_with("HTTP/1.1 200 OK"), "{served}");
    node.shutdown().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn c19_one_client_with_all_its_connections_does_not_shut_out_another() {
    let (_scratch, node) = node(ClientLimits { connections_per_client_max: 3, ..limits() }).await;
    let url = node.gateway_url();
    let mut greedy = Vec::new();
    for _ in 0..3 {
        greedy.push(connect(&url).await);
    }
    let refused = read_out(connect(&url).await).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    let other = TcpSocket::new_v4().unwrap();
    other.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let other = other.connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
    let served = ask(other, HEALTH).await;
    assert!(served.starts_with("HTTP/1.1 200 OK"), "{served}");
}

#[tokio::test]
async fn c19_a_client_that_takes_no_answer_is_dropped() {
    let (scratch, node) = node(ClientLimits { silence_timeout: SOON, ..limits() }).await;
    let package = pack_entries([Entry::file("large", noise(32 << 20))]).unwrap();
    scratch.store.put_package(&package).unwrap();
    for query in ["?format=car", "/large"] {
        let mut greedy = connect(&node.gateway_url()).await;
        // One request after the other, and not one byte of the answers is read.
        let request = format!("GET /ipfs/{}{query} HTTP/1.1\r\nhost: localhost\r\n\r\n", package.root);
        let dropped = loop {
            if let Err(error) = greedy.write_all(request.as_bytes()).await {
                break error;
            }
        };
        assert!(matches!(dropped.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{dropped}");
    }
}

#[tokio::test]
async fn c19_an_upload_that_stands_still_is_ended_and_said_so() {
    let (_scratch, node) = node(ClientLimits { silence_timeout: SOON, ..limits() }).await;
    for command in ["dag/import", "add"] {
        let head = format!(
            "POST /api/v0/{command} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\
             content-type: multipart/form-data; boundary=b\r\n\r\n\
             --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbegun"
        );
        let answer = ask(connect(&node.rpc_url()).await, &head).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("the upload came too slowly; try again"), "{answer}");
    }
}

#[tokio::test]
async fn c19_a_head_over_its_limit_is_refused() {
    let (_scratch, node) = node(limits()).await;
    let head = format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(256 << 10));
    let (mut reader, mut writer) = connect(&node.gateway_url()).await.into_split();
    // The node may close before all of it is sent.
    let (mut answer, _) = (Vec::new(), writer.write_all(head.as_bytes()).await);
    while let Ok(1..) = reader.read_buf(&mut answer).await {}
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn c19_whole_files_share_a_bounded_memory_and_blocks_need_none() {
    let (scratch, node) = node(ClientLimits { memory_bytes_max: 1 << 20, ..limits() }).await;
    let package = pack_entries([Entry::file("large", noise(2 << 20)), Entry::file("small", "small")]).unwrap();
    scratch.store.put_package(&package).unwrap();
    let get = async |what: &str| {
        let root = package.root;
        let request = format!("GET /ipfs/{root}{what} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        ask(connect(&node.gateway_url()).await, &request).await
    };
    let refused = get("/large").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.ends_with("try again\n"), "{refused}");
    assert!(get("?format=car").await.starts_with("HTTP/1.1 200 "));
    // More often than there is room for, were it not given back.
    for _ in 0..3 {
        assert!(get("/small").await.ends_with("small"));
    }
    let form = |bytes| Form::new().part("file", Part::bytes(vec![7; bytes]).file_name("f"));
    let add = async |bytes| {
        let url = node.rpc_url().join("api/v0/add").unwrap();
        http_client().post(url).multipart(form(bytes)).send().await.unwrap().status()
    };
    assert_eq!(add(2 << 20).await, StatusCode::SERVICE_UNAVAILABLE);
    for _ in 0..3 {
        assert_eq!(add(700 << 10).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_honest_client_is_served_while_silent_ones_wait() {
    let (scratch, node) = node(ClientLimits { connections_max: 101, ..limits() }).await;
    let package = sample();
    scratch.store.put_package(&package).unwrap();
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(connect(&node.gateway_url()).await);
    }
    let request = format!("GET /ipfs/{}/manifest.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", package.root);
    let answer = ask(connect(&node.gateway_url()).await, &request).await;
    assert!(answer.ends_with("\r\n\r\n{}"), "{answer}");
}

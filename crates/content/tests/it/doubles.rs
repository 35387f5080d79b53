//! Servers that misbehave, over real sockets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use assay_content::{Package, car};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// What comes after the bytes.
#[derive(Clone, Debug)]
pub enum Then {
    /// The connection closes.
    Close,
    /// Nothing more, and the connection stays.
    Silence,
    /// These bytes again and again.
    Forever(Bytes),
    /// The last byte again, every ten milliseconds.
    Drip,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub head: String,
    pub body: Bytes,
    pub then: Then,
}

impl Reply {
    pub fn new(status: &str, headers: &str, body: impl Into<Bytes>, then: Then) -> Self {
        Self { head: format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n"), body: body.into(), then }
    }

    /// A CAR without a length, as gateways stream it.
    pub fn car(body: impl Into<Bytes>, then: Then) -> Self {
        Self::new("200 OK", "content-type: application/vnd.ipld.car; version=1\r\n", body, then)
    }

    pub fn raw(body: impl Into<Bytes>) -> Self {
        Self::new("200 OK", "content-type: application/vnd.ipld.raw\r\n", body, Then::Close)
    }

    pub fn status(status: &str) -> Self {
        Self::new(status, "content-length: 4\r\n", "sad\n", Then::Close)
    }
}

/// A server that answers every request by a function of its first line.
pub struct Double {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Double {
    pub async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (Arc::clone(&requests), Arc::new(reply));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                connections.spawn(async move {
                    // A client that hangs up early is the point of many tests.
                    drop(answer(stream, &log, reply.as_ref()).await);
                });
            }
        });
        Self { address, requests, server }
    }

    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    reply: &(impl Fn(&str) -> Reply + ?Sized),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let line = head.lines().next().unwrap_or_default().to_owned();
    log.lock().unwrap().push(head.clone());
    let Reply { head, body, then } = reply(&line);
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Silence => std::future::pending().await,
        Then::Forever(more) => loop {
            stream.write_all(&more).await?;
        },
        Then::Drip => loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            stream.write_all(&body[body.len() - 1..]).await?;
        },
    }
}

/// The package as a CAR.
pub fn car_of(package: &Package) -> Vec<u8> {
    let mut out = Vec::new();
    car::write(&mut out, &package.root, &package.blocks).unwrap();
    out
}

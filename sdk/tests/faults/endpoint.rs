//! A JSON-RPC endpoint that answers as a test tells it to.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use assay_sdk::{Client, ClientConfig, Cluster};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What becomes of one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A result.
    Result(Value),
    /// An error of the node, by its code.
    Refusal(i64),
    /// These bytes, under status 200.
    Body(&'static str),
    /// This status line and these headers.
    Status(&'static str, &'static str),
    /// Nothing, for ever.
    Silence,
    /// One byte now and then.
    Drip,
    /// The connection is reset.
    Reset,
    /// Half of what was announced.
    Truncated,
    /// Bytes without end.
    Endless,
}

impl Reply {
    /// A result at a slot.
    pub fn at_slot(slot: u64, value: Value) -> Self {
        Self::Result(json!({ "context": { "slot": slot }, "value": value }))
    }
}

/// The endpoint; dropping it closes it.
pub struct Endpoint {
    /// Where it listens.
    pub address: std::net::SocketAddr,
    asked: Arc<Mutex<Vec<Value>>>,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    /// Asks the script for every reply: with the request, and how many of its method came before.
    pub async fn start(script: impl Fn(&Value, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, seen) = (Arc::new(script), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                tokio::spawn(async move { drop(serve(stream, &*script, &seen).await) });
            }
        });
        Self { address, asked, task }
    }

    /// Gives the same reply to everything.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    /// Requests of one method so far, oldest first.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        self.asked.lock().unwrap().iter().filter(|request| request["method"] == method).cloned().collect()
    }

    /// A client that loses patience soon.
    pub fn client(&self) -> Client {
        let url = format!("http://user:word@{}/v1/path?api-key=hush", self.address);
        Client::new(impatient(url.parse().unwrap()))
    }
}

/// Settings with short times.
pub fn impatient(cluster: Cluster) -> ClientConfig {
    ClientConfig {
        request_timeout: Duration::from_millis(400),
        confirm_timeout: Duration::from_millis(1_500),
        poll_interval: Duration::from_millis(10),
        subscription_silence_max: Duration::from_millis(300),
        ..ClientConfig::new(cluster)
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(impl Fn(&Value, usize) -> Reply + Sync),
    asked: &Mutex<Vec<Value>>,
) -> io::Result<()> {
    loop {
        let request = read_request(&mut stream).await?;
        let reply = {
            let mut asked = asked.lock().unwrap();
            let before = asked.iter().filter(|other| other["method"] == request["method"]).count();
            asked.push(request.clone());
            script(&request, before)
        };
        answer(&mut stream, &request, reply).await?;
    }
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Value> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Ok(serde_json::from_slice(&bytes[end + 4..end + 4 + length])?);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn answer(stream: &mut TcpStream, request: &Value, reply: Reply) -> io::Result<()> {
    let is_cut = matches!(reply, Reply::Truncated);
    let text = match reply {
        Reply::Result(value) => ok(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": value }).to_string()),
        Reply::Refusal(code) => {
            let error = json!({ "code": code, "message": "no\u{1b}[31m" });
            ok(&json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string())
        }
        Reply::Body(body) => ok(body),
        Reply::Status(status, headers) => format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n"),
        Reply::Truncated => "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"jsonrpc\"".to_owned(),
        Reply::Silence => std::future::pending().await,
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Reply::Reset => {
            // Closing without lingering sends a reset.
            stream.set_zero_linger()?;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let block = vec![b' '; 1 << 20];
            loop {
                stream.write_all(&block).await?;
            }
        }
    };
    stream.write_all(text.as_bytes()).await?;
    if is_cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

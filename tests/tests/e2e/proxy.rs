//! Faults of the wire, as TCP proxies on loopback.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use url::Url;

/// A listener in front of another; dropping it closes it.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    up: watch::Sender<bool>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Closes every connection at once until [`Self::bring_up`], then passes everything on.
    pub async fn down(upstream: &Url) -> Self {
        Self::start(upstream, pass).await
    }

    /// A WebSocket server that shakes hands and then never says a word.
    pub async fn silent(upstream: &Url) -> Self {
        Self::start(upstream, |client, server, _| mute(client, server)).await
    }

    async fn start<F, Fut>(upstream: &Url, serve: F) -> Self
    where
        F: Fn(TcpStream, u16, watch::Receiver<bool>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let server = upstream.port_or_known_default().expect("a port");
        let (up, is_up) = watch::channel(false);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(client, server, is_up.clone()));
            }
        });
        Self { port, up, connections, task }
    }

    /// From now on everything is passed on.
    pub fn bring_up(&self) {
        self.up.send_replace(true);
    }

    /// From now on every connection is closed, those that are open too.
    pub fn take_down(&self) {
        self.up.send_replace(false);
    }

    /// Connections that were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn pass(mut client: TcpStream, port: u16, mut is_up: watch::Receiver<bool>) {
    if !*is_up.borrow() {
        return;
    }
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
        // Either side may hang up at any moment; the other sees it.
        tokio::select! {
            ended = copy_bidirectional(&mut client, &mut server) => drop(ended),
            changed = is_up.wait_for(|up| !up) => drop(changed),
        }
    }
}

async fn mute(client: TcpStream, port: u16) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async { drop(tokio::io::copy(&mut from_client, &mut to_server).await) };
    let down = async {
        // The answer to the handshake ends with an empty line; what follows is swallowed.
        let (mut seen, mut byte) = (Vec::new(), [0]);
        while !seen.ends_with(b"\r\n\r\n") {
            if from_server.read_exact(&mut byte).await.is_err() {
                return;
            }
            seen.extend_from_slice(&byte);
        }
        if to_client.write_all(&seen).await.is_ok() {
            drop(tokio::io::copy(&mut from_server, &mut tokio::io::sink()).await);
        }
    };
    tokio::join!(up, down);
}

//! Who is let in and how long they may stay: connections are counted, and every wait for a client has an end. Knows
//! nothing of content, so that other servers for strangers have the same door.

use std::{
    collections::HashMap,
    io::Write,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::{
    ClientLimits,
    patience::{PatientBody, PatientStream},
};
use crate::limits::CONNECTION_BUFFER_BYTES_MAX;

/// Pause after the system could not give a connection, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What a client is told for which there is no room. Best effort: it costs one write and no wait.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 32\r\n\r\ntoo many connections; try again\n";

/// Serves HTTP/1.1 to strangers until `stopped` says so or its sender is gone, then until the requests in flight are
/// answered. Of the limits, `memory_bytes_max` is for the router to keep.
pub async fn serve(listener: TcpListener, router: Router, limits: ClientLimits, stopped: watch::Receiver<bool>) {
    let door = Arc::new(Door::new(limits));
    let mut connections = JoinSet::new();
    let mut stopping = pin!(wait_for_stop(stopped.clone()));
    loop {
        tokio::select! {
            () = &mut stopping => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match door.admit(peer) {
                    Some(seat) => {
                        let conversation = converse(stream, router.clone(), limits, stopped.clone());
                        connections.spawn(async move {
                            conversation.await;
                            drop(seat);
                        });
                    }
                    None => turn_away(stream, peer),
                },
                Err(error) => {
                    tracing::warn!(%error, "connection_not_accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

async fn wait_for_stop(mut stopped: watch::Receiver<bool>) {
    // An error is a dropped sender: the node is gone, so stop as well.
    if stopped.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("server_dropped");
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "connection_panicked");
    }
}

/// Answers one client's requests until it leaves, breaks a rule, or the node stops.
async fn converse(stream: TcpStream, router: Router, limits: ClientLimits, stopped: watch::Receiver<bool>) {
    let router = TowerToHyperService::new(router);
    let answer =
        service_fn(|request: Request<Incoming>| router.call(request.map(|body| PatientBody::new(body, &limits))));
    let stream = TokioIo::new(PatientStream::new(stream, &limits));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(CONNECTION_BUFFER_BYTES_MAX)
        .serve_connection(stream, answer);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = wait_for_stop(stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients leave in every possible way; that is nobody's fault here.
        tracing::debug!(%error, "connection_cut");
    }
}

fn turn_away(stream: TcpStream, peer: SocketAddr) {
    tracing::debug!(%peer, "connection_turned_away");
    // It stays non-blocking, and a client that does not get the message sees the connection close.
    if let Err(error) = stream.into_std().and_then(|mut stream| stream.write_all(FULL)) {
        tracing::debug!(%error, "client_not_told");
    }
}

/// Counts the connections, all and by client.
#[derive(Debug)]
struct Door {
    limits: ClientLimits,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A connection's place; dropping it frees it.
struct Seat {
    door: Arc<Door>,
    client: IpAddr,
}

impl Door {
    fn new(limits: ClientLimits) -> Self {
        Self { limits, seats: Mutex::default() }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat, unless there is none for anybody or this client has its share.
    fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<Seat> {
        let client = client_of(peer.ip());
        let mut seats = self.seats();
        let here = seats.by_client.get(&client).copied().unwrap_or(0);
        if seats.taken >= self.limits.connections_max || here >= self.limits.connections_per_client_max {
            return None;
        }
        seats.taken += 1;
        seats.by_client.insert(client, here + 1);
        Some(Seat { door: Arc::clone(self), client })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.door.seats();
        seats.taken -= 1;
        match seats.by_client.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(seats.by_client.remove(&self.client)),
        }
    }
}

/// One client is one IPv4 address, or one IPv6 network of 64 bits: whoever has one such address has all of them.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c19_a_network_of_ipv6_is_one_client_and_a_seat_is_free_again() {
        let door = Arc::new(Door::new(ClientLimits {
            connections_max: 3,
            connections_per_client_max: 2,
            ..ClientLimits::default()
        }));
        let peer = |text: &str| text.parse().expect("an address");
        let seats: Vec<_> = ["[2001:db8::1]:1", "[2001:db8::2]:1"].map(|text| door.admit(peer(text))).into();
        assert!(seats.iter().all(Option::is_some));
        assert!(door.admit(peer("[2001:db8::ffff:0:0:1]:1")).is_none(), "the same network");
        let other = door.admit(peer("[2001:db8:0:1::1]:1"));
        assert!(other.is_some(), "another network");
        assert!(door.admit(peer("192.0.2.1:1")).is_none(), "nothing left");
        drop(seats);
        let mapped = door.admit(peer("[::ffff:192.0.2.1]:1"));
        assert!(mapped.is_some() && door.admit(peer("192.0.2.1:2")).is_some());
        drop((mapped, other));
        let seats = door.seats();
        assert_eq!((seats.taken, seats.by_client.len()), (0, 0));
    }

    #[test]
    fn the_refusal_has_the_length_that_it_states() {
        let (_, body) = std::str::from_utf8(FULL).expect("text").split_once("\r\n\r\n").expect("a head");
        assert_eq!(body.len(), 32);
    }
}

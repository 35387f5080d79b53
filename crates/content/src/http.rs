//! HTTP towards strangers: no redirects, no proxies, no decompression, a bound on every wait and every byte
//! (C-13, C-14).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
    redirect::Policy,
};
use tokio::time::{Instant, timeout};
use url::{Host, Url};

/// Most of an error response that is read and shown.
const MESSAGE_BYTES_MAX: usize = 256;
/// Longest time that an idle connection is kept for the next request: shorter than servers keep theirs, so that a request
/// rarely meets a connection that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address is no `http` or `https` URL with a host.
    #[error("it is no http or https address with a host")]
    Address,
    /// TLS could not be set up on this machine.
    #[error("TLS could not be set up: {reason}; install the ca-certificates package")]
    Tls {
        /// What the library said.
        reason: String,
    },
    /// A stranger's address that is not public.
    #[error("{host} is not a public address; only sources from the configuration may be local")]
    NotPublic {
        /// The host.
        host: String,
    },
    /// No connection.
    #[error("no connection: {reason}")]
    Connect {
        /// What the system said.
        reason: String,
    },
    /// The connection broke.
    #[error("the transfer broke: {reason}")]
    Transfer {
        /// What the system said.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("nothing came for {silence_ms} ms")]
    Silent {
        /// How long it was waited.
        silence_ms: u64,
    },
    /// Too little came.
    #[error("it gave {bytes_per_s} bytes per second; {bytes_per_s_min} are expected")]
    TooSlow {
        /// What it gave on average.
        bytes_per_s: u64,
        /// What was expected.
        bytes_per_s_min: u64,
    },
    /// Too much came.
    #[error("it sent more than {bytes_max} bytes")]
    TooLarge {
        /// The cap.
        bytes_max: u64,
    },
    /// It does not have what was asked for.
    #[error("it does not have the content")]
    NotFound,
    /// It wants us to go elsewhere; redirects are never followed.
    #[error("it redirects to {location:?}, which is not followed; configure that address if you trust it")]
    Redirect {
        /// Where to.
        location: String,
    },
    /// Another answer than success.
    #[error("it answered {status}: {message:?}")]
    Status {
        /// The status code.
        status: u16,
        /// The beginning of what it said.
        message: String,
    },
    /// A compressed answer nobody asked for: its real size is unknown.
    #[error("it answered with content encoding {encoding:?}, which was not asked for")]
    Encoding {
        /// The encoding.
        encoding: String,
    },
    /// An answer of another type.
    #[error("it answered with {got:?} instead of {want}")]
    ContentType {
        /// Its type.
        got: String,
        /// The type asked for.
        want: &'static str,
    },
    /// Something else answers there.
    #[error("it does not answer as {expected} does; is this the right address?")]
    Stranger {
        /// What should.
        expected: &'static str,
    },
    /// The total deadline passed.
    #[error("it was not done in time")]
    Deadline,
}

impl HttpError {
    /// Whether the same request may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Transfer { .. }
            | Self::Silent { .. }
            | Self::TooSlow { .. }
            | Self::NotFound
            | Self::Deadline => true,
            Self::Status { status, .. } => *status >= 500 || *status == 408 || *status == 429,
            _ => false,
        }
    }
}

/// Which hosts may be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostPolicy {
    /// The operator wrote the address down: any host.
    Configured,
    /// A stranger named it: public addresses only, checked again for every connection, after name resolution, so that
    /// a name that changes its address gains nothing.
    PublicOnly,
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    pub(crate) connect_timeout: Duration,
    pub(crate) silence_timeout: Duration,
    pub(crate) bytes_per_s_min: u64,
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    client: Client,
    base: Url,
    limits: HttpLimits,
}

impl Server {
    pub(crate) fn new(base: Url, policy: HostPolicy, limits: HttpLimits) -> Result<Self, HttpError> {
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(HttpError::Address);
        }
        let literal = match base.host().ok_or(HttpError::Address)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        // A literal never reaches the resolver, so it is judged here.
        if policy == HostPolicy::PublicOnly && literal.is_some_and(|address| !is_public(address)) {
            return Err(HttpError::NotPublic { host: base.host_str().unwrap_or_default().to_owned() });
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .referer(false)
            .default_headers(headers)
            .connect_timeout(limits.connect_timeout)
            .pool_idle_timeout(IDLE_MAX)
            .user_agent(concat!("assay-content/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls_config(&base)?);
        if policy == HostPolicy::PublicOnly {
            builder = builder.dns_resolver(Arc::new(PublicResolver));
        }
        let client = builder.build().map_err(|error| HttpError::Tls { reason: reason(&error) })?;
        Ok(Self { client, base, limits })
    }

    /// For logs and reports: scheme, host and port; user names and paths may be secrets.
    pub(crate) fn name(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(crate) fn get(&self, segments: &[&str]) -> RequestBuilder {
        self.client.get(self.url(segments))
    }

    pub(crate) fn post(&self, segments: &[&str]) -> RequestBuilder {
        self.client.post(self.url(segments))
    }

    /// Sends a request and reads the answer's head; anything but plain success is an error. `head_timeout` covers an
    /// upload too, so the caller chooses it.
    pub(crate) async fn send(&self, request: RequestBuilder, head_timeout: Duration) -> Result<Body, HttpError> {
        let response = match timeout(head_timeout, request.send()).await {
            Err(_) => return Err(HttpError::Silent { silence_ms: millis(head_timeout) }),
            Ok(Err(error)) => return Err(request_error(&error)),
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        let mut body = Body { response, limits: self.limits, started: Instant::now(), bytes: 0, bytes_max: u64::MAX };
        if status.is_redirection() {
            return Err(HttpError::Redirect { location: shown(body.header(LOCATION.as_str()).as_bytes()) });
        }
        let encoding = body.header(CONTENT_ENCODING.as_str());
        if !matches!(encoding.as_str(), "" | "identity") {
            return Err(HttpError::Encoding { encoding: shown(encoding.as_bytes()) });
        }
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::NOT_FOUND | StatusCode::GONE => Err(HttpError::NotFound),
            _ => {
                let message = body.beginning().await;
                Err(HttpError::Status { status: status.as_u16(), message })
            }
        }
    }

    /// As [`Self::send`], with the usual patience.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Body, HttpError> {
        self.send(request, self.limits.connect_timeout + self.limits.silence_timeout).await
    }
}

/// The body of a good answer.
#[derive(Debug)]
pub(crate) struct Body {
    response: Response,
    limits: HttpLimits,
    started: Instant,
    bytes: u64,
    bytes_max: u64,
}

impl Body {
    pub(crate) fn capped(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    fn header(&self, name: &str) -> String {
        let value = self.response.headers().get(name);
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
    }

    pub(crate) fn expect_type(&self, want: &'static str) -> Result<(), HttpError> {
        let got = self.header(CONTENT_TYPE.as_str());
        let essence = got.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case(want) {
            Ok(())
        } else {
            Err(HttpError::ContentType { got: shown(got.as_bytes()), want })
        }
    }

    /// The next piece, `None` at the end. A length header is never believed: the cap counts what came.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        let silence = self.limits.silence_timeout;
        let piece = match timeout(silence, self.response.chunk()).await {
            Err(_) => return Err(HttpError::Silent { silence_ms: millis(silence) }),
            Ok(Err(error)) => return Err(HttpError::Transfer { reason: reason(&error) }),
            Ok(Ok(piece)) => piece,
        };
        let Some(piece) = piece else { return Ok(None) };
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.bytes_max {
            return Err(HttpError::TooLarge { bytes_max: self.bytes_max });
        }
        let elapsed = self.started.elapsed();
        let bytes_per_s = u128::from(self.bytes) * 1_000 / elapsed.as_millis().max(1);
        if elapsed > silence && bytes_per_s < u128::from(self.limits.bytes_per_s_min) {
            let bytes_per_s = u64::try_from(bytes_per_s).unwrap_or(u64::MAX);
            return Err(HttpError::TooSlow { bytes_per_s, bytes_per_s_min: self.limits.bytes_per_s_min });
        }
        Ok(Some(piece))
    }

    pub(crate) async fn whole(&mut self) -> Result<Bytes, HttpError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// What an error answer says: Kubo's `Message` if it is one, else its beginning.
    async fn beginning(&mut self) -> String {
        let mut read = BytesMut::new();
        while read.len() < 4 * MESSAGE_BYTES_MAX {
            // An error while an error is read adds nothing.
            let Ok(Some(piece)) = self.next().await else { break };
            read.extend_from_slice(&piece[..piece.len().min(4 * MESSAGE_BYTES_MAX)]);
        }
        let message = serde_json::from_slice::<serde_json::Value>(&read).ok();
        let message = message.as_ref().and_then(|value| value.get("Message")).and_then(|value| value.as_str());
        shown(message.map_or(&read, str::as_bytes))
    }
}

/// Text from strangers, short; the messages escape it.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(MESSAGE_BYTES_MAX)]).trim().to_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn request_error(error: &reqwest::Error) -> HttpError {
    let reason = reason(error);
    if let Some(host) = reason.rsplit_once(NOT_PUBLIC).map(|(_, host)| host.trim().to_owned()) {
        return HttpError::NotPublic { host };
    }
    if error.is_connect() || error.is_timeout() {
        HttpError::Connect { reason }
    } else {
        HttpError::Transfer { reason }
    }
}

/// The innermost cause: the outer ones repeat that a request was sent.
fn reason(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    shown(cause.to_string().as_bytes())
}

/// TLS 1.2 and 1.3 with the system's roots. Those are read only when an address needs them.
fn tls_config(base: &Url) -> Result<rustls::ClientConfig, HttpError> {
    use rustls_platform_verifier::BuilderVerifierExt;
    let tls = |error: rustls::Error| HttpError::Tls { reason: error.to_string() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(tls)?;
    if base.scheme() == "https" {
        Ok(builder.with_platform_verifier().map_err(tls)?.with_no_client_auth())
    } else {
        Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
    }
}

/// Marks the resolver's refusal inside the client library's error.
const NOT_PUBLIC: &str = "not a public address:";

/// Resolves names to public addresses only.
#[derive(Debug)]
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let resolved = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(public_only(name.as_str(), resolved)?.into_iter()) as Addrs)
        })
    }
}

/// The public ones of a name's addresses: what is asked is never a private one, however many public ones stand beside it.
fn public_only(name: &str, resolved: impl Iterator<Item = SocketAddr>) -> std::io::Result<Vec<SocketAddr>> {
    let public: Vec<_> = resolved.filter(|address| is_public(address.ip())).collect();
    if public.is_empty() { Err(std::io::Error::other(format!("{NOT_PUBLIC} {name}"))) } else { Ok(public) }
}

/// Whether an address is on the public internet: not loopback, private, link-local, shared, reserved, multicast, nor a
/// way of writing such an IPv4 address inside IPv6.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_public_v4(mapped),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3; inside it, documentation (2001:db8::/32), Teredo and other protocol assignments
    // (2001::/23) and 6to4 (2002::/16) are no hosts, or hide an IPv4 address.
    (0x2000..0x4000).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b == 0x0db8 || b < 0x0200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_only_public_addresses_are_public() {
        for address in ["1.1.1.1", "8.8.8.8", "100.63.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2001::1",
            "64:ff9b::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn c14_a_name_with_public_and_private_addresses_has_only_the_public_ones() {
        let all =
            |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<Vec<SocketAddr>>();
        let mixed = all(&["10.0.0.1:0", "1.1.1.1:0", "[::1]:0", "[2606:4700::1111]:0", "169.254.169.254:0"]);
        let public = public_only("mixed.example", mixed.into_iter()).expect("two are public");
        assert_eq!(public, all(&["1.1.1.1:0", "[2606:4700::1111]:0"]));
        let refused = public_only("inside.example", all(&["127.0.0.1:0"]).into_iter()).expect_err("none is");
        assert!(refused.to_string().ends_with("inside.example"), "{refused}");
    }

    #[tokio::test]
    async fn c14_a_strangers_local_address_is_refused_literally_and_after_resolution() {
        let limits = HttpLimits {
            connect_timeout: Duration::from_secs(1),
            silence_timeout: Duration::from_secs(1),
            bytes_per_s_min: 1,
        };
        for url in ["http://127.0.0.1:1", "http://169.254.169.254/latest", "http://[::1]:1", "http://2130706433/"] {
            let url = Url::parse(url).expect("a URL");
            let refused = Server::new(url.clone(), HostPolicy::PublicOnly, limits).expect_err("local");
            assert!(matches!(refused, HttpError::NotPublic { .. }), "{url}: {refused}");
            Server::new(url, HostPolicy::Configured, limits).expect("the operator may");
        }
        let named = Url::parse("http://localhost:1").expect("a URL");
        let server = Server::new(named, HostPolicy::PublicOnly, limits).expect("a name is judged when resolved");
        let refused = server.ask(server.get(&["ipfs"])).await.expect_err("resolves to loopback");
        assert_eq!(refused, HttpError::NotPublic { host: "localhost".to_owned() });
        for url in ["ftp://example.org", "file:///etc/passwd", "data:text/plain,x"] {
            let refused = Server::new(Url::parse(url).expect("a URL"), HostPolicy::Configured, limits);
            assert_eq!(refused.expect_err("no http"), HttpError::Address);
        }
    }
}

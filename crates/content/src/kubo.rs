//! A client of Kubo's RPC, and of everything that speaks it ([`crate::ContentNode`] does).

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use cid::Cid;
use futures_util::stream;
use reqwest::{
    RequestBuilder,
    multipart::{Form, Part},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use url::Url;

use crate::{
    CidError, HttpError, Package,
    car::{self, CarDecoder, CarError, CarLimits},
    http::{Body, HostPolicy, HttpLimits, Server},
    limits::{BLOCK_BYTES_MAX, RPC_ANSWER_BYTES_MAX},
    parse_cid, verify_block,
};

/// What `version` says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KuboVersion {
    /// Version of the daemon.
    pub version: String,
}

/// What `id` says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KuboId {
    /// Peer id; empty when the daemon has none.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name and version of the daemon.
    #[serde(default)]
    pub agent_version: String,
}

/// One line of `ls`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KuboLink {
    /// The name in the directory.
    pub name: String,
    /// The CID.
    pub hash: String,
    /// Bytes of the file; zero for a directory.
    pub size: u64,
    /// 1 is a directory, 2 a file.
    #[serde(rename = "Type")]
    pub kind: u32,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KuboError {
    /// The request itself failed.
    #[error("ask {node}: {source}")]
    Http {
        /// The daemon's address.
        node: String,
        /// What went wrong.
        source: HttpError,
    },
    /// The answer is not what this request is answered with.
    #[error("ask {node}: its answer is malformed: {reason}; is this a Kubo RPC address?")]
    Answer {
        /// The daemon's address.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// The daemon imported the package under another root.
    #[error("import into {node}: it reports root {got:?} instead of {want}")]
    OtherRoot {
        /// The daemon's address.
        node: String,
        /// The package's root.
        want: Box<Cid>,
        /// The daemon's.
        got: String,
    },
    /// The daemon took the blocks and did not pin them.
    #[error("import into {node}: it did not pin {root}: {reason}")]
    NotPinned {
        /// The daemon's address.
        node: String,
        /// The package's root.
        root: Box<Cid>,
        /// What it said.
        reason: String,
    },
    /// The answer is not the content asked for.
    #[error("read from {node}: {source}")]
    Car {
        /// The daemon's address.
        node: String,
        /// What is wrong.
        source: Box<CarError>,
    },
    /// The block is not the one asked for.
    #[error("read from {node}: {source}")]
    Block {
        /// The daemon's address.
        node: String,
        /// What is wrong.
        source: Box<CidError>,
    },
}

impl KuboError {
    /// Whether the same request may work later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Http { source, .. } => source.is_retryable(),
            Self::NotPinned { .. } => true,
            _ => false,
        }
    }
}

/// A client of one Kubo RPC endpoint, configured by the operator. Redirects are never followed; one attempt each.
#[derive(Clone, Debug)]
pub struct KuboClient {
    server: Server,
    timeout: Duration,
}

impl KuboClient {
    /// A client of which no request takes longer than `timeout`, uploads and answers included.
    ///
    /// # Errors
    /// [`KuboError`] when the address is not `http` or `https`.
    pub fn new(url: Url, timeout: Duration) -> Result<Self, KuboError> {
        let limits = HttpLimits { connect_timeout: timeout, silence_timeout: timeout, bytes_per_s_min: 1 };
        let node = url.to_string();
        let server = Server::new(url, HostPolicy::Configured, limits);
        Ok(Self { server: server.map_err(|source| KuboError::Http { node, source })?, timeout })
    }

    /// The daemon's address, for logs.
    #[must_use]
    pub fn name(&self) -> String {
        self.server.name()
    }

    /// Asks for the daemon's version: a cheap sign of life.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn version(&self) -> Result<KuboVersion, KuboError> {
        self.json(self.command(&["version"])).await
    }

    /// Asks who the daemon is.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn id(&self) -> Result<KuboId, KuboError> {
        self.json(self.command(&["id"])).await
    }

    /// Uploads a package as a CAR, pins its root and checks that the daemon reports the same root. The daemon never
    /// chooses how files are packed.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn dag_import(&self, package: &Package) -> Result<(), KuboError> {
        let pieces: Vec<Bytes> = car::pieces(&package.root, &package.blocks).collect();
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        let body = reqwest::Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
        let part = Part::stream_with_length(body, length).file_name("package.car");
        // js-ipfs insists on a type.
        let part = part.mime_str("application/octet-stream").expect("a well-known media type");
        let request = self.command(&["dag", "import"]).query(&[("pin-roots", "true")]);
        let answer = self.bytes(request.multipart(Form::new().part("file", part)), RPC_ANSWER_BYTES_MAX).await?;
        self.check_import(package, &answer)
    }

    /// One JSON object per line; the one about the root counts.
    fn check_import(&self, package: &Package, answer: &[u8]) -> Result<(), KuboError> {
        let node = || self.name();
        for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: ImportLine = serde_json::from_slice(line)
                .map_err(|error| KuboError::Answer { node: node(), reason: error.to_string() })?;
            let Some(ImportRoot { cid, pin_error }) = line.root else { continue };
            if cid.text.parse::<Cid>().ok() != Some(package.root) {
                return Err(KuboError::OtherRoot { node: node(), want: Box::new(package.root), got: cid.text });
            }
            if !pin_error.is_empty() {
                return Err(KuboError::NotPinned { node: node(), root: Box::new(package.root), reason: pin_error });
            }
            return Ok(());
        }
        let reason = "it names no root".to_owned();
        Err(KuboError::NotPinned { node: node(), root: Box::new(package.root), reason })
    }

    /// Downloads everything below a root, every block verified.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn dag_export(&self, root: &Cid, limits: CarLimits) -> Result<Vec<(Cid, Bytes)>, KuboError> {
        let request = self.command(&["dag", "export"]).query(&[("arg", root.to_string())]);
        self.in_time(self.export(request, limits)).await
    }

    async fn export(&self, request: RequestBuilder, limits: CarLimits) -> Result<Vec<(Cid, Bytes)>, KuboError> {
        let mut body = self.ask(request).await?.capped(limits.bytes);
        let car = |source| KuboError::Car { node: self.name(), source: Box::new(source) };
        let (mut decoder, mut blocks) = (CarDecoder::new(limits), Vec::new());
        while let Some(piece) = body.next().await.map_err(|source| self.http(source))? {
            decoder.push(&piece).map_err(car)?;
            while let Some(block) = decoder.next_block().map_err(car)? {
                blocks.push(block);
            }
        }
        decoder.finish().map_err(car)?;
        Ok(blocks)
    }

    /// Downloads one block, verified.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn block_get(&self, cid: &Cid) -> Result<Bytes, KuboError> {
        let request = self.command(&["block", "get"]).query(&[("arg", cid.to_string())]);
        let block = self.bytes(request, BLOCK_BYTES_MAX as u64).await?;
        verify_block(cid, &block).map_err(|source| KuboError::Block { node: self.name(), source: Box::new(source) })?;
        Ok(block)
    }

    /// The length of a block, as the daemon says.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn block_stat(&self, cid: &Cid) -> Result<u64, KuboError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Stat {
            size: u64,
        }
        let request = self.command(&["block", "stat"]).query(&[("arg", cid.to_string())]);
        Ok(self.json::<Stat>(request).await?.size)
    }

    /// Roots that the daemon pinned recursively.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn pin_ls(&self) -> Result<Vec<Cid>, KuboError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Pins {
            keys: std::collections::BTreeMap<String, serde_json::Value>,
        }
        let request = self.command(&["pin", "ls"]).query(&[("type", "recursive")]);
        let pins: Pins = self.json(request).await?;
        // A daemon that others use too may pin what we would not accept.
        Ok(pins.keys.keys().filter_map(|key| parse_cid(key).ok()).collect())
    }

    /// Reads a file as the daemon understands it. Not verified: for people, not for outcomes.
    ///
    /// # Errors
    /// [`KuboError`]; over `bytes_max` is an error.
    pub async fn cat(&self, path: &str, bytes_max: u64) -> Result<Bytes, KuboError> {
        self.bytes(self.command(&["cat"]).query(&[("arg", path)]), bytes_max).await
    }

    /// Lists a directory as the daemon understands it. Not verified: for people, not for outcomes.
    ///
    /// # Errors
    /// [`KuboError`].
    pub async fn ls(&self, path: &str) -> Result<Vec<KuboLink>, KuboError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listing {
            objects: Vec<Object>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Object {
            links: Vec<KuboLink>,
        }
        let listing: Listing = self.json(self.command(&["ls"]).query(&[("arg", path)])).await?;
        Ok(listing.objects.into_iter().flat_map(|object| object.links).collect())
    }

    fn command(&self, command: &[&str]) -> RequestBuilder {
        self.server.post(&[&["api", "v0"], command].concat())
    }

    fn http(&self, source: HttpError) -> KuboError {
        KuboError::Http { node: self.name(), source }
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Body, KuboError> {
        self.server.send(request, self.timeout).await.map_err(|source| self.http(source))
    }

    async fn bytes(&self, request: RequestBuilder, bytes_max: u64) -> Result<Bytes, KuboError> {
        let answer = async {
            let mut body = self.ask(request).await?.capped(bytes_max);
            body.whole().await.map_err(|source| self.http(source))
        };
        self.in_time(answer).await
    }

    /// A request as a whole: that pieces keep coming is not enough.
    async fn in_time<T>(&self, request: impl Future<Output = Result<T, KuboError>>) -> Result<T, KuboError> {
        timeout(self.timeout, request).await.unwrap_or_else(|_| Err(self.http(HttpError::Deadline)))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, KuboError> {
        let answer = self.bytes(request, RPC_ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| KuboError::Answer { node: self.name(), reason: error.to_string() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportLine {
    root: Option<ImportRoot>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportRoot {
    cid: CidObject,
    #[serde(default, rename = "PinErrorMsg")]
    pin_error: String,
}

#[derive(Deserialize)]
struct CidObject {
    #[serde(rename = "/")]
    text: String,
}

//! One source: a CAR if it gives one, else block by block.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use cid::Cid;
use futures_util::{StreamExt, stream};
use reqwest::{RequestBuilder, header::ACCEPT};

use super::{
    FetchError, FetchLimits, Source, SourceError,
    pool::Pool,
    verdict::{Verdict, judge},
};
use crate::{
    Entry, HttpError,
    car::{CarDecoder, CarError, CarLimits},
    http::{Body, HostPolicy, HttpLimits, Server},
    kubo::KuboVersion,
    limits::{BLOCK_BYTES_MAX, BLOCKS_IN_FLIGHT_MAX, Budget, RPC_ANSWER_BYTES_MAX},
    verify_block,
};

const CAR_TYPE: &str = "application/vnd.ipld.car";
const RAW_TYPE: &str = "application/vnd.ipld.raw";
/// The empty block, whose CID is all of it: every gateway has it, whatever else it has.
const EMPTY_BLOCK: &str = "bafkqaaa";

/// How a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Kubo,
    Gateway,
}

/// What came of asking a source.
pub(super) struct Filled {
    /// The package.
    pub(super) entries: Vec<Entry>,
    /// What the source did wrong, although everything is there.
    pub(super) fault: Option<SourceError>,
}

#[derive(Clone, Debug)]
pub(super) struct SourceClient {
    server: Server,
    dialect: Dialect,
}

impl SourceClient {
    pub(super) fn new(source: Source, limits: &FetchLimits) -> Result<Self, FetchError> {
        let http = HttpLimits {
            connect_timeout: limits.connect_timeout,
            silence_timeout: limits.silence_timeout,
            bytes_per_s_min: limits.bytes_per_s_min,
        };
        let (url, dialect, policy) = match source {
            Source::Kubo(url) => (url, Dialect::Kubo, HostPolicy::Configured),
            Source::Gateway(url) => (url, Dialect::Gateway, HostPolicy::Configured),
            Source::Discovered(url) => (url, Dialect::Gateway, HostPolicy::PublicOnly),
        };
        let name = url.to_string();
        let server = Server::new(url, policy, http).map_err(|error| FetchError::Source { source: name, error })?;
        Ok(Self { server, dialect })
    }

    pub(super) fn name(&self) -> String {
        self.server.name()
    }

    /// Whether it is there, and what it is said to be: any server at all may say that it does not have something.
    pub(super) async fn probe(&self) -> Result<(), HttpError> {
        let (request, expected) = match self.dialect {
            Dialect::Kubo => (self.server.post(&["api", "v0", "version"]), "Kubo's RPC"),
            Dialect::Gateway => {
                let request = self.server.get(&["ipfs", EMPTY_BLOCK]).query(&[("format", "raw")]);
                (request.header(ACCEPT, RAW_TYPE), "a trustless gateway")
            }
        };
        let mut answer = match self.ask(request).await {
            Err(HttpError::NotFound | HttpError::Status { status: 400..=499, .. }) => {
                return Err(HttpError::Stranger { expected });
            }
            answer => answer?.capped(RPC_ANSWER_BYTES_MAX),
        };
        let is_it = match self.dialect {
            Dialect::Kubo => serde_json::from_slice::<KuboVersion>(&answer.whole().await?).is_ok(),
            Dialect::Gateway => answer.expect_type(RAW_TYPE).is_ok() && answer.whole().await?.is_empty(),
        };
        if is_it { Ok(()) } else { Err(HttpError::Stranger { expected }) }
    }

    /// Fills the pool until it holds a package, or what can be none. Whatever the source did wrong on the way, the
    /// blocks that it gave are judged first: a cap or a cut connection must not hide what is the same on every host.
    pub(super) async fn fill(&self, root: &Cid, pool: &Arc<Pool>, budget: &Budget) -> Result<Filled, SourceError> {
        let mut fault = match self.car(root, pool, budget).await {
            Ok(()) => None,
            // It knows no CAR, or gave only a part of one: what is missing may still be had block by block.
            Err(error) if asks_for_blocks(&error) => {
                tracing::debug!(source = %self.name(), %error, "content_source_gave_no_car");
                None
            }
            Err(error) => Some(error),
        };
        // What this source lacks is not asked for twice; the rest of its blocks still helps the others.
        let mut lacking = HashMap::new();
        // Many blocks are asked for ahead of being read, which a hostile directory turns into bytes that are never read.
        // Once those are as many as a package may have, only what is read next is asked for, with the same bound.
        let (mut ahead, mut bytes_left) = (true, budget.block_bytes());
        loop {
            let missing = match judge(*root, pool, *budget).await? {
                Verdict::Package(entries) => return Ok(Filled { entries, fault }),
                Verdict::Refused(error) => return Err(SourceError::Content(Box::new(error))),
                Verdict::Open(missing) => missing,
            };
            if let Some(error) = fault {
                return Err(error);
            }
            let reach = if ahead { missing.len() } else { 1 };
            let wanted: Vec<_> = missing.iter().copied().take(reach).filter(|cid| !lacking.contains_key(cid)).collect();
            match (missing.first(), wanted.is_empty()) {
                (Some(cid), true) => {
                    return Err(match lacking.remove(cid) {
                        Some(HttpError::NotFound) | None if cid != root => SourceError::Missing { cid: Box::new(*cid) },
                        error => error.unwrap_or(HttpError::NotFound).into(),
                    });
                }
                _ => match self.blocks(wanted, pool, budget, &mut bytes_left).await {
                    Ok(absent) => lacking.extend(absent),
                    Err(SourceError::Http(HttpError::TooLarge { .. })) if ahead => {
                        (ahead, bytes_left) = (false, budget.block_bytes());
                    }
                    Err(error) => fault = Some(error),
                },
            }
        }
    }

    /// Takes a CAR into the pool, up to where the store is seen to have most of it.
    async fn car(&self, root: &Cid, pool: &Arc<Pool>, budget: &Budget) -> Result<(), SourceError> {
        let limits = CarLimits::for_budget(budget);
        let request = match self.dialect {
            Dialect::Kubo => self.server.post(&["api", "v0", "dag", "export"]).query(&[("arg", root.to_string())]),
            Dialect::Gateway => self.gateway(root, "car", CAR_TYPE),
        };
        let mut body = self.ask(request).await?.capped(limits.bytes);
        if self.dialect == Dialect::Gateway {
            body.expect_type(CAR_TYPE)?;
        }
        let (mut decoder, mut redundancy) = (CarDecoder::new(limits), pool.redundancy(root));
        while let Some(piece) = body.next().await? {
            decoder.push(&piece)?;
            while let Some((cid, block)) = decoder.next_block()? {
                let is_redundant = redundancy.sees(&cid, &block);
                pool.insert_verified(cid, block);
                if is_redundant {
                    tracing::debug!(source = %self.name(), %root, "mostly_stored_car_stopped");
                    return Ok(());
                }
            }
        }
        decoder.finish()?;
        Ok(())
    }

    /// Puts blocks into the pool and gives those that the source does not have, or that are too large to be taken: they
    /// end the fetch only when they are what is read next. The first block over `bytes_left` is the last one.
    async fn blocks(
        &self,
        wanted: Vec<Cid>,
        pool: &Arc<Pool>,
        budget: &Budget,
        bytes_left: &mut u64,
    ) -> Result<Vec<(Cid, HttpError)>, SourceError> {
        let mut answers = stream::iter(wanted)
            .map(|cid| async move { (cid, self.block(&cid).await) })
            .buffer_unordered(BLOCKS_IN_FLIGHT_MAX);
        let mut absent = Vec::new();
        while let Some((cid, block)) = answers.next().await {
            let bytes = match block {
                Ok(block) => {
                    let bytes = block.len();
                    pool.insert_verified(cid, block);
                    bytes
                }
                Err(SourceError::Http(error @ (HttpError::NotFound | HttpError::TooLarge { .. }))) => {
                    let bytes = if error == HttpError::NotFound { 0 } else { BLOCK_BYTES_MAX };
                    absent.push((cid, error));
                    bytes
                }
                Err(error) => return Err(error),
            };
            let left = bytes_left.checked_sub(bytes as u64);
            *bytes_left = left.ok_or(HttpError::TooLarge { bytes_max: budget.block_bytes() })?;
        }
        Ok(absent)
    }

    async fn block(&self, cid: &Cid) -> Result<Bytes, SourceError> {
        let request = match self.dialect {
            Dialect::Kubo => self.server.post(&["api", "v0", "block", "get"]).query(&[("arg", cid.to_string())]),
            Dialect::Gateway => self.gateway(cid, "raw", RAW_TYPE),
        };
        let mut body = self.ask(request).await?.capped(BLOCK_BYTES_MAX as u64);
        let block = body.whole().await?;
        verify_block(cid, &block).map_err(|error| SourceError::Block(Box::new(error)))?;
        Ok(block)
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Body, HttpError> {
        match self.server.ask(request).await {
            // Kubo has one status for every failure and tells absence by its text only.
            Err(HttpError::Status { status: 500, message })
                if self.dialect == Dialect::Kubo && (message.contains("not find") || message.contains("not found")) =>
            {
                Err(HttpError::NotFound)
            }
            answer => answer,
        }
    }

    /// Both the parameter and the header: gateways disagree on which one counts.
    fn gateway(&self, cid: &Cid, format: &str, accept: &str) -> RequestBuilder {
        self.server.get(&["ipfs", &cid.to_string()]).query(&[("format", format)]).header(ACCEPT, accept)
    }
}

fn asks_for_blocks(error: &SourceError) -> bool {
    match error {
        SourceError::Http(HttpError::ContentType { .. } | HttpError::Transfer { .. }) => true,
        SourceError::Http(HttpError::Status { status, .. }) => matches!(status, 400 | 405 | 406 | 415 | 501),
        SourceError::Car(error) => {
            matches!(**error, CarError::Truncated { .. } | CarError::Header { .. } | CarError::Version2)
        }
        _ => false,
    }
}

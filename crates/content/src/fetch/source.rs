//! One source: a CAR if it gives one, else block by block.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use cid::Cid;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{RequestBuilder, header::ACCEPT};

use super::{FetchError, FetchLimits, Pool, Source, SourceError, lock};
use crate::{
    BlockGet, HttpError, UnpackError,
    car::{CarDecoder, CarError, CarLimits},
    dag::{Step, Walk},
    http::{Body, HostPolicy, HttpLimits, Server},
    limits::{BLOCK_BYTES_MAX, BLOCKS_IN_FLIGHT_MAX, Budget},
    verify_block,
};

const CAR_TYPE: &str = "application/vnd.ipld.car";
const RAW_TYPE: &str = "application/vnd.ipld.raw";

/// How a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Kubo,
    Gateway,
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

    /// Fills the pool until everything below the root is there.
    pub(super) async fn fill(&self, root: &Cid, pool: &Arc<Pool>, budget: &Budget) -> Result<(), SourceError> {
        match self.car(root, pool, budget).await {
            Ok(()) => {}
            // It knows no CAR, or gave only a part of one: what is missing may still be had block by block.
            Err(error) if asks_for_blocks(&error) => {
                tracing::debug!(source = %self.name(), %error, "content_source_gave_no_car");
            }
            Err(error) => return Err(error),
        }
        // What this source lacks is not asked for twice; the rest of its blocks still helps the others.
        let mut lacking = HashSet::new();
        loop {
            let missing = missing(root, pool, budget)?;
            let wanted: Vec<_> = missing.iter().copied().filter(|cid| !lacking.contains(cid)).collect();
            match (missing.first(), wanted.is_empty()) {
                (None, _) => return Ok(()),
                (Some(cid), true) if cid == root => return Err(HttpError::NotFound.into()),
                (Some(cid), true) => return Err(SourceError::Missing { cid: Box::new(*cid) }),
                (Some(_), false) => lacking.extend(self.blocks(wanted, pool).await?),
            }
        }
    }

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
        let mut decoder = CarDecoder::new(limits);
        while let Some(piece) = body.next().await? {
            decoder.push(&piece)?;
            while let Some((cid, block)) = decoder.next_block()? {
                lock(pool).insert_verified(cid, block);
            }
        }
        decoder.finish()?;
        Ok(())
    }

    /// Puts blocks into the pool and gives those that the source does not have.
    async fn blocks(&self, wanted: Vec<Cid>, pool: &Arc<Pool>) -> Result<Vec<Cid>, SourceError> {
        stream::iter(wanted)
            .map(|cid| async move { (cid, self.block(&cid).await) })
            .buffer_unordered(BLOCKS_IN_FLIGHT_MAX)
            .map(|(cid, block)| match block {
                Ok(block) => {
                    lock(pool).insert_verified(cid, block);
                    Ok(None)
                }
                Err(SourceError::Http(HttpError::NotFound)) => Ok(Some(cid)),
                Err(error) => Err(error),
            })
            .try_filter_map(|lacking| std::future::ready(Ok(lacking)))
            .try_collect()
            .await
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

/// The blocks below the root that are linked to and not in the pool. What cannot be a package stops the search.
fn missing(root: &Cid, pool: &Arc<Pool>, budget: &Budget) -> Result<Vec<Cid>, SourceError> {
    let blocks = lock(pool).clone();
    let content = |error: UnpackError| SourceError::Content(Box::new(error));
    let (mut missing, mut bytes) = (Vec::new(), 0_u64);
    let mut walk = Walk::new(&blocks, [*root], budget.links);
    while let Some(step) = walk.next().map_err(content)? {
        match step {
            Step::Missing(cid) => missing.push(cid),
            Step::Block(_, block) => bytes = bytes.saturating_add(block.len() as u64),
        }
    }
    debug_assert!(blocks.verified(), "the pool holds verified blocks only");
    let bytes_max = budget.block_bytes();
    if bytes > bytes_max {
        return Err(SourceError::Http(HttpError::TooLarge { bytes_max }));
    }
    Ok(missing)
}

//! One source: a CAR if it gives one, else block by block.

use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{RequestBuilder, header::ACCEPT};

use super::{FetchError, FetchLimits, Pool, Source, SourceError, lock};
use crate::{
    BlockGet, HttpError, UnpackError,
    car::{CarDecoder, CarError, CarLimits},
    dag::{Step, Walk},
    http::{HostPolicy, HttpLimits, Server},
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
        loop {
            let missing = missing(root, pool, budget)?;
            if missing.is_empty() {
                return Ok(());
            }
            self.blocks(missing, pool).await?;
        }
    }

    async fn car(&self, root: &Cid, pool: &Arc<Pool>, budget: &Budget) -> Result<(), SourceError> {
        let limits = CarLimits::for_budget(budget);
        let request = match self.dialect {
            Dialect::Kubo => self.server.post(&["api", "v0", "dag", "export"]).query(&[("arg", root.to_string())]),
            Dialect::Gateway => self.gateway(root, "car", CAR_TYPE),
        };
        let mut body = self.server.ask(request).await?.capped(limits.bytes);
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

    async fn blocks(&self, missing: Vec<Cid>, pool: &Arc<Pool>) -> Result<(), SourceError> {
        stream::iter(missing)
            .map(|cid| async move { self.block(&cid).await.map(|block| (cid, block)) })
            .buffer_unordered(BLOCKS_IN_FLIGHT_MAX)
            .try_for_each(|(cid, block)| {
                lock(pool).insert_verified(cid, block);
                std::future::ready(Ok(()))
            })
            .await
    }

    async fn block(&self, cid: &Cid) -> Result<Bytes, SourceError> {
        let request = match self.dialect {
            Dialect::Kubo => self.server.post(&["api", "v0", "block", "get"]).query(&[("arg", cid.to_string())]),
            Dialect::Gateway => self.gateway(cid, "raw", RAW_TYPE),
        };
        let mut body = self.server.ask(request).await?.capped(BLOCK_BYTES_MAX as u64);
        let block = body.whole().await?;
        verify_block(cid, &block).map_err(|error| SourceError::Block(Box::new(error)))?;
        Ok(block)
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

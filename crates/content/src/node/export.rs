//! A DAG as a CAR, streamed: memory holds a few blocks, whatever the size, and no thread waits for a slow reader.

use std::{collections::HashSet, io, iter, vec};

use axum::body::Body;
use bytes::Bytes;
use cid::Cid;
use futures_util::{TryStreamExt, stream};

use crate::{
    BlockStore, car,
    dag::{Step, Walk},
    limits::{EXPORT_BYTES_AHEAD, LINKS_MAX},
};

/// Streams `proof` and then, when `below` is set, everything below that CID, each block once. A missing block cuts the
/// stream, so that the reader sees a broken transfer and never a short file.
pub(super) fn stream_car(store: BlockStore, root: Cid, proof: Vec<(Cid, Bytes)>, below: Option<Cid>) -> Body {
    let walk = Walk::new(store, below, LINKS_MAX);
    let export = Export { root, proof: proof.into_iter(), walk, sent: HashSet::new(), is_begun: false };
    let pieces = stream::try_unfold(export, move |mut export| async move {
        let read = tokio::task::spawn_blocking(move || export.pieces().map(|pieces| (pieces, export)));
        let (pieces, export) = read.await.map_err(io::Error::other)?.inspect_err(|error| {
            tracing::warn!(%root, %error, "car_export_cut");
        })?;
        Ok::<_, io::Error>((!pieces.is_empty()).then_some((pieces, export)))
    });
    Body::from_stream(pieces.map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok::<_, io::Error>))).try_flatten())
}

struct Export {
    root: Cid,
    proof: vec::IntoIter<(Cid, Bytes)>,
    walk: Walk<BlockStore>,
    sent: HashSet<Cid>,
    is_begun: bool,
}

impl Export {
    /// The next pieces of the file, none at its end.
    fn pieces(&mut self) -> io::Result<Vec<Bytes>> {
        let mut pieces: Vec<Bytes> = Vec::new();
        if !self.is_begun {
            self.is_begun = true;
            pieces.push(car::header(&self.root));
        }
        let mut bytes = 0;
        while bytes < EXPORT_BYTES_AHEAD
            && let Some((cid, block)) = self.block()?
        {
            if self.sent.insert(cid) {
                bytes += block.len();
                pieces.extend(iter::once(car::section_prefix(&cid, block.len())).chain([block]));
            }
        }
        Ok(pieces)
    }

    fn block(&mut self) -> io::Result<Option<(Cid, Bytes)>> {
        if let Some(proof) = self.proof.next() {
            return Ok(Some(proof));
        }
        match self.walk.next().map_err(io::Error::other)? {
            Some(Step::Block(cid, block)) => Ok(Some((cid, block))),
            Some(Step::Missing(cid)) => Err(io::Error::other(format!("block {cid} is missing"))),
            None => Ok(None),
        }
    }
}

//! A DAG as a CAR, streamed: memory holds a few blocks, whatever the size.

use std::{collections::HashSet, io};

use axum::body::Body;
use bytes::Bytes;
use cid::Cid;
use futures_util::stream;
use tokio::sync::mpsc;

use crate::{
    BlockStore, car,
    dag::{Step, Walk},
    limits::LINKS_MAX,
};

/// Pieces that wait for a slow reader.
const PIECES_WAITING_MAX: usize = 16;

/// Streams `proof` and then, when `below` is set, everything below that CID, each block once. A missing block cuts the
/// stream, so that the reader sees a broken transfer and never a short file.
pub(super) fn stream_car(store: BlockStore, root: Cid, proof: Vec<(Cid, Bytes)>, below: Option<Cid>) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES_WAITING_MAX);
    // Ends by itself: with the walk, or when the reader is gone and a send fails.
    tokio::task::spawn_blocking(move || {
        if let Err(Stopped::Failed(error)) = send_car(&store, &root, proof, below, &sender) {
            tracing::warn!(%root, %error, "car_export_cut");
            // The receiver may be gone as well; then there is nobody to tell.
            sender.blocking_send(Err(error)).ok();
        }
    });
    Body::from_stream(stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|piece| (piece, receiver))
    }))
}

enum Stopped {
    ReaderGone,
    Failed(io::Error),
}

fn send_car(
    store: &BlockStore,
    root: &Cid,
    proof: Vec<(Cid, Bytes)>,
    below: Option<Cid>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Stopped> {
    let send = |piece: Bytes| sender.blocking_send(Ok(piece)).map_err(|_| Stopped::ReaderGone);
    let mut sent = HashSet::new();
    send(car::header(root))?;
    let mut send_block = |cid: Cid, block: Bytes| {
        if !sent.insert(cid) {
            return Ok(());
        }
        send(car::section_prefix(&cid, block.len()))?;
        send(block)
    };
    for (cid, block) in proof {
        send_block(cid, block)?;
    }
    let failed = |error: String| Stopped::Failed(io::Error::other(error));
    let mut walk = Walk::new(store, below, LINKS_MAX);
    while let Some(step) = walk.next().map_err(|error| failed(error.to_string()))? {
        match step {
            Step::Block(cid, block) => send_block(cid, block)?,
            Step::Missing(cid) => return Err(failed(format!("block {cid} is missing"))),
        }
    }
    Ok(())
}

//! What the blocks at hand amount to, decided by [`unpack`] alone.
//!
//! [`unpack`] reads in one fixed order and stops at the first fault. When that fault is not a missing block, every block
//! before it in that order is there and verified, so all other blocks, and whoever gave these, make no difference: it is
//! the same fault on every host, and may be signed (I-08). A missing block is nobody's verdict but a reason to fetch.

use std::sync::Arc;

use cid::Cid;

use super::{
    SourceError,
    pool::{Pool, View},
};
use crate::{
    Entry, UnpackError,
    dag::{Step, Walk},
    limits::Budget,
    unpack,
};

/// What a pool of verified blocks amounts to.
pub(super) enum Verdict {
    /// All of a package.
    Package(Vec<Entry>),
    /// No package, whatever else may come.
    Refused(UnpackError),
    /// It cannot be told without these blocks, at least one; the one that is read next stands first.
    Open(Vec<Cid>),
}

/// Reads what the pool holds of a package.
pub(super) async fn judge(root: Cid, pool: &Arc<Pool>, budget: Budget) -> Result<Verdict, SourceError> {
    let pool = Arc::clone(pool);
    let judged = tokio::task::spawn_blocking(move || {
        let blocks = pool.view();
        match unpack(root, &blocks, &budget) {
            Ok(entries) => Verdict::Package(entries),
            Err(UnpackError::Missing { cid }) => {
                let mut missing = vec![cid];
                missing.extend(others_missing(root, &blocks, &budget, &cid));
                Verdict::Open(missing)
            }
            Err(error) => Verdict::Refused(error),
        }
    });
    judged.await.map_err(|_| SourceError::Cancelled)
}

/// Blocks that are linked to below the root and not there, so that many can be asked for at once. The walk meets blocks
/// in another order than [`unpack`] and more of them, so what it dislikes says nothing and is passed over.
fn others_missing(root: Cid, blocks: &View, budget: &Budget, first: &Cid) -> Vec<Cid> {
    let mut missing = Vec::new();
    let mut walk = Walk::new(blocks, [root], budget.links);
    loop {
        match walk.next() {
            Ok(Some(Step::Missing(cid))) if cid != *first => missing.push(cid),
            Ok(Some(_)) => {}
            Ok(None) | Err(UnpackError::TooManyLinks { .. }) => return missing,
            Err(error) => tracing::debug!(%root, %error, "block_passed_over_by_fetch"),
        }
    }
}

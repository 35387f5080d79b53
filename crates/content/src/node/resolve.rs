//! From `CID/path` to what stands there.

use std::cell::RefCell;

use bytes::Bytes;
use cid::Cid;

use tokio::sync::OwnedSemaphorePermit;

use super::{State, answer::Refusal};
use crate::{
    BlockGet, BlockStore, StoreError,
    id::{Codec, accept},
    limits::{Budget, PATH_BYTES_MAX},
    node_codec::{self, Node},
    parse_cid,
    unpack::{Found, Reader},
};

/// A root and the names below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentPath {
    pub(super) root: Cid,
    pub(super) names: Vec<String>,
}

impl ContentPath {
    /// Reads `CID`, `CID/a/b` or `/ipfs/CID/a/b`.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > PATH_BYTES_MAX + 256 {
            return Err(Refusal::bad_request("the path is too long"));
        }
        let text = text.strip_prefix("/ipfs/").unwrap_or(text);
        let mut parts = text.split('/').filter(|part| !part.is_empty());
        let root = parse_cid(parts.next().unwrap_or_default())?;
        Ok(Self { root, names: parts.map(str::to_owned).collect() })
    }

    /// As it stands in a URL's path, unescaped.
    pub(super) fn text(&self) -> String {
        std::iter::once(self.root.to_string()).chain(self.names.iter().cloned()).collect::<Vec<_>>().join("/")
    }
}

/// A store that remembers what was read from it: the proof of a path.
pub(super) struct Recorder<'a> {
    store: &'a BlockStore,
    read: RefCell<Vec<(Cid, Bytes)>>,
}

impl<'a> Recorder<'a> {
    pub(super) const fn new(store: &'a BlockStore) -> Self {
        Self { store, read: RefCell::new(Vec::new()) }
    }

    /// Blocks read so far, in order; a block may stand there twice.
    pub(super) fn take(&self) -> Vec<(Cid, Bytes)> {
        self.read.take()
    }
}

impl BlockGet for Recorder<'_> {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let block = self.store.get(cid)?;
        if let Some(block) = &block {
            self.read.borrow_mut().push((*cid, block.clone()));
        }
        Ok(block)
    }

    fn verified(&self) -> bool {
        true
    }
}

/// The CID that a path leads to.
pub(super) fn resolve(blocks: &impl BlockGet, path: &ContentPath, budget: &Budget) -> Result<Cid, Refusal> {
    let mut reader = Reader::new(blocks, budget);
    let mut cid = path.root;
    for name in &path.names {
        let Found::Directory(links) = reader.visit(&cid, name)? else {
            return Err(Refusal::not_found(format!("{name:?} in {cid}, which is a file")));
        };
        let link = links.into_iter().find(|link| link.name == *name);
        cid = link.ok_or_else(|| Refusal::not_found(format!("{name:?} in {cid}")))?.cid;
    }
    Ok(cid)
}

/// What a path leads to, read whole. A file's bytes are charged to the node's memory before they are read, until the last
/// slice of them is dropped.
pub(super) fn open(state: &State, path: &ContentPath) -> Result<(Cid, Found), Refusal> {
    let cid = resolve(&state.store, path, &state.budget)?;
    let held = state.hold(file_bytes(&state.store, &cid)?)?;
    let found = match Reader::new(&state.store, &state.budget).visit(&cid, "")? {
        Found::File(file, bytes) => Found::File(file, Bytes::from_owner(Held { bytes, _held: held })),
        directory @ Found::Directory(_) => directory,
    };
    Ok((cid, found))
}

/// Bytes of a file and what they are charged to.
struct Held {
    bytes: Bytes,
    _held: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What a file declares to hold; nothing for what is none, or not here. Only as much is ever read, see [`Reader`].
fn file_bytes(blocks: &impl BlockGet, cid: &Cid) -> Result<usize, Refusal> {
    let Some(block) = blocks.get(cid)? else { return Ok(0) };
    let declared = match accept(cid)?.0 {
        Codec::Raw => return Ok(block.len()),
        Codec::DagPb => match node_codec::decode(&block) {
            Ok(Node::File { file_bytes, .. }) => file_bytes,
            _ => 0,
        },
    };
    // What is too large for this is over every budget too.
    Ok(usize::try_from(declared).unwrap_or(usize::MAX))
}

/// What a path leads to, which must be a file.
pub(super) fn open_file(state: &State, path: &ContentPath) -> Result<Bytes, Refusal> {
    match open(state, path)? {
        (_, Found::File(_, bytes)) => Ok(bytes),
        (cid, Found::Directory(_)) => Err(Refusal::bad_request(format!("{cid} is a directory, not a file"))),
    }
}

//! From `CID/path` to what stands there.

use std::cell::RefCell;

use bytes::Bytes;
use cid::Cid;

use super::answer::Refusal;
use crate::{
    BlockGet, BlockStore, StoreError,
    limits::{Budget, PATH_BYTES_MAX},
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

/// What a path leads to, read whole.
pub(super) fn open(blocks: &impl BlockGet, path: &ContentPath, budget: &Budget) -> Result<(Cid, Found), Refusal> {
    let cid = resolve(blocks, path, budget)?;
    Ok((cid, Reader::new(blocks, budget).visit(&cid, "")?))
}

/// What a path leads to, which must be a file.
pub(super) fn open_file(blocks: &impl BlockGet, path: &ContentPath, budget: &Budget) -> Result<Bytes, Refusal> {
    match open(blocks, path, budget)? {
        (_, Found::File(_, bytes)) => Ok(bytes),
        (cid, Found::Directory(_)) => Err(Refusal::bad_request(format!("{cid} is a directory, not a file"))),
    }
}

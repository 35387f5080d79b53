//! Blocks in, files out: iterative, budgeted, and only what the profile itself would have written.

use std::collections::BTreeSet;

use assay_protocol::InvalidReason;
use bytes::{Bytes, BytesMut};
use cid::Cid;

use crate::{
    BlockGet, CidError, Entry, EntryKind, NameError, StoreError, dag,
    id::{Codec, accept},
    limits::{Budget, CHUNK_BYTES, HAMT_LEVELS_MAX},
    name::{validate_name, validate_path_bytes},
    node_codec::{self, DecodeError, Link, Node},
    pack::{FileRoot, Leaf, NoBlocks, PackError, Tree, file_root},
};

/// Levels of lists over a file's chunks: 1,024 to the third is a pebibyte, far over any budget.
const FILE_LEVELS_MAX: usize = 3;

/// Why a package could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// A CID that is not canonical, or a block that is not the one its CID names.
    #[error(transparent)]
    Cid(#[from] CidError),
    /// A block is not there.
    #[error("read block {cid}: it is missing; fetch the package again")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block larger than any the profile writes.
    #[error("read block {cid}: {bytes} bytes are over the limit of {bytes_max}")]
    BlockTooLarge {
        /// The block.
        cid: Cid,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A block that is no UnixFS node of the profile.
    #[error("read block {cid}: {source}")]
    Node {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: Box<DecodeError>,
    },
    /// A name that a package may not hold.
    #[error("read directory {cid}: {source}")]
    Name {
        /// The directory.
        cid: Cid,
        /// What is wrong with the name.
        source: Box<NameError>,
    },
    /// The root is a file.
    #[error("read {cid}: it is a file; a job or result is always a directory")]
    RootNotDirectory {
        /// The root.
        cid: Cid,
    },
    /// A directory was read as a file, or a HAMT node stands where a file's part should.
    #[error("read {cid}: it is not a file")]
    NotFile {
        /// The block.
        cid: Cid,
    },
    /// A link inside a HAMT that is no HAMT node, or has a name without its slot.
    #[error("read HAMT {cid}: link {link:?} does not fit its slot")]
    HamtLink {
        /// The HAMT node.
        cid: Cid,
        /// The link's name.
        link: String,
    },
    /// A sharded directory nested deeper than the name hash has bytes.
    #[error("read HAMT {cid}: it is deeper than {levels_max} levels")]
    HamtTooDeep {
        /// The node.
        cid: Cid,
        /// The limit.
        levels_max: usize,
    },
    /// A file tree deeper than any file inside the budget needs.
    #[error("read file {cid}: its tree is deeper than {levels_max} levels")]
    FileTooDeep {
        /// The file's root.
        cid: Cid,
        /// The limit.
        levels_max: usize,
    },
    /// A declared size that its content does not have.
    #[error("read {cid}: it declares {declared} bytes and holds {actual}")]
    LyingSize {
        /// The block.
        cid: Cid,
        /// What was said about it.
        declared: u64,
        /// What it holds.
        actual: u64,
    },
    /// A chunk that the profile would have cut elsewhere.
    #[error("read chunk {cid}: {bytes} bytes; every chunk but the last has {bytes_max}; pack the files again")]
    ChunkSize {
        /// The chunk.
        cid: Cid,
        /// Its length.
        bytes: usize,
        /// The profile's chunk length.
        bytes_max: usize,
    },
    /// A name twice in one directory.
    #[error("read {path:?}: the name is there twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// The files together are over the budget.
    #[error("read {path:?}: the files together are over {bytes_max} bytes")]
    TooLarge {
        /// The file that went over.
        path: String,
        /// The budget.
        bytes_max: u64,
    },
    /// More files and directories than the budget allows.
    #[error("read directory {cid}: there are more than {entries_max} files and directories")]
    TooManyEntries {
        /// The directory that went over.
        cid: Cid,
        /// The budget.
        entries_max: usize,
    },
    /// More block visits than the budget allows.
    #[error("read the package: more than {links_max} links were followed")]
    TooManyLinks {
        /// The budget.
        links_max: usize,
    },
    /// Directories nested deeper than the budget allows.
    #[error("read {path:?}: it is nested deeper than {depth_max} directories")]
    TooDeep {
        /// The beginning of the path.
        path: String,
        /// The budget.
        depth_max: usize,
    },
    /// The same files have another CID: packed with other chunk sizes, link counts or sharding.
    #[error(
        "read {cid}: it was not packed by the profile unixfs-v1-2025, which gives {canonical}; pack the files again"
    )]
    NotCanonical {
        /// What was read.
        cid: Cid,
        /// What the profile makes of the same content.
        canonical: Box<Cid>,
    },
    /// The files cannot be packed at all.
    #[error("read {cid}: {source}")]
    Unpackable {
        /// The root.
        cid: Cid,
        /// Why not.
        source: Box<PackError>,
    },
}

impl UnpackError {
    /// The outcome's reason when the content itself is at fault, the same on every host; `None` when only this host
    /// could not read it (missing or damaged block, disk), which is never an outcome.
    #[must_use]
    pub fn invalid_reason(&self) -> Option<InvalidReason> {
        match self {
            Self::Missing { .. } | Self::Store(_) | Self::Cid(CidError::Mismatch { .. }) => None,
            Self::TooLarge { .. } | Self::TooManyEntries { .. } | Self::TooManyLinks { .. } => {
                Some(InvalidReason::InputTooLarge)
            }
            _ => Some(InvalidReason::DirectoryInvalid),
        }
    }
}

/// Reads a whole directory. Entries come sorted by path, directories included, the root left out.
///
/// # Errors
/// [`UnpackError`] at the first thing that is not as the profile would have written it.
pub fn unpack(root: Cid, blocks: &impl BlockGet, budget: &Budget) -> Result<Vec<Entry>, UnpackError> {
    let mut reader = Reader::new(blocks, budget);
    let mut tree = Tree::default();
    let mut entries = Vec::new();
    let mut pending = vec![Pending { cid: root, path: String::new(), depth: 0 }];
    while let Some(Pending { cid, path, depth }) = pending.pop() {
        let found = reader.visit(&cid, &path)?;
        if path.is_empty() && matches!(found, Found::File(..)) {
            return Err(UnpackError::RootNotDirectory { cid });
        }
        match found {
            Found::File(file, bytes) => {
                tree.add_file(&path, file).map_err(unpackable(root))?;
                entries.push(Entry { path, kind: EntryKind::File(bytes) });
            }
            Found::Directory(links) => {
                if depth >= budget.depth {
                    return Err(UnpackError::TooDeep {
                        path: path.chars().take(64).collect(),
                        depth_max: budget.depth,
                    });
                }
                for link in links.into_iter().rev() {
                    validate_path_bytes(&path, path.len() + 1 + link.name.len())
                        .map_err(|source| UnpackError::Name { cid, source: Box::new(source) })?;
                    let path = if path.is_empty() { link.name } else { format!("{path}/{}", link.name) };
                    pending.push(Pending { cid: link.cid, path, depth: depth + 1 });
                }
                if !path.is_empty() {
                    tree.add_directory(&path).map_err(unpackable(root))?;
                    entries.push(Entry { path, kind: EntryKind::Directory });
                }
            }
        }
    }
    let (canonical, _) = tree.finish(&mut NoBlocks).map_err(unpackable(root))?;
    if canonical != root {
        return Err(UnpackError::NotCanonical { cid: root, canonical: Box::new(canonical) });
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn unpackable(cid: Cid) -> impl FnOnce(PackError) -> UnpackError {
    move |source| UnpackError::Unpackable { cid, source: Box::new(source) }
}

/// A link that is still to be followed.
struct Pending {
    cid: Cid,
    path: String,
    depth: usize,
}

/// What a link led to.
pub(crate) enum Found {
    File(FileRoot, Bytes),
    Directory(Vec<Link>),
}

/// Reads files and directories and charges the budget before every block.
pub(crate) struct Reader<'a, B> {
    blocks: &'a B,
    budget: &'a Budget,
    file_bytes_left: u64,
    entries_left: usize,
    links_left: usize,
}

impl<'a, B: BlockGet> Reader<'a, B> {
    pub(crate) const fn new(blocks: &'a B, budget: &'a Budget) -> Self {
        let Budget { file_bytes, entries, links, depth: _ } = *budget;
        Self { blocks, budget, file_bytes_left: file_bytes, entries_left: entries, links_left: links }
    }

    /// Reads what a link points at: a whole file, or one directory's names.
    pub(crate) fn visit(&mut self, cid: &Cid, path: &str) -> Result<Found, UnpackError> {
        let (codec, block) = self.load(cid)?;
        if codec == Codec::Raw {
            self.charge_file(path, block.len() as u64)?;
            self.chunk_fits(cid, &block, ChunkPlace::Only)?;
            return Ok(Found::File(Leaf::known(*cid, block.len() as u64), block));
        }
        match self.decode(cid, &block)? {
            Node::File { links, sizes, file_bytes } => {
                self.charge_file(path, file_bytes)?;
                let (file, bytes) = self.file(cid, &links, &sizes)?;
                Ok(Found::File(file, bytes))
            }
            Node::Directory(links) => {
                self.charge_entries(cid, links.len())?;
                Ok(Found::Directory(checked_names(cid, path, links)?))
            }
            Node::Hamt(links) => {
                let links = self.hamt(cid, links)?;
                Ok(Found::Directory(checked_names(cid, path, links)?))
            }
        }
    }

    fn load(&mut self, cid: &Cid) -> Result<(Codec, Bytes), UnpackError> {
        let (codec, _) = accept(cid)?;
        self.links_left =
            self.links_left.checked_sub(1).ok_or(UnpackError::TooManyLinks { links_max: self.budget.links })?;
        let block = dag::load(self.blocks, cid)?.ok_or(UnpackError::Missing { cid: *cid })?;
        Ok((codec, block))
    }

    fn decode(&self, cid: &Cid, block: &[u8]) -> Result<Node, UnpackError> {
        node_codec::decode(block).map_err(|source| UnpackError::Node { cid: *cid, source: Box::new(source) })
    }

    fn charge_file(&mut self, path: &str, bytes: u64) -> Result<(), UnpackError> {
        let too_large =
            || UnpackError::TooLarge { path: path.chars().take(64).collect(), bytes_max: self.budget.file_bytes };
        self.file_bytes_left = self.file_bytes_left.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }

    fn charge_entries(&mut self, cid: &Cid, entries: usize) -> Result<(), UnpackError> {
        let too_many = UnpackError::TooManyEntries { cid: *cid, entries_max: self.budget.entries };
        self.entries_left = self.entries_left.checked_sub(entries).ok_or(too_many)?;
        Ok(())
    }

    /// A file of several chunks. Its declared size is charged already; every part must have exactly the size that its
    /// parent declared, so no more than that is ever read.
    fn file(&mut self, root: &Cid, links: &[Link], sizes: &[u64]) -> Result<(FileRoot, Bytes), UnpackError> {
        let mut pending: Vec<(Cid, u64, usize)> = Vec::new();
        let mut leaves: Vec<Leaf> = Vec::new();
        let mut bytes = BytesMut::new();
        let push = |pending: &mut Vec<_>, links: &[Link], sizes: &[u64], level| {
            pending.extend(links.iter().zip(sizes).rev().map(|(link, size)| (link.cid, *size, level)));
        };
        push(&mut pending, links, sizes, 1);
        while let Some((cid, declared, level)) = pending.pop() {
            let (codec, block) = self.load(&cid)?;
            if codec == Codec::Raw {
                if block.len() as u64 != declared {
                    return Err(UnpackError::LyingSize { cid, declared, actual: block.len() as u64 });
                }
                let place = if pending.is_empty() { ChunkPlace::Last } else { ChunkPlace::Inner };
                self.chunk_fits(&cid, &block, place)?;
                bytes.extend_from_slice(&block);
                leaves.push(Leaf::known(cid, declared));
                continue;
            }
            let Node::File { links, sizes, file_bytes } = self.decode(&cid, &block)? else {
                return Err(UnpackError::NotFile { cid });
            };
            if file_bytes != declared {
                return Err(UnpackError::LyingSize { cid, declared, actual: file_bytes });
            }
            if level >= FILE_LEVELS_MAX {
                return Err(UnpackError::FileTooDeep { cid: *root, levels_max: FILE_LEVELS_MAX });
            }
            push(&mut pending, &links, &sizes, level + 1);
        }
        let file = file_root(leaves, &mut NoBlocks);
        if file.cid != *root {
            return Err(UnpackError::NotCanonical { cid: *root, canonical: Box::new(file.cid) });
        }
        Ok((file, bytes.freeze()))
    }

    /// Whether a chunk has the profile's length. The canonical CID of a file that is chunked otherwise is not worth
    /// computing: its own is named.
    fn chunk_fits(&self, cid: &Cid, block: &[u8], place: ChunkPlace) -> Result<(), UnpackError> {
        let fits = match place {
            ChunkPlace::Only => block.len() <= CHUNK_BYTES,
            ChunkPlace::Last => (1..=CHUNK_BYTES).contains(&block.len()),
            ChunkPlace::Inner => block.len() == CHUNK_BYTES,
        };
        if fits {
            Ok(())
        } else {
            Err(UnpackError::ChunkSize { cid: *cid, bytes: block.len(), bytes_max: CHUNK_BYTES })
        }
    }

    /// All names of a sharded directory. Whether every name is in the right slot shows when the canonical CID is
    /// computed.
    fn hamt(&mut self, root: &Cid, links: Vec<Link>) -> Result<Vec<Link>, UnpackError> {
        let mut entries = Vec::new();
        let mut pending = vec![(*root, links, 1)];
        while let Some((cid, links, level)) = pending.pop() {
            for mut link in links {
                let has_slot = link.name.as_bytes().get(..2).is_some_and(|slot| slot.iter().all(u8::is_ascii_hexdigit));
                if !has_slot {
                    return Err(UnpackError::HamtLink { cid, link: link.name });
                }
                if link.name.len() > 2 {
                    link.name.drain(..2);
                    self.charge_entries(root, 1)?;
                    entries.push(link);
                    continue;
                }
                if level >= HAMT_LEVELS_MAX {
                    return Err(UnpackError::HamtTooDeep { cid, levels_max: HAMT_LEVELS_MAX });
                }
                let (codec, block) = self.load(&link.cid)?;
                let Node::Hamt(links) = (match codec {
                    Codec::Raw => return Err(UnpackError::HamtLink { cid, link: link.name }),
                    Codec::DagPb => self.decode(&link.cid, &block)?,
                }) else {
                    return Err(UnpackError::HamtLink { cid, link: link.name });
                };
                pending.push((link.cid, links, level + 1));
            }
        }
        Ok(entries)
    }
}

/// Where a chunk stands in its file.
#[derive(Clone, Copy)]
enum ChunkPlace {
    Only,
    Inner,
    Last,
}

fn checked_names(cid: &Cid, path: &str, links: Vec<Link>) -> Result<Vec<Link>, UnpackError> {
    let mut seen = BTreeSet::new();
    for link in &links {
        validate_name(&link.name).map_err(|source| UnpackError::Name { cid: *cid, source: Box::new(source) })?;
        if !seen.insert(link.name.as_str()) {
            return Err(UnpackError::Duplicate { path: format!("{path}/{}", link.name) });
        }
    }
    Ok(links)
}

//! The store on disk.
//!
//! ```text
//! segments/….blocks   blocks that came together, see [`super::segment`]
//! pins/bafy…          one empty file per pinned root
//! temporary/          files being written; a rename makes them segments or pins
//! ```
//!
//! A segment appears whole or not at all, and every read hashes the block again: what is rotten or torn is reported
//! as missing, never returned (C-18). Blocks reach the disk when a root above them is pinned: an unpinned block is
//! only a copy.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use assay_protocol::Hash32;
use bytes::Bytes;
use cid::Cid;

use super::{
    BlockGet, StoreError,
    index::Index,
    io_at,
    segment::{self, Segment},
};
use crate::{
    Package,
    dag::{Step, Walk},
    id::{accept, has_digest, verify_block},
    parse_cid,
};

/// A temporary file this old belongs to a process that died.
const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Bounds of a [`BlockStore`].
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Most bytes on disk. Unpinned blocks go, oldest first, when new ones need the room.
    pub quota_bytes: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { quota_bytes: 4 << 30 }
    }
}

/// Whether what is pinned must survive a crash of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    Lasting,
    Scratch,
}

/// A block store on disk. Cheap to clone; clones share it. Several processes may read and write one directory; only
/// one of them may collect garbage, for it knows only its own running imports.
#[derive(Clone, Debug)]
pub struct BlockStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    directory: PathBuf,
    limits: StoreLimits,
    durability: Durability,
    names_next: AtomicU64,
    index: RwLock<Index>,
    /// Blocks that an [`Import`] has put or found, by count: garbage collection leaves them alone.
    pub(super) leased: Mutex<HashMap<Hash32, usize>>,
    /// Pinning reads, garbage collection writes: a root is pinned before or after a collection, never during one.
    pub(super) pinning: RwLock<()>,
}

/// A lock whose holder panicked still guards consistent data here: every change is a single step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlockStore {
    /// Opens or creates the store in a directory. Cheap: no segment is read.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory cannot be made or written.
    pub fn open(directory: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        Self::open_as(directory, limits, Durability::Lasting)
    }

    /// As [`Self::open`], for blocks that nobody wants any more when this process has ended: nothing waits for the disk, and a crash
    /// of the machine may take any of them.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_scratch(directory: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        Self::open_as(directory, limits, Durability::Scratch)
    }

    fn open_as(directory: &Path, limits: StoreLimits, durability: Durability) -> Result<Self, StoreError> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let shared = Shared {
            directory: directory.to_owned(),
            limits,
            durability,
            // Later openings name later segments; the process id keeps two at the same moment apart.
            names_next: AtomicU64::new(u64::try_from(since_epoch.as_micros()).unwrap_or(0)),
            index: RwLock::default(),
            leased: Mutex::default(),
            pinning: RwLock::default(),
        };
        for part in ["segments", "pins", "temporary"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(io_at(&path))?;
        }
        shared.remove_stale_temporaries()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// Starts putting blocks that belong together: none of them is collected while the import lives.
    #[must_use]
    pub fn import(&self) -> Import {
        Import { store: self.clone(), leased: Vec::new() }
    }

    /// Stores a whole package and pins its root. When this returned, it survives a crash.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Incomplete`] when the package lacks a block.
    pub fn put_package(&self, package: &Package) -> Result<(), StoreError> {
        let mut import = self.import();
        import.put(&package.blocks)?;
        import.pin(&package.root)
    }

    /// Whether a block should be there; only a read tells whether it is whole.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contains(&self, cid: &Cid) -> Result<bool, StoreError> {
        let (_, digest) = accept(cid)?;
        if self.shared.loaded_index()?.contains(&digest) {
            return Ok(true);
        }
        self.shared.refresh()?;
        Ok(self.shared.index().contains(&digest))
    }

    /// Whether a block was there when the store was last looked at: reads nothing, for decisions about speed only.
    pub(crate) fn knows(&self, cid: &Cid) -> bool {
        accept(cid).is_ok_and(|(_, digest)| self.shared.index().contains(&digest))
    }

    /// Keeps a root and everything below it from garbage collection. When this returned, all of it survives a crash.
    ///
    /// # Errors
    /// [`StoreError::Incomplete`] when a block below it is missing.
    pub fn pin(&self, root: &Cid) -> Result<(), StoreError> {
        let _not_collecting = self.shared.pinning.read().unwrap_or_else(PoisonError::into_inner);
        let walk_error = |source| StoreError::Walk { root: *root, source: Box::new(source) };
        let (mut walk, mut unsynced) = (Walk::new(self, [*root], usize::MAX), BTreeSet::new());
        while let Some(step) = walk.next().map_err(walk_error)? {
            let cid = match step {
                Step::Block(cid, _) => cid,
                Step::Missing(missing) => {
                    return Err(StoreError::Incomplete { root: *root, missing: Box::new(missing) });
                }
            };
            unsynced.extend(self.shared.index().unsynced(&accept(&cid)?.1).map(str::to_owned));
        }
        if !unsynced.is_empty() {
            self.shared.sync(&unsynced)?;
            self.shared.index_mut().synced(&unsynced);
        }
        // Empty, so there is all of it as soon as there is its name.
        let path = self.shared.pin_path(root);
        File::create(&path).map_err(io_at(&path))?;
        self.shared.sync_directory("pins")
    }

    /// Releases a root. Its blocks go when the quota needs the room, or by [`Self::collect_garbage`]. `false` when it
    /// was not pinned.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn unpin(&self, root: &Cid) -> Result<bool, StoreError> {
        let path = self.shared.pin_path(root);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_at(&path)(error)),
        }
    }

    /// Pinned roots, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn pins(&self) -> Result<Vec<Cid>, StoreError> {
        let directory = self.shared.directory.join("pins");
        let mut pins = Vec::new();
        for entry in fs::read_dir(&directory).map_err(io_at(&directory))? {
            let name = entry.map_err(io_at(&directory))?.file_name();
            match name.to_str().map(parse_cid) {
                Some(Ok(cid)) => pins.push(cid),
                _ => tracing::warn!(name = %name.display(), "foreign_pin_file_skipped"),
            }
        }
        pins.sort_unstable();
        Ok(pins)
    }

    /// Whether a root is pinned.
    #[must_use]
    pub fn is_pinned(&self, root: &Cid) -> bool {
        self.shared.pin_path(root).exists()
    }

    /// Bytes on disk, tables included.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn usage_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.shared.loaded_index()?.file_bytes())
    }

    /// Removes every block that is neither below a pinned root nor part of a running import. Gives the bytes freed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn collect_garbage(&self) -> Result<u64, StoreError> {
        self.collect(u64::MAX)
    }

    /// Makes room for a segment. Two imports at once may go over the quota by one segment each, never by more.
    fn make_room(&self, bytes: u64) -> Result<(), StoreError> {
        let quota_bytes = self.shared.limits.quota_bytes;
        let over = || Ok::<_, StoreError>(self.usage_bytes()?.saturating_add(bytes).saturating_sub(quota_bytes));
        let too_much = over()?;
        if too_much > 0 && bytes <= quota_bytes {
            self.collect(too_much)?;
        }
        if over()? > 0 { Err(StoreError::QuotaExceeded { bytes, quota_bytes }) } else { Ok(()) }
    }
}

impl BlockGet for BlockStore {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let (_, digest) = accept(cid)?;
        let mut is_moved = false;
        for refreshed in [false, true] {
            // Another process may have written it, or moved it while collecting garbage.
            if refreshed && (is_moved || !self.shared.index().is_fresh()) {
                self.shared.refresh()?;
            }
            let place = self.shared.loaded_index()?.find(&digest).map(|(segment, entry)| (segment.path.clone(), entry));
            let Some((path, entry)) = place else { continue };
            let Some(block) = segment::read_block(&path, &entry)? else {
                is_moved = true;
                continue;
            };
            if has_digest(&block, &digest) {
                return Ok(Some(block.into()));
            }
            tracing::warn!(%cid, bytes = block.len(), "rotten_block_evicted");
            // Somebody may have put it anew meanwhile: then that copy is read.
            self.shared.index_mut().evict(&path, &entry);
        }
        Ok(None)
    }

    fn verified(&self) -> bool {
        true
    }
}

/// Blocks being put together. See [`BlockStore::import`].
#[derive(Debug)]
pub struct Import {
    store: BlockStore,
    leased: Vec<Hash32>,
}

impl Import {
    /// Verifies and stores blocks.
    ///
    /// # Errors
    /// [`StoreError`]; then none of these is stored.
    pub fn put(&mut self, blocks: &[(Cid, Bytes)]) -> Result<(), StoreError> {
        for (cid, block) in blocks {
            verify_block(cid, block)?;
        }
        self.put_verified(blocks)
    }

    /// Stores blocks that were verified a moment ago, the new ones as one segment.
    pub(crate) fn put_verified(&mut self, blocks: &[(Cid, Bytes)]) -> Result<(), StoreError> {
        let shared = &self.store.shared;
        let mut digests = Vec::with_capacity(blocks.len());
        for (cid, _) in blocks {
            digests.push(accept(cid)?.1);
        }
        {
            // Leased before the look at the index: from here on no collection takes one away.
            let mut leased = lock(&shared.leased);
            digests.iter().for_each(|digest| *leased.entry(*digest).or_default() += 1);
            self.leased.extend(&digests);
        }
        let mut seen = HashSet::new();
        let new: Vec<(Hash32, &[u8])> = {
            let index = shared.loaded_index()?;
            let pairs = digests.into_iter().zip(blocks.iter().map(|(_, block)| block.as_ref()));
            pairs.filter(|(digest, _)| !index.contains(digest) && seen.insert(*digest)).collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        self.store.make_room(segment::file_bytes(&new))?;
        let (name, segment) = shared.write_segment(&new)?;
        shared.index_mut().insert(name, segment);
        Ok(())
    }

    /// Pins a root, see [`BlockStore::pin`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn pin(&self, root: &Cid) -> Result<(), StoreError> {
        self.store.pin(root)
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let mut leased = lock(&self.store.shared.leased);
        for digest in &self.leased {
            if let Some(count) = leased.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    leased.remove(digest);
                }
            }
        }
    }
}

impl Shared {
    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn loaded_index(&self) -> Result<RwLockReadGuard<'_, Index>, StoreError> {
        let index = self.index();
        if index.is_loaded() {
            return Ok(index);
        }
        drop(index);
        self.refresh()?;
        Ok(self.index())
    }

    pub(super) fn refresh(&self) -> Result<(), StoreError> {
        self.index_mut().refresh(&self.directory.join("segments"))
    }

    fn pin_path(&self, root: &Cid) -> PathBuf {
        self.directory.join("pins").join(root.to_string())
    }

    /// Sorts after every name given before.
    fn name(&self) -> String {
        let number = self.names_next.fetch_add(1, Ordering::Relaxed);
        format!("{number:020}-{}", std::process::id())
    }

    fn temporary_path(&self) -> PathBuf {
        self.directory.join("temporary").join(self.name())
    }

    fn segment_path(&self, name: &str) -> PathBuf {
        self.directory.join("segments").join(name)
    }

    /// Writes a segment that is in no index yet.
    pub(super) fn write_segment(&self, blocks: &[(Hash32, &[u8])]) -> Result<(String, Segment), StoreError> {
        let name = format!("{}.blocks", self.name());
        let segment = segment::write(&self.temporary_path(), self.segment_path(&name), blocks)?;
        Ok((name, segment))
    }

    /// Segments and their names reach the disk, as far as anybody wants that.
    pub(super) fn sync<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Result<(), StoreError> {
        if self.durability == Durability::Scratch {
            return Ok(());
        }
        for name in names {
            let path = self.segment_path(name);
            match File::open(&path).and_then(|file| file.sync_all()) {
                // Another process collected it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                synced => synced.map_err(io_at(&path))?,
            }
        }
        self.sync_directory("segments")
    }

    fn remove_stale_temporaries(&self) -> Result<(), StoreError> {
        let directory = self.directory.join("temporary");
        for entry in fs::read_dir(&directory).map_err(io_at(&directory))? {
            let path = entry.map_err(io_at(&directory))?.path();
            let age =
                fs::metadata(&path).and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > TEMPORARY_AGE_MAX) {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_at(&path)(error)),
                    _ => tracing::info!(path = %path.display(), "stale_temporary_removed"),
                }
            }
        }
        Ok(())
    }

    /// The names in one of the directories reach the disk.
    fn sync_directory(&self, name: &str) -> Result<(), StoreError> {
        match self.durability {
            Durability::Lasting => sync_directory(&self.directory.join(name)),
            Durability::Scratch => Ok(()),
        }
    }
}

/// Names in a directory reach the disk.
#[cfg(unix)]
fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io_at(directory))
}

/// Elsewhere a directory cannot be opened as a file; the system orders renames itself.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other platform's version can fail")]
fn sync_directory(_: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;

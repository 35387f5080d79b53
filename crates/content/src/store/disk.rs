//! The store on disk.
//!
//! ```text
//! blocks/ab/ab12…   one file per block, named by its digest
//! pins/bafy…        one empty file per pinned root
//! temporary/        files being written; a rename makes them blocks
//! ```
//!
//! A block appears whole or not at all, and every read hashes it again: a rotten or torn file is removed and reported
//! as missing, never returned (C-18). Blocks reach the disk when a root above them is pinned, all by one sync: a sync
//! per block takes ten times longer, and an unpinned block is only a copy.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use assay_protocol::Hash32;
use bytes::Bytes;
use cid::Cid;

use super::{BlockGet, StoreError};
use crate::{
    Package,
    dag::{Step, Walk},
    id::{accept, verify_block},
    limits::BLOCK_BYTES_MAX,
    parse_cid,
};

/// A temporary file this old belongs to a process that died.
const TEMPORARY_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Bounds of a [`BlockStore`].
#[derive(Clone, Copy, Debug)]
pub struct StoreLimits {
    /// Most bytes of blocks on disk. Unpinned blocks go, oldest first, when a new one needs the room.
    pub quota_bytes: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self { quota_bytes: 4 << 30 }
    }
}

/// A block store on disk. Cheap to clone; clones share it. Several processes may use one directory; each keeps to the
/// quota by what it has seen itself.
#[derive(Clone, Debug)]
pub struct BlockStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) directory: PathBuf,
    limits: StoreLimits,
    temporary_next: AtomicU64,
    /// Bytes of blocks on disk; `None` until something is written, so that opening scans nothing.
    pub(super) usage_bytes: Mutex<Option<u64>>,
    /// Blocks that an [`Import`] has put or found, by count: garbage collection leaves them alone.
    pub(super) leased: Mutex<HashMap<Hash32, usize>>,
    /// Pinning reads, garbage collection writes: a root is pinned before or after a collection, never during one.
    pub(super) pinning: RwLock<()>,
}

/// A lock whose holder panicked still guards consistent data here: every change is a single step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn io_at(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

impl BlockStore {
    /// Opens or creates the store in a directory. Cheap: blocks are not scanned.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory cannot be made or written.
    pub fn open(directory: &Path, limits: StoreLimits) -> Result<Self, StoreError> {
        let shared = Shared {
            directory: directory.to_owned(),
            limits,
            temporary_next: AtomicU64::new(0),
            usage_bytes: Mutex::new(None),
            leased: Mutex::default(),
            pinning: RwLock::default(),
        };
        for part in ["blocks", "pins", "temporary"] {
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

    /// Whether a block is there, by its file's existence; only a read tells whether it is whole.
    #[must_use]
    pub fn contains(&self, cid: &Cid) -> bool {
        accept(cid).is_ok_and(|(_, digest)| self.shared.block_path(&digest).exists())
    }

    /// Keeps a root and everything below it from garbage collection. When this returned, all of it survives a crash.
    ///
    /// # Errors
    /// [`StoreError::Incomplete`] when a block below it is missing.
    pub fn pin(&self, root: &Cid) -> Result<(), StoreError> {
        let _not_collecting = self.shared.pinning.read().unwrap_or_else(PoisonError::into_inner);
        let walk_error = |source| StoreError::Walk { root: *root, source: Box::new(source) };
        let mut walk = Walk::new(self, [*root], usize::MAX);
        while let Some(step) = walk.next().map_err(walk_error)? {
            match step {
                Step::Missing(missing) => {
                    return Err(StoreError::Incomplete { root: *root, missing: Box::new(missing) });
                }
                Step::Block(cid, _) => self.shared.sync_block(&cid)?,
            }
        }
        self.shared.sync_all_blocks()?;
        self.shared.write_durably(&self.shared.pin_path(root))
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

    /// Bytes of all blocks. The first call scans the directory.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn usage_bytes(&self) -> Result<u64, StoreError> {
        self.shared.usage(&mut lock(&self.shared.usage_bytes))
    }

    /// Removes every block that is neither below a pinned root nor part of a running import. Gives the bytes freed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn collect_garbage(&self) -> Result<u64, StoreError> {
        self.collect(u64::MAX)
    }

    /// Charges bytes to the quota, collecting garbage if need be.
    fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        let quota_bytes = self.shared.limits.quota_bytes;
        for collected in [false, true] {
            let needed = {
                let mut usage = lock(&self.shared.usage_bytes);
                let after = self.shared.usage(&mut usage)?.saturating_add(bytes);
                if after <= quota_bytes {
                    *usage = Some(after);
                    return Ok(());
                }
                after - quota_bytes
            };
            if !collected && bytes <= quota_bytes {
                self.collect(needed)?;
            }
        }
        Err(StoreError::QuotaExceeded { bytes, quota_bytes })
    }

    fn put_one(&self, cid: &Cid, block: &[u8]) -> Result<(), StoreError> {
        let (_, digest) = accept(cid)?;
        let path = self.shared.block_path(&digest);
        let bytes = block.len() as u64;
        let before = fs::metadata(&path).ok().map(|metadata| metadata.len());
        if before == Some(bytes) {
            return Ok(());
        }
        // A file of another length is torn: the rename replaces it.
        self.reserve(bytes)?;
        let written = self.shared.write_block(&path, block);
        let refund = if written.is_ok() { before.unwrap_or(0) } else { bytes };
        self.shared.refund(refund);
        written
    }
}

impl BlockGet for BlockStore {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        let (_, digest) = accept(cid)?;
        let path = self.shared.block_path(&digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let mut block = Vec::new();
        file.take(BLOCK_BYTES_MAX as u64 + 1).read_to_end(&mut block).map_err(io_at(&path))?;
        if verify_block(cid, &block).is_err() {
            tracing::warn!(%cid, bytes = block.len(), "rotten_block_evicted");
            self.shared.remove_block(&path)?;
            return Ok(None);
        }
        Ok(Some(block.into()))
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
    /// [`StoreError`]; blocks before the failing one stay.
    pub fn put(&mut self, blocks: &[(Cid, Bytes)]) -> Result<(), StoreError> {
        for (cid, block) in blocks {
            verify_block(cid, block)?;
            self.put_verified(cid, block)?;
        }
        Ok(())
    }

    /// Stores a block that was verified a moment ago.
    pub(crate) fn put_verified(&mut self, cid: &Cid, block: &[u8]) -> Result<(), StoreError> {
        let (_, digest) = accept(cid)?;
        // Leased before the look at the disk: from here on no collection takes it away.
        *lock(&self.store.shared.leased).entry(digest).or_default() += 1;
        self.leased.push(digest);
        self.store.put_one(cid, block)
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
    pub(super) fn block_path(&self, digest: &Hash32) -> PathBuf {
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join("blocks").join(&name[..2]).join(name)
    }

    fn pin_path(&self, root: &Cid) -> PathBuf {
        self.directory.join("pins").join(root.to_string())
    }

    fn temporary_path(&self) -> PathBuf {
        let number = self.temporary_next.fetch_add(1, Ordering::Relaxed);
        self.directory.join("temporary").join(format!("{}-{number}", std::process::id()))
    }

    fn remove_stale_temporaries(&self) -> Result<(), StoreError> {
        let directory = self.directory.join("temporary");
        for entry in fs::read_dir(&directory).map_err(io_at(&directory))? {
            let path = entry.map_err(io_at(&directory))?.path();
            let age =
                fs::metadata(&path).and_then(|metadata| metadata.modified()).ok().and_then(|at| at.elapsed().ok());
            if age.is_some_and(|age| age > TEMPORARY_AGE_MAX) {
                remove_if_there(&path)?;
            }
        }
        Ok(())
    }

    fn write_block(&self, path: &Path, block: &[u8]) -> Result<(), StoreError> {
        let temporary = self.temporary_path();
        let written =
            fs::write(&temporary, block).map_err(io_at(&temporary)).and_then(|()| self.rename(&temporary, path));
        if written.is_err() {
            remove_if_there(&temporary)?;
        }
        written
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let shard = to.parent().unwrap_or(&self.directory);
                fs::create_dir_all(shard).map_err(io_at(shard))?;
                fs::rename(from, to).map_err(io_at(to))
            }
            renamed => renamed.map_err(io_at(to)),
        }
    }

    /// An empty file that survives a crash.
    fn write_durably(&self, path: &Path) -> Result<(), StoreError> {
        let temporary = self.temporary_path();
        File::create(&temporary).and_then(|file| file.sync_all()).map_err(io_at(&temporary))?;
        self.rename(&temporary, path)?;
        let parent = path.parent().unwrap_or(&self.directory);
        File::open(parent).and_then(|directory| directory.sync_all()).map_err(io_at(parent))
    }

    /// Everything written so far reaches the disk, names included: one system call for all blocks.
    #[cfg(target_os = "linux")]
    fn sync_all_blocks(&self) -> Result<(), StoreError> {
        let directory = File::open(&self.directory).map_err(io_at(&self.directory))?;
        rustix::fs::syncfs(&directory).map_err(|error| io_at(&self.directory)(error.into()))
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unnecessary_wraps, reason = "the other platform's version can fail")]
    fn sync_all_blocks(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// One block and its name reach the disk, where there is no call for all of them.
    #[cfg(not(target_os = "linux"))]
    fn sync_block(&self, cid: &Cid) -> Result<(), StoreError> {
        let (_, digest) = accept(cid)?;
        let path = self.block_path(&digest);
        File::open(&path).and_then(|file| file.sync_all()).map_err(io_at(&path))
    }

    #[cfg(target_os = "linux")]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the other platforms' version can fail")]
    fn sync_block(&self, _: &Cid) -> Result<(), StoreError> {
        Ok(())
    }

    pub(super) fn refund(&self, bytes: u64) {
        if let Some(usage) = lock(&self.usage_bytes).as_mut() {
            *usage = usage.saturating_sub(bytes);
        }
    }

    /// Removes a block's file and gives its length back to the quota.
    pub(super) fn remove_block(&self, path: &Path) -> Result<u64, StoreError> {
        let bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
        remove_if_there(path)?;
        self.refund(bytes);
        Ok(bytes)
    }

    /// The running sum; counted once, when first needed.
    fn usage(&self, usage: &mut Option<u64>) -> Result<u64, StoreError> {
        if let Some(bytes) = *usage {
            return Ok(bytes);
        }
        let bytes = self.block_files()?.iter().map(|file| file.bytes).sum();
        *usage = Some(bytes);
        Ok(bytes)
    }
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(path)(error)),
        _ => Ok(()),
    }
}

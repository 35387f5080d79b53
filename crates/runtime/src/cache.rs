//! Compiled code in memory and on disk, bounded in bytes.

use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use assay_protocol::Hash32;
use moka::{policy::EvictionPolicy, sync::Cache};
use thiserror::Error;

use crate::artifact::{ArtifactKey, ArtifactStore};

/// Largest artefact that is kept, bytes.
pub const ARTIFACT_BYTES_MAX: u64 = 64 << 20;
/// Most artefacts in a directory. Each write looks at all of them.
const FILES_MAX: usize = 8_192;
/// Ends the name of a kept artefact; before it stands the digest of its key.
const KEPT: &str = ".artifact";
/// Ends the name of one that is being written.
const UNFINISHED: &str = ".artifact.tmp";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// In memory, bytes.
    pub memory_bytes: u64,
    /// On disk, bytes.
    pub disk_bytes: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, disk_bytes: 2 << 30 }
    }
}

/// Why a directory is not used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It cannot be made or looked at.
    #[error("open the directory of compiled code {}: {source}; choose one that this user may write to", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may write to it: they could hand out native code.
    #[error(
        "trust the directory of compiled code {}: it is not a directory of this user's that nobody else may write to; \
         chmod 700 it, or choose another",
        path.display()
    )]
    Untrusted {
        /// The directory.
        path: PathBuf,
    },
}

/// What happened since the cache was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Found in memory.
    pub memory_hits: u64,
    /// Found on disk.
    pub disk_hits: u64,
    /// Not found.
    pub misses: u64,
    /// Found and of no use: damaged, foreign, of another version or configuration.
    pub rejected: u64,
    /// Not written: no room, no permission.
    pub write_failures: u64,
}

/// How much is kept now, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheBytes {
    /// In memory.
    pub memory: u64,
    /// On disk, as this process last saw it.
    pub disk: u64,
}

#[derive(Default)]
struct Counters {
    memory_hits: AtomicU64,
    disk_hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
    write_failures: AtomicU64,
}

/// Keeps compiled code in memory and, if it has a directory, on disk. Processes may share a directory.
pub struct ArtifactCache {
    memory: Cache<ArtifactKey, Arc<[u8]>>,
    disk: Option<Disk>,
    counters: Counters,
}

impl ArtifactCache {
    /// Opens a cache. A directory is created if it is not there, for this user alone.
    ///
    /// # Errors
    /// [`CacheError`] when the directory cannot be used or others may write to it.
    pub fn open(directory: Option<&Path>, limits: CacheLimits) -> Result<Self, CacheError> {
        let weight = |_: &ArtifactKey, artifact: &Arc<[u8]>| u32::try_from(artifact.len()).unwrap_or(u32::MAX);
        let memory = Cache::builder()
            .max_capacity(limits.memory_bytes)
            .weigher(weight)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let disk = directory.map(|directory| Disk::open(directory, limits.disk_bytes)).transpose()?;
        Ok(Self { memory, disk, counters: Counters::default() })
    }

    /// How much is kept now.
    #[must_use]
    pub fn bytes(&self) -> CacheBytes {
        self.memory.run_pending_tasks();
        let disk = self.disk.as_ref().map_or(0, |disk| disk.bytes.load(Ordering::Relaxed));
        CacheBytes { memory: self.memory.weighted_size(), disk }
    }

    /// Whether less than half of what may be kept in memory is.
    #[must_use]
    pub fn is_half_empty(&self) -> bool {
        let most = self.memory.policy().max_capacity().unwrap_or(u64::MAX);
        self.bytes().memory < most / 2
    }

    /// What happened since it was opened.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheCounts {
            memory_hits: read(&self.counters.memory_hits),
            disk_hits: read(&self.counters.disk_hits),
            misses: read(&self.counters.misses),
            rejected: read(&self.counters.rejected),
            write_failures: read(&self.counters.write_failures),
        }
    }
}

impl fmt::Debug for ArtifactCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArtifactCache").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl ArtifactStore for ArtifactCache {
    fn load(&self, key: &ArtifactKey) -> Option<Arc<[u8]>> {
        if let Some(artifact) = self.memory.get(key) {
            count(&self.counters.memory_hits);
            return Some(artifact);
        }
        let read = self.disk.as_ref().and_then(|disk| disk.read(&disk.path(key)).ok());
        match read {
            Some(artifact) => {
                count(&self.counters.disk_hits);
                let artifact = Arc::<[u8]>::from(artifact);
                self.memory.insert(*key, artifact.clone());
                Some(artifact)
            }
            None => {
                count(&self.counters.misses);
                None
            }
        }
    }

    fn keep(&self, key: &ArtifactKey, artifact: Arc<[u8]>) {
        if u64::try_from(artifact.len()).is_ok_and(|length| length > ARTIFACT_BYTES_MAX) {
            return;
        }
        if let Some(disk) = &self.disk
            && disk.write(&disk.path(key), &artifact).is_err()
        {
            // Nothing is lost but time; whoever runs this sees it in the counts.
            count(&self.counters.write_failures);
        }
        self.memory.insert(*key, artifact);
    }

    fn forget(&self, key: &ArtifactKey) {
        count(&self.counters.rejected);
        self.memory.invalidate(key);
        if let Some(disk) = &self.disk {
            disk.remove(&disk.path(key));
        }
    }

    fn holds(&self, key: &ArtifactKey) -> bool {
        self.memory.contains_key(key) || self.disk.as_ref().is_some_and(|disk| disk.path(key).is_file())
    }
}

/// One directory, its files named by their keys. The time of change of a file is when it was last used.
struct Disk {
    directory: PathBuf,
    bytes_max: u64,
    /// Threads of this process make room one after the other.
    making_room: Mutex<()>,
    /// What is kept.
    bytes: AtomicU64,
    writes: AtomicU64,
}

impl Disk {
    fn open(directory: &Path, bytes_max: u64) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Io { path: directory.to_owned(), source };
        platform::create_directory(directory).map_err(failed)?;
        // A link may lead elsewhere tomorrow.
        let directory = directory.canonicalize().map_err(failed)?;
        let metadata = fs::symlink_metadata(&directory).map_err(failed)?;
        if !metadata.is_dir() || !platform::is_ours(&metadata) {
            return Err(CacheError::Untrusted { path: directory });
        }
        let making_room = Mutex::new(());
        let disk = Self { directory, bytes_max, making_room, bytes: AtomicU64::new(0), writes: AtomicU64::new(0) };
        // It may be smaller than last time.
        disk.make_room(0).map_err(|source| CacheError::Io { path: disk.directory.clone(), source })?;
        Ok(disk)
    }

    fn path(&self, key: &ArtifactKey) -> PathBuf {
        self.directory.join(format!("{}{KEPT}", hex(&key.digest())))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = platform::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || !platform::is_ours(&metadata) || metadata.len() > ARTIFACT_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut artifact = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        Read::take(&file, ARTIFACT_BYTES_MAX).read_to_end(&mut artifact)?;
        // A file whose time cannot be set only leaves earlier.
        drop(file.set_modified(SystemTime::now()));
        Ok(artifact)
    }

    /// Written under another name first: readers see all of it or nothing.
    fn write(&self, path: &Path, artifact: &[u8]) -> io::Result<()> {
        let length = u64::try_from(artifact.len()).unwrap_or(u64::MAX);
        if length > self.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.make_room(length)?;
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.directory.join(format!("{}-{number}{UNFINISHED}", std::process::id()));
        let written = platform::create(&unfinished)
            .and_then(|mut file: File| file.write_all(artifact))
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            self.remove(&unfinished);
        }
        written
    }

    /// Removes what was used longest ago until there is room for one more file of so many bytes. Other people's files
    /// stay and do not count: whoever lets them pile up in here pays for looking past them.
    fn make_room(&self, bytes: u64) -> io::Result<()> {
        let _alone = self.making_room.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = Vec::new();
        let mut total = bytes;
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() && is_own_name(&entry.file_name()) {
                total = total.saturating_add(metadata.len());
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut left = files.len();
        for (_, length, path) in files {
            if total <= self.bytes_max && left < FILES_MAX {
                break;
            }
            self.remove(&path);
            left = left.saturating_sub(1);
            total = total.saturating_sub(length);
        }
        self.bytes.store(total, Ordering::Relaxed);
        Ok(())
    }

    fn remove(&self, path: &Path) {
        // It may be gone already, or belong to another process that writes it again: both are fine.
        drop(fs::remove_file(path));
    }
}

fn is_own_name(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(KEPT) || name.ends_with(UNFINISHED))
}

fn hex(hash: &Hash32) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
mod platform {
    use std::{
        fs::{DirBuilder, File, Metadata, OpenOptions},
        io,
        os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        path::Path,
    };

    use rustix::{fs::OFlags, process::geteuid};

    const WRITABLE_BY_OTHERS: u32 = 0o022;

    pub(super) fn create_directory(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Never through a link, and without waiting for whoever writes into a pipe of that name.
    pub(super) fn open(path: &Path) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Whether it belongs to this process's user and nobody else may write to it.
    pub(super) fn is_ours(metadata: &Metadata) -> bool {
        metadata.uid() == geteuid().as_raw() && metadata.mode() & WRITABLE_BY_OTHERS == 0
    }
}

#[cfg(not(unix))]
mod platform {
    use std::{
        fs::{self, File, Metadata},
        io,
        path::Path,
    };

    pub(super) fn create_directory(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    pub(super) fn open(path: &Path) -> io::Result<File> {
        File::open(path)
    }

    pub(super) fn create(path: &Path) -> io::Result<File> {
        File::options().write(true).create_new(true).open(path)
    }

    /// The rights of directories are not looked at here: choose one in the user's profile.
    pub(super) const fn is_ours(_: &Metadata) -> bool {
        true
    }
}

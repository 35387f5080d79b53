//! One instance per data directory (E-19).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// Name of the lock in the data directory.
pub(crate) const LOCK_FILE: &str = "instance.lock";

/// Why the data directory cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another instance has it.
    #[error(
        "lock {path}: another instance uses this data directory (process {holder}); stop it, or give this one its \
         own provider.data_dir and its own provider"
    )]
    Held {
        /// Lock file.
        path: String,
        /// Process id that the holder wrote.
        holder: String,
    },
    /// The directory or file could not be made.
    #[error("lock {path}: {source}; check that the directory exists and is yours")]
    Io {
        /// Path.
        path: String,
        /// From the system.
        source: io::Error,
    },
}

/// Held while this lives; released by the system however the process ends.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Makes the data directory, mode 700, and locks it.
    ///
    /// # Errors
    /// [`LockError::Held`] when another instance lives.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        let path = data_dir.join(LOCK_FILE);
        let name = path.display().to_string();
        let io_error = |source| LockError::Io { path: name.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(io_error)?;
        let options = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).clone();
        let mut file = options.open(&path).map_err(io_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
                return Err(LockError::Held { path: name, holder });
            }
            Err(error) => return Err(io_error(error.into())),
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io_error)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_19_the_second_instance_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let first = InstanceLock::acquire(&data).expect("free");
        let error = InstanceLock::acquire(&data).expect_err("held").to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        InstanceLock::acquire(&data).expect("free again");
    }
}

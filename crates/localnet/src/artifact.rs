//! The committed program, checked against its committed hash.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The program as built from the sources beside it.
const COMMITTED: &[u8] = include_bytes!("../../../programs/artifacts/assay.so");
/// Its hash and where it comes from.
const COMMITTED_RECORD: &str = include_str!("../../../programs/artifacts/assay.so.json");
/// Largest program that is loaded, 10 MiB; the chain's own limit.
const PROGRAM_BYTES_MAX: u64 = 10 << 20;

/// A program to load, with the hash that was checked.
#[derive(Clone, Debug)]
pub struct ProgramArtifact {
    elf: Vec<u8>,
    sha256: String,
}

/// Why a program is not loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The program and the record beside it do not belong together.
    #[error(
        "load the program: its SHA-256 is {found}, the record beside it says {recorded}; build it again with tools/sbf-kit"
    )]
    HashMismatch {
        /// Of the bytes.
        found: String,
        /// Of the record.
        recorded: String,
    },
    /// The record is not readable.
    #[error("load the program: the record beside it is not valid: {problem}")]
    Record {
        /// What is wrong with it.
        problem: String,
    },
    /// The file cannot be read.
    #[error("load the program {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is too large to be a program.
    #[error("load the program {path}: it has {bytes} bytes, at most {PROGRAM_BYTES_MAX} are allowed")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

#[derive(Deserialize)]
struct Record {
    sha256: String,
}

impl ProgramArtifact {
    /// The committed program.
    ///
    /// # Errors
    /// [`ArtifactError`] when it is not the one that its record names.
    pub fn committed() -> Result<Self, ArtifactError> {
        Self::checked(COMMITTED.to_vec(), COMMITTED_RECORD)
    }

    /// A program built elsewhere, with a record of the same form at `<path>.json`.
    ///
    /// # Errors
    /// [`ArtifactError`] when it cannot be read or is not the one that its record names.
    pub fn from_file(path: &Path) -> Result<Self, ArtifactError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ArtifactError::Io { path, source }
        };
        let bytes = std::fs::metadata(path).map_err(io(path))?.len();
        if bytes > PROGRAM_BYTES_MAX {
            return Err(ArtifactError::TooLarge { path: path.to_path_buf(), bytes });
        }
        let elf = std::fs::read(path).map_err(io(path))?;
        let mut record_path = path.as_os_str().to_owned();
        record_path.push(".json");
        let record_path = PathBuf::from(record_path);
        let record = std::fs::read_to_string(&record_path).map_err(io(&record_path))?;
        Self::checked(elf, &record)
    }

    /// The program's bytes.
    #[must_use]
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// SHA-256 of the bytes, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    fn checked(elf: Vec<u8>, record: &str) -> Result<Self, ArtifactError> {
        let record: Record =
            serde_json::from_str(record).map_err(|error| ArtifactError::Record { problem: error.to_string() })?;
        let found: String = Sha256::digest(&elf).iter().map(|byte| format!("{byte:02x}")).collect();
        if found == record.sha256.to_ascii_lowercase() {
            Ok(Self { elf, sha256: found })
        } else {
            Err(ArtifactError::HashMismatch { found, recorded: record.sha256 })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_committed_program_is_the_one_that_its_record_names() {
        let artifact = ProgramArtifact::committed().unwrap();
        assert!(artifact.elf().starts_with(b"\x7fELF"));
    }

    #[test]
    fn a_changed_program_is_refused() {
        let mut elf = COMMITTED.to_vec();
        *elf.last_mut().unwrap() ^= 1;
        assert!(matches!(ProgramArtifact::checked(elf, COMMITTED_RECORD), Err(ArtifactError::HashMismatch { .. })));
    }

    #[test]
    fn a_program_is_loaded_from_a_file_only_with_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("assay.so");
        std::fs::write(&path, COMMITTED).unwrap();
        assert!(matches!(ProgramArtifact::from_file(&path), Err(ArtifactError::Io { .. })));
        std::fs::write(dir.path().join("assay.so.json"), COMMITTED_RECORD).unwrap();
        assert_eq!(ProgramArtifact::from_file(&path).unwrap().elf(), COMMITTED);
    }
}

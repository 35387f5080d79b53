//! Keypair files: the JSON array that the Solana tools write, readable by nobody but their owner.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use solana_keypair::Keypair;
use thiserror::Error;

/// Longest keypair file, in bytes; 64 numbers take far less.
const KEYPAIR_FILE_BYTES_MAX: u64 = 4_096;

/// Why a keypair file cannot be used. The message says what to type.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeypairError {
    /// No such file.
    #[error("keypair file {path} does not exist; create one with `assay wallet new --out {path}`")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Other users may read or change it.
    #[error("keypair file {path} is accessible to other users (mode {mode:03o}); type: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a JSON array of 64 bytes that form a keypair.
    #[error("keypair file {path} is not a Solana keypair: {problem}; expected a JSON array of 64 numbers")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of that name exists; it is never overwritten.
    #[error("keypair file {path} exists and is not overwritten; choose another name or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file system failed.
    #[error("keypair file {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Loads a keypair from a file that only its owner can access.
///
/// # Errors
/// [`KeypairError`] says what is wrong and what to do.
pub fn load_keypair(path: &Path) -> Result<Keypair, KeypairError> {
    let at = || path.to_path_buf();
    let file = fs::File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeypairError::Missing { path: at() },
        _ => KeypairError::Io { path: at(), source },
    })?;
    let metadata = file.metadata().map_err(|source| KeypairError::Io { path: at(), source })?;
    if !metadata.is_file() {
        return Err(KeypairError::Format { path: at(), problem: "it is not a regular file".to_owned() });
    }
    check_mode(path, &metadata)?;
    let mut text = String::new();
    file.take(KEYPAIR_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|source| KeypairError::Io { path: at(), source })?;
    // Neither error may quote the content: it is a secret.
    let bytes: Vec<u8> = serde_json::from_str(&text)
        .map_err(|_| KeypairError::Format { path: at(), problem: "its content is no such array".to_owned() })?;
    Keypair::try_from(bytes.as_slice())
        .map_err(|_| KeypairError::Format { path: at(), problem: "the bytes are no keypair".to_owned() })
}

/// Writes a keypair to a new file with mode 600, and makes it durable.
///
/// # Errors
/// [`KeypairError::Exists`] when the file is there; [`KeypairError::Io`] when the file system fails.
pub fn save_keypair(path: &Path, keypair: &Keypair) -> Result<(), KeypairError> {
    let at = || path.to_path_buf();
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeypairError::Exists { path: at() },
        _ => KeypairError::Io { path: at(), source },
    })?;
    let numbers: Vec<String> = keypair.to_bytes().iter().map(u8::to_string).collect();
    let text = format!("[{}]\n", numbers.join(","));
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|source| KeypairError::Io { path: at(), source })
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeypairError> {
    let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeypairError::Exposed { path: path.to_path_buf(), mode }) }
}

/// Windows keeps access lists instead of mode bits; the profile directory's own list is what protects the file.
#[cfg(not(unix))]
fn check_mode(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeypairError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use solana_signer::Signer;

    #[test]
    fn a_saved_keypair_loads_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        let keypair = Keypair::new();
        save_keypair(&path, &keypair).unwrap();
        assert_eq!(load_keypair(&path).unwrap().pubkey(), keypair.pubkey());
        assert!(matches!(save_keypair(&path, &Keypair::new()), Err(KeypairError::Exists { .. })));
        assert_eq!(load_keypair(&path).unwrap().pubkey(), keypair.pubkey());
    }

    #[cfg(unix)]
    #[test]
    fn a_readable_keypair_is_refused_with_the_command_to_type() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        save_keypair(&path, &Keypair::new()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let message = load_keypair(&path).unwrap_err().to_string();
        assert!(message.ends_with(&format!("(mode 644); type: chmod 600 {}", path.display())), "{message}");
    }

    #[test]
    fn a_missing_or_malformed_keypair_is_named_without_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("id.json");
        assert!(matches!(load_keypair(&path), Err(KeypairError::Missing { .. })));
        save_keypair(&path, &Keypair::new()).unwrap();
        fs::write(&path, "[1,2,\"secret\"]").unwrap();
        let message = load_keypair(&path).unwrap_err().to_string();
        assert!(message.contains("is not a Solana keypair") && !message.contains("secret"), "{message}");
    }
}

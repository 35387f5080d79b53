//! Names inside a package. They come from strangers and end up in file systems, terminals and URLs, so only harmless
//! ones exist (C-10).

use crate::limits::{DEPTH_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX};

/// Why a name is not accepted. Messages show it escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No name at all: empty, or a path with `//`, a leading or a trailing slash.
    #[error("use path {path:?}: it has an empty component; write it relative and without doubled slashes")]
    Empty {
        /// The whole path.
        path: String,
    },
    /// `.` or `..`.
    #[error("use name {name:?}: dots would leave the directory; name the file itself")]
    Dots {
        /// The name.
        name: String,
    },
    /// A slash, backslash, NUL or another control character.
    #[error("use name {name:?}: character {character:?} is not allowed in names; rename the file")]
    Character {
        /// The name.
        name: String,
        /// The first refused character.
        character: char,
    },
    /// Not UTF-8.
    #[error("use name {name:?}: it is not UTF-8; rename the file")]
    NotUtf8 {
        /// The name, with replacement characters.
        name: String,
    },
    /// Longer than [`NAME_BYTES_MAX`] or [`PATH_BYTES_MAX`].
    #[error("use name {name:?}…: {bytes} bytes are over the limit of {bytes_max}; shorten it")]
    TooLong {
        /// Its beginning.
        name: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Too many components.
    #[error("use path {path:?}…: it is nested deeper than {depth_max} directories; flatten it")]
    TooDeep {
        /// Its beginning.
        path: String,
        /// The limit.
        depth_max: usize,
    },
}

/// Checks one file or directory name: 1 to 255 bytes, not `.` or `..`, no `/`, `\` or control character.
///
/// # Errors
/// [`NameError`] names the rule.
pub fn validate_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { path: String::new() });
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(too_long(name, name.len()));
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots { name: name.to_owned() });
    }
    match name.chars().find(|c| matches!(c, '/' | '\\') || c.is_control()) {
        Some(character) => Err(NameError::Character { name: name.to_owned(), character }),
        None => Ok(()),
    }
}

/// The refusal of a name of so many bytes that begins like this.
pub(crate) fn too_long(name: &str, bytes: usize) -> NameError {
    NameError::TooLong { name: beginning(name), bytes, bytes_max: NAME_BYTES_MAX }
}

/// Checks a relative path of a job: valid names joined by single slashes, at most [`DEPTH_MAX`] of them.
///
/// # Errors
/// [`NameError`] names the rule.
pub fn validate_path(path: &str) -> Result<(), NameError> {
    validate_path_within(path, DEPTH_MAX)
}

/// The first rule about paths: checked before a path is put together, for a deep directory with many names would be
/// mostly paths.
pub(crate) fn validate_path_bytes(beginning_of_path: &str, bytes: usize) -> Result<(), NameError> {
    if bytes > PATH_BYTES_MAX {
        return Err(NameError::TooLong { name: beginning(beginning_of_path), bytes, bytes_max: PATH_BYTES_MAX });
    }
    Ok(())
}

/// As [`validate_path`], with another depth: results may be deeper than jobs.
pub(crate) fn validate_path_within(path: &str, depth_max: usize) -> Result<(), NameError> {
    validate_path_bytes(path, path.len())?;
    for (depth, name) in path.split('/').enumerate() {
        if name.is_empty() {
            return Err(NameError::Empty { path: path.to_owned() });
        }
        validate_name(name)?;
        if depth >= depth_max {
            return Err(NameError::TooDeep { path: beginning(path), depth_max });
        }
    }
    Ok(())
}

/// The first 64 characters: errors are logged, so they stay short.
fn beginning(text: &str) -> String {
    text.chars().take(64).collect()
}

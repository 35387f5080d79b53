//! Packing a directory on disk: chunk by chunk, never through a symbolic link, never past the limits.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{BlockSink, Collected, FileRoot, Leaf, PackError, Package, Tree, file_root};
use crate::{
    NameError,
    limits::{CHUNK_BYTES, PackLimits},
};

/// Packs a directory on disk. Symbolic links, special files, hostile names and whatever is over the limits are
/// refused, never skipped: what is packed is what is there.
///
/// # Errors
/// [`PackError`] names the path and the rule.
pub fn pack_path(directory: &Path, limits: PackLimits) -> Result<Package, PackError> {
    let metadata = fs::metadata(directory).map_err(io_at(directory))?;
    if !metadata.is_dir() {
        return Err(PackError::NotDirectory { path: directory.to_owned() });
    }
    let (mut sink, mut tree, mut file_bytes) = (Collected::default(), Tree::default(), 0);
    let mut pending = vec![(directory.to_owned(), String::new(), 0_usize)];
    while let Some((directory, prefix, depth)) = pending.pop() {
        for entry in children(&directory)? {
            let (name, on_disk) = entry;
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let kind = fs::symlink_metadata(&on_disk).map_err(io_at(&on_disk))?.file_type();
            if kind.is_symlink() {
                return Err(PackError::Symlink { path: on_disk });
            } else if kind.is_dir() {
                if depth + 1 >= limits.depth {
                    return Err(PackError::TooDeep { path, depth_max: limits.depth });
                }
                tree.add_directory(&path)?;
                pending.push((on_disk, path.clone(), depth + 1));
            } else if kind.is_file() {
                let budget = limits.file_bytes - file_bytes;
                let too_large = || PackError::TooLarge { path: path.clone(), bytes_max: limits.file_bytes };
                let file = pack_file(&on_disk, budget, &mut sink)?.ok_or_else(too_large)?;
                file_bytes += file.file_bytes;
                tree.add_file(&path, file)?;
            } else {
                return Err(PackError::SpecialFile { path: on_disk });
            }
            if tree.entries() > limits.entries {
                return Err(PackError::TooManyEntries { path, entries_max: limits.entries });
            }
        }
    }
    sink.finish(tree, file_bytes)
}

/// Names and paths in a directory, sorted, so that the block order and the first error are the same everywhere.
fn children(directory: &Path) -> Result<Vec<(String, PathBuf)>, PackError> {
    let mut children = Vec::new();
    for entry in fs::read_dir(directory).map_err(io_at(directory))? {
        let entry = entry.map_err(io_at(directory))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| NameError::NotUtf8 { name: name.to_string_lossy().into_owned() })?;
        children.push((name, entry.path()));
    }
    children.sort_unstable();
    Ok(children)
}

/// `None` when the file has more than `budget` bytes, also when it grows while it is read.
fn pack_file(path: &Path, budget: u64, sink: &mut impl BlockSink) -> Result<Option<FileRoot>, PackError> {
    let file = open(path).map_err(io_at(path))?;
    if !file.metadata().map_err(io_at(path))?.is_file() {
        return Err(PackError::SpecialFile { path: path.to_owned() });
    }
    let mut reader = file.take(budget.saturating_add(1));
    let (mut leaves, mut total) = (Vec::new(), 0_u64);
    loop {
        let mut chunk = Vec::new();
        (&mut reader).take(CHUNK_BYTES as u64).read_to_end(&mut chunk).map_err(io_at(path))?;
        total += chunk.len() as u64;
        if total > budget {
            return Ok(None);
        }
        let last = chunk.len() < CHUNK_BYTES;
        if !chunk.is_empty() || leaves.is_empty() {
            leaves.push(Leaf::put(chunk.into(), sink));
        }
        if last {
            return Ok(Some(file_root(leaves, sink)));
        }
    }
}

/// Opens without following a link or waiting for a pipe's writer, should the path have changed since it was looked at.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> PackError {
    let path = path.to_owned();
    move |source| PackError::Io { path, source }
}

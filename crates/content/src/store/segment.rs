//! A segment: blocks one after the other in one file, and at its end what they are. Written whole under a temporary
//! name, then renamed, never changed: a job of thousands of small files costs one file and one sync.
//!
//! ```text
//! block … block · (digest 32, offset u64, length u32) per block · count u32 · "assayseg"
//! ```

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use assay_protocol::Hash32;

use super::{StoreError, io_at};
use crate::limits::BLOCK_BYTES_MAX;

const MAGIC: &[u8; 8] = b"assayseg";
/// Bytes of an entry in the table, and of what stands behind it.
const ENTRY_BYTES: u64 = 32 + 8 + 4;
const TAIL_BYTES: u64 = 4 + 8;

/// Where a block stands in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: Hash32,
    pub(super) offset: u64,
    pub(super) bytes: u32,
}

/// What is known of a segment on disk.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Length of the file.
    pub(super) file_bytes: u64,
    pub(super) entries: Vec<Entry>,
    /// Whether it is known to have reached the disk with its name, or need not: no crash of the machine takes what is wanted of it.
    pub(super) is_synced: bool,
}

/// Bytes that a segment of these blocks takes.
pub(super) fn file_bytes(blocks: &[(Hash32, &[u8])]) -> u64 {
    blocks.iter().map(|(_, block)| block.len() as u64 + ENTRY_BYTES).sum::<u64>() + TAIL_BYTES
}

/// Writes a segment to `temporary` and renames it to `path`.
pub(super) fn write(temporary: &Path, path: PathBuf, blocks: &[(Hash32, &[u8])]) -> Result<Segment, StoreError> {
    let written = write_file(temporary, blocks).map_err(io_at(temporary));
    let renamed = written.and_then(|entries| match fs::rename(temporary, &path) {
        Ok(()) => Ok(Segment { path: path.clone(), file_bytes: file_bytes(blocks), entries, is_synced: false }),
        Err(error) => Err(io_at(&path)(error)),
    });
    if renamed.is_err() {
        // Already failing; what cannot be removed now goes when it is stale.
        fs::remove_file(temporary).ok();
    }
    renamed
}

fn write_file(path: &Path, blocks: &[(Hash32, &[u8])]) -> io::Result<Vec<Entry>> {
    let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
    let (mut entries, mut offset) = (Vec::with_capacity(blocks.len()), 0);
    for (digest, block) in blocks {
        file.write_all(block)?;
        let bytes = u32::try_from(block.len()).map_err(io::Error::other)?;
        entries.push(Entry { digest: *digest, offset, bytes });
        offset += u64::from(bytes);
    }
    for Entry { digest, offset, bytes } in &entries {
        file.write_all(digest)?;
        file.write_all(&offset.to_le_bytes())?;
        file.write_all(&bytes.to_le_bytes())?;
    }
    let count = u32::try_from(entries.len()).map_err(io::Error::other)?;
    file.write_all(&count.to_le_bytes())?;
    file.write_all(MAGIC)?;
    file.flush()?;
    Ok(entries)
}

/// Reads what a segment holds. `None` when the file is no whole segment: torn by a crash, it is garbage.
pub(super) fn read(path: &Path) -> Result<Option<Segment>, StoreError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // Another process collected it since the directory was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_at(path)(error)),
    };
    let table = read_table(&mut file).map_err(io_at(path))?;
    Ok(table.map(|(file_bytes, entries)| Segment { path: path.to_owned(), file_bytes, entries, is_synced: false }))
}

fn read_table(file: &mut File) -> io::Result<Option<(u64, Vec<Entry>)>> {
    let file_bytes = file.metadata()?.len();
    let Some(tail_at) = file_bytes.checked_sub(TAIL_BYTES) else { return Ok(None) };
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(tail_at))?;
    file.take(TAIL_BYTES).read_to_end(&mut tail)?;
    let Some((count, MAGIC)) =
        tail.split_first_chunk::<4>().and_then(|(count, rest)| Some((count, rest.try_into().ok()?)))
    else {
        return Ok(None);
    };
    let table_bytes = u64::from(u32::from_le_bytes(*count)) * ENTRY_BYTES;
    // The table must lie inside the file, so a lying count allocates no more than the file has.
    let Some(table_at) = tail_at.checked_sub(table_bytes) else { return Ok(None) };
    let mut table = Vec::new();
    file.seek(SeekFrom::Start(table_at))?;
    file.take(table_bytes).read_to_end(&mut table)?;
    let (mut entries, mut rest) = (Vec::new(), table.as_slice());
    while let Some((digest, tail)) = rest.split_first_chunk::<32>() {
        let Some((offset, tail)) = tail.split_first_chunk::<8>() else { return Ok(None) };
        let Some((bytes, tail)) = tail.split_first_chunk::<4>() else { return Ok(None) };
        let (offset, bytes) = (u64::from_le_bytes(*offset), u32::from_le_bytes(*bytes));
        if offset.saturating_add(u64::from(bytes)) > table_at {
            return Ok(None);
        }
        entries.push(Entry { digest: *digest, offset, bytes });
        rest = tail;
    }
    Ok(Some((file_bytes, entries)))
}

/// Reads one block, unverified. `None` when the segment is gone or too short.
pub(super) fn read_block(path: &Path, entry: &Entry) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
    if bytes > BLOCK_BYTES_MAX {
        return Ok(None);
    }
    let read = File::open(path).and_then(|file| {
        let mut block = vec![0; bytes];
        read_exact_at(&file, &mut block, entry.offset)?;
        Ok(block)
    });
    match read {
        Ok(block) => Ok(Some(block)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(io_at(path)(error)),
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, block, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, block: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(block)
}

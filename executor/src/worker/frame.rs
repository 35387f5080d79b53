//! One message over a pipe: `magic · header length u32 · body length u64 · header (JSON) · body (bytes)`. Both lengths
//! are checked against a cap before a byte is read, and memory grows with what arrives, not with what was announced
//! (W-17).

use std::io::{self, Read, Write};

use assay_runtime::ARTIFACT_BYTES_MAX;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

const MAGIC: [u8; 4] = *b"ASY1";
/// Longest header: two lengths for each entry of the largest job directory, which take a thirtieth of it, or a CID and a
/// length for each block of the largest result.
pub const HEADER_BYTES_MAX: u64 = 32 << 20;
/// Longest body: a job directory at its limit with its paths, or a result with the overhead of its blocks; and compiled
/// code of both variants.
pub const BODY_BYTES_MAX: u64 = (192 << 20) + 2 * ARTIFACT_BYTES_MAX;

/// Why a frame was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The pipe failed or ended inside the frame.
    #[error("read or write a frame: {0}")]
    Pipe(#[from] io::Error),
    /// It does not begin like a frame.
    #[error("read a frame: it does not begin with the magic bytes")]
    Magic,
    /// A length is over its cap.
    #[error("read or write a frame: {length} bytes of {part} are over the limit of {limit}")]
    TooLong {
        /// Header or body.
        part: &'static str,
        /// Announced.
        length: u64,
        /// Allowed.
        limit: u64,
    },
    /// The header is not what was expected.
    #[error("read a frame: its header is not understood: {0}")]
    Header(#[from] serde_json::Error),
    /// Bytes follow the frame.
    #[error("read a frame: bytes follow its end")]
    Trailing,
}

/// Writes one frame.
///
/// # Errors
/// [`FrameError::TooLong`] before anything is written, or from the pipe.
pub fn write_frame<H: Serialize>(mut to: impl Write, header: &H, body: &[&[u8]]) -> Result<(), FrameError> {
    let header = serde_json::to_vec(header)?;
    let header_bytes = check("the header", len(&header), HEADER_BYTES_MAX)?;
    let body_bytes = body.iter().fold(0_u64, |sum, part| sum.saturating_add(len(part)));
    let body_bytes = check("the body", body_bytes, BODY_BYTES_MAX)?;
    to.write_all(&MAGIC)?;
    to.write_all(&u32::try_from(header_bytes).unwrap_or(u32::MAX).to_le_bytes())?;
    to.write_all(&body_bytes.to_le_bytes())?;
    to.write_all(&header)?;
    for part in body {
        to.write_all(part)?;
    }
    Ok(to.flush()?)
}

/// Reads one frame and the end of the stream.
///
/// # Errors
/// [`FrameError`] for everything else.
pub fn read_last_frame<H: DeserializeOwned>(mut from: impl Read) -> Result<(H, Vec<u8>), FrameError> {
    let frame = read_frame(&mut from)?;
    if from.read(&mut [0; 1])? == 0 { Ok(frame) } else { Err(FrameError::Trailing) }
}

/// Reads one frame; more may follow.
///
/// # Errors
/// [`FrameError`] for everything else.
pub fn read_frame<H: DeserializeOwned>(mut from: impl Read) -> Result<(H, Vec<u8>), FrameError> {
    let (mut magic, mut header_bytes, mut body_bytes) = ([0; 4], [0; 4], [0; 8]);
    from.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(FrameError::Magic);
    }
    from.read_exact(&mut header_bytes)?;
    from.read_exact(&mut body_bytes)?;
    let header_bytes = check("the header", u64::from(u32::from_le_bytes(header_bytes)), HEADER_BYTES_MAX)?;
    let body_bytes = check("the body", u64::from_le_bytes(body_bytes), BODY_BYTES_MAX)?;
    let header = read_part(&mut from, header_bytes)?;
    let body = read_part(&mut from, body_bytes)?;
    Ok((serde_json::from_slice(&header)?, body))
}

fn read_part(from: &mut impl Read, length: u64) -> Result<Vec<u8>, FrameError> {
    let mut part = Vec::new();
    from.by_ref().take(length).read_to_end(&mut part)?;
    if len(&part) == length { Ok(part) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
}

fn check(part: &'static str, length: u64, limit: u64) -> Result<u64, FrameError> {
    if length <= limit { Ok(length) } else { Err(FrameError::TooLong { part, length, limit }) }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &"header", &[b"bo", b"dy"]).expect("written");
        bytes
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let (header, body): (String, _) = read_last_frame(frame().as_slice()).expect("read");
        assert_eq!((header.as_str(), body.as_slice()), ("header", b"body".as_slice()));
    }

    #[test]
    fn w_17_every_truncation_is_refused() {
        let bytes = frame();
        for length in 0..bytes.len() {
            assert!(matches!(read_last_frame::<String>(&bytes[..length]), Err(FrameError::Pipe(_))), "{length}");
        }
    }

    #[test]
    fn w_17_lengths_over_the_cap_and_trailing_bytes_are_refused() {
        let mut trailing = frame();
        trailing.push(0);
        assert!(matches!(read_last_frame::<String>(trailing.as_slice()), Err(FrameError::Trailing)));
        for position in [7, 15] {
            let mut huge = frame();
            huge[position] = 0xFF;
            assert!(matches!(read_last_frame::<String>(huge.as_slice()), Err(FrameError::TooLong { .. })));
        }
        let mut other = frame();
        other[0] = b'X';
        assert!(matches!(read_last_frame::<String>(other.as_slice()), Err(FrameError::Magic)));
    }
}

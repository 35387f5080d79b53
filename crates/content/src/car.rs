//! CAR version 1: a header with roots, then blocks. Read as a stream of untrusted bytes: lengths are capped before
//! they are believed, nothing is allocated from a length alone, every block is verified (C-01, C-04, C-05, C-08).

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use cid::Cid;

use crate::{
    id::{CidError, accept, verify_block},
    limits::{BLOCK_BYTES_MAX, Budget, CAR_CID_BYTES_MAX, CAR_HEADER_BYTES_MAX, CAR_ROOTS_MAX, LINKS_MAX},
    varint::{self, Varint},
};

/// `{"version": 2}` in CBOR: how a CARv2 file begins, after its length.
const PRAGMA_V2: &[u8] = b"\xa1\x67version\x02";
/// Bytes taken from a [`Read`] at a time.
const READ_BYTES: usize = 64 << 10;

/// What one CAR may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarLimits {
    /// The whole file.
    pub bytes: u64,
    /// Its blocks.
    pub blocks: usize,
}

impl CarLimits {
    /// Room for the blocks of a package inside this budget.
    #[must_use]
    pub fn for_budget(budget: &Budget) -> Self {
        let framing = u64::try_from(budget.links.saturating_mul(CAR_CID_BYTES_MAX)).unwrap_or(u64::MAX);
        Self { bytes: budget.block_bytes().saturating_add(framing), blocks: budget.links }
    }
}

impl Default for CarLimits {
    fn default() -> Self {
        Self { blocks: LINKS_MAX, ..Self::for_budget(&Budget::RESULT) }
    }
}

/// Why bytes are no CAR that is accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarError {
    /// The header's length is zero, over the cap or no number.
    #[error("read CAR: the header's length is not 1 to {bytes_max} bytes; this is no CAR")]
    HeaderLength {
        /// The cap.
        bytes_max: usize,
    },
    /// The header is not the canonical CBOR of a version and roots.
    #[error("read CAR: the header is malformed at byte {offset}")]
    Header {
        /// Where in the header.
        offset: usize,
    },
    /// Another version. An index made by strangers is never read.
    #[error("read CAR: version 2 is not accepted; export version 1")]
    Version2,
    /// A block's length is too small for a CID, over the cap or no number.
    #[error("read CAR: block {index} has a length outside 1 to {bytes_max} bytes")]
    SectionLength {
        /// Which block, from 0.
        index: usize,
        /// The cap.
        bytes_max: usize,
    },
    /// A block does not begin with a CID.
    #[error("read CAR: block {index} does not begin with a CID")]
    SectionCid {
        /// Which block, from 0.
        index: usize,
    },
    /// A CID that is not canonical, or a block that is not the one its CID names.
    #[error("read CAR: {0}")]
    Cid(#[from] CidError),
    /// The file ends inside its header or a block.
    #[error("read CAR: it ends inside block {index}; the transfer was cut")]
    Truncated {
        /// Which block, from 0.
        index: usize,
    },
    /// More bytes than allowed.
    #[error("read CAR: it is over {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// More blocks than allowed.
    #[error("read CAR: it has more than {blocks_max} blocks")]
    TooManyBlocks {
        /// The limit.
        blocks_max: usize,
    },
    /// The reader or writer failed.
    #[error("transfer CAR: {0}")]
    Io(#[from] io::Error),
}

/// Reads a CAR piece by piece; does no I/O.
#[derive(Debug)]
pub struct CarDecoder {
    buffer: BytesMut,
    roots: Option<Vec<Cid>>,
    limits: CarLimits,
    bytes: u64,
    blocks: usize,
}

impl CarDecoder {
    /// A decoder at the beginning of a file.
    #[must_use]
    pub fn new(limits: CarLimits) -> Self {
        Self { buffer: BytesMut::new(), roots: None, limits, bytes: 0, blocks: 0 }
    }

    /// Takes the next piece. Take all blocks by [`Self::next_block`] before the next push, so that the buffer never
    /// holds more than one block and one piece.
    ///
    /// # Errors
    /// [`CarError::TooLarge`] before a byte too many is kept.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), CarError> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.limits.bytes {
            return Err(CarError::TooLarge { bytes_max: self.limits.bytes });
        }
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    /// The next whole block, verified; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`CarError`]; the decoder is of no use afterwards.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Bytes)>, CarError> {
        if self.roots.is_none() {
            let too_long = CarError::HeaderLength { bytes_max: CAR_HEADER_BYTES_MAX };
            let Some(header) = self.frame(CAR_HEADER_BYTES_MAX, too_long)? else { return Ok(None) };
            self.roots = Some(decode_header(&header)?);
        }
        let index = self.blocks;
        let bytes_max = CAR_CID_BYTES_MAX + BLOCK_BYTES_MAX;
        let Some(mut section) = self.frame(bytes_max, CarError::SectionLength { index, bytes_max })? else {
            return Ok(None);
        };
        if self.blocks == self.limits.blocks {
            return Err(CarError::TooManyBlocks { blocks_max: self.limits.blocks });
        }
        self.blocks += 1;
        let mut rest: &[u8] = &section;
        let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::SectionCid { index })?;
        let block = section.split_off(section.len() - rest.len());
        if block.len() > BLOCK_BYTES_MAX {
            return Err(CarError::SectionLength { index, bytes_max });
        }
        verify_block(&cid, &block)?;
        Ok(Some((cid, block)))
    }

    /// Takes one length-prefixed frame off the buffer once it is whole.
    fn frame(&mut self, bytes_max: usize, bad_length: CarError) -> Result<Option<Bytes>, CarError> {
        let (length, prefix) = match varint::read(&self.buffer) {
            Varint::Value(length, prefix) => (length, prefix),
            Varint::Incomplete => return Ok(None),
            Varint::Invalid => return Err(bad_length),
        };
        let length = match usize::try_from(length) {
            Ok(length) if (1..=bytes_max).contains(&length) => length,
            _ => return Err(bad_length),
        };
        if self.buffer.len() < prefix + length {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(prefix + length).freeze();
        Ok(Some(frame.split_off(prefix)))
    }

    /// The header's roots, once read. They are the sender's claim and prove nothing.
    #[must_use]
    pub fn roots(&self) -> Option<&[Cid]> {
        self.roots.as_deref()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`CarError::Truncated`] when it ended early.
    pub fn finish(self) -> Result<Vec<Cid>, CarError> {
        match self.roots {
            Some(roots) if self.buffer.is_empty() => Ok(roots),
            _ => Err(CarError::Truncated { index: self.blocks }),
        }
    }
}

/// Reads the one canonical DAG-CBOR spelling of `{"roots": [CID, …], "version": 1}`.
fn decode_header(header: &[u8]) -> Result<Vec<Cid>, CarError> {
    if header == PRAGMA_V2 {
        return Err(CarError::Version2);
    }
    let mut rest = header;
    let malformed = |rest: &[u8]| CarError::Header { offset: header.len() - rest.len() };
    let expect = |rest: &mut &[u8], want: &[u8]| {
        *rest = rest.strip_prefix(want).ok_or_else(|| malformed(rest))?;
        Ok::<_, CarError>(())
    };
    expect(&mut rest, b"\xa2\x65roots")?;
    let count = match rest.split_first() {
        Some((head, tail)) if (0x80..=0x80 + CAR_ROOTS_MAX).contains(&usize::from(*head)) => {
            rest = tail;
            usize::from(*head) - 0x80
        }
        _ => return Err(malformed(rest)),
    };
    let mut roots = Vec::new();
    for _ in 0..count {
        // Tag 42, a byte string of 37 bytes, the identity multibase prefix: the only length a canonical CID has.
        expect(&mut rest, b"\xd8\x2a\x58\x25\x00")?;
        let (cid, tail) = rest.split_at_checked(36).ok_or_else(|| malformed(rest))?;
        let cid = Cid::try_from(cid).map_err(|_| malformed(rest))?;
        accept(&cid)?;
        roots.push(cid);
        rest = tail;
    }
    expect(&mut rest, b"\x67version\x01")?;
    if rest.is_empty() { Ok(roots) } else { Err(malformed(rest)) }
}

/// The header of a file with one root, its length included.
#[must_use]
pub fn header(root: &Cid) -> Bytes {
    let mut body = b"\xa2\x65roots\x81\xd8\x2a\x58\x25\x00".to_vec();
    body.extend_from_slice(&root.to_bytes());
    body.extend_from_slice(b"\x67version\x01");
    let mut out = Vec::with_capacity(body.len() + 1);
    varint::write(&mut out, body.len() as u64);
    out.extend_from_slice(&body);
    out.into()
}

/// What stands before a block: the section's length and the CID.
#[must_use]
pub fn section_prefix(cid: &Cid, block_bytes: usize) -> Bytes {
    let cid = cid.to_bytes();
    let mut out = Vec::with_capacity(cid.len() + 4);
    varint::write(&mut out, (cid.len() + block_bytes) as u64);
    out.extend_from_slice(&cid);
    out.into()
}

/// The file as pieces, blocks uncopied: for request bodies.
pub fn pieces<'a>(root: &Cid, blocks: &'a [(Cid, Bytes)]) -> impl Iterator<Item = Bytes> + use<'a> {
    let sections = blocks.iter().flat_map(|(cid, block)| [section_prefix(cid, block.len()), block.clone()]);
    std::iter::once(header(root)).chain(sections)
}

/// Writes a file with one root.
///
/// # Errors
/// [`CarError::Io`] when the writer fails.
pub fn write(writer: &mut impl Write, root: &Cid, blocks: &[(Cid, Bytes)]) -> Result<(), CarError> {
    for piece in pieces(root, blocks) {
        writer.write_all(&piece)?;
    }
    Ok(writer.flush()?)
}

/// A file that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarFile {
    /// The header's roots. They are the sender's claim and prove nothing.
    pub roots: Vec<Cid>,
    /// The blocks in order, each verified.
    pub blocks: Vec<(Cid, Bytes)>,
}

/// Reads a whole file.
///
/// # Errors
/// [`CarError`] at the first thing that is wrong.
pub fn read(reader: &mut impl Read, limits: CarLimits) -> Result<CarFile, CarError> {
    let mut decoder = CarDecoder::new(limits);
    let mut blocks = Vec::new();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let length = match reader.read(&mut piece) {
            Ok(0) => return Ok(CarFile { roots: decoder.finish()?, blocks }),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        decoder.push(&piece[..length])?;
        while let Some(block) = decoder.next_block()? {
            blocks.push(block);
        }
    }
}

//! CIDs: one canonical form. CIDv1, codec raw or dag-pb, SHA-256; everything else is refused by name (C-02, C-03).

use assay_protocol::Hash32;
use cid::{Cid, Version, multihash::Multihash};
use sha2::{Digest, Sha256};

/// Multicodec code of SHA-256.
const SHA2_256: u64 = 0x12;

/// The two codecs of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// A chunk of a file, as it is.
    Raw,
    /// A UnixFS node: directory, HAMT node, or list of chunks.
    DagPb,
}

impl Codec {
    /// The multicodec code.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
        }
    }
}

/// Why a CID is not accepted, or a block not under its CID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidError {
    /// The text is no CID.
    #[error("read {text:?} as a CID: {reason}; a job's CID looks like bafybei…")]
    Syntax {
        /// What was given, at most 128 characters of it.
        text: String,
        /// What the decoder said.
        reason: String,
    },
    /// A CIDv0 (`Qm…`).
    #[error("use {cid}: CIDv0 is not accepted; pack again with `ipfs add --cid-version 1` or `assay content pack`")]
    Version0 {
        /// The CID.
        cid: Cid,
    },
    /// A codec other than raw and dag-pb.
    #[error("use {cid}: codec 0x{codec:x} is not accepted, only raw (0x55) and dag-pb (0x70)")]
    Codec {
        /// The CID.
        cid: Cid,
        /// Its codec.
        codec: u64,
    },
    /// A hash function other than SHA-256, or a shortened digest. Identity hashes are refused here too.
    #[error("use {cid}: hash 0x{code:x} with {digest_bytes} bytes is not accepted, only sha2-256 (0x12) with 32")]
    Hash {
        /// The CID.
        cid: Cid,
        /// Its hash function.
        code: u64,
        /// Length of its digest.
        digest_bytes: usize,
    },
    /// A directory was needed and the codec says that it is none.
    #[error("use {cid} as a directory: it is a single raw block; a job or result is always a directory")]
    NotDirectory {
        /// The CID.
        cid: Cid,
    },
    /// The block's bytes do not have the digest that the CID states.
    #[error(
        "verify block {cid}: {block_bytes} bytes hash to something else; whoever sent them lies or their disk rots"
    )]
    Mismatch {
        /// The CID asked for.
        cid: Cid,
        /// Length of the block that came.
        block_bytes: usize,
    },
}

/// The CID of a block.
#[must_use]
pub fn block_cid(codec: Codec, block: &[u8]) -> Cid {
    from_parts(codec, &Sha256::digest(block).into())
}

/// The CID of a directory from its SHA-256 digest as accounts store it: CIDv1, dag-pb.
#[must_use]
pub fn cid_from_digest(digest: &Hash32) -> Cid {
    from_parts(Codec::DagPb, digest)
}

fn from_parts(codec: Codec, digest: &Hash32) -> Cid {
    let hash = Multihash::wrap(SHA2_256, digest).expect("32 bytes fit a 64-byte multihash");
    Cid::new_v1(codec.code(), hash)
}

/// The digest that an account stores for a directory's CID. The inverse of [`cid_from_digest`].
///
/// # Errors
/// [`CidError`] when the CID is not canonical or not a directory's.
pub fn digest_from_cid(cid: &Cid) -> Result<Hash32, CidError> {
    match accept(cid)? {
        (Codec::DagPb, digest) => Ok(digest),
        (Codec::Raw, _) => Err(CidError::NotDirectory { cid: *cid }),
    }
}

/// Reads a CID and accepts only the canonical form.
///
/// # Errors
/// [`CidError`] names what is not canonical.
pub fn parse_cid(text: &str) -> Result<Cid, CidError> {
    let short = || text.chars().take(128).collect::<String>();
    let syntax = |reason: String| CidError::Syntax { text: short(), reason };
    if text.len() > 128 {
        return Err(syntax("it is longer than any CID".to_owned()));
    }
    let cid = text.parse::<Cid>().map_err(|error| syntax(error.to_string()))?;
    accept(&cid)?;
    Ok(cid)
}

/// Codec and digest of a CID in the canonical form.
///
/// # Errors
/// [`CidError`] names what is not canonical.
pub(crate) fn accept(cid: &Cid) -> Result<(Codec, Hash32), CidError> {
    if cid.version() == Version::V0 {
        return Err(CidError::Version0 { cid: *cid });
    }
    let codec = match cid.codec() {
        0x55 => Codec::Raw,
        0x70 => Codec::DagPb,
        codec => return Err(CidError::Codec { cid: *cid, codec }),
    };
    let hash = cid.hash();
    match <Hash32>::try_from(hash.digest()) {
        Ok(digest) if hash.code() == SHA2_256 => Ok((codec, digest)),
        _ => Err(CidError::Hash { cid: *cid, code: hash.code(), digest_bytes: hash.digest().len() }),
    }
}

/// Whether the block is the one that the CID names. Nothing from outside is used before this said yes (C-01).
///
/// # Errors
/// [`CidError`] when the CID is not canonical or the hash differs.
pub fn verify_block(cid: &Cid, block: &[u8]) -> Result<Codec, CidError> {
    let (codec, digest) = accept(cid)?;
    if has_digest(block, &digest) { Ok(codec) } else { Err(CidError::Mismatch { cid: *cid, block_bytes: block.len() }) }
}

/// Whether the block has this digest.
pub(crate) fn has_digest(block: &[u8], digest: &Hash32) -> bool {
    Hash32::from(Sha256::digest(block)) == *digest
}

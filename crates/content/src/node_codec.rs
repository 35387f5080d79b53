//! UnixFS nodes inside dag-pb blocks: the strict subset that the profile writes. One spelling per node: fields in
//! order, none twice, none unknown, so that everything else is refused by name (C-02, C-09, C-11).

use cid::Cid;

use crate::{
    id::{CidError, accept},
    limits::{FILE_LINKS_MAX, HAMT_FANOUT, NAME_BYTES_MAX},
    name::{NameError, too_long},
    varint::{self, Varint},
};

/// Multihash code of murmur3-x64-64, the only HAMT hash.
const MURMUR3_X64_64: u64 = 0x22;

/// UnixFS type codes.
const TYPE_DIRECTORY: u64 = 1;
const TYPE_FILE: u64 = 2;
const TYPE_SYMLINK: u64 = 4;
const TYPE_HAMT: u64 = 5;

/// A link to another block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) name: String,
    pub(crate) cid: Cid,
    /// Bytes of the block and everything below it.
    pub(crate) tree_bytes: u64,
}

/// A decoded node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A directory in one block.
    Directory(Vec<Link>),
    /// A list of chunks or of further lists; `sizes` has one length per link.
    File { links: Vec<Link>, sizes: Vec<u64>, file_bytes: u64 },
    /// A node of a sharded directory.
    Hamt(Vec<Link>),
}

/// Why a block is no node of the profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The protobuf ends inside a field, or has a malformed length.
    #[error("decode node: the protobuf is malformed at byte {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
    /// An unknown field, one out of order, or one twice.
    #[error("decode node: field {field} of the {message} is unknown, repeated or out of order")]
    Field {
        /// The protobuf field number.
        field: u64,
        /// Which message.
        message: &'static str,
    },
    /// A field that must be there is not.
    #[error("decode node: the {message} lacks its {field}")]
    Lacks {
        /// What is missing.
        field: &'static str,
        /// Which message.
        message: &'static str,
    },
    /// A symbolic link. Never part of a package.
    #[error("decode node: it is a symbolic link; replace it by the file it points at")]
    Symlink,
    /// A UnixFS type outside the profile.
    #[error("decode node: UnixFS type {code} is outside the profile (directory 1, file 2, HAMT 5)")]
    UnknownType {
        /// Its code.
        code: u64,
    },
    /// A HAMT with other parameters than the profile's.
    #[error("decode node: HAMT with hash 0x{hash:x} and fanout {fanout}; the profile has 0x22 and 256")]
    HamtParameters {
        /// Its hash function.
        hash: u64,
        /// Its fanout.
        fanout: u64,
    },
    /// A HAMT node whose links are none, too many or not those of its bit field.
    #[error("decode node: HAMT with {links} links; the profile has 1 to 256, one for every bit that is set")]
    HamtLinks {
        /// How many links it has.
        links: usize,
    },
    /// A file node with more links than the profile has.
    #[error("decode node: file with {links} links in one node; the profile has at most 1,024")]
    FileLinks {
        /// How many links it has.
        links: usize,
    },
    /// A file node's link with a name.
    #[error("decode node: a file's part has a name of {bytes} bytes; the profile gives it none")]
    FileLinkName {
        /// Length of the name.
        bytes: usize,
    },
    /// Sizes that do not fit the links or their own sum, or say that a part is empty.
    #[error("decode node: the sizes of the file node do not fit its {links} links")]
    Sizes {
        /// How many links it has.
        links: usize,
    },
    /// A link's CID is not canonical.
    #[error(transparent)]
    Cid(#[from] CidError),
    /// A link's bytes are no CID at all.
    #[error("decode node: a link's {bytes} bytes are no CID")]
    LinkCid {
        /// How many bytes.
        bytes: usize,
    },
    /// A link's name is not UTF-8.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// One protobuf field, zero-copy.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads protobuf fields one after the other; wire types 0 and 2 only.
struct Fields<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, DecodeError> {
        if self.offset == self.input.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            2 => {
                let malformed = DecodeError::Malformed { offset: self.offset };
                let length = usize::try_from(self.varint()?).map_err(|_| malformed.clone())?;
                let end = self.offset.checked_add(length).ok_or_else(|| malformed.clone())?;
                let bytes = self.input.get(self.offset..end).ok_or(malformed)?;
                self.offset = end;
                Value::Bytes(bytes)
            }
            _ => return Err(DecodeError::Malformed { offset: self.offset }),
        };
        Ok(Some((tag >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        match varint::read(self.input.get(self.offset..).unwrap_or_default()) {
            Varint::Value(value, bytes) => {
                self.offset += bytes;
                Ok(value)
            }
            Varint::Incomplete | Varint::Invalid => Err(DecodeError::Malformed { offset: self.offset }),
        }
    }
}

/// Decodes a dag-pb block.
pub(crate) fn decode(block: &[u8]) -> Result<Node, DecodeError> {
    const MESSAGE: &str = "PBNode";
    let mut links = Vec::new();
    let mut data = None;
    let mut fields = Fields { input: block, offset: 0 };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            // Links come first, whatever their field number says.
            (2, Value::Bytes(link)) if data.is_none() => links.push(decode_link(link)?),
            (1, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
            (field, _) => return Err(DecodeError::Field { field, message: MESSAGE }),
        }
    }
    decode_unixfs(data.ok_or(DecodeError::Lacks { field: "data", message: MESSAGE })?, links)
}

fn decode_link(link: &[u8]) -> Result<Link, DecodeError> {
    const MESSAGE: &str = "PBLink";
    let (mut cid, mut name, mut tree_bytes) = (None, None, None);
    let mut fields = Fields { input: link, offset: 0 };
    while let Some((field, value)) = fields.next()? {
        match (field, value) {
            (1, Value::Bytes(bytes)) if cid.is_none() && name.is_none() && tree_bytes.is_none() => {
                cid = Some(decode_cid(bytes)?);
            }
            (2, Value::Bytes(bytes)) if name.is_none() && tree_bytes.is_none() => name = Some(decode_name(bytes)?),
            (3, Value::Number(number)) if tree_bytes.is_none() => tree_bytes = Some(number),
            (field, _) => return Err(DecodeError::Field { field, message: MESSAGE }),
        }
    }
    Ok(Link {
        name: name.ok_or(DecodeError::Lacks { field: "name", message: MESSAGE })?,
        cid: cid.ok_or(DecodeError::Lacks { field: "hash", message: MESSAGE })?,
        tree_bytes: tree_bytes.ok_or(DecodeError::Lacks { field: "size", message: MESSAGE })?,
    })
}

fn decode_cid(bytes: &[u8]) -> Result<Cid, DecodeError> {
    let cid = Cid::try_from(bytes).map_err(|_| DecodeError::LinkCid { bytes: bytes.len() })?;
    accept(&cid)?;
    // The decoder ignores trailing bytes; one CID has one spelling.
    if cid.encoded_len() == bytes.len() { Ok(cid) } else { Err(DecodeError::LinkCid { bytes: bytes.len() }) }
}

fn decode_name(bytes: &[u8]) -> Result<String, DecodeError> {
    // With two digits in front inside a HAMT.
    if bytes.len() > NAME_BYTES_MAX + 2 {
        return Err(too_long(&String::from_utf8_lossy(&bytes[..NAME_BYTES_MAX]), bytes.len()).into());
    }
    match std::str::from_utf8(bytes) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(NameError::NotUtf8 { name: String::from_utf8_lossy(bytes).chars().take(64).collect() }.into()),
    }
}

/// The fields of a UnixFS `Data` message.
#[derive(Default)]
struct Data<'a> {
    kind: Option<u64>,
    data: Option<&'a [u8]>,
    file_bytes: Option<u64>,
    sizes: Vec<u64>,
    hash: Option<u64>,
    fanout: Option<u64>,
}

fn decode_unixfs(input: &[u8], links: Vec<Link>) -> Result<Node, DecodeError> {
    const MESSAGE: &str = "UnixFS data";
    let mut data = Data::default();
    let mut last = 0;
    let mut fields = Fields { input, offset: 0 };
    while let Some((field, value)) = fields.next()? {
        // In order, none twice; only the sizes repeat. Mode and mtime (7, 8) are outside the profile: a package holds
        // names and bytes, nothing of the machine that packed it.
        if field < last || (field == last && field != 4) {
            return Err(DecodeError::Field { field, message: MESSAGE });
        }
        last = field;
        match (field, value) {
            (1, Value::Number(kind)) => data.kind = Some(kind),
            (2, Value::Bytes(bytes)) => data.data = Some(bytes),
            (3, Value::Number(bytes)) => data.file_bytes = Some(bytes),
            (4, Value::Number(bytes)) => data.sizes.push(bytes),
            (5, Value::Number(hash)) => data.hash = Some(hash),
            (6, Value::Number(fanout)) => data.fanout = Some(fanout),
            (field, _) => {
                // A symlink's own fields come after its type: say what it is rather than which field is odd.
                return Err(match data.kind {
                    Some(TYPE_SYMLINK) => DecodeError::Symlink,
                    _ => DecodeError::Field { field, message: MESSAGE },
                });
            }
        }
    }
    match data.kind {
        Some(TYPE_DIRECTORY) => directory(&data, links),
        Some(TYPE_FILE) => file(data, links),
        Some(TYPE_HAMT) => hamt(&data, links),
        Some(TYPE_SYMLINK) => Err(DecodeError::Symlink),
        Some(code) => Err(DecodeError::UnknownType { code }),
        None => Err(DecodeError::Lacks { field: "type", message: MESSAGE }),
    }
}

fn directory(data: &Data<'_>, links: Vec<Link>) -> Result<Node, DecodeError> {
    const MESSAGE: &str = "directory";
    let field = match data {
        Data { data: Some(_), .. } => 2,
        Data { file_bytes: Some(_), .. } => 3,
        Data { sizes, .. } if !sizes.is_empty() => 4,
        Data { hash: Some(_), .. } => 5,
        Data { fanout: Some(_), .. } => 6,
        _ => return Ok(Node::Directory(links)),
    };
    Err(DecodeError::Field { field, message: MESSAGE })
}

fn file(data: Data<'_>, links: Vec<Link>) -> Result<Node, DecodeError> {
    const MESSAGE: &str = "file";
    // Chunks are raw blocks in the profile, so a file node has links and no bytes of its own.
    let field = match &data {
        Data { data: Some(_), .. } => Some(2),
        Data { hash: Some(_), .. } => Some(5),
        Data { fanout: Some(_), .. } => Some(6),
        _ => None,
    };
    if let Some(field) = field {
        return Err(DecodeError::Field { field, message: MESSAGE });
    }
    // As with a HAMT: what a reader holds of a node, and what reading it costs, is bounded here (C-06).
    if links.len() > FILE_LINKS_MAX {
        return Err(DecodeError::FileLinks { links: links.len() });
    }
    if let Some(link) = links.iter().find(|link| !link.name.is_empty()) {
        return Err(DecodeError::FileLinkName { bytes: link.name.len() });
    }
    let file_bytes = data.file_bytes.ok_or(DecodeError::Lacks { field: "size", message: MESSAGE })?;
    let sum = data.sizes.iter().try_fold(0_u64, |sum, bytes| sum.checked_add(*bytes));
    if links.is_empty() || links.len() != data.sizes.len() || data.sizes.contains(&0) || sum != Some(file_bytes) {
        return Err(DecodeError::Sizes { links: links.len() });
    }
    Ok(Node::File { links, sizes: data.sizes, file_bytes })
}

fn hamt(data: &Data<'_>, links: Vec<Link>) -> Result<Node, DecodeError> {
    const MESSAGE: &str = "HAMT";
    let (hash, fanout) = (data.hash.unwrap_or(0), data.fanout.unwrap_or(0));
    if hash != MURMUR3_X64_64 || usize::try_from(fanout) != Ok(HAMT_FANOUT) {
        return Err(DecodeError::HamtParameters { hash, fanout });
    }
    if data.file_bytes.is_some() || !data.sizes.is_empty() {
        return Err(DecodeError::Field { field: 3, message: MESSAGE });
    }
    // Checked here, so that a reader never holds more than a few levels of at most so many links (C-06). Without links a
    // node would be read again and again and never charged as an entry.
    let bitfield = data.data.ok_or(DecodeError::Lacks { field: "bit field", message: MESSAGE })?;
    let slots: usize = bitfield.iter().take(HAMT_FANOUT / 8).map(|byte| byte.count_ones() as usize).sum();
    if links.is_empty() || links.len() != slots || bitfield.len() > HAMT_FANOUT / 8 {
        return Err(DecodeError::HamtLinks { links: links.len() });
    }
    Ok(Node::Hamt(links))
}

impl Node {
    /// Links to other blocks, whatever the node is.
    pub(crate) fn links(&self) -> &[Link] {
        match self {
            Self::Directory(links) | Self::File { links, .. } | Self::Hamt(links) => links,
        }
    }
}

fn write_number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint::write(out, field << 3);
    varint::write(out, value);
}

fn write_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint::write(out, (field << 3) | 2);
    varint::write(out, u64::try_from(bytes.len()).expect("a length fits 64 bits"));
    out.extend_from_slice(bytes);
}

fn encode<'a>(links: impl Iterator<Item = (&'a str, &'a Cid, u64)>, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoded = Vec::new();
    for (name, cid, tree_bytes) in links {
        encoded.clear();
        write_bytes(&mut encoded, 1, &cid.to_bytes());
        write_bytes(&mut encoded, 2, name.as_bytes());
        write_number(&mut encoded, 3, tree_bytes);
        write_bytes(&mut out, 2, &encoded);
    }
    write_bytes(&mut out, 1, data);
    out
}

/// The block of a directory; links must be sorted by name.
pub(crate) fn encode_directory<'a>(links: impl Iterator<Item = (&'a str, &'a Cid, u64)>) -> Vec<u8> {
    let mut data = Vec::new();
    write_number(&mut data, 1, TYPE_DIRECTORY);
    encode(links, &data)
}

/// The block of a file node: `(CID, file bytes, tree bytes)` per link.
pub(crate) fn encode_file(links: &[(Cid, u64, u64)]) -> Vec<u8> {
    let mut data = Vec::new();
    write_number(&mut data, 1, TYPE_FILE);
    write_number(&mut data, 3, links.iter().map(|(_, file_bytes, _)| file_bytes).sum());
    for (_, file_bytes, _) in links {
        write_number(&mut data, 4, *file_bytes);
    }
    encode(links.iter().map(|(cid, _, tree_bytes)| ("", cid, *tree_bytes)), &data)
}

/// The block of a HAMT node; links must be sorted by slot, names begin with the slot in two hex digits.
pub(crate) fn encode_hamt(links: &[Link], bitfield: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    write_number(&mut data, 1, TYPE_HAMT);
    write_bytes(&mut data, 2, bitfield);
    write_number(&mut data, 5, MURMUR3_X64_64);
    write_number(&mut data, 6, u64::try_from(HAMT_FANOUT).expect("256 fits"));
    encode(links.iter().map(|link| (link.name.as_str(), &link.cid, link.tree_bytes)), &data)
}

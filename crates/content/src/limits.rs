//! Every bound of this crate, in one place.
//!
//! The first group belongs to the packing profile `unixfs-v1-2025` (IPIP-499) and decides CIDs: changing one is a new
//! profile. The second group bounds what strangers may make us do.

use assay_protocol::limits::INPUT_BYTES_MAX;

/// Profile: bytes in every chunk of a file but the last, 1 MiB.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Profile: most links in a file node.
pub const FILE_LINKS_MAX: usize = 1_024;
/// Profile: a directory whose single block would be larger than this becomes a HAMT.
pub const DIRECTORY_BLOCK_BYTES_MAX: usize = 262_144;
/// Profile: slots of a HAMT node; one byte of the name's hash per level.
pub const HAMT_FANOUT: usize = 256;
/// Profile: levels of a HAMT; the name's hash has eight bytes.
pub const HAMT_LEVELS_MAX: usize = 8;

/// Largest block that is read from anybody, 2 MiB: what trustless gateways and Bitswap peers agree on.
pub const BLOCK_BYTES_MAX: usize = 2 << 20;
/// Longest file or directory name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest path inside a package, in bytes of UTF-8: twice the longest that a guest can name, for a result has everything
/// that a guest may make, one level further down.
pub const PATH_BYTES_MAX: usize = 2_048;
/// Deepest directory nesting of a job.
pub const DEPTH_MAX: usize = 64;
/// Most files and directories in a job.
pub const ENTRIES_MAX: usize = 65_536;
/// Deepest directory nesting of any package. A result has everything that a guest may make, one level further down.
pub const RESULT_DEPTH_MAX: usize = 2 * DEPTH_MAX;
/// Most files and directories in any package: what a guest may make, and stdout and stderr beside it.
pub const RESULT_ENTRIES_MAX: usize = 2 * ENTRIES_MAX;
/// Most blocks visited while a package is read, repeated ones counted every time.
pub const LINKS_MAX: usize = 4 * ENTRIES_MAX;
/// Longest CAR header: a CBOR map with the version and at most [`CAR_ROOTS_MAX`] roots.
pub const CAR_HEADER_BYTES_MAX: usize = 1_024;
/// Most roots in a CAR header.
pub const CAR_ROOTS_MAX: usize = 16;
/// Longest CID in a CAR section: version, codec, hash code, length and a 32-byte digest, with room for long varints.
pub const CAR_CID_BYTES_MAX: usize = 64;
/// Longest JSON answer of an RPC that is read, 4 MiB.
pub const RPC_ANSWER_BYTES_MAX: u64 = 4 << 20;
/// Blocks asked for at the same time when a source gives no CAR.
pub const BLOCKS_IN_FLIGHT_MAX: usize = 8;
/// Largest request body the content node takes, 256 MiB: a full job with its block overhead, three times over.
pub const BODY_BYTES_MAX: u64 = 256 << 20;

/// Requests that a content node works on at the same time, per listener; more are turned away.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;
/// Connections that a content node has at the same time, per listener: two listeners stay under the 1,024 descriptors
/// that systems give a process, with room for the store's files.
pub const CONNECTIONS_MAX: usize = 256;
/// Connections of one client, half of [`CONNECTIONS_MAX`].
pub const CONNECTIONS_PER_CLIENT_MAX: usize = 128;
/// Bytes that are buffered per connection and direction, and longest head of a request.
pub const CONNECTION_BUFFER_BYTES_MAX: usize = 128 << 10;
/// Bytes of whole files that a content node holds for all clients together, per listener: two of the largest uploads.
pub const NODE_MEMORY_BYTES_MAX: usize = 512 << 20;
/// Names on a page that lists a directory.
pub const PAGE_NAMES_MAX: usize = 1_000;
/// Bytes of a CAR that are read ahead of a slow client; one block more at most.
pub const EXPORT_BYTES_AHEAD: usize = 256 << 10;
/// Bytes of blocks that an import holds before it writes them.
pub const IMPORT_BATCH_BYTES: usize = 8 << 20;

/// What [`crate::unpack`] may spend on one package. Checked before the cost is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of all files together, repeated chunks counted every time.
    pub file_bytes: u64,
    /// Files and directories.
    pub entries: usize,
    /// Blocks visited, repeated ones counted every time.
    pub links: usize,
    /// Nested directories.
    pub depth: usize,
}

impl Budget {
    /// The bounds that belong to the profile for job directories. Whoever makes an outcome of a job reads it with
    /// exactly these: the first one exceeded, in the order in which [`crate::unpack`] reads, is then the same on every
    /// host ([`crate::UnpackError::invalid_reason`]). With any other budget it is one host's opinion, never an outcome.
    /// What a fetch or a disk may cost is bounded beside this and only ever a fault of that host.
    pub const PROFILE: Self =
        Self { file_bytes: INPUT_BYTES_MAX, entries: ENTRIES_MAX, links: LINKS_MAX, depth: DEPTH_MAX };

    /// The bounds for a result: room for everything that a job's profile lets a guest make, so that whatever a run
    /// gave can be packed and read again.
    pub const RESULT: Self = Self {
        file_bytes: 2 * INPUT_BYTES_MAX,
        entries: RESULT_ENTRIES_MAX,
        links: 2 * LINKS_MAX,
        depth: RESULT_DEPTH_MAX,
    };

    /// Most bytes that the blocks of a package inside this budget can take on the wire or on disk: the files, one
    /// link per chunk, and for every entry a directory link with its name and its share of HAMT nodes.
    #[must_use]
    pub fn block_bytes(&self) -> u64 {
        let per_entry = u64::try_from(NAME_BYTES_MAX + 512).unwrap_or(u64::MAX);
        let entries = u64::try_from(self.entries).unwrap_or(u64::MAX);
        self.file_bytes.saturating_add(self.file_bytes / 1_024).saturating_add(entries.saturating_mul(per_entry))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::PROFILE
    }
}

/// What [`crate::pack_path`] may read. The same bounds as [`Budget`], so that what was packed can be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackLimits {
    /// Bytes of all files together.
    pub file_bytes: u64,
    /// Files and directories.
    pub entries: usize,
    /// Nested directories.
    pub depth: usize,
}

impl Default for PackLimits {
    fn default() -> Self {
        Self { file_bytes: INPUT_BYTES_MAX, entries: ENTRIES_MAX, depth: DEPTH_MAX }
    }
}

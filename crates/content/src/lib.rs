//! Content: what a job and its result are made of, addressed by hash.
//!
//! A directory is packed into blocks by one frozen profile ([`pack_entries`], [`pack_path`]), so that its CID is the
//! same wherever it is computed; blocks travel as a CAR ([`car`]) over plain HTTP, rest in a [`BlockStore`], and are
//! turned back into files by [`unpack`]. A [`Fetcher`] races sources that nobody has to trust, a [`ContentNode`] serves
//! a store as the useful part of Kubo's RPC and as a trustless gateway.
//!
//! Two rules hold everywhere: no byte is used before its hash matched, and no byte is kept before a budget was charged
//! for it. What breaks a rule of the profile is a property of the content, the same on every host
//! ([`UnpackError::invalid_reason`]); what is merely not to be had is not.
//!
//! # The profile
//!
//! `unixfs-v1-2025` (IPIP-499), frozen. CIDs are version 1, SHA-256, codec raw for chunks and dag-pb for the rest.
//! A file is cut into chunks of 1 MiB, raw blocks; one chunk is the file itself, more are linked by balanced nodes of
//! at most 1,024 links, which carry sizes and no bytes. A directory is one block with its names sorted by bytes; when
//! that block would be over 262,144 bytes, it is a HAMT of fanout 256 over murmur3-x64-64 instead. There are no modes,
//! times, symbolic links or other UnixFS types.
//!
//! Reading is as strict as writing: what the profile would have packed otherwise, down to one byte of one node, is
//! refused, so the same files never have two CIDs. Bounds stand in [`limits`].

pub mod car;
mod dag;
mod entry;
pub mod fetch;
mod hamt;
mod http;
mod id;
pub mod kubo;
pub mod limits;
mod name;
pub mod node;
mod node_codec;
mod pack;
pub mod publish;
pub mod store;
mod unpack;
mod varint;

pub use cid::Cid;
pub use entry::{Entry, EntryKind, WriteError, write_entries};
pub use fetch::{FetchError, FetchLimits, Fetcher, Source, SourceError, SourceReport};
pub use http::HttpError;
pub use id::{CidError, Codec, block_cid, cid_from_digest, digest_from_cid, parse_cid, verify_block};
pub use kubo::{KuboClient, KuboError, KuboId, KuboLink, KuboVersion};
pub use limits::{Budget, PackLimits};
pub use name::{NameError, validate_name, validate_path};
pub use node::{ClientLimits, ContentNode, NodeConfig, NodeError};
pub use node_codec::DecodeError;
pub use pack::{PackError, Package, pack_entries, pack_path};
pub use publish::{PublishError, Published, Publisher};
pub use store::{BlockGet, BlockSet, BlockStore, Import, StoreError, StoreLimits};
pub use unpack::{UnpackError, unpack};

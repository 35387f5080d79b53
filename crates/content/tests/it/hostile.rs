//! Hostile directories, made by another encoder than ours. Each must be refused by name, with the right outcome.

use assay_content::{
    BlockGet, BlockSet, Budget, Cid, CidError, Codec, DecodeError, Entry, NameError, PackError, StoreError,
    UnpackError, cid_from_digest, digest_from_cid, pack_entries, parse_cid, unpack, verify_block,
};
use assay_protocol::InvalidReason;
use bytes::Bytes;
use ipld_dagpb::{PbLink, PbNode};
use multihash_codetable::{Code, Multihash, MultihashDigest};
use proptest::prelude::*;

use crate::forge::{Forge, Target, unixfs};

impl Forge {
    fn unpack(&self, root: Target) -> Result<Vec<Entry>, UnpackError> {
        self.unpack_within(root, &Budget::PROFILE)
    }

    pub fn unpack_within(&self, root: Target, budget: &Budget) -> Result<Vec<Entry>, UnpackError> {
        let blocks = BlockSet::from_blocks(self.blocks.iter().cloned()).unwrap();
        unpack(root.0, &blocks, budget)
    }

    /// Unpacks and expects a refusal that is an outcome, for its reason.
    fn refused(&self, root: Target, reason: InvalidReason) -> UnpackError {
        let error = self.unpack(root).unwrap_err();
        assert_eq!(error.invalid_reason(), Some(reason), "{error}");
        error
    }
}

fn decode_error(error: &UnpackError) -> &DecodeError {
    match error {
        UnpackError::Node { source, .. } => source,
        other => panic!("expected a decode error, got {other}"),
    }
}

#[test]
fn a_forged_honest_directory_is_accepted() {
    let mut forge = Forge::default();
    let file = forge.raw(b"content");
    let inner = forge.directory(&[("file", file)]);
    let root = forge.directory(&[("inner", inner)]);
    let entries = forge.unpack(root).unwrap();
    assert_eq!(entries, [Entry::directory("inner"), Entry::file("inner/file", "content")]);
}

#[test]
fn c02_only_the_canonical_form_of_a_cid_is_accepted() {
    let block = b"block";
    let sha = |bytes: &[u8]| Code::Sha2_256.digest(bytes);
    let canonical = Cid::new_v1(0x70, sha(block));
    assert_eq!(cid_from_digest(&digest_from_cid(&canonical).unwrap()), canonical);
    let v0 = Cid::new_v0(sha(block)).unwrap();
    assert!(matches!(parse_cid(&v0.to_string()).unwrap_err(), CidError::Version0 { .. }));
    assert!(matches!(digest_from_cid(&v0).unwrap_err(), CidError::Version0 { .. }));
    for codec in [0x71, 0x0129, 0x51, 0x00] {
        let other = Cid::new_v1(codec, sha(block));
        assert!(matches!(parse_cid(&other.to_string()).unwrap_err(), CidError::Codec { codec: c, .. } if c == codec));
    }
    let raw = Cid::new_v1(0x55, sha(block));
    assert!(matches!(digest_from_cid(&raw).unwrap_err(), CidError::NotDirectory { .. }));
    for text in ["", "bafy", "not a cid", &"b".repeat(129)] {
        assert!(matches!(parse_cid(text).unwrap_err(), CidError::Syntax { .. }), "{text}");
    }
    // The same CID in another base is the same CID.
    let base58 = canonical.to_string_of_base(cid::multibase::Base::Base58Btc).unwrap();
    assert_eq!(parse_cid(&base58).unwrap(), canonical);
}

#[test]
fn c02_a_link_with_another_spelling_is_refused() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    let v0 = Cid::new_v0(Code::Sha2_256.digest(b"x")).unwrap();
    let root = forge.directory(&[("v0", (v0, 1))]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(decode_error(&error), DecodeError::Cid(CidError::Version0 { .. })), "{error}");

    // Links out of order, data before links, a field twice: other bytes for the same directory.
    let honest = PbNode {
        links: vec![PbLink { cid: file.0, name: Some("a".to_owned()), size: Some(1) }],
        data: Some(unixfs(&[(1, 1)], None).into()),
    };
    let honest = honest.into_bytes();
    let data_length = 2 + 2;
    let (links, data) = honest.split_at(honest.len() - data_length);
    for odd in [[data, links].concat(), [links, data, data].concat(), [links, data, b"\x1a\x00"].concat()] {
        let root = forge.put(Codec::DagPb, odd);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(decode_error(&error), DecodeError::Field { .. }), "{error}");
    }
    let (a, b) = (forge.raw(b"1"), forge.raw(b"2"));
    let unsorted = {
        let link = |name: &str, cid| {
            let node = PbNode { links: vec![PbLink { cid, name: Some(name.to_owned()), size: Some(1) }], data: None };
            node.into_bytes()
        };
        [link("b", b.0), link("a", a.0), b"\x0a\x02\x08\x01".to_vec()].concat()
    };
    let root = forge.put(Codec::DagPb, unsorted);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::NotCanonical { .. }), "{error}");
}

#[test]
fn c03_identity_and_weak_hashes_are_refused() {
    let content = vec![7; 1 << 20];
    let identity = Cid::new_v1(0x55, Multihash::wrap(0x00, &content[..64]).unwrap());
    let mut forge = Forge::default();
    let sha1 = Cid::new_v1(0x55, Multihash::wrap(0x11, &[1; 20]).unwrap());
    let truncated = Cid::new_v1(0x55, Multihash::wrap(0x12, &[1; 16]).unwrap());
    let blake = Cid::new_v1(0x55, Multihash::wrap(0x1e, &[1; 32]).unwrap());
    for weak in [identity, sha1, truncated, blake] {
        assert!(matches!(verify_block(&weak, &content).unwrap_err(), CidError::Hash { .. }));
        assert!(matches!(parse_cid(&weak.to_string()), Err(CidError::Hash { .. } | CidError::Syntax { .. })));
        let root = forge.directory(&[("weak", (weak, 1))]);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(decode_error(&error), DecodeError::Cid(CidError::Hash { .. })), "{error}");
    }
    // A link whose identity digest is a mebibyte long is no CID that fits anything.
    let mut long = b"\x01\x55\x00\x80\x80\x40".to_vec();
    long.extend_from_slice(&content);
    let mut link = b"\x0a".to_vec();
    link.extend_from_slice(&[0x86, 0x80, 0x40]);
    link.extend_from_slice(&long);
    let mut block = b"\x12".to_vec();
    block.extend_from_slice(&[0x8a, 0x80, 0x40]);
    block.extend_from_slice(&link);
    let root = forge.put(Codec::DagPb, block);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(decode_error(&error), DecodeError::LinkCid { bytes } if *bytes > 1 << 20), "{error}");
}

#[test]
fn c06_a_doubling_dag_of_directories_runs_out_of_budget() {
    let mut forge = Forge::default();
    let mut level = forge.raw(b"x");
    for _ in 0..40 {
        level = forge.directory(&[("a", level), ("b", level)]);
    }
    forge.refused(level, InvalidReason::InputTooLarge);
}

#[test]
fn c06_a_doubling_dag_of_chunks_runs_out_of_budget_before_a_byte_is_copied() {
    let mut forge = Forge::default();
    let mut level = forge.raw(&[0; 1 << 20]);
    let mut bytes = 1_u64 << 20;
    for _ in 0..40 {
        let data = unixfs(&[(1, 2), (3, bytes * 2), (4, bytes), (4, bytes)], None);
        level = forge.node(&[("", level), ("", level)], &data);
        bytes *= 2;
    }
    let root = forge.directory(&[("bomb", level)]);
    let error = forge.refused(root, InvalidReason::InputTooLarge);
    assert!(matches!(error, UnpackError::TooLarge { .. }), "{error}");
}

#[test]
fn c06_lying_sizes_are_found() {
    let mut forge = Forge::default();
    let chunk = forge.raw(&[0; 1 << 20]);
    let tail = forge.raw(b"tail");
    let file = |forge: &mut Forge, total: u64, sizes: &[u64]| {
        let numbers: Vec<_> = [(1, 2), (3, total)].into_iter().chain(sizes.iter().map(|size| (4, *size))).collect();
        let node = forge.node(&[("", chunk), ("", tail)], &unixfs(&numbers, None));
        forge.directory(&[("file", node)])
    };
    let honest = file(&mut forge, (1 << 20) + 4, &[1 << 20, 4]);
    assert_eq!(forge.unpack(honest).unwrap()[0].bytes().unwrap().len(), (1 << 20) + 4);
    // The total does not fit the parts; a part does not fit its block; the parts overflow; one part is not listed.
    for (total, sizes) in [
        (5, vec![1 << 20, 4]),
        ((1 << 20) + 5, vec![1 << 20, 5]),
        (3, vec![u64::MAX, 4]),
        ((1 << 20) + 4, vec![(1 << 20) + 4]),
        (0, vec![0, 0]),
    ] {
        let root = file(&mut forge, total, &sizes);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        let lie = matches!(&error, UnpackError::LyingSize { .. })
            || matches!(&error, UnpackError::Node { source, .. } if matches!(**source, DecodeError::Sizes { .. }));
        assert!(lie, "{total} {sizes:?}: {error}");
    }
    // A wrong tree size in a link harms nobody and is still not what the profile writes.
    let root = forge.directory(&[("tail", (tail.0, 1 << 40))]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::NotCanonical { .. }), "{error}");
}

/// Blocks that count how often they are read.
pub struct Counted(pub BlockSet, pub std::cell::Cell<usize>);

impl BlockGet for Counted {
    fn get(&self, cid: &Cid) -> Result<Option<Bytes>, StoreError> {
        self.1.set(self.1.get() + 1);
        self.0.get(cid)
    }

    fn verified(&self) -> bool {
        self.0.verified()
    }
}

#[test]
fn c06_long_paths_to_many_names_are_refused_before_they_are_put_together() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    // 40,000 names in a block of two megabytes, below directories with the longest names: gigabytes of paths.
    let names: Vec<_> = (0..40_000).map(|at| format!("{at:05}")).collect();
    let links: Vec<_> = names.iter().map(|name| (name.as_str(), file)).collect();
    let mut level = forge.directory(&links);
    let long = "n".repeat(255);
    for _ in 0..60 {
        level = forge.directory(&[(&long, level)]);
    }
    let counted = Counted(BlockSet::from_blocks(forge.blocks).unwrap(), Default::default());
    let error = unpack(level.0, &counted, &Budget::PROFILE).unwrap_err();
    assert!(
        matches!(&error, UnpackError::Name { source, .. } if matches!(**source, NameError::TooLong { .. })),
        "{error}"
    );
    assert_eq!(error.invalid_reason(), Some(InvalidReason::DirectoryInvalid));
    assert_eq!(counted.1.get(), 9, "the root, and the directories whose paths have up to 2,048 bytes");
}

#[test]
fn c06_a_node_holds_no_more_than_the_profile_gives_it() {
    type Check = fn(&DecodeError) -> bool;
    let mut forge = Forge::default();
    let (whole, tail) = (forge.raw(&[7; 1 << 20]), forge.raw(b"tail"));
    let sizes = [(1, 2), (3, (1 << 20) + 4), (4, 1 << 20), (4, 4)];
    // A mebibyte in a name or a bit field, which would be read again for every link to it and charged to nothing.
    let padding = "p".repeat(1 << 20);
    let named = forge.node(&[("", whole), (&padding, tail)], &unixfs(&sizes, None));
    let short_name = forge.node(&[("", whole), ("p", tail)], &unixfs(&sizes, None));
    let many = forge.node(&vec![("", tail); 1_025], &unixfs(&[(1, 2), (3, 4)], None));
    let nothing: Vec<_> = [(1, 2), (3, 0), (4, 0), (4, 0)].into();
    let empty_parts = forge.node(&[("", tail), ("", tail)], &unixfs(&nothing, None));
    let hamt = [(1, 5), (5, 0x22), (6, 256)];
    let padded = forge.node(&[("00x", tail)], &unixfs(&hamt, Some(&[vec![0; 1 << 20], vec![1]].concat())));
    let other_bits = forge.node(&[("00x", tail)], &unixfs(&hamt, Some(&[3])));
    let hollow = forge.node(&[], &unixfs(&hamt, Some(&[])));
    let is_too_long =
        |error: &DecodeError| matches!(error, DecodeError::Name(NameError::TooLong { bytes, .. }) if *bytes == 1 << 20);
    let checks: [(Target, Check); 7] = [
        (named, is_too_long),
        (short_name, |error| matches!(error, DecodeError::FileLinkName { bytes: 1 })),
        (many, |error| matches!(error, DecodeError::FileLinks { links: 1_025 })),
        (empty_parts, |error| matches!(error, DecodeError::Sizes { links: 2 })),
        (padded, |error| matches!(error, DecodeError::HamtLinks { links: 1 })),
        (other_bits, |error| matches!(error, DecodeError::HamtLinks { links: 1 })),
        (hollow, |error| matches!(error, DecodeError::HamtLinks { links: 0 })),
    ];
    for (odd, check) in checks {
        let root = forge.directory(&[("odd", odd)]);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(check(decode_error(&error)), "{error}");
    }
}

#[test]
fn c06_a_sharded_directory_that_expands_is_charged_for_every_name() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    let data = unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&[0xff; 32]));
    let slots: Vec<_> = (0..256).map(|slot| format!("{slot:02X}")).collect();
    let leaves: Vec<_> = slots.iter().map(|slot| format!("{slot}name")).collect();
    let mut level = forge.node(&leaves.iter().map(|name| (name.as_str(), file)).collect::<Vec<_>>(), &data);
    for _ in 0..7 {
        level = forge.node(&slots.iter().map(|slot| (slot.as_str(), level)).collect::<Vec<_>>(), &data);
    }
    let counted = Counted(BlockSet::from_blocks(forge.blocks).unwrap(), Default::default());
    let error = unpack(level.0, &counted, &Budget::PROFILE).unwrap_err();
    assert!(matches!(error, UnpackError::TooManyEntries { .. }), "{error}");
    assert!(counted.1.get() < 3_000, "{} blocks were read", counted.1.get());
}

#[test]
fn c07_deep_nesting_ends_at_the_depth_limit() {
    let mut forge = Forge::default();
    let mut level = forge.directory(&[]);
    for _ in 0..100_000 {
        level = forge.directory(&[("d", level)]);
    }
    let error = forge.refused(level, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::TooDeep { .. }), "{error}");

    let mut forge = Forge::default();
    let mut level = forge.raw(b"x");
    for _ in 0..100_000 {
        level = forge.node(&[("", level)], &unixfs(&[(1, 2), (3, 1), (4, 1)], None));
    }
    let root = forge.directory(&[("file", level)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::FileTooDeep { .. }), "{error}");

    let mut forge = Forge::default();
    let mut level = forge.raw(b"x");
    for _ in 0..1_000 {
        level = forge.node(&[("00", level)], &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&[1])));
    }
    let error = forge.refused(level, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::HamtTooDeep { .. }), "{error}");
}

#[test]
fn c09_unknown_unixfs_types_are_refused_by_name() {
    let mut forge = Forge::default();
    for (kind, data) in [(0, Some(b"raw leaf".as_slice())), (3, None), (6, None), (99, None)] {
        let odd = forge.node(&[], &unixfs(&[(1, kind)], data));
        let root = forge.directory(&[("odd", odd)]);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(decode_error(&error), DecodeError::UnknownType { code } if *code == kind), "{error}");
    }
    // A file with its bytes inside the node, with mode or mtime, without a size; a directory with a size.
    for (numbers, data) in [
        (vec![(1, 2), (3, 6)], Some(b"inside".as_slice())),
        (vec![(1, 2), (3, 0), (7, 0o755)], None),
        (vec![(1, 2)], None),
        (vec![(1, 1), (3, 5)], None),
        (vec![(1, 1), (6, 256)], None),
        (vec![(3, 1), (1, 2)], None),
        (vec![], None),
    ] {
        let odd = forge.node(&[], &unixfs(&numbers, data));
        let root = forge.directory(&[("odd", odd)]);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        decode_error(&error);
    }
    let no_data = PbNode { links: vec![], data: None }.into_bytes();
    let root = forge.put(Codec::DagPb, no_data);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(decode_error(&error), DecodeError::Lacks { .. }), "{error}");
}

#[test]
fn c09_a_hamt_outside_the_profile_is_refused() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    for (hash, fanout) in [(0x22, 16), (0x22, 1 << 40), (0x12, 256), (0x23, 256)] {
        let root = forge.node(&[("00x", file)], &unixfs(&[(1, 5), (5, hash), (6, fanout)], Some(&[1])));
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(decode_error(&error), DecodeError::HamtParameters { .. }), "{error}");
    }
    // More links than slots: nested, they would fill the memory before a name or a byte is charged.
    let root = forge.node(&vec![("00", file); 257], &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&[1])));
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(decode_error(&error), DecodeError::HamtLinks { links: 257 }), "{error}");
    // With the right parameters and too few names to need it.
    let root = forge.node(&[("00x", file)], &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&[1])));
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::NotCanonical { .. }), "{error}");
    // A name without a slot, a slot that is no number, a slot that leads to a file.
    for name in ["x", "zzname", "00"] {
        let root = forge.node(&[(name, file)], &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&[1])));
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(error, UnpackError::HamtLink { .. }), "{error}");
    }
}

#[test]
fn c09_files_chunked_otherwise_are_refused() {
    let mut forge = Forge::default();
    let (half, other) = (forge.raw(&[1; 1 << 19]), forge.raw(&[2; 1 << 19]));
    let data = unixfs(&[(1, 2), (3, 1 << 20), (4, 1 << 19), (4, 1 << 19)], None);
    let file = forge.node(&[("", half), ("", other)], &data);
    let root = forge.directory(&[("file", file)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::ChunkSize { .. }), "{error}");

    let whole = forge.raw(&[3; 1 << 20]);
    let wrapped = forge.node(&[("", whole)], &unixfs(&[(1, 2), (3, 1 << 20), (4, 1 << 20)], None));
    let root = forge.directory(&[("file", wrapped)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::NotCanonical { .. }), "{error}");

    let large = forge.raw(&[4; (1 << 20) + 1]);
    let root = forge.directory(&[("file", large)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::ChunkSize { .. }), "{error}");

    let huge = forge.raw(&[5; (2 << 20) + 1]);
    let root = forge.directory(&[("file", huge)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::BlockTooLarge { .. }), "{error}");

    let part = forge.directory(&[]);
    let data = unixfs(&[(1, 2), (3, (1 << 20) + 4), (4, 1 << 20), (4, 4)], None);
    let file = forge.node(&[("", whole), ("", part)], &data);
    let root = forge.directory(&[("file", file)]);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::NotFile { .. }), "{error}");
}

#[test]
fn c10_hostile_names_are_refused_packed_and_unpacked() {
    let long = "n".repeat(256);
    for name in ["..", ".", "", "a/b", "/etc/passwd", "a\\b", "nul\0", "bell\x07", "line\nbreak", "\u{9b}31m", &long] {
        let mut forge = Forge::default();
        let file = forge.raw(b"x");
        let root = forge.directory(&[(name, file)]);
        let error = forge.refused(root, InvalidReason::DirectoryInvalid);
        assert!(matches!(error, UnpackError::Name { .. }), "{name:?}: {error}");
        let shown = error.to_string();
        assert!(!shown.contains(['\n', '\0', '\x07', '\u{9b}']), "escaped in {shown:?}");
        if !name.contains('/') || name.starts_with('/') {
            let error = pack_entries([Entry::file(name, "x")]).unwrap_err();
            assert!(matches!(error, PackError::Name(_)), "{name:?}: {error}");
        }
    }
    let deep = vec!["d"; 129].join("/");
    let error = pack_entries([Entry::file(deep, "x")]).unwrap_err();
    assert!(matches!(error, PackError::Name(NameError::TooDeep { .. })), "{error}");
    let long = vec!["n".repeat(200); 30].join("/");
    let error = pack_entries([Entry::directory(long)]).unwrap_err();
    assert!(matches!(error, PackError::Name(NameError::TooLong { .. })), "{error}");
}

#[test]
fn c10_names_that_are_not_utf8_or_there_twice_are_refused() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    let twice = forge.directory(&[("a", file), ("a", file)]);
    let error = forge.refused(twice, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::Duplicate { .. }), "{error}");
    let honest = forge.directory(&[("QQ", file)]);
    let block = forge.blocks.iter().find(|(cid, _)| *cid == honest.0).unwrap().1.clone();
    let mut bytes = block.to_vec();
    let at = bytes.windows(2).position(|window| window == b"QQ").unwrap();
    bytes[at] = 0xff;
    let root = forge.put(Codec::DagPb, bytes);
    let error = forge.refused(root, InvalidReason::DirectoryInvalid);
    assert!(matches!(decode_error(&error), DecodeError::Name(NameError::NotUtf8 { .. })), "{error}");
}

#[test]
fn names_that_differ_by_case_are_two_names() {
    let package = pack_entries([Entry::file("a", "1"), Entry::file("A", "2")]).unwrap();
    let entries = unpack(package.root, &package, &Budget::PROFILE).unwrap();
    assert_eq!(entries, [Entry::file("A", "2"), Entry::file("a", "1")]);
}

#[test]
fn c11_symbolic_links_are_refused() {
    for target in ["/etc/passwd", "..", "self"] {
        let mut forge = Forge::default();
        let link = forge.node(&[], &unixfs(&[(1, 4)], Some(target.as_bytes())));
        let sized = forge.node(&[], &unixfs(&[(1, 4), (3, 5), (7, 0o777)], Some(target.as_bytes())));
        for symlink in [link, sized] {
            let root = forge.directory(&[("self", symlink)]);
            let error = forge.refused(root, InvalidReason::DirectoryInvalid);
            assert_eq!(decode_error(&error), &DecodeError::Symlink);
        }
    }
}

#[test]
fn a_root_that_is_a_file_is_refused() {
    let mut forge = Forge::default();
    let file = forge.raw(b"x");
    let error = forge.refused(file, InvalidReason::DirectoryInvalid);
    assert!(matches!(error, UnpackError::RootNotDirectory { .. }), "{error}");
}

#[test]
fn every_budget_is_kept_to_the_unit() {
    let entries = [Entry::file("d/a", "12345"), Entry::file("b", "67890")];
    let package = pack_entries(entries).unwrap();
    let exact = Budget { file_bytes: 10, entries: 3, links: 4, depth: 2 };
    assert_eq!(unpack(package.root, &package, &exact).unwrap().len(), 3);
    let too_large = unpack(package.root, &package, &Budget { file_bytes: 9, ..exact }).unwrap_err();
    assert!(matches!(too_large, UnpackError::TooLarge { bytes_max: 9, .. }), "{too_large}");
    let too_many = unpack(package.root, &package, &Budget { entries: 2, ..exact }).unwrap_err();
    assert!(matches!(too_many, UnpackError::TooManyEntries { entries_max: 2, .. }), "{too_many}");
    let links = unpack(package.root, &package, &Budget { links: 3, ..exact }).unwrap_err();
    assert!(matches!(links, UnpackError::TooManyLinks { links_max: 3 }), "{links}");
    let deep = unpack(package.root, &package, &Budget { depth: 1, ..exact }).unwrap_err();
    assert!(matches!(deep, UnpackError::TooDeep { depth_max: 1, .. }), "{deep}");
}

/// A place that gives whatever it was told to.
struct Liar(Bytes);

impl BlockGet for Liar {
    fn get(&self, _: &Cid) -> Result<Option<Bytes>, StoreError> {
        Ok(Some(self.0.clone()))
    }
}

#[test]
fn c01_a_block_is_hashed_before_it_is_read_and_a_lie_is_no_outcome() {
    let package = pack_entries([Entry::file("a", "1")]).unwrap();
    let error = unpack(package.root, &Liar(Bytes::from_static(b"lie")), &Budget::PROFILE).unwrap_err();
    assert!(matches!(error, UnpackError::Cid(CidError::Mismatch { .. })), "{error}");
    assert_eq!(error.invalid_reason(), None);
    let missing = unpack(package.root, &BlockSet::default(), &Budget::PROFILE).unwrap_err();
    assert!(matches!(missing, UnpackError::Missing { .. }), "{missing}");
    assert_eq!(missing.invalid_reason(), None);
}

proptest! {
    /// Whatever the bytes are: a result or a named error, no panic, nothing unbounded.
    #[test]
    fn c09_arbitrary_nodes_never_panic(block in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut forge = Forge::default();
        let root = forge.put(Codec::DagPb, block);
        prop_assert!(forge.unpack(root).is_err() || root.1 == 4);
    }

    #[test]
    fn c09_flipped_bits_in_honest_blocks_never_panic(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let package = pack_entries([Entry::file("a/b", "x"), Entry::file("c", vec![1; (1 << 20) + 1])]).unwrap();
        let node = package.blocks.iter().filter(|(cid, _)| cid.codec() == 0x70).nth(at.index(3)).unwrap();
        let mut block = node.1.to_vec();
        let at = at.index(block.len());
        block[at] ^= 1 << bit;
        let mut forge = Forge { blocks: package.blocks.clone() };
        let root = forge.put(Codec::DagPb, block);
        // A flipped bit can give another honest directory (a renamed file), never a different reading of the same one.
        if let Ok(entries) = forge.unpack(root) {
            prop_assert_eq!(pack_entries(entries).unwrap().root, root.0);
        }
    }
}

//! The profile: golden CIDs, the oracle, and the way back.

use std::fs;

use assay_content::{
    BlockSet, Budget, Cid, Entry, EntryKind, NameError, PackError, PackLimits, Package, pack_entries, pack_path, unpack,
};
use proptest::prelude::*;

use crate::oracle;

/// Bytes that repeat nowhere near: chunks differ, so every CID counts.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(length);
    out
}

fn cid(text: &str) -> Cid {
    text.parse().unwrap()
}

/// Packs, compares with the oracle, unpacks, compares with the beginning.
pub fn check(entries: &[Entry]) -> Package {
    let package = pack_entries(entries.iter().cloned()).unwrap();
    assert_eq!(package.root, oracle::root(entries), "our root is the oracle's");
    let blocks = BlockSet::from_blocks(package.blocks.iter().cloned()).unwrap();
    let back = unpack(package.root, &blocks, &Budget::RESULT).unwrap();
    let files = |entries: &[Entry]| {
        let mut files: Vec<_> =
            entries.iter().filter_map(|e| e.bytes().map(|bytes| (e.path.clone(), bytes.clone()))).collect();
        files.sort();
        files
    };
    assert_eq!(files(&back), files(entries));
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Directory) {
        assert!(back.contains(entry), "{} is there", entry.path);
    }
    package
}

#[test]
fn the_empty_directory_has_its_known_cid() {
    let package = check(&[]);
    assert_eq!(package.root, cid("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"));
    assert_eq!(package.file_bytes, 0);
}

#[test]
fn hello_world_is_one_raw_block_with_its_known_cid() {
    let package = check(&[Entry::file("hello.txt", "hello world")]);
    let known = cid("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    assert!(package.blocks.iter().any(|(cid, block)| *cid == known && block == "hello world"));
    assert_eq!(package.root.to_string(), "bafybeic6svhkwl3y2wvkj33weshyjjs5cbvgijh7yo3kjasyglrdwe2l74");
}

#[test]
fn a_nested_directory_has_its_golden_cid() {
    let package = check(&[
        Entry::file("manifest.json", "{}"),
        Entry::file("input/a/b/c.txt", "deep"),
        Entry::file("input/a/empty.txt", ""),
        Entry::directory("output"),
    ]);
    assert_eq!(package.root.to_string(), "bafybeie6mb2bumralzjr4kxfzebhr4kt4wwwrtysicvtob3kqn2s7p6pci");
}

#[test]
fn a_file_of_several_chunks_has_its_golden_cid() {
    let package = check(&[Entry::file("big.bin", noise((5 << 20) + 123))]);
    assert_eq!(package.root.to_string(), "bafybeiaq22e3dqbdzaggkhhc43dvpadpmavmg5zqxku7yc6uqfgyjqkgcy");
    for length in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20] {
        check(&[Entry::file("edge.bin", noise(length))]);
    }
}

#[test]
fn thousands_of_files_become_a_hamt_with_its_golden_cid() {
    let entries: Vec<_> = (0..6_000).map(|n| Entry::file(format!("many/file-{n:05}.txt"), format!("{n}"))).collect();
    let package = check(&entries);
    assert_eq!(package.root.to_string(), "bafybeih4e5hmz5yckanquh22s25yegzulw6wrcmyidbocpo5asnlbbebdi");
    assert!(package.blocks.iter().all(|(_, block)| block.len() < 262_144));
}

#[test]
fn the_sharding_threshold_is_the_block_and_not_the_links() {
    // Around the limit, one entry more or less decides; the oracle draws the line by the length of the real block.
    let name = |n: usize| format!("{n:0100}");
    let shape = |count: usize| {
        let entries: Vec<_> = (0..count).map(|n| Entry::file(name(n), "x")).collect();
        check(&entries).blocks.len()
    };
    let flat = (1_000..2_500).rev().find(|count| {
        let entries: Vec<_> = (0..*count).map(|n| Entry::file(name(n), "x")).collect();
        pack_entries(entries).unwrap().blocks.len() == 2
    });
    let flat = flat.unwrap();
    assert_eq!(shape(flat), 2, "one file block and one directory");
    assert!(shape(flat + 1) > 2, "one more entry makes a HAMT");
}

#[test]
fn a_directory_on_disk_packs_to_the_same_cid_as_its_entries() {
    let directory = tempfile::tempdir().unwrap();
    let big = noise((2 << 20) + 5);
    let entries =
        [Entry::file("a/b.txt", "b"), Entry::file("a/big.bin", big), Entry::file("z", ""), Entry::directory("empty")];
    assay_content::write_entries(directory.path(), &entries).unwrap();
    let from_disk = pack_path(directory.path(), PackLimits::default()).unwrap();
    let from_memory = pack_entries(entries).unwrap();
    assert_eq!(from_disk.root, from_memory.root);
    assert_eq!(from_disk.file_bytes, from_memory.file_bytes);
    assert_eq!(from_disk.blocks.last(), from_memory.blocks.last(), "the root comes last");
}

#[cfg(unix)]
#[test]
fn links_and_special_files_on_disk_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).unwrap();
    let refused = pack_path(directory.path(), PackLimits::default()).unwrap_err();
    assert!(matches!(&refused, PackError::Symlink { path } if path.ends_with("link")), "{refused}");
    fs::remove_file(directory.path().join("link")).unwrap();

    let _listener = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
    let refused = pack_path(directory.path(), PackLimits::default()).unwrap_err();
    assert!(matches!(&refused, PackError::SpecialFile { path } if path.ends_with("socket")), "{refused}");
}

#[cfg(unix)]
#[test]
fn hostile_names_on_disk_are_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    for name in [b"new\nline".as_slice(), b"not-utf8-\xff", b"back\\slash", b"\x1b[31m"] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(OsStr::from_bytes(name)), "x").unwrap();
        let refused = pack_path(directory.path(), PackLimits::default()).unwrap_err();
        assert!(matches!(refused, PackError::Name(_)), "{name:?}: {refused}");
    }
}

#[test]
fn what_is_over_the_limits_on_disk_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir_all(path.join("a/b")).unwrap();
    fs::write(path.join("a/b/one"), "12345").unwrap();
    fs::write(path.join("two"), "67890").unwrap();
    let limits = PackLimits { file_bytes: 10, entries: 4, depth: 3 };
    assert_eq!(pack_path(path, limits).unwrap().file_bytes, 10);
    let refused = pack_path(path, PackLimits { file_bytes: 9, ..limits }).unwrap_err();
    assert!(matches!(refused, PackError::TooLarge { bytes_max: 9, .. }), "{refused}");
    let refused = pack_path(path, PackLimits { entries: 3, ..limits }).unwrap_err();
    assert!(matches!(refused, PackError::TooManyEntries { entries_max: 3, .. }), "{refused}");
    let refused = pack_path(path, PackLimits { depth: 2, ..limits }).unwrap_err();
    assert!(matches!(refused, PackError::TooDeep { depth_max: 2, .. }), "{refused}");
    let refused = pack_path(&path.join("two"), limits).unwrap_err();
    assert!(matches!(refused, PackError::NotDirectory { .. }), "{refused}");
    let refused = pack_path(&path.join("absent"), limits).unwrap_err();
    assert!(matches!(refused, PackError::Io { .. }), "{refused}");
}

#[test]
fn contradicting_entries_are_refused() {
    let twice = pack_entries([Entry::file("a", "1"), Entry::file("a", "2")]).unwrap_err();
    assert!(matches!(twice, PackError::Duplicate { .. }), "{twice}");
    let below_file = pack_entries([Entry::file("a", "1"), Entry::file("a/b", "2")]).unwrap_err();
    assert!(matches!(below_file, PackError::FileAndDirectory { .. }), "{below_file}");
    let file_over = pack_entries([Entry::file("a/b", "1"), Entry::file("a", "2")]).unwrap_err();
    assert!(matches!(file_over, PackError::FileAndDirectory { .. }), "{file_over}");
    let dots = pack_entries([Entry::file("a/../b", "1")]).unwrap_err();
    assert!(matches!(dots, PackError::Name(NameError::Dots { .. })), "{dots}");
    pack_entries([Entry::directory("a"), Entry::directory("a"), Entry::file("a/b", "1")]).unwrap();
}

#[test]
fn written_entries_never_overwrite() {
    let directory = tempfile::tempdir().unwrap();
    let entries = [Entry::directory("d"), Entry::file("d/f", "1")];
    assay_content::write_entries(directory.path(), &entries).unwrap();
    let refused = assay_content::write_entries(directory.path(), &entries).unwrap_err();
    assert!(matches!(refused, assay_content::WriteError::Exists { .. }), "{refused}");
    let refused = assay_content::write_entries(directory.path(), &[Entry::file("../f", "1")]).unwrap_err();
    assert!(matches!(refused, assay_content::WriteError::Name(_)), "{refused}");
}

fn arbitrary_entries() -> impl Strategy<Value = Vec<Entry>> {
    let name = prop_oneof!["[a-c]", "[a-zA-Z0-9 ._-]{1,12}x", "[äλ漢🙂]{1,4}"];
    let path = proptest::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let kind = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..64).prop_map(|bytes| EntryKind::File(bytes.into())),
        1 => Just(EntryKind::Directory),
    ];
    proptest::collection::vec((path, kind).prop_map(|(path, kind)| Entry { path, kind }), 0..24)
}

proptest! {
    #[test]
    fn what_packs_unpacks_to_the_same_and_agrees_with_the_oracle(entries in arbitrary_entries()) {
        // Entries that contradict each other are refused; the others must survive.
        if pack_entries(entries.iter().cloned()).is_ok() {
            check(&entries);
        }
    }

    #[test]
    fn the_order_of_entries_does_not_matter(entries in arbitrary_entries(), rotation in 0_usize..24) {
        let mut rotated = entries.clone();
        rotated.rotate_left(rotation.min(entries.len()));
        if let (Ok(a), Ok(b)) = (pack_entries(entries), pack_entries(rotated)) {
            prop_assert_eq!(a.root, b.root);
        }
    }
}

#[test]
fn the_most_that_a_guest_may_make_fits_a_result() {
    // One directory per level and the deepest name a guest has, below `output`, beside stdout and stderr.
    let deepest = ["output"].into_iter().chain(std::iter::repeat_n("d", 64)).collect::<Vec<_>>().join("/");
    let mut entries = vec![Entry::file("stdout.txt", ""), Entry::file("stderr.txt", ""), Entry::file(deepest, "x")];
    entries.extend((0..65_536 - 65).map(|n| Entry::directory(format!("output/{n:05}"))));
    let package = pack_entries(entries).unwrap();
    let blocks = BlockSet::from_blocks(package.blocks.iter().cloned()).unwrap();
    assert!(unpack(package.root, &blocks, &Budget::RESULT).unwrap().len() > 65_536);
    assert!(unpack(package.root, &blocks, &Budget::PROFILE).unwrap_err().invalid_reason().is_some());
}

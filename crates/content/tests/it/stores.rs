//! The store on disk: whole or not at all, hashed on every read, within its quota.

use std::{fs, path::PathBuf};

use assay_content::{
    BlockGet, BlockStore, Budget, Cid, CidError, Codec, Entry, Package, StoreError, StoreLimits, block_cid,
    pack_entries, unpack,
};
use bytes::Bytes;

use crate::packing::noise;

pub struct Scratch {
    pub directory: tempfile::TempDir,
    pub store: BlockStore,
}

pub fn scratch(quota_bytes: u64) -> Scratch {
    let directory = tempfile::tempdir().unwrap();
    let store = BlockStore::open(directory.path(), StoreLimits { quota_bytes }).unwrap();
    Scratch { directory, store }
}

fn package(seed: u8, bytes: usize) -> Package {
    let mut content = noise(bytes);
    content[0] = seed;
    pack_entries([Entry::file("data.bin", content), Entry::file("seed", vec![seed])]).unwrap()
}

fn raw(bytes: &'static [u8]) -> (Cid, Bytes) {
    (block_cid(Codec::Raw, bytes), Bytes::from_static(bytes))
}

fn segments(scratch: &Scratch) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for file in fs::read_dir(scratch.directory.path().join("segments")).unwrap() {
        files.push(file.unwrap().path());
    }
    files.sort();
    files
}

#[test]
fn a_package_survives_reopening() {
    let scratch = scratch(1 << 30);
    let package = package(1, 3 << 20);
    scratch.store.put_package(&package).unwrap();
    let again = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
    assert_eq!(again.pins().unwrap(), [package.root]);
    assert!(again.is_pinned(&package.root));
    assert_eq!(again.usage_bytes().unwrap(), scratch.store.usage_bytes().unwrap());
    assert!(again.usage_bytes().unwrap() > package.block_bytes());
    let entries = unpack(package.root, &again, &Budget::PROFILE).unwrap();
    assert_eq!(entries.len(), 2);
    assert!(fs::read_dir(scratch.directory.path().join("temporary")).unwrap().next().is_none());
}

#[test]
fn c18_a_flipped_byte_on_disk_is_found_and_the_block_put_again() {
    let scratch = scratch(1 << 30);
    let package = package(2, 1_000);
    scratch.store.put_package(&package).unwrap();
    let [path] = segments(&scratch).try_into().unwrap();
    let honest = fs::read(&path).unwrap();
    let table_at = usize::try_from(package.block_bytes()).unwrap();
    let flipped: Vec<u8> =
        honest.iter().enumerate().map(|(at, byte)| if at < table_at { byte ^ 1 } else { *byte }).collect();
    fs::write(&path, flipped).unwrap();
    for (cid, _) in &package.blocks {
        assert_eq!(scratch.store.get(cid).unwrap(), None, "never returned");
    }
    scratch.store.put_package(&package).unwrap();
    unpack(package.root, &scratch.store, &Budget::PROFILE).unwrap();
    // The rotten copy is still on disk and an older one; whoever opens the store next must not fall for it.
    let again = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
    unpack(package.root, &again, &Budget::PROFILE).unwrap();
    assert!(again.collect_garbage().unwrap() > 0, "it goes with the next collection");
    assert_eq!(segments(&scratch).len(), 1);
    unpack(package.root, &again, &Budget::PROFILE).unwrap();
}

#[test]
fn c18_torn_and_foreign_files_are_not_segments() {
    let scratch = scratch(1 << 30);
    let package = package(3, 1_000);
    scratch.store.put_package(&package).unwrap();
    let [path] = segments(&scratch).try_into().unwrap();
    let whole = fs::read(&path).unwrap();
    let mut lying = whole.clone();
    let count_at = whole.len() - 12;
    lying[count_at..count_at + 4].copy_from_slice(&[0xff; 4]);
    let mut outside = whole.clone();
    let offset_at = usize::try_from(package.block_bytes()).unwrap() + 32;
    outside[offset_at..offset_at + 8].copy_from_slice(&[0xff; 8]);
    for torn in [&whole[..whole.len() - 1], &whole[..20], b"", &lying, &outside] {
        fs::write(&path, torn).unwrap();
        let again = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
        assert_eq!(again.get(&package.root).unwrap(), None);
        let refused = again.pin(&package.root).unwrap_err();
        assert!(matches!(refused, StoreError::Incomplete { .. }), "{refused}");
    }
    let again = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
    again.put_package(&package).unwrap();
    unpack(package.root, &again, &Budget::PROFILE).unwrap();
}

#[test]
fn what_one_process_writes_another_finds() {
    let scratch = scratch(1 << 30);
    let other = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
    let (first, second) = (package(10, 1_000), package(11, 1_000));
    scratch.store.put_package(&first).unwrap();
    unpack(first.root, &other, &Budget::PROFILE).unwrap();
    other.put_package(&second).unwrap();
    assert!(scratch.store.contains(&second.root).unwrap());
    scratch.store.unpin(&first.root).unwrap();
    scratch.store.collect_garbage().unwrap();
    unpack(second.root, &scratch.store, &Budget::PROFILE).unwrap();
    unpack(second.root, &other, &Budget::PROFILE).unwrap();
    assert!(!scratch.store.contains(&first.root).unwrap());
    assert_eq!(other.get(&first.root).unwrap(), None, "its segment is gone");
}

#[test]
fn a_segment_partly_in_use_is_written_again_without_the_rest() {
    let scratch = scratch(1 << 30);
    let (kept, gone) = (package(12, 50_000), package(13, 50_000));
    let mut import = scratch.store.import();
    import.put(&[kept.blocks.clone(), gone.blocks.clone()].concat()).unwrap();
    import.pin(&kept.root).unwrap();
    drop(import);
    let before = scratch.store.usage_bytes().unwrap();
    let freed = scratch.store.collect_garbage().unwrap();
    assert!(freed > 50_000);
    assert_eq!(scratch.store.usage_bytes().unwrap(), before - freed);
    unpack(kept.root, &scratch.store, &Budget::PROFILE).unwrap();
    unpack(gone.root, &scratch.store, &Budget::PROFILE).unwrap_err();
    let again = BlockStore::open(scratch.directory.path(), StoreLimits::default()).unwrap();
    unpack(kept.root, &again, &Budget::PROFILE).unwrap();
}

#[test]
fn a_block_under_a_wrong_cid_is_refused() {
    let scratch = scratch(1 << 30);
    let (cid, _) = raw(b"one");
    let refused = scratch.store.import().put(&[(cid, Bytes::from_static(b"other"))]).unwrap_err();
    assert!(matches!(refused, StoreError::Cid(CidError::Mismatch { .. })), "{refused}");
    assert!(!refused.is_retryable());
    assert_eq!(scratch.store.get(&cid).unwrap(), None);
}

#[test]
fn a_scratch_store_keeps_what_another_opening_finds() {
    let directory = tempfile::tempdir().unwrap();
    let open = || BlockStore::open_scratch(directory.path(), StoreLimits::default()).unwrap();
    let package = package(4, 1_000);
    open().put_package(&package).unwrap();
    let store = open();
    assert_eq!(store.pins().unwrap(), [package.root]);
    assert!(package.blocks.iter().all(|(cid, block)| store.get(cid).unwrap().as_ref() == Some(block)));
    assert!(store.unpin(&package.root).unwrap() && store.collect_garbage().unwrap() > 0);
    assert_eq!(store.usage_bytes().unwrap(), 0);
}

#[test]
fn an_incomplete_root_is_not_pinned() {
    let scratch = scratch(1 << 30);
    let mut package = package(4, 1_000);
    package.blocks.remove(0);
    let refused = scratch.store.put_package(&package).unwrap_err();
    assert!(matches!(refused, StoreError::Incomplete { .. }), "{refused}");
    assert!(refused.is_retryable());
    assert_eq!(scratch.store.pins().unwrap(), []);
}

#[test]
fn unpinned_blocks_make_room_and_pinned_ones_stay() {
    let size = package(0, 100_000).block_bytes();
    let scratch = scratch(2 * size + size / 2);
    let (kept, old, new) = (package(5, 100_000), package(6, 100_000), package(7, 100_000));
    scratch.store.put_package(&kept).unwrap();
    scratch.store.put_package(&old).unwrap();
    let full = scratch.store.put_package(&new).unwrap_err();
    assert!(matches!(full, StoreError::QuotaExceeded { .. }), "{full}");

    assert!(scratch.store.unpin(&old.root).unwrap());
    assert!(!scratch.store.unpin(&old.root).unwrap());
    scratch.store.put_package(&new).unwrap();
    unpack(kept.root, &scratch.store, &Budget::PROFILE).unwrap();
    unpack(new.root, &scratch.store, &Budget::PROFILE).unwrap();
    unpack(old.root, &scratch.store, &Budget::PROFILE).unwrap_err();
    assert!(scratch.store.usage_bytes().unwrap() <= 2 * size + size / 2);
}

#[test]
fn garbage_collection_spares_running_imports() {
    let scratch = scratch(1 << 30);
    let (pinned, importing, loose) = (package(8, 1_000), package(9, 1_000), raw(b"loose"));
    scratch.store.put_package(&pinned).unwrap();
    scratch.store.import().put(std::slice::from_ref(&loose)).unwrap();
    let mut import = scratch.store.import();
    import.put(&importing.blocks).unwrap();
    assert!(scratch.store.collect_garbage().unwrap() > 5);
    assert_eq!(scratch.store.get(&loose.0).unwrap(), None);
    import.pin(&importing.root).unwrap();
    drop(import);
    assert_eq!(scratch.store.collect_garbage().unwrap(), 0);
    unpack(importing.root, &scratch.store, &Budget::PROFILE).unwrap();
    scratch.store.unpin(&importing.root).unwrap();
    scratch.store.unpin(&pinned.root).unwrap();
    scratch.store.collect_garbage().unwrap();
    assert_eq!(scratch.store.usage_bytes().unwrap(), 0);
    assert_eq!(segments(&scratch), Vec::<PathBuf>::new());
}

#[test]
fn many_threads_put_pin_and_collect_at_once() {
    let scratch = scratch(1 << 30);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let store = &scratch.store;
            scope.spawn(move || {
                for round in 0..5 {
                    let package = package(seed * 8 + round, 20_000);
                    store.put_package(&package).unwrap();
                    store.collect_garbage().unwrap();
                    unpack(package.root, store, &Budget::PROFILE).unwrap();
                    store.unpin(&package.root).unwrap();
                }
            });
        }
    });
    scratch.store.collect_garbage().unwrap();
    assert_eq!(scratch.store.usage_bytes().unwrap(), 0);
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = BlockStore::open(&file, StoreLimits::default()).unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert!(refused.is_retryable());
}

//! What has reached the disk when.

use super::*;
use crate::{Entry, pack_entries};

#[test]
fn a_pin_syncs_the_segments_below_its_root_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = BlockStore::open(directory.path(), StoreLimits::default()).expect("opened");
    let package = |own: &[u8], other: &[u8]| {
        let entries = [Entry::file("own", own.to_vec()), Entry::file("other", other.to_vec())];
        pack_entries(entries).expect("packed")
    };
    let [shares, apart, pinned] =
        [(b"one", b"shared"), (b"two", b"theirs"), (b"six", b"shared")].map(|(own, other)| package(own, other));
    let mut import = store.import();
    for package in [&shares, &apart] {
        import.put(&package.blocks).expect("put");
    }
    store.put_package(&pinned).expect("pinned");
    let is_unsynced = |root: &Cid| store.shared.index().unsynced(&accept(root).expect("accepted").1).is_some();
    assert_eq!([&shares, &apart, &pinned].map(|package| is_unsynced(&package.root)), [false, true, false]);
    store.pin(&apart.root).expect("pinned");
    assert!(!is_unsynced(&apart.root));
}

#[test]
fn a_collection_leaves_no_pinned_block_where_a_crash_takes_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || BlockStore::open(directory.path(), StoreLimits::default()).expect("opened");
    let (store, other) = (open(), open());
    let package = pack_entries([Entry::file("file", b"bytes".to_vec())]).expect("packed");
    // Another process, which saw nothing of the first copy, writes a second one and never pins it.
    assert!(!other.contains(&package.root).expect("looked"));
    store.put_package(&package).expect("pinned");
    other.import().put(&package.blocks).expect("put");
    assert!(store.collect_garbage().expect("collected") > 0);
    assert_eq!(fs::read_dir(directory.path().join("segments")).expect("listed").count(), 1);
    let digest = accept(&package.root).expect("accepted").1;
    assert!(store.shared.index().contains(&digest) && store.shared.index().unsynced(&digest).is_none());
}

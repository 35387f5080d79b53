//! rust-unixfs, an independent importer, made to follow the same profile. It never shares code with what it checks.

use assay_content::{Entry, EntryKind};
use cid::{Cid, Version};
use rust_unixfs::{
    dir::builder::{BufferingTreeBuilder, TreeOptions},
    file::adder::{BalancedCollector, Chunker, FileAdder},
};
use std::collections::{BTreeMap, HashSet};

type Links = Vec<(String, Cid, u64)>;

/// The root that rust-unixfs computes for the same files.
pub fn root(entries: &[Entry]) -> Cid {
    let mut directories: BTreeMap<String, Links> = BTreeMap::from([(String::new(), Links::new())]);
    for Entry { path, kind } in entries {
        let parents = path.match_indices('/').map(|(at, _)| &path[..at]);
        for directory in parents.chain((*kind == EntryKind::Directory).then_some(path.as_str())) {
            directories.entry(directory.to_owned()).or_default();
        }
        if let EntryKind::File(bytes) = kind {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (cid, size) = file(bytes);
            directories.entry(parent.to_owned()).or_default().push((name.to_owned(), cid, size));
        }
    }
    while let Some((path, mut links)) = directories.pop_last() {
        links.sort();
        let (mut block, mut root, mut size) = render(&links, None);
        if block > 262_144 {
            (block, root, size) = render(&links, Some(0));
            assert!(block > 0);
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if path.is_empty() {
            return root;
        }
        directories.get_mut(parent).unwrap().push((name.to_owned(), root, size));
    }
    unreachable!("the root directory ends the loop")
}

fn file(bytes: &[u8]) -> (Cid, u64) {
    let mut adder = FileAdder::builder()
        .with_cid_version(Version::V1)
        .with_chunker(Chunker::Size(1 << 20))
        .with_collector(BalancedCollector::with_branching_factor(1024))
        .build();
    let (mut size, mut last, mut rest) = (0, None, bytes);
    while !rest.is_empty() {
        let (blocks, used) = adder.push(rest);
        for (cid, block) in blocks {
            size += block.len() as u64;
            last = Some(cid);
        }
        rest = &rest[used..];
    }
    for (cid, block) in adder.finish() {
        size += block.len() as u64;
        last = Some(cid);
    }
    (last.unwrap(), size)
}

/// Length of the first block, root and tree size.
fn render(links: &Links, threshold: Option<u64>) -> (usize, Cid, u64) {
    let mut options = TreeOptions::default();
    options.wrap_with_directory();
    options.shard_threshold(threshold);
    options.block_size_limit(None);
    let mut builder = BufferingTreeBuilder::new(options);
    for (name, cid, size) in links {
        builder.put_link(name, *cid, *size).unwrap();
    }
    let (mut blocks, mut linked) = (Vec::new(), HashSet::new());
    for node in builder.build() {
        let node = node.unwrap();
        let decoded = ipld_dagpb::PbNode::from_bytes(bytes::Bytes::copy_from_slice(&node.block)).unwrap();
        linked.extend(decoded.links.into_iter().map(|link| link.cid));
        blocks.push((node.cid, node.block.len()));
    }
    let root = blocks.iter().find(|(cid, _)| !linked.contains(cid)).unwrap().0;
    let size = blocks.iter().map(|(_, length)| *length as u64).sum::<u64>();
    (blocks[0].1, root, size + links.iter().map(|(_, _, size)| size).sum::<u64>())
}

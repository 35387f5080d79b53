//! What is where: built from the segments' tables when first needed, so that opening a store reads nothing.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    time::{Duration, Instant},
};

use assay_protocol::Hash32;

use super::{
    StoreError, io_at,
    segment::{self, Entry, Segment},
};

/// How long nobody looks again for what other processes may have written: whoever misses block after block would do little else.
const LOOK_LASTS: Duration = Duration::from_millis(100);

/// Segments by name. Names grow, so a later copy of a block wins over an earlier, perhaps rotten one.
#[derive(Debug, Default)]
pub(super) struct Index {
    segments: BTreeMap<String, Segment>,
    blocks: HashMap<Hash32, (String, Entry)>,
    looked: Option<Instant>,
}

impl Index {
    /// Takes in segments that appeared since the last look and forgets those that are gone.
    pub(super) fn refresh(&mut self, directory: &Path) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut present = Vec::new();
        for file in fs::read_dir(directory).map_err(io_at(directory))? {
            let name = file.map_err(io_at(directory))?.file_name();
            present.extend(name.into_string().ok().filter(|name| name.ends_with(".blocks")));
        }
        present.sort_unstable();
        self.forget_all(|name| present.binary_search(name).is_err());
        for name in present {
            if self.segments.contains_key(&name) {
                continue;
            }
            match segment::read(&directory.join(&name))? {
                Some(segment) => self.insert(name, segment),
                None => tracing::warn!(%name, "torn_segment_skipped"),
            }
        }
        self.looked = Some(began);
        Ok(())
    }

    pub(super) const fn is_loaded(&self) -> bool {
        self.looked.is_some()
    }

    /// Whether it was looked at a moment ago what is there.
    pub(super) fn is_fresh(&self) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < LOOK_LASTS)
    }

    pub(super) fn insert(&mut self, name: String, segment: Segment) {
        for entry in &segment.entries {
            let newer_known = self.blocks.get(&entry.digest).is_some_and(|(known, _)| *known > name);
            if !newer_known {
                self.blocks.insert(entry.digest, (name.clone(), *entry));
            }
        }
        self.segments.insert(name, segment);
    }

    pub(super) fn contains(&self, digest: &Hash32) -> bool {
        self.blocks.contains_key(digest)
    }

    /// The segment and place of a block.
    pub(super) fn find(&self, digest: &Hash32) -> Option<(&Segment, Entry)> {
        let (name, entry) = self.blocks.get(digest)?;
        Some((self.segments.get(name)?, *entry))
    }

    /// The segment of a block, if it is not known to have reached the disk: another process may have written it.
    pub(super) fn unsynced(&self, digest: &Hash32) -> Option<&str> {
        let (name, _) = self.blocks.get(digest)?;
        self.segments.get(name).filter(|segment| !segment.is_synced).map(|_| name.as_str())
    }

    /// Segments and their names reached the disk.
    pub(super) fn synced(&mut self, names: &BTreeSet<String>) {
        for name in names {
            if let Some(segment) = self.segments.get_mut(name) {
                segment.is_synced = true;
            }
        }
    }

    /// Forgets a rotten copy of a block, if it is still the one that counts; its bytes go with the next collection.
    pub(super) fn evict(&mut self, segment: &Path, rotten: &Entry) {
        if self.find(&rotten.digest).is_some_and(|(at, entry)| (at.path.as_path(), &entry) == (segment, rotten)) {
            self.blocks.remove(&rotten.digest);
        }
    }

    /// Names, oldest first.
    pub(super) fn names(&self) -> Vec<String> {
        self.segments.keys().cloned().collect()
    }

    /// A segment with those of its blocks that no other segment provides and `wanted` keeps.
    pub(super) fn live(&self, name: &str, wanted: impl Fn(&Hash32) -> bool) -> Option<(&Segment, Vec<Entry>)> {
        let segment = self.segments.get(name)?;
        let here =
            |entry: &&Entry| self.blocks.get(&entry.digest).is_some_and(|(at, known)| at == name && known == *entry);
        Some((segment, segment.entries.iter().filter(here).filter(|entry| wanted(&entry.digest)).copied().collect()))
    }

    pub(super) fn forget(&mut self, forgotten: &str) {
        self.forget_all(|name| name == forgotten);
    }

    fn forget_all(&mut self, forgotten: impl Fn(&String) -> bool) {
        let before = self.segments.len();
        self.segments.retain(|name, _| !forgotten(name));
        if self.segments.len() < before {
            self.blocks.retain(|_, (name, _)| !forgotten(name));
        }
    }

    /// Bytes of all segments.
    pub(super) fn file_bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.file_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evicting_a_rotten_copy_leaves_one_that_was_put_since() {
        let digest = [1; 32];
        let segment = |path: &str, offset| {
            let entries = vec![Entry { digest, offset, bytes: 8 }];
            Segment { path: path.into(), file_bytes: 64, entries, is_synced: true }
        };
        let (old, new) = (segment("old", 0), segment("new", 16));
        let mut index = Index::default();
        index.insert("1".to_owned(), old.clone());
        index.insert("2".to_owned(), new.clone());
        index.evict(&old.path, &old.entries[0]);
        assert!(index.contains(&digest));
        index.evict(&new.path, &new.entries[0]);
        assert!(!index.contains(&digest));
    }
}

//! Directories put together at random, mostly well-formed and mostly wrong somewhere, by another encoder than ours.

use std::cell::Cell;

use assay_content::{BlockSet, Budget, Codec, UnpackError, pack_entries, unpack};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

use crate::hostile::{Counted, Forge, Target, unixfs};

/// Small, so that many plans reach a bound.
const BUDGET: Budget = Budget { file_bytes: 3 << 20, entries: 24, links: 60, depth: 5 };

/// A block of a hostile directory. What it links to is picked among the blocks made before it, so it may be shared.
#[derive(Clone, Debug)]
enum Part {
    Raw(Vec<u8>),
    /// Parts, each with its real size or with a lie added to it.
    File(Vec<(Index, u64)>),
    /// Names as they stand in the block.
    Directory(Vec<(String, Index)>),
    /// A slot, the rest of the name, and whether the bit field tells.
    Hamt(Vec<(u8, String, Index)>, bool),
    Junk(Vec<u8>),
    /// A block that is not there.
    Lost(u8),
}

fn names() -> impl Strategy<Value = String> {
    let hostile =
        prop_oneof![Just("..".to_owned()), Just(String::new()), Just("a/b".to_owned()), Just("n".repeat(300))];
    prop_oneof![
        30 => "[a-f]{1,3}",
        1 => Just("n".repeat(255)),
        1 => hostile,
    ]
}

fn parts() -> impl Strategy<Value = Part> {
    let lie = prop_oneof![9 => Just(0_u64), 1 => any::<u64>()];
    let sorted = |links: Vec<(String, Index)>| {
        let links: std::collections::BTreeMap<_, _> = links.into_iter().collect();
        Part::Directory(links.into_iter().collect())
    };
    prop_oneof![
        6 => vec(any::<u8>(), 0..4).prop_map(Part::Raw),
        9 => vec((names(), any::<Index>()), 0..6).prop_map(sorted),
        1 => vec((names(), any::<Index>()), 0..6).prop_map(Part::Directory),
        2 => vec((any::<Index>(), lie), 0..4).prop_map(Part::File),
        2 => (vec((any::<u8>(), prop_oneof![Just(String::new()), names()], any::<Index>()), 0..6), any::<bool>())
            .prop_map(|(links, tells)| Part::Hamt(links, tells)),
        1 => vec(any::<u8>(), 0..30).prop_map(Part::Junk),
        1 => any::<u8>().prop_map(Part::Lost),
    ]
}

/// Makes the blocks; the last one is the root. The first is a whole chunk, so that a file of several can be right.
fn forge(plan: &[Part]) -> (Forge, Target) {
    let mut forge = Forge::default();
    let mut made: Vec<(Target, u64)> = vec![(forge.raw(&[7; 1 << 20]), 1 << 20)];
    for part in plan {
        let pick = |index: &Index| made[index.index(made.len())];
        let next = match part {
            Part::Raw(bytes) => (forge.raw(bytes), bytes.len() as u64),
            Part::File(links) => {
                let below: Vec<_> = links.iter().map(|(index, _)| ("", pick(index).0)).collect();
                let sizes: Vec<_> = links.iter().map(|(index, lie)| pick(index).1.wrapping_add(*lie)).collect();
                let total = sizes.iter().fold(0_u64, |total, size| total.wrapping_add(*size));
                let numbers: Vec<_> = [(1, 2), (3, total)].into_iter().chain(sizes.iter().map(|s| (4, *s))).collect();
                (forge.node(&below, &unixfs(&numbers, None)), total)
            }
            Part::Directory(links) => {
                let links: Vec<_> = links.iter().map(|(name, index)| (name.as_str(), pick(index).0)).collect();
                (forge.directory(&links), 0)
            }
            Part::Hamt(links, tells) => {
                let named: Vec<_> = links.iter().map(|(slot, name, _)| format!("{slot:02X}{name}")).collect();
                let linked: Vec<_> = named.iter().zip(links).map(|(n, (_, _, at))| (n.as_str(), pick(at).0)).collect();
                let mut bits = [0_u8; 32];
                links.iter().filter(|_| *tells).for_each(|(s, _, _)| bits[31 - usize::from(s / 8)] |= 1 << (s % 8));
                (forge.node(&linked, &unixfs(&[(1, 5), (5, 0x22), (6, 256)], Some(&bits))), 0)
            }
            Part::Junk(bytes) => (forge.put(Codec::DagPb, bytes.clone()), 0),
            Part::Lost(byte) => {
                let lost = forge.raw(&[*byte; 5]);
                forge.blocks.pop();
                (lost, 5)
            }
        };
        made.push(next);
    }
    let root = made.last().unwrap().0;
    (forge, root)
}

#[test]
fn c06_c09_random_directories_cost_no_more_than_their_budget_and_have_one_reading() {
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1_000));
    let ended = runner.run(&vec(parts(), 1..24), |plan| {
        let (forge, root) = forge(&plan);
        let blocks = BlockSet::from_blocks(forge.blocks).unwrap();
        let counted = Counted(blocks, Cell::new(0));
        let result = unpack(root.0, &counted, &BUDGET);
        prop_assert!(counted.1.get() <= BUDGET.links, "{} reads", counted.1.get());
        match result {
            Ok(entries) => {
                accepted.set(accepted.get() + 1);
                prop_assert!(entries.len() <= BUDGET.entries);
                let bytes: usize = entries.iter().filter_map(|entry| entry.bytes()).map(|bytes| bytes.len()).sum();
                prop_assert!(bytes as u64 <= BUDGET.file_bytes);
                prop_assert_eq!(pack_entries(entries).unwrap().root, root.0, "the same files have one CID");
            }
            Err(error) => {
                refused.set(refused.get() + 1);
                let is_missing = matches!(error, UnpackError::Missing { .. });
                prop_assert_eq!(error.invalid_reason().is_none(), is_missing, "{}", error);
                prop_assert!(error.to_string().len() < 2_000, "{}", error);
            }
        }
        Ok(())
    });
    ended.unwrap();
    assert!(accepted.get() > 50 && refused.get() > 50, "{} accepted, {} refused", accepted.get(), refused.get());
}

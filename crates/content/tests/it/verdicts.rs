//! One verdict per directory (I-08): the store, a CAR and single blocks lead to the same reason, or to none at all. Every
//! directory here has two faults, so that a reader in another order would name the other one.

use std::collections::{HashMap, HashSet};

use assay_content::{
    BlockSet, Budget, Cid, Codec, FetchError, FetchLimits, Fetcher, Package, Source, UnpackError, unpack,
};
use assay_protocol::InvalidReason;
use bytes::Bytes;
use ipld_dagpb::PbNode;

use crate::{
    doubles::{Double, Reply, Then, car_of},
    fetching::limits,
    forge::{Forge, Target, unixfs},
    packing::noise,
    stores::scratch,
};

/// Small, so that many directories over it are cheap.
const BUDGET: Budget = Budget { file_bytes: 1 << 20, entries: 3_000, links: 9_000, depth: 8 };

/// What stands under one name of a hostile directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A file that declares more than the budget.
    FileOverBudget,
    /// Files that are over the budget, and over the caps of a fetch, only together.
    FilesOverBudget,
    /// Directories that expand beyond the budget when read as a tree.
    Doubling,
    Deep,
    /// A dag-pb block that is no UnixFS.
    Junk,
    Symlink,
    ForeignChunk,
    BadName,
    /// A block over what sources may send.
    HugeBlock,
    /// A block that nobody has.
    Lost,
}

impl Fault {
    const ALL: [Self; 10] = [
        Self::FileOverBudget,
        Self::FilesOverBudget,
        Self::Doubling,
        Self::Deep,
        Self::Junk,
        Self::Symlink,
        Self::ForeignChunk,
        Self::BadName,
        Self::HugeBlock,
        Self::Lost,
    ];

    fn forge(self, forge: &mut Forge) -> Target {
        match self {
            Self::FileOverBudget => {
                let (first, second) = (forge.raw(&[1; 1 << 20]), forge.raw(b"more"));
                let data = unixfs(&[(1, 2), (3, (1 << 20) + 4), (4, 1 << 20), (4, 4)], None);
                forge.node(&[("", first), ("", second)], &data)
            }
            Self::FilesOverBudget => {
                let content = noise(12 << 19);
                let files: Vec<_> = content.chunks(1 << 19).map(|chunk| forge.raw(chunk)).collect();
                let names: Vec<_> = (0..files.len()).map(|at| format!("{at:02}")).collect();
                let links: Vec<_> = names.iter().map(String::as_str).zip(files).collect();
                forge.directory(&links)
            }
            // Alternating, so that no path is too deep before the entries are too many.
            Self::Doubling => (0..4).fold(forge.raw(b"x"), |level, _| {
                let names: Vec<_> = (0..16).map(|at| format!("{at:02}")).collect();
                let links: Vec<_> = names.iter().map(|name| (name.as_str(), level)).collect();
                forge.directory(&links)
            }),
            Self::Deep => (0..12).fold(forge.raw(b"deep"), |level, _| forge.directory(&[("d", level)])),
            Self::Junk => forge.put(Codec::DagPb, &b"\x0a\x03no!"[..]),
            Self::Symlink => forge.node(&[], &unixfs(&[(1, 4)], Some(b"/etc/passwd"))),
            Self::ForeignChunk => {
                let half = forge.raw(&[2; 9]);
                forge.node(&[("", half), ("", half)], &unixfs(&[(1, 2), (3, 18), (4, 9), (4, 9)], None))
            }
            Self::BadName => {
                let file = forge.raw(b"x");
                forge.directory(&[("..", file)])
            }
            Self::HugeBlock => forge.raw(&vec![3; (2 << 20) + 1]),
            Self::Lost => {
                let lost = forge.raw(b"nobody has this");
                forge.blocks.retain(|(cid, _)| *cid != lost.0);
                lost
            }
        }
    }

    /// Whether a source can show it at all: what is too large to be sent, or not there, is no verdict.
    fn is_shown_by_sources(self) -> bool {
        !matches!(self, Self::HugeBlock | Self::Lost)
    }
}

/// A directory with one fault after the other, as a package that claims to be good.
fn directory(first: Fault, second: Fault) -> Package {
    let mut forge = Forge::default();
    let links = [("a", first.forge(&mut forge)), ("b", second.forge(&mut forge))];
    let root = forge.directory(&links).0;
    Package { root, blocks: forge.blocks, file_bytes: 0 }
}

/// The blocks as an honest exporter sends them: parents first, in the order of links, each once.
fn in_export_order(package: &Package) -> Package {
    let all: HashMap<Cid, &Bytes> = package.blocks.iter().map(|(cid, block)| (*cid, block)).collect();
    let (mut pending, mut seen, mut blocks) = (vec![package.root], HashSet::new(), Vec::new());
    while let Some(cid) = pending.pop() {
        let (true, Some(block)) = (seen.insert(cid), all.get(&cid)) else { continue };
        blocks.push((cid, (*block).clone()));
        if let (0x70, Ok(node)) = (cid.codec(), PbNode::from_bytes((*block).clone())) {
            pending.extend(node.links.iter().rev().map(|link| link.cid));
        }
    }
    Package { blocks, ..package.clone() }
}

async fn serves_car(package: &Package) -> Double {
    let car = car_of(package);
    let double = Double::start(move |line| match line.contains("format=car") {
        true => Reply::car(car.clone(), Then::Close),
        false => Reply::status("404 Not Found"),
    });
    double.await
}

async fn serves_blocks(package: &Package) -> Double {
    let blocks: HashMap<String, Bytes> =
        package.blocks.iter().map(|(cid, block)| (cid.to_string(), block.clone())).collect();
    let double = Double::start(move |line| {
        let cid = line.split(['/', '?', '=', ' ', '&']).find(|part| part.starts_with("baf")).unwrap_or_default();
        match (line.contains("format=car") || line.contains("dag/export"), blocks.get(cid)) {
            (true, _) => Reply::status("406 Not Acceptable"),
            (false, Some(block)) => Reply::raw(block.clone()),
            (false, None) => Reply::status("404 Not Found"),
        }
    });
    double.await
}

async fn fetched(package: &Package, sources: Vec<Source>, stored: bool, budget: Budget) -> FetchError {
    let scratch = scratch(1 << 30);
    let mut import = scratch.store.import();
    if stored {
        import.put(&package.blocks).unwrap();
    }
    let limits = FetchLimits { budget, ..limits() };
    let fetcher = Fetcher::new(scratch.store.clone(), sources, limits).unwrap();
    fetcher.fetch(&package.root).await.unwrap_err()
}

/// Fetches in every way and compares with what `unpack` says over all blocks.
async fn compare(package: &Package, budget: Budget, shown: bool) -> Option<InvalidReason> {
    let blocks = BlockSet::from_blocks(package.blocks.iter().cloned()).unwrap();
    let verdict = unpack(package.root, &blocks, &budget).unwrap_err();
    let reason = verdict.invalid_reason();
    assert_eq!(reason.is_none(), matches!(verdict, UnpackError::Missing { .. }), "{verdict}");
    let stored = fetched(package, vec![], true, budget).await;
    // The disk keeps no block that is larger than any may be: then it is missing there as well.
    let said = stored.invalid_reason();
    assert!(said == reason || (said.is_none() && !shown), "stored: {stored}; {verdict}");

    let exported = in_export_order(package);
    let (car, odd_car, single) = (serves_car(&exported).await, serves_car(package).await, serves_blocks(package).await);
    for (way, source, in_order) in [
        ("CAR", Source::Gateway(car.url()), true),
        ("CAR in another order", Source::Gateway(odd_car.url()), false),
        ("blocks", Source::Gateway(single.url()), true),
        ("blocks of a Kubo", Source::Kubo(single.url()), true),
    ] {
        let error = fetched(package, vec![source], false, budget).await;
        let said = error.invalid_reason();
        if said.is_none() {
            assert!(error.is_retryable(), "{way}: a fault of this fetch may pass: {error}");
        }
        // Never another reason; and a reason that can be known is not lost to a cap.
        assert!(said.is_none() || said == reason, "{way}: {error}; from the store: {verdict}");
        assert!(said.is_some() || !(shown && in_order), "{way}: {error}; from the store: {verdict}");
    }
    reason
}

#[tokio::test]
async fn c06_c09_two_faults_have_one_verdict_wherever_the_blocks_are() {
    let mut reasons = HashSet::new();
    for first in Fault::ALL {
        for second in Fault::ALL.into_iter().filter(|second| *second != first) {
            let reason = compare(&directory(first, second), BUDGET, first.is_shown_by_sources()).await;
            assert_eq!(reason.is_none(), first == Fault::Lost, "{first:?} {second:?}");
            reasons.insert(reason.map(InvalidReason::code));
        }
    }
    assert_eq!(reasons.len(), 3, "both reasons, and none");
}

#[tokio::test]
async fn c06_c09_an_oversized_file_before_a_junk_block_is_too_large_from_everywhere() {
    let mut forge = Forge::default();
    let chunk = forge.raw(&[0; 1 << 20]);
    let numbers: Vec<_> = [(1, 2), (3, 65 << 20)].into_iter().chain(std::iter::repeat_n((4, 1 << 20), 65)).collect();
    let large = forge.node(&vec![("", chunk); 65], &unixfs(&numbers, None));
    let junk = Fault::Junk.forge(&mut forge);
    for (links, reason) in [
        ([("a", large), ("b", junk)], InvalidReason::InputTooLarge),
        ([("a", junk), ("b", large)], InvalidReason::DirectoryInvalid),
    ] {
        let root = forge.directory(&links).0;
        let package = Package { root, blocks: forge.blocks.clone(), file_bytes: 0 };
        assert_eq!(compare(&package, Budget::PROFILE, true).await, Some(reason));
    }
}

#[tokio::test]
async fn c06_c09_a_verdict_outlives_what_the_source_does_afterwards() {
    let package = in_export_order(&directory(Fault::Symlink, Fault::FilesOverBudget));
    let mut lie = car_of(&package);
    let last = lie.len() - 1;
    lie[last] ^= 1;
    let cut = lie[..last].to_vec();
    for body in [lie, cut] {
        let double = Double::start(move |line| match line.contains("format=car") {
            true => Reply::car(body.clone(), Then::Close),
            false => Reply::status("503 Service Unavailable"),
        });
        let error = fetched(&package, vec![Source::Gateway(double.await.url())], false, BUDGET).await;
        assert_eq!(error.invalid_reason(), Some(InvalidReason::DirectoryInvalid), "{error}");
    }
}

#[tokio::test]
async fn c06_c09_one_lost_block_before_a_fault_leaves_it_open_until_a_source_has_it() {
    let package = directory(Fault::ForeignChunk, Fault::FileOverBudget);
    let mut short = package.clone();
    let lost = short.blocks.remove(0).0;
    let (most, all) = (serves_blocks(&short).await, serves_blocks(&package).await);
    let error = fetched(&short, vec![Source::Gateway(most.url())], true, BUDGET).await;
    assert_eq!(error.invalid_reason(), None, "{error}");
    assert!(error.is_retryable() && error.to_string().contains(&lost.to_string()), "{error}");
    let sources = vec![Source::Gateway(most.url()), Source::Kubo(all.url())];
    let error = fetched(&short, sources, true, BUDGET).await;
    assert_eq!(error.invalid_reason(), Some(InvalidReason::DirectoryInvalid), "{error}");
}

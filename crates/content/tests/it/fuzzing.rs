//! Directories put together at random, mostly well-formed and mostly wrong somewhere.

use std::cell::Cell;

use assay_content::{BlockSet, Budget, UnpackError, pack_entries, unpack};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use crate::{
    forge::{forge, plan},
    hostile::Counted,
};

/// Small, so that many plans reach a bound.
const BUDGET: Budget = Budget { file_bytes: 3 << 20, entries: 24, links: 60, depth: 5 };

#[test]
fn c06_c09_random_directories_cost_no_more_than_their_budget_and_have_one_reading() {
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(1_000));
    let ended = runner.run(&vec(any::<u8>(), 1..600), |bytes| {
        let (forge, root) = forge(&plan(&bytes));
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

//! Journals of the executor, as files.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use assay_executor::{
    core::{JobRow, JobUid, TxKind, TxRecord, TxState},
    journal::{JOURNAL_FILE, Journal},
};
use assay_sdk::Pubkey;

/// Most bytes of a message in one of the rows that fill a journal.
const FILLER_BYTES: usize = 64 << 10;

/// What the journal in this directory holds now; `None` while it is being written.
pub fn rows(data_dir: &Path) -> Option<Vec<JobRow>> {
    Some(Journal::open(data_dir).ok()?.rows().cloned().collect())
}

/// Puts a journal there with a history of jobs that were forgotten, about this long and no longer.
pub fn fill_journal(data_dir: &Path, journal_bytes: usize) {
    static FILLED: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut filled = FILLED.lock().unwrap_or_else(PoisonError::into_inner);
    let journal = filled.entry(journal_bytes).or_insert_with(|| filled_journal(journal_bytes));
    std::fs::create_dir_all(data_dir).expect("a directory");
    std::fs::write(data_dir.join(JOURNAL_FILE), journal).expect("written");
}

fn filled_journal(journal_bytes: usize) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut journal = Journal::open(directory.path()).expect("a new journal");
    for number in 0..=u8::MAX {
        let bytes = std::fs::read(directory.path().join(JOURNAL_FILE)).expect("a journal");
        // Hexadecimal, with the rest of the row and of its end.
        let message_bytes = (journal_bytes.saturating_sub(bytes.len()) / 2).saturating_sub(1 << 9).min(FILLER_BYTES);
        if message_bytes == 0 {
            return bytes;
        }
        let mut row = JobRow::new(JobUid([number; 32]), Pubkey::default(), 0);
        row.txs = vec![TxRecord {
            kind: TxKind::Claim,
            message: vec![number; message_bytes],
            signature: None,
            last_valid_block_height: 0,
            fee_step: 0,
            state: TxState::Dead,
        }];
        journal.put(&row, 0).expect("written");
        journal.forget(row.uid, 0).expect("written");
    }
    panic!("a journal of 256 rows is not full");
}

use std::sync::{Arc, Mutex};

use assay_protocol::limits::REDUNDANCY_MAX;
use solana_pubkey::Pubkey;

use super::*;
use crate::core::{BallotRow, ChallengeRow, FEE_BUMPS_LIMIT, Phase};

/// Slot that was seen, where it does not matter.
const SLOT: u64 = 7;

fn row(byte: u8) -> JobRow {
    JobRow::new(JobUid([byte; 32]), Pubkey::new_from_array([byte; 32]), 1)
}

fn live(kind: TxKind, message: u8, signature: Option<u8>) -> TxRecord {
    TxRecord {
        kind,
        message: vec![message; 10],
        signature: signature.map(|byte| [byte; 64]),
        last_valid_block_height: 7,
        fee_step: 0,
        state: TxState::Live,
    }
}

#[test]
fn i_07_an_outcome_and_its_salt_are_written_once_and_rows_from_before_salts_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut hidden = row(1);
    (hidden.outcome, hidden.salt) = (Some([9; 79]), Some([1; 32]));
    journal.put(&hidden, SLOT).expect("written");
    for (outcome, salt) in [(Some([9; 79]), Some([2; 32])), (Some([9; 79]), None), (Some([8; 79]), Some([1; 32]))] {
        let other = JobRow { outcome, salt, run_attempts: 1, ..hidden.clone() };
        assert!(matches!(journal.put(&other, SLOT), Err(JournalError::OutcomeDiffers(_))));
    }
    let json = serde_json::to_string(&row(2)).expect("JSON").replace(r#""salt":null,"#, "");
    assert_eq!(serde_json::from_str::<JobRow>(&json).expect("a row of an earlier version"), row(2));
}

#[test]
fn i_07_a_ballot_is_of_the_outcome_or_says_that_nothing_was_to_be_had_and_is_written_once_like_a_challenge() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let ballot = |byte: u8| Some(BallotRow { ballot: [byte; 79], salt: [1; 32], tickets: vec![3, 5], weight: 2 });
    let refused = |journal: &mut Journal, row: &JobRow| {
        assert!(matches!(journal.put(row, SLOT), Err(JournalError::OutcomeDiffers(_))));
    };
    let mut juror = row(1);
    juror.ballots[0] = ballot(9);
    refused(&mut journal, &juror);
    // Nothing to be had in the first round, an outcome in the second.
    juror.ballots[0] = ballot(0);
    journal.put(&juror, SLOT).expect("written");
    juror.outcome = Some([9; 79]);
    juror.ballots[1] = ballot(9);
    juror.challenge = Some(ChallengeRow { salt: [2; 32] });
    journal.put(&juror, SLOT).expect("written");
    for round in [0, 1] {
        let mut other = juror.clone();
        other.ballots[round] = other.ballots[round].take().map(|ballot| BallotRow { salt: [7; 32], ..ballot });
        refused(&mut journal, &other);
        other.ballots[round] = None;
        refused(&mut journal, &other);
    }
    refused(&mut journal, &JobRow { ballots: [ballot(0), ballot(8), None, None], ..juror.clone() });
    refused(&mut journal, &JobRow { challenge: Some(ChallengeRow { salt: [3; 32] }), ..juror.clone() });
    refused(&mut journal, &JobRow { challenge: None, ..juror.clone() });
    drop(journal);
    let journal = Journal::open(dir.path()).expect("reopened");
    assert_eq!(journal.row(juror.uid), Some(&juror));
}

#[test]
fn p_01_a_receipt_of_a_hidden_outcome_is_permitted_only_once_it_may_be_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut hidden = row(1);
    (hidden.outcome, hidden.salt) = (Some([9; 79]), Some([1; 32]));
    let mut permits = Vec::new();
    for phase in [Phase::Ran, Phase::Committing, Phase::Committed, Phase::Publishing, Phase::Revealing] {
        hidden.phase = phase;
        journal.put(&hidden, SLOT).expect("written");
        permits.push(journal.receipt_permit(hidden.uid).expect("on disk").is_some());
    }
    assert_eq!(permits, [false, false, false, true, true]);
}

/// A disk that fails from the n-th call on, counting appends and syncs alike.
struct FailingFile {
    calls_left: usize,
    written: Arc<Mutex<Vec<u8>>>,
}

impl FailingFile {
    fn call(&mut self) -> io::Result<()> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        Ok(())
    }
}

impl LogFile for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = self.call();
        // A disk that is full takes what still fits.
        let taken = if result.is_ok() { bytes.len() } else { bytes.len() / 2 };
        self.written.lock().expect("not poisoned").extend_from_slice(&bytes[..taken]);
        result
    }

    fn sync(&mut self) -> io::Result<()> {
        self.call()
    }

    fn truncate(&mut self, len_bytes: u64) -> io::Result<()> {
        let len = usize::try_from(len_bytes).expect("short");
        self.written.lock().expect("not poisoned").truncate(len);
        Ok(())
    }
}

#[test]
fn rows_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut first = row(1);
    first.outcome = Some([9; 79]);
    first.txs.push(live(TxKind::Accept, 3, Some(4)));
    let mut journal = Journal::open(dir.path()).expect("new");
    journal.put(&first, SLOT).expect("written");
    journal.put(&row(2), SLOT).expect("written");
    journal.forget(JobUid([2; 32]), SLOT).expect("written");
    drop(journal);
    let journal = Journal::open(dir.path()).expect("reopened");
    assert_eq!(journal.rows().cloned().collect::<Vec<_>>(), vec![first]);
}

#[test]
fn i_07_a_second_outcome_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut row = row(1);
    row.outcome = Some([1; 79]);
    journal.put(&row, SLOT).expect("written");
    for other in [Some([2; 79]), None] {
        let changed = JobRow { outcome: other, ..row.clone() };
        assert!(matches!(journal.put(&changed, SLOT), Err(JournalError::OutcomeDiffers(_))));
    }
    assert_eq!(journal.row(row.uid), Some(&row));
}

#[test]
fn e_04_a_signature_that_may_land_is_not_replaced() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut row = row(1);
    row.txs = vec![live(TxKind::Submit, 1, Some(1))];
    journal.put(&row, SLOT).expect("written");
    let mut next = row.clone();
    next.txs = vec![live(TxKind::Submit, 2, None)];
    assert!(matches!(journal.put(&next, SLOT), Err(JournalError::LiveTransaction { .. })));
    row.txs[0].state = TxState::Dead;
    journal.put(&row, SLOT).expect("its death is recorded");
    journal.put(&next, SLOT).expect("and then it may be replaced");
}

#[test]
fn e_04_e_14_only_what_has_a_deadline_is_outbid_and_only_so_often() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    for (byte, kind) in (1..).zip(TxKind::ALL) {
        let mut row = row(byte);
        row.txs = vec![live(kind, 0, Some(0))];
        journal.put(&row, SLOT).expect("written");
        let mut beside = 0;
        let refusal = loop {
            row.txs.push(live(kind, beside + 1, None));
            match journal.put(&row, SLOT) {
                Ok(()) => beside += 1,
                Err(error) => break error,
            }
            row.txs.last_mut().expect("pushed").signature = Some([beside; 64]);
            journal.put(&row, SLOT).expect("signed");
        };
        assert!(matches!(refusal, JournalError::LiveTransaction { .. }), "{refusal}");
        // What has a deadline, and what anybody may do, of which ours may be refused because of theirs.
        let has_deadline = matches!(
            kind,
            TxKind::Commit
                | TxKind::Reveal
                | TxKind::Submit
                | TxKind::Vote(_)
                | TxKind::RevealVote(_)
                | TxKind::RevealOutcome
        );
        let is_anybodys = matches!(kind, TxKind::Advance | TxKind::Settle);
        let allowed = match kind {
            _ if has_deadline || is_anybodys => FEE_BUMPS_LIMIT,
            // One for each attempt: the seat that somebody else was quicker to take is free again.
            TxKind::Accept => REDUNDANCY_MAX - 1,
            _ => 0,
        };
        assert_eq!(beside, allowed, "{kind:?}");
    }
}

#[test]
fn a_permit_exists_only_for_a_recorded_unsigned_message() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut row = row(1);
    let refused = |journal: &mut Journal| {
        matches!(journal.permit(JobUid([1; 32]), TxKind::Accept), Err(JournalError::NothingToSign { .. }))
    };
    assert!(refused(&mut journal));
    row.txs = vec![live(TxKind::Accept, 1, None)];
    journal.put(&row, SLOT).expect("written");
    assert_eq!(journal.permit(row.uid, TxKind::Accept).expect("permitted").message(), [1; 10]);
    row.txs[0].signature = Some([5; 64]);
    journal.put(&row, SLOT).expect("written");
    assert!(refused(&mut journal));
}

#[test]
fn e_16_nothing_is_permitted_after_a_failed_write_or_fsync() {
    for calls_left in 0..4 {
        let written = Arc::new(Mutex::new(Vec::new()));
        let file = FailingFile { calls_left, written: written.clone() };
        let mut journal = Journal::from_parts(Box::new(file), &[], Path::new("journal.log")).expect("empty");
        let mut row = row(1);
        row.txs = vec![live(TxKind::Accept, 1, None)];
        let first = journal.put(&row, SLOT).and_then(|()| journal.commit());
        row.phase = Phase::Accepting;
        let second = journal.put(&row, SLOT).and_then(|()| journal.commit());
        assert_eq!(first.is_ok(), calls_left >= 2);
        assert!(matches!(second, Err(JournalError::Write { .. } | JournalError::Poisoned)));
        assert!(matches!(journal.permit(row.uid, TxKind::Accept), Err(JournalError::Poisoned)));
        assert!(matches!(journal.receipt_permit(row.uid), Err(JournalError::Poisoned)));
        log::read(&written.lock().expect("not poisoned")).expect("what is left is whole");
    }
}

/// Counts its syncs.
struct CountingFile(Arc<Mutex<u32>>);

impl LogFile for CountingFile {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        *self.0.lock().expect("not poisoned") += 1;
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn rows_written_together_share_one_fsync_and_no_permit_is_given_before_it() {
    let syncs = Arc::new(Mutex::new(0));
    let count = || *syncs.lock().expect("not poisoned");
    let file = Box::new(CountingFile(syncs.clone()));
    let mut journal = Journal::from_parts(file, &[], Path::new("journal.log")).expect("empty");
    let mut signed = row(1);
    signed.txs = vec![live(TxKind::Accept, 1, None)];
    signed.outcome = Some([9; 79]);
    for row in [row(2), row(3), signed.clone()] {
        journal.put(&row, SLOT).expect("written");
    }
    journal.forget(JobUid([2; 32]), SLOT).expect("written");
    assert_eq!(count(), 0);
    journal.permit(signed.uid, TxKind::Accept).expect("permitted");
    assert_eq!(count(), 1);
    journal.commit().expect("on disk already");
    journal.receipt_permit(signed.uid).expect("on disk").expect("an outcome");
    assert_eq!(count(), 1);
    signed.run_attempts = 1;
    journal.put(&signed, SLOT).expect("written");
    journal.receipt_permit(signed.uid).expect("on disk").expect("an outcome");
    assert_eq!(count(), 2);
}

#[test]
fn e_17_every_truncation_and_every_flipped_byte_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    journal.put(&row(1), SLOT).expect("written");
    let one_record = fs::read(dir.path().join(JOURNAL_FILE)).expect("read").len();
    journal.put(&row(2), SLOT).expect("written");
    let bytes = fs::read(dir.path().join(JOURNAL_FILE)).expect("read");
    for length in (1..bytes.len()).filter(|length| *length != one_record) {
        let read = log::read(&bytes[..length]);
        assert!(matches!(read, Err(RecordError::Torn { .. })), "{length} bytes gave {read:?}");
    }
    for position in 0..bytes.len() {
        let mut flipped = bytes.clone();
        // The lengths, too: damage is never taken for a write that was cut off, which repair calls harmless.
        for bit in 0..8 {
            flipped[position] = bytes[position] ^ (1 << bit);
            let read = log::read(&flipped);
            assert!(matches!(read, Err(RecordError::Checksum { .. })), "byte {position}, bit {bit} gave {read:?}");
        }
    }
}

#[test]
fn e_17_a_damaged_journal_is_left_as_it_is_until_it_is_repaired() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(JOURNAL_FILE);
    let mut journal = Journal::open(dir.path()).expect("new");
    journal.put(&row(1), SLOT).expect("written");
    journal.put(&row(2), SLOT).expect("written");
    drop(journal);
    let whole = fs::read(&path).expect("read");
    let torn = &whole[..whole.len() - 3];
    fs::write(&path, torn).expect("written");
    let Err(error) = Journal::open(dir.path()) else { panic!("a torn journal was opened") };
    assert!(error.to_string().contains("journal repair"), "{error}");
    assert_eq!(fs::read(&path).expect("read"), torn);
    let repair = repair(dir.path()).expect("repaired").expect("something was wrong");
    assert_eq!((repair.records_kept, repair.is_harmless), (1, true));
    assert_eq!(fs::read(&repair.saved_as).expect("saved"), torn);
    assert_eq!(Journal::open(dir.path()).expect("opens").rows().count(), 1);
}

#[test]
fn a_long_journal_is_rewritten_and_still_holds_everything() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let mut row = row(1);
    row.txs.push(TxRecord { message: vec![7; 60_000], ..live(TxKind::Accept, 1, None) });
    let mut longest = 0;
    for attempt in 0..100 {
        row.run_attempts = attempt;
        journal.put(&row, SLOT).expect("written");
        longest = longest.max(journal.log.len_bytes());
    }
    assert!(longest < REWRITE_BYTES + 200_000 && journal.log.len_bytes() < longest, "{longest}");
    drop(journal);
    assert_eq!(Journal::open(dir.path()).expect("reopened").row(row.uid), Some(&row));
}

#[test]
fn a_journal_of_many_live_rows_does_not_grow_without_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = Journal::open(dir.path()).expect("new");
    let big = |byte: u8, attempt: u8| {
        let mut row = row(byte);
        row.run_attempts = attempt;
        row.txs.push(TxRecord { message: vec![7; 60_000], ..live(TxKind::Accept, 1, None) });
        row
    };
    // More than 2 MiB are alive all the time.
    for attempt in 0..6 {
        for byte in 0..30 {
            journal.put(&big(byte, attempt), SLOT).expect("written");
            assert!(journal.log.len_bytes() <= (2 * journal.live_bytes).max(REWRITE_BYTES) + 200_000);
        }
    }
    assert!(journal.live_bytes > REWRITE_BYTES / 2, "{}", journal.live_bytes);
    for byte in 1..30 {
        journal.forget(JobUid([byte; 32]), SLOT).expect("written");
    }
    assert!(journal.log.len_bytes() < REWRITE_BYTES, "{}", journal.log.len_bytes());
    let (rows, live_bytes) = (journal.rows.clone(), journal.live_bytes);
    drop(journal);
    let journal = Journal::open(dir.path()).expect("reopened");
    assert_eq!((journal.live_bytes, &journal.rows), (live_bytes, &rows));
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), vec![JobUid([0; 32])]);
}

#[test]
fn e_08_the_highest_slot_is_on_disk_with_every_record_and_outlives_the_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let reopened = || Journal::open(dir.path()).expect("opened");
    let mut journal = reopened();
    assert_eq!(journal.seen_slot(), 0);
    let mut row = row(1);
    journal.put(&row, 5).expect("written");
    assert_eq!(reopened().seen_slot(), 5);
    // No write for the slot alone.
    let before = journal.log.len_bytes();
    journal.put(&row, 6).expect("nothing to write");
    assert_eq!((journal.log.len_bytes(), reopened().seen_slot()), (before, 5));
    row.run_attempts = 1;
    journal.put(&row, 6).expect("written");
    journal.rewrite().expect("written anew");
    assert_eq!(reopened().seen_slot(), 6);
    journal.forget(row.uid, 50).expect("written");
    journal.rewrite().expect("written anew");
    assert_eq!((reopened().seen_slot(), reopened().rows().count()), (50, 0));
}

#[test]
fn a_record_is_this_json_and_another_version_is_named() {
    let record = Record { slot: 7, change: Change::Forget("ab".into()) };
    assert_eq!(serde_json::to_string(&record).expect("JSON"), r#"{"slot":7,"change":{"forget":"ab"}}"#);
    let put = Record { slot: 7, change: Change::Put(Box::new(row(0))) };
    let zeros = "0".repeat(64);
    let json = format!(
        r#"{{"slot":7,"change":{{"put":{{"uid":"{zeros}","job":"{}","created_slot":1,"phase":"seen","prepare_attempts":0,"content_failures":0,"run_attempts":0,"publish_attempts":0,"tx_failures":0,"outcome":null,"salt":null,"is_seat_known":false,"txs":[]}}}}}}"#,
        Pubkey::default()
    );
    assert_eq!(serde_json::to_string(&put).expect("JSON"), json);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(JOURNAL_FILE);
    let file = log::open_append(&path).expect("a file");
    let mut log = Log::new(Box::new(file), path, log::Checksum::default(), 0);
    log.append(br#"{"forget":"00"}"#).expect("written");
    let Err(error) = Journal::open(dir.path()) else { panic!("another version's journal was opened") };
    assert!(matches!(error, JournalError::Version { .. }) && error.to_string().contains("empty provider.data_dir"));
}

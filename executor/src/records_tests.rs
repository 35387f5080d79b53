use assay_protocol::{InvalidReason, Outcome, OutcomeKind, TaskLimits};
use assay_sdk::receipt::ReceiptSignature;
use metrics_exporter_prometheus::PrometheusBuilder;
use solana_keypair::Keypair;

use super::*;
use crate::{
    config::{Size, Span},
    core::{JobRow, tests},
    journal::Journal,
    signer::{SignError, Signer},
};

fn view() -> JobView {
    tests::view(1)
}

fn records(data_dir: &Path, bounds: RecordsConfig) -> Records {
    let records = Records::new(data_dir, [7; 32], bounds);
    records.open().expect("opened");
    records
}

fn receipt(records: &Records, view: &JobView, gas_used: u64) -> Receipt {
    let task = TaskSpec {
        profile: view.profile,
        job_cid_digest: view.job_cid_digest,
        metered_hash: view.metered_hash,
        limits: TaskLimits::default(),
        seed: view.seed,
        clock_unix_ns: view.clock_unix_ns,
    };
    let outcome = Outcome {
        kind: OutcomeKind::Exited,
        gas_used,
        result_cid_digest: [9; 32],
        ..Outcome::invalid(InvalidReason::ModuleInvalid)
    };
    let outcome = Outcome { detail: 0, ..outcome };
    let run = RunFacts {
        module_hash: [3; 32],
        metered_hash: view.metered_hash,
        args: vec!["--fast".to_owned()],
        env: [].into(),
        stack_peak_bytes: 72,
        memory_peak_bytes: 65_536,
        stdout_hash: [4; 32],
        stderr_hash: [5; 32],
    };
    Receipt::unsigned((Some(records.posting(view)), task), (outcome, Some(run)), None).expect("a receipt")
}

fn uid_of(receipt: &Receipt) -> JobUid {
    JobUid(receipt.canonical().job_uid().expect("a job"))
}

#[test]
fn i_07_a_receipt_is_signed_for_the_outcome_on_disk_alone_and_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = records(dir.path(), RecordsConfig::default());
    let mut journal = Journal::open(dir.path()).expect("opened");
    let signer = Signer::new(Keypair::new(), solana_pubkey::Pubkey::default());
    let (honest, other) = (receipt(&records, &view(), 1_000), receipt(&records, &view(), 1_001));
    let uid = uid_of(&honest);
    assert_eq!(uid, uid_of(&other));

    let mut row = JobRow::new(uid, view().job, view().created_slot);
    journal.put(&row, 1).expect("written");
    assert!(journal.receipt_permit(uid).expect("on disk").is_none(), "no outcome is on disk");
    row.outcome = Some(honest.outcome.encode());
    journal.put(&row, 1).expect("written");
    let permit = journal.receipt_permit(uid).expect("on disk").expect("an outcome");
    assert!(matches!(signer.sign_receipt(&permit, other.clone()), Err(SignError::ForeignReceipt(_))));
    let elsewhere = receipt(&records, &JobView { created_slot: 99, ..view() }, 1_000);
    assert!(matches!(signer.sign_receipt(&permit, elsewhere), Err(SignError::ForeignReceipt(_))));

    records.draft(uid, &honest).expect("written");
    let draft = records.drafted(uid).expect("read").expect("a draft");
    let signed = signer.sign_receipt(&permit, draft).expect("signed");
    assert_eq!(signed.check_signature(), ReceiptSignature::Valid);
    records.keep(uid, &signed).expect("kept");
    // A second run, of whatever outcome, changes nothing any more.
    records.draft(uid, &other).expect("written");
    assert_eq!(records.drafted(uid).expect("read"), None);
    let kept = read_receipt(dir.path(), uid).expect("read").expect("kept");
    assert_eq!(Receipt::from_json(&kept), Ok(signed));
    assert_eq!(receipts(dir.path(), 9).expect("listed").iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [uid]);
    assert!(receipts(&dir.path().join("nothing"), 9).expect("listed").is_empty());
}

#[test]
fn every_run_leaves_a_line_whatever_came_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = records(dir.path(), RecordsConfig::default());
    let view = view();
    records.begin(&view).ended(Ok(&receipt(&records, &view, 1_000)));
    let fault = WorkFault { kind: WorkFaultKind::Host, message: format!("\u{1b}[31m{}", "x".repeat(1_000)) };
    records.begin(&view).ended(Err(&fault));
    drop(records.begin(&view));
    let text = fs::read_to_string(dir.path().join(EXECUTIONS_FILE)).expect("lines");
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [ran, failed, stopped] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(
        (&ran["outcome"], &ran["gas_used"], &ran["memory_peak_bytes"]),
        (&json!("Exited"), &json!(1_000), &json!(65_536))
    );
    assert!(ran["duration_ms"].is_u64() && ran["error"].is_null() && ran["module_hash"].is_string(), "{ran}");
    assert_eq!(ran["job_uid"], view.uid.to_string());
    let error = failed["error"].as_str().expect("an error");
    assert!(failed["outcome"].is_null() && error.starts_with("\\u{1b}") && error.len() < 300, "{error}");
    assert_eq!(stopped["error"], "stopped before it ended");
}

const DAY: Duration = Duration::from_secs(86_400);

/// A file of the job with this number, of so many bytes, that was written so many days ago.
fn aged(dir: &Path, number: u8, kind: &str, bytes: usize, days: u32) {
    let path = dir.join(RECEIPTS_DIRECTORY).join(format!("{}.{kind}", JobUid([number; 32])));
    fs::write(&path, vec![b' '; bytes]).expect("written");
    set_age(&path, DAY * days);
}

fn set_age(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(SystemTime::now() - age)).expect("set");
}

fn kept(dir: &Path) -> Vec<String> {
    let mut kept: Vec<String> = files(&dir.join(RECEIPTS_DIRECTORY))
        .expect("listed")
        .iter()
        .filter_map(|file| {
            let name = file.path.file_name()?.to_str()?;
            Some(format!("{}{}", &name[..2], &name[64..]))
        })
        .collect();
    kept.sort();
    kept
}

#[test]
fn the_oldest_receipts_go_when_they_are_too_old_too_many_or_too_large() {
    let cases = [
        (
            RecordsConfig::default(),
            vec!["01.draft.partial", "01.json", "01.unpublished", "02.draft", "02.json", "03.json"],
        ),
        (RecordsConfig { receipts_max: 2, ..RecordsConfig::default() }, vec!["02.draft", "02.json", "03.json"]),
        (RecordsConfig { receipts_max: 1, ..RecordsConfig::default() }, vec!["03.json"]),
        (
            RecordsConfig { receipts_quota: Size(300), ..RecordsConfig::default() },
            vec!["02.draft", "02.json", "03.json"],
        ),
        (RecordsConfig { receipts_quota: Size(299), ..RecordsConfig::default() }, vec!["03.json"]),
        (RecordsConfig { age_max: Span(DAY * 7), ..RecordsConfig::default() }, vec!["03.json"]),
        (RecordsConfig { age_max: Span(DAY), ..RecordsConfig::default() }, vec![]),
    ];
    for (bounds, expected) in cases {
        let dir = tempfile::tempdir().expect("a directory");
        let records = records(dir.path(), bounds);
        // Whole or not at all, by the youngest file of each.
        aged(dir.path(), 1, SIGNED, 100, 30);
        aged(dir.path(), 1, UNPUBLISHED, 0, 31);
        // What a crash left.
        aged(dir.path(), 1, "draft.partial", 0, 32);
        aged(dir.path(), 2, SIGNED, 100, 20);
        aged(dir.path(), 2, DRAFT, 100, 40);
        aged(dir.path(), 3, SIGNED, 100, 5);
        records.prune().expect("pruned");
        assert_eq!(kept(dir.path()), expected, "{bounds:?}");
    }
}

#[test]
fn the_oldest_lines_about_runs_go_when_they_are_too_old_or_too_many() {
    let dir = tempfile::tempdir().expect("a directory");
    let bounds = RecordsConfig { age_max: Span(DAY * 2), executions_quota: Size(2_000), ..RecordsConfig::default() };
    let records = records(dir.path(), bounds);
    let [path, old] = records.executions();
    let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    for _ in 0..20 {
        drop(records.begin(&view()));
        assert!(bytes(&path) <= 1_000 && bytes(&old) <= 1_000, "{} and {}", bytes(&path), bytes(&old));
    }
    assert!(bytes(&path) > 0 && bytes(&old) > 0);
    // Young lines stay.
    let before = (fs::read(&path).expect("lines"), fs::read(&old).expect("lines"));
    records.prune().expect("pruned");
    assert_eq!((fs::read(&path).expect("lines"), fs::read(&old).expect("lines")), before);
    // The first line decides how old the file is, the last change when all of it is too old.
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let line = |age: Duration| format!("{{\"ended_unix\":{}}}\n", (since_1970 - age).as_secs());
    fs::write(&path, line(DAY + DAY / 2) + &line(Duration::ZERO)).expect("written");
    records.prune().expect("pruned");
    assert!(!path.exists() && fs::read_to_string(&old).expect("lines").lines().count() == 2);
    set_age(&old, DAY + DAY / 2);
    records.prune().expect("pruned");
    assert!(!old.exists());
}

#[test]
fn lines_about_runs_that_are_damaged_are_kept_and_keep_no_bot_from_starting() {
    let dir = tempfile::tempdir().expect("a directory");
    let bounds = RecordsConfig { age_max: Span(DAY * 2), ..RecordsConfig::default() };
    let start = || records(dir.path(), bounds);
    let [path, old] = start().executions();
    fs::write(&old, "the lines before\n").expect("written");
    // Torn by a power cut, cut short, without a time, with one that no clock shows, and what a full disk leaves.
    let damaged =
        [&b"\xff\xfe garbage"[..], b"{\"ended_unix\":17", b"{}\n", b"{\"ended_unix\":18446744073709551615}\n", b""];
    for lines in damaged {
        fs::write(&path, lines).expect("written");
        start();
        assert_eq!(fs::read(&path).expect("lines"), lines);
        assert_eq!(fs::read(&old).expect("lines"), b"the lines before\n", "{lines:?}");
    }
    // Not even when nothing was added for long: there is nothing to put aside.
    set_age(&path, DAY * 3);
    start();
    assert!(path.exists() && old.exists());
    // The last change decides, unless a line behind the damage says when it was written.
    fs::write(&path, b"\xff\xfe garbage\n{\"ended_unix\":1}\n").expect("written");
    start();
    assert!(!path.exists() && fs::read(&old).expect("lines").starts_with(b"\xff\xfe"));
    fs::write(&path, b"\xff\xfe other garbage").expect("written");
    set_age(&path, DAY + DAY / 2);
    start();
    assert!(!path.exists() && fs::read(&old).expect("lines").ends_with(b"other garbage"));
    // Whatever else cannot be put in order is told, and no more.
    fs::create_dir(&path).expect("made");
    assert!(start().prune().is_err());
}

#[test]
fn what_waits_to_be_published_is_known_after_a_restart_and_in_turn() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = records(dir.path(), RecordsConfig::default());
    assert!(first.unpublished().expect("read").is_empty());
    let receipt = receipt(&first, &view(), 1_000);
    let uids = [1, 2, 3].map(|number| JobUid([number; 32]));
    for uid in uids {
        first.keep(uid, &receipt).expect("kept");
    }
    // A crash between the mark and the receipt: the draft is signed later, and marked again.
    aged(dir.path(), 9, UNPUBLISHED, 0, 0);
    assert!(uids.iter().all(|uid| !is_published(dir.path(), *uid)));
    drop(first);
    let second = records(dir.path(), RecordsConfig::default());
    let [one, two, three] = uids;
    let recorder = PrometheusBuilder::new().build_recorder();
    let waiting = metrics::with_local_recorder(&recorder, || second.unpublished());
    assert_eq!(waiting.expect("read"), uids.into());
    let metrics = recorder.handle().render();
    assert!(metrics.contains(&format!("\n{} 3\n", names::RECEIPTS_WAITING)), "{metrics}");
    for uid in [two, one, three, three] {
        second.published(uid).expect("marked");
        assert!(is_published(dir.path(), uid));
    }
    assert!(second.unpublished().expect("read").is_empty());
    assert!(second.signed(two).expect("read").is_some(), "it is kept");
}

#[test]
fn p_30_what_is_longer_than_a_receipt_is_neither_written_nor_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = records(dir.path(), RecordsConfig::default());
    let mut long = receipt(&records, &view(), 1_000);
    let uid = uid_of(&long);
    long.run.as_mut().expect("it ran").args = vec!["\u{1}".repeat(RECEIPT_JSON_BYTES_MAX / 6)];
    let error = records.draft(uid, &long).expect_err("too long").to_string();
    assert!(error.contains("more than 262144 bytes") && kept(dir.path()).is_empty(), "{error}");
    fs::write(records.path(uid, DRAFT), vec![b' '; RECEIPT_JSON_BYTES_MAX + 1]).expect("written");
    assert!(records.drafted(uid).expect_err("too long").to_string().contains("longer than"));
}

#[test]
fn c_10_what_is_no_uid_names_no_receipt() {
    for text in ["", "../journal.log", &"A".repeat(64), &"a".repeat(63), &format!("{}/", "a".repeat(64))] {
        assert_eq!(JobUid::from_hex(text), None, "{text}");
    }
    assert_eq!(JobUid::from_hex(&"ab".repeat(32)), Some(JobUid([0xab; 32])));
}

#[test]
fn the_modules_that_ran_most_often_are_told_by_the_receipts() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = records(dir.path(), RecordsConfig::default());
    assert_eq!(records.popular().expect("read"), []);
    // How often each of the modules ran, and the job directory of its last run.
    for (job, module) in [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (6, 3)] {
        let view = tests::view(job);
        let mut receipt = receipt(&records, &view, 5);
        receipt.task.job_cid_digest = [job; 32];
        receipt.run.as_mut().expect("it ran").module_hash = [module; 32];
        records.write(view.uid, SIGNED, &receipt).expect("written");
        let file = File::options().write(true).open(records.path(view.uid, SIGNED)).expect("opened");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(job.into())).expect("set");
    }
    // Nobody's module, and no receipt.
    let mut invalid = receipt(&records, &tests::view(7), 5);
    (invalid.outcome, invalid.run) = (Outcome::invalid(InvalidReason::ModuleInvalid), None);
    records.write(tests::view(7).uid, SIGNED, &invalid).expect("written");
    fs::write(records.path(tests::view(8).uid, SIGNED), "{").expect("written");
    let popular = records.popular().expect("read");
    assert_eq!(popular.iter().map(|task| task.job_cid_digest[0]).collect::<Vec<_>>(), [6, 4, 1]);
}

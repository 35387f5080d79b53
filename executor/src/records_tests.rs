use assay_protocol::{InvalidReason, Outcome, OutcomeKind, TaskLimits, TaskSpec};
use assay_sdk::receipt::{ReceiptSignature, RunFacts};
use solana_keypair::Keypair;

use super::*;
use crate::{
    core::{JobRow, tests},
    journal::Journal,
    signer::{SignError, Signer},
};

fn view() -> JobView {
    tests::view(1)
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
        stack_peak_bytes: 1,
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
    let records = Records::new(dir.path(), [7; 32]);
    records.open().expect("opened");
    let mut journal = Journal::open(dir.path()).expect("opened");
    let signer = Signer::new(Keypair::new());
    let (honest, other) = (receipt(&records, &view(), 1_000), receipt(&records, &view(), 1_001));
    let uid = uid_of(&honest);
    assert_eq!(uid, uid_of(&other));

    let mut row = JobRow::new(uid, view().job, view().created_slot);
    journal.put(&row, 1).expect("written");
    assert!(journal.receipt_permit(uid).is_none(), "no outcome is on disk");
    row.outcome = Some(honest.outcome.encode());
    journal.put(&row, 1).expect("written");
    let permit = journal.receipt_permit(uid).expect("an outcome");
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
    let records = Records::new(dir.path(), [7; 32]);
    records.open().expect("opened");
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

#[test]
fn the_oldest_receipts_go_when_there_are_too_many() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["a", "b", "c"] {
        let path = dir.path().join(name);
        fs::write(&path, [0; 100]).expect("written");
        let age = Duration::from_secs(u64::from(b'z' - name.as_bytes()[0]) * 60);
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now() - age))
            .expect("set");
    }
    prune(dir.path(), 250).expect("pruned");
    let left: Vec<PathBuf> = files(dir.path()).expect("listed").into_iter().map(|file| file.path).collect();
    assert_eq!(left, [dir.path().join("b"), dir.path().join("c")]);
}

#[test]
fn c_10_what_is_no_uid_names_no_receipt() {
    for text in ["", "../journal.log", &"A".repeat(64), &"a".repeat(63), &format!("{}/", "a".repeat(64))] {
        assert_eq!(JobUid::from_hex(text), None, "{text}");
    }
    assert_eq!(JobUid::from_hex(&"ab".repeat(32)), Some(JobUid([0xab; 32])));
}
